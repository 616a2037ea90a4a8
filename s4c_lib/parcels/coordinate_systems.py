"""Coordinate system of a declaration file: known, in the right place, accurate, inside the tiles (CRS-02 to -05)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS
from pyproj.transformer import AreaOfInterest, TransformerGroup
from shapely.geometry.base import BaseGeometry

from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.findings import EXAMPLES, Finding, Severity, finding
from s4c_lib.parcels.geometry_blocks import THREADS, coordinate_change, filled
from s4c_lib.parcels.metric import WGS84, in_europe

CONFIDENCE: Final = 70
LARGEST_ERROR_M: Final = 2.0
OUTSIDE_WARNED, OUTSIDE_REFUSED = 0.01, 0.20
_ETRS89: Final = 4258
_EDGE_PARTS: Final = 20

Bounds = tuple[float, float, float, float]


def identify(crs: CRS) -> tuple[CRS, Finding | None]:
    """The system as EPSG has it, and CRS-02 when it is not one of EPSG's.

    Vertical parts and transformations that a file adds to its system are left out: EPSG's own are used.

    Returns
    -------
    The EPSG system, else the one given.
    """
    plain = crs
    if plain.is_compound:
        plain = plain.sub_crs_list[0]
    if plain.is_bound and plain.source_crs is not None:
        plain = plain.source_crs
    code = plain.to_epsg(min_confidence=CONFIDENCE)
    if code is not None:
        return CRS.from_epsg(code), None
    message = (
        f'Coordinate system "{crs.name}" is not one of EPSG\'s and is used as described in the file; '
        "confirm the position on the map preview or choose an EPSG code."
    )
    return crs, finding("CRS-02", Severity.WARNING, message)


def total_bounds(geometry: Objects) -> Bounds | None:
    """Bounding box of all geometries; None when nothing has a place."""
    boxes = shapely.bounds(geometry)
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    if not len(boxes):
        return None
    west, south = boxes[:, :2].min(axis=0)
    east, north = boxes[:, 2:].max(axis=0)
    return float(west), float(south), float(east), float(north)


def box_in_wgs84(bounds: Bounds, crs: CRS) -> BaseGeometry | None:
    """A box of the system as a polygon in longitude and latitude; None where the system does not reach."""
    west, south, east, north = bounds
    longest = max(east - west, north - south) / _EDGE_PARTS
    box = shapely.box(west, south, east, north) if longest > 0 else shapely.Point(west, south)
    dense = shapely.segmentize(box, longest) if longest > 0 else box
    if crs.equals(CRS.from_epsg(WGS84), ignore_axis_order=True):
        changed = dense
    else:
        changed = shapely.transform(dense, coordinate_change(crs, CRS.from_epsg(WGS84)))
    coordinates = shapely.get_coordinates(changed)
    if not np.isfinite(coordinates).all() or (np.abs(coordinates) > (360.0, 90.0)).any():
        return None
    return changed if shapely.is_valid(changed) else shapely.convex_hull(changed)


def position_finding(bounds: Bounds, crs: CRS, site: BaseGeometry, site_name: str) -> Finding | None:
    """CRS-03: the bounding box of the parcels does not meet the site.

    Parameters
    ----------
    bounds : west, south, east, north in ``crs``.
    site : extent of the site, longitude and latitude.
    """
    place = box_in_wgs84(bounds, crs)
    if place is not None and place.intersects(site):
        return None
    west, south, east, north = bounds
    swapped = box_in_wgs84((south, west, north, east), crs)
    if place is None:
        where = f"x {(west + east) / 2:.6g}, y {(south + north) / 2:.6g} of {crs.name}"
    else:
        middle = place.centroid
        where = f"longitude {middle.x:.4f}, latitude {middle.y:.4f}"
    message = f"Parcels lie at {where}, outside site {site_name}. "
    if swapped is not None and swapped.intersects(site):
        message += "X and Y look swapped."
    else:
        message += "Wrong projection or wrong file?"
    return finding("CRS-03", Severity.REFUSED, message)


def accuracy_finding(crs: CRS, bounds_wgs84: Bounds | None) -> Finding | None:
    """CRS-04: a better grid exists and is not installed, or positions may be wrong by more than 2 m.

    Parameters
    ----------
    bounds_wgs84 : where the parcels lie; None for anywhere in the system's area of use.
    """
    usual = _operations(crs, WGS84, bounds_wgs84)
    groups = [usual]
    if _in_europe(crs, bounds_wgs84):
        # the best grids of many countries lead to ETRS89, a few decimetres from WGS 84
        groups.append(_operations(crs, _ETRS89, bounds_wgs84))
    accuracy = usual.transformers[0].accuracy if usual.transformers else -1.0
    missing = [name for group in groups for name in _missing(group)]
    if 0 <= accuracy <= LARGEST_ERROR_M and not missing:
        return None
    stated = f"Reprojection accuracy is {accuracy:g} m" if accuracy >= 0 else "Reprojection accuracy is not known"
    if missing:
        remedy = f"; install grid {missing[0]}."
    else:
        remedy = "; no better transformation is known, compare the parcels with an image or send another system."
    return finding("CRS-04", Severity.WARNING, f"{stated} for {crs.name}{remedy}")


def outside_tiles(
    geometry: Objects, crs: CRS, footprints: Sequence[BaseGeometry], *, threads: int = THREADS
) -> npt.NDArray[np.bool_]:
    """Parcels that meet none of the tiles, bool (parcels,); those without a place are not among them.

    Parameters
    ----------
    footprints : of the tiles, longitude and latitude, edges densified (`Sentinel2Tile.footprint_wgs84`).
    """
    tiles = np.array(footprints, dtype=object)
    if not crs.equals(CRS.from_epsg(WGS84), ignore_axis_order=True):
        tiles = shapely.transform(tiles, coordinate_change(CRS.from_epsg(WGS84), crs))
    # a tile the system cannot express lies far from any parcel
    tiles = tiles[np.isfinite(shapely.bounds(tiles)).all(axis=1) & shapely.is_valid(tiles)]
    tree = shapely.STRtree(tiles)

    def outside(part: slice) -> npt.NDArray[np.bool_]:
        block = geometry[part]
        met = np.zeros(len(block), dtype=np.bool_)
        boxes = shapely.bounds(block)
        placed = np.isfinite(boxes).all(axis=1)
        rows = np.flatnonzero(placed)
        # boxes first: nearly all lie within one tile, and the exact test is for those at its edge
        met[rows[tree.query(shapely.box(*boxes[rows].T), predicate="within")[0]]] = True
        left = np.flatnonzero(placed & ~met)
        met[left[tree.query(block[left], predicate="intersects")[0]]] = True
        return np.asarray(placed & ~met)

    return filled(outside, len(geometry), np.bool_, threads=threads)


def tiles_finding(
    outside: npt.NDArray[np.bool_], src_row: npt.NDArray[np.int64], names: Sequence[object] | Objects
) -> Finding | None:
    """CRS-05: parcels outside all tiles; refused above 20 %, a warning above 1 %, else information.

    Parameters
    ----------
    outside : bool (parcels,). src_row : rows of the file. names : identifiers, for the examples.
    """
    where = np.flatnonzero(outside)
    if not len(where):
        return None
    share = len(where) / len(outside)
    if share > OUTSIDE_REFUSED:
        severity, remedy = Severity.REFUSED, "Wrong file, or tiles missing in the site?"
    else:
        severity = Severity.WARNING if share > OUTSIDE_WARNED else Severity.INFO
        remedy = "Add tiles to the site if they should be."
    message = (
        f"{len(where)} parcels ({share:.1%}) lie outside the site tiles and will not be processed "
        f"(first: row {src_row[where].min()}). {remedy}"
    )
    return finding("CRS-05", severity, message, src_row[where], [names[i] for i in where[:EXAMPLES]])


def _in_europe(crs: CRS, bounds: Bounds | None) -> bool:
    area = crs.area_of_use
    if bounds is None and area is not None:
        bounds = (area.west, area.south, area.east, area.north)
    return bounds is not None and in_europe((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)


def _operations(crs: CRS, target: int, bounds: Bounds | None) -> TransformerGroup:
    area = None if bounds is None else AreaOfInterest(*bounds)
    with warnings.catch_warnings():
        # the missing grid is what is asked for; it becomes a finding
        warnings.filterwarnings("ignore", message="Best transformation is not available", category=UserWarning)
        return TransformerGroup(crs, target, always_xy=True, area_of_interest=area)


def _missing(group: TransformerGroup) -> list[str]:
    """Names of the grids of the best operation where that is not available."""
    if group.best_available or not group.unavailable_operations:
        return []
    return [grid.short_name for grid in group.unavailable_operations[0].grids if not grid.available]
