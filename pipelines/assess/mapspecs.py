"""Which maps a run writes, and how each is named, scaled and coloured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from pipelines.assess.study import Study
from pipelines.files.runmaps import WHOLE
from pipelines.outputs.maps import MapSpec
from pipelines.outputs.styles import ClassColor
from sinks import ecosystems, onepass
from sinks.colors import ramp_of
from sinks.quantities import (
    BY_KEY,
    DEEP,
    FROZEN,
    GAIN,
    METHANE,
    NITROUS,
    POOL_KEYS,
    SINK_KEYS,
    TOTAL,
    VOLUME,
    WEATHERING,
)
from sinks.science import NODATA_CODE, UNKNOWN_CODE, Science
from sinks.strata import ERROR_OF, SD

STEP: Final = {
    WEATHERING.key: 1e-4, GAIN.key: 1e-3, "sink_biomass": 1e-3, "sink_soil": 1e-3, NITROUS.key: 1e-2,
}  # fmt: skip
DEFAULT_STEP: Final = 0.1
"""Step of the integer maps: a tenth of a Mg C or m³ per hectare; half a step is the largest error."""
OFFSET: Final = dict.fromkeys(("sink_biomass", "sink_soil"), -32.0) | {
    METHANE.key: -100.0,
    NITROUS.key: -50.0,
}
"""Value of the integer 0 where a map can be negative: a source of carbon, or soil that takes up methane."""
UNKNOWN_COLOR: Final = (255, 0, 255)


def request(specs: tuple[MapSpec, ...]) -> onepass.MapRequest:
    """What the pass must write for these maps."""
    integer = any(spec.dtype == "uint16" for spec in specs)
    steps = tuple(s.scale if integer else 0.0 for s in specs)
    return onepass.MapRequest(tuple(s.quantity for s in specs), steps, tuple(s.offset for s in specs))


def value_maps(study: Study, science: Science) -> tuple[MapSpec, ...]:
    """The quantity maps of a run: those asked for that its layers and options can fill."""
    plain = [name.removeprefix(ERROR_OF) for name in study.maps]
    wanted = [
        name
        for name, key in zip(study.maps, plain, strict=True)
        if key in BY_KEY and _can_have_values(key, study, science) and (name == key or SD in science.coding.terms)
    ]
    return tuple(_value_map(name, study, science) for name in wanted)


def _can_have_values(name: str, study: Study, science: Science) -> bool:
    terms = science.coding.terms
    if science.lookup:
        return name in (*POOL_KEYS, TOTAL.key) or (name == WEATHERING.key and "weathering" in terms)
    if name == VOLUME.key:
        return bool(study.biomass)
    if name == WEATHERING.key:
        return "weathering" in terms
    if name == FROZEN.key:
        return "soc_frozen" in terms
    if name == DEEP.key:
        return study.permafrost is not None
    if name == GAIN.key:
        return bool(study.forest_age)
    if name in (METHANE.key, NITROUS.key):
        return study.flux_method != "none" and study.soil is not None
    return name not in SINK_KEYS or study.flux_method != "none"


def _value_map(name: str, study: Study, science: Science) -> MapSpec:
    key = name.removeprefix(ERROR_OF)
    quantity = BY_KEY[key]
    integer = study.map_type == "uint16"
    pools = ", ".join(BY_KEY[k].name_en.lower() for k in POOL_KEYS)
    about = f"{quantity.name_en} {study.year or ''}".strip()
    if name != key:
        about = f"Standard error of {about[0].lower()}{about[1:]}, from that of the biomass map"
    comment = (
        f"sum of {pools}, where estimated; soil to {science.options.soil_depth_cm} cm" if quantity is TOTAL else ""
    )
    return MapSpec(
        name=name,
        kind="density",
        dtype="uint16" if integer else "float32",
        nodata=onepass.NODATA_UINT16 if integer else float(onepass.NODATA_FLOAT),
        scale=STEP.get(key, DEFAULT_STEP) if integer else 1.0,
        offset=OFFSET.get(name, 0.0) if integer else 0.0,
        unit=quantity.unit,
        description=about,
        title_zh=quantity.name_zh + ("标准误" if name != key else ""),
        quantity=name,
        ramp=ramp_of(name),
        tags={
            "QUANTITY": name,
            "PARAMETERS": science.parameters.name,
            "SOIL_DEPTH_CM": str(science.options.soil_depth_cm),
            "COMMENT": comment,
        },
    )


def ecosystem_map(study: Study) -> MapSpec:
    """The map of ecosystem classes with its colours and names."""
    classes = [ClassColor(c.code, c.name_en, c.name_zh, rgb(c.color)) for c in ecosystems.classes().values()]
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
        tags={"LEGEND": Path(str(study.legend)).name},
    )


def rgb(color: str) -> tuple[int, int, int]:
    """#rrggbb as three numbers."""
    return tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))  # type: ignore[return-value]


_PACKED: Final = {1: 0.35, 2: 1.2, 4: 2.9}
"""Bytes that a pixel of so many takes in a map with its overviews, a quarter more than on maps of noisy biomass."""


_OVERVIEWS: Final = 0.25
"""Part of that in the overviews."""


def typical_bytes(specs: Sequence[MapSpec], pixels: int, layout: str = WHOLE) -> int:
    """A generous guess of the most that maps take on disk: the shards of all, beside the one that is being joined, or the
    overviews of it where the shards are the map."""
    sizes = [_PACKED[np.dtype(s.dtype).itemsize] for s in specs]
    beside = 1.0 if layout == WHOLE else _OVERVIEWS
    return int(pixels * (sum(sizes) + beside * max(sizes, default=0.0)))
