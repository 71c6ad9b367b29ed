"""Settings of pyogrio's GDAL for a while: it is another one than rasterio's, and knows nothing of what is set there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyogrio


@contextmanager
def ogr_settings(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set these, and what was there before when it is over."""
    before = {name: pyogrio.get_gdal_config_option(name) for name in wanted}
    pyogrio.set_gdal_config_options(dict(wanted))
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)
