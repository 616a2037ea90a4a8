"""A user's own Sentinel-1 rasters: any name, and a sidecar that says what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.products.raster_files import Array, geotiff

GRID: Final = PixelGrid(32631, 652_320, 5_697_660, 20, 40, 50)
NAME: Final = "S1A_L2_BCK_20210502T055000_VV_037_31UFS_OWN"
PAIR_NAME: Final = "S1A_L2_COH_20210502T055000_20210426T055000_VV_037_31UFS_OWN"
BACKSCATTER: Final[dict[str, Any]] = {
    "quantity": "sigma0",
    "scale": "linear",
    "polarisation": "VV",
    "time": "2021-05-02T05:50:00Z",
    "platform": "S1A",
    "relative_orbit": 37,
    "direction": "descending",
    "tile": "31UFS",
}
COHERENCE: Final = BACKSCATTER | {"quantity": "coherence", "previous_time": "2021-04-26T05:50:00Z"}


def power(seed: int = 1) -> Array:
    """Plausible sigma nought, linear."""
    return np.random.default_rng(seed).gamma(8, 0.01, GRID.shape).astype(np.float32)


def decibels(values: Array) -> Array:
    return (10 * np.log10(values)).astype(np.float32)


def coherences() -> Array:
    return np.random.default_rng(2).uniform(0.1, 0.9, GRID.shape).astype(np.float32)


def own_raster(
    raster: Path, values: Array, sidecar: dict[str, Any] | bytes | None = None, *, grid: PixelGrid = GRID, **more: Any
) -> Path:
    """Write a raster and its sidecar; ``nodata`` and ``tags`` as of `geotiff`."""
    raster.parent.mkdir(parents=True, exist_ok=True)
    raster.write_bytes(geotiff(values, grid, **more))
    content = BACKSCATTER if sidecar is None else sidecar
    written = content if isinstance(content, bytes) else json.dumps(content).encode()
    raster.with_name(f"{raster.stem}.s1.json").write_bytes(written)
    return raster


def without(facts: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key not in names}
