"""Photograph a finished run in a real QGIS: its window with the regions over the carbon map, opened as they come.

sinks demo && python docs/make_qgis_picture.py sinks-demo docs/images/qgis.png

Starts QGIS on a screen that nobody sees (xvfb), in a profile of its own; the same file then runs inside it and takes the
picture.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = (1480, 900)
WAIT_MS = 6000
"""Until the map is drawn, generously: on a hidden screen QGIS does not always say so."""


def outside(run: Path, out: Path) -> None:
    """Start QGIS with this file."""
    with tempfile.TemporaryDirectory() as home, screen() as display:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GDAL", "PROJ"))}
        told = {"HOME": home, "XDG_RUNTIME_DIR": home, "LANG": "C.UTF-8", "DISPLAY": display}
        told |= {"PATH": "/usr/local/bin:/usr/bin:/bin"}  # else QGIS takes another Python than its own
        told |= {"PICTURE_RUN": str(run.resolve()), "PICTURE_OUT": str(out.resolve())}
        command = ["qgis", "--nologo", "--noplugins", "--code", str(Path(__file__).resolve())]
        subprocess.run(command, env={**kept, **told}, timeout=60, check=False)
    if not out.is_file():
        sys.exit("QGIS took no picture; are qgis and xvfb installed?")


@contextmanager
def screen() -> Iterator[str]:
    """A screen that nobody sees."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    try:
        yield f":{os.read(read, 16).decode().strip()}"
    finally:
        server.terminate()
        server.wait()


def inside() -> None:
    """Add the layers as a user would, wait until they are drawn, keep the window as a picture."""
    from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRasterLayer, QgsVectorLayer
    from qgis.PyQt.QtCore import QTimer
    from qgis.PyQt.QtWidgets import QDockWidget
    from qgis.utils import iface

    run = Path(os.environ["PICTURE_RUN"])
    window, canvas, project = iface.mainWindow(), iface.mapCanvas(), QgsProject.instance()
    window.resize(*SIZE)
    for dock in window.findChildren(QDockWidget):
        dock.setVisible(dock.objectName() == "Layers")
    package = run / "assessment.gpkg"
    layers = [
        QgsRasterLayer(str(run / "maps" / "ecosystem.tif"), "Ecosystem class 生态系统类型"),
        QgsRasterLayer(str(run / "maps" / "carbon_total.tif"), "Total carbon 碳密度"),
        QgsVectorLayer(f"{package}|layername=regions", "Forest coverage 森林覆盖率", "ogr"),
    ]
    project.setCrs(QgsCoordinateReferenceSystem("EPSG:4326"))
    for layer in layers:
        project.addMapLayer(layer)
    layers[2].setOpacity(0.5)
    root = project.layerTreeRoot()
    for layer in layers:
        root.findLayer(layer.id()).setExpanded(True)
    root.findLayer(layers[0].id()).setItemVisibilityChecked(False)
    box = layers[1].extent()
    box.scale(1.02)
    canvas.setExtent(box)

    def shoot() -> None:
        window.grab().save(os.environ["PICTURE_OUT"])
        os._exit(0)

    canvas.refresh()
    QTimer.singleShot(WAIT_MS, shoot)


if "PICTURE_RUN" in os.environ:
    from qgis.PyQt.QtCore import QTimer

    QTimer.singleShot(2500, inside)
elif __name__ == "__main__":
    outside(Path(sys.argv[1]), Path(sys.argv[2]))
