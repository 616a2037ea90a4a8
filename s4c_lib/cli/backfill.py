"""Backfills of a season: which dates, in which order, and following them through Airflow's REST API."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from s4c_lib.airflow_api import ACTIVE_RUN_STATES
from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.manifest_export import build_manifest, dag_id
from s4c_lib.catalog.occurrences import policy_of
from s4c_lib.catalog.seasons import season_processors
from s4c_lib.cli.output import Step
from s4c_lib.errors import AirflowApiError, ConflictError, InputError, NotFoundError, NothingToDoError
from s4c_lib.scheduling.dates import midnight
from s4c_lib.scheduling.schedules import CatchupPolicy, catch_up

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from s4c_lib.airflow_api import AirflowApi, Backfill, Run
    from s4c_lib.catalog.seasons import Season
    from s4c_lib.catalog.sites import Site
    from s4c_lib.manifest import DagEntry

_LOOK_AGAIN_SECONDS = 2.0
# Whoever waits for a run that computes for minutes sees that it does.
_SIGN_OF_LIFE_SECONDS = 30.0


@dataclass(slots=True)
class PlannedBackfill:
    """One backfill to create.

    Attributes
    ----------
    from_date, to_date : first and last logical date.
    policy : which of the dates already due are run; ``all`` for ingest, which runs every interval.
    superseded : dates left out by the policy.
    dates : logical dates Airflow says it would run.
    number : Airflow's number of it, once it is created; from the start when it is one that is under way already.
    present : runs of its dates that there were before it, by state.
    """

    processor: str
    dag_id: str
    from_date: datetime
    to_date: datetime
    policy: str
    superseded: tuple[date, ...] = ()
    dates: list[str] = field(default_factory=list)
    number: int | None = None
    present: Counter[str] = field(default_factory=Counter)


def plan_backfills(
    connection: Connection,
    site: Site,
    season: Season,
    only: Sequence[str] | None,
    policy: CatchupPolicy | None,
    now: datetime,
) -> list[PlannedBackfill]:
    """Return the backfills of a season, ingest first, each with its range of logical dates.

    Raises
    ------
    ConflictError : the site, the season or a named processor is disabled: its runs would be skipped.
    NothingToDoError : no date is due yet.
    """
    for what, name, enabled in (("site", site.short_name, site.enabled), ("season", season.short_name, season.enabled)):
        if not enabled:
            argument = name if what == "site" else f"{site.short_name} {name}"
            raise ConflictError(
                f"The {what} {name!r} is disabled, so its runs would be skipped.",
                hint=f"s4c {what} enable {argument}",
            )
    manifest = build_manifest(connection, today=now.date(), has_active_runs=lambda _: False)
    entries = {entry.dag_id: entry for entry in manifest.dags}
    enabled_here = [entry.processor for entry in season_processors(connection, season.id) if entry.enabled]
    order = ["ingest", *enabled_here]
    if strangers := sorted(set(only or ()) - set(order)):
        raise ConflictError(
            f"{strangers[0]} is switched off in season {season.short_name!r} of site {site.short_name!r}.",
            hint=f"s4c season processors {site.short_name} {season.short_name} --on {strangers[0]}",
        )
    chosen = policy or policy_of(season, snapshot(connection, today=now.date(), site=site, season=season), now.date())
    plans = []
    for processor in order:
        if only and processor not in only:
            continue
        entry = entries[dag_id(site.short_name, season.short_name, processor)]
        plan = _ingest(entry, now) if entry.interval is not None else _product(entry, chosen, now)
        if plan is not None:
            plans.append(plan)
    if not plans:
        raise NothingToDoError(
            f"No run of season {season.short_name!r} counts yet with the policy {chosen}.",
            hint=f"'s4c season show {site.short_name} {season.short_name}' lists the dates",
        )
    return plans


def _ingest(entry: DagEntry, now: datetime) -> PlannedBackfill | None:
    """Return the backfill of all intervals that have ended."""
    assert entry.interval is not None
    start, stop = (date.fromisoformat(text) for text in entry.interval[:2])
    starts = []
    while start < stop:
        end = min(start + timedelta(days=entry.interval[2]), stop)
        if midnight(end) < now:
            starts.append(start)
        start = end
    if not starts:
        return None
    return PlannedBackfill(entry.processor, entry.dag_id, midnight(starts[0]), midnight(starts[-1]), "all")


def _product(entry: DagEntry, policy: CatchupPolicy, now: datetime) -> PlannedBackfill | None:
    dates = [date.fromisoformat(text) for text in entry.dates]
    # a date is due from its first moment, so today's counts as missed
    kept, superseded = catch_up(dates, now.date() + timedelta(days=1), policy)
    if not kept:
        return None
    return PlannedBackfill(
        entry.processor, entry.dag_id, midnight(kept[0]), midnight(kept[-1]), str(policy), tuple(superseded)
    )


def check(
    api: AirflowApi,
    plan: PlannedBackfill,
    reprocess: str,
    progress: Step,
    *,
    take_up: bool,
    patience: float,
    sleep: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Return the logical dates that a backfill would run now; waits for a DAG that Airflow has not read yet.

    Parameters
    ----------
    take_up : a backfill of the same dates that is under way becomes this one, ``plan.number``, with what is left of it.

    Raises
    ------
    ConflictError : the DAG is paused, or another backfill of it is under way.
    AirflowApiError : Airflow does not know the DAG in time.
    """
    waited = said = 0.0
    while True:
        found = _look(api, plan, reprocess, take_up)
        if found is not None:
            progress(0, 0, f"{plan.dag_id}: {_counted(len(found), 'run')}")
            return found
        if waited >= patience:
            raise AirflowApiError(
                f"Airflow does not know {plan.dag_id} with its present dates after {patience:.0f} s.",
                hint="is its DAG processor running, with the same S4C_MANIFEST_PATH? see 's4c doctor'",
            )
        if not waited or waited - said >= _SIGN_OF_LIFE_SECONDS:
            progress(0, 0, f"waiting until Airflow is ready for a backfill of {plan.dag_id}")
            said = waited
        pause = min(_LOOK_AGAIN_SECONDS, max(patience - waited, 0.05))
        sleep(pause)
        waited += pause


def _look(api: AirflowApi, plan: PlannedBackfill, reprocess: str, take_up: bool) -> list[str] | None:
    """Return what a backfill would run, or None when Airflow has yet to read the DAG or to close a backfill."""
    try:
        known = api.dag(plan.dag_id)
    except NotFoundError:
        return None
    if known["is_stale"]:
        return None
    if known["is_paused"]:
        raise ConflictError(
            f"{plan.dag_id} is paused: its backfill would stay queued in silence.",
            hint="unpause it in Airflow, then repeat the command",
        )
    plan.number = None
    running = api.backfills(plan.dag_id, active=True)
    closing = bool(running) and not api.has_active_runs(plan.dag_id)
    if running and not closing:
        if not (take_up and _same_dates(running[0], plan)):
            raise ConflictError(
                f"Backfill {running[0].id} of {plan.dag_id} ({running[0].from_date[:10]} to {running[0].to_date[:10]}) "
                "is under way.",
                hint="the same command with --wait follows it; else wait until it ends, or cancel it in Airflow",
            )
        plan.number = running[0].id
    try:
        dates = api.preview_backfill(plan.dag_id, plan.from_date, plan.to_date, reprocess=reprocess)
    except (NotFoundError, InputError):
        # an unscheduled version of the DAG is in force until Airflow reads the manifest again
        return None
    runs = api.runs_between(plan.dag_id, plan.from_date, plan.to_date)
    if not dates and not runs:
        return None
    if dates and closing:
        # the runs of the earlier backfill have ended; Airflow closes it within the minute, and only then makes another
        return None
    if plan.number is not None:
        dates += [run.logical_date.isoformat() for run in runs if run.state in ACTIVE_RUN_STATES]
    plan.present = Counter(run.state for run in runs)
    return sorted(dates)


def nothing_left(plans: Sequence[PlannedBackfill], reprocess: str) -> NothingToDoError:
    """Return the error that says how the runs of backfills stand which have nothing to run."""
    states = sum((plan.present for plan in plans), Counter())
    number = states.total()
    if set(states) == {"success"}:
        which = "run of this backfill has" if number == 1 else f"{number} runs of this backfill have"
        return NothingToDoError(
            f"{'The only' if number == 1 else 'All'} {which} succeeded already.",
            hint=f"repeat {'it' if number == 1 else 'them'} with --reprocess completed",
        )
    again = "--reprocess completed repeats those that have ended"
    if states["failed"] and reprocess == "none":
        again = "--reprocess failed repeats those that failed"
    elif any(states[state] for state in ACTIVE_RUN_STATES):
        again = "wait until those under way have ended"
    return NothingToDoError(f"Every run of this backfill exists already: {_by_state(states)}.", hint=again)


def _by_state(states: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def _same_dates(running: Backfill, plan: PlannedBackfill) -> bool:
    first, last = (datetime.fromisoformat(text) for text in (running.from_date, running.to_date))
    return (first, last) == (plan.from_date, plan.to_date)


def create(api: AirflowApi, plan: PlannedBackfill, reprocess: str) -> int:
    """Create a backfill and return its number."""
    plan.number = api.create_backfill(plan.dag_id, plan.from_date, plan.to_date, reprocess=reprocess).id
    return plan.number


def own_runs(api: AirflowApi, plan: PlannedBackfill) -> list[Run]:
    """Return the runs of a backfill: those of its dates, not the ones an earlier backfill left beside them."""
    dates = {datetime.fromisoformat(text) for text in plan.dates}
    runs = api.runs_between(plan.dag_id, plan.from_date, plan.to_date, run_type="backfill")
    return [run for run in runs if run.logical_date in dates]


def follow(
    api: AirflowApi,
    plans: Sequence[PlannedBackfill],
    progress: Step,
    *,
    waiting_for: Callable[[str, str], str],
    poll: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Wait until every run of some backfills has ended; True when none failed.

    Parameters
    ----------
    waiting_for : says of a run (processor, run id) what it waits for, or nothing.
    clock : seconds; when nothing has changed for half a minute, what runs is said with the time it has taken.
    """
    last, said_at = "", clock()
    running_since: dict[tuple[str, str], float] = {}
    while True:
        found: list[tuple[PlannedBackfill, Run]] = []
        open_plans = 0
        for plan in plans:
            runs = own_runs(api, plan)
            found += [(plan, run) for run in runs]
            active = any(run.state in ACTIVE_RUN_STATES for run in runs)
            # Airflow makes the runs after it has answered; a backfill that is completed makes no more.
            open_plans += active or (len(runs) < len(plan.dates) and not _completed(api, plan))
        ended = sum(run.state not in ACTIVE_RUN_STATES for _, run in found)
        running = [(plan, run) for plan, run in found if run.state == "running"]
        now = clock()
        running_since = {
            (plan.dag_id, run.run_id): running_since.get((plan.dag_id, run.run_id), now) for plan, run in running
        }
        text = _described(found, waiting_for)
        if text != last:
            progress(ended, sum(len(plan.dates) for plan in plans), text)
            last, said_at = text, now
        elif running and now - said_at >= _SIGN_OF_LIFE_SECONDS:
            signs = [
                _sign_of_life(api, plan, run, waiting_for, now - running_since[plan.dag_id, run.run_id])
                for plan, run in running[:2]
            ]
            progress(ended, sum(len(plan.dates) for plan in plans), "; ".join(signs))
            said_at = now
        if not open_plans:
            return all(run.state == "success" for _, run in found)
        sleep(poll)


def _completed(api: AirflowApi, plan: PlannedBackfill) -> bool:
    return all(item.id != plan.number for item in api.backfills(plan.dag_id, active=True))


def _described(found: Sequence[tuple[PlannedBackfill, Run]], waiting_for: Callable[[str, str], str]) -> str:
    counts = Counter(run.state for _, run in found)
    reasons = [
        f"{plan.processor} {reason}"
        for plan, run in found
        if run.state == "running" and (reason := waiting_for(plan.processor, run.run_id))
    ]
    return "; ".join([_by_state(counts) or "no run yet", *reasons[:2]])


def _sign_of_life(
    api: AirflowApi, plan: PlannedBackfill, run: Run, waiting_for: Callable[[str, str], str], seconds: float
) -> str:
    """Say for how long a run has been seen running, and which tasks it is at or what it waits for."""
    took = f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
    what = f"{plan.processor} of {run.logical_date:%Y-%m-%d}"
    if reason := waiting_for(plan.processor, run.run_id):
        return f"{what} {reason} (for {took})"
    tasks = Counter(api.running_tasks(plan.dag_id, run.run_id))
    names = ", ".join(name if count == 1 else f"{count} {name}" for name, count in sorted(tasks.items()))
    return f"{what} running for {took}: {names or 'between two tasks'}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
