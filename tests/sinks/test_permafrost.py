"""Frozen carbon and what a deeper active layer lays bare; published densities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.ecosystems import plugs
from sinks.parameters import parameter_set
from sinks.permafrost import frozen_carbon, laid_bare
from sinks.plug import Cover, Options, Stratum

EDGES = (0.0, 30.0, 100.0, 200.0, 300.0)


def test_only_what_lies_below_the_active_layer_is_frozen() -> None:
    carbon = (60.0, 70.0, 50.0, 40.0)
    assert frozen_carbon(carbon, EDGES, 0.0) == 220
    assert frozen_carbon(carbon, EDGES, 100.0) == 90
    assert frozen_carbon(carbon, EDGES, 150.0) == pytest.approx(25 + 40)
    assert frozen_carbon(carbon, EDGES, 300.0) == 0
    assert laid_bare(carbon, EDGES, 100.0, 150.0) == pytest.approx(25)


def test_carbon_of_a_thawed_interval_need_not_be_known() -> None:
    assert frozen_carbon((np.nan, 70.0), (0.0, 100.0, 300.0), 120.0) == pytest.approx(63)
    assert np.isnan(frozen_carbon((np.nan, 70.0), (0.0, 100.0, 300.0), 90.0))


@given(st.lists(st.floats(0, 300), min_size=4, max_size=4), st.floats(0, 400), st.floats(0, 400))
def test_a_deeper_active_layer_never_freezes_carbon(carbon, one, other) -> None:
    shallow, deep = sorted((one, other))
    total = sum(carbon)
    assert -1e-9 <= frozen_carbon(carbon, EDGES, deep) <= frozen_carbon(carbon, EDGES, shallow) + 1e-9 <= total + 2e-9
    assert laid_bare(carbon, EDGES, shallow, deep) >= -1e-9


def test_w16_densities_of_tarnocai_2009_and_wang_2021() -> None:
    assert pytest.approx(264.0, abs=0.05) == 495.80e9 / 18.782e8  # 26.40 kg/m2
    ipcc = parameter_set("ipcc")
    found = {d: ipcc.find("density", "soc", ecosystem="permafrost", depth_cm=d).value for d in ("30", "100")}
    deep = ipcc.find("density", "soc_deep", ecosystem="permafrost", depth_cm="300").value
    assert found["100"] == pytest.approx(264.0)
    assert found["30"] == pytest.approx(191.29e9 / 18.782e8, abs=0.06)
    assert found["30"] < found["100"] < found["100"] + deep
    assert found["100"] + deep == pytest.approx(1024.0e9 / 18.782e8, abs=0.1)
    assert pytest.approx(141.2, abs=0.05) == 46.18e9 / 3.27e8  # Third Pole, 0-3 m: too low beside 0-1 m, so no default


def pools(depth: int, cover: str = "grassland", name: str = "ipcc", frozen: bool = True, **layers: float) -> dict:
    plug = plugs()["permafrost"]
    stratum = Stratum(Cover(cover), permafrost=frozen, present=frozenset(layers))
    return plug.equations(layers, plug.coefficients(stratum, parameter_set(name), Options(soil_depth_cm=depth)))


def test_deep_carbon_is_told_on_permafrost_only_and_by_a_layer_first() -> None:
    assert pools(100) == {"carbon_soil_deep": pytest.approx(281.2)}
    assert pools(30) == {}  # the published density begins at 100 cm
    assert pools(100, soc_deep=50.0) == {"carbon_soil_deep": 50.0}
    assert pools(30, soc_deep=90.0, soc_frozen=80.0) == {"carbon_soil_deep": 90.0, "carbon_soil_frozen": 80.0}
    assert pools(100, frozen=False, soc_deep=50.0) == {}
    assert pools(100, cover="water", soc_deep=50.0) == {}
    assert pools(100, name="china") == {}  # no consistent pair of published depths
