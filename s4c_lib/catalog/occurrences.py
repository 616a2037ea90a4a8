"""What became of every date a product is due: it had a run, or it was left out, and why.

A date that the catch-up policy drops never had a run in Airflow, so no job stands for it; what became of it follows
from the schedule, the policy and the jobs there are, and stays true when one of them changes.

Source: operations.md §2.4 and §2.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, text

from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.jobs import JobState, SkipReason
from s4c_lib.catalog.seasons import Season, SeasonProcessor
from s4c_lib.catalog.vocabulary import PROCESSORS
from s4c_lib.parameters import Snapshot
from s4c_lib.scheduling.dates import Phase
from s4c_lib.scheduling.schedules import CatchupPolicy, as_of, catch_up, default_policy, occurrences, runs

PLANNED = "planned"
DUE = "due"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A date a product is due.

    Attributes
    ----------
    as_of : last acquisition date its run uses.
    state : that of its job; else ``skipped`` with a reason, ``due`` (its run has not begun) or ``planned``.
    reason : of a job that was skipped or failed; ``superseded`` or ``out_of_season`` of a date that gets no run.
    job_id : the newest job of the date.
    """

    due: date
    as_of: date
    state: str
    reason: str | None = None
    job_id: int | None = None


@dataclass(frozen=True, slots=True)
class OccurrenceJob:
    """The newest job of a date."""

    id: int
    state: JobState
    reason: str | None


def policy_of(season: Season, parameters: Snapshot, today: date) -> CatchupPolicy:
    """Return which missed dates of a season count: as the season says, else ``backfill.policy``, else by its phase.

    The default of ``backfill.policy`` is meant for past seasons; set somewhere, it counts for current ones too.
    """
    if season.catchup_policy is not None:
        return season.catchup_policy
    phase = season.dates.phase(today, int(parameters["schedule.grace_months"]))
    configured = not parameters.explain("backfill.policy").origin.startswith("default")
    if configured or phase is Phase.PAST:
        return CatchupPolicy(parameters["backfill.policy"])
    return default_policy(phase)


def list_occurrences(
    connection: Connection, season: Season, entry: SeasonProcessor, *, today: date, grace_months: int = 1
) -> list[Occurrence]:
    """Return every date a processor of a season is due, ascending, and what became of it."""
    policy = policy_of(season, snapshot(connection, today=today, season=season), today)
    return outcomes(
        season,
        occurrences(entry.schedule, season.dates, grace_months),
        runs(entry.processor, entry.schedule, season.dates, grace_months),
        _jobs(connection, season.id, entry.processor),
        policy,
        today,
    )


def outcomes(
    season: Season,
    every: Sequence[date],
    with_run: Sequence[date],
    jobs: Mapping[date, OccurrenceJob],
    policy: CatchupPolicy,
    today: date,
) -> list[Occurrence]:
    """Return what became of each date.

    Parameters
    ----------
    every : all dates of the schedule, ascending; those not in ``with_run`` are out of season.
    jobs : newest job of each date that has one.
    policy : which of the missed dates count.
    """
    # a date is due from its first moment, so today's counts as missed
    _, superseded = catch_up(with_run, today + timedelta(days=1), policy)
    dropped, real = set(superseded), set(with_run)
    last_with_job = max(jobs, default=date.min)
    replayed = policy is CatchupPolicy.REPLAY_ALL
    found = []
    for day in every:
        until = as_of(day, season.dates)
        job = jobs.get(day)
        if job is not None:
            found.append(Occurrence(day, until, str(job.state), job.reason, job.id))
        elif day not in real:
            found.append(Occurrence(day, until, str(JobState.SKIPPED), str(SkipReason.OUT_OF_SEASON)))
        elif day in dropped or (day < last_with_job and not replayed):
            found.append(Occurrence(day, until, str(JobState.SKIPPED), str(SkipReason.SUPERSEDED)))
        else:
            found.append(Occurrence(day, until, DUE if day <= today else PLANNED))
    return found


def _jobs(connection: Connection, season_id: int, processor: str) -> dict[date, OccurrenceJob]:
    statement = text(
        """
        SELECT DISTINCT ON (day) day, id, state, reason FROM (
            SELECT CAST(params ->> 'occurrence' AS date) AS day, id, state, reason, submitted_at FROM s4c.job
            WHERE season_id = :season_id AND processor_id = :processor_id AND start_type IN ('scheduled', 'backfill')
        ) j WHERE day IS NOT NULL ORDER BY day, submitted_at DESC, id DESC
        """
    )
    values = {"season_id": season_id, "processor_id": PROCESSORS[processor]}
    return {
        row.day: OccurrenceJob(row.id, JobState(row.state), row.reason) for row in connection.execute(statement, values)
    }
