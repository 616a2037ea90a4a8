"""The preprocess step: every fetched optical tile becomes a published L2A, ready-made or computed here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from s4c_lib.catalog import l2a_chains, products, unit_claims, units
from s4c_lib.catalog.acquisitions import Acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.products import NewProduct, ProductFile
from s4c_lib.catalog.units import Unit
from s4c_lib.ingest.chunks import chunk_sizes
from s4c_lib.ingest.context import SOFTWARE_VERSION, IngestContext
from s4c_lib.ingest.derive import DeriveOutcome
from s4c_lib.ingest.l2a_of_tile import (
    ChainWaitsError,
    L2aVerdict,
    make_l2a,
    program_slots,
    require_one_implementation,
)
from s4c_lib.ingest.unit_work import HeldUnit, work_off_units
from s4c_lib.preprocessing.publish_folder import PublishedL2A
from s4c_lib.progress import Progress
from s4c_lib.reasons import Reason, reason_of

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
    return work_off_units(
        database, context, "l2a", _make, owner=owner, job_id=job_id, clock=clock, limit=limit, progress=progress
    )


def _make(held: HeldUnit) -> Callable[[], None]:
    """Make the L2A of a tile; returns what records it."""
    if not Path(str(held.acquisition.full_path)).exists():
        return lambda: held.wait_for_files(held.acquisition)
    try:
        verdict = make_l2a(held)
    except ChainWaitsError as error:
        reason, text = reason_of(error), error.one_line
        return lambda: held.put_off(reason, text)
    return lambda: _record(held, verdict)


def _record(held: HeldUnit, verdict: L2aVerdict) -> None:
    if verdict.product is None:
        held.fail(
            verdict.reason or Reason.INTERNAL,
            verdict.text,
            retryable=verdict.retryable,
            log_path=verdict.log_path,
            cloud_pct=verdict.cloud_pct,
            snow_pct=verdict.snow_pct,
        )
        return
    unit, acquisition = held.unit, held.acquisition
    with held.database.begin() as connection:
        held.prolong(connection)
        site_ids = products.sites_using(connection, acquisition.id)
        product_id = products.register(
            connection, _new_product(acquisition, unit, verdict, verdict.product, held.job_id), site_ids
        )
        products.leave_out_replaced(connection, site_ids)
        units.finish(
            connection,
            unit.id,
            owner=held.owner,
            product_id=product_id,
            cloud_pct=verdict.cloud_pct,
            snow_pct=verdict.snow_pct,
            executor_version=verdict.version,
            log_path=None if verdict.log_path is None else str(verdict.log_path),
        )
        if verdict.executor == "maja" and held.context.parameters["processor.l2a.maja.recompute_after_late"]:
            l2a_chains.reopen_later(connection, acquisition, unit.unit_key, actor=held.owner)
    held.outcome.made += 1


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
