"""Thumbnails: colours of the ramp, transparent where there is nothing, at most 1098 pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.products.cog import CogBand, CogProfile, write_cog
from s4c_lib.products.thumbnail import VEGETATION_RAMP, write_thumbnail

NDVI = CogProfile("int16", (CogBand("ndvi", 0.001),), -10000, "average")


def test_colours_by_hand() -> None:
    values = np.array([[0, 250, 500, 2000, 5000, 9000, 1250, -5, -10000]], np.int16)
    colours = VEGETATION_RAMP.colours(values, values != -10000)
    assert colours.transpose(1, 2, 0)[0].tolist() == [
        [255, 255, 229, 255],
        [247, 252, 185, 255],
        [217, 240, 163, 255],
        [65, 171, 93, 255],
        [0, 69, 41, 255],
        [0, 69, 41, 255],
        [141, 206, 128, 255],  # halfway between 500 and 2000: 141, 205.5, 128; halves go to the even number
        [0, 0, 0, 255],
        [0, 0, 0, 0],
    ]


def test_a_damaged_raster_is_no_picture(tmp_path: Path) -> None:
    grid = PixelGrid(32631, 0, 0, 10, 600, 600)
    write_cog(tmp_path / "ndvi.tif", np.random.default_rng(3).integers(0, 900, (600, 600), np.int16), grid, NDVI)
    content = (tmp_path / "ndvi.tif").read_bytes()
    (tmp_path / "ndvi.tif").write_bytes(content[:-2000])
    with pytest.raises(ProductCorruptError, match=r"ndvi\.tif"):
        write_thumbnail(tmp_path / "ndvi.tif", tmp_path / "thumb.webp")
    assert not (tmp_path / "thumb.webp").exists()


def test_large_rasters_are_read_from_the_overview(tmp_path: Path) -> None:
    values = np.full((2400, 1500), 3500, np.int16)
    values[:1200, :750] = -10000
    grid = PixelGrid(32631, 0, 0, 10, *values.shape)
    write_cog(tmp_path / "ndvi.tif", values, grid, NDVI)
    write_thumbnail(tmp_path / "ndvi.tif", tmp_path / "thumb.webp")
    with Image.open(io.BytesIO((tmp_path / "thumb.webp").read_bytes())) as picture:
        assert picture.format == "WEBP"
        pixels = np.asarray(picture.convert("RGBA"))
    assert pixels.shape == (1098, 686, 4)
    assert (pixels[:540, :340, 3] == 0).all()
    assert (pixels[560:, :, 3] == 255).all()
    np.testing.assert_allclose(pixels[600:, :, :3].mean(axis=(0, 1)), [32.5, 120, 67], atol=4)


def test_small_rasters_keep_their_size_and_bytes(tmp_path: Path) -> None:
    values = np.arange(1200, dtype=np.int16).reshape(30, 40)
    write_cog(tmp_path / "ndvi.tif", values, PixelGrid(32631, 0, 0, 10, 30, 40), NDVI)
    for name in ("a.webp", "b.webp"):
        write_thumbnail(tmp_path / "ndvi.tif", tmp_path / name)
    assert (tmp_path / "a.webp").read_bytes() == (tmp_path / "b.webp").read_bytes()
    with Image.open(tmp_path / "a.webp") as picture:
        assert picture.size == (40, 30)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.webp", "b.webp", "ndvi.tif"]
    with pytest.raises(InputError, match="no WebP"):
        write_thumbnail(tmp_path / "ndvi.tif", tmp_path / "a.jpg")
