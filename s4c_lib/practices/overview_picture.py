"""A run at a glance: verdicts of each practice, and the weeks of harvest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.chart_style import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, YELLOW, day_numbers, months, new_figure, save
from s4c_lib.practices.codes import Verdict
from s4c_lib.practices.sen4cap_table import PRODUCT_NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VERDICT_COLORS: Final = {
    Verdict.STRONG: GREEN,
    Verdict.MODERATE: SKY,
    Verdict.WEAK: YELLOW,
    Verdict.POOR: VERMILION,
    Verdict.NR: "#DDDDDD",
    Verdict.NA: "#BBBBBB",
    Verdict.NA1: GREY,
}
_PRACTICE_COLORS: Final = {"NA": GREY, "CC": GREEN, "FL": ORANGE, "NFC": BLUE}
_LEAST_SHARE: Final = 0.06
_WEEK: Final = 7


def draw_overview(results: pa.Table, path: Path, *, title: str) -> None:
    """Draw a PNG; the same table gives the same bytes.

    Parameters
    ----------
    results : PRACTICE_TABLE, C_INDEX, H_W_START and STATUS of `product_tables.result_table`.

    Raises
    ------
    OSError : it cannot be written.
    """
    figure = new_figure(9.0, 5.4)
    figure.suptitle(title, fontsize=13)
    axes: Any = figure.subplot_mosaic([["verdict"], ["harvest"]], height_ratios=(1, 1.3))
    of_practice = results["PRACTICE_TABLE"].cast(pa.string())
    there = [name for name in PRODUCT_NAMES if pc.any(pc.equal(of_practice, name)).as_py()]
    parts = {name: results.filter(pc.equal(of_practice, name)) for name in there}
    _verdicts(axes["verdict"], parts)
    _harvests(axes["harvest"], parts)
    save(figure, path)


def _verdicts(axes: Axes, parts: dict[str, pa.Table]) -> None:
    axes.set_title("agreement with the declared practice; harvest found, for NA", fontsize=10)
    for at, (name, rows) in enumerate(parts.items()):
        left = 0.0
        for label, color, count in _shares(name, rows):
            width = 100 * count / max(len(rows), 1)
            axes.barh(at, width, left=left, color=color, edgecolor="white", linewidth=0.6)
            if width > 100 * _LEAST_SHARE:
                axes.text(left + width / 2, at, f"{label}\n{count}", ha="center", va="center", fontsize=7)
            left += width
    axes.set_yticks(range(len(parts)), [f"{PRODUCT_NAMES[name]}\n{len(rows)}" for name, rows in parts.items()])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of rows", fontsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _shares(name: str, rows: pa.Table) -> list[tuple[str, str, int]]:
    """What parts of the bar are called, their colour, and how many rows they are."""
    if name == "NA":
        found = len(rows) - rows["H_W_START"].null_count
        judged = int(pc.sum(pc.equal(rows["STATUS"].cast(pa.string()), "OK")).as_py() or 0)
        parts = [
            ("harvest", GREEN, found),
            ("no harvest", YELLOW, judged - found),
            ("no result", GREY, len(rows) - judged),
        ]
    else:
        texts = rows["C_INDEX"].cast(pa.string())
        counted = {one["values"]: one["counts"] for one in pc.value_counts(texts).to_pylist()}
        parts = [(one.name, color, counted.get(one.name, 0)) for one, color in VERDICT_COLORS.items()]
    return [part for part in parts if part[2]]


def _harvests(axes: Axes, parts: dict[str, pa.Table]) -> None:
    axes.set_title("harvests by week", fontsize=10)
    days = {name: day_numbers(rows["H_W_START"].drop_null().to_numpy()) for name, rows in parts.items()}
    every = np.concatenate([*days.values(), np.empty(0)])
    if not len(every):
        axes.text(0.5, 0.5, "no harvest was found", transform=axes.transAxes, ha="center")
        axes.set_xticks([])
        axes.set_yticks([])
        return
    edges = np.arange(every.min(), every.max() + 2 * _WEEK, _WEEK)
    below = np.zeros(len(edges) - 1)
    for name, found in days.items():
        count, _ = np.histogram(found, edges)
        if count.any():
            color = _PRACTICE_COLORS[name]
            axes.bar(edges[:-1], count, _WEEK, bottom=below, align="edge", color=color, label=PRODUCT_NAMES[name])
            below += count
    axes.set_xlim(edges[0] - 2 * _WEEK, edges[-1] + 2 * _WEEK)
    months(axes)
    axes.legend(fontsize=8)
