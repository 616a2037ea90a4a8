"""How much of one piece of ground another covers, by true areas on the ellipsoid."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

# Edges are straight in longitude and latitude; in the equal-area projection they bend.
_EDGE_DEG = 0.25


def share_of(whole: BaseGeometry, part: BaseGeometry) -> float:
    """Share of ``whole`` that ``part`` covers, 0 to 1.

    Parameters
    ----------
    whole, part : polygons, WGS 84 longitude and latitude.
    """
    common = shapely.intersection(whole, part)
    if common.is_empty or common.area == 0:
        return 0.0
    # Centred on the larger half of a footprint that crosses 180 degrees: the centroid of both would be its antipode.
    centre = max(shapely.get_parts(whole), key=shapely.area).centroid
    place = round(centre.x, 3), round(centre.y, 3)
    return _area(common, *place) / _area(whole, *place)


def _area(geometry: BaseGeometry, longitude: float, latitude: float) -> float:
    transformer = _equal_area(longitude, latitude)

    def projected(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack(transformer.transform(places[:, 0], places[:, 1]))

    return float(shapely.area(shapely.transform(shapely.segmentize(geometry, _EDGE_DEG), projected)))


@lru_cache(maxsize=256)
def _equal_area(longitude: float, latitude: float) -> Transformer:
    target = f"+proj=laea +lat_0={latitude} +lon_0={longitude} +ellps=WGS84 +units=m"
    return Transformer.from_crs("EPSG:4326", target, always_xy=True)
