"""Layers of an export: declarations, crop table, own attributes and results joined row by row, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyproj import CRS, Transformer

from s4c_lib.products.export_columns import GEOMETRY, plain_type, plain_values, type_name
from s4c_lib.products.export_geometry import outlines
from s4c_lib.products.export_model import ColumnNote

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LayerColumn:
    """One column of a layer.

    Parameters
    ----------
    values : of the source. rows : row of the source for each row of the layer; -1 for none.
    source : where it comes from, for the column dictionary.
    """

    name: str
    values: pa.ChunkedArray = field(repr=False)
    rows: Rows = field(repr=False)
    note: ColumnNote
    source: str

    @property
    def type(self) -> pa.DataType:
        """Type it is written in."""
        return plain_type(self.values.type, self.name)

    def batch(self, first: int, last: int) -> pa.Array:
        """Plain values of some rows of the layer."""
        return plain_values(taken(self.values, self.rows[first:last]), self.type, self.name)


@dataclass(frozen=True, slots=True)
class Layer:
    """One table to write, of which only a batch at a time is in memory.

    Parameters
    ----------
    geometry : WKB of the parcels. rows : row of ``geometry`` for each row of the layer.
    crs : of the written geometry. transformer : what brings it there; None for nothing to do.
    """

    name: str
    title: str
    columns: tuple[LayerColumn, ...]
    geometry: pa.ChunkedArray = field(repr=False)
    rows: Rows = field(repr=False)
    crs: CRS
    transformer: Transformer | None = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, without the geometry."""
        return tuple(column.name for column in self.columns)

    @property
    def schema(self) -> pa.Schema:
        """Of the batches; each field carries its description as GDAL reads it."""
        fields = [pa.field(item.name, item.type, metadata=_comment(item.note)) for item in self.columns]
        return pa.schema([*fields, pa.field(GEOMETRY, pa.binary())])

    def batches(self, size: int, *, geometry: bool = True) -> Iterator[pa.RecordBatch]:
        """Rows in order, at most ``size`` at a time; the geometry comes last."""
        schema = self.schema if geometry else self.schema.remove(len(self.columns))
        for first in range(0, len(self), size):
            last = min(first + size, len(self))
            arrays = [column.batch(first, last) for column in self.columns]
            if geometry:
                arrays.append(outlines(taken(self.geometry, self.rows[first:last]), self.transformer))
            yield pa.record_batch(arrays, schema=schema)

    def dictionary(self) -> list[dict[str, str]]:
        """What each column holds, a row each."""
        return [
            {
                "layer": self.name,
                "column": item.name,
                "type": type_name(item.type),
                "unit": item.note.unit,
                "description": item.note.description,
                "source": item.source,
            }
            for item in self.columns
        ]


def taken(values: pa.ChunkedArray, rows: Rows) -> pa.Array:
    """Values at some rows as one array; null for row -1."""
    valid = rows >= 0
    if not len(rows) or not valid.any():
        return pa.nulls(len(rows), values.type)
    # Rows mostly ascend: a slice first keeps what is looked at small, and a memory-mapped table on disk.
    low, high = int(rows[valid].min()), int(rows[valid].max())
    part = _one(values.slice(low, high - low + 1))
    if len(part) == len(rows) and bool((np.diff(rows) == 1).all()):
        return part
    return part.take(pa.array(rows - low, mask=~valid))


def positions(keys: Any, among: Any) -> Rows:
    """Row of each key in a table's key column; -1 where it is missing or null."""
    found = pc.index_in(keys, value_set=_one(among), skip_nulls=True)
    rows: Rows = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    return rows


def _one(values: Any) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        return (
            values.chunk(0) if values.num_chunks == 1 else pa.concat_arrays(values.chunks or [pa.nulls(0, values.type)])
        )
    return values


def _comment(note: ColumnNote) -> dict[str, str] | None:
    text = f"{note.description} [{note.unit}]" if note.unit else note.description
    return {"GDAL:OGR:comment": text} if text else None
