"""How much of a product is clear, over its tile and over a site within it (``preprocessing.md`` §2.11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from s4c_lib.geography.footprint import footprint_of
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.products.stac import flag_percentages
from s4c_lib.readers.flags import Flag
from s4c_lib.readers.pixels import open_pixels
from s4c_lib.readers.scene import OpticalScene

_METRES: Final = 20.0
_NEAR_DEGREES: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Percentages of the flags.

    Parameters
    ----------
    tile : of all pixels. site : of those within the site; None without a site, or where it does not meet the tile.
    has_data : (rows, columns) of ``grid``.
    """

    tile: Mapping[str, float]
    site: Mapping[str, float] | None
    has_data: npt.NDArray[np.bool_]
    grid: PixelGrid


def shares_of(scene: OpticalScene, site: BaseGeometry | None = None) -> Shares:
    """Count the flags at 20 m, or at the pixel of a coarser product.

    Parameters
    ----------
    site : longitude and latitude.

    Raises
    ------
    ProductCorruptError : a mask cannot be read.
    """
    with open_pixels(scene, max(_METRES, scene.grid.pixel)) as pixels:
        flags, grid = pixels.flags(), pixels.grid
    inside = None if site is None or site.is_empty else _inside(site, grid)
    of_site = flag_percentages(flags[inside]) if inside is not None and inside.any() else None
    return Shares(flag_percentages(flags), of_site, flags != Flag.NO_DATA, grid)


def _inside(site: BaseGeometry, grid: PixelGrid) -> npt.NDArray[np.bool_]:
    from pyproj import Transformer
    from rasterio import Affine
    from rasterio.features import rasterize

    # Far from its zone a grid has no coordinates.
    near = shapely.intersection(site, footprint_of(None, grid).buffer(_NEAR_DEGREES))
    to_grid = Transformer.from_crs(4326, grid.epsg, always_xy=True)
    # A site's edges are long straight lines on the globe; a tenth of a degree keeps them within metres.
    there = shapely.transform(
        shapely.segmentize(near, 0.1), lambda xy: np.column_stack(to_grid.transform(xy[:, 0], xy[:, 1]))
    )
    if there.is_empty:
        return np.zeros(grid.shape, np.bool_)
    place = Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north)
    burnt: npt.NDArray[Any] = rasterize([(there, 1)], grid.shape, transform=place, dtype="uint8")
    return burnt.astype(np.bool_)
