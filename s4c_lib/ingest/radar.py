"""The radar step: every unit of a raw Sentinel-1 acquisition becomes rasters of backscatter or coherence by tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from s4c_lib.catalog import radar_rasters, radar_units, s1_pairs, unit_claims, units
from s4c_lib.catalog.acquisitions import Acquisition, get_acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.units import Unit
from s4c_lib.errors import (
    DatabaseUnavailableError,
    DiskFullError,
    LeaseLostError,
    ProcessorUnavailableError,
    Sen4capError,
)
from s4c_lib.ingest.chunks import chunk_sizes
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.derive import DeriveOutcome, Progress, Taken, one_after_another, unforeseen
from s4c_lib.ingest.lease import kept_alive
from s4c_lib.ingest.radar_executors import radar_executor, radar_programs
from s4c_lib.ingest.radar_inputs import RadarInputs
from s4c_lib.ingest.radar_products import register_rasters
from s4c_lib.ingest.radar_task import RadarTask, came_meanwhile, request_of, task_of
from s4c_lib.ingest.radar_units import settle_radar
from s4c_lib.ingest.room import guard_products
from s4c_lib.ingest.unit_work import fetch_again, require_held
from s4c_lib.preprocessing.executor import NEVER_RETRIED, ExecutorStatus
from s4c_lib.preprocessing.radar.executor import RadarJob, RadarResult
from s4c_lib.preprocessing.work_folder import remove_tree, work_folder
from s4c_lib.reasons import Reason, reason_of
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
    outcome = DeriveOutcome()
    if _inputs(context).executor == "none":
        return outcome
    lease = float(context.parameters["lease.seconds"])

    def take() -> Taken | None:
        with database.begin() as connection:
            claimed = unit_claims.claim(
                connection,
                "l2s1",
                context.site.id,
                owner=owner,
                now=clock(),
                lease_seconds=lease,
                sensed=context.sensing_range(),
                newest_first=bool(context.parameters["processor.l2s1.process.newest"]),
            )
            if not claimed:
                return None
            acquisition = get_acquisition(connection, claimed[0].acquisition_id)
        name = f"{acquisition.source_product_name} {claimed[0].unit_key}"

        def make() -> str:
            _Work(database, context, claimed[0], acquisition, owner, job_id, clock, outcome).do()
            return name

        return name, make

    one_after_another(take, outcome, clock=clock, limit=limit, progress=progress)
    return outcome


def _inputs(context: IngestContext) -> RadarInputs:
    inputs = RadarInputs.of(context.parameters, radar_programs(Settings()))
    # an executor of which nothing is asked has nothing to do
    return inputs if inputs.kinds else RadarInputs("none", inputs.enabled, inputs.backscatter_of, inputs.coherence)


class _Work:
    """One claimed unit."""

    def __init__(
        self,
        database: Database,
        context: IngestContext,
        unit: Unit,
        acquisition: Acquisition,
        owner: str,
        job_id: int | None,
        clock: Callable[[], datetime],
        outcome: DeriveOutcome,
    ) -> None:
        self.database = database
        self.context = context
        self.unit = unit
        self.acquisition = acquisition
        self.owner = owner
        self.job_id = job_id
        self.clock = clock
        self.outcome = outcome
        self.name = f"{acquisition.source_product_name} {unit.unit_key}"

    def do(self) -> None:
        """Make the unit's rasters and register them, or record why not."""
        try:
            with kept_alive(
                self.database,
                self.context,
                lambda connection, until: units.heartbeat(connection, self.unit.id, owner=self.owner, until=until),
                self.clock,
                self.name,
            ):
                with self.database.begin() as connection:
                    task = task_of(connection, self.context, self.unit, self.acquisition, self.clock())
                if task.waits_until is not None:
                    self._put_off(Reason.INPUT_MISSING, f"waits for {task.waits_for}", task.waits_until)
                    return
                if gone := next((item for item in task.inputs if not Path(str(item.full_path)).exists()), None):
                    fetch_again(self.database, self.unit, gone, self.owner)
                    self._count_failure(Reason.INPUT_MISSING)
                    return
                if not task.owners:
                    self._end(task, None)
                    return
                made, result = self._computed(task)
        except (LeaseLostError, DatabaseUnavailableError):
            raise
        except DiskFullError:
            with self.database.begin() as connection:
                unit_claims.give_back(connection, self.owner)
            raise
        except ProcessorUnavailableError as error:
            # nothing is wrong with the product: a setting of this worker is missing
            self._put_off(reason_of(error), error.one_line, self.clock() + self._pause)
            return
        except Sen4capError as error:
            reason = reason_of(error)
            self._fail(reason, error.one_line, retryable=reason not in NEVER_RETRIED)
            return
        except Exception as error:  # noqa: BLE001 - see unforeseen
            reason, text = unforeseen(error, self.name)
            self._fail(reason, text, retryable=True)
            return
        if result.status is ExecutorStatus.DONE:
            used = {item.id for item in made.current}
            self._end(made, result, [item.id for item in task.current if item.id not in used])
            return
        self._fail(result.reason or Reason.INTERNAL, result.text, retryable=result.retryable, log_path=result.log_path)

    def _computed(self, task: RadarTask) -> tuple[RadarTask, RadarResult]:
        """What was made of a task; where a neighbouring slice cannot be read, of the own slice alone.

        Raises
        ------
        DiskFullError : the disk is full, or the disk guard holds pre-processing back.
        ProcessorUnavailableError, Sen4capError.
        """
        result = self._run(task)
        alone = task.alone(self.acquisition.id)
        if result.reason not in _OF_AN_INPUT or len(task.current) < 2 or not alone.owners:
            return task, result
        log.warning("tried without its neighbours", work=self.name, error=result.text)
        again = self._run(alone)
        return (alone, again) if again.status is ExecutorStatus.DONE else (task, again)

    def _run(self, task: RadarTask) -> RadarResult:
        executor, options = radar_executor(_inputs(self.context).executor, self.context.parameters)
        guard_products(self.context, satellite="s1", input_bytes=sum(item.size_bytes or 0 for item in task.inputs))
        root = self.context.parameters.path("general.scratch-path", processor="l2s1", job_id="units")
        key = self.unit.unit_key.replace(":", "-")
        work = work_folder(root, self.context.site.short_name, self.acquisition.id, key, self.unit.attempts)
        request = request_of(
            task,
            self.context,
            options,
            work_dir=work,
            now=self.clock(),
            heartbeat=lambda _: require_held(self.database, self.unit, self.owner),
        )
        result = None
        try:
            result = executor.run(request)
        finally:
            if not options.keep_intermediate:
                _clear(work, None if result is None or result.status is ExecutorStatus.DONE else result.log_path)
        for text in result.warnings:
            log.warning("product has oddities", product=self.acquisition.source_product_name, warning=text)
        if result.reason is Reason.OUT_OF_DISK:
            # no fault of the product: the next one would meet it too
            raise DiskFullError(result.text, hint="free space; the unit is taken up again by the next run")
        return result

    def _end(self, task: RadarTask, result: RadarResult | None, left_out: Sequence[int] = ()) -> None:
        """Register what was made and finish the unit, in one transaction.

        Parameters
        ----------
        left_out : slices that the rasters were made without, because of a fault of one of them.
        """
        now = self.clock()
        lease = now + timedelta(seconds=float(self.context.parameters["lease.seconds"]))
        with self.database.begin() as connection:
            # nothing is registered of a unit that is no longer this worker's
            units.heartbeat(connection, self.unit.id, owner=self.owner, until=lease)
            if result is not None:
                register_rasters(connection, self.context, task, result, job_id=self.job_id, now=now)
            product_id = radar_rasters.product_of_unit(connection, self.acquisition.id, self.unit.unit_key)
            if product_id is None:
                radar_units.end_without_product(
                    connection,
                    self.unit.id,
                    owner=self.owner,
                    reason=str(task.nothing_because),
                    text_line="" if result is None else result.text,
                    tiles=task.considered,
                    now=now,
                )
            else:
                radar_units.note_tiles(connection, self.unit.id, task.considered)
                version = None if result is None else result.version
                units.finish(
                    connection, self.unit.id, owner=self.owner, product_id=product_id, executor_version=version
                )
            if result is not None and task.job is RadarJob.BACKSCATTER:
                near = s1_pairs.neighbours(connection, self.acquisition.id)
                radar_rasters.join_others(
                    connection, [item.id for item in near], reason=str(Reason.JOINED), now=now, actor=self.owner
                )
                # they try to put themselves in: what is wrong with one is then recorded with it; one that came while
                # this was being made was left to it
                radar_rasters.reopen_joined(connection, [*left_out, *came_meanwhile(task, near)], actor=self.owner)
        self.outcome.made += result is not None and bool(result.rasters)
        self.outcome.empty += result is None or not result.rasters

    @property
    def _pause(self) -> timedelta:
        return timedelta(hours=float(self.context.parameters["processor.l2a.optical.retry-interval"]))

    def _put_off(self, reason: Reason, text: str, until: datetime) -> None:
        with self.database.begin() as connection:
            units.postpone(connection, self.unit.id, owner=self.owner, reason=str(reason), error=text, until=until)
        self.outcome.put_off += 1
        log.warning("put off", work=self.name, error=text)

    def _fail(self, reason: Reason, text: str, *, retryable: bool, log_path: Path | None = None) -> None:
        again = retryable and self.unit.attempts < self.unit.max_attempts and reason is not Reason.INPUT_CORRUPT
        with self.database.begin() as connection:
            units.fail(
                connection,
                self.unit.id,
                owner=self.owner,
                reason=str(reason),
                error=text,
                retryable=retryable,
                next_attempt_at=self.clock() + self._pause if retryable else None,
                log_path=None if log_path is None else str(log_path),
            )
            if not again and self.unit.unit_key == radar_units.SINGLE:
                # its neighbours make what they can without it
                near = [item.id for item in s1_pairs.neighbours(connection, self.acquisition.id)]
                radar_rasters.reopen_joined(connection, near, actor=self.owner)
        self._count_failure(reason)
        log.warning("not made", work=self.name, reason=str(reason), error=text)

    def _count_failure(self, reason: Reason) -> None:
        self.outcome.failed += 1
        self.outcome.reasons[str(reason)] = self.outcome.reasons.get(str(reason), 0) + 1


def _clear(work: Path, log_path: Path | None) -> None:
    """Remove what a try left, but for the folder with the log of a program that failed."""
    if log_path is None or not log_path.is_relative_to(work):
        remove_tree(work)
        return
    kept = log_path.relative_to(work).parts[0]
    for entry in sorted(work.iterdir()):
        if entry.name != kept:
            remove_tree(entry)
