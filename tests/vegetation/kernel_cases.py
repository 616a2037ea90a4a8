"""Row blocks for the kernels: cases laid side by side in one row, the node of each case's angles under its pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers.scene import COSINES, AngleGrid, MeanGeometry
from s4c_lib.vegetation.biophysical import Biophysical, OutputRules
from s4c_lib.vegetation.networks import Network

Numbers = npt.NDArray[np.int16]
MEAN = MeanGeometry(40.0, 150.0, 5.0, 100.0)


def grid_of(rows: int, columns: int, pixel: float = 10) -> PixelGrid:
    return PixelGrid(32631, 600_000, 5_800_020, pixel, rows, columns)


def angles_of(cosines: npt.NDArray[Any], west: float, north: float, step: float) -> AngleGrid:
    """Nodes from (3, rows, columns) cosines."""
    vza, sza, raa = cosines.astype(np.float32)
    return AngleGrid(west, north, step, vza, sza, raa, MEAN)


def run_cases(
    networks: Sequence[Network],
    numbers: Numbers,
    cosines: npt.NDArray[Any],
    rules: OutputRules | None = None,
    flags: npt.NDArray[np.uint8] | None = None,
) -> tuple[Numbers, npt.NDArray[np.uint8]]:
    """Kernel on (bands, cases) x 10000 in the networks' order and (3, cases) cosines: both (variables, cases)."""
    cases = numbers.shape[1]
    grid = grid_of(1, cases)
    angles = angles_of(cosines[:, None, :], grid.west + 5, grid.north - 5, 10)
    ready = Biophysical.of(networks, angles, grid)
    flags = np.zeros(cases, np.uint8) if flags is None else flags
    values, quality = ready.rows(numbers[:, None, :], list(ready.bands), flags[None], 0, rules or OutputRules())
    return values[:, 0], quality[:, 0]


def literal(networks: Sequence[Network], numbers: Numbers, cosines: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The formula in float64 on the same cases: (variables, cases)."""
    cosines = cosines.astype(np.float32).astype(np.float64)  # as angle grids hold them
    inputs = np.concatenate([numbers / 10_000, cosines])
    assert len(inputs) == len(networks[0].bands) + len(COSINES)
    return np.stack([network.evaluate(inputs) for network in networks])
