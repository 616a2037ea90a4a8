"""Parcel statistics of whole products: L3B rasters, bands of L2A, Sentinel-1 rasters (l3b-and-markers.md 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.extraction.pixel_indexes import PixelIndexes
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parcels.pixel_index import PixelIndex
from s4c_lib.readers.flags import MaskRules
from s4c_lib.readers.pixels import ScenePixels, open_pixels
from s4c_lib.readers.radar_raster import RadarRaster
from s4c_lib.readers.raster_opening import grid_of_raster, open_raster, single_thread, unreadable
from s4c_lib.readers.scene import NO_DATA, SCALE, OpticalScene
from s4c_lib.statistics.band_formulas import brightness_l4a, ndwi
from s4c_lib.statistics.parcel_statistics import (
    ParcelStatistics,
    Quantity,
    backscatter_statistics,
    coherence_statistics,
    statistics_of,
)
from s4c_lib.statistics.wanted import StatisticsOptions, WantedVariable

_BLOCK: Final = 512
Choose = Callable[[PixelIndex], PixelIndex]
"""Which parcels of an index are computed; all of them by default."""


@dataclass(frozen=True, slots=True, eq=False)
class VariableStatistics:
    """Statistics of one variable of a product, and the grid they were counted on, which ``wanted`` says too."""

    wanted: WantedVariable
    grid: PixelGrid
    statistics: ParcelStatistics


def _all(index: PixelIndex) -> PixelIndex:
    return index


def l3b_statistics(
    rasters: Mapping[str, Path],
    flags: Path,
    tile: str,
    wanted: Sequence[WantedVariable],
    indexes: PixelIndexes,
    options: StatisticsOptions,
    choose: Choose = _all,
) -> Iterator[VariableStatistics]:
    """Statistics of the rasters of an L3B product, over land pixels.

    Parameters
    ----------
    rasters : by variable. flags : its flag raster. tile : of the product.

    Raises
    ------
    InputError : a wanted variable has no raster. ProductCorruptError : a raster cannot be read, or differs in size.
    """
    with single_thread():
        land, grid, _ = _raster(flags)
        for item in wanted:
            if item.variable not in rasters:
                raise InputError(
                    f"{flags.parent.name} has no raster of {item.variable}", hint="make L3B again with it switched on"
                )
            values, own_grid, encoding = _raster(rasters[item.variable])
            if own_grid != grid:
                raise ProductCorruptError(f"{rasters[item.variable]} and {flags} differ in size", hint="make L3B again")
            counted = options.on_grid(item, grid.pixel)
            index = choose(indexes.on(grid, counted.buffer_m, tile=tile))
            yield VariableStatistics(counted, grid, _over_land(index, values, encoding, land, options))


def band_statistics(
    scene: OpticalScene,
    rules: MaskRules,
    wanted: Sequence[WantedVariable],
    indexes: PixelIndexes,
    options: StatisticsOptions,
    choose: Choose = _all,
) -> Iterator[VariableStatistics]:
    """Statistics of bands of an L2A product and of what L4A makes of them per pixel, over land pixels."""
    for pixel in sorted({item.pixel for item in wanted}):
        with open_pixels(scene, pixel, rules) as pixels:
            land = pixels.flags()
            for item in (one for one in wanted if one.pixel == pixel):
                values, encoding = _band(pixels, item.variable)
                index = choose(indexes.on(pixels.grid, item.buffer_m, tile=scene.tile))
                yield VariableStatistics(item, pixels.grid, _over_land(index, values, encoding, land, options))


def radar_statistics(
    raster: RadarRaster,
    wanted: WantedVariable,
    indexes: PixelIndexes,
    options: StatisticsOptions,
    choose: Choose = _all,
) -> VariableStatistics:
    """Statistics of a Sentinel-1 raster: dB of each pixel before averaging, or coherence."""
    grid = raster.grid
    counted = options.on_grid(wanted, grid.pixel)
    index = choose(indexes.on(grid, counted.buffer_m, tile=raster.tile))
    values = raster.read()
    encoding: dict[str, Any] = {
        "scale": raster.scale,
        "no_data": raster.no_data,
        "quartiles": bool(options.quartiles),
    }
    if raster.quantity == "coherence":
        found = coherence_statistics(index, values, **encoding)
    else:
        found = backscatter_statistics(index, values, quantity=cast(Quantity, raster.quantity), **encoding)
    return VariableStatistics(counted, grid, options.kept(found))


def _over_land(
    index: PixelIndex,
    values: npt.NDArray[Any],
    encoding: Mapping[str, Any],
    land: npt.NDArray[np.uint8],
    options: StatisticsOptions,
) -> ParcelStatistics:
    """Statistics of the pixels whose flags are 0."""
    found = statistics_of(
        index,
        values,
        **encoding,
        land=land,
        zero_is_no_data=options.zero_is_no_data,
        quartiles=bool(options.quartiles),
    )
    return options.kept(found)


def _band(pixels: ScenePixels, variable: str) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """Pixels of a band or of a formula of bands, and how statistics read them."""
    formulas: Mapping[str, tuple[tuple[str, ...], Callable[..., Any]]] = {
        "ndwi": (("b08", "b11"), ndwi),
        "brightness_l4a": (("b03", "b04", "b08", "b11"), brightness_l4a),
    }
    if variable not in formulas:
        return pixels.rows([variable], 0, pixels.grid.rows, smooth=True)[0], {"scale": 1 / SCALE, "no_data": NO_DATA}
    names, formula = formulas[variable]
    values = np.empty(pixels.grid.shape, np.float32)
    for first in range(0, pixels.grid.rows, _BLOCK):
        stop = min(first + _BLOCK, pixels.grid.rows)
        values[first:stop] = formula(*pixels.rows(names, first, stop, smooth=True))
    return values, {"no_data": None}


def _raster(path: Path) -> tuple[npt.NDArray[Any], PixelGrid, dict[str, Any]]:
    """Pixels of a raster's first band, its grid, and how statistics read it."""
    from rasterio.errors import RasterioError

    with open_raster(str(path)) as source:
        encoding = {"scale": source.scales[0], "offset": source.offsets[0], "no_data": source.nodata}
        try:
            return source.read(1), grid_of_raster(source, str(path)), encoding
        except RasterioError as error:
            raise unreadable(str(path), error) from error
