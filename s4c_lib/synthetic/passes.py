"""One pass of a satellite over the window: values that orbits make and images use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class OpticalPass:
    """A Sentinel-2 pass; angles in degrees at the centre of the window, azimuths clockwise from north.

    Parameters
    ----------
    start : UTC, start of the datatake's imaging of the window (used in names).
    platform : ``S2A`` to ``S2D``.
    sun_zenith, sun_azimuth, view_zenith, view_azimuth : directions from the ground towards sun and satellite.
    """

    start: datetime
    platform: str
    relative_orbit: int
    absolute_orbit: int
    sun_zenith: float
    sun_azimuth: float
    view_zenith: float
    view_azimuth: float


@dataclass(frozen=True, slots=True, order=True)
class RadarPass:
    """A Sentinel-1 pass.

    Parameters
    ----------
    start : UTC.
    platform : ``S1A`` to ``S1D``.
    direction : ``ascending`` or ``descending``.
    incidence : degrees from the vertical at the centre of the window.
    look_azimuth : direction in which the radar looks, degrees clockwise from north.
    """

    start: datetime
    platform: str
    relative_orbit: int
    absolute_orbit: int
    direction: str
    incidence: float
    look_azimuth: float
