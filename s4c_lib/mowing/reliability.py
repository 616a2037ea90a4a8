"""Whether a confidence means what it says: of events with confidence 0.8, eight in ten are right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError

_NORMAL_95: Final = 1.959963984540054


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Events by confidence; empty bins are left out.

    Parameters
    ----------
    low, high : float64 (bins,), edges; the last bin includes its upper edge.
    n, right : int64 (bins,).
    confidence : float64 (bins,), mean of the bin's events.
    share, share_low, share_high : float64 (bins,), share that is right, with Wilson's interval (95 %).
    error : expected calibration error, mean of ``|share - confidence|`` weighted by n; NaN without events.
    """

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    n: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]
    share_low: npt.NDArray[np.float64]
    share_high: npt.NDArray[np.float64]
    error: float


def reliability(confidence: npt.ArrayLike, right: npt.ArrayLike, *, bins: int = 10) -> Reliability:
    """Sort events into equal bins of confidence between 0 and 1.

    Parameters
    ----------
    confidence : float (events,), in [0, 1].
    right : bool (events,).

    Raises
    ------
    InputError : a confidence lies outside [0, 1].
    """
    said, truly = np.asarray(confidence, np.float64), np.asarray(right, np.bool_)
    if not ((said >= 0) & (said <= 1)).all():
        raise InputError("a confidence lies outside 0 to 1")
    place = np.minimum((said * bins).astype(np.int64), bins - 1)
    n = np.bincount(place, minlength=bins)
    there = np.flatnonzero(n)
    hits = np.bincount(place, truly, minlength=bins)[there].astype(np.int64)
    mean = np.bincount(place, said, minlength=bins)[there] / n[there]
    share = hits / n[there]
    low, high = wilson(hits, n[there])
    error = float((np.abs(share - mean) * n[there]).sum() / n.sum()) if len(there) else float("nan")
    edges = np.arange(bins + 1) / bins
    return Reliability(edges[there], edges[there + 1], n[there], hits, mean, share, low, high, error)


def wilson(
    right: npt.ArrayLike, n: npt.ArrayLike, z: float = _NORMAL_95
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Wilson's score interval of a share (Wilson 1927); ``n`` is positive."""
    count = np.asarray(n, np.float64)
    share = np.asarray(right, np.float64) / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
