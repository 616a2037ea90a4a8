"""``s4c ingest``: search, fetch and register in this process, under the same lock as Airflow's runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, SeasonName, SiteName, examples
from s4c_lib.cli.output import note, print_record, progress, warn
from s4c_lib.cli.session import Session, named_season, session_of
from s4c_lib.cli.source import SearchedSatellite
from s4c_lib.errors import ConflictError, NothingToDoError, Sen4capError, SourceError

if TYPE_CHECKING:
    from types import FrameType

    from s4c_lib.catalog.jobs import Job
    from s4c_lib.ingest.steps import IngestOutcome
    from s4c_lib.runs import Opening, RunRequest


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        "ingest",
        epilog=examples(
            "s4c ingest my_region 2026",
            "s4c ingest my_region 2026 --satellite s2",
            "s4c ingest my_region 2026 --no-wait",
        ),
    )(ingest)


def ingest(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    satellite: Annotated[list[SearchedSatellite] | None, typer.Option(help="Only this one; repeatable.")] = None,
    requery: Annotated[bool, typer.Option("--requery", help="Search every window again.")] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait/--no-wait", help="Wait for products that a source brings from tape, or leave them."),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Search, fetch and register now, without Airflow. Exit code 3 when there is nothing to do.

    Accounts of remote sources are read from AIRFLOW_CONN_<ID>; 's4c source test NAME' tries one.
    """
    from s4c_lib.catalog.job_liveness import sign_of_life

    session = session_of(context)
    with session.read() as connection:
        site, season = named_season(connection, site_name, season_name)
    request = _request(session, site.short_name, season.short_name, satellite, requery)
    opening = _open(session, request)
    with _interruptible():
        try:
            with sign_of_life(session.database, opening.job_id):
                outcome = _run(session, opening.job_id, requery, wait=wait)
        except KeyboardInterrupt as error:
            _fail(session, opening.job_id, "stopped from the keyboard", "interrupted")
            raise Sen4capError(
                f"The ingest was stopped; job {opening.job_id} is closed as failed.",
                hint="run it again: it goes on where it was",
            ) from error
        except Sen4capError as error:
            _fail(session, opening.job_id, error.one_line, error.code)
            raise
        except Exception as error:
            text = f"{type(error).__name__}: {' '.join(str(error).split())}"
            _fail(session, opening.job_id, text, "internal")
            raise
    for line in (*outcome.warnings, *outcome.errors):
        warn(line)
    job = _close(session, opening.job_id, outcome)
    print_record({"job": job.id, "state": job.state, **outcome.counts}, as_json=as_json)
    if job.state == "failed":
        text = "No query window could be searched." if _blind(outcome) else f"Job {job.id} failed: {job.detail}"
        raise SourceError(text, hint="'s4c source test NAME' tries a source")


def _request(
    session: Session, site: str, season: str, satellites: list[SearchedSatellite] | None, requery: bool
) -> RunRequest:
    from s4c_lib.runs import RunRequest

    options: dict[str, Any] = {}
    if satellites:
        options["satellites"] = [str(item) for item in satellites]
    if requery:
        options["requery"] = True
    return RunRequest(
        site=site,
        season=season,
        processor="ingest",
        key=f"command line {session.now().isoformat()} {os.getpid()}",
        start_type="command_line",
        requested_by=session.actor,
        options=options,
    )


def _open(session: Session, request: RunRequest) -> Opening:
    """Start the job of the run.

    Raises
    ------
    NothingToDoError : there is no work, or nothing is enabled.
    ConflictError : another run of the season's ingest is under way.
    """
    from s4c_lib import runs
    from s4c_lib.catalog import jobs

    opening = runs.open_run(session.database, request, now=session.now())
    holder = opening.holder
    if holder is not None and runs.release_dead(session.database, holder, now=session.now()):
        note(f"job {holder.id} was left by a process that died; it is closed as lost")
        opening = runs.open_run(session.database, request, now=session.now())
    if opening.status == "skipped":
        raise NothingToDoError(opening.text, hint=f"job {opening.job_id}")
    if opening.status == "waiting":
        with session.read() as connection:
            jobs.finish(connection, opening.job_id, jobs.JobState.CANCELLED, reason="locked", detail=opening.text)
        raise ConflictError(f"{opening.text[:1].upper()}{opening.text[1:]}.", hint="wait until it has ended")
    return opening


def _run(session: Session, job_id: int, requery: bool, *, wait: bool) -> IngestOutcome:
    """Run the steps of an ingest."""
    from s4c_lib.catalog.jobs import get_job
    from s4c_lib.catalog.query_windows import requery as search_again
    from s4c_lib.ingest.clock import utc_now
    from s4c_lib.ingest.context import load_context
    from s4c_lib.ingest.lease import process_owner
    from s4c_lib.ingest.remote import Access
    from s4c_lib.ingest.steps import run_all
    from s4c_lib.vault import environment_vault

    database = session.database
    with database.begin() as connection:
        job = get_job(connection, job_id)
    context = load_context(database, job.season_id, today=session.today(), job_id=job_id)
    if requery:
        with database.begin() as connection:
            for satellite in context.satellites:
                search_again(connection, job.season_id, satellite)
    owner = process_owner(job_id, "ingest")
    return run_all(
        database,
        context,
        owner=owner,
        clock=utc_now,
        job_id=job_id,
        access=Access(environment_vault()),
        wait=_Waiting() if wait else None,
        phase=progress,
    )


class _Waiting:
    """Spends the time until products come online; says what it waits for whenever that changes."""

    def __init__(self) -> None:
        self._said = ""

    def __call__(self, seconds: float, text: str) -> None:
        """Wait."""
        if text != self._said:
            note(f"waiting: {text} ('--no-wait' leaves that to a later run)")
            self._said = text
        time.sleep(seconds)


def _close(session: Session, job_id: int, outcome: IngestOutcome) -> Job:
    from s4c_lib.catalog.jobs import add_counts
    from s4c_lib.ingest.unfetched import unfetched
    from s4c_lib.runs import close_run

    with session.read() as connection:
        add_counts(connection, job_id, outcome.counts)
    failed = {"query": "every window failed"} if _blind(outcome) else {}
    left = unfetched(session.database, job_id, now=session.now(), without_account=outcome.not_opened)
    return close_run(session.database, job_id, failed_tasks=failed, unfetched=left)


def _blind(outcome: IngestOutcome) -> bool:
    return outcome.counts["windows_failed"] > 0 and outcome.counts["windows"] == 0


def _fail(session: Session, job_id: int, error: str, reason: str) -> None:
    """Close a job as failed and give back what it held, so that the next run need not wait for its leases."""
    from s4c_lib.lost_runs import give_back
    from s4c_lib.runs import fail_run

    with session.read() as connection:
        give_back(connection, job_id)
    fail_run(session.database, job_id, error, reason)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Treat a request to terminate like Ctrl-C: the job is closed either way."""

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
