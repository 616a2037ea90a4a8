"""A new date does not recompute the season, and gives what a run from nothing gives."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from feature_cases import FIRST, LAST, REFERENCE, season_rows, store_files, table

from s4c_lib.crop_type.feature_table import FeatureSettings, PreparedFeatures, prepare_features
from s4c_lib.crop_type.partial_results import PartialFolder
from s4c_lib.errors import DiskFullError, StorageError

PARCELS = range(1, 6)
FEW = ("b08", "ndvi", "vv", "vh", "coherence_vv")


def prepared(files: Any, settings: FeatureSettings = FeatureSettings(), **more: Any) -> PreparedFeatures:  # noqa: B008
    return prepare_features(files, PARCELS, settings, FIRST, LAST, **more)


def content(found: PreparedFeatures) -> tuple[Any, ...]:
    block = found.block(0, 99)
    assert block.gap_days is not None
    return block.names, block.values.tobytes(), block.gap_days.tobytes(), block.dates


@pytest.mark.parametrize("settings", [FeatureSettings(), REFERENCE])
def test_dates_added_one_after_another_give_the_same_bytes(tmp_path: Path, settings: FeatureSettings) -> None:
    rows = season_rows(5, days=18, variables=FEW)
    files = store_files(tmp_path / "store", rows)
    at = {file.path: file.path.parent.name for file in files}
    digests = {file.path: file.sha256 for file in files}
    kept = PartialFolder(tmp_path / "kept")
    days = sorted(set(at.values()))
    for number, day in enumerate(days, 1):
        there = [path for path in at if at[path] <= day]
        found = prepared(there, settings, kept=kept, digests=digests)
        assert content(found) == content(prepared(there, settings))
        new = sum(1 for path in at if at[path] == day)
        if number > 1:
            # A variable of a day falls in one stretch or one week; a new optical date may open another, empty one.
            assert found.parts_made <= new + 1
    assert found.parts_kept > 3 * found.parts_made
    again = prepared(list(at), settings, kept=kept, digests=digests)
    assert (again.parts_made, content(again)) == (0, content(prepared(list(at), settings)))


def test_a_changed_file_recomputes_what_it_touches(tmp_path: Path) -> None:
    rows = season_rows(5, days=12, variables=FEW)
    files = [file.path for file in store_files(tmp_path / "store", rows)]
    kept: dict[str, Any] = {}
    prepared(files, kept=kept)
    changed = next(one for one in rows if one["variable"] == "ndvi")
    changed["mean"] += 0.1
    other = [file.path for file in store_files(tmp_path / "other", rows)]
    found = prepared(other, kept=kept)
    assert found.parts_made == 1
    assert content(found) == content(prepared(table(rows)))
    assert content(found) != content(prepared(files))
    # Other parcels or another scale are other parts.
    assert prepare_features(other, [1, 2], FeatureSettings(), FIRST, LAST, kept=kept).parts_kept == 0
    amplitude = prepared(other, FeatureSettings(amplitude=True), kept=kept)
    backscatter = {one["time"] for one in rows if one["variable"] == "vv"}
    assert amplitude.parts_made == 2 * len(backscatter)


def test_tables_of_users_are_kept_by_their_content() -> None:
    rows, kept = season_rows(5, days=20), dict[str, Any]()
    prepared(table(rows), kept=kept)
    assert prepared(table(rows), kept=kept).parts_made == 0
    rows[0]["mean"] += 0.1
    assert prepared(table(rows), kept=kept).parts_made == 1


def test_a_folder_keeps_arrays_and_makes_damaged_ones_again(tmp_path: Path) -> None:
    kept = PartialFolder(tmp_path / "kept")
    rows = table(season_rows(5, days=20))
    first = prepared(rows, kept=kept)
    assert set(kept) == first.kept_keys
    assert len(kept) == len(first.kept_keys)
    expected, damaged = content(first), next(iter(kept))
    path = tmp_path / "kept" / f"{damaged}.npy"
    path.write_bytes(path.read_bytes()[:40])
    again = prepared(rows, kept=kept)
    assert again.parts_made >= 1
    assert content(again) == expected
    np.testing.assert_array_equal(kept[damaged], PartialFolder(tmp_path / "kept")[damaged])
    del kept[damaged]
    assert damaged not in kept
    with pytest.raises(KeyError):
        del kept[damaged]


def test_a_folder_that_cannot_be_written_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError):
        prepared(table(season_rows(2, days=10)), kept=PartialFolder(tmp_path / "file"))


def test_an_earlier_season_start_moves_the_dates() -> None:
    rows = table(season_rows(5, days=20))
    one = prepared(rows).dates
    other = prepare_features(rows, PARCELS, FeatureSettings(), FIRST - timedelta(days=3), LAST).dates
    assert (one[0], other[0]) == (FIRST, FIRST - timedelta(days=3))


class _FullDisk(dict[str, Any]):
    def __setitem__(self, key: str, value: Any) -> None:
        raise DiskFullError("no space left")


def test_a_full_disk_keeps_nothing_and_the_run_goes_on() -> None:
    rows = table(season_rows(5, days=10, variables=FEW))
    found = prepared(rows, kept=_FullDisk())
    assert found.parts_kept == 0
    assert content(found) == content(prepared(rows))
