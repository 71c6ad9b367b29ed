"""The ledger of a period: what every region held, gained and lost between two epochs, transition by transition.

Sign: positive is carbon that the land gained. ``opening_X`` and ``closing_X`` are stocks of the two epochs on the pixels
where both tell X (the common mask); ``gain_X`` is the change of X on pixels whose carbon rose, ``loss_X`` (negative) on
those whose carbon fell, pools of a pixel together; ``change_X`` = gain + loss = closing − opening. What only one epoch tells
is told apart and is part of no change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinks.accounts import OUTSIDE_REGIONS, TOTAL_REGION, RegionInfo
from sinks.errors import InputError
from sinks.parameters import records
from sinks.quantities import BY_KEY, KEYS, POOL_KEYS, TOTAL
from sinks.quantities import GAIN as GROWTH
from sinks.science import NODATA_CODE, UNKNOWN_CODE, Science
from sinks.sums import Sums
from sinks.transitions import COMPARED, FATES, GAIN, GAIN_NOISE, absent_pools, class_names, place_of, process_of
from sinks.units import C_TO_CO2, M2_PER_HA

TRANSITION_KEYS: Final = ("region_id", "before", "after", "process", "fate")
SIDES: Final = ("opening", "closing", "gain", "loss", "change")
STOCKS: Final = (TOTAL.key, *COMPARED)
CLOSE: Final = 1e-9
"""Largest part of the stocks by which a balance may be off: rounding of 64-bit sums."""
_GAINS: Final = (GAIN, GAIN_NOISE)


@dataclass(frozen=True)
class Ledger:
    """Two epochs on the same places.

    years : of the epochs; regions : in the user's order; rows : one per place: ``TRANSITION_KEYS``, area_ha, pixels,
    told_opening and told_closing (bits of ``COMPARED``), and ``opening_X``, ``closing_X`` of every stock on all its pixels, NaN
    where that epoch tells none; ``growth_opening``, ``growth_closing`` [Mg C yr⁻¹], where growth rates are known.
    """

    years: tuple[int, int]
    regions: tuple[RegionInfo, ...]
    rows: pd.DataFrame

    @staticmethod
    def build(
        sums: tuple[Sums, Sums],
        sciences: tuple[Science, Science],
        regions: Sequence[RegionInfo],
        years: tuple[int, int],
    ) -> Ledger:
        """The ledger of two epochs' sums by place (keys of ``sinks.transitions`` in the place of regions).

        Raises InputError when the years do not rise or the two sums are not of the same pixels.
        """
        if years[1] <= years[0]:
            raise InputError(f"the epochs are {years[0]} and {years[1]}; give them in the order of time")
        opening, closing = (_by_place(s, k) for s, k in zip(sums, sciences, strict=True))
        if not opening.index.equals(closing.index) or not np.array_equal(opening["pixels"], closing["pixels"]):
            raise ValueError("the two epochs are not of the same pixels")
        ids = [OUTSIDE_REGIONS, *(r.id for r in regions)]
        names = class_names()
        rows = []
        for key in opening.index.tolist():
            place = place_of(key)
            before, after = names.get(place.before, ("", "")), names.get(place.after, ("", ""))
            process = ""
            if before[0] and after[0]:
                process = process_of(before[0], after[0], place.fate, place.was_forest)
            rows.append(
                (
                    ids[place.region],
                    label(place.before),
                    label(place.after),
                    process,
                    FATES[place.fate],
                    place.opening,
                    place.closing,
                )
            )
        frame = pd.DataFrame(rows, columns=[*TRANSITION_KEYS, "told_opening", "told_closing"])
        frame["area_ha"], frame["pixels"] = opening["area_ha"].to_numpy(), opening["pixels"].to_numpy()
        for side, part in (("opening", opening), ("closing", closing)):
            codes = [place_of(k).before if side == "opening" else place_of(k).after for k in part.index.tolist()]
            absent = _absent(codes)
            for n, stock in enumerate(COMPARED):
                values = part[stock].to_numpy()
                frame[f"{side}_{stock}"] = np.where(np.isnan(values) & absent[:, n], 0.0, values)
        frame["growth_opening"], frame["growth_closing"] = (p[GROWTH.key].to_numpy() for p in (opening, closing))
        return Ledger(years, tuple(regions), frame)

    @property
    def span(self) -> int:
        """Years between the epochs."""
        return self.years[1] - self.years[0]

    @cached_property
    def transitions(self) -> pd.DataFrame:
        """By ``TRANSITION_KEYS`` without the fate, on the common mask: area_ha, pixels, and all ``SIDES`` of all ``STOCKS``.

        The region ``total`` is the union of all regions; pixels that are in none are left out.
        """
        part = self.rows[(self.rows["process"] != "") & (self.rows["region_id"] != OUTSIDE_REGIONS)]
        wide = part[["region_id", "before", "after", "process", "area_ha", "pixels"]].copy()
        gained = part["fate"].isin([FATES[f] for f in _GAINS]).to_numpy()
        sides: dict[str, NDArray[np.float64]] = {}
        for n, stock in enumerate(COMPARED):
            both = _told(part, n, "opening") & _told(part, n, "closing")
            opening = np.where(both, part[f"opening_{stock}"], 0.0)
            closing = np.where(both, part[f"closing_{stock}"], 0.0)
            change = closing - opening
            sides |= {
                f"opening_{stock}": opening, f"closing_{stock}": closing, f"gain_{stock}": np.where(gained, change, 0.0),
                f"loss_{stock}": np.where(gained, 0.0, change), f"change_{stock}": change,
            }  # fmt: skip
        for side in SIDES:
            sides[f"{side}_{TOTAL.key}"] = sum((sides[f"{side}_{p}"] for p in POOL_KEYS), np.zeros(len(part)))
        wide = pd.concat([wide, pd.DataFrame(sides, index=wide.index)], axis=1)
        levels = [wide, wide.assign(region_id=TOTAL_REGION)]
        found = pd.concat(levels).groupby(["region_id", "before", "after", "process"], sort=True).sum().reset_index()
        order = {r: n for n, r in enumerate((TOTAL_REGION, *(r.id for r in self.regions)))}
        found["order"] = found["region_id"].map(order)
        return (
            found.sort_values(["order", "before", "after", "process"], kind="stable")
            .drop(columns="order")
            .reset_index(drop=True)
        )

    @cached_property
    def one_sided(self) -> pd.DataFrame:
        """What one epoch alone tells, by region and stock: area [ha] and amount of the opening or the closing epoch."""
        part = self.rows[self.rows["region_id"] != OUTSIDE_REGIONS]
        found = []
        for n, stock in enumerate(COMPARED):
            for side, other in (("opening", "closing"), ("closing", "opening")):
                told = _told(part, n, side) & ~_told(part, n, other)
                here = part[told].groupby("region_id")[["area_ha", f"{side}_{stock}"]].sum()
                whole = pd.DataFrame(here.sum().to_dict(), index=[TOTAL_REGION]) if len(here) else here
                for region, area, amount in pd.concat([whole, here]).itertuples():
                    found.append((region, stock, side, area, amount, BY_KEY[stock].total_unit))
        return pd.DataFrame(found, columns=["region_id", "stock", "epoch", "area_ha", "value", "unit"])

    @cached_property
    def classes(self) -> pd.DataFrame:
        """The balance of every class: opening + transfer_in + transfer_out + gain + loss = closing, by region and stock.

        transfer_out (negative) and transfer_in : the opening stock of pixels that left for another class, or came from one; gain
        and loss : of the pixels that are in the class at the closing.
        """
        t = self.transitions
        moved = t["before"] != t["after"]
        found = []
        for stock in STOCKS:
            frame = pd.concat(
                [
                    _parts(t, "before", opening=t[f"opening_{stock}"], transfer_out=-t[f"opening_{stock}"].where(moved, 0.0)),
                    _parts(
                        t, "after", transfer_in=t[f"opening_{stock}"].where(moved, 0.0), gain=t[f"gain_{stock}"],
                        loss=t[f"loss_{stock}"], closing=t[f"closing_{stock}"],
                    ),
                ]
            ).fillna(0.0)  # fmt: skip
            summed = frame.groupby(["region_id", "class"], sort=False).sum().reset_index()
            found.append(summed.assign(stock=stock, unit=BY_KEY[stock].total_unit))
        columns = [
            "region_id",
            "class",
            "stock",
            "unit",
            "opening",
            "transfer_in",
            "transfer_out",
            "gain",
            "loss",
            "closing",
        ]
        return pd.concat(found, ignore_index=True)[columns]

    @cached_property
    def fluxes(self) -> pd.DataFrame:
        """By region, process and pool: committed change, what of it falls in the period, and per year.

        committed [Mg C] : closing − opening, once every pool has reached the stock of its class; in_period [Mg C] : what of it
        has come about by the closing epoch, conversions being spread evenly over the period; per_year [Mg C yr⁻¹] and
        co2_per_year [t CO2 yr⁻¹, positive = uptake] : its mean over the period; later [Mg C] : what is still to come.
        Source of the transition times: ``sinks/tables/transition_times.csv``.
        """
        times = {r["pool"]: (float(r["years_gain"]), float(r["years_loss"])) for r in records("transition_times")}
        t = self.transitions
        found = []
        for pool in POOL_KEYS:
            gains, losses = (
                t[f"{side}_{pool}"].to_numpy() * come_about(self.span, years)
                for side, years in zip(("gain", "loss"), times[pool], strict=True)
            )
            here = t[["region_id", "process"]].assign(committed=t[f"change_{pool}"], in_period=gains + losses)
            found.append(here.groupby(["region_id", "process"], sort=False).sum().reset_index().assign(pool=pool))
        frame = pd.concat(found, ignore_index=True)
        total = frame.groupby(["region_id", "process"], sort=False)[["committed", "in_period"]].sum().reset_index()
        frame = pd.concat([frame, total.assign(pool=TOTAL.key)], ignore_index=True)
        frame["per_year"] = frame["in_period"] / self.span
        frame["co2_per_year"] = frame["per_year"] * C_TO_CO2
        frame["later"] = frame["committed"] - frame["in_period"]
        return frame[["region_id", "process", "pool", "committed", "in_period", "per_year", "co2_per_year", "later"]]

    @cached_property
    def gross(self) -> pd.DataFrame:
        """Gross emissions, gross removals and the net sink by region [t CO2 yr⁻¹].

        What is emitted and what is removed are positive amounts; the net sink is removals − emissions. Committed change of all
        pools over the years of the period: the whole loss of a pixel is emitted in it, as Harris et al. 2021
        (doi:10.1038/s41558-020-00976-6) take it; their net flux is minus ours.
        """
        t = self.transitions.groupby("region_id", sort=False)[[f"gain_{TOTAL.key}", f"loss_{TOTAL.key}"]].sum()
        per_year = t * C_TO_CO2 / self.span
        found = {
            "region_id": t.index,
            "gross_emissions_t_co2_yr": -per_year[f"loss_{TOTAL.key}"].to_numpy(),
            "gross_removals_t_co2_yr": per_year[f"gain_{TOTAL.key}"].to_numpy(),
            "net_sink_t_co2_yr": per_year.sum(axis=1).to_numpy(),
        }
        return pd.DataFrame(found)

    def imbalance(self) -> float:
        """Largest |opening + gain + loss − closing| of any region, transition and stock, and of any class with its transfers,
        as a part of the stock."""
        t, worst = self.transitions, 0.0
        for stock in STOCKS:
            off = t[f"opening_{stock}"] + t[f"gain_{stock}"] + t[f"loss_{stock}"] - t[f"closing_{stock}"]
            scale = t[[f"opening_{stock}", f"closing_{stock}"]].abs().max(axis=1)
            worst = max(worst, _relative(off, scale))
        c = self.classes
        off = c["opening"] + c["transfer_in"] + c["transfer_out"] + c["gain"] + c["loss"] - c["closing"]
        scale = c[["opening", "transfer_in", "closing"]].abs().max(axis=1)
        return max(worst, _relative(off, scale))


def come_about(span: float, years: float) -> float:
    """Part of a committed change that has come about at the end of a period [1].

    span : of the period; years : transition time. Conversions are spread evenly over the period and each goes on at a constant
    rate (IPCC 2006, Vol. 4, Ch. 2, eq. 2.25): span/(2·years) while the period is the shorter, 1 − years/(2·span) beyond.
    """
    if years <= 0:
        return 1.0
    return span / (2 * years) if span <= years else 1 - years / (2 * span)


def false_change(accuracies: tuple[float, float], area: float) -> float:
    """Largest area that two maps' errors alone would show as changed [ha], where nothing changed.

    accuracies : overall, of either map [1]; area : compared [ha]. A pixel that is right at both epochs, and did not change, shows
    no change: with independent errors that is the product of the accuracies. Two equal errors would hide one another, so it is a
    bound. Raises InputError for accuracies that are no shares.
    """
    if not all(0 < a <= 1 for a in accuracies):
        raise InputError(f"map accuracies are {', '.join(f'{a:g}' for a in accuracies)}; give shares, e.g. 0.9")
    return (1 - accuracies[0] * accuracies[1]) * area


def label(code: int) -> str:
    """Name of a class in tables."""
    if code in (NODATA_CODE, UNKNOWN_CODE):
        return "nodata" if code == NODATA_CODE else "unknown"
    ecosystem, forest_type = class_names()[code]
    return f"{ecosystem}/{forest_type}" if forest_type else ecosystem


def _absent(codes: Sequence[int]) -> NDArray[np.bool_]:
    """(places, stocks): whether the class of a place does not have a stock."""
    names = class_names()
    kinds = {c: [s in absent_pools(names[c][0]) if c in names else False for s in COMPARED] for c in set(codes)}
    return np.asarray([kinds[c] for c in codes], bool).reshape(-1, len(COMPARED))


def _told(rows: pd.DataFrame, stock: int, side: str) -> NDArray[np.bool_]:
    """Whether an epoch tells a stock of ``COMPARED`` on each row's pixels."""
    return (rows[f"told_{side}"].to_numpy() >> stock & 1).astype(bool)


def _by_place(sums: Sums, science: Science) -> pd.DataFrame:
    """Area, pixels and stocks of every place, NaN where no stratum of it tells a stock."""
    values = sums.values
    told = (*COMPARED, GROWTH.key)
    amounts = np.full((sums.code.size, len(told)), np.nan)
    at = [KEYS.index(k) for k in told]
    for n, (code, piece) in enumerate(zip(sums.code.tolist(), sums.piece.tolist(), strict=True)):
        lines = science.pieces(code).lines[piece][at]
        amounts[n] = lines @ values[n, : lines.shape[1]] / M2_PER_HA
    frame = pd.DataFrame(amounts, columns=list(told))
    frame["area_ha"], frame["pixels"], frame["key"] = values[:, 0] / M2_PER_HA, sums.count, sums.region
    return frame.groupby("key", sort=True).sum(min_count=1)


def _parts(t: pd.DataFrame, which: str, **columns: pd.Series) -> pd.DataFrame:
    """Columns beside the region and one of the two classes."""
    return pd.DataFrame({"region_id": t["region_id"], "class": t[which], **columns})


def _relative(off: pd.Series, scale: pd.Series) -> float:
    some = (scale > 0).to_numpy()
    return float((off.abs().to_numpy()[some] / scale.to_numpy()[some]).max()) if some.any() else 0.0


def stocks_of(ledger: Ledger, epoch: str, stock: str = TOTAL.key) -> Mapping[str, float]:
    """Whole stock of an epoch by region, common mask and one-sided parts together, as ``sinks assess`` would tell it."""
    own = [stock] if stock != TOTAL.key else list(POOL_KEYS)
    part = ledger.rows[ledger.rows["region_id"] != OUTSIDE_REGIONS]
    summed = part.groupby("region_id")[[f"{epoch}_{s}" for s in own]].sum().sum(axis=1)
    return {**{str(r): float(v) for r, v in summed.items()}, TOTAL_REGION: float(summed.sum())}
