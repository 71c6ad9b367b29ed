"""Transitions: what became of a pixel, what it is called, and that places keep every pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks import ecosystems, transitions
from sinks.onepass import NODATA_FLOAT
from sinks.parameters import records
from sinks.quantities import POOL_KEYS
from sinks.transitions import COMPARED, GAIN, GAIN_NOISE, LOSS, NONE, absent_pools, process_of

CODES = {key: c.code for key, c in ecosystems.classes().items()}
NEEDLE, CROP, BUILT, WATER = (
    CODES[k] for k in (("forest", "needleleaf"), ("cropland", ""), ("built", ""), ("water", ""))
)


def stocks(*values):
    """One pixel's stocks by name; what is not named is not estimated."""
    found = np.full((len(COMPARED), 1, len(values)), NODATA_FLOAT, np.float32)
    for j, given_ in enumerate(values):
        for key, value in given_.items():
            found[COMPARED.index(key), 0, j] = value
    return found


@pytest.mark.parametrize(
    ("before", "after", "fate", "was_forest", "process"),
    [
        ("forest", "forest", GAIN, False, "enhancement"),
        ("forest", "forest", LOSS, False, "degradation"),
        ("forest", "forest", GAIN_NOISE, False, "within_noise"),
        ("forest", "forest", NONE, False, "stable"),
        ("grassland", "grassland", GAIN, False, "stock_gain"),
        ("grassland", "grassland", LOSS, False, "stock_loss"),
        ("grassland", "forest", GAIN, False, "afforestation"),
        ("grassland", "forest", GAIN, True, "reforestation"),
        ("cropland", "forest", GAIN, False, "grain_for_green"),
        ("cropland", "grassland", LOSS, False, "grain_for_green"),
        ("forest", "cropland", LOSS, False, "deforestation"),
        ("forest", "built", LOSS, False, "construction_take"),
        ("mangrove", "built", LOSS, False, "construction_take"),
        ("mangrove", "water", LOSS, False, "mangrove_loss"),
        ("water", "mangrove", GAIN, False, "mangrove_gain"),
        ("inland_wetland", "cropland", LOSS, False, "wetland_loss"),
        ("salt_marsh", "mangrove", GAIN, False, "mangrove_gain"),
        ("cropland", "inland_wetland", GAIN, False, "wetland_restoration"),
        ("inland_wetland", "salt_marsh", NONE, False, "other_change"),
        ("bare", "grassland", GAIN, False, "other_change"),
    ],
)
def test_processes_by_their_definition(before, after, fate, was_forest, process):
    assert process_of(before, after, fate, was_forest) == process


def test_every_pair_of_classes_has_one_process_and_every_process_a_code_of_its_own():
    kinds = {ecosystem for ecosystem, _ in CODES}
    known = transitions.processes()
    for before in kinds:
        for after in kinds:
            for fate in range(len(transitions.FATES)):
                assert process_of(before, after, fate) in known
    codes = [p.code for p in known.values()]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes
    assert len({p.color for p in known.values()}) == len(known)


def test_a_pool_that_a_class_cannot_have_is_zero_and_one_that_is_not_known_is_unknown():
    assert "carbon_deadwood" in absent_pools("cropland")
    assert "carbon_agb" in absent_pools("built")
    assert not absent_pools("forest")
    assert all("carbon_soil" not in absent_pools(r["ecosystem"]) for r in records("absent_pools"))
    one = stocks({"carbon_agb": 50, "carbon_deadwood": 4, "carbon_soil": 90}, {"carbon_agb": 50, "carbon_soil": 90})
    two = stocks({"carbon_agb": 3}, {"carbon_soil": 80})
    before = np.array([[NEEDLE, NEEDLE]], np.uint8)
    found = transitions.compare((one, two), (before, np.array([[CROP, BUILT]], np.uint8)))
    # to cropland: its dead wood is zero, its soil unknown; to built-up: its biomass is zero, its soil known
    assert found.change[0].tolist() == [pytest.approx(3 - 50 - 4), pytest.approx(-50 - 10)]
    assert found.fate[0].tolist() == [LOSS, LOSS]
    both = found.opening & found.closing
    soil = COMPARED.index("carbon_soil")
    assert (both[0] >> soil & 1).tolist() == [0, 1]


def test_without_a_class_at_one_epoch_nothing_is_compared():
    one, two = stocks({"carbon_agb": 50}, {}), stocks({}, {"carbon_agb": 50})
    found = transitions.compare((one, two), (np.array([[NEEDLE, 0]], np.uint8), np.array([[250, NEEDLE]], np.uint8)))
    assert (found.change == NODATA_FLOAT).all()
    assert (found.opening & found.closing == 0).all()
    assert (found.fate == NONE).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60))
def test_places_tell_every_pixel_what_it_is(seed, regions):
    rng = np.random.default_rng(seed)
    shape = (37, 41)
    codes = np.array([0, 250, *CODES.values()], np.uint8)
    region = rng.integers(0, regions, shape).astype(np.int32)
    before, after = (rng.choice(codes, shape) for _ in range(2))
    pools = rng.gamma(2, 40, (2, len(COMPARED), *shape)).astype(np.float32)
    pools[rng.random(pools.shape) < 0.3] = NODATA_FLOAT
    history = rng.random(shape) < 0.5
    compared = transitions.compare((pools[0], pools[1]), (before, after))
    place, keys = transitions.places(region, before, after, compared, history)
    assert len(set(keys.tolist())) == keys.size
    for i, j in rng.integers(0, (37, 41), (50, 2)).tolist():
        told = transitions.place_of(int(keys[place[i, j]]))
        assert (told.region, told.before, told.after) == (region[i, j], before[i, j], after[i, j])
        assert (told.was_forest, told.fate) == (history[i, j], compared.fate[i, j])
        assert (told.opening, told.closing) == (compared.opening[i, j], compared.closing[i, j])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_the_sign_of_a_fate_is_that_of_the_change_of_what_both_epochs_tell(seed):
    rng = np.random.default_rng(seed)
    shape = (20, 20)
    classes = [rng.choice(np.array(list(CODES.values()), np.uint8), shape) for _ in range(2)]
    pools = rng.gamma(2, 40, (2, len(COMPARED), *shape)).astype(np.float32)
    pools[rng.random(pools.shape) < 0.4] = NODATA_FLOAT
    found = transitions.compare((pools[0], pools[1]), (classes[0], classes[1]))
    names = {c: k for k, c in CODES.items()}
    for i in range(shape[0]):
        j = int(rng.integers(shape[1]))
        total, some = 0.0, False
        for k in range(len(POOL_KEYS)):
            sides = []
            for e in range(2):
                value = float(pools[e, k, i, j])
                if value == NODATA_FLOAT:
                    absent = COMPARED[k] in absent_pools(names[int(classes[e][i, j])][0])
                    value = 0.0 if absent else np.nan
                sides.append(value)
            if not np.isnan(sides).any():
                total, some = total + sides[1] - sides[0], True
        if not some:
            assert found.change[i, j] == NODATA_FLOAT
            continue
        assert found.change[i, j] == pytest.approx(total, abs=1e-3)
        if abs(total) > 0.01:
            assert found.fate[i, j] == (GAIN if total > 0 else LOSS)


def test_a_change_within_its_errors_is_not_beyond_noise():
    x, y, s, t = (np.array([[v]], np.float32) for v in (100, 130, 12, 9))
    # sqrt(144 + 81) = 15; 30 / 15 = 2 deviations
    assert transitions.beyond_noise((x, y), (s, t), 0.0, 1.96).all()
    assert not transitions.beyond_noise((x, y), (s, t), 0.0, 2.01).any()
    # errors that two maps share do not hide a change
    assert transitions.beyond_noise((x, y), (s, t), 0.5, 2.6).all()
    unknown = np.array([[np.nan]], np.float32)
    assert not transitions.beyond_noise((x, y), (s, unknown), 0.0, 1.96).any()
    assert not transitions.beyond_noise((x, unknown), (s, t), 0.0, 1.96).any()


def test_noise_does_not_hide_a_change_of_class():
    one, two = stocks({"carbon_agb": 50}, {"carbon_agb": 50}), stocks({"carbon_agb": 60}, {"carbon_agb": 5})
    classes = np.array([[NEEDLE, NEEDLE]], np.uint8), np.array([[NEEDLE, CROP]], np.uint8)
    found = transitions.compare((one, two), classes, np.zeros((1, 2), bool))
    assert found.fate[0].tolist() == [GAIN_NOISE, LOSS]


def test_water_has_no_biomass():
    assert absent_pools("water") >= {"carbon_agb", "carbon_bgb", "stock_volume"}
    assert WATER in CODES.values()
