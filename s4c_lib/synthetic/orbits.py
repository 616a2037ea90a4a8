"""When Sentinel-1 and Sentinel-2 pass over a place, and from which direction they look at it.

Circular sun-synchronous orbits: the plane turns once a year, so seen from the Earth it turns once a mean solar day, and
the ground track closes after a whole number of orbits and days. The satellite sees a place when it is nearest to it,
because Sentinel-1 is steered to zero Doppler and Sentinel-2's yaw follows the rotation of the Earth. Fitted to the
orbits and angles in the metadata of real products, the model meets them to 0.15 degrees across the track and to 20
seconds (``tests/synthetic/test_orbits.py``). Left out: the flattening of the Earth in the height of the orbit, the
staggered detectors of Sentinel-2 (up to 1.5 degrees forward or backward), and that real acquisition plans leave out
passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.synthetic.passes import OpticalPass, RadarPass
from s4c_lib.synthetic.sun import sun_direction

Vectors = npt.NDArray[np.float64]

# WGS 84.
_EQUATOR, _ECCENTRICITY2 = 6_378_137.0, 6.69437999014e-3
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Track:
    """The ground track that the satellites of a mission share.

    Parameters
    ----------
    orbits, days : of a cycle.
    radius : of the orbit, metres. inclination : degrees.
    node_longitude : degrees east, where relative orbit 1 crosses the equator northward.
    """

    orbits: int
    days: int
    radius: float
    inclination: float
    node_longitude: float

    @property
    def period(self) -> float:
        """Seconds from node to node."""
        return self.days * _DAY / self.orbits

    def position(self, relative_orbit: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]) -> Vectors:
        """Earth-fixed position (3, ...), metres, some seconds after the ascending node of a relative orbit."""
        tilt = np.radians(self.inclination)
        along = 2 * np.pi * seconds / self.period
        node = np.radians(self.node_longitude) - 2 * np.pi * (relative_orbit - 1) * self.days / self.orbits
        turned = node + np.arctan2(np.cos(tilt) * np.sin(along), np.cos(along)) - 2 * np.pi * seconds / _DAY
        sine = np.sin(tilt) * np.sin(along)
        flat = np.sqrt(1 - sine**2)
        return self.radius * np.stack([flat * np.cos(turned), flat * np.sin(turned), sine])


@dataclass(frozen=True, slots=True)
class Satellite:
    """One satellite: when it crosses the equator, and when it serves.

    Parameters
    ----------
    anchor_orbit, anchor_relative, anchor_node : an absolute orbit, its relative orbit and its ascending node, UTC.
    first, last : days on which it takes images in this model.
    """

    name: str
    anchor_orbit: int
    anchor_relative: int
    anchor_node: datetime
    first: date
    last: date


# Sentinel-2: radius, inclination and longitude fitted to the view angles of R025, R029, R071 and R133 (residual below
# 0.1 degrees across the track; the nominal 98.62 degrees would leave 0.5); nodes from the sensing times of the same
# products, within 12 s for A and 3 s for B. C keeps A's place, on its own count (A005069 is R094 of 2025-08-25).
SENTINEL2: Final = Track(143, 10, 7_164_500.0, 98.56, 1.0197)
_OPTICAL: Final = (
    Satellite("S2A", 32448, 133, datetime(2021, 9, 8, 3, 58, 24, tzinfo=UTC), date(2015, 7, 4), date(2025, 1, 20)),
    Satellite("S2B", 26649, 25, datetime(2022, 4, 13, 14, 42, 45, tzinfo=UTC), date(2017, 3, 15), date.max),
    Satellite("S2C", 5069, 94, datetime(2025, 8, 25, 10, 31, 10, tzinfo=UTC), date(2025, 1, 21), date.max),
)

# Sentinel-1: the longitude is that of ESA's reference orbit, the radius fitted to incidence angles at 41 to 43 degrees
# north; nodes are ``ascendingNodeTime`` of the manifests (B flew 41 s ahead of A). C keeps B's place, on its own count
# (S1C 001857 is R111 of 2025-04-12); its seconds are taken to be A's.
SENTINEL1: Final = Track(175, 12, 7_070_000.0, 98.18, 0.146)
_S1A: Final = Satellite(
    "S1A", 41314, 117, datetime(2022, 1, 4, 16, 54, 51, 328453, tzinfo=UTC), date(2014, 10, 3), date.max
)
_S1B: Final = Satellite(
    "S1B", 30148, 22, datetime(2021, 12, 23, 4, 33, 35, 556206, tzinfo=UTC), date(2016, 9, 26), date(2021, 12, 23)
)
_S1C: Final = Satellite("S1C", 1857, 111, datetime(2025, 4, 12, 7, 2, 24, tzinfo=UTC), date(2025, 4, 1), date.max)

# Half of Sentinel-2's 290 km is 11.5 degrees; its outermost detectors reach 12 at the ground.
MAX_VIEW_ZENITH = 12.0
# The side of the orbit that comes down from the pole to the pole, and a little more: argument of latitude, degrees.
_DAY_SIDE = 80.0, 280.0
# With the sun lower than this there is nothing to see.
_MAX_SUN_ZENITH = 85.0
# Interferometric wide swath, at the ground; the middle is what one wants of a site.
IW_INCIDENCE = 29.0, 46.0
_BEST_INCIDENCE = 39.0
# Nothing seen within 60 degrees of the vertical is farther away, metres.
_FAR = 2_000_000.0


@dataclass(frozen=True, slots=True)
class Sight:
    """How one relative orbit sees a place.

    Parameters
    ----------
    seconds : from the ascending node to the nearest point.
    zenith, azimuth : direction from the place to the satellite, degrees, azimuth clockwise from north.
    ascending : whether the satellite flies north then. right : whether the place lies to its right.
    """

    relative_orbit: int
    seconds: float
    zenith: float
    azimuth: float
    ascending: bool
    right: bool


def sights(track: Track, lon: float, lat: float, max_zenith: float) -> list[Sight]:
    """All ways a place is seen within a zenith angle, by relative orbit and time in it."""
    place = _on_ground(lon, lat)
    relative = np.arange(1, track.orbits + 1)[:, None]
    step = track.period / 240
    # From before the first node to after the last, so that what is nearest at a node is a minimum in its orbit.
    seconds = (np.arange(-2, 243) * step)[None, :]
    distance = _distance(track.position(*np.broadcast_arrays(relative, seconds)), place)
    lowest = (distance[:, 1:-1] < distance[:, :-2]) & (distance[:, 1:-1] <= distance[:, 2:])
    row, column = np.nonzero(lowest & (distance[:, 1:-1] < _FAR))
    orbit, nearest = relative[row, 0], seconds[0, column + 1]
    low, high = nearest - step, nearest + step
    for _ in range(40):  # halving 50 s to well under a microsecond
        middle = (low + high) / 2
        approaching = _distance(track.position(orbit, middle + 0.05), place) < _distance(
            track.position(orbit, middle - 0.05), place
        )
        low, high = np.where(approaching, middle, low), np.where(approaching, high, middle)
    at = (low + high) / 2
    there = track.position(orbit, at)
    moving = track.position(orbit, at + 0.5) - track.position(orbit, at - 0.5)
    to_satellite = there - place[:, None]
    east, north, up = _local_axes(lon, lat) @ to_satellite
    zenith = np.degrees(np.arctan2(np.hypot(east, north), up))
    azimuth = np.degrees(np.arctan2(east, north)) % 360
    right = (np.cross(moving, there, axis=0) * -to_satellite).sum(axis=0) > 0
    keep = (zenith <= max_zenith) & (at >= 0) & (at < track.period)
    return [
        Sight(int(orbit[i]), float(at[i]), float(zenith[i]), float(azimuth[i]), bool(moving[2, i] > 0), bool(right[i]))
        for i in np.nonzero(keep)[0]
    ]


def optical_passes(lon: float, lat: float, start: date, end: date) -> list[OpticalPass]:
    """Passes of Sentinel-2 over a place from a day to a day, both included, in order of time.

    A and B until 2025-01-20, then B and C; C's place is A's. A pass with the sun below 5 degrees is none.

    Raises
    ------
    InputError : the days are reversed, the place does not exist, or no orbit comes near it (beyond 82.9 degrees),
        or the period ends before the first satellite took images.
    """
    _check(lon, lat, start, end)
    _check_service("Sentinel-2", _OPTICAL[0], end)
    found = sights(SENTINEL2, lon, lat, MAX_VIEW_ZENITH)
    low, high = (angle / 360 * SENTINEL2.period for angle in _DAY_SIDE)
    found = [sight for sight in found if low <= sight.seconds <= high]
    if not found:
        raise InputError(f"Sentinel-2 never sees {lon:g}, {lat:g}", hint="it reaches 82.9 degrees north and south")
    passes = []
    for satellite in _OPTICAL:
        for sight in found:
            for absolute, moment in _moments(SENTINEL2, satellite, sight, start, min(end, satellite.last)):
                zenith, azimuth = sun_direction(moment, lon, lat)
                if zenith <= _MAX_SUN_ZENITH:
                    passes.append(
                        OpticalPass(
                            start=moment,
                            platform=satellite.name,
                            relative_orbit=sight.relative_orbit,
                            absolute_orbit=absolute,
                            sun_zenith=zenith,
                            sun_azimuth=azimuth,
                            view_zenith=sight.zenith,
                            view_azimuth=sight.azimuth,
                        )
                    )
    return sorted(passes)


def radar_passes(lon: float, lat: float, start: date, end: date, *, repeat_days: int | None = None) -> list[RadarPass]:
    """Passes of Sentinel-1 (IW) over a place from a day to a day, both included, in order of time.

    Of the orbits that see the place, the ascending and the descending one with the incidence nearest to 39 degrees.

    Parameters
    ----------
    repeat_days : None for what flew (A and B until 2021-12-23, A until 2025-03-31, then A and C); 6 for two satellites
        throughout (B until 2025-03-31, then C); 12 for A alone.

    Raises
    ------
    InputError : the days are reversed, the place does not exist, no orbit comes near it, the period ends
        before the first satellite took images, or another repetition.
    """
    _check(lon, lat, start, end)
    _check_service("Sentinel-1", _S1A, end)
    if repeat_days not in (None, 6, 12):
        raise InputError(f"Sentinel-1 repeats after 6 or 12 days, not {repeat_days}")
    found = [
        sight
        for sight in sights(SENTINEL1, lon, lat, IW_INCIDENCE[1])
        if sight.right and sight.zenith >= IW_INCIDENCE[0]
    ]
    if not found:
        raise InputError(
            f"Sentinel-1 never sees {lon:g}, {lat:g}", hint="it looks right, from about 79 degrees south to 87 north"
        )
    passes = []
    for ascending in (True, False):
        sight = min(
            (one for one in found if one.ascending is ascending),
            key=lambda one: abs(one.zenith - _BEST_INCIDENCE),
            default=None,
        )
        if sight is None:
            continue
        for satellite, last in _radar_service(repeat_days):
            for absolute, moment in _moments(SENTINEL1, satellite, sight, start, min(end, last)):
                passes.append(
                    RadarPass(
                        start=moment,
                        platform=satellite.name,
                        relative_orbit=sight.relative_orbit,
                        absolute_orbit=absolute,
                        direction="ascending" if ascending else "descending",
                        incidence=sight.zenith,
                        look_azimuth=(sight.azimuth + 180) % 360,
                    )
                )
    return sorted(passes)


def _radar_service(repeat_days: int | None) -> Iterator[tuple[Satellite, date]]:
    """Satellites that fly, and the last day of each."""
    yield _S1A, _S1A.last
    if repeat_days != 12:
        yield _S1B, _S1B.last if repeat_days is None else _S1C.first - timedelta(days=1)
        yield _S1C, _S1C.last


def _moments(
    track: Track, satellite: Satellite, sight: Sight, start: date, end: date
) -> Iterator[tuple[int, datetime]]:
    """Absolute orbit and time, to the second, of each pass with one sight from a day to a day."""
    anchor = satellite.anchor_node + timedelta(seconds=sight.seconds)
    offset = (sight.relative_orbit - satellite.anchor_relative) % track.orbits
    midnight = datetime.combine(max(start, satellite.first), time(), tzinfo=UTC)
    orbit = satellite.anchor_orbit + offset
    orbit += track.orbits * int(((midnight - anchor).total_seconds() / _DAY - track.days) // track.days)
    while True:
        exact = anchor + timedelta(seconds=(orbit - satellite.anchor_orbit) * track.period)
        moment = (exact + timedelta(seconds=0.5)).replace(microsecond=0)
        if moment.date() > end:
            return
        if moment >= midnight:
            yield orbit, moment
        orbit += track.orbits


def _check(lon: float, lat: float, start: date, end: date) -> None:
    if start > end:
        raise InputError(f"the period starts on {start} and ends before, on {end}", hint="give the earlier day first")
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise InputError(f"no place has longitude {lon:g} and latitude {lat:g}", hint="give degrees, longitude first")


def _check_service(mission: str, earliest: Satellite, end: date) -> None:
    if end < earliest.first:
        raise InputError(f"{mission} took no images before {earliest.first}", hint=f"the period ends on {end}")


def _on_ground(lon: float, lat: float) -> Vectors:
    east, north = np.radians(lon), np.radians(lat)
    normal = _EQUATOR / np.sqrt(1 - _ECCENTRICITY2 * np.sin(north) ** 2)
    return np.array(
        [
            normal * np.cos(north) * np.cos(east),
            normal * np.cos(north) * np.sin(east),
            normal * (1 - _ECCENTRICITY2) * np.sin(north),
        ]
    )


def _local_axes(lon: float, lat: float) -> Vectors:
    """East, north and up at a place, rows of (3, 3)."""
    (se, ce), (sn, cn) = ((np.sin(a), np.cos(a)) for a in (np.radians(lon), np.radians(lat)))
    return np.array([[-se, ce, 0.0], [-sn * ce, -sn * se, cn], [cn * ce, cn * se, sn]])


def _distance(positions: Vectors, place: Vectors) -> npt.NDArray[np.float64]:
    away = positions - place.reshape(3, *(1,) * (positions.ndim - 1))
    return np.asarray(np.sqrt((away**2).sum(axis=0)))
