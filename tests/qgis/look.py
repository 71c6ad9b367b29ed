"""Run by the system's Python with QGIS: open files as a user would, say what is there, draw each as PNG.

python3 look.py FOLDER FILE … → JSON on standard output; pictures and QGIS's messages in FOLDER.
"""

import json
import os
import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

MESSAGES = []


def extent(layer):
    box = layer.extent()
    return [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()]


def draw(layer, path):
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    box = layer.extent()
    box.scale(1.05)
    settings.setExtent(box)
    settings.setOutputSize(QSize(760, 760))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    picture = job.renderedImage()
    picture.save(str(path))
    colors = {picture.pixel(x, y) for x in range(0, 760, 4) for y in range(0, 760, 4)}
    return len(colors)


def raster(path, folder):
    layer = QgsRasterLayer(str(path), path.stem)
    about = {"valid": layer.isValid(), "crs": layer.crs().authid(), "extent": extent(layer)}
    renderer, provider = layer.renderer(), layer.dataProvider()
    about |= {
        "renderer": renderer.type(),
        "band": layer.bandName(1),
        "scale": provider.bandScale(1),
        "labels": [name for name, _ in renderer.legendSymbologyItems()],
        "categories": [c.label for c in provider.colorTable(1)] if renderer.type() == "paletted" else [],
        "colors": draw(layer, folder / f"{path.parent.parent.name}-{path.stem}.png"),
        "histogram": provider.hasHistogram(1, 256),
    }
    return about


def label_of(layer, field, value):
    setup = layer.editorWidgetSetup(layer.fields().indexOf(field))
    table = setup.config().get("map", []) if setup.type() == "ValueMap" else []
    table = [table] if isinstance(table, dict) else table
    return next((k for entry in table for k, v in entry.items() if str(v) == str(value)), None)


def vector(path, name, folder):
    layer = QgsVectorLayer(f"{path}|layername={name}", name, "ogr")
    fields = layer.fields()
    about = {
        "valid": layer.isValid(),
        "crs": layer.crs().authid(),
        "extent": extent(layer),
        "features": layer.featureCount(),
        "fields": {f.name(): layer.attributeAlias(fields.indexOf(f.name())) for f in fields},
        "renderer": None,
        "styles": [],
    }
    if layer.isSpatial():
        renderer = layer.renderer()
        about["renderer"] = renderer.type()
        about["attribute"] = renderer.classAttribute() if hasattr(renderer, "classAttribute") else ""
        about["legend"] = [item.label() for item in renderer.legendSymbolItems()]
        own, ids, names, _, _ = layer.listStylesInDatabase()  # those of other layers follow its own
        ids, names = ids[:own], names[:own]
        about["styles"] = names
        about["drawn"] = []
        for each, title in zip(ids, names, strict=True):
            qml, error = layer.getStyleFromDatabase(each)
            document_error = apply(layer, qml)
            about["drawn"].append(
                {
                    "style": title,
                    "error": error or document_error,
                    "renderer": layer.renderer().type(),
                    "colors": draw(layer, folder / f"{path.stem}-{name}-{each}.png"),
                }
            )
    about["first"] = [f.attributes() for f in list(layer.getFeatures())[:1]]
    about["labels"] = {
        f.name(): label_of(layer, f.name(), row[fields.indexOf(f.name())]) for row in about["first"] for f in fields
    }
    about["first"] = []
    return about


def apply(layer, qml):
    from qgis.PyQt.QtXml import QDomDocument

    document = QDomDocument()
    document.setContent(qml)
    ok, error = layer.importNamedStyle(document)
    return "" if ok else error


def main(folder, paths):
    QgsApplication.setPrefixPath("/usr", True)
    app = QgsApplication([], True)
    app.initQgis()
    QgsApplication.messageLog().messageReceived.connect(
        lambda text, tag, level: MESSAGES.append(f"{tag}: {text}") if level else None
    )
    found = {}
    for path in map(Path, paths):
        if path.suffix in (".tif", ".vrt"):
            found[path.stem] = raster(path, folder)
        else:
            whole = QgsVectorLayer(str(path), path.stem, "ogr")
            for sub in whole.dataProvider().subLayers():
                name = sub.split("!!::!!")[1]
                if name != "layer_styles":
                    found[f"{path.stem}/{name}"] = vector(path, name, folder)
    print(json.dumps({"layers": found, "messages": MESSAGES}, ensure_ascii=False), flush=True)
    os._exit(0)  # taking QGIS apart in order is not what is looked at


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
