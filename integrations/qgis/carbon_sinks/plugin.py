"""Puts the provider into the Processing toolbox and takes it out again."""

from qgis.core import QgsApplication

from .provider import Provider


class Plugin:
    """What QGIS loads; without a window too (qgis_process)."""

    def __init__(self):
        self.provider = None

    def initProcessing(self):
        """Add the provider."""
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self):
        """There is nothing in the window but the toolbox."""
        self.initProcessing()

    def unload(self):
        """Remove the provider."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
