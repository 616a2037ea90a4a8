"""The radar step: every unit of a raw Sentinel-1 acquisition becomes rasters of backscatter or coherence by tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Connection

from s4c_lib.catalog import radar_rasters, radar_units, s1_pairs, unit_claims, units
from s4c_lib.catalog.database import Database
from s4c_lib.errors import DiskFullError
from s4c_lib.ingest.chunks import chunk_sizes
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.derive import DeriveOutcome
from s4c_lib.ingest.radar_executors import radar_executor, radar_programs
from s4c_lib.ingest.radar_inputs import RadarInputs
from s4c_lib.ingest.radar_products import register_rasters
from s4c_lib.ingest.radar_task import RadarTask, came_meanwhile, request_of, task_of
from s4c_lib.ingest.radar_units import settle_radar
from s4c_lib.ingest.room import guard_products
from s4c_lib.ingest.unit_work import HeldUnit, work_off_units
from s4c_lib.preprocessing.executor import ExecutorStatus
from s4c_lib.preprocessing.radar.executor import RadarJob, RadarResult
from s4c_lib.preprocessing.work_folder import remove_tree, work_folder
from s4c_lib.progress import Progress
from s4c_lib.reasons import Reason
from s4c_lib.settings import Settings

log = structlog.get_logger(__name__)

# For planning only: of one unit on one tile.
PLANNED_SECONDS: Final = {"snap": 1200.0, "native-grd": 90.0}
_ACTOR: Final = "ingest radar"
# A neighbouring slice may be what is wrong: the own one is then tried alone.
_OF_AN_INPUT: Final = frozenset({Reason.INPUT_CORRUPT, Reason.INPUT_MISSING})


def plan_radar(database: Database, context: IngestContext, *, now: datetime) -> int:
    """Bring pairs and units up to date, give back what dead workers held; returns how many units are due now."""
    if _inputs(context).executor == "none":
        return 0
    settle_radar(database, context, now=now, actor=_ACTOR)
    with database.begin() as connection:
        unit_claims.expire(connection, now)
        return unit_claims.due_count(connection, "l2s1", context.site.id, now=now, sensed=context.sensing_range())


def chunks_of(database: Database, context: IngestContext, *, now: datetime, slots: int) -> list[int]:
    """Return how many units each parallel task takes."""
    count = plan_radar(database, context, now=now)
    seconds = PLANNED_SECONDS.get(_inputs(context).executor, 0.0)
    return chunk_sizes(context, count, count * seconds, slots=slots)


def run_radar(
    database: Database,
    context: IngestContext,
    *,
    owner: str,
    job_id: int | None,
    clock: Callable[[], datetime],
    limit: int | None = None,
    progress: Progress | None = None,
) -> DeriveOutcome:
    """Make what units ask for until none is due or ``limit`` is reached; a bad one is recorded and the others go on.

    Raises
    ------
    DiskFullError : nothing more can be written; the unit is given back, its try not counted.
    """
    inputs = _inputs(context)
    if inputs.executor == "none":
        return DeriveOutcome()

    return work_off_units(
        database,
        context,
        "l2s1",
        partial(_make, executor=inputs.executor),
        owner=owner,
        job_id=job_id,
        clock=clock,
        limit=limit,
        progress=progress,
        newest_first=bool(context.parameters["processor.l2s1.process.newest"]),
        with_failure=_reopen_neighbours,
    )


def _inputs(context: IngestContext) -> RadarInputs:
    inputs = RadarInputs.of(context.parameters, radar_programs(Settings()))
    # an executor of which nothing is asked has nothing to do
    return inputs if inputs.kinds else RadarInputs("none", inputs.enabled, inputs.backscatter_of, inputs.coherence)


def _make(held: HeldUnit, executor: str) -> Callable[[], None]:
    """Make the unit's rasters; returns what registers them, or records why there are none."""
    with held.database.begin() as connection:
        task = task_of(connection, held.context, held.unit, held.acquisition, held.clock())
    if task.waits_until is not None:
        return partial(held.put_off, Reason.INPUT_MISSING, f"waits for {task.waits_for}", task.waits_until)
    if gone := next((item for item in task.inputs if not Path(str(item.full_path)).exists()), None):
        return partial(held.wait_for_files, gone)
    if not task.owners:
        return partial(_end, held, task, None)
    made, result = _computed(held, executor, task)
    if result.status is ExecutorStatus.DONE:
        used = {item.id for item in made.current}
        return partial(_end, held, made, result, [item.id for item in task.current if item.id not in used])
    return partial(
        held.fail,
        result.reason or Reason.INTERNAL,
        result.text,
        retryable=result.retryable,
        log_path=result.log_path,
    )


def _computed(held: HeldUnit, executor: str, task: RadarTask) -> tuple[RadarTask, RadarResult]:
    """What was made of a task; where a neighbouring slice cannot be read, of the own slice alone.

    Raises
    ------
    DiskFullError : the disk is full, or the disk guard holds pre-processing back.
    ProcessorUnavailableError, Sen4capError.
    """
    result = _run(held, executor, task)
    alone = task.alone(held.acquisition.id)
    if result.reason not in _OF_AN_INPUT or len(task.current) < 2 or not alone.owners:
        return task, result
    log.warning("tried without its neighbours", work=held.name, error=result.text)
    again = _run(held, executor, alone)
    return (alone, again) if again.status is ExecutorStatus.DONE else (task, again)


def _run(held: HeldUnit, name: str, task: RadarTask) -> RadarResult:
    executor, options = radar_executor(name, held.context.parameters)
    guard_products(held.context, satellite="s1", input_bytes=sum(item.size_bytes or 0 for item in task.inputs))
    root = held.context.parameters.path("general.scratch-path", processor="l2s1", job_id="units")
    key = held.unit.unit_key.replace(":", "-")
    work = work_folder(root, held.context.site.short_name, held.acquisition.id, key, held.unit.attempts)
    request = request_of(
        task,
        held.context,
        options,
        work_dir=work,
        now=held.clock(),
        heartbeat=lambda _: held.require_held(),
    )
    result = None
    try:
        result = executor.run(request)
    finally:
        if not options.keep_intermediate:
            _clear(work, None if result is None or result.status is ExecutorStatus.DONE else result.log_path)
    for text in result.warnings:
        log.warning("product has oddities", product=held.acquisition.source_product_name, warning=text)
    if result.reason is Reason.OUT_OF_DISK:
        # no fault of the product: the next one would meet it too
        raise DiskFullError(result.text, hint="free space; the unit is taken up again by the next run")
    return result


def _end(held: HeldUnit, task: RadarTask, result: RadarResult | None, left_out: Sequence[int] = ()) -> None:
    """Register what was made and finish the unit, in one transaction.

    Parameters
    ----------
    left_out : slices that the rasters were made without, because of a fault of one of them.
    """
    now = held.clock()
    with held.database.begin() as connection:
        held.prolong(connection)
        if result is not None:
            register_rasters(connection, held.context, task, result, job_id=held.job_id, now=now)
        product_id = radar_rasters.product_of_unit(connection, held.acquisition.id, held.unit.unit_key)
        if product_id is None:
            radar_units.end_without_product(
                connection,
                held.unit.id,
                owner=held.owner,
                reason=str(task.nothing_because),
                text_line="" if result is None else result.text,
                tiles=task.considered,
                now=now,
            )
        else:
            radar_units.note_tiles(connection, held.unit.id, task.considered)
            version = None if result is None else result.version
            units.finish(connection, held.unit.id, owner=held.owner, product_id=product_id, executor_version=version)
        if result is not None and task.job is RadarJob.BACKSCATTER:
            near = s1_pairs.neighbours(connection, held.acquisition.id)
            radar_rasters.join_others(
                connection, [item.id for item in near], reason=str(Reason.JOINED), now=now, actor=held.owner
            )
            # they try to put themselves in: what is wrong with one is then recorded with it; one that came while
            # this was being made was left to it
            radar_rasters.reopen_joined(connection, [*left_out, *came_meanwhile(task, near)], actor=held.owner)
    held.outcome.made += result is not None and bool(result.rasters)
    held.outcome.empty += result is None or not result.rasters


def _reopen_neighbours(connection: Connection, held: HeldUnit, reason: Reason, again: bool) -> None:
    """Let the slices beside one that failed make what they can without it."""
    if held.unit.unit_key == radar_units.SINGLE and (not again or reason is Reason.INPUT_CORRUPT):
        near = [item.id for item in s1_pairs.neighbours(connection, held.acquisition.id)]
        radar_rasters.reopen_joined(connection, near, actor=held.owner)


def _clear(work: Path, log_path: Path | None) -> None:
    """Remove what a try left, but for the folder with the log of a program that failed."""
    if log_path is None or not log_path.is_relative_to(work):
        remove_tree(work)
        return
    kept = log_path.relative_to(work).parts[0]
    for entry in sorted(work.iterdir()):
        if entry.name != kept:
            remove_tree(entry)
