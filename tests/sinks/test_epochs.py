"""Change on xarray: the numbers of the command line, lazy, and clear about what does not fit."""

import numpy as np
import pytest
import rioxarray

import sinks
from pipelines.assess.demo import sample_data
from pipelines.change import change as changing
from pipelines.change import changestudy
from sinks.errors import InputError
from sinks.quantities import POOL_KEYS, TOTAL

FOLDER = sample_data()


@pytest.fixture(scope="module")
def epochs():
    found = {}
    for year in (2013, 2023):
        cover = rioxarray.open_rasterio(FOLDER / f"landcover_{year}.tif").squeeze(drop=True)
        agb, sd = (
            rioxarray.open_rasterio(FOLDER / f"{name}_{year}.tif", masked=True)
            .squeeze(drop=True)
            .rio.reproject_match(cover)
            for name in ("agb", "agb_sd")
        )
        found[year] = sinks.assess(
            cover, agb, agb_sd=sd, legend="sample", climate="warm_temperate_moist", parameters="china", year=year
        )
    return found


def test_the_numbers_are_those_of_the_command_line(epochs, tmp_path):
    names = {}
    for year, epoch in epochs.items():
        for name in ("agb", "agb_sd"):
            path = tmp_path / f"{name}_{year}.tif"
            epoch.layers[name].rio.to_raster(path)
            names[name, year] = str(path)
    found = changing.change(changestudy.checked(
        [{"year": y, "landcover": str(FOLDER / f"landcover_{y}.tif"), "agb": names["agb", y], "agb_sd": names["agb_sd", y]}
         for y in epochs],
        {"legend": "sample", "climate": "warm_temperate_moist", "parameters": "china", "quiet": True, "out": str(tmp_path / "o")},
    ))  # fmt: skip
    ours = sinks.change(epochs)
    a, b = (
        led.transitions.query("region_id == 'total'").set_index(["before", "after", "process"])
        for led in (ours.ledger, found.span)
    )
    assert a.index.equals(b.index)
    for column in ("area_ha", *(f"change_{p}" for p in (*POOL_KEYS, TOTAL.key)), "gain_carbon_total"):
        np.testing.assert_allclose(a[column], b[column], rtol=1e-7, atol=1e-3)
    maps = ours.maps
    assert maps.change_carbon_total.attrs["units"] == "Mg C ha-1"
    written = rioxarray.open_rasterio(found.maps["process"]).squeeze(drop=True)
    assert (maps.process.values == written.values).mean() > 0.9999
    sure = ours.errors.query("region_id == 'total' and process == 'all' and quantity == 'carbon_total'")
    assert sure["value"].item() == pytest.approx(a["change_carbon_total"].sum(), rel=1e-9)
    assert sure["se"].item() > 0


def test_maps_are_lazy_where_the_inputs_are(epochs):
    def chunked(epoch):
        layers = {k: v.chunk({"x": 300, "y": 300}) for k, v in epoch.layers.items()}
        return sinks.assess(
            epoch.landcover.chunk({"x": 300, "y": 300}), layers["agb"], agb_sd=layers["agb_sd"], legend="sample",
            climate="warm_temperate_moist", parameters="china",
        )  # fmt: skip

    eager = sinks.change(epochs).maps.change_carbon_total
    lazy = sinks.change({y: chunked(e) for y, e in epochs.items()}).maps.change_carbon_total
    assert lazy.chunks is not None
    part = {"x": slice(280, 330), "y": slice(0, 40)}
    np.testing.assert_array_equal(lazy.isel(part).values, eager.isel(part).values)


def test_epochs_that_do_not_fit_are_refused(epochs):
    with pytest.raises(InputError, match="two epochs or more, and 1"):
        sinks.change({2013: epochs[2013]})
    other = sinks.assess(
        epochs[2023].landcover,
        epochs[2023].layers["agb"],
        legend="sample",
        climate="warm_temperate_moist",
        parameters="ipcc",
    )
    with pytest.raises(InputError, match="different parameter sets and layers"):
        sinks.change({2013: epochs[2013], 2023: other})
    cut = epochs[2023].landcover[:-1]
    small = sinks.assess(cut, legend="sample", climate="warm_temperate_moist", parameters="china")
    with pytest.raises(InputError, match="does not lie on the grid of the first"):
        sinks.change({2013: epochs[2013], 2023: small})
    with pytest.raises(InputError, match="no epoch 2020; known: 2013, 2023"):
        sinks.change(epochs).ledger_of(2013, 2020)
