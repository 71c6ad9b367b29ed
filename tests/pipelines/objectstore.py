"""A real S3 server on this machine (moto's), a process of its own that can be stopped and started in mid-test."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BUCKET = "carbon"
_LINE = re.compile(r'"(?:\x1b\[\d+m)*([A-Z]+) (/\S*) HTTP/1\.[01](?:\x1b\[\d+m)*" (\d+)')  # failures are in colours
_PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class ObjectStore:
    """folder : where the server's log goes; port : stays the same when the server is started again, which forgets all."""

    folder: Path
    port: int = field(default_factory=free_port)
    server: subprocess.Popen | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """The environment in which GDAL and s3fs find it, as docs/cluster.md tells people."""
        return {
            "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{self.host}", "AWS_S3_ENDPOINT": self.host, "AWS_HTTPS": "NO",
            "AWS_VIRTUAL_HOSTING": "FALSE", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

    def start(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with (self.folder / "s3.log").open("ab") as log:
            self.server = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"http://{self.host}/moto-api/").close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise TimeoutError(f"no answer from the S3 server; see {self.folder / 's3.log'}")
        self._send("PUT", f"/{BUCKET}", b"")

    def stop(self) -> None:
        if self.server:
            self.server.kill()
            self.server.wait()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """The server takes connections and does not answer."""
        self.server.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.server.send_signal(signal.SIGCONT)

    def put(self, key: str, file: Path | str) -> None:
        self._send("PUT", f"/{BUCKET}/{key}", Path(file).read_bytes())

    def get(self, key: str) -> bytes:
        return self._send("GET", f"/{BUCKET}/{key}", None)

    def asked(self) -> list[tuple[str, str, int]]:
        """Method, path with query, and status of every request so far, the tests' own too."""
        text = (self.folder / "s3.log").read_text(errors="replace")
        return [(method, path, int(code)) for method, path, code in _LINE.findall(text)]

    def _send(self, method: str, path: str, data: bytes | None) -> bytes:
        request = urllib.request.Request(f"http://{self.host}{path}", data, _HEADERS, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read()


_HEADERS = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=key/20250101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
    "Content-Type": "application/octet-stream",
}
"""The server looks at no signature, but keeps private what is asked for without one."""


@contextmanager
def serving(folder: Path) -> Iterator[ObjectStore]:
    store = ObjectStore(folder)
    store.start()
    try:
        yield store
    finally:
        store.stop()
