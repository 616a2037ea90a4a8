"""Workers that die, are slow, or work side by side: a piece is made once, and nothing waits for ever."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from derived_season import CLEAR_DAYS, NOW, TILE, Derived, NewDerived, new_derived, part_of, season_files

from s4c_lib.catalog import derivations, unit_claims
from s4c_lib.catalog.database import Database
from s4c_lib.ingest.steps import derived_step, step_counts

__all__ = ["new_derived", "season_files"]

MAKES = {"preprocess": "l2a", "vegetation": "l3b", "statistics": "statistics"}
# Runs a step as a task does, and stops for good in the middle of the first piece: when what it opens is first read.
DOOMED = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from s4c_lib.catalog.database import Database
from s4c_lib.ingest.context import load_context
from s4c_lib.ingest.steps import derived_step
now = datetime(2022, 2, 1, 8, tzinfo=UTC)
database = Database(sys.argv[1])
context = load_context(database, int(sys.argv[2]), today=now.date())
step = derived_step(sys.argv[3])
step.plan(database, context, now=now)
reached = []
def clock():
    reached.append(now)
    if len(reached) == int(sys.argv[4]):
        Path(sys.argv[5]).touch()
        time.sleep(120)
    return now
step.run(database, context, owner="job 7 " + step.name + "[3] host:1", job_id=None, clock=clock)
"""


@pytest.fixture
def clear(season_files: Path, tmp_path: Path) -> Path:
    return part_of(season_files / "archive", tmp_path / "archive", ["_MSIL2A_"], CLEAR_DAYS)


def upto(season: Derived, step: str) -> None:
    """Bring a season to where a step has everything to do."""
    season.set("processor.s4c_l4a.mode", "s1-only")
    season.run()
    if step == "preprocess":
        season.rows_changed("DELETE FROM s4c.product")
        season.rows_changed("UPDATE s4c.acquisition_unit SET state = 'pending', attempts = 0, product_id = NULL")
        season.rows_changed("UPDATE s4c.acquisition SET state = 'downloaded'")
    elif step == "vegetation":
        season.rows_changed("DELETE FROM s4c.product WHERE product_type_id = 3")
    else:
        season.rows_changed("DELETE FROM s4c.marker_file")


def held(season: Derived, step: str) -> list[tuple[str, int]]:
    if step == "preprocess":
        return [(state, attempts) for state, _, attempts in season.units().values()]
    return [(state, attempts) for state, _, attempts in season.derivations(3 if step == "vegetation" else 14)]


def killed(season: Derived, step: str, moment: int) -> None:
    """Start a worker in a process of its own and kill it when it has come to a moment of its first piece."""
    mark = season.root / "reached"
    command = [sys.executable, "-c", textwrap.dedent(DOOMED), season.database.url, str(season.season.id), step]
    process = subprocess.Popen([*command, str(moment), str(mark)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None and not mark.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()


# the clock is read at the claim, at its beginning, and when something is made or recorded
@pytest.mark.parametrize(
    ("step", "moment"), [("preprocess", 3), ("vegetation", 4), pytest.param("statistics", 2, marks=pytest.mark.slow)]
)
def test_what_a_killed_worker_held_is_done_by_another(
    clear: Path, new_derived: NewDerived, step: str, moment: int
) -> None:
    season = new_derived(clear)
    upto(season, step)
    killed(season, step, moment)
    assert sorted(held(season, step))[-1] == ("processing", 1)

    item, context = derived_step(step), season.context()
    lease = timedelta(seconds=float(context.parameters["lease.seconds"]))
    # while the lease holds only the other piece can be made
    assert item.plan(season.database, context, now=NOW + lease - timedelta(seconds=1)) == 1
    later = NOW + lease + timedelta(seconds=1)
    assert item.plan(season.database, context, now=later) == 2
    assert {state for state, _ in held(season, step)} == {"pending"}
    assert {attempts for _, attempts in held(season, step)} == {0}, "a death is not a try"
    outcome = item.run(season.database, context, owner="other", job_id=None, clock=lambda: later)
    assert step_counts(item, outcome)[MAKES[step]] == 2
    season.run(later)
    assert not season.has_work(later)
    assert list((season.root / "products").rglob(".*")) == [], "nothing half-made is left"


def test_a_task_tried_again_takes_back_what_its_last_try_held(clear: Path, new_derived: NewDerived) -> None:
    """As the operator does it: Airflow runs one try of a task at a time."""
    season = new_derived(clear)
    upto(season, "statistics")
    killed(season, "statistics", 2)
    with season.database.begin() as connection:
        assert derivations.give_back(connection, "job 7 statistics[31] ") == 0
        assert unit_claims.give_back(connection, "job 7 statistics[3] ") == 0
        assert derivations.give_back(connection, "job 7 statistics[3] ") == 1
    assert held(season, "statistics") == [("pending", 0), ("pending", 0)]
    assert season.run()["statistics"] == 2


@pytest.mark.slow
def test_workers_side_by_side_make_everything_once(clear: Path, season_files: Path, new_derived: NewDerived) -> None:
    season = new_derived(season_files / "archive")
    season.set("processor.s4c_l4a.mode", "s1-only")
    season.set("processor.l3b.lai.tiles_filter", ["01AAA"])
    season.run()
    season.set("processor.l3b.lai.tiles_filter", [TILE])
    context = season.context()

    def work(step: str, owner: str) -> int:
        database = Database(season.database.url)
        outcome = derived_step(step).run(database, context, owner=owner, job_id=None, clock=lambda: NOW)
        database.engine.dispose()
        assert not outcome.failed, outcome.reasons
        return outcome.made

    with ThreadPoolExecutor(3) as pool:
        for step, count in (("vegetation", 6), ("statistics", 6)):
            assert derived_step(step).plan(season.database, context, now=NOW) == count
            assert sum(pool.map(work, [step] * 3, "abc")) == count
    assert {attempts for _, _, attempts in season.derivations(3)} == {1}
    assert len(season.products("l3b")) == 6
    assert len(season.markers("ndvi")) == 6


def test_a_slow_worker_whose_piece_was_taken_goes_on_with_the_next(clear: Path, new_derived: NewDerived) -> None:
    """Its lease ran out, another one made the tile; what the slow one made of it changes nothing."""
    season = new_derived(clear, declared=False)
    upto(season, "preprocess")
    context, late = season.context(), NOW + timedelta(days=1)
    step = derived_step("preprocess")
    calls: list[datetime] = []

    def slow() -> datetime:
        calls.append(NOW)
        if len(calls) == 2:
            assert step.plan(season.database, context, now=late) == 2
            step.run(season.database, context, owner="quick", job_id=None, clock=lambda: late, limit=1)
        return NOW

    outcome = step.run(season.database, context, owner="slow", job_id=None, clock=slow)
    assert (outcome.made, outcome.failed) == (1, 0)
    assert {(state, attempts) for state, attempts in held(season, "preprocess")} == {("done", 1)}
    products = season.products("l2a")
    assert [(one.version, Path(one.full_path).is_dir()) for one in products] == [(1, True), (1, True)]


@pytest.mark.slow
def test_a_deleted_acquisition_does_not_stop_the_step(clear: Path, new_derived: NewDerived) -> None:
    season = new_derived(clear, declared=False)
    upto(season, "preprocess")
    step, calls = derived_step("preprocess"), []

    def clock() -> datetime:
        calls.append(NOW)
        if len(calls) == 2:
            season.rows_changed(
                "DELETE FROM s4c.acquisition WHERE id = "
                "(SELECT acquisition_id FROM s4c.acquisition_unit WHERE state = 'processing')"
            )
        return NOW

    outcome = step.run(season.database, season.context(), owner="w", job_id=None, clock=clock)
    assert (outcome.made, outcome.failed) == (1, 0)
    assert held(season, "preprocess") == [("done", 1)]


def test_chunks_hold_about_as_much_as_there_is(clear: Path, new_derived: NewDerived) -> None:
    season = new_derived(clear, declared=False)
    upto(season, "preprocess")
    step, context = derived_step("preprocess"), season.context()
    assert step.chunks(season.database, context, now=NOW, slots=4) == [1, 1]
    assert step.chunks(season.database, context, now=NOW, slots=1) == [2]
    # a chain is worked off date by date: one task goes on to its end
    season.rows_changed("UPDATE s4c.acquisition_unit SET executor = 'maja'")
    season.rows_changed("UPDATE s4c.acquisition SET relative_orbit = 8")
    assert step.chunks(season.database, context, now=NOW, slots=4) == [2]
    season.rows_changed("UPDATE s4c.acquisition SET relative_orbit = id")
    assert step.chunks(season.database, context, now=NOW, slots=4) == [2, 2]
    assert step.chunks(season.database, context, now=NOW, slots=1) == [2]
