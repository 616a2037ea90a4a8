"""A parcel through the season: NDVI, backscatter and coherence under each other, with what was done and the rain."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from s4c_lib.chart_style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    day_number,
    day_numbers,
    months,
    new_figure,
)
from s4c_lib.synthetic.pictures.observations import OpticalRecord, RadarRecord
from s4c_lib.synthetic.pictures.style import EVENTS, RAIN, parcel_title
from s4c_lib.synthetic.world import World

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Backscatter in dB; observed points and true lines of ascending and descending passes.
_MARKERS = {True: "^", False: "v"}
_LINES = {True: "-", False: (0, (4, 1.5))}
_LABEL_DAYS = 6.5  # between the labels of two events
_RAIN_MM = 90.0


def parcel_chart(world: World, parcel: int, column: int, optical: OpticalRecord, radar: RadarRecord) -> Figure:
    """Draw a parcel.

    Parameters
    ----------
    parcel : its position. column : of the chosen parcels in the records.
    """
    figure = new_figure(9.6, 8.0)
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1.25, 1.1))
    figure.suptitle(parcel_title(world.landscape.traits, parcel, world.landscape.ori_id[parcel]), fontsize=13)
    _ndvi(top, parcel, column, optical)
    _backscatter(middle, parcel, column, radar)
    _coherence(bottom, parcel, column, radar)
    _rain(bottom, world)
    top.set_xlim(day_number(world.options.start), day_number(world.options.end) + 1)
    for axes in (top, middle, bottom):
        months(axes)
    _events(world, parcel, top, (top, middle, bottom))
    return figure


def _ndvi(axes: Axes, parcel: int, column: int, record: OpticalRecord) -> None:
    days = day_numbers(record.days)
    seen, spoilt = record.observed[:, column], record.spoilt[:, column]
    axes.plot(days, record.true[:, parcel], color=GREEN, linewidth=1.2, label="truth, every pass")
    axes.plot(days[~spoilt], seen[~spoilt], "o", color=BLACK, markersize=4.5, label="observed, called clear")
    axes.plot(
        days[spoilt],
        seen[spoilt],
        "o",
        color=VERMILION,
        markersize=5.5,
        markerfacecolor="none",
        label="called clear, but under cloud or shadow",
    )
    axes.set_ylim(-0.05, 1.0)
    axes.set_ylabel("NDVI")
    axes.legend(loc="lower left", fontsize=7.5, framealpha=0.85, ncols=3)


def _backscatter(axes: Axes, parcel: int, column: int, record: RadarRecord) -> None:
    for number, (name, color) in enumerate((("VV", BLUE), ("VH", ORANGE))):
        for rising in (True, False):
            keep = record.ascending == rising
            word = "ascending" if rising else "descending"
            days = day_numbers(record.days[keep])
            axes.plot(days, record.true[keep, parcel, number], color=color, linewidth=1.0, linestyle=_LINES[rising])
            axes.plot(
                days,
                record.observed[keep, column, number],
                _MARKERS[rising],
                color=color,
                markersize=4.5,
                markerfacecolor=color if rising else "white",
                label=f"{name} {word}",
            )
    axes.set_ylim(-25, -4)
    axes.set_ylabel("backscatter σ⁰, dB")
    axes.legend(loc="lower left", fontsize=7.5, framealpha=0.85, ncols=4)


def _coherence(axes: Axes, parcel: int, column: int, record: RadarRecord) -> None:
    for number, (name, color, width, size) in enumerate((("VV", BLUE, 1.2, 4.5), ("VH", ORANGE, 0.7, 2.8))):
        for rising in (True, False):
            keep = record.ascending == rising
            days = day_numbers(record.days[keep])
            true = record.true_coherence[keep, parcel, number]
            axes.plot(days, true, color=color, linewidth=width, linestyle=_LINES[rising])
            axes.plot(
                days,
                record.observed_coherence[keep, column, number],
                _MARKERS[rising],
                color=color,
                markersize=size,
                markerfacecolor=color if rising else "white",
                label=name if rising else None,
            )
    axes.set_ylim(0, 1)
    axes.set_ylabel("coherence")
    axes.legend(loc="lower left", fontsize=7.5, framealpha=0.85, ncols=2)


def _rain(axes: Axes, world: World) -> None:
    """Hang rain from the top."""
    first, last = world.weather.index(world.options.start), world.weather.index(world.options.end) + 1
    days = np.datetime64(world.options.start, "D") + np.arange(last - first)
    other = axes.twinx()
    other.bar(day_numbers(days), world.weather.rain[first:last], width=1.0, color=RAIN, zorder=0)
    other.set_ylim(_RAIN_MM, 0)
    other.set_yticks([0, 20, 40])
    other.set_ylabel("rain, mm/day", color=GREY, y=0.78)
    other.tick_params(colors=GREY)
    other.spines["top"].set_visible(False)
    axes.set_zorder(other.get_zorder() + 1)
    axes.patch.set_visible(False)


def _events(world: World, parcel: int, top: Axes, panels: tuple[Axes, ...]) -> None:
    start, end = world.options.start, world.options.end
    number = int(world.landscape.traits.parcel_id[parcel])
    mine = [row for row in world.events.to_pylist() if row["parcel_id"] == number]
    shown: list[tuple[date, str]] = []
    for row in mine:
        begin, kind = row["date"], row["event"]
        until = min(row["end_date"] or begin, end)
        if until < start or begin > end:
            continue
        if kind == "grazing":
            for axes in panels:
                axes.axvspan(
                    day_number(max(begin, start)), day_number(until) + 1, color=PURPLE, alpha=0.16, linewidth=0
                )
        else:
            color, line, _ = EVENTS[kind]
            for axes in panels:
                axes.axvline(day_number(begin), color=color, linestyle=line, linewidth=1.1, alpha=0.8)
        shown.append((max(begin, start), kind))
    _labels(top, sorted(shown), start, end)


def _labels(axes: Axes, shown: list[tuple[date, str]], start: date, end: date) -> None:
    """Write events above the panel, apart from each other, each with a line to its day."""
    if not shown:
        return
    wanted = np.array([day_number(day) for day, _ in shown])
    gap = min(_LABEL_DAYS * (end - start).days / 244, (end - start).days / len(shown))
    places = _apart(wanted, gap, day_number(start), day_number(end))
    transform = axes.get_xaxis_transform()
    for place, at, (_, kind) in zip(places, wanted, shown, strict=True):
        color, _, word = EVENTS[kind]
        axes.plot([at, place], [1.0, 1.09], color=color, linewidth=0.8, transform=transform, clip_on=False)
        axes.text(
            place, 1.10, word, color=color, fontsize=7.5, rotation=90, ha="center", va="bottom", transform=transform
        )


def _apart(wanted: npt.NDArray[np.float64], gap: float, low: float, high: float) -> npt.NDArray[np.float64]:
    """Places near the wanted ones, in their order, at least ``gap`` from each other and within the ends."""
    places = wanted.copy()
    for _ in range(200):
        for first in range(len(places) - 1):
            lack = gap - (places[first + 1] - places[first])
            if lack > 0:
                places[first] -= lack / 2
                places[first + 1] += lack / 2
        places = np.clip(places, low, high)
    return places
