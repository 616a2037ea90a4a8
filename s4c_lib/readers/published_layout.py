"""Layout ``l2a-1`` of a published L2A folder: names of its files and what its STAC item says beyond the standard.

Publication writes it and `s4c_lib.readers.published` reads it back; both take every name and field from here.

A folder ``{name}/`` holds ``{name}.json`` (the item), one raster for each band and mask with the source's DN unchanged,
``{name}_ANGLES.tif`` (float32, three bands in the order of `COSINES`, one pixel a node, pixel centre = node),
``mosaic.jpg`` and the source's own metadata documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers.scene import AngleGrid, Band, Layer, OpticalScene

LAYOUT: Final = "l2a-1"
QUICKLOOK: Final = "mosaic.jpg"
ANGLES: Final = "angles"  # key of the asset

# Keys of the item's properties.
LAYOUT_KEY: Final = "s4c:layout"
KIND: Final = "s4c:kind"
TILE: Final = "s4c:tile"
PLATFORM: Final = "platform"
TIME: Final = "datetime"
ORBIT: Final = "sat:relative_orbit"
DIRECTION: Final = "sat:orbit_state"
BASELINE: Final = "s4c:baseline"
MASK_KIND: Final = "s4c:mask_kind"
BANDS: Final = "s4c:bands"  # asset keys of the bands
MASKS: Final = "s4c:masks"  # asset keys of the masks
GRID: Final = "s4c:grid"
ANGLE_GRID: Final = "s4c:angle_grid"
QUALITY: Final = "s4c:quality"
SOURCE_PROPERTIES: Final = "s4c:source_properties"
METADATA_FILES: Final = "s4c:metadata_files"


def item_file(name: str) -> str:
    """Name of the item document."""
    return f"{name}.json"


def raster_file(name: str, key: str) -> str:
    """Name of the raster behind an asset key: ``b02`` -> ``{name}_B02.tif``, ``mg2_r1`` -> ``{name}_MG2_R1.tif``."""
    return f"{name}_{key.upper()}.tif"


def band_files(scene: OpticalScene) -> dict[str, str]:
    """File of each band; bands read from one layer (``b08`` and ``b8a`` of Landsat) share the file of the first."""
    first: dict[Layer, str] = {}
    for key in sorted(scene.bands):
        first.setdefault(scene.bands[key].layer, key)
    return {key: raster_file(scene.name, first[scene.bands[key].layer]) for key in sorted(scene.bands)}


def mask_files(scene: OpticalScene) -> dict[str, str]:
    """File of each mask layer."""
    return {key: raster_file(scene.name, key) for key in sorted(scene.mask.layers)}


def item_properties(scene: OpticalScene, metadata_files: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the item's properties must hold besides the standard's own; JSON values only.

    Parameters
    ----------
    metadata_files : names in the published folder of the source's metadata documents.
    """
    mean = scene.angles.mean
    return {
        LAYOUT_KEY: LAYOUT,
        KIND: str(scene.kind),
        TILE: scene.tile,
        PLATFORM: scene.platform,
        TIME: scene.sensing_time.isoformat().replace("+00:00", "Z"),
        **({} if scene.relative_orbit is None else {ORBIT: scene.relative_orbit}),
        **({} if scene.direction is None else {DIRECTION: scene.direction}),
        **({} if scene.baseline is None else {BASELINE: scene.baseline}),
        MASK_KIND: str(scene.mask.kind),
        BANDS: sorted(scene.bands),
        MASKS: sorted(scene.mask.layers),
        GRID: grid_fields(scene.grid),
        ANGLE_GRID: {
            "west": scene.angles.west,
            "north": scene.angles.north,
            "step": scene.angles.step,
            "sun_zenith": mean.sun_zenith,
            "sun_azimuth": mean.sun_azimuth,
            "view_zenith": mean.view_zenith,
            "view_azimuth": mean.view_azimuth,
        },
        QUALITY: dict(sorted(scene.quality.items())),
        SOURCE_PROPERTIES: dict(sorted(scene.properties.items())),
        METADATA_FILES: list(metadata_files),
    }


def band_fields(band: Band) -> dict[str, Any]:
    """Fields of a band's asset: reflectance = DN * ``raster:scale`` + ``raster:offset``, DN ``nodata`` excepted."""
    return {
        **grid_fields(band.layer.grid),
        "nodata": band.no_data,
        "raster:scale": band.scale,
        "raster:offset": band.offset,
    }


def mask_fields(layer: Layer) -> dict[str, Any]:
    """Fields of a mask's asset."""
    return grid_fields(layer.grid)


def grid_fields(grid: PixelGrid) -> dict[str, Any]:
    """A grid in the words of the projection extension."""
    return {
        "proj:code": f"EPSG:{grid.epsg}",
        "proj:shape": [grid.rows, grid.columns],
        "proj:transform": [grid.pixel, 0.0, grid.west, 0.0, -grid.pixel, grid.north],
    }


def grid_of(fields: Mapping[str, Any]) -> PixelGrid:
    """The grid that `grid_fields` wrote.

    Raises
    ------
    KeyError, ValueError, TypeError : a field is missing or is no such value.
    """
    rows, columns = fields["proj:shape"]
    pixel, _, west, _, down, north = fields["proj:transform"][:6]
    if pixel != -down:
        raise ValueError(f"pixels of {pixel} x {-down} m are not square")
    epsg = int(str(fields["proj:code"]).removeprefix("EPSG:"))
    return PixelGrid(epsg, float(west), float(north), float(pixel), int(rows), int(columns))


def angle_raster_grid(angles: AngleGrid, epsg: int) -> PixelGrid:
    """Grid of ``{name}_ANGLES.tif``: its pixels are centred on the nodes."""
    rows, columns = angles.cos_vza.shape
    half = angles.step / 2
    return PixelGrid(epsg, angles.west - half, angles.north + half, angles.step, rows, columns)
