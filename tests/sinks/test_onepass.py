"""The pass: same bits for any partition, and the same numbers as the equations it stands for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks import coding, crosscheck, exactsum, onepass
from sinks.coding import Coding, Dimension
from sinks.ecosystems import forest
from sinks.lattice import Lattice, Stack
from sinks.parameters import parameter_set
from sinks.plug import Cover, Options
from sinks.quantities import TOTAL
from sinks.science import Science
from sinks.sums import merge

COVERS = (
    coding.NODATA,
    coding.UNKNOWN,
    Cover("forest", "needleleaf"),
    Cover("forest", "broadleaf"),
    Cover("forest", "bamboo"),
)
ZONES = ("", "warm_temperate_moist", "tropical_moist")
CODING = Coding(COVERS, (Dimension("climate", ZONES),), ("agb",))
SCIENCE = Science(CODING, parameter_set("china"), Options())
REQUEST = onepass.MapRequest((TOTAL.key, "carbon_agb", "stock_volume"), (0.1, 0.1, 0.1))


def scene(seed, height, width, regions=3):
    rng = np.random.default_rng(seed)
    cover = rng.integers(0, len(COVERS), (height, width)).astype(np.uint8)
    climate = rng.integers(1, 3, (height, width)).astype(np.uint8)
    agb = (rng.gamma(2, 60, (1, height, width))).astype(np.float32)
    agb[rng.random(agb.shape) < 0.05] = np.nan
    region = rng.integers(0, regions, (height, width)).astype(np.int32)
    area = 900 + 10 * rng.random((height, 1))
    code = coding.pack([cover], [climate], CODING.radices, Stack.of(agb))
    return code, region, area, agb


def walk(packed, region, area, agb, request=REQUEST):
    seen = onepass.survey(packed, region, 3)
    return onepass.run(packed.code, region, area, Stack.of(agb), SCIENCE.strata(seen.codes, request), request, seen)


def part(packed, at):
    return coding.Packed(packed.code[at], packed.prefix, packed.span)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 3), st.permutations(range(9)))
def test_any_partition_and_any_order_gives_the_same_bits(seed, rows, cols, order):
    code, region, area, agb = scene(seed, 600, 530)
    maps, whole = walk(code, region, area, agb)
    step = onepass.GRAIN * np.array([rows, cols])
    parts, painted = [], np.empty_like(maps)
    for i in range(0, 600, step[0]):
        for j in range(0, 530, step[1]):
            at = (slice(i, i + step[0]), slice(j, j + step[1]))
            pieces, sums = walk(part(code, at), region[at], area[at[0]], np.ascontiguousarray(agb[(slice(None), *at)]))
            painted[(slice(None), *at)] = pieces
            parts.append(sums)
    parts = [parts[k] for k in order if k < len(parts)]
    merged = merge([merge(parts[:2]), *parts[2:]]) if len(parts) > 2 else merge(parts)
    assert (painted == maps).all()
    for name in ("region", "code", "piece", "count"):
        assert (getattr(merged, name) == getattr(whole, name)).all()
    assert (exactsum.to_floats(merged.digits) == exactsum.to_floats(whole.digits)).all()


def test_sums_and_maps_are_those_of_the_equations_pixel_by_pixel():
    code, region, area, agb = scene(7, 300, 300)
    maps, sums = walk(code, region, area, agb, onepass.MapRequest((TOTAL.key, "stock_volume"), (0.0, 0.0)))
    stock = 0.0
    for one in np.unique(code.code):
        stratum = CODING.stratum(int(code.meaning(one)))
        here = code.code == one
        if stratum.cover.ecosystem != "forest":
            assert (maps[:, here] == onepass.NODATA_FLOAT).all()
            continue
        c = forest.coefficients(stratum, SCIENCE.parameters, SCIENCE.options)
        x = agb[0][here].astype(np.float64)
        direct = forest.equations({"agb": x} if "agb" in stratum.present else {}, c)
        pools = sum(np.broadcast_to(v, x.shape) for k, v in direct.items() if k.startswith("carbon_"))
        assert maps[0][here] == pytest.approx(pools, rel=2e-7)
        if "stock_volume" in direct:
            stock += float((direct["stock_volume"] * np.broadcast_to(area, here.shape)[here]).sum()) / 1e4
    values, lines = (
        sums.values,
        [SCIENCE.pieces(int(c)).of("stock_volume")[p] for c, p in zip(sums.code, sums.piece, strict=True)],
    )
    account = np.nansum([line @ row[:2] for line, row in zip(lines, values, strict=True)]) / 1e4
    assert account == pytest.approx(stock, rel=1e-10)
    assert values[:, 0].sum() == pytest.approx(float(area.sum() * 300), rel=1e-12)


def test_integer_maps_are_the_float_maps_to_half_a_step():
    code, region, area, agb = scene(3, 200, 256)
    floats, _ = walk(code, region, area, agb, onepass.MapRequest((TOTAL.key,), (0.0,)))
    ints, sums = walk(code, region, area, agb, onepass.MapRequest((TOTAL.key,), (0.1,)))
    valid = ints != onepass.NODATA_UINT16
    assert (valid == (floats != onepass.NODATA_FLOAT)).all()
    assert np.abs(ints[valid] * 0.1 - floats[valid]).max() <= 0.05 + 1e-4
    assert sums.clipped == 0


def test_values_beyond_an_integer_map_are_counted_not_wrapped():
    code, region, area, agb = scene(3, 64, 64)
    agb[0, 10, 10] = 60_000.0
    code = coding.pack([np.full((64, 64), 3, np.uint8)], [np.ones((64, 64), np.uint8)], CODING.radices, Stack.of(agb))
    ints, sums = walk(code, region, area, agb, onepass.MapRequest(("carbon_agb",), (0.1,)))
    assert sums.clipped == 1
    assert ints[0, 10, 10] == 65534


@given(
    st.lists(st.floats(-1e15, 1e15).filter(lambda x: x == 0 or abs(x) > 1e-3), min_size=1, max_size=60), st.randoms()
)
def test_exact_sums_do_not_depend_on_order_and_are_right(values, random):
    shuffled = values[:]
    random.shuffle(shuffled)
    one, other = (exactsum.to_floats(exactsum.from_floats(np.array(v)).sum(axis=0)) for v in (values, shuffled))
    assert one == other
    assert float(one) == pytest.approx(math.fsum(values), rel=1e-14, abs=1e-13)


def test_an_exact_sum_refuses_nan():
    with pytest.raises(ValueError, match="finite"):
        exactsum.from_floats(np.array([np.nan]))


@given(st.integers(0, len(COVERS) - 1), st.integers(0, 2), st.booleans())
def test_a_code_says_what_was_packed(cover, climate, present):
    agb = np.full((1, 1, 1), 5.0 if present else np.nan, np.float32)
    packed = coding.pack(
        [np.full((1, 1), cover, np.uint8)], [np.full((1, 1), climate, np.uint8)], CODING.radices, Stack.of(agb)
    )
    code = int(packed.meaning(packed.code)[0, 0])
    assert CODING.cover(code) == COVERS[cover]
    if cover == 0:  # no land cover: whatever else is known there, it is one stratum
        assert code == 0
    else:
        assert CODING.labels(code) == {"climate": ZONES[climate]}
        assert CODING.present(code) == ({"agb"} if present else set())


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000), st.lists(st.integers(2, 250), min_size=1, max_size=9), st.integers(0, 4), st.integers(1, 2),
    st.integers(1, 40),
)  # fmt: skip
def test_any_number_of_categories_can_be_told_apart(seed, radices, n_terms, outer, repeat):
    rng = np.random.default_rng(seed)
    categories = [rng.integers(0, radix, (40, 30)).astype(np.uint8) for radix in radices]
    terms = np.where(rng.random((n_terms, 40, 30)) < 0.5, np.nan, 1.0).astype(np.float32)
    # All but the first categories and every second term repeat over rows and columns.
    lattice = Lattice(np.arange(40) // repeat, np.arange(30) // (repeat + 1))
    small = Lattice.whole(40, 30)
    held = [small.thinned(c, lattice) for c in categories[outer:]]
    categories[outer:] = [lattice.spread(c) for c in held]
    coarse = np.array([small.thinned(t, lattice) for t in terms[1::2]], np.float32).reshape(-1, *lattice.shape)
    for k, values in enumerate(coarse):
        terms[2 * k + 1] = lattice.spread(values)
    stack = Stack(terms[::2], coarse, lattice, tuple(range(0, n_terms, 2)), tuple(range(1, n_terms, 2)))
    assert all(np.array_equal(stack.layer(k), terms[k], equal_nan=True) for k in range(n_terms))
    packed = coding.pack(categories[:outer], held, radices, stack)
    expected = np.zeros((40, 30), np.int64)
    for category, radix in zip(categories, radices, strict=True):
        expected = expected * radix + category
    for term in terms:
        expected = expected * 2 + ~np.isnan(term)
    expected[categories[0] == 0] = 0  # no land cover: one stratum, whatever else is known there
    if np.prod(radices, dtype=object) << n_terms < 2**62:
        assert (packed.meaning(packed.code) == expected).all()
    assert packed.code.max() < 2**31 - 1
    assert (packed.code >= 0).all()


def test_terms_of_both_kinds_with_holes_are_each_pixels_own():
    """A fine biomass and a coarse soil, each absent in places: the codes of a block then do not rise with its numbers."""
    coded = Coding(COVERS, (Dimension("climate", ZONES),), ("agb", "soc"))
    science = Science(coded, parameter_set("china"), Options())
    rng = np.random.default_rng(5)
    cover = rng.integers(0, len(COVERS), (300, 280)).astype(np.uint8)
    agb = rng.gamma(2, 60, cover.shape).astype(np.float32)
    agb[rng.random(cover.shape) < 0.3] = np.nan
    lattice = Lattice(np.arange(300) // 10, np.arange(280) // 10)
    soc = rng.uniform(20, 200, (1, *lattice.shape)).astype(np.float32)
    soc[rng.random(soc.shape) < 0.3] = np.nan
    terms = Stack(agb[None], soc, lattice, (0,), (1,))
    packed = coding.pack([cover], [np.ones(lattice.shape, np.uint8)], coded.radices, terms)
    region, area = np.ones(cover.shape, np.int32), np.full((300, 1), 900.0)
    seen = onepass.survey(packed, region, 2)
    assert (np.diff(seen.codes) < 0).any()
    request = onepass.MapRequest((TOTAL.key,), (0.0,))
    (carbon,), sums = onepass.run(packed.code, region, area, terms, science.strata(seen.codes, request), request, seen)
    codes, wide = packed.meaning(packed.code), lattice.spread(soc[0])
    for row, col in rng.integers(0, 280, (400, 2)):
        pieces = science.pieces(int(codes[row, col]))
        x = np.nan_to_num([agb[row, col], wide[row, col]]).astype(np.float64)
        line = pieces.of(TOTAL.key)[int((x[0] > pieces.edges).sum())]
        expected = onepass.NODATA_FLOAT if np.isnan(line[0]) else line[0] + line[1] * x[0] + line[2] * x[1]
        assert carbon[row, col] == pytest.approx(expected, rel=1e-6)
    mapped, _ = crosscheck.stored_total(carbon, float(onepass.NODATA_FLOAT), area)
    accounted = sum(
        float(line @ row[:3])
        for row, line in (
            (sums.values[n], science.pieces(int(sums.code[n])).of(TOTAL.key)[sums.piece[n]])
            for n in range(len(sums.code))
        )
        if not np.isnan(line[0])
    )
    assert mapped == pytest.approx(accounted, rel=1e-6)
