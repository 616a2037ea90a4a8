"""L4B as a run of a season: from statistics to a published product, its files and its rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pyogrio
import pytest
from derived_rows import optical, radar, settle
from l4_season import Filled, Prepared, publish
from sqlalchemy import Connection, text
from uploaded_rows import ACTOR, give_everything

from s4c_lib import runs, season_computation
from s4c_lib.catalog import auxdata, jobs
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import JobState
from s4c_lib.catalog.products import Product
from s4c_lib.catalog.results_l4b import read_events, read_results
from s4c_lib.catalog.seasons import Season
from s4c_lib.errors import InputError, Sen4capError
from s4c_lib.parcels.l4b_configuration import read_l4b_configuration
from s4c_lib.runs import RunRequest, open_run
from s4c_lib.season_run import NoResultError

NOW = datetime(2025, 2, 1, 8, tzinfo=UTC)
L4B = RunRequest("alpha", "2024", "s4c_l4b", "run 1", "backfill", "anna", occurrence=date(2024, 9, 30))
# Case S2-1 of the specification: mown between 05-21 and 05-26, confidence 0.633.
FIRST = datetime(2024, 5, 1, 10, 36, tzinfo=UTC)
SERIES = (0.80, 0.82, 0.83, 0.84, 0.84, 0.55, 0.60, 0.65, 0.70, 0.74, 0.78, 0.80)
CONFIGURATION = """
[GENERAL_CONFIG]
CTNUM_FILTER = 1, 2
ADDITIONAL_COLUMNS = BEZEICHNUNG, Unknown
[compliancy]
crop_codes = 265, 233
crop_time_intervals = ('01/05','31/07'), ('01/07','31/07')
crop_rule = 0, 0
"""


@pytest.fixture(scope="module")
def filled() -> Filled:
    """The series of the case for three parcels; the fourth was never seen."""

    def fill(connection: Connection, season: Season, folder: Path) -> None:
        give_everything(connection, season, folder / "declarations")
        settle(connection, season, NOW)
        for number, value in enumerate(SERIES):
            sensed = FIRST + timedelta(days=5 * number)
            optical(
                connection, season, f"S2_{number}", sensed=sensed, value=value, variables=("ndvi",), folder=folder / "p"
            )

    return fill


def configure(database: Database, season: Season, content: str) -> int:
    """Put a configuration file in force; returns the number of the upload."""
    configuration, report = read_l4b_configuration(content.encode(), "l4b.cfg", year=season.year)
    assert configuration is not None, report.findings
    with database.begin() as connection:
        version, _ = auxdata.upload(
            connection, season.site_id, Kind.L4B_CONFIG, season.year, file_name="l4b.cfg", content=content.encode(),
            parameters={}, actor=ACTOR,
        )  # fmt: skip
        auxdata.start_validation(connection, version.id, actor=ACTOR)
        return auxdata.activate(connection, version.id, report={}, parsed=configuration.as_dict(), actor=ACTOR).id


def run(database: Database, request: RunRequest) -> Product:
    return publish(database, request, now=NOW)


def failed(database: Database, request: RunRequest, error: type[Sen4capError]) -> Sen4capError:
    """Run it, expect that it fails, and acknowledge that."""
    opening = open_run(database, request, now=NOW)
    assert opening.status == "started", opening.text
    with pytest.raises(error) as caught:
        season_computation.carry_out(database, opening.job_id)
    runs.fail_run(database, opening.job_id, caught.value.one_line, caught.value.code)
    with database.begin() as connection:
        jobs.acknowledge(connection, opening.job_id, "anna")
    return caught.value


def bytes_of(folder: Path, leave_out: Sequence[str] = ("run.json",)) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in leave_out}


def test_a_run_publishes_files_and_rows_and_repeats_them_byte_for_byte(database: Database, season: Season) -> None:
    """SY-2 and SY-3 of the specification, E5 of its README: optical series alone, in the profile of Sen4CAP."""
    request = replace(L4B, settings={"profile": "reference"})
    configure(database, season, CONFIGURATION)
    product = run(database, request)
    folder = Path(product.full_path)
    stem = "SEN4CAP_L4B_S2_MowingDetection"
    assert {f"{stem}{ending}" for ending in (".gpkg", ".shp", ".dbf", ".shx", ".prj", ".cpg")} <= set(bytes_of(folder))
    assert product.quality == "degraded"
    assert product.metadata["missing_missions"] == ["S1"]
    assert product.metadata["tiles_without_statistics"] == {"S2": ["31UGS"]}
    assert product.metadata["counts"] == {
        "parcels": 3, "processed": 2, "events": 2, "events_not_reported": 0, "compliant": 1, "not_compliant": 1,
        "cannot_tell": product.metadata["counts"]["cannot_tell"],
    }  # fmt: skip
    with database.begin() as connection:
        results = read_results(connection, product.id).to_pylist()
        (event,) = read_events(connection, product.id, 1).to_pylist()
        shown = connection.execute(
            text('SELECT "NewID", mow_n, m1_conf, m1_mis, m2_conf, compl FROM s4c.product_details_l4b ORDER BY 1')
        ).all()
    assert [(row["new_id"], row["status"], row["compl"]) for row in results] == [
        (1, "processed", 1), (3, "processed", 2), (4, "no_observation", 0),
    ]  # fmt: skip
    assert [tuple(row) for row in shown] == [
        (1, 1, 0.633, "S2", None, 1), (3, 1, 0.633, "S2", None, 2), (4, 0, None, None, None, 0),
    ]  # fmt: skip
    assert [f"{event[name]:%m-%d %H:%M}" for name in ("dstart", "dend")] == ["05-21 10:30", "05-26 10:30"]
    assert [event[name] for name in ("s2_t0", "s2_t1", "s2_t2")] == [
        FIRST + timedelta(days=day) for day in (20, 25, 30)
    ]

    layer = pyogrio.read_dataframe(folder / f"{stem}.gpkg", layer="l4b_mowing")
    assert list(layer["NewID"]) == [1, 3, 4]
    assert {"ori_id", "CT", "LC", "m4_dend", "max_gap_d", "decision", "BEZEICHNUNG"} <= set(layer.columns)
    assert layer.geometry.area.round().tolist() == [10_000, 40_000, 2_500]
    assert len(pyogrio.read_dataframe(folder / f"{stem}.gpkg", layer="l4b_mowing_event", read_geometry=False)) == 2
    legacy = pyogrio.read_dataframe(folder / f"{stem}.shp")
    assert list(legacy.columns) == [
        "NewID", "CTnum", "Ori_hold", "Ori_id", "Ori_crop", "Area_meter", "BEZEICHNUN", "mow_n",
        *(f"m{place}_{name}" for place in range(1, 5) for name in ("dstart", "dend", "conf", "mis")),
        "proc", "compl", "geometry",
    ]  # fmt: skip
    assert legacy.loc[0, ["m1_dstart", "m1_conf", "m1_mis", "m2_dend", "m2_mis", "m2_conf"]].tolist() == [
        "2024-05-21 10:30:00", 0.633, "S2", "0", "0", 0.0,
    ]  # fmt: skip
    item = json.loads((folder / "item.json").read_text())
    assert item["properties"]["s4c:profile"] == "reference"
    assert item["properties"]["s4c:missing_columns"] == ["Unknown"]
    assert len([link for link in item["links"] if link["rel"] == "derived_from"]) == len(SERIES)
    assert {asset["href"] for asset in item["assets"].values()} <= set(bytes_of(folder))
    assert pq.read_table(folder / "events.parquet").column_names[:6] == [
        "parcel_id", "seq", "start", "end", "confidence", "missions",
    ]  # fmt: skip
    again, _ = read_l4b_configuration((folder / "l4b_config.cfg").read_bytes(), "l4b_config.cfg", year=2024)
    assert again is not None
    assert again.crop_filter == (1, 2)
    assert again.settings["processor.s4c_l4b.max_events"] == 4, "what it worked with, not only what it was given"

    before = bytes_of(folder)
    forced = run(
        database, replace(request, key="forced", start_type="manual", options={"as_of": "2024-09-30", "force": True})
    )
    assert forced.id == product.id
    assert bytes_of(folder) == before
    with database.begin() as connection:
        assert len(read_results(connection, product.id)) == 3
        connection.execute(text("DELETE FROM s4c.product WHERE id = :id"), {"id": product.id})
        assert connection.execute(text("SELECT count(*) FROM s4c.l4b_event")).scalar_one() == 0


def test_both_missions_of_the_declared_grassland_between_two_days(
    database: Database, season: Season, prepared: Prepared
) -> None:
    """Without a configuration file the default profile looks at LC 3; the form gives start and end."""
    with database.begin() as connection:
        for number in range(8):
            sensed = FIRST + timedelta(days=12 * number, hours=7)
            radar(connection, season, f"C_{number}", "s1_cohe", "VH", sensed=sensed, folder=prepared.folder / "p")
    days = {"processor.s4c_l4b.start_date": "2024-05-10", "processor.s4c_l4b.end_date": "2024-07-15"}
    product = run(database, replace(L4B, start_type="manual", settings=days))
    folder = Path(product.full_path)
    assert product.quality == "ok"
    assert (product.metadata["first_day"], product.metadata["last_day"]) == ("2024-05-10", "2024-07-15")
    assert (folder / "SEN4CAP_L4B_S1_S2_MowingDetection.gpkg").exists()
    with closing(sqlite3.connect(folder / "SEN4CAP_L4B_S1_S2_MowingDetection.gpkg")) as file:
        assert file.execute('SELECT "NewID", status, compl, decision FROM l4b_mowing').fetchall() == [
            (1, "processed", -1, "not_applicable")
        ]
    row = pq.read_table(folder / "parcels.parquet").to_pylist()[0]
    assert (row["n_clear"], row["n_pairs"]) == (10, 6)
    assert (folder / "quicklook.png").stat().st_size > 1000


def test_a_run_that_can_give_nothing_says_why(database: Database, season: Season) -> None:
    """E1: without input it is skipped, and with input that gives nothing it fails."""
    alone = replace(L4B, settings={"processor.s4c_l4b.input_product_types": "S1"})
    opening = open_run(database, alone, now=NOW)
    with database.begin() as connection:
        job = jobs.get_job(connection, opening.job_id)
    assert (job.state, job.reason) == (JobState.SKIPPED, "no_inputs")
    strange = configure(database, season, "[GENERAL_CONFIG]\nCTNUM_FILTER = 77\n")
    error = failed(database, replace(L4B, key="no parcels"), NoResultError)
    assert "None of the 4 declared parcels is of CTnum 77" in error.message
    assert error.code == "no_evaluable_parcel"
    configure(database, season, "[GENERAL_CONFIG]\nCTNUM_FILTER = all\n")
    by_hand = replace(L4B, start_type="manual")
    asked = replace(by_hand, key="no images", settings={"processor.s4c_l4b.start_date": "2024-08-01"})
    assert "no statistics of S2 or S1 from 2024-08-01" in failed(database, asked, NoResultError).message
    asked = replace(by_hand, key="the other file", settings={"processor.s4c_l4b.config_version": strange})
    assert "CTnum 77" in failed(database, asked, NoResultError).message
    with database.begin() as connection:
        lut = auxdata.active_version(connection, season.site_id, Kind.LUT, season.year)
    assert lut is not None
    asked = replace(by_hand, key="no such file", settings={"processor.s4c_l4b.config_version": lut.id})
    assert f"Upload {lut.id} is no L4B configuration" in failed(database, asked, InputError).message
