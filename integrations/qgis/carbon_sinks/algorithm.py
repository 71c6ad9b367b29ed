"""What the algorithms have in common: their parameters' kinds, running the command, adding what it made to the project."""

import json
import shlex
from pathlib import Path

from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorLayer,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QIcon

from . import process
from .texts import text

SETS = ("auto", "china", "ipcc")
FEW, ALL, NONE = range(3)


class Algorithm(QgsProcessingAlgorithm):
    """An algorithm that is a verb of the command."""

    verb = ""

    def createInstance(self):
        return type(self)()

    def name(self):
        return self.verb

    def displayName(self):
        return text(self.verb)

    def shortHelpString(self):
        return text(f"{self.verb}_help")

    def icon(self):
        return QIcon(str(Path(__file__).with_name("icon.svg")))

    # parameters

    def add_file(self, name, ending):
        self.addParameter(QgsProcessingParameterFile(name, text(name), extension=ending, optional=True))

    def add_rasters(self, *names):
        for name in names:
            self.addParameter(QgsProcessingParameterRasterLayer(name, text(name), optional=True))

    def add_text(self, name, default=""):
        self.addParameter(QgsProcessingParameterString(name, text(name), default, optional=True))

    def add_year(self, name):
        kind = QgsProcessingParameterNumber.Integer
        self.addParameter(
            QgsProcessingParameterNumber(name, text(name), kind, None, optional=True, minValue=1900, maxValue=2200)
        )

    def add_regions(self):
        self.addParameter(
            QgsProcessingParameterVectorLayer(
                "REGIONS", text("REGIONS"), [QgsProcessing.TypeVectorPolygon], optional=True
            )
        )
        for name in ("REGION_ID", "REGION_NAME"):
            field = QgsProcessingParameterField(name, text(name), parentLayerParameterName="REGIONS", optional=True)
            self.addParameter(field)

    def add_rest(self):
        self.addParameter(
            QgsProcessingParameterEnum("PARAMETERS", text("PARAMETERS"), list(SETS), defaultValue=0, optional=True)
        )
        self.add_text("MORE")
        kinds = [text("load_few"), text("load_all"), text("load_none")]
        self.addParameter(QgsProcessingParameterEnum("LOAD", text("LOAD"), kinds, defaultValue=FEW))
        self.addParameter(QgsProcessingParameterBoolean("OVERWRITE", text("OVERWRITE"), False))
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", text("OUTPUT")))
        for name in ("COVERAGE", "STOCK", "CARBON"):
            self.addOutput(QgsProcessingOutputNumber(name, text(name)))

    # from parameters to options

    def raster(self, parameters, name, context):
        layer = self.parameterAsRasterLayer(parameters, name, context)
        return layer.source() if layer is not None else None

    def options(self, parameters, context, feedback):
        """The options of the command that several verbs have."""
        found = []
        legend = self.parameterAsString(parameters, "LEGEND", context)
        found += ["--legend", legend] if legend else []
        if parameters.get("REGIONS") is not None:
            # Layers that live in the project alone are written to a file first.
            path, layer = self.parameterAsCompatibleSourceLayerPathAndLayerName(
                parameters, "REGIONS", context, ["gpkg", "shp", "geojson", "fgb"], "gpkg", feedback
            )
            found += ["--regions", path] + (["--region-layer", layer] if layer else [])
            for name in ("REGION_ID", "REGION_NAME"):
                fields = self.parameterAsFields(parameters, name, context)
                found += [f"--{name.lower().replace('_', '-')}", fields[0]] if fields else []
        chosen = SETS[self.parameterAsEnum(parameters, "PARAMETERS", context)]
        found += ["--parameters", chosen] if chosen != SETS[0] else []
        found += ["--overwrite"] if self.parameterAsBoolean(parameters, "OVERWRITE", context) else []
        return found + shlex.split(self.parameterAsString(parameters, "MORE", context) or "")

    # running

    def command(self, options, feedback):
        """What the command prints. Raises QgsProcessingException with what it says."""
        program = process.find(ProcessingConfig.getSetting("CARBON_SINKS_COMMAND") or "")
        if program is None:
            raise QgsProcessingException(text("no_command"))
        command = [program, self.verb, *options]
        feedback.pushCommandInfo(shlex.join(command))
        try:
            return process.run(command, feedback.setProgress, feedback.pushInfo, feedback.isCanceled)
        except process.Cancelled:
            feedback.pushInfo(text("cancelled"))
            return None
        except process.Failed as error:
            said = error.said.removeprefix("sinks: ")
            raise QgsProcessingException(text("failed", code=error.code, said=said)) from error

    def out(self, parameters, context):
        return Path(self.parameterAsString(parameters, "OUTPUT", context))

    # results

    def add_results(self, folder, few, package, layers, load, context):
        """Add maps and layers to the project as soon as it is this thread's turn."""
        for name in layers:
            source = f"{folder / package}|layername={name}"
            self.add_layer(QgsVectorLayer(source, name, "ogr"), context)
        maps = sorted(p for p in (folder / "maps").glob("*.*") if p.suffix in (".tif", ".vrt"))
        wanted = {FEW: [m for m in maps if m.stem in few], ALL: maps, NONE: []}[load]
        for path in wanted:
            layer = QgsRasterLayer(str(path), path.stem)
            title = layer.bandName(1).partition(": ")[2] if layer.isValid() else ""
            layer.setName(title or path.stem)
            self.add_layer(layer, context)

    def add_layer(self, layer, context):
        if not layer.isValid():
            return
        details = QgsProcessingContext.LayerDetails(layer.name(), context.project(), layer.name())
        context.temporaryLayerStore().addMapLayer(layer)
        context.addLayerToLoadOnCompletion(layer.id(), details)

    @staticmethod
    def figures(printed):
        """Coverage, stock and carbon of all regions together, from what ``--json`` prints."""
        total = json.loads(printed)["regions"][0]
        keys = {"COVERAGE": "coverage_pct", "STOCK": "stock_m3", "CARBON": "carbon_total_mg"}
        return {name: total.get(key) for name, key in keys.items()}
