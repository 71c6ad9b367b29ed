"""A server with the layout of the public global layers: ranges, faults to order, a STAC search. Run as a program, it serves.

It is a process of its own: GDAL holds Python's lock while it waits, and a server in a thread of the same process would wait too.
"""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar


@dataclass
class Globe:
    """The tests' end of it: a folder to lay tiles in, and what the server is told and tells.

    fail : answers 503 so many times in all; slow : seconds before an answer; short : so many answers end
    half-way; refuse : paths answered 403; items, page : of the
    STAC search.
    """

    folder: Path
    url: str

    def tell(self, **orders: Any) -> None:
        """Order faults or items of the server."""
        request = urllib.request.Request(f"{self.url}/control", json.dumps(orders).encode())
        urllib.request.urlopen(request).close()

    def state(self) -> dict[str, Any]:
        """asked : method, path and range of every request; and what was ordered, as it now stands."""
        with urllib.request.urlopen(f"{self.url}/control") as answer:
            return json.loads(answer.read())

    def reads(self) -> list[str]:
        """Paths of rasters of which something was read, the first byte alone not counted."""
        return [p for _, p, span in self.state()["asked"] if ".tif" in p and span not in ("", "bytes=0-0")]


@contextmanager
def serving(folder: Path):
    """The server on a port of its own, on this machine only."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield Globe(folder, server.stdout.readline().strip())
        finally:
            server.kill()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder = Path()
    url = ""
    told: ClassVar[dict[str, Any]] = {
        "asked": [],
        "fail": 0,
        "slow": 0.0,
        "short": 0,
        "refuse": "",
        "items": [],
        "page": 2,
        "tokens": 0,
    }
    found: ClassVar[list[dict[str, Any]]] = []
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer(head=True)

    def do_GET(self):
        self._answer()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/control":
            self.told.update(body)
            return self._json({})
        self.told["wanted"] = body
        Handler.found = [i for i in self.told["items"] if _meets(i["bbox"], body["bbox"])]
        return self._page(0)

    def _answer(self, head=False):
        path = self.path.partition("?")[0].lstrip("/")
        span = self.headers.get("Range", "")
        if path == "control":
            return self._json(self.told)
        busy = self._note(path, span)
        if busy:
            return self._send(503, b"busy", {"Retry-After": "0"}, head)
        if self.told["refuse"] and self.told["refuse"] in path:
            return self._send(403, b"no", {}, head)
        if "/token/" in path:
            self.told["tokens"] += 1
            return self._json({"token": "sig=secret"})
        if path.endswith("search"):
            return self._page(int(re.search(r"page=(\d+)", self.path)[1]))
        return self._file(self.folder / path, span, head)

    def _note(self, path, span):
        raster = path.endswith((".tif", ".vrt"))
        with self.lock:
            self.told["asked"].append((self.command, self.path.lstrip("/"), span))
            busy = raster and self.told["fail"] > 0
            self.told["fail"] -= busy
        if raster and span not in ("", "bytes=0-0"):
            time.sleep(self.told["slow"])
        return busy

    def _file(self, file, span, head):
        if not file.is_file():
            return self._send(404, b"none", {}, head)
        data = file.read_bytes()
        said = {"Accept-Ranges": "bytes", "ETag": f'"{file.stat().st_mtime_ns}"', "Content-Type": "image/tiff"}
        if hit := re.fullmatch(r"bytes=(\d+)-(\d*)", span):
            begin, end = int(hit[1]), min(int(hit[2] or len(data) - 1), len(data) - 1)
            said["Content-Range"] = f"bytes {begin}-{end}/{len(data)}"
            return self._send(206, data[begin : end + 1], said, head)
        return self._send(200, data, said, head)

    def _page(self, number):
        begin, size = number * self.told["page"], self.told["page"]
        more = begin + size < len(self.found)
        links = [{"rel": "next", "href": f"{self.url}/stac/v1/search?page={number + 1}"}] if more else []
        self._json({"type": "FeatureCollection", "features": self.found[begin : begin + size], "links": links})

    def _json(self, content):
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"}, False)

    def _send(self, code, data, headers, head):
        try:
            self.send_response(code)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if head:
                return
            cut = code == 206 and len(data) > 1 and self.told["short"] > 0
            self.told["short"] -= cut
            self.wfile.write(data[: len(data) // 2] if cut else data)
            self.close_connection = self.close_connection or cut
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def _meets(a, b):
    return a[0] < b[2] and a[2] > b[0] and a[1] < b[3] and a[3] > b[1]


if __name__ == "__main__":
    Handler.folder = Path(sys.argv[1])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.url = f"http://127.0.0.1:{server.server_address[1]}"
        print(Handler.url, flush=True)
        server.serve_forever()
