"""InVEST's carbon pool table: its own test's numbers, and every way in which a table can be wrong."""

import numpy as np
import pytest

from sinks.errors import InputError
from sinks.invest import read_pools
from sinks.parameters import parameter_set
from sinks.plug import Cover, Options, Stratum
from sinks.quantities import POOL_KEYS
from sinks.strata import compile_stratum

PUBLISHED = "lucode,C_above,C_below,C_soil,C_dead\n1,15,10,60,1\n2,5,3,20,0\n3,2,1,5,0\n"


def total(text: str, code: str, present: frozenset[str] = frozenset()) -> float:
    plug = read_pools(text, "pools.csv").plug()
    stratum = Stratum(Cover("forest", "mixed", code=code), climate="warm_temperate_moist", present=present)
    pieces = compile_stratum(stratum, ("agb", "soc"), parameter_set("ipcc"), Options(soil_depth_cm=30), plug)
    assert pieces.lines.shape[0] == 1
    assert (pieces.of("carbon_total")[:, 1:] == 0).all()
    return float(pieces.of("carbon_total")[0, 0])


@pytest.mark.parametrize(("code", "storage"), [("1", 86), ("2", 28), ("3", 8)])
def test_storage_of_invest_own_test_carbon_py(code: str, storage: float) -> None:
    assert total(PUBLISHED, code) == storage


def test_totals_of_invest_own_test_carbon_py() -> None:
    hectares = 100 * 1 / 10_000
    baseline, alternate = total(PUBLISHED, "1") * hectares, total(PUBLISHED, "2") * hectares
    assert (baseline, alternate) == pytest.approx((0.86, 0.28))
    assert alternate - baseline == pytest.approx(-0.58)


def test_layers_do_not_change_what_the_table_says() -> None:
    assert total(PUBLISHED, "1", frozenset({"agb", "soc"})) == 86


def test_pools_go_to_their_own_names_and_are_cited_as_the_user_s() -> None:
    plug = read_pools(PUBLISHED, "pools.csv").plug()
    c = plug.coefficients(Stratum(Cover("water", code="1")), parameter_set("china"), Options())
    found = plug.equations({}, c)
    assert found == {"carbon_agb": 15, "carbon_bgb": 10, "carbon_soil": 60, "carbon_deadwood": 1}
    assert set(found) < set(POOL_KEYS)
    assert {x.source for x in c.values.values()} == {"user"}
    assert c.values["carbon_soil"].cite() == "carbon_soil = 60 Mg C ha-1 [user, pools.csv, c_soil; user]"
    assert c.values["carbon_soil"].where == "row 2"


def test_an_unknown_code_is_named_like_invest_does() -> None:
    with pytest.raises(InputError, match=r"land-cover code 200 is not in pools\.csv"):
        total(PUBLISHED, "200")


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffLUCODE,LULC_name,c_ABOVE,C_below,c_soil,C_Dead\n1,林地,15,10,60,1\n",
        "C_dead,C_soil,C_below,C_above,lucode\r\n1,60,10,15,1\r\n\r\n,,,,\r\n",
        ' lucode , C_above,C_below,C_soil,C_dead,note\n1.0, 15 ,1e1,60,1,"a, b"\n',
    ],
)
def test_headers_of_any_case_and_order_blank_lines_and_other_columns(text: str) -> None:
    assert total(text, "1") == 86


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2,,3,20,0", "row 3: c_above is blank"),
        ("2,5,3,20", "row 3: c_dead is blank"),
        ("2,5,-3,20,0", "row 3: c_below is -3; a stock of carbon cannot be negative"),
        ("2,5,3,many,0", "row 3: c_soil is 'many', which is not a number"),
        ('2,5,3,"20,5",0', "row 3: c_soil is '20,5', which is not a number; write decimals with a point"),
        ("2,5,3,nan,0", "row 3: c_soil is 'nan', which is not a finite number"),
        ("2,5,3,inf,0", "row 3: c_soil is 'inf', which is not a finite number"),
        ("1,5,3,20,0", "row 3: lucode 1 was given in an earlier row already"),
        ("1.0,5,3,20,0", "row 3: lucode 1 was given in an earlier row already"),
        (",5,3,20,0", "row 3: lucode is blank"),
        ("1.5,5,3,20,0", "row 3: lucode is '1.5'; a land-cover code is a whole number"),
        ("forest,5,3,20,0", "row 3: lucode is 'forest', which is not a number"),
    ],
)
def test_a_bad_cell_is_named_by_row_and_column(row: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_pools(f"lucode,C_above,C_below,C_soil,C_dead\n1,15,10,60,1\n{row}\n", "pools.csv")
    assert message in str(caught.value)
    assert str(caught.value).startswith("pools.csv, ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("a\n", "lacks the column"),
        ("lucode,C_above,C_below\n1,2,3\n", "c_soil, c_dead"),
        ("lucode,C_above,C_below,C_soil,C_dead,c_soil\n1,2,3,4,5,6\n", "c_soil occur twice"),
        ("lucode,C_above,C_below,C_soil,C_dead\n", "no rows"),
    ],
)
def test_a_bad_table_says_what_is_wanted(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pools(text, "pools.csv")


def test_no_nan_can_come_from_a_table() -> None:
    assert all(np.isfinite(c.value) for row in read_pools(PUBLISHED, "p").pools.values() for c in row.values())
