"""Nothing is counted twice: every pair of overlapping sinks, on every pixel, for random inputs."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sinks import coding, onepass
from sinks.coding import Coding
from sinks.ecosystems import classes, plugs
from sinks.ecosystems.forest import TREES_OUTSIDE
from sinks.lattice import Stack
from sinks.layers import LAYERS
from sinks.parameters import parameter_set
from sinks.pixels import look, recipe
from sinks.plug import Cover, Options, Stratum
from sinks.quantities import CLASS_SINKS, KEYS, POOL_KEYS, SUMS, TOTAL
from sinks.science import Science
from sinks.strata import compile_stratum

SETS = ("ipcc", "china")
COVERS = [
    (c.ecosystem, c.forest_type or ("unspecified" if c.ecosystem == TREES_OUTSIDE else "")) for c in classes().values()
]
SUBCLASSES = ("", "paddy", "peat", "restored", "drained")
MARKS = {
    "karst": {"karst": True}, "permafrost": {"permafrost": True}, "black soil": {"black_soil": True},
    "drained organic soil": {"soil": "organic", "drainage": "drained"},
}  # fmt: skip
TERMS = ("agb", "soc", "soc_deep", "soc_frozen", "weathering")
OWNED_BY_NO_CLASS = {"carbon_soil_deep", "carbon_soil_frozen", "sink_weathering"}


def lines(stratum: Stratum, name: str) -> dict[str, np.ndarray]:
    """Lines by quantity, of those that have a value."""
    pieces = compile_stratum(stratum, TERMS, parameter_set(name), Options())
    return {k: pieces.of(k) for k in (*KEYS, *SUMS) if not np.isnan(pieces.of(k)[:, 0]).all()}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("pair", [*combinations(MARKS, 1), *combinations(MARKS, 2)], ids=" and ".join)
def test_overlays_leave_every_stock_as_it_is_when_the_soil_is_known(name: str, pair: tuple[str, ...]) -> None:
    on: dict = {k: v for mark in pair for k, v in MARKS[mark].items()}
    for (ecosystem, forest_type), subclass in ((c, s) for c in COVERS for s in SUBCLASSES):
        plain = Stratum(
            Cover(ecosystem, forest_type, subclass), climate="cool_temperate_moist", present=frozenset(("agb", "soc"))
        )
        marked = replace(plain, **on, present=frozenset(TERMS))
        before, after = lines(plain, name), lines(marked, name)
        stocks = [k for k in (*POOL_KEYS, TOTAL.key) if k in before or k in after]
        for key in stocks:
            assert (before[key] == after[key]).all(), (ecosystem, key)
        added = set(after) - set(before)
        gases = {"emission_ch4", "emission_n2o", *CLASS_SINKS} if "drained organic soil" in pair else set()
        assert added <= OWNED_BY_NO_CLASS | gases, ecosystem
        if "karst" not in pair and "permafrost" not in pair:
            continue
        if "karst" in pair:
            assert (after["sink_weathering"][:, 1 + TERMS.index("weathering")] == 1).all()


@pytest.mark.parametrize("name", SETS)
def test_one_soil_source_and_one_claim_per_quantity_for_every_stratum(name: str) -> None:
    """``compile_stratum`` raises when two plugs claim one quantity; the soil pool is a layer's, a table's or none."""
    for ecosystem, forest_type in COVERS:
        for marks in ({}, *MARKS.values(), {k: v for m in MARKS.values() for k, v in m.items()}):
            for present in ((), ("soc",), ("agb", "soc", "soc_deep", "soc_frozen", "weathering")):
                stratum = Stratum(
                    Cover(ecosystem, forest_type), climate="warm_temperate_moist", present=frozenset(present), **marks
                )
                found = lines(stratum, name)
                if "carbon_soil" not in found:
                    continue
                constant, slope = found["carbon_soil"][:, 0], found["carbon_soil"][:, 1 + TERMS.index("soc")]
                assert (
                    ((slope == 1) & (constant == 0)).all()
                    | ((slope == 0) & (constant > 0)).all()
                    | (
                        ecosystem in ("mangrove",)  # its soil follows its biomass
                    )
                ), (ecosystem, marks)


LAYER_VALUES = {
    "agb": (0, 400), "soc": (0, 300), "permafrost_soc": (0, 300), "soc_deep": (0, 400), "permafrost": (0, 1), "karst": (0, 1),
    "runoff": (0, 1500), "black_soil": (0, 1), "active_layer": (0, 4), "temperature": (-15, 28), "precipitation": (0, 3000),
    "pet": (100, 2000), "elevation": (-10, 5000),
}  # fmt: skip


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    st.integers(0, 10**6),
    st.sampled_from(SETS),
    st.sets(st.sampled_from(sorted(set(LAYER_VALUES) - {"permafrost", "karst"}))),
)
def test_on_every_pixel_the_total_is_the_sum_of_the_parts_and_the_account_that_of_the_pixels(
    seed, name, optional
) -> None:
    rng = np.random.default_rng(seed)
    shape = (40, 50)
    given_layers = {"permafrost", "karst", "runoff", *optional}
    if "active_layer" in given_layers:
        given_layers |= {"soc_deep", "soc"}
    layers = {}
    for layer in LAYERS:
        if layer in given_layers:
            values = rng.uniform(*LAYER_VALUES[layer], shape).astype(np.float32)
            layers[layer] = np.where(rng.random(shape) < 0.15, np.nan, values).astype(np.float32)
    layers["soil"] = rng.choice(np.array([0, 1, 2, 7, 255], np.uint8), shape)
    how = recipe(tuple(layers))
    covers = (coding.NODATA, coding.UNKNOWN, *(Cover(*c) for c in COVERS))
    science = Science(Coding(covers, how.dimensions(), how.terms()), parameter_set(name), Options())
    cover = rng.integers(0, len(covers), shape).astype(np.uint8)
    latitude = np.full(shape, 35.0)
    seen = look(how, layers, latitude, shape)
    terms = Stack.of(seen.terms)
    packed = coding.pack([cover], seen.categories, science.coding.radices, terms)
    keys = (*SUMS, *KEYS)
    request = onepass.MapRequest(keys, (0.0,) * len(keys))
    region, area = np.zeros(shape, np.int32), np.full((shape[0], 1), 1e4)
    block = onepass.survey(packed, region, 1)
    maps, sums = onepass.run(packed.code, region, area, terms, science.strata(block.codes, request), request, block)
    value = {k: np.where(m == onepass.NODATA_FLOAT, np.nan, m.astype(float)) for k, m in zip(keys, maps, strict=True)}
    pools = np.stack([value[k] for k in POOL_KEYS])
    known = ~np.isnan(pools).all(axis=0)
    assert (known == ~np.isnan(value[TOTAL.key])).all()
    assert np.allclose(np.nansum(pools, axis=0)[known], value[TOTAL.key][known], rtol=1e-5)
    # no ecosystem: nothing at all
    assert all(np.isnan(v[cover < 2]).all() for v in value.values())
    # the overlays' quantities stay on their overlay
    frozen = np.nan_to_num(layers["permafrost"]) >= 0.5
    assert np.isnan(value["carbon_soil_deep"][~frozen]).all()
    assert np.isnan(value["sink_weathering"][~(np.nan_to_num(layers["karst"]) > 0)]).all()
    # the account is the sum of the pixels
    account = dict.fromkeys(keys, 0.0)
    amounts = sums.values
    for row, (code, piece) in enumerate(zip(sums.code.tolist(), sums.piece.tolist(), strict=True)):
        for key in keys:
            line = science.pieces(code).of(key)[piece]
            if not np.isnan(line[0]):
                account[key] += float(line @ amounts[row, : line.size]) / 1e4
    for key in keys:
        assert account[key] == pytest.approx(np.nansum(value[key]), rel=1e-5, abs=1e-3), key


def test_every_overlay_adds_only_what_no_class_owns() -> None:
    allowed = OWNED_BY_NO_CLASS | {"sink_soil", "emission_ch4", "emission_n2o"}
    for plug in plugs().values():
        if plug.overlay:
            assert not plug.classes
            for marks in MARKS.values():
                stratum = Stratum(Cover("grassland"), climate="boreal_moist", present=frozenset(TERMS), **marks)
                c = plug.coefficients(stratum, parameter_set("ipcc"), Options())
                assert set(plug.equations(dict.fromkeys(TERMS, 1.0), c)) <= allowed
