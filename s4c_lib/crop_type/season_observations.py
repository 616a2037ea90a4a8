"""Observations of a season one raster at a time, laid on the parcels that features are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.errors import StorageError
from s4c_lib.statistics.legacy_export import pooled
from s4c_lib.statistics.observations import StatisticsFile
from s4c_lib.statistics.passes import Facts, facts_of_rows

Floats = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

_COLUMNS: Final = ("parcel_id", "mean", "std", "n", "n_total")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What one raster says of parcels; arrays (rows,), parcels ascending, each once; std 0 where it is not defined."""

    parcel_id: Int64
    mean: Floats
    std: Floats
    n: npt.NDArray[np.int32]
    n_total: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Rows of one raster.

    Parameters
    ----------
    has_std : False when no row of a table has a deviation of the variable.
    read : reads them.
    digest : SHA-256 of what is read.
    """

    facts: Facts
    has_std: bool
    read: Callable[[], Rows]
    digest: Callable[[], str]


def rasters_of(
    observations: Sequence[Path] | pa.Table,
    wanted: Callable[[Facts], bool],
    digests: Mapping[Path, str] | None = None,
) -> list[Raster]:
    """Rasters of files of the store or of tables, as far as they are wanted; of the store only metadata are read.

    Parameters
    ----------
    digests : SHA-256 of the files where it is known; else it is computed when it is needed.

    Raises
    ------
    NotFoundError, StorageError, ProductCorruptError : a file cannot be read.
    InputError : it is no table of observations.
    """
    if isinstance(observations, pa.Table):
        return list(_of_table(observations, wanted))
    found: list[Raster] = []
    for path in observations:
        file = StatisticsFile(path)
        if file.source is None:
            found += _of_table(file.rows(()), wanted)
        elif wanted(file.source.facts):
            known = None if digests is None else digests.get(path)
            found.append(Raster(file.source.facts, True, _StoreRows(path), _Digest(path, known)))
    return found


def laid_on(
    rasters: Sequence[Raster],
    parcels: Int64,
    *,
    pool: bool,
    as_units: Callable[[Floats, Floats], tuple[Floats, Floats]] | None = None,
) -> tuple[Floats, Floats]:
    """Mean and std of parcels from the tiles of one pass, float32 (parcels,), NaN where none has valid pixels.

    The tile with most valid pixels counts, then that with more pixels, then the smaller name (B12).

    Parameters
    ----------
    pool : tiles are taken together instead, with the pixels they share counted twice (D-03, AC-07).
    as_units : makes (mean, std) of what is stored, before anything else; NaN for no data.
    """
    count = len(parcels)
    mean, std = np.full(count, np.nan, np.float32), np.zeros(count, np.float32)
    n, total = np.zeros(count, np.int32), np.zeros(count, np.int32)
    tiles = []
    for raster in sorted(rasters, key=_best_first):
        rows = raster.read()
        values = (rows.mean, rows.std) if as_units is None else as_units(rows.mean, rows.std)
        here, of_rows = _places(rows.parcel_id, parcels)
        # 10 log10(0) in the table of a user is infinite, and no value.
        valid = (rows.n[of_rows] > 0) & np.isfinite(rows.mean[of_rows]) & np.isfinite(values[0][of_rows])
        if pool and len(rasters) > 1:
            tile = np.zeros((3, count))
            for row, column in zip(tile, (rows.n, *values), strict=True):
                row[here] = np.where(valid, column[of_rows], 0)
            tiles.append(tile)
            continue
        more = rows.n[of_rows] > n[here]
        as_many = (rows.n[of_rows] == n[here]) & (rows.n_total[of_rows] > total[here])
        better = valid & (more | as_many)
        for target, column in ((mean, values[0]), (std, values[1]), (n, rows.n), (total, rows.n_total)):
            target[here] = np.where(better, column[of_rows], target[here])
    if tiles:
        together = pooled(*np.stack(tiles, axis=1))
        return together[1].astype(np.float32), np.where(np.isnan(together[2]), 0, together[2]).astype(np.float32)
    return mean, std


def _best_first(raster: Raster) -> tuple[str, int, int, str]:
    """Of equal tiles: the smaller name, the newer product (B12)."""
    facts = raster.facts
    return facts.tile or "", -(facts.product_id or 0), facts.time, facts.platform or ""


def _places(rows: Int64, parcels: Int64) -> tuple[Any, Any]:
    """Where in ``parcels`` which of the rows belong."""
    if len(rows) == len(parcels) and (rows == parcels).all():
        return slice(None), slice(None)
    where = np.searchsorted(parcels, rows)
    there = where < len(parcels)
    there[there] = parcels[where[there]] == rows[there]
    return (where, slice(None)) if there.all() else (where[there], there)


def _rows(columns: Mapping[str, npt.NDArray[Any]]) -> Rows:
    """Rows of a raster; of several of one parcel (tables of others) the one with most pixels."""
    if len(columns["parcel_id"]) and (np.diff(columns["parcel_id"]) <= 0).any():
        lowest = np.where(np.isnan(columns["mean"]), -np.inf, columns["mean"])  # so that the order does not count
        order = np.lexsort((lowest, columns["n_total"], columns["n"], columns["parcel_id"]))
        ids = columns["parcel_id"][order]
        order = order[np.append(np.diff(ids) != 0, True)]
        columns = {name: values[order] for name, values in columns.items()}
    # A single pixel has no deviation; its feature is 0 (B8).
    std = np.where(np.isnan(columns["std"]), np.float32(0), columns["std"])
    return Rows(columns["parcel_id"], columns["mean"], std, columns["n"], columns["n_total"])


@dataclass(frozen=True, slots=True)
class _StoreRows:
    """Opened when it is read: a season has more files than a process may have open."""

    path: Path

    def __call__(self) -> Rows:
        table = StatisticsFile(self.path).rows(_COLUMNS)
        return _rows({name: table.column(name).to_numpy() for name in _COLUMNS})


@dataclass(frozen=True, slots=True)
class _Digest:
    path: Path
    known: str | None

    def __call__(self) -> str:
        if self.known is not None:
            return self.known
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror or error}") from error


def _of_table(table: pa.Table, wanted: Callable[[Facts], bool]) -> Iterator[Raster]:
    facts = facts_of_rows(table)
    chosen = [number for number, one in enumerate(facts.facts) if wanted(one)]
    place = np.full(len(facts.facts), len(chosen), np.int64)
    place[chosen] = np.arange(len(chosen))
    of_row = place[facts.of_row]
    narrow = of_row.astype(np.uint16) if len(chosen) < 1 << 16 else of_row
    order = np.argsort(narrow, kind="stable")  # 16 bits are sorted by counting
    ends = np.cumsum(np.bincount(of_row, minlength=len(chosen) + 1))
    # Of the table only what is wanted stays in memory.
    rows = table.select(list(_COLUMNS)).take(pa.array(order[: ends[len(chosen) - 1] if chosen else 0])).combine_chunks()
    parts = [_TableRows(rows, int(ends[k - 1]) if k else 0, int(ends[k])) for k in range(len(chosen))]
    with_std = {facts.facts[number].variable for number, part in zip(chosen, parts, strict=True) if part.has_std}
    for number, part in zip(chosen, parts, strict=True):
        one = facts.facts[number]
        yield Raster(one, one.variable in with_std, part, part.digest)


@dataclass(frozen=True, slots=True, eq=False)
class _TableRows:
    table: pa.Table
    begin: int
    end: int

    def __call__(self) -> Rows:
        part = self.table.slice(self.begin, self.end - self.begin)
        return _rows({name: part.column(name).to_numpy() for name in _COLUMNS})

    @property
    def has_std(self) -> bool:
        column = self.table.column("std").slice(self.begin, self.end - self.begin)
        return bool(column.null_count < len(column))

    def digest(self) -> str:
        """Of what the rows say."""
        rows, found = self(), hashlib.sha256()
        for name in Rows.__slots__:
            found.update(getattr(rows, name).tobytes())
        return found.hexdigest()
