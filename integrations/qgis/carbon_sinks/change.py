"""``sinks change``."""

from qgis.core import QgsProcessingException

from .algorithm import Algorithm
from .texts import text

FEW = ("carbon_change", "process")


class Change(Algorithm):
    """What changed between two dates."""

    verb = "change"

    def initAlgorithm(self, config=None):
        self.add_file("CHANGE", "toml")
        for n in (1, 2):
            self.add_year(f"YEAR_{n}")
            self.add_rasters(f"LANDCOVER_{n}", f"AGB_{n}")
        self.add_text("LEGEND")
        self.add_regions()
        self.add_rasters("CLIMATE", "SOC")
        self.add_rest()

    def processAlgorithm(self, parameters, context, feedback):
        file = self.parameterAsFile(parameters, "CHANGE", context)
        options = [file] if file else self._epochs(parameters, context)
        for name in ("CLIMATE", "SOC"):
            source = self.raster(parameters, name, context)
            options += [f"--{name.lower()}", source] if source else []
        options += self.options(parameters, context, feedback)
        out = self.out(parameters, context)
        if self.command([*options, "--json", "--out", str(out)], feedback) is None:
            return {}
        self.add_results(
            out, FEW, "change.gpkg", ["change"], self.parameterAsEnum(parameters, "LOAD", context), context
        )
        return {"OUTPUT": str(out)}

    def _epochs(self, parameters, context):
        found = []
        for n in (1, 2):
            cover = self.raster(parameters, f"LANDCOVER_{n}", context)
            if not cover or parameters.get(f"YEAR_{n}") is None:
                raise QgsProcessingException(text("no_epochs"))
            epoch = f"year={self.parameterAsInt(parameters, f'YEAR_{n}', context)},landcover={cover}"
            biomass = self.raster(parameters, f"AGB_{n}", context)
            found += ["--epoch", epoch + (f",agb={biomass}" if biomass else "")]
        return found
