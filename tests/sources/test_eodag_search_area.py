from __future__ import annotations

import math

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon, box

from s4c_lib.errors import InputError
from s4c_lib.sources.search_area import LONGEST_TEXT, area_text, search_parts


def star(longitude: float, latitude: float, corners: int, spikes: float) -> Polygon:
    """A jagged outline, as that of a province."""
    radii = [0.5 * (1 + spikes * math.sin(17 * step) * math.cos(5 * step)) for step in range(corners)]
    angles = [2 * math.pi * step / corners for step in range(corners)]
    return Polygon(
        [
            (longitude + radius * math.cos(angle), latitude + radius * math.sin(angle))
            for radius, angle in zip(radii, angles, strict=True)
        ]
    ).buffer(0)


@settings(max_examples=25, deadline=None)
@given(
    longitude=st.floats(-170, 170),
    latitude=st.floats(-80, 80),
    corners=st.integers(3, 800),
    spikes=st.floats(0, 0.6),
)
def test_the_parts_contain_the_area_and_are_short(
    longitude: float, latitude: float, corners: int, spikes: float
) -> None:
    site = star(longitude, latitude, corners, spikes)
    parts = search_parts(site)
    assert shapely.union_all(parts).buffer(1e-9).covers(site)
    assert all(len(area_text(part)) <= LONGEST_TEXT and part.is_valid for part in parts)


def test_eodag_writes_the_parts_as_they_are() -> None:
    """What is longer than its limit, eodag simplifies inwards: products at the border of the site would be lost."""
    from eodag.api.product.metadata_mapping import format_metadata

    site = star(25.0, 43.0, 1500, 0.4)
    assert not shapely.from_wkt(format_metadata("{area#to_rounded_wkt}", area=site)).contains(site)
    (part,) = search_parts(site)
    written = shapely.from_wkt(format_metadata("{area#to_rounded_wkt}", area=part))
    assert written.equals(part)
    assert written.contains(site)


def test_parts_far_apart_are_asked_for_one_by_one() -> None:
    islands = MultiPolygon([box(-16, 28, -15, 29), box(2, 39, 3, 40)])
    assert len(search_parts(islands)) == 2


def test_an_archipelago_comes_as_one_area() -> None:
    islands = MultiPolygon([Point(23 + step % 7, 36 + step // 7).buffer(0.2) for step in range(40)])
    (part,) = search_parts(islands)
    assert part.contains(islands)


def test_an_area_at_the_end_of_the_world_stays_in_it() -> None:
    parts = search_parts(box(179.5, -17, 180, -16))
    assert max(part.bounds[2] for part in parts) <= 180


@pytest.mark.parametrize("nothing", [Polygon(), shapely.LineString([(1, 1), (2, 2)])])
def test_an_area_without_area_is_refused(nothing: shapely.Geometry) -> None:
    with pytest.raises(InputError, match="empty"):
        search_parts(nothing)
