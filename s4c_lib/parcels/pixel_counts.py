"""Pixels of Sentinel-2 and Sentinel-1 that each parcel has, and parcels with too few (lpis-and-inputs.md 3.8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.kernel_cache import compiled
from s4c_lib.parcels import pixel_index_kernels as kernels
from s4c_lib.parcels.findings import EXAMPLES, Finding, Severity, finding
from s4c_lib.parcels.label_raster import label_raster, labelled_pixels
from s4c_lib.parcels.pixel_index import PixelIndex

LEAST_S2_PIXELS: Final = 3
LEAST_S1_PIXELS: Final = 1

Int32 = npt.NDArray[np.int32]
Objects = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class GridCounts:
    """Pixels on one grid of one tile: the rows of ``parcel_pixel``; arrays (parcels of the index,).

    Parameters
    ----------
    parcel_id : int32, ascending.
    n, n_shared : int32, pixels; those of them that another parcel has too.
    """

    parcel_id: Int32
    n: Int32
    n_shared: Int32


@dataclass(frozen=True, slots=True)
class TileCounts:
    """Pixels on the two grids of a tile.

    Parameters
    ----------
    tile : without the leading T.
    parcel_id : int32, parcels that meet the tile, with or without pixels.
    s2, s1 : on the grids of 10 m and 20 m.
    """

    tile: str
    parcel_id: Int32
    s2: GridCounts
    s1: GridCounts


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """Pixels over all tiles; arrays (parcels,) in the order that was asked for.

    Parameters
    ----------
    s2_pix, s1_pix : int32, ``S2Pix`` and ``S1Pix``.
    shared_pix : int32, Sentinel-2 pixels in the primary tile that another parcel has too.
    primary_tile : str, the tile with most Sentinel-2 pixels, then by name; None outside all tiles.
    """

    s2_pix: Int32
    s1_pix: Int32
    shared_pix: Int32
    primary_tile: Objects


def own_counts(index: PixelIndex) -> GridCounts:
    """All pixels of each parcel, whoever else has them (profile ``default``)."""
    return GridCounts(index.parcel_id, index.count, _shared(index))


def label_counts(index: PixelIndex) -> GridCounts:
    """Pixels left to each parcel in a label raster burnt by ascending number (profile ``reference``)."""
    return GridCounts(index.parcel_id, labelled_pixels(index, label_raster(index)), _shared(index))


def over_tiles(parcel_id: npt.ArrayLike, tiles: Iterable[TileCounts], *, add: bool = False) -> PixelCounts:
    """Bring the counts of tiles together.

    Parameters
    ----------
    parcel_id : of the parcels asked for, each once, in any order; the tiles have no others.
    tiles : in any order; taken one after the other.
    add : sum of all tiles, where the ground that two tiles share counts twice (``reference``); else the largest.

    Raises
    ------
    InputError : a tile has a parcel that is not asked for, or comes twice.
    """
    asked = np.asarray(parcel_id, dtype=np.int32)
    order = np.argsort(asked, kind="stable")
    ascending = asked[order]
    s2, s1, shared = (np.zeros(len(asked), np.int32) for _ in range(3))
    most = np.full(len(asked), -1, np.int32)
    names: list[str] = []
    primary = np.full(len(asked), -1, np.int32)  # position in names
    for counts in tiles:
        if counts.tile in names:
            raise InputError(f"tile {counts.tile} is counted twice")
        names.append(counts.tile)
        here = _positions(ascending, order, counts.parcel_id, counts.tile)
        at_s2 = _positions(ascending, order, counts.s2.parcel_id, counts.tile)
        at_s1 = _positions(ascending, order, counts.s1.parcel_id, counts.tile)
        combine = np.add if add else np.maximum
        s2[at_s2] = combine(s2[at_s2], counts.s2.n)
        s1[at_s1] = combine(s1[at_s1], counts.s1.n)
        in_tile, shared_in_tile = np.full(len(asked), -1, np.int32), np.zeros(len(asked), np.int32)
        in_tile[here] = 0
        in_tile[at_s2], shared_in_tile[at_s2] = counts.s2.n, counts.s2.n_shared
        by_name = np.array([name > counts.tile for name in names] + [False])  # a parcel without a tile has the last
        better = (in_tile > most) | ((in_tile == most) & (in_tile >= 0) & by_name[primary])
        most[better], primary[better], shared[better] = in_tile[better], len(names) - 1, shared_in_tile[better]
    return PixelCounts(s2, s1, shared, np.array([*names, None], dtype=object)[primary])


def not_monitorable(
    counts: PixelCounts,
    area_m2: npt.NDArray[np.float64],
    rows: npt.NDArray[np.int64],
    names: Sequence[str],
    *,
    least_s2: int = LEAST_S2_PIXELS,
    least_s1: int = LEAST_S1_PIXELS,
    in_force: npt.NDArray[np.bool_] | None = None,
) -> Finding | None:
    """DECL-37: parcels with too few pixels, and their share of the parcels and of the area.

    Parameters
    ----------
    area_m2, rows, names : (parcels,), in the order of ``counts``: area, number of the row in the file, ``ori_id``.
    in_force : (parcels,), False for parcels that are no longer declared, which do not count; None when all are.
    """
    counted = np.ones(len(rows), np.bool_) if in_force is None else in_force
    few = np.flatnonzero(counted & ((counts.s2_pix < least_s2) | (counts.s1_pix < least_s1)))
    if not len(few):
        return None
    area, total = float(area_m2[few].sum()), float(area_m2[counted].sum())
    number = int(counted.sum())
    message = (
        f"{len(few)} of {number} parcels ({_percent(len(few), number)}; {area / 1e4:.1f} ha, "
        f"{_percent(area, total)} of the area) are too small or narrow to be monitored: fewer than {least_s2} pixels "
        f"of Sentinel-2 or {least_s1} of Sentinel-1. They are imported; check them by other means."
    )
    return finding("DECL-37", Severity.INFO, message, rows[few].tolist(), [names[k] for k in few[:EXAMPLES]])


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole > 0 else "0.0 %"


def _shared(index: PixelIndex) -> Int32:
    shared = np.empty(len(index), np.int32)
    claims = np.zeros(index.grid.rows * index.grid.columns, np.uint8)
    compiled(kernels.count_shared)(index.offsets, index.start, index.length, claims, shared)
    return shared


def _positions(ascending: Int32, order: npt.NDArray[np.intp], wanted: Int32, tile: str) -> npt.NDArray[np.intp]:
    at = np.searchsorted(ascending, wanted)
    known = at < len(ascending)
    known[known] = ascending[at[known]] == wanted[known]
    if not known.all():
        raise InputError(f"tile {tile} has parcel {wanted[~known][0]}, which is not among the parcels of the set")
    return order[at]
