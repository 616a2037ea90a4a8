"""Jobs: what a user sees of a run, and the lock that keeps two runs of one processor of a season apart.

The lock is the database's: at most one job of a (season, processor) can be ``running`` (a partial unique
index), whether it was scheduled, backfilled, triggered by hand or started from the command line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, text
from sqlalchemy.exc import IntegrityError

from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.vocabulary import PROCESSORS, processor_name
from s4c_lib.errors import NotFoundError, TransitionError
from s4c_lib.parameters import Snapshot


class JobState(StrEnum):
    """Where a job stands."""

    SUBMITTED = "submitted"
    WAITING_INPUTS = "waiting_inputs"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


ENDED = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.SKIPPED})


class SkipReason(StrEnum):
    """Why a run made nothing, and rightly so."""

    NO_INPUTS = "no_inputs"
    NO_WORK = "no_work"
    SAME_INPUTS = "same_inputs"
    OUT_OF_SEASON = "out_of_season"
    SUPERSEDED = "superseded"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Job:
    """A run of a processor for a season, up to a date."""

    id: int
    site_id: int
    season_id: int
    processor: str
    job_key: str
    start_type: str
    interval_start: date
    as_of: date
    params: Mapping[str, Any]
    config_snapshot: Mapping[str, Any]
    config_hash: str
    input_fingerprint: str | None
    inputs_complete: bool | None
    state: JobState
    reason: str | None
    detail: str | None
    counts: Mapping[str, Any]
    readiness: Mapping[str, Any] | None
    acknowledged_by: str | None
    airflow_dag_id: str | None
    airflow_run_id: str | None
    requested_by: str
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED


_COLUMNS = ", ".join(f"j.{field.name}" for field in fields(Job) if field.name != "processor") + ", j.processor_id"


def _job(row: RowMapping) -> Job:
    values = dict(row)
    values["processor"] = processor_name(values.pop("processor_id"))
    values["state"] = JobState(values["state"])
    return Job(**values)


def get_job(connection: Connection, job_id: int) -> Job:
    """Return a job by number."""
    row = (
        connection.execute(text(f"SELECT {_COLUMNS} FROM s4c.job j WHERE j.id = :id"), {"id": job_id})
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFoundError(f"There is no job {job_id}.", hint="'s4c jobs list' names them")
    return _job(row)


def list_jobs(
    connection: Connection,
    *,
    season_id: int | None = None,
    processor: str | None = None,
    states: list[JobState] | None = None,
    limit: int = 100,
) -> list[Job]:
    """Return jobs, newest first."""
    statement = text(
        f"""
        SELECT {_COLUMNS} FROM s4c.job j
        WHERE (CAST(:season_id AS bigint) IS NULL OR j.season_id = :season_id)
          AND (CAST(:processor_id AS smallint) IS NULL OR j.processor_id = :processor_id)
          AND (CAST(:states AS text[]) IS NULL OR j.state::text = ANY(CAST(:states AS text[])))
        ORDER BY j.submitted_at DESC, j.id DESC LIMIT :limit
        """
    )
    values = {
        "season_id": season_id,
        "processor_id": None if processor is None else PROCESSORS[processor],
        "states": None if states is None else [str(state) for state in states],
        "limit": limit,
    }
    return [_job(row) for row in connection.execute(statement, values).mappings()]


def open_job(
    connection: Connection,
    season: Season,
    processor: str,
    *,
    job_key: str,
    start_type: str,
    interval_start: date,
    as_of: date,
    params: Mapping[str, Any],
    snapshot: Snapshot,
    requested_by: str,
    airflow_dag_id: str | None = None,
    airflow_run_id: str | None = None,
) -> Job:
    """Make the job of a run, or open it again when the run is repeated (same key); an open one stays as it is.

    The resolved parameters and their hash are stored with it: what a job did stays explicable.
    """
    statement = text(
        """
        INSERT INTO s4c.job AS j
            (site_id, season_id, processor_id, job_key, start_type, interval_start, as_of, params, config_snapshot,
             config_hash, airflow_dag_id, airflow_run_id, requested_by)
        VALUES
            (:site_id, :season_id, :processor_id, :job_key, CAST(:start_type AS s4c.start_type), :interval_start,
             :as_of, CAST(:params AS jsonb), CAST(:config_snapshot AS jsonb), :config_hash, :dag_id, :run_id,
             :requested_by)
        ON CONFLICT (processor_id, site_id, season_id, job_key) DO UPDATE SET
            params = excluded.params, config_snapshot = excluded.config_snapshot,
            config_hash = excluded.config_hash, as_of = excluded.as_of, interval_start = excluded.interval_start,
            state = 'submitted', reason = NULL, detail = NULL, counts = '{}', readiness = NULL,
            input_fingerprint = NULL, inputs_complete = NULL, acknowledged_by = NULL,
            submitted_at = clock_timestamp(), started_at = NULL, ended_at = NULL
        WHERE j.state IN ('succeeded', 'failed', 'cancelled', 'skipped')
        RETURNING j.id
        """
    )
    job_id = connection.execute(
        statement,
        {
            "site_id": season.site_id,
            "season_id": season.id,
            "processor_id": PROCESSORS[processor],
            "job_key": job_key,
            "start_type": start_type,
            "interval_start": interval_start,
            "as_of": as_of,
            "params": json.dumps(dict(params), sort_keys=True, default=str),
            "config_snapshot": json.dumps(snapshot.values_for(processor), sort_keys=True, default=str),
            "config_hash": snapshot.hash_for(processor),
            "dag_id": airflow_dag_id,
            "run_id": airflow_run_id,
            "requested_by": requested_by,
        },
    ).scalar_one_or_none()
    job = find_job(connection, season.id, processor, job_key) if job_id is None else get_job(connection, job_id)
    if job is None:
        raise NotFoundError(f"Job {job_key!r} was deleted meanwhile.", hint="start a new run")
    return job


def find_job(connection: Connection, season_id: int, processor: str, job_key: str) -> Job | None:
    """Return the job of a key, or None."""
    statement = text(
        f"SELECT {_COLUMNS} FROM s4c.job j "
        "WHERE j.season_id = :season_id AND j.processor_id = :processor_id AND j.job_key = :job_key"
    )
    values = {"season_id": season_id, "processor_id": PROCESSORS[processor], "job_key": job_key}
    row = connection.execute(statement, values).mappings().one_or_none()
    return None if row is None else _job(row)


def running_job(connection: Connection, season_id: int, processor: str) -> Job | None:
    """Return the job that holds the lock of a (season, processor), or None."""
    statement = text(
        f"SELECT {_COLUMNS} FROM s4c.job j "
        "WHERE j.season_id = :season_id AND j.processor_id = :processor_id AND j.state = 'running'"
    )
    values = {"season_id": season_id, "processor_id": PROCESSORS[processor]}
    row = connection.execute(statement, values).mappings().one_or_none()
    return None if row is None else _job(row)


def try_start(connection: Connection, job_id: int) -> bool:
    """Take the lock of the job's (season, processor) and set it running.

    Returns
    -------
    False when another job holds the lock; nothing has changed then.
    """
    job = get_job(connection, job_id)
    if job.state is JobState.RUNNING:
        return True
    if job.ended:
        raise TransitionError(f"Job {job_id} has ended ({job.state}) and cannot start.", hint="start a new run")
    try:
        with connection.begin_nested():
            started = connection.execute(
                text(
                    "UPDATE s4c.job SET state = 'running', started_at = clock_timestamp() "
                    "WHERE id = :id AND state IN ('submitted', 'waiting_inputs', 'queued', 'running')"
                ),
                {"id": job_id},
            ).rowcount
    except IntegrityError as error:
        if "job_one_running" not in str(error.orig):
            raise
        return False
    if not started:
        raise TransitionError(f"Job {job_id} has ended meanwhile and cannot start.", hint="start a new run")
    return True


def judge(connection: Connection, job_id: int, readiness: Mapping[str, Any], *, complete: bool) -> None:
    """Record the verdict a job starts on; ``complete`` is False when its deadline let it go on partial inputs."""
    connection.execute(
        text("UPDATE s4c.job SET readiness = CAST(:readiness AS jsonb), inputs_complete = :complete WHERE id = :id"),
        {"readiness": json.dumps(dict(readiness), default=str), "complete": complete, "id": job_id},
    )


def wait(connection: Connection, job_id: int, readiness: Mapping[str, Any]) -> None:
    """Record that a job waits, and for what."""
    connection.execute(
        text(
            "UPDATE s4c.job SET state = 'waiting_inputs', readiness = CAST(:readiness AS jsonb) "
            "WHERE id = :id AND state IN ('submitted', 'waiting_inputs', 'queued')"
        ),
        {"readiness": json.dumps(dict(readiness), default=str), "id": job_id},
    )


def finish(
    connection: Connection,
    job_id: int,
    state: JobState,
    *,
    reason: str | None = None,
    detail: str | None = None,
    counts: Mapping[str, Any] | None = None,
) -> Job:
    """End a job; one that has ended keeps its end."""
    if state not in ENDED:
        raise TransitionError(f"{state} does not end a job.", hint=f"choose from {', '.join(sorted(ENDED))}")
    connection.execute(
        text(
            """
            UPDATE s4c.job
            SET state = CAST(:state AS s4c.job_state), reason = :reason, detail = :detail,
                counts = counts || CAST(:counts AS jsonb), ended_at = clock_timestamp()
            WHERE id = :id AND state NOT IN ('succeeded', 'failed', 'cancelled', 'skipped')
            """
        ),
        {
            "state": state,
            "reason": reason,
            "detail": detail,
            "counts": json.dumps(dict(counts or {})),
            "id": job_id,
        },
    )
    return get_job(connection, job_id)


def add_counts(connection: Connection, job_id: int, counts: Mapping[str, int]) -> None:
    """Add numbers to a job's counts; parallel tasks of one job may do so at once."""
    current = connection.execute(
        text("SELECT counts FROM s4c.job WHERE id = :id FOR UPDATE"), {"id": job_id}
    ).scalar_one()
    summed = {**current, **{key: int(current.get(key, 0)) + value for key, value in counts.items()}}
    connection.execute(
        text("UPDATE s4c.job SET counts = CAST(:counts AS jsonb) WHERE id = :id"),
        {"counts": json.dumps(summed), "id": job_id},
    )


def acknowledge(connection: Connection, job_id: int, actor: str) -> Job:
    """Accept a failed job, so that later runs of its processor need not wait for it."""
    job = get_job(connection, job_id)
    if job.state is not JobState.FAILED:
        raise TransitionError(f"Job {job_id} is {job.state}; only a failed job is acknowledged.")
    connection.execute(
        text("UPDATE s4c.job SET acknowledged_by = :actor WHERE id = :id"), {"actor": actor, "id": job_id}
    )
    return get_job(connection, job_id)


def blocking_jobs(connection: Connection, season_id: int, processor: str, as_of: date) -> list[Job]:
    """Return the earlier as-of dates that hold a run back (rule R5): unfinished, or failed and not acknowledged.

    Only the newest job of each as-of date counts: a failed run that was repeated with success blocks nothing. A run by
    hand on chosen tiles or products neither blocks nor stands for the whole one.
    """
    statement = text(
        f"""
        SELECT {_COLUMNS} FROM (
            SELECT DISTINCT ON (as_of) * FROM s4c.job
            WHERE season_id = :season_id AND processor_id = :processor_id AND as_of < :as_of
              AND COALESCE(params -> 'tiles', '[]') IN ('[]', 'null')
              AND COALESCE(params -> 'products', '[]') IN ('[]', 'null')
            ORDER BY as_of, submitted_at DESC, id DESC
        ) j
        WHERE j.state NOT IN ('succeeded', 'skipped', 'cancelled')
          AND NOT (j.state = 'failed' AND j.acknowledged_by IS NOT NULL)
        ORDER BY j.as_of
        """
    )
    values = {"season_id": season_id, "processor_id": PROCESSORS[processor], "as_of": as_of}
    return [_job(row) for row in connection.execute(statement, values).mappings()]
