"""A Landsat scene on the 30 m grid of a Sentinel-2 tile (preprocessing.md 6): warped while it is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import TILE_M, Sentinel2Tile
from s4c_lib.readers.angles import constant_angle_grid
from s4c_lib.readers.raster_opening import open_layer, single_thread, unreadable
from s4c_lib.readers.scene import Band, Layer, Mask, OpticalScene

_PIXEL: Final = 30
_TOLERANCE: Final = 0.01  # pixels, of the approximated change of coordinates

# What a mask says of a pixel outside the scene: fill (bit 0), no data.
_OUTSIDE: Final = {"qa_pixel": 1, "flags": 255}


def on_tile_grid(scene: OpticalScene, tile: Sentinel2Tile) -> OpticalScene:
    """The scene with its layers on the tile's grid of 3660 x 3660 pixels of 30 m.

    Reflectance is interpolated bilinearly among pixels with data, masks take the nearest pixel. The layers become
    descriptions of a warp (GDAL's virtual format, as text), so whoever opens their path sees the tile's grid.

    Raises
    ------
    InputError : the scene does not meet the tile. ProductCorruptError : a raster cannot be read.
    """
    from rasterio.warp import Resampling, transform_bounds

    grid = PixelGrid(tile.epsg, tile.ulx, tile.uly, _PIXEL, TILE_M // _PIXEL, TILE_M // _PIXEL)
    west, south, east, north = transform_bounds(f"EPSG:{scene.grid.epsg}", f"EPSG:{tile.epsg}", *scene.grid.bounds)
    left, bottom, right, top = grid.bounds
    if east <= left or west >= right or north <= bottom or south >= top:
        raise InputError(f"{scene.name} does not meet tile {tile.tile_id}")
    warped: dict[Layer, Layer] = {}
    with single_thread():
        bands = {}
        for key, band in scene.bands.items():
            if band.layer not in warped:
                warped[band.layer] = _warped(band.layer, grid, Resampling.bilinear, band.no_data)
            bands[key] = Band(band.name, warped[band.layer], band.scale, band.offset, band.no_data)
        masks = {
            key: _warped(layer, grid, Resampling.nearest, None, _OUTSIDE.get(key, 0))
            for key, layer in scene.mask.layers.items()
        }
    return replace(
        scene,
        tile=tile.tile_id,
        grid=grid,
        bands=bands,
        mask=Mask(scene.mask.kind, masks),
        angles=constant_angle_grid(grid, scene.angles.mean),
        properties={**scene.properties, "path_row": scene.tile},
    )


def _warped(
    layer: Layer, grid: PixelGrid, resampling: object, no_data: int | None, outside: int | None = None
) -> Layer:
    from rasterio import Affine
    from rasterio.errors import RasterioError
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy
    from rasterio.vrt import WarpedVRT

    options: dict[str, object] = {} if outside is None else {"init_dest_nodata": False, "INIT_DEST": str(outside)}
    try:
        with (
            open_layer(layer) as raster,
            WarpedVRT(
                raster,
                crs=f"EPSG:{grid.epsg}",
                transform=Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north),
                width=grid.columns,
                height=grid.rows,
                src_nodata=no_data,
                nodata=no_data,
                resampling=resampling,
                tolerance=_TOLERANCE,
                num_threads=1,
                **options,
            ) as warp,
            MemoryFile(ext=".vrt") as memory,
        ):
            copy(warp, memory.name, driver="VRT")
            return Layer(bytes(memory.read()).decode(), grid, layer.index)
    except RasterioError as error:
        raise unreadable(layer.path, error) from error
