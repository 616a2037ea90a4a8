"""Sentinel-1 observations of parcels without images: the physics of each parcel, then the statistics of its pixels."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from s4c_lib.statistics.observation_table import ObservationBlock
from s4c_lib.synthetic.passes import RadarPass
from s4c_lib.synthetic.radar.backscatter import Contributions, contributions
from s4c_lib.synthetic.radar.coherence import parcel_coherence
from s4c_lib.synthetic.radar.conditions import radar_character
from s4c_lib.synthetic.radar.statistics import PixelStatistics, observed_backscatter, observed_coherence
from s4c_lib.synthetic.series_parcels import SeriesParcels
from s4c_lib.synthetic.streams import Stream, generator

_POLARISATIONS = ("vv", "vh")


def radar_blocks(
    parcels: SeriesParcels, flights: tuple[RadarPass, ...], tile: str, variables: Collection[str], seed: int
) -> Iterator[ObservationBlock]:
    """Backscatter of each pass and its coherence with the pass before, of all parcels with a 20 m pixel."""
    wanted_power = any(name in variables for name in _POLARISATIONS)
    wanted_coherence = any(f"coherence_{name}" in variables for name in _POLARISATIONS)
    if not (wanted_power or wanted_coherence):
        return
    character = radar_character(seed, len(parcels.traits), chunk=parcels.chunk)
    seen = np.flatnonzero(parcels.radar_pixels > 0)
    pixels = parcels.radar_pixels[seen]
    before: dict[int, tuple[RadarPass, Contributions]] = {}
    for flight in flights:
        rng = generator(seed, Stream.SERIES_RADAR, parcels.chunk, flight.start.toordinal(), flight.relative_orbit)
        parts = contributions(parcels.traits, parcels.canopy, parcels.weather, flight, character)
        power = observed_backscatter(parts.total[seen], pixels, rng)
        if wanted_power:
            yield from _blocks(parcels, flight, None, tile, variables, "", power, seen)
        earlier = before.get(flight.relative_orbit)
        before[flight.relative_orbit] = flight, parts
        if earlier is not None and wanted_coherence:
            previous, previous_parts = earlier
            true = parcel_coherence(
                parcels.traits,
                parcels.canopy,
                parcels.weather,
                flight,
                previous,
                character,
                parts=(previous_parts, parts),
            )
            found = observed_coherence(true[seen], pixels, rng)
            yield from _blocks(parcels, flight, previous, tile, variables, "coherence_", found, seen)


def _blocks(
    parcels: SeriesParcels,
    flight: RadarPass,
    previous: RadarPass | None,
    tile: str,
    variables: Collection[str],
    prefix: str,
    found: PixelStatistics,
    seen: np.ndarray[tuple[int, ...], np.dtype[np.intp]],
) -> Iterator[ObservationBlock]:
    for number, polarisation in enumerate(_POLARISATIONS):
        if f"{prefix}{polarisation}" in variables:
            yield ObservationBlock(
                variable=f"{prefix}{polarisation}",
                time=flight.start,
                previous_time=None if previous is None else previous.start,
                platform=f"sentinel-{flight.platform[1:].lower()}",
                tile=tile,
                orbit=flight.relative_orbit,
                direction=flight.direction,
                parcel_id=parcels.traits.parcel_id[seen],
                mean=found.mean[:, number],
                std=found.std[:, number],
                least=found.least[:, number],
                most=found.most[:, number],
                n=parcels.radar_pixels[seen],
                n_total=parcels.radar_pixels[seen],
            )
