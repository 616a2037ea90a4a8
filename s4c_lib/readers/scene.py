"""An optical L2A product as every consumer sees it, whatever format it was delivered in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.sources.product_kinds import ProductKind

# Reflectance in rasters and row blocks: int16, reflectance x 10000.
SCALE: Final = 10_000
NO_DATA: Final = -10_000

Floats = npt.NDArray[np.float32]
Int16 = npt.NDArray[np.int16]
Cosines = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layer:
    """One band of a file.

    Parameters
    ----------
    path : as GDAL opens it (inside an archive too). index : band in the file, from 1.
    grid : of its pixels, as the metadata state it; a file of another size is refused on reading.
    """

    path: str
    grid: PixelGrid
    index: int = 1


@dataclass(frozen=True, slots=True)
class Band:
    """A reflectance band: ``reflectance = DN * scale + offset``.

    Parameters
    ----------
    name : ``b02`` ... ``b12``, the Sentinel-2 name for Landsat too (its B5 is ``b08`` and ``b8a``).
    no_data : DN that means no data; tested before the offset is added.
    """

    name: str
    layer: Layer
    scale: float
    offset: float
    no_data: int


class MaskKind(StrEnum):
    """Which masks a product brings, and under which names `Mask.layers` has them."""

    SCL = "scl"  # "scl"
    MUSCATE = "muscate"  # "mg2", "edg", "sat", each with suffix "_r1" and, where there, "_r2"
    LANDSAT = "landsat"  # "qa_pixel", "qa_radsat"
    FLAGS = "flags"  # "flags": already flags 0-5 and 255


@dataclass(frozen=True, slots=True)
class Mask:
    """The masks of a product."""

    kind: MaskKind
    layers: Mapping[str, Layer]


@dataclass(frozen=True, slots=True)
class MeanGeometry:
    """Mean angles over the product, degrees; azimuths clockwise from north."""

    sun_zenith: float
    sun_azimuth: float
    view_zenith: float
    view_azimuth: float


COSINES: Final = ("cos_vza", "cos_sza", "cos_raa")
"""Fields of an `AngleGrid`, in the order of rasters and networks."""


@dataclass(frozen=True, slots=True, eq=False)
class AngleGrid:
    """Cosines of sun and view at nodes: node (i, j) lies at (west + step j, north - step i).

    Parameters
    ----------
    cos_vza, cos_sza, cos_raa : float32 (rows, columns), finite everywhere; ``raa`` is sun minus view azimuth.
    mean : of the product.
    """

    west: float
    north: float
    step: float
    cos_vza: Cosines
    cos_sza: Cosines
    cos_raa: Cosines
    mean: MeanGeometry


@dataclass(frozen=True, slots=True, eq=False)
class OpticalScene:
    """An L2A product of one tile: where its pixels are and what they mean.

    Parameters
    ----------
    name : product name without suffix. tile : MGRS, or path and row of a Landsat product on its own grid.
    platform : ``sentinel-2a`` ... ``landsat-9``.
    grid : the finest of its bands (10 m for Sentinel-2, 30 m for Landsat).
    bands : by name; only those the product holds.
    quality : what the product's metadata say of itself, in %, by the field's own lower-case name.
    metadata_files : paths of the metadata documents it was read from.
    """

    name: str
    kind: ProductKind
    platform: str
    tile: str
    sensing_time: datetime
    relative_orbit: int | None
    direction: str | None
    baseline: int | None
    grid: PixelGrid
    bands: Mapping[str, Band]
    mask: Mask
    angles: AngleGrid
    metadata_files: tuple[str, ...] = ()
    quality: Mapping[str, float] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
