"""Carbonate weathering against published numbers, PHREEQC and our own reference grid."""

import math

import numpy as np
import pytest

from sinks import climate, weathering
from sinks.ecosystems import karst
from sinks.errors import InputError
from sinks.parameters import parameter_set
from sinks.plug import Cover, Options, Stratum

PER_KM2 = 100.0
"""Mg C ha⁻¹ → t C km⁻²."""

GRID = [
    # T, log pCO2, [Ca] mmol/L, gamma Ca, gamma HCO3, I, t C km-2 yr-1 per 100 mm, [HCO3] over dolomite mmol/L
    (0, -3.4, 0.78800, 0.81891, 0.94987, 0.002364, 0.94647, 2.27145),
    (0, -1.5, 3.74642, 0.67348, 0.90051, 0.011239, 4.49982, 10.93547),
    (5, -2.5, 1.49886, 0.76420, 0.93246, 0.004497, 1.80029, 4.14963),
    (10, -3.0, 0.91605, 0.80461, 0.94546, 0.002748, 1.10026, 2.42916),
    (10, -2.0, 2.07213, 0.73174, 0.92153, 0.006216, 2.48883, 5.52040),
    (15, -3.4, 0.61007, 0.83366, 0.95439, 0.001830, 0.73276, 1.55907),
    (15, -2.0, 1.90117, 0.73844, 0.92385, 0.005704, 2.28349, 4.88393),
    (15, -1.5, 2.87701, 0.69610, 0.90895, 0.008631, 3.45558, 7.40605),
    (20, -2.5, 1.16002, 0.78221, 0.93837, 0.003480, 1.39330, 2.88249),
    (25, -3.0, 0.71211, 0.82003, 0.95026, 0.002136, 0.85532, 1.72068),
    (25, -2.0, 1.60446, 0.75136, 0.92825, 0.004813, 1.92711, 3.88713),
    (30, -3.4, 0.47588, 0.84706, 0.95841, 0.001428, 0.57158, 1.12390),
    (30, -1.5, 2.22753, 0.71728, 0.91658, 0.006683, 2.67549, 5.28267),
]


def test_w1_equilibrium_constants_at_25_c_of_plummer_and_busenberg_1982() -> None:
    found = weathering.log_constants(25.0)
    assert found == pytest.approx((-1.46794, -6.35186, -10.32885, -8.47983), abs=5e-6)
    assert found == pytest.approx((-1.468, -6.352, -10.329, -8.480), rel=1e-3)


def test_equilibrium_constants_at_15_c_of_plummer_and_busenberg_1982() -> None:
    assert weathering.log_constants(15.0) == pytest.approx((-1.34082, -6.41880, -10.42843, -8.43017), abs=5e-6)


@pytest.mark.parametrize(
    ("temperature", "log_pco2", "phreeqc"),
    [
        (15, -2.0, 1.9465),
        (15, -3.408, 0.6224),
        (25, -2.0, 1.6456),
        (10, -1.8, 2.5052),
        (5, -2.5, 1.5265),
        (20, -1.5, 2.7226),
    ],
)
def test_w2_calcium_against_phreeqc_within_the_ion_pairs_left_out(
    temperature: float, log_pco2: float, phreeqc: float
) -> None:
    calcium = weathering.calcite_equilibrium(temperature, 10**log_pco2).calcium * 1000
    assert calcium == pytest.approx(phreeqc, rel=0.032)
    assert calcium < phreeqc


def test_w2_dolomite_bicarbonate_against_phreeqc() -> None:
    assert weathering.dolomite_equilibrium(15, 1e-2).bicarbonate * 1000 == pytest.approx(4.92, rel=0.01)


@pytest.mark.parametrize(("t", "log_pco2", "ca", "gamma_ca", "gamma_hco3", "strength", "sink", "dolomite"), GRID)
def test_own_reference_grid_of_calcite_and_dolomite(
    t: float, log_pco2: float, ca: float, gamma_ca: float, gamma_hco3: float, strength: float, sink: float,
    dolomite: float,
) -> None:  # fmt: skip
    water = weathering.calcite_equilibrium(t, 10**log_pco2)
    assert water.calcium * 1000 == pytest.approx(ca, abs=1e-5)
    assert water.bicarbonate * 1000 == pytest.approx(2 * ca, abs=2e-5)
    assert (water.gamma_ca, water.gamma_hco3) == pytest.approx((gamma_ca, gamma_hco3), abs=1e-5)
    assert water.ionic_strength == pytest.approx(strength, abs=1e-6)
    assert weathering.by_dissolution(t, 100.0, 10**log_pco2) * PER_KM2 == pytest.approx(sink, abs=1e-5)
    assert weathering.dolomite_equilibrium(t, 10**log_pco2).bicarbonate * 1000 == pytest.approx(dolomite, rel=2e-5)


def test_w3_karst_chain_of_our_own_worked_example() -> None:
    aet = climate.turc_evapotranspiration(1321.715, 15.0)
    assert aet == pytest.approx(721.715, abs=1e-3)
    pco2 = weathering.brook_pco2(aet)
    assert math.log10(pco2) == pytest.approx(-1.98400, abs=1e-5)
    k0, k1, k2, kc = weathering.log_constants(15.0)
    assert (10 ** (kc + k1 + k0 - k2) * pco2 / 4) ** (1 / 3) * 1000 == pytest.approx(1.65016, abs=1e-4)
    water = weathering.calcite_equilibrium(15.0, pco2)
    assert water.calcium * 1000 == pytest.approx(1.92640, abs=1e-4)
    assert water.ionic_strength == pytest.approx(0.005779, abs=1e-6)
    assert (water.gamma_ca, water.gamma_hco3) == pytest.approx((0.73715, 0.92341), abs=1e-5)
    assert water.bicarbonate * 61.017 * 1000 == pytest.approx(235.09, abs=0.01)
    assert water.calcium * 1e6 * (1321.715 - aet) == pytest.approx(1_155_837, rel=1e-5)
    runoff = 1321.715 - aet
    sink = weathering.by_dissolution(15.0, runoff, pco2) * PER_KM2
    assert sink == pytest.approx(13.883, abs=1e-3)
    assert sink * 44 / 12 == pytest.approx(50.87, abs=0.05)
    assert weathering.by_dissolution(15.0, 600.0, 1e-2) * PER_KM2 == pytest.approx(13.701, abs=1e-3)
    assert weathering.by_dissolution(15.0, 600.0, 10**-3.408) * PER_KM2 == pytest.approx(4.368, abs=1e-3)
    assert weathering.by_dissolution(15.0, runoff, pco2, dolomite_share=1) * PER_KM2 == pytest.approx(17.83, abs=0.01)
    assert weathering.by_gem_co2(600.0) * PER_KM2 == pytest.approx(11.43, abs=5e-3)


def test_w3_bicarbonate_method_gives_the_same_flux_as_equilibrium() -> None:
    pco2 = 10**-1.984
    bicarbonate = weathering.calcite_equilibrium(15.0, pco2).bicarbonate * 1000
    by_water = weathering.by_bicarbonate(600.0, bicarbonate)
    assert by_water * PER_KM2 == pytest.approx(13.88, abs=5e-3)
    assert by_water == pytest.approx(weathering.by_dissolution(15.0, 600.0, pco2), rel=1e-12)


def test_w4_limestone_of_yuan_daoxian_takes_up_120_kg_of_carbon_per_t() -> None:
    assert weathering.carbon_of_limestone(1.0) == pytest.approx(0.12001, abs=5e-6)


@pytest.mark.parametrize(("co2", "carbon"), [(29, 7.91), (33, 9.00), (39, 10.64)])
def test_w5_guizhou_catchments_from_co2_to_carbon(co2: float, carbon: float) -> None:
    moles = co2 * 1e6 / 44
    assert weathering.carbon_of_moles(moles) * PER_KM2 == pytest.approx(carbon, rel=2e-3)


@pytest.mark.parametrize(
    ("moles", "carbon"), [(597.4e3, 7.175), (823.41e3, 9.890), (23.18e3, 0.278)], ids=["sanchahe", "bei", "bei-net"]
)
def test_w6_river_fluxes_to_carbon(moles: float, carbon: float) -> None:
    assert weathering.carbon_of_moles(moles) * PER_KM2 == pytest.approx(carbon, abs=1e-3)


def test_w6_taihang_falls_by_15_5_percent_with_sulphuric_acid() -> None:
    before, after = weathering.carbon_of_moles(191.82e3), weathering.carbon_of_moles(162.17e3)
    assert after / before - 1 == pytest.approx(-0.155, abs=1e-3)


def test_strong_acids_halve_nothing_twice() -> None:
    whole = weathering.by_bicarbonate(1000.0, 4.0)
    assert whole * PER_KM2 == pytest.approx(0.5 * 12.011 * 4.0, rel=1e-12)
    assert weathering.by_bicarbonate(1000.0, 4.0, strong_acid_share=1.0) == 0
    # X mol of rock, a by strong acid: HCO3 = X(2 - a), air's carbon = X(1 - a)
    rock, a = 3.0, 0.3
    sink = weathering.by_bicarbonate(1000.0, rock * (2 - a), strong_acid_share=a)
    assert sink * PER_KM2 == pytest.approx(12.011 * rock * (1 - a), rel=1e-12)


def test_gem_co2_counts_carbonate_and_refuses_what_is_not_confirmed() -> None:
    assert weathering.by_gem_co2(100.0) * PER_KM2 == pytest.approx(1.90494, abs=1e-5)
    assert weathering.by_gem_co2(100.0, lithology="shale") * PER_KM2 == pytest.approx(0.80714, abs=1e-5)
    for rock in ("evaporite", "chalk"):
        with pytest.raises(InputError, match=rock):
            weathering.by_gem_co2(100.0, lithology=rock)


def test_the_sink_is_elementwise_and_nan_stays_nan() -> None:
    runoff = np.array([600.0, -50.0, np.nan])
    for sink in (
        weathering.by_gem_co2(runoff, np.float32(0.5)),
        weathering.by_bicarbonate(runoff, 3.8),
        weathering.by_dissolution(np.full(3, 15.0), runoff, 1e-2, dolomite_share=0.4),
    ):
        assert sink.shape == (3,)
        assert sink[0] > 0
        assert sink[1] == 0
        assert np.isnan(sink[2])
    for nan in (
        weathering.by_bicarbonate(600.0, np.nan),
        weathering.by_gem_co2(600.0, np.nan),
        weathering.by_dissolution(np.nan, 600.0, 1e-2),
        weathering.by_dissolution(15.0, 600.0, np.nan),
        weathering.brook_pco2(np.nan),
    ):
        assert np.isnan(nan)


def test_more_runoff_carbonate_or_soil_co2_is_never_less_sink() -> None:
    steps = np.linspace(0, 1, 21)
    for sink in (
        weathering.by_gem_co2(2000 * steps),
        weathering.by_gem_co2(600.0, steps),
        weathering.by_bicarbonate(600.0, 6 * steps),
        weathering.by_dissolution(15.0, 600.0, 10 ** (-3.4 + 2 * steps)),
        weathering.brook_pco2(1500 * steps),
    ):
        assert (np.diff(sink) >= 0).all()


def test_frost_counts_as_0_c_and_bare_air_bounds_soil_co2() -> None:
    frozen, thawed = (weathering.calcite_equilibrium(t, 1e-2).calcium for t in (-12.0, 0.0))
    assert frozen == thawed
    assert np.log10(weathering.brook_pco2(np.array([0.0, 1e6]))) == pytest.approx([-3.38, -1.38], abs=1e-6)


def test_only_brook_and_evaporite_are_unverified() -> None:
    doubtful = {name for name, c in weathering.constants().items() if c.status == "unverified"}
    assert doubtful == {"log_pco2_base", "log_pco2_range", "log_pco2_rate", "co2_per_runoff_evaporite"}


@pytest.mark.parametrize("name", ["china", "ipcc"])
def test_the_overlay_adds_the_flux_and_nothing_else(name: str) -> None:
    given = Stratum(Cover("forest", "mixed"), karst=True, present=frozenset({"agb", "weathering"}))
    c = karst.PLUG.coefficients(given, parameter_set(name), Options())
    found = karst.PLUG.equations({"agb": 100.0, "weathering": 0.139}, c)
    assert found == {"sink_weathering": 0.139}
    assert karst.PLUG.equations({"agb": 100.0}, c) == {}
    assert karst.PLUG.overlay
    assert karst.PLUG.classes == ()
