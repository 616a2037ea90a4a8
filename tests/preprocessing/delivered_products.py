"""Small delivered products to publish: SAFE and MUSCATE of one scene, with clouds, water and a strip without data."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.synthetic.optical.scene import BAND_METRES, OpticalScene
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.products.muscate import muscate_files
from s4c_lib.synthetic.products.product_folder import write_product
from s4c_lib.synthetic.products.sentinel2_safe import l2a_files

TILE, OTHER_TILE = tile("31UFS"), tile("31UFT")
GRID = PixelGrid(TILE.epsg, 652_320, 5_697_660, 10, 1260, 1080)
FLIGHT = OpticalPass(
    start=datetime(2022, 6, 3, 10, 50, 31, 24000, tzinfo=UTC),
    platform="S2B",
    relative_orbit=51,
    absolute_orbit=27371,
    sun_zenith=30.0,
    sun_azimuth=150.0,
    view_zenith=8.0,
    view_azimuth=287.0,
)


def scene(alike: float = 0.05, grid: PixelGrid = GRID) -> OpticalScene:
    """Reflectance around 0.1 to 0.3 with noise of ``alike``; one seventh no data, a tenth cloud, a tenth water."""
    rng = np.random.default_rng(5)
    bands = {}
    for number, (band, metres) in enumerate(BAND_METRES.items()):
        shape = grid.resized(metres).shape
        values = (0.1 + 0.02 * number + alike * rng.random(shape)).astype(np.float32)
        values[: shape[0] // 7] = np.nan
        bands[band] = values
    at_20 = grid.resized(20).shape
    classes = np.full(at_20, 4, np.uint8)
    classes[:, : at_20[1] // 10] = 9
    classes[:, -(at_20[1] // 10) :] = 6
    classes[: at_20[0] // 7] = 0
    cloud = np.repeat(np.repeat(classes == 9, 2, axis=0), 2, axis=1)
    return OpticalScene(
        grid=grid,
        bands=bands,
        scene_class=classes,
        cloud_probability=np.zeros(at_20, np.uint8),
        true_cloud=cloud,
        true_shadow=np.zeros(grid.shape, np.bool_),
        aerosol=0.1,
        water_vapour=2.0,
    )


def safe(folder: Path, shown: OpticalScene | None = None) -> Path:
    """A compact SAFE of baseline 05.10."""
    return write_product(folder, *l2a_files(shown or scene(), FLIGHT, TILE, 510))


def muscate(folder: Path, shown: OpticalScene | None = None) -> Path:
    """A MUSCATE folder."""
    return write_product(folder, *muscate_files(shown or scene(), FLIGHT, TILE))


def file_of(product: Path, ending: str) -> Path:
    """The one file with this end."""
    (found,) = [file for file in product.rglob("*") if file.name.endswith(ending)]
    return found


def cut_off(file: Path, share: float = 0.6) -> None:
    """Keep the first part of a file."""
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])


def edited(file: Path, change: Callable[[str], str]) -> None:
    """Change a text file; the change must change something."""
    text = file.read_text("utf-8")
    new = change(text)
    assert new != text
    file.write_text(new, "utf-8")


def zipped(product: Path) -> Path:
    """The product as an archive beside it."""
    target = product.with_name(f"{product.name}.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(product.rglob("*")):
            if file.is_file():
                archive.write(file, str(file.relative_to(product.parent)))
    return target
