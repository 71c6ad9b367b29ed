"""Rolled-up tiles are as sure as the one big run: coefficients stay shared, and so do the map's errors across the border."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from pipelines import kepterrors, run, tables
from pipelines.demo import sample_data
from pipelines.errors import InputError
from pipelines.study import from_toml
from sinks.accounts import add_all

CUT = 512


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """The sample region whole and in two tiles that cut counties in two."""
    folder = tmp_path_factory.mktemp("tiles")
    with rasterio.open(sample_data() / "landcover_2023.tif") as d:
        for name, window in (("west", Window(0, 0, CUT, 800)), ("east", Window(CUT, 0, 800 - CUT, 800))):
            profile = {**d.profile, "width": window.width, "transform": d.window_transform(window)}
            with rasterio.open(folder / f"{name}.tif", "w", **profile) as out:
                out.write(d.read(1, window=window), 1)
    with rasterio.open(
        sample_data() / "landcover_2023.tif"
    ) as like:  # a warp differs in the sixth digit with its grid's origin
        profile = {**like.profile, "dtype": "float32", "nodata": np.nan, "predictor": 3}
        for name in ("agb", "agb_sd"):
            with (
                rasterio.open(sample_data() / f"{name}_2023.tif") as source,
                WarpedVRT(
                    source, crs=like.crs, transform=like.transform, width=like.width, height=like.height
                ) as warped,
                rasterio.open(folder / f"{name}.tif", "w", **profile) as out,
            ):
                data = warped.read(1).astype(np.float32)
                out.write(np.where(data == source.nodata, np.nan, data), 1)
    counties = gpd.read_file(
        sample_data() / "counties.gpkg"
    )  # moved a little, so that no border runs through a pixel's middle
    counties.geometry = counties.translate(1.3e-4, 0.7e-4)
    counties.to_file(folder / "counties.gpkg")
    layers = {name: str(folder / f"{name}.tif") for name in ("agb", "agb_sd")} | {
        "regions": str(folder / "counties.gpkg")
    }
    found = {}
    for name in ("whole", "west", "east"):
        more = layers if name == "whole" else {**layers, "landcover": str(folder / f"{name}.tif")}
        study = from_toml(sample_data() / "assessment.toml", out=str(folder / f"out-{name}"), maps="none", draws=0, quiet=True,
                          error_range=30.0, **more)  # fmt: skip
        found[name] = run.assess(study)
    return found


def compared(whole, merged):
    keys = ["region_id", "ecosystem", "forest_type", "quantity"]
    both = whole.merge(merged, on=keys, suffixes=("", "_merged"))
    assert len(both) == len(whole)
    return both


def test_two_tiles_are_as_sure_as_the_whole(tiles):
    parts = [tiles[n] for n in ("west", "east")]
    account = add_all([tables.read_account(p.out) for p in parts])
    kept = [kepterrors.read(p.out) for p in parts]
    table, notes = kepterrors.merged_table(kept, account.tidy, account.regions)
    whole = pd.read_csv(tiles["whole"].out / "errors.csv", encoding="utf-8-sig", dtype={"region_id": str})
    both = compared(whole[whole["se"] > 0], table)
    np.testing.assert_allclose(both["value_merged"], both["value"], rtol=1e-9)
    np.testing.assert_allclose(both["se_merged"], both["se"], rtol=1e-9)
    shares = [c for c in whole if c.startswith("share_")]
    np.testing.assert_allclose(both[[f"{c}_merged" for c in shares]], both[shares], rtol=1e-6, atol=1e-9)
    assert "across runs as within them" in " ".join(notes)


def test_tiles_taken_as_independent_would_be_too_sure(tiles):
    """The point of it: errors of tiles do not average out."""
    se = {}
    for name in ("whole", "west", "east"):
        table = pd.read_csv(tiles[name].out / "errors.csv", encoding="utf-8-sig")
        top = table[(table["region_id"] == "total") & (table["ecosystem"] == "all")].set_index("quantity")
        se[name] = top.loc["carbon_agb", "se"] * top.loc["carbon_agb", "share_carbon_fraction"] ** 0.5
    assert np.hypot(se["west"], se["east"]) < 0.95 * se["whole"]
    assert se["west"] + se["east"] == pytest.approx(se["whole"], rel=1e-6)


def test_maps_on_other_lattices_are_taken_as_fully_correlated(tiles):
    one, two = (kepterrors.read(tiles[n].out) for n in ("west", "east"))
    a, b, c, d, e, f = two.map.grid.transform
    moved = kepterrors.Grid(
        two.map.grid.crs_wkt, (a, b, c + 0.37 * a, d, e, f), two.map.grid.width, two.map.grid.height
    )
    other = kepterrors.Kept(two.moves, kepterrors.MapErrors(**{**two.map.__dict__, "grid": moved}))
    account = add_all([tables.read_account(tiles[n].out) for n in ("west", "east")])
    loose, notes = kepterrors.merged_table([one, other], account.tidy, account.regions)
    tight, _ = kepterrors.merged_table([one, two], account.tidy, account.regions)
    both = compared(tight[tight["region_id"] == "total"], loose)
    assert (both["se_merged"] >= both["se"] * (1 - 1e-9)).all()
    assert both["se_merged"].iloc[0] > both["se"].iloc[0] * 1.01
    assert "as if fully correlated" in " ".join(notes)


def test_a_run_without_kept_errors_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no error_moves\.parquet here"):
        kepterrors.read(tmp_path)
