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
from pipelines.outputs import styles

_VERSION: Final = "1.2"
"""GDAL's present default, 1.4, makes QGIS 3.22 warn that the file "may only be partially supported"."""

_GEOMETRY: Final = "geom"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,29}")
"""ArcGIS knows no column aliases of a GeoPackage and cuts long names: so the names themselves must be readable."""

_RESERVED: Final = ("fid", "geom")
_POLYGONS: Final = ("Polygon", "MultiPolygon")
_SCHEMA: Final = ("gpkg_schema", "http://www.geopackage.org/spec121/#extension_schema", "read-write")

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
class GpkgLayer:
    """A table of the GeoPackage, with polygons or without.

    Parameters
    ----------
    name
        ASCII snake_case.
    title, description
        For people.
    frame
        A GeoDataFrame of polygons with a CRS, or a DataFrame.
    aliases
        Column → (English name, Chinese name, unit); columns that are not in the frame are passed over.
    style_column
        Numeric column to colour the polygons by.
    style_title
        What the style is called in QGIS's list of styles.
    domains
        Column → {code: label}.
    ramp
        Key of `styles.RAMPS`.
    """

    name: str
    title: str
    description: str
    frame: pd.DataFrame
    aliases: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    style_column: str | None = None
    style_title: str = ""
    domains: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    ramp: str = "carbon"

    @property
    def spatial(self) -> bool:
        """Whether it has polygons."""
        return isinstance(self.frame, gpd.GeoDataFrame)

    @property
    def columns(self) -> list[str]:
        """Columns but the geometry."""
        geometry = self.frame.geometry.name if isinstance(self.frame, gpd.GeoDataFrame) else None
        return [str(column) for column in self.frame.columns if column != geometry]

    def names(self) -> dict[str, str]:
        """Column → `Area / 面积 [ha]`; with the column behind it where two would be called the same."""
        texts = {c: styles.Alias(*self.aliases[c]).text for c in self.columns if c in self.aliases}
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
    for column in (layer.style_column, *layer.domains):
        if column is not None and column not in layer.columns:
            raise ValueError(f"layer {layer.name}: no column {column!r} to style or label")
    if isinstance(layer.frame, gpd.GeoDataFrame):
        if layer.frame.crs is None:
            raise InputError(f"layer {layer.name}: its polygons have no CRS; set one in the file they come from.")
        other = sorted(set(layer.frame.geom_type.dropna()) - set(_POLYGONS))
        if other:
            raise InputError(
                f"layer {layer.name}: polygons are wanted and {', '.join(other)} was found; remove these features."
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
        options |= {"geometry_type": "MultiPolygon", "promote_to_multi": True}
        options["layer_options"]["GEOMETRY_NAME"] = _GEOMETRY
    pyogrio.write_dataframe(frame, draft, **options)


def _annotate(database: sqlite3.Connection, layers: Sequence[GpkgLayer]) -> None:
    """Column names, code labels and styles, in one transaction."""
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
        if layer.spatial and layer.style_column is not None:
            _store_style(database, layer, layer.style_column)
    database.execute("COMMIT")


def _describe_columns(database: sqlite3.Connection, layer: GpkgLayer) -> None:
    names = layer.names()
    for column in layer.columns:
        if column not in names and column not in layer.domains:
            continue
        domain = f"{layer.name}_{column}" if column in layer.domains else None
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


def _store_style(database: sqlite3.Connection, layer: GpkgLayer, column: str) -> None:
    breaks = styles.class_breaks(pd.to_numeric(layer.frame[column], errors="coerce").to_numpy(float))
    if not breaks:  # nothing to colour by
        return
    unit = layer.aliases[column][2] if column in layer.aliases else ""
    qml = styles.graduated_polygon(column, breaks, unit, layer.ramp, layer.names(), layer.domains)
    database.execute(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName,"
        " styleQML, styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, ?, ?, ?, '', 1, ?, '')",
        (layer.name, _GEOMETRY, column, qml, layer.style_title or column),
    )
