"""The programs that make L2A of L1C here: which are configured, and what each is asked for a tile."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import Connection

from s4c_lib.catalog import l2a_chains
from s4c_lib.catalog.acquisitions import Acquisition
from s4c_lib.errors import ProcessorUnavailableError
from s4c_lib.geography.sentinel2_tiles import tile as sentinel2_tile
from s4c_lib.ingest.context import IngestContext
from s4c_lib.parameters import Snapshot
from s4c_lib.preprocessing.elevation.maja_folder import maja_elevation
from s4c_lib.preprocessing.elevation.sources import elevation_source
from s4c_lib.preprocessing.executor import Executor, ExecutorRequest, Heartbeat
from s4c_lib.preprocessing.launcher import Launcher
from s4c_lib.preprocessing.maja import MajaExecutor, MajaOptions
from s4c_lib.preprocessing.maja_chain import (
    ChainStart,
    PreviousChoice,
    PreviousL2a,
    choose_previous,
    start_of_chain,
)
from s4c_lib.preprocessing.sen2cor import Sen2CorExecutor
from s4c_lib.preprocessing.sen2cor_settings import Sen2CorOptions
from s4c_lib.settings import Settings


def configured(settings: Settings) -> dict[str, Executor]:
    """Return the executors whose program is set (``S4C_SEN2COR_PROGRAM``, ``S4C_MAJA_PROGRAM``), by name."""
    found: dict[str, Executor] = {}
    if settings.sen2cor_program:
        launcher = Launcher(settings.sen2cor_program, settings.sen2cor_image, settings.container_engine)
        found["sen2cor"] = Sen2CorExecutor(launcher, settings.sen2cor_version)
    if settings.maja_program:
        launcher = Launcher(settings.maja_program, settings.maja_image, settings.container_engine)
        found["maja"] = MajaExecutor(launcher, settings.maja_version)
    return found


def executor_of(name: str) -> Executor:
    """Return a configured executor.

    Raises
    ------
    ProcessorUnavailableError : its program is not set.
    """
    found = configured(Settings()).get(name)
    if found is None:
        raise ProcessorUnavailableError(
            f"The program {name} is not configured here.", hint=f"set S4C_{name.upper()}_PROGRAM for every worker"
        )
    return found


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a tile stands in the chain of its dates; only MAJA has one.

    Parameters
    ----------
    previous : its predecessor in MAJA's own format. previous_id : number of that product.
    following : later L1C, for backward mode at the start of a chain.
    waits : more dates are to be on disk before the chain starts.
    """

    previous: PreviousChoice = field(default_factory=lambda: PreviousChoice(None))
    previous_id: int | None = None
    following: tuple[Path, ...] = ()
    waits: bool = False


def chain_of(
    connection: Connection, context: IngestContext, acquisition: Acquisition, executor: str, tile: str, *, today: date
) -> Chain:
    """Look up the chain of a tile."""
    if executor != "maja":
        return Chain()
    earlier = l2a_chains.earlier_l2a(connection, context.site.id, acquisition, tile)
    candidates = [PreviousL2a(one.native, one.acquired_at, one.native.is_dir()) for one in earlier]
    previous = choose_previous(candidates, acquisition.sensing_start)
    product_id = next((one.product_id for one in earlier if one.native == previous.path), None)
    wanted = int(context.parameters["processor.l2a.maja.backward_products"])
    if previous.path is not None or not wanted:
        return Chain(previous, product_id)
    later = tuple(l2a_chains.later_l1c(connection, context.site.id, acquisition, tile, limit=max(wanted - 1, 0)))
    start = start_of_chain(wanted, 1 + len(later), context.season.dates.start, today)
    return Chain(previous, None, later if start is ChainStart.BACKWARD else (), start is ChainStart.WAIT)


def request_of(
    values: Snapshot,
    l1c_path: Path,
    executor: str,
    tile: str,
    chain: Chain,
    *,
    work_dir: Path,
    output_dir: Path,
    now: datetime,
    heartbeat: Heartbeat | None = None,
) -> ExecutorRequest:
    """Return what an executor is asked for a tile; MAJA's elevation of the tile is made at its first use.

    Parameters
    ----------
    values : parameters of the season, or of a run by hand.

    Raises
    ------
    ElevationMissingError : the elevation model has no file for land of the tile.
    """
    options: MajaOptions | Sen2CorOptions
    if executor == "maja":
        options = MajaOptions.of(values.values, chain.following)
        water = values["dem.water_path"]
        source = elevation_source(
            str(values["dem.source"]), values.path("dem.path"), None if water is None else Path(str(water))
        )
        cache = values.path("storage.products_path") / "auxiliary" / "elevation"
        elevation = maja_elevation(sentinel2_tile(tile), source, cache, now=now)
        folders = {"gipp": "processor.l2a.maja.gipp-path", "cams": "processor.l2a.maja.cams_path"}
    else:
        options = Sen2CorOptions.of(values.values)
        elevation = values.path("dem.path")
        folders = {"gipp": "processor.l2a.sen2cor.gipp-path", "esa_cci": "processor.l2a.sen2cor.esa_cci_path"}
    return ExecutorRequest(
        l1c_path=l1c_path,
        tile=tile,
        previous_l2a=chain.previous.path,
        elevation_dir=elevation,
        auxiliary_dirs={kind: values.path(key) for kind, key in folders.items() if values[key]},
        work_dir=work_dir,
        output_dir=output_dir,
        options=options,
        now=now,
        heartbeat=heartbeat,
    )
