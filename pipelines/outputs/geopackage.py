"""Tables and polygons → one GeoPackage that opens in QGIS coloured, with bilingual column names, units and code labels.

OGR writes the layers; what it has no argument for (column names for people, code labels, styles) is added with SQLite.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import pandas as pd
import pyogrio

from pipelines.errors import InputError, RunError
from pipelines.files.atomic import atomic_path, disk_error
from pipelines.files.ogrsettings import ogr_settings
from pipelines.outputs import styles
from pipelines.outputs.columns import Alias

_VERSION: Final = "1.2"
"""GDAL's present default, 1.4, makes QGIS 3.22 warn that the file "may only be partially supported"."""

_GEOMETRY: Final = "geom"
_PLAIN: Final = "Columns 字段"
"""What the style of a table without places is called: older QGIS takes the names of columns from nowhere else."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,29}")
"""ArcGIS knows no column aliases of a GeoPackage and cuts long names: so the names themselves must be readable."""

_RESERVED: Final = ("fid", "geom")
_GEOMETRIES: Final = {"MultiPolygon": ("Polygon", "MultiPolygon"), "Point": ("Point",)}
"""Type of a layer → what its features may be."""
_SCHEMA: Final = ("gpkg_schema", "http://www.geopackage.org/spec121/#extension_schema", "read-write")

_UNSETTLED: Final = {"OGR_SQLITE_SYNCHRONOUS": "OFF", "OGR_SQLITE_JOURNAL": "MEMORY"}

_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS gpkg_extensions (
    table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL,
    CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name))""",
    """CREATE TABLE gpkg_data_columns (
    table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT, mime_type TEXT,
    constraint_name TEXT,
    CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
    CONSTRAINT gdc_tn UNIQUE (table_name, name),
    CONSTRAINT fk_gdc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name))""",
    """CREATE TABLE gpkg_data_column_constraints (
    constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC, min_is_inclusive BOOLEAN,
    max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
    CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value))""",
    """CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
    f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))""",
)


@dataclass(frozen=True)
class LayerStyle:
    """One way to draw a layer.

    column : numeric, by which features are coloured; title : what it is called in QGIS's list of styles; ramp : key of
    `styles.RAMPS`; label : column that is written on the features, "" for none; bold : outlined so that the smallest is seen.
    """

    column: str
    title: str
    ramp: str = "carbon"
    label: str = ""
    bold: bool = False


@dataclass(frozen=True)
class GpkgLayer:
    """A table of the GeoPackage, with polygons or points or without.

    Parameters
    ----------
    name
        ASCII snake_case.
    title, description
        For people.
    frame
        A GeoDataFrame of polygons or of points, with a CRS, or a DataFrame.
    aliases
        Column → (English name, Chinese name, unit); columns that are not in the frame are passed over.
    styles
        Ways to draw it; the first that has a value to colour by is the one a GIS opens it with. Whole styles (title, QML)
        are taken as they are.
    domains
        Column → {code: label}.
    """

    name: str
    title: str
    description: str
    frame: pd.DataFrame
    aliases: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    styles: Sequence[LayerStyle | tuple[str, str]] = ()
    domains: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)

    @property
    def spatial(self) -> bool:
        """Whether it has features with a place."""
        return isinstance(self.frame, gpd.GeoDataFrame)

    @property
    def geometry_type(self) -> str:
        """Of the features; polygons where there is none."""
        return "Point" if (self.frame.geom_type.dropna() == "Point").any() else "MultiPolygon"

    @property
    def columns(self) -> list[str]:
        """Columns but the geometry."""
        geometry = self.frame.geometry.name if isinstance(self.frame, gpd.GeoDataFrame) else None
        return [str(column) for column in self.frame.columns if column != geometry]

    def names(self) -> dict[str, str]:
        """Column → `Area / 面积 [ha]`; with the column behind it where two would be called the same."""
        texts = {c: Alias(*self.aliases[c]).text for c in self.columns if c in self.aliases}
        said = list(texts.values())
        return {c: text if said.count(text) == 1 else f"{text} ({c})" for c, text in texts.items()}


def write_geopackage(path: str | os.PathLike[str], layers: Sequence[GpkgLayer]) -> None:
    """Write all layers in one file, which is there whole or not at all.

    Parameters
    ----------
    path
        Ends in `.gpkg`. A file already there is replaced.
    layers
        In the order they are listed to users.

    Raises
    ------
    InputError
        A column name, geometry or CRS cannot be stored so that every GIS reads it.
    RunError
        The file cannot be written.
    """
    path = Path(path)
    if len({layer.name for layer in layers}) != len(layers):
        raise ValueError("two layers of a GeoPackage have the same name")
    for layer in layers:
        _check(layer)
    # OGR warns of any other ending than .gpkg, so the draft has its final name in a directory of its own.
    with atomic_path(path) as temporary, tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as work:
        draft = Path(work) / f"{path.stem}.gpkg"
        try:
            with ogr_settings(_UNSETTLED):
                for layer in layers:
                    _write_layer(draft, layer)
            with closing(sqlite3.connect(draft, isolation_level=None)) as database:
                _annotate(database, layers)
        except (RuntimeError, sqlite3.Error) as error:
            raise disk_error(path, error) or RunError(
                f"{path} cannot be written: {error}; see that its disk works and has room."
            ) from error
        os.replace(draft, temporary)


def _check(layer: GpkgLayer) -> None:
    names = [layer.name, *layer.columns]
    bad = [n for n in names if not _NAME.fullmatch(n) or n in _RESERVED]
    if bad:
        raise InputError(
            f"layer {layer.name}: {', '.join(map(repr, bad))} cannot be a name in the GeoPackage; rename it to at most "
            "30 of a-z, 0-9 and _, beginning with a letter (not fid or geom)."
        )
    drawn = [s.column for s in layer.styles if isinstance(s, LayerStyle)]
    for column in (*drawn, *layer.domains):
        if column not in layer.columns:
            raise ValueError(f"layer {layer.name}: no column {column!r} to style or label")
    if isinstance(layer.frame, gpd.GeoDataFrame):
        if layer.frame.crs is None:
            raise InputError(f"layer {layer.name}: its polygons have no CRS; set one in the file they come from.")
        other = sorted(set(layer.frame.geom_type.dropna()) - set(_GEOMETRIES[layer.geometry_type]))
        if other:
            raise InputError(
                f"layer {layer.name}: all polygons or all points are wanted and {', '.join(other)} was found; remove these "
                "features."
            )


def _write_layer(draft: Path, layer: GpkgLayer) -> None:
    options: dict[str, Any] = {
        "driver": "GPKG",
        "layer": layer.name,
        "layer_options": {"IDENTIFIER": layer.title, "DESCRIPTION": layer.description},
    }
    if not draft.exists():
        options["dataset_options"] = {"VERSION": _VERSION}
    frame = layer.frame
    if isinstance(frame, gpd.GeoDataFrame):
        frame = frame.set_geometry(frame.geometry.force_2d())
        options |= {"geometry_type": layer.geometry_type, "promote_to_multi": layer.geometry_type != "Point"}
        options["layer_options"]["GEOMETRY_NAME"] = _GEOMETRY
    pyogrio.write_dataframe(frame, draft, **options)


def _annotate(database: sqlite3.Connection, layers: Sequence[GpkgLayer]) -> None:
    """Column names, code labels and styles, in one transaction."""
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN")
    for statement in _TABLES:
        database.execute(statement)
    for table in ("gpkg_data_columns", "gpkg_data_column_constraints"):
        database.execute(
            "INSERT INTO gpkg_extensions (table_name, column_name, extension_name, definition, scope)"
            " VALUES (?, NULL, ?, ?, ?)",
            (table, *_SCHEMA),
        )
    database.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description)"
        " VALUES ('layer_styles', 'attributes', 'layer_styles', 'QGIS styles')"
    )
    for layer in layers:
        _describe_columns(database, layer)
        _store_styles(database, layer)
    database.execute("COMMIT")


def _describe_columns(database: sqlite3.Connection, layer: GpkgLayer) -> None:
    names = layer.names()
    for column in layer.columns:
        if column not in names and column not in layer.domains:
            continue
        domain = f"{layer.name}_{column}" if layer.domains.get(column) else None
        unit = layer.aliases[column][2] if column in layer.aliases else ""
        database.execute(
            "INSERT INTO gpkg_data_columns (table_name, column_name, name, title, description, constraint_name)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (layer.name, column, names.get(column, column), names.get(column, column), unit, domain),
        )
        database.executemany(
            "INSERT INTO gpkg_data_column_constraints (constraint_name, constraint_type, value, description)"
            " VALUES (?, 'enum', ?, ?)",
            [(domain, str(code), label) for code, label in layer.domains.get(column, {}).items()],
        )


def _store_styles(database: sqlite3.Connection, layer: GpkgLayer) -> None:
    """Every style for which there is something to colour, the first of them the default; names of columns for a table."""
    names, default = layer.names(), 1
    given = layer.styles if layer.spatial else [(_PLAIN, styles.table(names, layer.domains))]
    for style in given:
        if isinstance(style, LayerStyle):
            values = pd.to_numeric(layer.frame[style.column], errors="coerce").to_numpy(float)
            breaks = styles.breaks_for(style.ramp, values)
            if not breaks:
                continue
            unit = layer.aliases[style.column][2] if style.column in layer.aliases else ""
            title, qml = style.title, styles.graduated_polygon(
                style.column, breaks, unit, style.ramp, names, layer.domains, style.label, style.bold
            )  # fmt: skip
        else:
            title, qml = style
        database.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName,"
            " styleQML, styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, ?, ?, ?, '', ?, ?, '')",
            (layer.name, _GEOMETRY if layer.spatial else "", title, qml, default, title),
        )
        default = 0
