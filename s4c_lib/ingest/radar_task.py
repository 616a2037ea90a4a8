"""What one radar unit is to make: from which slices, on which tiles (``preprocessing.md`` §3.3, §4.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection

from s4c_lib.catalog import radar_rasters, radar_units, s1_pairs
from s4c_lib.catalog.acquisitions import Acquisition, footprints, get_acquisition
from s4c_lib.catalog.radar_units import previous_of
from s4c_lib.catalog.units import Unit
from s4c_lib.errors import ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import TILE_M
from s4c_lib.geography.sentinel2_tiles import tile as sentinel2_tile
from s4c_lib.ingest.context import IngestContext
from s4c_lib.preprocessing.elevation.sources import elevation_source
from s4c_lib.preprocessing.executor import Heartbeat
from s4c_lib.preprocessing.radar.datatakes import TileOwnership, datatakes, tile_owners
from s4c_lib.preprocessing.radar.executor import RadarJob, RadarOptions, RadarRequest, RadarScene, RadarTarget
from s4c_lib.preprocessing.radar.ground_share import share_of
from s4c_lib.preprocessing.radar.pairs import RadarPass, drop_duplicate_slices
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_names import product_name


@dataclass(frozen=True, slots=True)
class RadarTask:
    """The work of one unit.

    Parameters
    ----------
    current : slices that are put together, by time; of a pair the newer acquisition.
    previous : the older acquisition of a pair.
    owners : tile -> acquisition that its rasters are registered for; empty when nothing is to be made.
    slices : tile -> acquisitions that see it.
    considered : tiles that were looked at.
    nothing_because : of a unit with nothing of its own.
    waits_until, waits_for : a neighbouring slice is still to come; the rasters are made then without it.
    """

    job: RadarJob
    current: tuple[Acquisition, ...]
    previous: Acquisition | None
    owners: Mapping[str, int]
    slices: Mapping[str, tuple[int, ...]]
    considered: tuple[str, ...]
    nothing_because: Reason = Reason.NO_OVERLAP
    waits_until: datetime | None = None
    waits_for: str = ""

    @property
    def inputs(self) -> tuple[Acquisition, ...]:
        """All that are read."""
        return self.current if self.previous is None else (*self.current, self.previous)

    def alone(self, acquisition_id: int) -> RadarTask:
        """The same without the neighbouring slices, on the tiles that are the acquisition's own."""
        kept = {tile: owner for tile, owner in self.owners.items() if owner == acquisition_id}
        return RadarTask(
            self.job,
            tuple(item for item in self.current if item.id == acquisition_id),
            self.previous,
            kept,
            dict.fromkeys(kept, (acquisition_id,)),
            self.considered,
            self.nothing_because,
        )


def task_of(
    connection: Connection, context: IngestContext, unit: Unit, acquisition: Acquisition, now: datetime
) -> RadarTask:
    """Look up what a unit is to make.

    Raises
    ------
    ProductCorruptError : neither the source nor the manifest says orbit and direction.
    """
    if acquisition.relative_orbit is None or acquisition.direction is None:
        raise ProductCorruptError(
            f"{acquisition.full_path} states no relative orbit or no pass", hint="fetch the product again"
        )
    least = float(context.parameters["processor.l2s1.min.s2.intersection"])
    previous = previous_of(unit.unit_key)
    if previous is not None:
        return _coherence(connection, acquisition, previous, least)
    return _backscatter(connection, acquisition, now, least)


def _coherence(connection: Connection, current: Acquisition, previous_id: int, least: float) -> RadarTask:
    previous = get_acquisition(connection, previous_id)
    places = footprints(connection, [current.id, previous_id])
    common = shapely.intersection(places[current.id], places[previous_id])
    considered = radar_units.tiles_around(connection, [current.id])
    made = radar_rasters.tiles_of_pair(connection, current.id, previous_id)
    wanted = [
        name
        for name, ground in _footprints(considered).items()
        if name not in made and not common.is_empty and share_of(ground, common) >= least
    ]
    owners = dict.fromkeys(wanted, current.id)
    both = dict.fromkeys(wanted, (current.id, previous_id))
    return RadarTask(RadarJob.COHERENCE, (current,), previous, owners, both, tuple(considered))


def _backscatter(connection: Connection, acquisition: Acquisition, now: datetime, least: float) -> RadarTask:
    near, dropped = drop_duplicate_slices(s1_pairs.neighbours(connection, acquisition.id))
    if acquisition.id in dropped:
        return RadarTask(RadarJob.BACKSCATTER, (acquisition,), None, {}, {}, (), Reason.DUPLICATE)
    group = next(group for group in datatakes(near) if any(item.id == acquisition.id for item in group))
    # once one of them can be read after all it puts itself in
    lost = radar_rasters.unusable(connection, [item.id for item in group]) - {acquisition.id}
    slices = [item for item in group if item.id not in lost]
    numbers = [item.id for item in slices]
    considered = radar_units.tiles_around(connection, numbers)
    ownerships = tile_owners(slices, _footprints(considered), now, min_share=least)
    made = radar_rasters.put_together(connection, numbers)
    wanted = [item for item in ownerships if _is_ours(item, acquisition.id, made.get(item.tile, frozenset()))]
    awaited = [item for item in wanted if item.waits_until is not None and item.waits_until > now]
    used = sorted({item.id for one in wanted for item in one.slices})
    takes_part = any(item.id == acquisition.id for one in ownerships for item in one.slices)
    return RadarTask(
        RadarJob.BACKSCATTER,
        tuple(
            sorted(
                (get_acquisition(connection, number) for number in used),
                key=lambda one: (one.sensing_start, one.source_product_name),
            )
        ),
        None,
        {one.tile: one.owner.id for one in wanted},
        {one.tile: tuple(item.id for item in one.slices) for one in wanted},
        tuple(considered),
        Reason.JOINED if takes_part else Reason.NO_OVERLAP,
        max((item.waits_until for item in awaited if item.waits_until is not None), default=None),
        ", ".join(sorted({absent.name for item in awaited for absent in item.absent})),
    )


def _is_ours(ownership: TileOwnership, acquisition_id: int, made_of: frozenset[int]) -> bool:
    """Whether a slice makes a tile: its owner does, unless that is done; one that came late puts itself in."""
    needed = {item.id for item in ownership.slices}
    if ownership.owner.id == acquisition_id:
        return made_of != needed
    return acquisition_id in needed and bool(made_of) and acquisition_id not in made_of


def came_meanwhile(task: RadarTask, near: Iterable[RadarPass]) -> list[int]:
    """Return the slices on disk that see a tile of a task and that it was begun without."""
    grounds = _footprints(sorted(task.owners))
    return [
        item.id
        for item in near
        if item.on_disk
        and any(
            item.id not in task.slices[tile] and share_of(ground, item.footprint) > 0
            for tile, ground in grounds.items()
        )
    ]


def _footprints(tiles: Sequence[str]) -> dict[str, BaseGeometry]:
    return {name: sentinel2_tile(name).footprint_wgs84() for name in tiles}


def request_of(
    task: RadarTask,
    context: IngestContext,
    options: RadarOptions,
    *,
    work_dir: Path,
    now: datetime,
    heartbeat: Heartbeat | None = None,
) -> RadarRequest:
    """Return what the executor is asked.

    Raises
    ------
    ElevationMissingError : the folder of the elevation model does not exist, or holds none that is known.
    """
    values = context.parameters
    water = values["dem.water_path"]
    return RadarRequest(
        job=task.job,
        current=tuple(_scene(item) for item in task.current),
        previous=() if task.previous is None else (_scene(task.previous),),
        targets=tuple(target_on(name, options.pixel_spacing) for name in sorted(task.owners)),
        elevation=elevation_source(
            str(values["dem.source"]), values.path("dem.path"), None if water is None else Path(str(water))
        ),
        work_dir=work_dir,
        output_dir=values.path("storage.products_path") / "s1",
        options=options,
        now=now,
        heartbeat=heartbeat,
    )


def target_on(tile: str, pixel: int) -> RadarTarget:
    """Return a whole tile as a target, with pixels of some metres."""
    square = sentinel2_tile(tile)
    side = TILE_M // pixel
    return RadarTarget(tile, PixelGrid(square.epsg, square.ulx, square.uly, pixel, side, side))


def _scene(acquisition: Acquisition) -> RadarScene:
    return RadarScene(Path(str(acquisition.full_path)), product_name(acquisition.source_product_name))
