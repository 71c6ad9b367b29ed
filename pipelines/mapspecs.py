"""Which maps a run writes, and how each is named, scaled and coloured."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.maps import MapSpec
from pipelines.study import Study
from pipelines.styles import ClassColor
from sinks import ecosystems, onepass
from sinks.quantities import BY_KEY, POOL_KEYS, TOTAL, VOLUME, WEATHERING
from sinks.science import NODATA_CODE, UNKNOWN_CODE, Science

STEP: Final = {WEATHERING.key: 1e-4}
DEFAULT_STEP: Final = 0.1
"""Step of the integer maps: a tenth of a Mg C or m³ per hectare; half a step is the largest error."""
UNKNOWN_COLOR: Final = (255, 0, 255)


def request(specs: tuple[MapSpec, ...]) -> onepass.MapRequest:
    """What the pass must write for these maps."""
    integer = any(spec.dtype == "uint16" for spec in specs)
    return onepass.MapRequest(tuple(s.quantity for s in specs), tuple(s.scale if integer else 0.0 for s in specs))


def value_maps(study: Study, science: Science) -> tuple[MapSpec, ...]:
    """The quantity maps of a run: those asked for that its layers can fill."""
    terms = science.coding.terms
    empty = {VOLUME.key} if not terms or science.lookup else set()
    if "weathering" not in terms:
        empty |= {WEATHERING.key}
    if not study.biomass and not science.lookup:
        empty |= {VOLUME.key}
    wanted = [name for name in study.maps if name in BY_KEY and name not in empty]
    return tuple(_value_map(name, study, science) for name in wanted)


def _value_map(name: str, study: Study, science: Science) -> MapSpec:
    quantity = BY_KEY[name]
    integer = study.map_type == "uint16"
    pools = ", ".join(BY_KEY[k].name_en.lower() for k in POOL_KEYS)
    about = f"{quantity.name_en} {study.year or ''}".strip()
    if quantity is TOTAL:
        about += f" (sum of {pools}, where estimated; soil to {science.options.soil_depth_cm} cm)"
    return MapSpec(
        name=name,
        kind="density",
        dtype="uint16" if integer else "float32",
        nodata=onepass.NODATA_UINT16 if integer else float(onepass.NODATA_FLOAT),
        scale=STEP.get(name, DEFAULT_STEP) if integer else 1.0,
        offset=0.0,
        unit=quantity.unit,
        description=about,
        title_zh=quantity.name_zh,
        quantity=name,
        ramp={VOLUME.key: "volume", WEATHERING.key: "flux"}.get(name, "carbon"),
        tags={
            "QUANTITY": name,
            "PARAMETERS": science.parameters.name,
            "SOIL_DEPTH_CM": str(science.options.soil_depth_cm),
        },
    )


def ecosystem_map(study: Study) -> MapSpec:
    """The map of ecosystem classes with its colours and names."""
    classes = [ClassColor(c.code, c.name_en, c.name_zh, _rgb(c.color)) for c in ecosystems.classes().values()]
    classes.append(ClassColor(UNKNOWN_CODE, "Unknown class", "未知类别", UNKNOWN_COLOR))
    return MapSpec(
        name="ecosystem",
        kind="class",
        dtype="uint8",
        nodata=NODATA_CODE,
        scale=1.0,
        offset=0.0,
        unit="",
        description=f"Ecosystem class {study.year or ''}".strip(),
        title_zh="生态系统类型",
        quantity="ecosystem",
        classes=tuple(sorted(classes)),
        tags={"LEGEND": str(study.legend)},
    )


def _rgb(color: str) -> tuple[int, int, int]:
    return tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))  # type: ignore[return-value]


def typical_bytes(specs: tuple[MapSpec, ...], pixels: int) -> int:
    """A generous guess of the size of the maps and of their shards before they are joined."""
    return int(pixels * (0.5 + sum(np.dtype(s.dtype).itemsize for s in specs)) * 1.4)
