"""Sen4CAP's marker database from the store."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from statistics_cases import MAY, NDVI, VV, statistics, stored

from s4c_lib.errors import InputError
from s4c_lib.sources.product_names import parse_product_name
from s4c_lib.statistics.legacy_export import mdb1_columns, mdb1_from_files, mdb1_table, mdb2_table, pooled, write_legacy
from s4c_lib.statistics.legacy_names import column_name, product_name, scale_of, type_part
from s4c_lib.statistics.observations import read_observations
from s4c_lib.statistics.passes import facts_of_rows

BAND = replace(NDVI, variable="b04", family="l2a")


@pytest.mark.parametrize(
    ("variable", "orbit", "expected"),
    [
        ("lai", None, ["20200505_mean_LAI", "20200505_stdev_LAI"]),
        ("vv", 88, ["20200505_mean_AMP_VV_088", "20200505_stdev_AMP_VV_088"]),
        ("coherence_vh", 8, ["20200505_mean_COHE_VH_008", "20200505_stdev_COHE_VH_008"]),
        ("b04", None, ["20200505_mean_L2A_31UFS_B4", "20200505_stdev_L2A_31UFS_B4"]),
        ("b10", None, ["20200505_mean_L2A_31UFS_B1", "20200505_stdev_L2A_31UFS_B1"]),
        ("b8a", None, ["20200505_mean_L2A_31UFS_B8A", "20200505_stdev_L2A_31UFS_B8A"]),
    ],
)
def test_a13_names(variable: str, orbit: int | None, expected: list[str]) -> None:
    part = type_part(variable, orbit, "31UFS")
    assert part is not None
    assert [
        column_name(datetime(2020, 5, 5, 5, 43, 21, tzinfo=UTC), name, part) for name in ("mean", "std")
    ] == expected


@pytest.mark.parametrize("days", ["20200505T054321_20200429T054321", "20200429T054321_20200505T054321"])
def test_a13_columns_have_the_later_day_of_a_pair(days: str) -> None:
    name = parse_product_name(f"SEN4CAP_L2A_S7_V{days}_VV_088_AMP.tif")
    assert name is not None
    part = type_part("vv", name.relative_orbit, None)
    assert part is not None
    assert column_name(name.sensing_start, "mean", part) == "20200505_mean_AMP_VV_088"


def test_the_day_of_a_column_is_that_of_utc() -> None:
    """The reference takes local time: a day too early west of Greenwich."""
    evening = datetime(2020, 5, 4, 23, 30, tzinfo=timezone(timedelta(hours=-4)))
    assert column_name(evening, "mean", "LAI") == "20200505_mean_LAI"


def test_units_of_the_reference() -> None:
    assert [scale_of(name, "mean") for name in ("lai", "b08", "vh", "coherence_vv")] == [1000, 10_000, 0.5, 1]
    assert scale_of("lai", "n") == 1
    assert type_part("brightness_l4a", None, "31UFS") is None


def files(root: Path) -> list[Path]:
    vh = replace(VV, variable="vh")
    found = [
        stored(root, statistics([1, 2], [0.25, 0.5], n=[5, 35], n_total=[10, 40])),
        stored(root, statistics([2, 300], [0.75, 0.125], n=[22, 7], n_total=[22, 7]), tile="31UFR"),
        stored(root, statistics([2], [0.0625]), BAND),
        stored(root, statistics([2], [0.5]), BAND, tile="31UFR"),
        stored(root, statistics([1, 2], [-20.4, -22]), VV),
        stored(root, statistics([1], [-33.8]), vh),
    ]
    return [file.path for file in found]


def test_a_wide_table_has_one_row_a_parcel_and_columns_by_alphabet(tmp_path: Path) -> None:
    table = read_observations(files(tmp_path))
    columns = mdb1_columns(facts_of_rows(table).facts, ["n"])
    wide = mdb1_table(table, columns, ["n"])
    assert columns == tuple(sorted(columns))
    assert len(columns) == 15
    assert wide.schema.field("NewID").type == pa.int32()
    assert {field.type for field in list(wide.schema)[1:]} == {pa.float32()}
    assert wide.column("NewID").to_pylist() == [1, 2, 300]
    assert wide.column("20210502_mean_NDVI").to_pylist() == [250, 500, 125]
    assert wide.column("20210502_valid_pixels_cnt_NDVI").to_pylist() == [5, 35, 7]
    assert wide.column("20210502_mean_L2A_31UFS_B4").to_pylist() == [None, 625, None]
    assert wide.column("20210502_mean_L2A_31UFR_B4").to_pylist() == [None, 5000, None]
    assert wide.column("20210502_mean_AMP_VV_088").to_pylist() == [pytest.approx(-10.2), -11, None]


def test_two_passes_on_one_day_share_a_column(tmp_path: Path) -> None:
    """The reference lets the last file overwrite; here most valid pixels count."""
    paths = [
        stored(tmp_path, statistics([1, 2], [0.5, 0.5], n=[5, 9])).path,
        stored(
            tmp_path, statistics([1, 2], [0.75, 0.75], n=[9, 5]), time=MAY + timedelta(hours=1), platform="landsat-8"
        ).path,
    ]
    columns, tables = mdb1_from_files(paths)
    assert next(tables).column(columns[0]).to_pylist() == [750, 500]


def test_a12_ratio_of_polarisations(tmp_path: Path) -> None:
    columns, tables = mdb1_from_files(files(tmp_path))
    ratio = mdb2_table(next(tables))
    assert ratio.column_names == ["NewID", "20210502_mean_AMP_VVVH_088", "20210502_stdev_AMP_VVVH_088"]
    assert ratio.column(1).to_pylist() == [pytest.approx(6.7), None, None]
    assert "20210502_mean_AMP_VH_088" in columns


def test_files_come_back_and_their_indexes_lead_to_each_parcel(tmp_path: Path) -> None:
    columns, tables = mdb1_from_files(files(tmp_path), ["min", "max", "n"], batch=2)
    batches = list(tables)
    name = product_name("MDB1", 7, MAY, MAY + timedelta(days=9), MAY)
    assert name == "SEN4CAP_MDB1_S7_V20210502T104612_20210511T104612_20210502T104612"
    written = write_legacy(tmp_path / "out", name, columns, iter(batches))
    expected = pa.concat_tables(batches)
    assert (written.rows, written.ipc.parent.name, len(batches)) == (3, name, 2)

    with pa.memory_map(str(written.ipc)) as source:
        reader = pa.ipc.open_file(source)
        arrow = reader.read_all()
        assert arrow.equals(expected)
        found = list(struct.iter_unpack(">iii", written.ipc_index.read_bytes()))
        assert found == [(0, 1, 2), (1, 300, 300)]
        assert reader.get_batch(1).column(0).to_pylist() == [300]

    text = csv.read_csv(
        written.csv, convert_options=csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.float32()))
    )
    assert text.column_names == arrow.column_names
    for column in columns:
        np.testing.assert_allclose(text.column(column).to_numpy(), arrow.column(column).to_numpy(), rtol=1e-6)
    content = written.csv.read_bytes()
    for line in written.csv_index.read_text().splitlines():
        parcel, offset, length = (int(part) for part in line.split(","))
        row = content[offset : offset + length].decode()
        assert row.startswith(f"{parcel},")
        assert row.endswith("\n")
        assert row.count(",") == len(columns)
    assert b",250.0000000," in content
    assert sorted(path.name for path in written.csv.parent.iterdir()) == sorted(
        f"{name}{suffix}" for suffix in (".csv", ".idx", ".ipc", ".ipc.idx")
    )


def test_parcels_out_of_order_leave_no_file(tmp_path: Path) -> None:
    columns, tables = mdb1_from_files(files(tmp_path), batch=1)
    with pytest.raises(InputError, match="ascend"):
        write_legacy(tmp_path / "out", "x", columns, list(tables)[::-1])
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_numbers_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    table = read_observations([stored(tmp_path, statistics([2**31], [0.5])).path])
    with pytest.raises(InputError, match=str(2**31)):
        mdb1_table(table, mdb1_columns(facts_of_rows(table).facts))


def test_a11_pooling() -> None:
    n, mean, std = pooled([40, 10], [612.5, 580], [25, 30])
    assert (n, mean) == (50, 606.0)
    assert std == pytest.approx(28.899898, abs=1e-6)


def test_pooling_of_tiles_without_pixels() -> None:
    n, mean, std = pooled(
        [[3, 0, 1, 0], [0, 2, 1, 0]],
        [[5.0, np.nan, 1, np.nan], [np.nan, 7.0, 3, np.nan]],
        [[2.0, np.nan, np.nan, np.nan], [np.nan, 1.0, np.nan, np.nan]],
    )
    assert n.tolist() == [3, 2, 2, 0]
    np.testing.assert_allclose(mean, [5, 7, 2, np.nan])
    np.testing.assert_allclose(std, [2, 1, np.sqrt(2), np.nan])
