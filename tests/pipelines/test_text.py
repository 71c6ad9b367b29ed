"""Encodings: found, said, and never guessed past the bytes."""

import geopandas as gpd
import pyogrio
import pytest
from shapely.geometry import box

from pipelines.errors import InputError
from pipelines.files.text import decode, read_text, shapefile_encoding


@pytest.mark.parametrize(
    ("encoding", "found", "how"),
    [
        ("utf-8", "utf-8", "valid UTF-8"),
        ("utf-8-sig", "utf-8-sig", "byte-order mark"),
        ("utf-16", "utf-16", "byte-order mark"),
        ("gb18030", "gb18030", "not UTF-8, valid GB18030"),
        ("gbk", "gb18030", "not UTF-8, valid GB18030"),
    ],
)
def test_text_is_read_whatever_it_is_in(folder, encoding, found, how):
    path = folder / "图例.csv"
    path.write_bytes("代码,名称\n0303,内蒙古自治区\n".encode(encoding))
    text = read_text(path)
    assert text.text == "代码,名称\n0303,内蒙古自治区\n"
    assert (text.encoding, text.how) == (found, how)


def test_text_errors(folder):
    with pytest.raises(InputError, match=r"there is no such file; check the path"):
        read_text(folder / "none.csv")
    with pytest.raises(InputError, match=r"cannot be read"):
        read_text(folder)
    with pytest.raises(InputError, match=r"book: neither UTF-8 nor GB18030 text .*; save it as UTF-8"):
        decode(b"PK\x03\x04\x14\x00\x00\x00\x80\xff\xff", "book")
    with pytest.raises(InputError, match=r"begins like UTF-8-SIG text but is none"):
        decode(b"\xef\xbb\xbf\xc4\xda\xc3\xc9", "cut")


def shapefile(path, encoding, cpg=None, names=("内蒙古自治区", "广西"), language=None):
    frame = gpd.GeoDataFrame(
        {"代码": ["0303", "04"], "名称": list(names)}, geometry=[box(0, 0, 1, 1), box(1, 0, 2, 1)], crs=4326
    )
    pyogrio.write_dataframe(frame, path, encoding=encoding)
    path.with_suffix(".cpg").unlink()
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg)
    if language is not None:
        table = path.with_suffix(".dbf")
        raw = bytearray(table.read_bytes())
        raw[29] = language
        table.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("stored", "cpg", "language", "encoding", "how"),
    [
        ("gb18030", None, None, "gb18030", "no UTF-8 but valid GB18030"),
        ("utf-8", None, None, "utf-8", "valid UTF-8"),
        ("gb18030", "GBK", None, "gb18030", "its .cpg file"),
        ("gb18030", "936", None, "gb18030", "its .cpg file"),
        ("gb18030", "ANSI 936", None, "gb18030", "its .cpg file"),
        ("utf-8", "65001", None, "utf-8", "its .cpg file"),
        ("gb18030", "UTF-8", None, "gb18030", "its .cpg file says 'UTF-8', which the names are not"),
        ("gb18030", "nonsense", None, "gb18030", "its .cpg file says 'nonsense'"),
        ("gb18030", None, 0x4D, "gb18030", "language byte"),
        ("utf-8", None, 0x57, "utf-8", "valid UTF-8"),
        ("gb18030", None, 0x03, "gb18030", "valid GB18030"),
        ("big5", None, 0x78, "cp950", "language byte"),
    ],
)
def test_shapefiles(folder, stored, cpg, language, encoding, how):
    names = ("台北", "高雄") if stored == "big5" else ("内蒙古自治区", "广西")
    frame_names = ("code", names)
    path = folder / "县界.shp"
    if stored == "big5":
        frame = gpd.GeoDataFrame(
            {"code": ["1", "2"], "name": list(frame_names[1])}, geometry=[box(0, 0, 1, 1)] * 2, crs=4326
        )
        pyogrio.write_dataframe(frame, path, encoding="cp950")
        path.with_suffix(".cpg").unlink()
        raw = bytearray(path.with_suffix(".dbf").read_bytes())
        raw[29] = language
        path.with_suffix(".dbf").write_bytes(raw)
    else:
        shapefile(path, stored, cpg, names, language)
    found, said = shapefile_encoding(path)
    assert found == encoding
    assert how in said
    frame = pyogrio.read_dataframe(path, encoding=found)
    assert tuple(frame.iloc[:, 1]) == names


def test_a_name_cut_in_its_last_letter_is_still_utf8(folder):
    """dBASE columns are cut by bytes, not letters."""
    path = shapefile(folder / "a.shp", "utf-8")
    table = path.with_suffix(".dbf")
    raw = bytearray(table.read_bytes())
    start, width = int.from_bytes(raw[8:10], "little"), raw[64 + 16]
    first = start + 1 + raw[32 + 16]
    raw[first : first + width] = ("内" * 40).encode()[:width] if width % 3 else ("a" + "内" * 40).encode()[:width]
    table.write_bytes(raw)
    assert shapefile_encoding(path)[0] == "utf-8"


def test_western_bytes_are_not_guessed(folder):
    path = shapefile(folder / "a.shp", "utf-8")
    table = path.with_suffix(".dbf")
    raw = bytearray(table.read_bytes())
    start = int.from_bytes(raw[8:10], "little")
    raw[start + 1 + raw[48] : start + 1 + raw[48] + 8] = b"caf\xe9 \xff\xfe "
    table.write_bytes(raw)
    with pytest.raises(InputError, match=r"put a file a\.cpg beside it"):
        shapefile_encoding(path)


def test_no_attribute_table(folder):
    assert shapefile_encoding(folder / "lonely.shp")[0] == "utf-8"
