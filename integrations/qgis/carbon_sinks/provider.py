"""The provider: three algorithms and one setting, where the command is."""

from pathlib import Path

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .assess import Assess
from .change import Change
from .targets import Targets
from .texts import text

ICON = str(Path(__file__).with_name("icon.svg"))
COMMAND = "CARBON_SINKS_COMMAND"


class Provider(QgsProcessingProvider):
    """Carbon Sinks."""

    def id(self):
        return "sinks"

    def name(self):
        return "Carbon Sinks"

    def icon(self):
        return QIcon(ICON)

    def svgIconPath(self):
        return ICON

    def load(self):
        ProcessingConfig.settingIcons[self.name()] = self.icon()
        ProcessingConfig.addSetting(Setting(self.name(), COMMAND, text("setting_command"), "", valuetype=Setting.FILE))
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self):
        ProcessingConfig.removeSetting(COMMAND)

    def loadAlgorithms(self):
        for algorithm in (Assess, Change, Targets):
            self.addAlgorithm(algorithm())
