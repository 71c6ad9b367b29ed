"""Carbon Sinks: what the land stores, measured from maps and held against targets.

import sinks

area   = sinks.pixel_area(landcover)                     # m², exact on any grid
pools  = sinks.forest.carbon(agb, "broadleaf", "warm_temperate_moist")
result = sinks.assess(landcover, agb, regions=counties, legend="worldcover")
result.maps.carbon_total ; result.accounts ; result.targets(2025)
what   = sinks.change({2010: earlier, 2020: result})
what.maps.change_carbon_total ; what.transitions ; what.errors
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sinks.accounts import Account as Account
    from sinks.dataset import Assessment as Assessment
    from sinks.dataset import assess as assess
    from sinks.ecosystems import forest as forest
    from sinks.epochs import Change as Change
    from sinks.epochs import change as change
    from sinks.errors import InputError as InputError
    from sinks.legends import Legend as Legend
    from sinks.parameters import parameter_set as parameter_set
    from sinks.pixelarea import pixel_area as pixel_area

__version__ = "0.1.0"

_HOMES = {
    "Account": "sinks.accounts",
    "Assessment": "sinks.dataset",
    "Change": "sinks.epochs",
    "InputError": "sinks.errors",
    "Legend": "sinks.legends",
    "assess": "sinks.dataset",
    "change": "sinks.epochs",
    "forest": "sinks.ecosystems.forest",
    "parameter_set": "sinks.parameters",
    "pixel_area": "sinks.pixelarea",
}
"""Where each public name lives. They are fetched when first used, so that the command line answers at once."""

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sinks' has no attribute '{name}'")
    module = importlib.import_module(_HOMES[name])
    return module if name == _HOMES[name].rpartition(".")[2] else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
