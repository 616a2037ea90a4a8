"""Random numbers: one seed, and a stream of its own for each thing, so that no part disturbs another."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """Names of the streams; the numbers are part of what a seed means and stay."""

    FIELDS = 10
    TRAITS = 11
    HOLDINGS = 12
    FAULTS = 13
    DECLARATIONS = 14
    WEATHER = 20
    GROWTH = 21
    CLOUDS = 30
    TEXTURE = 31
    OPTICAL_NOISE = 32
    HAZE = 33
    CLASSIFICATION = 34
    SPECKLE = 40
    COHERENCE = 41
    RADAR_TEXTURE = 42
    SERIES_OPTICAL = 50
    SERIES_RADAR = 51


def generator(seed: int, stream: Stream, *index: int) -> np.random.Generator:
    """Generator of one stream; ``index`` (a chunk, a date as ordinal, an orbit) separates its parts.

    What it yields depends on its arguments alone, never on the order or the process in which parts are made.
    """
    return np.random.default_rng([seed, int(stream), *index])
