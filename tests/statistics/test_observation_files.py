"""Observations from files that users bring."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s4c_lib.errors import InputError, NotFoundError
from s4c_lib.statistics.observation_files import read_observation_file
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA


def times(table: pa.Table, name: str = "time") -> list[str | None]:
    return [None if moment is None else moment.isoformat() for moment in table.column(name).to_pylist()]


def test_a_bare_date_is_a_time_of_day_by_the_sensor(tmp_path: Path) -> None:
    path = tmp_path / "observations.csv"
    path.write_text(
        "parcel_id,time,previous_time,variable,mean,std,n,n_total\n"
        "1,2021-05-02,,ndvi,0.5,,12,14\n"
        "1,2021-05-02,2021-04-26,coherence_vh,0.25,0.1,3,4\n"
        "2,2021-05-02T05:51:00Z,,VV,-11.5,1,3,4\n"
        "2,2021-05-02T12:00:00+02:00,,lai,2,1,3,4\n"
        "2,2021-05-02 09:00,,lai,2,1,3,4\n"
    )
    table = read_observation_file(path)
    assert table.schema == OBSERVATION_SCHEMA
    assert [text[11:16] for text in times(table) if text] == ["10:30", "18:00", "05:51", "10:00", "09:00"]
    assert times(table, "previous_time")[:2] == [None, "2021-04-26T18:00:00+00:00"]
    assert table.column("variable").to_pylist() == ["ndvi", "coherence_vh", "vv", "lai", "lai"]
    assert table.column("std").to_pylist()[:2] == [None, pytest.approx(0.1)]
    assert table.column("tile").null_count == 5


def test_columns_in_another_order_and_with_semicolons(tmp_path: Path) -> None:
    path = tmp_path / "observations.csv"
    path.write_bytes(
        "\ufeffn;p50;variable;time;holding;mean;n_total;parcel_id\n5;0.4;ndvi;2021-05-02;é;0.5;6;7\n".encode()
    )
    table = read_observation_file(path)
    assert table.select(["parcel_id", "n", "n_total", "mean"]).to_pylist() == [
        {"parcel_id": 7, "n": 5, "n_total": 6, "mean": 0.5}
    ]
    assert table.column_names[-1] == "p50"


def test_parquet_with_days(tmp_path: Path) -> None:
    path = tmp_path / "observations.parquet"
    days = pa.array([date(2021, 5, 2), date(2021, 5, 3)])
    columns = {
        "parcel_id": [1, 1],
        "time": days,
        "variable": ["vv", "b8a"],
        "mean": [1.0, 2.0],
        "n": [1, 1],
        "n_total": [1, 1],
    }
    pq.write_table(pa.table(columns), path)
    table = read_observation_file(path)
    assert times(table) == ["2021-05-02T18:00:00+00:00", "2021-05-03T10:30:00+00:00"]
    coded = pa.table(columns).set_column(1, "time", pa.array(["2021-05-02", "2021-05-03"]).dictionary_encode())
    pq.write_table(coded, path)
    assert times(read_observation_file(path)) == times(table)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parcel_id,time,mean\n1,2021-05-02,1\n", "no column variable"),
        ("parcel_id,time,variable,mean,n,n_total\n1,02/05/2021,ndvi,1,1,1\n", "02/05/2021"),
        ("parcel_id,time,variable,mean,n,n_total\n,2021-05-02,ndvi,1,1,1\n", "1 rows have no parcel_id"),
        ("parcel_id,time,variable,mean,n,n_total\nA12,2021-05-02,ndvi,1,1,1\n", "A12"),
        ("", "Empty CSV|no column"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "observations.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_observation_file(path)


def test_a_file_without_counts_is_of_parcels_that_are_large_enough(tmp_path: Path) -> None:
    path = tmp_path / "observations.csv"
    head, rows = "parcel_id,time,variable,mean", ["1,2021-05-02,ndvi,0.5", "1,2021-05-03,ndvi,"]
    for more, values, expected in (
        ("", ("", ""), [(100, 100), (0, 100)]),
        (",n", (",7", ","), [(7, 7), (0, 100)]),
        (",n_total", (",9", ",9"), [(9, 9), (0, 9)]),
        (",n,n_total", (",3,9", ",0,9"), [(3, 9), (0, 9)]),
    ):
        path.write_text(
            "\n".join([head + more, *(row + value for row, value in zip(rows, values, strict=True))]) + "\n"
        )
        table = read_observation_file(path)
        counts = zip(table.column("n").to_pylist(), table.column("n_total").to_pylist(), strict=True)
        assert list(counts) == expected, more


def test_only_some_variables_are_read(tmp_path: Path) -> None:
    rows = {
        "parcel_id": [1, 1, 2],
        "time": [date(2021, 5, 2)] * 3,
        "variable": ["NDVI", "vv", "lai"],
        "mean": [0.5] * 3,
    }
    path = tmp_path / "observations.parquet"
    pq.write_table(pa.table(rows), path, row_group_size=1)
    assert read_observation_file(path, ("ndvi", "vv")).column("variable").to_pylist() == ["ndvi", "vv"]
    assert read_observation_file(path, ("b02",)).num_rows == 0


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_observation_file(tmp_path / "gone.csv")
    path = tmp_path / "no.parquet"
    path.write_bytes(b"PK\x03\x04 and so on and on")
    with pytest.raises(InputError, match=r"no\.parquet"):
        read_observation_file(path)
    numbers = tmp_path / "numbers.parquet"
    columns = {"parcel_id": [1], "time": [20210502], "variable": ["vv"], "mean": [1.0], "n": [1], "n_total": [1]}
    pq.write_table(pa.table(columns), numbers)
    with pytest.raises(InputError, match="not a time"):
        read_observation_file(numbers)
