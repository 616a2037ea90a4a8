"""Small pictures of rasters: a colour ramp with transparent no-data for maps, an opaque JPEG for quicklooks.

WebP carries transparency in a tenth of PNG's bytes and is shown by every current browser; JPEG by everything.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.products.stac import write_whole
from s4c_lib.readers.raster_opening import open_raster, single_thread, unreadable

LARGEST: Final = 1098  # a tenth of a Sentinel-2 tile
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ColourRamp:
    """Colours by DN, linear between the stops; above the last its colour, below the first black."""

    stops: tuple[tuple[float, tuple[int, int, int]], ...]

    def colours(self, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> Bytes:
        """Red, green, blue and alpha, uint8 (4, rows, columns); alpha 0 where not valid."""
        places = np.array([place for place, _ in self.stops], np.float64)
        out = np.zeros((4, *values.shape), np.uint8)
        inside = valid & (values >= places[0])
        for channel in range(3):
            shades = np.array([colour[channel] for _, colour in self.stops], np.float64)
            out[channel][inside] = np.rint(np.interp(values[inside], places, shades))
        out[3] = np.where(valid, 255, 0)
        return out


# ``l3b-and-markers.md`` §2.3.
VEGETATION_RAMP: Final = ColourRamp(
    (
        (0, (255, 255, 229)),
        (250, (247, 252, 185)),
        (500, (217, 240, 163)),
        (2000, (65, 171, 93)),
        (5000, (0, 69, 41)),
    )
)


def write_thumbnail(raster: Path, target: Path, ramp: ColourRamp = VEGETATION_RAMP, *, largest: int = LARGEST) -> None:
    """Draw the first band of a COG, read from its overview, as WebP with alpha.

    Parameters
    ----------
    largest : most pixels on a side.

    Raises
    ------
    InputError : the target does not end in ``.webp``. DiskFullError, StorageError : it could not be written.
    """
    if target.suffix != ".webp":
        raise InputError(f"{target} is no WebP file", hint="transparency needs .webp")
    values, valid = read_small(raster, largest)
    write_whole(target, encoded(ramp.colours(values, valid), "WEBP", quality=80))


def read_small(
    raster: Path, largest: int, *, band: int = 1, by_width: bool = False
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """A band averaged from the next finer overview, and where it is valid.

    Parameters
    ----------
    largest : most pixels on a side, or of the width alone where ``by_width``; smaller rasters stay as they are.

    Raises
    ------
    ProductCorruptError : the raster is damaged.
    """
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError

    with single_thread(), open_raster(str(raster)) as source:
        factor = max(1.0, (source.width if by_width else max(source.shape)) / largest)
        shape = tuple(max(1, round(side / factor)) for side in source.shape)
        try:
            values = source.read(band, out_shape=shape, resampling=Resampling.average)
        except RasterioError as error:
            raise unreadable(str(raster), error) from error
        no_data = source.nodata
    missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, np.bool_)
    return values, ~missing if no_data is None else ~(missing | (values == no_data))


def encoded(picture: Bytes, driver: str, **options: Any) -> bytes:
    """Bytes of a picture, (channels, rows, columns), as JPEG, WEBP or PNG."""
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.io import MemoryFile

    channels, rows, columns = picture.shape
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a picture has no place
        with memory.open(
            driver=driver, width=columns, height=rows, count=channels, dtype="uint8", **options
        ) as drawing:
            drawing.write(picture)
        return bytes(memory.getbuffer())
