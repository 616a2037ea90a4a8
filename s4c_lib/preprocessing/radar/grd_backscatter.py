"""Backscatter of GRD images on the grid of a map (``preprocessing.md`` 4.2, 4.4, 4.7; decision B5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled
from s4c_lib.preprocessing.radar import geocoding_kernels as kernels
from s4c_lib.preprocessing.radar.geocoding import GroundNodes, ImageFrame, locate
from s4c_lib.preprocessing.radar.measurement import Window, read_amplitudes
from s4c_lib.preprocessing.radar.radiometric_tables import LEAST_POWER, NoiseTables, VectorTable

Values = npt.NDArray[np.float32]
_ROWS: Final = 512
# A cell larger than this many pixels of the image is an average, a smaller one interpolated.
_AVERAGED: Final = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class GrdImage:
    """One polarisation of one slice, ready to be sampled.

    Parameters
    ----------
    measurement : path of its raster for GDAL. usable : what of it may be used.
    noise : None where none is subtracted.
    """

    frame: ImageFrame
    measurement: str
    usable: Window
    calibration: VectorTable
    noise: NoiseTables | None


@dataclass(frozen=True, slots=True, eq=False)
class SeenGround:
    """Where the pixels of a map lie in the images of one slice.

    Parameters
    ----------
    line, pixel : float32 (rows, columns), NaN where it does not see.
    share : of the map's pixels that lie in the image.
    """

    line: Values
    pixel: Values
    share: float


def see(frame: ImageFrame, nodes: GroundNodes, heights: Values, alive: Callable[[], None]) -> SeenGround:
    """Find the pixels of a map in a slice.

    Parameters
    ----------
    heights : float32 (rows, columns), metres above the nodes' surface. alive : called between blocks.
    """
    line, pixel = np.empty(heights.shape, np.float32), np.empty(heights.shape, np.float32)
    for first in range(0, heights.shape[0], _ROWS):
        rows = slice(first, first + _ROWS)
        line[rows], pixel[rows] = locate(frame, nodes, first, heights[rows])
        alive()
    geometry = frame.annotation.geometry
    inside = (line > -0.5) & (line < geometry.lines - 0.5) & (pixel > -0.5) & (pixel < geometry.samples - 0.5)
    return SeenGround(line, pixel, float(np.count_nonzero(inside)) / inside.size)


def backscatter(
    images: Sequence[tuple[GrdImage, SeenGround]], cell_m: float, quantity: str, alive: Callable[[], None]
) -> Values:
    """Backscatter on the map, of the slices of one datatake: what the newest does not see, an older one fills.

    Parameters
    ----------
    images : by time, oldest first. cell_m : pixel of the map.
    quantity : ``sigma0``, ``gamma0`` (linear) or ``amplitude``; the calibration tables are to be of it.

    Returns
    -------
    float32 (rows, columns), linear; 0 is no data, the least value 1e-7 (of ``amplitude`` its root).

    Raises
    ------
    ProductCorruptError : a raster is damaged or cut off.
    """
    out: Values = np.zeros(images[0][1].line.shape, np.float32)
    for image, seen in reversed(images):
        window = _needed(image, seen)
        if window.empty:
            continue
        geometry = image.frame.annotation.geometry
        amplitudes = read_amplitudes(image.measurement, geometry, window)
        tables = _tables(image, window)
        looks = averaged(image, cell_m)
        halves = (0.0, 0.0) if looks == (1.0, 1.0) else (looks[0] / 2, looks[1] / 2)
        power = np.empty((min(_ROWS, out.shape[0]), out.shape[1]), np.float32)
        for first in range(0, out.shape[0], _ROWS):
            rows = slice(first, first + _ROWS)
            line, pixel, into = seen.line[rows], seen.pixel[rows], out[rows]
            means = power[: len(into)]
            compiled(kernels.sample_power)(
                amplitudes, window.first_line, window.first_sample, line, pixel, *halves, means
            )
            compiled(kernels.calibrate)(
                means, line, pixel, window.first_sample, *tables, quantity == "amplitude", LEAST_POWER, into
            )
            alive()
    return out


def averaged(image: GrdImage, cell_m: float) -> tuple[float, float]:
    """Lines and samples that a cell of the map is the mean of; (1, 1) where it is interpolated."""
    geometry = image.frame.annotation.geometry
    lines, samples = cell_m / geometry.azimuth_spacing, cell_m / geometry.range_spacing
    return (1.0, 1.0) if max(lines, samples) <= _AVERAGED else (lines, samples)


def _needed(image: GrdImage, seen: SeenGround) -> Window:
    """The part of the image that the map's cells cover, of what may be used."""
    if not seen.share:
        return Window(0, 0, 0, 0)
    margin = 8
    line, pixel = seen.line, seen.pixel
    limits = [float(f(axis)) for axis in (line, pixel) for f in (np.nanmin, np.nanmax)]
    first_line, last_line, first_sample, last_sample = (round(limit) for limit in limits)
    wanted = Window(first_line - margin, last_line + margin + 1, first_sample - margin, last_sample + margin + 1)
    return wanted.meet(image.usable)


def _tables(image: GrdImage, window: Window) -> tuple[Any, ...]:
    """Calibration and noise as the loop wants them, at the samples of a window."""
    samples = window.first_sample, window.stop_sample
    calibration = image.calibration.lines, image.calibration.dense(*samples)
    if image.noise is None:
        nothing = np.zeros(0), np.zeros((0, 1), np.float32)
        return (*calibration, *nothing, np.zeros((0, 4), np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    blocks = image.noise.azimuth
    limits = [(b.first_line, b.last_line, b.first_sample, b.last_sample) for b in blocks]
    values = [b.dense() for b in blocks]
    starts = np.cumsum([0, *(len(v) for v in values)])[:-1].astype(np.int64)
    return (
        *calibration,
        image.noise.range_noise.lines,
        image.noise.range_noise.dense(*samples),
        np.array(limits, np.int64).reshape(-1, 4),
        starts,
        np.concatenate(values) if values else np.zeros(0, np.float32),
    )
