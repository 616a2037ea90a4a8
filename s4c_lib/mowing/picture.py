"""A parcel through the season: what was observed, what of it counted, which events came of it, what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.chart_style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    day_number,
    day_numbers,
    months,
    new_figure,
    save,
)
from s4c_lib.errors import NotFoundError
from s4c_lib.mowing.detection import COHERENCE_VARIABLES, OPTICAL_VARIABLE, Mowing
from s4c_lib.mowing.events import MISSION_NAMES, NOT_SEEN, Mission
from s4c_lib.mowing.overview_picture import MISSION_COLORS
from s4c_lib.mowing.screening import REJECTIONS, Rejection, screen
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.parcels.l4b_configuration_compliance import MowingPeriod
from s4c_lib.statistics.matrices import Key, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REJECTED: Final = {
    Rejection.CORRUPTED: (VERMILION, "x"),
    Rejection.CLOUD: (PURPLE, "o"),
    Rejection.SAME_DAY: (GREY, "s"),
}
_ORBIT_COLORS: Final = (BLUE, ORANGE, PURPLE, SKY, VERMILION, GREEN)
_RULES: Final = {0: "mown in", 1: "mown in, not outside", 2: "not mown in"}
_LEAST_GAP: Final = 15  # days; shorter gaps are not marked
_DAY: Final = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True, eq=False)
class ParcelPicture:
    """What is drawn.

    Parameters
    ----------
    row : of the parcel in the arrays of ``mowing``.
    crop : declared code. facts : lines under the title, such as the decision.
    truth : days on which it was really mown, where they are known.
    """

    mowing: Mowing
    row: int
    series: Mapping[Key, Series] = field(repr=False)
    settings: MowingSettings
    first: date
    last: date
    crop: str | None = None
    facts: Sequence[str] = ()
    truth: Sequence[date] = ()


def draw_parcel(drawn: ParcelPicture, path: Path) -> None:
    """Draw a parcel as PNG.

    Raises
    ------
    OSError : it cannot be written.
    """
    number = int(drawn.mowing.parcel_id[drawn.row])
    radar = [one for one in drawn.series.values() if one.variable in COHERENCE_VARIABLES.values()]
    shown = [one for one in radar if _row_of(one, number) is not None]
    figure = new_figure(11.0, 6.6 if shown else 4.6)
    ratios = (1.5, 1) if shown else (1,)
    panels: list[Axes] = list(np.atleast_1d(figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)))
    crop = f", crop {drawn.crop}" if drawn.crop else ""
    figure.suptitle("\n".join([f"Parcel {number}{crop}", *drawn.facts]), fontsize=11, x=0.01, ha="left")
    top = panels[0]
    top.set_xlim(day_number(drawn.first) - 3, day_number(drawn.last) + 4)
    _events(panels, drawn)
    _ndvi(top, drawn, number)
    if shown:
        _coherence(panels[1], shown, number)
        _pairs(panels[1], drawn, number)
    for day in drawn.truth:
        for axes in panels:
            axes.axvline(day_number(day) + 0.5, color=VERMILION, linestyle="--", linewidth=1.2)
    if drawn.truth:
        top.plot([], [], color=VERMILION, linestyle="--", linewidth=1.2, label="truly mown")
    for axes in panels:
        months(axes)
    top.legend(loc="lower left", bbox_to_anchor=(0, 0.1), fontsize=7.5, framealpha=0.85, ncols=4)
    save(figure, path)


def facts_of(result: Mapping[str, Any]) -> list[str]:
    """Lines under the title from a row of `product_tables.parcel_table`."""
    codes = {-1: "no period for the crop", 0: "not assessed", 1: "compliant", 2: "not compliant", 3: "in and outside"}
    seen = f"{result['n_clear']} clear dates, {result['n_pairs']} coherence values"
    gap = "" if result["max_gap_d"] is None else f", longest gap {result['max_gap_d']} d"
    status = "" if result["status"] == "processed" else f"{result['status'].replace('_', ' ')}; "
    doubt = f"; cannot tell: {result['cannot_tell']}" if result["cannot_tell"] else ""
    decision = str(result["decision"]).replace("_", " ")
    compl = codes[result["compl"]]
    events = "1 event" if result["mow_n"] == 1 else f"{result['mow_n']} events"
    return [f"{status}{events}; {seen}{gap}", f"compliance: {compl}; decision: {decision}{doubt}"]


def row_of(mowing: Mowing, number: int) -> int:
    """Row of a parcel.

    Raises
    ------
    NotFoundError : it is not among them.
    """
    found = np.flatnonzero(mowing.parcel_id == number)
    if not len(found):
        raise NotFoundError(f"there is no parcel {number} in this run")
    return int(found[0])


def _ndvi(axes: Axes, drawn: ParcelPicture, number: int) -> None:
    axes.set_ylim(-0.05, 1.14)
    axes.set_yticks(np.arange(0, 1.01, 0.2))
    axes.set_ylabel("NDVI")
    _period(axes, drawn)
    one = drawn.series.get((OPTICAL_VARIABLE, None))
    row = None if one is None else _row_of(one, number)
    if one is None or row is None:
        axes.text(0.5, 0.45, "no optical observations", transform=axes.transAxes, ha="center", color=GREY)
        return
    day, values = day_numbers(one.time), one.mean[row]
    told = screen(_only(one, row), drawn.settings.optical).rejected[0]
    used = told == Rejection.USED
    axes.plot(day[used], values[used], color=GREEN, linewidth=1.0, alpha=0.8)
    axes.plot(day[used], values[used], "o", color=BLACK, markersize=4, label=f"used ({int(used.sum())})")
    for reason, (color, marker) in _REJECTED.items():
        of_reason = told == reason
        if of_reason.any():
            label = f"{REJECTIONS[reason]} ({int(of_reason.sum())})"
            axes.plot(
                day[of_reason],
                values[of_reason],
                marker,
                color=color,
                markersize=5.5,
                markerfacecolor="none",
                linestyle="none",
                label=label,
            )
    _gaps(axes, day[used], drawn)
    events = drawn.mowing.events
    for event in np.flatnonzero(events.parcel == drawn.row).tolist():
        three = [int(getattr(events, name)[event]) for name in ("s2_before", "s2_low", "s2_after")]
        if NOT_SEEN not in three:
            axes.plot(day[three], values[three], "o", color=BLUE, markersize=9, markerfacecolor="none", linewidth=0)
            axes.plot(day[three[:2]], values[three[:2]], color=BLUE, linewidth=2.2, alpha=0.8)


def _gaps(axes: Axes, day: npt.NDArray[np.float64], drawn: ParcelPicture) -> None:
    """Mark the times in which nothing usable was seen."""
    edges = np.concatenate([[day_number(drawn.first) - 1], np.floor(day), [day_number(drawn.last) + 1]])
    for begin, end in pairwise(edges.tolist()):
        if (length := end - begin - 1) > _LEAST_GAP:
            axes.plot([begin + 1, end], [-0.02, -0.02], color=GREY, linewidth=3, solid_capstyle="butt")
            axes.text((begin + 1 + end) / 2, 0.0, f"{length:.0f} d", color=GREY, fontsize=7, ha="center", va="bottom")


def _coherence(axes: Axes, shown: Sequence[Series], number: int) -> None:
    orbits = sorted({one.orbit if one.orbit is not None else NOT_SEEN for one in shown})
    highest = 0.0
    for one in shown:
        row = _row_of(one, number)
        if row is None:
            continue
        color = _ORBIT_COLORS[orbits.index(NOT_SEEN if one.orbit is None else one.orbit) % len(_ORBIT_COLORS)]
        driving = one.variable == COHERENCE_VARIABLES["VH"]
        valid = ~np.isnan(one.mean[row])
        highest = max(highest, float(one.mean[row][valid].max(initial=0.0)))
        way = "" if one.direction is None else f", {one.direction}"
        orbit = "" if one.orbit is None else f" orbit {one.orbit:03d}"
        axes.plot(
            day_numbers(one.time[valid]),
            one.mean[row][valid],
            marker="o" if driving else ".",
            markersize=3.5 if driving else 2.5,
            linewidth=1.1 if driving else 0.6,
            linestyle="-" if driving else ":",
            color=color,
            label=f"VH{orbit}{way}" if driving else None,
        )
    if any(one.variable == COHERENCE_VARIABLES["VV"] for one in shown):
        axes.plot([], [], ".:", color=GREY, linewidth=0.6, markersize=2.5, label="VV")
    axes.set_ylim(0, min(1.0, max(0.6, highest + 0.15)))
    axes.set_ylabel("coherence")
    axes.legend(loc="upper left", fontsize=7.5, framealpha=0.85, ncols=3)


def _pairs(axes: Axes, drawn: ParcelPicture, number: int) -> None:
    """Ring the coherence that showed an event best."""
    events = drawn.mowing.events
    for event in np.flatnonzero((events.parcel == drawn.row) & (events.s1_pair != NOT_SEEN)).tolist():
        orbit, pair = int(events.s1_orbit[event]), int(events.s1_pair[event])
        key = None if orbit == NOT_SEEN else orbit
        one = drawn.series.get((COHERENCE_VARIABLES["VH"], key)) or drawn.series.get((COHERENCE_VARIABLES["VV"], key))
        row = None if one is None else _row_of(one, number)
        if one is not None and row is not None and np.isfinite(one.mean[row, pair]):
            axes.plot(
                day_numbers(one.time[pair : pair + 1]),
                one.mean[row, pair],
                "o",
                color=BLACK,
                markersize=9,
                markerfacecolor="none",
            )


def _events(panels: Sequence[Axes], drawn: ParcelPicture) -> None:
    events = drawn.mowing.events
    top, named = panels[0], set()
    for event in np.flatnonzero(events.parcel == drawn.row).tolist():
        begin, end = (float(getattr(events, name)[event].astype(np.int64)) / 86_400 for name in ("start", "end"))
        mission = MISSION_NAMES[Mission(int(events.missions[event]))]
        color, sure = MISSION_COLORS[mission], float(events.confidence[event])
        reported = bool(drawn.mowing.reported[event])
        for axes in panels:
            axes.axvspan(begin, end, color=color, alpha=(0.12 + 0.3 * sure) if reported else 0.06, linewidth=0)
        shown = f"{np.floor(sure * 100) / 100:.2f}"  # 0.999 is not certain
        text = shown if reported else f"({shown})"
        top.text(
            (begin + end) / 2, 1.02, f"{text}\n{mission}", transform=top.get_xaxis_transform(), ha="center",
            va="bottom", fontsize=7.5, color=BLACK if reported else GREY,
        )  # fmt: skip
        if mission not in named:
            named.add(mission)
            top.plot([], [], color=color, linewidth=7, alpha=0.4, label=f"event of {mission}")


def _period(axes: Axes, drawn: ParcelPicture) -> None:
    """The compliance window as a bar below the top edge."""
    mine: list[MowingPeriod] = [one for one in drawn.settings.periods if one.crop_code == drawn.crop]
    for period in mine:
        begin, end = max(period.first, drawn.first), min(period.last, drawn.last) + timedelta(days=1)
        if begin >= end:
            continue
        left, right = day_number(begin), day_number(end)
        axes.plot([left, right], [1.075, 1.075], color=YELLOW, linewidth=9, solid_capstyle="butt")
        axes.text(
            left + 1,
            1.075,
            f"{_RULES[period.rule]} {period.first:%d %b} to {period.last:%d %b}",
            fontsize=7,
            va="center",
        )


def _row_of(one: Series, number: int) -> int | None:
    at = int(np.searchsorted(one.parcel_id, number))
    return at if at < len(one.parcel_id) and one.parcel_id[at] == number else None


def _only(one: Series, row: int) -> Series:
    rows = slice(row, row + 1)
    return replace(
        one,
        parcel_id=one.parcel_id[rows],
        mean=np.ascontiguousarray(one.mean[rows]),
        std=np.ascontiguousarray(one.std[rows]),
        n=np.ascontiguousarray(one.n[rows]),
        n_total=np.ascontiguousarray(one.n_total[rows]),
    )
