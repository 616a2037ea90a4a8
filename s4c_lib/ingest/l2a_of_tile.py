"""The L2A of one tile: a ready-made product is published as it is, an L1C goes through the season's program first."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection

from s4c_lib.catalog import l2a_chains
from s4c_lib.catalog.acquisitions import Acquisition
from s4c_lib.catalog.units import Unit
from s4c_lib.errors import ConflictError, DiskFullError, Sen4capError
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.executors import chain_of, executor_of, request_of
from s4c_lib.ingest.room import guard_products
from s4c_lib.ingest.selection import L1C_EXECUTORS
from s4c_lib.ingest.unit_work import HeldUnit
from s4c_lib.preprocessing.executor import ExecutorStatus
from s4c_lib.preprocessing.implementations import implementation_conflict
from s4c_lib.preprocessing.l1c_to_l2a import compute_l2a
from s4c_lib.preprocessing.parallelism import MEMORY_GB, free_memory_gb, usable_cpus, worker_count
from s4c_lib.preprocessing.publish import PublishOptions, publish_l2a
from s4c_lib.preprocessing.publish_folder import PublishedL2A
from s4c_lib.preprocessing.ready_made import prepare_ready_made
from s4c_lib.preprocessing.work_folder import remove_tree, work_folder
from s4c_lib.readers.recognise import read_scene
from s4c_lib.reasons import Reason

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class L2aVerdict:
    """What became of a tile: its product, or why there is none.

    Parameters
    ----------
    executor, version : what made it: ``esa``, ``muscate`` (without version), ``maja`` or ``sen2cor``.
    native : the executor's own product, where it is kept. previous_id : product of the date before in its chain.
    """

    product: PublishedL2A | None
    reason: Reason | None = None
    text: str = ""
    retryable: bool = False
    executor: str | None = None
    version: str | None = None
    native: Path | None = None
    previous_id: int | None = None
    log_path: Path | None = None
    cloud_pct: float | None = None
    snow_pct: float | None = None


class ChainWaitsError(Sen4capError, RuntimeError):
    """A chain of dates cannot start yet."""

    code = Reason.NO_PREVIOUS.value
    retryable = True


def program_slots(context: IngestContext, tiles: int, slots: int) -> int:
    """Return how many tasks may work at once: fewer than the pool's slots where a program needs more memory."""
    name = str(context.parameters["processor.l2a.s2.implementation"])
    if name not in L1C_EXECUTORS:
        return slots
    return min(
        slots,
        worker_count(
            int(context.parameters["processor.l2a.optical.num-workers"]),
            cpus=usable_cpus(),
            free_gb=free_memory_gb(),
            tiles=max(tiles, 1),
            memory_gb=MEMORY_GB[name],
        ),
    )


def require_one_implementation(connection: Connection, context: IngestContext) -> None:
    """Refuse to go on with another way of making L2A than the season's products so far: their masks differ.

    Raises
    ------
    ConflictError : it is another, or another major version, and ``processor.l2a.allow_mixed`` is off.
    """
    name = str(context.parameters["processor.l2a.s2.implementation"])
    if context.parameters["processor.l2a.allow_mixed"]:
        return
    used = l2a_chains.executors_used(connection, context.site.id, *context.sensing_range())
    version = executor_of(name).version if used and name in L1C_EXECUTORS else ""
    if conflict := implementation_conflict(used, name, version):
        raise ConflictError(
            f"Season {context.season.short_name!r} of site {context.site.short_name!r}: {conflict}.",
            hint="set processor.l2a.s2.implementation back, or processor.l2a.allow_mixed true to go on all the same",
        )


def make_l2a(held: HeldUnit) -> L2aVerdict:
    """Make the published L2A of one tile: of a ready-made product, or of an L1C by the season's program.

    Raises
    ------
    ChainWaitsError : a chain of dates cannot start yet.
    DiskFullError : nothing can be written, or the disk guard holds pre-processing back.
    LeaseLostError : the unit was given to another worker meanwhile; a program that ran for it has been ended.
    """
    context, unit, acquisition = held.context, held.unit, held.acquisition
    options = PublishOptions.of(context.parameters.values, unit.config_hash)
    tile = None if unit.unit_key == "single" or acquisition.satellite != "s2" else unit.unit_key
    work = _work(context, unit, acquisition)
    site = context.site.geometry
    folder = _folder(context, unit, acquisition)
    if acquisition.kind == "s2_l1c" or options.cog:
        # links need no room
        guard_products(context, satellite=acquisition.satellite, input_bytes=acquisition.size_bytes or 0)
    if acquisition.kind == "s2_l1c":
        return _computed(held, options, folder, work)
    try:
        ready = prepare_ready_made(
            Path(str(acquisition.full_path)),
            folder,
            options,
            tile=tile,
            site_geometry=site,
            work_dir=work,
            now=held.clock(),
        )
    finally:
        remove_tree(work)
    _stop_when_full(ready.reason, ready.text)
    for text in ready.warnings:
        log.warning("product has oddities", product=acquisition.source_product_name, warning=text)
    implementation = {"s2_l2a": "esa", "muscate_l2a": "muscate"}.get(acquisition.kind)
    return L2aVerdict(
        ready.product, ready.reason, ready.text, ready.retryable, implementation, "", **_shares(ready.product)
    )


def _computed(held: HeldUnit, options: PublishOptions, folder: Path, work: Path) -> L2aVerdict:
    context, unit, acquisition = held.context, held.unit, held.acquisition
    name = str(context.parameters["processor.l2a.s2.implementation"])
    executor = executor_of(name)
    with held.database.begin() as connection:
        chain = chain_of(connection, context, acquisition, name, unit.unit_key, today=held.clock().date())
    if chain.waits:
        raise ChainWaitsError("the chain starts when more dates of the tile are on disk")
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
        now=held.clock(),
        heartbeat=lambda _: held.require_held(),
    )
    keep = bool(context.parameters["executor.processor.l2a.keep_job_folders"])
    result = compute_l2a(executor, request, keep_work=keep)
    for text in result.warnings:
        log.warning("product has oddities", product=acquisition.source_product_name, warning=text)
    _stop_when_full(result.reason, result.text)
    about: dict[str, Any] = {
        "executor": name,
        "version": result.version,
        "log_path": result.log_path,
        "previous_id": chain.previous_id,
        "cloud_pct": result.cloud_pct,
        "snow_pct": result.snow_pct,
    }
    if result.status is not ExecutorStatus.DONE or result.product_dir is None:
        return L2aVerdict(None, result.reason or Reason.INTERNAL, result.text, result.retryable, **about)
    scene = read_scene(result.product_dir, tile=unit.unit_key)
    published = publish_l2a(scene, folder / scene.name, options, site_geometry=context.site.geometry, now=held.clock())
    if result.log_path is not None:
        about["log_path"] = published.folder / result.log_path.name
        shutil.copyfile(result.log_path, about["log_path"])
    if name == "maja":
        # it reads its own product again for the next date
        return L2aVerdict(published, native=result.product_dir, **about)
    # the copies were compared with it pixel by pixel
    remove_tree(result.product_dir)
    return L2aVerdict(published, **about)


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
