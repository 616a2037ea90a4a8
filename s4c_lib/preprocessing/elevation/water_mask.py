"""Water bodies on a coarse grid, from SWBD's outlines or from the water layer of GLO-30 (spec §7.2, MSK)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.elevation.cells import Cell, cells_within, water_name, wrapped
from s4c_lib.preprocessing.elevation.mosaic import Survey
from s4c_lib.preprocessing.elevation.resampling import Ground, elevation_on, geographic_bounds
from s4c_lib.preprocessing.elevation.sources import ElevationSource, SourceFile, SourceKind, water_layers

Mask = npt.NDArray[np.uint8]
# The letter of the continent that ends the names.
_CONTINENTS: Final = "nsaefi"
_SAMPLE_M: Final = 30.0


@dataclass(frozen=True, slots=True)
class WaterBodies:
    """Files with water bodies below some ground.

    Parameters
    ----------
    shapes : SWBD shapefiles and the longitude by which each is moved across 180 degrees.
    layers : rasters of the water layer of GLO-30 by cell.
    """

    shapes: tuple[tuple[Path, float], ...] = ()
    layers: tuple[tuple[Cell, Path], ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        return (*(path for path, _ in self.shapes), *(path for _, path in self.layers))


def water_bodies(source: ElevationSource, grid: PixelGrid) -> WaterBodies:
    """Find the water bodies below a grid: outlines if the water folder has any, else the layer of GLO-30, else none."""
    cells = list(cells_within(geographic_bounds(grid), 1))
    if source.water_path is not None:
        names = {cell: re.compile(rf"{water_name(cell)}[{_CONTINENTS}]\.shp") for cell in cells}
        entries = sorted(source.water_path.iterdir())
        shapes = tuple(
            (entry, float(cell.column - wrapped(cell.column, 1)))
            for cell, name in names.items()
            for entry in entries
            if name.fullmatch(entry.name.lower())
        )
        if shapes:
            return WaterBodies(shapes=shapes)
    if source.water_path is None and source.kind is not SourceKind.COPERNICUS_GLO30:
        return WaterBodies()
    layers = ((cell, next((p for p in water_layers(source, cell) if p.is_file()), None)) for cell in cells)
    return WaterBodies(layers=tuple((cell, path) for cell, path in layers if path is not None))


def water_mask(water: WaterBodies, source: ElevationSource, ground: Ground) -> Mask:
    """Burn water bodies.

    Parameters
    ----------
    water : what `water_bodies` found; nothing gives a mask without water.
    ground : the grid, and the cells of the elevation model below it: those taken for sea are water to the layer of
        GLO-30, which has none of them.

    Returns
    -------
    uint8 (rows, columns), 1 where the centre lies in an outline, or water covers at least half of the pixel; else 0.

    Raises
    ------
    ProductCorruptError : a file cannot be read.
    """
    if water.shapes:
        return _burned(water.shapes, ground.grid)
    if water.layers:
        return _covered(water.layers, source, ground)
    return np.zeros(ground.grid.shape, np.uint8)


def _burned(shapes: Sequence[tuple[Path, float]], grid: PixelGrid) -> Mask:
    import shapely
    from pyogrio.errors import DataSourceError
    from pyogrio.raw import read
    from pyproj import Transformer
    from rasterio import Affine
    from rasterio.features import rasterize

    to_grid = Transformer.from_crs(4326, grid.epsg, always_xy=True)
    outlines: list[Any] = []
    for path, moved in shapes:
        try:
            geometry = shapely.from_wkb(read(path, columns=[])[2])
        except (DataSourceError, shapely.errors.GEOSException) as error:
            raise ProductCorruptError(f"{path} cannot be read: {error}", hint="fetch the file again") from error

        def change(coordinates: Any, moved: float = moved) -> Any:
            return np.column_stack(to_grid.transform(coordinates[:, 0] + moved, coordinates[:, 1]))

        outlines.extend(
            shapely.transform(geometry[~shapely.is_missing(geometry) & ~shapely.is_empty(geometry)], change)
        )
    if not outlines:
        return np.zeros(grid.shape, np.uint8)
    place = Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north)
    burned: Mask = rasterize(outlines, grid.shape, transform=place, dtype="uint8")
    return burned


def _covered(layers: Sequence[tuple[Cell, Path]], source: ElevationSource, ground: Ground) -> Mask:
    grid = ground.grid
    parts = max(1, round(grid.pixel / _SAMPLE_M))
    fine = PixelGrid(grid.epsg, grid.west, grid.north, grid.pixel / parts, grid.rows * parts, grid.columns * parts)
    files = {cell: SourceFile(path) for cell, path in layers}
    as_model = replace(source, kind=SourceKind.COPERNICUS_GLO30, registration_offset=(0.0, 0.0))
    found = Survey.of(files)
    water = elevation_on(fine, as_model, method="nearest", ground=Ground(fine, found)) > 0
    share = water.reshape(grid.rows, parts, grid.columns, parts).mean(axis=(1, 3))
    mask: Mask = (share >= 0.5).astype(np.uint8)
    if source.kind is SourceKind.COPERNICUS_GLO30 and ground.survey.sea:
        mask |= _within(ground.survey.sea, grid)
    return mask


def _within(sea: Sequence[Cell], grid: PixelGrid) -> Mask:
    """1 where the centre of a pixel lies in one of these cells of one degree."""
    from pyproj import Transformer

    column, row = np.arange(grid.columns) + 0.5, np.arange(grid.rows) + 0.5
    easting, northing = np.meshgrid(grid.west + column * grid.pixel, grid.north - row * grid.pixel)
    longitude, latitude = Transformer.from_crs(grid.epsg, 4326, always_xy=True).transform(easting, northing)
    found = np.zeros(grid.shape, np.uint8)
    for cell in sea:
        inside = (np.floor(latitude) == cell.row) & ((np.floor(longitude) - cell.column) % 360 == 0)
        found[inside] = 1
    return found
