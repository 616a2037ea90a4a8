"""A landscape from one seed."""

from __future__ import annotations

import numpy as np
import shapely

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.landscape.assignment import MISLABELLED, draw_traits
from s4c_lib.synthetic.landscape.fields import field_pattern
from s4c_lib.synthetic.landscape.holdings import clustered_holdings
from s4c_lib.synthetic.landscape.model import Landscape


def make_landscape(grid: PixelGrid, count: int, seed: int, *, mislabelled: float = MISLABELLED) -> Landscape:
    """Fields, who farms them and what they grow.

    Parameters
    ----------
    grid : the window; three quarters of it are farmed.
    count : of the parcels, exactly.
    mislabelled : share of the declarations that name another crop than grows there.

    Raises
    ------
    InputError : the window is too small for so many parcels, or a share outside 0..1.
    """
    pattern = field_pattern(grid, count, seed)
    places = shapely.get_coordinates(shapely.point_on_surface(pattern.shapes))
    holdings = clustered_holdings(places, seed)
    traits = draw_traits(
        count,
        seed,
        holding=holdings.holding,
        area_m2=np.asarray(shapely.area(pattern.shapes)),
        row_angle=pattern.row_angle,
        mislabelled=mislabelled,
    )
    return Landscape(grid, pattern.shapes, holdings.ori_id, holdings.of_parcel, traits, pattern.covers)
