"""Export of declarations with their results: tables in, files out (lpis-and-inputs.md 6.2)."""

from __future__ import annotations

import codecs
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from s4c_lib.errors import InputError, StorageError
from s4c_lib.products.export_about import about, write_side_files
from s4c_lib.products.export_csv import write_delimited
from s4c_lib.products.export_formats import write_flatgeobuf, write_geopackage, write_geoparquet
from s4c_lib.products.export_layers import build_layers
from s4c_lib.products.export_model import (
    ExportedFile,
    ExportFrame,
    ExportOptions,
    ExportSummary,
    Format,
)
from s4c_lib.products.export_rows import Layer
from s4c_lib.products.export_shapefile import ENCODINGS, write_shapefile
from s4c_lib.products.export_stream import storage_error
from s4c_lib.progress import Progress, silent


def export_parcels(
    frame: ExportFrame, target: Path, options: ExportOptions, progress: Progress = silent
) -> ExportSummary:
    """Write an export into a folder.

    A GeoPackage holds all layers; other formats get a file for each, ``{name}.csv`` or ``{name}_{layer}.csv``. A
    Shapefile comes zipped. Files appear under their names only when all are complete.

    Parameters
    ----------
    target : folder; made when missing. Files of the same names are replaced.

    Raises
    ------
    InputError : options or tables do not fit together, or a value does not fit the encoding.
    NothingToDoError : no parcel fits the filter.
    StorageError : a file cannot be written.
    """
    options = _checked(options)
    built = build_layers(frame, options)
    for layer in built.layers:
        _check_name(layer.name, "layer")
    lines = about(frame, options, _crs_name(built.layers[0]))
    warnings = [*built.warnings]
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target, ignore_cleanup_errors=True) as folder:
            rows, more = _write(Path(folder), frame, options, built.layers, lines, progress)
            warnings += more
            files = [_moved(Path(folder) / name, target, count) for name, count in rows.items()]
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(target, error) from error
    counts = {layer.name: len(layer) for layer in built.layers}
    return ExportSummary(tuple(files), built.parcels, counts, built.left_out, tuple(warnings))


def _write(
    folder: Path,
    frame: ExportFrame,
    options: ExportOptions,
    layers: Sequence[Layer],
    lines: Mapping[str, str],
    progress: Progress,
) -> tuple[dict[str, int], list[str]]:
    """Write everything into a folder of its own: rows by file, side files first; and warnings."""
    origin, name = frame.provenance, options.name
    stems = {layer.name: name if layer.name == name else f"{name}_{layer.name}" for layer in layers}
    rows: dict[str, int] = {}
    sides: dict[str, int] = {}
    warnings: list[str] = []
    if Format.SHAPEFILE in options.formats:  # first: its side files go into the archive
        for layer in layers:
            path = folder / f"{stems[layer.name]}_shp.zip"
            warnings += write_shapefile(path, layer, lines, origin.created_at, options, progress)
            rows[path.name] = len(layer)
    if Format.GEOPACKAGE in options.formats:
        path = folder / f"{name}.gpkg"
        write_geopackage(path, layers, lines, options, origin.created_at, progress)
        rows[path.name] = sum(map(len, layers))
    for layer in layers:
        stem = stems[layer.name]
        if Format.GEOPARQUET in options.formats:
            path = folder / f"{stem}.parquet"
            write_geoparquet(path, layer, lines, options.batch, progress)
            rows[path.name] = len(layer)
        if Format.FLATGEOBUF in options.formats:
            path = folder / f"{stem}.fgb"
            write_flatgeobuf(path, layer, options.batch, progress)
            rows[path.name] = len(layer)
        if Format.CSV in options.formats:
            path = folder / f"{stem}.csv"
            write_delimited(path, layer, options, progress)
            rows[path.name] = len(layer)
        if {Format.FLATGEOBUF, Format.CSV} & set(options.formats):
            sides |= {item.name: 0 for item in write_side_files(folder, stem, layer, lines)}
    return {**sides, **rows}, warnings


def _checked(options: ExportOptions) -> ExportOptions:
    _check_name(options.name, "export")
    if not options.formats:
        raise InputError("The export has no format.", hint=f"choose from {', '.join(Format)}")
    if options.batch < 1 or options.shapefile_bytes < 1:
        raise InputError("Batch and Shapefile size of an export must be positive.")
    if len(options.delimiter) != 1 or options.delimiter in '"\r\n.' or options.delimiter.isalnum():
        raise InputError(f"{options.delimiter!r} cannot separate columns.", hint="use a comma, a semicolon or a tab")
    if options.decimal not in (".", ","):
        raise InputError(f"{options.decimal!r} is no decimal sign.", hint="use a point or a comma")
    try:
        encoding = codecs.lookup(options.encoding).name
    except LookupError as error:
        raise InputError(f'There is no encoding "{options.encoding}".', hint="use utf-8 or cp1252") from error
    if encoding not in ENCODINGS:
        raise InputError(
            f'The encoding "{options.encoding}" is not offered for exports.', hint=f"choose from {', '.join(ENCODINGS)}"
        )
    return replace(options, encoding=encoding)


def _check_name(name: str, what: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", name):
        raise InputError(f'"{name}" cannot name the {what}.', hint="use letters, digits, - and _")


def _crs_name(layer: Layer) -> str:
    authority = layer.crs.to_authority()
    return ":".join(authority) if authority else str(layer.crs.name)


def _moved(file: Path, target: Path, rows: int) -> ExportedFile:
    path = target / file.name
    size = file.stat().st_size
    file.replace(path)
    return ExportedFile(path, size, rows)
