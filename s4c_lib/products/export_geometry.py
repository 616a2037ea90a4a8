"""Parcel outlines of an export: WKB in, two-dimensional multipolygons in the wished system out."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from s4c_lib.errors import InputError

_POLYGON: Final = 3
_MULTIPOLYGON: Final = 6
# Byte order (little-endian) and type of two-dimensional WKB.
_POLYGON_HEAD: Final = np.array([1, _POLYGON, 0, 0, 0], dtype=np.uint8)
_MULTIPOLYGON_HEAD: Final = np.array([1, _MULTIPOLYGON, 0, 0, 0], dtype=np.uint8)
_OF_ONE: Final = bytes([1, _MULTIPOLYGON, 0, 0, 0, 1, 0, 0, 0])


def coordinate_system(given: Any, what: str) -> CRS:
    """Coordinate system from whatever pyproj understands.

    Raises
    ------
    InputError : when it is missing or unknown.
    """
    if given is None:
        raise InputError(f"The coordinate system of {what} is not known.", hint="name it, such as EPSG:3035")
    try:
        return CRS.from_user_input(given)
    except CRSError as error:
        raise InputError(f"{given!r} is no coordinate system ({what}).", hint="name it, such as EPSG:3035") from error


def transformer_between(source: CRS, target: CRS) -> Transformer | None:
    """What brings x and y from one system to another; None when they are the same."""
    if source.equals(target, ignore_axis_order=True):
        return None
    return Transformer.from_crs(source, target, always_xy=True)


def outlines(wkb: pa.Array, transformer: Transformer | None) -> pa.Array:
    """Multipolygons (WKB, binary) of a batch; null stays null.

    Raises
    ------
    InputError : for a geometry that is no polygon, or that cannot be brought to the wished system.
    """
    wkb = wkb.cast(pa.binary())
    if transformer is None:
        heads = _heads(wkb)
        single = (heads == _POLYGON_HEAD).all(1)
        if (single | (heads == _MULTIPOLYGON_HEAD).all(1) | (heads == 0).all(1)).all():
            # A multipolygon of one polygon is that polygon's own bytes behind nine others.
            wrapped = pc.binary_join_element_wise(pa.scalar(_OF_ONE, pa.binary()), wkb, pa.scalar(b"", pa.binary()))
            return pc.if_else(pa.array(single), wrapped, wkb) if single.any() else wkb
    shapes = shapely.force_2d(shapely.from_wkb(wkb.to_numpy(zero_copy_only=False)))
    kinds = shapely.get_type_id(shapes)
    other = (kinds >= 0) & (kinds != _POLYGON) & (kinds != _MULTIPOLYGON)
    if other.any():
        raise InputError(
            f"A parcel of the export is no polygon but a {shapes[other][0].geom_type}.", hint="import it again"
        )
    single = np.flatnonzero(kinds == _POLYGON)
    if len(single):
        shapes[single] = shapely.multipolygons(shapes[single], indices=np.arange(len(single)))
    if transformer is not None:
        shapes = _moved(shapes, transformer)
    return pa.array(shapely.to_wkb(shapes, byte_order=1, flavor="iso"), pa.binary())


def bounds(wkb: pa.Array) -> npt.NDArray[np.float64]:
    """West, south, east, north of each (rows, 4); NaN where there is none."""
    found: npt.NDArray[np.float64] = shapely.bounds(shapely.from_wkb(wkb.to_numpy(zero_copy_only=False)))
    return found


def _moved(shapes: npt.NDArray[np.object_], transformer: Transformer) -> npt.NDArray[np.object_]:
    coordinates = shapely.get_coordinates(shapes)
    x, y = transformer.transform(coordinates[:, 0], coordinates[:, 1])
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        first = int(np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))[0])
        raise InputError(
            f"The point {coordinates[first, 0]:.3f}, {coordinates[first, 1]:.3f} has no place in the wished system.",
            hint="choose a coordinate system made for the area of the parcels",
        )
    moved: npt.NDArray[np.object_] = shapely.set_coordinates(shapes, np.column_stack([x, y]))
    return moved


def _heads(wkb: pa.Array) -> npt.NDArray[np.uint8]:
    """First five bytes, byte order and type, of each geometry (rows, 5); zeros for null."""
    heads = np.zeros((len(wkb), 5), dtype=np.uint8)
    valid = wkb.is_valid().to_numpy(zero_copy_only=False)
    if not valid.any():
        return heads
    _, offset_buffer, data_buffer = wkb.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[wkb.offset : wkb.offset + len(wkb)]
    data = np.frombuffer(data_buffer, dtype=np.uint8)
    heads[valid] = data[offsets[valid][:, None] + np.arange(5)]
    return heads
