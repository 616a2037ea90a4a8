"""Declared rows on their way from a file to the database, as columns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyproj import CRS

Objects = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Which columns of the file hold what.

    Parameters
    ----------
    parcel_id, holding : one or several columns, joined with ``-``; holding may be empty.
    crop : one column.
    area, second_crop, organic : optional columns; ``area_unit`` is ``m2`` or ``ha``.
    """

    parcel_id: tuple[str, ...]
    crop: str
    holding: tuple[str, ...] = ()
    area: str | None = None
    area_unit: str = "ha"
    second_crop: str | None = None
    organic: str | None = None


@dataclass(frozen=True, slots=True)
class DeclaredRows:
    """Rows of a file as read: nothing left out yet.

    Parameters
    ----------
    src_row : int64 (rows,), number of the row in the file, 1 and up.
    geometry : shapely or None (rows,), two-dimensional, x before y, in ``crs``; points and lines still there.
    had_z, was_curved : bool (rows,), what was dropped or linearised on reading.
    ori_id_raw, ori_hold, ori_crop : str or None (rows,), canonical text (lpis-and-inputs.md 3.2), no suffix yet.
    declared_area : float64 (rows,), m2, NaN where the file says nothing.
    attributes : all original attributes in their own names, one row each, with ``src_row``.
    crs : of the geometry; None when the file states none (CRS-01).
    """

    layer: str
    encoding: str | None
    crs: CRS | None
    src_row: npt.NDArray[np.int64]
    geometry: Objects
    had_z: npt.NDArray[np.bool_]
    was_curved: npt.NDArray[np.bool_]
    ori_id_raw: Objects
    ori_hold: Objects
    ori_crop: Objects
    declared_area: npt.NDArray[np.float64]
    attributes: pa.Table = field(repr=False)

    def __len__(self) -> int:
        return len(self.src_row)


@dataclass(frozen=True, slots=True)
class GeometryFacts:
    """Computed columns of lpis-and-inputs.md 3.5 and 3.6 that come from the geometry alone; arrays (parcels,).

    Parameters
    ----------
    geometry : MultiPolygon or None in the source system, repaired where ``geom_repaired``.
    geom_valid : OGC validity of the geometry as delivered. area_m2 : 0 where there is none. shape_ind : NaN without.
    overlap_amount : share of the own area under others, may exceed 1. duplic_group : int32, 0 for none, else 1 and up.
    """

    geometry: Objects
    geom_valid: npt.NDArray[np.bool_]
    geom_repaired: npt.NDArray[np.bool_]
    n_parts: npt.NDArray[np.int32]
    area_m2: npt.NDArray[np.float64]
    shape_ind: npt.NDArray[np.float64]
    overlap_amount: npt.NDArray[np.float64]
    overlap: npt.NDArray[np.bool_]
    duplic: npt.NDArray[np.bool_]
    duplic_group: npt.NDArray[np.int32]
