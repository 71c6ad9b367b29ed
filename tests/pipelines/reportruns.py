"""Finished runs for the tests of the report: the sample region, its change, and one whose names mean harm."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest

from pipelines.assess import run
from pipelines.assess.demo import demo_study, sample_data
from pipelines.assess.study import from_toml
from pipelines.change import change as changing
from pipelines.change import changestudy, reserves
from pipelines.report import page, runfolder

EVIL = ("<script>window.evil = 1</script>", '"><img src=x onerror="window.evil = 2">', "</script><script>window.evil = 3</script>",
        "{{ 7 * 7 }}", "=HYPERLINK(\"x\")", "O'Brien & Söhne\u2028县")  # fmt: skip
"""Names of regions that a page must show as they are, and never obey."""


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory):
    """The sample region, assessed."""
    out = tmp_path_factory.mktemp("report") / "demo"
    run.assess(demo_study(out, quiet=True, draws=0))
    return out


@pytest.fixture(scope="session")
def demo_change(tmp_path_factory):
    """The sample region, 2013 to 2023."""
    out = tmp_path_factory.mktemp("report") / "change"
    changing.change(changestudy.from_toml(sample_data() / "change.toml", out=str(out), quiet=True))
    return out


@pytest.fixture(scope="session")
def demo_reserves(demo_change, tmp_path_factory):
    """Protected areas over that change."""
    out = tmp_path_factory.mktemp("report") / "reserves"
    reserves.write(
        reserves.reserves(demo_change, sample_data() / "reserves.gpkg", id_column="id", name_column="name"), out
    )
    return out


@pytest.fixture(scope="session")
def evil_run(tmp_path_factory):
    """The sample region with regions, and a target, of harmful names."""
    folder = tmp_path_factory.mktemp("evil")
    counties = gpd.read_file(sample_data() / "counties.gpkg")
    counties.loc[: len(EVIL) - 1, "name"] = list(EVIL)
    counties.to_file(folder / "counties.gpkg")
    first = counties["adcode"].iloc[0]
    (folder / "targets.csv").write_text(
        f"region_id,indicator,year,value,unit,document\n{first},forest_coverage,2025,60,percent,{EVIL[1].replace(',', '')}\n",
        encoding="utf-8",
    )
    out = folder / "out"
    study = from_toml(sample_data() / "assessment.toml", out=str(out), regions=str(folder / "counties.gpkg"), quiet=True, draws=0,
                      targets=str(folder / "targets.csv"), maps="carbon_total")  # fmt: skip
    run.assess(study)
    return out


def written(folder: Path, out: Path, *beside: Path, **look: object) -> str:
    """The page of a run, as a file and as text."""
    whole, others = runfolder.read(folder, beside)
    page.write(whole, others, page.Look(**look), out)  # type: ignore[arg-type]
    return out.read_text(encoding="utf-8")
