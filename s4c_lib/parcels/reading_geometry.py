"""From the binary geometries of a file to shapely: two-dimensional, straight, with what was changed counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from s4c_lib.parcels.datasets import Dataset, Format

Objects = npt.NDArray[np.object_]
Flags = npt.NDArray[np.bool_]

POLYGON, MULTIPOLYGON, COLLECTION = 3, 6, 7
_CURVES: Final = (8, 9, 10, 11, 12, 13, 14)
_Z, _M = 0x80000000, 0x40000000


@dataclass(frozen=True, slots=True)
class Shapes:
    """Geometries of some rows.

    Parameters
    ----------
    geometry : shapely or None (rows,), two-dimensional.
    had_z : bool (rows,), heights or measures were dropped.
    curved : bool (rows,), not read yet: curves, which GDAL has to turn into straight lines.
    unreadable : bool (rows,), something is stored that is no geometry; None stands in its place.
    reduced : bool (rows,), a collection of which only the polygons were kept.
    """

    geometry: Objects
    had_z: Flags
    curved: Flags
    unreadable: Flags
    reduced: Flags


def shapes_of(wkb: Objects) -> Shapes:
    """Read binary geometries (ISO or extended WKB) of (rows,)."""
    kinds = np.array([_kind(value) for value in wkb], dtype=np.int64).reshape(-1)
    base = np.where(kinds >= 0, (kinds & 0x0FFFFFFF) % 1000, -1)
    had_z = (kinds >= 0) & ((((kinds & 0x0FFFFFFF) // 1000) > 0) | ((kinds & (_Z | _M)) > 0))
    curved = np.isin(base, _CURVES)
    # surfaces of triangles and the like are no parcels, and bytes without a header no geometry
    unreadable = (base > _CURVES[-1]) | (kinds == -2)
    plain = np.flatnonzero((base >= 0) & ~curved & ~unreadable)
    geometry: Objects = np.full(len(wkb), None, dtype=object)
    try:
        geometry[plain] = shapely.from_wkb(wkb[plain])
    except (shapely.errors.GEOSException, NotImplementedError):
        _one_by_one(wkb, plain, geometry, curved, unreadable)
    lost = plain[shapely.is_missing(geometry[plain])]
    unreadable[lost[~curved[lost]]] = True
    flat = np.flatnonzero(had_z)
    geometry[flat] = shapely.force_2d(geometry[flat])
    return Shapes(geometry, had_z, curved, unreadable, reduced_collections(geometry))


def straightened(dataset: Dataset, fids: Sequence[int]) -> Objects | None:
    """Curved geometries as polygons with straight edges; None where the format has none to read again."""
    if dataset.format == Format.GEOPARQUET:
        return None
    import pyogrio

    _, _, wkb, _ = pyogrio.raw.read(dataset.path, layer=dataset.inner_layer, columns=[], fids=list(fids), force_2d=True)
    result: Objects = np.asarray(shapely.from_wkb(wkb), dtype=object)
    return result


def reduced_collections(geometry: Objects) -> Flags:
    """Replace collections that hold polygons by these polygons, in place; which rows they are."""
    reduced = np.zeros(len(geometry), dtype=np.bool_)
    for row in np.flatnonzero(shapely.get_type_id(geometry) == COLLECTION):
        polygons = [part for part in _flat(geometry[row]) if isinstance(part, shapely.Polygon) and not part.is_empty]
        if polygons:
            geometry[row] = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
            reduced[row] = True
    return reduced


def _flat(geometry: Any) -> list[Any]:
    if hasattr(geometry, "geoms"):
        return [part for member in geometry.geoms for part in _flat(member)]
    return [geometry]


def _kind(value: bytes | None) -> int:
    """Type code of a WKB; -1 for no geometry, -2 for bytes that are none."""
    if value is None:
        return -1
    if len(value) < 5 or value[0] > 1:
        return -2
    return int.from_bytes(value[1:5], "little" if value[0] else "big")


def _one_by_one(wkb: Objects, rows: npt.NDArray[np.int64], geometry: Objects, curved: Flags, unreadable: Flags) -> None:
    """Read rows of which at least one cannot be read as it is: rings that are not closed are closed."""
    for row in rows:
        try:
            geometry[row] = shapely.from_wkb(wkb[row], on_invalid="fix")
        except NotImplementedError:  # curves inside a collection
            curved[row] = True
        except shapely.errors.GEOSException:
            unreadable[row] = True
