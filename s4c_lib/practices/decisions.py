"""What the practice rules decide about each row of a practice table, and why."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

Days = npt.NDArray[np.datetime64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Weekly:
    """A row for each week that has ratio and coherence; rows of the practice table in their order, weeks ascending.

    Parameters
    ----------
    row : int32, number of the row in the practice table. week : datetime64[D], Mondays.
    ndvi, before, after : float64, NDVI x 1000; of the week, ``prev`` and ``next`` of section 6; NaN for none.
    ratio_mean, ratio_max, ratio_change : float64, VV - VH in the scale of the thresholds.
    coherence_max, coherence_change : float64.
    m1 ... m5 : int8 codes of `Marker`; after the harvest as tillage left them where repair 19 is off.
    vegetation : bool, the week belongs to V (section 7). drop : bool, its NDVI fell.
    radar, harvest : bool, s1(w) and h(w) of section 8. break_week : bool, one of ``br`` of section 10.
    pres, grow, no_ndvi_loss, no_ratio_loss, no_coherence_loss : int8 codes of `Marker`, NA outside the period;
        no_ndvi_loss of the Czech fallow rule is that of its mowing window, gaps filled.
    """

    row: Int32
    week: Days
    ndvi: Floats
    before: Floats
    after: Floats
    ratio_mean: Floats
    ratio_max: Floats
    ratio_change: Floats
    coherence_max: Floats
    coherence_change: Floats
    m1: Int8
    m2: Int8
    m3: Int8
    m4: Int8
    m5: Int8
    vegetation: Bools
    drop: Bools
    radar: Bools
    harvest: Bools
    break_week: Bools
    pres: Int8
    grow: Int8
    no_ndvi_loss: Int8
    no_ratio_loss: Int8
    no_coherence_loss: Int8

    def __len__(self) -> int:
        return len(self.row)

    def of_row(self, row: int) -> dict[str, npt.NDArray[Any]]:
        """Columns of one row of the practice table."""
        first, last = np.searchsorted(self.row, [row, row + 1])
        return {one.name: getattr(self, one.name)[first:last] for one in fields(self)}


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """Numbers that the rules compared with, by row of the practice table; NaN or NaT where a rule did not come to it.

    Parameters
    ----------
    ndvi_threshold, ndvi_buffer : T and buf of M2. drops : bool, any drop of NDVI in the season (M2 needs one).
    ndvi_max : mx of M2. optical_from : datetime64[D], Hopt.
    ratio_mean, ratio_deviation : mu and sigma of M3. ratio_rise : brk. ratio_level : level of M4.
    coherence_max : cmax. coherence_level, tillage_level : A of M5 and A_t of tillage.
    veg_week, h_start_week, h_end_week : datetime64[D], VEG, HS and HE as used.
    bare_ndvi_min, bare_ndvi_max, bare_limit : mn, mx and lim of a computed catch crop period.
    practice_ndvi_threshold : T of the last week of the practice period.
    false_markers : int8, f of section 10, -1 where it is not counted.
    longest_quiet : int32, LTU: longest run of weeks without loss of coherence, -1 elsewhere.
    """

    ndvi_threshold: Floats
    ndvi_buffer: Floats
    drops: Bools
    ndvi_max: Floats
    optical_from: Days
    ratio_mean: Floats
    ratio_deviation: Floats
    ratio_rise: Floats
    ratio_level: Floats
    coherence_max: Floats
    coherence_level: Floats
    tillage_level: Floats
    veg_week: Days
    h_start_week: Days
    h_end_week: Days
    bare_ndvi_min: Floats
    bare_ndvi_max: Floats
    bare_limit: Floats
    practice_ndvi_threshold: Floats
    false_markers: Int8
    longest_quiet: Int32


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Results by row of the practice table (section 15); dates datetime64[D], NaT where the state says why.

    Parameters
    ----------
    status : int8 `Status`. flags : int32 `Flag`. rule : int8 `Rule` that gave C_INDEX.
    veg_start : reported: the declared date, or the week where repair 8 is off.
    l_week : last week with ratio and coherence.
    markers : int8 (rows, 10) `Marker`, M1 ... M10. h_markers : int8 (rows, 5), M1 ... M5 of the harvest week.
    harvest, radar, tillage : int8 `Found`; harvest_week, radar_week, tillage_week : H_W_START, H_W_S1, TL_W_START.
    h_delay : int32, days from H_W_START to the NDVI acquisition that completed it, -1 without harvest.
    p_start, p_end : as reported (a computed period too); NaT is written NA.
    c_index : int8 `Verdict`.
    preliminary : int8 `Verdict` before a period that is still open made it NR.
    s1_gaps, h_s1_gaps, p_s1_gaps, h_w_s1_gaps : int32, or a `Marker` code (NA, NA1, NR).
    h_quality, c_quality : bool, low confidence.
    n_ndvi_v, n_ndvi_p, n_coh_p : int32, weeks with NDVI in V, with NDVI and with coherence in the period.
    orbits : uint32, bit i for ``orbit_numbers[i]``: the parcel has coherence of it.
    orbit_numbers : relative orbits of the series, ascending.
    h_current, h_current_week : the harvest this series gives, where the previous product's was kept; else the same.
    """

    practice: str
    with_tillage: bool
    repairs: frozenset[int]
    status: Int8
    flags: Int32
    rule: Int8
    veg_start: Days
    l_week: Days
    markers: npt.NDArray[np.int8]
    h_markers: npt.NDArray[np.int8]
    harvest: Int8
    harvest_week: Days
    radar: Int8
    radar_week: Days
    tillage: Int8
    tillage_week: Days
    h_delay: Int32
    p_start: Days
    p_end: Days
    c_index: Int8
    preliminary: Int8
    s1_gaps: Int32
    h_s1_gaps: Int32
    p_s1_gaps: Int32
    h_w_s1_gaps: Int32
    h_quality: Bools
    c_quality: Bools
    n_ndvi_v: Int32
    n_ndvi_p: Int32
    n_coh_p: Int32
    orbits: npt.NDArray[np.uint32]
    orbit_numbers: tuple[int, ...]
    h_current: Int8
    h_current_week: Days
    applied: Applied
    weekly: Weekly

    def __len__(self) -> int:
        return len(self.status)
