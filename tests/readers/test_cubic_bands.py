"""Coarser bands on a finer grid by cubic convolution, against GDAL's own and by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from affine import Affine
from rasterio.enums import Resampling
from rasterio.io import MemoryFile

from s4c_lib.kernel_cache import compiled
from s4c_lib.readers.pixel_kernels import cubic
from s4c_lib.readers.pixels import cubic_weights
from s4c_lib.readers.scene import NO_DATA

Int16 = npt.NDArray[np.int16]


def finer(coarse: Int16, factor: int = 2, skipped: int = 0, rows: int | None = None) -> Int16:
    out = np.empty((coarse.shape[0] * factor if rows is None else rows, coarse.shape[1] * factor), np.int16)
    compiled(cubic)(coarse, factor, skipped, cubic_weights(factor), NO_DATA, out)
    return out


def test_the_weights_are_those_of_keys_at_a_quarter_pixel() -> None:
    # distances 1.75, 0.75, 0.25, 1.25 for the finer pixel on the left, mirrored for the one on the right
    left = [-0.0234375, 0.2265625, 0.8671875, -0.0703125]
    np.testing.assert_allclose(cubic_weights(2), [left, left[::-1]])
    np.testing.assert_allclose(cubic_weights(3).sum(axis=1), 1)


def test_inside_it_gives_what_gdal_gives() -> None:
    coarse = np.random.default_rng(4).integers(200, 4000, (24, 20)).astype(np.int16)
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            height=24,
            width=20,
            count=1,
            dtype="int16",
            nodata=NO_DATA,
            transform=Affine(20, 0, 0, 0, -20, 0),
        ) as raster:
            raster.write(coarse, 1)
        with memory.open() as raster:
            expected = raster.read(1, out_shape=(48, 40), resampling=Resampling.cubic)
    inner = (slice(6, -6), slice(6, -6))
    assert np.abs(finer(coarse)[inner].astype(int) - expected[inner]).max() <= 1


def test_a_plane_stays_a_plane_and_a_constant_a_constant() -> None:
    y, x = np.mgrid[0:12, 0:12]
    plane = (400 + 40 * x + 80 * y).astype(np.int16)
    fine_y, fine_x = (np.mgrid[0:24, 0:24] + 0.5) / 2 - 0.5
    inner = (slice(4, -4), slice(4, -4))
    assert np.abs(finer(plane)[inner] - (400 + 40 * fine_x + 80 * fine_y)[inner]).max() <= 1
    assert (finer(np.full((3, 5), 1234, np.int16)) == 1234).all()


def test_no_data_does_not_bleed() -> None:
    coarse = np.full((8, 8), 1500, np.int16)
    coarse[3, 4] = NO_DATA
    fine = finer(coarse)
    hidden = np.zeros((16, 16), bool)
    hidden[6:8, 8:10] = True
    assert (fine[hidden] == NO_DATA).all()
    assert (fine[~hidden] == 1500).all()


@pytest.mark.parametrize("block", [2, 6])
def test_blocks_of_rows_join_without_a_seam(block: int) -> None:
    coarse = np.random.default_rng(9).integers(0, 9000, (12, 6)).astype(np.int16)
    parts = []
    for first in range(0, 24, block):
        start, end = max(first // 2 - 2, 0), min(-(-(first + block) // 2) + 2, 12)
        parts.append(finer(coarse[start:end], skipped=first - 2 * start, rows=block))
    np.testing.assert_array_equal(np.concatenate(parts), finer(coarse))
