"""Small products of every optical format, with numbers of one's own."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.synthetic.optical.scene import BAND_METRES
from s4c_lib.synthetic.optical.scene import OpticalScene as MadeUpScene
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.products.raster_files import geotiff, jpeg2000
from s4c_lib.synthetic.products.sentinel2_safe import l2a_files

TILE = tile("31UFS")
NEIGHBOUR = tile("31UFT")
GRID = PixelGrid(TILE.epsg, 652320, 5697660, 10, 60, 120)
FLIGHT = OpticalPass(
    start=datetime(2022, 6, 3, 10, 50, 31, 24000, tzinfo=UTC),
    platform="S2A",
    relative_orbit=51,
    absolute_orbit=36219,
    sun_zenith=30.2,
    sun_azimuth=152.3,
    view_zenith=8.9,
    view_azimuth=287.0,
)
Files = dict[str, bytes]
Array = npt.NDArray[np.generic]


def made_up_scene(seed: int = 1) -> MadeUpScene:
    """A scene with every class, no data, negative and very bright pixels."""
    rng = np.random.default_rng(seed)
    bands = {}
    for number, (band, metres) in enumerate(BAND_METRES.items()):
        shape = GRID.resized(metres).shape
        values = 0.02 * number + np.linspace(0, 0.3, shape[1]) + rng.normal(0, 0.01, shape)
        values[0, 0], values[0, 1] = -0.05, 3.1
        bands[band] = values.astype(np.float32)
    classes = np.resize(np.arange(12, dtype=np.uint8), GRID.resized(20).shape)
    return MadeUpScene(
        grid=GRID,
        bands=bands,
        scene_class=classes,
        cloud_probability=np.zeros_like(classes),
        true_cloud=np.zeros(GRID.shape, dtype=np.bool_),
        true_shadow=np.zeros(GRID.shape, dtype=np.bool_),
        aerosol=0.1,
        water_vapour=2.0,
    )


def safe(folder: Path, baseline: int = 400, change: Mapping[str, Array] | None = None, seed: int = 1) -> Path:
    """A compact SAFE; ``change`` replaces images by the end of their name (``_B02_10m``)."""
    name, files = l2a_files(made_up_scene(seed), FLIGHT, TILE, baseline)
    for ending, array in (change or {}).items():
        path = path_ending(files, f"{ending}.jp2")
        files[path] = jpeg2000(array, GRID.resized(GRID.columns * 10 / array.shape[1]))
    return write(folder / name, files)


def path_ending(files: Mapping[str, bytes], ending: str) -> str:
    """The one path with that end."""
    (path,) = [path for path in files if path.endswith(ending)]
    return path


def write(target: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files below a folder."""
    for path, content in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(content)
    return target


def zipped(folder: Path) -> Path:
    """The folder as an archive beside it."""
    target = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, str(file.relative_to(folder.parent)))
    return target


def file_ending(folder: Path, ending: str) -> Path:
    """The one file with that end."""
    (path,) = [path for path in folder.rglob("*") if path.name.endswith(ending)]
    return path


def edit(path: Path, pattern: str, replacement: str, count: int = 0) -> None:
    """Replace in a text file; it is an error when nothing matches."""
    text, changes = re.subn(pattern, replacement, path.read_text("utf-8"), count=count)
    assert changes, pattern
    path.write_text(text, "utf-8")


def old_multi_tile(folder: Path) -> Path:
    """The same scene in the layout before 14.2: one product, two tiles, long names everywhere."""
    start = f"{FLIGHT.start:%Y%m%dT%H%M%S}"
    name = f"S2A_USER_PRD_MSIL2A_PDMC_20220604T000000_R051_V{start}_{start}.SAFE"
    files: Files = {}
    for square, seed in ((TILE, 1), (NEIGHBOUR, 2)):
        _, compact = l2a_files(made_up_scene(seed), FLIGHT, square, 204)
        core = f"L2A_TL_SGS__20220604T000000_A036219_T{square.tile_id}"
        granule = f"GRANULE/S2A_USER_MSI_{core}_N02.04"
        for path, content in compact.items():
            found = re.search(r"_(SCL|B[0-9A]{2})_(\d0)m\.jp2$", path)
            if found and "IMG_DATA" in path:
                layer, metres = found.groups()
                stem = f"S2A_USER_SCL_{core}" if layer == "SCL" else f"S2A_USER_MSI_{core}_{layer}"
                files[f"{granule}/IMG_DATA/R{metres}m/{stem}_{metres}m.jp2"] = content
            elif path.endswith("MTD_TL.xml"):
                files[f"{granule}/S2A_USER_MTD_{core}.xml"] = content
            elif path.endswith("MTD_MSIL2A.xml"):
                renamed = content.replace(b"BOA_QUANT", b"L2A_BOA_QUANT")
                files[f"S2A_USER_MTD_SAFL2A_PDMC_20220604T000000_R051_V{start}_{start}.xml"] = renamed
            elif path == "manifest.safe":
                files[path] = content
    return write(folder / name, files)


LANDSAT_NAME = "LC09_L2SP_197024_20220605_20220607_02_T1"


def landsat_mtl(grid: PixelGrid, **changes: str) -> dict[str, str]:
    """Keys of an MTL, the level-2 ones first."""
    return {
        "LANDSAT_PRODUCT_ID": LANDSAT_NAME,
        "SPACECRAFT_ID": "LANDSAT_9",
        "DATE_ACQUIRED": "2022-06-05",
        "SCENE_CENTER_TIME": "10:32:11.1234560Z",
        "SUN_AZIMUTH": "148.5",
        "SUN_ELEVATION": "60.25",
        "CLOUD_COVER": "12.50",
        "CLOUD_COVER_LAND": "-1",
        "MAP_PROJECTION": "UTM",
        "UTM_ZONE": str(grid.epsg % 100),
        "GRID_CELL_SIZE_REFLECTIVE": "30.00",
        "REFLECTIVE_LINES": str(grid.rows),
        "REFLECTIVE_SAMPLES": str(grid.columns),
        "CORNER_UL_PROJECTION_X_PRODUCT": f"{grid.west + 15:.3f}",
        "CORNER_UL_PROJECTION_Y_PRODUCT": f"{grid.north - 15:.3f}",
        **changes,
    }


def landsat(folder: Path, grid: PixelGrid, layers: Mapping[str, Array], **changes: str) -> Path:
    """A Landsat 9 L2SP; ``layers`` replaces the rasters by name (``SR_B4``)."""
    empty = np.full(grid.shape, 18639, dtype=np.uint16)
    rasters: dict[str, Array] = {f"SR_B{band}": empty for band in range(1, 8)}
    rasters |= {"QA_PIXEL": np.full(grid.shape, 21824, np.uint16), "QA_RADSAT": np.zeros(grid.shape, np.uint16)}
    rasters |= layers
    files = {
        f"{LANDSAT_NAME}_{layer}.TIF": geotiff(array, grid, nodata=1 if layer == "QA_PIXEL" else 0)
        for layer, array in rasters.items()
    }
    lines = [f"    {key} = {value}" for key, value in landsat_mtl(grid, **changes).items()]
    text = "\n".join(["GROUP = LANDSAT_METADATA_FILE", *lines, "END_GROUP = LANDSAT_METADATA_FILE", "END"])
    files[f"{LANDSAT_NAME}_MTL.txt"] = f"{text}\n".encode()
    return write(folder / LANDSAT_NAME, files)
