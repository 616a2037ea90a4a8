"""The amplitudes of a GRD image, and which of them can be used (``preprocessing.md`` 4.2)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import ProductCorruptError
from s4c_lib.preprocessing.radar.annotation import ImageGeometry
from s4c_lib.readers.raster_opening import make_room, open_raster, shown, single_thread, unreadable

Amplitudes = npt.NDArray[np.uint16]
# Before IPF 2.90 the borders hold noise instead of 0.
CLEAN_BORDERS: Final = (2, 90)
_SIDE_SAMPLES: Final = 1000
_END_LINES: Final = 1600
_PROBED_LINE: Final = 100
_MANY_ZEROS: Final = 2000


@dataclass(frozen=True, slots=True)
class Window:
    """Lines and samples of an image; the stops lie outside."""

    first_line: int
    stop_line: int
    first_sample: int
    stop_sample: int

    @property
    def empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.stop_line <= self.first_line or self.stop_sample <= self.first_sample

    def meet(self, other: Window) -> Window:
        """What both hold."""
        return Window(
            max(self.first_line, other.first_line),
            min(self.stop_line, other.stop_line),
            max(self.first_sample, other.first_sample),
            min(self.stop_sample, other.stop_sample),
        )


def usable_window(path: str, geometry: ImageGeometry, ipf_version: tuple[int, int] | None) -> Window:
    """The image without the noisy borders of processors before IPF 2.90; of later ones all of it.

    1000 samples go on each side, and 1600 lines at an end whose 100th line holds more than 2000 zeros.

    Raises
    ------
    ProductCorruptError : the raster is damaged, or not of the size that the annotation states.
    """
    whole = Window(0, geometry.lines, 0, geometry.samples)
    if ipf_version is None or ipf_version >= CLEAN_BORDERS:
        return whole
    ends = []
    for probed in (_PROBED_LINE, geometry.lines - 1 - _PROBED_LINE):
        line = Window(max(probed, 0), max(probed, 0) + 1, 0, geometry.samples).meet(whole)
        zeros = 0 if line.empty else np.count_nonzero(read_amplitudes(path, geometry, line) == 0)
        ends.append(_END_LINES if zeros > _MANY_ZEROS else 0)
    return Window(ends[0], geometry.lines - ends[1], _SIDE_SAMPLES, geometry.samples - _SIDE_SAMPLES)


def read_amplitudes(path: str, geometry: ImageGeometry, window: Window) -> Amplitudes:
    """Read part of an image, uint16 (lines, samples); 0 is no data.

    Raises
    ------
    ProductCorruptError : damaged, cut off, or not of the size or type that the annotation states; names the file.
    """
    from rasterio.errors import RasterioError
    from rasterio.windows import Window as RasterWindow

    columns, rows = window.stop_sample - window.first_sample, window.stop_line - window.first_line
    with single_thread(), _unplaced(), open_raster(path) as raster:
        if (raster.height, raster.width) != (geometry.lines, geometry.samples) or raster.count != 1:
            raise ProductCorruptError(
                f"{shown(path)} has {raster.height} x {raster.width} pixels in {raster.count} bands, its annotation "
                f"says {geometry.lines} x {geometry.samples}",
                hint="fetch the product again",
            )
        if raster.dtypes[0] != "uint16":
            raise ProductCorruptError(
                f"{shown(path)} holds {raster.dtypes[0]}, not the uint16 of a GRD", hint="fetch the product again"
            )
        make_room(4 * raster.block_shapes[0][0] * raster.width)
        try:
            amplitudes: Amplitudes = raster.read(
                1, window=RasterWindow(window.first_sample, window.first_line, columns, rows)
            )
        except RasterioError as error:
            raise unreadable(path, error) from error
    return amplitudes


@contextmanager
def _unplaced() -> Iterator[Any]:
    """An image in radar geometry has no place on a map, which is no reason for a warning."""
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield
