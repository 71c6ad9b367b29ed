"""The map reconciled with official statistics: by a ratio, or by raking over several margins, each with its standard error.

Raw and calibrated values stand side by side with what was added; neither is ever given in place of the other.

Given map values m of cells (region × forest type) and official sums t of groups of cells, A x = t, the calibrated values x are
those nearest to m that meet t: x = m · exp(Aᵀλ) [Deming & Stephan 1940, Ann. Math. Stat. 11:427; Ireland & Kullback 1968,
Biometrika 55:179; raking in Deville & Särndal 1992, JASA 87:376]. With one margin this is the ratio estimator, official / map.

Variance by linearisation. Differentiating both equations gives dx = F dm + G (dt − A F dm), with F = diag(x/m),
X = diag(x) and G = X Aᵀ (A X Aᵀ)⁺, hence Var x = (I − G A) F V_m F (I − G A)ᵀ + G V_t Gᵀ. Official figures, map values of
different cells, and the two with each other, count as independent: errors that cells share cancel in a ratio, so that this is
the cautious choice for what a group's figure leaves open, the shares within it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from sinks.accounts import ALL, OUTSIDE_REGIONS, TOTAL_REGION, unit_of
from sinks.errors import InputError
from sinks.parameters import read_cells, records
from sinks.quantities import BY_KEY, VOLUME

MARGINS: Final = ("region", "forest_type", "region_forest_type", "total")
"""Kinds of official figures: a region's sum, a forest type's over all regions, of both, the sum of everything."""

UNITS: Final = {
    "m3": {"m3": 1.0, "1e4 m3": 1e4, "万立方米": 1e4, "1e8 m3": 1e8, "亿立方米": 1e8, "million m3": 1e6, "billion m3": 1e9},
    "Mg C": {
        "Mg C": 1.0, "t C": 1.0, "tC": 1.0, "吨碳": 1.0, "1e4 t C": 1e4, "1e4 Mg C": 1e4, "万吨碳": 1e4, "亿吨碳": 1e8,
        "Gg C": 1e3, "Tg C": 1e6, "Pg C": 1e9, "Gt C": 1e9, "Mt C": 1e6,
    },
    "Mg C yr-1": {"Mg C yr-1": 1.0, "t C yr-1": 1.0, "1e4 t C yr-1": 1e4, "万吨碳/年": 1e4, "Tg C yr-1": 1e6},
    "ha": {
        "ha": 1.0, "公顷": 1.0, "1e4 ha": 1e4, "万公顷": 1e4, "million ha": 1e6, "km2": 100.0, "km²": 100.0, "平方公里": 100.0,
        "mu": 1 / 15, "亩": 1 / 15, "万亩": 1e4 / 15, "亿亩": 1e8 / 15,
    },
}  # fmt: skip
"""Units of official figures: factor to the account's unit."""

PROVINCIAL_AREA: Final = "provincial_forest_area"
"""What ``basis`` says of an official figure that is a province's forest area."""
TOLERANCE: Final = 1e-3
"""Relative difference up to which the totals of two margins are taken for the same figure, rounded differently."""
CLOSED: Final = 1e-9
"""Relative distance to the official figures at which raking has failed when it stops there."""
PLAUSIBLE: Final = (0.5, 2.0)
"""Factors beyond these speak of another definition, year or unit rather than of a biased map."""
_NO_REGION: Final = (TOTAL_REGION, OUTSIDE_REGIONS)
_STEPS: Final = 10_000
_CHUNK: Final = 1024
_Z: Final = 1.959964

COLUMNS: Final = (
    "region_id", "region_name", "ecosystem", "forest_type", "quantity", "unit", "raw", "raw_se", "official", "official_se",
    "calibrated", "residual", "factor", "se", "low", "high", "se_covers", "calibrated_by",
)  # fmt: skip
"""residual : calibrated − raw; factor : calibrated / raw; se : of calibrated; se_covers : whose errors it holds, where
"official" alone means that the map's are not known and se is too small; calibrated_by : the margins that reach the row."""


# ------------------------------------------------------------------------------------------ official figures


@dataclass(frozen=True)
class Official:
    """One official figure, in the account's unit.

    region_id : of a region, of a group of them by its administrative code, or "total"; ecosystem, forest_type : "all" for
    the sum; se : NaN where none is given; basis : what kind of figure it is, for people and for the guard of areas.
    """

    region_id: str
    quantity: str
    value: float
    unit: str
    ecosystem: str = ALL
    forest_type: str = ALL
    se: float = np.nan
    basis: str = ""
    where: str = ""

    @property
    def margin(self) -> str:
        """Which of ``MARGINS`` it belongs to."""
        if self.region_id == TOTAL_REGION:
            return "total" if self.forest_type == ALL else "forest_type"
        return "region" if self.forest_type == ALL else "region_forest_type"


def read_official(text: str, name: str) -> tuple[Official, ...]:
    """Official figures: CSV with ``region_id, quantity, value, unit``; also ``ecosystem, forest_type, se, basis``.

    se : standard error in the same unit. A figure of forest types, of stock and of area is of the ecosystem forest where the
    file does not say otherwise. Raises InputError naming the line.
    """
    columns, rows = read_cells(text, name)
    missing = [c for c in ("region_id", "quantity", "value", "unit") if c not in columns]
    if missing:
        raise InputError(f"{name}: the table of official figures lacks the column(s) {', '.join(missing)}; add them")
    found = [_official(cells, f"{name}, line {line}") for line, cells in rows]
    if not found:
        raise InputError(f"{name}: the table of official figures has no rows; add one per region")
    seen: dict[tuple[str, ...], str] = {}
    for each in found:
        key = (each.region_id, each.ecosystem, each.forest_type, each.quantity)
        if key in seen:
            raise InputError(f"{each.where}: gives {', '.join(key)} again, after {seen[key]}; keep one of them")
        seen[key] = each.where
    return tuple(found)


def _official(cells: dict[str, str], where: str) -> Official:
    quantity = cells["quantity"]
    if quantity != "area" and quantity not in BY_KEY:
        close = difflib.get_close_matches(quantity, ["area", *BY_KEY], n=1)
        hint = f"; did you mean '{close[0]}'?" if close else f"; known: area, {', '.join(BY_KEY)}"
        raise InputError(f"{where}: unknown quantity '{quantity}'{hint}")
    unit = unit_of(quantity)
    factors = UNITS.get(unit, {unit: 1.0})
    if cells["unit"] not in factors:
        raise InputError(f"{where}: unit '{cells['unit']}' does not fit {quantity}; use one of {', '.join(factors)}")
    factor = factors[cells["unit"]]
    value, se = (_number(cells.get(c, ""), c, where) for c in ("value", "se"))
    if not value >= 0:
        raise InputError(f"{where}: the value '{cells['value']}' is not a number of zero or more; correct it")
    if se < 0:
        raise InputError(f"{where}: the standard error is {se:g}; give one of zero or more, or leave it blank")
    if not cells["region_id"]:
        raise InputError(f"{where}: has no region_id; give a region's code, or 'total' for all regions together")
    forest_type = cells.get("forest_type", "") or ALL
    forest = forest_type != ALL or quantity in ("area", VOLUME.key)
    return Official(
        region_id=cells["region_id"], quantity=quantity, value=value * factor, unit=unit, se=se * factor, where=where,
        ecosystem=cells.get("ecosystem", "") or ("forest" if forest else ALL), forest_type=forest_type,
        basis=cells.get("basis", ""),
    )  # fmt: skip


def _number(text: str, column: str, where: str) -> float:
    try:
        return float(text.replace(",", "")) if text else np.nan
    except ValueError:
        raise InputError(f"{where}: the {column} '{text}' is not a number; correct it or leave it blank") from None


def members(official_id: str, region_ids: Sequence[str]) -> list[int]:
    """Positions of the regions a figure speaks of: itself, all for "total", or those under its administrative code.

    Codes nest as in GB/T 2260: 440000 or 44 is the province of 4401 and 440103.
    """
    if official_id == TOTAL_REGION:
        return list(range(len(region_ids)))
    exact = [i for i, r in enumerate(region_ids) if r == official_id]
    if exact or not official_id.isdigit() or len(official_id) not in (2, 4, 6):
        return exact
    stem = official_id
    while len(stem) > 2 and stem.endswith("00"):
        stem = stem[:-2]
    if len(stem) == 6:
        return []
    return [i for i, r in enumerate(region_ids) if r.isdigit() and len(r) in (4, 6, 9, 12) and r.startswith(stem)]


# ------------------------------------------------------------------------------------------ areas that do not add up


def provinces() -> frozenset[str]:
    """Codes of the provinces, as the official table has them, six digits and two."""
    codes = {r["adcode"] for r in records("official_provinces")}
    return frozenset(codes | {c[:2] for c in codes})


def is_provincial_area(official: Official) -> bool:
    """Whether a figure is a province's official forest area: so marked, or recognised by its code."""
    area = official.quantity == "area" and official.ecosystem == "forest" and official.region_id != TOTAL_REGION
    return official.basis == PROVINCIAL_AREA or (area and official.region_id in provinces())


def refuse_area_sum(officials: Sequence[Official]) -> None:
    """Raises InputError when a sum of these figures would be one of the forest areas of two provinces or more."""
    found = sorted({o.region_id for o in officials if is_provincial_area(o)})
    if len(found) > 1:
        raise InputError(
            f"the official forest areas of provinces ({found[0]}, {found[1]}{'…' if len(found) > 2 else ''}) must not be summed: "
            f"{_evidence()}; take the national area as published, or sum the map's own areas"
        )


def official_sum(officials: Sequence[Official]) -> Official:
    """The sum of official figures of one quantity as a figure of all regions. Raises InputError where it means nothing."""
    if len({(o.quantity, o.ecosystem, o.forest_type) for o in officials}) != 1:
        raise InputError("official figures of different quantities cannot be summed; give those of one")
    refuse_area_sum(officials)
    value = float(sum(o.value for o in officials))
    se = float(np.sqrt(sum(o.se**2 for o in officials)))
    return replace(officials[0], region_id=TOTAL_REGION, value=value, se=se, where="sum")


def _evidence() -> str:
    """How far the ninth inventory's areas and volumes are from adding up."""
    rows = [r for r in records("official_provinces") if r["inventory"].lower() == "nfi9"]
    nation = next(r for r in records("official_national") if r["scope"] == "china_mainland" and r["source"] == "nfi9")
    area, whole = sum(float(r["forest_area_ha"]) for r in rows), float(nation["forest_area_ha"])
    stock, volume = sum(float(r["forest_stock_m3"]) for r in rows), float(nation["stock_m3"])
    same = "add up" if abs(stock - volume) < 1e-6 * volume else f"differ by {stock - volume:,.0f} m³"
    return (
        f"official provincial forest areas do not add up to the national area, for provinces count shrub as forest by rules of "
        f"their own (ninth inventory: {area / 1e6:.2f} against {whole / 1e6:.2f} million ha, {100 * (area / whole - 1):+.1f} %), "
        f"while volumes do ({volume / 1e9:.3f} billion m³: they {same})"
    )


# ------------------------------------------------------------------------------------------ raking


class Constraint(NamedTuple):
    """An official sum of some cells. cells : their positions; se : NaN where unknown."""

    margin: str
    name: str
    cells: NDArray[np.intp]
    value: float
    se: float = np.nan


class Raked(NamedTuple):
    """Calibrated cells (n,) with what was done. gap : the largest relative distance to an official sum."""

    value: NDArray[np.float64]
    steps: int
    gap: float
    constraints: tuple[Constraint, ...]
    notes: tuple[str, ...] = ()


def rake(cells: NDArray[np.float64], constraints: Sequence[Constraint], tolerance: float = TOLERANCE) -> Raked:
    """Iterative proportional fitting of non-negative cells (n,) to every official sum [Deming & Stephan 1940].

    Raises InputError when two margins that speak of the same cells have totals that differ by more than ``tolerance``, when an
    official sum meets cells that are all zero, or when no values meet all margins.
    """
    m = np.asarray(cells, np.float64)
    if not (np.isfinite(m).all() and (m >= 0).all()):
        raise InputError(
            "raking takes map values of zero or more; fluxes that can be negative have no ratio to be scaled by"
        )
    constraints, notes = _agreed(constraints, tolerance)
    for c in constraints:
        if c.value > 0 and not m[c.cells].sum() > 0:
            raise InputError(
                f"the official {c.margin} figure of {c.name} is {c.value:,.6g} but the map has nothing there to scale; leave it "
                f"out, or check its code and the map"
            )
    targets = np.array([c.value for c in constraints])
    A, sweeps = _incidence(constraints, len(m)), _sweeps(constraints, len(m))
    x, gap, steps = m.copy(), np.inf, 0
    while steps < _STEPS:
        steps += 1
        for margin, label in sweeps:  # the figures of one margin share no cell, and are met at once
            held = (A @ x)[margin]
            factor = np.divide(targets[margin], held, out=np.ones(len(held)), where=held > 0)
            x *= np.append(factor, 1.0)[label]
        before, gap = gap, float(_gaps(A @ x, targets).max(initial=0.0))
        if gap <= 1e-13 or (gap <= 1e-11 and gap >= before):
            break
    if gap > CLOSED:
        gaps = _gaps(A @ x, targets)
        worst = constraints[int(gaps.argmax())]
        raise InputError(
            f"no values meet all official figures at once: after {steps} rounds {worst.name} ({worst.margin}) is still "
            f"{100 * gaps.max():.3g} % off its {worst.value:,.6g}; the margins contradict one another where the map has no "
            f"cells, so leave one out or correct it"
        )
    return Raked(x, steps, gap, tuple(constraints), tuple(notes))


def _gaps(held: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative distance of every sum to its official figure; to a millionth of the largest where that is zero."""
    floor = targets.max(initial=0.0) * 1e-6 or 1.0
    return np.abs(held - targets) / np.maximum(targets, floor)


def _incidence(constraints: Sequence[Constraint], n: int) -> sparse.csr_matrix:
    """A: one row per official figure, one where a cell is part of it."""
    counts = [len(c.cells) for c in constraints]
    columns = np.concatenate([c.cells for c in constraints]) if constraints else np.empty(0, np.intp)
    rows = np.repeat(np.arange(len(constraints)), counts)
    return sparse.csr_matrix((np.ones(len(columns)), (rows, columns)), shape=(len(constraints), n))


def _sweeps(constraints: Sequence[Constraint], n: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """By margin: which figures it has, and which of these each cell is part of (n,), −1 for none."""
    found = []
    for name in dict.fromkeys(c.margin for c in constraints):
        margin = np.array([k for k, c in enumerate(constraints) if c.margin == name], np.intp)
        label = np.full(n, -1, np.intp)
        for place, k in enumerate(margin):
            label[constraints[k].cells] = place
        found.append((margin, label))
    return found


def _agreed(constraints: Sequence[Constraint], tolerance: float) -> tuple[list[Constraint], list[str]]:
    """Constraints whose margins have the same total wherever they speak of the same cells."""
    margins: dict[str, list[Constraint]] = {}
    for c in constraints:
        margins.setdefault(c.margin, []).append(c)
    covers = {name: _covered(name, each) for name, each in margins.items()}
    found, notes, fixed = list[Constraint](), list[str](), list[str]()
    for name, each in margins.items():
        total, factor = sum(c.value for c in each), 1.0
        for other in fixed:
            if covers[other] != covers[name]:
                continue
            reference = sum(c.value for c in found if c.margin == other)
            apart = abs(total - reference) / max(reference, 1e-300)
            if apart > tolerance:
                raise InputError(
                    f"the official margins contradict each other: those by {other} sum to {reference:,.6g} and those by {name} "
                    f"to {total:,.6g}, {100 * (total / reference - 1) if reference else np.inf:+.3g} % (allowed: "
                    f"{100 * tolerance:g} %); give margins of one source, or leave one out with --margins"
                )
            if apart > 1e-12:
                factor = reference / total
                notes.append(
                    f"margins by {name} sum to {total:,.6g}, {100 * (total / reference - 1):+.2g} % from those by {other}; they "
                    f"were scaled to {reference:,.6g}"
                )
            break
        found += [c._replace(value=c.value * factor) for c in each]
        fixed.append(name)
    return found, notes


def _covered(name: str, constraints: Sequence[Constraint]) -> frozenset[int]:
    """The cells of a margin. Raises InputError when two of its figures speak of one cell."""
    seen: dict[int, str] = {}
    for c in constraints:
        for cell in c.cells.tolist():
            if cell in seen:
                raise InputError(
                    f"the official figures of {seen[cell]} and {c.name} overlap in the margin '{name}'; give figures of one "
                    f"administrative level"
                )
            seen[cell] = c.name
    return frozenset(seen)


class Variance(NamedTuple):
    """Variance of sums of calibrated cells (rows,), by where it comes from."""

    official: NDArray[np.float64]
    map: NDArray[np.float64]


def variance(
    cells: NDArray[np.float64],
    raked: Raked,
    cells_se: NDArray[np.float64],
    sums: sparse.csr_matrix | NDArray[np.float64],
) -> Variance:
    """Variance of ``sums @ calibrated`` by linearisation; sums : (rows, n); NaN where a part of it is not known."""
    m, x, n = np.asarray(cells, np.float64), raked.value, len(raked.value)
    A = _incidence(raked.constraints, n)
    L = sparse.csr_matrix(sums)
    scale = np.divide(x, m, out=np.zeros(n), where=m > 0)
    G = sparse.diags(x) @ A.T @ _pseudo_inverse(A @ sparse.diags(x) @ A.T)
    LG = sparse.csr_matrix(L @ G)
    t_se = np.array([c.se for c in raked.constraints])
    AF, m_se = A @ sparse.diags(scale), np.where(scale > 0, cells_se, 0.0)
    official, mapped = np.zeros(L.shape[0]), np.zeros(L.shape[0])
    for start in range(0, L.shape[0], _CHUNK):  # rows of one raking reach all its cells: never all rows at once
        rows = slice(start, start + _CHUNK)
        official[rows] = _squares(LG[rows], t_se)
        mapped[rows] = _squares(L[rows] @ sparse.diags(scale) - LG[rows] @ AF, m_se)
    return Variance(official, mapped)


def _squares(weights: sparse.spmatrix, se: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ (weight · se)² by row; NaN where a part that weighs anything has no standard error."""
    weights = sparse.csr_matrix(weights)
    unknown = ~np.isfinite(se)
    total = np.asarray(weights.multiply(weights) @ np.where(unknown, 0.0, se**2))
    heavy = abs(weights)
    # What cancels but for rounding weighs nothing.
    heavy.data[heavy.data <= 1e-12] = 0.0
    return np.where(np.asarray(heavy @ unknown.astype(float)) > 0, np.nan, total)


def _pseudo_inverse(matrix: sparse.spmatrix) -> sparse.csr_matrix:
    """(A X Aᵀ)⁺, by connected parts: thousands of regions of their own need no thousand-square inverse.

    Margins that share a total are linearly dependent; the pseudo-inverse leaves out the direction they contradict in.
    """
    matrix = sparse.csr_matrix(matrix)
    _, label = csgraph.connected_components(matrix, directed=False)
    if not len(label):
        return matrix
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    single = np.array([g[0] for g in groups if len(g) == 1], np.intp)
    diagonal = matrix.diagonal()[single]
    rows, columns = [single], [single]
    values = [np.divide(1.0, diagonal, out=np.zeros(len(single)), where=diagonal > 0)]
    for at in (g for g in groups if len(g) > 1):
        block = np.linalg.pinv(matrix[at][:, at].toarray(), rcond=1e-12, hermitian=True)
        rows.append(np.repeat(at, len(at)))
        columns.append(np.tile(at, len(at)))
        values.append(block.ravel())
    place = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix((np.concatenate(values), place), shape=matrix.shape)


# ------------------------------------------------------------------------------------------ an account


@dataclass(frozen=True)
class Calibration:
    """What came of it: the table (``COLUMNS``) and what people should know."""

    table: pd.DataFrame
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def calibrate(
    tidy: pd.DataFrame,
    officials: Sequence[Official],
    margins: Sequence[str] = (),
    *,
    total: bool = False,
    tolerance: float = TOLERANCE,
) -> Calibration:
    """Calibrate every quantity that the official figures speak of.

    tidy : the account's table (``accounts.TIDY_COLUMNS``), with standard errors where they were estimated; margins : which of
    ``MARGINS`` to use, all that are given when empty; total : also the sum of all regions. Raises InputError for figures that
    contradict one another, speak of regions the account lacks, or must not be summed.
    """
    for name in margins:
        if name not in MARGINS:
            raise InputError(f"unknown margin '{name}'; choose from {', '.join(MARGINS)}")
    chosen = [o for o in officials if not margins or o.margin in margins]
    lacking = [m for m in margins if not any(o.margin == m for o in officials)]
    if lacking:
        raise InputError(f"the official table has no figures by {lacking[0]}; add them or leave the margin out")
    jobs: dict[tuple[str, str], list[Official]] = {}
    for o in chosen:
        jobs.setdefault((o.quantity, o.ecosystem), []).append(o)
    done = [_calibrate(tidy, q, e, each, total, tolerance) for (q, e), each in jobs.items()]
    return Calibration(
        pd.concat([d.table for d in done], ignore_index=True)[list(COLUMNS)],
        tuple(n for d in done for n in d.notes),
        tuple(w for d in done for w in d.warnings),
    )


def _calibrate(
    tidy: pd.DataFrame,
    quantity: str,
    ecosystem: str,
    officials: Sequence[Official],
    total: bool,
    tolerance: float,
) -> Calibration:
    areas = [o for o in officials if is_provincial_area(o)]
    whole = [o for o in officials if o.region_id == TOTAL_REGION]
    if (total or whole) and len(areas) > 1:
        refuse_area_sum(areas)  # a national figure beside them, or a sum asked for
    typed = any(o.forest_type != ALL for o in officials)
    names: dict[str, str] = dict(
        tidy.loc[~tidy["region_id"].isin(_NO_REGION), ["region_id", "region_name"]].itertuples(index=False)
    )
    ids = list(names)
    cells = _cells(tidy, ids, quantity, ecosystem, typed)
    raw_cells, se_cells = cells["raw"].to_numpy(np.float64), cells["se"].to_numpy(np.float64)
    by_region, kinds = cells.groupby("region_id").indices, cells["forest_type"].to_numpy(str)
    notes, warnings = list[str](), list[str]()
    alone = {o.margin for o in officials} == {"region"}
    constraints, used = [], []
    for o in officials:
        inside = members(o.region_id, ids)
        if not inside:
            raise InputError(
                f"{o.where}: region '{o.region_id}' is not in this account; its regions are {_some(ids)}, use their codes"
            )
        at = np.sort(np.concatenate([by_region[ids[k]] for k in inside])).astype(np.intp)
        if o.forest_type != ALL:
            at = at[kinds[at] == o.forest_type]
        if alone and o.value > 0 and not raw_cells[at].sum() > 0:
            warnings.append(
                f"{quantity} of {o.region_id}: the map has none to scale to the official {o.value:,.6g} {o.unit}"
            )
            continue
        constraints.append(Constraint(o.margin, _label(o), at, o.value, o.se))
        used.append((o, at))
    raked = rake(raw_cells, constraints, tolerance)
    notes += [f"{quantity}: {n}" for n in raked.notes]
    rows = _output_rows(cells, officials, used, ids, typed, total)
    reach = {name: np.zeros(len(cells), bool) for name in sorted({c.margin for c in constraints})}
    for c in constraints:
        reach[c.margin][c.cells] = True
    reached = np.any(list(reach.values()), axis=0) if reach else np.zeros(len(cells), bool)
    place = (np.repeat(np.arange(len(rows)), [len(r.at) for r in rows]), np.concatenate([r.at for r in rows]))
    sums = sparse.csr_matrix((np.ones(len(place[0])), place), shape=(len(rows), len(cells)))
    spread = variance(raw_cells, raked, se_cells, sums)
    of_map = tidy[(tidy["quantity"] == quantity) & (tidy["ecosystem"] == ecosystem)]
    raw_se = dict(zip(zip(of_map["region_id"], of_map["forest_type"], strict=True), of_map["se"], strict=True))
    table = []
    for row, of_official, of_map in zip(rows, spread.official, spread.map, strict=True):
        raw, covered, given = float(raw_cells[row.at].sum()), bool(reached[row.at].all()), row.official
        calibrated = float(raked.value[row.at].sum()) if covered else np.nan
        se, covers = _se(of_official, of_map) if covered else (np.nan, "")
        table.append((
            row.region_id, names.get(row.region_id, ""), ecosystem, row.forest_type, quantity, unit_of(quantity), raw,
            raw_se.get((row.region_id, row.forest_type), np.nan), given.value if given else np.nan, given.se if given else np.nan,
            calibrated, calibrated - raw, calibrated / raw if raw > 0 else np.nan, se, calibrated - _Z * se,
            calibrated + _Z * se, covers, "+".join(k for k, v in reach.items() if v[row.at].any()) if covered else "",
        ))  # fmt: skip
    frame = pd.DataFrame(table, columns=list(COLUMNS))
    missing = frame[(frame["forest_type"] == ALL) & frame["calibrated"].isna() & (frame["region_id"] != TOTAL_REGION)]
    if len(missing):
        notes.append(
            f"{quantity}: no official figure reaches {_some(missing['region_id'].tolist())}; not calibrated there"
        )
    if (frame["se_covers"] == "official").any():
        notes.append(f"{quantity}: standard errors leave out the map's, which are not known for all of its parts")
    odd = frame[(frame["factor"] < PLAUSIBLE[0]) | (frame["factor"] > PLAUSIBLE[1])]
    if len(odd):
        warnings.append(
            f"{quantity}: the factor is beyond {PLAUSIBLE[0]:g} to {PLAUSIBLE[1]:g} in {_some(sorted(set(odd['region_id'])))}; "
            f"look for another definition, year or unit before calibrating a bias away"
        )
    if len(areas) > 1:
        notes.append(f"area: no sum over regions is given, for {_evidence()}")
    if raked.steps > 2:
        notes.append(f"{quantity}: raked in {raked.steps} rounds to {raked.gap:.1e} of the official figures")
    return Calibration(frame, tuple(notes), tuple(warnings))


class _Row(NamedTuple):
    region_id: str
    forest_type: str
    at: NDArray[np.intp]
    official: Official | None


def _output_rows(
    cells: pd.DataFrame,
    officials: Sequence[Official],
    used: Sequence[tuple[Official, NDArray[np.intp]]],
    ids: Sequence[str],
    typed: bool,
    total: bool,
) -> list[_Row]:
    """Regions, groups of regions, their forest types, forest types over all, and the total where it was given or asked for."""
    given = {(o.region_id, o.forest_type): o for o in officials}
    kinds = cells["forest_type"].to_numpy(str)
    by_region = cells.groupby("region_id").indices
    rows = []
    if total or (TOTAL_REGION, ALL) in given:
        rows.append(_Row(TOTAL_REGION, ALL, np.arange(len(cells)), given.get((TOTAL_REGION, ALL))))
    if typed:
        rows += [
            _Row(TOTAL_REGION, t, np.flatnonzero(kinds == t), given.get((TOTAL_REGION, t)))
            for t in sorted(set(kinds.tolist()) - {""})
            if total or (TOTAL_REGION, t) in given
        ]
    for o, at in used:
        if o.region_id not in by_region and o.region_id != TOTAL_REGION:
            rows.append(_Row(o.region_id, o.forest_type, at, o))
    for one in ids:
        here = np.asarray(by_region[one], np.intp)
        rows.append(_Row(one, ALL, here, given.get((one, ALL))))
        if typed:
            rows += [_Row(one, str(kinds[k]), np.array([k]), given.get((one, str(kinds[k])))) for k in here if kinds[k]]
    return rows


def _cells(tidy: pd.DataFrame, ids: Sequence[str], quantity: str, ecosystem: str, typed: bool) -> pd.DataFrame:
    """Map values by region, or by region × forest type: ``region_id, forest_type, raw, se``."""
    if typed and ecosystem != "forest":
        raise InputError(
            f"official figures by forest type are of the ecosystem forest, not '{ecosystem}'; correct the table"
        )
    part = tidy[(tidy["quantity"] == quantity) & (tidy["ecosystem"] == ecosystem)]
    part = part[part["region_id"].isin(ids)]
    if part.empty:
        raise InputError(f"the account has no {quantity} of '{ecosystem}'; run the assessment with the layers it takes")
    part = part[part["forest_type"] != ALL] if typed else part[part["forest_type"] == ALL]
    found = part[["region_id", "forest_type", "value", "se"]].rename(columns={"value": "raw"})
    present = set(found["region_id"])
    absent = [i for i in ids if i not in present]
    if absent:  # no such land there: zero, and known to be
        found = pd.concat(
            [found, pd.DataFrame({"region_id": absent, "forest_type": "" if typed else ALL, "raw": 0.0, "se": 0.0})],
            ignore_index=True,
        )
    return found.reset_index(drop=True)


def _se(of_official: float, of_map: float) -> tuple[float, str]:
    """Standard error from what is known of it, and what that is."""
    parts = {"official": of_official, "map": of_map}
    known = {k: v for k, v in parts.items() if np.isfinite(v)}
    if "official" not in known:
        return np.nan, ""
    return float(np.sqrt(sum(known.values()))), "+".join(known)


def _label(official: Official) -> str:
    return official.region_id if official.forest_type == ALL else f"{official.region_id} {official.forest_type}"


def _some(ids: Sequence[str], most: int = 4) -> str:
    return ", ".join(ids[:most]) + (f" and {len(ids) - most} more" if len(ids) > most else "")


def by_key(table: pd.DataFrame) -> Mapping[tuple[str, str, str, str], float]:
    """Calibrated values by (region, ecosystem, forest type, quantity)."""
    keys = table[["region_id", "ecosystem", "forest_type", "quantity"]].itertuples(index=False, name=None)
    return dict(zip(keys, table["calibrated"].tolist(), strict=True))
