"""The preprocess step: every fetched optical tile becomes a published L2A, ready-made or computed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from shapely.geometry.base import BaseGeometry

from s4c_lib.catalog import products, units
from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.acquisitions import Acquisition, get_acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.products import NewProduct, ProductFile
from s4c_lib.catalog.units import Unit
from s4c_lib.errors import (
    DatabaseUnavailableError,
    DiskFullError,
    LeaseLostError,
    NotFoundError,
    ProcessorUnavailableError,
    Sen4capError,
)
from s4c_lib.ingest.chunks import chunk_sizes
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.derive import DeriveOutcome, Progress
from s4c_lib.ingest.executors import chain_of, executor_of, request_of
from s4c_lib.ingest.lease import kept_alive
from s4c_lib.ingest.register import SOFTWARE_VERSION
from s4c_lib.preprocessing.executor import NEVER_RETRIED, ExecutorStatus
from s4c_lib.preprocessing.l1c_to_l2a import compute_l2a
from s4c_lib.preprocessing.publish import PublishOptions, publish_l2a
from s4c_lib.preprocessing.publish_folder import PublishedL2A
from s4c_lib.preprocessing.ready_made import prepare_ready_made
from s4c_lib.preprocessing.work_folder import remove_tree, work_folder
from s4c_lib.readers.recognise import read_scene
from s4c_lib.reasons import Reason, reason_of

log = structlog.get_logger(__name__)

# For planning only, measured on full tiles: most of it is JPEG 2000; a program of its own takes many times as long.
PLANNED_BYTES_PER_SECOND = 8e6
PLANNED_SECONDS_EACH = 0.5


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What became of a tile: its product, or why there is none."""

    product: PublishedL2A | None
    reason: Reason | None = None
    text: str = ""
    retryable: bool = False
    executor: str | None = None
    version: str | None = None
    native: Path | None = None
    log_path: Path | None = None
    cloud_pct: float | None = None
    snow_pct: float | None = None


class _WaitsError(Sen4capError):
    """A chain of dates cannot start yet."""

    code = Reason.NO_PREVIOUS.value
    retryable = True


def plan_preprocess(database: Database, context: IngestContext, *, now: datetime) -> int:
    """Give back what dead workers held; returns how many tiles can be worked on now."""
    with database.begin() as connection:
        units.expire(connection, now)
        return units.due_count(connection, "l2a", context.site.id, now=now, sensed=context.sensing_range())


def chunks_of(database: Database, context: IngestContext, *, now: datetime, slots: int) -> list[int]:
    """Return how many tiles each parallel task takes.

    A chain of dates is worked off one by one, so only its next date can be claimed now: as many tasks as there are
    chains and slots each go on until nothing is left that could start.
    """
    count = plan_preprocess(database, context, now=now)
    with database.begin() as connection:
        lanes = units.due_in_lanes(connection, "l2a", context.site.id, now=now, sensed=context.sensing_range())
        size = units.due_bytes(connection, "l2a", context.site.id, now=now, sensed=context.sensing_range())
    if not lanes:
        return chunk_sizes(context, count, size / PLANNED_BYTES_PER_SECOND + count * PLANNED_SECONDS_EACH, slots=slots)
    # of each chain that can start, one is in the count already
    in_all = count + sum(lanes) - len(lanes)
    return [in_all] * min(count, slots)


def run_preprocess(
    database: Database,
    context: IngestContext,
    *,
    owner: str,
    job_id: int | None,
    clock: Callable[[], datetime],
    limit: int | None = None,
    progress: Progress | None = None,
) -> DeriveOutcome:
    """Publish L2A tiles until none is due or ``limit`` is reached; a bad one is recorded and the others go on.

    Raises
    ------
    DiskFullError : nothing more can be written; the tile is given back, its try not counted.
    """
    outcome = DeriveOutcome()
    lease = float(context.parameters["lease.seconds"])
    done = 0
    while limit is None or done < limit:
        with database.begin() as connection:
            claimed = units.claim(
                connection,
                "l2a",
                context.site.id,
                owner=owner,
                now=clock(),
                lease_seconds=lease,
                sensed=context.sensing_range(),
            )
            acquisition = get_acquisition(connection, claimed[0].acquisition_id) if claimed else None
        if acquisition is None:
            break
        unit = claimed[0]
        name = f"{acquisition.source_product_name} {unit.unit_key}"
        began = clock()
        try:
            _one(database, context, unit, acquisition, owner, job_id, clock, outcome)
        except (LeaseLostError, NotFoundError) as error:
            # someone else has it now, or its acquisition was deleted
            log.warning("lease lost", work=name, error=error.one_line)
        done += 1
        outcome.seconds += (clock() - began).total_seconds()
        if progress is not None:
            progress(done, limit or 0, name)
    return outcome


def _one(
    database: Database,
    context: IngestContext,
    unit: Unit,
    acquisition: Acquisition,
    owner: str,
    job_id: int | None,
    clock: Callable[[], datetime],
    outcome: DeriveOutcome,
) -> None:
    path = Path(str(acquisition.full_path))
    if not path.exists():
        _fetch_again(database, unit, acquisition, owner, path)
        outcome.failed += 1
        outcome.reasons[Reason.INPUT_MISSING] = outcome.reasons.get(Reason.INPUT_MISSING, 0) + 1
        return
    try:
        with kept_alive(
            database,
            context,
            lambda connection, until: units.heartbeat(connection, unit.id, owner=owner, until=until),
            clock,
            acquisition.source_product_name,
        ):
            verdict = _made(database, context, unit, acquisition, clock)
    except (LeaseLostError, DatabaseUnavailableError):
        raise
    except DiskFullError:
        with database.begin() as connection:
            units.give_back(connection, owner)
        raise
    except (_WaitsError, ProcessorUnavailableError) as error:
        # nothing is wrong with the product: other dates, or a setting of this worker, are missing
        pause = timedelta(hours=float(context.parameters["processor.l2a.optical.retry-interval"]))
        with database.begin() as connection:
            units.postpone(
                connection,
                unit.id,
                owner=owner,
                reason=str(reason_of(error)),
                error=error.one_line,
                until=clock() + pause,
            )
        log.warning("put off", product=acquisition.source_product_name, error=error.one_line)
        return
    except Sen4capError as error:
        reason = reason_of(error)
        verdict = _Verdict(None, reason, error.one_line, reason not in NEVER_RETRIED)
    except Exception as error:
        # A fault of ours that only this product shows must not keep the others from being made.
        log.exception("unforeseen error", product=acquisition.source_product_name)
        reason = Reason.OUT_OF_MEMORY if isinstance(error, MemoryError) else Reason.INTERNAL
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        verdict = _Verdict(None, reason, text, retryable=True)
    _record(database, context, unit, acquisition, verdict, owner, job_id, clock(), outcome)


def _fetch_again(database: Database, unit: Unit, acquisition: Acquisition, owner: str, path: Path) -> None:
    """A link whose target went, or files removed by hand: the acquisition is queued, its units wait."""
    with database.begin() as connection:
        units.postpone(
            connection,
            unit.id,
            owner=owner,
            reason=str(Reason.INPUT_MISSING),
            error=f"{path} is gone",
            until=acquisition.sensing_start,
        )
        transition(
            connection,
            [acquisition.id],
            AcquisitionState.QUEUED,
            actor=owner,
            reason=str(Reason.INPUT_MISSING),
            error=f"{path} is gone",
        )


def _made(
    database: Database, context: IngestContext, unit: Unit, acquisition: Acquisition, clock: Callable[[], datetime]
) -> _Verdict:
    options = PublishOptions.of(context.parameters.values, unit.config_hash)
    tile = None if unit.unit_key == "single" or acquisition.satellite != "s2" else unit.unit_key
    work = _work(context, unit, acquisition)
    site = context.site.geometry
    folder = _folder(context, unit, acquisition)
    if acquisition.kind == "s2_l1c":
        return _computed(database, context, unit, acquisition, options, folder, work, site, clock)
    try:
        ready = prepare_ready_made(
            Path(str(acquisition.full_path)),
            folder,
            options,
            tile=tile,
            site_geometry=site,
            work_dir=work,
            now=clock(),
        )
    finally:
        remove_tree(work)
    _stop_when_full(ready.reason, ready.text)
    for text in ready.warnings:
        log.warning("product has oddities", product=acquisition.source_product_name, warning=text)
    return _Verdict(ready.product, ready.reason, ready.text, ready.retryable, **_shares(ready.product))


def _computed(
    database: Database,
    context: IngestContext,
    unit: Unit,
    acquisition: Acquisition,
    options: PublishOptions,
    folder: Path,
    work: Path,
    site: BaseGeometry,
    clock: Callable[[], datetime],
) -> _Verdict:
    name = str(context.parameters["processor.l2a.s2.implementation"])
    executor = executor_of(name)
    with database.begin() as connection:
        chain = chain_of(connection, context, acquisition, name, unit.unit_key, today=clock().date())
    if chain.waits:
        raise _WaitsError("the chain starts when more dates of the tile are on disk")
    if chain.previous.warning:
        log.warning("chain of dates", product=acquisition.source_product_name, warning=chain.previous.warning)
    native = folder / "native"
    request = request_of(
        context.parameters,
        Path(str(acquisition.full_path)),
        name,
        unit.unit_key,
        chain,
        work_dir=work,
        output_dir=native,
        now=clock(),
    )
    result = compute_l2a(executor, request)
    _stop_when_full(result.reason, result.text)
    about: dict[str, Any] = {
        "executor": name,
        "version": result.version,
        "log_path": result.log_path,
        "cloud_pct": result.cloud_pct,
        "snow_pct": result.snow_pct,
    }
    if result.status is not ExecutorStatus.DONE or result.product_dir is None:
        return _Verdict(None, result.reason or Reason.INTERNAL, result.text, result.retryable, **about)
    scene = read_scene(result.product_dir)
    published = publish_l2a(scene, folder / scene.name, options, site_geometry=site, now=clock())
    if name == "maja":
        return _Verdict(published, native=result.product_dir, **about)
    # the copies were compared with it pixel by pixel
    remove_tree(result.product_dir)
    return _Verdict(published, **{**about, "log_path": None})


def _stop_when_full(reason: Reason | None, text: str) -> None:
    """A full disk is no fault of the product: the next one would meet it too."""
    if reason is Reason.OUT_OF_DISK:
        raise DiskFullError(text, hint="free space; the tile is taken up again by the next run")


def _work(context: IngestContext, unit: Unit, acquisition: Acquisition) -> Path:
    root = context.parameters.path("general.scratch-path", processor="l2a", job_id="units")
    return work_folder(root, context.site.short_name, acquisition.id, unit.unit_key, unit.attempts)


def _folder(context: IngestContext, unit: Unit, acquisition: Acquisition) -> Path:
    day = acquisition.sensing_start
    return context.parameters.path("storage.products_path") / "l2a" / unit.unit_key / f"{day:%Y}" / f"{day:%m/%d}"


def _shares(product: PublishedL2A | None) -> dict[str, Any]:
    if product is None:
        return {}
    return {"cloud_pct": product.percentages.get("cloud"), "snow_pct": product.percentages.get("snow")}


def _record(
    database: Database,
    context: IngestContext,
    unit: Unit,
    acquisition: Acquisition,
    verdict: _Verdict,
    owner: str,
    job_id: int | None,
    now: datetime,
    outcome: DeriveOutcome,
) -> None:
    log_path = None if verdict.log_path is None else str(verdict.log_path)
    if verdict.product is None:
        reason = verdict.reason or Reason.INTERNAL
        pause = timedelta(hours=float(context.parameters["processor.l2a.optical.retry-interval"]))
        with database.begin() as connection:
            units.fail(
                connection,
                unit.id,
                owner=owner,
                reason=str(reason),
                error=verdict.text,
                retryable=verdict.retryable,
                next_attempt_at=now + pause if verdict.retryable else None,
                cloud_pct=verdict.cloud_pct,
                snow_pct=verdict.snow_pct,
                log_path=log_path,
            )
        outcome.failed += 1
        outcome.reasons[str(reason)] = outcome.reasons.get(str(reason), 0) + 1
        log.warning("no L2A", product=acquisition.source_product_name, reason=str(reason), error=verdict.text)
        return
    lease = timedelta(seconds=float(context.parameters["lease.seconds"]))
    with database.begin() as connection:
        # nothing is registered of a tile that is no longer this worker's
        units.heartbeat(connection, unit.id, owner=owner, until=now + lease)
        site_ids = products.sites_using(connection, acquisition.id)
        product_id = products.register(
            connection, _new_product(acquisition, unit, verdict, verdict.product, job_id), site_ids
        )
        products.leave_out_replaced(connection, site_ids)
        units.finish(
            connection,
            unit.id,
            owner=owner,
            product_id=product_id,
            cloud_pct=verdict.cloud_pct,
            snow_pct=verdict.snow_pct,
            executor_version=verdict.version,
            log_path=log_path,
        )
    outcome.made += 1


def _new_product(
    acquisition: Acquisition, unit: Unit, verdict: _Verdict, made: PublishedL2A, job_id: int | None
) -> NewProduct:
    metadata: dict[str, Any] = {
        "kind": acquisition.kind,
        "platform": acquisition.platform,
        "percentages": dict(made.percentages),
        "site_percentages": None if made.site_percentages is None else dict(made.site_percentages),
    }
    if verdict.executor:
        metadata |= {"executor": verdict.executor, "executor_version": verdict.version}
    if verdict.native is not None:
        metadata["native"] = str(verdict.native)
    return NewProduct(
        product_type="l2a",
        processor="l2a",
        satellite=acquisition.satellite,
        job_id=job_id,
        acquisition_id=acquisition.id,
        name=made.name,
        full_path=str(made.folder),
        acquired_at=acquisition.sensing_start,
        tiles=acquisition.tiles if unit.unit_key == "single" else (unit.unit_key,),
        relative_orbit=acquisition.relative_orbit,
        direction=acquisition.direction,
        footprint=made.footprint,
        quicklook=None if made.quicklook is None else made.quicklook.name,
        software_version=SOFTWARE_VERSION,
        config_hash=unit.config_hash,
        input_fingerprint=acquisition.checksum,
        metadata=metadata,
        files=tuple(ProductFile(path, size, sha256) for path, size, sha256 in made.files),
    )
