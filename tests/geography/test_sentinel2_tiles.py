"""Sentinel-2 tiles: known corners, the borders of zones and bands, and the choice of tiles for a site."""

import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.geography import mgrs
from s4c_lib.geography.sentinel2_tiles import select_tiles, tile, tiles_intersecting


def names(geometry):
    return [found.tile_id for found in tiles_intersecting(geometry)]


def square_km(lon, lat, width_km, height_km):
    """Rectangle of a true size, its lower-left corner given."""
    return shapely.box(lon, lat, lon + width_km / (111.32 * math.cos(math.radians(lat))), lat + height_km / 111.2)


@pytest.mark.parametrize(
    ("name", "epsg", "ulx", "uly"),
    [
        ("31TCJ", 32631, 300000, 4900020),
        ("31TDH", 32631, 399960, 4800000),
        ("33XVP", 32633, 399960, 9400020),
        # from the metadata of published products
        ("46RER", 32646, 499980, 3100020),
        ("33XWJ", 32633, 499980, 8900040),
        ("01KAB", 32701, 99960, 8200000),
        ("01CCV", 32701, 300000, 2000020),
        ("53HLA", 32753, 300000, 6100000),
        ("53HNV", 32753, 499980, 6000040),
    ],
)
def test_corner_of_known_tiles(name, epsg, ulx, uly):
    found = tile(name)
    assert (found.tile_id, found.epsg, found.ulx, found.uly) == (name, epsg, ulx, uly)
    assert found.bounds == (ulx, uly - 109800, ulx + 109800, uly)


@pytest.mark.parametrize(
    ("place", "lon", "lat", "expected"),
    [
        ("Brussels, centre", 4.35, 50.85, ["31UES"]),
        ("Brussels, airport", 4.49, 50.90, ["31UES", "31UFS"]),
        ("Plzen", 13.38, 49.75, ["33UUR"]),
        ("Prague", 14.42, 50.08, ["33UVR"]),
        ("Toulouse", 1.44, 43.60, ["31TCJ"]),
        ("sea off Bergen, zone 32 west of 6 E", 5.0, 60.0, ["32VKM"]),
        ("Longyearbyen, no zone 32 in band X", 15.63, 78.22, ["33XWG"]),
        ("Sydney", 151.21, -33.87, ["56HLH"]),
        ("north of the equator at the border of zones 30 and 31", 0.0, 0.2, ["30NZF"]),
        ("south of it", 0.0, -0.2, ["30MZE"]),
    ],
)
def test_tiles_of_a_place(place, lon, lat, expected):
    assert names(shapely.Point(lon, lat)) == expected


@pytest.mark.parametrize("name", ["31TBE", "31TBG", "31SBC", "30TYM", "30UYE", "33STB", "35TKG", "32VKK", "31VFL"])
def test_published_tiles_at_zone_borders_exist(name):
    assert mgrs.in_sentinel2_grid(mgrs.square(name))


@pytest.mark.parametrize("name", ["31TBH", "31TBJ", "32UKC", "33UTS"])
def test_squares_covered_by_the_zone_to_the_west_are_no_tiles(name):
    assert not mgrs.in_sentinel2_grid(mgrs.square(name))
    assert tile(name).tile_id == name  # known all the same: a user may name it


def test_zone_1_keeps_the_squares_at_the_antimeridian():
    assert mgrs.in_sentinel2_grid(mgrs.square("01UBT"))
    assert {"01NAA", "60NZF"} <= set(names(shapely.Point(180, 0.2)))
    assert {"01NAA", "60NZF"} <= set(names(shapely.Point(-180, 0.2)))
    footprint = tile("60NZF").footprint_wgs84()
    assert footprint.geom_type == "MultiPolygon"
    assert footprint.covers(shapely.Point(-179.9, 0.2))


@pytest.mark.parametrize(("name", "meant"), [("13RFR", "13SFR"), ("50SMK", "50TMK"), ("19JEP", "19KEP")])
def test_square_on_a_band_border_has_the_letter_of_its_centre(name, meant):
    with pytest.raises(InputError) as caught:
        tile(name)
    assert meant in caught.value.hint


@pytest.mark.parametrize(
    "name", ["", "31TC", "00TCJ", "61TCJ", "31TIJ", "31ICJ", "31TCW", "31TKJ", "31TAJ", "34XEG", "31TCJX"]
)
def test_wrong_names_are_refused(name):
    with pytest.raises(InputError):
        tile(name)


def test_prefix_and_case_do_not_matter():
    assert tile("T31TCJ") == tile(" 31tcj ") == tile("31TCJ")


@given(st.floats(-180, 180), st.floats(-56, 84))
def test_every_place_lies_in_a_tile(lon, lat):
    place = shapely.Point(lon, lat)
    found = tiles_intersecting(place)
    assert found
    for one in found:
        assert tile(one.tile_id) == one
        # the lon/lat outline is a polygon of 10 km edges: it leaves the square's arc by some ten metres
        assert one.footprint_wgs84().distance(place) < 0.02
        assert shapely.area(one.footprint_utm()) == 109800**2


@given(st.floats(-170, 160), st.floats(-56, 74), st.floats(0.01, 9), st.floats(0.01, 9))
def test_site_is_covered_by_its_tiles(lon, lat, width, height):
    site = shapely.box(lon, lat, lon + width, lat + height)
    covered = shapely.union_all([one.footprint_wgs84() for one in tiles_intersecting(site)])
    assert site.difference(covered.buffer(0.001)).is_empty


@given(st.sampled_from(range(1, 61)), st.integers(1, 8), st.sampled_from(mgrs.ROWS))
def test_names_and_squares_round_trip(zone, column, row):
    square = mgrs.Square(zone, column, row)
    if mgrs.touches_zone(square):
        assert mgrs.square(square.name) == square
        assert mgrs.square(f"T{square.name}") == square


def test_tiles_are_those_a_search_of_all_squares_finds():
    site = shapely.box(-1.5, 49.0, 8.5, 62.5)
    everything = (
        mgrs.Square(zone, column, row)
        for zone in (29, 30, 31, 32, 33)
        for column in range(1, 9)
        for row in range(50, 75)
    )
    slow = [s.name for s in everything if mgrs.in_sentinel2_grid(s) and tile(s.name).footprint_wgs84().intersects(site)]
    assert names(site) == sorted(slow)


def test_overlap_is_the_true_area():
    # 20 km by 20 km well inside 31UFS
    (only,) = select_tiles(square_km(5.0, 50.6, 20, 20), 1.0)
    assert only.tile.tile_id == "31UFS"
    assert only.overlap_km2 == pytest.approx(400, rel=0.005)
    assert only.selected
    assert not only.redundant


def test_tile_met_by_40_metres_is_listed_and_not_selected():
    # the western edge of 31UFS lies at 599 980 m
    west = tile("31UFS").footprint_utm().bounds[0]
    in_utm = shapely.box(west - 30_000, 5_630_000, west + 40, 5_640_000)
    site = shapely.transform(in_utm, _from_utm31, interleaved=False)
    by_default = {c.tile.tile_id: c for c in select_tiles(site, 1.0)}
    assert not by_default["31UFS"].selected
    assert by_default["31UFS"].overlap_km2 == pytest.approx(0.4, rel=0.02)
    assert {c.tile.tile_id: c.selected for c in select_tiles(site, 0.0)}["31UFS"]


def _from_utm31(x, y):
    offset, latitude = mgrs.to_offset(x, y)
    return offset + 3.0, latitude


def test_redundant_tile_stays_selected():
    # all of it in 31UES, its eastern strip also in the overlap that belongs to 31UFS
    in_utm = shapely.box(560_000, 5_630_000, 609_000, 5_640_000)
    site = shapely.transform(in_utm, _from_utm31, interleaved=False)
    found = {c.tile.tile_id: (c.selected, c.redundant) for c in select_tiles(site, 1.0)}
    assert found == {"31UES": (True, False), "31UFS": (True, True)}


def test_of_two_tiles_that_hold_the_same_only_one_is_redundant():
    in_utm = shapely.box(601_000, 5_630_000, 609_000, 5_640_000)
    site = shapely.transform(in_utm, _from_utm31, interleaved=False)
    assert sorted(c.redundant for c in select_tiles(site, 1.0)) == [False, True]


@pytest.mark.parametrize("lat", [0.0, 43.0, 60.0, 70.0])
def test_tiles_that_are_not_redundant_cover_the_site(lat):
    site = shapely.box(2.0, lat, 9.0, lat + 4)
    needed = [c.tile.footprint_wgs84() for c in select_tiles(site, 0.0) if not c.redundant]
    assert site.intersection(shapely.union_all(needed)).area == pytest.approx(site.area, rel=0.002)


def test_restriction_selects_only_the_named_tiles():
    site = square_km(4.0, 50.6, 120, 20)
    found = select_tiles(site, 1.0, ["T31UFS"])
    assert [c.tile.tile_id for c in found if c.selected] == ["31UFS"]
    assert len(found) > 1


def test_restriction_to_a_tile_elsewhere_is_refused():
    with pytest.raises(InputError, match="33UVR"):
        select_tiles(square_km(4.0, 50.6, 20, 20), 1.0, ["33UVR"])
    with pytest.raises(InputError, match="31UZZ"):
        select_tiles(square_km(4.0, 50.6, 20, 20), 1.0, ["31UZZ"])


def test_nothing_meets_an_empty_site():
    assert tiles_intersecting(shapely.Polygon()) == []
    assert select_tiles(shapely.Polygon(), 1.0) == []
