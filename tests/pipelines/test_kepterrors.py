"""Rolled-up tiles are as sure as the one big run: coefficients stay shared, and so do the map's errors across the border."""

import numpy as np
import pandas as pd
import pytest

from pipelines.assess import kepterrors
from pipelines.errors import InputError
from pipelines.files import tables
from sinks.accounts import add_all


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
