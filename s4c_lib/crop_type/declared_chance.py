"""Chance that a declaration is right, given what the forest says of the parcel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.calibration import Calibration

Floats = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

_BLOCK: Final = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class DeclaredChance:
    """What speaks for and against declarations; one an index, N parcels.

    The forest does not know the declaration, which is evidence of its own: farmers are nearly always right. A class
    the forest gives 0.1 is that of one parcel in ten that look like this one, and each of those is declared so.

    Parameters
    ----------
    wrong : float64 (N,), chance that another crop grows there, at the estimated share of wrong declarations.
    wrong_at_even : the same if every second declaration were wrong: what the observations say for themselves.
    odds : how many times likelier such a declaration is if it is wrong than if it is right.
    other : int64 (N,), position of the class that most likely grows there if the declaration is wrong.
    """

    wrong: Floats
    wrong_at_even: Floats
    odds: Floats
    other: Positions


def declared_chance(probabilities: Float32, declared: Positions, calibration: Calibration) -> DeclaredChance:
    """Apply Bayes' rule.

    With p calibrated, d declared and r(d|c) = `Calibration.wrong_names`: odds = sum over c of p_c r(d|c), divided by
    p_d; the chance of wrong follows with e as `Calibration.wrong_share`.

    Parameters
    ----------
    probabilities : float32 (N, C), calibrated.
    declared : int64 (N,), position of the declared class.
    """
    count = len(declared)
    odds, other = np.empty(count), np.empty(count, np.int64)
    for begin in range(0, count, _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        block = probabilities[rows]
        wrongly = wrongly_declared(block, declared[rows], calibration)
        # A class is never ruled out so far that its odds have no number.
        right = np.maximum(block[np.arange(len(block)), declared[rows]].astype(np.float64), 1e-30)
        odds[rows] = wrongly.sum(axis=1) / right
        other[rows] = wrongly.argmax(axis=1)
    share = calibration.wrong_share
    return DeclaredChance(share * odds / (share * odds + 1 - share), odds / (odds + 1), odds, other)


def wrongly_declared(probabilities: Float32, declared: Positions, calibration: Calibration) -> Floats:
    """Return p_c r(d|c), float64 (N, C): 0 at the declared class; a row's shares are those of what grows if wrong."""
    result: Floats = probabilities * calibration.wrong_names.T[declared]
    return result
