from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest
from domain_rows import ACTOR, make_enabled, make_job
from sqlalchemy import Connection, text

from s4c_lib.catalog import jobs
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import JobState
from s4c_lib.errors import NotFoundError, TransitionError


def test_of_two_runs_started_at_once_exactly_one_runs(database: Database) -> None:
    with database.begin() as connection:
        _, season = make_enabled(connection)
        numbers = [make_job(connection, season, f"run {index}").id for index in range(6)]
    barrier = threading.Barrier(len(numbers))
    started: dict[int, bool] = {}

    def start(number: int) -> None:
        with database.engine.connect() as connection, connection.begin():
            jobs.get_job(connection, number)
            barrier.wait()
            started[number] = jobs.try_start(connection, number)

    threads = [threading.Thread(target=start, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(started.values()) == [False] * 5 + [True]
    with database.begin() as connection:
        (winner,) = [number for number, won in started.items() if won]
        running = jobs.running_job(connection, season.id, "s4c_l4a")
        assert running is not None
        assert running.id == winner
        assert len(jobs.list_jobs(connection, states=[JobState.RUNNING])) == 1


def test_the_lock_is_free_again_when_the_run_ends(connection: Connection) -> None:
    _, season = make_enabled(connection)
    first, second = make_job(connection, season, "a"), make_job(connection, season, "b")
    assert jobs.try_start(connection, first.id)
    assert jobs.try_start(connection, first.id), "a repeated start of the same job goes on"
    assert not jobs.try_start(connection, second.id)
    assert jobs.get_job(connection, second.id).state is JobState.SUBMITTED
    jobs.finish(connection, first.id, JobState.FAILED, reason="task_failed", detail="tasks: compute (failed)")
    assert jobs.try_start(connection, second.id)
    assert jobs.running_job(connection, season.id, "s4c_l4b") is None


def test_processors_and_seasons_have_locks_of_their_own(connection: Connection) -> None:
    _, season = make_enabled(connection)
    _, elsewhere = make_enabled(connection, "Beta")
    for one in (season, elsewhere):
        for processor in ("s4c_l4a", "s4c_l4c", "ingest"):
            assert jobs.try_start(connection, make_job(connection, one, "run", processor=processor).id)


def test_an_ended_job_stays_ended_until_its_run_is_repeated(connection: Connection) -> None:
    _, season = make_enabled(connection)
    job = make_job(connection, season, "run")
    jobs.wait(connection, job.id, {"ready": False})
    assert jobs.get_job(connection, job.id).state is JobState.WAITING_INPUTS
    jobs.try_start(connection, job.id)
    jobs.add_counts(connection, job.id, {"fetched": 3})
    jobs.add_counts(connection, job.id, {"fetched": 2, "new": 1})
    jobs.judge(connection, job.id, {"ready": True}, complete=False)
    ended = jobs.finish(connection, job.id, JobState.FAILED, reason="task_failed", detail="it broke")
    assert (ended.state, ended.reason, ended.counts) == ("failed", "task_failed", {"fetched": 5, "new": 1})
    assert ended.inputs_complete is False
    assert jobs.finish(connection, job.id, JobState.SUCCEEDED).state is JobState.FAILED
    jobs.wait(connection, job.id, {"ready": False})
    assert jobs.get_job(connection, job.id).state is JobState.FAILED
    with pytest.raises(TransitionError, match="has ended"):
        jobs.try_start(connection, job.id)

    again = make_job(connection, season, "run")
    assert again.id == job.id
    assert (again.state, again.reason, again.detail, again.counts) == ("submitted", None, None, {})
    assert (again.started_at, again.ended_at, again.inputs_complete) == (None, None, None)
    assert again.submitted_at > ended.submitted_at
    assert jobs.try_start(connection, job.id)


def test_opening_a_running_job_does_not_disturb_it(connection: Connection) -> None:
    _, season = make_enabled(connection)
    job = make_job(connection, season, "run")
    jobs.try_start(connection, job.id)
    jobs.add_counts(connection, job.id, {"fetched": 3})
    same = make_job(connection, season, "run")
    assert (same.id, same.state, same.counts) == (job.id, "running", {"fetched": 3})


def test_a_job_keeps_the_parameters_it_ran_with(connection: Connection) -> None:
    _, season = make_enabled(connection)
    job = make_job(connection, season, "run")
    assert job.config_snapshot["processor.s4c_l4a.num-trees"] == 300
    assert len(job.config_hash) == 64


def test_an_earlier_run_that_is_not_done_blocks_a_later_one(connection: Connection) -> None:
    """Rule R5."""
    _, season = make_enabled(connection)
    last = date(2024, 9, 30)

    def blocking() -> list[str]:
        return [job.job_key for job in jobs.blocking_jobs(connection, season.id, "s4c_l4a", last)]

    open_job = make_job(connection, season, "june", as_of=date(2024, 6, 30))
    make_job(connection, season, "same day", as_of=last)
    make_job(connection, season, "other processor", processor="s4c_l4b", as_of=date(2024, 5, 31))
    assert blocking() == ["june"]
    jobs.finish(connection, open_job.id, JobState.FAILED, reason="x")
    assert blocking() == ["june"]
    jobs.acknowledge(connection, open_job.id, "operator")
    assert blocking() == []
    # repeated: the newest run of a date counts
    again = make_job(connection, season, "june again", as_of=date(2024, 6, 30))
    assert blocking() == ["june again"]
    jobs.finish(connection, again.id, JobState.SUCCEEDED)
    assert blocking() == []
    for key, end in (("july", JobState.SKIPPED), ("august", JobState.CANCELLED)):
        job = make_job(connection, season, key, as_of=date(2024, 8, 1) + timedelta(days=len(key)))
        jobs.finish(connection, job.id, end, reason="no_inputs")
    assert blocking() == []
    # cleared in Airflow: the failed run is opened again and blocks again, newer than its repetition
    make_job(connection, season, "june", as_of=date(2024, 6, 30))
    assert blocking() == ["june"]
    # a run by hand on a part of the images neither blocks nor stands for the whole one
    part = make_job(connection, season, "a tile", as_of=date(2024, 6, 30), params={"tiles": ["31UFS"]})
    make_job(connection, season, "some images", as_of=date(2024, 7, 15), params={"products": [7]})
    assert blocking() == ["june"]
    jobs.finish(connection, part.id, JobState.SUCCEEDED)
    assert blocking() == ["june"]


def test_wrong_ends_and_acknowledgements_are_refused(connection: Connection) -> None:
    _, season = make_enabled(connection)
    job = make_job(connection, season, "run")
    with pytest.raises(TransitionError, match="does not end a job"):
        jobs.finish(connection, job.id, JobState.RUNNING)
    with pytest.raises(TransitionError, match="only a failed job"):
        jobs.acknowledge(connection, job.id, ACTOR)
    with pytest.raises(NotFoundError):
        jobs.get_job(connection, 10**9)


def test_jobs_are_listed_newest_first(connection: Connection) -> None:
    _, season = make_enabled(connection)
    for key in ("a", "b", "c"):
        make_job(connection, season, key)
    assert [job.job_key for job in jobs.list_jobs(connection, season_id=season.id)] == ["c", "b", "a"]
    assert [job.job_key for job in jobs.list_jobs(connection, season_id=season.id, limit=1)] == ["c"]
    assert jobs.list_jobs(connection, season_id=season.id, processor="s4c_l4c") == []
    assert jobs.find_job(connection, season.id, "s4c_l4a", "nothing") is None


def test_the_database_itself_keeps_two_runs_apart(connection: Connection) -> None:
    _, season = make_enabled(connection)
    numbers = [make_job(connection, season, key).id for key in ("a", "b")]
    assert jobs.try_start(connection, numbers[0])
    statement = text("UPDATE s4c.job SET state = 'running' WHERE id = :id")
    with pytest.raises(Exception, match="job_one_running"):
        connection.execute(statement, {"id": numbers[1]})
