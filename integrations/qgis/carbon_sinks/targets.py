"""``sinks targets``."""

import csv
import json
from pathlib import Path

from qgis.core import (
    QgsProcessingException,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsVectorLayer,
)

from .algorithm import Algorithm
from .texts import text


class Targets(Algorithm):
    """The scorecard of a finished run."""

    verb = "targets"

    def initAlgorithm(self, config=None):
        folder = QgsProcessingParameterFile.Folder
        self.addParameter(QgsProcessingParameterFile("RUN", text("RUN"), folder))
        self.addParameter(
            QgsProcessingParameterFile("TARGETS_FILE", text("TARGETS_FILE"), extension="csv", optional=True)
        )
        self.add_text("DOCUMENT", "guidance_2021")
        self.addParameter(QgsProcessingParameterBoolean("WHOLE_NATION", text("WHOLE_NATION"), False))
        self.addParameter(QgsProcessingParameterFileDestination("SCORECARD", text("SCORECARD"), "CSV (*.csv)"))

    def processAlgorithm(self, parameters, context, feedback):
        options = [self.parameterAsFile(parameters, "RUN", context)]
        own = self.parameterAsFile(parameters, "TARGETS_FILE", context)
        options += ["--targets", own] if own else []
        document = self.parameterAsString(parameters, "DOCUMENT", context)
        options += ["--target-document", document] if document else []
        options += ["--whole-nation"] if self.parameterAsBoolean(parameters, "WHOLE_NATION", context) else []
        printed = self.command([*options, "--json"], feedback)
        if printed is None:
            return {}
        rows = json.loads(printed)
        if not rows:
            raise QgsProcessingException(text("no_input"))
        path = Path(self.parameterAsFileOutput(parameters, "SCORECARD", context))
        with path.open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        self.add_layer(QgsVectorLayer(str(path), text("SCORECARD"), "ogr"), context)
        return {"SCORECARD": str(path)}
