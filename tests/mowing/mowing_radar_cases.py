"""Series of coherence written by hand, and settings of a profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from s4c_lib.mowing.events import MISSION_NAMES, Events, Mission
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.parcels.l4b_configuration import L4bConfiguration
from s4c_lib.statistics.matrices import Series

PREFIX = "processor.s4c_l4b."
SIX = timedelta(days=6)
FLAT = (0.30, 0.32, 0.29, 0.31, 0.30, 0.31, 0.30, 0.32, 0.30, 0.31)
JUMP = (0.52, 0.48, 0.44, 0.40, 0.37, 0.35, 0.33)


ORBIT_BY_ORBIT = {"s1__all_orbits": False, "s1__pol_types": ("VH",), "s1__non_overlap_interval_days": 28}
"""The detector of section 5 with the corrections of section 12, which is not the shipped default."""


def values(profile: str = "default", **changes: Any) -> dict[str, Any]:
    """Checked values by registry key; ``changes`` by what follows the prefix, ``__`` for a dot. Each orbit detects by
    itself unless they say otherwise.
    """
    own = {PREFIX + name.replace("__", "."): value for name, value in {**ORBIT_BY_ORBIT, **changes}.items()}
    return resolve(Layers(season={"profile": profile, **own}), phase="current").values


def mowing_settings(
    profile: str = "default", configuration: L4bConfiguration | None = None, **changes: Any
) -> MowingSettings:
    return MowingSettings.of(values(profile, **changes), configuration)


def pairs(*coherence: float, first: str = "2021-04-03", step: timedelta = SIX) -> dict[date, float]:
    """Coherence of consecutive pairs by the date of the later image."""
    day = date.fromisoformat(first)
    return {day + number * step: value for number, value in enumerate(coherence)}


def coherence(
    *parcels: Mapping[date, float],
    pixels: int | Sequence[int] = 36,
    orbit: int | None = 44,
    direction: str | None = "ascending",
    variable: str = "coherence_vh",
    length: timedelta | None = SIX,
) -> Series:
    """A series of parcels, with a column for each day any of them has."""
    days = sorted({day for series in parcels for day in series})
    mean = np.array([[series.get(day, np.nan) for day in days] for series in parcels], np.float32)
    time = np.array(days, "datetime64[s]") + np.timedelta64(17, "h")
    previous = (
        np.full(len(days), np.datetime64("NaT"), "datetime64[s]") if length is None else time - np.timedelta64(length)
    )
    return coherence_matrix(time, previous, mean, pixels, orbit, direction, variable)


def coherence_matrix(
    time: Any,
    previous: Any,
    mean: Any,
    pixels: int | Sequence[int] = 36,
    orbit: int | None = 44,
    direction: str | None = "ascending",
    variable: str = "coherence_vh",
) -> Series:
    counts = np.broadcast_to(np.reshape(pixels, (-1, 1)), mean.shape)
    counts = np.where(np.isfinite(mean), counts, 0).astype(np.int32)
    return Series(
        variable,
        orbit,
        direction,
        np.asarray(time, "datetime64[s]"),
        np.asarray(previous, "datetime64[s]"),
        np.full(len(time), "sentinel-1a"),
        np.arange(1, len(mean) + 1),
        np.asarray(mean, np.float32),
        np.full(mean.shape, np.nan, np.float32),
        counts,
        counts.copy(),
    )


def shown(events: Events) -> list[tuple[float, str, str]]:
    """Confidence to three decimals, and both ends to the hour."""
    return [
        (round(float(confidence), 3), str(start)[:13], str(end)[:13])
        for confidence, start, end in zip(events.confidence, events.start, events.end, strict=True)
    ]


def seen_by(events: Events) -> list[str]:
    return [MISSION_NAMES[Mission(int(bits))] for bits in events.missions]
