"""All parcels of each crop: median and the range of the middle 80 % through the season."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from s4c_lib.chart_style import BLUE, GREEN, ORANGE, day_numbers, months, new_figure
from s4c_lib.synthetic.crops import CROPS
from s4c_lib.synthetic.pictures.observations import Floats, OpticalRecord, RadarRecord
from s4c_lib.synthetic.world import World

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 5


def leaf_area_chart(world: World) -> Figure:
    """Green and brown leaf area."""
    canopy = world.canopy
    first, last = canopy.index(world.options.start), canopy.index(world.options.end) + 1
    days = np.datetime64(world.options.start, "D") + np.arange(last - first)

    def draw(axes: Axes, rows: npt.NDArray[np.intp]) -> None:
        _band(axes, days, canopy.brown_lai[rows, first:last].T, ORANGE, "brown")
        _band(axes, days, canopy.green_lai[rows, first:last].T, GREEN, "green")

    return _by_crop(world, draw, "Leaf area index, truth: median and 10 to 90 % of the parcels", (0, 6.6))


def ndvi_chart(world: World, record: OpticalRecord) -> Figure:
    """NDVI without noise."""

    def draw(axes: Axes, rows: npt.NDArray[np.intp]) -> None:
        _band(axes, record.days, record.true[:, rows], GREEN, "NDVI")

    return _by_crop(world, draw, "NDVI without sky and noise: median and 10 to 90 % of the parcels", (0, 1))


def backscatter_chart(world: World, record: RadarRecord) -> Figure:
    """Backscatter without speckle, of the direction with more passes."""
    keep = _one_direction(record)
    word = "ascending" if record.ascending[keep].any() else "descending"

    def draw(axes: Axes, rows: npt.NDArray[np.intp]) -> None:
        _band(axes, record.days[keep], record.true[keep][:, rows, 0], BLUE, "VV")
        _band(axes, record.days[keep], record.true[keep][:, rows, 1], ORANGE, "VH")

    title = f"Backscatter without speckle, dB, {word} passes: median and 10 to 90 % of the parcels"
    return _by_crop(world, draw, title, (-25, -4))


def coherence_chart(world: World, record: RadarRecord) -> Figure:
    """Coherence before estimation."""
    keep = _one_direction(record)
    word = "ascending" if record.ascending[keep].any() else "descending"

    def draw(axes: Axes, rows: npt.NDArray[np.intp]) -> None:
        _band(axes, record.days[keep], record.true_coherence[keep][:, rows, 1], ORANGE, "VH")
        _band(axes, record.days[keep], record.true_coherence[keep][:, rows, 0], BLUE, "VV")

    title = f"Coherence before estimation, {word} passes: median and 10 to 90 % of the parcels"
    return _by_crop(world, draw, title, (0, 1))


def _one_direction(record: RadarRecord) -> npt.NDArray[np.bool_]:
    return np.asarray(record.ascending if 2 * record.ascending.sum() >= len(record.ascending) else ~record.ascending)


def _band(axes: Axes, days: npt.NDArray[np.datetime64], values: Floats, color: str, label: str) -> None:
    """``values`` is (days, parcels); days without values are left out."""
    keep = np.isfinite(values).all(axis=1)
    if not keep.any():
        return
    low, middle, high = np.percentile(values[keep], [10, 50, 90], axis=1)
    at = day_numbers(days[keep])
    axes.fill_between(at, low, high, color=color, alpha=0.25, linewidth=0)
    axes.plot(at, middle, color=color, linewidth=1.3, label=label)


def _by_crop(
    world: World, draw: Callable[[Axes, npt.NDArray[np.intp]], None], title: str, limits: tuple[float, float]
) -> Figure:
    crop = world.landscape.traits.crop
    present = [index for index in range(len(CROPS)) if (crop == index).any()]
    rows = -(-len(present) // _COLUMNS)
    figure = new_figure(12.0, 2.0 * rows + 0.7)
    panels = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False)
    figure.suptitle(title, fontsize=13)
    days = np.array([world.options.start, world.options.end], dtype="datetime64[D]")
    for place, axes in enumerate(panels.ravel()):
        if place >= len(present):
            axes.set_axis_off()
            continue
        index = present[place]
        members = np.flatnonzero(crop == index)
        draw(axes, members)
        axes.set_ylim(*limits)
        axes.set_xlim(*day_numbers(days))
        months(axes)
        axes.set_title(f"{CROPS[index].english} ({CROPS[index].code}), n = {len(members)}", fontsize=8)
        axes.tick_params(labelsize=7.5)
        if place == 0:
            axes.legend(loc="best", fontsize=7.5, framealpha=0.85)
    return figure
