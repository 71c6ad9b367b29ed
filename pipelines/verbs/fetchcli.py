"""``sinks fetch``: public global layers of a region, and the assessment file that uses them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def command(answers: Callable[..., Any]) -> click.Command:
    """The verb. answers : turns errors into a sentence and an exit code."""

    @click.command("fetch")
    @click.option("--region", type=click.Path(), help="Region polygons: any vector file.")
    @click.option("--region-id", help="Column with the regions' codes.")
    @click.option("--region-name", help="Column with the regions' names.")
    @click.option("--region-layer", help="Layer of the vector file.")
    @click.option("--year", type=int, help="Year the maps should stand for; the nearest there is is taken, and said.")
    @click.option(
        "--layers", "names", help="Comma-separated layers or products.  [landcover, agb, agb_sd, soc, climate]"
    )
    @click.option("--out", type=click.Path(path_type=Path), help="Folder for the layers and their assessment file.")
    @click.option(
        "--mirror",
        "mirrors",
        multiple=True,
        metavar="PRODUCT=URL",
        help="Another server or a folder with the layout of the product's own. Repeat for more.",
    )
    @click.option(
        "--cache",
        type=click.Path(path_type=Path),
        envvar="SINKS_CACHE",
        help="Folder of pieces kept for later fetches.",
    )
    @click.option("--cache-size", type=float, default=20.0, show_default=True, help="Most that folder may hold [GiB].")
    @click.option("--workers", type=click.IntRange(1, 32), default=4, show_default=True, help="Requests at a time.")
    @click.option(
        "--tries", type=click.IntRange(1, 20), default=6, show_default=True, help="How often a request is made."
    )
    @click.option("--list", "listing", is_flag=True, help="What can be fetched, what was left out and why.")
    @click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
    @click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
    @answers
    def fetch(
        region: str | None, region_id: str | None, region_name: str | None, region_layer: str | None, year: int | None,
        names: str | None, out: Path | None, mirrors: tuple[str, ...], cache: Path | None, cache_size: float, workers: int,
        tries: int, listing: bool, quiet: bool, as_json: bool,
    ) -> None:  # fmt: skip
        """Build the inputs of an assessment from public global layers.

        Only the parts of the maps that the region touches are read. A fetch that was stopped goes on with the same command.

        \b
        sinks fetch --list
        sinks fetch --region county.gpkg --year 2021 --out inputs
        sinks assess inputs/assessment.toml
        """
        from pipelines.fetch import register

        if listing:
            click.echo(_listed_json() if as_json else _listed())
            return
        if region is None or year is None or out is None:
            raise click.UsageError("give --region, --year and --out; or --list for what can be fetched")
        from pipelines.fetch import fetch as fetching
        from pipelines.fetch.web import Patience

        wanted = [n.strip() for n in names.split(",") if n.strip()] if names else None
        order = fetching.Order(
            region, year, out, register.chosen(wanted, register.parse_mirrors(mirrors)), region_id, region_name, region_layer,
            cache, cache_size, workers, quiet or as_json, Patience(tries=tries),
        )  # fmt: skip
        _told(fetching.fetch(order), as_json)

    return fetch


def _told(found: Any, as_json: bool) -> None:
    if as_json:
        told = {
            "out": str(found.out),
            "assessment": str(found.assessment),
            "notes": found.notes,
            "sources": found.sources,
        }
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for entry in found.sources:
        files = entry["files"]
        size = sum(r["bytes"] for r in entry["rasters"]) / 1e6
        click.echo(
            f"{files[0] if len(files) == 1 else entry['layer']:<20} {size:9.1f} MB   {entry['title']} [{entry['licence']}]"
        )
    for line in found.notes:
        click.echo(f"note: {line}")
    click.echo(f"\nNext:  sinks assess {found.assessment}")


def _listed() -> str:
    from pipelines.fetch import register

    lines = [f"  {'product':<20} {'layer':<14} {'years':<12} title [licence]"]
    for p in register.products().values():
        years = sorted(map(int, p.years))
        span = f"{years[0]}-{years[-1]}" if len(years) > 1 else str(years[0]) if years else "-"
        about = p.about(years[-1] if years else None)
        mark = "*" if p.default else " "
        lines.append(f"{mark} {p.name:<20} {p.layer:<14} {span:<12} {about['title']} [{about['licence']}]")
    lines += ["", "* fetched unless --layers says otherwise", "", "Left out:"]
    lines += [f"  {row['product']} ({row['layer']}): {row['why']}" for row in register.left_out()]
    return "\n".join(lines)


def _listed_json() -> str:
    from pipelines.fetch import register

    known = [
        {"product": p.name, "layer": p.layer, "years": sorted(map(int, p.years)), "default": p.default, "base": p.base,
         **p.about(max(map(int, p.years)) if p.years else None)}
        for p in register.products().values()
    ]  # fmt: skip
    return json.dumps({"products": known, "left_out": register.left_out()}, indent=2, ensure_ascii=False)
