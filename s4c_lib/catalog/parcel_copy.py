"""Columns into and out of PostgreSQL by COPY, without a Python object for a value.

Into the database the binary form: each column becomes its fields (length, then bytes) in Arrow, and Arrow joins them
to rows. Out of it CSV, which Arrow reads.
"""

from __future__ import annotations

import binascii
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg2
import psycopg2.errors
import pyarrow as pa
import pyarrow.compute as pc
from psycopg2 import sql
from sqlalchemy import Connection

from s4c_lib.errors import DatabaseUnavailableError, InputError, Sen4capError, StorageError

BATCH_ROWS: Final = 65_536
_READ_BYTES: Final = 1 << 20
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_NULL_FIELD: Final = b"\xff\xff\xff\xff"
# PostgreSQL counts dates and moments from 2000-01-01.
_EPOCH_DAYS: Final = 10_957
_EPOCH_MICROSECONDS: Final = _EPOCH_DAYS * 86_400_000_000

COLUMN_TYPES: Final[Mapping[str, Any]] = {
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "text": pa.string(),
    "json": pa.string(),
    "geometry": pa.binary(),  # WKB or EWKB
    "date": pa.date32(),
    "moment": pa.timestamp("us", "UTC"),
}
"""Arrow type for each kind of column."""


@contextmanager
def copy_errors(what: str) -> Iterator[None]:
    """Turn what the driver raises while rows are copied into errors of the system."""
    try:
        yield
    except psycopg2.errors.DiskFull as error:
        raise StorageError(f"The disk of the database is full while {what} was copied.", hint="free space") from error
    except (psycopg2.IntegrityError, psycopg2.DataError, psycopg2.errors.InternalError_) as error:
        # internal: how PostGIS calls a geometry it cannot read
        raise InputError(f"{what}: the database refuses a row: {_words(error)}", hint="nothing was stored") from error
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise _unavailable(what, error) from error
    except psycopg2.DatabaseError as error:
        # libpq tells of a connection lost in mid-copy without a code
        if error.pgcode is not None:
            raise
        raise _unavailable(what, error) from error


def _unavailable(what: str, error: psycopg2.Error) -> Sen4capError:
    return DatabaseUnavailableError(
        f"The domain database went away while {what} was copied: {_words(error)}",
        hint="nothing was stored; try again",
    )


def _words(error: psycopg2.Error) -> str:
    lines = str(error).strip().splitlines() or ["no reason given"]
    return "; ".join(line.removeprefix("DETAIL:").strip() for line in lines[:2])


def copy_in(connection: Connection, table: str, rows: pa.Table, kinds: Mapping[str, str], *, freeze: bool) -> None:
    """Add rows to a table of schema ``s4c`` within the connection's transaction.

    Parameters
    ----------
    rows : has the columns of ``kinds``; others are ignored.
    kinds : kind of each column, by name, see `COLUMN_TYPES`.
    freeze : the table was made in this transaction; its rows need no later clean-up.

    Raises
    ------
    InputError : a column is missing or of another type, or the database refuses a row.
    DatabaseUnavailableError, StorageError : the server went away; its disk is full.
    """
    statement = sql.SQL("COPY s4c.{} ({}) FROM STDIN (FORMAT binary, FREEZE {})").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, kinds)), sql.SQL("true" if freeze else "false")
    )
    typed = _typed(table, rows, kinds)
    with copy_errors(f"table {table}"), _cursor(connection) as cursor:
        cursor.copy_expert(statement, _Stream(_binary_rows(typed, kinds)), _READ_BYTES)


def _cursor(connection: Connection) -> Any:
    """A cursor of the driver within the connection's transaction."""
    driver: Any = connection.connection.driver_connection
    return driver.cursor()


def _typed(table: str, rows: pa.Table, kinds: Mapping[str, str]) -> pa.Table:
    if missing := [name for name in kinds if name not in rows.column_names]:
        raise InputError(f"Rows for table {table} lack the columns {', '.join(missing)}.")
    schema = pa.schema([(name, COLUMN_TYPES[kind]) for name, kind in kinds.items()])
    try:
        return rows.select(list(kinds)).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"Rows for table {table} have columns of another type: {error}.") from error


def _binary_rows(rows: pa.Table, kinds: Mapping[str, str]) -> Iterator[bytes]:
    yield _SIGNATURE
    count = pa.scalar(len(kinds).to_bytes(2, "big"), pa.binary())
    for batch in rows.to_batches(max_chunksize=BATCH_ROWS):
        fields = [count]
        for column, kind in zip(batch.columns, kinds.values(), strict=True):
            fields.extend(_fields(column, kind))
        joined = pc.binary_join_element_wise(*fields, pa.scalar(b"", pa.binary()))
        offsets = np.frombuffer(joined.buffers()[1], np.int32)
        start = int(offsets[joined.offset])
        stop = int(offsets[joined.offset + len(joined)])
        yield joined.buffers()[2].slice(start, stop - start).to_pybytes()
    yield _TRAILER


def _fields(column: Any, kind: str) -> list[Any]:
    """Binary arrays that make the fields of a column when joined row by row."""
    if kind in {"text", "geometry", "json"}:
        content = column.cast(pa.binary())
        extra = 1 if kind == "json" else 0
        lengths = pc.fill_null(pc.add(pc.binary_length(content), extra), -1).to_numpy()
        prefix = _fixed(lengths.astype(">i4"))
        # jsonb starts with the version of its form, 1
        version = [pc.if_else(content.is_null(), b"", b"\x01").cast(pa.binary())] if extra else []
        return [prefix, *version, pc.fill_null(content, b"")]
    values = _wire(column, kind)
    records = np.empty(len(values), [("length", ">i4"), ("value", values.dtype)])
    records["length"] = values.dtype.itemsize
    records["value"] = values
    fields = _fixed(records)
    if column.null_count:
        fields = pc.if_else(column.is_null(), pa.scalar(_NULL_FIELD, pa.binary()), fields)
    return [fields]


def _wire(column: Any, kind: str) -> npt.NDArray[Any]:
    """The values of a fixed-width column in network byte order; anything where there is none."""
    if kind == "boolean":
        return pc.fill_null(column, False).to_numpy(zero_copy_only=False).astype("u1")  # type: ignore[no-any-return]
    if kind == "date":
        days = pc.fill_null(column.cast(pa.int32()), 0).to_numpy()
        return (days - _EPOCH_DAYS).astype(">i4")  # type: ignore[no-any-return]
    if kind == "moment":
        moments = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
        return (moments - _EPOCH_MICROSECONDS).astype(">i8")  # type: ignore[no-any-return]
    order = {"integer": ">i4", "bigint": ">i8", "double": ">f8"}[kind]
    return pc.fill_null(column, 0).to_numpy().astype(order)  # type: ignore[no-any-return]


def _fixed(values: npt.NDArray[Any]) -> Any:
    """Rows of equal width as a binary array."""
    width = values.dtype.itemsize
    offsets = np.arange(len(values) + 1, dtype=np.int32) * np.int32(width)
    return pa.Array.from_buffers(
        pa.binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(values))]
    )


class _Stream(io.RawIOBase):
    """Pieces of bytes as a file to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._piece = b""
        self._place = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if self._place >= len(self._piece):
            self._piece = next(self._pieces, b"")
            self._place = 0
        part = self._piece[self._place : self._place + size]
        self._place += len(part)
        return part


def copy_out(connection: Connection, query: str, values: Mapping[str, int | str], kinds: Mapping[str, str]) -> pa.Table:
    """Return what a query selects as a table.

    Parameters
    ----------
    query : SQL with ``%(name)s`` for the values; selects the columns of ``kinds`` in their order.
    kinds : as for `copy_in`; geometry comes as EWKB.
    """
    from pyarrow import csv

    sink = pa.BufferOutputStream()
    with copy_errors("a table"), _cursor(connection) as cursor:
        inner = cursor.mogrify(query, dict(values))
        cursor.copy_expert(b"COPY (" + inner + b") TO STDOUT (FORMAT csv)", sink, _READ_BYTES)
    schema = {name: pa.string() if kind == "geometry" else COLUMN_TYPES[kind] for name, kind in kinds.items()}
    content = sink.getvalue()
    if not content.size:
        return pa.table({name: pa.array([], COLUMN_TYPES[kind]) for name, kind in kinds.items()})
    table = csv.read_csv(
        content,
        read_options=csv.ReadOptions(column_names=list(kinds), block_size=1 << 24),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    for place, (name, kind) in enumerate(kinds.items()):
        if kind == "geometry":
            table = table.set_column(place, name, _from_hex(table[name]))
    return table


def _from_hex(column: Any) -> Any:
    """Decode hexadecimal strings, all of a chunk at once: two digits a byte whatever the lengths."""
    chunks = []
    for chunk in column.chunks:
        offsets = np.frombuffer(chunk.buffers()[1], np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        digits = chunk.buffers()[2].slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
        decoded = pa.py_buffer(binascii.unhexlify(digits))
        places = pa.py_buffer(((offsets - offsets[0]) // 2).astype(np.int32))
        present = chunk.is_valid().to_numpy(zero_copy_only=False)
        valid = None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
        chunks.append(pa.Array.from_buffers(pa.binary(), len(chunk), [valid, places, decoded]))
    return pa.chunked_array(chunks, pa.binary())
