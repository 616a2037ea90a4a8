"""``s4c jobs``: the runs of processors, as users see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, OfSeason, OfSite, any_processor, examples, noun
from s4c_lib.cli.output import print_record, print_records, print_table, say, size
from s4c_lib.cli.session import scope_of, session_of
from s4c_lib.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from s4c_lib.catalog.jobs import Job

app = noun("Jobs: the runs of the processors, what they wait for and how they ended.")

# Counts in the order of the work they are of, with those that begin with their name: l3b_failed behind l3b.
_ORDER = (
    "windows", "found", "new", "queued", "ignored", "rejected", "fetched", "fetch", "given_up", "registered", "shared",
    "waiting", "gone", "l2a", "s1", "l3b", "statistics",
    "parcels", "classified", "classes", "calibration", "validation", "confirmed", "contradicted", "cannot_tell",
)  # fmt: skip

Number = Annotated[int, typer.Argument(metavar="ID", help="Number of the job.")]


@app.command("list", epilog=examples("s4c jobs list --site my_region --state failed", "s4c jobs list --json"))
def list_jobs(
    context: typer.Context,
    site: OfSite = None,
    season: OfSeason = None,
    processor: Annotated[
        str | None, typer.Option(parser=any_processor, metavar="PROCESSOR", help="ingest or an L4 processor.")
    ] = None,
    state: Annotated[list[str] | None, typer.Option(metavar="STATE", help="Only in this state; repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most jobs shown.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from s4c_lib.catalog import jobs
    from s4c_lib.catalog.seasons import list_seasons

    known = [str(item) for item in jobs.JobState]
    if strangers := sorted(set(state or ()) - set(known)):
        raise InputError(f"There is no state {strangers[0]!r}.", hint=f"choose from {', '.join(known)}")
    states = [jobs.JobState(item) for item in state] if state else None
    with session_of(context).read() as connection:
        of_site, of_season = scope_of(connection, site, season)
        seasons = {item.id: item for item in list_seasons(connection, None if of_site is None else of_site.id)}
        chosen = list(seasons) if of_season is None else [of_season.id]
        found = [
            job
            for number in chosen
            for job in jobs.list_jobs(connection, season_id=number, processor=processor, states=states, limit=limit)
        ]
    found.sort(key=lambda job: (job.submitted_at, job.id), reverse=True)
    records = [
        {**record(job), "site": seasons[job.season_id].site, "season": seasons[job.season_id].short_name}
        for job in found[:limit]
    ]
    columns = {
        "id": "id",
        "site": "site",
        "season": "season",
        "processor": "processor",
        "start_type": "started by",
        "as_of": "as of",
        "state": "state",
        "why": "why",
        "submitted": "submitted",
        "ended": "ended",
    }
    print_records(records, columns, as_json=as_json, none="no job fits")


def record(job: Job) -> dict[str, Any]:
    """Return the fields of a job that lists show."""
    return {
        "id": job.id,
        "processor": job.processor,
        "start_type": job.start_type,
        "interval_start": job.interval_start,
        "as_of": job.as_of,
        "state": job.state,
        "reason": job.reason,
        "why": why(job),
        "acknowledged_by": job.acknowledged_by,
        "counts": job.counts,
        "submitted": job.submitted_at,
        "started": job.started_at,
        "ended": job.ended_at,
        "run": job.airflow_run_id,
    }


def why(job: Job) -> str:
    """Say in a line why a job stands where it stands; empty when there is nothing to say."""
    from s4c_lib.catalog.jobs import JobState

    if job.state is JobState.WAITING_INPUTS and job.readiness:
        blocking = [rule["text"] for rule in job.readiness.get("rules", []) if not rule["ok"]]
        return "; ".join([*blocking, *filter(None, [job.readiness.get("lock")])])
    return " ".join(": ".join(part for part in (job.reason, job.detail) if part).split())


@app.command(epilog=examples("s4c jobs show 12", "s4c jobs show 12 --json"))
def show(context: typer.Context, number: Number, as_json: AsJson = False) -> None:
    """Show a job: its interval, reason, readiness, counts, and the parameters it ran with."""
    from s4c_lib.catalog import jobs
    from s4c_lib.catalog.seasons import season_by_id

    with session_of(context).read() as connection:
        job = jobs.get_job(connection, number)
        season = season_by_id(connection, job.season_id)
    found = {"site": season.site, "season": season.short_name, **record(job)}
    details = {
        "inputs_complete": job.inputs_complete,
        "requested_by": job.requested_by,
        "dag": job.airflow_dag_id,
        "options": {key: value for key, value in job.params.items() if value not in (None, {}, [])},
        "config_hash": job.config_hash,
    }
    if as_json:
        extra = {"readiness": job.readiness, "config_snapshot": job.config_snapshot}
        print_record({**found, **details, **extra}, as_json=True)
        return
    print_record({**found, "counts": _counts(job.counts), **details}, as_json=False)
    if job.readiness and job.readiness.get("rules"):
        say()
        rules = job.readiness["rules"]
        print_table(
            ("rule", "held", "what"), [(rule["rule"], rule["ok"], rule["text"]) for rule in rules], title="readiness"
        )
    say()
    # numbers as they were given, not rounded
    values = {key: str(value) if isinstance(value, float) else value for key, value in job.config_snapshot.items()}
    print_table(("parameter", "value"), sorted(values.items(), key=lambda item: item[0]), title="parameters")


def _counts(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was counted in the order of the work, without what was nothing."""

    def place(key: str) -> tuple[int, str]:
        found = [number for number, name in enumerate(_ORDER) if key == name or key.startswith(f"{name}_")]
        return (found[0] if found else len(_ORDER), key)

    told = {key: counts[key] for key in sorted(counts, key=place) if counts[key]}
    return {key: size(value) if key.endswith("_bytes") else value for key, value in told.items()}


@app.command(epilog=examples("s4c jobs acknowledge 12"))
def acknowledge(context: typer.Context, number: Number) -> None:
    """Accept that a job failed, so that later runs of its processor need not wait for it."""
    from s4c_lib.catalog import jobs

    session = session_of(context)
    with session.read() as connection:
        job = jobs.acknowledge(connection, number, session.actor)
    say(f"job {job.id} ({job.processor} as of {job.as_of}) is acknowledged by {session.actor}")
