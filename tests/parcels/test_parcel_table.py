"""The parcel table that stands beside a file of observations."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.parcels.parcel_table import SCHEMA, read_parcel_table


def test_columns_are_found_by_any_of_their_names_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "parcels.csv"
    path.write_bytes("NEWID;Ori_Crop;s2pix;other\n12; 046 ;30;x\n3;NA;;y\n".encode("utf-8-sig"))
    table = read_parcel_table(path)
    assert table.schema == SCHEMA
    rows = table.select(["parcel_id", "crop", "S2Pix", "S1Pix"]).to_pylist()
    assert rows == [
        {"parcel_id": 3, "crop": "NA", "S2Pix": None, "S1Pix": None},
        {"parcel_id": 12, "crop": "046", "S2Pix": 30, "S1Pix": None},
    ]


def test_parquet_has_the_same_and_codes_that_are_numbers_become_text(tmp_path: Path) -> None:
    path = tmp_path / "parcels.parquet"
    columns = {
        "parcel_id": pa.array([2, 1], pa.int32()),
        "crop": pa.array([265.0, None]),
        "holding": ["H", "I"],
        "Area_meters": [10, 20],
    }
    pq.write_table(pa.table(columns), path)
    assert read_parcel_table(path).select(["parcel_id", "crop", "holding", "Area_meters"]).to_pylist() == [
        {"parcel_id": 1, "crop": None, "holding": "I", "Area_meters": 20.0},
        {"parcel_id": 2, "crop": "265", "holding": "H", "Area_meters": 10.0},
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("crop\nA\n", "has no column parcel_id"),
        ("parcel_id,crop\n,A\n", "1 rows have no parcel_id"),
        ("parcel_id\n1.5\n", "column parcel_id cannot be read"),
        ("parcel_id,S2Pix\n1,99999999999\n", "column S2Pix cannot be read"),
        ("parcel_id\n-4\n", "parcel_id -4 is below 1"),
        ("parcel_id\n4\n5\n4\n", r"parcel_id 4 occurs more than once \(1 numbers do\)"),
        ("", "It is empty"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "parcels.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        read_parcel_table(path)


def test_another_file_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "parcels.parquet"
    path.write_bytes(b"not at all")
    with pytest.raises(ProductCorruptError, match=r"parcels\.parquet"):
        read_parcel_table(path)
