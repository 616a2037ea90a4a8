"""A place with known heights, and the executor asked for it: shared by the tests of ``native-grd``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj import Transformer

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.elevation.sources import ElevationSource, elevation_source
from s4c_lib.preprocessing.executor import ExecutorStatus
from s4c_lib.preprocessing.radar.executor import (
    MadeRaster,
    RadarJob,
    RadarRequest,
    RadarResult,
    RadarScene,
    RadarTarget,
)
from s4c_lib.preprocessing.radar.native_grd import NativeGrdExecutor
from s4c_lib.preprocessing.radar.native_settings import NativeOptions
from s4c_lib.sources.product_names import parse_product_name
from tests.preprocessing.radar.synthetic_grd import Scene

EPSG = 32633
TILE = "33TTG"
NOW = datetime(2021, 5, 4, 6, tzinfo=UTC)
TO_MAP = Transformer.from_crs(4326, EPSG, always_xy=True)
TO_GLOBE = Transformer.from_crs(EPSG, 4326, always_xy=True)


def grid_around(scene: Scene, pixel: float = 20.0, size: int = 300, east: float = 0.0, north: float = 0.0) -> PixelGrid:
    """A square map around the middle of a scene, moved by metres."""
    x, y = TO_MAP.transform(scene.longitude, scene.latitude)
    half = size * pixel / 2
    return PixelGrid(
        EPSG, round((x + east) / 100) * 100.0 - half, round((y + north) / 100) * 100.0 + half, pixel, size, size
    )


@dataclass(frozen=True)
class Desk:
    """Where the executor works: elevation model and folders."""

    elevation: Path
    folder: Path

    def source(self) -> ElevationSource:
        """The elevation model."""
        return elevation_source("copernicus_glo30", self.elevation)

    def request(self, *safes: Path | RadarScene, grid: PixelGrid | None = None, **given: Any) -> RadarRequest:
        """What the executor is asked; unknown names are options."""
        scenes = tuple(safe if isinstance(safe, RadarScene) else scene_of(safe) for safe in safes)
        own = {"heights_are_ellipsoidal": True, "min_tile_share": 0.0, "polarisations": ("VV",), "min_memory_mb": 1}
        fields = {name: given.pop(name) for name in ("job", "heartbeat", "elevation") if name in given}
        grid = grid or grid_around(Scene())
        return RadarRequest(
            **(
                {
                    "job": RadarJob.BACKSCATTER,
                    "current": scenes,
                    "previous": (),
                    "targets": (RadarTarget(TILE, grid),),
                    "elevation": self.source(),
                    "work_dir": self.folder / "work",
                    "output_dir": self.folder / "out",
                    "options": NativeOptions(**(own | {"pixel_spacing": int(grid.pixel)} | given)),
                    "now": NOW,
                }
                | fields
            )
        )

    def run(self, *safes: Path | RadarScene, **given: Any) -> RadarResult:
        """Run the executor."""
        return NativeGrdExecutor().run(self.request(*safes, **given))

    def made(self, *safes: Path | RadarScene, **given: Any) -> MadeRaster:
        """Its only raster."""
        result = self.run(*safes, **given)
        assert result.status is ExecutorStatus.DONE, result
        [raster] = result.rasters
        return raster

    def values(self, *safes: Path | RadarScene, **given: Any) -> Any:
        """Pixels of its only raster."""
        return pixels(self.made(*safes, **given))


def pixels(raster: MadeRaster) -> Any:
    """What a raster holds."""
    with rasterio.open(raster.path) as opened:
        return opened.read(1)


def scene_of(safe: Path, orbit_file: Path | None = None) -> RadarScene:
    """A product as it is given to an executor."""
    name = parse_product_name(safe.name)
    assert name is not None
    return RadarScene(safe, name, orbit_file)


def spots(grid: PixelGrid, count: int, margin: int = 40, seed: int = 5) -> Any:
    """Easting and northing of places well inside a map, apart from each other, (count, 2)."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(count)))
    cell = (grid.rows - 2 * margin) / side
    row, column = np.divmod(np.arange(count), side)
    down = margin + (row + rng.uniform(0.3, 0.7, count)) * cell
    across = margin + (column + rng.uniform(0.3, 0.7, count)) * cell
    return np.stack([grid.west + across * grid.pixel, grid.north - down * grid.pixel], axis=1)


def found_near(values: Any, grid: PixelGrid, place: Any, reach: int = 4) -> Any:
    """Where a bright spot lies from a place, pixels down and across: its centre of mass above the ground around it."""
    across, down = (place[0] - grid.west) / grid.pixel - 0.5, (grid.north - place[1]) / grid.pixel - 0.5
    i, j = round(down), round(across)
    part = values[i - reach : i + reach + 1, j - reach : j + reach + 1].astype(float)
    part = part - np.median(values)
    rows, columns = np.mgrid[i - reach : i + reach + 1, j - reach : j + reach + 1]
    return np.array([(part * rows).sum() / part.sum() - down, (part * columns).sum() / part.sum() - across])
