"""Layers as zipped Shapefiles: short column names with their map, texts of at most 254 bytes, parts below 2 GB."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.errors import InputError
from s4c_lib.products.export_about import write_csv, write_side_files
from s4c_lib.products.export_columns import GEOMETRY, as_text
from s4c_lib.products.export_csv import check_encoding
from s4c_lib.products.export_model import ExportOptions
from s4c_lib.products.export_rows import Layer, Rows, taken
from s4c_lib.products.export_stream import counted, write_vector
from s4c_lib.products.shapefile_names import short_names
from s4c_lib.progress import Progress

TEXT_BYTES: Final = 254
_RECORD_BYTES: Final = 65_500
#: Names GDAL knows and writes into the .cpg file.
ENCODINGS: Final[Mapping[str, str]] = {
    "utf-8": "UTF-8",
    "cp1250": "CP1250",
    "cp1251": "CP1251",
    "cp1252": "CP1252",
    "cp1253": "CP1253",
    "cp1257": "CP1257",
    "iso8859-1": "ISO-8859-1",
    "iso8859-2": "ISO-8859-2",
    "iso8859-15": "ISO-8859-15",
}
_WIDTHS: Final = {"bool": 1, "date32[day]": 8, "int16": 6, "int32": 11, "int64": 20, "float": 24, "double": 24}
_SHAPES: Final = (".shp", ".shx", ".dbf", ".prj", ".cpg")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one pass over the texts found: width of each column, too long texts, last row (+ 1) of each part."""

    widths: Mapping[str, int]
    shortened: Sequence[Mapping[str, Any]]
    ends: Sequence[int]


def write_shapefile(
    path: Path, layer: Layer, lines: Mapping[str, str], created: datetime, options: ExportOptions, progress: Progress
) -> list[str]:
    """Write one layer as ``path`` (.zip); returns warnings.

    Beside the Shapefile lie ``{stem}_columns.csv``, the map of short names, ``{stem}_about.json`` and, if a text was
    too long, ``{stem}_shortened.csv`` with all of these texts in full.

    Raises
    ------
    InputError : too many or too wide columns, or a value that does not fit the encoding.
    """
    names = short_names(layer.names)
    plan = _plan(layer, options, path.name)
    stem = path.name.removesuffix("_shp.zip")
    sides = write_side_files(path.parent, stem, layer, lines)
    write_csv(sides[0], [{"shapefile_name": names[row["column"]], **row} for row in layer.dictionary()])
    if plan.shortened:
        sides.append(path.parent / f"{stem}_shortened.csv")
        write_csv(sides[-1], plan.shortened)
    # An archive knows times without zone, and the library writes local ones: this makes them UTC everywhere.
    stamp = created.astimezone(UTC).replace(tzinfo=None).timestamp()
    first = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, last in enumerate(plan.ends, start=1):
            part = path.parent / (f"{stem}.shp" if len(plan.ends) == 1 else f"{stem}_{number}.shp")
            _write_part(part, layer, names, plan, slice(first, last), options, progress)
            files = [part.with_suffix(ending) for ending in _SHAPES]
            _pack(archive, [item for item in files if item.exists()], stamp)
            first = last
        _pack(archive, sides, stamp)
    return _warnings(path.name, plan)


def _plan(layer: Layer, options: ExportOptions, file: str) -> _Plan:
    """Look at every text once, without the geometry."""
    utf8 = options.encoding == "utf-8"
    widths = {item.name: 1 for item in layer.columns if _written_as_text(item.type)}
    shortened: list[dict[str, Any]] = []
    for rows in layer.batches(options.batch, geometry=False):
        check_encoding(rows, options.encoding, file)
        for name in widths:
            text = as_text(rows.column(name))
            length = pc.binary_length(text) if utf8 else pc.utf8_length(text)
            longest = pc.max(length).as_py() or 0
            widths[name] = max(widths[name], min(longest, TEXT_BYTES))
            if longest > TEXT_BYTES:
                for row in np.flatnonzero(pc.fill_null(pc.greater(length, TEXT_BYTES), False).to_numpy(False)):
                    number = rows.column("NewID")[int(row)].as_py()
                    shortened.append({"NewID": number, "column": name, "text": text[int(row)].as_py()})
    record = 1 + sum(widths.get(item.name) or _WIDTHS[str(item.type)] for item in layer.columns)
    if record > _RECORD_BYTES:
        raise InputError(
            f"{file}: a row would take {record} bytes; a Shapefile holds {_RECORD_BYTES}.",
            hint="choose columns, or export to GeoPackage",
        )
    return _Plan(widths, shortened, _parts(layer, record, options))


def _parts(layer: Layer, record: int, options: ExportOptions) -> list[int]:
    """Last row (+ 1) of each part, so that neither .shp nor .dbf passes the limit."""
    room = options.shapefile_bytes - 33 - 32 * (len(layer.columns) + 1)
    ends: list[int] = []
    start = shapes = 0
    for first in range(0, len(layer), options.batch):
        rows = layer.rows[first : first + options.batch]
        # A record takes at most 43 bytes more than the WKB: 52 for header and box, instead of 9 for the type.
        wkb = pc.fill_null(pc.binary_length(taken(layer.geometry, rows)), 0).to_numpy()
        for row, size in enumerate(wkb.astype(np.int64) + 43, start=first):
            if row > start and (shapes + size > room or (row + 1 - start) * record > room):
                ends.append(row)
                start, shapes = row, 0
            shapes += int(size)
    return [*ends, len(layer)]


def _write_part(
    part: Path,
    layer: Layer,
    names: Mapping[str, str],
    plan: _Plan,
    rows: slice,
    options: ExportOptions,
    progress: Progress,
) -> None:
    piece = _rows_of(layer, rows)
    fields = [
        pa.field(names[item.name], pa.string(), metadata={"GDAL:OGR:width": str(plan.widths[item.name])})
        if item.name in plan.widths
        else pa.field(names[item.name], item.type)
        for item in layer.columns
    ]
    schema = pa.schema([*fields, pa.field(GEOMETRY, pa.binary())])
    cut = {str(row["column"]) for row in plan.shortened}

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in piece.batches(options.batch):
            arrays = [
                _short(as_text(batch.column(name)), options.encoding, cut=name in cut)
                if name in plan.widths
                else batch.column(name)
                for name in layer.names
            ]
            yield pa.record_batch([*arrays, batch.column(GEOMETRY)], schema=schema)

    stream = counted(batches(), len(piece), progress, part.name)
    write_vector(part, schema, stream, piece, "ESRI Shapefile", encoding=ENCODINGS[options.encoding])


def _rows_of(layer: Layer, rows: slice) -> Layer:
    columns = tuple(replace(item, rows=item.rows[rows]) for item in layer.columns)
    kept: Rows = layer.rows[rows]
    return replace(layer, columns=columns, rows=kept)


def _short(text: pa.Array, encoding: str, *, cut: bool) -> pa.Array:
    """Texts of at most 254 bytes, never cut inside a character."""
    if not cut:
        return text
    return pa.array(
        [
            None if item is None else item.encode(encoding)[:TEXT_BYTES].decode(encoding, "ignore")
            for item in text.to_pylist()
        ],
        pa.string(),
    )


def _written_as_text(kind: pa.DataType) -> bool:
    # dBASE has no time of day.
    return bool(pa.types.is_string(kind) or pa.types.is_timestamp(kind))


def _pack(archive: zipfile.ZipFile, files: Sequence[Path], stamp: float) -> None:
    """Move files into the archive; all bear the time of the export."""
    for file in files:
        os.utime(file, (stamp, stamp))
        archive.write(file, file.name)
        file.unlink()


def _warnings(file: str, plan: _Plan) -> list[str]:
    found: list[str] = []
    for name in dict.fromkeys(str(row["column"]) for row in plan.shortened):
        rows = [row["NewID"] for row in plan.shortened if row["column"] == name]
        shown = ", ".join(map(str, rows[:5]))
        found.append(
            f'{file}: texts of column "{name}" cut at {TEXT_BYTES} bytes: {len(rows)} (NewID {shown}); '
            "all in full in the list of shortened texts."
        )
    if len(plan.ends) > 1:
        found.append(f"{file}: split into {len(plan.ends)} Shapefiles, each below the size limit.")
    return found
