"""Soil of land that has changed its use: the stock of the land before, times the ratio of the land uses' factors.

IPCC 2006, Vol. 4, Ch. 2, eq. 2.25: both stocks have one reference, so SOC_after = SOC_before · F_after / F_before, whether
the stock before is a layer's or a table's. A measured layer holds the factors of its own land use already. The factors are
of the top 30 cm: of a deeper stock only the part that lies there changes, by the depth curve of the vegetation before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sinks.ecosystems.cropland import land_use
from sinks.parameters import Coefficient, ParameterSet, records
from sinks.plug import Coefficients, Cover, Options, Stratum
from sinks.soilcarbon import ORGANIC, PEAT, REFERENCE_DEPTH_CM, depth_beta, share_above

Array = Any

FACTORS = ("flu", "fmg", "fi")


def soil_factors(
    cover: Cover, stratum: Stratum, parameters: ParameterSet, options: Options
) -> dict[str, Coefficient] | None:
    """F_LU, F_MG and F_I of a land use in a stratum, None where none are published."""
    row = next((r for r in records("soil_land_use") if r["ecosystem"] == cover.ecosystem), None)
    if row is None or row["flu"] == "relative":
        return None
    said = {
        "land_use": land_use(cover.subclass, stratum.soil), "tillage": options.tillage, "input": options.input,
        "grazing": options.grazing,
    }  # fmt: skip
    found = {}
    for factor in FACTORS:
        rows = parameters.rows(
            "soil_factors", "factor", land_use=row["land_use"], factor=factor, level=said.get(row[factor], row[factor]),
            climate=stratum.climate,
        )  # fmt: skip
        if not rows:
            return None
        found[factor] = rows[0].coefficient
    return found


def soil_ratio(stratum: Stratum, parameters: ParameterSet, options: Options) -> Coefficients | None:
    """Factors of a converted stratum before and after, or the one ratio of built-up land; None where there are none.

    Peat and other organic soil have no factors: they lose carbon by emission factors, for as long as they are drained.
    """
    before = stratum.before
    if before is None or PEAT in stratum.present or stratum.soil == ORGANIC:
        return None
    depth: dict[str, Coefficient] = {}
    if options.soil_depth_cm != REFERENCE_DEPTH_CM:
        beta = depth_beta(before.ecosystem, parameters)
        if beta is None:
            return None
        depth = {"depth_beta": beta}
    row = next((r for r in records("soil_land_use") if r["ecosystem"] == stratum.cover.ecosystem), None)
    if row is not None and row["flu"] == "relative":
        values = parameters.rows("soil_factors", "factor", land_use=row["land_use"], factor="flu", level="relative")
        return Coefficients({"ratio": values[0].coefficient, **depth}, method="relative") if values else None
    one, two = (soil_factors(c, stratum, parameters, options) for c in (before, stratum.cover))
    if one is None or two is None:
        return None
    both = {f"{f}_before": c for f, c in one.items()} | {f"{f}_after": c for f, c in two.items()}
    return Coefficients(both | depth, method="factors")


def ratio_of(c: Coefficients) -> Array:
    """SOC_after / SOC_before of the whole stock [1]."""
    ratio: Array = c["ratio"] if "ratio" in c else 1.0  # noqa: SIM401 (coefficients are no dict)
    for factor in FACTORS:
        if f"{factor}_after" in c:
            ratio *= c[f"{factor}_after"] / c[f"{factor}_before"]
    if "depth_beta" not in c:
        return ratio
    return 1.0 + (ratio - 1.0) * share_above(REFERENCE_DEPTH_CM, c["depth_beta"])


def before(stratum: Stratum) -> Stratum:
    """The stratum as it was before its conversion."""
    assert stratum.before is not None
    return replace(stratum, cover=stratum.before, before=None)
