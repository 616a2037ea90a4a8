"""The field pattern, who farms it and what grows there."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.crops import CROPS, CatchCrop, Cover, Growth, Practice, Regime
from s4c_lib.synthetic.landscape.assignment import CATCH_CROP_GROWTHS, draw_traits
from s4c_lib.synthetic.landscape.country import make_landscape
from s4c_lib.synthetic.landscape.model import Landscape

WINDOW = PixelGrid(32631, 652320, 5697660, 10, 510, 510)


@pytest.fixture(scope="module")
def landscape() -> Landscape:
    return make_landscape(WINDOW, 600, 1)


def small_grid(cells: int) -> PixelGrid:
    return PixelGrid(32631, 652320, 5697660, 10, cells * 6, cells * 6)


def assert_sound(landscape: Landscape, count: int) -> None:
    """Count, validity, place, gaps."""
    shapes = landscape.shapes
    assert len(shapes) == count == len(landscape.traits)
    assert shapely.is_valid(shapes).all()
    assert set(shapely.get_type_id(shapes)) <= {3, 6}
    window = shapely.box(*landscape.grid.bounds)
    assert shapely.contains_properly(window, shapes).all()
    one, other = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=2.9)
    assert (one == other).all()  # between two fields there is a margin, a ditch or a track


def test_fields_are_valid_apart_and_within_the_window(landscape: Landscape) -> None:
    assert_sound(landscape, 600)


@given(seed=st.integers(0, 2**32), count=st.integers(1, 60), cells=st.integers(12, 40))
@settings(max_examples=25)
def test_any_seed_count_and_window_give_sound_fields(seed: int, count: int, cells: int) -> None:
    assert_sound(make_landscape(small_grid(cells), count, seed), count)


def test_neighbours_are_a_ditch_or_a_track_apart(landscape: Landscape) -> None:
    one, other = shapely.STRtree(landscape.shapes).query(landscape.shapes, predicate="dwithin", distance=9)
    pairs = one < other
    gaps = shapely.distance(landscape.shapes[one[pairs]], landscape.shapes[other[pairs]])
    assert len(gaps) > 600
    assert gaps.min() >= 3
    assert np.percentile(gaps, 95) < 8


def test_the_pattern_has_what_makes_monitoring_hard(landscape: Landscape) -> None:
    shapes = landscape.shapes
    area = shapely.area(shapes)
    narrow = shapely.is_empty(shapely.buffer(shapes, -10))
    assert (shapely.get_type_id(shapes) == 6).mean() == pytest.approx(0.02, abs=0.015)
    assert 5 <= sum(shapely.get_num_interior_rings(part) > 0 for part in shapely.get_parts(shapes)) <= 40
    assert 0.04 < narrow.mean() < 0.2
    assert (area < 400).sum() >= 3
    assert 17 < shapely.get_num_coordinates(shapes).mean() < 21
    mean = float(shapely.area(shapes).mean())
    assert 25_000 < mean < 35_000
    # Fields are long: the median one at least half as long again as wide.
    boxes = shapely.oriented_envelope(shapes[area > 10_000])
    corners = shapely.get_coordinates(boxes).reshape(-1, 5, 2)
    sides = np.sort(np.linalg.norm(np.diff(corners[:, :3], axis=1), axis=2), axis=1)
    assert 1.5 < np.median(sides[:, 1] / sides[:, 0]) < 4


def test_rows_run_along_the_field(landscape: Landscape) -> None:
    area = shapely.area(landscape.shapes)
    whole = (shapely.get_type_id(landscape.shapes) == 3) & (area > 10_000)
    corners = shapely.get_coordinates(shapely.oriented_envelope(landscape.shapes[whole])).reshape(-1, 5, 2)
    edges = np.diff(corners[:, :3], axis=1)
    longer = np.linalg.norm(edges, axis=2).argmax(axis=1)
    long_side = edges[np.arange(len(edges)), longer]
    azimuth = np.degrees(np.arctan2(long_side[:, 0], long_side[:, 1]))
    off = np.abs((azimuth - landscape.traits.row_angle[whole] + 90) % 180 - 90)
    assert np.median(off) < 10


def test_covers_fill_a_quarter_and_touch_no_field(landscape: Landscape) -> None:
    shapes = [shape for _, shape in landscape.covers]
    west, south, east, north = landscape.grid.bounds
    share = shapely.area(shapes).sum() / ((east - west) * (north - south))
    assert 0.18 < share < 0.30
    assert {kind for kind, _ in landscape.covers} == {Cover.FOREST, Cover.BUILT_UP, Cover.WATER}
    everything = np.concatenate([np.asarray(shapes, dtype=object), landscape.shapes])
    one, other = shapely.STRtree(everything).query(everything, predicate="intersects")
    pairs = one < other
    assert shapely.area(shapely.intersection(everything[one[pairs]], everything[other[pairs]])).max(initial=0) < 1e-3
    assert all(shape.is_valid for shape in shapes)


def test_the_same_seed_draws_the_same_country(landscape: Landscape) -> None:
    again, other = make_landscape(WINDOW, 600, 1), make_landscape(WINDOW, 600, 2)
    assert (shapely.to_wkb(again.shapes) == shapely.to_wkb(landscape.shapes)).all()
    assert again.ori_id == landscape.ori_id
    for field in fields(again.traits):
        assert (getattr(again.traits, field.name) == getattr(landscape.traits, field.name)).all()
    assert not (shapely.to_wkb(other.shapes) == shapely.to_wkb(landscape.shapes)).any()


@pytest.mark.parametrize(("cells", "count"), [(1, 600), (1, 2), (10, 500)])
def test_a_window_too_small_is_refused(cells: int, count: int) -> None:
    with pytest.raises(InputError, match=rf"too small for {count} parcels"):
        make_landscape(small_grid(cells), count, 1)


@pytest.mark.parametrize("change", [{"count": 0}, {"mislabelled": 1.5}, {"mislabelled": -0.1}])
def test_impossible_numbers_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError):
        make_landscape(WINDOW, int(change.get("count", 60)), 1, mislabelled=change.get("mislabelled", 0.0))


def test_holdings_lie_together_and_have_nine_parcels_or_so(landscape: Landscape) -> None:
    farm = np.unique(landscape.holding, return_inverse=True)[1]
    sizes = np.bincount(farm)
    assert 5 <= np.median(sizes) <= 13
    assert sizes.max() > 25
    places = shapely.get_coordinates(shapely.centroid(landscape.shapes))
    nearest = shapely.STRtree(shapely.points(places)).query_nearest(shapely.points(places), exclusive=True)
    assert (farm[nearest[0]] == farm[nearest[1]]).mean() > 0.5
    assert len(set(landscape.ori_id)) == 600
    pairs = zip(landscape.ori_id, landscape.holding, strict=True)
    assert all(name.rsplit("-", 1)[0] == holding for name, holding in pairs)


def test_crops_take_their_shares_and_none_is_missing(landscape: Landscape) -> None:
    small = np.bincount(landscape.traits.crop, minlength=len(CROPS))
    assert small.min() >= 3
    large = np.bincount(draw_traits(20_000, 5).crop, minlength=len(CROPS)) / 20_000
    shares = np.array([crop.share for crop in CROPS])
    np.testing.assert_allclose(large, shares / shares.sum(), atol=0.006)


def test_farms_specialise(landscape: Landscape) -> None:
    """Two fields of a farm share a crop more often than two fields of the country."""
    crop = landscape.traits.crop
    farm = np.unique(landscape.holding, return_inverse=True)[1]
    same_farm = (farm[:, None] == farm) & ~np.eye(len(crop), dtype=bool)
    same_crop = crop[:, None] == crop
    assert same_crop[same_farm].mean() > 1.2 * same_crop.mean()


def test_two_in_a_hundred_declarations_are_wrong_and_plausibly_so() -> None:
    traits = draw_traits(20_000, 3)
    wrong = traits.crop != traits.declared
    assert wrong.mean() == 0.02
    cover = np.array([crop.land_cover for crop in CROPS])
    assert (cover[traits.crop[wrong]] == cover[traits.declared[wrong]]).mean() > 0.6
    assert not (draw_traits(500, 3, mislabelled=0.0).crop != draw_traits(500, 3, mislabelled=0.0).declared).any()
    assert (draw_traits(500, 3, mislabelled=1.0).crop != draw_traits(500, 3, mislabelled=1.0).declared).all()


def test_grass_is_used_in_every_way_and_nothing_else_is() -> None:
    traits = draw_traits(20_000, 4)
    grass = np.array([crop.grassland for crop in CROPS])[traits.crop]
    assert ((traits.regime != Regime.NONE) == grass).all()
    shares = np.bincount(traits.regime[grass], minlength=len(Regime)) / grass.sum()
    assert (shares[1:] > 0.02).all()
    assert shares[Regime.UNUSED] < 0.05
    nature = np.array([crop.code == "332" for crop in CROPS])[traits.crop]
    assert (traits.regime[nature] == Regime.EXTENSIVE).mean() > 0.5
    assert not (traits.regime[nature] == Regime.INTENSIVE).any()


def test_catch_crops_are_promised_kept_forgotten_and_sown_unasked() -> None:
    traits = draw_traits(50_000, 6)
    suits = np.array([crop.growth in CATCH_CROP_GROWTHS for crop in CROPS])
    maize = np.array([crop.growth == Growth.MAIZE for crop in CROPS])[traits.crop]
    promised = traits.practice == Practice.CATCH_CROP
    there = traits.catch_crop != CatchCrop.NONE
    assert suits[traits.declared[promised]].all()
    assert suits[traits.crop[there]].all()
    assert promised[suits[traits.declared]].mean() == pytest.approx(0.30, abs=0.02)
    assert (~there)[promised & suits[traits.crop]].mean() == pytest.approx(0.12, abs=0.02)
    assert 0.02 < there[~promised & suits[traits.crop]].mean() < 0.1
    assert maize[traits.catch_crop == CatchCrop.UNDERSOWN].all()
    declared = [CROPS[number] for number in traits.declared]
    assert ((traits.practice == Practice.FALLOW) == [crop.fallow for crop in declared]).all()
    assert ((traits.practice == Practice.NITROGEN_FIXING) == [crop.nitrogen_fixing for crop in declared]).all()


def test_a_part_of_a_large_country_does_not_depend_on_the_others() -> None:
    first, second = draw_traits(1000, 9, 0), draw_traits(1000, 9, 1, first_id=1001)
    assert (first.crop != second.crop).any()
    assert second.parcel_id[0] == 1001
    again = draw_traits(1000, 9, 1)
    assert (again.crop == second.crop).all()
    assert replace(again, parcel_id=second.parcel_id).soil_brightness.mean() == pytest.approx(1, abs=0.02)
    assert all(len(getattr(second, field.name)) == 1000 for field in fields(second))
