"""Small scenes on disk for L3B: GeoTIFFs with numbers of one's own, described as a reader would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers.scene import AngleGrid, Band, Layer, Mask, MaskKind, MeanGeometry, OpticalScene
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.synthetic.products.raster_files import geotiff

GRID = PixelGrid(32631, 600_000, 5_700_000, 10, 540, 600)  # more than one block of rows
TIME = datetime(2021, 5, 5, 10, 50, 31, tzinfo=UTC)
METRES = {
    "b02": 10, "b03": 10, "b04": 10, "b08": 10, "b05": 20, "b06": 20, "b07": 20, "b8a": 20, "b11": 20, "b12": 20,
}  # fmt: skip
# Acceptance case A2, "moderate": reflectance x 10000.
MODERATE = {
    "b02": 400, "b03": 600, "b04": 500, "b05": 900, "b06": 2500, "b07": 3200, "b08": 3400, "b8a": 3600, "b11": 2000,
    "b12": 1100,
}  # fmt: skip
Numbers = npt.NDArray[Any]


def angles(grid: PixelGrid = GRID) -> AngleGrid:
    """Angles of acceptance case A2, the same at every node."""
    nodes = (np.full((23, 23), value, np.float32) for value in (0.99, 0.75, -0.40))
    return AngleGrid(grid.west, grid.north, 5000, *nodes, MeanGeometry(41.409622, 160.3, 8.109614, 286.5))


def optical_scene(
    folder: Path,
    numbers: Mapping[str, int | Numbers] | None = None,
    scl: Numbers | int = 4,
    *,
    grid: PixelGrid = GRID,
    offset: int = -1000,
    **changes: Any,
) -> OpticalScene:
    """A Sentinel-2 L2A with these reflectances x 10000: one number for a band, or an array of its resolution.

    Stored with the offset of newer baselines; 0 is no data. ``scl`` : scene classes (20 m), or one for all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bands = {}
    for name, metres in METRES.items():
        own = grid.resized(metres)
        given = {**MODERATE, **(numbers or {})}[name]
        stored = np.broadcast_to(np.asarray(given) - offset, own.shape).astype(np.uint16)
        stored = np.where(np.broadcast_to(np.asarray(given) == -10_000, own.shape), 0, stored).astype(np.uint16)
        path = folder / f"{name}.tif"
        path.write_bytes(geotiff(stored, own))
        bands[name] = Band(name, Layer(str(path), own), 1e-4, offset * 1e-4, 0)
    coarse = grid.resized(20)
    classes = np.broadcast_to(np.asarray(scl), coarse.shape).astype(np.uint8)
    (folder / "scl.tif").write_bytes(geotiff(classes, coarse))
    metadata = folder / "MTD_MSIL2A.xml"
    metadata.write_text("<metadata/>", encoding="utf-8")
    scene = OpticalScene(
        name="S2A_MSIL2A_20210505T105031_N0500_R051_T31UFS_20210505T135242",
        kind=ProductKind.S2_L2A,
        platform="sentinel-2a",
        tile="31UFS",
        sensing_time=TIME,
        relative_orbit=51,
        direction="descending",
        baseline=500,
        grid=grid,
        bands=bands,
        mask=Mask(MaskKind.SCL, {"scl": Layer(str(folder / "scl.tif"), coarse)}),
        angles=angles(grid),
        metadata_files=(str(metadata),),
    )
    return replace(scene, **changes)


def landsat_scene(folder: Path) -> OpticalScene:
    """A Landsat 9 on 30 m pixels: the spectrum of acceptance case A2 for ``s4c_l8``."""
    folder.mkdir(parents=True, exist_ok=True)
    grid = PixelGrid(32631, 600_000, 5_700_000, 30, 60, 80)
    bands = {}
    for name, number in {"b03": 600, "b04": 500, "b08": 3600, "b11": 2000, "b12": 1100}.items():
        stored = np.full(grid.shape, round((number / 10_000 + 0.2) / 2.75e-5), np.uint16)
        path = folder / f"{name}.tif"
        path.write_bytes(geotiff(stored, grid))
        bands[name] = Band(name, Layer(str(path), grid), 2.75e-5, -0.2, 0)
    layers = {}
    for name, value in (("qa_pixel", 21824), ("qa_radsat", 0)):
        path = folder / f"{name}.tif"
        path.write_bytes(geotiff(np.full(grid.shape, value, np.uint16), grid))
        layers[name] = Layer(str(path), grid)
    return OpticalScene(
        name="LC09_L2SP_198024_20210505_20210513_02_T1",
        kind=ProductKind.LANDSAT_L2SP,
        platform="landsat-9",
        tile="198024",
        sensing_time=TIME,
        relative_orbit=None,
        direction=None,
        baseline=None,
        grid=grid,
        bands=bands,
        mask=Mask(MaskKind.LANDSAT, layers),
        angles=angles(grid),
    )
