"""Landsat 8 and 9, Collection 2 level 2 with surface reflectance (preprocessing.md 6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers.angles import constant_angle_grid
from s4c_lib.readers.metadata_checks import check_same, stated
from s4c_lib.readers.raster_opening import grid_of_raster, open_raster, single_thread
from s4c_lib.readers.scene import Band, Layer, Mask, MaskKind, MeanGeometry, OpticalScene
from s4c_lib.sources.metadata_files import utc_time
from s4c_lib.sources.product_facts import landsat_metadata
from s4c_lib.sources.product_names import ProductName
from s4c_lib.sources.product_tree import ProductTree
from s4c_lib.sources.raster_check import check_present

# Sentinel-2 names of the bands: near infrared (B5) stands for both of Sentinel-2's.
BANDS: Final[Mapping[str, str]] = {
    "b02": "SR_B2", "b03": "SR_B3", "b04": "SR_B4", "b08": "SR_B5", "b8a": "SR_B5", "b11": "SR_B6", "b12": "SR_B7",
}  # fmt: skip
_MASKS: Final = {"qa_pixel": "QA_PIXEL", "qa_radsat": "QA_RADSAT"}
# Of Collection 2; the metadata hold a second, level-1 pair under the same keys.
SCALE: Final = 0.0000275
OFFSET: Final = -0.2
_FILL: Final = 0
_AGAIN: Final = "fetch the product again"
_PLACE: Final = (
    "CORNER_UL_PROJECTION_X_PRODUCT",
    "CORNER_UL_PROJECTION_Y_PRODUCT",
    "GRID_CELL_SIZE_REFLECTIVE",
    "REFLECTIVE_LINES",
    "REFLECTIVE_SAMPLES",
)


def read_landsat(tree: ProductTree, name: ProductName) -> OpticalScene:
    """Read a product on its own grid, in a folder or a tar.

    The view is taken as straight down: Landsat looks at most 7.5 degrees aside and the metadata have no view angles
    (its azimuth, which then has no meaning, is 0).

    Raises
    ------
    ProductCorruptError : metadata or a raster is missing, or they do not belong together.
    InputError : the product is not in UTM.
    """
    values = landsat_metadata(tree)
    where = f"the MTL of {tree.path}"
    check_same("product", values.get("LANDSAT_PRODUCT_ID"), name.name, where)
    check_same("platform", values.get("SPACECRAFT_ID"), name.platform.replace("-", "_"), where)
    files = {layer: _file(tree, layer) for layer in (*dict.fromkeys(BANDS.values()), *_MASKS.values())}
    grid = _grid(values, where) or _grid_of_file(tree.gdal_path(files["SR_B2"]))
    layers = {layer: Layer(tree.gdal_path(file), grid) for layer, file in files.items()}
    mean = MeanGeometry(
        sun_zenith=90 - _number(values, "SUN_ELEVATION", where),
        sun_azimuth=_number(values, "SUN_AZIMUTH", where) % 360,
        view_zenith=0.0,
        view_azimuth=0.0,
    )
    return OpticalScene(
        name=name.name,
        kind=name.kind,
        platform=name.platform,
        tile=stated(name.tile, "path and row", str(tree.path)),
        sensing_time=_sensing_time(values, name.sensing_start),
        relative_orbit=None,
        direction=None,
        baseline=None,
        grid=grid,
        bands={band: Band(band, layers[layer], SCALE, OFFSET, _FILL) for band, layer in BANDS.items()},
        mask=Mask(MaskKind.LANDSAT, {key: layers[layer] for key, layer in _MASKS.items()}),
        angles=constant_angle_grid(grid, mean),
        metadata_files=tuple(
            tree.gdal_path(file)
            for file in sorted(tree.files)
            if file.lower().endswith(("_mtl.xml", "_mtl.json", "_mtl.txt"))
        ),
        quality=_quality(values),
    )


def _file(tree: ProductTree, layer: str) -> str:
    ending = f"_{layer}.tif".lower()
    found = next((file for file in sorted(tree.files) if file.lower().endswith(ending)), None)
    if found is None:
        raise ProductCorruptError(f"{tree.path} has no {layer} raster", hint="the product may still be arriving")
    check_present(tree, found)
    return found


def _grid(values: Mapping[str, str], where: str) -> PixelGrid | None:
    """The grid of the reflective bands; None where the metadata do not place it at all."""
    if values.get("MAP_PROJECTION", "UTM") != "UTM":
        raise InputError(f"{where} is in the projection {values['MAP_PROJECTION']}", hint="only UTM scenes are read")
    if not any(key in values for key in _PLACE):
        return None
    x, y, pixel, rows, columns = (_number(values, key, where) for key in _PLACE)
    zone = _number(values, "UTM_ZONE", where)
    # The corner is the centre of its pixel. Zones are northern everywhere: south of the equator northings are negative.
    return PixelGrid(32600 + int(zone), x - pixel / 2, y + pixel / 2, pixel, int(rows), int(columns))


def _grid_of_file(path: str) -> PixelGrid:
    with single_thread(), open_raster(path) as raster:
        return grid_of_raster(raster, path)


def _number(values: Mapping[str, str], key: str, where: str) -> float:
    try:
        return float(stated(values.get(key), key, where))
    except ValueError as error:
        raise ProductCorruptError(f"{where} has no usable {key}: {values[key]}", hint=_AGAIN) from error


def _sensing_time(values: Mapping[str, str], day: datetime) -> datetime:
    return utc_time(f"{values.get('DATE_ACQUIRED', '')}T{values.get('SCENE_CENTER_TIME', '')}") or day


def _quality(values: Mapping[str, str]) -> dict[str, float]:
    """Cloud cover of scene and land; the -1 of a cover that was not computed is left out."""
    found = {}
    for key in ("CLOUD_COVER", "CLOUD_COVER_LAND"):
        written = values.get(key, "").replace(".", "", 1)
        if written.isdigit():
            found[key.lower()] = float(values[key])
    return found
