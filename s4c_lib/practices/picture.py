"""A parcel through the season: NDVI, backscatter and coherence, the weekly markers, harvest, period and verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from textwrap import wrap
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
    VERMILION,
    YELLOW,
    day_number,
    months,
    new_figure,
    save,
)
from s4c_lib.parcels.l4c_configuration_keys import Thresholds
from s4c_lib.practices.codes import Marker
from s4c_lib.practices.sen4cap_table import PRODUCT_NAMES
from s4c_lib.practices.trace_words import RULE_WORDS, STATUS_WORDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRUE, _FALSE = int(Marker.TRUE), int(Marker.FALSE)
_WEEKLY: Final = ("M1", "M2", "M3", "M4", "M5")
_PERIOD: Final = ("PRES", "GROW", "NOL", "ANOL", "CNOL")
_NAMES: Final = {
    "M1": "M1 crop seen", "M2": "M2 NDVI lost", "M3": "M3 VV-VH rises", "M4": "M4 VV-VH bare", "M5": "M5 coherence",
    "PRES": "M6 vegetation", "GROW": "M7 it grows", "NOL": "M8 NDVI kept", "ANOL": "M9 VV-VH kept",
    "CNOL": "M10 coherence low",
}  # fmt: skip
_SIGN_COLORS: Final = {_TRUE: GREEN, _FALSE: "#E5E5E5"}
_WEEK: Final = timedelta(days=7)
_SUNDAY: Final = timedelta(days=6)
_TITLE_WIDTH: Final = 125
_LETTER: Final = 0.0066  # width of a letter of a bar, as a share of the panel
_HEADROOM: Final = 1.0  # VV - VH above the highest mean; crossed orbits of ``reference`` reach far beyond

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class PracticePicture:
    """What is drawn.

    Parameters
    ----------
    row, weeks : of `product_tables.result_table` and `weekly_table`, as Python values.
    truth : days on which the crop was really harvested, where they are known.
    """

    row: Row
    weeks: Sequence[Row] = field(repr=False)
    thresholds: Thresholds = field(repr=False)
    truth: Sequence[date] = ()


def draw_practice(drawn: PracticePicture, path: Path) -> None:
    """Draw a parcel and practice as PNG; one without weeks gets its reason alone.

    Raises
    ------
    OSError : it cannot be written.
    """
    row, weeks = drawn.row, drawn.weeks
    title = _title(row)
    if not weeks:
        figure = new_figure(11.0, 1.2)
        figure.suptitle(title, fontsize=11, x=0.01, ha="left")
        save(figure, path)
        return
    signs = [*_WEEKLY, *(_PERIOD if any(week[name] >= _FALSE for week in weeks for name in _PERIOD) else ())]
    figure = new_figure(11.0, 7.0 + 0.17 * len(signs))
    figure.suptitle(title, fontsize=10.5, x=0.01, ha="left")
    panels: list[Axes] = list(
        np.atleast_1d(figure.subplots(4, 1, sharex=True, height_ratios=(1.5, 1.1, 0.9, 0.145 * len(signs))))
    )
    first, last = _span(drawn)
    panels[0].set_xlim(day_number(first) - 4, day_number(last) + 10)
    for axes in panels:
        _shade(axes, drawn)
    _ndvi(panels[0], drawn)
    _ratio(panels[1], drawn)
    _coherence(panels[2], drawn)
    _strip(panels[3], weeks, signs)
    for axes in panels:
        months(axes)
    panels[3].grid(visible=False)
    panels[3].set_xlabel(f"{first:%d %b %Y} to {last + _SUNDAY:%d %b %Y}", fontsize=8)
    for axes in panels[:3]:
        axes.tick_params(labelsize=8)
    save(figure, path)


def _title(row: Row) -> str:
    kind = f" {row['P_TYPE']}" if row["P_TYPE"] else ""
    declared = f"{PRODUCT_NAMES[row['PRACTICE_TABLE']]}{kind}" if row["PRACTICE_TABLE"] != "NA" else "harvest alone"
    head = f"Parcel {row['NewID']} ({row['ORIG_ID']}), crop {row['MAIN_CROP'] or 'not given'}: {declared}"
    if row["STATUS"] != "OK":
        return f"{head}\nno result: {STATUS_WORDS.get(row['STATUS'], row['STATUS'])}"
    harvest = {"FOUND": f"harvest in the week of {row['H_W_START']}", "NOT_FOUND": "no harvest found"}
    seen = harvest.get(row["H_STATE"], "no crop, so no harvest")
    tillage = {"FOUND": f"; tilled in the week of {row['TL_W_START']}", "NOT_FOUND": "; not tilled"}
    seen += tillage.get(row["TL_STATE"], "")
    if row["PRACTICE_TABLE"] == "NA":
        return f"{head}\n{seen}"
    reason = "\n".join(wrap(RULE_WORDS.get(row["RULE"], str(row["RULE"])), _TITLE_WIDTH))
    failed = ", ".join(f"M{number}" for number in range(6, 11) if row[f"M{number}"] == _FALSE)
    against = f" ({failed} FALSE)" if failed else ""
    return f"{head}\n{seen}; agreement with the declared practice: {row['C_INDEX']}{against}\n{reason}"


def _span(drawn: PracticePicture) -> tuple[date, date]:
    row, weeks = drawn.row, drawn.weeks
    shown = [weeks[0]["WEEK"], weeks[-1]["WEEK"], *(row[name] for name in ("P_START", "P_END") if row[name])]
    return min(shown), max(shown)


def _shade(axes: Axes, drawn: PracticePicture) -> None:
    """The practice period, the harvest week, the week of tillage."""
    row = drawn.row
    if row["P_START"] and row["P_END"]:
        axes.axvspan(day_number(row["P_START"]), day_number(row["P_END"]) + 1, color=YELLOW, alpha=0.16, linewidth=0)
    for state, name, color in (("H_STATE", "H_W_START", VERMILION), ("TL_STATE", "TL_W_START", PURPLE)):
        if row[state] == "FOUND":
            begin = day_number(row[name])
            axes.axvspan(begin, begin + 7, color=color, alpha=0.30, linewidth=0)
    for day in drawn.truth:
        axes.axvline(day_number(day) + 0.5, color=VERMILION, linestyle="--", linewidth=1.2)


def _ndvi(axes: Axes, drawn: PracticePicture) -> None:
    row, weeks, used = drawn.row, drawn.weeks, drawn.thresholds
    day, values = _points(weeks, "NDVI")
    axes.plot(day, values / 1000, "o-", color=GREEN, markersize=4.5, linewidth=1.1, label="NDVI of the week")
    axes.set_ylabel("NDVI", fontsize=9)
    axes.set_ylim(min(0.0, *(values / 1000), 0.0) - 0.02, 1.12)
    axes.axhline(
        used.optthrvegcycle / 1000,
        color=GREY,
        linestyle=":",
        linewidth=1,
        label=f"above {used.optthrvegcycle / 1000:.2f}: a crop (M1)",
    )
    if row["T"] is not None:
        loss = (row["T"] + row["T_BUF"]) / 1000
        axes.axhline(loss, color=VERMILION, linestyle=":", linewidth=1, label=f"below {loss:.2f}: lost (M2)")
    if row["PRACTICE_TABLE"] != "NA" and row["P_START"]:
        level = used.efandvithr / 1000
        axes.axhline(level, color=BLUE, linestyle=":", linewidth=1, label=f"from {level:.2f}: vegetation (M6)")
    _bar(axes, row["H_START"], row["H_END"], ORANGE, "harvest expected", 1.02)
    _bar(axes, row["P_START"], row["P_END"], YELLOW, "practice period", 1.08)
    if row["H_STATE"] == "FOUND":
        axes.plot([], [], color=VERMILION, alpha=0.3, linewidth=7, label="harvest week")
    if row["TL_STATE"] == "FOUND":
        axes.plot([], [], color=PURPLE, alpha=0.3, linewidth=7, label="week of tillage")
    if drawn.truth:
        axes.plot([], [], color=VERMILION, linestyle="--", linewidth=1.2, label="truly harvested")
    axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1), fontsize=7.5, frameon=False)


def _bar(axes: Axes, begin: date | None, end: date | None, color: str, text: str, height: float) -> None:
    """A period as a bar below the top edge, named inside the panel."""
    if begin is None or end is None:
        return
    low, high = axes.get_xlim()
    left, right = max(day_number(begin), low), min(day_number(end) + 1, high)
    if left >= right:
        return
    axes.plot([left, right], [height, height], color=color, linewidth=8, solid_capstyle="butt")
    words = f"{text} {begin:%d %b} to {end:%d %b}"
    inside = right - left > _LETTER * len(words) * (high - low)
    at, side = (left + 1, "left") if inside else (left - 1, "right")
    axes.text(at, height, words, fontsize=7, va="center", ha=side)


def _ratio(axes: Axes, drawn: PracticePicture) -> None:
    row, weeks = drawn.row, drawn.weeks
    day, mean = _points(weeks, "RATIO_MEAN")
    _, highest = _points(weeks, "RATIO_MAX")
    axes.fill_between(day, mean, highest, color=BLUE, alpha=0.18, linewidth=0, label="up to its highest")
    axes.plot(day, mean, "o-", color=BLUE, markersize=3, linewidth=1.1, label="VV - VH, mean of the week")
    if row["LEVEL"] is not None:
        axes.axhline(
            row["LEVEL"], color=VERMILION, linestyle=":", linewidth=1, label=f"above {row['LEVEL']:.2f}: bare soil (M4)"
        )
    rises = [week for week in weeks if week["M3"] == _TRUE]
    axes.plot(
        [_middle(week) for week in rises], [week["RATIO_MEAN"] for week in rises], "^", color=BLACK, markersize=5,
        linestyle="none", label=f"rises by more than {row['BRK'] or 0:.2f} (M3)",
    )  # fmt: skip
    axes.set_ylim(mean.min() - 0.3, max(mean.max() + _HEADROOM, float(np.percentile(highest, 90)) + 0.3))
    axes.set_ylabel("VV - VH", fontsize=9)
    axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1), fontsize=7.5, frameon=False)


def _coherence(axes: Axes, drawn: PracticePicture) -> None:
    row, weeks = drawn.row, drawn.weeks
    day, values = _points(weeks, "COH_MAX")
    axes.plot(day, values, "o-", color=ORANGE, markersize=3, linewidth=1.1, label="highest coherence of the week")
    if row["A"] is not None:
        axes.axhline(row["A"], color=VERMILION, linestyle=":", linewidth=1, label=f"from {row['A']:.2f}: high (M5)")
    rises = [week for week in weeks if (week["COH_CHANGE"] or 0) >= drawn.thresholds.cohthrbase]
    axes.plot(
        [_middle(week) for week in rises], [week["COH_MAX"] for week in rises], "^", color=BLACK, markersize=5,
        linestyle="none", label=f"rises by {drawn.thresholds.cohthrbase:.2f} or more (M5)",
    )  # fmt: skip
    axes.set_ylim(0, 1)
    axes.set_ylabel("coherence", fontsize=9)
    axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1), fontsize=7.5, frameon=False)


def _strip(axes: Axes, weeks: Sequence[Row], signs: Sequence[str]) -> None:
    """A row for each sign, a box for each week; all five of a harvest week are framed."""
    for at, name in enumerate(signs):
        for code, color in _SIGN_COLORS.items():
            bars = [(day_number(week["WEEK"]) + 0.4, 6.2) for week in weeks if week[name] == code]
            axes.broken_barh(bars, (at - 0.4, 0.8), facecolors=color)
    for week in weeks:
        if week["HARVEST"]:
            left = day_number(week["WEEK"]) + 0.2
            axes.plot(
                [left, left + 6.6, left + 6.6, left, left],
                [-0.47, -0.47, 4.47, 4.47, -0.47],
                color=BLACK,
                linewidth=1.1,
            )
    if len(signs) > len(_WEEKLY):
        axes.axhline(len(_WEEKLY) - 0.5, color=GREY, linewidth=0.8)
    axes.set_yticks(range(len(signs)), [_NAMES[name] for name in signs], fontsize=8)
    axes.set_ylim(len(signs) - 0.4, -0.6)
    axes.plot([], [], color=GREEN, linewidth=7, label="yes")
    axes.plot([], [], color=_SIGN_COLORS[_FALSE], linewidth=7, label="no")
    axes.plot([], [], "s", color=BLACK, markerfacecolor="none", markersize=8, label="all five: harvest")
    axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1), fontsize=7.5, frameon=False)


def _points(weeks: Sequence[Row], name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Middle of the weeks that have a value, and the values."""
    there = [week for week in weeks if week[name] is not None]
    return np.array([_middle(week) for week in there]), np.array([week[name] for week in there], np.float64)


def _middle(week: Row) -> float:
    return day_number(week["WEEK"]) + _WEEK.days / 2
