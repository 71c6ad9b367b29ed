"""Errors of a change: shared coefficients cancel, and what is left is what moved."""

import numpy as np
import pytest
import xarray as xr

import sinks
from sinks import budget
from sinks.changebudget import of_maps
from sinks.sums import merge

SHAPE = (40, 50)


def raster(values):
    y, x = 36 - 0.01 * (np.arange(SHAPE[0]) + 0.5), 100 + 0.01 * (np.arange(SHAPE[1]) + 0.5)
    out = xr.DataArray(values, dims=("y", "x"), coords={"y": y, "x": x})
    return out.rio.write_crs("EPSG:4326")


def epoch(cover, agb, **layers):
    import rioxarray  # noqa: F401

    return sinks.assess(
        raster(cover), raster(agb), legend="sample", climate="warm_temperate_moist", parameters="ipcc",
        **{k: raster(v) for k, v in layers.items()},
    )  # fmt: skip


def errors(one, two, **more):
    return (
        sinks.change({2010: one, 2020: two}, **more).errors.set_index(["region_id", "process", "quantity"]).sort_index()
    )


def stock_se(assessment, quantity):
    """Standard error of a stock by its coefficients."""
    sums = merge([assessment_sums(assessment)])
    work = budget.prepare(sums, assessment.science, assessment.regions)
    t = work.targets.keys.index(("total", "all", "all"))
    q = budget.QUANTITIES.index(quantity)
    return float(sum(v[t, q] for v in budget.propagate(work).values()) ** 0.5)


def assessment_sums(a):
    from sinks import onepass

    nothing = onepass.MapRequest((), ())
    packed, terms = a.packed(*(np.asarray(v.values) for v in (a.cover, a.latitude, *a.layers.values())))
    seen = onepass.survey(packed, np.asarray(a.zones.values), 2)
    return onepass.run(
        packed.code, np.asarray(a.zones.values), np.asarray(a.area.values), terms, a.science.strata(seen.codes, nothing),
        nothing, seen,
    )[1]  # fmt: skip


FOREST = np.full(SHAPE, 1, np.uint8)
AGB = np.random.default_rng(1).uniform(30, 60, SHAPE).astype(np.float32)


def test_where_nothing_changed_nothing_is_unsure():
    one = epoch(FOREST, AGB)
    found = errors(one, epoch(FOREST, AGB)).loc[("total", "all")]
    assert (found["value"].abs() < 1e-6).all()
    assert (found["se"] <= 1e-9 * one.account.value("carbon_total")).all()


def test_a_fifth_more_biomass_is_a_fifth_as_unsure_as_the_stock():
    one = epoch(FOREST, AGB)
    found = errors(one, epoch(FOREST, AGB * np.float32(1.2))).loc[("total", "all")]
    for quantity in ("carbon_agb", "carbon_bgb"):
        assert found.loc[quantity, "value"] == pytest.approx(0.2 * one.account.value(quantity), rel=1e-6)
        assert found.loc[quantity, "se"] == pytest.approx(0.2 * stock_se(one, quantity), rel=1e-6)


def test_what_is_cleared_is_as_unsure_as_it_was():
    cover = FOREST.copy()
    cover[:10] = 11  # built-up land
    cut = {"carbon_agb", "carbon_bgb", "carbon_deadwood", "carbon_litter"}
    one = epoch(FOREST, AGB)
    found = errors(one, epoch(cover, AGB)).loc[("total", "construction_take")]
    alone = epoch(np.where(np.arange(SHAPE[0])[:, None] < 10, 1, 0).astype(np.uint8) * np.ones(SHAPE, np.uint8), AGB)
    for quantity in cut:
        assert found.loc[quantity, "value"] == pytest.approx(-alone.account.value(quantity), rel=1e-6)
        assert found.loc[quantity, "se"] == pytest.approx(stock_se(alone, quantity), rel=1e-6)
    shares = found.filter(like="share_").sum(axis=1)
    assert np.allclose(shares[found["se"] > 0], 1.0)


def test_the_soil_of_a_conversion_is_as_unsure_as_its_factors():
    soc = np.full(SHAPE, 80, np.float32)
    grass, crop = np.full(SHAPE, 6, np.uint8), np.full(SHAPE, 7, np.uint8)
    one, two = (epoch(c, np.zeros(SHAPE, np.float32), soc=soc) for c in (grass, crop))
    found = errors(one, two).loc[("total", "all", "carbon_soil")]
    area = one.account.area_ha()
    assert found["value"] == pytest.approx(80 * (0.69 - 1) * area, rel=1e-6)
    half = 0.8004 - 0.69  # 2019 Refinement, Table 5.5: ± 16 %, 95 %
    assert found["se"] == pytest.approx(80 * half / 1.96 * area, rel=0.01)


def test_errors_that_two_maps_share_cancel():
    assert of_maps(3.0, 4.0, 0.0) == pytest.approx(5.0)
    assert of_maps(3.0, 3.0, 1.0) == pytest.approx(0.0, abs=1e-9)
    assert of_maps(3.0, 4.0, 1.0) == pytest.approx(1.0)
