"""What Sentinel-2 sees of the window on one date, before it is written in a format."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.pixel_grid import PixelGrid

# Native pixel of each band of an L2A, metres.
BAND_METRES = {
    "B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10, "B8A": 20, "B09": 60,
    "B11": 20, "B12": 20,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpticalScene:
    """Surface reflectance and masks of one window.

    Parameters
    ----------
    grid : the window at 10 m; its sides are whole numbers of 60 m.
    bands : float32 (rows, columns) at the native pixel of the band (`BAND_METRES`), reflectance, may be slightly
        negative, may exceed 1 over cloud.
    scene_class : uint8 (rows, columns) at 20 m, SCL codes as the processor would give them, errors included.
    cloud_probability : uint8 (rows, columns) at 20 m, %.
    true_cloud, true_shadow : bool (rows, columns) at 10 m.
    aerosol : aerosol optical thickness at 550 nm. water_vapour : cm.
    """

    grid: PixelGrid
    bands: dict[str, npt.NDArray[np.float32]]
    scene_class: npt.NDArray[np.uint8]
    cloud_probability: npt.NDArray[np.uint8]
    true_cloud: npt.NDArray[np.bool_]
    true_shadow: npt.NDArray[np.bool_]
    aerosol: float
    water_vapour: float
