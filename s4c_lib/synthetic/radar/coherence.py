"""True coherence of parcels between two passes.

Soil and plants return uncorrelated waves, so the coherence of their sum is the mean of theirs weighted by power (the
decomposition of Zebker & Villasenor 1992, IEEE TGRS 30, 950-959, in two layers: Lavalle et al. 2012, IEEE TGRS 50,
2880-2893). Leaves move within days; soil keeps its phase until it is worked, rained on or its moisture changes
(De Zan et al. 2014, IEEE TGRS 52, 418-425). Noise takes 1 / (1 + 1/SNR). Levels after Tamm et al. (2016, Remote
Sensing 8, 802) and Voormansik et al. (2020, Remote Sensing 12, 3784) for grass and ploughing, and Shang et al. (2020,
Remote Sensing 12, 1551) for seeding and harvest.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from s4c_lib.errors import InputError
from s4c_lib.synthetic.canopy import Canopy, Weather
from s4c_lib.synthetic.crops import Cover, ParcelTraits
from s4c_lib.synthetic.passes import RadarPass
from s4c_lib.synthetic.radar.backscatter import DRY_PCT, WET_PCT, Contributions, contributions, cover_backscatter
from s4c_lib.synthetic.radar.conditions import (
    Floats,
    RadarCharacter,
    frozen,
    moment,
    rain_before,
    rain_between,
    state_index,
)
from s4c_lib.synthetic.radar.parameters import COVER_SIGNALS, scattering_of_crops

# Noise-equivalent sigma nought of IW in the middle of a swath, dB; the requirement is -22 (ESA, Sentinel-1 SAR guide).
NOISE_DB: Final = -26.0
NOISE: Final = 10 ** (NOISE_DB / 10)
LEAST: Final = 0.03
_SYSTEM: Final = 0.97  # orbital tube of 100 m, coregistration, quantisation
_SOIL_DAYS: Final = 40.0
_LEAF_DAYS: Final = 3.2
# Soil keeps at least exp(-0.5) however its moisture changes: the phase of all of it turns alike.
_MOISTURE_SCALE: Final = 0.12  # m3/m3
_MOISTURE_LOSS: Final = 0.5
_SPLASH: Final = 0.004  # per mm of rain on bare ground of middling roughness
_STRAW: Final = 0.12  # loss of ground all under straw in six days: wind and decay move it
_WET_PASS: Final = 0.025  # per mm of the 12 hours before each pass
_WET_PASS_LIMIT: Final = 0.35
_FROST_CHANGE: Final = 0.6
_DAYS: Final = 6.0


def parcel_coherence(
    traits: ParcelTraits,
    canopy: Canopy,
    weather: Weather,
    flight: RadarPass,
    previous: RadarPass,
    character: RadarCharacter | None = None,
    *,
    parts: tuple[Contributions, Contributions] | None = None,
) -> Floats:
    """Magnitude of the coherence between two passes, before estimation.

    Parameters
    ----------
    previous : the earlier pass over the same relative orbit.
    parts : `contributions` at (previous, flight) when they are at hand; computed otherwise.

    Returns
    -------
    float32 (parcels, 2), VV and VH, within `LEAST`..1.

    Raises
    ------
    InputError : the passes are not in order or of different orbits, or the canopy does not reach them.
    """
    days = _baseline(flight, previous)
    before, after = parts or (
        contributions(traits, canopy, weather, previous, character),
        contributions(traits, canopy, weather, flight, character),
    )
    first, last = state_index(canopy, previous), state_index(canopy, flight)
    rate = np.float32(1) if character is None else character.decorrelation
    leaves = np.float32(0.5) * (
        canopy.green_lai[:, first] + canopy.green_lai[:, last] + canopy.brown_lai[:, first] + canopy.brown_lai[:, last]
    )
    moisture = np.float32((WET_PCT - DRY_PCT) / 100) * (canopy.soil_wetness[:, last] - canopy.soil_wetness[:, first])
    rain = rain_between(weather, moment(weather, previous), moment(weather, flight))
    bare = (1 - canopy.residue[:, last]) * np.exp(np.float32(-0.5) * leaves)
    soil_loss = (
        np.float32(days / _SOIL_DAYS)
        + np.float32(_STRAW * days / _DAYS) * canopy.residue[:, last]
        + np.float32(_MOISTURE_LOSS) * (1 - np.exp(-((moisture / np.float32(_MOISTURE_SCALE)) ** 2)))
        + np.float32(_SPLASH * rain) * bare * (np.float32(0.4) + canopy.roughness[:, first])
    )
    path_loss = scattering_of_crops()["motion"][traits.crop] * leaves * np.float32((days / _DAYS) ** 0.5)
    soil = np.exp(-rate * (soil_loss + path_loss))
    plants = np.exp(-rate * np.float32(days / _LEAF_DAYS))
    still = np.prod(1 - canopy.change[:, first + 1 : last + 1], axis=1, dtype=np.float32)
    common = still * np.float32(_SYSTEM * _weather_factor(weather, flight, previous))

    result = np.empty(after.soil.shape, np.float32)
    for number in range(2):
        kept = np.sqrt(before.soil[:, number] * after.soil[:, number]) * soil
        kept += np.sqrt(before.plants[:, number] * after.plants[:, number]) * plants
        power = (before.soil[:, number] + before.plants[:, number] + np.float32(NOISE)) * (
            after.soil[:, number] + after.plants[:, number] + np.float32(NOISE)
        )
        result[:, number] = np.maximum(common * kept / np.sqrt(power), np.float32(LEAST))
    return result


def cover_coherence(weather: Weather, flight: RadarPass, previous: RadarPass) -> Floats:
    """Magnitude of the coherence of undeclared ground, float32 (covers, 2) in the order of `Cover`."""
    days = _baseline(flight, previous)
    powers = [cover_backscatter(weather, item) for item in (previous, flight)]
    wet = sum(1 - np.exp(-rain_before(weather, item) / 2) for item in (previous, flight)) / 2
    stability = np.array(
        [COVER_SIGNALS[cover].stability * (1 - COVER_SIGNALS[cover].rain_loss * wet) for cover in Cover]
    )
    # A town hardly ages; what loses its phase in six days loses it further in twelve.
    aged = stability ** (1 + (days / _DAYS - 1) * np.where(stability > 0.8, 0.3, 0.6))
    noise = np.sqrt((1 + NOISE / powers[0]) * (1 + NOISE / powers[1]))
    return np.asarray(np.maximum(_SYSTEM * aged[:, None] / noise, LEAST), dtype=np.float32)


def _baseline(flight: RadarPass, previous: RadarPass) -> float:
    if previous.start >= flight.start or previous.relative_orbit != flight.relative_orbit:
        raise InputError(
            f"no coherence between {previous.platform} {previous.start:%Y-%m-%d} of orbit {previous.relative_orbit} "
            f"and {flight.platform} {flight.start:%Y-%m-%d} of orbit {flight.relative_orbit}",
            hint="pair a pass with an earlier one of its own relative orbit",
        )
    return (flight.start - previous.start).total_seconds() / 86400


def _weather_factor(weather: Weather, flight: RadarPass, previous: RadarPass) -> float:
    wet = 1.0
    for item in (previous, flight):
        wet *= 1 - min(_WET_PASS * rain_before(weather, item), _WET_PASS_LIMIT)
    return wet * (_FROST_CHANGE if frozen(weather, flight) != frozen(weather, previous) else 1.0)
