"""``sinks change``: options in, tables and maps out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.verbs import reportcli
from pipelines.verbs.answers import Command
from pipelines.verbs.assessoptions import DRY_RUN, told
from pipelines.verbs.starting import loading

if TYPE_CHECKING:
    from pipelines.change.change import ChangeResult


def command(
    answers: Callable[..., Any], shared: Callable[..., Any], collect: Callable[..., dict[str, Any]]
) -> click.Command:
    """The verb. answers : turns errors into a sentence and an exit code; shared : adds the options of ``sinks assess``;
    collect : what was given of them."""

    @click.command("change", cls=Command)
    @click.argument("file", required=False, type=click.Path(path_type=Path))
    @click.option("--epoch", "epochs", multiple=True, metavar="KEY=VALUE,…",
                  help="year=2010,landcover=FILE,agb=FILE[,agb_sd=FILE …]. Repeat for every epoch.")  # fmt: skip
    @click.option("--minimum-change", type=float, help="Smallest patch of changed class [ha].  [0]")
    @click.option("--confidence", type=float, help="Of a change of biomass beyond its errors.  [0.95]")
    @click.option("--error-correlation", type=float, help="Of the errors of two epochs' biomass maps.  [0]")
    @click.option("--soil-change", help="Soil of land that changed its class: factors or class.  [factors]")
    @click.option("--removals", help="Wood removals and disturbances (CSV: region_id, kind, value), for gain–loss.")
    @click.option("--map-accuracy", help="Overall accuracy of every epoch's land cover, e.g. 0.92,0.90.")
    @click.option("--across-break", is_flag=True, default=None,
                  help="Let epochs differ in legend, forest definition or parameters; said with every figure.")  # fmt: skip
    @shared
    @DRY_RUN
    @reportcli.option
    @answers
    def change(
        file: Path | None,
        epochs: tuple[str, ...],
        layer_options: tuple[str, ...],
        as_json: bool,
        no_report: bool,
        dry_run: bool,
        **given: Any,
    ) -> None:
        """What changed between epochs: transitions, gains and losses, named processes, maps of change.

        Options of 'sinks assess' hold for all epochs; --epoch says what each has of its own.

        \b
        sinks change --epoch year=2010,landcover=lc10.tif,agb=agb10.tif --epoch year=2020,landcover=lc20.tif,agb=agb20.tif \\
              --legend clcd --regions counties.gpkg --out change
        sinks change change.toml
        """
        with loading():
            from pipelines.change import change as changing
            from pipelines.change import changestudy

        options = collect(given, layer_options)
        if file is not None:
            study = changestudy.from_toml(file, **options)
        else:
            study = changestudy.checked([changestudy.epoch_of(e) for e in epochs], options)
        if dry_run:
            from pipelines.change import changecheck

            told(changecheck.dry_run(study), as_json, "Nothing was written: this is a dry run.")
            return
        found = changing.change(study, reportcli.finish(no_report))
        click.echo(json.dumps(as_dict(found), indent=2, ensure_ascii=False) if as_json else text(found))

    return change


def text(found: ChangeResult) -> str:
    """The change for people."""
    lines = []
    for ledger, errors in zip(found.ledgers, found.errors, strict=True):
        span = f"{ledger.years[0]}–{ledger.years[1]}"
        t = ledger.transitions
        top = t[t["region_id"] == "total"]
        opening, closing = top["opening_carbon_total"].sum(), top["closing_carbon_total"].sum()
        gain, loss = top["gain_carbon_total"].sum(), top["loss_carbon_total"].sum()
        lines += [
            f"{span}, on {top['area_ha'].sum():,.0f} ha that both epochs tell",
            f"  carbon   {opening:>18,.0f} Mg C  {gain:+,.0f} gained  {loss:+,.0f} lost  = {closing:,.0f} Mg C",
        ]
        sure = errors.query("region_id == 'total' and process == 'all' and quantity == 'carbon_total'")
        for value, low, high in sure[["value", "low", "high"]].itertuples(index=False):
            lines.append(f"  change   {value:>+18,.0f} Mg C, 95 % interval {low:+,.0f} to {high:+,.0f}")
        flux = ledger.gross[ledger.gross["region_id"] == "total"].iloc[0]
        lines.append(
            f"  fluxes   {flux['gross_emissions_t_co2_yr']:>18,.0f} t CO2/yr emitted, "
            f"{flux['gross_removals_t_co2_yr']:,.0f} removed: net sink {flux['net_sink_t_co2_yr']:+,.0f} t CO2/yr"
        )
        lines.append(f"  {'process':24}{'area ha':>14}{'change Mg C':>16}")
        by = top.groupby("process")[["area_ha", "change_carbon_total"]].sum()
        for process, (area, amount) in sorted(by.iterrows(), key=lambda kv: -abs(kv[1].iloc[1])):
            lines.append(f"  {process!s:24}{area:>14,.1f}{amount + 0.0:>+16,.0f}")
        lines.append("")
    if found.gain_loss is not None:
        both = found.gain_loss.iloc[0]
        removed = both[["wood_removals_mg_c_yr", "fuelwood_mg_c_yr", "disturbance_mg_c_yr"]].sum()
        lines += [
            "living biomass of forest and converted land, Mg C/yr",
            f"  gain–loss        {both['gain_loss_mg_c_yr']:>+16,.0f}",
            f"    growth         {both['growth_mg_c_yr']:>+16,.0f}",
            f"    conversions    {both['conversion_mg_c_yr']:>+16,.0f}",
            f"    removals       {removed:>+16,.0f}",
            f"  stock difference {both['stock_difference_mg_c_yr']:>+16,.0f}",
            "",
        ]
    lines.append("epoch        coverage %      stock m³         carbon Mg C")
    series = found.series[found.series["region_id"] == "total"].pivot(index="year", columns="quantity", values="value")
    for year, row in series.iterrows():
        lines.append(
            f"{year!s:12}{row['coverage_percent']:>11.2f}{row['stock_volume']:>16,.0f}{row['carbon_total']:>18,.0f}"
        )
    lines += ["", *(f"note: {n}" for n in found.notes), *(f"warning: {w}" for w in found.warnings)]
    lines.append(f"\n{found.pixels:,} pixels in {found.seconds:.1f} s → {found.out}")
    return "\n".join(lines)


def as_dict(found: ChangeResult) -> dict[str, Any]:
    """The change as plain values."""
    return {
        "out": str(found.out),
        "periods": [
            {
                "years": list(ledger.years),
                "gross": ledger.gross.to_dict("records"),
                "processes": ledger.transitions.groupby(["region_id", "process"], sort=False)[
                    ["area_ha", "gain_carbon_total", "loss_carbon_total", "change_carbon_total"]
                ].sum().reset_index().to_dict("records"),
            }
            for ledger in found.ledgers
        ],
        "series": found.series.astype(object).where(found.series.notna(), None).to_dict("records"),
        "notes": list(found.notes),
        "warnings": list(found.warnings),
        "maps": {k: str(v) for k, v in found.maps.items()},
    }  # fmt: skip
