"""Backscatter of parcels: water cloud over soil (Attema & Ulaby 1978, Radio Science 13, 357-364).

sigma0 = A V1 cos(theta) (1 - T) + sigma0_soil T with T = exp(-2 B V2 / cos(theta)); V1 = 1 (a canopy that hides the
soil scatters the same however deep it is; Prévot et al. 1993, Int. J. Remote Sensing 14, 2803-2818) and V2 = plant
water. The soil follows Baghdadi et al. (2016, Remote Sensing 8, 920), which gives VV and HV from incidence, moisture
and roughness height. Rows of bare soil shine when looked at square (Wegmüller et al. 2011, Remote Sensing of
Environment 115, 2423-2433); rain on leaves adds up to 1 dB (de Jong et al. 2002, IEEE TGRS 40, 338-347) and dew less
(Khabbazan et al. 2022, Remote Sensing of Environment 268, 112789); frozen soil and plants lose most of their dielectric
constant (Baghdadi et al. 2018, Remote Sensing 10, 1182).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from s4c_lib.synthetic.canopy import Canopy, Weather
from s4c_lib.synthetic.crops import Cover, ParcelTraits
from s4c_lib.synthetic.passes import RadarPass
from s4c_lib.synthetic.radar.conditions import Floats, RadarCharacter, frozen, morning, rain_before, state_index
from s4c_lib.synthetic.radar.parameters import COVER_SIGNALS, scattering_of_crops

# Water content of the surface from wetness 0 to 1, volume %.
DRY_PCT: Final = 5.0
WET_PCT: Final = 40.0
_FROZEN_PCT: Final = 3.0
_WAVE_NUMBER: Final = 1.133  # 1/cm at 5.405 GHz
# Standard deviation of heights from a rolled seedbed to a ploughed field, cm.
_SMOOTH_CM: Final = 0.8
_ROUGH_CM: Final = 3.0
# Baghdadi et al. (2016), VV and HV: log10 of the factor, power of cos(theta), rate for 1 % of moisture over tan(theta),
# power of the roughness (wave number times height) over sin(theta).
_SOIL: Final = ((-1.138, 1.528, 0.008, 0.71), (-2.325, -0.01, 0.011, 0.44))
# Added to meet the maize fields of the French series before emergence: VV -10.9, VH -20.0 dB in May.
_SOIL_OFFSET_DB: Final = (0.3, 1.0)
_ROW_GAIN_DB: Final = (1.0, 0.3)
_ROW_WIDTH_DEG: Final = 15.0
# A straw cover scatters once it is wet (McNairn et al. 2002, Remote Sensing of Environment 80, 308-320).
_RESIDUE_DB: Final = (0.3, 1.2)
_DRY_LEAF_WATER: Final = 0.05  # kg/m2 that a unit of dead leaf area stands for
_FROZEN_WATER: Final = 0.35


@dataclass(frozen=True, slots=True)
class Contributions:
    """Parts of sigma nought, linear, float32 (parcels, 2): soil as seen through the canopy, and plants."""

    soil: Floats
    plants: Floats

    @property
    def total(self) -> Floats:
        """Sigma nought."""
        return self.soil + self.plants


def soil_sigma0(
    wetness: Floats, roughness: Floats, incidence: float, polarisation: int, *, is_frozen: bool = False
) -> Floats:
    """Sigma nought of bare soil without rows, linear.

    Parameters
    ----------
    wetness, roughness : 0..1, as in `Canopy`.
    polarisation : 0 for VV, 1 for VH.
    """
    base, cosine_power, moisture_rate, roughness_power = _SOIL[polarisation]
    theta = np.deg2rad(incidence)
    fixed = 10 ** (base + _SOIL_OFFSET_DB[polarisation] / 10) * np.cos(theta) ** cosine_power
    power = roughness_power * np.sin(theta)
    # Powers written as one exponential: this is evaluated for a million parcels.
    rate = moisture_rate / np.tan(theta) * np.log(10)
    moisture = _FROZEN_PCT if is_frozen else np.float32(DRY_PCT) + np.float32(WET_PCT - DRY_PCT) * wetness
    height = np.float32(_SMOOTH_CM) + np.float32(_ROUGH_CM - _SMOOTH_CM) * roughness
    exponent = np.float32(rate) * moisture + np.float32(power) * np.log(np.float32(_WAVE_NUMBER) * height)
    return np.asarray(np.float32(fixed) * np.exp(exponent), dtype=np.float32)


def contributions(
    traits: ParcelTraits,
    canopy: Canopy,
    weather: Weather,
    flight: RadarPass,
    character: RadarCharacter | None = None,
) -> Contributions:
    """Soil and plant parts of each parcel's backscatter at a pass."""
    day = state_index(canopy, flight)
    crop = scattering_of_crops()
    kind = traits.crop
    cosine = np.float32(np.cos(np.deg2rad(flight.incidence)))
    ice = frozen(weather, flight)
    wet_leaves = 1 - np.exp(-rain_before(weather, flight) / 2)
    leaves_db = max(1.0 * wet_leaves, 0.0 if ice or not morning(flight) else 0.4)

    brown, green = canopy.brown_lai[:, day], canopy.green_lai[:, day]
    water = canopy.canopy_water[:, day] + np.float32(_DRY_LEAF_WATER) * brown + crop["wood"][kind]
    if ice:
        water = water * np.float32(_FROZEN_WATER)
    wetness, roughness, residue = (
        np.ascontiguousarray(table[:, day]) for table in (canopy.soil_wetness, canopy.roughness, canopy.residue)
    )
    # Leaves hold the water that brightens them; a few leaves hold little.
    leaf_gain = np.exp(np.float32(leaves_db * np.log(10) / 10) * (1 - np.exp(np.float32(-0.7) * (green + brown))))
    rows = _square_look(traits.row_angle, flight.look_azimuth)
    ridges = crop["ridges_db"][kind] * (roughness > np.float32(0.15))

    shape = (len(kind), 2)
    soil, plants = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for number in range(2):
        through = np.exp(np.float32(-2) / cosine * crop["extinction"][kind, number] * water)
        ground = soil_sigma0(wetness, roughness, flight.incidence, number, is_frozen=ice)
        row_gain = np.float32(_ROW_GAIN_DB[number]) * (roughness + ridges)
        gain_db = rows * row_gain + np.float32(_RESIDUE_DB[number]) * residue * wetness
        soil[:, number] = ground * np.exp(np.float32(np.log(10) / 10) * gain_db) * through
        plants[:, number] = crop["closed"][kind, number] * cosine * (1 - through) * leaf_gain
    if character is not None:
        own = np.exp(np.float32(np.log(10) / 10) * character.offset_db)
        soil *= own
        plants *= own
    return Contributions(soil, plants)


def parcel_backscatter(
    traits: ParcelTraits,
    canopy: Canopy,
    weather: Weather,
    flight: RadarPass,
    character: RadarCharacter | None = None,
) -> Floats:
    """Sigma nought of parcels at a pass, without speckle.

    Parameters
    ----------
    character : what sets each parcel apart; None for parcels as like as their canopies.

    Returns
    -------
    float32 (parcels, 2), linear, VV and VH.

    Raises
    ------
    InputError : the canopy does not reach the day of the pass.
    """
    return contributions(traits, canopy, weather, flight, character).total


def cover_backscatter(weather: Weather, flight: RadarPass) -> Floats:
    """Sigma nought of undeclared ground at a pass, float32 (covers, 2) in the order of `Cover`, linear."""
    wet = 1 - np.exp(-rain_before(weather, flight) / 2)
    # Wind is not part of the weather; the cloudiness of the day stands for it over water.
    day = weather.index(flight.start.date())
    wind = float(np.clip(weather.overcast[day], -1.5, 1.5))
    levels = []
    for cover in Cover:
        signal = COVER_SIGNALS[cover]
        gain = signal.wet_db * (wind if cover is Cover.WATER else wet)
        frost = -2.5 if cover is Cover.MARGIN and frozen(weather, flight) else 0.0
        levels.append([level + gain + frost for level in signal.level_db])
    return np.asarray(10 ** (np.array(levels) / 10), dtype=np.float32)


def _square_look(row_angle: Floats, look_azimuth: float) -> Floats:
    """How squarely the radar looks at rows: 1 across them, 0 along them."""
    along = np.abs((row_angle - np.float32(look_azimuth)) % np.float32(180) - np.float32(90))
    return np.asarray(np.exp(-((along / np.float32(_ROW_WIDTH_DEG)) ** 2)), dtype=np.float32)
