"""The error budget of whole runs: maps of standard errors, intervals in tables, the same bits, and coverage in simulation."""

import math

import numpy as np
import pandas as pd
import pytest
import rasterio

from pipelines.assess import run
from pipelines.assess.study import checked
from pipelines.errors import InputError
from pipelines.files import tables
from scenes import small, write_raster
from sinks import budget
from sinks.maperror import Cells, correlation, map_error

SIZE = 1200


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sure")
    given = small(folder, size=SIZE)
    rng = np.random.default_rng(2)
    sd = rng.uniform(10, 40, (SIZE, SIZE)).astype(np.float32)
    sd[5, 5] = -1
    given["agb_sd"] = str(write_raster(folder / "sd.tif", sd, nodata=-1.0))
    return folder, given


def assess(scene, out, **more):
    folder, given = scene
    options = {
        "legend": "worldcover", "climate": "warm_temperate_moist", "parameters": "china", "quiet": True, "maps": "none",
        "error_range": 20.0, **given, "out": str(folder / out), **more,
    }  # fmt: skip
    return run.assess(checked({k: v for k, v in options.items() if v is not None}))


def test_every_stock_has_an_error_and_an_interval_that_can_be_read_back(scene):
    done = assess(scene, "plain")
    tidy = done.account.tidy.set_index(["region_id", "ecosystem", "forest_type", "quantity"])
    row = tidy.loc[("total", "forest", "all", "stock_volume")]
    assert 0 < row["se"] < row["value"]
    assert row["low"] < row["value"] < row["high"]
    errors = pd.read_csv(done.out / "errors.csv")
    shares = errors.filter(like="share_").sum(axis=1)
    assert np.allclose(shares[errors["se"] > 0], 1)
    again = tables.read_account(done.out)
    assert again.tidy["se"].notna().sum() == done.account.tidy["se"].notna().sum()
    bounds = pd.read_csv(done.out / "map_error_bounds.csv")
    assert (bounds["se_independent"] <= bounds["se_correlated"] * (1 + 1e-9)).all()
    assert (bounds["se_correlated"] <= bounds["se_full"] * (1 + 1e-9)).all()


def test_the_errors_are_the_same_for_any_block_size_and_number_of_workers(scene):
    one = assess(scene, "one", block_size=1024, workers=1)
    other = assess(scene, "other", block_size=2048, workers=2)
    assert (one.out / "errors.csv").read_bytes() == (other.out / "errors.csv").read_bytes()
    assert (one.out / "map_error_bounds.csv").read_bytes() == (other.out / "map_error_bounds.csv").read_bytes()


def test_without_a_deviation_only_coefficients_are_counted_and_that_is_said(scene):
    done = assess(scene, "bare", agb_sd=None)
    assert any("give its standard deviation with --agb-sd" in n for n in done.notes)
    errors = pd.read_csv(done.out / "errors.csv")
    assert "share_biomass_map" not in errors
    with pytest.raises(InputError, match="--agb-sd"):
        assess(scene, "refused", agb_sd=None, maps="se_carbon_total")


def test_a_map_of_standard_errors_is_the_slope_times_the_deviation(scene):
    done = assess(scene, "maps", maps="carbon_agb,se_carbon_agb,se_stock_volume", map_type="float32")
    with rasterio.open(scene[1]["agb_sd"]) as d:
        sd = d.read(1)
    with rasterio.open(done.maps["se_carbon_agb"]) as d:
        found = d.read(1)
        assert "Standard error" in d.descriptions[0]
        nothing = d.nodata
    with rasterio.open(scene[1]["landcover"]) as d:
        forest = d.read(1) == 10
    forest[1, 1] = False  # no biomass there
    assert found[forest & (sd > 0)] == pytest.approx(0.47 * sd[forest & (sd > 0)], rel=1e-5)
    assert found[5, 5] == (nothing if forest[5, 5] else found[5, 5])


def test_an_own_target_is_judged_by_its_probability(scene):
    folder, _ = scene
    first = assess(scene, "first")
    stock = first.account.value("stock_volume", ecosystem="forest")
    rows = [f"total,forest_stock,2025,{stock * f:.0f},m3" for f in (0.2, 1.0, 3.0)]
    (folder / "targets.csv").write_text(
        "region_id,indicator,year,value,unit\n" + "\n".join(rows) + "\n", encoding="utf-8"
    )
    done = assess(scene, "judged", targets=str(folder / "targets.csv"))
    own = done.scorecard[done.scorecard["role"] == "own"].sort_values("target_value")
    assert own["status"].tolist() == ["met", "undecided", "missed"]
    assert own["probability"].iloc[1] == pytest.approx(0.5, abs=0.06)
    assert (own["se"] > 0).all()


def test_intervals_cover_the_truth_93_to_97_times_in_a_hundred_with_correlated_map_errors():
    """A world of 144 cells whose errors are correlated, and a coefficient that is wrong everywhere alike."""
    rng = np.random.default_rng(11)
    n, size, range_m, draws = 12, 1e4, 6e4, 2000
    row, col = np.divmod(np.arange(n * n), n)
    area, density, sd = 1e4, rng.uniform(40, 160, n * n), rng.uniform(10, 40, n * n)
    place = np.stack([row, col], axis=1) * size
    distance = np.hypot(*(place[:, None] - place[None, :]).transpose(2, 0, 1))
    root = np.linalg.cholesky(correlation(distance, range_m) + 1e-9 * np.eye(n * n))
    truth_density = density[:, None] + sd[:, None] * (root @ rng.standard_normal((n * n, draws)))
    fraction, fraction_sd, per_volume, per_volume_sd = 0.47, 0.0128, 0.742, 0.111
    fractions = fraction + fraction_sd * rng.standard_normal(draws)
    ratios = per_volume + per_volume_sd * rng.standard_normal(draws)
    cover = 0.4 + 0.02 * rng.standard_normal(draws)
    cells = Cells(row, col, area * sd, (area * sd) ** 2, size, size)
    map_se = map_error(cells, range_m).correlated
    biomass = float((area * density).sum())
    for truth, value, parts in (
        ((area * truth_density).sum(axis=0) * fractions, biomass * fraction, (map_se * fraction, biomass * fraction_sd)),
        (
            (area * truth_density).sum(axis=0) / ratios, biomass / per_volume,
            (map_se / per_volume, biomass / per_volume * per_volume_sd / per_volume),
        ),
        (cover, 0.4, (0.02,)),
    ):  # fmt: skip
        se = math.hypot(*parts)
        inside = (np.abs(truth - value) <= budget.Z95 * se).mean()
        assert 0.93 <= inside <= 0.97, inside
