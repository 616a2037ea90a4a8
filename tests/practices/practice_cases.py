"""Parcels of the acceptance cases of l4c-practices.md section 22, and how they are decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np

from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.parcels.l4c_configuration import L4cConfiguration, read_l4c_configuration
from s4c_lib.parcels.l4c_presets import preset_text
from s4c_lib.practices.decision import Previous, decide
from s4c_lib.practices.decisions import Decisions
from s4c_lib.practices.product_tables import MadeOf, result_table
from s4c_lib.practices.rows import PracticeRows
from s4c_lib.practices.sen4cap_table import sen4cap_table
from s4c_lib.practices.settings import PREFIX, PracticeSettings
from s4c_lib.statistics.matrices import Key, Series

N0 = {
    "04-03": 300, "04-18": 450, "05-08": 650, "05-28": 780, "06-12": 760, "06-27": 600, "07-07": 420, "07-22": 240,
    "08-06": 210, "08-26": 200,
}  # fmt: skip
NC = {day: value for day, value in N0.items() if day <= "08-06"} | {
    "08-21": 260, "09-05": 380, "09-15": 460, "09-25": 520, "10-05": 540, "10-15": 540,
}  # fmt: skip
ACQUISITIONS = tuple(date(2019, 3, 4) + timedelta(days=6 * k) for k in range(40))
NAMES = {"CC": "CatchCrop", "FL": "Fallow", "NFC": "NFC", "NA": "NA"}

Steps = Sequence[tuple[str, float]]
"""Values from a day (MM-DD) on."""


@dataclass(frozen=True)
class Case:
    """A parcel, its row and the thresholds of a country; days are MM-DD of 2019 or whole dates, None for NA.

    Parameters
    ----------
    ratio, coherence : VV - VH and coherence by step, in the scale of the kernel.
    second : ratio of another orbit on the same days, amplitude only.
    radar : days of acquisitions. coherence_days : those with coherence.
    """

    practice: str = "NA"
    country: str = "NLD"
    veg_start: str | None = "04-01"
    h_start: str | None = "06-03"
    h_end: str | None = "10-15"
    p_type: str | None = None
    p_start: str | None = None
    p_end: str | None = None
    s1_pix: int = 20
    limit: str = "10-31"
    ndvi: Mapping[str, float] = field(default_factory=lambda: N0)
    ratio: Steps = (("01-01", 7.0), ("07-15", 9.0))
    coherence: Steps = (("01-01", 0.25), ("07-15", 0.62))
    second: Steps = ()
    radar: Sequence[date] = ACQUISITIONS
    coherence_days: Sequence[date] | None = None
    until: str = "12-31"

    def but(self, **changes: Any) -> Case:
        return replace(self, **changes)

    def at(self, day: date, steps: Steps) -> float:
        return next(value for start, value in reversed(steps) if on(start) <= day)

    @property
    def acquisitions(self) -> list[date]:
        return [day for day in self.radar if day <= on(self.until)]

    def series(self) -> dict[Key, Series]:
        days = self.acquisitions
        ratios = [self.at(day, self.ratio) for day in days]
        coherent = [day for day in self.coherence_days or days if day <= on(self.until)]
        found = {
            ("vv", 88): observed("vv", 88, dict.fromkeys(days, -24.0)),
            ("vh", 88): observed("vh", 88, {d: 2 * (-12 - r) for d, r in zip(days, ratios, strict=True)}),
            ("coherence_vv", 88): observed("coherence_vv", 88, {d: self.at(d, self.coherence) for d in coherent}),
            ("ndvi", None): observed(
                "ndvi", None, {on(d): v / 1000 for d, v in self.ndvi.items() if on(d) <= on(self.until)}
            ),
        }
        if self.second:
            found["vv", 139] = observed("vv", 139, dict.fromkeys(days, -27.0))
            found["vh", 139] = observed("vh", 139, {d: 2 * (-13.5 - self.at(d, self.second)) for d in days})
        return found

    def rows(self) -> PracticeRows:
        def days(value: str | None) -> Any:
            return np.array([np.datetime64("NaT") if value is None else np.datetime64(on(value))], "datetime64[D]")

        return PracticeRows(
            np.array([1]), one("p1"), one(self.country), np.array([2019], np.int32), one("wheat"),
            one(NAMES[self.practice]), one(self.p_type), days(self.veg_start), days(self.h_start), days(self.h_end),
            days(self.p_start), days(self.p_end), np.array([False]), np.array([self.s1_pix], np.int32),
            np.array([50], np.int32), np.zeros(1, np.int8),
        )  # fmt: skip


def on(day: str) -> date:
    return date.fromisoformat(day if len(day) > 5 else f"2019-{day}")


def one(value: Any) -> Any:
    return np.array([value], object)


def observed(
    variable: str,
    orbit: int | None,
    values: Mapping[date, float],
    *,
    baseline: int | None = None,
    n: int | Sequence[int] = 50,
) -> Series:
    """The series of parcel 1."""
    days = sorted(values)
    time = np.array(days, "datetime64[D]").astype("datetime64[s]")
    mean = np.array([[values[day] for day in days]], np.float32)
    earlier = np.full(len(days), np.datetime64("NaT", "s"))
    if baseline is not None:
        earlier = time - np.timedelta64(baseline, "D")
    counts = np.broadcast_to(np.asarray(n, np.int32), mean.shape).copy()
    return Series(
        variable, orbit, None if orbit is None else "ascending", time, earlier, np.full(len(days), "sentinel"),
        np.array([1]), mean, np.full(mean.shape, 0.1, np.float32), counts, counts,
    )  # fmt: skip


@cache
def configuration(country: str, changes: tuple[tuple[str, str], ...] = ()) -> L4cConfiguration:
    text = preset_text(country)
    if changes:
        text += "\n".join(["", "[NA]", *(f"{key}={value}" for key, value in changes)])
    found, report = read_l4c_configuration(
        text.encode(), f"{country}.cfg", year=2019, country=country, practices=("CC", "FL", "NFC", "NA")
    )
    assert found is not None, report.findings
    return found


@cache
def values(profile: str) -> Mapping[str, Any]:
    return resolve(Layers(season={"profile": profile}), phase="current").values


def settings(
    profile: str, practice: str, country: str, thresholds: Mapping[str, Any] | None = None, **changes: Any
) -> PracticeSettings:
    """Settings of a profile; ``changes`` by what follows the prefix, ``thresholds`` by their names."""
    made = PracticeSettings.of(
        {**values(profile), **{f"{PREFIX}{name}": value for name, value in changes.items()}},
        configuration(country),
        practice,
    )
    return replace(made, thresholds=replace(made.thresholds, **(thresholds or {})))


def decided(
    case: Case,
    profile: str = "reference",
    *,
    config: str = "",
    tillage: bool = False,
    previous: str | None = None,
    thresholds: Mapping[str, Any] | None = None,
    **changes: Any,
) -> tuple[Decisions, dict[str, str]]:
    """Decisions, and the row of the result table; ``config`` is a country whose thresholds are used."""
    rows = case.rows()
    kept = None
    if previous is not None:
        changes["freeze_harvest"] = True
        kept = Previous(np.array([previous], "datetime64[D]"), np.zeros(1, np.int32))
    decisions = decide(
        case.series(),
        rows,
        settings(profile, case.practice, config or case.country, thresholds, **changes),
        as_of=date(2019, 12, 31),
        gap_limit=on(case.limit),
        tillage=tillage,
        season_start=date(2019, 1, 1),
        previous=kept,
    )
    return decisions, rows_of_sen4cap(rows, decisions)[0]


def rows_of_sen4cap(rows: PracticeRows, decisions: Decisions) -> list[dict[str, str]]:
    """Rows of the result table in Sen4CAP's words."""
    results = result_table(decisions, rows, MadeOf(date(2019, 12, 31)))
    texts: list[dict[str, str]] = sen4cap_table(results, tillage=decisions.with_tillage).to_pylist()
    return texts


def found(row: Mapping[str, str], names: str) -> list[str]:
    """Some columns of a result row."""
    return [row[name] for name in names.split()]
