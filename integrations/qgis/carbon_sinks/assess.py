"""``sinks assess``."""

from qgis.core import QgsProcessingException, QgsProcessingParameterFile

from .algorithm import Algorithm
from .texts import text

_RASTERS = ("LANDCOVER", "AGB", "AGB_SD", "CLIMATE", "SOC", "KARST")
FEW = ("ecosystem", "carbon_total")


class Assess(Algorithm):
    """Coverage, stock and carbon of a region."""

    verb = "assess"

    def initAlgorithm(self, config=None):
        self.add_file("ASSESSMENT", "toml")
        self.add_rasters("LANDCOVER")
        self.add_text("LEGEND")
        self.add_rasters("AGB", "AGB_SD")
        self.add_regions()
        self.add_rasters("CLIMATE", "SOC", "KARST")
        self.add_year("YEAR")
        self.addParameter(
            QgsProcessingParameterFile("TARGETS_FILE", text("TARGETS_FILE"), extension="csv", optional=True)
        )
        self.add_rest()

    def processAlgorithm(self, parameters, context, feedback):
        file = self.parameterAsFile(parameters, "ASSESSMENT", context)
        rasters = {name: self.raster(parameters, name, context) for name in _RASTERS}
        if not file and not rasters["LANDCOVER"]:
            raise QgsProcessingException(text("no_input"))
        options = [file] if file else []
        for name, source in rasters.items():
            options += [f"--{name.lower().replace('_', '-')}", source] if source else []
        if parameters.get("YEAR") is not None:
            options += ["--year", str(self.parameterAsInt(parameters, "YEAR", context))]
        targets = self.parameterAsFile(parameters, "TARGETS_FILE", context)
        options += ["--targets", targets] if targets else []
        options += self.options(parameters, context, feedback)
        out = self.out(parameters, context)
        printed = self.command([*options, "--json", "--out", str(out)], feedback)
        if printed is None:
            return {}
        self.add_results(
            out, FEW, "assessment.gpkg", ["regions"], self.parameterAsEnum(parameters, "LOAD", context), context
        )
        return {"OUTPUT": str(out), **self.figures(printed)}
