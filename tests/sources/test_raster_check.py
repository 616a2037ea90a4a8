"""Looking into rasters of products: what is cut off or black is seen, however many threads GDAL would take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from affine import Affine

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.product_tree import ProductTree
from s4c_lib.sources.raster_check import is_black

SIDE, TILE = 512, 128


def write_jp2(folder: Path, pixels: npt.NDArray[np.uint16]) -> Path:
    """A JPEG 2000 of 4 x 4 tiles without resolutions to overview, as small images are."""
    folder.mkdir()
    path = folder / "B02.jp2"
    with rasterio.open(
        path,
        "w",
        driver="JP2OpenJPEG",
        height=SIDE,
        width=SIDE,
        count=1,
        dtype="uint16",
        crs="EPSG:32631",
        transform=Affine(10, 0, 600_000, 0, -10, 5_700_000),
        BLOCKXSIZE=TILE,
        BLOCKYSIZE=TILE,
        QUALITY=100,
        REVERSIBLE="YES",
        RESOLUTIONS=1,
    ) as raster:
        raster.write(pixels, 1)
    return path


@pytest.fixture(autouse=True)
def many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user may have set, or a machine of many cores takes by itself."""
    monkeypatch.setenv("GDAL_NUM_THREADS", "4")


def test_black_is_all_zero(tmp_path: Path) -> None:
    pixels = np.zeros((SIDE, SIDE), np.uint16)
    write_jp2(tmp_path / "black", pixels)
    assert is_black(ProductTree(tmp_path / "black"), "B02.jp2")
    pixels[-1, -1] = 900
    write_jp2(tmp_path / "one", pixels)
    assert not is_black(ProductTree(tmp_path / "one"), "B02.jp2")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_a_cut_off_image_is_damaged_not_black(tmp_path: Path, share: float) -> None:
    pixels = np.random.default_rng(5).integers(0, 3000, (SIDE, SIDE)).astype(np.uint16)
    pixels[: SIDE // 2] = 0  # what comes before the cut is black
    path = write_jp2(tmp_path / "product", pixels)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    tree = ProductTree(tmp_path / "product")
    with pytest.raises(ProductCorruptError, match=r"B02\.jp2"):
        is_black(tree, "B02.jp2")
