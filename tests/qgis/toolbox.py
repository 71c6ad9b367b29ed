"""Run by the system's Python with QGIS: an algorithm of the plugin as the toolbox runs it, and what it hands to the map.

python3 toolbox.py PLUGINS ALGORITHM PARAMETERS-AS-JSON [CANCEL-AFTER-SECONDS] → JSON on standard output.
"""

import json
import os
import sys
import threading

sys.path += ["/usr/share/qgis/python/plugins", sys.argv[1]]

from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingFeedback, QgsProject

QgsApplication.setPrefixPath("/usr", True)
app = QgsApplication([], True)
app.initQgis()

from processing.core.Processing import Processing  # noqa: E402

Processing.initialize()

from carbon_sinks.provider import Provider  # noqa: E402

provider = Provider()
QgsApplication.processingRegistry().addProvider(provider)
context, feedback = QgsProcessingContext(), QgsProcessingFeedback()
context.setProject(QgsProject.instance())
steps = []
feedback.progressChanged.connect(steps.append)
if len(sys.argv) > 4:
    threading.Timer(float(sys.argv[4]), feedback.cancel).start()
algorithm = QgsApplication.processingRegistry().createAlgorithmById(sys.argv[2])
results, done = algorithm.run(json.loads(sys.argv[3]), context, feedback)
layers = []
for key in context.layersToLoadOnCompletion():
    layer = context.temporaryLayerStore().mapLayer(key)
    layers.append({"name": layer.name(), "renderer": layer.renderer().type() if layer.renderer() else None})
print(
    json.dumps({
        "done": done, "results": results, "layers": layers, "steps": steps, "log": feedback.textLog(),
        "help": algorithm.shortHelpString(), "parameters": [p.description() for p in algorithm.parameterDefinitions()],
    }),
    flush=True,
)  # fmt: skip
os._exit(0)
