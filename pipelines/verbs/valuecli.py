"""``sinks value``: the changes of a run in, what they are worth at a price out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    import pandas as pd

    from sinks.valuation import PricePath, Valued

TRANSITIONS: Final[tuple[str, ...]] = ("transitions.parquet", "transitions.csv")
"""What is read, the first that is there."""
FLUXES: Final[tuple[str, ...]] = ("fluxes.csv",)
CHANGE: Final = "change_carbon_total"
NOISE: Final = "within_noise"
"""The process whose change is within the errors of the maps."""
_KEYS: Final = ("region_id", "region_name", "year_from", "year_to", "process")
_TOTALS: Final = ("region_id", "year_from", "year_to", "change_mg_c")


def command(answers: Callable[..., Any]) -> click.Command:
    """The verb. answers : turns the project's errors into a sentence and an exit code."""

    @click.command("value")
    @click.argument("run", required=False, type=click.Path(path_type=Path))
    @click.option("--price", type=float, help="Price of carbon in the first year.")
    @click.option("--per", type=click.Choice(["c", "co2"]), help="The price is per Mg of carbon or of CO2.")
    @click.option("--currency", help="Name of the currency, e.g. CNY; nothing is converted.")
    @click.option(
        "--price-set", "set_name", metavar="NAME", help="A built-in price path; without a RUN they are listed."
    )
    @click.option("--prices", type=click.Path(path_type=Path), help="Your price path (CSV: year, price).")
    @click.option("--discount", type=float, metavar="PCT", help="Discount rate.  [of the price set, else 0]")
    @click.option("--price-growth", type=float, metavar="PCT", default=0.0,
                  help="Yearly growth of the price after its last year.  [0]")  # fmt: skip
    @click.option("--base-year", type=int, help="Year that values are discounted to.  [the first]")
    @click.option(
        "--horizon", type=int, metavar="YEAR", help="Go on at the last pace until then, in rows of their own."
    )
    @click.option("--formula", type=click.Choice(["yearly", "invest"]), default="yearly", show_default=True,
                  help="invest: as InVEST Carbon counts, its price change in --price-growth.")  # fmt: skip
    @click.option("--in-period", is_flag=True,
                  help="Only what has come about by the last epoch.  [the whole change of stock]")  # fmt: skip
    @click.option("--use-unverified", is_flag=True, help="Also use prices that no source confirms.")
    @click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
    @click.option("--out", type=click.Path(path_type=Path), help="File to write (.csv or .parquet).  [none]")
    @answers
    def value(
        run: Path | None, price: float | None, per: str | None, currency: str | None, set_name: str | None,
        prices: Path | None, discount: float | None, price_growth: float, base_year: int | None, horizon: int | None,
        formula: str, in_period: bool, use_unverified: bool, as_json: bool, out: Path | None,
    ) -> None:  # fmt: skip
        """What carbon gained or lost is worth at a price: an indication, not issuable credits.

        RUN is the output of 'sinks change', or a CSV with region_id, year_from, year_to and change_mg_c [Mg C] (totals of
        InVEST, say). Carbon lost has a negative value. Without a RUN, the built-in price sets.

        \b
        sinks value change --price 80 --per co2 --currency CNY --discount 3
        sinks value change --price-set epa_2023_2.0 --out value.csv
        """
        if run is None:
            click.echo(sets_text())
            return
        changes, notes = read_changes(run, in_period=in_period)
        first = int(changes["year_from"].min())
        path = chosen_price(price, per, currency, set_name, prices, price_growth, first, use_unverified)
        found = valued(changes, path, notes, discount, base_year, horizon, formula)
        click.echo(json.dumps(as_plain(found), indent=2, ensure_ascii=False) if as_json else text(found, path))
        if out is not None:
            write(found, out)
            click.echo(f"Written: {out}", err=as_json)

    return value


# ------------------------------------------------------------------------------------------ work


def read_changes(run: Path, *, in_period: bool = False) -> tuple[pd.DataFrame, list[str]]:
    """Changes of carbon by region, process and period (``sinks.valuation.CHANGE_COLUMNS``), and what to know of them.

    run : output of ``sinks change``, or a CSV of totals per region; in_period : only what has come about by the closing epoch.
    Periods that hold another one's epoch are passed over. Raises InputError when it is neither.
    """
    from pipelines.errors import InputError
    from pipelines.files import tidyfile
    from sinks.quantities import TOTAL

    if run.is_file():
        return _read_totals(run), []
    names = FLUXES if in_period else TRANSITIONS
    column, kind, wanted = ("in_period_mg_c", "pool", TOTAL.key) if in_period else ("value", "quantity", CHANGE)
    found = [run / name for name in names if (run / name).is_file()]
    if not found:
        raise InputError(
            f"{run}: there is no {names[-1]} here; name the output folder of 'sinks change' or a CSV of totals"
        )
    frame = tidyfile.read_tidy(found[0], (*_KEYS, kind, column), ("year_from", "year_to", column))
    frame = frame[frame[kind] == wanted].rename(columns={column: "change_mg_c"})
    if frame.empty:
        raise InputError(
            f"{found[0]}: there is no row of {wanted}; run 'sinks change' again with a biomass or soil layer"
        )
    epochs = sorted({*frame["year_from"], *frame["year_to"]})
    frame = frame[
        [not any(a < e < b for e in epochs) for a, b in zip(frame["year_from"], frame["year_to"], strict=True)]
    ]
    unknown = frame["change_mg_c"].isna()
    notes = (
        [] if in_period else ["conversions count with their whole change of stock; --in-period lets soil take its time"]
    )
    noise = frame.loc[frame["process"] == NOISE, "change_mg_c"].abs()
    if noise.sum() > 0:
        share = noise.sum() / frame["change_mg_c"].abs().sum()
        notes.append(f"{share:.0%} of the changes ({NOISE}) are within the errors of the biomass maps")
    if unknown.any():
        notes.append(f"{int(unknown.sum())} transitions without a known change of carbon are in no value")
    return frame[~unknown].reset_index(drop=True), notes


def _read_totals(path: Path) -> pd.DataFrame:
    """A table of totals; processes stay apart where it names them."""
    from pipelines.files import tidyfile

    frame = tidyfile.read_tidy(path, _TOTALS, _TOTALS[1:])
    return frame.assign(**{c: "" for c in ("region_name", "process") if c not in frame})


def chosen_price(
    price: float | None, per: str | None, currency: str | None, set_name: str | None, prices: Path | None,
    growth: float, first_year: int, use_unverified: bool,
) -> PricePath:  # fmt: skip
    """The price path that the options ask for. Raises InputError unless they ask for exactly one, with unit and currency."""
    from pipelines.errors import InputError
    from pipelines.files.text import read_text
    from sinks import valuation

    given = [name for name, v in (("--price", price), ("--price-set", set_name), ("--prices", prices)) if v is not None]
    if len(given) != 1:
        said = f"{' and '.join(given)} are given" if given else "no price is given"
        raise InputError(f"{said}; give one of --price, --price-set and --prices")
    if set_name is not None:
        if per or currency:
            raise InputError(
                f"the price set '{set_name}' has its own unit and currency; leave out --per and --currency"
            )
        return valuation.price_set(set_name, growth_percent=growth, use_unverified=use_unverified)
    if per is None or currency is None:
        raise InputError(f"{given[0]} needs --per c or --per co2, and --currency, e.g. --per co2 --currency CNY")
    if prices is not None:
        return valuation.read_prices(read_text(prices).text, str(prices), currency, per, growth)
    assert price is not None
    return valuation.PricePath("own price", (first_year,), (price,), currency, per, growth_percent=growth)


def valued(
    changes: pd.DataFrame, price: PricePath, notes: list[str], discount: float | None, base_year: int | None,
    horizon: int | None, formula: str,
) -> Valued:  # fmt: skip
    """The value of the changes, with the reader's notes before its own."""
    from dataclasses import replace

    from sinks import valuation

    found = valuation.value(
        changes, price, discount_percent=discount, base_year=base_year, horizon=horizon, formula=formula
    )
    return replace(found, notes=(*found.notes, *notes))


def write(found: Valued, out: Path) -> None:
    """The table as CSV or Parquet, by the ending; every row carries the label."""
    from pipelines.errors import InputError
    from pipelines.files import tables

    if out.suffix not in (".csv", ".parquet"):
        raise InputError(f"{out}: the table is written as .csv or .parquet; give the file one of these endings")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out.parent} cannot be made ({error.strerror}); choose another folder with --out") from None
    tables.write_table(found.table, out)


# ------------------------------------------------------------------------------------------ for the screen


def as_plain(found: Valued) -> dict[str, Any]:
    """For machines."""
    return {"label": found.label, "notes": list(found.notes), "rows": json.loads(found.table.to_json(orient="records"))}


def text(found: Valued, price: PricePath) -> str:
    """The values of all processes by region, those of the union by process, and what was assumed."""
    from sinks.accounts import TOTAL_REGION
    from sinks.valuation import ALL, PER

    t = found.table
    path = ", ".join(f"{p:g} ({y})" for y, p in zip(price.years, price.prices, strict=True))
    if len(price.years) == 1 and not price.growth_percent:
        path = f"{price.prices[0]:g} in every year,"
    unit, rate, base = price.per.upper(), t["discount_percent"].iloc[0], t["base_year"].iloc[0]
    worth = f"discounted by {rate:g} % a year to {base}" if rate else "not discounted"
    head = [
        f"Value of the change in carbon: {found.label}",
        f"Price: {price.name} [{price.kind}], {path} {price.currency_label} per Mg {unit}",
        f"       1 Mg C is {PER[price.per]:.4g} Mg {unit}; values in {price.currency_label}, {worth}",
    ]
    parts = ["\n".join(head), _shown(t[t["process"] == ALL], "region")]
    named = t[(t["region_id"] == TOTAL_REGION) & (t["process"] != ALL)]
    if len(named):
        parts.append("All regions, by process:\n" + _shown(named, "process"))
    return "\n\n".join([*parts, "\n".join(f"Note: {n}" for n in found.notes)])


def _shown(rows: pd.DataFrame, by: str) -> str:
    import pandas as pd

    name = rows["process"] if by == "process" else (rows["region_id"] + " " + rows["region_name"]).str.strip()
    period = rows["year_from"].astype(str) + "–" + rows["year_to"].astype(str)
    table = pd.DataFrame({
        by: name, "period": period.where(rows["basis"] == "observed", period + " (continued)"),
        "change Mg C": rows["change_mg_c"], "undiscounted": rows["value_undiscounted"],
        "present value": rows["value_present"],
    })  # fmt: skip
    return table.to_string(index=False, float_format=lambda v: f"{v:,.1f}" if abs(v) < 1e4 else f"{v:,.0f}")


def sets_text() -> str:
    """Every built-in price set, its years and sources."""
    from sinks import valuation

    lines = []
    for name in valuation.price_sets():
        p = valuation.price_set(name)
        rate = f", made with {p.discount_percent:g} %" if p.discount_percent is not None else ""
        span = f"{p.prices[0]:g} ({p.years[0]})" + (f" to {p.prices[-1]:g} ({p.years[-1]})" if len(p.years) > 1 else "")
        lines.append(
            f"{name:18} {p.kind:7} {span:28} {p.currency_label} per Mg {p.per.upper()}{rate}  [{', '.join(p.sources)}]"
        )
    return "\n".join(lines)
