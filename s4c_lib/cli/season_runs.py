"""``s4c season readiness`` and ``s4c season backfill``: what holds runs back, and runs of the past."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, SeasonName, SiteName, any_processor, examples, processor
from s4c_lib.cli.output import note, print_json, print_records, print_table, progress, say
from s4c_lib.cli.session import Session, named_season, session_of
from s4c_lib.errors import EXIT_FAILED
from s4c_lib.scheduling.schedules import CatchupPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from s4c_lib.airflow_api import AirflowApi
    from s4c_lib.catalog.seasons import Season, SeasonProcessor
    from s4c_lib.catalog.sites import Site
    from s4c_lib.cli.backfill import PlannedBackfill


class Reprocess(StrEnum):
    """What a backfill does with dates that have a run already."""

    NONE = "none"
    FAILED = "failed"
    COMPLETED = "completed"


def register(app: typer.Typer) -> None:
    """Add the commands to the noun ``season``."""
    app.command(
        "readiness",
        epilog=examples(
            "s4c season readiness my_region 2026",
            "s4c season readiness my_region 2026 l4c",
            "s4c season readiness my_region 2026 --dates",
        ),
    )(readiness)
    app.command(
        "backfill",
        epilog=examples(
            "s4c season backfill my_region 2024 --dry-run",
            "s4c season backfill my_region 2024 --wait",
            "s4c season backfill my_region 2024 --processor l4c --policy replay_all",
        ),
    )(backfill)


def readiness(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    only: Annotated[
        str | None, typer.Argument(parser=processor, metavar="PROCESSOR", help="Only this processor.")
    ] = None,
    dates: Annotated[
        bool, typer.Option("--dates", help="Instead, every date of the schedule and what became of it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether the last and the next run of each processor could start now, and what holds them back.

    Rules: R1 every query window is searched, R2 every acquisition is ready, R3 its products and statistics are made,
    R4 declarations and tables are given, R5 no earlier run is open, R6 few acquisitions failed for good.
    """
    from s4c_lib.catalog.seasons import season_processors

    session = session_of(context)
    with session.read() as connection:
        site, season = named_season(connection, site_name, season_name)
        entries = [
            entry
            for entry in season_processors(connection, season.id)
            if entry.processor == only or (only is None and entry.enabled)
        ]
        if dates:
            _print_dates(connection, site, season, entries, session.today(), as_json=as_json)
            return
        verdicts = [
            verdict for entry in entries for verdict in _verdicts(connection, site, season, entry, session.now())
        ]
    if as_json:
        print_json(verdicts)
        return
    if not verdicts:
        note("no processor is enabled for this season; see 's4c season processors'")
    for verdict in verdicts:
        state = "ready" if verdict["ready"] else "waits"
        if verdict["ready"] and not verdict["complete"]:
            state = "starts on partial inputs (its deadline has passed)"
        say(
            f"{verdict['processor']}: {verdict['which']} run, due {verdict['due']}, data until {verdict['as_of']}: "
            f"{state}"
        )
        print_table(("rule", "holds", "what"), [(rule["rule"], rule["ok"], rule["text"]) for rule in verdict["rules"]])
        for rule in verdict["rules"]:
            if not rule["ok"]:
                for item in rule["blocking"]:
                    say(f"  {rule['rule']}: {item}")
                if rule["count"] > len(rule["blocking"]) > 0:
                    say(f"  {rule['rule']}: and {rule['count'] - len(rule['blocking'])} more")
        for waiver in verdict["waivers"]:
            name = waiver.get("acquisition") or waiver["product"]
            say(f"  waived by {waiver['by']}: {name} ({waiver['reason']})")
        if verdict["left_out"] and verdict["which"] == "last":
            number = verdict["left_out"]
            words = "1 date has" if number == 1 else f"{number} dates have"
            say(f"  {words} no run (superseded); --dates lists them")
        say()


def _print_dates(
    connection: Connection,
    site: Site,
    season: Season,
    entries: Sequence[SeasonProcessor],
    today: date,
    *,
    as_json: bool,
) -> None:
    from s4c_lib.catalog.config_values import snapshot
    from s4c_lib.catalog.occurrences import list_occurrences

    grace = int(snapshot(connection, today=today, site=site, season=season)["schedule.grace_months"])
    records = [
        {
            "processor": entry.processor,
            "due": item.due,
            "as_of": item.as_of,
            "state": item.state,
            "reason": item.reason,
            "job": item.job_id,
        }
        for entry in entries
        for item in list_occurrences(connection, season, entry, today=today, grace_months=grace)
    ]
    columns = {
        "processor": "processor",
        "due": "due",
        "as_of": "as of",
        "state": "state",
        "reason": "why",
        "job": "job",
    }
    print_records(records, columns, as_json=as_json, none="no date is scheduled")


def _verdicts(
    connection: Connection, site: Site, season: Season, entry: SeasonProcessor, now: datetime
) -> list[dict[str, Any]]:
    """Return the verdict on the last run due and on the next one of a processor."""
    from s4c_lib.catalog.config_values import snapshot
    from s4c_lib.catalog.jobs import SkipReason
    from s4c_lib.catalog.occurrences import list_occurrences
    from s4c_lib.catalog.readiness import evaluate
    from s4c_lib.scheduling.dates import midnight
    from s4c_lib.scheduling.schedules import as_of, runs

    parameters = snapshot(connection, today=now.date(), site=site, season=season)
    dates = runs(entry.processor, entry.schedule, season.dates, int(parameters["schedule.grace_months"]))
    fates = list_occurrences(
        connection, season, entry, today=now.date(), grace_months=int(parameters["schedule.grace_months"])
    )
    left_out = sum(item.reason == SkipReason.SUPERSEDED for item in fates)
    last = max((day for day in dates if day <= now.date()), default=None)
    upcoming = min((day for day in dates if day > now.date()), default=None)
    found = []
    for which, due in (("last", last), ("next", upcoming)):
        if due is None:
            continue
        verdict = evaluate(
            connection,
            season,
            entry.processor,
            interval_start=season.dates.start,
            as_of=as_of(due, season.dates),
            due=midnight(due),
            now=now,
            snapshot=parameters,
        )
        found.append(
            {
                "processor": entry.processor,
                "which": which,
                "due": due,
                "as_of": as_of(due, season.dates),
                "left_out": left_out,
                **verdict.as_json(),
            }
        )
    return found


def backfill(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--processor", parser=any_processor, metavar="PROCESSOR", help="ingest or an L4 processor; repeatable."
        ),
    ] = None,
    policy: Annotated[
        CatchupPolicy | None,
        typer.Option(help="Which of the dates already due are run; default for a past season: final_only."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only ask Airflow what it would run.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the runs until they end.")] = False,
    reprocess: Annotated[
        Reprocess, typer.Option(help="Dates that have a run: leave them, or repeat failed or completed ones.")
    ] = Reprocess.NONE,
    poll: Annotated[float, typer.Option(min=0.1, hidden=True)] = 5.0,
    patience: Annotated[float, typer.Option(min=0, hidden=True)] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Run what a season has missed: Airflow backfills, ingest first, then the products.

    With --wait the products start when ingest has ended, and the command ends with a table of all runs. Without it
    everything is created at once: a product's run waits by itself until its inputs are there. After an interruption
    the same command goes on: what has run stays, and --wait also follows what is still under way.
    """
    from s4c_lib.airflow_api import AirflowApi
    from s4c_lib.cli.backfill import check, create, nothing_left, plan_backfills

    session = session_of(context)
    with session.read() as connection:
        site, season = named_season(connection, site_name, season_name)
        plans = plan_backfills(connection, site, season, only, policy, session.now())
    session.export()
    with AirflowApi.from_settings(session.settings) as api:
        with progress("asking Airflow") as step:
            # all are looked at before any is created
            for plan in plans:
                follows = wait and not dry_run and reprocess is Reprocess.NONE
                plan.dates = check(api, plan, reprocess, step, take_up=follows, patience=patience)
        _print_plans(plans, as_json and not wait, to_result=dry_run or not wait)
        if not any(plan.dates for plan in plans):
            raise nothing_left(plans, reprocess)
        if dry_run:
            note("nothing was created (--dry-run)")
            return
        created, succeeded = [], True
        for plan in (item for item in plans if item.dates):
            if plan.number is None:
                create(api, plan, reprocess)
                note(f"backfill {plan.number} of {plan.dag_id}: {len(plan.dates)} runs")
            else:
                note(f"backfill {plan.number} of {plan.dag_id} is under way: {len(plan.dates)} runs left")
            created.append(plan)
            if wait and plan.processor == "ingest":
                succeeded = _follow(session, season, api, [plan], poll)
                if not succeeded:
                    note("ingest did not succeed, so the products were not started")
                    break
        if not wait:
            note(
                f"follow them in Airflow, or with: s4c jobs list --site {site.short_name} --season {season.short_name}"
            )
            return
        if products := [plan for plan in created if plan.processor != "ingest"]:
            succeeded &= _follow(session, season, api, products, poll)
        _print_runs(session, api, season, created, as_json)
    if not succeeded:
        raise typer.Exit(EXIT_FAILED)


def _print_plans(plans: Sequence[PlannedBackfill], as_json: bool, *, to_result: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "dag_id": plan.dag_id,
                    "processor": plan.processor,
                    "policy": plan.policy,
                    "from": plan.from_date.date(),
                    "to": plan.to_date.date(),
                    "runs": [text[:10] for text in plan.dates],
                    "left_out": plan.superseded,
                }
                for plan in plans
            ]
        )
    elif to_result:
        print_table(
            ("DAG", "policy", "from", "to", "runs to make", "dates left out"),
            [
                (
                    plan.dag_id,
                    plan.policy,
                    plan.from_date.date(),
                    plan.to_date.date(),
                    len(plan.dates),
                    len(plan.superseded),
                )
                for plan in plans
            ],
        )


def _follow(session: Session, season: Season, api: AirflowApi, plans: Sequence[PlannedBackfill], poll: float) -> bool:
    """Show the runs of backfills until all have ended; True when none failed."""
    from s4c_lib.cli.backfill import follow

    try:
        with progress("runs ended") as step:
            return follow(api, plans, step, waiting_for=_waiting_for(session, season), poll=poll)
    except KeyboardInterrupt:
        note("the runs go on in Airflow; the same command follows them again, and starts what comes after them")
        raise


def _waiting_for(session: Session, season: Season) -> Callable[[str, str], str]:
    """Return a function that says what a run waits for."""
    from s4c_lib.catalog.jobs import JobState, find_job
    from s4c_lib.cli.jobs import why

    def ask(processor: str, run_id: str) -> str:
        with session.read() as connection:
            job = find_job(connection, season.id, processor, run_id)
        return "" if job is None or job.state is not JobState.WAITING_INPUTS else f"waits: {why(job)}"

    return ask


def _print_runs(
    session: Session, api: AirflowApi, season: Season, plans: Sequence[PlannedBackfill], as_json: bool
) -> None:
    from s4c_lib.catalog.jobs import find_job
    from s4c_lib.cli.backfill import own_runs

    records = []
    with session.read() as connection:
        for plan in plans:
            for run in own_runs(api, plan):
                job = find_job(connection, season.id, plan.processor, run.run_id)
                records.append(
                    {
                        "dag_id": plan.dag_id,
                        "run_id": run.run_id,
                        "run_state": run.state,
                        "job": None if job is None else job.id,
                        "job_state": None if job is None else job.state,
                        "as_of": None if job is None else job.as_of,
                        "why": None if job is None else job.detail,
                    }
                )
    if as_json:
        print_json(records)
        return
    columns = ("dag_id", "run_id", "run_state", "job", "job_state", "as_of", "why")
    print_table(("DAG", "run", "state", "job", "job state", "as of", "why"), [[r[c] for c in columns] for r in records])
