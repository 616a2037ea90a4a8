"""Invalid geometries: which are made valid, and what each is measured from (lpis-and-inputs.md 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import shapely

from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.geometry_blocks import THREADS, filled, is_polygonal

Profile = Literal["default", "reference"]
TOLERANCE: Final = 0.05
_POLYGON, _MULTIPOLYGON, _COLLECTION = 3, 6, 7


@dataclass(frozen=True, slots=True)
class Repaired:
    """Geometries after the repair of those that can be repaired; arrays (parcels,).

    Parameters
    ----------
    geometry : as delivered, or repaired where ``repaired``.
    measured : the same, but made valid wherever that is possible: what area and perimeter are taken from.
    valid : OGC validity as delivered; False for None and for empty.
    repaired : made valid and accepted (``default`` only).
    """

    geometry: Objects
    measured: Objects
    valid: npt.NDArray[np.bool_]
    repaired: npt.NDArray[np.bool_]

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """Whether a parcel takes part in overlaps, duplicates and what follows."""
        return self.valid | self.repaired


def repair(geometry: Objects, *, profile: Profile, threads: int = THREADS) -> Repaired:
    """Check validity and repair what is invalid.

    ``default`` makes polygons valid by structure and accepts the result when its area differs from that of the rings
    (shells less holes) by at most 5 %: touching rings, spikes and holes on the shell pass, bow-ties and holes outside
    the shell do not. ``reference`` repairs nothing; its areas come from the linework method, as PostGIS has it.

    Parameters
    ----------
    geometry : polygons, multipolygons or None (parcels,).
    """
    present = is_polygonal(geometry)
    valid = present & filled(lambda part: shapely.is_valid(geometry[part]), len(geometry), np.bool_, threads=threads)
    wrong = np.flatnonzero(present & ~valid)
    repaired = np.zeros(len(geometry), dtype=np.bool_)
    if not len(wrong):
        return Repaired(geometry, geometry, valid, repaired)
    made = made_valid(geometry[wrong], profile)
    measured = geometry.copy()
    measured[wrong] = made
    if profile == "reference":
        return Repaired(geometry, measured, valid, repaired)
    # GEOS takes the area of a polygon as |shell| - sum |holes|, whatever crosses what: the area of the rings
    of_rings, of_result = shapely.area(geometry[wrong]), np.nan_to_num(shapely.area(made))
    accepted = is_polygonal(made) & (np.abs(of_result - of_rings) <= TOLERANCE * of_rings)
    repaired[wrong[accepted]] = True
    result = geometry.copy()
    result[wrong[accepted]] = made[accepted]
    return Repaired(result, measured, valid, repaired)


def polygons_of(geometry: Objects) -> Objects:
    """Polygons of each geometry as one polygon or multipolygon; None where it has none.

    Lines and points that a collection holds beside its polygons are left out.
    """
    result = geometry.copy()
    for row in np.flatnonzero(~np.isin(shapely.get_type_id(geometry), (-1, _POLYGON, _MULTIPOLYGON))):
        parts = [part for part in _flat(geometry[row]) if not part.is_empty]
        result[row] = shapely.MultiPolygon(parts) if parts else None
    return result


def made_valid(geometry: Objects, profile: Profile) -> Objects:
    """Polygons made valid; None where that fails or nothing is left."""
    result = np.full(len(geometry), None, dtype=object)
    # without finite coordinates there is nothing to repair, and GEOS raises an error
    rows = np.flatnonzero(_finite(geometry))
    if profile == "reference":
        made = shapely.make_valid(geometry[rows], method="linework")
    else:
        made = shapely.make_valid(geometry[rows], method="structure", keep_collapsed=False)
    made = polygons_of(made)
    made[shapely.is_empty(made)] = None
    result[rows] = made
    return result


def _finite(geometry: Objects) -> npt.NDArray[np.bool_]:
    coordinates, row = shapely.get_coordinates(geometry, return_index=True)
    wrong = row[~np.isfinite(coordinates).all(axis=1)]
    return np.asarray(np.bincount(wrong, minlength=len(geometry)) == 0)


def _flat(geometry: shapely.Geometry) -> list[shapely.Polygon]:
    if shapely.get_type_id(geometry) in (_MULTIPOLYGON, _COLLECTION):
        return [polygon for part in shapely.get_parts(geometry) for polygon in _flat(part)]
    return [geometry] if isinstance(geometry, shapely.Polygon) else []
