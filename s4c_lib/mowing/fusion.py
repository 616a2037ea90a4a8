"""Events of all passes made one: what overlaps is fused, what is too near is left out (section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled
from s4c_lib.mowing.events import NOT_SEEN, Events, joined, no_events
from s4c_lib.mowing.fusion_kernels import COLUMNS, combine_passes
from s4c_lib.mowing.fusion_settings import FusionSettings

__all__ = ["FusionSettings", "combine"]

_DAY: Final = 24 * 3600
_LEAST_ROOM: Final = 1024
_S2_COLUMNS: Final = ("s2_before", "s2_low", "s2_after", "s2_v0", "s2_v1", "s2_drop")
_S1_COLUMNS: Final = ("s1_orbit", "s1_pair", "s1_excess")


def combine(optical: Events | None, radar: Sequence[Events], settings: FusionSettings) -> Events:
    """Fuse and select the candidates of the optical pass, then of one orbit after the other.

    Parameters
    ----------
    optical : candidates of the optical series; None when there is none.
    radar : candidates of each orbit, by ascending orbit number.

    Returns
    -------
    Events : by parcel and time. A fused event has the optical columns of its optical event, the radar columns of the
        most confident of its radar events (of equals the first orbit), and the passes of all as ``n``.
    """
    passes = [part if _in_order(part) else part.in_order() for part in ([] if optical is None else [optical])]
    passes += [part if _in_order(part) else part.in_order() for part in radar]
    every = joined(passes)
    if not len(every):
        return no_events()
    numbers = np.arange(int(every.parcel.max()) + 2)
    lengths = np.cumsum([0, *(len(part) for part in passes)])
    offsets = np.stack([np.searchsorted(part.parcel, numbers) + lengths[at] for at, part in enumerate(passes)])
    by_end = np.ones(len(passes), np.bool_)
    if optical is not None:
        by_end[0] = False
    distance = np.where(by_end, settings.radar_days, settings.optical_days) * _DAY
    counts, made, confidence = _made(every, offsets.astype(np.int64), by_end, distance.astype(np.int64), settings)
    start, end, missions, of_optical, of_radar, n = made.T
    columns: dict[str, Any] = {
        "parcel": np.repeat(numbers[:-1], counts),
        "start": start.astype("datetime64[s]"),
        "end": end.astype("datetime64[s]"),
        "confidence": confidence,
        "missions": missions.astype(np.uint8),
        "n": n.astype(np.int16),
    }
    for names, rows in ((_S2_COLUMNS, of_optical), (_S1_COLUMNS, of_radar)):
        for name in names:
            values = getattr(every, name)
            absent = np.nan if values.dtype.kind == "f" else NOT_SEEN
            columns[name] = np.where(rows >= 0, values[rows], values.dtype.type(absent))
    return Events(**columns)


def _made(
    every: Events,
    offsets: npt.NDArray[np.int64],
    by_end: npt.NDArray[np.bool_],
    distance: npt.NDArray[np.int64],
    settings: FusionSettings,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Events a parcel, and their columns; fused ones may be more than there were before, so room is made as needed."""
    kernel: Any = compiled(combine_passes)
    columns = (
        offsets,
        every.start.astype(np.int64),
        every.end.astype(np.int64),
        every.confidence,
        every.missions,
        every.n,
        by_end,
        distance,
    )
    parcels = offsets.shape[1] - 1
    counts = np.zeros(parcels, np.int64)
    room = len(every) + _LEAST_ROOM
    parts, confidences = [], []
    first = 0
    while first < parcels:
        made, confidence = np.empty((room, COLUMNS), np.int64), np.empty(room)
        rules = (settings.max_events, settings.intersection, settings.stepwise)
        following, count = kernel(*columns, first, *rules, counts, made, confidence)
        room = 2 * room if following == first else room
        first = following
        parts.append(made[:count])
        confidences.append(confidence[:count])
    return counts, np.concatenate(parts), np.concatenate(confidences)


def _in_order(events: Events) -> bool:
    """Whether they are by parcel and start already."""
    step = np.diff(events.parcel)
    later = np.diff(events.start.astype(np.int64)) >= 0
    return bool(((step > 0) | ((step == 0) & later)).all())
