"""Geometry in and out of PostGIS, through GeoAlchemy2's types."""

from __future__ import annotations

from typing import Any

from geoalchemy2 import Geometry
from geoalchemy2.elements import WKBElement
from geoalchemy2.shape import from_shape, to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import BindParameter, bindparam

WGS84 = 4326


def geometry_parameter(name: str) -> BindParameter[Any]:
    """Declare a statement parameter that takes :func:`bound` values."""
    return bindparam(name, type_=Geometry(srid=WGS84))


def bound(geometry: BaseGeometry) -> WKBElement:
    """Return a WGS 84 geometry (longitude, latitude) as a value for a statement."""
    return from_shape(geometry, srid=WGS84)


def loaded(value: Any) -> BaseGeometry:
    """Return the shapely geometry of a column read with plain SQL."""
    return to_shape(WKBElement(value, srid=WGS84))
