"""``sinks impact``: options in, tables out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.change.impact import Found

MOST_SITES = 15
"""Areas that are shown; the others are in the table."""


def command(answers: Callable[..., Any]) -> click.Command:
    """The verb. answers : turns the project's errors into a sentence and an exit code."""

    @click.command("impact")
    @click.argument("run", type=click.Path(path_type=Path))
    @click.option("--areas", required=True, type=click.Path(path_type=Path),
                  help="Polygons of protected areas, red lines or projects: any vector file.")  # fmt: skip
    @click.option("--id", "--region-id", "id_column", metavar="COL", help="Column with the areas' codes.")
    @click.option("--name", "--region-name", "name_column", metavar="COL", help="Column with the areas' names.")
    @click.option("--layer", "--region-layer", "layer", metavar="NAME", help="Layer of the vector file.")
    @click.option("--start", type=int, metavar="YEAR", help="Year since when the areas are treated.  [the first epoch]")
    @click.option(
        "--ring", "ring_km", type=float, metavar="KM", help="Ring around the areas, for leakage; 0 for none.  [5]"
    )
    @click.option(
        "--search", "search_km", type=float, metavar="KM", help="How far from the areas controls may lie.  [50]"
    )
    @click.option("--units", type=int, help="Pixels drawn inside, and as many in the ring.  [2000]")
    @click.option("--controls", type=int, help="Pixels drawn outside, to choose controls from.  [5 × units]")
    @click.option("--covariate", "covariates", multiple=True, metavar="NAME=FILE",
                  help="Raster to be near in; elevation gives slope too, climate must be the same. Repeat.")  # fmt: skip
    @click.option("--category", "classes", multiple=True, metavar="NAME=FILE",
                  help="Raster of classes in which controls must be the same, e.g. province=FILE. Repeat.")  # fmt: skip
    @click.option(
        "--match-trend", is_flag=True, help="Match on the change before the start too (two epochs before it)."
    )
    @click.option("--neighbours", type=int, help="Controls of a pixel.  [4]")
    @click.option(
        "--caliper", type=float, help="How far off a control may be, in standard deviations of a covariate.  [0.5]"
    )
    @click.option("--seed", type=int, help="Same seed, same pixels.  [1]")
    @click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
    @click.option("--out", type=click.Path(path_type=Path), help="Folder for tables and points.  [none are written]")
    @answers
    def impact(run: Path, areas: Path, as_json: bool, out: Path | None, **given: Any) -> None:
        """What protection or restoration did to carbon, against land outside that was alike before.

        RUN is what 'sinks change' wrote. Every pixel inside is compared with pixels of the same ecosystem outside, nearest in
        stock, distance to the ecosystem's edge and the covariates given; then the same for the ring around the areas.

        \b
        sinks impact change --areas reserves.gpkg --id code --covariate elevation=dem.tif --covariate climate=zones.tif \\
              --ring 5 --out impact
        """
        from pipelines.change import impact as impacts

        found = impacts.study(run, areas, **{k: v for k, v in given.items() if v is not None})
        click.echo(json.dumps(found.summary, indent=2, ensure_ascii=False) if as_json else text(found))
        if out is not None:
            for path in impacts.write(found, out):
                click.echo(f"Written: {path}", err=as_json)

    return impact


# ------------------------------------------------------------------------------------------ for the screen


def text(found: Found) -> str:
    """Effects of all areas and of each, the worst of the balance, notes."""
    s, table = found.summary, found.table
    counts = ", ".join(f"{s['units'].get(r, 0):,} {r}" for r in ("inside", "ring", "outside"))
    sites = list(dict.fromkeys(table["site_id"]))
    shown = table[table["site_id"].isin(sites[: MOST_SITES + 1])]
    lines = [f"{s['before']}–{s['after']}, {s['sites']} area(s); pixels: {counts}; intervals of 95 %", ""]
    lines += [shown_table(shown), ""]
    if len(sites) > MOST_SITES + 1:
        lines.append(f"{len(sites) - MOST_SITES - 1} more areas are in impact.csv; write it with --out")
    whole = table[(table["site_id"] == "total") & (table["part"] != "net")]
    for r in whole.itertuples():
        lines.append(_sentence(r))
    return "\n".join([*lines, "", *_balance(found), "", *(f"Note: {n}" for n in s["notes"])])


def shown_table(table: pd.DataFrame) -> str:
    """Effects in columns."""
    import pandas as pd

    return pd.DataFrame({
        "area": [f"{i} {n or ''}".strip() for i, n in zip(table["site_id"], table["site_name"].fillna(""), strict=True)],
        "part": table["part"],
        "Mg C/ha/yr": table["effect_mg_c_ha_yr"].map(_signed),
        "low": table["low"].map(_signed), "high": table["high"].map(_signed),
        "Mg C": table["total_mg_c"].map(_total),
        "inside − outside": table["naive_mg_c_ha_yr"].map(_signed),
        "matched": table["matched_share"].map(lambda v: "" if v != v else f"{v:.0%}"),
        "controls": table["verdict"], "parallel": table["parallel"],
    }).to_string(index=False)  # fmt: skip


def _sentence(row: Any) -> str:
    where = "inside" if row.part == "inside" else "in the ring"
    if row.verdict == "no controls":
        return f"No control was found for any pixel {where}: there is no estimate."
    found = f"{row.matched_share:.0%} of the area has any, largest standardized difference {row.largest_smd:.2f}"
    if row.verdict == "poorly matched":
        return f"Controls for pixels {where} match poorly ({found}): do not read the estimate as an effect."
    return f"Controls for pixels {where} match ({found})."


def _balance(found: Found) -> list[str]:
    rows = found.impact.balance
    rows = rows[(rows["site_id"] == "total") & (rows["part"] == "inside")]
    return [
        f"{r['covariate']}: inside {r['treated_mean']:,.4g}, outside {r['outside_mean']:,.4g}, controls {r['control_mean']:,.4g};"
        f" standardized difference {r['smd_before']:+.2f} before, {r['smd_after']:+.2f} after ({r['balance'] or 'not known'})"
        for r in rows.to_dict("records")
    ]


def _signed(v: float) -> str:
    return "" if v != v else f"{v:+.3f}"


def _total(v: float) -> str:
    return "" if v != v else f"{v:+,.0f}"
