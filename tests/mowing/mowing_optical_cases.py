"""Series of NDVI written by hand, and settings of a profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from s4c_lib.mowing.events import Events
from s4c_lib.mowing.optical import OpticalSettings
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.statistics.matrices import Series

STEP = timedelta(days=5)


def settings(profile: str = "reference", **changes: Any) -> OpticalSettings:
    values = resolve(Layers(season={"profile": profile}), phase="current").values
    return replace(OpticalSettings.of(values), **changes)


def spaced(first: str, *values: float, step: timedelta = STEP) -> dict[date, float]:
    """Values every five days from a date on."""
    day = date.fromisoformat(first)
    return {day + number * step: value for number, value in enumerate(values)}


def series(*parcels: Mapping[date, float], n: Sequence[int] = ()) -> Series:
    """A series of parcels, with a column for each day any of them has."""
    days = sorted({day for values in parcels for day in values})
    mean = np.array([[values.get(day, np.nan) for day in days] for values in parcels], np.float32)
    return of_matrix(np.array(days, "datetime64[s]") + np.timedelta64(10, "h"), mean)


def of_matrix(time: np.ndarray[Any, Any], mean: np.ndarray[Any, Any], n: np.ndarray[Any, Any] | None = None) -> Series:
    pixels = np.where(np.isfinite(mean), 30, 0) if n is None else n
    return Series(
        "ndvi",
        None,
        None,
        np.asarray(time, "datetime64[s]"),
        np.full(len(time), np.datetime64("NaT"), "datetime64[s]"),
        np.full(len(time), "", np.str_),
        np.arange(1, len(mean) + 1),
        np.asarray(mean, np.float32),
        np.full(mean.shape, np.nan, np.float32),
        np.asarray(pixels, np.int32),
        np.asarray(pixels, np.int32),
    )


def told(events: Events) -> list[tuple[float, str, str]]:
    """Confidence to three decimals, and the days of both ends."""
    ends = zip(events.start.astype("datetime64[D]"), events.end.astype("datetime64[D]"), strict=True)
    return [
        (round(float(confidence), 3), str(start), str(end))
        for confidence, (start, end) in zip(events.confidence, ends, strict=True)
    ]
