"""Practice tables made from rules: dates for all parcels with a crop (lpis-and-inputs.md 5.3, helper)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from s4c_lib.errors import InputError
from s4c_lib.parcels.crop_lut import CropLut
from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.practice_tables import NAMES, PracticeTable, practice_of


@dataclass(frozen=True, slots=True)
class PracticeRule:
    """Dates of the parcels with certain crops.

    Parameters
    ----------
    veg_start, h_start, h_end, p_start, p_end : ``MM-DD`` of the year of the season; an end before its start is in
        the year after. The practice period may be None.
    crops : declared codes, canonical. groups : numbers of ``CTnumL4A``. land_cover : values of ``LC``. A parcel is
        meant when one of the three names its crop.
    practice_name : value of PRACTICE; None for the usual one of the table.
    p_type : variant, or None.
    """

    veg_start: str
    h_start: str
    h_end: str
    p_start: str | None = None
    p_end: str | None = None
    crops: tuple[str, ...] = ()
    groups: tuple[int, ...] = ()
    land_cover: tuple[int, ...] = ()
    practice_name: str | None = None
    p_type: str | None = None


def practice_rows_from_rules(
    rules: Sequence[PracticeRule],
    practice: str,
    year: int,
    ori_id: Sequence[str] | Objects,
    ori_crop: Sequence[str | None] | Objects,
    lut: CropLut | None = None,
) -> PracticeTable:
    """Make the table of a practice; of several rules that name a crop the first applies.

    Parameters
    ----------
    ori_id, ori_crop : of the parcels; those whose crop no rule names get no row.
    lut : needed by rules with groups or land cover.

    Raises
    ------
    InputError : no such practice or day, a rule that names no crop, or one that needs a LUT and has none.
    """
    short = practice_of(practice)
    chosen: dict[str, int] = {}
    periods = []
    for number, rule in enumerate(rules, start=1):
        for code in _codes(rule, number, lut):
            chosen.setdefault(code, number - 1)
        if rule.practice_name not in (None, *NAMES[short]):
            raise InputError(f'Rule {number}: "{rule.practice_name}" does not belong to the {short} table.')
        periods.append(_period(rule, number, year))
    # None is no key: parcels without a crop have no rule.
    of_parcel = np.array([chosen.get(code, -1) for code in ori_crop], np.int64)  # type: ignore[arg-type]
    kept = np.flatnonzero(of_parcel >= 0)
    which = of_parcel[kept]
    columns = np.array(periods, "datetime64[D]").reshape(len(rules), 5)[which]
    veg_start, h_start, h_end, p_start, p_end = columns.T
    return PracticeTable(
        short,
        np.arange(2, len(kept) + 2),
        _objects(ori_id)[kept],
        _objects(ori_crop)[kept],
        veg_start,
        h_start,
        h_end,
        _objects([rule.practice_name or NAMES[short][0] for rule in rules])[which],
        _objects([rule.p_type for rule in rules])[which],
        p_start,
        p_end,
        np.zeros(len(kept), np.bool_),
    )


def _objects(values: Any) -> Objects:
    result = np.empty(len(values), object)
    result[:] = values
    return result


def _codes(rule: PracticeRule, number: int, lut: CropLut | None) -> list[str]:
    if not (rule.crops or rule.groups or rule.land_cover):
        raise InputError(f"Rule {number} names no crop.", hint="give it crops, groups or land_cover")
    codes = list(rule.crops)
    if rule.groups or rule.land_cover:
        if lut is None:
            raise InputError(f"Rule {number} names groups or land cover, but there is no crop code LUT.")
        meant = np.isin(lut.ctnuml4a, rule.groups) | np.isin(lut.lc, rule.land_cover)
        codes += lut.ori_crop[meant].tolist()
    return codes


def _period(rule: PracticeRule, number: int, year: int) -> tuple[date | None, ...]:
    veg_start, h_start, h_end, p_start, p_end = (
        None if text is None else _day(text, number, year)
        for text in (rule.veg_start, rule.h_start, rule.h_end, rule.p_start, rule.p_end)
    )
    return veg_start, h_start, _after(h_end, h_start, number), p_start, _after(p_end, p_start, number)


def _day(text: str, number: int, year: int) -> date:
    parts = re.fullmatch("([0-9]{2})-([0-9]{2})", text)
    try:
        if parts is None:
            raise ValueError
        return date(year, int(parts[1]), int(parts[2]))
    except ValueError:
        raise InputError(f'Rule {number}: "{text}" is no day of {year}.', hint="write MM-DD") from None


def _after(end: date | None, start: date | None, number: int) -> date | None:
    if end is None or start is None or end >= start:
        return end
    try:
        return end.replace(year=end.year + 1)
    except ValueError:
        raise InputError(f"Rule {number}: there is no 29 February in {end.year + 1}.") from None
