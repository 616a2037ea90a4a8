"""Verdicts on a practice: the first rule that matches decides (l4c-practices.md sections 9 to 12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from s4c_lib.practices.codes import Marker, Rule, Verdict
from s4c_lib.practices.evidence import Evidence
from s4c_lib.practices.weekly import Bools

Int8 = npt.NDArray[np.int8]
Case = tuple[Any, Any, Rule]
"""When it matches (rows,), the verdict (one, or by row), the rule."""


@dataclass(frozen=True, slots=True, eq=False)
class Practice:
    """Verdicts by row.

    Parameters
    ----------
    c_index, rule : int8 codes of `Verdict` and `Rule`. markers : int8 (rows, 5) codes of `Marker`, M6 ... M10.
    no_evidence : nothing in the period speaks for or against the practice.
    erase_harvest : the rule takes the harvest back.
    failures : int8, markers that are FALSE, -1 where they do not count. longest_quiet : int32, -1 elsewhere.
    """

    c_index: Int8
    rule: Int8
    markers: Int8
    no_evidence: Bools
    erase_harvest: Bools
    failures: Int8
    longest_quiet: npt.NDArray[np.int32]
    evidence: Evidence


def first_of(cases: Sequence[Case], otherwise: tuple[Any, Rule]) -> tuple[Int8, Int8]:
    """Verdict and rule of the first case that matches each row."""
    when = [case[0] for case in cases]
    verdict = np.select(when, [case[1] for case in cases], otherwise[0])
    rule = np.select(when, [case[2] for case in cases], otherwise[1])
    return verdict.astype(np.int8), rule.astype(np.int8)


def opening(asked: Bools, not_begun: Bools) -> list[Case]:
    """Cases that come before any rule of a practice: it is not evaluated, it has not begun."""
    return [(~asked, Verdict.NA, Rule.NONE), (not_begun, Verdict.NR, Rule.NOT_BEGUN)]


def unset_markers(asked: Bools) -> Int8:
    """M6 ... M10 that no rule has set: NR where the practice is evaluated, else NA."""
    return np.where(asked, Marker.NR, Marker.NA)[:, None].repeat(5, axis=1).astype(np.int8)


def every(signs: Int8, when: Bools | None = None, *, otherwise: Marker = Marker.NA) -> npt.NDArray[np.int64]:
    """Whether each sign that is known is TRUE, as codes of `Marker` (rows,); ``otherwise`` where none is known."""
    known = signs != Marker.NA if when is None else (signs != Marker.NA) & when
    good = ((signs == Marker.TRUE) | ~known).all(axis=1)
    return np.where(known.any(axis=1), np.where(good, Marker.TRUE, Marker.FALSE), otherwise)


def longest_run(listed: Bools, good: Bools) -> npt.NDArray[np.int32]:
    """Most listed weeks in a row that are good; weeks that are not listed do not break it."""
    longest, run = np.zeros(len(listed), np.int32), np.zeros(len(listed), np.int32)
    for w in range(listed.shape[1]):
        run = np.where(listed[:, w], np.where(good[:, w], run + 1, 0), run).astype(np.int32)
        longest = np.maximum(longest, run)
    return longest
