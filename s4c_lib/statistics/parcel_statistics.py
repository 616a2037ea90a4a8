"""Statistics of a raster per parcel, over its pixels whose centre lies in the parcel (l3b-and-markers.md 3.3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.kernel_cache import compiled
from s4c_lib.parcels.pixel_index import PixelIndex
from s4c_lib.statistics import kernels

Quantity = Literal["sigma0", "gamma0", "amplitude"]
Floats = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]

# A pixel of less sigma0 is noise that was floored: its -60 dB and below would ruin a mean of decibels (B5).
FLOOR: Final = 1e-6
# Resampling may leave a coherence a little above 1.
MOST_COHERENCE: Final = 1.001
_DECIBELS: Final[dict[str, float]] = {"sigma0": 10.0, "gamma0": 10.0, "amplitude": 20.0}
_LARGEST: Final = float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True, eq=False)
class ParcelStatistics:
    """Statistics of parcels, (parcels,) each, in physical units, NaN where not defined.

    Parameters
    ----------
    parcel_id : int64, ascending.
    n, n_invalid, n_total : int32: pixels with a value, pixels that no mask hides and that have none, all pixels.
    mean, std, least, most : float32; std with n - 1, NaN for n = 1.
    p25, p50, p75 : float32 or None when not made; linear between the sorted values, at p (n - 1).
    """

    parcel_id: npt.NDArray[np.int64]
    n: Int32
    n_invalid: Int32
    n_total: Int32
    mean: Floats
    std: Floats
    least: Floats
    most: Floats
    p25: Floats | None = None
    p50: Floats | None = None
    p75: Floats | None = None

    def __len__(self) -> int:
        return len(self.parcel_id)

    def take(self, rows: npt.NDArray[Any]) -> ParcelStatistics:
        """Some of the rows, by number or by truth."""
        arrays: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        taken: dict[str, Any] = {name: None if array is None else array[rows] for name, array in arrays.items()}
        return ParcelStatistics(**taken)


def statistics_of(
    index: PixelIndex,
    values: npt.NDArray[Any],
    *,
    scale: float = 1.0,
    offset: float = 0.0,
    no_data: float | None,
    land: npt.NDArray[np.uint8] | None = None,
    zero_is_no_data: bool = False,
    quartiles: bool = False,
) -> ParcelStatistics:
    """Statistics of the parcels of an index; physical value = raster value x ``scale`` + ``offset``.

    Integers are summed exactly, other numbers in two passes.

    Parameters
    ----------
    values : (rows, columns) of the index's grid, int16, uint16, uint8, float32 or float64.
    no_data : raster value that means none; not a number and infinity always do.
    land : flags (rows, columns); only pixels of flag 0 are visited. None: all.
    zero_is_no_data : a raster value of exactly 0 means none too (B6).

    Raises
    ------
    InputError : the raster does not fit the index, or its type or scale cannot be used.
    """
    if not scale > 0:
        raise InputError(f"a scale of {scale}", hint="the scale of a raster is above 0")
    flat, flags, masked = _checked(index, values, land)
    runs = (index.offsets, index.start, index.length, flat, flags, masked)
    n, invalid, found, ranks = _results(len(index), quartiles)
    if flat.dtype.type in kernels.FLOATS:
        rule = (np.nan if no_data is None else float(no_data), zero_is_no_data, 1.0, 0.0, -_LARGEST, _LARGEST, 0.0)
        compiled(kernels.walk_floats)(*runs, *rule, n, invalid, _room(index, np.float64), found, ranks)
    else:
        rules = (_whole(no_data), zero_is_no_data)
        compiled(kernels.walk_integers)(*runs, *rules, n, invalid, found)
        if quartiles:
            compiled(kernels.rank_integers)(*runs, *rules, n, _room(index, flat.dtype.type), ranks)
    return _statistics(index, n, invalid, found, ranks, scale, offset)


def backscatter_statistics(
    index: PixelIndex,
    values: npt.NDArray[Any],
    *,
    quantity: Quantity,
    scale: float = 1.0,
    offset: float = 0.0,
    no_data: float | None = 0.0,
    quartiles: bool = False,
) -> ParcelStatistics:
    """Statistics in dB of backscatter: each pixel becomes dB before averaging (B3 to B5, case A9).

    Parameters
    ----------
    values : (rows, columns), linear: power (``sigma0``, ``gamma0``: 10 log10) or its root (``amplitude``: 20 log10).
        Valid are values above a power of 1e-6, after scale and offset.

    Raises
    ------
    InputError : the raster does not fit the index, or the quantity is another.
    """
    if quantity not in _DECIBELS:
        raise InputError(f"backscatter of quantity {quantity!r}", hint=f"one of {', '.join(_DECIBELS)}")
    floor = FLOOR**0.5 if quantity == "amplitude" else FLOOR
    return _ranged(
        index, values, (scale, offset, no_data), (floor, _LARGEST), decibels=_DECIBELS[quantity], quartiles=quartiles
    )


def coherence_statistics(
    index: PixelIndex,
    values: npt.NDArray[Any],
    *,
    scale: float = 1.0,
    offset: float = 0.0,
    no_data: float | None = 0.0,
    quartiles: bool = False,
) -> ParcelStatistics:
    """Statistics of interferometric coherence; valid are values above 0 and up to 1, after scale and offset."""
    return _ranged(index, values, (scale, offset, no_data), (0.0, MOST_COHERENCE), decibels=0.0, quartiles=quartiles)


def rows_to_keep(statistics: ParcelStatistics, min_pixels: int, min_valid_share: float) -> ParcelStatistics:
    """Rows with at least ``min_pixels`` valid pixels that are more than this share of those no mask hides (B8)."""
    n, visited = statistics.n, statistics.n.astype(np.int64) + statistics.n_invalid
    return statistics.take((n >= min_pixels) & (n > min_valid_share * visited))


def merged(
    old: ParcelStatistics, new: ParcelStatistics, unchanged: npt.ArrayLike, *, n_total: PixelIndex | None = None
) -> ParcelStatistics:
    """Statistics of a new version of the parcels: rows of parcels with the same borders are copied.

    Parameters
    ----------
    old : of the version before, as the store has it. new : of the parcels that are not ``unchanged``.
    unchanged : numbers of parcels whose borders are as they were; one without a row before has none now.
    n_total : pixel index of the new version, to check that the copied rows are of the same pixels.

    Raises
    ------
    InputError : a parcel is in ``new`` and in ``unchanged``, both have not the same quartiles, or a copied row has
        another count of pixels than the index.
    """
    same = np.asarray(unchanged, np.int64)
    both = np.intersect1d(new.parcel_id, same)
    if len(both):
        raise InputError(f"parcel {both[0]} is unchanged and computed anew", hint="compute the others only")
    copied = old.take(np.isin(old.parcel_id, same))
    if any((getattr(copied, name) is None) != (getattr(new, name) is None) for name in ("p25", "p50", "p75")):
        raise InputError("two versions of the statistics have other quartiles", hint="compute all parcels anew")
    if n_total is not None:
        _same_pixels(copied, n_total)
    order = np.argsort(np.concatenate([copied.parcel_id, new.parcel_id]), kind="stable")
    names = [field.name for field in fields(ParcelStatistics) if getattr(new, field.name) is not None]
    return ParcelStatistics(
        **{name: np.concatenate([getattr(copied, name), getattr(new, name)])[order] for name in names}
    )


def only(statistics: ParcelStatistics, *, extremes: bool, quartiles: Collection[str]) -> ParcelStatistics:
    """The same without minimum and maximum (NaN then), or with some of the quartiles only."""
    left_out: dict[str, Any] = dict.fromkeys({"p25", "p50", "p75"} - set(quartiles))
    if extremes:
        return replace(statistics, **left_out)
    none = np.full(len(statistics), np.nan, np.float32)
    return replace(statistics, least=none, most=none, **left_out)


def _same_pixels(copied: ParcelStatistics, index: PixelIndex) -> None:
    at = np.minimum(np.searchsorted(index.parcel_id, copied.parcel_id), max(len(index) - 1, 0))
    same = (index.parcel_id[at] == copied.parcel_id) & (index.count[at] == copied.n_total) if len(index) else at < 0
    if not same.all():
        number = copied.parcel_id[np.flatnonzero(~same)[0]]
        raise InputError(
            f"parcel {number} is said to be unchanged but has other pixels", hint="compute all parcels anew"
        )


def _ranged(
    index: PixelIndex,
    values: npt.NDArray[Any],
    encoding: tuple[float, float, float | None],
    limits: tuple[float, float],
    *,
    decibels: float,
    quartiles: bool,
) -> ParcelStatistics:
    """Statistics of what lies within limits after scale and offset."""
    scale, offset, no_data = encoding
    flat, flags, masked = _checked(index, values, None)
    n, invalid, found, ranks = _results(len(index), quartiles)
    rule = (np.nan if no_data is None else float(no_data), False, float(scale), float(offset), *limits, decibels)
    runs = (index.offsets, index.start, index.length, flat, flags, masked)
    compiled(kernels.walk_floats)(*runs, *rule, n, invalid, _room(index, np.float64), found, ranks)
    return _statistics(index, n, invalid, found, ranks, 1.0, 0.0)


def _checked(
    index: PixelIndex, values: npt.NDArray[Any], land: npt.NDArray[np.uint8] | None
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], bool]:
    """Values and flags in one row; nothing compiled checks again that they are as long as the grid."""
    if values.shape != index.grid.shape:
        raise InputError(f"a raster of {values.shape} pixels for a pixel index of {index.grid.shape}")
    if values.dtype.type not in (*kernels.INTEGERS, *kernels.FLOATS) or not values.dtype.isnative:
        raise InputError(f"no statistics are made of a raster of {values.dtype}", hint="int16, uint16, uint8 or float")
    if land is not None and (land.shape != values.shape or land.dtype != np.uint8):
        raise InputError(f"flags of {land.shape} {land.dtype} for a raster of {values.shape} pixels")
    flat = _read_only(values)
    return flat, _read_only(np.zeros(1, np.uint8) if land is None else land), land is not None


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # For numba an array that may be written is of another type, to be compiled once more.
    view = np.ascontiguousarray(array).reshape(-1).view()
    view.setflags(write=False)
    return view


def _results(parcels: int, quartiles: bool) -> tuple[Int32, Int32, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    ranks = np.full((3, parcels) if quartiles else (0, 0), np.nan)
    return np.zeros(parcels, np.int32), np.zeros(parcels, np.int32), np.full((4, parcels), np.nan), ranks


def _room(index: PixelIndex, kind: Any) -> npt.NDArray[Any]:
    return np.empty(int(index.count.max(initial=0)), kind)


def _whole(no_data: float | None) -> int:
    return int(no_data) if no_data is not None and float(no_data).is_integer() else kernels.FURTHEST


def _statistics(
    index: PixelIndex,
    n: Int32,
    invalid: Int32,
    found: npt.NDArray[np.float64],
    ranks: npt.NDArray[np.float64],
    scale: float,
    offset: float,
) -> ParcelStatistics:
    mean, least, most = ((found[k] * scale + offset).astype(np.float32) for k in (0, 2, 3))
    p25, p50, p75 = (ranks * scale + offset).astype(np.float32) if len(ranks) else (None, None, None)
    std = (found[1] * scale).astype(np.float32)
    number = index.parcel_id.astype(np.int64)
    return ParcelStatistics(number, n, invalid, index.count, mean, std, least, most, p25, p50, p75)
