"""A run of an L4 processor from opening to product, with a processor that only counts."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import counting_processor
import pytest
from database_server import DatabaseServer
from derived_rows import OPTICAL, make_product, optical, put_statistics, radar, settle
from domain_rows import DATES, count, make_acquisition, make_enabled
from sqlalchemy import text
from sqlalchemy.engine import make_url
from uploaded_rows import FIELDS, declare, give_everything

from s4c_lib import lost_runs, processors, runs, season_computation
from s4c_lib.catalog import jobs, parcel_sets, products, seasons, sites, waivers
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import Job, JobState
from s4c_lib.catalog.products import Product
from s4c_lib.catalog.seasons import Season
from s4c_lib.errors import InputError, LeaseLostError, ProcessorUnavailableError, StorageError
from s4c_lib.runs import RunRequest, may_start, open_run
from s4c_lib.scheduling.schedules import Kind, Schedule
from s4c_lib.season_run import NoResultError, RunResult, SeasonRun

NOW = datetime(2025, 2, 1, 8, tzinfo=UTC)
L4A = RunRequest("alpha", "2024", "s4c_l4a", "run 1", "backfill", "anna", occurrence=date(2024, 9, 30))
LAST = replace(L4A, key="run 2", occurrence=date(2024, 10, 30))


@pytest.fixture(autouse=True)
def _counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """L4A is the processor that counts, found by its entry point as a real one is."""
    counting = replace(processors.PROCESSORS["s4c_l4a"], entry_point="counting_processor:count_observations")
    monkeypatch.setattr(processors, "PROCESSORS", {**processors.PROCESSORS, "s4c_l4a": counting})
    monkeypatch.setattr(season_computation, "PROCESSORS", processors.PROCESSORS)


@dataclass(frozen=True)
class Prepared:
    """A database and a folder that every test gets a copy of."""

    template: str
    season: Season
    folder: Path


@pytest.fixture(scope="module")
def prepared(
    postgres: DatabaseServer, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prepared]:
    """A past season with an image of each sensor, its statistics on disk."""
    folder = tmp_path_factory.mktemp("prepared")
    url = postgres.create(migrated_template)
    database = Database(url)
    with database.begin() as connection:
        _, season = make_enabled(connection)
        give_everything(connection, season, folder / "declarations")
        settle(connection, season, NOW)
        optical(connection, season, "S2_A", folder=folder / "products")
        for polarisation in ("VV", "VH"):
            radar(connection, season, f"AMP_{polarisation}", "s1_amp", polarisation, folder=folder / "products")
    database.engine.dispose()
    yield Prepared(make_url(url).database or "", season, folder)
    postgres.drop(url)


@pytest.fixture
def root(prepared: Prepared, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared.folder / "products", tmp_path / "products"))


@pytest.fixture
def database(postgres: DatabaseServer, prepared: Prepared, root: Path) -> Iterator[Database]:
    url = postgres.create(prepared.template)
    database = Database(url)
    with database.begin() as connection:
        set_value(connection, "storage.products_path", str(root), actor="anna")
    yield database
    database.engine.dispose()
    postgres.drop(url)


@pytest.fixture
def season(prepared: Prepared) -> Season:
    return prepared.season


def run(database: Database, request: RunRequest, *, now: datetime = NOW) -> Job:
    """Do what the tasks of a DAG do."""
    opening = open_run(database, request, now=now)
    assert opening.status == "started", opening.text
    season_computation.carry_out(database, opening.job_id)
    return runs.close_run(database, opening.job_id, failed_tasks={})


def job_of(database: Database, number: int) -> Job:
    with database.begin() as connection:
        return jobs.get_job(connection, number)


def results(database: Database, season: Season) -> list[Product]:
    with database.begin() as connection:
        return products.list_products(connection, season.site_id, product_type="s4c_l4a")


def folders(root: Path) -> list[str]:
    place = root / "alpha" / "2024" / "l4a"
    return sorted(path.name for path in place.iterdir()) if place.exists() else []


def test_a_run_publishes_folder_rows_and_provenance_at_once(database: Database, season: Season, root: Path) -> None:
    with database.begin() as connection:
        # operations.md case 36: a disk below its limits holds downloads and pre-processing back, not this
        set_value(connection, "storage.min_free_gb", 1_000_000, actor="anna")
    job = run(database, L4A)
    assert (job.state, job.counts) == (JobState.SUCCEEDED, {"parcels": 3, "observations": 9})
    assert job.input_fingerprint is not None
    name = f"S4C_L4A_alpha_2024_20240301_20240930_{job.input_fingerprint[:8]}"
    assert folders(root) == [name]
    (product,) = results(database, season)
    folder = Path(product.full_path)
    assert (product.name, folder, product.version) == (name, root / "alpha" / "2024" / "l4a" / name, 1)
    assert (folder / "counts.csv").read_text().split() == ["NewID,n", "1,3", "2,3", "3,3"]
    about = json.loads((folder / "run.json").read_text())
    assert about["run"] == {
        "site": "alpha", "season": "2024", "interval_start": "2024-03-01", "as_of": "2024-09-30", "settings": {},
    }  # fmt: skip
    assert (about["method"], about["inputs_complete"], about["missing"], about["waivers"]) == ("counting", True, [], [])
    assert product.metadata == about
    with database.begin() as connection:
        manifest = {item.path: item for item in products.files_of(connection, product.id)}
        assert set(manifest) == {"counts.csv", "counts.json", "run.json"}
        assert manifest["counts.csv"].size_bytes == (folder / "counts.csv").stat().st_size
        made_of = [products.get_product(connection, one).name for one in products.inputs_of(connection, product.id)]
        assert sorted(made_of) == ["AMP_VH", "AMP_VV", "S2_A_L3B"]
        row = connection.execute(text("SELECT n FROM s4c.counted WHERE product_id = :id"), {"id": product.id})
        assert row.scalars().all() == [3, 3, 3]
        users = connection.execute(text("SELECT job_id, product_id FROM s4c.parcel_set_use ORDER BY 1, 2")).all()
        assert users == [(job.id, None), (None, product.id)]


def test_nothing_new_at_the_next_date_is_skipped_and_names_the_job(
    database: Database, season: Season, root: Path
) -> None:
    """Case 19: at 2019-11-30 the last date used is still the end of the season; then a late image changes that."""
    first = run(database, L4A)
    opening = open_run(database, LAST, now=NOW)
    assert opening.status == "skipped"
    skipped = job_of(database, opening.job_id)
    assert (skipped.state, skipped.reason, skipped.as_of) == ("skipped", "same_inputs", DATES.end)
    assert f"job {first.id}" in (skipped.detail or "")
    assert skipped.started_at is None
    with database.begin() as connection:
        late = datetime(2024, 9, 28, 10, tzinfo=UTC)
        optical(connection, season, "LATE", sensed=late, folder=root)
    again = run(database, LAST)
    assert again.counts["observations"] == 12
    (product,) = results(database, season)
    assert product.version == 2, "it takes the place of the product of the same date"
    assert len(folders(root)) == 2, "the folder of the superseded one is left to retention"


def test_force_runs_all_the_same_and_replaces_the_product(database: Database, season: Season, root: Path) -> None:
    first = run(database, L4A)
    (before,) = results(database, season)
    by_hand = replace(L4A, key="by hand", start_type="manual", occurrence=None, options={"as_of": "2024-09-30"})
    assert open_run(database, by_hand, now=NOW).status == "skipped"
    forced = run(database, replace(by_hand, key="forced", options={**by_hand.options, "force": True}))
    assert forced.input_fingerprint == first.input_fingerprint
    (after,) = results(database, season)
    assert (after.id, after.version) == (before.id, 2)
    assert folders(root) == [after.name]
    with database.begin() as connection:
        assert count(connection, "counted") == 3


def test_an_experiment_by_hand_does_not_make_the_next_scheduled_run_repeat(database: Database, season: Season) -> None:
    run(database, L4A)
    by_hand = replace(L4A, key="by hand", start_type="manual", settings={"processor.s4c_l4a.num-trees": 10})
    run(database, by_hand)
    assert len(results(database, season)) == 2, "it stands beside the product of the schedule"
    assert open_run(database, LAST, now=NOW).text.startswith("skipped(same_inputs)")
    with database.begin() as connection:
        connection.execute(text("UPDATE s4c.product SET state = 'superseded' WHERE processor_id = 9"))
    assert open_run(database, LAST, now=NOW).status == "started", "a product that is gone is made again"


def test_a_run_on_chosen_inputs_reads_nothing_else_and_replaces_no_other_product(
    database: Database, season: Season, root: Path
) -> None:
    run(database, L4A)
    with database.begin() as connection:
        l2a, _ = optical(connection, season, "S2_B", sensed=datetime(2024, 6, 6, 10, tzinfo=UTC), folder=root)
        connection.execute(text("UPDATE s4c.marker_file SET tile = '31UGS' WHERE time > '2024-06-01'"))
        site = sites.get_site(connection, "alpha")
        make_acquisition(connection, site, "STUCK", state="queued", tiles=("31UGS",))
        make_product(connection, season, "OF_APRIL", "l3b", sensed=datetime(2023, 4, 6, tzinfo=UTC))
        known = {item.name: item.id for item in products.list_products(connection, season.site_id)}

    def by_hand(key: str, **options: object) -> RunRequest:
        asked = {"as_of": "2024-09-30", **options}
        return replace(L4A, key=key, start_type="manual", occurrence=None, options=asked)

    assert open_run(database, by_hand("all"), now=NOW).status == "waiting", "for STUCK"
    with database.begin() as connection:
        connection.execute(text("DELETE FROM s4c.job WHERE job_key = 'all'"))
    job = run(database, by_hand("one tile", tiles=["T31ufs"]))
    assert (job.counts["observations"], job.inputs_complete, job.params["tiles"]) == (9, True, ["31UFS"])
    # an L2A stands for the L3B made of it
    numbers = [known["AMP_VV"], l2a]
    job = run(database, by_hand("products", products=numbers))
    assert (job.counts["observations"], job.inputs_complete) == (6, True)
    assert open_run(database, by_hand("again", products=numbers), now=NOW).text.startswith("skipped(same_inputs)")
    made = {json.dumps(item.metadata["run"].get("chosen")): item for item in results(database, season)}
    assert set(made) == {"null", '{"tiles": ["31UFS"]}', json.dumps({"products": sorted(numbers)})}
    about = json.loads((Path(made['{"tiles": ["31UFS"]}'].full_path) / "run.json").read_text())
    assert about["run"]["chosen"] == {"tiles": ["31UFS"]}

    wrong: dict[str, tuple[dict[str, object], str]] = {
        "tile": ({"tiles": ["31UFT"]}, "Tile 31UFT is not used by site 'alpha'. (did you mean 31UFS?"),
        "number": ({"products": [987]}, "Site 'alpha' has no product 987. (nearest: "),
        "type": ({"products": [made["null"].id]}, "is of type s4c_l4a; this run of s4c_l4a reads l3b, l2a, s1_l2a_amp"),
        "date": ({"products": [known["OF_APRIL"]]}, "is of 2023-04-06, outside 2024-03-01 to 2024-09-30"),
        "text": ({"products": ["S2_B"]}, "not a list of product numbers"),
    }
    for key, (options, told) in wrong.items():
        with pytest.raises(InputError) as caught:
            open_run(database, by_hand(key, **options), now=NOW)
        assert told in caught.value.one_line
    with database.begin() as connection:
        assert not {item.job_key for item in jobs.list_jobs(connection, season_id=season.id)} & set(wrong)
        connection.execute(text("UPDATE s4c.product SET state = 'superseded' WHERE id = :id"), {"id": l2a})
    opening = open_run(database, by_hand("radar", products=numbers[:1]), now=NOW)
    assert opening.text.endswith("no product of type l3b between 2024-03-01 and 2024-09-30 among those chosen")


def test_a_product_lists_what_was_waived(database: Database, season: Season) -> None:
    """Case 15."""
    with database.begin() as connection:
        optical(connection, season, "LONELY", l3b=None)
    opening = open_run(database, L4A, now=NOW)
    assert opening.status == "waiting"
    assert not may_start(database, opening.job_id, now=NOW)[0]
    with database.begin() as connection:
        waivers.add_waiver(connection, season, "s4c_l4a", product="LONELY", reason="haze", actor="anna")
    assert may_start(database, opening.job_id, now=NOW)[0]
    job = run(database, L4A)
    (product,) = results(database, season)
    (waived,) = product.metadata["waivers"]
    assert (waived["product"], waived["reason"], waived["by"]) == ("LONELY", "haze", "anna")
    assert job.inputs_complete is True


def test_a_product_on_partial_inputs_says_what_is_missing(database: Database, season: Season) -> None:
    """Case 16: a current season, due 2024-06-10, starts on 2024-06-15."""
    with database.begin() as connection:
        make_acquisition(connection, sites.get_site(connection, "alpha"), "STUCK", state="queued")
    request = replace(L4A, occurrence=date(2024, 6, 10), start_type="scheduled")
    due = datetime(2024, 6, 10, tzinfo=UTC)
    assert open_run(database, request, now=due + timedelta(days=5, seconds=-1)).status == "waiting"
    run(database, request, now=due + timedelta(days=5))
    (product,) = results(database, season)
    assert product.metadata["inputs_complete"] is False
    assert {"rule": "R2 s2", "what": "s2: 1 acquisitions not ready", "names": ["STUCK (queued)"]} in (
        product.metadata["missing"]
    )


def test_no_parcel_to_judge_is_a_failure_with_its_reason(database: Database, season: Season, root: Path) -> None:
    """spec/README.md E1: inputs are there, but give no result."""
    with database.begin() as connection:
        for product in products.list_products(connection, season.site_id):
            variables = {"l3b": OPTICAL, "s1_l2a_amp": (product.name[-2:].lower(),)}.get(product.product_type, ())
            put_statistics(connection, season, product.id, variables, folder=root, parcels=())
    opening = open_run(database, L4A, now=NOW)
    with pytest.raises(NoResultError) as caught:
        season_computation.carry_out(database, opening.job_id)
    assert caught.value.code == "no_evaluable_parcel"
    runs.fail_run(database, opening.job_id, caught.value.one_line, caught.value.code)
    assert job_of(database, opening.job_id).reason == "no_evaluable_parcel"
    assert results(database, season) == []
    assert folders(root) == []


def opened(database: Database, request: RunRequest = L4A) -> int:
    opening = open_run(database, request, now=NOW)
    assert opening.status == "started", opening.text
    return opening.job_id


def test_what_is_imported_or_set_meanwhile_does_not_change_a_run(
    database: Database, season: Season, root: Path, tmp_path: Path
) -> None:
    number = opened(database)
    with database.begin() as connection:
        before = parcel_sets.active_set(connection, season.site_id, 2024)
        declare(connection, season.site_id, tmp_path, FIELDS[:2])
        set_value(connection, "processor.s4c_l4a.num-trees", 7, actor="anna", season=season)
        parcel_sets.remove_unused(connection, season.site_id, 2024, keep=1)
    season_computation.carry_out(database, number)
    (product,) = results(database, season)
    assert before is not None
    assert product.metadata["parcel_set"] == {"year": 2024, "version": before.version}
    assert product.metadata["trees"] == 300
    assert product.metadata["statistics_files"] == 13


def test_a_run_that_was_closed_meanwhile_publishes_nothing(database: Database, season: Season, root: Path) -> None:
    """Case 43: its run was lost and another took its place; what it still writes does not count."""
    number = opened(database)
    assert lost_runs.release_lost(database, number, None)
    with pytest.raises(LeaseLostError, match="closed meanwhile"):
        season_computation.carry_out(database, number)
    assert results(database, season) == []
    assert folders(root) == []
    again = run(database, replace(L4A, key="run 1 again"))
    assert again.state is JobState.SUCCEEDED
    assert len(results(database, season)) == 1


def test_a_run_lost_after_it_published_is_repeated_without_a_second_product(
    database: Database, season: Season, root: Path
) -> None:
    """Case 43: same inputs, same name, replaced."""
    number = opened(database)
    season_computation.carry_out(database, number)
    assert lost_runs.release_lost(database, number, "failed")
    run(database, L4A)
    (product,) = results(database, season)
    assert (product.version, folders(root)) == (2, [product.name])


def test_an_error_at_the_end_leaves_the_product_that_was_there(
    database: Database, season: Season, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(database, L4A)
    (before,) = results(database, season)
    content = (Path(before.full_path) / "run.json").read_bytes()

    def fail(run: SeasonRun) -> RunResult:
        result = counting_processor.count_observations(run)
        (run.work_folder / "counts.csv").write_text("new")

        def store(*_: object) -> None:
            raise StorageError("the disk of the database is full")

        return replace(result, product=replace(result.product, store=store))

    monkeypatch.setattr(season_computation, "load", lambda _: fail)
    number = opened(database, replace(L4A, key="forced", start_type="manual", options={"force": True}))
    with pytest.raises(StorageError):
        season_computation.carry_out(database, number)
    assert results(database, season) == [before]
    assert (Path(before.full_path) / "run.json").read_bytes() == content
    assert folders(root) == [before.name]


def test_a_folder_in_place_is_taken_back_when_the_transaction_fails(
    database: Database, season: Season, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(database, L4A)
    (before,) = results(database, season)
    content = (Path(before.full_path) / "run.json").read_bytes()
    real = season_computation.put_in_place

    def interrupted(folder: Path, target: Path) -> None:
        real(folder, target)
        monkeypatch.setattr(season_computation, "put_in_place", real)
        # the transaction has only its end before it: a rule that is checked there breaks
        raise KeyboardInterrupt

    number = opened(database, replace(L4A, key="forced", start_type="manual", options={"force": True}))
    monkeypatch.setattr(season_computation, "put_in_place", interrupted)
    with pytest.raises(KeyboardInterrupt):
        season_computation.carry_out(database, number)
    assert results(database, season) == [before]
    assert (Path(before.full_path) / "run.json").read_bytes() == content


def test_a_processor_that_is_not_in_this_release_says_so(
    database: Database, season: Season, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = replace(processors.PROCESSORS["s4c_l4b"], entry_point=None)
    monkeypatch.setattr(processors, "PROCESSORS", {**processors.PROCESSORS, "s4c_l4b": lacking})
    with database.begin() as connection:
        for polarisation in ("VV", "VH"):
            radar(connection, season, f"COHE_{polarisation}", "s1_cohe", polarisation)
    number = opened(database, replace(L4A, processor="s4c_l4b"))
    with pytest.raises(ProcessorUnavailableError, match="mowing"):
        season_computation.carry_out(database, number)


def test_parameters_of_the_season_reach_its_scheduled_runs_whatever_their_cadence(
    database: Database, season: Season
) -> None:
    """Case 41."""
    with database.begin() as connection:
        set_value(connection, "processor.s4c_l4a.num-trees", 500, actor="anna", season=season)
        schedule = Schedule(Kind.EVERY_N_DAYS, date(2024, 5, 1), n_days=10)
        seasons.set_schedule(connection, season, "s4c_l4a", schedule)
    job = run(database, replace(L4A, start_type="scheduled"))
    assert job.config_snapshot["processor.s4c_l4a.num-trees"] == 500
    (product,) = results(database, season)
    assert product.metadata["trees"] == 500


def test_one_occurrence_has_one_job_however_often_it_is_opened(database: Database, season: Season) -> None:
    """Case 42."""
    found: list[runs.Opening] = []
    threads = [threading.Thread(target=lambda: found.append(open_run(database, L4A, now=NOW))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {opening.status for opening in found} == {"started"}
    assert len({opening.job_id for opening in found}) == 1
    with database.begin() as connection:
        assert len(jobs.list_jobs(connection)) == 1


def test_dates_that_are_replayed_run_one_after_another(database: Database, season: Season) -> None:
    """Case 18: the failure of one blocks the next until it is acknowledged."""
    dates = [date(2024, 5, 31), date(2024, 6, 30), date(2024, 7, 31)]
    requests = [replace(L4A, key=f"run {day}", occurrence=day) for day in dates]
    first = opened(database, requests[0])
    assert open_run(database, requests[1], now=NOW).text.startswith("waits for job")
    runs.fail_run(database, first, "no memory", "internal")
    waiting = open_run(database, requests[1], now=NOW)
    assert "s4c jobs acknowledge" in waiting.text
    with database.begin() as connection:
        jobs.acknowledge(connection, first, "anna")
    second = opened(database, requests[1])
    third = open_run(database, requests[2], now=NOW)
    assert third.status == "waiting"
    season_computation.carry_out(database, second)
    runs.close_run(database, second, failed_tasks={})
    assert may_start(database, third.job_id, now=NOW)[0]
    assert run(database, requests[2]).state is JobState.SUCCEEDED


def test_a_later_run_that_comes_first_waits_for_the_earlier_one(database: Database, season: Season) -> None:
    """Case 18: Airflow starts runs of a backfill together; the earlier one may not have its job yet."""
    opening = open_run(database, replace(L4A, after="backfill__2024-08-31"), now=NOW)
    assert (opening.status, opening.text) == ("waiting", "waits for run backfill__2024-08-31, which is due earlier")
    assert may_start(database, opening.job_id, now=NOW)[0], "whoever waits asks Airflow again"
    assert open_run(database, L4A, now=NOW).status == "started"


def test_no_input_of_a_required_type_is_skipped(database: Database, season: Season) -> None:
    """Case 20: never succeeded."""
    opening = open_run(database, replace(L4A, processor="s4c_l4c"), now=NOW)
    job = job_of(database, opening.job_id)
    assert (job.state, job.reason) == ("skipped", "no_inputs")
    assert "s1_l2a_cohe" in (job.detail or "")
    assert results(database, season) == []
