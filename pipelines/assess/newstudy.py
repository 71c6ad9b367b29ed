"""A commented assessment file, made by looking at a user's files: every guess with its reason, every doubt said."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pipelines.assess import check, study
from pipelines.errors import InputError
from pipelines.files import manifest
from pipelines.inputs import guesses, regionfile
from pipelines.inputs.guesses import Fit, Guess, Look
from sinks.layers import LAYERS

RASTERS: Final = (".tif", ".tiff", ".vrt", ".img", ".jp2")
VECTORS: Final = (".gpkg", ".shp", ".geojson", ".fgb", ".json")
_BIOMASS: Final = ("agb", "agc", "volume")
_TILE_MARKS: Final = re.compile(r"\d+")


@dataclass(frozen=True)
class Choice:
    """A raster or tiles chosen for a layer. others : what else could have been it, and why it is not."""

    layer: str
    looks: tuple[Look, ...]
    why: str
    doubts: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def year(self) -> int | None:
        return guesses.year_of(self.looks[0].path, self.looks[0].source.description)


@dataclass(frozen=True)
class Regions:
    """The polygons chosen, their columns and what else could have been they."""

    path: Path
    layer: str | None
    id_column: str
    name_column: str
    why: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """What will stand in the file. refused : layers that the check refused, with its words; verdict : what it said last."""

    choices: Mapping[str, Choice]
    fits: tuple[Fit, ...]
    legend: str
    regions: Regions | None
    year: int | None
    given: Mapping[str, str]
    unused: tuple[str, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    verdict: str = ""

    @property
    def doubts(self) -> list[str]:
        """Everything that a person should look at."""
        found = [f"{c.layer}: {d}" for c in self.choices.values() for d in c.doubts]
        return found + [f"{name}: left out, for the check says: {why}" for name, why in self.refused.items()]


def draft(paths: Sequence[Path], named: Mapping[str, Sequence[str]], given: Mapping[str, str], workdir: Path) -> Draft:
    """Look at files and decide. paths : files and folders; named : files by layer, which are not guessed; given : other options.

    Raises InputError when no land cover is among them.
    """
    chosen = {layer: _named(layer, [Path(p) for p in files], workdir) for layer, files in named.items()}
    taken = {look.path.resolve() for c in chosen.values() for look in c.looks}
    rasters, vectors = _listed(paths)
    unused: list[str] = []
    looks: list[tuple[Look, Guess]] = []
    for path in rasters:
        if path.resolve() in taken:
            continue
        try:
            seen = guesses.look(path, workdir)
        except InputError as error:
            unused.append(str(error))
            continue
        found = guesses.guess(seen)
        if found.layer and found.layer not in named:
            looks.append((seen, found))
        else:
            unused.append(
                f"{path}: {found.why if not found.layer else f'{found.layer} is given already'} ({seen.facts})"
            )
    for layer in LAYERS:
        if candidates := [(s, g) for s, g in looks if g.layer == layer]:
            chosen[layer] = _pick(layer, candidates)
    chosen = {layer: chosen[layer] for layer in LAYERS if layer in chosen}
    if "landcover" not in chosen:
        raise InputError(
            f"none of {len(rasters)} rasters looks like land cover: name it with --landcover FILE"
            + (f" (seen: {'; '.join(unused[:4])})" if unused else "")
        )
    chosen = _one_biomass(chosen, unused)
    fits = tuple(guesses.legends(chosen["landcover"].looks[0])[:4])
    legend = given.get("legend") or (fits[0].name if fits[0].share >= 0.5 else "")
    regions = _regions(vectors, given)
    made = Draft(_dated(chosen), fits, legend, regions, chosen["landcover"].year, given, tuple(unused))
    return _doubted(made)


# ------------------------------------------------------------------------------------------ files


def _listed(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Rasters and vectors among files and in folders; what a run of ours wrote is passed over."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder; check the path")
        if path.is_dir():
            own = {p.parent for p in path.rglob(manifest.NAME)}
            inside = (p for p in sorted(path.rglob("*")) if p.is_file() and not own & set(p.parents))
            found += [p for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts)]
        else:
            found.append(path)
    kinds = {p: p.suffix.lower() for p in found}
    return [p for p in found if kinds[p] in RASTERS], [p for p in found if kinds[p] in VECTORS]


def _named(layer: str, paths: list[Path], workdir: Path) -> Choice:
    looks = tuple(guesses.look(p, workdir, layer) for p in paths)
    return Choice(layer, looks, f"Given by {LAYERS[layer].flag}; {looks[0].facts}.")


def _pick(layer: str, candidates: list[tuple[Look, Guess]]) -> Choice:
    """The latest of several files, or all where they are tiles beside each other."""
    groups: dict[str, list[tuple[Look, Guess]]] = {}
    for seen, found in candidates:
        year = guesses.year_of(seen.path)
        key = f"{year}|{_TILE_MARKS.sub('#', seen.path.stem)}|{seen.source.dtype}|{seen.source.crs_wkt}"
        groups.setdefault(key, []).append((seen, found))
    ordered = sorted(
        groups.values(), key=lambda g: (g[0][1].sure, guesses.year_of(g[0][0].path) or 0, _pixels(g)), reverse=True
    )
    best = ordered[0]
    if len(best) > 1 and _overlap([seen for seen, _ in best]):
        ordered = [best[:1], *([one] for one in best[1:]), *ordered[1:]]
        best = ordered[0]
    seen, found = best[0]
    doubts = list(found.doubts)
    others = tuple(f"{s.path.name} ({s.facts})" for group in ordered[1:] for s, _ in group)
    if others:
        doubts.append(f"{seen.path.name} was chosen out of {len(others) + 1} files that could be it")
    tiles = f"{len(best)} tiles. " if len(best) > 1 else ""
    return Choice(layer, tuple(s for s, _ in best), f"{tiles}{found.why}", tuple(doubts), others)


def _pixels(group: list[tuple[Look, Guess]]) -> int:
    return sum(s.source.width * s.source.height for s, _ in group)


def _overlap(looks: Sequence[Look]) -> bool:
    """Whether two rasters share more than an edge."""
    for n, one in enumerate(looks):
        for two in looks[n + 1 :]:
            a, b = one.bounds, two.bounds
            wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            if wide > 0.1 * (a[2] - a[0]) and tall > 0.1 * (a[3] - a[1]):
                return True
    return False


def _one_biomass(chosen: dict[str, Choice], unused: list[str]) -> dict[str, Choice]:
    """Only one of biomass, carbon and volume can be used: the first of them."""
    there = [layer for layer in _BIOMASS if layer in chosen]
    for layer in there[1:]:
        unused.append(f"{chosen[layer].looks[0].path}: looks like {layer}, but {there[0]} is used in its place")
        del chosen[layer]
    if not there and "agb_sd" in chosen:
        unused.append(f"{chosen['agb_sd'].looks[0].path}: errors of biomass, but no biomass is found")
        del chosen["agb_sd"]
    return chosen


def _dated(chosen: dict[str, Choice]) -> dict[str, Choice]:
    """Layers of another year than the land cover are doubted, those that change from year to year."""
    year = chosen["landcover"].year
    for layer in (*_BIOMASS, "agb_sd", "canopy", "grass_agb"):
        other = chosen[layer].year if layer in chosen else None
        if year and other and other != year:
            doubt = f"it is of {other}, the land cover of {year}"
            chosen[layer] = replace(chosen[layer], doubts=(*chosen[layer].doubts, doubt))
    return chosen


def _doubted(made: Draft) -> Draft:
    """Doubts about the legend and the year."""
    cover, found = made.choices["landcover"], []
    best, *rest = made.fits
    if "legend" not in made.given:
        if best.share < 0.995:
            codes = ", ".join(map(str, best.unknown[:6]))
            found.append(f"the legend {best.name} explains {best.share:.1%} of the pixels; it lacks the codes {codes}")
        alike = [f.name for f in rest if f.rank[:3] == best.rank[:3]]
        if alike and not best.named:
            found.append(f"the legends {', '.join(alike)} explain the codes as well: is it {best.name}?")
    if made.year is None and "year" not in made.given:
        found.append("no year is in its name; put it under 'year'")
    return replace(made, choices={**made.choices, "landcover": replace(cover, doubts=(*cover.doubts, *found))})


def _regions(vectors: Sequence[Path], given: Mapping[str, str]) -> Regions | None:
    """The polygons given, or the file whose name and columns look most like regions."""
    paths = [Path(given["regions"])] if "regions" in given else list(vectors)
    found: list[tuple[int, Path, regionfile.RegionFile]] = []
    others = []
    for path in paths:
        try:
            read = regionfile.read_region_file(
                str(path), given.get("region_layer"), given.get("region_id"), given.get("region_name")
            )
        except InputError as error:
            if "regions" in given:
                raise
            others.append(f"{path.name}: {str(error).removeprefix(f'{path}: ')}")
            continue
        likely = bool(
            re.search(r"region|count|provinc|admin|adm\d|district|city|县|市|省|政区|行政", path.stem.lower())
        )
        found.append((2 * likely + any(read.names), path, read))
    if not found:
        return None
    found.sort(key=lambda f: -f[0])
    _, path, read = found[0]
    others = [f"{p.name}: {len(r.ids)} polygons" for _, p, r in found[1:]] + others
    return Regions(
        path, given.get("region_layer"), read.id_column, read.name_column, f"{len(read.ids)} polygons", tuple(others)
    )


# ------------------------------------------------------------------------------------------ the check


def checked(made: Draft, out: Path) -> Draft:
    """The draft with what the check refuses left out, and the check's last word; only the land cover cannot be left out."""
    refused: dict[str, str] = {}
    while True:
        options = {**values(replace(made, refused=refused), Path.cwd()), "out": str(out)}
        try:
            check.check(study.checked(options, "the draft"))
        except InputError as error:
            culprit = _culprit(str(error), made, refused)
            if culprit is None:
                return replace(made, refused=refused, verdict=str(error))
            refused[culprit] = str(error)
            continue
        return replace(made, refused=refused, verdict="")


def _culprit(said: str, made: Draft, refused: Mapping[str, str]) -> str | None:
    """The layer that a refusal speaks of, by its file or its name, the first that it names; the regions too."""
    places: dict[str, int] = {}
    for layer, choice in made.choices.items():
        words = (*(look.path.name for look in choice.looks), f"layer {layer}", f"{LAYERS[layer].flag} ")
        at = [said.index(word) for word in words if word in said]
        if at and layer not in ("landcover", *refused):
            places[layer] = min(at)
    if made.regions and "regions" not in refused and made.regions.path.name in said:
        places["regions"] = said.index(made.regions.path.name)
    return min(places, key=lambda name: places[name]) if places else None


def values(made: Draft, base: Path) -> dict[str, Any]:
    """Option → value, paths relative to ``base`` where they lie below it."""
    found: dict[str, Any] = {}
    for layer, choice in made.choices.items():
        if layer not in made.refused:
            paths = [relative(look.path, base) for look in choice.looks]
            found[layer] = paths[0] if len(paths) == 1 else paths
    if made.legend:
        found["legend"] = made.legend
    if made.regions and "regions" not in made.refused:
        found["regions"] = relative(made.regions.path, base)
        found |= {"region_id": made.regions.id_column}
        if made.regions.name_column:
            found["region_name"] = made.regions.name_column
        if made.regions.layer:
            found["region_layer"] = made.regions.layer
    if year := int(made.given["year"]) if "year" in made.given else made.year:
        found["year"] = year
    for key in ("parameters", "climate"):
        if key in made.given:
            found[key] = made.given[key]
    nodata = {
        c.layer: look.sentinel for c in made.choices.values() for look in c.looks[:1] if look.sentinel is not None
    }
    if nodata := {layer: value for layer, value in nodata.items() if layer not in made.refused}:
        found["layers"] = {layer: {"nodata": value} for layer, value in nodata.items()}
    return found


def relative(path: Path, base: Path) -> str:
    whole, root = path.resolve(), base.resolve()
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else os.path.relpath(whole, root)
