"""Where things are."""

from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = "/usr/bin/python3"
"""The system's Python: a distribution's QGIS belongs to it."""
