"""How many points, how many in each stratum, and which pixels: the design of a reference sample.

The draw gives every pixel a key from the seed and its own row and column alone, so that any partition of the map into blocks,
in any order, draws the same points; and the first n points of a larger sample are the sample of n.

- Cochran, W.G. 1977. Sampling Techniques, 3rd ed. Wiley, eq. 5.25–5.27.
- Olofsson et al. 2014. Remote Sens. Environ. 148:42–57, sec. 5.1.
- Efraimidis, P.S. & Spirakis, P.G. 2006. Weighted random sampling with a reservoir. Inf. Process. Lett. 97:181–185.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sinks.errors import InputError

ALLOCATIONS: Final = ("proportional", "equal", "neyman")
_STRIP: Final = 64
"""Rows drawn at a time."""
USERS_ACCURACY: Final = 0.8
"""User's accuracy of a class that nothing is known of: the spread √(U(1−U)) is then 0.4 of at most 0.5 [design]."""


def sample_size(area_ha: Mapping[str, float], users_accuracy: Mapping[str, float], target_se: float) -> int:
    """Points for a standard error of overall accuracy: n = (Σ W_h S_h / SE)², S = √(U(1−U)).

    Olofsson et al. 2014, eq. 13 (Cochran 1977, eq. 5.25) for many pixels. target_se : as a share [1]. Raises InputError for a
    target that is none and for accuracies outside 0 to 1.
    """
    if not 0 < target_se < 0.5:
        raise InputError(
            f"the target standard error is {target_se:g}; give one between 0 and 0.5, e.g. 0.01 for 1 percent"
        )
    total = sum(area_ha.values())
    spread = 0.0
    for stratum, area in area_ha.items():
        u = _accuracy(users_accuracy, stratum)
        spread += area / total * math.sqrt(u * (1 - u))
    return max(2 * len(area_ha), math.ceil((spread / target_se) ** 2 - 1e-9))


def _accuracy(users_accuracy: Mapping[str, float], stratum: str) -> float:
    u = users_accuracy.get(stratum, USERS_ACCURACY)
    if not 0 <= u <= 1:
        raise InputError(f"the user's accuracy of {stratum} is guessed as {u:g}; it is a share between 0 and 1")
    return u


def allocate(
    size: int,
    area_ha: Mapping[str, float],
    how: str = "proportional",
    *,
    minimum: int = 50,
    users_accuracy: Mapping[str, float] | None = None,
    target: frozenset[str] = frozenset(),
) -> dict[str, int]:
    """Points of each stratum, ``size`` in all.

    proportional : to area; equal; neyman : to W_h √(p_h (1 − p_h)) [Cochran 1977, eq. 5.26], p_h the share of the target classes
    that is expected in stratum h: its user's accuracy in a target stratum, one minus it elsewhere (every error there counted
    as an omission of the target: the cautious guess). minimum : a stratum that would get fewer is given so many, and the
    others share the rest [Olofsson et al. 2014, sec. 5.1.2]. Raises InputError when the size does not reach for the minimum.
    """
    if how not in ALLOCATIONS:
        raise InputError(f"there is no allocation '{how}'; choose one of {', '.join(ALLOCATIONS)}")
    if minimum < 2:
        raise InputError(f"the minimum is {minimum} points per stratum; a variance needs at least 2")
    names = list(area_ha)
    if not names or not all(math.isfinite(a) and 0 <= a < 1e15 for a in area_ha.values()):
        raise InputError("an allocation takes strata, each with an area of 0 ha or more; check the areas")
    if size < minimum * len(names):
        raise InputError(
            f"{size} points do not reach for {minimum} in each of {len(names)} strata; raise --size to {minimum * len(names)} or "
            f"lower --minimum"
        )
    if how == "neyman" and not target & set(names):
        raise InputError(f"neyman allocation needs a target class that is a stratum; strata: {', '.join(names)}")
    weights = np.array([_weight(how, s, area_ha[s], users_accuracy or {}, target) for s in names])
    held = np.zeros(len(names), bool)  # strata that are given the minimum
    while True:
        free = size - minimum * int(held.sum())
        ideal = np.where(held, minimum, free * weights / max(float(weights[~held].sum()), 1e-300))
        below = ~held & (ideal < minimum)
        if not below.any() or (held | below).all():
            break
        held |= below
    if not weights[~held].sum() > 0:
        ideal = np.full(len(names), size / len(names))
    return dict(zip(names, _whole(ideal, size).tolist(), strict=True))


def _weight(how: str, stratum: str, area: float, users_accuracy: Mapping[str, float], target: frozenset[str]) -> float:
    if how == "equal":
        return 1.0
    if how == "proportional":
        return area
    u = _accuracy(users_accuracy, stratum)
    p = u if stratum in target else 1 - u
    return area * math.sqrt(p * (1 - p))


def _whole(ideal: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """Whole numbers that add up: the largest remainders are rounded up, the first of equal ones first."""
    found = np.floor(ideal + 1e-9).astype(np.int64)
    order = np.argsort(-(ideal - found), kind="stable")
    found[order[: size - int(found.sum())]] += 1
    return found


# ------------------------------------------------------------------------------------------ the draw


@dataclass(frozen=True)
class Drawn:
    """Pixels in the order they are drawn: by stratum, then by key.

    row, col : on the grid; stratum : index; key : the smaller, the earlier; weight : area of the pixel [m²].
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    stratum: NDArray[np.int64]
    key: NDArray[np.float64]
    weight: NDArray[np.float64]

    @staticmethod
    def none() -> Drawn:
        """No pixel yet."""
        whole, real = np.empty(0, np.int64), np.empty(0, np.float64)
        return Drawn(whole, whole, whole, real, real)

    def __add__(self, other: Drawn) -> Drawn:
        """Both, in no order; ``kept`` puts them in order."""
        return Drawn(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in self.__dataclass_fields__))

    def kept(self, sizes: NDArray[np.int64]) -> Drawn:
        """The first ``sizes[h]`` pixels of every stratum; row and column decide between equal keys."""
        order = np.lexsort((self.col, self.row, self.key, self.stratum))
        stratum = self.stratum[order]
        rank = np.arange(len(order)) - np.searchsorted(stratum, stratum)
        order = order[rank < sizes[stratum]]
        return Drawn(*(getattr(self, n)[order] for n in self.__dataclass_fields__))

    def last_keys(self, sizes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Largest key still of use in every stratum (strata,): infinite while it is not full. For ``kept`` pixels."""
        count = np.bincount(self.stratum, minlength=len(sizes))
        top = np.full(len(sizes), np.inf)
        ends = np.cumsum(count) - 1
        full = (count >= sizes) & (sizes > 0)
        top[full] = self.key[ends[full]]
        top[sizes == 0] = -np.inf
        return top


def uniforms(seed: int, row: int, col: int, height: int, width: int, stream: int = 0) -> NDArray[np.float64]:
    """A number in (0, 1) for every pixel of a block (height, width), from the seed, its row and its column alone.

    Philox is counter-based: the key is (seed, row), the counter goes along the columns, four to a step. stream : another
    number for the same pixel, independent of the first.
    """
    skip = col % 4
    out = np.empty((height, width), np.float64)
    for r in range(height):
        key = np.array([seed, row + r], np.uint64)
        # Raw bits, whose stream numpy keeps from version to version, which it does not promise of its generators.
        raw = np.random.Philox(key=key, counter=[col // 4, stream, 0, 0]).random_raw(skip + width)[skip:]
        np.multiply((raw >> np.uint64(11)).astype(np.float64) + 0.5, 2.0**-53, out=out[r])
    return out


def draw(
    stratum: NDArray[np.integer],
    area_m2: NDArray[np.float64],
    sizes: NDArray[np.int64],
    *,
    seed: int,
    row: int = 0,
    col: int = 0,
    before: Drawn | None = None,
) -> Drawn:
    """Draw from one block into what was drawn before; at the end the pixels of the whole map, whatever the blocks were.

    stratum : (h, w) index, below 0 where a pixel is not in the population; area_m2 : broadcasts to it; sizes : (strata,) points
    wanted; row, col : of the block's corner. The key of a pixel is −ln(u) / area, the logarithm of Efraimidis & Spirakis'
    u^(1/w): the smallest keys are a sample drawn one after another with probability proportional to true area, without
    putting any back.
    """
    found = before or Drawn.none()
    for top in range(0, stratum.shape[0], _STRIP):  # a full reservoir lets most of the later strips be passed over
        part = slice(top, top + _STRIP)
        area = area_m2[part] if area_m2.shape[0] > 1 else area_m2
        found = _draw_strip(stratum[part], area, sizes, seed, row + top, col, found)
    return found


def _draw_strip(
    stratum: NDArray[np.integer],
    area_m2: NDArray[np.float64],
    sizes: NDArray[np.int64],
    seed: int,
    row: int,
    col: int,
    old: Drawn,
) -> Drawn:
    u = uniforms(seed, row, col, *stratum.shape)
    weight = np.broadcast_to(area_m2, stratum.shape)
    limit = np.append(old.last_keys(sizes), -np.inf)[stratum]  # −1 takes the last
    # −ln(1 − u) ≥ u, so that most pixels are passed over without a logarithm; 1 − u is as uniform as u.
    rows, cols = np.nonzero(u <= limit * weight)
    if not rows.size:
        return old
    area = weight[rows, cols]
    new = Drawn(
        rows + np.int64(row),
        cols + np.int64(col),
        stratum[rows, cols].astype(np.int64),
        -np.log1p(-u[rows, cols]) / area,
        area,
    )
    return (old + new).kept(sizes)
