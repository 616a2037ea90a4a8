"""Parcels of a series: no outlines, but how many pixels of each size lie within them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.synthetic.canopy import Canopy, Weather
from s4c_lib.synthetic.crops import CROPS, ParcelTraits
from s4c_lib.synthetic.growth.canopies import grow
from s4c_lib.synthetic.growth.weather import make_weather
from s4c_lib.synthetic.landscape.assignment import draw_traits
from s4c_lib.synthetic.landscape.holdings import listed_holdings
from s4c_lib.synthetic.streams import Stream, generator

CHUNK = 2000
# Parcels of so many chunks have the same weather: a district of 10 000 parcels.
CHUNKS_A_DISTRICT = 5
# Fields are about twice as long as wide.
_ASPECT, _ASPECT_SIGMA = 2.2, 0.35


@dataclass(frozen=True, slots=True)
class SeriesParcels:
    """One chunk of parcels with what grows on them.

    Parameters
    ----------
    holding : int64 (parcels,), number of the holding within the chunk.
    optical_pixels, radar_pixels : int32 (parcels,), pixels of 10 m within 5 m, of 20 m within 10 m of the border
        (``S2Pix``, ``S1Pix``).
    events : `canopy.EVENTS_SCHEMA`.
    """

    chunk: int
    traits: ParcelTraits
    holding: npt.NDArray[np.int64]
    optical_pixels: npt.NDArray[np.int32]
    radar_pixels: npt.NDArray[np.int32]
    weather: Weather
    canopy: Canopy
    events: pa.Table

    @property
    def ori_id(self) -> list[str]:
        """Identifiers as an agency would write them."""
        return [f"P{number:08d}" for number in self.traits.parcel_id]

    def table(self) -> pa.Table:
        """Parcel table that stands beside observations (design, section 5)."""
        codes = np.array([crop.code for crop in CROPS])
        return pa.table(
            {
                "parcel_id": self.traits.parcel_id,
                "ori_id": self.ori_id,
                "crop": codes[self.traits.declared],
                "S1Pix": self.radar_pixels,
                "S2Pix": self.optical_pixels,
                "Area_meters": self.traits.area_m2,
                "holding": [f"H{self.chunk:05d}-{number}" for number in self.holding],
            }
        )


def series_parcels(seed: int, chunk: int, count: int, start: date, end: date, mislabelled: float) -> SeriesParcels:
    """Draw one chunk; it depends on nothing but these arguments."""
    holding = listed_holdings(count, generator(seed, Stream.HOLDINGS, chunk))
    first = chunk * CHUNK + 1
    traits = draw_traits(count, seed, chunk, holding=holding, mislabelled=mislabelled, first_id=first)
    weather = make_weather(seed, start, end, cell=chunk // CHUNKS_A_DISTRICT)
    canopy, events = grow(traits, weather, start=start, end=end, seed=seed, chunk=chunk)
    rng = generator(seed, Stream.FIELDS, chunk)
    aspect = _ASPECT * np.exp(_ASPECT_SIGMA * rng.standard_normal(count))
    width = np.sqrt(traits.area_m2 / np.maximum(aspect, 1))
    length = traits.area_m2 / width
    return SeriesParcels(
        chunk,
        traits,
        holding,
        _pixels(length, width, 10, rng),
        _pixels(length, width, 20, rng),
        weather,
        canopy,
        events,
    )


def _pixels(
    length: npt.NDArray[np.float64], width: npt.NDArray[np.float64], metres: int, rng: np.random.Generator
) -> npt.NDArray[np.int32]:
    """Pixel centres in a rectangle shrunk by half a pixel on each side: its area, rounded up or down by chance."""
    shrunk = np.maximum(length - metres, 0) * np.maximum(width - metres, 0)
    return np.floor(shrunk / metres**2 + rng.random(len(length))).astype(np.int32)
