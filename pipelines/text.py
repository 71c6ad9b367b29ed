"""Text from strangers: which encoding it is in, and the choice said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import InputError


@dataclass(frozen=True)
class Text:
    """A file's text, the encoding that was used, and why."""

    text: str
    encoding: str
    how: str


def read_text(path: str | Path) -> Text:
    """A text file: by its byte-order mark, else as UTF-8, else as GB18030. Raises InputError when none fits."""
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except (IsADirectoryError, PermissionError) as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
    return decode(raw, str(path))


def decode(raw: bytes, name: str) -> Text:
    """The same for bytes."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return Text(raw.decode(encoding, errors="replace"), encoding, "byte-order mark")
    for encoding, how in (("utf-8", "valid UTF-8"), ("gb18030", "not UTF-8, valid GB18030")):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return Text(text, encoding, how)
    raise InputError(f"{name}: neither UTF-8 nor GB18030 text; save it as UTF-8")


def shapefile_encoding(path: str | Path) -> tuple[str, str]:
    """Encoding of a shapefile's names, and how it was found: its .cpg, else UTF-8 if every byte fits, else GB18030."""
    path = Path(path)
    for side in (path.with_suffix(".cpg"), path.with_suffix(".CPG")):
        if side.is_file():
            named = side.read_text(encoding="ascii", errors="ignore").strip()
            if named:
                return {"65001": "utf-8", "936": "gb18030", "gbk": "gb18030", "gb2312": "gb18030"}.get(
                    named.lower(), named
                ), "its .cpg file"
    table = next((p for p in (path.with_suffix(".dbf"), path.with_suffix(".DBF")) if p.is_file()), None)
    if table is None:
        return "utf-8", "no attribute table"
    body = _records(table.read_bytes())
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030", "no .cpg file, and the names are no UTF-8"
    return "utf-8", "no .cpg file, and the names are valid UTF-8"


def _records(raw: bytes) -> bytes:
    """The records of a dBASE file, whose header may hold any byte."""
    start = int.from_bytes(raw[8:10], "little") if len(raw) > 10 else 0
    return raw[start:]
