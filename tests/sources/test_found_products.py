"""From what catalogues list to candidates and reasons."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, box, mapping

from s4c_lib.sources.found_products import (
    FoundProduct,
    candidate_of,
    file_name_of,
    footprint_of_geojson,
    footprint_of_wkt,
    halves,
    named,
    search_result,
    with_states,
)
from s4c_lib.sources.model import Candidate, Direction, Query, StorageState
from s4c_lib.sources.product_names import ProductKind, Satellite, product_name

OLD = "S2A_MSIL1C_20240301T105031_N0509_R051_T31UFS_20240301T125050"
NEW = "S2A_MSIL1C_20240301T105031_N0510_R051_T31UFS_20240401T125050"
OTHER_TILE = "S2A_MSIL1C_20240301T105031_N0510_R051_T31UGS_20240301T125050"
LANDSAT = "LC08_L2SP_197024_20240302_20240310_02_T1"
HERE = box(4, 50, 5, 51)


def _found(title: str, **changes: object) -> FoundProduct:
    facts: dict[str, object] = {"title": title, "address": f"id-of-{title}", "footprint": HERE, **changes}
    return FoundProduct(**facts)  # type: ignore[arg-type]


def _query(**changes: object) -> Query:
    facts: dict[str, object] = {
        "satellite": Satellite.SENTINEL2,
        "kinds": frozenset({ProductKind.S2_L1C}),
        "date_from": date(2024, 3, 1),
        "date_to": date(2024, 3, 10),
        "geometry": box(4.5, 50.5, 4.6, 50.6),
        **changes,
    }
    return Query(**facts)  # type: ignore[arg-type]


def test_other_kinds_days_and_satellites_are_passed_over_in_silence() -> None:
    late = OLD.replace("20240301T105031", "20240311T105031")
    listed = [_found(OLD), _found(late), _found(LANDSAT), _found(OLD.replace("L1C", "L2A"))]
    result = search_result(listed, _query())
    assert [item.name.name for item in result.candidates] == [OLD]
    assert result.rejected == ()


def test_reasons_are_recorded_by_name() -> None:
    listed = [
        _found(OLD),
        _found(NEW),
        _found(NEW, address="another-id"),
        _found("hello"),
        _found(OTHER_TILE, footprint=None),
        _found(NEW.replace("T31UFS", "T32UMA"), footprint=box(8, 50, 9, 51)),
    ]
    result = search_result(listed, _query())
    assert [item.name.name for item in result.candidates] == [NEW]
    assert {(item.path, item.code) for item in result.rejected} == {
        (OLD, "superseded"),
        (NEW, "duplicate"),
        ("hello", "not_a_product"),
        (OTHER_TILE, "no_footprint"),
        (NEW.replace("T31UFS", "T32UMA"), "outside_site"),
    }
    assert all("id" not in item.text.split() and "another-id" not in item.text for item in result.rejected)


def test_an_entry_of_two_pages_counts_once() -> None:
    result = search_result([_found(OLD), _found(OLD)], _query())
    assert (len(result.candidates), result.rejected) == (1, ())


def test_touching_the_site_is_outside_it() -> None:
    result = search_result([_found(OLD, footprint=box(3, 50, 4.5, 51))], _query())
    assert [item.code for item in result.rejected] == ["outside_site"]


def test_tiles_restrict_sentinel2_only() -> None:
    result = search_result([_found(NEW), _found(OTHER_TILE)], _query(tiles=frozenset({"T31UGS"})))
    assert [item.name.name for item in result.candidates] == [OTHER_TILE]
    assert [item.code for item in result.rejected] == ["outside_site"]
    landsat = _query(
        satellite=Satellite.LANDSAT8, kinds=frozenset({ProductKind.LANDSAT_L2SP}), tiles=frozenset({"31UFS"})
    )
    assert len(search_result([_found(LANDSAT)], landsat).candidates) == 1


def test_the_name_knows_best_except_for_what_it_does_not_hold() -> None:
    told = datetime(2024, 3, 2, 10, 31, 7, tzinfo=UTC)
    facts = {"sensing_time": told, "relative_orbit": 7, "direction": "DESCENDING", "tiles": ("T31UFS",)}
    landsat, sentinel = candidate_of(_found(LANDSAT, **facts)), candidate_of(_found(OTHER_TILE, **facts))
    assert isinstance(landsat, Candidate)
    assert isinstance(sentinel, Candidate)
    assert landsat.sensing_time == told
    assert sentinel.sensing_time == datetime(2024, 3, 1, 10, 50, 31, tzinfo=UTC)
    assert (sentinel.tiles, sentinel.relative_orbit) == (("31UGS",), 51)
    assert landsat.direction is sentinel.direction is Direction.DESCENDING


def test_named_takes_the_newest_listing() -> None:
    day = datetime(2024, 3, 2, tzinfo=UTC)
    listed = [_found(OLD, address=text, published_at=day + timedelta(days=n)) for n, text in enumerate("bca")]
    found = named([*listed, _found(NEW)], product_name(OLD))
    assert found is not None
    assert found.address == "a"
    assert named(listed, product_name(NEW)) is None


def test_states_asked_later_replace_those_listed() -> None:
    result = search_result([_found(NEW), _found(OTHER_TILE)], _query())
    states = {
        item.name.name: item.storage_state for item in with_states(result, {NEW: StorageState.OFFLINE}).candidates
    }
    assert states == {NEW: StorageState.OFFLINE, OTHER_TILE: StorageState.ONLINE}


@given(st.integers(0, 400))
def test_halves_cover_every_day_once(days: int) -> None:
    query = _query(date_to=date(2024, 3, 1) + timedelta(days=days))
    parts = halves(query)
    if days == 0:
        assert parts is None
        return
    assert parts is not None
    first, second = parts
    assert (first.date_from, second.date_to) == (query.date_from, query.date_to)
    assert second.date_from - first.date_to == timedelta(days=1)
    assert first.date_from <= first.date_to
    assert second.date_from <= second.date_to


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("X.SAFE", ".zip"),
        ("", ".zip"),
        ("x.TIF", ".tif"),
        ("x.tar", ".tar"),
        ("x.tar.gz", ".tar.gz"),
        ("a/b.zip", ".zip"),
    ],
)
def test_downloads_keep_the_suffix_of_single_files(written: str, kept: str) -> None:
    assert file_name_of(product_name(OLD), written) == f"{OLD}{kept}"


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        (LANDSAT, ".tar"),
        ("SEN4CAP_L2A_S7_V20200404T165041_20200329T165122_VH_146_AMP", ".tif"),
        (OLD, ".zip"),
    ],
)
def test_without_a_suffix_a_download_is_called_after_its_kind(name: str, suffix: str) -> None:
    assert file_name_of(product_name(name), "") == f"{name}{suffix}"


@pytest.mark.parametrize(
    "text", [None, "", "POINT (1 2)", "POLYGON EMPTY", "POLYGON ((1 2, 3", "POLYGON ((0 0, 0 95, 5 95, 0 0))"]
)
def test_footprints_that_are_none(text: str | None) -> None:
    assert footprint_of_wkt(text) is None


@pytest.mark.parametrize(
    "thing", [None, "x", {}, {"type": "Point", "coordinates": [1, 2]}, {"type": "Polygon", "coordinates": None}]
)
def test_geojson_footprints_that_are_none(thing: object) -> None:
    assert footprint_of_geojson(thing) is None


def test_footprints_in_every_spelling_are_the_same() -> None:
    spellings = [
        footprint_of_wkt(HERE.wkt),
        footprint_of_wkt(f"SRID=4326;{HERE.wkt}"),
        footprint_of_geojson(mapping(HERE)),
    ]
    spellings.append(footprint_of_wkt(MultiPolygon([HERE]).wkt))
    assert all(shape is not None and shape.equals(HERE) for shape in spellings)


@pytest.mark.parametrize(
    "text",
    [
        "POLYGON ((179 0, -179 0, -179 1, 179 1, 179 0))",
        "POLYGON ((179 0, 181 0, 181 1, 179 1, 179 0))",
        "MULTIPOLYGON (((179 0, 180 0, 180 1, 179 1, 179 0)), ((-180 0, -179 0, -179 1, -180 1, -180 0)))",
    ],
)
def test_footprints_across_the_antimeridian_lie_on_both_sides(text: str) -> None:
    shape = footprint_of_wkt(text)
    assert shape is not None
    assert shape.area == pytest.approx(2)
    assert shape.intersects(Point(179.5, 0.5))
    assert shape.intersects(Point(-179.5, 0.5))
    assert not shape.intersects(Point(0, 0.5))


def test_a_bow_tie_becomes_an_area() -> None:
    shape = footprint_of_wkt("POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))")
    assert shape is not None
    assert shapely.is_valid(shape)
    assert shape.area == pytest.approx(2)
