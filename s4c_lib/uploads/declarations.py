"""Declarations of a site and year: from a file to a version in force, or a report that says why not."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import shapely
from pyproj import CRS
from sqlalchemy import Connection

from s4c_lib.catalog import auxdata, parcel_sets
from s4c_lib.catalog.auxdata import AuxdataVersion
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.parcel_sets import NewParcelSet, ParcelSet, known_parcels, read_known
from s4c_lib.catalog.sites import Site, site_tiles
from s4c_lib.errors import StorageError
from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.parcels.checking import (
    CheckedDeclarations,
    CheckOptions,
    Progress,
    Surroundings,
    check_declarations,
    silent,
)
from s4c_lib.parcels.crop_lut import CropLut
from s4c_lib.parcels.declared import ColumnMapping, Objects
from s4c_lib.parcels.findings import Finding, Report, Severity, finding, ordered
from s4c_lib.parcels.findings import stored_report as findings_of
from s4c_lib.parcels.geometry_blocks import reproject
from s4c_lib.parcels.geometry_checks import shared_ground
from s4c_lib.parcels.identity import Mode, NextVersion, ParcelRows, assembled, assign_numbers, next_version
from s4c_lib.parcels.mapping import mapping_as_dict
from s4c_lib.parcels.pixel_counts import not_monitorable
from s4c_lib.uploads.pixels import VersionPixels, count_pixels
from s4c_lib.uploads.version_files import PageAbout, write_beside, write_page

LOCK_WAIT_SECONDS: Final = 5.0
# Of the parcels in force: fewer or more look like a part of a delivery (DECL-50).
_FEWEST, _MOST = 0.7, 1.3


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What is to be imported, and how."""

    path: Path
    mapping: ColumnMapping
    year: int
    mode: Mode = Mode.UPDATE
    options: CheckOptions = field(default_factory=CheckOptions)


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What became of it.

    Parameters
    ----------
    parcel_set : the version in force; None when the file was refused, and at a dry run.
    changed : False when this very file was in force already.
    report_page : HTML beside the report.
    """

    report: Report
    parcel_set: ParcelSet | None
    version: AuxdataVersion | None
    changed: bool
    report_page: Path | None


def import_declarations(
    database: Database,
    site: Site,
    request: ImportRequest,
    *,
    storage: Path,
    actor: str,
    now: datetime,
    dry_run: bool = False,
    progress: Progress = silent,
) -> ImportOutcome:
    """Check a file and, when it is sound, put it in force.

    The version in force stays untouched until the new one is complete. A refused file is no error: the outcome's
    report says why.

    Parameters
    ----------
    storage : folder of the site's declarations (`site_settings`); ``{year}/v{nnn}`` are made in it.
    now : moment of the import, with time zone.
    dry_run : check against the version in force and report, store nothing.

    Raises
    ------
    InputError : the file does not exist, or a number runs out.
    ConflictError : another import of this site and year is under way.
    StorageError, DatabaseUnavailableError : nothing has changed.
    """
    if dry_run:
        return ImportOutcome(_prepared(database, site, request, now, progress)[1], None, None, False, None)
    with parcel_sets.import_lock(database, site.id, request.year, wait_seconds=LOCK_WAIT_SECONDS):
        kept = _kept_copy(request.path, storage / str(request.year) / "uploads")
        with database.begin() as connection:
            version, new = auxdata.upload(
                connection,
                site.id,
                auxdata.Kind.DECLARATIONS,
                request.year,
                file_name=request.path.name,
                content=kept,
                parameters=_parameters(request),
                actor=actor,
            )
            if not new and version.state is auxdata.State.ACTIVE:
                current = parcel_sets.active_set(connection, site.id, request.year)
                if current is not None:
                    return _as_before(request, version, current, parcel_sets.report_of(connection, current.id))
            auxdata.start_validation(connection, version.id, actor=actor)
        prepared, report = _prepared(database, site, request, now, progress)
        if prepared is None or report.refused:
            with database.begin() as connection:
                version = auxdata.reject(connection, version.id, report=report.as_dict(), actor=actor)
            about = PageAbout(site.name, request.year, now)
            page = write_page(storage / str(request.year) / "refused", f"{version.id}", report, about, None)
            return ImportOutcome(report, None, version, False, page)
        progress("store", 0)
        with database.begin() as connection:
            stored = parcel_sets.activate(
                connection,
                _new_set(site, request, version, prepared, report),
                storage,
                actor=actor,
            )
            version = auxdata.get_version(connection, version.id)
        progress("store", 1)
        about = PageAbout(site.name, request.year, now)
        beside = write_beside(stored, prepared.pixels, prepared.checked, report, about)
        return ImportOutcome(report, stored, version, True, beside)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A version ready to be stored; ``geometry`` of all its parcels, None where they take no part."""

    checked: CheckedDeclarations
    base: ParcelSet | None
    next: NextVersion
    parcels: pa.Table
    geometry: Objects
    pixels: VersionPixels


def _prepared(
    database: Database, site: Site, request: ImportRequest, now: datetime, progress: Progress
) -> tuple[_Prepared | None, Report]:
    """Everything up to the transaction that stores it."""
    with database.begin() as connection:
        tiles = tuple(
            Sentinel2Tile(tile.tile, tile.epsg, tile.ulx, tile.uly)
            for tile in site_tiles(connection, site.id)
            if tile.selected
        )
        lut = _lut(connection, site, request.year)
    checked, report = check_declarations(
        request.path,
        request.mapping,
        request.options,
        surroundings=Surroundings(site.name, site.geometry, tiles),
        lut=lut,
        progress=progress,
    )
    if checked is None or report.refused:
        return None, report
    progress("identity", 0)
    with database.begin() as connection:
        base, known_rows = read_known(connection, site.id, request.year)
        holdings = parcel_sets.known_holdings(connection, site.id, request.year)
    known_rows = _in_system(known_rows, base, checked.crs)
    delivery = ParcelRows(checked.ori_id, checked.rows.ori_hold, checked.rows.ori_crop, checked.facts.geometry)
    version = next_version(delivery, known_parcels(known_rows), request.mode)
    parcels = assembled(version, _delivered(checked, holdings), known_rows, now)
    takes_part = _flags(parcels, "geom_valid") | _flags(parcels, "geom_repaired")
    geometry = _outlines(version, checked.facts.geometry, parcels)
    geometry[~takes_part | _flags(parcels, "is_deleted")] = None
    if ((version.row < 0) & ~version.is_deleted).any():
        parcels = _with_shared_ground(parcels, geometry, checked.crs, request)
    pixels = count_pixels(
        version.new_id, geometry, checked.crs, tiles, profile=request.options.profile, progress=progress
    )
    parcels = _with_pixels(parcels, pixels)
    more = [*_about_size(version, base, len(delivery)), *_about_pixels(parcels, pixels)]
    report = replace(
        report,
        findings=ordered([*report.findings, *more]),
        facts={**report.facts, "mode": str(request.mode), "changes": version.counts(), "year": request.year},
    )
    return _Prepared(checked, base, version, parcels, geometry, pixels), report


def _outlines(version: NextVersion, delivered: Objects, parcels: pa.Table) -> Objects:
    """Outlines of all parcels: the delivery's own objects, and those carried over."""
    outlines = np.empty(len(version), dtype=object)
    named = version.row >= 0
    outlines[named] = delivered[version.row[named]]
    carried = np.flatnonzero(~named)
    wkb = parcels["geom"].take(pa.array(carried)).to_numpy(zero_copy_only=False)
    outlines[carried] = shapely.from_wkb(wkb)
    return outlines


def _lut(connection: Connection, site: Site, year: int) -> CropLut | None:
    active = auxdata.active_version(connection, site.id, auxdata.Kind.LUT, year)
    return None if active is None else CropLut.from_dict(auxdata.parsed_of(connection, active.id))


def _in_system(rows: pa.Table, base: ParcelSet | None, crs: CRS) -> pa.Table:
    """Known parcels with their outlines in the system of the delivery."""
    if base is None or CRS.from_wkt(base.crs_wkt).equals(crs, ignore_axis_order=True):
        return rows
    outlines = shapely.from_wkb(rows["geom"].to_numpy(zero_copy_only=False))
    moved = shapely.to_wkb(reproject(outlines, CRS.from_wkt(base.crs_wkt), crs))
    return rows.set_column(rows.column_names.index("geom"), "geom", pa.array(moved, pa.binary()))


def _delivered(checked: CheckedDeclarations, holdings: pa.Table) -> pa.Table:
    """Columns of the delivery as they are stored, in the order of its rows."""
    rows, facts = checked.rows, checked.facts
    numbers = assign_numbers(
        rows.ori_hold, holdings["ori_hold"].to_numpy(zero_copy_only=False), holdings["hold_id"].to_numpy()
    )
    count = len(rows)
    return pa.table(
        {
            "hold_id": pa.array(numbers, pa.int32(), mask=numbers == 0),
            "ori_id": pa.array(checked.ori_id, pa.string()),
            "ori_id_raw": pa.array(rows.ori_id_raw, pa.string()),
            "ori_hold": pa.array(rows.ori_hold, pa.string()),
            "ori_crop": pa.array(rows.ori_crop, pa.string()),
            "geom": pa.array(shapely.to_wkb(facts.geometry), pa.binary()),
            "geom_valid": pa.array(facts.geom_valid),
            "geom_repaired": pa.array(facts.geom_repaired),
            "n_parts": pa.array(facts.n_parts, pa.int32()),
            "area_meters": pa.array(facts.area_m2, pa.float64()),
            "shape_ind": _nullable(facts.shape_ind),
            "overlap": pa.array(facts.overlap),
            "overlap_amount": pa.array(facts.overlap_amount, pa.float64()),
            "duplic": pa.array(facts.duplic),
            "duplic_group": pa.array(facts.duplic_group, pa.int32()),
            "s2_pix": pa.nulls(count, pa.int32()),
            "s1_pix": pa.nulls(count, pa.int32()),
            "shared_pix": pa.nulls(count, pa.int32()),
            "primary_tile": pa.nulls(count, pa.string()),
            "declared_area": _nullable(rows.declared_area),
            "src_row": pa.array(rows.src_row, pa.int64()),
            "attrs": pa.nulls(count, pa.string()),
        }
    )


def _nullable(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> pa.Array:
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def _flags(table: pa.Table, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.bool_)


def _replaced(table: pa.Table, columns: Mapping[str, pa.Array]) -> pa.Table:
    for name, column in columns.items():
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def _with_shared_ground(parcels: pa.Table, geometry: Objects, crs: CRS, request: ImportRequest) -> pa.Table:
    """Overlaps and duplicates over delivered and carried parcels together."""
    ground = shared_ground(
        geometry,
        crs,
        profile="reference" if request.options.profile == "reference" else "default",
        overlap_threshold=request.options.overlap_threshold,
    )
    return _replaced(
        parcels,
        {
            "overlap": pa.array(ground.overlap),
            "overlap_amount": pa.array(ground.pairs.amount, pa.float64()),
            "duplic": pa.array(ground.duplic_group > 0),
            "duplic_group": pa.array(ground.duplic_group, pa.int32()),
        },
    )


def _with_pixels(parcels: pa.Table, pixels: VersionPixels) -> pa.Table:
    counts = pixels.counts
    return _replaced(
        parcels,
        {
            "s2_pix": pa.array(counts.s2_pix, pa.int32()),
            "s1_pix": pa.array(counts.s1_pix, pa.int32()),
            "shared_pix": pa.array(counts.shared_pix, pa.int32()),
            "primary_tile": pa.array(counts.primary_tile, pa.string()),
        },
    )


def _about_size(version: NextVersion, base: ParcelSet | None, delivered: int) -> list[Finding]:
    """DECL-50: far fewer or more parcels than are in force."""
    before = int(((version.known >= 0) & (version.change >= 0)).sum()) if base is not None else 0
    if not before or _FEWEST <= delivered / before <= _MOST:
        return []
    message = f'{delivered} parcels, active version has {before}. Is this a partial delivery? Use "incremental".'
    return [finding("DECL-50", Severity.WARNING, message, count=delivered)]


def _about_pixels(parcels: pa.Table, pixels: VersionPixels) -> list[Finding]:
    names = parcels["ori_id"].to_numpy(zero_copy_only=False)
    rows = parcels["src_row"].to_numpy(zero_copy_only=False)
    few = not_monitorable(
        pixels.counts,
        parcels["area_meters"].to_numpy(),
        np.nan_to_num(np.asarray(rows, dtype=np.float64)).astype(np.int64),
        names,
        in_force=~_flags(parcels, "is_deleted"),
    )
    return [] if few is None else [few]


def _parameters(request: ImportRequest) -> dict[str, Any]:
    """What makes two imports of the same bytes different."""
    options = {key: value for key, value in asdict(request.options).items() if key != "limits" and value is not None}
    return {"mapping": mapping_as_dict(request.mapping), "mode": str(request.mode), **options}


def _new_set(
    site: Site, request: ImportRequest, version: AuxdataVersion, prepared: _Prepared, report: Report
) -> NewParcelSet:
    checked = prepared.checked
    return NewParcelSet(
        site_id=site.id,
        year=request.year,
        auxdata_version_id=version.id,
        base_id=None if prepared.base is None else prepared.base.id,
        mode=request.mode,
        crs=checked.crs,
        mapping=request.mapping,
        profile=request.options.profile,
        counts={**prepared.next.counts(), "rows": report.rows, "set_aside": report.set_aside},
        report=report.as_dict(),
        parcels=prepared.parcels,
        tables={"attributes": checked.rows.attributes, "rejects": checked.rejects},
        pixels=prepared.pixels.rows,
    )


def _kept_copy(path: Path, folder: Path) -> Path:
    """The upload under its checksum: what was imported can be looked at later, whatever becomes of the user's file."""
    sha256, _ = auxdata.digest(path)
    target = folder / f"{sha256[:16]}{''.join(path.suffixes[-2:])}"
    if target.exists():
        return target
    partial = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=folder, prefix=".upload-")
        os.close(handle)
        shutil.copyfile(path, partial)
        Path(partial).replace(target)
    except OSError as error:
        if partial is not None:
            Path(partial).unlink(missing_ok=True)
        raise StorageError(f"{path.name} could not be kept in {folder}: {error.strerror or error}.") from error
    return target


def stored_report(connection: Connection, parcel_set: ParcelSet) -> Report:
    """The report a version was imported with."""
    version = auxdata.get_version(connection, parcel_set.auxdata_version_id)
    return findings_of(parcel_sets.report_of(connection, parcel_set.id), version.file_name)


def _as_before(
    request: ImportRequest, version: AuxdataVersion, current: ParcelSet, stored: Mapping[str, Any]
) -> ImportOutcome:
    """The outcome of the import that put this very file in force."""
    page = Path(current.folder) / "report.html"
    report = findings_of(stored, request.path.name)
    return ImportOutcome(report, current, version, False, page if page.exists() else None)
