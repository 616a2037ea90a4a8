"""Passes against facts of real products: names, annotations and angle grids (Copernicus Sentinel data)."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.synthetic.orbits import SENTINEL1, optical_passes, radar_passes, sights
from s4c_lib.synthetic.passes import OpticalPass, RadarPass
from s4c_lib.synthetic.sun import sun_direction

SITE = 5.2, 51.4
SEASON = date(2021, 3, 1), date(2021, 10, 31)


def turn(a: float, b: float) -> float:
    """Smallest angle between two azimuths."""
    return abs((a - b + 180) % 360 - 180)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# MTD_TL.xml: sensing time; mean view direction of B04 over the part of the tile that was imaged, and its centroid; of
# the tile that the track crosses, three nodes of the grid instead.
VIEWS = [
    ("S2A", 133, 32448, "2021-09-08T04:40:49", 93.147, 27.606, 10.54, 288.2),
    ("S2B", 71, 14683, "2019-12-28T21:05:52", 177.475, -72.367, 10.85, 301.7),
    ("S2B", 25, 26649, "2022-04-13T15:08:08", 16.447, 80.154, 11.65, 2.6),
    ("S2A", 29, 42640, "2023-08-21T22:20:46", 179.249, -16.744, 4.50, 86.1),
    ("S2A", 29, 42640, "2023-08-21T22:20:46", 179.764, -16.753, 0.18, None),
    ("S2A", 29, 42640, "2023-08-21T22:20:46", -179.721, -16.760, 4.48, 271.2),
]


@pytest.mark.parametrize(("platform", "relative", "absolute", "sensed", "lon", "lat", "zenith", "azimuth"), VIEWS)
def test_real_products_are_met_in_time_and_angle(
    platform: str, relative: int, absolute: int, sensed: str, lon: float, lat: float, zenith: float, azimuth: float
) -> None:
    day = utc(sensed).date()
    (found,) = (one for one in optical_passes(lon, lat, day, day) if one.relative_orbit == relative)
    assert (found.platform, found.absolute_orbit) == (platform, absolute)
    assert abs(found.start - utc(sensed)) < timedelta(seconds=30)
    assert found.view_zenith == pytest.approx(zenith, abs=0.4)
    if azimuth is not None:  # odd and even detectors look up to 1.5 degrees forward and backward
        off = math.radians(turn(found.view_azimuth, azimuth))
        assert off < math.pi / 2
        assert zenith * math.sin(off) < 1.5


# MTD_TL.xml: sensing time, centre of the tile, Mean_Sun_Angle.
@pytest.mark.parametrize(
    ("moment", "lon", "lat", "zenith", "azimuth"),
    [
        ("2021-09-08T04:40:48.758475", 93.5558, 27.5287, 26.4932, 142.9876),
        ("2023-08-21T22:20:45.625508", 179.7632, -16.7517, 38.4174, 43.3009),
        ("2019-12-28T21:05:52.062315", 178.6628, -72.5442, 55.2013, 52.6143),
        ("2022-04-13T15:08:07.846358", 17.7403, 79.6619, 76.5286, 246.5404),
    ],
)
def test_the_sun_of_real_products(moment: str, lon: float, lat: float, zenith: float, azimuth: float) -> None:
    found = sun_direction(utc(moment), lon, lat)
    assert found[0] == pytest.approx(zenith, abs=0.15)
    assert turn(found[1], azimuth) < 0.3


def test_the_sun_of_a_day_worked_by_hand() -> None:
    # Meeus, example 25.a: 1992 October 13, 0 h dynamical time; declination -7.785 degrees, right ascension 198.381.
    # At the pole the height of the sun is its declination.
    assert sun_direction(utc("1992-10-13T00:00:00"), 0, 90)[0] == pytest.approx(90 + 7.785, abs=0.005)


# Names of products of tile 31UFS: platform, start of the datatake, relative orbit.
@pytest.mark.parametrize(
    ("platform", "datatake", "relative"),
    [
        ("S2B", "2018-03-27T10:50:19", 51),
        ("S2A", "2018-04-01T10:50:31", 51),
        ("S2A", "2018-04-18T10:40:21", 8),
        ("S2A", "2020-05-10T10:50:31", 51),
        ("S2A", "2020-05-17T10:40:31", 8),
        ("S2B", "2020-06-01T10:36:29", 8),
        ("S2B", "2020-12-18T10:43:49", 8),
        ("S2A", "2020-12-26T10:54:51", 51),
        ("S2A", "2022-07-16T10:36:41", 8),
        ("S2B", "2024-04-24T10:46:19", 51),
        ("S2C", "2025-02-03T10:53:11", 51),
    ],
)
def test_real_dates_of_the_default_site(platform: str, datatake: str, relative: int) -> None:
    day = utc(datatake).date()
    (found,) = optical_passes(*SITE, day, day)
    assert (found.platform, found.relative_orbit) == (platform, relative)
    # A datatake starts far in the north, minutes before it reaches the site.
    assert timedelta(0) < found.start - utc(datatake) < timedelta(minutes=12)


def test_sensing_time_over_the_default_site() -> None:
    # 31UFS, S2A, R008: the catalogue's sensing time; 31UFS, S2A, R051: A040660 of the granule's name.
    (found,) = optical_passes(*SITE, date(2022, 7, 16), date(2022, 7, 16))
    assert abs(found.start - utc("2022-07-16T10:47:07")) < timedelta(seconds=30)
    (found,) = optical_passes(*SITE, date(2023, 4, 5), date(2023, 4, 5))
    assert found.absolute_orbit == 40660


def test_the_default_season_has_a_revisit_of_two_and_three_days() -> None:
    passes = optical_passes(*SITE, *SEASON)
    assert passes == sorted(passes)
    assert {one.relative_orbit for one in passes} == {8, 51}
    assert {one.platform for one in passes} == {"S2A", "S2B"}
    days = [one.start.date() for one in passes]
    assert {(later - earlier).days for earlier, later in pairwise(days)} == {2, 3}
    assert SEASON[0] <= days[0] <= SEASON[0] + timedelta(days=3)
    assert len(passes) == 98
    times = {one.relative_orbit: f"{one.start:%H:%M}" for one in passes}
    assert times == {8: "10:46", 51: "10:56"}


def test_no_pass_in_polar_night() -> None:
    assert optical_passes(25.0, 75.0, date(2021, 12, 1), date(2021, 12, 31)) == []
    assert len(optical_passes(25.0, 75.0, date(2021, 6, 1), date(2021, 6, 30))) > 20


def test_c_takes_the_place_of_a() -> None:
    passes = optical_passes(*SITE, date(2025, 1, 1), date(2025, 2, 28))
    before = [one for one in passes if one.start.date() < date(2025, 1, 21)]
    assert {one.platform for one in before} == {"S2A", "S2B"}
    assert {one.platform for one in passes[len(before) :]} == {"S2B", "S2C"}
    days = [one.start.date() for one in passes]
    assert {(later - earlier).days for earlier, later in pairwise(days)} == {2, 3}


# Annotations: geolocation grid points of S1A R117 over Rome (IW1) and of S1B R022 (IW).
@pytest.mark.parametrize(
    ("relative", "ascending", "lon", "lat", "incidence"),
    [
        (117, True, 11.09456, 40.94731, 30.4607),
        (117, True, 12.20787, 41.10415, 36.8148),
        (117, True, 11.84598, 42.61501, 36.8201),
        (22, False, 15.32210, 42.37675, 30.3094),
        (22, False, 13.81831, 42.21033, 38.1529),
        (22, False, 12.03253, 41.32238, 45.4235),
    ],
)
def test_incidence_of_real_products(relative: int, ascending: bool, lon: float, lat: float, incidence: float) -> None:
    (found,) = (one for one in sights(SENTINEL1, lon, lat, 47) if one.relative_orbit == relative)
    assert (found.ascending, found.right) == (ascending, True)
    assert found.zenith == pytest.approx(incidence, abs=0.15)


def test_times_and_counts_of_real_radar_products() -> None:
    # Azimuth times of grid points of the annotations. A frozen orbit is a little faster over the north, hence seconds.
    found = {
        one.platform: one
        for one in radar_passes(12.20787, 41.10415, date(2022, 1, 4), date(2022, 1, 4))
        + radar_passes(13.81831, 42.21033, date(2021, 12, 23), date(2021, 12, 23))
    }
    assert (found["S1A"].relative_orbit, found["S1A"].absolute_orbit) == (117, 41314)
    assert abs(found["S1A"].start - utc("2022-01-04T17:05:58")) <= timedelta(seconds=5)
    assert (found["S1B"].relative_orbit, found["S1B"].absolute_orbit) == (22, 30148)
    assert abs(found["S1B"].start - utc("2021-12-23T05:11:29")) <= timedelta(seconds=5)
    assert turn(found["S1A"].look_azimuth, 77) < 5
    assert turn(found["S1B"].look_azimuth, 283) < 5


@pytest.mark.parametrize(
    ("platform", "slice_start", "slice_end", "absolute"),
    [
        ("S1B", "2020-12-29T05:50:05", "2020-12-29T05:50:30", 24913),
        ("S1A", "2020-12-23T05:50:45", "2020-12-23T05:51:10", 35809),
    ],
)
def test_real_radar_dates_of_the_default_site(platform: str, slice_start: str, slice_end: str, absolute: int) -> None:
    day = utc(slice_start).date()
    (found,) = radar_passes(*SITE, day, day)
    assert (found.platform, found.absolute_orbit, found.relative_orbit) == (platform, absolute, 37)
    assert utc(slice_start) - timedelta(seconds=15) < found.start < utc(slice_end)


def test_the_default_season_has_pairs_of_six_days() -> None:
    passes = radar_passes(*SITE, *SEASON)
    assert passes == sorted(passes)
    orbits = {one.direction: one.relative_orbit for one in passes}
    assert orbits == {"ascending": 88, "descending": 37}
    for direction, hour, look in (("ascending", 17, 79), ("descending", 5, 280)):
        these = [one for one in passes if one.direction == direction]
        assert {(b.start.date() - a.start.date()).days for a, b in pairwise(these)} == {6}
        assert all(a.platform != b.platform for a, b in pairwise(these))
        assert {one.start.hour for one in these} == {hour}
        assert turn(these[0].look_azimuth, look) < 3


@pytest.mark.parametrize(
    ("start", "repeat", "gaps", "platforms"),
    [
        (date(2021, 12, 24), None, {12}, {"S1A"}),
        (date(2025, 4, 1), None, {6}, {"S1A", "S1C"}),
        (date(2023, 1, 1), 6, {6}, {"S1A", "S1B"}),
        (date(2021, 3, 1), 12, {12}, {"S1A"}),
    ],
)
def test_who_flies_and_what_the_option_changes(
    start: date, repeat: int | None, gaps: set[int], platforms: set[str]
) -> None:
    passes = radar_passes(*SITE, start, start + timedelta(days=120), repeat_days=repeat)
    assert {one.platform for one in passes} == platforms
    for direction in ("ascending", "descending"):
        days = [one.start.date() for one in passes if one.direction == direction]
        assert {(later - earlier).days for earlier, later in pairwise(days)} == gaps


def test_six_days_go_on_where_c_takes_over() -> None:
    passes = radar_passes(*SITE, date(2025, 3, 1), date(2025, 4, 30), repeat_days=6)
    descending = [one for one in passes if one.direction == "descending"]
    assert {(b.start.date() - a.start.date()).days for a, b in pairwise(descending)} == {6}
    assert {one.platform for one in passes} == {"S1A", "S1B", "S1C"}
    # The counts of the three, as users know them: S1C 001857 is relative orbit 111.
    first = {"S1A": 73, "S1B": 27, "S1C": 172}
    assert all((one.absolute_orbit - first[one.platform]) % 175 + 1 == one.relative_orbit for one in passes)


@pytest.mark.parametrize("passes", [optical_passes, radar_passes])
def test_bad_input_is_refused(passes: object) -> None:
    assert callable(passes)
    with pytest.raises(InputError, match="ends before"):
        passes(*SITE, date(2021, 3, 2), date(2021, 3, 1))
    with pytest.raises(InputError, match="never sees"):
        passes(5.2, 89.0, *SEASON)
    with pytest.raises(InputError, match="never sees"):
        passes(5.2, -89.0, *SEASON)
    with pytest.raises(InputError, match="no place"):
        passes(51.4, 95.2, *SEASON)
    with pytest.raises(InputError, match="no place"):
        passes(float("nan"), 0.0, *SEASON)


def test_another_repetition_is_refused() -> None:
    with pytest.raises(InputError, match="6 or 12 days, not 5"):
        radar_passes(*SITE, *SEASON, repeat_days=5)


def test_a_period_before_the_first_satellite_is_refused() -> None:
    with pytest.raises(InputError, match="Sentinel-2 took no images before 2015-07-04"):
        optical_passes(*SITE, date(2014, 3, 1), date(2014, 9, 30))
    with pytest.raises(InputError, match="Sentinel-1 took no images before 2014-10-03"):
        radar_passes(*SITE, date(2014, 3, 1), date(2014, 9, 30))


LONGITUDES = st.floats(-180, 180)
SUNNY = st.tuples(LONGITUDES, st.floats(-50, 50))  # never polar night
PLACES = st.tuples(LONGITUDES, st.floats(-60, 60))
DAYS = st.dates(date(2017, 4, 1), date(2021, 9, 30))


@settings(max_examples=40, deadline=None)
@given(SUNNY, DAYS)
def test_optical_passes_anywhere(place: tuple[float, float], day: date) -> None:
    cycle = timedelta(days=10)
    first = optical_passes(*place, day, day + cycle - timedelta(days=1))
    second = optical_passes(*place, day + cycle, day + 2 * cycle - timedelta(days=1))
    # A swath of 290 km and 143 tracks: every place is seen, by each satellite alike.
    orbits = {one.relative_orbit for one in first}
    assert 1 <= len(orbits) <= 4
    assert len(first) == 2 * len(orbits)
    assert [(one.start + cycle, one.platform, one.relative_orbit) for one in first] == [
        (one.start, one.platform, one.relative_orbit) for one in second
    ]
    for one in first:
        check_optical(one)
        local = (one.start.hour + one.start.minute / 60 + place[0] / 15) % 24
        assert 9.3 < local < 11.7


def check_optical(one: OpticalPass) -> None:
    assert 0 <= one.view_zenith <= 12
    assert 0 <= one.view_azimuth < 360
    assert 0 <= one.sun_zenith <= 85
    assert 0 <= one.sun_azimuth < 360
    assert 1 <= one.relative_orbit <= 143
    assert one.absolute_orbit > 0
    assert one.start.microsecond == 0


@settings(max_examples=40, deadline=None)
@given(PLACES, DAYS)
def test_radar_passes_anywhere(place: tuple[float, float], day: date) -> None:
    passes = radar_passes(*place, day, day + timedelta(days=23))
    assert {one.direction for one in passes} == {"ascending", "descending"}
    for direction in ("ascending", "descending"):
        these = [one for one in passes if one.direction == direction]
        assert len({one.relative_orbit for one in these}) == 1
        assert len(these) == 4
        for platform in ("S1A", "S1B"):
            earlier, later = (one for one in these if one.platform == platform)
            assert later.start - earlier.start == timedelta(days=12)
            assert later.absolute_orbit - earlier.absolute_orbit == 175
        for a, b in pairwise(these):
            # B flew 41 s ahead of A.
            assert abs((b.start - a.start) - timedelta(days=6)) < timedelta(seconds=45)
    for one in passes:
        check_radar(one)


def check_radar(one: RadarPass) -> None:
    assert 29 <= one.incidence <= 46
    # To the right of the track: eastward when rising, westward when sinking.
    assert turn(one.look_azimuth, 90 if one.direction == "ascending" else 270) < 30
    assert 1 <= one.relative_orbit <= 175
    assert one.absolute_orbit > 0
    assert one.start.microsecond == 0
