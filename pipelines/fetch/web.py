"""Requests that are repeated when a server is busy, and sentences for when it cannot be reached."""

from __future__ import annotations

import http.client
import json
import random
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pipelines.errors import RunError
from sinks import __version__

T = TypeVar("T")

MISSING: Final = (404, 410)
"""No such tile: tiled maps leave out the open sea."""
_BUSY: Final = (408, 429, 500, 502, 503, 504)
_AGENT: Final = f"carbon-sinks/{__version__}"


class MissingError(Exception):
    """The server has no such file."""


@dataclass(frozen=True)
class Patience:
    """How often a request is made in all, the first wait [s], which doubles, and how long an answer may take [s]."""

    tries: int = 6
    wait: float = 1.0
    timeout: float = 60.0

    def gdal(self) -> dict[str, Any]:
        """The same for GDAL's own requests, with caches that stay small and forget what is closed."""
        return {
            "GDAL_HTTP_MAX_RETRY": self.tries, "GDAL_HTTP_RETRY_DELAY": self.wait, "GDAL_HTTP_TIMEOUT": self.timeout,
            "GDAL_HTTP_CONNECTTIMEOUT": self.timeout, "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_HTTP_USERAGENT": _AGENT,
            "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/", "CPL_VSIL_CURL_CACHE_SIZE": 32 << 20, "GDAL_INGESTED_BYTES_AT_OPEN": 32_768,
            "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES", "GDAL_PAM_ENABLED": "NO", "GDAL_NUM_THREADS": 1, "GDAL_CACHEMAX": 128,
        }  # fmt: skip


def probe(url: str, patience: Patience) -> str:
    """A mark of the present state of a remote or local file: it changes when the file does. Raises MissingError."""
    if "://" not in url:
        path = Path(url)
        if not path.is_file():
            raise MissingError(url)
        return f"{path.stat().st_size}-{path.stat().st_mtime_ns}"

    def first_byte() -> str:
        request = urllib.request.Request(url, headers={"Range": "bytes=0-0", "User-Agent": _AGENT})
        with urllib.request.urlopen(request, timeout=patience.timeout) as answer:
            told = answer.headers
            return told.get("ETag") or f"{told.get('Content-Range', '')} {told.get('Last-Modified', '')}".strip()

    return persist(first_byte, url, patience)


def get_json(url: str, patience: Patience, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """A JSON document, by POST where there is a body."""
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Accept": "application/geo+json, application/json", "User-Agent": _AGENT}
    if data:
        headers["Content-Type"] = "application/json"

    def document() -> dict[str, Any]:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=patience.timeout) as answer:
            try:
                return json.loads(answer.read())
            except ValueError:
                raise RunError(
                    f"{shown(url)}: the answer is no JSON; check the address, or a proxy or login page in between"
                ) from None

    return persist(document, url, patience)


def persist(act: Callable[[], T], url: str, patience: Patience) -> T:
    """Do it, and again after a while when the server is busy or the line is cut. Raises MissingError and RunError."""
    for n in range(1, patience.tries + 1):
        try:
            return act()
        except urllib.error.HTTPError as error:
            if error.code in MISSING:
                raise MissingError(url) from None
            if error.code not in _BUSY:
                raise RunError(_refused(url, error.code)) from None
            if n == patience.tries:
                raise RunError(
                    f"{shown(url)}: the server is busy ({error.code} {error.reason}) and stayed so {n} times; run the same "
                    f"command again later, it goes on where it stopped"
                ) from None
            wait = _asked_wait(error)
        except (OSError, http.client.HTTPException) as error:
            if n == patience.tries or _hopeless(error):
                raise RunError(unreachable(url, error)) from None
            wait = None
        time.sleep(wait if wait is not None else patience.wait * 2 ** (n - 1) * random.uniform(0.8, 1.2))
    raise AssertionError("unreachable")


def unreachable(url: str, error: BaseException) -> str:
    """The sentence for a server that does not answer."""
    reason = getattr(error, "reason", error)
    return (
        f"{shown(url)}: the server cannot be reached ({reason}); check the network or proxy, name a copy with --mirror "
        f"PRODUCT=URL, or run the same command again later, it goes on where it stopped"
    )


def shown(url: str) -> str:
    """A URL without its query, which may hold a token."""
    return url.partition("?")[0]


def _refused(url: str, code: int) -> str:
    return f"{shown(url)}: the server refuses it ({code}); check the address, or name a copy with --mirror PRODUCT=URL"


def _hopeless(error: BaseException) -> bool:
    """A name that does not resolve will not in a second either."""
    return isinstance(getattr(error, "reason", error), socket.gaierror)


def _asked_wait(error: urllib.error.HTTPError) -> float | None:
    """What the server asked us to wait [s], at most two minutes."""
    asked = error.headers.get("Retry-After", "")
    return min(float(asked), 120.0) if asked.replace(".", "", 1).isdigit() else None
