"""Parcel statistics out of the store: Sen4CAP's tables, the observation table, one parcel's series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from derived_rows import make_product
from domain_rows import make_enabled
from uploaded_rows import declare

from s4c_lib.catalog import marker_files
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.marker_files import NewMarkerFile
from s4c_lib.catalog.readiness_rules import season_hashes
from s4c_lib.statistics.observation_files import read_observation_file
from s4c_lib.statistics.parcel_statistics import ParcelStatistics
from s4c_lib.statistics.store import Source, write_statistics
from tests.cli.conftest import Run

MAY = datetime(2024, 5, 6, 10, 36, 12, tzinfo=UTC)
JUNE = datetime(2024, 6, 5, 10, 36, 12, tzinfo=UTC)
FAMILIES = {"ndvi": "l3b", "vv": "s1amp", "vh": "s1amp"}


@dataclass(frozen=True)
class Stored:
    """The site, and the numbers of its four parcels by the agency's identifier."""

    site: str
    numbers: dict[str, int]

    def of(self, *names: str) -> list[int]:
        return sorted(self.numbers[name] for name in names)


@pytest.fixture
def stored(database: Database, folder: Path) -> Stored:
    """NDVI of two passes, one seen by two tiles, and both polarisations of a radar pass; real files, in force."""
    with database.begin() as connection:
        site, season = make_enabled(connection)
        parcel_set = declare(connection, site.id, folder / "declarations")
        rows = connection.exec_driver_sql("SELECT ori_id, new_id FROM s4c.parcel").all()
        numbers = {str(name): int(number) for name, number in rows}
        hashes = season_hashes(connection, season, date(2026, 1, 1))
        found = Stored(site.short_name, numbers)
        every, p1, p2 = found.of("P1", "P2", "P3"), found.of("P1"), found.of("P2")
        wanted = [
            ("ndvi", MAY, "31UFS", None, every, [0.25, 0.5, 0.75], 20),
            ("ndvi", MAY + timedelta(seconds=20), "31UGS", None, p1, [0.125], 30),
            ("ndvi", JUNE, "31UFS", None, p2, [0.625], 20),
            ("vv", MAY, "31UFS", 37, every, [-10, -11, -12], 9),
            ("vh", MAY, "31UFS", 37, every[:2], [-16, -18], 9),
        ]
        made = []
        for number, (variable, time, tile, orbit, parcels, means, n) in enumerate(wanted):
            product = make_product(
                connection,
                season,
                f"PRODUCT_{number}",
                "s1_l2a_amp" if orbit else "l3b",
                sensed=time,
                tiles=(tile,),
                satellite="s1" if orbit else "s2",
                config_hash="other" if orbit else hashes["l3b"],
            )
            source = Source(
                variable=variable,
                family=FAMILIES[variable],
                unit="1",
                time=time,
                previous_time=None,
                platform="sentinel-1a" if orbit else "sentinel-2a",
                tile=tile,
                orbit=orbit,
                direction="descending" if orbit else None,
                product_id=product,
                item_id=f"PRODUCT_{number}",
                parcel_set_id=parcel_set.id,
                buffer_m=5,
                resolution=10,
                config_hash=hashes["s4c_mdb1"],
            )
            file = write_statistics(folder / "products", site.short_name, "2024", source, statistics(parcels, means, n))
            made.append(
                NewMarkerFile(
                    site_id=site.id,
                    parcel_set_id=parcel_set.id,
                    product_id=product,
                    family=source.family,
                    variable=variable,
                    tile=tile,
                    time=time,
                    previous_time=None,
                    platform=source.platform,
                    orbit=orbit,
                    direction=source.direction,
                    path=str(file.path),
                    n_rows=file.rows,
                    sha256=file.sha256,
                    config_hash=source.config_hash,
                )
            )
        marker_files.put_in_force(connection, made)
    return found


def statistics(parcels: list[int], means: list[float], n: int) -> ParcelStatistics:
    mean = np.array(means, np.float32)
    counts = np.full(len(mean), n, np.int32)
    none = np.full(len(mean), np.nan, np.float32)
    return ParcelStatistics(
        np.array(parcels, np.int64), counts, np.zeros_like(counts), counts, mean, mean / 10, none, none
    )


def read_ipc(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def test_mdb1_has_the_names_and_units_of_sen4cap(s4c: Run, stored: Stored, folder: Path) -> None:
    made = {}
    for kind in ("csv", "ipc", "parquet"):
        answer = s4c(
            "products", "export", stored.site, "2024", "--what", "mdb1", "--format", kind, "--out", folder / kind,
            "--json",
        )  # fmt: skip
        assert (answer.json["rows"], answer.json["statistics_files"]) == (3, 5)
        made[kind] = [Path(path) for path in answer.json["files"]]
        assert sorted(path for path in (folder / kind).rglob("*") if path.is_file()) == sorted(made[kind])
    assert [path.suffix for path in made["csv"]] == [".csv", ".idx"]
    assert [path.suffixes[-1] for path in made["ipc"]] == [".ipc", ".idx"]
    stem = made["csv"][0].stem
    assert stem.startswith("SEN4CAP_MDB1_S")
    assert "_V20240506T103612_20240605T103612_" in stem
    assert made["csv"][0].parent.name == stem
    header, *lines = made["csv"][0].read_text().splitlines()
    assert header.split(",") == [
        "NewID",
        "20240506_mean_AMP_VH_037",
        "20240506_mean_AMP_VV_037",
        "20240506_mean_NDVI",
        "20240506_stdev_AMP_VH_037",
        "20240506_stdev_AMP_VV_037",
        "20240506_stdev_NDVI",
        "20240605_mean_NDVI",
        "20240605_stdev_NDVI",
    ]
    first = dict(zip(header.split(","), lines[0].split(","), strict=True))
    assert int(first["NewID"]) == min(stored.of("P1", "P2", "P3"))
    # the tile with more valid pixels counts: 0.125 of 30, not 0.25 of 20
    assert first["20240506_mean_NDVI"] == "125.0000000"
    assert first["20240506_mean_AMP_VV_037"] == "-5.0000000"
    assert first["20240605_mean_NDVI"] == ""
    assert read_ipc(made["ipc"][0]).equals(pq.read_table(made["parquet"][0]))


def test_mdb2_is_vv_less_vh(s4c: Run, stored: Stored, folder: Path) -> None:
    answer = s4c(
        "products",
        "export",
        stored.site,
        "2024",
        "--what",
        "mdb2",
        "--format",
        "ipc",
        "--out",
        folder / "out",
        "--json",
    )
    table = read_ipc(Path(answer.json["files"][0]))
    assert table.column_names == ["NewID", "20240506_mean_AMP_VVVH_037", "20240506_stdev_AMP_VVVH_037"]
    assert table.column(1).to_pylist() == [3.0, 3.5, None]
    assert Path(answer.json["files"][0]).name.startswith("SEN4CAP_MDB2_")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_observations_come_back_as_they_are(s4c: Run, stored: Stored, folder: Path, kind: str) -> None:
    answer = s4c("products", "export", stored.site, "2024", "--format", kind, "--out", folder / "out", "--json")
    (path,) = answer.json["files"]
    assert Path(path).name == f"observations_{stored.site}_2024_20240506_20240605.{kind}"
    table = read_observation_file(Path(path))
    assert (answer.json["rows"], table.num_rows) == (10, 10)
    ndvi = [row for row in table.to_pylist() if row["variable"] == "ndvi"]
    assert [(row["parcel_id"], row["time"], row["mean"], row["tile"]) for row in ndvi] == [
        (number, MAY, mean, "31UFS")
        for number, mean in zip(stored.of("P1", "P2", "P3"), (0.25, 0.5, 0.75), strict=True)
    ] + [
        (stored.numbers["P1"], MAY + timedelta(seconds=20), 0.125, "31UGS"),
        (stored.numbers["P2"], JUNE, 0.625, "31UFS"),
    ]
    assert "exporting 5 files of statistics: 2 of 2, 2024-06-05" in answer.err


def test_best_tile_variables_and_dates_narrow_an_export(s4c: Run, stored: Stored, folder: Path) -> None:
    common = ("products", "export", stored.site, "2024", "--out", folder / "out", "--json")
    best = s4c(*common, "--best-tile", "--variable", "ndvi").json
    assert (best["rows"], best["statistics_files"]) == (4, 3)
    seen = [
        row["mean"] for row in pq.read_table(best["files"][0]).to_pylist() if row["parcel_id"] == stored.numbers["P1"]
    ]
    assert seen == [0.125]
    assert s4c(*common, "--from", "2024-06-05", "--to", "2024-06-05").json["rows"] == 1
    assert s4c(*common, "--to", "2024-06-04").json["rows"] == 9


def test_nothing_to_export_is_exit_code_3(s4c: Run, stored: Stored, season: tuple[str, str], folder: Path) -> None:
    out = folder / "out"
    nothing = s4c("products", "export", stored.site, "2024", "--variable", "lai", "--out", out, code=3)
    assert "No parcel statistics of season '2024' fit." in nothing.err
    assert "no declarations of 2019" in s4c("products", "export", *season, "--out", out, code=3).err
    late = s4c(
        "products", "export", stored.site, "2024", "--what", "mdb2", "--from", "2024-06-01", "--out", out, code=3
    )
    assert "No parcel statistics" in late.err
    assert not out.exists()


def test_what_cannot_be_asked_for_is_said(s4c: Run, stored: Stored, folder: Path) -> None:
    common = ("products", "export", stored.site, "2024", "--out", folder / "out")
    assert "no statistics are kept of 'evi'" in s4c(*common, "--variable", "evi", code=2).err
    assert "--best-tile is for observations" in s4c(*common, "--what", "mdb1", "--best-tile", code=2).err
    assert "made of vv and vh" in s4c(*common, "--what", "mdb2", "--variable", "ndvi", code=2).err


def test_a_series_is_found_by_either_name_of_the_parcel(s4c: Run, stored: Stored) -> None:
    number = stored.numbers["P1"]
    by_name = s4c("products", "series", stored.site, "2024", "P1", "--json").json
    assert s4c("products", "series", stored.site, "2024", number, "--json").json == by_name
    assert (by_name["new_id"], by_name["ori_id"]) == (number, "P1")
    assert [(row["variable"], row["orbit"], row["mean"]) for row in by_name["observations"]] == [
        ("ndvi", None, 0.125),
        ("vh", 37, -16.0),
        ("vv", 37, -10.0),
    ]
    shown = s4c("products", "series", stored.site, "2024", "P2", "--variable", "ndvi").out
    assert "2024-05-06 10:36Z" in shown
    assert "0.6250" in shown
    assert "vv" not in shown


def test_a_series_that_is_not_there_is_said(s4c: Run, stored: Stored) -> None:
    series = ("products", "series", stored.site, "2024")
    assert "have no parcel 'P9'" in s4c(*series, "P9", code=2).err
    assert "(P4) has no statistics" in s4c(*series, "P4", code=3).err


def test_a_number_that_means_two_parcels_has_to_be_told(s4c: Run, stored: Stored, database: Database) -> None:
    other, number = stored.numbers["P2"], stored.numbers["P1"]
    with database.begin() as connection:
        connection.exec_driver_sql(f"UPDATE s4c.parcel SET ori_id = '{number}' WHERE new_id = {other}")
    series = ("products", "series", stored.site, "2024")
    assert f"new_id:{number} or ori_id:{number}" in s4c(*series, number, code=2).err
    assert s4c(*series, f"ori_id:{number}", "--json").json["new_id"] == other
    assert s4c(*series, f"new_id:{number}", "--json").json["new_id"] == number
