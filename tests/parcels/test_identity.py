"""Numbers that last, and what a delivery changes (lpis-and-inputs.md 3.7, cases 8 to 10)."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.parcels.identity import (
    LARGEST_NUMBER,
    KnownParcels,
    Mode,
    NextVersion,
    ParcelRows,
    assembled,
    assign_numbers,
    geom_change_ratio,
    next_version,
)

NONE = np.empty(0, object)
NO_NUMBERS = np.empty(0, np.int32)
Row = tuple[str, str | None, str | None, object]


def objects(*values: object) -> np.ndarray:
    result = np.empty(len(values), object)
    result[:] = values
    return result


def square(x: float, y: float, size: float = 100, height: float | None = None) -> shapely.MultiPolygon:
    box = shapely.box(650003 + x, 5750003 + y, 650003 + x + size, 5750003 + y + (size if height is None else height))
    return shapely.MultiPolygon([box])


def delivery(*rows: Row) -> ParcelRows:
    return ParcelRows(*(objects(*(row[column] for row in rows)) for column in range(4)))


def known_after(version: NextVersion, rows: ParcelRows, before: KnownParcels) -> KnownParcels:
    """What the database would give back of a version."""

    def merged(name: str) -> np.ndarray:
        both = np.concatenate([getattr(rows, name), getattr(before.rows, name)])
        return both[np.where(version.row >= 0, version.row, len(rows) + version.known)]

    names = ("ori_id", "ori_hold", "ori_crop", "geometry")
    return KnownParcels(ParcelRows(*(merged(name) for name in names)), version.new_id, version.is_deleted)


BOW_TIE = shapely.Polygon([(500, 0), (600, 100), (600, 0), (500, 100)])
GOLDEN = delivery(
    ("P1", "H1", "265", square(0, 0)),
    ("P2", "H1", "259", square(85, 0)),
    ("P3", "H2", "233", square(0, 200, 200)),
    ("P4", "H2", "233", square(10, 210, 50)),
    ("P5-A", "H2", "256", square(300, 0)),
    ("P5-B", "H2", "256", square(300, 0)),
    ("P6", "H3", "2014", BOW_TIE),
    ("P7", "H3", "2014", square(700, 0)),
    ("P8", "H3", "331", square(900, 0, 12, 300)),
)


def by_id(version: NextVersion, rows: ParcelRows, before: KnownParcels) -> dict[str, tuple[int, str | None, bool]]:
    after = known_after(version, rows, before)
    return {
        name: (number, change, deleted)
        for name, number, change, deleted in zip(
            after.rows.ori_id, version.new_id.tolist(), version.change_names, version.is_deleted.tolist(), strict=True
        )
    }


def test_a_fresh_import_is_numbered_by_identifier_and_holding() -> None:
    """The golden table of section 10.1."""
    version = next_version(GOLDEN, KnownParcels.none(), Mode.UPDATE)
    assert version.new_id.tolist() == list(range(1, 10))
    assert assign_numbers(GOLDEN.ori_hold, NONE, NO_NUMBERS).tolist() == [1, 1, 2, 2, 2, 2, 3, 3, 3]
    assert version.counts() == {"new": 9, "deleted": 0, "unchanged": 0, "attribute": 0, "minor": 0, "major": 0}
    assert np.isnan(version.geom_change_ratio).all()


def test_update_then_incremental_then_replace() -> None:
    """Cases 8 and 9."""
    none = KnownParcels.none()
    known = known_after(next_version(GOLDEN, none, Mode.UPDATE), GOLDEN, none)
    rows = [(GOLDEN.ori_id[n], GOLDEN.ori_hold[n], GOLDEN.ori_crop[n], GOLDEN.geometry[n]) for n in range(9)]
    rows[1] = ("P2", "H1", "233", rows[1][3])
    del rows[3]
    second = delivery(*rows, ("P9", "H3", "265", square(1000, 0)))
    update = next_version(second, known, Mode.UPDATE)
    found = by_id(update, second, known)
    assert {name: item[0] for name, item in found.items()} == {
        "P1": 1, "P2": 2, "P3": 3, "P4": 4, "P5-A": 5, "P5-B": 6, "P6": 7, "P7": 8, "P8": 9, "P9": 10,
    }  # fmt: skip
    assert (found["P2"], found["P4"], found["P9"]) == (
        (2, "attribute", False),
        (4, "deleted", True),
        (10, "new", False),
    )
    assert update.counts() == {"new": 1, "deleted": 1, "unchanged": 7, "attribute": 1, "minor": 0, "major": 0}

    known = known_after(update, second, known)
    third = delivery(("P10", "H3", "265", square(1200, 0)))
    incremental = next_version(third, known, Mode.INCREMENTAL)
    found = by_id(incremental, third, known)
    assert found["P10"] == (11, "new", False)
    assert found["P1"] == (1, "unchanged", False)
    assert found["P4"] == (4, None, True), "deleted before, and no change of this delivery"
    assert incremental.counts()["unchanged"] == 9

    known = known_after(incremental, third, known)
    fourth = delivery(("P10", "H3", "265", square(1200, 0)), ("P1", "H1", "265", square(0, 0)))
    replace = next_version(fourth, known, Mode.REPLACE)
    found = by_id(replace, fourth, known)
    assert [name for name, item in found.items() if not item[2]] == ["P1", "P10"]
    assert (found["P1"], found["P10"]) == ((1, "unchanged", False), (11, "unchanged", False))
    assert len(found) == 11, "every number still means its parcel"
    assert replace.counts()["deleted"] == 8


def test_a_deleted_parcel_that_comes_back_keeps_its_number_and_is_extracted() -> None:
    known = KnownParcels(
        delivery(("P1", "H", "1", square(0, 0)), ("P2", "H", "1", square(200, 0))),
        np.array([1, 2], np.int32),
        np.array([False, True]),
    )
    rows = delivery(("P1", "H", "1", square(0, 0)), ("P2", "H", "1", square(200, 0)), ("P3", "H", "1", square(400, 0)))
    version = next_version(rows, known, Mode.UPDATE)
    assert version.new_id.tolist() == [1, 2, 3]
    assert version.change_names.tolist() == ["unchanged", "new", "new"]


@pytest.mark.parametrize(
    ("height", "ratio", "change"),
    [
        (110, 0.0909, "major"),  # case 10
        (104, 0.0385, "minor"),
        (100.000001, 1e-8, "unchanged"),
        (100, 0, "unchanged"),
    ],
)
def test_how_much_an_outline_changed(height: float, ratio: float, change: str) -> None:
    known = KnownParcels(delivery(("P1", "H", "1", square(0, 0))), np.array([1], np.int32), np.array([False]))
    version = next_version(delivery(("P1", "H", "1", square(0, 0, 100, height))), known, Mode.UPDATE)
    assert version.geom_change_ratio[0] == pytest.approx(ratio, abs=1e-4)
    assert version.change_names.tolist() == [change]


@pytest.mark.parametrize(
    ("before", "after", "ratio"),
    [
        (square(0, 0), square(500, 0), 1),
        (square(0, 0), None, 1),
        (None, square(0, 0), 1),
        (None, None, 0),
        (None, shapely.MultiPolygon(), 0),
        (BOW_TIE, BOW_TIE, 0),
        (BOW_TIE, shapely.box(500, 0, 600, 100), 0.5),
        (shapely.box(0, 0, 1, 1), shapely.Polygon([(1, 1), (0, 1), (0, 0), (1, 0)]), 0),  # the ring starts elsewhere
        (shapely.box(0, 0, 1, 1), shapely.box(0.5, 0, 1.5, 1), 2 / 3),
    ],
)
def test_the_ratio_of_odd_outlines(before: object, after: object, ratio: float) -> None:
    assert geom_change_ratio(objects(before), objects(after)).tolist() == [pytest.approx(ratio)]


def test_numbers_follow_bytes_whatever_the_locale() -> None:
    names = objects("ä", "b", "B", "a", "Z", "10", "9", "𝔸", "\uffff")
    assert assign_numbers(names, NONE, NO_NUMBERS).tolist() == [7, 6, 3, 5, 4, 1, 2, 9, 8]


def test_a_missing_holding_has_no_number() -> None:
    names = objects("H2", None, "H1", "H2")
    assert assign_numbers(names, objects("H2"), np.array([7], np.int32), offset=100).tolist() == [7, 0, 108, 7]


def test_numbers_that_run_out_are_refused() -> None:
    highest = np.array([LARGEST_NUMBER - 1], np.int32)
    assert assign_numbers(objects("B"), objects("A"), highest).tolist() == [LARGEST_NUMBER]
    with pytest.raises(InputError, match="exceed 2147483647"):
        assign_numbers(objects("B", "C"), objects("A"), highest)
    with pytest.raises(InputError, match="offset of numbers is -1"):
        assign_numbers(objects("B"), NONE, NO_NUMBERS, offset=-1)


def test_an_identifier_that_occurs_twice_is_refused() -> None:
    rows = delivery(("P1", "H", "1", None), ("P1", "H", "1", None))
    with pytest.raises(InputError, match="'P1' occurs twice"):
        next_version(rows, KnownParcels.none(), Mode.UPDATE)
    with pytest.raises(InputError, match="no identifier"):
        next_version(delivery((None, "H", "1", None)), KnownParcels.none(), Mode.UPDATE)  # type: ignore[arg-type]


deliveries = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("ABCDEFGH"), st.sampled_from("xy"), max_size=8),
        st.sampled_from(Mode),
        st.integers(0, 3),
    ),
    max_size=6,
)


@given(deliveries)
def test_a_number_means_one_parcel_for_ever(history: list[tuple[dict[str, str], Mode, int]]) -> None:
    known = KnownParcels.none()
    meaning: dict[int, str] = {}
    for parcels, mode, offset in history:
        rows = delivery(*((name, None, crop, square(0, 0)) for name, crop in parcels.items()))
        before = {name for name, gone in zip(known.rows.ori_id, known.is_deleted.tolist(), strict=True) if not gone}
        version = next_version(rows, known, mode, offset=offset)
        known = known_after(version, rows, known)
        for number, name in zip(known.new_id.tolist(), known.rows.ori_id, strict=True):
            assert meaning.setdefault(number, name) == name
        assert len(set(known.rows.ori_id)) == len(known.rows) == len(meaning)
        live = {name for name, gone in zip(known.rows.ori_id, known.is_deleted.tolist(), strict=True) if not gone}
        assert live == set(parcels) | (before if mode is Mode.INCREMENTAL else set())
        counts = version.counts()
        assert sum(counts.values()) == len(live) + counts["deleted"]
        assert counts["deleted"] == len(before - live)


def test_rows_of_a_version_keep_their_first_day_and_have_their_last_change() -> None:
    first_day, later = datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)
    rows = delivery(("P1", "H", "1", square(0, 0)), ("P2", "H", "1", square(200, 0)), ("P3", "H", "1", square(400, 0)))
    empty = pa.table(
        {
            "ori_id": pa.array([], pa.string()),
            "inserted_at": pa.array([], pa.timestamp("us", "UTC")),
            "updated_at": pa.array([], pa.timestamp("us", "UTC")),
        }
    )
    version = next_version(rows, KnownParcels.none(), Mode.UPDATE)
    table = assembled(version, pa.table({"ori_id": ["P1", "P2", "P3"]}), empty, first_day)
    known = known_after(version, rows, KnownParcels.none())
    again = delivery(("P4", "H", "1", square(0, 0)), ("P2", "H", "2", square(200, 0)), ("P1", "H", "1", square(0, 0)))
    version = next_version(again, known, Mode.UPDATE)
    table = assembled(version, pa.table({"ori_id": ["P4", "P2", "P1"]}), table, later)
    assert table.select(["new_id", "ori_id", "change", "is_deleted"]).to_pylist() == [
        {"new_id": 1, "ori_id": "P1", "change": "unchanged", "is_deleted": False},
        {"new_id": 2, "ori_id": "P2", "change": "attribute", "is_deleted": False},
        {"new_id": 3, "ori_id": "P3", "change": "deleted", "is_deleted": True},
        {"new_id": 4, "ori_id": "P4", "change": "new", "is_deleted": False},
    ]
    assert table["inserted_at"].to_pylist() == [first_day] * 3 + [later]
    assert table["updated_at"].to_pylist() == [first_day] + [later] * 3
    assert table["geom_change_ratio"].to_pylist() == [0, 0, None, None]


def test_a_second_delivery_of_many_parcels_takes_seconds() -> None:
    """A loop over parcels in Python, or an intersection for each, would take minutes for a million."""
    count = 200_000
    place = np.arange(count)
    boxes = shapely.box(place * 100.0, 0, place * 100.0 + 90, 90)
    ids = np.array([f"P{n}" for n in range(count)], object)
    words = np.full(count, "1", object)
    rows = ParcelRows(ids, words, words, boxes)
    known = KnownParcels(rows, place.astype(np.int32) + 1, np.zeros(count, np.bool_))
    started = time.process_time()
    version = next_version(ParcelRows(ids, words, words, boxes.copy()), known, Mode.UPDATE)
    assert time.process_time() - started < 10
    assert version.counts()["unchanged"] == count
