"""The store: what is written comes back, any tool reads it, nothing half-written shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from statistics_cases import MAY, NDVI, VV, statistics, stored

from s4c_lib.errors import DiskFullError, InputError, NotFoundError, ProductCorruptError
from s4c_lib.statistics.matrices import series_of
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA
from s4c_lib.statistics.observations import StatisticsFile, best_tile, read_observations
from s4c_lib.statistics.parcel_statistics import ParcelStatistics
from s4c_lib.statistics.source import Source, source_of
from s4c_lib.statistics.store import statistics_in, statistics_table, write_statistics


def test_a_file_says_what_it_is_of_and_has_the_columns_of_the_table(tmp_path: Path) -> None:
    file = stored(tmp_path, statistics([1, 2, 7], [0.5, 0.6, 0.7]))
    assert file.path.parent.relative_to(tmp_path).parts == (
        "markers",
        "site=demo",
        "season=2021",
        "family=l3b",
        "tile=31UFS",
        "date=2021-05-02",
    )
    assert file.path.name == f"17_ndvi_{file.sha256[:16]}.parquet"
    read = pq.ParquetFile(file.path)
    assert read.schema_arrow.names == OBSERVATION_SCHEMA.names
    assert source_of(read.metadata.metadata) == NDVI
    told = {key.decode(): value.decode() for key, value in read.metadata.metadata.items()}
    assert (told["time"], told["algorithm"], told["buffer_m"]) == ("2021-05-02T10:46:12+00:00", "1", "5.0")
    # The metadata, which readers trust, say what the columns say.
    plain = pa.table(read.read()).cast(OBSERVATION_SCHEMA)
    assert read_observations([file.path]).equals(plain)


def test_pandas_reads_a_folder_of_files_without_our_code(tmp_path: Path) -> None:
    """Names of folders are not part of the data."""
    import pandas as pd

    earlier = MAY - timedelta(days=6)
    stored(tmp_path, statistics([1, 2], [0.5, np.nan]))
    stored(tmp_path, statistics([7], [0.25]), VV, variable="coherence_vh", previous_time=earlier, tile="31UFT")
    frame = pd.read_parquet(tmp_path / "markers", partitioning=None).sort_values("parcel_id", ignore_index=True)
    assert list(frame.columns) == OBSERVATION_SCHEMA.names
    assert frame.parcel_id.tolist() == [1, 2, 7]
    assert frame["mean"].isna().tolist() == [False, True, False]
    assert frame.time.dt.tz_convert("UTC").tolist() == [pd.Timestamp(MAY)] * 3
    assert frame.previous_time.isna().tolist() == [True, True, False]
    assert frame.tile.tolist() == ["31UFS", "31UFS", "31UFT"]
    kinds = {"parcel_id": "int64", "mean": "float32", "n": "int32", "n_total": "int32"}
    assert {name: str(frame[name].dtype) for name in kinds} == kinds


def test_radar_files_name_orbit_and_polarisation(tmp_path: Path) -> None:
    earlier = MAY - timedelta(days=6)
    source = replace(
        VV, variable="coherence_vh", family="s1coh", previous_time=earlier, product_id=None, item_id="S1A_COH"
    )
    file = stored(tmp_path, statistics([4], [0.3]), source)
    assert file.path.name.startswith("S1A_COH_coherence_vh_088_")
    opened = StatisticsFile(file.path)
    assert opened.source == source
    assert pq.ParquetFile(file.path).metadata.metadata[b"polarisation"] == b"vh"
    row = read_observations([file.path]).to_pylist()[0]
    assert (row["orbit"], row["direction"], row["product_id"]) == (88, "ascending", None)
    assert row["previous_time"] == earlier.replace(microsecond=0)


def test_the_same_content_has_the_same_name_and_other_content_another(tmp_path: Path) -> None:
    first = stored(tmp_path, statistics([1], [0.5]))
    again = stored(tmp_path, statistics([1], [0.5]), time=MAY.astimezone(timezone(timedelta(hours=5))))
    other = stored(tmp_path, statistics([1], [0.6]))
    assert first == again
    assert first.path != other.path
    assert len(list(tmp_path.rglob("*.parquet"))) == 2


def test_quartiles_come_back_where_there_are_some(tmp_path: Path) -> None:
    half = np.array([0.5, np.nan], np.float32)
    with_median = stored(tmp_path, statistics([1, 2], [0.5, 0.6], p50=half))
    without = stored(tmp_path, statistics([3], [0.7]), tile="31UFT")
    table = read_observations([with_median.path, without.path], columns=["parcel_id", "p50", "tile"])
    assert table.column("p50").to_pylist() == [0.5, None, None]
    assert table.column("tile").to_pylist() == ["31UFS", "31UFS", "31UFT"]


def test_statistics_of_a_file_are_those_that_were_written(tmp_path: Path) -> None:
    found = statistics([1, 2], [0.5, np.nan], n=[3, 4], n_total=[9, 9], p25=np.array([0.1, 0.2], np.float32))
    file = stored(tmp_path, found)
    back = statistics_in(read_observations([file.path], columns=[*OBSERVATION_SCHEMA.names, "p25"]))
    for name in ("parcel_id", "n", "n_total", "mean", "std", "least", "most", "p25"):
        np.testing.assert_array_equal(getattr(back, name), getattr(found, name))
    assert back.p75 is None


def test_nothing_to_write_is_an_empty_file(tmp_path: Path) -> None:
    file = stored(tmp_path, statistics([1], [0.5]).take(np.array([], np.int64)))
    assert file.rows == 0
    assert read_observations([file.path]).schema == OBSERVATION_SCHEMA
    assert read_observations([file.path], parcel_ids=[1]).num_rows == 0
    assert read_observations([]).num_rows == 0


def test_a_few_parcels_are_found_among_many(tmp_path: Path) -> None:
    """Over the borders of the groups that a file is read in."""
    numbers = list(range(1, 60_001, 2))
    file = stored(tmp_path, statistics(numbers, [k / 1e5 for k in numbers]))
    assert pq.ParquetFile(file.path).metadata.num_row_groups > 3
    for wanted in ([1], [16_383], [16_385, 59_999], [2], [70_000], [59_999, 1, 1]):
        table = read_observations([file.path], parcel_ids=wanted)
        assert table.column("parcel_id").to_pylist() == sorted(set(wanted) & set(numbers))
        assert np.allclose(table.column("mean"), np.array(table.column("parcel_id")) / 1e5)


def test_variables_are_chosen(tmp_path: Path) -> None:
    paths = [
        stored(tmp_path, statistics([1], [k]), variable=name).path for k, name in enumerate(("ndvi", "lai", "fapar"))
    ]
    table = read_observations(paths, variables=["lai", "fapar"], columns=["variable", "mean"])
    assert table.to_pylist() == [{"variable": "lai", "mean": 1.0}, {"variable": "fapar", "mean": 2.0}]


def test_files_of_other_tools_are_read_by_name_and_cast(tmp_path: Path) -> None:
    """Another order, large strings, milliseconds, 32-bit numbers."""
    path = tmp_path / "theirs.parquet"
    moment = datetime(2021, 5, 2, 10, 46, 12)
    theirs = pa.table(
        {
            "variable": pa.array(["lai", "ndvi"], pa.large_string()),
            "n_total": pa.array([9, 9], pa.int64()),
            "n": pa.array([8, 7], pa.int16()),
            "extra": [1, 2],
            "mean": pa.array([0.5, float("nan")], pa.float64()),
            "time": pa.array([moment, moment], pa.timestamp("ms", tz="UTC")),
            "parcel_id": pa.array([2, 1], pa.int32()),
        }
    )
    pq.write_table(theirs, path)
    table = read_observations([path, stored(tmp_path, statistics([5], [0.25])).path])
    assert table.schema == OBSERVATION_SCHEMA
    assert table.column("parcel_id").to_pylist() == [2, 1, 5]
    assert table.column("mean").to_pylist() == [0.5, None, 0.25]
    assert table.column("time").to_pylist() == [MAY, MAY, MAY]
    assert read_observations([path], parcel_ids=[1], variables=["ndvi"]).column("n").to_pylist() == [7]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    whole = stored(tmp_path, statistics([1], [0.5])).path
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(ProductCorruptError, match=r"cut\.parquet"):
        read_observations([cut])
    with pytest.raises(NotFoundError, match="gone"):
        read_observations([tmp_path / "gone.parquet"])
    with pytest.raises(InputError, match="median"):
        read_observations([whole], columns=["median"])


def test_names_and_numbers_that_cannot_be_stored_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="up"):
        write_statistics(tmp_path, "../up", "2021", NDVI, statistics([1], [0.5]))
    with pytest.raises(InputError, match="ascend"):
        stored(tmp_path, statistics([2, 1], [0.5, 0.6]))
    assert list(tmp_path.rglob("*.parquet")) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFullError):
        stored(tmp_path, statistics([1], [0.5]))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def tiles(*rows: tuple[str, ParcelStatistics], **facts: Any) -> pa.Table:
    return pa.concat_tables([statistics_table(replace(NDVI, tile=tile, **facts), found) for tile, found in rows])


def test_a11_best_tile() -> None:
    table = tiles(
        ("31UFR", statistics([5], [0.1], n=[22], n_total=[22])), ("31UFS", statistics([5], [0.2], n=[35], n_total=[40]))
    )
    assert best_tile(table).column("tile").to_pylist() == ["31UFS"]


def test_equal_tiles_are_decided_by_all_pixels_then_by_name() -> None:
    parcels = [1, 2, 3]
    table = tiles(
        ("31UFT", statistics(parcels, [0.3] * 3, n=[9, 9, 9], n_total=[12, 10, 10])),
        ("31UFR", statistics(parcels, [0.1] * 3, n=[9, 9, 8], n_total=[10, 10, 10])),
    )
    found = best_tile(table).sort_by("parcel_id")
    assert found.column("tile").to_pylist() == ["31UFT", "31UFR", "31UFT"]


def test_tiles_seen_seconds_apart_are_one_pass_and_other_passes_are_not() -> None:
    one = statistics([5], [0.1])
    seconds_later, next_orbit = MAY + timedelta(seconds=14), MAY + timedelta(minutes=98)
    table = pa.concat_tables(
        [
            tiles(("31UFS", one)),
            tiles(("31UFT", one), time=seconds_later),
            tiles(("31UFS", one), time=next_orbit),
            tiles(("31UFS", one), platform="landsat-8", time=seconds_later),
            tiles(("31UFS", one), variable="lai"),
        ]
    )
    found = best_tile(table)
    assert found.num_rows == 4
    assert found.column("tile").to_pylist() == ["31UFS"] * 4


def test_pairs_of_other_length_are_other_observations() -> None:
    pair = statistics([5], [0.4])
    days = [6, 12, 6]
    table = pa.concat_tables(
        [
            tiles((tile, pair), variable="coherence_vh", orbit=88, previous_time=MAY - timedelta(days=day))
            for tile, day in zip(("31UFS", "31UFS", "31UFT"), days, strict=True)
        ]
    )
    found = best_tile(table)
    assert [moment.replace(tzinfo=UTC) for moment in found.column("previous_time").to_pylist()] == [
        MAY - timedelta(days=6),
        MAY - timedelta(days=12),
    ]
    assert best_tile(table.slice(0, 0)).num_rows == 0


def test_sources_are_told_apart_from_other_metadata() -> None:
    assert source_of(None) is None
    assert source_of({b"layout": b"something"}) is None
    assert isinstance(NDVI, Source)


def test_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    import resource

    paths = [stored(tmp_path, statistics([1], [0.5]), time=MAY + timedelta(days=day)).path for day in range(60)]
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 20, allowed[1]))
    try:
        rows = read_observations(paths).num_rows
        times = series_of(paths, ["ndvi"])["ndvi", None].time
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)
    assert rows == len(times) == 60
