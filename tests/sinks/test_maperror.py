"""Errors of a map summed over a region: bounds, the published large-region figures, both ways of summing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks import maperror
from sinks.errors import InputError
from sinks.maperror import MODELS, Cells, correlation, correlation_area, map_error


def lattice(n: int, size: float, seed: int = 0) -> Cells:
    row, col = np.divmod(np.arange(n * n), n)
    weight = np.random.default_rng(seed).uniform(0.5, 1.5, n * n)
    return Cells(row, col, weight, weight**2 / 50, size, size)


@pytest.mark.parametrize("model", MODELS)
def test_correlation_falls_from_one_to_nothing(model: str) -> None:
    d = np.linspace(0, 3e5, 400)
    rho = correlation(d, 1e5, model)
    assert rho[0] == 1
    assert (np.diff(rho) <= 1e-15).all()
    assert rho[d >= 1e5].max() <= 0.05 + 1e-9
    whole = 2 * math.pi * np.trapezoid(d * rho, d)  # ∫ρ dA over the plane
    assert whole == pytest.approx(correlation_area(1e5, model), rel=0.01)


@pytest.mark.parametrize(("area_km2", "expected"), [(9.6e6, 0.0256), (1e6, 0.079), (1.5e5, 0.205)])
def test_large_regions_have_the_published_reduction_of_a_100_km_range(area_km2: float, expected: float) -> None:
    # specification f3: sqrt(0.2 π r² / S); the sum over cells lies below it where the border is near
    assert math.sqrt(correlation_area(1e5) / (area_km2 * 1e6)) == pytest.approx(expected, abs=6e-4)
    n = round(math.sqrt(area_km2) / 10)
    row, col = np.divmod(np.arange(n * n), n)
    ones = np.ones(n * n)
    found = map_error(Cells(row, col, ones, ones / 1e4, 1e4, 1e4), 1e5)
    assert found.correlated / found.full == pytest.approx(expected, rel=0.12)
    assert found.correlated / found.full <= expected


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(1, 4e5), st.sampled_from(MODELS), st.floats(0, 1))
def test_the_error_lies_between_its_bounds_and_grows_with_the_range(seed, range_m, model, nugget) -> None:
    cells = lattice(8, 1e4, seed)
    found = map_error(cells, range_m, model, nugget)
    assert found.independent <= found.correlated * (1 + 1e-12)
    assert found.correlated <= found.full * (1 + 1e-12)
    assert map_error(cells, range_m * 1.5, model, nugget).correlated >= found.correlated * (1 - 1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_pair_by_pair_and_by_fourier_transform_agree(model: str, monkeypatch) -> None:
    cells = lattice(23, 7e3)
    monkeypatch.setattr(maperror, "_DIRECT", 10**9)
    direct = map_error(cells, 6e4, model).correlated
    monkeypatch.setattr(maperror, "_DIRECT", 0)
    assert map_error(cells, 6e4, model).correlated == pytest.approx(direct, rel=1e-9)


def test_a_simulation_of_correlated_errors_has_the_error_that_is_computed() -> None:
    n, size, range_m = 12, 1e4, 6e4
    cells = lattice(n, size)
    place = np.stack([cells.row, cells.col], axis=1) * size
    distance = np.hypot(*(place[:, None] - place[None, :]).transpose(2, 0, 1))
    root = np.linalg.cholesky(correlation(distance, range_m) + 1e-10 * np.eye(n * n))
    errors = root @ np.random.default_rng(1).standard_normal((n * n, 4000))
    simulated = float(np.std(cells.weight @ errors))
    assert map_error(cells, range_m).correlated == pytest.approx(simulated, rel=0.04)


def test_bad_models_and_ranges_are_refused() -> None:
    with pytest.raises(InputError, match="correlation model"):
        correlation(1.0, 1e5, "gaussian")
    with pytest.raises(InputError, match="range"):
        correlation(1.0, -1.0)
    assert map_error(Cells(*(np.zeros(0),) * 4, 1.0, 1.0), 1e5).full == 0
