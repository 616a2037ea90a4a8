"""A run at a glance: where how often was mown, when, and what that means for compliance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.chart_style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    YELLOW,
    day_numbers,
    months,
    new_figure,
    save,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISSION_COLORS: Final = {"S2": GREEN, "S1": ORANGE, "S2/S1": BLUE}
_DECISIONS: Final = {
    "yes": GREEN,
    "no": VERMILION,
    "inconclusive": YELLOW,
    "not_applicable": "#BBBBBB",
    "not_monitorable": GREY,
}
_NUMBERS: Final = ("#D9D9D9", "#B8DE8B", "#57B36A", "#1B7F5C", "#123F5A", PURPLE)
_WEEK: Final = 7
_LARGEST_DOT: Final = 30.0
_DOTS_AREA: Final = 9000.0


def draw_overview(
    parcels: pa.Table, events: pa.Table, path: Path, *, title: str, centres: npt.NDArray[np.float64] | None = None
) -> None:
    """Draw a PNG; the same tables give the same bytes.

    Parameters
    ----------
    parcels, events : of `product_tables.parcel_table` and `event_table`.
    centres : float (parcels, 2), where each parcel lies, in any plane; NaN where it has no outline. Without it there is
        no map.

    Raises
    ------
    OSError : it cannot be written.
    """
    figure = new_figure(11.0 if centres is not None else 7.0, 6.0)
    figure.suptitle(title, fontsize=13)
    mosaic: Any = [["map", "when"], ["map", "number"], ["map", "decision"]]
    if centres is None:
        mosaic = [[row[1]] for row in mosaic]
    axes: Any = figure.subplot_mosaic(mosaic, height_ratios=(1.3, 1, 1))
    number = parcels["mow_n"].to_numpy()
    if centres is not None:
        _map(axes["map"], number, parcels["status"], centres)
    _weeks(axes["when"], events.filter(events["reported"]))
    _numbers(axes["number"], number, parcels["status"])
    _decisions(axes["decision"], parcels["decision"])
    save(figure, path)


def _map(axes: Axes, number: npt.NDArray[Any], status: pa.ChunkedArray, centres: npt.NDArray[np.float64]) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    processed = pc.equal(status, "processed").to_numpy()
    there = np.isfinite(centres).all(axis=1)
    size = min(_LARGEST_DOT, max(0.4, _DOTS_AREA / max(int(there.sum()), 1)))
    out = there & ~processed
    axes.scatter(
        centres[out, 0], centres[out, 1], s=size, marker="x", linewidths=0.5, color=VERMILION, label="no result"
    )
    shown = there & processed
    top = len(_NUMBERS) - 1
    norm = BoundaryNorm(np.arange(len(_NUMBERS) + 1) - 0.5, len(_NUMBERS))
    dots = axes.scatter(
        centres[shown, 0],
        centres[shown, 1],
        s=size,
        c=np.minimum(number[shown], top),
        cmap=ListedColormap(_NUMBERS),
        norm=norm,
    )
    bar = axes.figure.colorbar(
        dots, ax=axes, location="bottom", shrink=0.7, ticks=range(len(_NUMBERS)), label="mowing events"
    )
    bar.ax.set_xticklabels([*map(str, range(top)), f"{top} or more"])
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    if out.any():
        axes.legend(loc="upper right", fontsize=8, markerscale=4)


def _weeks(axes: Axes, events: pa.Table) -> None:
    end = day_numbers(events["end"].to_numpy().astype("datetime64[s]"))
    axes.set_title("events by week of their end", fontsize=10)
    if not len(end):
        axes.text(0.5, 0.5, "no events", transform=axes.transAxes, ha="center")
        axes.set_xticks([])
        axes.set_yticks([])
        return
    edges = np.arange(end.min() - end.min() % _WEEK, end.max() + _WEEK + 1, _WEEK)
    below = np.zeros(len(edges) - 1)
    missions = events["missions"].to_numpy(zero_copy_only=False)
    for name, color in MISSION_COLORS.items():
        count, _ = np.histogram(end[missions == name], edges)
        if count.any():
            axes.bar(edges[:-1], count, _WEEK, bottom=below, align="edge", color=color, label=name, linewidth=0)
            below += count
    axes.set_xlim(edges[0] - _WEEK, edges[-1] + _WEEK)
    months(axes)
    axes.legend(fontsize=8)


def _numbers(axes: Axes, number: npt.NDArray[Any], status: pa.ChunkedArray) -> None:
    counts = np.bincount(number[pc.equal(status, "processed").to_numpy()], minlength=5)
    axes.set_title("parcels by number of events", fontsize=10)
    axes.bar(range(len(counts)), counts, color=[_NUMBERS[min(at, len(_NUMBERS) - 1)] for at in range(len(counts))])
    axes.set_xticks(range(len(counts)))
    _plain(axes)


def _decisions(axes: Axes, decision: pa.ChunkedArray) -> None:
    found = {one["values"]: one["counts"] for one in decision.value_counts().to_pylist()}
    names = [name for name in _DECISIONS if found.get(name)]
    axes.set_title("parcels by decision", fontsize=10)
    bars = axes.barh(names, [found[name] for name in names], color=[_DECISIONS[name] for name in names])
    axes.bar_label(bars, fontsize=8, padding=3)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    _plain(axes)


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
