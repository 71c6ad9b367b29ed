"""Small texts that describe where rasters are (STAC, GTI): read from this disk, a server or a store; names beside them."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import Final
from urllib.parse import urljoin
from urllib.request import urlopen

from pipelines.errors import InputError
from pipelines.inputs import reach, storefaults

_PATIENCE: Final = 30.0
"""Seconds that a server has to answer."""
_LARGEST: Final = 64 << 20
"""Bytes that are read of a description."""
_STORES: Final = {"/vsis3/": "s3://", "/vsigs/": "gs://"}
"""GDAL's names of stores and those of fsspec."""
_SERVER: Final = "/vsicurl/"


def read(path: str) -> bytes:
    """Raises OSError, and InputError where a store does not give it."""
    url = address(path)
    if url.startswith(("http://", "https://")):
        with urlopen(url, timeout=_PATIENCE) as answer:
            return bytes(answer.read(_LARGEST))
    if url.startswith(tuple(_STORES.values())):
        return _of_store(url)
    return Path(path).read_bytes()


def address(path: str) -> str:
    """A name of GDAL's as an address, where it is one."""
    store = next((s for s in _STORES if path.startswith(s)), None)
    return path.removeprefix(_SERVER) if store is None else _STORES[store] + path.removeprefix(store)


def _of_store(url: str) -> bytes:
    import fsspec  # dear to import, and few need it

    try:
        with fsspec.open(url, "rb") as stream:
            return bytes(stream.read(_LARGEST))
    except ImportError as error:
        raise InputError(f"{url}: {error}; e.g. pip install 'carbon-sinks[cloud]'") from None
    except FileNotFoundError:
        raise InputError(f"{url}: {storefaults.advice(url, 'NoSuchKey')}") from None
    except Exception as error:  # each store fails in its own ways
        said = (str(error) or type(error).__name__).splitlines()[0]
        do = storefaults.advice(url, said) or "check its name"
        raise InputError(f"{url}: cannot be read ({said}); {do}") from None


def beside(where: str, named: str) -> str:
    """What a description calls something by: relative to it, and never a file of this disk where it is not on this disk."""
    if where.startswith(("http://", "https://")):
        joined = urljoin(where, named)
        return joined if reach.is_remote(joined) else urljoin(where, f"./{named}")
    if reach.is_remote(named):
        return named
    if not reach.is_remote(where):
        return named if os.path.isabs(named) else str(Path(where).parent / named)
    store, _, key = address(where).partition("://")
    bucket, _, key = key.partition("/")
    folder = "/" if os.path.isabs(named) else posixpath.dirname(f"/{key}")
    # The keys of a store know no way up.
    return f"{store}://{bucket}{posixpath.normpath(posixpath.join(folder, named))}"
