"""A server with the layout of the public global layers: small tiles made on demand, ranges, faults to order, a STAC search."""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from pipelines.fetch.register import Product, products


@dataclass
class Globe:
    """What the server does. fail : answers 503 so many times in all; refuse : paths answered 403; slow : seconds an answer."""

    folder: Path
    url: str = ""
    fail: int = 0
    slow: float = 0.0
    refuse: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    items: list[dict] = field(default_factory=list)
    page: int = 2
    tokens: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reads(self, word: str = ".tif") -> list[str]:
        """Paths of which something was read, the first byte alone not counted."""
        return [path for _, path, span in self.asked if word in path and span not in ("", "bytes=0-0")]


def put(
    globe: Globe, path: str, west: float, north: float, values: np.ndarray, per_degree: float, *, nodata=None, crs="EPSG:4326",
    pixel=None,
) -> Path:  # fmt: skip
    """Lay a tile where the server finds it, as a tiled GeoTIFF."""
    target = globe.folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    size = pixel or 1 / per_degree
    with rasterio.open(
        target, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1, dtype=values.dtype, crs=crs,
        transform=from_origin(west, north, size, size), nodata=nodata, tiled=True, blockxsize=256, blockysize=256,
        compress="deflate",
    ) as d:  # fmt: skip
        d.write(values, 1)
    return target


def small(name: str, per_degree: int, piece=(64, 64)) -> Product:
    """A product of the register with pixels so large that its tiles are small; all else is its own."""
    from dataclasses import replace

    return replace(products()[name], per_degree=per_degree, piece=piece)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    globe: Globe

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer(head=True)

    def do_GET(self):
        self._answer()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._search(body)

    def _answer(self, head=False):
        g = self.globe
        path = self.path.partition("?")[0].lstrip("/")
        span = self.headers.get("Range", "")
        with g.lock:
            g.asked.append((self.command, self.path.lstrip("/"), span))
            busy = g.fail > 0 and path.endswith((".tif", ".vrt"))
            if busy:
                g.fail -= 1
        if g.slow and path.endswith(".tif") and span not in ("", "bytes=0-0"):
            time.sleep(g.slow)
        if busy:
            return self._send(503, b"busy", {"Retry-After": "0"}, head)
        if g.refuse and g.refuse in path:
            return self._send(403, b"no", {}, head)
        if "/token/" in path:
            g.tokens += 1
            return self._json({"token": "sig=secret"})
        if path.endswith("search"):
            return self._page(int(re.search(r"page=(\d+)", self.path)[1]))
        file = g.folder / path
        if not file.is_file():
            return self._send(404, b"none", {}, head)
        data = file.read_bytes()
        told = {"Accept-Ranges": "bytes", "ETag": f'"{file.stat().st_mtime_ns}"', "Content-Type": "image/tiff"}
        if hit := re.fullmatch(r"bytes=(\d+)-(\d*)", span):
            begin, end = int(hit[1]), min(int(hit[2] or len(data) - 1), len(data) - 1)
            told["Content-Range"] = f"bytes {begin}-{end}/{len(data)}"
            return self._send(206, data[begin : end + 1], told, head)
        return self._send(200, data, told, head)

    def _search(self, body):
        self.globe.found = [i for i in self.globe.items if _meets(i["bbox"], body["bbox"])]
        self.globe.wanted = body
        self._page(0)

    def _page(self, number):
        g = self.globe
        begin = number * g.page
        links = [{"rel": "next", "href": f"{g.url}/stac/v1/search?page={number + 1}"}] if begin + g.page < len(g.found) else []
        self._json({"type": "FeatureCollection", "features": g.found[begin : begin + g.page], "links": links})

    def _json(self, content):
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"}, False)

    def _send(self, code, data, headers, head):
        try:
            self.send_response(code)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if not head:
                self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def _meets(a, b):
    return a[0] < b[2] and a[2] > b[0] and a[1] < b[3] and a[3] > b[1]


@contextmanager
def serving(folder: Path):
    """The server on a port of its own, on this machine only."""
    globe = Globe(folder)
    handler = type("Handler", (_Handler,), {"globe": globe})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        globe.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield globe
        finally:
            server.shutdown()
            thread.join()
