"""Reading declarations: every row of the file as columns, and which rows are set aside (3.1, 3.2, DECL-20 to -22)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from s4c_lib.geography.archives import ArchiveLimits
from s4c_lib.parcels.canonical import canonical
from s4c_lib.parcels.datasets import Dataset, Format, opened_dataset, size_findings, stated_crs
from s4c_lib.parcels.declared import ColumnMapping, DeclaredRows
from s4c_lib.parcels.encoding import OF_THE_FORMAT, Encoding, decide_encoding
from s4c_lib.parcels.encoding_dbf import deleted_records, field_names
from s4c_lib.parcels.findings import EXAMPLES, Finding, Severity, finding
from s4c_lib.parcels.identifiers import joined
from s4c_lib.parcels.mapping import AREA_UNITS, ROW_NUMBER, suggest, validated, without_clashes
from s4c_lib.parcels.reading_batches import Batch, Source, TextFaults, opened_source
from s4c_lib.parcels.reading_geometry import (
    MULTIPOLYGON,
    POLYGON,
    reduced_collections,
    shapes_of,
    straightened,
)

MAX_REJECT_PCT: Final = 1.0
Progress = Callable[[str, float], None]
"""Told which step is being taken, and what part of it is done (0 to 1)."""
Flags = npt.NDArray[np.bool_]


def read_declared(
    path: Path,
    mapping: ColumnMapping,
    *,
    layer: str | None = None,
    encoding: str | None = None,
    epsg: int | None = None,
    country: str | None = None,
    na_is_crop: bool = False,
    limits: ArchiveLimits | None = None,
    work_dir: Path | None = None,
    progress: Progress | None = None,
) -> tuple[DeclaredRows, list[Finding]]:
    """Read all rows of a declaration file; none is left out.

    Parameters
    ----------
    path : zip archive, Shapefile, GeoPackage, GeoParquet, FlatGeobuf or GeoJSON.
    mapping : which column holds what; names are those of the file, ``src_row`` is the number of the row.
    layer : dataset of an archive or layer of a GeoPackage, when there are several.
    encoding : of the text, chosen by the user; else decided (`decide_encoding`).
    epsg : coordinate system of a file that states none.
    country : of the site, ISO 3166; tells the code page when nothing else does.
    na_is_crop : ``NA`` is a crop code, because the LUT lists it.
    limits, work_dir : of the unpacking of an archive.
    progress : called with the step and the fraction done.

    Returns
    -------
    DeclaredRows and findings: CRS-01 (refused: no coordinate system), DECL-10 to -15 (the file) and DECL-25 to -29
    (what was changed on reading). Rows without identifier or polygon are found by `set_aside`.

    Raises
    ------
    InputError : ZIP-01 to -09, DECL-10 (encoding), DECL-20 (mapping), or the file cannot be read.
    """
    with opened_dataset(path, layer=layer, limits=limits, work_dir=work_dir) as dataset:
        page = dataset_encoding(dataset, encoding, country, epsg)
        with opened_source(dataset, page) as source:
            spelled = validated(mapping, source.fields)
            crs, findings = stated_crs(source.stated_crs, epsg, dataset.shown)
            parts = _Parts()
            for batch in source.batches:
                parts.add(batch)
                if progress is not None:
                    progress("read", min(1.0, parts.rows / max(1, source.features)))
        parts.straighten(dataset)
        rows, more = _assembled(dataset, page, source, parts, spelled, crs, na_is_crop)
        findings += _remarks(source.remarks)
        findings += [*page.findings(), *_text_findings(source.text_faults), *size_findings(dataset)]
        findings += [*_deleted_findings(dataset), *more]
    return rows, findings


def set_aside(
    rows: DeclaredRows, *, max_reject_pct: float = MAX_REJECT_PCT
) -> tuple[npt.NDArray[np.bool_], list[Finding]]:
    """Which rows are kept, and what is missing in them.

    Parameters
    ----------
    max_reject_pct : share of rows set aside above which the file is refused (``declaration.max_reject_pct``).

    Returns
    -------
    bool (rows,), True for rows to import; and findings: DECL-21 and -22 (rows set aside), DECL-20 (file refused),
    DECL-23 (holding missing), DECL-24 (crop missing).
    """
    without_id = pc.is_null(pa.array(rows.ori_id_raw, pa.string())).to_numpy(zero_copy_only=False)
    kinds = shapely.get_type_id(rows.geometry)
    # an empty geometry of any kind is one that is missing (DECL-30)
    other = ~np.isin(kinds, (POLYGON, MULTIPOLYGON, -1)) & ~shapely.is_empty(rows.geometry)
    keep = ~(without_id | other)
    findings = []
    if without_id.any():
        message = f"{int(without_id.sum())} rows have no parcel identifier, first in row {_first(rows, without_id)}; "
        findings.append(_about(rows, without_id, "DECL-21", Severity.SET_ASIDE, f"{message}they are set aside."))
    if other.any():
        names = sorted({shapely.geometry.base.GEOMETRY_TYPES[kind] for kind in np.unique(kinds[other])})
        message = f"{int(other.sum())} rows hold no polygon ({', '.join(names)}), first in row {_first(rows, other)}; "
        ids = [_shown(rows.ori_id_raw[row]) for row in np.flatnonzero(other)[:EXAMPLES]]
        findings.append(_about(rows, other, "DECL-22", Severity.SET_ASIDE, f"{message}they are set aside.", ids))
    findings += _refusal(rows, without_id, other, keep, max_reject_pct)
    findings += _missing(rows, keep)
    return keep, findings


def dataset_encoding(
    dataset: Dataset, chosen: str | None = None, country: str | None = None, epsg: int | None = None
) -> Encoding:
    """The encoding of the text of a dataset; only a Shapefile leaves a choice.

    Raises
    ------
    InputError : DECL-10, the page chosen by the user does not fit.
    """
    dbf = dataset.side_file(".dbf") if dataset.format == Format.SHAPEFILE else None
    if dbf is None:
        return OF_THE_FORMAT
    suggestion = suggest(field_names(dbf))
    guess = suggestion.country if suggestion else None
    return decide_encoding(
        dbf,
        cpg=dataset.side_file(".cpg"),
        chosen=chosen,
        country=country,
        guessed_country=guess or _country_of(epsg) or _country_of(_prj_epsg(dataset)),
    )


# National systems of countries whose code page is not that of the west.
_NATIONAL: Final = {
    5513: "CZE", 5514: "CZE", 2065: "CZE", 8352: "SVK", 8353: "SVK", 2176: "POL", 2177: "POL", 2178: "POL",
    2179: "POL", 2180: "POL", 23700: "HUN", 3794: "SVN", 3912: "SVN", 3765: "HRV", 3844: "ROU", 31700: "ROU",
    7801: "BGR", 2100: "GRC", 3346: "LTU", 3059: "LVA", 3301: "EST", 28992: "NLD", 31370: "BEL", 3812: "BEL",
    2154: "FRA", 2169: "LUX", 2157: "IRL", 3003: "ITA", 3004: "ITA", 3763: "PRT", 3067: "FIN", 3006: "SWE",
}  # fmt: skip


def _country_of(epsg: int | None) -> str | None:
    return _NATIONAL.get(epsg) if epsg is not None else None


def _prj_epsg(dataset: Dataset) -> int | None:
    prj = dataset.side_file(".prj")
    if prj is None:
        return None
    crs, _ = stated_crs(prj.read_bytes().decode("latin-1"), None, dataset.shown)
    return crs.to_epsg(min_confidence=25) if crs is not None else None


@dataclass(slots=True)
class _Parts:
    """Batches on their way to whole columns."""

    rows: int = 0
    number: list[npt.NDArray[np.int64]] = field(default_factory=list)
    fid: list[npt.NDArray[np.int64]] = field(default_factory=list)
    geometry: list[npt.NDArray[np.object_]] = field(default_factory=list)
    had_z: list[Flags] = field(default_factory=list)
    curved: list[Flags] = field(default_factory=list)
    unreadable: list[Flags] = field(default_factory=list)
    reduced: list[Flags] = field(default_factory=list)
    attributes: list[pa.RecordBatch] = field(default_factory=list)

    def add(self, batch: Batch) -> None:
        """Take a batch; its binary geometries are let go."""
        shapes = shapes_of(batch.wkb)
        self.number.append(batch.number)
        self.fid.append(batch.fid)
        self.geometry.append(shapes.geometry)
        self.had_z.append(shapes.had_z)
        self.curved.append(shapes.curved)
        self.unreadable.append(shapes.unreadable)
        self.reduced.append(shapes.reduced)
        self.attributes.append(batch.attributes)
        self.rows += len(batch.number)

    def straighten(self, dataset: Dataset) -> None:
        """Read the curved rows again with straight edges."""
        for position, curved in enumerate(self.curved):
            rows = np.flatnonzero(curved)
            if not len(rows):
                continue
            straight = straightened(dataset, self.fid[position][rows].tolist())
            if straight is None:
                self.unreadable[position][rows] = True
                curved[rows] = False
                continue
            self.reduced[position][rows] = reduced_collections(straight)
            self.geometry[position][rows] = straight


def _assembled(
    dataset: Dataset,
    page: Encoding,
    source: Source,
    parts: _Parts,
    mapping: ColumnMapping,
    crs: Any,
    na_is_crop: bool,
) -> tuple[DeclaredRows, list[Finding]]:
    src_row: npt.NDArray[np.int64] = _whole(parts.number, np.int64)
    renamed = without_clashes(source.fields)
    table = _attributes(parts.attributes, [renamed[name] for name in source.fields], src_row)

    def column(name: str) -> Any:
        return table[renamed.get(name, ROW_NUMBER)]

    area, bad_area = _area(column(mapping.area) if mapping.area else None, mapping.area_unit, len(src_row))
    nobody: npt.NDArray[np.object_] = np.full(len(src_row), None, dtype=object)
    rows = DeclaredRows(
        layer=dataset.layer,
        encoding=page.name,
        crs=crs,
        src_row=src_row,
        geometry=_whole(parts.geometry, np.object_),
        had_z=_whole(parts.had_z, np.bool_),
        was_curved=_whole(parts.curved, np.bool_),
        ori_id_raw=joined([column(name) for name in mapping.parcel_id]),
        ori_hold=joined([column(name) for name in mapping.holding]) if mapping.holding else nobody,
        ori_crop=canonical(column(mapping.crop), na_is_value=na_is_crop),
        declared_area=area,
        attributes=table,
    )
    findings = _change_findings(rows, _whole(parts.unreadable, np.bool_), _whole(parts.reduced, np.bool_))
    clashes = [f"{old} -> {new}" for old, new in renamed.items() if old != new]
    if clashes:
        message = f"{len(clashes)} columns have names that the import uses itself and were renamed: "
        shown = ", ".join(clashes[:EXAMPLES])
        findings.append(finding("DECL-11", Severity.INFO, f"{message}{shown}.", examples=clashes, count=len(clashes)))
    if bad_area.any():
        message = f"{int(bad_area.sum())} values of column {mapping.area} are no area, first in row "
        message = f"{message}{_first(rows, bad_area)}; the declared area of these rows is not compared."
        findings.append(_about(rows, bad_area, "DECL-27", Severity.WARNING, message))
    return rows, findings


def _whole(parts: Sequence[npt.NDArray[Any]], kind: Any) -> npt.NDArray[Any]:
    return np.concatenate(parts) if parts else np.array([], dtype=kind)


def _attributes(batches: Sequence[pa.RecordBatch], names: list[str], src_row: npt.NDArray[np.int64]) -> pa.Table:
    table = pa.Table.from_batches(batches) if batches else pa.table({name: pa.array([], pa.string()) for name in names})
    return table.rename_columns(names).add_column(0, ROW_NUMBER, pa.array(src_row, pa.int64()))


def _area(column: Any, unit: str, count: int) -> tuple[npt.NDArray[np.float64], Flags]:
    """Area in m2, NaN where there is none; and where something stands that is no area."""
    if column is None:
        return np.full(count, np.nan), np.zeros(count, dtype=np.bool_)
    array = column.combine_chunks()
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        text = pc.replace_substring(pc.utf8_trim_whitespace(array), ",", ".")
        number = pc.match_substring_regex(text, r"^[0-9]+(\.[0-9]*)?$").fill_null(False)
        given = pc.is_valid(array).to_numpy(zero_copy_only=False) & (pc.utf8_length(text).fill_null(0).to_numpy() > 0)
        values = pc.if_else(number, text, None).cast(pa.float64())
    else:
        given = pc.is_valid(array).to_numpy(zero_copy_only=False)
        known = pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_decimal(array.type)
        values = array.cast(pa.float64(), safe=False) if known else pa.nulls(count, pa.float64())
    area = values.to_numpy(zero_copy_only=False) * AREA_UNITS[unit]
    area = np.where(np.isfinite(area) & (area >= 0), area, np.nan)
    return area, given & np.isnan(area)


def _first(rows: DeclaredRows, where: Flags) -> int:
    return int(rows.src_row[np.flatnonzero(where)[0]])


def _shown(value: object) -> str:
    return "(none)" if value is None else str(value)


def _about(
    rows: DeclaredRows,
    where: Flags,
    code: str,
    severity: Severity,
    message: str,
    examples: Sequence[object] = (),
) -> Finding:
    numbers = rows.src_row[where].tolist()
    return finding(code, severity, message, numbers, examples or [f"row {number}" for number in numbers[:EXAMPLES]])


def _refusal(rows: DeclaredRows, without_id: Flags, other: Flags, keep: Flags, max_reject_pct: float) -> list[Finding]:
    total, rejected = len(rows), int((~keep).sum())
    if total == 0:
        return [finding("DECL-20", Severity.REFUSED, f"Layer {rows.layer} holds no rows. Is it the right file?")]
    share = 100 * rejected / total
    if share <= max_reject_pct:
        return []
    what = "have no parcel identifier" if not other.any() else "are no polygon" if not without_id.any() else None
    what = what or "have no parcel identifier or are no polygon"
    message = f"{rejected} of {total} rows ({share:.3g} %) {what}; limit {max_reject_pct:g} %."
    return [_about(rows, ~keep, "DECL-20", Severity.REFUSED, message)]


def _missing(rows: DeclaredRows, keep: Flags) -> list[Finding]:
    """Kept rows without holding or crop; a file of which no holding was mapped has none to miss."""
    findings = []
    holding = keep & pc.is_null(pa.array(rows.ori_hold, pa.string())).to_numpy(zero_copy_only=False)
    crop = keep & pc.is_null(pa.array(rows.ori_crop, pa.string())).to_numpy(zero_copy_only=False)
    for where, code, severity, name, effect in (
        (holding, "DECL-23", Severity.WARNING, "holding", "HoldID stays empty"),
        (crop, "DECL-24", Severity.EXCLUDED, "crop code", "they are imported and not processed"),
    ):
        count = int(where.sum())
        if not count:
            continue
        if code == "DECL-23" and count == int(keep.sum()):
            # a layout without holdings is no fault of its rows
            findings.append(finding(code, Severity.INFO, f"No row has a holding; {effect}.", count=count))
            continue
        message = f"{count} rows have no {name}, first in row {_first(rows, where)}; {effect}."
        ids = [_shown(rows.ori_id_raw[row]) for row in np.flatnonzero(where)[:EXAMPLES]]
        findings.append(_about(rows, where, code, severity, message, ids))
    return findings


def _change_findings(rows: DeclaredRows, unreadable: Flags, reduced: Flags) -> list[Finding]:
    findings = []
    for where, code, severity, what in (
        (rows.had_z, "DECL-25", Severity.INFO, "geometries have heights or measures, which were dropped"),
        (rows.was_curved, "DECL-26", Severity.INFO, "geometries have curves, which were made of straight lines"),
        (unreadable, "DECL-28", Severity.WARNING, "geometries cannot be read and count as missing"),
        (reduced, "DECL-29", Severity.WARNING, "geometry collections were reduced to their polygons"),
    ):
        if where.any():
            message = f"{int(where.sum())} {what}, first in row {_first(rows, where)}."
            findings.append(_about(rows, where, code, severity, message))
    return findings


def _remarks(remarks: Sequence[str]) -> list[Finding]:
    """DECL-15: what GDAL itself remarked while reading."""
    if not remarks:
        return []
    # GDAL names the copy it reads; its folder means nothing to the user.
    distinct = list(dict.fromkeys(re.sub(r"(?<![\w/])/(?:[^/\s]+/)+(?=[^/\s]+)", "", remark) for remark in remarks))
    message = f"{len(remarks)} remarks while reading, first: {distinct[0]}"
    return [finding("DECL-15", Severity.WARNING, message, examples=distinct, count=len(remarks))]


def _text_findings(faults: TextFaults) -> list[Finding]:
    findings = []
    for counts, code, what in (
        (faults.replaced, "DECL-10", "hold bytes that are no text; they were replaced. Choose another encoding"),
        (faults.cut, "DECL-14", "end in the middle of a character, which was dropped: the column is too narrow"),
    ):
        if counts:
            shown = [f"{name}: {count}" for name, count in sorted(counts.items())]
            message = f"{sum(counts.values())} values {what} ({', '.join(shown[:EXAMPLES])})."
            findings.append(finding(code, Severity.WARNING, message, examples=shown, count=sum(counts.values())))
    return findings


def _deleted_findings(dataset: Dataset) -> list[Finding]:
    dbf = dataset.side_file(".dbf") if dataset.format == Format.SHAPEFILE else None
    deleted = deleted_records(dbf) if dbf is not None else []
    if not deleted:
        return []
    message = f"{len(deleted)} records are marked as deleted in the .dbf and were not read, first row {deleted[0]}."
    return [finding("DECL-13", Severity.WARNING, message, deleted, [f"row {row}" for row in deleted[:EXAMPLES]])]
