"""Runs that ended without closing their job: found, and their lock and leases given back."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from s4c_lib.catalog import derivations, jobs, transfers, unit_claims
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.job_liveness import shows_life
from s4c_lib.catalog.jobs import Job, JobState

log = structlog.get_logger(__name__)

SETTLING = timedelta(seconds=2)


def process_gone(connection: Connection, job: Job, now: datetime) -> bool:
    """Tell whether a running job of the command line has lost its process, on whatever machine it ran.

    A process that has only just started its job may not have shown itself yet, so young jobs are left alone.
    """
    if job.state is not JobState.RUNNING or job.start_type != "command_line" or job.started_at is None:
        return False
    return now - job.started_at >= SETTLING and not shows_life(connection, job.id)


def release_dead(database: Database, job: Job, *, now: datetime) -> bool:
    """End a running job of the command line whose process is gone; True if it was."""
    with database.begin() as connection:
        if not process_gone(connection, job, now):
            return False
        give_back(connection, job.id)
        jobs.finish(connection, job.id, JobState.FAILED, reason="lost", detail="its process is gone")
    log.warning("lost job closed", job=job.id, detail="its process is gone")
    return True


def release_lost(database: Database, job_id: int, run_state: str | None) -> bool:
    """End the job of an Airflow run that is over or gone (killed, deleted, marked by hand); True if it was open."""
    if run_state in {"queued", "running"}:
        return False
    with database.begin() as connection:
        job = jobs.get_job(connection, job_id)
        if job.ended:
            return False
        text = "Airflow no longer knows the run" if run_state is None else f"its Airflow run ended {run_state}"
        give_back(connection, job_id)
        jobs.finish(connection, job_id, JobState.FAILED, reason="lost", detail=text)
    log.warning("lost job closed", job=job_id, detail=text)
    return True


def give_back(connection: Connection, job_id: int) -> None:
    """Free what the run held, so that the next one need not wait for its leases to end."""
    prefix = f"job {job_id} "
    transfers.give_back(connection, prefix)
    unit_claims.give_back(connection, prefix)
    derivations.give_back(connection, prefix)
