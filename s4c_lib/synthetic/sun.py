"""Where the sun stands.

Low-accuracy solar coordinates of Meeus, J. (1998), Astronomical Algorithms, 2nd edition, chapter 25, in the form that
NOAA's Global Monitoring Laboratory publishes with its solar calculator: about 0.01 degrees between 1900 and 2100.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def sun_direction(moment: datetime, lon: float, lat: float) -> tuple[float, float]:
    """Direction towards the sun, without refraction.

    Parameters
    ----------
    moment : with a time zone. lon, lat : degrees.

    Returns
    -------
    Zenith angle, 0..180 degrees, and azimuth, 0..360 degrees clockwise from north.
    """
    days = (moment - _J2000).total_seconds() / 86_400
    century = days / 36_525
    longitude = math.radians(280.46646 + century * (36_000.76983 + century * 0.0003032))
    anomaly = math.radians(357.52911 + century * (35_999.05029 - century * 0.0001537))
    centre = (
        math.sin(anomaly) * (1.914602 - century * (0.004817 + century * 0.000014))
        + math.sin(2 * anomaly) * (0.019993 - century * 0.000101)
        + math.sin(3 * anomaly) * 0.000289
    )
    # Longitude of the ascending node of the moon's orbit: nutation and aberration.
    node = math.radians(125.04 - century * 1934.136)
    apparent = longitude + math.radians(centre - 0.00569 - 0.00478 * math.sin(node))
    seconds = 21.448 - century * (46.815 + century * (0.00059 - century * 0.001813))
    obliquity = math.radians(23 + (26 + seconds / 60) / 60 + 0.00256 * math.cos(node))

    declination = math.asin(math.sin(obliquity) * math.sin(apparent))
    ascension = math.atan2(math.cos(obliquity) * math.sin(apparent), math.cos(apparent))
    sidereal = math.radians(280.46061837 + 360.98564736629 * days)
    hour_angle = sidereal + math.radians(lon) - ascension

    place = math.radians(lat)
    east = -math.cos(declination) * math.sin(hour_angle)
    north = math.cos(place) * math.sin(declination) - math.sin(place) * math.cos(declination) * math.cos(hour_angle)
    up = math.sin(place) * math.sin(declination) + math.cos(place) * math.cos(declination) * math.cos(hour_angle)
    return math.degrees(math.atan2(math.hypot(east, north), up)), math.degrees(math.atan2(east, north)) % 360
