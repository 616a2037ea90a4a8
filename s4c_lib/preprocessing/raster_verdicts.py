"""Verdict on rasters: which bands of which tile are of no use (``preprocessing.md`` §2.12, right column; case 9.11).

Only reflectances and indices are judged, over their valid pixels. A bad band spoils its tile, a product is NOTV only
when no tile is left; folders are never renamed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from s4c_lib.products.band_statistics import BandStatistics, Moments
from s4c_lib.readers.raster_opening import open_layer, single_thread, unreadable
from s4c_lib.readers.scene import Band

MIN_STDDEV: Final = 0.1  # DN
_NEAR_NO_DATA: Final = 0.001
_JUDGED_FROM_PERCENT: Final = 1.0
_ROWS: Final = 512


class RasterCode(IntEnum):
    """What is wrong with a band, by the numbers of the specification.

    Its -1 (unreadable) and -4 (band missing) are no verdicts here: they stop the product (`ProductCorruptError`).
    """

    FINE = 0
    NO_DATA = -2
    LOW_VARIANCE = -3
    NO_STATISTICS = -5


@dataclass(frozen=True, slots=True)
class TileVerdict:
    """Codes of the bands of one tile, by band name."""

    tile: str
    codes: Mapping[str, RasterCode]

    @property
    def bad_bands(self) -> tuple[str, ...]:
        """Bands that are not fine."""
        return tuple(sorted(band for band, code in self.codes.items() if code is not RasterCode.FINE))

    @property
    def text(self) -> str:
        """One line, empty when all is fine: ``31UFS: B05 low_variance``."""
        found = ", ".join(f"{band} {self.codes[band].name.lower()}" for band in self.bad_bands)
        return f"{self.tile}: {found}" if found else ""


@dataclass(frozen=True, slots=True)
class ProductVerdict:
    """Tiles that stay and tiles that are dropped."""

    kept: tuple[str, ...]
    dropped: tuple[TileVerdict, ...]

    @property
    def notv(self) -> bool:
        """Whether nothing is left."""
        return not self.kept


def product_verdict(tiles: Sequence[TileVerdict]) -> ProductVerdict:
    """Drop the tiles with a bad band."""
    return ProductVerdict(
        tuple(verdict.tile for verdict in tiles if not verdict.bad_bands),
        tuple(verdict for verdict in tiles if verdict.bad_bands),
    )


def band_code(
    statistics: BandStatistics, no_data: float | None = None, *, min_stddev: float = MIN_STDDEV
) -> RasterCode:
    """Judge a band by the statistics of its valid DN.

    Parameters
    ----------
    no_data : a mean as close to it as 0.001 says that no-data was not marked as such.
    min_stddev : least standard deviation, DN; asked only from 1 % valid pixels on.
    """
    if statistics.count == 0:
        return RasterCode.NO_DATA
    if not math.isfinite(statistics.mean) or not math.isfinite(statistics.stddev):
        return RasterCode.NO_STATISTICS
    if no_data is not None and abs(statistics.mean - no_data) <= _NEAR_NO_DATA:
        return RasterCode.NO_DATA
    if statistics.valid_percent >= _JUDGED_FROM_PERCENT and statistics.stddev <= min_stddev:
        return RasterCode.LOW_VARIANCE
    return RasterCode.FINE


def layer_codes(bands: Mapping[str, Band], *, min_stddev: float = MIN_STDDEV) -> dict[str, RasterCode]:
    """Judge the bands of a product where they are, reading each to its end; by band name.

    Raises
    ------
    ProductCorruptError : a file is damaged, or not what the metadata say.
    """
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    codes: dict[str, RasterCode] = {}
    for name, band in sorted(bands.items()):
        moments = Moments(band.no_data)
        with single_thread(), open_layer(band.layer) as raster:
            for first in range(0, raster.height, _ROWS):
                rows = min(_ROWS, raster.height - first)
                try:
                    moments.add(raster.read(band.layer.index, window=Window(0, first, raster.width, rows)))
                except RasterioError as error:
                    raise unreadable(band.layer.path, error) from error
        found = moments.result(band.layer.grid.rows * band.layer.grid.columns)
        codes[name] = band_code(found, band.no_data, min_stddev=min_stddev)
    return codes
