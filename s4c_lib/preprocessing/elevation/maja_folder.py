"""The elevation folder of a tile as MAJA reads it, made once and kept (spec §7.2, §7.4).

``{sensor}_{tile}_{key}/{sensor}_TEST_AUX_REFDE2_{tile}_{date}_0001.HDR`` and ``.DBL.DIR/``. The key is a digest of the
tile, its grid, the elevation model, the files of it that are used and those of the water mask: a folder that is there
is current, and what a change leaves behind is never looked at again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from s4c_lib.errors import ProductCorruptError, Sen4capError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import TILE_M, Sentinel2Tile
from s4c_lib.preprocessing.elevation.header import SENSOR, HeaderFacts, header
from s4c_lib.preprocessing.elevation.layers import coarse_grid, padded, resolutions, write_layers, write_mask
from s4c_lib.preprocessing.elevation.one_writer import EXPIRY_S, WAIT_S, Writer, disk_error, one_writer
from s4c_lib.preprocessing.elevation.registration import registration_check
from s4c_lib.preprocessing.elevation.resampling import Ground, elevation_on, ground_of
from s4c_lib.preprocessing.elevation.sources import ElevationSource
from s4c_lib.preprocessing.elevation.water_mask import WaterBodies, water_bodies, water_mask
from s4c_lib.sources.part_folder import flush_folder

LAYOUT: Final = 1
"""Raised when the content of a folder changes for the same input."""
_LOWEST_M: Final = -500.0
_HIGHEST_M: Final = 9000.0
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How processes that want the same folder wait for each other.

    Parameters
    ----------
    wait_s : longest wait for another writer.
    expiry_s : silence after which a writer is taken for dead.
    """

    wait_s: float = WAIT_S
    expiry_s: float = EXPIRY_S


def maja_elevation(
    tile: Sentinel2Tile,
    source: ElevationSource,
    folder: Path,
    *,
    now: datetime,
    grid: PixelGrid | None = None,
    reference: ElevationSource | None = None,
    waiting: Waiting | None = None,
) -> Path:
    """Elevation of a Sentinel-2 tile for MAJA; computed unless it is in the cache.

    Parameters
    ----------
    tile : the tile.
    source : elevation model; it is only read.
    folder : the cache.
    now : stamped into a new folder.
    grid : of band B02 of the image when that is not the whole tile; 10 m.
    reference : another model against which the position of `source` is checked; a shift is logged as a warning.

    Returns
    -------
    the folder that holds the header (.HDR) and the directory of the layers (.DBL.DIR).

    Raises
    ------
    ElevationMissingError : land without a file, or SRTM beyond 60 degrees.
    ProductCorruptError : a file cannot be read, or holds impossible heights.
    StorageError : another process has been writing it for too long, or the cache cannot be written.
    DiskFullError : no space is left.
    LeaseLostError : this process was so slow that another took over.
    """
    whole = PixelGrid(tile.epsg, tile.ulx, tile.uly, 10, TILE_M // 10, TILE_M // 10)
    order = _Order(tile.tile_id, grid or whole, source, now, reference)
    return _cached(order, folder, waiting or Waiting())


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be made."""

    tile: str
    grid: PixelGrid
    source: ElevationSource
    now: datetime
    reference: ElevationSource | None


def _cached(order: _Order, folder: Path, waiting: Waiting) -> Path:
    margin, pad = padded(order.grid)
    ground = ground_of(margin, order.source)
    water = water_bodies(order.source, coarse_grid(order.grid))
    target = folder / f"{SENSOR}_{order.tile}_{_key(order, ground, water)}"
    with one_writer(target, wait_s=waiting.wait_s, expiry_s=waiting.expiry_s) as writer:
        if writer is None:
            return target
        with _whole_folder(target, writer) as part:
            _fill(part, order, ground, pad, water, writer)
    log.info(
        "elevation_made",
        tile=order.tile,
        source=order.source.kind.value,
        folder=str(target),
        sea=[order.source.name(cell) for cell in ground.survey.sea],
    )
    return target


def _key(order: _Order, ground: Ground, water: WaterBodies) -> str:
    source = order.source
    known = LAYOUT, SENSOR, order.tile, order.grid, source.kind.value, source.registration_offset
    digest = hashlib.sha256(repr(known).encode())
    digest.update(ground.survey.version.encode())
    for path in water.paths:
        state = path.stat()
        digest.update(f"{path.name} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _fill(part: Path, order: _Order, ground: Ground, pad: int, water: WaterBodies, writer: Writer) -> None:
    source, tile = order.source, order.tile
    name = f"{SENSOR}_TEST_AUX_REFDE2_{tile}_{order.now:%Y%m%d}_0001"
    layers = part / f"{name}.DBL.DIR"
    layers.mkdir()
    made: list[str] = []

    def place(layer: str) -> Path:
        path = layers / f"{SENSOR}_TEST_AUX_REFDE2_{tile}_0001_{layer}.TIF"
        made.append(f"{layers.name}/{path.name}")
        return path

    note = "" if order.reference is None else _registration_note(order.grid, source, order.reference)
    coarse = coarse_grid(order.grid)
    write_mask(water_mask(water, source, Ground(coarse, ground.survey)), coarse, place("MSK"))
    heights = elevation_on(ground.grid, source, ground=ground)
    _check_heights(float(heights.min()), float(heights.max()), order)
    writer.renew()
    statistics = write_layers(heights, pad, resolutions(order.grid), place, writer.renew)
    sea = ", ".join(source.name(cell) for cell in ground.survey.sea) or "none"
    comment = f"{source.kind.value}, {source.geoid}; cells taken for sea: {sea}{note}"
    facts = HeaderFacts(name, tile, order.grid, statistics, made, comment, order.now)
    with (part / f"{name}.HDR").open("wb") as stream:
        stream.write(header(facts))
        stream.flush()
        os.fsync(stream.fileno())
    flush_folder(layers)


def _check_heights(least: float, greatest: float, order: _Order) -> None:
    """Refuse heights that the Earth does not have; that all are equal (the sea) is legal."""
    if not _LOWEST_M <= least <= greatest <= _HIGHEST_M:
        raise ProductCorruptError(
            f"elevation of {order.tile} from {order.source.path}: heights from {least:g} to {greatest:g} m",
            hint="the model has a no-data value that its files do not declare, or its unit is not the metre",
        )


def _registration_note(grid: PixelGrid, source: ElevationSource, reference: ElevationSource) -> str:
    found = registration_check(grid, source, reference)
    if found is None:
        return "; position not checked: too flat"
    return f"; position against {reference.kind.value}: {found.x_m:+.1f} m east, {found.y_m:+.1f} m north"


@contextmanager
def _whole_folder(target: Path, writer: Writer) -> Iterator[Path]:
    """A folder beside the target, invisible to readers, that takes its name when all is on disk."""
    part: Path | None = None
    try:
        for left in target.parent.glob(f".{target.name}.part-*"):
            shutil.rmtree(left)  # of a writer that was killed; only the holder of the lock comes here
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.part-", dir=target.parent))
        yield part
        part.chmod(0o755)
        flush_folder(part)
        writer.renew()
        part.rename(target)
        flush_folder(target.parent)
    except OSError as error:
        if isinstance(error, Sen4capError):
            raise
        raise disk_error(target, error) from error
    finally:
        if part is not None and part.exists():
            shutil.rmtree(part, ignore_errors=True)
