"""Radar composites of weeks and what is derived of them (l4a-crop-type.md 6.1, 6.2; spec/README.md B3, F1, F2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Values = npt.NDArray[np.floating]

BACKSCATTER: Final = {"VV": "vv", "VH": "vh"}
COHERENCE: Final = {"VV": "coherence_vv", "VH": "coherence_vh"}
RADAR: Final = (*BACKSCATTER.values(), *COHERENCE.values())
_POWER: Final = 10.0
_AMPLITUDE: Final = 20.0


def linear(mean: Values, std: Values, *, amplitude: bool) -> tuple[Floats, Floats]:
    """Mean and deviation in linear units from those in decibels (B3, F2).

    10^(x/10) of the mean, of amplitudes 10^(x/20); std = ln(10)/10 (of amplitudes ln(10)/20) x linear mean x std in dB.
    """
    factor = _AMPLITUDE if amplitude else _POWER
    value = np.power(10.0, mean.astype(np.float64) / factor)
    return value.astype(np.float32), (np.log(10.0) / factor * value * std).astype(np.float32)


def without_nodata(mean: Floats, *, positive: bool) -> Floats:
    """Values with NaN for no data: 0, or everything that is not above 0 (D-06)."""
    return np.where(mean <= 0 if positive else mean == 0, np.float32(np.nan), mean)


def composite(passes: Iterable[tuple[Floats, Floats]], items: int) -> Floats:
    """Average of the passes of a period, each counting once (AC-08).

    Parameters
    ----------
    passes : (mean, std) in linear units, NaN mean where there is no value.

    Returns
    -------
    float32 (2, items): averages of the means and of the deviations.
    """
    total, count = np.zeros((2, items)), np.zeros(items, np.int32)
    for mean, std in passes:
        there = ~np.isnan(mean)
        np.add(total[0], mean, out=total[0], where=there)
        np.add(total[1], std, out=total[1], where=there)
        count += there
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count == 0, np.nan, total / count).astype(np.float32)
