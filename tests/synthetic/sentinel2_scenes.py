"""A small scene with all that a writer has to get right: gradients, noise, cloud, holes, negative and bright pixels."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.synthetic.optical.scene import BAND_METRES, OpticalScene
from s4c_lib.synthetic.passes import OpticalPass

TILE = tile("31UFS")
NEIGHBOUR = tile("31UFT")
FLIGHT = OpticalPass(
    start=datetime(2021, 6, 3, 10, 50, 31, 24000, tzinfo=UTC),
    platform="S2A",
    relative_orbit=51,
    absolute_orbit=31071,
    sun_zenith=30.2,
    sun_azimuth=152.3,
    view_zenith=8.9,
    view_azimuth=287.0,
)


def scene(rows: int = 120, columns: int = 180, seed: int = 1) -> OpticalScene:
    """A scene of ``rows`` x ``columns`` pixels of 10 m in the overlap of 31UFS and 31UFT; not square on purpose."""
    rng = np.random.default_rng(seed)
    grid = PixelGrid(TILE.epsg, 652320, 5697660, 10, rows, columns)
    bands = {}
    for number, (band, metres) in enumerate(BAND_METRES.items()):
        shape = grid.resized(metres).shape
        slope = np.linspace(0, 0.2, shape[1]) + np.linspace(0, 0.1, shape[0])[:, np.newaxis]
        values = 0.02 * number + slope + rng.normal(0, 0.004, shape)
        values[0, 0], values[0, 1] = -0.2, 8.0
        bands[band] = values.astype(np.float32)
    bands["B04"][6:12, 6:12] = np.nan
    at_20 = grid.resized(20).shape
    classes = np.full(at_20, 4, dtype=np.uint8)
    classes[:, -9:] = 9
    classes[:, -12:-9] = 3
    classes[12:15] = 10
    classes[15:18] = 11
    classes[18:21] = 6
    classes[-3:, :3] = 0
    classes[-3:, 3:6] = 1
    cloud = np.repeat(np.repeat(np.isin(classes, (8, 9, 10)), 2, axis=0), 2, axis=1)
    return OpticalScene(
        grid=grid,
        bands=bands,
        scene_class=classes,
        cloud_probability=rng.integers(0, 101, at_20).astype(np.uint8),
        true_cloud=cloud,
        true_shadow=np.zeros(grid.shape, dtype=np.bool_),
        aerosol=0.123,
        water_vapour=2.1,
    )
