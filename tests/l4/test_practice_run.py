"""L4C as a run of a season: from practice tables and statistics to a published product, its files and its rows."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pyogrio
import pytest
from l4_season import Filled, publish
from practice_season import NOW, configure, fill_practices, give_table
from sqlalchemy import text
from typer.testing import CliRunner

from s4c_lib import runs, season_computation
from s4c_lib.catalog import jobs, products
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import Job, JobState
from s4c_lib.catalog.products import Product
from s4c_lib.catalog.results_l4c import history, previous_harvests, read_results
from s4c_lib.catalog.seasons import Season
from s4c_lib.cli.main import app
from s4c_lib.practices.sen4cap_table import COLUMNS
from s4c_lib.runs import RunRequest, open_run
from s4c_lib.season_run import NoResultError

L4C = RunRequest("alpha", "2024", "s4c_l4c", "run 1", "backfill", "anna", occurrence=date(2024, 9, 30))
CATCH_CROPS = """FIELD_ID;MAIN_CROP;VEG_START;H_START;H_END;PRACTICE;P_TYPE;P_START;P_END
P4;233;2024-04-01;2024-06-03;2024-09-30;CatchCrop;CatchCrop_1;2024-07-22;2024-09-15
P2;259;2024-04-01;2024-09-30;2024-06-03;CatchCrop;CatchCrop_1;2024-07-22;2024-09-15
P9;259;2024-04-01;2024-06-03;2024-09-30;CatchCrop;CatchCrop_1;2024-07-22;2024-09-15
P3;233;2024-04-01;2024-06-03;2024-09-30;CatchCrop;CatchCrop_1;2024-07-01;2024-08-25
"""


@pytest.fixture(scope="module")
def filled() -> Filled:
    """Series of three parcels; the fourth was never seen."""
    return fill_practices


def opened(database: Database, request: RunRequest) -> Job:
    opening = open_run(database, request, now=NOW)
    with database.begin() as connection:
        return jobs.get_job(connection, opening.job_id)


def run(database: Database, request: RunRequest) -> Product:
    return publish(database, request, now=NOW)


def fails(database: Database, request: RunRequest, match: str, reason: str) -> None:
    """Have a run that opens and gives no result."""
    job = opened(database, request)
    assert job.state is JobState.RUNNING, job.reason
    with pytest.raises(NoResultError, match=match) as caught:
        season_computation.carry_out(database, job.id)
    assert caught.value.code == reason
    runs.fail_run(database, job.id, caught.value.one_line, caught.value.code)
    with database.begin() as connection:
        jobs.acknowledge(connection, job.id, "anna")
        assert not products.list_products(connection, job.site_id, product_type="s4c_l4c")


def bytes_of(folder: Path, leave_out: Sequence[str] = ("run.json",)) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in leave_out}


def test_a_run_judges_every_practice_it_can_and_repeats_itself_byte_for_byte(
    database: Database, season: Season, tmp_path: Path
) -> None:
    """J2, J3, J6 and J8 of the specification: no table of FL; NA is made of the declarations; P3, P4 are in both."""
    configure(database, season, "CC", "FL", "NA")
    give_table(database, season, Kind.PRACTICES_CC, CATCH_CROPS)
    request = replace(L4C, settings={"processor.s4c_l4c.tillage_monitoring": True})
    product = run(database, request)
    folder = Path(product.full_path)
    about = product.metadata
    assert about["practices"] == ["CC", "NA"]
    assert about["skipped_practices"] == {"FL": "there is no practice table of 2024"}
    assert about["counts"]["STATUS"] == {"BAD_DATES": 1, "NOT_IN_SERIES": 3, "OK": 4}
    assert about["counts"]["practices"]["NA"] == {"NA": 4, "harvests": 3, "rows": 4}
    assert product.quality == "ok", "half of the rows have no result: not more than max_na_pct"
    with database.begin() as connection:
        rows = {(row["practice_id"], row["new_id"]): row for row in read_results(connection, product.id).to_pylist()}
        (shown,) = connection.execute(
            text('SELECT * FROM s4c.product_details_l4c WHERE practice_id = 2 AND "NewID" = 3')
        ).mappings()
        (told,) = history(connection, season.site_id, "2024", 4).to_pylist()[:1]
    assert sorted(rows) == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (2, 4)]
    assert rows[2, 3]["h_w_start"] == date(2024, 7, 15)
    assert (rows[2, 3]["c_index"], rows[2, 3]["rule"]) == ("POOR", "CC_LATE_HARVEST")
    assert (rows[2, 2]["status"], rows[2, 4]["status"]) == ("BAD_DATES", "NOT_IN_SERIES")
    assert rows[1, 3]["practice_table_id"] is None
    assert (told["product"], told["as_of"], told["status"]) == (product.name, date(2024, 9, 30), "NOT_IN_SERIES")

    stem = folder / "Sen4CAP_L4C_CatchCrop_NLD_2024"
    with Path(f"{stem}_CSV.csv").open(newline="") as file:
        lines = list(csv.DictReader(file, delimiter=";"))
    assert list(lines[0]) == [*COLUMNS, "TL_WEEK", "TL_W_START", "TL_W_END"]
    assert [line["ORIG_ID"] for line in lines] == ["P2", "P3", "P4", "P9"]
    assert [line["FIELD_ID"] for line in lines] == ["2", "3", "4", "NA"]
    same = {"H_WEEK": "h_week", "H_W_END": "h_w_end", "M6": "m6", "S1GAPS": "s1gaps", "H_QUALITY": "h_quality"}
    same |= {"H_W_S1GAPS": "h_w_s1gaps", "TL_WEEK": "tl_week", "L_WEEK": "l_week", "VEG_START": "veg_start"}
    assert {name: lines[1][name] for name in same} == {name: shown[column] for name, column in same.items()}
    layer = pyogrio.read_dataframe(f"{stem}.gpkg", layer="l4c_cc")
    assert layer["NewID"].tolist() == [2, 3, 4]
    assert {"ori_hold", "CT", "LC", "S1PIX", "C_INDEX", "STATUS", "RULE"} <= set(layer.columns)
    legacy = pyogrio.read_dataframe(f"{stem}.shp")
    assert legacy["H_W_START"].tolist() == ["NA", "2024-07-15", "NA"]
    assert {"Area_meter", "H_W_S1GAPS", "TL_W_START"} <= set(legacy.columns)
    results = pq.read_table(folder / "l4c_results.parquet")
    assert results["PRACTICE_TABLE"].to_pylist() == ["CC"] * 4 + ["NA"] * 4
    weekly = pq.read_table(folder / "l4c_weekly.parquet").to_pylist()
    first = min(row["WEEK"] for row in weekly if row["HARVEST"])
    assert (first, {row["NewID"] for row in weekly}) == (date(2024, 7, 15), {1, 2, 3})
    markers = pq.read_table(folder / "l4c_markers.parquet").to_pylist()
    assert [row["NewID"] for row in markers] == [1, 2, 3, 4]
    assert [markers[2][f"20240715_M{number}"] for number in range(1, 6)] == [1, 1, 1, 1, 1]
    assert markers[3]["20240715_M1"] is None
    item = json.loads((folder / "item.json").read_text())
    assert {asset["href"] for asset in item["assets"].values()} | {"item.json"} == set(bytes_of(folder))
    assert item["properties"]["s4c:skipped_practices"] == about["skipped_practices"]

    asked = ["run", "l4c-trace", str(folder), "--parcel", "P3", "--out", str(tmp_path), "--json"]
    answer = json.loads(CliRunner().invoke(app, asked).stdout)
    assert [one["result"]["PRACTICE_TABLE"] for one in answer["trace"]["P3"]] == ["CC", "NA"]
    assert "The main crop was harvested after the catch crop had to be sown." in answer["trace"]["P3"][0]["sentences"]
    assert {path.name for path in tmp_path.iterdir()} == {"trace_P3.json", "plot_P3_CC.png", "plot_P3_NA.png"}

    again = opened(database, replace(request, key="again", start_type="manual"))
    assert (again.state, again.reason) == (JobState.SKIPPED, "same_inputs")
    before = bytes_of(folder)
    forced = run(
        database, replace(request, key="forced", start_type="manual", options={"as_of": "2024-09-30", "force": True})
    )
    after = bytes_of(folder)
    assert forced.id == product.id
    assert {name for name in before | after if before.get(name) != after.get(name)} == set()
    with database.begin() as connection:
        assert len(read_results(connection, product.id)) == 7
        assert len(read_results(connection, product.id, practice="CC", new_id=3)) == 1
        connection.execute(text("DELETE FROM s4c.product WHERE id = :id"), {"id": product.id})
        assert connection.execute(text("SELECT count(*) FROM s4c.l4c_result")).scalar_one() == 0


def test_the_harvest_of_the_product_before_is_kept_when_asked(database: Database, season: Season) -> None:
    """Section 16.1: from the database, whatever the new series says; both are reported."""
    configure(database, season, "NA")
    earlier = run(database, replace(L4C, key="august", start_type="manual", options={"as_of": "2024-08-31"}))
    with database.begin() as connection:
        connection.execute(
            text("UPDATE s4c.l4c_result SET h_w_start = '2024-07-08' WHERE product_id = :id AND new_id = 3"),
            {"id": earlier.id},
        )
    kept = {"processor.s4c_l4c.freeze_harvest": True, "processor.s4c_l4c.max_na_pct": 20.0}
    product = run(database, replace(L4C, key="september", settings=kept))
    assert product.metadata["previous_product"] == earlier.id
    assert (earlier.quality, product.quality) == ("ok", "degraded"), "one row of four has no result"
    assert "policy is not replay_all" in product.metadata["warnings"][0]
    with database.begin() as connection:
        rows = read_results(connection, product.id).to_pylist()
        changes = history(connection, season.site_id, "2024", 3)["h_w_start"].to_pylist()
    found = {row["new_id"]: (row["h_source"], row["h_w_start"], row["h_current"]) for row in rows}
    assert found[3] == ("previous", date(2024, 7, 8), date(2024, 7, 15))
    assert found[2] == ("previous", date(2024, 7, 15), date(2024, 7, 15))
    assert found[4] == ("current", None, None)
    assert changes == [date(2024, 7, 8), date(2024, 7, 8)]
    # a later product of chosen tiles says nothing of parcels elsewhere
    of_tile = "UPDATE s4c.product SET metadata = jsonb_set(metadata, '{run,chosen}', '{\"tiles\": [\"31UFS\"]}') "
    with database.begin() as connection:
        newest = previous_harvests(connection, season.site_id, "2024", "NA", date(2024, 12, 31))
        connection.execute(text(of_tile + "WHERE id = :id"), {"id": product.id})
        whole = previous_harvests(connection, season.site_id, "2024", "NA", date(2024, 12, 31))
    assert (newest[0], whole[0]) == (product.id, earlier.id)


def test_a_run_that_can_give_nothing_says_why(database: Database, season: Season) -> None:
    """J1, J4 and the decision table of section 17."""
    fails(database, L4C, "has no L4C configuration of 2024", "config")
    configure(database, season, "NA")
    many = {"processor.s4c_l4c.min_weeks": 40}
    fails(database, replace(L4C, key="weeks", settings=many), "Only 17 weeks have backscatter", "too_few_weeks")
    with database.begin() as connection:
        connection.execute(text("UPDATE s4c.parcel SET overlap = true"))
    give_table(database, season, Kind.PRACTICES_CC, CATCH_CROPS)
    with database.begin() as connection:
        connection.execute(text("UPDATE s4c.parcel SET ori_id = 'X' || new_id, ori_id_raw = 'X' || new_id"))
    fails(
        database, replace(L4C, key="table", settings={"processor.s4c_l4c.practices": ["CC"]}),
        r"no practice to judge \(CC: none of its 4 rows is of a declared parcel\)", "input_missing",
    )  # fmt: skip
    alone = {"processor.s4c_l4c.skip_overlap": True}
    fails(
        database, replace(L4C, key="overlap", settings=alone), "None of 4 rows can be judged: 4 OVERLAP",
        "no_evaluable_parcel",
    )  # fmt: skip
    pixels = {"processor.s4c_l4c.s1_pix_min": 1}
    with database.begin() as connection:
        connection.execute(text("UPDATE s4c.parcel SET s1_pix = 0"))
    fails(
        database, replace(L4C, key="pixels", settings=pixels), "None of 4 rows can be judged: .*NO_S1PIX",
        "no_evaluable_parcel",
    )  # fmt: skip
    with database.begin() as connection:
        connection.execute(text("UPDATE s4c.marker_file SET variable = 'vv_lost' WHERE variable = 'vh'"))
    fails(database, replace(L4C, key="no vh"), "no statistics of vh from", "input_missing")
    with database.begin() as connection:
        connection.execute(text("UPDATE s4c.product SET state = 'superseded' WHERE product_type_id = 11"))
        connection.execute(text("DELETE FROM s4c.acquisition WHERE kind = 's1_cohe'"))
    job = opened(database, replace(L4C, key="no coherence"))
    assert (job.state, job.reason) == (JobState.SKIPPED, "no_inputs")
