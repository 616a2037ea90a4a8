"""Observations as matrices of parcels and times, which the L4 kernels work on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.errors import InputError
from s4c_lib.statistics.observations import StatisticsFile
from s4c_lib.statistics.passes import Facts, Passes, facts_of_rows, passes_of, seconds_of

Floats = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]
Key: TypeAlias = tuple[str, int | None]

_COLUMNS: Final = ("parcel_id", "mean", "std", "n", "n_total")
_NO_TIME: Final = np.datetime64("NaT", "s")


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One variable of all parcels, of one relative orbit for radar.

    Parameters
    ----------
    orbit, direction : None for optical variables.
    time : datetime64[s] (times,), UTC, ascending: first time of a pass.
    previous_time : datetime64[s] (times,), of the earlier acquisition of a pair, NaT where there is none.
    platform : str (times,), "" where not known.
    parcel_id : int64 (parcels,), ascending.
    mean, std : float32 (parcels, times), NaN where there is no observation or a filter left it out.
    n, n_total : int32 (parcels, times), 0 where there is no observation.
    """

    variable: str
    orbit: int | None
    direction: str | None
    time: Times
    previous_time: Times
    platform: npt.NDArray[np.str_]
    parcel_id: Int64
    mean: Floats
    std: Floats
    n: Int32
    n_total: Int32


@dataclass(frozen=True, slots=True)
class EnoughPixels:
    """Which observations a consumer uses; the others become NaN (B8).

    Parameters
    ----------
    min_n, min_total : least count of valid and of all pixels.
    min_share, above_share : ``n`` is at least, or more than, this share of ``n_total``.
    """

    min_n: int = 1
    min_total: int = 1
    min_share: float = 0.0
    above_share: float = 0.0

    def of(self, n: Int32, n_total: Int32) -> npt.NDArray[np.bool_]:
        """Whether each observation has them."""
        enough: npt.NDArray[np.bool_] = (
            (n >= self.min_n)
            & (n_total >= self.min_total)
            & (n >= self.min_share * n_total)
            & (n > self.above_share * n_total)
        )
        return enough


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of one raster: what they are of, and how they are read."""

    facts: Facts
    read: Callable[[Sequence[str]], dict[str, npt.NDArray[Any]]]


def series_of(
    observations: Sequence[Path] | pa.Table,
    variables: Sequence[str],
    parcel_ids: npt.ArrayLike | None = None,
    *,
    time_from: datetime | None = None,
    time_to: datetime | None = None,
    platforms: Sequence[str] = (),
    enough: EnoughPixels | None = None,
) -> dict[Key, Series]:
    """Matrices of variables by (variable, orbit), sorted; a parcel's observation is that of its best tile (B12).

    Parameters
    ----------
    observations : files of the store, or a table of observations.
    parcel_ids : parcels of the matrices, any order; all that occur by default.
    time_from, time_to : sensing time in [time_from, time_to).
    platforms : beginnings of names, such as ``sentinel-2``; all by default.
    enough : which observations count.

    Raises
    ------
    InputError : a parcel number is repeated.
    NotFoundError, StorageError, ProductCorruptError : a file cannot be read.
    """
    every = _of_table(observations) if isinstance(observations, pa.Table) else _of_files(observations)
    first = None if time_from is None else seconds_of(time_from)
    last = None if time_to is None else seconds_of(time_to)
    parts = [
        part
        for part in every
        if part.facts.variable in variables
        and (first is None or part.facts.time >= first)
        and (last is None or part.facts.time < last)
        and (not platforms or (part.facts.platform or "").startswith(tuple(platforms)))
    ]
    numbers = _occurring(parts) if parcel_ids is None else np.sort(np.asarray(parcel_ids, np.int64))
    if (np.diff(numbers) == 0).any():
        raise InputError(f"parcel {numbers[:-1][np.diff(numbers) == 0][0]} is asked for twice")
    passes = passes_of([part.facts for part in parts])
    found: dict[Key, list[int]] = {}
    for at, part in enumerate(parts):
        found.setdefault((part.facts.variable, part.facts.orbit), []).append(at)
    return {
        key: _series(parts, passes, found[key], numbers, enough or EnoughPixels())
        for key in sorted(found, key=lambda key: (key[0], -1 if key[1] is None else key[1]))
    }


def _of_files(paths: Sequence[Path]) -> Iterator[_Part]:
    for path in paths:
        file = StatisticsFile(path)
        if file.source is None:
            yield from _of_table(file.rows(()))
        else:
            yield _Part(file.source.facts, _FileRows(path))


def _of_table(table: pa.Table) -> Iterator[_Part]:
    rows = facts_of_rows(table)
    # 16 bits are sorted by counting.
    narrow = rows.of_row.astype(np.uint16) if len(rows.facts) <= 1 << 16 else rows.of_row
    order = np.argsort(narrow, kind="stable")
    ends = np.cumsum(np.bincount(rows.of_row, minlength=len(rows.facts)))
    for at, facts in enumerate(rows.facts):
        begin = ends[at - 1] if at else 0
        yield _Part(facts, _TableRows(table, order[begin : ends[at]]))


@dataclass(frozen=True, slots=True)
class _FileRows:
    """Opened when it is read: a season has more files than a process may have open."""

    path: Path

    def __call__(self, columns: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
        table = StatisticsFile(self.path).rows(columns)
        return {name: table.column(name).to_numpy() for name in columns}


@dataclass(frozen=True, slots=True, eq=False)
class _TableRows:
    table: pa.Table
    rows: npt.NDArray[np.intp]

    def __call__(self, columns: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
        part = self.table.select(list(columns)).take(pa.array(self.rows))
        return {name: part.column(name).to_numpy() for name in columns}


def _occurring(parts: Sequence[_Part]) -> Int64:
    """All parcel numbers, ascending."""
    known = np.empty(0, np.int64)
    for part in parts:
        ids = part.read(("parcel_id",))["parcel_id"]
        at = np.searchsorted(known, ids)
        if len(known) == 0 or at.max(initial=0) == len(known) or (known[at] != ids).any():
            known = np.union1d(known, ids)
    return known


def _best_last(rows: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """A table of others may have a parcel twice: of rows for one place the last one written stays."""
    if (np.diff(rows["parcel_id"]) > 0).all():
        return rows
    order = np.lexsort((rows["n_total"], rows["n"]))
    return {name: values[order] for name, values in rows.items()}


def _series(
    parts: Sequence[_Part], passes: Passes, chosen: Sequence[int], numbers: Int64, enough: EnoughPixels
) -> Series:
    columns = sorted(
        {int(passes.number[at]): at for at in reversed(chosen)}.values(),
        key=lambda at: (passes.time[at], parts[at].facts.platform or "", passes.previous_time[at]),
    )
    place = {int(passes.number[at]): column for column, at in enumerate(columns)}
    shape = len(columns), len(numbers)
    # Times first while they are filled: a raster then is one piece of memory.
    mean, std = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    n, total = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for at in sorted(chosen, key=lambda at: (parts[at].facts.tile or "", -(parts[at].facts.product_id or 0))):
        rows, column = _best_last(parts[at].read(_COLUMNS)), place[int(passes.number[at])]
        where = np.searchsorted(numbers, rows["parcel_id"])
        there = where < len(numbers)
        there[there] = numbers[where[there]] == rows["parcel_id"][there]
        where = np.where(there, where, 0)
        if len(numbers):  # tiles come by name: an equal one that comes later is not better
            more, as_many = rows["n"] > n[column, where], rows["n"] == n[column, where]
            there &= more | (as_many & (rows["n_total"] > total[column, where]))
        where = where[there]
        for name, matrix in (("mean", mean), ("std", std), ("n", n), ("n_total", total)):
            matrix[column, where] = rows[name][there]
    left_out = ~enough.of(n, total)
    mean[left_out] = np.nan
    std[left_out] = np.nan
    one = parts[columns[0]].facts
    earlier = [part.facts.previous_time is not None for part in (parts[at] for at in columns)]
    previous = np.array([passes.previous_time[at] for at in columns]).astype("datetime64[s]")
    return Series(
        one.variable,
        one.orbit,
        one.direction,
        np.array([passes.time[at] for at in columns]).astype("datetime64[s]"),
        np.where(earlier, previous, _NO_TIME),
        np.array([parts[at].facts.platform or "" for at in columns], np.str_),
        numbers,
        np.ascontiguousarray(mean.T),
        np.ascontiguousarray(std.T),
        np.ascontiguousarray(n.T),
        np.ascontiguousarray(total.T),
    )
