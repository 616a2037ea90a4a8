"""Sun and view directions on the 5 km nodes of a product (l3b-and-markers.md 1.4).

A direction is averaged as a unit vector, so that azimuths of 359 and 1 degrees make 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers.scene import AngleGrid, MeanGeometry
from s4c_lib.sources.metadata_files import elements, number

STEP_M: Final = 5000.0
Degrees = npt.NDArray[np.float64]
Direction = tuple[float, float]  # zenith, azimuth, degrees


def cos_relative_azimuth(sun_azimuth: Any, view_azimuth: Any) -> Any:
    """Cosine of sun minus view azimuth, degrees."""
    return np.cos(np.radians(np.subtract(sun_azimuth, view_azimuth)))


def mean_direction(zeniths: npt.ArrayLike, azimuths: npt.ArrayLike) -> tuple[Degrees, Degrees]:
    """Mean of directions as unit vectors, NaN ignored: zenith and azimuth (0 to 360) in degrees.

    Parameters
    ----------
    zeniths, azimuths : (directions, ...), degrees; of what follows the first axis nothing is averaged.

    Returns
    -------
    float64 (...), NaN where no direction is known.
    """
    zenith = np.radians(np.asarray(zeniths, dtype=np.float64))
    azimuth = np.radians(np.asarray(azimuths, dtype=np.float64))
    known = np.isfinite(zenith) & np.isfinite(azimuth)
    zenith, azimuth = np.where(known, zenith, 0.0), np.where(known, azimuth, 0.0)
    east = np.sum(np.sin(zenith) * np.sin(azimuth), axis=0, where=known)
    north = np.sum(np.sin(zenith) * np.cos(azimuth), axis=0, where=known)
    up = np.sum(np.cos(zenith), axis=0, where=known)
    seen = known.any(axis=0)
    mean_zenith = np.where(seen, np.degrees(np.arctan2(np.hypot(east, north), up)), np.nan)
    return mean_zenith, np.where(seen, np.degrees(np.arctan2(east, north)) % 360, np.nan)


def filled(values: Degrees, known: npt.NDArray[np.bool_]) -> Degrees:
    """Values with each unknown node taken from the nearest known one; at least one is known."""
    if known.all():
        return values
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])


def angle_grid(
    west: float,
    north: float,
    step: float,
    sun: tuple[Degrees, Degrees],
    view: tuple[Degrees, Degrees],
    mean: MeanGeometry,
) -> AngleGrid:
    """Nodes from zenith and azimuth of sun and view, degrees (rows, columns); nodes with NaN are filled.

    A layer without any known node takes the mean.
    """
    shape = sun[0].shape
    sun_zenith, sun_azimuth = _complete(sun, (mean.sun_zenith, mean.sun_azimuth), shape)
    view_zenith, view_azimuth = _complete(view, (mean.view_zenith, mean.view_azimuth), shape)
    return AngleGrid(
        west=west,
        north=north,
        step=step,
        cos_vza=np.cos(np.radians(view_zenith)).astype(np.float32),
        cos_sza=np.cos(np.radians(sun_zenith)).astype(np.float32),
        cos_raa=cos_relative_azimuth(sun_azimuth, view_azimuth).astype(np.float32),
        mean=mean,
    )


def constant_angle_grid(grid: PixelGrid, mean: MeanGeometry) -> AngleGrid:
    """The mean angles at every node of a grid, which the nodes cover."""
    unknown = np.full(nodes_over(grid), np.nan)
    return angle_grid(grid.west, grid.north, STEP_M, (unknown, unknown), (unknown, unknown), mean)


def nodes_over(grid: PixelGrid) -> tuple[int, int]:
    """Rows and columns of nodes that reach the far edges of a grid: 23 x 23 for a tile."""
    return math.ceil(grid.rows * grid.pixel / STEP_M) + 1, math.ceil(grid.columns * grid.pixel / STEP_M) + 1


def read_direction_grid(element: ElementTree.Element, where: str) -> tuple[float, Degrees, Degrees]:
    """Step, zenith and azimuth (rows, columns; degrees, NaN unknown) of an element with ``Zenith`` and ``Azimuth``.

    Raises
    ------
    ProductCorruptError : no numbers, rows of unequal length, or steps that differ.
    """
    steps: set[float] = set()
    layers: list[Degrees] = []
    for name in ("Zenith", "Azimuth"):
        layer = next(elements(element, name), None)
        if layer is None:
            raise ProductCorruptError(f"{where} has an angle grid without {name}", hint="fetch the product again")
        steps |= {number(layer, key) or STEP_M for key in ("COL_STEP", "ROW_STEP")}
        try:
            rows = [[float(value) for value in (row.text or "").split()] for row in elements(layer, "VALUES")]
            layers.append(np.array(rows, dtype=np.float64))
        except ValueError as error:
            raise ProductCorruptError(
                f"{where} has an unreadable angle grid: {error}", hint="fetch the product again"
            ) from error
    zenith, azimuth = layers
    if len(steps) != 1 or zenith.shape != azimuth.shape or zenith.ndim != 2 or zenith.size == 0:
        raise ProductCorruptError(f"{where} has angle grids that do not fit together", hint="fetch the product again")
    return steps.pop(), zenith, azimuth


def read_directions(found: Iterable[ElementTree.Element]) -> list[Direction]:
    """Zenith and azimuth of elements with ``ZENITH_ANGLE`` and ``AZIMUTH_ANGLE``; those without numbers left out."""
    pairs = [(number(element, "ZENITH_ANGLE"), number(element, "AZIMUTH_ANGLE")) for element in found]
    return [
        (zenith, azimuth)
        for zenith, azimuth in pairs
        if zenith is not None and azimuth is not None and math.isfinite(zenith) and math.isfinite(azimuth)
    ]


def angles_of_metadata(
    grid: PixelGrid,
    *,
    sun_grid: ElementTree.Element | None,
    view_grids: Sequence[ElementTree.Element],
    sun_means: Sequence[Direction],
    view_means: Sequence[Direction],
    where: str,
) -> AngleGrid:
    """Angles from the elements of a metadata document; what has no grid takes the mean.

    Parameters
    ----------
    grid : whose upper-left corner is the first node. view_grids : of every band and detector.
    sun_means, view_means : of the product; of each band, for the view. where : the document, for messages.

    Raises
    ------
    ProductCorruptError : neither grid nor mean, or unreadable.
    """
    read = [read_direction_grid(element, where) for element in view_grids]
    sun = None if sun_grid is None else read_direction_grid(sun_grid, where)
    grids = [*read, *([] if sun is None else [sun])]
    if len({(step, zenith.shape) for step, zenith, _ in grids}) > 1:
        raise ProductCorruptError(f"{where} has angle grids of several shapes", hint="fetch the product again")
    step, shape = (grids[0][0], grids[0][1].shape) if grids else (STEP_M, nodes_over(grid))
    unknown = np.full(shape, np.nan)
    sun_layers = (unknown, unknown) if sun is None else sun[1:]
    view_layers = (unknown, unknown)
    if read:
        view_layers = mean_direction([zenith for _, zenith, _ in read], [azimuth for _, _, azimuth in read])
    mean_sun = _mean(sun_means, sun_layers, f"{where} says nothing of the sun's angles")
    mean_view = _mean(view_means, view_layers, f"{where} says nothing of the view angles")
    return angle_grid(grid.west, grid.north, step, sun_layers, view_layers, MeanGeometry(*mean_sun, *mean_view))


def _mean(means: Sequence[Direction], layers: tuple[Degrees, Degrees], fault: str) -> Direction:
    """Mean of the stated directions, else of the nodes."""
    zenith, azimuth = (
        mean_direction([pair[0] for pair in means], [pair[1] for pair in means])
        if means
        else mean_direction(layers[0].ravel(), layers[1].ravel())
    )
    if not (np.isfinite(zenith) and np.isfinite(azimuth)):
        raise ProductCorruptError(fault, hint="fetch the product again")
    return float(zenith), float(azimuth)


def _complete(layers: tuple[Degrees, Degrees], mean: Direction, shape: tuple[int, ...]) -> tuple[Degrees, Degrees]:
    zenith, azimuth = layers
    known = np.isfinite(zenith) & np.isfinite(azimuth)
    if not known.any():
        return np.full(shape, mean[0]), np.full(shape, mean[1])
    return filled(zenith, known), filled(azimuth, known)
