"""Figures without a map: carbon by ecosystem and pool, coverage against targets."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from sinks.accounts import TOTAL_REGION
from sinks.plotting.furniture import SMALL
from sinks.plotting.panels import Panel
from sinks.plotting.values import Tables, ecosystem_name
from sinks.plotting.words import say
from sinks.quantities import POOL_KEYS, TOTAL

POOL_COLORS: Final = dict(zip(POOL_KEYS, ("#1b7837", "#7fbf7b", "#8c510a", "#dfc27d", "#c7b7a3"), strict=True))
"""Living parts green, dead parts and soil brown; told apart by lightness too."""
_MET, _MISSED, _PLAIN = "#2c7fb8", "#d95f0e", "#9e9e9e"
_MOST: Final = 40
"""Regions that a chart can hold and be read."""
_LINES: Final[tuple[Any, ...]] = ("dotted", "dashed", "dashdot")
"""For the years of the national target."""
_WIDE: Final = 210.0
"""A legend below a chart has two columns from this width [pt]."""
_ROW: Final = 12.5
"""Height of a row of a chart [pt]."""


def pool_panel(tables: Tables, language: str) -> Panel:
    """Carbon stock of every ecosystem by pool, as stacked bars with the interval of the total."""
    wide = tables.pools()
    size, unit = _scale(float(wide[TOTAL.key].max()) if len(wide) else 1.0, language)

    def draw(ax: Any, beside: bool, width: float) -> None:
        rows = np.arange(len(wide))
        left = np.zeros(len(wide))
        for key in POOL_KEYS:
            amounts = np.nan_to_num(wide[key].to_numpy(float)) / size
            if amounts.any():
                ax.barh(rows, amounts, left=left, height=0.72, color=POOL_COLORS[key], label=say(f"pool.{key}", language),
                        edgecolor="white", linewidth=0.3)  # fmt: skip
            left += amounts
        low, high = (wide[k].to_numpy(float) / size for k in ("low", "high"))
        sure = np.isfinite(low) & (high > low)
        if sure.any():
            reach = np.abs(np.vstack([left - low, high - left]))[:, sure]
            ax.errorbar(left[sure], rows[sure], xerr=reach, fmt="none", ecolor="#222222", elinewidth=0.7, capsize=2,
                        capthick=0.7, label=say("interval", language))  # fmt: skip
        ax.set_yticks(rows, [ecosystem_name(str(e), language) for e in wide.index])
        ax.set_ylim(len(wide) - 0.4, -0.6)
        ax.set_xlabel(unit, fontsize=SMALL + 0.5)
        _plain(ax, width)
        _legend(ax, ax.get_legend_handles_labels()[0], beside, len(wide), width)

    return Panel(say("figure.pools", language), lambda width: _ROW * (len(wide) + 1), draw)


def _scale(most: float, language: str) -> tuple[float, str]:
    """A size of tons that gives numbers of a few digits, as people of the language count."""
    steps = (("1e8", 1e8), ("1e4", 1e4), ("1", 1.0)) if language == "zh" else (("1e9", 1e9), ("1e6", 1e6), ("1", 1.0))
    name, size = next((s for s in steps if most >= s[1]), steps[-1])
    return size, say(f"stock.{name}", language)


def target_panel(tables: Tables, language: str) -> Panel:
    """Coverage of every region as bars, its own target as a mark, the national one as a line."""
    goals = tables.goals()
    own = goals[goals["role"] != "reference"].set_index("region_id")
    rows, everyone = _rows(tables, own.index)
    title = say("figure.targets", language)
    if len(rows) - 1 < everyone:
        title += f" ({say('of_regions', language, shown=len(rows) - 1, all=everyone)})"
    labels = [say("all_regions", language) if i == TOTAL_REGION else n if isinstance(n, str) and n else i
              for i, n in zip(rows["region_id"], rows["region_name"], strict=True)]  # fmt: skip
    values = rows["coverage_percent"].to_numpy(float)
    goal = np.array([float(own["target_value"].get(i, np.nan)) for i in rows["region_id"]])

    def draw(ax: Any, beside: bool, width: float) -> None:
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        at = np.arange(len(rows))
        colors = [_PLAIN if np.isnan(g) else _MET if v >= g else _MISSED for v, g in zip(values, goal, strict=True)]
        ax.barh(at, values, height=0.7, color=colors, edgecolor="white", linewidth=0.3)
        kinds = ((_MET, "met"), (_MISSED, "missed"), (_PLAIN, "no_target"))
        entries: list[Any] = [Patch(color=c, label=say(k, language)) for c, k in kinds if c in colors]
        if np.isfinite(goal).any():
            ax.vlines(goal, at - 0.46, at + 0.46, color="black", linewidth=1.6)
            years = "/".join(str(y) for y in sorted(set(own["year"])))
            entries.append(Line2D([], [], color="black", marker="|", linestyle="none", markersize=7, markeredgewidth=1.6,
                                  label=say("target", language, year=years)))  # fmt: skip
        for (year, value), style in zip(tables.national(), _LINES, strict=False):
            ax.axvline(value, color="#333333", linewidth=0.8, linestyle=style)
            told = say("national", language, value=f"{value:g}", year=year)
            entries.append(Line2D([], [], color="#333333", linewidth=0.8, linestyle=style, label=told))
        ax.set_yticks(at, labels)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xlim(0, min(100.0, 1.05 * float(np.nanmax([*values, *goal, 1.0]))))
        ax.set_xlabel("%", fontsize=SMALL + 0.5)
        _plain(ax, width)
        _legend(ax, entries, beside, len(rows), width)

    return Panel(title, lambda width: _ROW * (len(rows) + 1), draw)


def _rows(tables: Tables, with_goal: pd.Index) -> tuple[pd.DataFrame, int]:
    """The headline coverage of all regions together and of those that a chart can hold; how many regions there are."""
    top = tables.coverage[tables.coverage["headline"].astype(bool)]
    top = top.assign(region_id=top["region_id"].astype(str))
    parts = top[top["region_id"] != TOTAL_REGION]
    first = parts.assign(later=~parts["region_id"].isin(with_goal)).sort_values(
        ["later", "coverage_percent"], ascending=[True, False]
    )
    shown = first.head(_MOST).sort_values("coverage_percent", ascending=False)
    return pd.concat([top[top["region_id"] == TOTAL_REGION], shown]), len(parts)


def _legend(ax: Any, entries: list[Any], beside: bool, rows: int, width: float) -> None:
    """Beside the chart or below its axis, in two columns where there is room."""
    where: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}
    if not beside:
        where = {"loc": "upper left", "bbox_to_anchor": (0.0, -2.4 / (rows + 1)), "ncols": 2 if width > _WIDE else 1}
    ax.legend(handles=entries, fontsize=SMALL, frameon=False, **where)


def _plain(ax: Any, width: float) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(max(3, int(width / 50))))
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ax.spines.values():
        side.set_linewidth(0.6)
    ax.tick_params(labelsize=SMALL, length=2, width=0.5)
    ax.grid(axis="x", color="#000000", alpha=0.12, linewidth=0.4)
    ax.set_axisbelow(True)
