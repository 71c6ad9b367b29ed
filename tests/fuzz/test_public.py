"""Every public function with anything at all: no exception but the program's own or a ValueError that says why; numbers that
are finite or absent, and not below zero where that cannot be."""

import importlib
import inspect
import math
import warnings

import numpy as np
import pytest
import rioxarray  # noqa: F401  (gives DataArray its .rio)
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

import sinks
from sinks import (
    allocation,
    calibration,
    coverage,
    exactsum,
    invest,
    legends,
    parameterfiles,
    parameters,
    targets,
    valuation,
)
from sinks.errors import InputError

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
SLOW = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))


def clear(error: BaseException) -> None:
    """One sentence for people."""
    assert str(error).strip(), repr(error)
    assert "Traceback" not in str(error)


# ------------------------------------------------------------------------------------------ text

READERS = {
    "legend": legends.Legend.from_text, "pools": invest.read_pools, "targets": targets.read_targets,
    "official": calibration.read_official, "prices": lambda t, n: valuation.read_prices(t, n, "CNY", "co2"),
    "parameters": parameterfiles.read_back, "cells": parameters.read_cells, "lines": parameters.parse_lines,
    "rows in front": lambda t, n: parameters.with_overrides(sinks.parameter_set("china"), t, n),
}  # fmt: skip
WORDS = st.sampled_from([
    "code", "ecosystem", "value", "unit", "source", "topic", "parameter", "set", "scheme", "china", "forest", "10", "-1", "1e309", "nan", "inf", "",
    "=1+1", '"', "'", "0,5", "lucode", "C_above", "c_below", "C_soil", "C_dead", "region_id", "indicator", "year", "forest_coverage", "2025", "%",
    "quantity", "area", "ha", "price", "volume_ratio", "agb_per_volume", "Mg m-3", "\x00", "甲", "\ufeff", "sep=;", "low", "high", "status",
])  # fmt: skip
TABLES = st.lists(st.lists(WORDS, min_size=1, max_size=8).map(",".join), max_size=6).map("\n".join)


@QUICK
@given(text=st.text(max_size=300) | TABLES, which=st.sampled_from(sorted(READERS)))
def test_any_text(text, which):
    try:
        READERS[which](text, "mine.csv")
    except InputError as error:
        clear(error)
        named = "mine.csv" in str(error)
        assert named


@QUICK
@given(name=st.text(max_size=20))
def test_any_name(name):
    for ask in (sinks.parameter_set, sinks.Legend.builtin, valuation.price_set, lambda n: targets.national(document=n),
                lambda n: coverage.forest_definition(n, sinks.parameter_set("china"))):  # fmt: skip
        try:
            ask(name)
        except (InputError, ValueError) as error:
            clear(error)


# ------------------------------------------------------------------------------------------ equations

MODULES = (
    "area",
    "biomass",
    "growingstock",
    "weathering",
    "climate",
    "soilcarbon",
    "organicsoil",
    "disturbance",
    "permafrost",
    "gainloss",
    "maperror",
)
SIGNED = {
    "stock_difference", "gain_loss", "tier1_change", "layer_after", "carbon_sink", "rewetted_methane", "co2_equivalent", "extracted_carbon",
    "cell_area", "drained_methane", "correlation_area", "log_constants", "released_between", "nitrous_oxide", "biomass_gain",
}  # fmt: skip
"""What may be below zero: changes and sinks, and the area of a cell whose north lies south of its south."""


def equations():
    """Functions of arrays and numbers alone, found by their annotations."""
    for module in MODULES:
        for name, function in inspect.getmembers(importlib.import_module(f"sinks.{module}"), inspect.isfunction):
            if name.startswith("_") or function.__module__ != f"sinks.{module}":
                continue
            asked = inspect.signature(function)
            kinds = [p.annotation for p in asked.parameters.values() if p.default is p.empty]
            if (
                name != "thornthwaite_pet"
                and kinds
                and set(kinds) <= {"Array", "float"}
                and asked.return_annotation == "Array"
            ):
                yield pytest.param(function, id=f"{module}.{name}")


DOMAINS = {
    "w": (1.1, 6), "beta": (0.9, 0.99), "exponent": (0.1, 1.5), "mass_fraction": (0, 0.95), "a": (0.3, 2), "b": (0, 50), "chord_volume": (10, 60),
    "inverse_flattening": (200, 400), "fraction": (0, 1), "carbon_fraction": (0, 1), "coarse_fragments": (0, 1), "latitude": (-85, 85),
}  # fmt: skip
"""Where coefficients can lie; data may be anything from a hundredth to five hundred, or absent."""


@QUICK
@pytest.mark.parametrize("function", list(equations()))
@given(data=st.data())
def test_any_equation(function, data):
    asked = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    values = {}
    for p in asked:
        numbers = st.floats(*DOMAINS.get(p.name, (0.01, 500.0)), allow_subnormal=False)
        row = st.lists(numbers | st.just(math.nan), min_size=3, max_size=3).map(np.array)
        values[p.name] = data.draw(numbers if p.annotation == "float" else row)
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(function(**values))
    except (InputError, ValueError) as error:
        clear(error)
        return
    assert found.dtype.kind == "f"
    assert not np.isinf(found).any(), (values, found)
    if function.__name__ not in SIGNED:
        assert not (found < 0).any(), (values, found)
    absent = np.any([np.isnan(v) for v in values.values() if isinstance(v, np.ndarray)] or [[False] * 3], axis=0)
    assert np.isfinite(np.broadcast_to(found, absent.shape)[~absent]).all(), (values, found)


# ------------------------------------------------------------------------------------------ numbers


@QUICK
@given(values=nps.arrays(np.float64, st.integers(0, 50), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_exact_sums_of_anything(values):
    if not np.isfinite(values).all() or (np.abs(values) >= 2.0**120).any():
        values = values[np.isfinite(values) & (np.abs(values) < 2.0**120)]
    digits = exactsum.from_floats(values).sum(axis=0) if values.size else np.zeros(exactsum.DIGITS, np.int64)
    total = float(exactsum.to_floats(digits[None])[0])
    assert total == pytest.approx(math.fsum(values), rel=1e-12, abs=max(1, values.size) * 2.0**-64)


@QUICK
@given(
    area=st.dictionaries(st.text(min_size=1, max_size=5), st.floats(allow_nan=True, allow_infinity=True), max_size=5),
    size=st.integers(-10, 10_000), minimum=st.integers(-5, 100), how=st.sampled_from(["proportional", "equal", "neyman", "x"]),
)  # fmt: skip
def test_any_allocation(area, size, minimum, how):
    try:
        found = allocation.allocate(size, area, how, minimum=minimum, users_accuracy=dict.fromkeys(area, 0.8))
    except (InputError, ValueError) as error:
        clear(error)
        return
    assert sum(found.values()) == size
    assert all(n >= 0 for n in found.values())


# ------------------------------------------------------------------------------------------ the xarray API


def raster(values, crs="EPSG:4326", x0=100.0, y0=30.0, step=0.01):
    height, width = values.shape
    found = xr.DataArray(
        values,
        dims=("y", "x"),
        coords={"y": y0 - step * (np.arange(height) + 0.5), "x": x0 + step * (np.arange(width) + 0.5)},
    )
    return found.rio.write_crs(crs)


SHAPES = nps.array_shapes(min_dims=2, max_dims=2, max_side=6)
PLACES = {
    "crs": st.sampled_from(["EPSG:4326", "EPSG:32649", "EPSG:3857", "EPSG:6933", "EPSG:4979", "EPSG:2263"]), "x0": st.floats(-1e6, 1e6),
    "y0": st.floats(-200, 200), "step": st.sampled_from([0.01, 1.0, 30.0, 1e-9]),
}  # fmt: skip


@SLOW
@given(shape=SHAPES, place=st.fixed_dictionaries(PLACES))
def test_the_area_of_any_pixels(shape, place):
    if min(shape) < 2:
        shape = tuple(max(2, n) for n in shape)
    try:
        found = sinks.pixel_area(raster(np.zeros(shape, np.uint8), **place)).values
    except (InputError, ValueError) as error:
        clear(error)
        return
    assert not (found < 0).any()
    assert not np.isinf(found).any()


@SLOW
@given(data=st.data(), shape=SHAPES, dtype=st.sampled_from(["uint8", "int16", "float32", "float64", "int64"]))
def test_any_assessment(data, shape, dtype):
    shape = tuple(max(2, n) for n in shape)
    codes = data.draw(nps.arrays(dtype, shape, elements=st.sampled_from([0, 10, 20, 30, 40, 80, 95, 77])))
    agb = data.draw(
        nps.arrays(
            np.float32, shape, elements=st.floats(-50, 3000, width=32) | st.sampled_from([math.nan, math.inf, 0.0])
        )
    )
    lc = raster(codes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = sinks.assess(
                lc, raster(agb), legend="worldcover", climate="warm_temperate_moist", parameters="china"
            )
            tidy = found.accounts
        except (InputError, ValueError) as error:
            clear(error)
            return
    assert np.isfinite(tidy["value"].to_numpy(float)).all()
    stocks = tidy[tidy["quantity"].isin(["area", "stock_volume", "carbon_total", "carbon_agb", "carbon_bgb"])]
    assert (stocks["value"] >= 0).all()
    assert not np.isinf(found.maps.carbon_total.values).any()


@SLOW
@given(data=st.data(), shape=SHAPES, years=st.lists(st.integers(1990, 2030), min_size=1, max_size=3))
def test_any_change(data, shape, years):
    """Whatever two maps hold: refused in a sentence, or opening + gains + losses = closing, and the map is the table's."""
    shape = tuple(max(2, n) for n in shape)
    epochs = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for year in years:
                codes = data.draw(nps.arrays(np.uint8, shape, elements=st.sampled_from([0, 10, 20, 30, 40, 80, 95])))
                agb = data.draw(nps.arrays(np.float32, shape, elements=st.floats(0, 500, width=32) | st.just(math.nan)))
                epochs[year] = sinks.assess(
                    raster(codes), raster(agb), legend="worldcover", climate="warm_temperate_moist", parameters="china"
                )
            found = sinks.change(epochs)
            told, mapped = found.transitions, found.maps.change_carbon_total.values
        except (InputError, ValueError) as error:
            clear(error)
            return
    assert np.isfinite(told["area_ha"].to_numpy(float)).all()
    assert (told["area_ha"] >= 0).all()
    assert not np.isinf(mapped).any()
    assert found.ledger.imbalance() < 1e-9


@QUICK
@given(
    agb=nps.arrays(np.float64, 4, elements=st.floats(allow_nan=True, allow_infinity=True)),
    kind=st.sampled_from(["broadleaf", "needleleaf", "mixed", "bamboo", "oak", ""]), zone=st.sampled_from(["warm_temperate_moist", "tropical_wet", "moon"]),
)  # fmt: skip
def test_the_carbon_of_any_biomass(agb, kind, zone):
    try:
        with np.errstate(all="ignore"):
            found = sinks.forest.carbon(agb, kind, zone)
    except (InputError, ValueError) as error:
        clear(error)
        return
    for name, value in found.items():
        told = np.asarray(value, float)[np.isfinite(agb) & (agb >= 0) & (agb < 1e6)]
        assert not (told < 0).any(), name
        assert not np.isinf(told).any(), name
