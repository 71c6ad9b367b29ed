"""Soil organic carbon: from layers of a profile, from IPCC's reference stocks, and which source a pixel gets.

One source per pixel and depth, never two and never two depths. Order: on coasts the coast's own table (see
``ecosystems.coast``); a peat layer; a permafrost soil layer; a soil-carbon layer; a profile of soil properties; a
published density at the run's depth, that of permafrost first where there is permafrost; IPCC's reference stock × factors,
which reaches 30 cm and is carried to 100 cm by the depth curve of the vegetation. Organic soil has no reference stock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sinks.errors import InputError
from sinks.organicsoil import ORGANIC, PEAT, peat_carbon, peat_properties
from sinks.parameters import Coefficient, ParameterSet, Row
from sinks.plug import Coefficients, Options, Stratum

Array = Any

REFERENCE_DEPTH_CM: Final = 30
"""Depth of IPCC's reference stocks [2019 Refinement, Vol. 4, Table 2.3]."""
TRANSITION_YEARS: Final = 20
"""Years over which a soil comes to its new stock [IPCC 2006, Vol. 4, Ch. 2, eq. 2.25]."""

_VEGETATION: Final = {
    "forest": "forest", "trees_outside_forest": "forest", "shrubland": "shrubland", "grassland": "grassland",
    "cropland": "cropland",
}  # fmt: skip
"""Ecosystem → rows of the depth table; others have no depth curve, and are not carried to another depth."""

# ---------------------------------------------------------------------------- a profile


def layer_carbon(oc: Array, bulk_density: Array, thickness_cm: Array, coarse_fragments: Array = 0.0) -> Array:
    """Carbon of one soil layer [Mg C ha⁻¹] = 0.1 · OC · BD · h · (1 − CF).

    oc : organic carbon of the fine earth [g kg⁻¹]; bulk_density : of the fine earth [g cm⁻³]; thickness_cm [cm];
    coarse_fragments : part of the volume [1].
    """
    return 0.1 * oc * bulk_density * thickness_cm * (1 - coarse_fragments)


def coarse_volume(mass_fraction: Array, bulk_density: Array, particle_density: float = 2.65) -> Array:
    """Volume part of coarse fragments [1] from their part of the mass [1].

    bulk_density : of the fine earth [g cm⁻³]; particle_density : of the stones [g cm⁻³], quartz's unless told [design].
    """
    stones = mass_fraction / particle_density
    return stones / (stones + (1 - mass_fraction) / bulk_density)


@dataclass(frozen=True)
class Horizon:
    """One layer of a profile: upper and lower edge [cm]."""

    top_cm: float
    bottom_cm: float

    @property
    def thickness_cm(self) -> float:
        return self.bottom_cm - self.top_cm


def require_whole(horizons: Sequence[Horizon], depth_cm: float) -> None:
    """Raises InputError unless the layers follow one another from the surface down to the depth at least."""
    at = 0.0
    for h in horizons:
        if h.top_cm != at or h.bottom_cm <= h.top_cm:
            raise InputError(
                f"the soil profile has a layer from {h.top_cm:g} to {h.bottom_cm:g} cm after {at:g} cm; give every layer from "
                f"the surface down, without gaps, in order"
            )
        at = h.bottom_cm
    if at < depth_cm:
        raise InputError(
            f"the soil profile ends at {at:g} cm, but soil is asked for to {depth_cm:g} cm; add the layers below"
        )


def profile_carbon(
    horizons: Sequence[Horizon],
    oc: Sequence[Array],
    bulk_density: Sequence[Array],
    coarse_fragments: Sequence[Array],
    depth_cm: float,
    soil_thickness_cm: Array = np.inf,
    rock_outcrop: Array = 0.0,
) -> Array:
    """Carbon of a profile down to a depth [Mg C ha⁻¹]; NaN where a layer that is needed has no value.

    Parameters
    ----------
    horizons : layers from the surface down; oc [g kg⁻¹], bulk_density [g cm⁻³], coarse_fragments [1] : one array a layer;
    depth_cm : whole layers are summed and a cut layer is taken in proportion;
    soil_thickness_cm : where the soil ends above the depth; rock_outcrop : part of the area that is bare rock [1].

    Notes
    -----
    Zhang et al. 2017, eq. 5 (Houzhai, karst) with thickness and outcrop; without them the sum of ``layer_carbon``.
    Raises InputError when the layers leave a gap or end above the depth.
    """
    require_whole(horizons, depth_cm)
    total: Array = 0.0
    for h, c, d, f in zip(horizons, oc, bulk_density, coarse_fragments, strict=True):
        if h.top_cm >= depth_cm:
            break
        inside = np.clip(np.minimum(depth_cm, soil_thickness_cm) - h.top_cm, 0.0, h.thickness_cm)
        carbon = layer_carbon(c, d, inside, f)
        total = total + np.where(inside > 0, carbon, np.where(np.isnan(inside), np.nan, 0.0))
    return total * (1 - rock_outcrop)


# ---------------------------------------------------------------------------- depth


def share_above(depth_cm: Array, beta: Array) -> Array:
    """Part of the first metre's carbon that lies above a depth [1]: (1 − β^z) / (1 − β^100), 0 ≤ z ≤ 100 cm.

    β fitted to Jobbágy & Jackson 2000 [derived]. It fails below a metre: there use the paper's own ratios.
    """
    return (1 - np.power(beta, depth_cm)) / (1 - np.power(beta, 100.0))


# ---------------------------------------------------------------------------- IPCC Tier 1


def tier1_stock(reference: Array, land_use: Array, management: Array, carbon_input: Array) -> Array:
    """SOC = SOC_ref · F_LU · F_MG · F_I [Mg C ha⁻¹], 0–30 cm. Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.25."""
    return reference * land_use * management * carbon_input


def tier1_change(before: Array, after: Array, years: float = TRANSITION_YEARS) -> Array:
    """Yearly change of a soil on its way from one stock to another [Mg C ha⁻¹ yr⁻¹], positive = gain; 0 afterwards.

    before, after : equilibrium stocks [Mg C ha⁻¹]. Source: IPCC 2006, Vol. 4, Ch. 2, eq. 2.25 (D = 20 years).
    """
    return (after - before) / years


def layer_after(stock: Array, factors_before: Array, factors_after: Array) -> Array:
    """A measured stock after a change of land use [Mg C ha⁻¹]: it holds the old factors already, so their ratio counts."""
    return stock * factors_after / factors_before


# ---------------------------------------------------------------------------- which source


def soil_coefficients(
    stratum: Stratum,
    parameters: ParameterSet,
    options: Options,
    land_use: str = "",
    management: Mapping[str, str] | None = None,
) -> dict[str, Coefficient]:
    """Numbers of a stratum's soil, or none: where a layer has a value, or nothing is published for this depth.

    land_use : its row of the factor table, by default the ecosystem; management : factor → level, e.g. flu → paddy.
    """
    if PEAT in stratum.present:
        return peat_properties(stratum.climate, parameters)
    if "soc" in stratum.present:
        return {}
    rows = _densities(stratum, parameters, options)
    if rows and _is_density(rows[0]):
        return {"soil": rows[0].coefficient}
    if stratum.soil == ORGANIC:
        return {}
    return _reference(stratum, parameters, options, land_use or stratum.cover.ecosystem, management or {})


def _keys(stratum: Stratum, depth_cm: int) -> dict[str, str]:
    return {
        "ecosystem": stratum.cover.ecosystem,
        "forest_type": stratum.grassland or stratum.cover.subclass or stratum.cover.forest_type,
        "climate": stratum.climate,
        "soil": stratum.soil,
        "depth_cm": str(depth_cm),
    }


def _densities(stratum: Stratum, parameters: ParameterSet, options: Options) -> list[Row]:
    keys = _keys(stratum, options.soil_depth_cm)
    if stratum.permafrost:
        frozen = parameters.rows("density", "soc", **{**keys, "ecosystem": "permafrost"})
        if frozen and frozen[0].keys.get("ecosystem") == "permafrost":
            return frozen
    if stratum.soil == ORGANIC:  # a density of mineral soil says nothing of peat
        return [r for r in parameters.rows("density", "soc", **keys) if r.keys.get("soil") == ORGANIC]
    return parameters.rows("density", "soc", **keys)


def _is_density(row: Row) -> bool:
    """Whether a row is an ecosystem's own density, not IPCC's reference stock of native soil, which needs factors."""
    return row.keys.get("ecosystem") not in ("any", "")


def _reference(
    stratum: Stratum, parameters: ParameterSet, options: Options, land_use: str, management: Mapping[str, str]
) -> dict[str, Coefficient]:
    """Reference stock, its factors of the same edition, and the depth curve where the run goes deeper than 30 cm."""
    rows = parameters.rows("density", "soc", **_keys(stratum, REFERENCE_DEPTH_CM))
    rows = [r for r in rows if not _is_density(r)]
    if not rows:
        return {}
    edition = rows[0].keys.get("scheme")
    found = {"soil_reference": rows[0].coefficient}
    for factor, level in management.items():
        factors = parameters.rows(
            "soil_factors", "factor", (edition,) if edition else None,
            land_use=land_use, factor=factor, level=level, climate=stratum.climate,
        )  # fmt: skip
        if not factors:
            return {}
        found[factor] = factors[0].coefficient
    if options.soil_depth_cm != REFERENCE_DEPTH_CM:
        beta = depth_beta(stratum.cover.ecosystem, parameters)
        if beta is None:
            return {}
        found["depth_beta"] = beta
    return found


def depth_beta(ecosystem: str, parameters: ParameterSet) -> Coefficient | None:
    """β of the depth curve of an ecosystem's vegetation, None where there is none."""
    vegetation = _VEGETATION.get(ecosystem, "")
    if not vegetation or not parameters.has("soil_depth", "depth_beta", vegetation=vegetation):
        return None
    return parameters.find("soil_depth", "depth_beta", vegetation=vegetation)


def soil_carbon(values: Mapping[str, Array], c: Coefficients) -> dict[str, Array]:
    """Soil organic carbon to the run's depth [Mg C ha⁻¹]: the layer where it has a value, else what the stratum has.

    values : "soc" [Mg C ha⁻¹] or "peat" [m] of a layer. See :func:`soil_coefficients` for the names in ``c``.
    """
    if PEAT in values and "peat_bulk_density" in c:
        return {"carbon_soil": peat_carbon(values[PEAT], c["peat_bulk_density"], c["peat_carbon_fraction"])}
    if "soc" in values:
        return {"carbon_soil": values["soc"]}
    if "soil" in c:
        return {"carbon_soil": c["soil"]}
    if "soil_reference" in c:
        land_use, management, carbon_input = (float(c.values[f]) if f in c else 1.0 for f in ("flu", "fmg", "fi"))
        stock = tier1_stock(c["soil_reference"], land_use, management, carbon_input)
        return {"carbon_soil": stock / share_above(REFERENCE_DEPTH_CM, c["depth_beta"]) if "depth_beta" in c else stock}
    return {}
