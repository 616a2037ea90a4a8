"""Geometries that a declaration file should not hold, drawn within a free lot of land."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from s4c_lib.synthetic.landscape.model import Landscape

LOT_M: Final = 60.0
_FIELD_M: Final = 48.0
_BAND_M: Final = 300.0  # between the window and the lots beside it
_SPARE: Final = 30  # lots looked at for one that is free


def square(side: float = _FIELD_M) -> BaseGeometry:
    """A sound parcel."""
    return shapely.box(0, 0, side, side)


def bow_tie() -> BaseGeometry:
    """A figure of eight: not repairable within the tolerance."""
    return shapely.Polygon([(0, 0), (48, 48), (48, 0), (0, 48)])


def touching_ring() -> BaseGeometry:
    """A hole drawn as part of the shell, which it touches in one point."""
    return shapely.Polygon([(0, 0), (48, 0), (48, 48), (24, 48), (29, 24), (19, 24), (24, 48), (0, 48)])


def spike() -> BaseGeometry:
    """A line out and back."""
    return shapely.Polygon([(0, 0), (48, 0), (48, 36), (24, 36), (24, 50), (24, 36), (0, 36)])


def hole_outside() -> BaseGeometry:
    """A hole beside the shell: not repairable within the tolerance."""
    return shapely.Polygon([(0, 0), (24, 0), (24, 48), (0, 48)], [[(30, 0), (30, 24), (48, 24), (48, 0)]])


def hole_on_shell() -> BaseGeometry:
    """A hole with a side in common with the shell."""
    return shapely.Polygon([(0, 0), (48, 0), (48, 48), (0, 48)], [[(0, 10), (0, 30), (20, 30), (20, 10)]])


def with_height() -> BaseGeometry:
    """A sound parcel with a third coordinate."""
    return shapely.Polygon([(0, 0, 12.5), (48, 0, 12.5), (48, 48, 13.0), (0, 48, 13.0)])


def point() -> BaseGeometry:
    """The parcel's label point instead of the parcel."""
    return shapely.Point(24, 24)


def line() -> BaseGeometry:
    """One side instead of the parcel."""
    return shapely.LineString([(0, 0), (48, 48)])


DRAWN: Final[dict[str, Callable[[], BaseGeometry]]] = {
    "bow_tie": bow_tie,
    "touching_ring": touching_ring,
    "spike": spike,
    "hole_outside": hole_outside,
    "hole_on_shell": hole_on_shell,
    "with_height": with_height,
    "point": point,
    "line": line,
}


def rotated_start(shape: BaseGeometry, steps: int) -> BaseGeometry:
    """The same polygon whose rings start elsewhere."""

    def turned(ring: BaseGeometry) -> npt.NDArray[np.float64]:
        points = shapely.get_coordinates(ring)[:-1]
        shift = 1 + steps % (len(points) - 1)
        return np.roll(points, -shift, axis=0)

    return _redrawn(shape, turned)


def reversed_rings(shape: BaseGeometry) -> BaseGeometry:
    """The same polygon drawn the other way round.

    From another start: formats that fix the orientation of rings would give back the original.
    """
    return _redrawn(shape, lambda ring: np.roll(shapely.get_coordinates(ring)[:-1][::-1], 1, axis=0))


def free_lots(landscape: Landscape, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Lower left corners of lots without any field: in covers first, then north of the window; float64 (count, 2)."""
    west, south, east, north = landscape.grid.bounds
    columns, rows = int((east - west) // LOT_M), int((north - south) // LOT_M)
    picked = rng.permutation(columns * rows)[: _SPARE * count]
    corner = np.column_stack([west + picked % columns * LOT_M, south + picked // columns * LOT_M])
    boxes = shapely.box(corner[:, 0], corner[:, 1], corner[:, 0] + LOT_M, corner[:, 1] + LOT_M)
    covers = shapely.STRtree([shape for _, shape in landscape.covers])
    inside = np.unique(covers.query(boxes, predicate="within")[0])[:count]
    beside = np.arange(count - len(inside))
    wide = max(1, columns)
    band = np.column_stack([west + beside % wide * LOT_M, north + _BAND_M + beside // wide * LOT_M])
    return np.concatenate([corner[inside] + 6.0, band + 6.0])


def placed(shape: BaseGeometry, corner: npt.NDArray[np.float64]) -> BaseGeometry:
    """A drawing moved to a lot."""
    return translate(shape, float(corner[0]), float(corner[1]))


def _redrawn(shape: BaseGeometry, draw: Callable[[BaseGeometry], npt.NDArray[np.float64]]) -> BaseGeometry:
    polygons = [
        shapely.Polygon(
            draw(shapely.get_exterior_ring(part)),
            [draw(shapely.get_interior_ring(part, hole)) for hole in range(shapely.get_num_interior_rings(part))],
        )
        for part in shapely.get_parts(shape)
    ]
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
