"""Permafrost: how much soil carbon is frozen, and how much a deeper active layer would lay bare.

The carbon of permafrost soil is that of the soil pool of the same depth, never added to it. What lies between the run's
depth and 300 cm is a line of its own. Laid bare is a risk, not a flux: how fast it decays is not said here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

Array = Any

DEEP_CM: Final = 300.0
"""Depth to which deep soil carbon is told [cm]."""


def frozen_carbon(carbon: Sequence[Array], edges_cm: Sequence[float], active_layer_cm: Array) -> Array:
    """Carbon below the active layer [Mg C ha⁻¹] = Σ SOC_k · max(0, z_bottom − max(z_top, ALT)) / (z_bottom − z_top).

    carbon : of each interval [Mg C ha⁻¹]; edges_cm : of the intervals from the surface down, one more than ``carbon``;
    active_layer_cm : thickness of the layer that thaws every summer [cm]. An interval that is wholly thawed counts 0 even
    where its carbon is not known.
    """
    total: Array = 0.0
    for value, top, bottom in zip(carbon, edges_cm[:-1], edges_cm[1:], strict=True):
        part = np.clip((bottom - np.maximum(top, active_layer_cm)) / (bottom - top), 0.0, 1.0)
        total = total + np.where(part == 0, 0.0, value * part)
    return total


def laid_bare(carbon: Sequence[Array], edges_cm: Sequence[float], now_cm: Array, then_cm: Array) -> Array:
    """Carbon that thaws when the active layer deepens from ``now_cm`` to ``then_cm`` [Mg C ha⁻¹]; a risk, not a flux."""
    return frozen_carbon(carbon, edges_cm, now_cm) - frozen_carbon(carbon, edges_cm, then_cm)
