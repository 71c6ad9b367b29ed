"""Policy views: complete for their theme, and never to be summed."""

import numpy as np
import pandas as pd
import pytest

from sinks import exactsum
from sinks.accounts import KEY_COLUMNS, Account, RegionInfo
from sinks.quantities import KEYS
from sinks.views import DO_NOT_SUM, policy_views

PIXELS = (  # worked example W25: four pixels of 100 ha, soil to 100 cm
    ({"ecosystem": "grassland", "permafrost": True}, {"carbon_agb": 5, "carbon_soil": 140, "carbon_soil_deep": 60}),
    ({"ecosystem": "forest", "karst": True}, {"carbon_agb": 50, "carbon_soil": 110, "sink_weathering": 0.139}),
    ({"ecosystem": "mangrove"}, {"carbon_agb": 66, "carbon_soil": 286}),
    ({"ecosystem": "cropland", "black_soil": True}, {"carbon_agb": 0, "carbon_soil": 95}),
)


def toy(mangrove: str = "mangrove") -> Account:
    keys = []
    lines = np.full((4, len(KEYS), 1), np.nan)
    for n, (marks, values) in enumerate(PIXELS):
        row = {**dict.fromkeys(KEY_COLUMNS, ""), "karst": False, "permafrost": False, "black_soil": False, "piece": 0}
        row |= {"region_id": "r", **marks}
        row["ecosystem"] = mangrove if row["ecosystem"] == "mangrove" else row["ecosystem"]
        keys.append(row)
        for key, value in values.items():
            lines[n, KEYS.index(key), 0] = value
    area = np.full((4, 2), [1e6, 0.0])
    digits = exactsum.from_floats(area)
    return Account(
        pd.DataFrame(keys, columns=list(KEY_COLUMNS)),
        np.ones(4, np.int64),
        digits,
        lines,
        ("area_m2", "unused"),
        (RegionInfo("r"),),
    )


def view(account: Account, name: str, column: str = "carbon_mg") -> float:
    table = policy_views(account)
    return float(table[(table["view"] == name) & (table["region_id"] == "total")][column].iloc[0])


def test_w25_table_a_of_the_double_counting_landscape() -> None:
    account = toy()
    assert account.value("carbon_agb") == pytest.approx(12_100)
    assert account.value("carbon_soil") == pytest.approx(63_100)
    assert account.value("carbon_total") == pytest.approx(75_200)
    assert account.value("carbon_soil_deep") == pytest.approx(6_000)
    assert account.value("sink_weathering") == pytest.approx(13.9)


def test_w25_policy_views_of_the_double_counting_landscape() -> None:
    account = toy()
    assert view(account, "soils") == pytest.approx(63_100)
    assert view(account, "permafrost") == pytest.approx(14_500)
    assert view(account, "permafrost", "carbon_soil_deep_mg") == pytest.approx(6_000)
    assert view(account, "karst") == pytest.approx(16_000)
    assert view(account, "karst", "sink_mg_yr") == pytest.approx(13.9)
    assert view(account, "black_soil") == pytest.approx(9_500)


def test_w25_the_views_overlap_and_say_so() -> None:
    table = policy_views(toy())
    summed = table[table["region_id"] == "total"]["carbon_mg"].sum()
    assert summed > 75_200
    assert all(note.startswith(DO_NOT_SUM) for note in table["note"])


def test_w25_calling_the_mangrove_forest_leaves_the_total() -> None:
    assert toy("forest").value("carbon_total") == pytest.approx(75_200)
    assert view(toy(), "forests") == view(toy("forest"), "forests")


def test_a_heading_without_area_is_left_out() -> None:
    assert "organic_soil" not in set(policy_views(toy())["view"])
