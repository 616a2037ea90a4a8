"""Every column that comes from the geometry alone, and what is wrong with it (lpis-and-inputs.md 3.4 to 3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS

from s4c_lib.errors import InputError
from s4c_lib.parcels.declared import GeometryFacts, Objects
from s4c_lib.parcels.duplicates import duplicate_groups
from s4c_lib.parcels.findings import Finding, ordered
from s4c_lib.parcels.geometry_blocks import THREADS, Floats, as_multipolygons, is_polygonal, only, reproject
from s4c_lib.parcels.geometry_checks_findings import Rows, overlap_findings, row_findings
from s4c_lib.parcels.metric import (
    Measures,
    box_centres,
    equal_area_crs,
    geodesic,
    in_zone_of_each,
    metres_per_unit,
    planar,
    projected,
    shape_index,
)
from s4c_lib.parcels.overlaps import Overlaps, overlaps
from s4c_lib.parcels.repair import Profile, Repaired, made_valid, repair

OVERLAP_THRESHOLD: Final = 0.10
Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SharedGround:
    """What parcels of a set have in common; arrays (parcels,) but for the pairs.

    Parameters
    ----------
    pairs : every pair that shares ground, with the area in square units of the system they were compared in.
    overlap : amount above the threshold. duplic_group : 0 for a parcel that has no duplicate.
    """

    pairs: Overlaps
    overlap: npt.NDArray[np.bool_]
    duplic_group: npt.NDArray[np.int32]


def geometry_facts(
    geometry: Objects,
    crs: CRS,
    *,
    profile: Profile = "default",
    overlap_threshold: float = OVERLAP_THRESHOLD,
    src_row: npt.NDArray[np.int64] | None = None,
    names: Sequence[object] | Objects | None = None,
    declared_area: Floats | None = None,
    place: Place | None = None,
    threads: int = THREADS,
) -> tuple[GeometryFacts, list[Finding]]:
    """Check, repair and measure parcels, and find what overlaps or is drawn twice.

    Parameters
    ----------
    geometry : polygons, multipolygons, empty ones or None (parcels,), x before y, in ``crs``.
    src_row : int64 (parcels,), rows of the file; 1 and up when not given.
    names : identifiers (parcels,), for the examples of findings; rows when not given.
    declared_area : float64 (parcels,), m2, NaN where the file says nothing.
    place : longitude and latitude of the site, which choose the metric system; the middle of the parcels when None.
    threads : GEOS works outside Python's lock.

    Returns
    -------
    The facts, in the order of the geometry, and DECL-30 to -36 and -38, gravest first.

    Raises
    ------
    InputError : points or lines are among the geometries (DECL-22): these rows are set aside before.
    """
    _refuse_others(geometry)
    rows = Rows.of(len(geometry), src_row, names)
    sound = repair(geometry, profile=profile, threads=threads)
    area, shape = measured(sound.measured, crs, profile=profile, place=place, threads=threads)
    taking_part = only(sound.geometry, sound.usable)
    ground = shared_ground(
        taking_part, crs, profile=profile, overlap_threshold=overlap_threshold, place=place, threads=threads
    )
    facts = GeometryFacts(
        geometry=as_multipolygons(sound.geometry, threads=threads),
        geom_valid=sound.valid,
        geom_repaired=sound.repaired,
        n_parts=_parts(sound),
        area_m2=area,
        shape_ind=shape,
        overlap_amount=ground.pairs.amount,
        overlap=ground.overlap,
        duplic=ground.duplic_group > 0,
        duplic_group=ground.duplic_group,
    )
    findings = row_findings(facts, rows, profile=profile, declared_area=declared_area)
    return facts, list(ordered([*findings, *overlap_findings(facts, ground.pairs, rows, overlap_threshold)]))


def measured(
    geometry: Objects, crs: CRS, *, profile: Profile, place: Place | None = None, threads: int = THREADS
) -> tuple[Floats, Floats]:
    """Area_meters (0 where there is none) and ShapeInd (NaN there) of valid geometries, float64 (parcels,).

    ``reference`` measures in the plane of the layer, or on the ellipsoid when it is geographic. ``default`` takes the
    area from an equal-area system and the shape from UTM.
    """
    if profile == "reference":
        size = _reference_measures(geometry, crs, threads)
        return size.area, shape_index(size)
    size = projected(geometry, crs, equal_area_crs(*(place or _middle(geometry, crs))), threads=threads)
    shape = shape_index(in_zone_of_each(geometry, crs, threads=threads))
    return size.area, np.where(size.area > 0, shape, np.nan)


def shared_ground(
    geometry: Objects,
    crs: CRS,
    *,
    profile: Profile = "default",
    overlap_threshold: float = OVERLAP_THRESHOLD,
    place: Place | None = None,
    threads: int = THREADS,
) -> SharedGround:
    """Overlaps and duplicates within the whole active set, whichever delivery its parcels come from.

    Parameters
    ----------
    geometry : valid or repaired polygons (parcels,) in ``crs``; None for those that take no part.
    """
    plane, unit = geometry, metres_per_unit(crs)
    if not crs.is_projected:
        # shares of ground are not taken in degrees; an equal-area system keeps them exact
        plane, unit = reproject(geometry, crs, equal_area_crs(*(place or _middle(geometry, crs))), threads=threads), 1.0
        # rings that touch may cross after the change of coordinates
        crossed = np.flatnonzero(~shapely.is_missing(plane) & ~shapely.is_valid(plane))
        plane[crossed] = made_valid(plane[crossed], "default")
    pairs = overlaps(plane, threads=threads)
    exact = geometry if profile == "reference" else plane
    groups = duplicate_groups(exact, profile=profile, unit=unit, threads=threads)
    return SharedGround(pairs, pairs.above(overlap_threshold), groups)


def _reference_measures(geometry: Objects, crs: CRS, threads: int) -> Measures:
    if crs.is_projected:
        return planar(geometry, crs, threads=threads)
    return geodesic(geometry, threads=threads)


def _middle(geometry: Objects, crs: CRS) -> Place:
    """Where most parcels lie: a median, so that a stray one does not choose the system."""
    longitude, latitude = box_centres(geometry, crs)
    known = np.isfinite(longitude)
    if not known.any():
        return 0.0, 0.0
    return float(np.median(longitude[known])), float(np.median(latitude[known]))


def _parts(sound: Repaired) -> npt.NDArray[np.int32]:
    count = shapely.get_num_geometries(sound.geometry)
    return np.where(is_polygonal(sound.geometry), count, 0).astype(np.int32)


def _refuse_others(geometry: Objects) -> None:
    kind = shapely.get_type_id(geometry)
    other = np.flatnonzero(~np.isin(kind, (-1, 3, 6)) & ~shapely.is_empty(geometry))
    if len(other):
        raise InputError(
            f"{len(other)} geometries are no polygons: {geometry[other[0]].geom_type} at position {other[0] + 1}.",
            hint="Set these rows aside before.",
            code="DECL-22",
        )
