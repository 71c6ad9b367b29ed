"""One Cloud-Optimized GeoTIFF from shards: valid, equal to its source, and the same bytes however the grid was cut."""

import struct
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rio_cogeo.cogeo import cog_validate

from pipelines.errors import RunError
from pipelines.files import digest
from pipelines.outputs import cog, maps, mosaic, pyramid, tiff

UTM = rasterio.CRS.from_epsg(32650).to_wkt()
NODATA = {"uint8": 255, "uint16": 65535, "int16": -32768, "int32": -1, "float32": -9999.0}


@dataclass(frozen=True)
class Grid:
    width: int
    height: int
    crs_wkt: str = UTM
    transform: tuple = (30.0, 0.0, 500000.0, 0.0, -30.0, 4000000.0)


@dataclass(frozen=True)
class Block:
    row: int
    col: int
    height: int
    width: int


def a_map(dtype="uint16", **changes):
    kind = "class" if dtype == "uint8" else "density"
    return maps.MapSpec(**{"name": "m", "kind": kind, "dtype": dtype, "nodata": NODATA[dtype], **changes})


def a_source(height, width, dtype="uint16", seed=0):
    """Noise on a slope, with tiles of nodata, a part tile of nodata, and zeros, which are values."""
    rng = np.random.default_rng(seed)
    values = rng.normal(100, 30, (height, width)) + np.arange(width) / 50
    values = np.clip(values, 0, 9) if dtype == "uint8" else values
    array = values.astype(dtype)
    array[:512, :512] = NODATA[dtype]
    array[100:900, 900:1100] = NODATA[dtype]
    array[-5:, -5:] = 0
    return array


def cuts(length, step=1024):
    return [*range(0, length, step), length]


def blocks(rows, cols):
    return [Block(r, c, r2 - r, c2 - c) for r, r2 in pairwise(rows) for c, c2 in pairwise(cols)]


def shards_of(array, spec, folder, parts=None):
    folder.mkdir(parents=True, exist_ok=True)
    grid = Grid(array.shape[1], array.shape[0])
    parts = parts or blocks(cuts(array.shape[0]), cuts(array.shape[1]))
    return grid, [
        maps.write_shard(spec, grid, b, array[b.row : b.row + b.height, b.col : b.col + b.width], folder) for b in parts
    ]


def assembled(array, spec, folder, parts=None, **options):
    grid, shards = shards_of(array, spec, folder / "shards", parts)
    path = folder / "m.tif"
    cog.assemble(shards, path, grid, spec.encoding, **options)
    return path


def assert_valid(path):
    good, errors, warnings = cog_validate(path, strict=True, quiet=True)
    assert (good, errors, warnings) == (True, [], [])


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (511, 511), (512, 512), (513, 513), (1, 3000), (1700, 3000), (2049, 700)],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_it_is_a_valid_cog_equal_to_its_source(tmp_path, height, width, dtype):
    array = a_source(height, width, dtype)
    path = assembled(array, a_map(dtype), tmp_path)
    assert_valid(path)
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), array)
        assert dataset.nodata == NODATA[dtype]
        assert dataset.crs.to_epsg() == 32650
        assert dataset.transform[:6] == Grid.transform
        assert dataset.overviews(1) == [2**k for k in range(1, 9) if max(height, width) > 512 * 2 ** (k - 1)]
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.tif", "shards"]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (1700, 3000)])
def test_classic_and_big_tiff_hold_the_same(tmp_path, shape, big):
    array = a_source(*shape)
    path = assembled(array, a_map(), tmp_path, bigtiff=big)
    assert path.read_bytes()[:3] == (b"II+" if big else b"II*")
    assert_valid(path)
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), array)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_each_overview_is_what_gdal_makes_of_the_one_before_it(tmp_path, dtype):
    array, spec = a_source(1728, 3008, dtype), a_map(dtype)
    path = assembled(array, spec, tmp_path)
    finer = array
    for level in range(3):
        height, width = finer.shape
        plain = tmp_path / f"plain{level}.tif"
        with rasterio.open(plain, "w", crs=UTM, transform=rasterio.Affine(*Grid(1, 1).transform),
                           **spec.encoding.profile(width, height)) as dataset:  # fmt: skip
            dataset.write(finer, 1)
        with rasterio.open(plain, "r+") as dataset:
            dataset.build_overviews([2], Resampling[spec.encoding.resampling])
        with rasterio.open(path, overview_level=level) as ours, rasterio.open(plain, overview_level=0) as theirs:
            finer = ours.read(1)
            np.testing.assert_array_equal(finer, theirs.read(1))
            assert ours.nodata == theirs.nodata


def test_the_ghost_area_is_that_of_gdal(tmp_path):
    path = assembled(a_source(600, 600), a_map(), tmp_path)
    by_gdal = tmp_path / "gdal.tif"
    rasterio.shutil.copy(path, by_gdal, driver="COG", blocksize=512)
    assert path.read_bytes()[8 : 8 + len(tiff.GHOST)] == tiff.GHOST
    assert by_gdal.read_bytes()[8 : 8 + len(tiff.GHOST)] == tiff.GHOST


@pytest.mark.parametrize("big", [False, True])
def test_the_layout_is_what_the_ghost_area_promises(tmp_path, big):
    path = assembled(a_source(1700, 3000), a_map(), tmp_path, bigtiff=big)
    data = path.read_bytes()
    images = tiff.read_directories(path)
    assert [image.width for image in images] == [3000, 1500, 750, 375]
    place = None
    for image in reversed(images):  # the smallest overview comes first, full resolution last
        for at, size in zip(*(numbers.tolist() for numbers in image.tiles), strict=True):
            if size == 0:
                assert at == 0
                continue
            assert place is None or at == place + 4  # nothing lies between two tiles
            assert struct.unpack_from("<I", data, at - 4) == (size,)
            assert data[at + size : at + size + 4] == data[at + size - 4 : at + size]
            place = at + size + 4
    assert place == len(data)


def test_tiles_are_the_bytes_of_the_shards(tmp_path):
    array, spec = a_source(1700, 3000), a_map()
    path = assembled(array, spec, tmp_path)
    shard = tmp_path / "shards" / "m.1024.2048.tif"
    [image] = tiff.read_directories(shard)
    at, size = (int(numbers[0]) for numbers in image.tiles)
    tile = shard.read_bytes()[at : at + size]
    full = tiff.read_directories(path)[0]
    at, size = (int(numbers.reshape(full.shape_in_tiles)[2, 4]) for numbers in full.tiles)
    assert path.read_bytes()[at : at + size] == tile


def test_the_digest_is_told_as_the_file_is_written(tmp_path):
    array, spec = a_source(1700, 3000), a_map()
    grid, shards = shards_of(array, spec, tmp_path / "shards")
    told = cog.assemble(shards, tmp_path / "m.tif", grid, spec.encoding)
    assert told == digest.of(tmp_path / "m.tif")
    assert told.bytes == (tmp_path / "m.tif").stat().st_size


@pytest.mark.parametrize("read", [1, 1000, 4 << 20])
def test_neighbouring_tiles_are_read_at_once_and_nothing_changes(tmp_path, monkeypatch, read):
    array, spec = a_source(1700, 3000), a_map()
    whole = assembled(array, spec, tmp_path / "whole").read_bytes()
    monkeypatch.setattr(mosaic, "_READ", read)
    assert assembled(array, spec, tmp_path / "part").read_bytes() == whole


def test_shards_of_another_writer_have_their_tiles_framed(tmp_path):
    array, spec = a_source(1100, 1100), a_map()
    ours = assembled(array, spec, tmp_path / "ours").read_bytes()
    grid, shards = shards_of(array, spec, tmp_path / "theirs")
    for shard in shards:  # the same bytes of every tile, but with a gap between them
        [image] = tiff.read_directories(shard.path)
        data, (at, size) = shard.path.read_bytes(), image.tiles
        tiles = [data[a : a + n] for a, n in zip(at.tolist(), size.tolist(), strict=True)]
        head, _ = tiff.plan([tiff.without_tiles(image)], [np.array([len(t) for t in tiles], np.uint32)], big=False)
        shard.path.write_bytes(head + b"".join(t and b"\0\0\0\0" + t + b"\0\0\0\0" for t in tiles))
    cog.assemble(shards, tmp_path / "m.tif", grid, spec.encoding)
    assert (tmp_path / "m.tif").read_bytes() == ours


def test_tiles_of_nodata_take_no_room(tmp_path):
    array = np.full((3000, 3000), 65535, dtype=np.uint16)
    array[2000, 2000] = 7
    path = assembled(array, a_map(), tmp_path)
    assert_valid(path)
    assert [int((image.tiles[1] > 0).sum()) for image in tiff.read_directories(path)] == [1, 1, 1, 1]
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), array)


@pytest.mark.parametrize("shape", [(1, 1), (1700, 3000)])
def test_a_map_of_nothing_but_nodata(tmp_path, shape):
    array = np.full(shape, 65535, dtype=np.uint16)
    path = assembled(array, a_map(), tmp_path)
    assert list((tmp_path / "shards").iterdir()) == []
    assert_valid(path)
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), array)
        assert dataset.overviews(1) == ([] if shape == (1, 1) else [2, 4, 8])
        assert (dataset.read(1, out_shape=(1, 1)) == 65535).all()


def partitions(length):
    """Cuts of a length at multiples of 1024: where blocks of a run begin, and halves are made with them."""
    inner = range(1024, length, 1024)
    return st.sets(st.sampled_from(inner)).map(lambda some: [0, *sorted(some), length])


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_same_bytes_however_the_grid_is_cut(tmp_path_factory, dtype):
    array, spec = a_source(2600, 3100, dtype), a_map(dtype)

    def finished(folder, parts):
        grid, shards = shards_of(array, spec, folder / "shards", parts)
        return maps.finish_map(spec, grid, shards, folder).path.read_bytes()

    whole = finished(tmp_path_factory.mktemp("whole"), blocks([0, 2600], [0, 3100]))

    @given(rows=partitions(2600), cols=partitions(3100), order=st.randoms(use_true_random=False))
    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def cut(rows, cols, order):
        parts = blocks(rows, cols)
        order.shuffle(parts)
        assert finished(tmp_path_factory.mktemp("cut"), parts) == whole

    cut()


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_nothing(tmp_path, threads):
    array = a_source(1700, 3000)
    one = assembled(array, a_map(), tmp_path / "one")
    many = assembled(array, a_map(), tmp_path / "many", threads=threads)
    assert one.read_bytes() == many.read_bytes()


def test_more_shards_than_may_be_open(tmp_path, monkeypatch):
    monkeypatch.setattr(mosaic, "_OPEN_FILES", 2)
    array = a_source(600, 3000)
    path = assembled(array, a_map(), tmp_path, blocks(cuts(600, 512), cuts(3000, 512)))
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), array)


def test_levels():
    assert pyramid.levels(512, 1) == []
    assert pyramid.levels(513, 1) == [(2, 257, 1)]
    assert pyramid.levels(3000, 1700) == [(2, 1500, 850), (4, 750, 425), (8, 375, 213)]


@pytest.fixture
def broken(tmp_path):
    """Shards of a map, and the path that must stay as it is when they cannot be assembled."""
    grid, shards = shards_of(a_source(600, 1100), a_map(), tmp_path / "shards", blocks(cuts(600, 512), cuts(1100, 512)))
    out = tmp_path / "out" / "m.tif"
    out.parent.mkdir()
    out.write_text("old")
    return grid, shards, out


def assert_refused(broken, shards, words):
    grid, _, out = broken
    with pytest.raises(RunError, match=words):
        cog.assemble(shards, out, grid, a_map().encoding)
    assert [p.name for p in out.parent.iterdir()] == ["m.tif"]
    assert out.read_text() == "old"


def test_a_missing_shard_is_told(broken):
    assert_refused(broken, broken[1][:-1], "no shard holds row 512, column 1024; run again")


def test_a_block_that_came_twice_is_told(broken):
    assert_refused(broken, [*broken[1], broken[1][0]], "two shards hold row 0, column 0; delete")


def test_a_shard_that_is_gone_is_told(broken):
    broken[1][1].path.unlink()
    assert_refused(broken, broken[1], r"m\.0\.512\.tif is gone; run again")


@pytest.mark.parametrize("keep", [0, 5, 100, -5])
def test_a_shard_cut_short_is_told(broken, keep):
    path = broken[1][1].path
    path.write_bytes(path.read_bytes()[:keep])
    assert_refused(broken, broken[1], r"m\.0\.512\.tif is not a whole TIFF.*delete it and run again")


def test_a_shard_of_another_block_is_told(broken):
    shards = [*broken[1]]
    shards[1] = replace(shards[1], path=shards[5].path)
    assert_refused(broken, shards, "is not the 512 × 512 block expected")


@pytest.mark.parametrize("change", [{"dtype": "int16"}, {"dtype": "float32"}, {"compress": "LZW"}, {"predictor": 1}])
def test_a_shard_encoded_otherwise_is_told(broken, change):
    shard = broken[1][1]
    profile = {**a_map().encoding.profile(shard.width, shard.height), **change, "nodata": None}
    place = rasterio.Affine(*Grid.transform)
    with rasterio.open(shard.path, "w", transform=place, **profile) as dataset:
        dataset.write(np.ones((shard.height, shard.width), profile["dtype"]), 1)
    assert_refused(broken, broken[1], "is encoded otherwise than this run does")


def test_a_shard_with_damaged_tiles_is_told(broken):
    path = broken[1][1].path
    [image] = tiff.read_directories(path)
    at = int(image.tiles[0][0])
    data = bytearray(path.read_bytes())
    data[at : at + 200] = b"\xff" * 200
    path.write_bytes(data)
    assert_refused(broken, broken[1], r"m\.tif cannot be assembled: .*delete its shards and run again")


def test_a_full_disk_is_told(broken, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(digest.Writer, "write", full)
    assert_refused(broken, broken[1], "m.tif cannot be written: the disk is full; free some space")


def test_room_is_looked_for_before_the_copy(broken, monkeypatch):
    asked = []

    def refuse(path, size):
        asked.append((path, size))
        raise RunError("no room")

    monkeypatch.setattr(cog, "require_space", refuse)
    assert_refused(broken, broken[1], "no room")
    monkeypatch.undo()
    cog.assemble(broken[1], broken[2], broken[0], a_map().encoding)
    assert asked == [(broken[2], broken[2].stat().st_size)]


def test_a_file_that_is_no_tiff(tmp_path):
    path = tmp_path / "a.tif"
    for head in (b"", b"MM\0*aaaaaaaa", b"II*\0\0\0\0\0", b"II+\0\x08\0\0\0" + b"\0" * 8):
        path.write_bytes(head)
        with pytest.raises(RunError, match="is not a whole TIFF"):
            tiff.read_directories(Path(path))


@pytest.mark.parametrize(
    "block", [(100, 0, 500, 512), (0, 0, 100, 512), (0, 0, 600, 1200), (0, 0, 0, 512), (-512, 0, 512, 512)]
)
def test_a_block_off_the_tiles_is_a_mistake_in_code(block):
    with pytest.raises(ValueError, match="does not lie on 512-pixel tiles"):
        mosaic.check_block(Block(*block), Grid(1100, 600))
