"""Parameter sets as files: what is exported comes back the same, edits are the user's, slips are told by line."""

import csv
import io
import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.errors import InputError
from sinks.parameterfiles import diff, export, read_back, split_base, summary, titles
from sinks.parameters import (
    SET_NAMES,
    TIERS,
    Coefficient,
    ParameterSet,
    Table,
    parameter_set,
    table,
    table_text,
    with_overrides,
)

HAND = "topic,region,year,parameter,value,low,high,unit,source\n"
CARBON = {"ecosystem": "forest", "component": "agb"}


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def written(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def edited(change: Callable[[list[dict[str, str]]], object], name: str = "ipcc") -> str:
    """An exported set after a change to its rows."""
    rows = records(export(parameter_set(name)))
    change(rows)
    return written(rows)


def where(rows: list[dict[str, str]], **cells: str) -> dict[str, str]:
    found = [row for row in rows if all(row[k] == v for k, v in cells.items())]
    assert len(found) == 1, (cells, len(found))
    return found[0]


def forest_carbon(rows: list[dict[str, str]]) -> dict[str, str]:
    return where(
        rows, topic="carbon_fraction", scheme="ipcc_2006", ecosystem="forest", forest_type="any", component="any"
    )


# ---------------------------------------------------------------------------- unedited


BACK: dict[str, ParameterSet] = {name: read_back(export(parameter_set(name)), "mine.csv") for name in SET_NAMES}


@st.composite
def lookups(draw: st.DrawFn) -> tuple[str, str, str, dict[str, str], bool, tuple[str, ...] | None]:
    """A question that may or may not have an answer: keys of a row of the table, some changed, some left out."""
    name = draw(st.sampled_from(SET_NAMES))
    topic = draw(st.sampled_from([t for t in parameter_set(name).topics() if table(t).rows]))
    rows = table(topic).rows
    row = draw(st.sampled_from(rows))
    keys = {}
    for column in table(topic).key_columns:
        if column != "scheme" and draw(st.booleans()):
            other = draw(st.sampled_from(rows)) if draw(st.integers(0, 3)) == 0 else row
            keys[column] = other.keys[column]
    schemes = draw(st.none() | st.sampled_from([(row.keys["scheme"],)]))
    return name, topic, row.coefficient.name, keys, draw(st.booleans()), schemes


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lookups())
def test_a_file_passed_back_unedited_answers_every_question_alike(lookup) -> None:
    name, topic, parameter, keys, unverified, schemes = lookup
    one, two = (
        replace(s, settings={**s.settings, "use_unverified": unverified}) for s in (parameter_set(name), BACK[name])
    )
    assert two.rows(topic, parameter, schemes, **keys) == one.rows(topic, parameter, schemes, **keys)


@pytest.mark.parametrize("name", SET_NAMES)
def test_every_row_of_an_unedited_file_is_the_built_in_one(name: str) -> None:
    chosen, back = parameter_set(name), BACK[name]
    for topic in chosen.topics():
        assert all(a is b for a, b in zip(back.table(topic).rows, table(topic).rows, strict=True))
    assert (back.settings, back.schemes, back.keys, back.overrides) == (
        chosen.settings,
        chosen.schemes,
        chosen.keys,
        {},
    )
    assert diff(chosen, back) == []
    assert summary(back) == f"the set {name}, nothing changed"


@pytest.mark.parametrize("name", SET_NAMES)
def test_an_export_holds_every_row_that_the_set_can_use_once(name: str) -> None:
    chosen = parameter_set(name)
    rows = records(export(chosen))
    assert {row["set"] for row in rows} == {name}
    for topic in chosen.topics():
        mine = [row for row in rows if row["topic"] == topic]
        wanted = [r for r in table(topic).rows if r.keys["scheme"] in chosen.usable(topic)]
        assert len(mine) == len(wanted)
        order = list(dict.fromkeys(row["scheme"] for row in mine))
        assert order == [s for s in chosen.usable(topic) if s in order]
        assert all(row["tier"] in TIERS and row["unit"] and row["source"] and row["status"] for row in mine)
    assert any(row["status"] == "unverified" for row in rows)
    assert all(row["value"] not in ("", "nan") for row in rows)


def test_factors_of_the_edition_that_a_reference_stock_comes_from_are_exported_too() -> None:
    """Cropland on a soil that only the Wetlands Supplement has asks for that edition's factors by name."""
    chosen = parameter_set("ipcc")
    assert chosen.schemes["soil_factors"] == ("ipcc_2019r",)
    assert set(chosen.usable("soil_factors")) == {"ipcc_2019r", "ipcc_2013ws", "ipcc_2006"}
    text = edited(
        lambda rows: [rows.remove(r) for r in list(rows) if r["topic"] == "soil_factors" and r["scheme"] == "ipcc_2006"]
    )
    back = read_back(text, "mine.csv")
    keys = next(r.keys for r in table("soil_factors").rows if r.keys["scheme"] == "ipcc_2006")
    asked = {k: v for k, v in keys.items() if k != "scheme" and v != "any"}
    assert chosen.rows("soil_factors", "factor", ("ipcc_2006",), **asked)
    assert not back.rows("soil_factors", "factor", ("ipcc_2006",), **asked)


# ---------------------------------------------------------------------------- spreadsheets


def as_is(text: str) -> str:
    return text


SPREADSHEETS = {
    "saved as it was": as_is,
    "without the mark": lambda t: t.removeprefix("\ufeff"),
    "Unix line ends": lambda t: t.replace("\r\n", "\n"),
    "old Mac line ends": lambda t: t.replace("\r\n", "\r"),
    "semicolons": lambda t: "\ufeff" + written(records(t), ";"),
    "tabs": lambda t: written(records(t), "\t"),
    "first line sep=;": lambda t: "sep=;\r\n" + written(records(t), ";"),
    "empty columns at the end": lambda t: "\r\n".join(f"{line},,," for line in t.rstrip().split("\r\n")),
    "empty lines": lambda t: t.replace("\r\n", "\r\n\r\n", 40) + "\r\n,,,,,\r\n" + "," * 60 + "\r\n",
    "every cell quoted": lambda t: "\r\n".join(
        ",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row)
        for row in csv.reader(io.StringIO(t.removeprefix("\ufeff"), newline=""))
    ),
    "spaces": lambda t: written([{k: f" {v} " for k, v in r.items()} for r in records(t)]),
    "numbers written otherwise": lambda t: written(
        [
            r
            | {
                k: f"{float(r[k]):.6f}"
                for k in ("value", "depth_cm", "volume_min", "agb_min", "agb_max")
                if r[k] not in ("", "any")
            }
            for r in records(t)
        ]
    ),
    "eleven digits": lambda t: written([r | {"value": f"{float(r['value']):.11g}"} for r in records(t)]),
    "sorted by value": lambda t: written(sorted(records(t), key=lambda r: float(r["value"]))),
    "columns moved": lambda t: written([dict(reversed(r.items())) for r in records(t)]),
    "translations lost": lambda t: t.removeprefix("\ufeff").encode("ascii", "replace").decode("ascii"),
    "notes and places taken out": lambda t: written([r | {"note": "", "locator": ""} for r in records(t)]),
    "the column tier taken out": lambda t: written([{k: v for k, v in r.items() if k != "tier"} for r in records(t)]),
}


@pytest.mark.parametrize("habit", SPREADSHEETS)
def test_what_spreadsheets_do_changes_no_number(habit: str) -> None:
    chosen = parameter_set("china")
    back = read_back(SPREADSHEETS[habit](export(chosen)), "mine.csv")
    assert diff(chosen, back) == []
    for topic in chosen.topics():
        assert back.table(topic).rows == table(topic).rows


def comma(rows: list[dict[str, str]]) -> None:
    forest_carbon(rows)["value"] = "0,47"


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_decimal_comma_is_told(delimiter: str) -> None:
    rows = records(export(parameter_set("ipcc")))
    comma(rows)
    with pytest.raises(InputError, match=r"mine.csv, line 2: value is '0,47', .*write decimals with a point"):
        read_back(written(rows, delimiter), "mine.csv")


def test_a_decimal_comma_without_quotes_is_told() -> None:
    with pytest.raises(InputError, match=r"mine.csv, line 2: 'me' stands in no column; .*decimals with a point"):
        read_back(HAND + "volume_ratio,china,2020,agb_per_volume,0,74,,,Mg m-3,me\n", "mine.csv")


def test_a_line_that_became_one_cell_is_told() -> None:
    text = "\r\n".join(
        f'"{line}"' for line in (HAND + "volume_ratio,china,2020,agb_per_volume,1,,,Mg m-3,me").split("\n")
    )
    with pytest.raises(InputError, match=r"mine.csv: every line is one quoted cell; import it"):
        read_back(text, "mine.csv")


# ---------------------------------------------------------------------------- edits


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        ({"value": "0.48"}, 0.48), ({"low": "0.45"}, 0.47), ({"high": ""}, 0.47), ({"low": "", "high": ""}, 0.47),
        ({"status": "derived"}, 0.47), ({"status": ""}, 0.47),
    ],
)  # fmt: skip
def test_an_edited_row_is_the_user_s(cells: dict[str, str], value: float) -> None:
    back = read_back(edited(lambda rows: forest_carbon(rows).update(cells)), "mine.csv")
    found = back.find("carbon_fraction", "carbon_fraction", **CARBON)
    assert (found.value, found.status, found.tier, found.source) == (value, "user", "user", "user")
    assert found.locator == "mine.csv, line 2; instead of 0.47 [ipcc_2006, Vol. 4 Table 4.3]"
    assert found.cite().endswith("; user]")
    assert back.find("carbon_fraction", "carbon_fraction", ecosystem="mangrove").tier == "tier1"
    assert summary(back) == "1 changed against the set ipcc"


def test_an_edited_row_keeps_the_source_that_the_user_gives() -> None:
    back = read_back(
        edited(lambda rows: forest_carbon(rows).update(value="0.48", source="our lab", locator="p. 3")), "m.csv"
    )
    found = back.find("carbon_fraction", "carbon_fraction", **CARBON)
    assert found.cite() == "carbon_fraction = 0.48 Mg C (Mg d.m.)-1 [our lab, p. 3; user]"


def test_an_unverified_number_that_the_user_takes_over_is_used() -> None:
    keys = {"ecosystem": "mangrove", "soil": "organic", "depth_cm": "100"}
    built_in = parameter_set("ipcc")
    assert built_in.find("density", "soc", **keys).value == 386  # the confirmed row for any soil

    def take(rows: list[dict[str, str]]) -> None:
        where(rows, topic="density", scheme="ipcc_2013ws", parameter="soc", **keys)["status"] = "user"

    back = read_back(edited(take), "mine.csv")
    assert back.find("density", "soc", **keys).value == 471


def test_a_deleted_row_is_gone_and_a_missing_combination_is_named() -> None:
    def delete(rows: list[dict[str, str]]) -> None:
        rows[:] = [r for r in rows if r["topic"] != "volume_ratio"]

    back = read_back(edited(delete), "mine.csv")
    with pytest.raises(
        InputError, match=r"'ipcc\+mine.csv' has no agb_per_volume for region=china, year=2020 in table 'volume_ratio'"
    ):
        back.find("volume_ratio", "agb_per_volume", region="china", year="2020")
    assert summary(back) == "5 removed against the set ipcc"


def test_the_next_scheme_answers_when_a_row_of_the_first_is_deleted() -> None:
    keys = {"ecosystem": "forest", "climate": "cool_temperate_moist", "soil": "HAC", "depth_cm": "30"}

    def delete(rows: list[dict[str, str]]) -> None:
        cells = {"climate": "cool_temperate_moist", "soil": "HAC", "depth_cm": "30"}
        rows.remove(where(rows, topic="density", scheme="ipcc_2019r", parameter="soc", **cells))

    assert parameter_set("ipcc").find("density", "soc", **keys).value == 81
    assert read_back(edited(delete), "mine.csv").find("density", "soc", **keys).value == 95


def test_an_added_row_without_a_scheme_wins_over_all() -> None:
    def add(rows: list[dict[str, str]]) -> None:
        new = dict.fromkeys(rows[0], "")
        rows.append(new | {"topic": "carbon_fraction", "parameter": "carbon_fraction", "value": "0.5", "unit": "Mg C (Mg d.m.)-1",
                           "source": "me", "ecosystem": "forest"})  # fmt: skip

    back = read_back(edited(add), "mine.csv")
    found = back.find("carbon_fraction", "carbon_fraction", **CARBON)
    assert (found.value, found.tier, found.status) == (0.5, "user", "user")
    assert back.find("carbon_fraction", "carbon_fraction", component="litter", ecosystem="forest").value == 0.5
    assert back.find("carbon_fraction", "carbon_fraction", ecosystem="mangrove").value == 0.451
    again = read_back(export(back), "again.csv")
    assert again.find("carbon_fraction", "carbon_fraction", **CARBON).value == 0.5
    assert [c.kind for c in diff(back, again)] == []


def test_an_added_row_of_a_scheme_is_looked_up_with_it() -> None:
    def add(rows: list[dict[str, str]]) -> None:
        row = forest_carbon(rows) | {
            "forest_type": "bamboo",
            "component": "agb",
            "value": "0.46",
            "low": "",
            "high": "",
        }
        rows.append(row)

    back = read_back(edited(add), "mine.csv")
    found = back.find("carbon_fraction", "carbon_fraction", forest_type="bamboo", **CARBON)
    assert (found.value, found.tier, found.status) == (0.46, "user", "user")
    assert back.find("carbon_fraction", "carbon_fraction", **CARBON).value == 0.47
    assert summary(back) == "1 added against the set ipcc"


def test_an_edited_set_can_be_exported_and_read_again() -> None:
    def change(rows: list[dict[str, str]]) -> None:
        forest_carbon(rows)["value"] = "0.48"
        rows.remove(where(rows, topic="volume_ratio", region="china", year="2020"))

    back = read_back(edited(change), "mine.csv")
    again = read_back(export(back), "again.csv")
    assert [c.kind for c in diff("ipcc", again)] == ["changed", "removed"]
    assert again.find("carbon_fraction", "carbon_fraction", **CARBON).value == 0.48


# ---------------------------------------------------------------------------- slips


def wrong_unit(rows: list[dict[str, str]]) -> None:
    forest_carbon(rows).update(value="470", low="", high="", unit="g kg-1")


def twice(rows: list[dict[str, str]]) -> None:
    rows.insert(9, dict(forest_carbon(rows)))


def twice_in_front(rows: list[dict[str, str]]) -> None:
    rows += [dict(forest_carbon(rows)) | {"scheme": ""} for _ in range(2)]


SLIPS: dict[str, tuple[Callable[[list[dict[str, str]]], object], str]] = {
    "unit": (wrong_unit, r"line 2: carbon_fraction is in 'g kg-1', but table 'carbon_fraction' holds it in 'Mg C"),
    "no unit": (lambda rows: forest_carbon(rows).update(unit=""), "line 2: the unit is empty"),
    "outside": (lambda rows: forest_carbon(rows).update(value="0.6"), r"line 2: the value 0.6 lies outside its range 0.44 to 0.49"),
    "low above high": (lambda rows: forest_carbon(rows).update(low="0.5", high="0.4"), r"low \(0.5\) is above high"),
    "empty value": (lambda rows: forest_carbon(rows).update(value=""), "line 2: the value is empty"),
    "infinite": (lambda rows: forest_carbon(rows).update(value="inf"), "line 2: the value is not finite"),
    "no number": (lambda rows: forest_carbon(rows).update(value="#REF!"), "line 2: value is '#REF!', which is not a number"),
    "topic": (lambda rows: forest_carbon(rows).update(topic="carbon_fractions"), "line 2: unknown topic.*did you mean 'carbon_fraction'"),
    "methods": (lambda rows: forest_carbon(rows).update(topic="growing_stock"), "line 2: unknown topic 'growing_stock'"),
    "parameter": (lambda rows: forest_carbon(rows).update(parameter="carbon_fractoin"), "line 2: .*no parameter.*did you mean 'carbon_fraction'"),
    "scheme": (lambda rows: forest_carbon(rows).update(scheme="jilin2016"), "line 2: the set 'ipcc' takes no scheme 'jilin2016'.*leave the scheme empty"),
    "status": (lambda rows: forest_carbon(rows).update(status="sure"), "line 2: status 'sure' is not one of"),
    "key of another table": (lambda rows: forest_carbon(rows).update(volume_min="20"), "line 2: .*no key column volume_min"),
    "twice": (twice, "line 11: the same keys as in line 2"),
    "twice in front": (twice_in_front, r"line \d+: the same keys as in line \d+"),
    "two sets": (lambda rows: rows[5].update(set="china"), "line 7: the set is 'china', but 'ipcc' above"),
    "unknown set": (lambda rows: [r.update(set="ipccc") for r in rows], "line 2: there is no parameter set 'ipccc'.*did you mean 'ipcc'"),
    "no set": (lambda rows: [r.update(set="") for r in rows], "the column 'set' is empty"),
    "no scheme": (lambda rows: [r.pop("scheme") for r in rows], "needs a column 'scheme' too"),
    "no topic": (lambda rows: [r.pop("topic") for r in rows], "needs a column 'topic' too"),
    "no value": (lambda rows: [r.pop("value") for r in rows], r"lacks the column\(s\) value"),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_with_its_line(slip: str) -> None:
    change, said = SLIPS[slip]
    with pytest.raises(InputError, match=said) as caught:
        read_back(edited(change), "mine.csv")
    assert str(caught.value).startswith("mine.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "mine.csv: the file is empty"),
        (HAND, "mine.csv: there is no row below"),
        ("topic,value,value,unit,source,parameter\n", "the column 'value' occurs twice"),
        ("parameter,value,unit,source\nx,1,m,me\n", "needs a column 'topic'"),
        (HAND + 'volume_ratio,china,2020,agb_per_volume,1,,,t,"me\n', "line 2"),
        (HAND + "\n\nvolume_ratio,china,2020,agb_per_volume,1,,,t m-3,me\n", "line 4: agb_per_volume is in 't m-3'"),
    ],
)
def test_a_slip_of_a_hand_written_file_is_told(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_back(text, "mine.csv")


# ---------------------------------------------------------------------------- hand-written files and bases


def test_a_hand_written_file_goes_in_front_of_a_set() -> None:
    text = HAND + "volume_ratio,china,2020,agb_per_volume,0.8,0.7,0.9,Mg m-3,me\n"
    for base, otherwise, name in (("", "china", "china"), ("", "ipcc", "ipcc"), ("ipcc", "china", "ipcc")):
        chosen = read_back(text, "mine.csv", base, otherwise)
        assert (chosen.base, chosen.name) == (name, f"{name}+mine.csv")
        found = chosen.find("volume_ratio", "agb_per_volume")
        assert (found.value, found.low, found.high, found.tier, found.status) == (0.8, 0.7, 0.9, "user", "user")
        assert chosen.schemes == parameter_set(name).schemes
        assert chosen == with_overrides(parameter_set(name), text, "mine.csv")


def test_an_exported_file_knows_its_set() -> None:
    text = export(parameter_set("ipcc"))
    assert read_back(text, "mine.csv").base == "ipcc"
    assert read_back(text, "mine.csv", "ipcc").base == "ipcc"
    with pytest.raises(InputError, match=r"was exported from the set 'ipcc', not 'china'; write ipcc:mine\.csv"):
        read_back(text, "mine.csv", "china")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("ipcc:mine.csv", ("ipcc", "mine.csv")), ("china:a/b.csv", ("china", "a/b.csv")), ("mine.csv", ("", "mine.csv")),
        ("C:\\mine.csv", ("", "C:\\mine.csv")), ("ipcc", ("", "ipcc")), ("ipcc:", ("", "ipcc:")), ("invest:p.csv", ("", "invest:p.csv")),
    ],
)  # fmt: skip
def test_the_base_of_a_file_can_be_named(wanted: str, found: tuple[str, str]) -> None:
    assert split_base(wanted) == found


# ---------------------------------------------------------------------------- differences


def test_two_built_in_sets_differ_by_the_rows_of_schemes_that_one_does_not_take() -> None:
    changes = diff("ipcc", "china")
    assert {c.kind for c in changes} == {"added", "removed"}
    assert all(c.relative is None for c in changes)
    swapped = {"added": "removed", "removed": "added"}
    back = {(c.topic, c.parameter, *c.keys.items(), swapped[c.kind]) for c in diff("china", "ipcc")}
    assert back == {(c.topic, c.parameter, *c.keys.items(), c.kind) for c in changes}
    schemes = {"ipcc": set(), "china": set()}
    for name, found in schemes.items():
        found.update((t, s) for t in parameter_set(name).topics() for s in parameter_set(name).usable(t))
    assert {(c.topic, c.keys["scheme"]) for c in changes} <= schemes["ipcc"] ^ schemes["china"]


def test_a_change_has_old_and_new_value_and_how_much() -> None:
    back = read_back(edited(lambda rows: forest_carbon(rows).update(value="0.48")), "mine.csv")
    (change,) = diff("ipcc", back)
    assert (change.kind, change.topic, change.parameter) == ("changed", "carbon_fraction", "carbon_fraction")
    assert dict(change.keys) == {"scheme": "ipcc_2006", "ecosystem": "forest"}
    assert change.old is not None
    assert change.new is not None
    assert (change.old.value, change.new.value) == (0.47, 0.48)
    assert change.relative == pytest.approx(0.01 / 0.47)
    (back_again,) = diff(back, "ipcc")
    assert back_again.relative == pytest.approx(-0.01 / 0.48)
    assert change.as_dict()["new"]["tier"] == "user"
    assert change.as_dict()["old"]["low"] == 0.44


def test_a_row_in_front_is_held_against_what_the_other_set_answers() -> None:
    text = (
        HAND
        + "volume_ratio,china,2020,agb_per_volume,0.8,,,Mg m-3,me\nvolume_ratio,nowhere,1990,agb_per_volume,1,,,Mg m-3,me\n"
    )
    own = read_back(text, "mine.csv", "ipcc")
    changed, added = diff("ipcc", own)
    assert (changed.kind, changed.old and changed.old.source, changed.new and changed.new.source) == (
        "changed",
        "fao_fra2020_china",
        "me",
    )
    assert changed.relative == pytest.approx(0.8 / 0.742 - 1, abs=1e-3)
    assert (added.kind, added.old) == ("added", None)
    assert [c.kind for c in diff(own, "ipcc")] == ["changed", "removed"]


def test_a_class_in_front_is_held_against_the_same_class() -> None:
    text = (
        "topic,bcef_zone,bcef_type,volume_min,volume_max,parameter,value,unit,source\n"
        "bcef,boreal,pines,20,50,bcef_s,0.7,Mg m-3,me\n"
    )
    (change,) = diff("ipcc", read_back(text, "mine.csv", "ipcc"))
    assert change.old is not None
    assert (change.kind, change.old.value) == ("changed", 0.68)


def test_a_value_of_zero_has_no_relative_change() -> None:
    def change(rows: list[dict[str, str]]) -> None:
        where(rows, topic="cropland", land_use="paddy", parameter="agb_carbon")["value"] = "1"

    (found,) = diff("ipcc", read_back(edited(change), "mine.csv"))
    assert (found.kind, found.relative) == ("changed", None)


# ---------------------------------------------------------------------------- tiers, lookups, sources


def test_a_citation_shows_the_tier() -> None:
    found = parameter_set("ipcc").find("carbon_fraction", "carbon_fraction", **CARBON)
    assert found.tier == "tier1"
    assert found.cite() == "carbon_fraction = 0.47 Mg C (Mg d.m.)-1 [ipcc_2006, Vol. 4 Table 4.3; tier1; confirmed]"
    assert parameter_set("china").find("volume_ratio", "agb_per_volume").tier == "national"
    assert Coefficient("x", 1.0, "1", "me").tier == "user"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_index_finds_what_a_look_at_every_row_finds(data: st.DataObject) -> None:
    known: Table = table(
        data.draw(st.sampled_from(["root_shoot", "density", "bcef", "soil_factors", "choices", "cbef"]))
    )
    row = data.draw(st.sampled_from(known.rows))
    keys = {k: v for k, v in row.keys.items() if data.draw(st.booleans())}
    slow = []
    for each in known.rows:
        used = {k: v for k, v in each.keys.items() if v not in ("any", "") and not k.endswith(("_min", "_max", "_zh"))}
        if each.coefficient.name == row.coefficient.name and all(keys.get(k) == v for k, v in used.items()):
            edges = sum(
                1 for k, v in each.keys.items() if k.endswith(("_min", "_max", "_zh")) and v and keys.get(k) == v
            )
            slow.append((-len(used) - edges, each))
    slow.sort(key=lambda item: item[0])
    assert known.matches(row.coefficient.name, keys) == [each for _, each in slow]


def test_a_set_read_back_travels_to_workers() -> None:
    back = read_back(edited(lambda rows: forest_carbon(rows).update(value="0.48")), "mine.csv")
    back.find("carbon_fraction", "carbon_fraction", **CARBON)
    there = pickle.loads(pickle.dumps(back))
    assert diff(back, there) == []
    assert there.find("carbon_fraction", "carbon_fraction", **CARBON).value == 0.48


def test_every_source_has_a_title() -> None:
    known = titles()
    assert [source for source, title in known.items() if not title] == []
    assert known["fang2001"].startswith("Changes in forest biomass carbon storage in China")
    assert table_text("sources.bib").count("\n@") == len(known)
    assert not any("{" in title for title in known.values())
