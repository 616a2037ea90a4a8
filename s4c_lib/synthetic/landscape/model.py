"""The landscape as one value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from shapely.geometry.base import BaseGeometry

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.crops import Cover, ParcelTraits


@dataclass(frozen=True, slots=True)
class Landscape:
    """Fields and the ground between them, as they really are (declarations may say otherwise).

    Parameters
    ----------
    grid : the window at 10 m.
    shapes : (parcels,) polygons or multipolygons in ``grid.epsg``, in the order of ``traits``.
    ori_id, holding : (parcels,) identifiers as the agency writes them.
    covers : undeclared ground with its kind; what neither a field nor a cover takes is `Cover.MARGIN`.
    """

    grid: PixelGrid
    shapes: npt.NDArray[np.object_]
    ori_id: tuple[str, ...]
    holding: tuple[str, ...]
    traits: ParcelTraits
    covers: tuple[tuple[Cover, BaseGeometry], ...]
