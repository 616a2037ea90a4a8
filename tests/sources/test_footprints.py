from __future__ import annotations

import pytest
from shapely.geometry import Point

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.footprints import polygon_of_coordinates, polygon_of_corners


def test_safe_coordinates_are_latitude_first() -> None:
    scene = polygon_of_coordinates("42.5,10.7 42.9,13.8 41.3,14.2 40.9,11.1", "manifest")
    assert scene.contains(Point(12.5, 41.9))  # Rome
    assert not scene.contains(Point(41.9, 12.5))


def test_a_scene_across_the_antimeridian_is_two_parts_near_180() -> None:
    scene = polygon_of_corners([(179, -17), (-179, -17), (-179, -16), (179, -16)], "manifest")
    assert scene.geom_type == "MultiPolygon"
    assert scene.area == pytest.approx(2)
    assert scene.contains(Point(179.5, -16.5))
    assert scene.contains(Point(-179.5, -16.5))
    assert not scene.intersects(Point(0, -16.5))


@pytest.mark.parametrize("written", ["1,2 3,4", "a,b c,d e,f", "1,2 3,4 5", "95,0 95,1 96,1", "1,1 2,2 3,3"])
def test_what_is_no_polygon_on_earth_is_said_so(written: str) -> None:
    with pytest.raises(ProductCorruptError, match="manifest"):
        polygon_of_coordinates(written, "manifest")
