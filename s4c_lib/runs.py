"""The life of a run: opened, made to wait, started under the lock, closed. Whoever starts it calls this.

Airflow tasks and the command line use the same functions, so a scheduled, a backfilled and a manual run obey
the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from s4c_lib.catalog import fingerprints, jobs, parcel_sets, products, readiness
from s4c_lib.catalog.choice_checks import check_chosen, of_same_acquisition
from s4c_lib.catalog.config_values import snapshot as resolve_snapshot
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import Job, JobState, SkipReason
from s4c_lib.catalog.readiness import Readiness
from s4c_lib.catalog.seasons import Season, get_season, season_by_id, season_processors
from s4c_lib.catalog.sites import get_site
from s4c_lib.chosen_inputs import ChosenInputs
from s4c_lib.errors import ConflictError
from s4c_lib.ingest.context import load_context
from s4c_lib.ingest.steps import has_work, nothing_to_do
from s4c_lib.ingest.unfetched import Unfetched
from s4c_lib.lost_runs import process_gone, release_dead, release_lost
from s4c_lib.parameters import Snapshot
from s4c_lib.processors import required_types
from s4c_lib.run_requests import RunRequest, check_options, checked_settings, ingest_before, interval_of
from s4c_lib.scheduling.dates import Phase, midnight

__all__ = [
    "Opening",
    "RunRequest",
    "close_run",
    "fail_request",
    "fail_run",
    "ingest_before",
    "may_start",
    "missing_types",
    "open_run",
    "release_dead",
    "release_lost",
]


@dataclass(frozen=True, slots=True)
class Opening:
    """How opening a run ended.

    Attributes
    ----------
    status : ``started`` (the lock is held), ``waiting`` or ``skipped``.
    text : why it waits or was skipped.
    holder : the job whose lock it waits for.
    """

    job_id: int
    status: str
    text: str = ""
    holder: Job | None = None
    first_check_seconds: float = 10.0
    poll_seconds: float = 60.0


def open_run(database: Database, request: RunRequest, *, now: datetime) -> Opening:
    """Make a run's job and start it, if its inputs are there and no other run of its kind is under way.

    Called again with the same request, it goes on where it was.

    Raises
    ------
    InputError, ParameterError : the request's options or settings are wrong, or a tile or product it chooses is not
        one the run can read; it then has no job.
    """
    with database.begin() as connection:
        site = get_site(connection, request.site)
        season = get_season(connection, site, request.season)
        check_options(request)
        settings = checked_settings(request)
        snapshot = resolve_snapshot(connection, today=now.date(), site=site, season=season, job_values=settings)
        interval_start, as_of = interval_of(request, season, now)
        chosen = ChosenInputs.of(request.options)
        if chosen.as_json():
            check_chosen(
                connection, site, request.processor, snapshot, chosen, interval_start=interval_start, as_of=as_of
            )
        job = jobs.find_job(connection, season.id, request.processor, request.key)
        if job is None or job.ended:
            job = jobs.open_job(
                connection,
                season,
                request.processor,
                job_key=request.key,
                start_type=request.start_type,
                interval_start=interval_start,
                as_of=as_of,
                params={
                    **request.options,
                    **chosen.as_json(),
                    "settings": settings,
                    "occurrence": None if request.occurrence is None else request.occurrence.isoformat(),
                },
                snapshot=snapshot,
                requested_by=request.requested_by,
                airflow_dag_id=request.airflow_dag_id,
                airflow_run_id=request.airflow_run_id,
            )
        if job.state is JobState.RUNNING:
            return Opening(job.id, "started")
        if not (site.enabled and season.enabled and _processor_enabled(connection, season, request.processor)):
            text = f"{request.processor} of season {season.short_name!r} of site {site.short_name!r} is disabled"
            return _skip(connection, job, SkipReason.DISABLED, text)
    if request.processor == "ingest":
        return _open_ingest(database, job, request, now, snapshot)
    return _open_product_run(database, job, season, request, now, snapshot)


def _processor_enabled(connection: Connection, season: Season, processor: str) -> bool:
    if processor == "ingest":
        return True
    return any(item.processor == processor and item.enabled for item in season_processors(connection, season.id))


def _skip(connection: Connection, job: Job, reason: SkipReason, text: str) -> Opening:
    jobs.finish(connection, job.id, JobState.SKIPPED, reason=str(reason), detail=text)
    return Opening(job.id, "skipped", f"skipped({reason}): {text}")


def _open_ingest(database: Database, job: Job, request: RunRequest, now: datetime, snapshot: Snapshot) -> Opening:
    context = load_context(database, job.season_id, today=now.date(), before=ingest_before(request), job_id=job.id)
    if not context.sources:
        with database.begin() as connection:
            text = "no satellite is enabled, or none has a data source; see 's4c source list'"
            return _skip(connection, job, SkipReason.DISABLED, text)
    if not request.options.get("requery") and not has_work(database, context, now):
        text = nothing_to_do(database, context, now)
        with database.begin() as connection:
            return _skip(connection, job, SkipReason.NO_WORK, text)
    return _take_lock(database, job, snapshot)


def _open_product_run(
    database: Database, job: Job, season: Season, request: RunRequest, now: datetime, snapshot: Snapshot
) -> Opening:
    with database.begin() as connection:
        if request.after is not None:
            # Airflow starts runs of a backfill together: a later one may get here first
            text = f"waits for run {request.after}, which is due earlier"
            jobs.wait(connection, job.id, {"ready": False, "rules": [], "lock": text})
            _give_up_after(job, now, snapshot, text)
            return _waiting(job, text, snapshot)
        verdict = _judge(connection, job, season, snapshot, now)
        if not verdict.ready:
            jobs.wait(connection, job.id, verdict.as_json())
            _give_up_after(job, now, snapshot, verdict.reason)
            return _waiting(job, verdict.reason, snapshot)
        jobs.judge(connection, job.id, verdict.as_json(), complete=verdict.complete)
        missing = missing_types(connection, job, snapshot)
        if missing:
            among = " among those chosen" if ChosenInputs.of(job.params).as_json() else ""
            text = f"no product of type {', '.join(missing)} between {job.interval_start} and {job.as_of}{among}"
            return _skip(connection, job, SkipReason.NO_INPUTS, text)
        fingerprint = _fix_inputs(connection, job, season, snapshot, now)
        same = None if request.options.get("force") else fingerprints.same_as(connection, job, fingerprint)
        if same is not None:
            text = f"nothing changed since job {same.id} (as of {same.as_of}); 'force' runs all the same"
            return _skip(connection, job, SkipReason.SAME_INPUTS, text)
    return _take_lock(database, job, snapshot)


def _fix_inputs(connection: Connection, job: Job, season: Season, snapshot: Snapshot, now: datetime) -> str:
    """Record what a run reads, keep its parcels from being removed, and return its fingerprint."""
    inputs = fingerprints.present_inputs(
        connection,
        season,
        job.processor,
        snapshot,
        interval_start=job.interval_start,
        today=now.date(),
        chosen=ChosenInputs.of(job.params),
    )
    files = fingerprints.files_read(connection, inputs, job.interval_start, job.as_of)
    fingerprint = fingerprints.fix(connection, job, inputs, files)
    parcel_sets.record_use(connection, inputs.parcel_set_id, job_id=job.id)
    return fingerprint


def _due(job: Job) -> datetime:
    """Return when a run was due: its occurrence, or the moment it was asked for."""
    occurrence = job.params.get("occurrence")
    return job.submitted_at if occurrence is None else midnight(date.fromisoformat(occurrence))


def missing_types(connection: Connection, job: Job, snapshot: Snapshot) -> list[str]:
    """Return the required product types of which a run's interval, or what was chosen of it, holds no product."""
    chosen = ChosenInputs.of(job.params)
    wanted = set(of_same_acquisition(connection, chosen.products)) if chosen.products else None
    first, stop = midnight(job.interval_start), midnight(job.as_of + timedelta(days=1))

    def exists(name: str) -> bool:
        found = products.list_products(
            connection, job.site_id, product_type=name, date_from=first, date_to=stop, tiles=chosen.tiles or None
        )
        return any(wanted is None or item.id in wanted for item in found)

    groups = required_types(job.processor, snapshot)
    return [" or ".join(group) for group in groups if not any(exists(name) for name in group)]


def _judge(connection: Connection, job: Job, season: Season, snapshot: Snapshot, now: datetime) -> Readiness:
    return readiness.evaluate(
        connection,
        season,
        job.processor,
        interval_start=job.interval_start,
        as_of=job.as_of,
        due=_due(job),
        now=now,
        snapshot=snapshot,
        phase=_phase(job, season, snapshot, now),
        without_waiting=bool(job.params.get("without_waiting")),
        chosen=ChosenInputs.of(job.params),
    )


def _phase(job: Job, season: Season, snapshot: Snapshot, now: datetime) -> Phase:
    """Return the phase a run is judged by: a scheduled one by its due date, so its deadline outlives the season."""
    moment = _due(job) if job.start_type == "scheduled" else now
    return readiness.phase_of(season, snapshot, moment.date())


def _waited_too_long(job: Job, now: datetime, snapshot: Snapshot) -> bool:
    return now - job.submitted_at > timedelta(days=float(snapshot["readiness.timeout_days"]))


def _give_up_after(job: Job, now: datetime, snapshot: Snapshot, reason: str) -> None:
    if _waited_too_long(job, now, snapshot):
        raise ConflictError(
            f"Job {job.id} has waited {snapshot['readiness.timeout_days']:g} days: {reason}.",
            hint="see 's4c season readiness'; readiness.timeout_days sets the limit",
        )


def _take_lock(database: Database, job: Job, snapshot: Snapshot) -> Opening:
    with database.begin() as connection:
        if jobs.try_start(connection, job.id):
            return Opening(job.id, "started")
        holder = jobs.running_job(connection, job.season_id, job.processor)
        text = f"job {holder.id} ({holder.start_type}) of this processor and season is running" if holder else "locked"
        jobs.wait(connection, job.id, {"ready": False, "rules": [], "lock": text})
        return _waiting(job, text, snapshot, holder)


def _waiting(job: Job, text: str, snapshot: Snapshot, holder: Job | None = None) -> Opening:
    return Opening(
        job.id,
        "waiting",
        text,
        holder,
        first_check_seconds=max(10.0, float(snapshot["readiness.first_check_seconds"])),
        poll_seconds=float(snapshot["readiness.poll_seconds"]),
    )


def may_start(database: Database, job_id: int, *, now: datetime) -> tuple[bool, str]:
    """Tell, without changing anything, whether a waiting run would start, be skipped or end now; and why not."""
    with database.begin() as connection:
        job = jobs.get_job(connection, job_id)
        if job.ended:
            return True, f"the job has ended ({job.state})"
        holder = jobs.running_job(connection, job.season_id, job.processor)
        if holder is not None and holder.id != job.id:
            if process_gone(connection, holder, now):
                return True, f"job {holder.id} was left by a process that died"
            return False, f"job {holder.id} ({holder.start_type}) of this processor and season is running"
        if job.processor == "ingest":
            return True, "the lock is free"
        season = season_by_id(connection, job.season_id)
        site = get_site(connection, season.site)
        if not (site.enabled and season.enabled and _processor_enabled(connection, season, job.processor)):
            return True, "disabled"
        snapshot = resolve_snapshot(
            connection, today=now.date(), site=site, season=season, job_values=job.params.get("settings", {})
        )
        verdict = _judge(connection, job, season, snapshot, now)
        if not verdict.ready and _waited_too_long(job, now, snapshot):
            return True, "waited too long"
        return verdict.ready, verdict.reason


def close_run(
    database: Database, job_id: int, *, failed_tasks: Mapping[str, str], unfetched: Unfetched | None = None
) -> Job:
    """End a run's job by what became of its tasks (task id to state, those not successful).

    A job that ended itself (skipped) stays as it is. An ingest that brought nothing because its sources take no
    account has failed, though each of its tasks did what it could (spec/README.md E1: never a success without a
    result); what only has to wait is said.

    Parameters
    ----------
    unfetched : of an ingest, what it leaves; see `s4c_lib.ingest.unfetched`.
    """
    with database.begin() as connection:
        job = jobs.get_job(connection, job_id)
        if not job.ended and job.state is not JobState.RUNNING:
            text = f"the job never started (it was {job.state})"
            return jobs.finish(connection, job_id, JobState.FAILED, reason="not_started", detail=text)
        if not failed_tasks:
            detail = None if unfetched is None else unfetched.text
            if unfetched is not None and unfetched.in_vain:
                return jobs.finish(connection, job_id, JobState.FAILED, reason="not_fetched", detail=detail)
            return jobs.finish(connection, job_id, JobState.SUCCEEDED, detail=detail)
        names = ", ".join(f"{task} ({state})" for task, state in sorted(failed_tasks.items()))
        return jobs.finish(connection, job_id, JobState.FAILED, reason="task_failed", detail=f"tasks: {names}")


def fail_run(database: Database, job_id: int, error: str, reason: str) -> Job:
    """End a run's job as failed, with the error in one line."""
    with database.begin() as connection:
        return jobs.finish(connection, job_id, JobState.FAILED, reason=reason, detail=error)


def fail_request(database: Database, request: RunRequest, error: Exception) -> Job | None:
    """End the job of a request that cannot be opened, so that its failure is on record; None when it has none."""
    with database.begin() as connection:
        site = get_site(connection, request.site)
        season = get_season(connection, site, request.season)
        job = jobs.find_job(connection, season.id, request.processor, request.key)
    return None if job is None else fail_run(database, job.id, str(error), getattr(error, "code", "internal"))
