"""Ready-made Sentinel-1 level 2 (preprocessing.md 3.6 and 4.7): names, tags and GeoTIFF bytes in both encodings.

``default``: V2 names, sigma nought (linear) or coherence on the 20 m grid of a Sentinel-2 tile. ``parity``: V1 names,
the root of sigma nought or coherence, EPSG:3035, as Sen4CAP 3.x wrote. Both are float32 with 0 for no data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.passes import RadarPass
from s4c_lib.synthetic.radar.parameters import POLARISATIONS
from s4c_lib.synthetic.radar.speckle import CELL_LOOKS, Floats

PARITY_EPSG: Final = 3035
SOFTWARE: Final = "sen4cap-airflow synthetic"
_TIME: Final = "%Y%m%dT%H%M%S"
_DIGITS: Final = 3
_BLOCK: Final = 256
# Past this size a cloud-optimised file needs overviews.
_OVERVIEWS_FROM: Final = 512


@dataclass(frozen=True, slots=True)
class RadarScene:
    """Images of one pass over the window; bands are VV and VH.

    Parameters
    ----------
    grid : the window at 20 m.
    backscatter : float32 (rows, columns, 2), linear sigma nought.
    coherence : float32 (rows, columns, 2) with ``previous``; None for the first pass of an orbit.
    """

    grid: PixelGrid
    flight: RadarPass
    backscatter: Floats
    previous: RadarPass | None = None
    coherence: Floats | None = None

    def __post_init__(self) -> None:
        if (self.previous is None) != (self.coherence is None):
            raise InputError("a coherence image and its previous pass come together")
        for image in (self.backscatter, self.coherence):
            if image is not None and image.shape != (*self.grid.shape, len(POLARISATIONS)):
                raise InputError(f"an image of shape {image.shape} does not fit a grid of {self.grid.shape}")


def level2_name(platform: str, times: tuple[str, ...], polarisation: str, relative_orbit: int, tile: str) -> str:
    """V2 name with ``.tif``: backscatter with one time, coherence with two (later, earlier)."""
    kind = "BCK" if len(times) == 1 else "COH"
    return f"{platform}_L2_{kind}_{'_'.join(times)}_{polarisation}_{relative_orbit:03d}_{tile}.tif"


def parity_name(site: int, flight: RadarPass, previous: RadarPass, polarisation: str, kind: str) -> str:
    """V1 name with ``.tif``; ``kind`` is ``AMP`` or ``COHE``; the later acquisition, the pair's master, comes first."""
    return (
        f"SEN4CAP_L2A_S{site}_V{flight.start:{_TIME}}_{previous.start:{_TIME}}"
        f"_{polarisation}_{flight.relative_orbit:03d}_{kind}.tif"
    )


def tile_files(scene: RadarScene, tile: str, part: PixelGrid) -> dict[str, bytes]:
    """Default encoding of one pass on one tile: names with bytes.

    Parameters
    ----------
    tile : five characters, without T.
    part : the 20 m grid to write; it lies within the scene's.

    Raises
    ------
    InputError : the part is not on the scene's pixels.
    """
    flight = scene.flight
    files = {}
    for number, polarisation in enumerate(POLARISATIONS):
        times: tuple[str, ...] = (f"{flight.start:{_TIME}}",)
        name = level2_name(flight.platform, times, polarisation, flight.relative_orbit, tile)
        values = significant(_cut(scene.backscatter[..., number], scene.grid, part))
        files[name] = geotiff(values, part, backscatter_tags(flight, polarisation))
        if scene.previous is not None and scene.coherence is not None:
            times = (*times, f"{scene.previous.start:{_TIME}}")
            name = level2_name(flight.platform, times, polarisation, flight.relative_orbit, tile)
            values = significant(_cut(scene.coherence[..., number], scene.grid, part))
            files[name] = geotiff(values, part, coherence_tags(flight, scene.previous, polarisation))
    return files


def parity_files(scene: RadarScene, site: int) -> dict[str, bytes]:
    """Parity encoding of one pass, the whole window: names with bytes; none for a pass without a previous one.

    The reference makes amplitude from pairs only (preprocessing.md 3.3); ground outside the window is no data.
    """
    if scene.previous is None or scene.coherence is None:
        return {}
    files = {}
    for number, polarisation in enumerate(POLARISATIONS):
        tags = backscatter_tags(scene.flight, polarisation) | {"QUANTITY": "amplitude"}
        grid, values = reprojected(scene.grid, scene.backscatter[..., number])
        name = parity_name(site, scene.flight, scene.previous, polarisation, "AMP")
        files[name] = geotiff(np.sqrt(values), grid, tags)
        grid, values = reprojected(scene.grid, scene.coherence[..., number])
        name = parity_name(site, scene.flight, scene.previous, polarisation, "COHE")
        files[name] = geotiff(values, grid, coherence_tags(scene.flight, scene.previous, polarisation))
    return files


def backscatter_tags(flight: RadarPass, polarisation: str) -> dict[str, str]:
    """Tags of a backscatter raster."""
    return _tags(flight, polarisation) | {
        "QUANTITY": "sigma0",
        "ACQUISITION": f"{flight.start:{_TIME}}",
        "NOISE_REMOVED": "YES",
        "LOOKS": f"{CELL_LOOKS:.1f}",
    }


def coherence_tags(flight: RadarPass, previous: RadarPass, polarisation: str) -> dict[str, str]:
    """Tags of a coherence raster."""
    return _tags(flight, polarisation) | {
        "QUANTITY": "coherence",
        "ACQUISITIONS": f"{flight.start:{_TIME}},{previous.start:{_TIME}}",
        "BASELINE_DAYS": str((flight.start.date() - previous.start.date()).days),
        "NOISE_REMOVED": "NO",
        "WINDOW": "20x5",
    }


def significant(values: Floats) -> Floats:
    """Values rounded to three significant digits, which halves the compressed size; 0 stays 0."""
    magnitude = np.floor(np.log10(np.where(values > 0, values, 1)))
    scale = 10.0 ** (_DIGITS - 1 - magnitude)
    return np.asarray(np.rint(values * scale) / scale, dtype=np.float32)


def reprojected(grid: PixelGrid, values: Floats) -> tuple[PixelGrid, Floats]:
    """A 20 m image in EPSG:3035 (bilinear), on whole multiples of its pixel; 0 outside."""
    from rasterio import Affine
    from rasterio.warp import Resampling, reproject, transform_bounds

    west, south, east, north = transform_bounds(f"EPSG:{grid.epsg}", f"EPSG:{PARITY_EPSG}", *grid.bounds)
    pixel = grid.pixel
    left, top = np.floor(west / pixel) * pixel, np.ceil(north / pixel) * pixel
    rows, columns = int(np.ceil((top - south) / pixel)), int(np.ceil((east - left) / pixel))
    target = PixelGrid(PARITY_EPSG, float(left), float(top), pixel, rows, columns)
    result = np.zeros(target.shape, np.float32)
    reproject(
        np.ascontiguousarray(values),
        result,
        src_transform=Affine(pixel, 0, grid.west, 0, -pixel, grid.north),
        src_crs=f"EPSG:{grid.epsg}",
        src_nodata=0,
        dst_transform=Affine(pixel, 0, target.west, 0, -pixel, target.north),
        dst_crs=f"EPSG:{PARITY_EPSG}",
        dst_nodata=0,
        resampling=Resampling.bilinear,
        num_threads=1,
    )
    return target, result


def geotiff(values: Floats, grid: PixelGrid, tags: dict[str, str]) -> bytes:
    """Bytes of a float32 cloud-optimised GeoTIFF, 0 = no data; the same bytes for the same arguments."""
    from rasterio import Affine
    from rasterio.io import MemoryFile

    if values.shape != grid.shape:
        raise InputError(f"an image of shape {values.shape} does not fit a grid of {grid.shape}")
    # The COG driver takes thrice as long, and a file without overviews is as optimised when written in tiles.
    options: dict[str, object] = {"compress": "deflate"}
    if max(values.shape) >= _OVERVIEWS_FROM:
        options |= {
            "driver": "COG",
            "predictor": "FLOATING_POINT",
            "blocksize": _BLOCK,
            "overview_resampling": "average",
        }
    elif max(values.shape) > _BLOCK:
        options |= {"driver": "GTiff", "predictor": 3, "tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK}
    else:
        # One block: a tile would be padded to its full size.
        options |= {"driver": "GTiff", "predictor": 3, "blockysize": values.shape[0]}
    with MemoryFile(ext=".tif") as memory:
        with memory.open(
            height=grid.rows,
            width=grid.columns,
            count=1,
            dtype="float32",
            crs=f"EPSG:{grid.epsg}",
            transform=Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north),
            nodata=0,
            **options,
        ) as raster:
            raster.write(np.asarray(values, dtype=np.float32), 1)
            raster.update_tags(**dict(sorted(tags.items())))
        return bytes(memory.read())


def _tags(flight: RadarPass, polarisation: str) -> dict[str, str]:
    return {
        "POL": polarisation,
        "ORBIT": str(flight.absolute_orbit),
        "ORBIT_DIRECTION": flight.direction.upper(),
        "REL_ORBIT": str(flight.relative_orbit),
        "PLATFORM": flight.platform,
        "RTC": "NO",
        "DEM": "NONE",
        "SOFTWARE": SOFTWARE,
    }


def _cut(image: Floats, grid: PixelGrid, part: PixelGrid) -> Floats:
    row, column = (grid.north - part.north) / grid.pixel, (part.west - grid.west) / grid.pixel
    inside = row >= 0 and column >= 0 and row + part.rows <= grid.rows and column + part.columns <= grid.columns
    if part.pixel != grid.pixel or part.epsg != grid.epsg or row % 1 or column % 1 or not inside:
        raise InputError(f"{part} does not lie on the pixels of {grid}")
    return image[int(row) : int(row) + part.rows, int(column) : int(column) + part.columns]
