"""Layers as delimited text for spreadsheets and scripts, in the encoding and with the signs the reader expects."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import shapely

from s4c_lib.errors import InputError
from s4c_lib.products.export_columns import GEOMETRY, as_text
from s4c_lib.products.export_model import ExportOptions
from s4c_lib.products.export_rows import Layer
from s4c_lib.products.export_stream import counted
from s4c_lib.progress import Progress

_NAMED: Final = "NewID"


def write_delimited(path: Path, layer: Layer, options: ExportOptions, progress: Progress) -> None:
    """Write one layer with a header; only texts that need quotes get them (RFC 4180).

    Empty text is ``""``, a missing value nothing. Lines end with CR LF.

    Raises
    ------
    InputError : a value does not fit the encoding.
    """
    names = [*layer.names, *(["WKT"] if options.csv_geometry else [])]
    check_header(names, options.encoding)
    with path.open("wb") as stream:
        if options.bom and codecs.lookup(options.encoding).name == "utf-8":
            stream.write(codecs.BOM_UTF8)
        stream.write(_line([_quoted(pa.array(names), options.delimiter)], options.delimiter, across=True))
        batches = layer.batches(options.batch, geometry=options.csv_geometry)
        for rows in counted(batches, len(layer), progress, path.name):
            check_encoding(rows, options.encoding, path.name)
            text = [_cells(rows.column(name), options) for name in layer.names]
            if options.csv_geometry:
                text.append(_quoted(_wkt(rows.column(GEOMETRY)), options.delimiter))
            lines = _line(text, options.delimiter)
            utf8 = codecs.lookup(options.encoding).name == "utf-8"
            stream.write(lines if utf8 else lines.decode("utf-8").encode(options.encoding))


def check_encoding(rows: pa.RecordBatch, encoding: str, file: str) -> None:
    """Refuse text that an encoding cannot hold.

    Raises
    ------
    InputError : naming the column, the parcel and the value.
    """
    if codecs.lookup(encoding).name == "utf-8":
        return
    for name, values in zip(rows.schema.names, rows.columns, strict=True):
        if pa.types.is_string(values.type) and (bad := misfit(pc.unique(values).to_pylist(), encoding)):
            value, sign = bad
            row = pc.index(values, value).as_py()
            where = f", NewID {rows.column(_NAMED)[row].as_py()}" if _NAMED in rows.schema.names else ""
            raise InputError(
                f'{file}: column "{name}"{where}: "{sign}" in "{value}" does not fit the encoding {encoding}.',
                hint="export as utf-8, or leave the column out",
            )


def check_header(names: Sequence[str], encoding: str) -> None:
    """Refuse column names that an encoding cannot hold."""
    if bad := misfit(names, encoding):
        raise InputError(
            f'"{bad[1]}" in the column name "{bad[0]}" does not fit the encoding {encoding}.', hint="export as utf-8"
        )


def misfit(values: Iterable[str | None], encoding: str) -> tuple[str, str] | None:
    """First value with a character that an encoding lacks, and the character."""
    for value in values:
        try:
            (value or "").encode(encoding)
        except UnicodeEncodeError as error:
            return value or "", error.object[error.start]
    return None


def _cells(values: pa.Array, options: ExportOptions) -> pa.Array:
    if pa.types.is_string(values.type):
        return _quoted(values, options.delimiter)
    text = as_text(values)
    if pa.types.is_floating(values.type) and options.decimal != ".":
        text = pc.replace_substring(text, ".", options.decimal)
        return _quoted(text, options.delimiter) if options.decimal == options.delimiter else text
    return text


def _quoted(values: pa.Array, delimiter: str) -> pa.Array:
    needs = pc.match_substring_regex(values, f'["\r\n{re.escape(delimiter)}]|^$|^\\s|\\s$')
    if not pc.any(needs).as_py():
        return values
    doubled = pc.replace_substring(values, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise('"', doubled, '"', ""), values)


def _line(cells: Sequence[pa.Array], delimiter: str, *, across: bool = False) -> bytes:
    """Lines of text: a column each, or all values of the first one beside each other."""
    if across:
        return (delimiter.join(cells[0].to_pylist()) + "\r\n").encode()
    filled = [pc.fill_null(item, "") for item in cells]
    lines = pc.binary_join_element_wise(*filled, delimiter)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines), "\r\n")
    return bytes(joined[0].as_buffer()) + b"\r\n"


def _wkt(wkb: pa.Array) -> pa.Array:
    shapes = shapely.from_wkb(wkb.to_numpy(zero_copy_only=False))
    return pa.array(shapely.to_wkt(shapes, rounding_precision=9), pa.string())
