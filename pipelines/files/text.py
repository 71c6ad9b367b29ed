"""Text from strangers: which encoding it is in, and the choice said."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.errors import InputError

_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip
_CODE_PAGES: Final = {
    0x13: "cp932", 0x7B: "cp932", 0x4D: "gb18030", 0x7A: "gb18030", 0x4E: "cp949", 0x79: "cp949", 0x4F: "cp950",
    0x78: "cp950", 0x26: "cp866", 0x65: "cp866", 0xC8: "cp1250", 0xC9: "cp1251", 0xCA: "cp1254", 0xCB: "cp1253",
}  # fmt: skip
"""Language bytes of a dBASE header that mean something; those of Western Europe are what software writes unasked."""
_CHINESE: Final = ("936", "gbk", "gb2312", "cp936", "hz")
"""Names of what GB18030 contains."""


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
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
    return decode(raw, str(path))


def decode(raw: bytes, name: str) -> Text:
    """The same for bytes; ``name`` is who they are in the error."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            try:
                return Text(raw.decode(encoding), encoding, "byte-order mark")
            except UnicodeDecodeError:
                raise InputError(
                    f"{name}: begins like {encoding.upper()} text but is none; save it as UTF-8 again"
                ) from None
    for encoding, how in (("utf-8", "valid UTF-8"), ("gb18030", "not UTF-8, valid GB18030")):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return Text(text, encoding, how)
    raise InputError(f"{name}: neither UTF-8 nor GB18030 text (a workbook, perhaps); save it as UTF-8 text")


# ------------------------------------------------------------------------------------------ shapefiles


def shapefile_encoding(path: str | Path) -> tuple[str, str]:
    """Encoding of a shapefile's attributes, and how it was found.

    Its .cpg file, else the language byte of its .dbf, else UTF-8 if every text fits, else GB18030. A .cpg or byte that the
    texts contradict is not believed. Raises InputError when nothing fits.
    """
    path = Path(path)
    table = _beside(path, ".dbf")
    raw = table.read_bytes() if table is not None else b""
    values = list(_texts(raw))
    doubt = ""
    cpg = _beside(path, ".cpg")
    if cpg is not None and (named := cpg.read_text(encoding="ascii", errors="ignore").strip()):
        encoding = _known(named)
        if encoding is not None and _fits(values, encoding):
            return encoding, "its .cpg file"
        doubt = f"its .cpg file says '{named}', which the names are not; "
    page = _CODE_PAGES.get(raw[29]) if len(raw) > 29 else None
    if page is not None and _fits(values, page):
        return page, f"{doubt}the language byte of its .dbf"
    reason = doubt or "no .cpg file, and "
    if _fits(values, "utf-8"):
        return "utf-8", f"{reason}the names are valid UTF-8"
    if _fits(values, "gb18030"):
        return "gb18030", f"{reason}the names are no UTF-8 but valid GB18030"
    raise InputError(
        f"{path}: the encoding of its names is neither UTF-8 nor GB18030; put a file {path.stem}.cpg beside it that holds "
        f"the encoding's name, e.g. cp1252"
    )


def _beside(path: Path, suffix: str) -> Path | None:
    candidates = (path.with_suffix(suffix), path.with_suffix(suffix.upper()))
    return next((p for p in candidates if p.is_file()), None)


def _known(named: str) -> str | None:
    """Python's name of what a .cpg says: UTF-8, 65001, GBK, 936, ANSI 936, ISO-8859-1, 88591…"""
    name = named.lower().removeprefix("ansi").removeprefix("oem").strip(" _-")
    if name in _CHINESE:
        return "gb18030"
    if name == "65001":
        return "utf-8"
    for spelled in (name, f"cp{name}", f"iso-8859-{name.removeprefix('8859').strip('_-')}"):
        try:
            b"a".decode(spelled)  # some that Python knows are no encodings of text
            return codecs.lookup(spelled).name
        except (LookupError, ValueError):
            continue
    return None


def _texts(raw: bytes) -> Iterator[tuple[bytes, bool]]:
    """Every column name and text value of a dBASE table that is not plain ASCII, and whether it fills its column."""
    if len(raw) < 33:
        return
    start, length = int.from_bytes(raw[8:10], "little"), int.from_bytes(raw[10:12], "little")
    at, columns = 1, []
    for field in range(32, min(start - 1, len(raw) - 16), 32):
        if raw[field] == 0x0D:
            break
        if not raw[field : field + 11].isascii():
            yield raw[field : field + 11].split(b"\x00")[0], True
        if raw[field + 11 : field + 12] in (b"C", b"M"):
            columns.append((at, raw[field + 16]))
        at += raw[field + 16]
    for record in range(start, len(raw) - length + 1, length) if length else ():
        for offset, size in columns:
            value = raw[record + offset : record + offset + size]
            if not value.isascii():
                yield value, not value.endswith((b" ", b"\x00"))


def _fits(values: list[tuple[bytes, bool]], encoding: str) -> bool:
    """Whether every text is valid; one that fills its column may have lost the end of its last letter."""
    for value, full in values:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        try:
            decoder.decode(value, final=not full)
        except UnicodeDecodeError:
            return False
    return True
