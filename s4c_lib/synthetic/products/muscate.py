"""L2A in the format of MUSCATE and MAJA: int16 GeoTIFFs, bit masks and one metadata document.

Over flat ground the slope-corrected reflectances (FRE) equal the uncorrected ones (SRE). Bits and scales:
``preprocessing.md`` 2.8. Aerosol and water vapour are interpolated where cloud hides the ground (IAB).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.synthetic.archive_files import Files
from s4c_lib.synthetic.optical.scene import OpticalScene
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.products.angle_grids import angle_grids
from s4c_lib.synthetic.products.muscate_metadata import GROUP_METRES, muscate_metadata
from s4c_lib.synthetic.products.raster_files import geotiff
from s4c_lib.synthetic.products.scene_checks import check_place, check_scene
from s4c_lib.synthetic.products.sentinel2_images import at_resolution, class_shares, no_data

NO_DATA = -10000
VERSION = "3-1"
# Bands of each group of resolution, with their names in files; their order is that of the bits of SAT.
GROUPS = {
    "R1": ("B02", "B03", "B04", "B08"),
    "R2": ("B05", "B06", "B07", "B8A", "B11", "B12"),
}
_WATER_VAPOUR_SCALE, _AEROSOL_SCALE = 20, 200
_MG2 = {6: 1, 8: 2, 9: 2, 10: 2, 11: 4, 3: 8, 2: 16}
# 1 clouds and shadows, 2 clouds, 32 shadow of a cloud, 128 high cloud seen at 1.38 um.
_CLM = {8: 1 | 2, 9: 1 | 2, 10: 128, 3: 1 | 32}
_IAB = {8: 3, 9: 3, 10: 3}


@dataclass(frozen=True, slots=True)
class MuscateImages:
    """Encoded images, without the names that a tile gives them.

    Parameters
    ----------
    grids : of group ``R1`` and ``R2``.
    reflectances : (``FRE`` or ``SRE``, band) -> GeoTIFF. masks : (``CLM``, group) -> GeoTIFF.
    atmosphere : group -> GeoTIFF of water vapour and aerosol; empty where there is none.
    cloud_pct, snow_pct : shares of the pixels with data, %.
    """

    grids: Mapping[str, PixelGrid]
    reflectances: Mapping[tuple[str, str], bytes]
    masks: Mapping[tuple[str, str], bytes]
    atmosphere: Mapping[str, bytes]
    cloud_pct: float
    snow_pct: float


def muscate_name(flight: OpticalPass, tile: Sentinel2Tile) -> str:
    """Folder name of a MUSCATE product."""
    return (
        f"SENTINEL2{flight.platform[-1]}_{flight.start:%Y%m%d-%H%M%S}-{flight.start.microsecond // 1000:03d}"
        f"_L2A_T{tile.tile_id.removeprefix('T')}_C_V{VERSION}"
    )


def muscate_files(
    scene: OpticalScene, flight: OpticalPass, tile: Sentinel2Tile, images: MuscateImages | None = None
) -> tuple[str, Files]:
    """Name and files of a MUSCATE L2A.

    Parameters
    ----------
    images : of `muscate_images` for the same scene, where another tile has needed them already.

    Raises
    ------
    InputError : the scene lacks a band or does not lie on the tile's grid.
    """
    check_place(scene, tile)
    return named_files(flight, tile, images or muscate_images(scene))


def muscate_images(scene: OpticalScene) -> MuscateImages:
    """Encoded images of a scene, for all tiles that show the same ground."""
    check_scene(scene)
    grids = {name: scene.grid.resized(metres) for name, metres in GROUP_METRES.items()}
    shares = class_shares(scene.scene_class)
    reflectances: dict[tuple[str, str], bytes] = {}
    masks: dict[tuple[str, str], bytes] = {}
    atmosphere = {}
    for name, grid in grids.items():
        metres = GROUP_METRES[name]
        for band in GROUPS[name]:
            numbers = reflectance_numbers(scene.bands[band], no_data(scene, metres))
            encoded = geotiff(numbers, grid, nodata=NO_DATA)
            reflectances["FRE", band] = reflectances["SRE", band] = encoded
        for mask, values in mask_arrays(scene, name).items():
            masks[mask, name] = geotiff(values, grid)
        atmosphere[name] = geotiff(atmosphere_numbers(scene, name), grid, nodata=0)
    return MuscateImages(grids, reflectances, masks, atmosphere, sum(shares[8:11]), shares[11])


def named_files(
    flight: OpticalPass, tile: Sentinel2Tile, images: MuscateImages, *, view_grids: bool = True
) -> tuple[str, Files]:
    """Name and files of a product whose images are encoded already; ``view_grids`` as in `safe_files`."""
    name = muscate_name(flight, tile)
    files: Files = {
        f"{name}_{kind}_{band.replace('B0', 'B')}.tif": content for (kind, band), content in images.reflectances.items()
    }
    files |= {f"{name}_ATB_{group}.tif": content for group, content in images.atmosphere.items()}
    files |= {f"MASKS/{name}_{mask}_{group}.tif": content for (mask, group), content in images.masks.items()}
    angles = angle_grids(flight, images.grids["R1"], detectors=view_grids)
    files[f"{name}_MTD_ALL.xml"] = muscate_metadata(
        name, flight, tile, images.grids, sorted(files), angles, images.cloud_pct, images.snow_pct
    )
    return name, files


def reflectance_numbers(
    reflectance: npt.NDArray[np.floating[Any]], empty: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.int16]:
    """Reflectance x 10000 as int16, -10000 where it is NaN or ``empty``."""
    numbers = np.rint(reflectance * 10000)
    missing = np.isnan(numbers) if empty is None else np.isnan(numbers) | empty
    return np.where(missing, NO_DATA, np.clip(numbers, NO_DATA + 1, 32767)).astype(np.int16)


def mask_arrays(scene: OpticalScene, group: str) -> dict[str, npt.NDArray[np.uint8]]:
    """Masks of a group (``R1``, ``R2``) from the scene classification: uint8 (rows, columns) of bits."""
    every_band = (1 << len(GROUPS[group])) - 1
    tables = {"CLM": _CLM, "EDG": {0: 1}, "MG2": _MG2, "SAT": {1: every_band}, "IAB": _IAB}
    masks = {}
    for mask, bits in tables.items():
        table = np.zeros(256, dtype=np.uint8)
        for scene_class, value in bits.items():
            table[scene_class] = value
        masks[mask] = np.ascontiguousarray(at_resolution(table[scene.scene_class], 20, GROUP_METRES[group]))
    return masks


def atmosphere_numbers(scene: OpticalScene, group: str) -> npt.NDArray[np.uint8]:
    """Water vapour x 20 (g/cm2) and aerosol x 200 of a group: uint8 (2, rows, columns), 0 is no data."""
    empty = no_data(scene, GROUP_METRES[group])
    values = (scene.water_vapour * _WATER_VAPOUR_SCALE, scene.aerosol * _AEROSOL_SCALE)
    return np.stack([np.where(empty, 0, np.clip(round(value), 1, 255)).astype(np.uint8) for value in values])
