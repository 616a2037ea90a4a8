"""The preprocess step: every fetched optical tile becomes a published L2A, ready-made or computed here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from s4c_lib.catalog import l2a_chains, products, unit_claims, units
from s4c_lib.catalog.acquisitions import Acquisition, get_acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.products import NewProduct, ProductFile
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
from s4c_lib.ingest.l2a_of_tile import (
    ChainWaitsError,
    L2aVerdict,
    make_l2a,
    program_slots,
    require_one_implementation,
)
from s4c_lib.ingest.lease import kept_alive
from s4c_lib.ingest.register import SOFTWARE_VERSION
from s4c_lib.ingest.unit_work import fetch_again
from s4c_lib.preprocessing.executor import NEVER_RETRIED
from s4c_lib.preprocessing.publish_folder import PublishedL2A
from s4c_lib.reasons import Reason, reason_of

log = structlog.get_logger(__name__)

# For planning only, measured on full tiles: most of it is JPEG 2000; a program of its own takes many times as long.
PLANNED_BYTES_PER_SECOND = 8e6
PLANNED_SECONDS_EACH = 0.5


def plan_preprocess(database: Database, context: IngestContext, *, now: datetime) -> int:
    """Give back what dead workers held; returns how many tiles can be worked on now.

    Raises
    ------
    ConflictError : the season's L2A so far was made another way.
    """
    with database.begin() as connection:
        unit_claims.expire(connection, now)
        require_one_implementation(connection, context)
        return unit_claims.due_count(connection, "l2a", context.site.id, now=now, sensed=context.sensing_range())


def chunks_of(database: Database, context: IngestContext, *, now: datetime, slots: int) -> list[int]:
    """Return how many tiles each parallel task takes.

    A chain of dates is worked off one by one, so only its next date can be claimed now: as many tasks as there are
    chains and slots each go on until nothing is left that could start.
    """
    count = plan_preprocess(database, context, now=now)
    with database.begin() as connection:
        lanes = unit_claims.due_in_lanes(connection, "l2a", context.site.id, now=now, sensed=context.sensing_range())
        size = unit_claims.due_bytes(connection, "l2a", context.site.id, now=now, sensed=context.sensing_range())
    programs = program_slots(context, count, slots)
    if not lanes:
        if programs < slots:
            return chunk_sizes(context, count, 0, slots=programs)
        return chunk_sizes(context, count, size / PLANNED_BYTES_PER_SECOND + count * PLANNED_SECONDS_EACH, slots=slots)
    # of each chain that can start, one is in the count already
    in_all = count + sum(lanes) - len(lanes)
    return [in_all] * min(count, programs)


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

    def take() -> Taken | None:
        with database.begin() as connection:
            claimed = unit_claims.claim(
                connection,
                "l2a",
                context.site.id,
                owner=owner,
                now=clock(),
                lease_seconds=lease,
                sensed=context.sensing_range(),
            )
            if not claimed:
                return None
            acquisition = get_acquisition(connection, claimed[0].acquisition_id)
        name = f"{acquisition.source_product_name} {claimed[0].unit_key}"

        def make() -> str:
            _one(database, context, claimed[0], acquisition, owner, job_id, clock, outcome)
            return name

        return name, make

    one_after_another(take, outcome, clock=clock, limit=limit, progress=progress)
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
        fetch_again(database, unit, acquisition, owner)
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
            verdict = make_l2a(database, context, unit, acquisition, owner, clock)
    except (LeaseLostError, DatabaseUnavailableError):
        raise
    except DiskFullError:
        with database.begin() as connection:
            unit_claims.give_back(connection, owner)
        raise
    except (ChainWaitsError, ProcessorUnavailableError) as error:
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
        outcome.put_off += 1
        log.warning("put off", product=acquisition.source_product_name, error=error.one_line)
        return
    except Sen4capError as error:
        reason = reason_of(error)
        verdict = L2aVerdict(None, reason, error.one_line, reason not in NEVER_RETRIED)
    except Exception as error:  # noqa: BLE001 - see unforeseen
        reason, text = unforeseen(error, acquisition.source_product_name)
        verdict = L2aVerdict(None, reason, text, retryable=True)
    _record(database, context, unit, acquisition, verdict, owner, job_id, clock(), outcome)


def _record(
    database: Database,
    context: IngestContext,
    unit: Unit,
    acquisition: Acquisition,
    verdict: L2aVerdict,
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
        if verdict.executor == "maja" and context.parameters["processor.l2a.maja.recompute_after_late"]:
            l2a_chains.reopen_later(connection, acquisition, unit.unit_key, actor=owner)
    outcome.made += 1


def _new_product(
    acquisition: Acquisition, unit: Unit, verdict: L2aVerdict, made: PublishedL2A, job_id: int | None
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
        # made again after another date of its chain it is another product
        input_fingerprint=acquisition.checksum
        if verdict.previous_id is None
        else f"{acquisition.checksum} after {verdict.previous_id}",
        metadata=metadata,
        files=tuple(ProductFile(path, size, sha256) for path, size, sha256 in made.files),
    )
