"""Sen4CAP's marker database from the store: MDB1 as wide CSV and Arrow files, MDB2 (l3b-and-markers.md 3.5)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.errors import InputError
from s4c_lib.parcels.pixel_index_file import whole_file
from s4c_lib.statistics.legacy_names import column_name, is_band, scale_of, type_part, wanted_statistics
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA, QUARTILES
from s4c_lib.statistics.observations import StatisticsFile, read_observations
from s4c_lib.statistics.passes import Facts, facts_of_rows

_ID: Final = "NewID"
# Parcels that are wide at once: 10 000 rows of 10 000 columns are 400 MB.
_BATCH: Final = 10_000
_LARGEST_ID: Final = np.iinfo(np.int32).max
_VV: Final = re.compile(r"\d{8}_(?:mean|stdev)_AMP_VV(?:_.*)?")
_DIGITS: Final = 7


@dataclass(frozen=True, slots=True)
class LegacyFiles:
    """What was written: the table as CSV and Arrow, and where the rows of a parcel stand in each.

    Paths of a format that was not asked for lead to nothing.
    """

    csv: Path
    csv_index: Path
    ipc: Path
    ipc_index: Path
    rows: int
    columns: tuple[str, ...]


def mdb1_columns(facts: Iterable[Facts], statistics: Collection[str] = ()) -> tuple[str, ...]:
    """Columns of a wide table without the number, as the reference sorts them: by alphabet.

    Parameters
    ----------
    statistics : besides mean and deviation, columns of the observation table (``min``, ``max``, ``p25``, ``p50``,
        ``p75``, ``n``).
    """
    names: set[str] = set()
    for one in facts:
        part = type_part(one.variable, one.orbit, one.tile)
        if part is not None:
            moment = datetime.fromtimestamp(one.time, UTC)
            names.update(column_name(moment, statistic, part) for statistic in wanted_statistics(statistics))
    return tuple(sorted(names))


def mdb1_table(table: pa.Table, columns: Sequence[str], statistics: Collection[str] = ()) -> pa.Table:
    """Observations as one row for each parcel: NewID int32, all else float32, null where there is none.

    Where several rows belong in one place, such as those of two tiles, that with most valid pixels counts, then with
    more pixels, then of the smaller tile: the reference takes any. Values are as there: L3B x 1000, bands x 10000 (with
    the offset applied, which the reference forgets), half the decibels.

    Parameters
    ----------
    columns : of `mdb1_columns`; observations without a column are left out.
    """
    parcels, row = np.unique(table.column("parcel_id").to_numpy(), return_inverse=True)
    if len(parcels) and (parcels[0] < 1 or parcels[-1] > _LARGEST_ID):
        raise InputError(f"parcel number {parcels[-1]} does not fit the columns of Sen4CAP", hint="above 0, 31 bits")
    rows = facts_of_rows(table)
    n, total = (table.column(name).to_numpy().astype(np.int64) for name in ("n", "n_total"))
    tiles = sorted({one.tile or "" for one in rows.facts})
    tile = np.array([tiles.index(one.tile or "") for one in rows.facts], np.int64)[rows.of_row]
    # Best last: the last one written into a place stays.
    order = np.lexsort((-tile, total, n, rows.of_row))
    ends = np.searchsorted(rows.of_row[order], np.arange(len(rows.facts) + 1))
    wanted = wanted_statistics(statistics)
    values = {name: table.column(name).to_numpy() for name in wanted if name in table.column_names}
    filled: dict[str, npt.NDArray[np.float32]] = {}
    for group in _one_place(rows.facts):
        one = rows.facts[group[0]]
        part = type_part(one.variable, one.orbit, one.tile)
        if part is None:
            continue
        at = np.concatenate([order[ends[number] : ends[number + 1]] for number in group])
        at = at[np.lexsort((-tile[at], total[at], n[at]))]
        for statistic in values:
            name = column_name(datetime.fromtimestamp(one.time, UTC), statistic, part)
            column = filled.setdefault(name, np.full(len(parcels), np.nan, np.float32))
            column[row[at]] = values[statistic][at] * np.float64(scale_of(one.variable, statistic))
    missing = np.full(len(parcels), np.nan, np.float32)
    arrays = [pa.array(parcels.astype(np.int32))]
    arrays += [pa.array(filled.get(name, missing), from_pandas=True) for name in columns]
    return pa.table(arrays, schema=_schema(columns))


def mdb1_from_files(
    paths: Sequence[Path], statistics: Collection[str] = (), *, batch: int = _BATCH
) -> tuple[tuple[str, ...], Iterator[pa.Table]]:
    """Columns and wide tables, one after the other by ascending number, of files of the store.

    Raises
    ------
    InputError : a file is not of the store.
    """
    facts: list[Facts] = []
    numbers = np.empty(0, np.int64)
    for path in paths:
        file = StatisticsFile(path)
        if file.source is None:
            raise InputError(f"{path} is no file of the statistics store")
        facts.append(file.source.facts)
        numbers = np.union1d(numbers, file.rows(("parcel_id",)).column("parcel_id").to_numpy())
    columns = mdb1_columns(facts, statistics)

    def tables() -> Iterator[pa.Table]:
        names = [*OBSERVATION_SCHEMA.names, *(name for name in QUARTILES if name in statistics)]
        for first in range(0, len(numbers), batch):
            some = numbers[first : first + batch]
            yield mdb1_table(read_observations(paths, parcel_ids=some, columns=names), columns, statistics)

    return columns, tables()


def mdb2_table(wide: pa.Table) -> pa.Table:
    """VV less VH of every column that has such a twin, decibels (case A12); of deviations too, as the reference."""
    arrays, names = [wide.column(_ID)], []
    for name in wide.column_names:
        twin = name.replace("_AMP_VV", "_AMP_VH")
        if _VV.fullmatch(name) and twin in wide.column_names:
            first, second = (wide.column(one).to_numpy().astype(np.float64) for one in (name, twin))
            arrays.append(pa.array((first - second).astype(np.float32), from_pandas=True))
            names.append(name.replace("_AMP_VV", "_AMP_VVVH"))
    return pa.table(arrays, schema=_schema(names))


def write_legacy(
    folder: Path,
    name: str,
    columns: Sequence[str],
    tables: Iterable[pa.Table],
    formats: Collection[str] = ("csv", "ipc"),
) -> LegacyFiles:
    """Write ``{name}.csv``, ``.idx``, ``.ipc`` and ``.ipc.idx`` into ``folder/name``; one record batch for each table.

    ``.idx`` has a line ``number,offset,length`` for each parcel, in bytes of the CSV; ``.ipc.idx`` three big-endian
    int32 for each batch: its number, first and last parcel.

    Raises
    ------
    InputError : numbers of parcels do not ascend.
    DiskFullError, StorageError : it could not be written; files of before stay.
    """
    target = folder / name
    files = [target / f"{name}{suffix}" for suffix in (".csv", ".idx", ".ipc", ".ipc.idx")]
    schema, count, last = _schema(columns), 0, 0
    with ExitStack() as stack:
        writers = [kind(stack, files, schema) for name, kind in _WRITERS.items() if name in formats]
        for table in (one for one in tables if one.num_rows):
            ids = table.column(_ID).to_numpy()
            if ids[0] <= last or (np.diff(ids) <= 0).any():
                raise InputError(f"parcel numbers of {name} do not ascend at {ids[0]}")
            for writer in writers:
                writer.write(table, ids)
            count, last = count + len(ids), int(ids[-1])
    return LegacyFiles(files[0], files[1], files[2], files[3], count, tuple(columns))


def pooled(
    n: npt.ArrayLike, mean: npt.ArrayLike, std: npt.ArrayLike
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Count, mean and deviation of several tiles taken together, along the first axis (3.7; L4A in ``reference``).

    s2 = sum((n_i - 1) s_i2 + n_i (m_i - m)2) / (N - 1). Pixels that two tiles share count twice, as there. A deviation
    of one pixel, NaN, adds nothing; for one pixel in all the result is NaN again.
    """
    count, means, deviations = (np.asarray(values, np.float64) for values in (n, mean, std))
    used = count > 0
    total = count.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.where(used, count * means, 0).sum(axis=0) / total
        own = np.where(count > 1, (count - 1) * deviations**2, 0).sum(axis=0)
        between = np.where(used, count * (means - middle) ** 2, 0).sum(axis=0)
        return total, middle, np.where(total > 1, np.sqrt((own + between) / (total - 1)), np.nan)


class _CsvWriter:
    """CSV, and beside it the bytes of each parcel's row."""

    def __init__(self, stack: ExitStack, files: Sequence[Path], schema: pa.Schema) -> None:
        self._csv, self._index = (stack.enter_context(_unfinished(stack, path)) for path in files[:2])
        self._csv.write(",".join(schema.names).encode() + b"\n")

    def write(self, table: pa.Table, ids: npt.NDArray[np.int32]) -> None:
        lines = _lines(table)
        begin = self._csv.tell()
        self._csv.writelines(lines)
        sizes = np.array([len(line) for line in lines])
        offsets = begin + np.cumsum(sizes) - sizes
        self._index.writelines(
            f"{parcel},{offset},{size}\n".encode()
            for parcel, offset, size in zip(ids.tolist(), offsets.tolist(), sizes.tolist(), strict=True)
        )


class _IpcWriter:
    """Arrow IPC, and beside it the parcels of each batch."""

    def __init__(self, stack: ExitStack, files: Sequence[Path], schema: pa.Schema) -> None:
        sink, self._index = (stack.enter_context(_unfinished(stack, path)) for path in files[2:])
        self._ipc = stack.enter_context(pa.ipc.new_file(sink, schema))
        self._number = 0

    def write(self, table: pa.Table, ids: npt.NDArray[np.int32]) -> None:
        self._ipc.write_batch(table.combine_chunks().to_batches()[0])
        self._index.write(np.array([self._number, ids[0], ids[-1]], ">i4").tobytes())
        self._number += 1


_WRITERS: Final[Mapping[str, type[_CsvWriter] | type[_IpcWriter]]] = {"csv": _CsvWriter, "ipc": _IpcWriter}


def _unfinished(stack: ExitStack, path: Path) -> BinaryIO:
    return stack.enter_context(whole_file(path)).open("wb")


def _schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([pa.field(_ID, pa.int32(), False), *(pa.field(name, pa.float32()) for name in columns)])


def _one_place(facts: Sequence[Facts]) -> list[list[int]]:
    """Numbers of facts whose rows go into the same columns: of one day, and for bands of one tile."""
    found: dict[tuple[object, ...], list[int]] = {}
    for number, one in enumerate(facts):
        day = datetime.fromtimestamp(one.time, UTC).date()
        place = (one.variable, one.orbit, day, one.tile if is_band(one.variable) else None)
        found.setdefault(place, []).append(number)
    return list(found.values())


def _lines(table: pa.Table) -> list[bytes]:
    """Rows of a CSV, 7 decimals, nothing where there is no value."""
    cells = [table.column(_ID).to_numpy().astype(str)]
    for name in table.column_names[1:]:
        values = table.column(name).to_numpy()
        text = np.full(len(values), "", object)
        there = ~np.isnan(values)
        text[there] = [f"{value:.{_DIGITS}f}" for value in values[there].tolist()]
        cells.append(text)
    return [(",".join(row) + "\n").encode() for row in zip(*cells, strict=True)]
