"""The request of a change: two or more epochs, what they share, and how change is told from noise."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from pipelines.assess import study
from pipelines.assess.study import Study
from pipelines.errors import InputError
from sinks.errors import suggest
from sinks.quantities import TOTAL

MAPS: Final = ("ecosystem", TOTAL.key)
"""Maps of every epoch."""
_OWN: Final = {
    "minimum_change": 0.0, "confidence": 0.95, "error_correlation": 0.0, "across_break": False, "soil_change": "factors",
    "removals": None, "map_accuracy": (),
}  # fmt: skip
SOIL_CHANGES: Final = ("factors", "class")
_SHARED: Final = ("legend", "forest_definition", "parameters")
"""What two epochs must have in common, or their difference is one of method."""
_NOT_OF_AN_EPOCH: Final = (
    "out",
    "regions",
    "region_id",
    "region_name",
    "region_layer",
    "workers",
    "scheduler",
    "memory",
)


@dataclass(frozen=True)
class ChangeStudy:
    """Several epochs as asked for.

    epochs : one study each, in the order of time, with their years; minimum_change : smallest patch of changed class [ha], 0
    for none; confidence : of a change of biomass beyond its errors, where ``agb_sd`` is given at both epochs;
    error_correlation : of the errors of two epochs' biomass maps at one place; across_break : whether epochs may differ in
    legend, forest definition or parameters; soil_change : how the soil of land that changed its class is told, "factors"
    (the stock before times the ratio of the land uses' factors, where there are any) or "class" (what the new class is said
    to hold); removals : table of wood removals and disturbances, for gain–loss; map_accuracy : overall, of every epoch's land
    cover, where known.
    """

    epochs: tuple[Study, ...]
    minimum_change: float = 0.0
    confidence: float = 0.95
    error_correlation: float = 0.0
    across_break: bool = False
    soil_change: str = "factors"
    removals: str | None = None
    map_accuracy: tuple[float, ...] = ()

    @property
    def first(self) -> Study:
        return self.epochs[0]

    @property
    def years(self) -> tuple[int, ...]:
        return tuple(int(e.year or 0) for e in self.epochs)


def from_toml(path: Path, **options: Any) -> ChangeStudy:
    """A change from a file: options of ``sinks assess`` for all epochs, and tables ``[[epochs]]`` with what each has of its own.

    Paths are relative to the file; options given on the command line win. Raises InputError.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable TOML file ({error}); mend that place") from None
    epochs = raw.pop("epochs", [])
    if not isinstance(epochs, list) or not all(isinstance(e, dict) for e in epochs):
        raise InputError(f"{path}: epochs are tables; write [[epochs]] before each, with year, landcover and agb below")
    known = {*_OWN, *(f.name for f in fields(Study))}
    for table in (raw, *epochs):
        study.refuse_network(path, table, options)
        if unknown := [k for k in table if k not in known]:
            raise InputError(f"{path}: unknown key {suggest(unknown[0], known)}")
    base = path.parent
    if isinstance(raw.get("removals"), str) and not Path(raw["removals"]).is_absolute():
        raw["removals"] = str(base / raw["removals"])
    shared = {k: study.relative(k, v, base) for k, v in raw.items()} | {
        k: v for k, v in options.items() if v is not None
    }
    return checked([{k: study.relative(k, v, base) for k, v in e.items()} for e in epochs], shared, str(path))


def epoch_of(text: str) -> dict[str, Any]:
    """An epoch as the command line has it: ``year=2010,landcover=lc.tif,agb=agb.tif``. Raises InputError."""
    found: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not value.strip():
            raise InputError(f"--epoch is '{text}'; write year=2010,landcover=FILE,agb=FILE")
        if key not in {f.name for f in fields(Study)}:
            raise InputError(f"--epoch '{text}': unknown key {suggest(key, [f.name for f in fields(Study)])}")
        found[key] = value.strip()
    if "year" in found:
        try:
            found["year"] = int(found["year"])
        except ValueError:
            raise InputError(f"--epoch '{text}': year is '{found['year']}'; write a whole number") from None
    return found


def checked(
    epochs: Sequence[Mapping[str, Any]], shared: Mapping[str, Any], where: str = "the command line"
) -> ChangeStudy:
    """A change from options by name. Raises InputError listing what is wrong with them."""
    own = {**_OWN, **{k: v for k, v in shared.items() if k in _OWN}}
    own["map_accuracy"] = _accuracies(own["map_accuracy"])
    common = {k: v for k, v in shared.items() if k not in _OWN and k != "maps"}
    problems = _problems(epochs, own)
    if problems:
        raise InputError(f"{where}: " + "; ".join(problems))
    ordered = sorted(epochs, key=lambda e: int(e["year"]))
    studies = [study.checked({**common, **e, "maps": MAPS}, f"{where}, epoch {e['year']}") for e in ordered]
    found = ChangeStudy(tuple(studies), **own)
    if len(set(found.years)) < len(found.years):
        raise InputError(f"{where}: two epochs have the same year; each must have its own")
    if not found.across_break:
        _require_one_basis(found, where)
    return found


def _accuracies(given: Any) -> Any:
    """Numbers from ``0.92,0.90`` or a list; what is none stays as it is, to be complained of."""
    parts = given.split(",") if isinstance(given, str) else given
    try:
        return tuple(float(p) for p in parts)
    except (TypeError, ValueError):
        return given


def _problems(epochs: Sequence[Mapping[str, Any]], own: Mapping[str, Any]) -> list[str]:
    found = []
    if len(epochs) < 2:
        found.append(f"a change takes two epochs or more, and {len(epochs)} are given: repeat --epoch, or [[epochs]]")
    for n, epoch in enumerate(epochs, start=1):
        if not isinstance(epoch.get("year"), int):
            found.append(f"epoch {n} has no year; give year=2010, a whole number")
        if "landcover" not in epoch:
            found.append(f"epoch {epoch.get('year', n)} has no land cover; give landcover=FILE")
        found += [
            f"{k} is one for all epochs; move it out of epoch {epoch.get('year', n)}"
            for k in _NOT_OF_AN_EPOCH
            if k in epoch
        ]
    if not (isinstance(own["minimum_change"], int | float) and own["minimum_change"] >= 0):
        found.append("--minimum-change is the smallest patch of changed class in hectares; give 0 or more")
    if own["removals"] is not None and not isinstance(own["removals"], str):
        found.append("--removals is the path of a table; write it in quotes")
    accuracy = own["map_accuracy"]
    if accuracy and not (
        isinstance(accuracy, tuple) and len(accuracy) == len(epochs) and all(0 < a <= 1 for a in accuracy)
    ):
        found.append("--map-accuracy has a share for every epoch, in the order of time, e.g. 0.92,0.90")
    if own["soil_change"] not in SOIL_CHANGES:
        found.append(f"--soil-change is '{own['soil_change']}'; choose {' or '.join(SOIL_CHANGES)}")
    if not (isinstance(own["confidence"], int | float) and 0 < own["confidence"] < 1):
        found.append("--confidence lies between 0 and 1; 0.95 is usual")
    if not (isinstance(own["error_correlation"], int | float) and 0 <= own["error_correlation"] < 1):
        found.append("--error-correlation of two epochs' biomass errors lies from 0 to below 1")
    return found


def _require_one_basis(change: ChangeStudy, where: str) -> None:
    first = change.first
    for other in change.epochs[1:]:
        differ = [k for k in _SHARED if getattr(first, k) != getattr(other, k)]
        if first.biomass != other.biomass:
            differ.append(f"kind of biomass layer ({first.biomass or 'none'} and {other.biomass or 'none'})")
        if differ:
            raise InputError(
                f"{where}: the epochs {first.year} and {other.year} differ in {', '.join(differ)}: part of the change would be "
                f"one of method; make them alike, or say --across-break to have it told with every figure"
            )
