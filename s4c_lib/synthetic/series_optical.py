"""Sentinel-2 observations of parcels without images: bands, indices and biophysical variables of each parcel."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.statistics.observation_table import BANDS, OPTICAL_INDICES, ObservationBlock
from s4c_lib.synthetic.optical.atmosphere import noise_deviation
from s4c_lib.synthetic.optical.canopy_reflectance import ReflectanceTable
from s4c_lib.synthetic.optical.parcel_reflectance import parcel_reflectance
from s4c_lib.synthetic.optical.parcel_sky import observe_parcels, parcel_sky
from s4c_lib.synthetic.optical.scene_classes import ClassificationErrors, plan_sky
from s4c_lib.synthetic.optical.spectral_response import SURFACE_BANDS
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.series_parcels import CHUNKS_A_DISTRICT, SeriesParcels
from s4c_lib.synthetic.streams import Stream, generator
from s4c_lib.vegetation.networks import load_network, model_of

Floats = npt.NDArray[np.float32]

MODEL_SET: Final = "s4c"
# Standard deviation of leaf area within a parcel, relative; Gauss-Hermite nodes carry it through what is not linear.
_WITHIN: Final = 0.10
_NODES, _WEIGHTS = np.polynomial.hermite.hermgauss(5)
_FACTORS: Final = tuple(float(node) for node in 1 + _WITHIN * np.sqrt(2) * _NODES)
_SHARES: Final = (_WEIGHTS / np.sqrt(np.pi)).astype(np.float32)
# Pixels drawn to see what the instrument's noise does to a variable.
_NOISY: Final = 2
_COARSE: Final = frozenset(("b05", "b06", "b07", "b8a", "b12"))
_AT: Final = {name: SURFACE_BANDS.index(name.upper()) for name in BANDS}


def optical_blocks(
    parcels: SeriesParcels,
    passes: tuple[tuple[OpticalPass, ReflectanceTable], ...],
    tile: str,
    variables: Collection[str],
    seed: int,
    *,
    cloudiness: float,
    errors: ClassificationErrors,
) -> Iterator[ObservationBlock]:
    """Statistics of each pass, of the parcels of which something is seen.

    Bands of 20 m (except B11, which is used at 10 m) count the pixels of 20 m, as the statistics step does.
    """
    wanted = [name for name in (*OPTICAL_INDICES, *BANDS) if name in variables]
    if not wanted:
        return
    flights = [flight for flight, _ in passes]
    plan = plan_sky(parcels.weather, flights, cloudiness, errors)
    district = parcels.chunk // CHUNKS_A_DISTRICT
    area = parcels.traits.area_m2
    skies = parcel_sky(flights, plan, area, seed, chunk=parcels.chunk, cell=district)
    for (flight, table), sky, view in zip(passes, plan, skies, strict=True):
        if not view.valid.any():
            continue
        nodes = parcel_reflectance(parcels.traits, parcels.canopy, flight.start.date(), table, _FACTORS)
        true = np.tensordot(nodes, _SHARES, axes=(1, 0))
        seen, valid = observe_parcels(true, view, sky, parcels.weather, area, seed, chunk=parcels.chunk, cell=district)
        counted = {
            coarse: np.rint(valid * pixels).astype(np.int32)
            for coarse, pixels in ((False, parcels.optical_pixels), (True, parcels.radar_pixels))
        }
        keep = np.flatnonzero((counted[False] > 0) | (counted[True] > 0))
        if not len(keep):
            continue
        rng = generator(seed, Stream.SERIES_OPTICAL, 2, parcels.chunk, flight.start.toordinal(), flight.relative_orbit)
        # What sky and instrument added to the mean holds for every place in the parcel.
        places = nodes[keep] + (seen[keep] - true[keep])[:, None]
        for name, mean, spread in _statistics(places, flight, wanted, rng):
            coarse = name in _COARSE
            count = counted[coarse][keep]
            some = count > 0
            total = (parcels.radar_pixels if coarse else parcels.optical_pixels)[keep]
            yield _block(name, flight, tile, parcels.traits.parcel_id[keep][some], mean[some], spread[some],
                         count[some], total[some], rng)  # fmt: skip


def _statistics(
    places: Floats, flight: OpticalPass, wanted: list[str], rng: np.random.Generator
) -> Iterator[tuple[str, Floats, Floats]]:
    """Name, mean and standard deviation over pixels (parcels,) of each variable.

    Parameters
    ----------
    places : (parcels, nodes, 12) reflectance of places within parcels.
    """
    middle = places[:, len(_FACTORS) // 2]
    deviation = np.stack(
        [noise_deviation(middle[:, band], band, flight.sun_zenith) for band in range(len(SURFACE_BANDS))],
        axis=1,
        dtype=np.float32,
    )
    drawn = rng.standard_normal((len(places), _NOISY, len(SURFACE_BANDS)), dtype=np.float32)
    noisy = middle[:, None] + deviation[:, None] * drawn
    everything = np.concatenate([places, noisy], axis=1)
    for name in wanted:
        values = _variable(name, everything, flight)
        at, off = values[:, : len(_FACTORS)], values[:, len(_FACTORS) :]
        mean = at @ _SHARES
        within = ((at - mean[:, None]) ** 2) @ _SHARES
        noise = ((off - at[:, [len(_FACTORS) // 2]]) ** 2).mean(axis=1)
        yield name, mean.astype(np.float32), np.sqrt(within + noise).astype(np.float32)


def _variable(name: str, reflectance: Floats, flight: OpticalPass) -> Floats:
    """One variable (parcels, places) from reflectances (parcels, places, 12), with the range L3B gives it."""
    if name in _AT:
        return np.asarray(reflectance[..., _AT[name]], dtype=np.float32)
    if name == "ndvi":
        red, infrared = reflectance[..., _AT["b04"]], reflectance[..., _AT["b08"]]
        return np.asarray(np.clip((infrared - red) / np.maximum(infrared + red, 1e-4), -1, 1), dtype=np.float32)
    network = load_network(model_of(MODEL_SET, flight.platform), name)
    cosines = np.cos(
        np.radians([flight.view_zenith, flight.sun_zenith, flight.sun_azimuth - flight.view_azimuth])
    ).astype(np.float32)
    bands = [reflectance[..., SURFACE_BANDS.index(band)] for band in network.bands]
    angles = [np.broadcast_to(cosine, bands[0].shape) for cosine in cosines]
    value = network.evaluate(np.stack([*bands, *angles]))
    return np.asarray(np.clip(value, network.valid_min, network.valid_max), dtype=np.float32)


def _block(
    name: str,
    flight: OpticalPass,
    tile: str,
    parcel_id: npt.NDArray[np.int64],
    mean: Floats,
    spread: Floats,
    count: npt.NDArray[np.int32],
    total: npt.NDArray[np.int32],
    rng: np.random.Generator,
) -> ObservationBlock:
    several = count > 1
    freedom = np.maximum(count - 1, 1).astype(np.float32)
    # A sample's variance spreads as chi square over its degrees of freedom; extremes lie where n normal values end.
    std = spread * np.sqrt(rng.standard_gamma(freedom / 2) / (freedom / 2)).astype(np.float32)
    reach = std * np.sqrt(2 * np.log(np.maximum(count, 1))).astype(np.float32) * np.float32(0.85)
    return ObservationBlock(
        variable=name,
        time=flight.start,
        previous_time=None,
        platform=f"sentinel-{flight.platform[1:].lower()}",
        tile=tile,
        orbit=None,
        direction=None,
        parcel_id=parcel_id,
        mean=mean,
        std=np.where(several, std, np.float32(np.nan)),
        least=mean - reach,
        most=mean + reach,
        n=count,
        n_total=total,
    )
