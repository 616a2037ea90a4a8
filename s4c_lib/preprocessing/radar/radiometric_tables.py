"""Calibration and noise of an image as its annotation lists them (``preprocessing.md`` 4.2).

Both are vectors at some lines, with values at some samples; between them everything is linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.preprocessing.radar.xml_part import XmlPart, xml_part

Floats = npt.NDArray[np.float64]
# Element of the calibration vectors by quantity; amplitude is the root of sigma0.
LUT_OF: Final = {"sigma0": "sigmaNought", "amplitude": "sigmaNought", "gamma0": "gamma", "beta0": "betaNought"}
LEAST_POWER: Final = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class VectorTable:
    """Values at lines and samples of an image.

    Parameters
    ----------
    lines : (n), ascending; the first may be negative. pixels, values : of each line, both (m), pixels ascending.
    """

    lines: Floats
    pixels: tuple[Floats, ...]
    values: tuple[Floats, ...]

    def at(self, line: npt.ArrayLike, pixel: npt.ArrayLike) -> Floats:
        """Values at positions: bilinear, beyond the outermost vectors on by one interval at most."""
        lines, pixels = np.broadcast_arrays(np.asarray(line, float), np.asarray(pixel, float))
        if len(self.lines) == 1:
            return np.asarray(np.interp(pixels, self.pixels[0], self.values[0]))
        low = np.clip(np.searchsorted(self.lines, lines, side="right") - 1, 0, len(self.lines) - 2)
        share = np.clip((lines - self.lines[low]) / (self.lines[low + 1] - self.lines[low]), -1, 2)
        every = np.stack([np.interp(pixels, x, y) for x, y in zip(self.pixels, self.values, strict=True)])
        below, above = (np.take_along_axis(every, k[None], 0)[0] for k in (low, low + 1))
        return np.asarray(below + share * (above - below))

    def dense(self, first: int, stop: int) -> npt.NDArray[np.float32]:
        """Values of every vector at the samples ``first`` to ``stop - 1``, (vectors, samples)."""
        samples = np.arange(first, stop, dtype=float)
        return np.array(
            [np.interp(samples, x, y) for x, y in zip(self.pixels, self.values, strict=True)], dtype=np.float32
        )


@dataclass(frozen=True, slots=True, eq=False)
class AzimuthBlock:
    """Noise along azimuth within one block of a swath; the limits belong to it."""

    first_line: int
    last_line: int
    first_sample: int
    last_sample: int
    lines: Floats
    values: Floats

    def dense(self) -> npt.NDArray[np.float32]:
        """Values of every line from ``first_line`` to ``last_line``."""
        return np.interp(np.arange(self.first_line, self.last_line + 1), self.lines, self.values).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class NoiseTables:
    """Thermal noise power: ``range_noise(line, pixel) * azimuth(line)`` of the block (1 outside all blocks)."""

    range_noise: VectorTable
    azimuth: tuple[AzimuthBlock, ...]

    def at(self, line: npt.ArrayLike, pixel: npt.ArrayLike) -> Floats:
        """Noise power at positions, in the unit of ``|DN|^2``."""
        lines, pixels = np.broadcast_arrays(np.asarray(line, float), np.asarray(pixel, float))
        factor = np.ones(lines.shape)
        for block in self.azimuth:
            inside = (lines > block.first_line - 0.5) & (lines <= block.last_line + 0.5)
            inside &= (pixels > block.first_sample - 0.5) & (pixels <= block.last_sample + 0.5)
            factor[inside] = np.interp(lines[inside], block.lines, block.values)
        return self.range_noise.at(lines, pixels) * factor


def calibrated(power: npt.ArrayLike, noise: npt.ArrayLike, calibration: npt.ArrayLike) -> Floats:
    """``(|DN|^2 - noise) / A^2``, at least 1e-7; 0 (no data) where the power is 0.

    Parameters
    ----------
    power : mean of ``|DN|^2`` over the output cell (decision B5). calibration : A, the value of the LUT.
    """
    dn2 = np.asarray(power, float)
    value = np.maximum((dn2 - noise) / np.square(calibration), LEAST_POWER)
    return np.where(dn2 > 0, value, 0.0)


def parse_calibration(content: bytes, where: str, quantity: str) -> VectorTable:
    """Read the LUT of a quantity (a key of `LUT_OF`) of a calibration file.

    Raises
    ------
    ProductCorruptError : not XML, or without vectors; names the file.
    """
    root = xml_part(content, where)
    vectors = root.some("calibrationVectorList/calibrationVector")
    return _table(root, vectors, LUT_OF[quantity])


def parse_noise(content: bytes, where: str) -> NoiseTables:
    """Read every range vector and every azimuth block of a noise file, in its form before and since IPF 2.90.

    Raises
    ------
    ProductCorruptError : not XML, or without vectors; names the file.
    """
    root = xml_part(content, where)
    older = root.all("noiseVectorList/noiseVector")
    if older:
        return NoiseTables(_table(root, older, "noiseLut"), ())
    ranges = _table(root, root.some("noiseRangeVectorList/noiseRangeVector"), "noiseRangeLut")
    blocks = tuple(_block(root, block) for block in root.all("noiseAzimuthVectorList/noiseAzimuthVector"))
    return NoiseTables(ranges, blocks)


def _table(root: XmlPart, vectors: list[XmlPart], name: str) -> VectorTable:
    read = sorted(((v.number("line"), v.numbers("pixel"), v.numbers(name)) for v in vectors), key=lambda row: row[0])
    lines = np.array([line for line, _, _ in read])
    if len(np.unique(lines)) != len(lines):
        raise root.fault("two vectors are of one line")
    pixels, values = [], []
    for line, at, value in read:
        if len(at) != len(value) or (np.diff(at) <= 0).any():
            raise root.fault(f"<{name}> of line {line:g} does not fit its pixels")
        pixels.append(np.array(at))
        values.append(np.array(value))
    return VectorTable(lines, tuple(pixels), tuple(values))


def _block(root: XmlPart, block: XmlPart) -> AzimuthBlock:
    lines, values = np.array(block.numbers("line")), np.array(block.numbers("noiseAzimuthLut"))
    names = "firstAzimuthLine", "lastAzimuthLine", "firstRangeSample", "lastRangeSample"
    first_line, last_line, first_sample, last_sample = (int(block.number(name)) for name in names)
    if len(lines) != len(values) or (np.diff(lines) <= 0).any() or last_line < first_line:
        raise root.fault("<noiseAzimuthLut> does not fit its lines")
    return AzimuthBlock(first_line, last_line, first_sample, last_sample, lines, values)
