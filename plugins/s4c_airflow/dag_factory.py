"""From the manifest to DAGs: one per processor of a season and one for a site's declarations, of constant shape.

Reads one file; no database, no network, no clock. At task time only the DAG asked for is built.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Asset, get_parsing_context

from operators.base import OPEN_TASK, TASK_DEFAULTS
from operators.ingest import PlanStepOperator, QueryOperator, RegisterOperator, StepOperator
from operators.ingest_fetch import FetchOperator, PlanFetchOperator
from operators.season_run import CloseRunOperator, ComputeOperator, OpenRunOperator
from s4c_airflow.assets import product_asset, result_asset
from s4c_airflow.declarations_dag import declarations_dag
from s4c_airflow.failure_notifier import FailureNotifier
from s4c_airflow.forms import form
from s4c_airflow.timetables import IngestTimetable, SeasonTimetable
from s4c_lib.manifest import DagEntry, Manifest, read_manifest
from s4c_lib.processors import PROCESSORS
from s4c_lib.settings import Settings
from s4c_lib.site_roles import access_control

# Before any satellite of the system flew: neither a backfill nor a run by hand can lie before it.
FIRST_DAY = datetime(2014, 1, 1, tzinfo=UTC)

# What an ingest makes of what arrived: step, the pool that limits it, its assets, and the steps it comes after. Radar
# goes on beside the optical steps; statistics are of both.
STEPS = (
    ("preprocess", "cpu", ("l2a",), ()),
    ("radar", "s1", ("s1_l2a_amp", "s1_l2a_cohe"), ()),
    ("vegetation", "cpu", ("l3b",), ("preprocess",)),
    ("statistics", "cpu", ("s4c_mdb1",), ("vegetation", "radar")),
)

# Around the weight that Airflow gives a fetch by what comes after it (about ten tasks).
FETCH_WEIGHT, FETCH_WEIGHT_PAST = 20, 5

PURPOSE = {
    "ingest": (
        "Finds the acquisitions of the season, fetches or links them, publishes L2A, makes L3B of each tile, "
        "backscatter and coherence of raw Sentinel-1 products, and the statistics of every parcel."
    ),
} | {name: one.purpose for name, one in PROCESSORS.items()}


def shard_of(site: str, shards: int) -> int:
    """Return which of the DAG files builds a site's DAGs: a hash of its name, the same in every process."""
    return int.from_bytes(hashlib.sha256(site.encode()).digest()[:4], "big") % shards


def season_dags(shard: int, shards: int) -> dict[str, DAG]:
    """Return the DAGs of one DAG file, by name."""
    manifest = read_manifest(Settings().manifest_path)
    wanted = get_parsing_context().dag_id
    return {
        entry.dag_id: build(entry, manifest)
        for entry in manifest.dags
        if shard_of(entry.site, shards) == shard and wanted in (None, entry.dag_id)
    }


def build(entry: DagEntry, manifest: Manifest) -> DAG:
    """Return the DAG of one manifest entry."""
    callback = FailureNotifier() if manifest.notifies else None
    dag = (
        declarations_dag(entry, FIRST_DAY, callback)
        if entry.processor == "lpis"
        else _season_dag(entry, manifest, callback)
    )
    if entry.site in manifest.guarded:
        # FAB's only way to tell DAGs apart. Not as an argument: Airflow would warn at each DAG that version 4 drops it.
        dag.access_control = access_control(entry.site)
    return dag


def _season_dag(entry: DagEntry, manifest: Manifest, callback: FailureNotifier | None) -> DAG:
    dag = DAG(
        dag_id=entry.dag_id,
        dag_display_name=entry.dag_id,
        description=PURPOSE[entry.processor],
        doc_md=_documentation(entry),
        schedule=_timetable(entry) if entry.enabled else None,
        start_date=FIRST_DAY,
        default_args=dict(TASK_DEFAULTS),
        catchup=False,
        # Runs of a product wait for each other by date (rule R5): with one slot, a failed run that is cleared could
        # not start while the next one waits for it. The job lock keeps them apart.
        max_active_runs=1 if entry.processor == "ingest" else 16,
        is_paused_upon_creation=False,
        tags=[entry.site, entry.season, entry.processor],
        render_template_as_native_obj=False,
        on_failure_callback=callback,
    )
    with dag:
        opened = OpenRunOperator(task_id=OPEN_TASK, site=entry.site, season=entry.season, processor=entry.processor)
        closed = CloseRunOperator(task_id="close").as_teardown(setups=opened, on_failure_fail_dagrun=True)
        if entry.processor == "ingest":
            _ingest_tasks(entry, manifest, opened, closed)
        else:
            result = result_asset(entry.site, entry.season, entry.processor)
            compute = ComputeOperator(task_id="compute", processor=entry.processor, pool="cpu", outlets=[result])
            opened >> compute >> closed
    # Put in last, into the mapping the DAG has: a form given to the DAG is checked against its own schema for every
    # DAG and copied into every task, which takes most of the time of building and serialising hundreds of DAGs. The
    # forms are one a processor and the tests check each; a run's values reach its tasks all the same.
    dag.params.update(form(entry.processor))
    return dag


def _ingest_tasks(entry: DagEntry, manifest: Manifest, opened: Any, closed: Any) -> None:
    query = QueryOperator(task_id="query")
    # What arrived is registered even when one source failed, or had nothing; the run fails all the same. Not
    # all_done_min_one_success: Airflow skips such a task when any task before it was skipped. That nothing goes on
    # without the run's job is seen to by its setup.
    register = RegisterOperator(
        task_id="register",
        trigger_rule="all_done",
        pool="db_write",
        outlets=_assets(entry, "s1_l2a_amp", "s1_l2a_cohe"),
    )
    opened >> query >> register
    for source in entry.sources:
        # XComs can be mapped over only as a task's return value, hence one small planning task a source
        plan = PlanFetchOperator(
            task_id=f"plan_{source}",
            source=source,
            slots=manifest.pools[f"ds_{source}"],
            # what is known already is fetched although a search failed
            trigger_rule="all_done",
        )
        fetch = FetchOperator.partial(
            task_id=f"fetch_{source}",
            source=source,
            pool=f"ds_{source}",
            # absolute: in one pool the transfers of current seasons go before those of past ones
            priority_weight=FETCH_WEIGHT_PAST if entry.phase == "past" else FETCH_WEIGHT,
            weight_rule="absolute",
        ).expand_kwargs(plan.output)
        query >> plan >> fetch >> register
    made: dict[str, Any] = {}
    for step, pool, assets, after in STEPS:
        # a step goes on when an earlier one failed for a part, or had nothing to do: it makes what there is
        slots = manifest.pools.get(pool, 1)
        planned = PlanStepOperator(task_id=f"plan_{step}", step=step, slots=slots, trigger_rule="all_done")
        made[step] = StepOperator.partial(task_id=step, step=step, pool=pool, outlets=_assets(entry, *assets)).expand(
            chunk=planned.output
        )
        register >> planned
        for earlier in after:
            made[earlier] >> planned
        planned >> made[step]
    made["statistics"] >> closed


def _assets(entry: DagEntry, *names: str) -> list[Asset]:
    return [product_asset(entry.site, entry.season, name) for name in names]


def _timetable(entry: DagEntry) -> SeasonTimetable | IngestTimetable:
    past = entry.phase == "past"
    if entry.interval is not None:
        first, after_last, days = entry.interval
        return IngestTimetable(first, after_last, days, entry.schedule, past)
    return SeasonTimetable(entry.dates, entry.schedule, past)


def _documentation(entry: DagEntry) -> str:
    lines = [
        f"## {entry.site_name}, season {entry.season_name} ({entry.start} to {entry.end})",
        "",
        PURPOSE[entry.processor],
        "",
        f"* Schedule: {entry.schedule}" + ("" if entry.enabled else " (**disabled**: nothing is scheduled)"),
        f"* The season is {entry.phase}."
        + (f" Run it with `s4c season backfill {entry.site} {entry.season}`." if entry.phase == "past" else ""),
        f"* Why a run waits: `s4c jobs list --site {entry.site}`, or the log of the task `open`.",
    ]
    if entry.enabled:
        lines.insert(-1, f"* Backfill here: *Trigger*, then *Backfill*. {_dates_of_backfill(entry)}")
    if entry.sources:
        lines.append(f"* Data sources: {', '.join(entry.sources)}")
    lines += ["", "Parameters of a run by hand: the fields of the trigger form; all others in `settings`, by key."]
    return "\n".join(lines)


def _dates_of_backfill(entry: DagEntry) -> str:
    """Say what *From* and *To* of Airflow's form must be: it knows neither the season's dates nor the policies."""
    if entry.interval is not None:
        return f"*From* {entry.interval[0]} *To* {entry.interval[1]} takes the whole season."
    if not entry.dates:
        return "This season has no due date."
    first, last = entry.dates[0], entry.dates[-1]
    return (
        f"Due dates: {len(entry.dates)}, {first} to {last}. *From* and *To* {last} 00:00 UTC runs the last one "
        f"(`final_only`, usual in a season that is over); *From* {first} *To* {last} runs all in order (`replay_all`)."
    )
