"""Sphinx: the manual. `sphinx-build -W -b html docs OUT` makes it; the science pages are made from the tables on the way."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# Notebooks call the command line of the very environment that builds the manual.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
os.environ["SINKS_DOCS_DATA"] = str(HERE.parent / "sample_data")

project = "Carbon Sinks"
author = "Carbon Sinks contributors"
copyright = "Carbon Sinks contributors, Apache-2.0"
release = version = installed("carbon-sinks")

extensions = [
    "myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_click", "mathml", "plaintext", "sciencepages", "failing",
]  # fmt: skip
exclude_patterns = ["_build", "images/*.md", "README.md"]
suppress_warnings = ["config.cache"]

smartquotes = False  # they would make a dash of --out

html_theme = "pydata_sphinx_theme"
html_title = f"Carbon Sinks {version}"
html_static_path = ["_static"]
html_css_files = ["own.css"]
html_show_sourcelink = False
html_sidebars = {"index": [], "manual/*": []}
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_nav_level": 1,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
}
html_math_renderer = "mathml"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "notebooks")
nb_execution_timeout = 180
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True
