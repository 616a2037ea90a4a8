"""Compiled loop of fusion and selection, a parcel after the other."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from s4c_lib.kernel_cache import compiled

_S2: Final = 1
_S1: Final = 2
_BOTH: Final = 3
_HIGHEST_RADAR: Final = 0.5
# Columns of an event in the making: seconds, missions, rows of its evidence, passes that saw it.
_START, _END, _MISSIONS, _OPTICAL, _RADAR, _PASSES = range(6)
COLUMNS: Final = 6


def combine_passes(
    offsets: Any,
    start: Any,
    end: Any,
    confidence: Any,
    missions: Any,
    n: Any,
    by_end: Any,
    distance: Any,
    first: int,
    most: int,
    intersection: bool,
    stepwise: bool,
    counts: Any,
    made: Any,
    made_confidence: Any,
) -> tuple[int, int]:
    """Combine the passes of parcels from ``first`` on, until all are done or there is no more room.

    Parameters
    ----------
    offsets : int64 (passes, parcels + 1), rows of each parcel in the columns that follow.
    start, end : int64 (events,), seconds; in a pass by parcel and start.
    confidence, missions, n : float64, uint8, int16 (events,).
    by_end : bool (passes,), events of a selection differ by their ends; else by their outer span.
    distance : int64 (passes,), least seconds they differ by.
    most : most events of a parcel, 0 for all.
    counts : int64 (parcels,), filled: events of each.
    made : int64 (room, 6), filled: start, end, missions, rows of the optical and of the radar event, passes.
    made_confidence : float64 (room,), filled.

    Returns
    -------
    The parcel to go on with, and how many events were made.
    """
    parcels = offsets.shape[1] - 1
    old, old_confidence = np.empty((16, COLUMNS), np.int64), np.empty(16)
    new, new_confidence = np.empty((64, COLUMNS), np.int64), np.empty(64)
    order, chosen = np.empty(64, np.int64), np.empty(64, np.int64)
    done = 0
    for p in range(first, parcels):
        olds = 0
        for step in range(offsets.shape[0]):
            begin, stop = offsets[step, p], offsets[step, p + 1]
            news = stop - begin
            if (news == 0 and not stepwise) or news + olds == 0:
                continue
            need = news * olds + news + olds
            if need > len(order):
                new, new_confidence = np.empty((2 * need, COLUMNS), np.int64), np.empty(2 * need)
                order, chosen = np.empty(2 * need, np.int64), np.empty(2 * need, np.int64)
            # Fusion: what overlaps becomes one; what overlaps nothing stays.
            made_now = 0
            for i in range(olds):
                alone = True
                for row in range(begin, stop):
                    if max(old[i, _START], start[row]) < min(old[i, _END], end[row]):
                        alone = False
                        low, high = old[i, _START], old[i, _END]
                        if intersection:
                            low, high = max(low, start[row]), min(high, end[row])
                        elif confidence[row] > old_confidence[i]:
                            low, high = start[row], end[row]
                        bits = old[i, _MISSIONS] | np.int64(missions[row])
                        both = 1 - 1 / (1 / (1 - confidence[row]) + 1 / (1 - old_confidence[i]))
                        if bits == _S1:
                            both = min(both, _HIGHEST_RADAR)
                        optical, radar = old[i, _OPTICAL], old[i, _RADAR]
                        if missions[row] & _S1 and (radar < 0 or confidence[row] > confidence[radar]):
                            radar = row
                        if missions[row] & _S2 and (optical < 0 or confidence[row] > confidence[optical]):
                            optical = row
                        new[made_now, _START], new[made_now, _END], new[made_now, _MISSIONS] = low, high, bits
                        new[made_now, _OPTICAL], new[made_now, _RADAR] = optical, radar
                        new[made_now, _PASSES] = old[i, _PASSES] + n[row]
                        new_confidence[made_now] = both
                        made_now += 1
                if alone:
                    new[made_now] = old[i]
                    new_confidence[made_now] = old_confidence[i]
                    made_now += 1
            for row in range(begin, stop):
                alone = True
                for i in range(olds):
                    if max(old[i, _START], start[row]) < min(old[i, _END], end[row]):
                        alone = False
                if alone:
                    new[made_now, _START], new[made_now, _END] = start[row], end[row]
                    new[made_now, _MISSIONS], new[made_now, _PASSES] = missions[row], n[row]
                    new[made_now, _OPTICAL] = row if missions[row] & _S2 else -1
                    new[made_now, _RADAR] = row if missions[row] & _S1 else -1
                    new_confidence[made_now] = confidence[row]
                    made_now += 1
            # Order: the most confident first; of equals the later as Sen4CAP does, else the earlier.
            for i in range(made_now):
                place = i
                while place > 0:
                    a, b = i, order[place - 1]
                    if new_confidence[a] != new_confidence[b]:
                        before = new_confidence[a] > new_confidence[b]
                    elif new[a, _START] != new[b, _START]:
                        before = (new[a, _START] > new[b, _START]) == stepwise
                    elif new[a, _END] != new[b, _END]:
                        before = (new[a, _END] > new[b, _END]) == stepwise
                    else:  # by name: S2/S1, S2, S1
                        bits_a, bits_b = new[a, _MISSIONS], new[b, _MISSIONS]
                        before = (bits_a == _BOTH and bits_b != _BOTH) or (bits_a == _S2 and bits_b == _S1)
                    if not before:
                        break
                    order[place] = order[place - 1]
                    place -= 1
                order[place] = i
            # Selection: an event is taken that is far enough from all taken before.
            taken = 0
            for i in range(made_now):
                a = order[i]
                fits = True
                for k in range(taken):
                    b = chosen[k]
                    if by_end[step]:
                        apart = abs(new[a, _END] - new[b, _END])
                    else:
                        apart = max(new[a, _END] - new[b, _START], new[b, _END] - new[a, _START])
                    if apart < distance[step]:
                        fits = False
                        break
                if fits:
                    chosen[taken] = a
                    taken += 1
                    if taken == most:
                        break
            if taken > len(old_confidence):
                old, old_confidence = np.empty((2 * taken, COLUMNS), np.int64), np.empty(2 * taken)
            for k in range(taken):
                old[k] = new[chosen[k]]
                value = new_confidence[chosen[k]]
                old_confidence[k] = np.rint(value * 1000) / 1000 if stepwise else value
            olds = taken
        if done + olds > len(made_confidence):
            return p, done
        counts[p] = olds
        for i in range(olds):  # by start, end
            place = done + i
            while place > done and (
                old[i, _START] < made[place - 1, _START]
                or (old[i, _START] == made[place - 1, _START] and old[i, _END] < made[place - 1, _END])
            ):
                made[place] = made[place - 1]
                made_confidence[place] = made_confidence[place - 1]
                place -= 1
            made[place] = old[i]
            made_confidence[place] = old_confidence[i]
        done += olds
    return parcels, done


def warm_up() -> None:
    """Compile it."""
    compiled(combine_passes)(
        np.zeros((1, 2), np.int64),
        np.empty(0, np.int64),
        np.empty(0, np.int64),
        np.empty(0),
        np.empty(0, np.uint8),
        np.empty(0, np.int16),
        np.zeros(1, np.bool_),
        np.zeros(1, np.int64),
        0,
        0,
        False,
        False,
        np.empty(1, np.int64),
        np.empty((1, COLUMNS), np.int64),
        np.empty(1),
    )
