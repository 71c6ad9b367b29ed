"""What people read, in the language of QGIS: ``texts.csv``."""

import csv
import functools
from pathlib import Path

from qgis.core import QgsApplication


def text(key, **filled):
    """The text of a key, in Chinese where QGIS is, else in English."""
    english, chinese = _texts()[key]
    found = chinese if QgsApplication.locale().startswith("zh") else english
    return found.format(**filled)


@functools.cache
def _texts():
    with Path(__file__).with_name("texts.csv").open(encoding="utf-8", newline="") as stream:
        return {row["key"]: (row["en"], row["zh"]) for row in csv.DictReader(stream)}
