"""A soil profile as files: which raster holds which property of which depth, in which product's units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipelines.errors import InputError
from pipelines.files.text import read_text
from pipelines.inputs.layerfiles import make_layer
from pipelines.inputs.reach import DEFAULT, Permit
from pipelines.inputs.sources import Layer
from sinks.layers import DENSITY, PROFILE
from sinks.parameters import read_cells, records
from sinks.soilcarbon import Horizon

_COLUMNS: Final = ("top_cm", "bottom_cm", *PROFILE)
_SOILGRIDS: Final = {"soc": "oc", "bdod": "bulk_density", "cfvo": "coarse_fragments"}
_NAME: Final = re.compile(r"^(soc|bdod|cfvo)_(\d+)-(\d+)cm_mean\.(?:tif|tiff|vrt)$")


@dataclass(frozen=True)
class Profile:
    """Layers from the surface down; files : by (property, place of the layer), with the factor to the property's unit."""

    horizons: tuple[Horizon, ...] = ()
    files: Mapping[tuple[str, int], tuple[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def layers(self, workdir: Path, permit: Permit = DEFAULT) -> dict[str, Layer]:
        """The rasters as layers, named as ``sinks.pixels`` asks for them."""
        return {
            f"{name}_{n}": make_layer(f"{name}_{n}", DENSITY, path, workdir, permit, scale=factor)
            for (name, n), (path, factor) in self.files.items()
        }


NONE: Final = Profile()


def read(path: str) -> Profile:
    """A profile from a CSV (top_cm, bottom_cm, oc, bulk_density, coarse_fragments, product) or a folder of SoilGrids maps.

    Paths in the CSV are relative to it; ``product`` is plain, percent or soilgrids; coarse fragments may be left out.
    Raises InputError for a folder without such maps, missing columns, bad numbers or an unknown product.
    """
    return _from_folder(Path(path)) if Path(path).is_dir() else _from_csv(path)


def _from_folder(folder: Path) -> Profile:
    found: dict[tuple[float, float], dict[str, str]] = {}
    for file in sorted(folder.iterdir()):
        if hit := _NAME.match(file.name):
            depth = float(hit[2]), float(hit[3])
            found.setdefault(depth, {})[_SOILGRIDS[hit[1]]] = str(file)
    if not found:
        raise InputError(
            f"{folder}: there are no SoilGrids maps in this folder; they are named like soc_0-5cm_mean.tif, "
            f"bdod_0-5cm_mean.tif and cfvo_0-5cm_mean.tif; or give a CSV of layers"
        )
    rows = [{"top_cm": top, "bottom_cm": bottom, **files} for (top, bottom), files in sorted(found.items())]
    return _profile(str(folder), rows, "soilgrids")


def _from_csv(path: str) -> Profile:
    columns, lines = read_cells(read_text(path).text, path)
    missing = [c for c in _COLUMNS[:-1] if c not in columns]
    if missing:
        raise InputError(f"{path}: a soil profile lacks the column(s) {', '.join(missing)}; add them")
    rows: list[dict[str, object]] = []
    products = set()
    for line, record in lines:
        row: dict[str, object] = {}
        for column in ("top_cm", "bottom_cm"):
            try:
                row[column] = float(record[column])
            except ValueError:
                raise InputError(f"{path}, line {line}: {column} is '{record[column]}', which is no number") from None
        for name in PROFILE:
            if cell := record.get(name):
                row[name] = cell if Path(cell).is_absolute() or "://" in cell else str(Path(path).parent / cell)
        products.add(record.get("product") or "plain")
        rows.append(row)
    if len(products) != 1:
        raise InputError(f"{path}: a soil profile must be of one product, not {', '.join(sorted(products)) or 'none'}")
    return _profile(path, rows, products.pop())


def _profile(path: str, rows: list[dict[str, object]], product: str) -> Profile:
    known = {r["property"]: float(r["divide_by"]) for r in records("soil_products") if r["product"] == product}
    if not known:
        names = sorted({r["product"] for r in records("soil_products")})
        raise InputError(f"{path}: unknown soil product '{product}'; known: {', '.join(names)}")
    files, notes = {}, []
    for n, row in enumerate(rows):
        for name in PROFILE:
            if name in row:
                files[name, n] = str(row[name]), 1 / known[name]
            elif name != "coarse_fragments":
                raise InputError(
                    f"{path}: the soil layer {row['top_cm']:g}–{row['bottom_cm']:g} cm has no {name.replace('_', ' ')}; "
                    f"without it no carbon can be told"
                )
    if not any(name == "coarse_fragments" for name, _ in files):
        notes.append(f"{path}: no coarse fragments given, none are taken off the soil carbon")
    return Profile(tuple(Horizon(row["top_cm"], row["bottom_cm"]) for row in rows), files, tuple(notes))  # type: ignore[arg-type]
