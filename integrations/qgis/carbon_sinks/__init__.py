"""QGIS plugin: the command ``sinks`` in the Processing toolbox. It shares no Python with it, only a process."""


def classFactory(iface):
    """What QGIS calls."""
    from .plugin import Plugin

    return Plugin()
