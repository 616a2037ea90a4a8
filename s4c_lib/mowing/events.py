"""Mowing events of many parcels as columns, with the observations that made each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntFlag
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]


class Mission(IntFlag):
    """Which missions saw an event."""

    S2 = 1
    S1 = 2


MISSION_NAMES: Final = {Mission.S2: "S2", Mission.S1: "S1", Mission.S2 | Mission.S1: "S2/S1"}
"""As Sen4CAP writes them; the optical pass comes first, so ``S1/S2`` does not occur."""

NOT_SEEN: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Events, one an index of every column; by parcel, start and end.

    Parameters
    ----------
    parcel : int64 (events,), row of the parcel in the matrices.
    start, end : datetime64[s] (events,), last time surely before and first time surely after, UTC.
    confidence : float64 (events,), in (0, 1).
    missions : uint8 (events,), `Mission` bits.
    s2_before, s2_low, s2_after : int32 (events,), columns of the optical series: before, lowest, the one that confirms;
        -1 where the optical series did not see it.
    s2_v0, s2_v1, s2_drop : float64 (events,), NDVI before and low, and the D of the drop test; NaN where not seen.
    s1_orbit : int16 (events,), relative orbit that saw it best, -1 where none did.
    s1_pair : int32 (events,), column in the series of that orbit, -1 where none.
    s1_excess : float64 (events,), D of the jump test, or the sum of the evidence of all orbits; NaN where not seen.
    n : int16 (events,), passes that saw it: the optical series counts once, each orbit once.
    """

    parcel: Int64
    start: Times
    end: Times
    confidence: Floats
    missions: npt.NDArray[np.uint8]
    s2_before: Int32
    s2_low: Int32
    s2_after: Int32
    s2_v0: Floats
    s2_v1: Floats
    s2_drop: Floats
    s1_orbit: npt.NDArray[np.int16]
    s1_pair: Int32
    s1_excess: Floats
    n: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.parcel)

    def take(self, rows: npt.ArrayLike) -> Events:
        """Return the chosen ones in the given order; rows as numpy takes them (positions or a mask)."""
        chosen = np.asarray(rows)
        return Events(**{item.name: getattr(self, item.name)[chosen] for item in fields(self)})

    def in_order(self) -> Events:
        """Return them by parcel, start, end."""
        return self.take(np.lexsort((self.end, self.start, self.parcel)))


_TYPES: Final[dict[str, Any]] = {
    "parcel": np.int64,
    "start": "datetime64[s]",
    "end": "datetime64[s]",
    "confidence": np.float64,
    "missions": np.uint8,
    "s2_before": np.int32,
    "s2_low": np.int32,
    "s2_after": np.int32,
    "s2_v0": np.float64,
    "s2_v1": np.float64,
    "s2_drop": np.float64,
    "s1_orbit": np.int16,
    "s1_pair": np.int32,
    "s1_excess": np.float64,
    "n": np.int16,
}
_UNSEEN: Final[dict[str, Any]] = {
    "s2_before": NOT_SEEN,
    "s2_low": NOT_SEEN,
    "s2_after": NOT_SEEN,
    "s2_v0": np.nan,
    "s2_v1": np.nan,
    "s2_drop": np.nan,
    "s1_orbit": NOT_SEEN,
    "s1_pair": NOT_SEEN,
    "s1_excess": np.nan,
}


def make_events(**columns: Any) -> Events:
    """Make events of some columns; what a mission did not see is filled as such. ``parcel`` and the others of both
    missions (start, end, confidence, missions, n) must be there; types are cast.
    """
    count = len(columns["parcel"])
    filled = {name: np.full(count, value) for name, value in _UNSEEN.items()} | columns
    return Events(**{name: np.asarray(filled[name]).astype(kind) for name, kind in _TYPES.items()})


def no_events() -> Events:
    """Return none."""
    return make_events(parcel=(), start=(), end=(), confidence=(), missions=(), n=())


def joined(parts: Sequence[Events]) -> Events:
    """Return the events of several parts, one after the other, not sorted."""
    if not parts:
        return no_events()
    return Events(
        **{item.name: np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Events)}
    )
