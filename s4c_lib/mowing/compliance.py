"""Whether parcels were mown when their crop has to be (section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.errors import InputError
from s4c_lib.mowing.events import Events
from s4c_lib.parcels.canonical import canonical_strings
from s4c_lib.parcels.l4b_configuration_compliance import RULES, MowingPeriod

Bools = npt.NDArray[np.bool_]


class Compliance(IntEnum):
    """Codes of the product."""

    NO_PERIOD = -1
    NOT_ASSESSED = 0
    COMPLIANT = 1
    NOT_COMPLIANT = 2
    IN_AND_OUT = 3


def compliance(
    events: Events, covered: Bools, crop: Any, periods: Sequence[MowingPeriod], *, last_day_counts: bool = True
) -> npt.NDArray[np.int8]:
    """Judge every parcel.

    Parameters
    ----------
    events : that count.
    covered : bool (parcels,), whether any mission looked at the parcel.
    crop : declared crop code of each parcel, text or None; any sequence or arrow column.
    periods : what is asked; several of one crop are one period with gaps, and may overlap.
    last_day_counts : the last day of a period belongs to it; it does not in Sen4CAP.

    Returns
    -------
    int8 (parcels,), `Compliance`. An event is in a period when its interval overlaps it. Rule 0: one is in it. Rule 1:
        one is in it, and none without (else 2; 3 when some are in and some are not). Rule 2: none is in it.

    Raises
    ------
    InputError : the periods of one crop have different rules, or an unknown one; numbers of crops and parcels differ.
    """
    if len(crop) != len(covered):
        raise InputError(f"there are {len(crop)} crop codes for {len(covered)} parcels")
    rules, code_of = _rules(periods), _codes_of(crop, periods)
    found = np.full(len(covered), Compliance.NO_PERIOD, np.int8)
    inside, outside = (np.zeros(len(covered), np.bool_) for _ in range(2))
    judged = code_of[events.parcel]
    by_code = np.argsort(judged, kind="stable")
    ends = np.searchsorted(judged[by_code], np.arange(len(rules) + 1))
    for number, (code, rule) in enumerate(rules.items()):
        rows = by_code[ends[number] : ends[number + 1]]
        within = np.zeros(len(rows), np.bool_)
        for period in periods:
            if period.crop_code == code:
                begin, stop = _moments(period, last_day_counts)
                within |= np.maximum(events.start[rows], begin) < np.minimum(events.end[rows], stop)
        inside[events.parcel[rows[within]]] = True
        outside[events.parcel[rows[~within]]] = True
        of_code = code_of == number
        found[of_code] = _judged(rule, covered[of_code], inside[of_code], outside[of_code])
    return found


def _judged(rule: int, covered: Bools, inside: Bools, outside: Bools) -> npt.NDArray[np.int8]:
    if rule == 2:
        result = np.where(inside, Compliance.NOT_COMPLIANT, Compliance.COMPLIANT)
    else:
        result = np.where(inside, Compliance.COMPLIANT, Compliance.NOT_COMPLIANT)
        if rule == 1:
            result[inside & outside] = Compliance.IN_AND_OUT
    result[~(covered | inside | outside)] = Compliance.NOT_ASSESSED
    return result.astype(np.int8)


def _rules(periods: Sequence[MowingPeriod]) -> dict[str, int]:
    """Rule of each crop code, in the order of the periods."""
    rules: dict[str, int] = {}
    for period in periods:
        if period.rule not in RULES:
            raise InputError(f"crop code {period.crop_code} has the unknown rule {period.rule}")
        if rules.setdefault(period.crop_code, period.rule) != period.rule:
            raise InputError(
                f"crop code {period.crop_code} has the rules {rules[period.crop_code]} and {period.rule}",
                hint="give all its periods one rule",
            )
    return rules


def _codes_of(crop: Any, periods: Sequence[MowingPeriod]) -> npt.NDArray[np.int64]:
    """Number of each parcel's crop code among those with periods, or one more than there are."""
    rules = list(_rules(periods))
    declared = canonical_strings(_column(crop), na_is_value=True).dictionary_encode()
    number_of = {code: number for number, code in enumerate(rules)}
    numbers = np.array([number_of.get(text, len(rules)) for text in declared.dictionary.to_pylist()] + [len(rules)])
    indices = declared.indices.fill_null(len(numbers) - 1).to_numpy(zero_copy_only=False)
    chosen: npt.NDArray[np.int64] = numbers.astype(np.int64)[indices]
    return chosen


def _column(crop: Any) -> Any:
    if isinstance(crop, pa.Array | pa.ChunkedArray | np.ndarray):
        return crop
    return pa.array(crop, pa.string())


def _moments(period: MowingPeriod, last_day_counts: bool) -> tuple[np.datetime64, np.datetime64]:
    stop: date = period.last + timedelta(days=1) if last_day_counts else period.last
    end = np.datetime64(stop, "s")
    return np.datetime64(period.first, "s"), end - np.timedelta64(1, "s") if last_day_counts else end
