"""Observations read back from files of the store: many files as one table, and the best tile of each parcel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.errors import InputError, NotFoundError, ProductCorruptError, StorageError
from s4c_lib.statistics.observation_files import as_observations
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA, QUARTILES
from s4c_lib.statistics.passes import facts_of_rows, passes_of
from s4c_lib.statistics.source import Source, source_of

# What differs from row to row; the rest is in the metadata of a file and is not read from its columns.
_ROWS: Final = ("parcel_id", "mean", "std", "min", "max", "n", "n_total")

Int64 = npt.NDArray[np.int64]


def read_observations(
    paths: Sequence[Path],
    *,
    parcel_ids: npt.ArrayLike | None = None,
    variables: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """Rows of files of the store, in the order of the files; of a few parcels only parts of the files are read.

    Files by other tools that have the columns of the observation table are read too.

    Parameters
    ----------
    columns : those of `OBSERVATION_SCHEMA` and ``p25``, ``p50``, ``p75`` (null where a file has none); all of the
        schema by default.

    Raises
    ------
    NotFoundError, StorageError, ProductCorruptError : a file is not there or cannot be read.
    InputError : it is no table of observations.
    """
    names = list(columns or OBSERVATION_SCHEMA.names)
    schema = pa.schema([_field(name) for name in names])
    wanted = None if parcel_ids is None else np.unique(np.asarray(parcel_ids, np.int64))
    joined: list[pa.Table] = [schema.empty_table()]
    for own, files in groupby(map(StatisticsFile, paths), lambda file: file.source is not None):
        if own:
            # Files are let go one by one: a season has more than a process may have open.
            wanted_files = (file for file in files if variables is None or file.variable in variables)
            joined.append(_with_constants([(file.source, file.rows(names, wanted)) for file in wanted_files], schema))
        else:
            for file in files:
                table = file.rows(names, wanted)
                if variables is not None:
                    table = table.filter(pc.is_in(table.column("variable"), value_set=pa.array(variables, pa.string())))
                joined.append(_all_of(table, schema))
    return pa.concat_tables(joined)


def _with_constants(parts: Sequence[tuple[Source | None, pa.Table]], schema: pa.Schema) -> pa.Table:
    """Rows of files of the store, one after the other, with what the metadata of each say."""
    if not parts:
        return schema.empty_table()
    rows = pa.concat_tables([table for _, table in parts], promote_options="default")
    file_of_row = pa.array(np.repeat(np.arange(len(parts)), [table.num_rows for _, table in parts]))
    facts = {
        field.name: pa.array([getattr(source, field.name) for source, _ in parts], field.type).take(file_of_row)
        for field in schema
        if field.name not in (*_ROWS, *QUARTILES)
    }
    for name, values in facts.items():
        rows = rows.append_column(name, values)
    return _all_of(rows, schema)


def _all_of(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Columns of a schema; null where the table has none."""
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


class StatisticsFile:
    """A Parquet file of observations, opened; ``source`` says what it is of, None when it is not of the store."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self.path = path
        try:
            self._file: Any = pq.ParquetFile(path, memory_map=True, pre_buffer=False)
        except FileNotFoundError as error:
            raise NotFoundError(f"there is no file of statistics {path}", hint="run the statistics again") from error
        except pa.ArrowInvalid as error:
            raise ProductCorruptError(f"{path} is no Parquet file or is cut off: {error}") from error
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error}") from error
        self.source: Source | None = source_of(self._file.metadata.metadata)

    @property
    def variable(self) -> str | None:
        """Of the file; None when it may have several."""
        return None if self.source is None else self.source.variable

    def rows(self, columns: Sequence[str], parcel_ids: Int64 | None = None) -> pa.Table:
        """Rows of these ascending parcels or of all.

        Of a file of the store ``parcel_id`` and those of the columns that differ from row to row; of another one the
        whole observation table.
        """
        if self.source is None:
            table = as_observations(self._read(self._groups(None), None), self.path)
        else:
            own = self._file.metadata.schema.names
            needed = [name for name in columns if name in own and name in (*_ROWS, *QUARTILES)]
            table = self._read(self._groups(parcel_ids), list(dict.fromkeys(["parcel_id", *needed])))
        if parcel_ids is None:
            return table
        ids = table.column("parcel_id").to_numpy()
        if len(parcel_ids) == 1 and self.source is not None:  # ascending: the row is found, not searched for
            low, high = np.searchsorted(ids, parcel_ids[0], "left"), np.searchsorted(ids, parcel_ids[0], "right")
            return table.slice(low, high - low)
        return table.filter(pa.array(np.isin(ids, parcel_ids)))

    def _read(self, groups: list[int], columns: list[str] | None) -> pa.Table:
        try:
            return self._file.read_row_groups(groups, columns=columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise ProductCorruptError(f"{self.path} is damaged: {error}") from error

    def _groups(self, parcel_ids: Int64 | None) -> list[int]:
        """Groups of rows that may have the parcels."""
        metadata = self._file.metadata
        every = range(metadata.num_row_groups)
        if parcel_ids is None:
            return list(every)
        kept = []
        for k in every:
            told = metadata.row_group(k).column(0).statistics
            if told is None or not told.has_min_max:
                kept.append(k)
                continue
            low = np.searchsorted(parcel_ids, told.min, "left")
            if low < len(parcel_ids) and parcel_ids[low] <= told.max:
                kept.append(k)
        return kept


def best_tile(table: pa.Table) -> pa.Table:
    """One row for each parcel, pass, variable and orbit: that of the tile with most valid pixels (B12, case A11).

    With equal ``n`` the larger ``n_total`` counts, then the smaller tile, then the larger product number. Tiles are
    never added up: they overlap. Rows keep their order.
    """
    rows = facts_of_rows(table)
    tiles = sorted({one.tile or "" for one in rows.facts})
    tile = np.array([tiles.index(one.tile or "") for one in rows.facts], np.int64)[rows.of_row]
    product = np.array([one.product_id or 0 for one in rows.facts], np.int64)[rows.of_row]
    observation = passes_of(rows.facts).number[rows.of_row]
    parcel = table.column("parcel_id").to_numpy()
    n, total = (table.column(name).to_numpy().astype(np.int64) for name in ("n", "n_total"))
    order = np.lexsort((-product, tile, -total, -n, observation, parcel))
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(parcel[order]) != 0) | (np.diff(observation[order]) != 0)
    return table.take(pa.array(np.sort(order[first])))


def _field(name: str) -> pa.Field:
    if name in QUARTILES:
        return pa.field(name, pa.float32())
    if name not in OBSERVATION_SCHEMA.names:
        raise InputError(
            f"observations have no column {name!r}", hint=", ".join((*OBSERVATION_SCHEMA.names, *QUARTILES))
        )
    return OBSERVATION_SCHEMA.field(name)
