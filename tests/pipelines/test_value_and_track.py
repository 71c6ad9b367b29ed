"""``sinks value`` and ``sinks track`` as a user meets them, on small run folders and on real assessments."""

import json

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import scenes
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.files import manifest, tables, tidyfile
from pipelines.verbs import trackcli, valuecli
from pipelines.verbs.answers import answers
from sinks.valuation import LABEL

GROUP = click.Group(commands=[valuecli.command(answers), trackcli.command(answers)])


def say(*arguments, code=0, group=GROUP):
    result = CliRunner().invoke(group, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def read(path):
    return pd.read_csv(path, dtype={"region_id": str}, encoding="utf-8-sig")


@pytest.fixture
def change(tmp_path):
    """A change run of three epochs, two counties; Mg C."""
    folder = tmp_path / "变化"
    folder.mkdir()
    amounts = [
        ("0101", "甲县", "afforestation", 2010, 2015, 300.0), ("0101", "甲县", "deforestation", 2010, 2015, -100.0),
        ("0102", "乙县", "afforestation", 2010, 2015, 50.0), ("0102", "乙县", "within_noise", 2010, 2015, 10.0),
        ("0101", "甲县", "afforestation", 2015, 2020, 150.0), ("0102", "乙县", "deforestation", 2015, 2020, -40.0),
    ]  # fmt: skip
    amounts += [("total", "all", *a[2:]) for a in amounts]
    amounts += [("total", "all", "afforestation", 2010, 2020, 1e6)]  # the whole span beside its parts
    frame = pd.DataFrame(amounts, columns=["region_id", "region_name", "process", "year_from", "year_to", "value"])
    frame = frame.assign(from_class="cropland", to_class="forest/mixed", quantity="change_carbon_total", unit="Mg C")
    area = frame.assign(quantity="area", unit="ha", value=1.0)
    tables.write_table(pd.concat([frame, area]), folder / "transitions.csv")
    flux = frame.rename(columns={"value": "committed_mg_c"}).assign(pool="carbon_total")
    tables.write_table(flux.assign(in_period_mg_c=flux["committed_mg_c"] / 2), folder / "fluxes.csv")
    rows = [
        (region, name, year, quantity, unit, base + step * k)
        for region, name in (("total", "all"), ("0101", "甲县"))
        for quantity, unit, base, step in (
            ("coverage_percent", "percent", 22.0, 1.0),
            ("carbon_total", "Mg C", 5e6, 1e4),
        )
        for k, year in enumerate((2010, 2015, 2020))
    ]
    series = pd.DataFrame(rows, columns=["region_id", "region_name", "year", "quantity", "unit", "value"])
    tables.write_table(series, folder / "series.csv")
    manifest.write(folder, {"kind": "change", "epochs": [2010, 2015, 2020], "study": {"across_break": False}})
    return folder


# ------------------------------------------------------------------------------------------ value

OWN = ("--price", 100, "--per", "c", "--currency", "CNY")


def test_value_of_a_run_by_region_and_process(change, tmp_path):
    out = tmp_path / "new" / "value.csv"
    shown = say("value", change, *OWN, "--discount", 3, "--out", out)
    assert LABEL in shown
    assert "甲县" in shown
    assert "within the errors" in shown
    t = read(out)
    assert set(t["label"]) == {LABEL}
    assert set(t["currency"]) == {"CNY"}
    row = t[(t["region_id"] == "0101") & (t["process"] == "all") & (t["year_from"] == 2010)].iloc[0]
    assert row["change_mg_c"] == 200
    assert row["value_undiscounted"] == pytest.approx(20_000)
    assert row["value_present"] == pytest.approx(sum(4000 / 1.03**k for k in range(1, 6)))
    whole = t[(t["region_id"] == "total") & (t["process"] == "all")]
    assert whole["change_mg_c"].tolist() == [260, 110]  # the span of ten years is not counted on top
    assert t.loc[t["process"] == "deforestation", "value_present"].lt(0).all()


def test_value_as_json_with_a_price_set_and_a_horizon(change):
    found = json.loads(say("value", change, "--price-set", "epa_2023_2.0", "--horizon", 2030, "--json"))
    assert found["label"] == LABEL
    assert {r["basis"] for r in found["rows"]} == {"observed", "continued"}
    assert {r["currency"] for r in found["rows"]} == {"2020 USD"}
    assert any("begins in 2020" in n for n in found["notes"])


def test_only_what_has_come_about(change):
    def worth(*more):
        rows = json.loads(say("value", change, *OWN, "--json", *more))["rows"]
        return next(r["value_present"] for r in rows if r["region_id"] == "total" and r["process"] == "all")

    assert worth("--in-period") == pytest.approx(worth() / 2)


def test_totals_of_invest_users_in_its_own_formula(tmp_path):
    path = tmp_path / "totals.csv"
    path.write_bytes("region_id;region_name;year_from;year_to;change_mg_c\n01;甲县;2016;2030;-0.58\n".encode("gb18030"))
    found = json.loads(
        say("value", path, "--price", 43, "--per", "c", "--currency", "USD", "--discount", -7.1, "--price-growth", 2.8,
            "--formula", "invest", "--json")
    )  # fmt: skip
    assert found["rows"][0]["value_present"] == pytest.approx(-34.2208, abs=5e-5)
    assert found["rows"][0]["region_name"] == "甲县"


def test_a_price_path_from_a_file(change, tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("year,price\n2011,10\n2015,30\n", encoding="utf-8")
    rows = json.loads(say("value", change, "--prices", path, "--per", "c", "--currency", "CNY", "--json"))["rows"]
    assert rows[0]["value_undiscounted"] == pytest.approx(200 * 20)


def test_without_a_run_the_price_sets():
    shown = say("value")
    assert "epa_2023_2.0" in shown
    assert "CNY per Mg CO2" in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "no price is given"),
        (("--price", 1), "needs --per"),
        ((*OWN, "--price-set", "epa_2023_2.0"), "are given; give one"),
        (("--price-set", "epa_2023_2.0", "--currency", "CNY"), "leave out --per and --currency"),
        (("--price-set", "nothing"), "known:"),
        ((*OWN, "--discount", -100), "above −100"),
        ((*OWN, "--out", "value.xlsx"), ".csv or .parquet"),
        ((*OWN, "--formula", "invest"), "one pair of years"),
    ],
)
def test_value_says_what_is_wrong(change, options, said):
    assert said in say("value", change, *options, code=2)


def test_value_of_what_is_no_run(tmp_path):
    assert "there is no transitions.csv" in say("value", tmp_path, *OWN, code=2)
    assert "there is no fluxes.csv" in say("value", tmp_path, *OWN, "--in-period", code=2)
    path = tmp_path / "t.csv"
    path.write_text("region_id,year_from,year_to,change_mg_c\na,2010,2020,ten\n", encoding="utf-8")
    assert "line 2: change_mg_c is 'ten'" in say("value", path, *OWN, code=2)
    path.write_text("region_id,year_from,year_to\na,2010,2020\n", encoding="utf-8")
    assert "lacks the column(s) change_mg_c" in say("value", path, *OWN, code=2)


# ------------------------------------------------------------------------------------------ track


def test_the_official_series_without_a_run():
    shown = say("track", "--target-year", 2030)
    assert "new basis" in shown
    assert shown.count("reached") == 2
    assert "no target is set for 2031" in say("track", "--target-year", 2031, code=2)


def test_track_of_a_change_run(change, tmp_path):
    out = tmp_path / "track"
    shown = say("track", change, "--target-year", 2030, "--out", out)
    assert "on track" in shown or "reached" in shown
    t = read(out / "track.csv")
    row = t[(t["region_id"] == "0101") & (t["quantity"] == "coverage_percent")].iloc[0]
    assert (row["role"], row["article"], row["target_value"]) == ("reference", "II", 25)
    assert row["pace"] == pytest.approx(0.2)
    assert row["pace_needed"] == pytest.approx(0.1)
    assert row["pace_ratio"] == pytest.approx(2)
    assert row["status"] == "on track"
    carbon = t[t["quantity"] == "carbon_total"]
    assert carbon["target_value"].isna().all()
    assert carbon["pace"].tolist() == pytest.approx([2000, 2000])
    years = read(out / "yearly.csv")
    assert len(years) == 4 * 11
    assert years["change"].dropna().min() == pytest.approx(0.2)


def test_track_as_json_and_geometric(change):
    found = json.loads(say("track", change, "--interpolation", "geometric", "--json"))
    assert {r["pace_unit"] for r in found["track"]} == {"percent yr-1"}
    assert {r["interpolation"] for r in found["yearly"]} == {"geometric"}


def test_epochs_of_different_methods_are_a_break(change):
    epochs = [
        {"year": y, "legend": g, "parameters": "china"}
        for y, g in ((2010, "clcd"), (2015, "globeland"), (2020, "globeland"))
    ]
    manifest.write(change, {"kind": "change", "study": {"across_break": True, "epochs": epochs}})
    rows = json.loads(say("track", change, "--json"))["track"]
    assert {(r["year_from"], r["breaks"]) for r in rows} == {(2015, "2015")}
    flagged = json.loads(say("track", change, "--json", "--across-break"))["track"]
    assert all(r["across_break"] and r["year_from"] == 2010 for r in flagged)


def test_a_series_of_ones_own_with_targets(tmp_path):
    own, goals = tmp_path / "series.csv", tmp_path / "targets.csv"
    own.write_text(
        "region_id,quantity,unit,year,value,se\n01,stock_volume,亿立方米,2015,1.0,0.01\n01,stock_volume,亿立方米,2020,1.2,0.01\n",
        encoding="utf-8",
    )
    goals.write_text("region_id,indicator,year,value,unit\n01,forest_stock,2030,1.5,亿立方米\n", encoding="utf-8")
    (row,) = json.loads(say("track", own, "--targets", goals, "--json"))["track"]
    assert (row["role"], row["status"], row["unit"]) == ("own", "on track", "m3")
    assert row["pace"] == pytest.approx(4e6)
    assert row["pace_needed"] == pytest.approx(3e6)
    assert row["projected"] == pytest.approx(1.6e8)


@pytest.fixture(scope="module")
def assessed(tmp_path_factory):
    """The same land in two years, its biomass grown by a fifth."""
    folder = tmp_path_factory.mktemp("runs")
    given = scenes.small(folder)
    runs = []
    for year, factor in ((2010, 1.0), (2020, 1.2)):
        runs.append(folder / str(year))
        agb = scenes.write_raster(folder / f"agb{year}.tif", _scaled(given["agb"], factor), nodata=-9999.0)
        options = [f"--{k}={v}" for k, v in {**given, "agb": agb}.items()]
        say(
            "assess",
            *options,
            "--legend=worldcover",
            "--year",
            year,
            "--maps=none",
            "--quiet",
            "--out",
            runs[-1],
            group=main,
        )
    return runs


def _scaled(path, factor):
    import rasterio

    with rasterio.open(path) as d:
        data = d.read(1)
    return np.where(data == -9999, data, data * np.float32(factor))


def test_two_assessments_are_two_epochs(assessed, tmp_path):
    out = tmp_path / "out"
    shown = say("track", *reversed(assessed), "--out", out)
    assert "taken as independent" in shown
    t = read(out / "track.csv").set_index(["region_id", "quantity"])
    stock = t.loc[("total", "stock_volume")]
    account = [tables.read_account(r) for r in assessed]
    values = [a.strata.loc[a.strata["ecosystem"] == "forest", "stock_volume"].sum() for a in account]
    assert (stock["year_from"], stock["year_to"]) == (2010, 2020)
    assert stock["value"] == pytest.approx(values[1])
    assert stock["pace"] == pytest.approx((values[1] - values[0]) / 10)
    carbon = t.loc[("0102", "carbon_total")]
    assert carbon["pace"] > 0
    assert carbon["pace_se"] > 0
    assert t.loc[("total", "coverage_percent"), "pace"].tolist() == [0, 0]


def test_assessments_of_two_legends_are_no_series(assessed, tmp_path):
    other = tmp_path / "2025"
    other.mkdir()
    for name in ("account_sums.parquet", "accounts.parquet", "coverage.csv"):
        (other / name).write_bytes((assessed[1] / name).read_bytes())
    about = manifest.read(assessed[1])
    about["study"] |= {"year": 2025, "legend": "esri"}
    manifest.write(other, about)
    rows = json.loads(say("track", *assessed, other, "--json"))["track"]
    assert all(r["breaks"] == "2025" and r["pace"] is None for r in rows)
    assert all("1 epoch on this basis" in r["note"] for r in rows)


def test_track_says_what_is_wrong(assessed, change, tmp_path):
    assert "one assessment is one epoch" in say("track", assessed[0], code=2)
    assert "both stand for 2010" in say("track", assessed[0], assessed[0], code=2)
    assert "give it alone" in say("track", change, assessed[0], code=2)
    assert "there is no manifest.json" in say("track", assessed[0], tmp_path, code=2)
    assert "no target document" in say("track", "--target-document", "none", code=2)


# ------------------------------------------------------------------------------------------ tables


def test_a_tidy_table_reads_the_same_as_csv_and_parquet(tmp_path):
    frame = pd.DataFrame({"id": ["01", "02"], "name": ["甲", ""], "value": [1.5, np.nan]})
    for name in ("a.csv", "a.parquet"):
        tables.write_table(frame, tmp_path / name)
        found = tidyfile.read_tidy(tmp_path / name, ("id",), ("value", "absent"))
        pd.testing.assert_frame_equal(found, frame, check_dtype=False)


@pytest.mark.parametrize(("name", "raw"), [("a.csv", b"id,value\n1,x\n"), ("a.csv", b"id\n1\n"), ("a.parquet", b"no")])
def test_a_bad_table_is_refused(tmp_path, name, raw):
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(InputError, match=name):
        tidyfile.read_tidy(tmp_path / name, ("value",), ("value",))
