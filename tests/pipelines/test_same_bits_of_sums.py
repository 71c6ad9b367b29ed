"""A change and a roll-up have the same bits however the work is cut and in whatever order runs are named."""

import itertools

import numpy as np
import pytest

from pipelines.assess.rollup import rollup
from pipelines.assess.run import assess
from pipelines.assess.study import checked
from pipelines.change import change as changing
from pipelines.change import changestudy
from pipelines.work import walk
from scenes import small, write_raster, write_regions
from test_same_bits import outputs

SIDE = 2100
SHARED = {"legend": "worldcover", "parameters": "china", "climate": "warm_temperate_moist", "draws": 0, "quiet": True}


@pytest.fixture(scope="module")
def epochs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("epochs")
    given = small(folder, size=SIDE)
    rng = np.random.default_rng(5)
    cover = rng.choice([10, 20, 30, 40, 50], size=(SIDE, SIDE)).astype(np.uint8)
    cover[:900, :900] = 0
    agb = rng.uniform(0, 300, cover.shape).astype(np.float32)
    return [
        {"year": 2010, "landcover": given["landcover"], "agb": given["agb"]},
        {
            "year": 2020,
            "landcover": str(write_raster(folder / "lc2.tif", cover, nodata=0)),
            "agb": str(write_raster(folder / "agb2.tif", agb)),
        },
    ], given["regions"]


def changed(epochs, out, **how):
    own, regions = epochs
    changing.change(
        changestudy.checked(own, {**SHARED, "regions": regions, "minimum_change": 2.0, "out": str(out), **how})
    )
    return outputs(out)


@pytest.mark.slow
def test_a_change_has_the_same_bytes_however_the_work_is_cut(epochs, tmp_path, monkeypatch):
    whole = changed(epochs, tmp_path / "whole", block_size=3072, workers=1)
    run = walk.graph.run

    def backwards(items, task, *more):
        return run(list(items)[::-1], task, *more)[::-1]

    monkeypatch.setattr(walk.graph, "run", backwards)
    cut = changed(epochs, tmp_path / "cut", block_size=1024, workers=3)
    assert whole.keys() == cut.keys()
    assert len(whole) > 6
    for name in whole:
        assert cut[name] == whole[name], name


@pytest.mark.slow
def test_a_roll_up_has_the_same_bits_in_any_order(tmp_path):
    rng = np.random.default_rng(6)
    homes = []
    for n in range(3):
        at = (500_000.0 + 3000.0 * n, 2_600_000.0)
        lc = rng.choice([10, 20, 30], size=(30, 30)).astype(np.uint8)
        given = {
            "landcover": str(write_raster(tmp_path / f"lc{n}.tif", lc, nodata=0, origin=at)),
            "agb": str(
                write_raster(tmp_path / f"agb{n}.tif", rng.uniform(0, 300, lc.shape).astype(np.float32), origin=at)
            ),
            "regions": str(
                write_regions(tmp_path / f"r{n}.gpkg", [(at[0], at[1] - 3000, at[0] + 3000, at[1])], code=["shared"])
            ),
        }
        assess(checked({**given, **SHARED, "maps": "none", "out": str(tmp_path / f"out{n}")}))
        homes.append(tmp_path / f"out{n}")
    values = set()
    for n, order in enumerate(itertools.permutations(homes)):
        tidy = rollup(order, tmp_path / f"nation{n}").account.tidy.sort_values(
            ["region_id", "ecosystem", "forest_type", "quantity"]
        )
        values.add(tidy["value"].to_numpy(float).tobytes())
    assert len(values) == 1
