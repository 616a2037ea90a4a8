"""Versions of the declarations of a site and year: into force in one transaction, out of the way when unused.

A version is complete or it does not exist. Its files are written before its rows, so whatever fails leaves the version
in force as it was, and at most a folder that the next import replaces. Superseded versions stay, with their numbers,
as long as a product or an open job refers to them; of the others the latest two are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from pyproj import CRS
from sqlalchemy import Connection, RowMapping, text
from sqlalchemy.exc import OperationalError

from s4c_lib.catalog import auxdata
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.parcel_copy import COLUMN_TYPES, copy_in, copy_out
from s4c_lib.catalog.parcel_sets_files import remove_version_folder, version_folder, write_version_folder
from s4c_lib.catalog.parcel_sets_rows import PARCEL_COLUMNS, read_parcels, store_parcels, store_pixels
from s4c_lib.errors import ConflictError, NotFoundError
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.parcels.identity import KnownParcels, Mode, ParcelRows

KEPT: Final = 2
_LOCK_NOT_AVAILABLE: Final = "55P03"


class SetState(StrEnum):
    """Where a version stands."""

    ACTIVE = "active"
    SUPERSEDED = "superseded"
    REMOVED = "removed"  # parcels and folder are gone


@dataclass(frozen=True, slots=True)
class ParcelSet:
    """A version of the declarations.

    Parameters
    ----------
    version : 1 and up in a site and year.
    base_id : the version its numbers go on from.
    srid : EPSG code of the geometry, 0 where its system has none; ``crs_wkt`` says it in any case.
    counts : parcels of each change class and whatever else was counted.
    folder : its files.
    """

    id: int
    site_id: int
    year: int
    version: int
    auxdata_version_id: int
    base_id: int | None
    mode: Mode
    srid: int
    crs_wkt: str
    mapping: Mapping[str, Any]
    profile: str
    counts: Mapping[str, Any]
    folder: str
    state: SetState
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class NewParcelSet:
    """What comes into force.

    Parameters
    ----------
    auxdata_version_id : the upload, being validated.
    base_id : number of the version in force its identities were computed against, None for the first.
    parcels : all parcels of the version with `parcel_sets_rows.PARCEL_COLUMNS`, the deleted ones too, by number.
    tables : further tables for its folder, by file name without suffix: ``attributes`` (all original columns, with
        ``src_row``), ``rejects``.
    pixels : pixels of parcels on each grid, with `parcel_sets_rows.PIXEL_COLUMNS`.
    """

    site_id: int
    year: int
    auxdata_version_id: int
    base_id: int | None
    mode: Mode
    crs: CRS
    mapping: ColumnMapping
    profile: str
    counts: Mapping[str, Any]
    report: Mapping[str, Any]
    parcels: pa.Table = field(repr=False)
    tables: Mapping[str, pa.Table] = field(repr=False)
    pixels: pa.Table | None = field(default=None, repr=False)


_COLUMNS = (
    "id, site_id, year, version, auxdata_version_id, base_id, mode, srid, crs_wkt, mapping, profile, counts, folder, "
    "state, created_at, created_by"
)


def _set(row: RowMapping) -> ParcelSet:
    return ParcelSet(**{**row, "mode": Mode(row["mode"]), "state": SetState(row["state"])})


@contextmanager
def import_lock(database: Database, site_id: int, year: int, *, wait_seconds: float) -> Iterator[None]:
    """Keep imports of a site and year apart, from reading the version in force to replacing it.

    The lock ends with the process, however that ends.

    Raises
    ------
    ConflictError : another import takes longer than that, or the site is being deleted.
    DatabaseUnavailableError : the server cannot be reached, or went away meanwhile.
    """
    with database.begin() as connection:
        # A transaction that only waits holds nothing else back: it has no snapshot.
        connection.execute(
            text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": f"{wait_seconds * 1000:.0f}ms"}
        )
        try:
            connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"),
                {"key": f"declarations {site_id} {year}"},
            )
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
                raise
            raise ConflictError(
                f"Another import of the declarations of {year} runs since more than {wait_seconds:g} s.",
                hint="wait for it to end",
            ) from error
        connection.execute(
            text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:key, 0))"), {"key": f"imports {site_id}"}
        )
        with database.begin() as short:
            statement = text("SELECT deleting_since IS NOT NULL FROM s4c.site WHERE id = :id")
            deleting = short.execute(statement, {"id": site_id}).scalar_one_or_none()
        if deleting:
            raise ConflictError("The site is being deleted; nothing is imported into it.")
        yield


def import_under_way(connection: Connection, site_id: int) -> bool:
    """Tell whether a process imports declarations of a site."""
    free = connection.execute(
        text("SELECT pg_try_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"imports {site_id}"}
    ).scalar_one()
    return not free


def activate(connection: Connection, new: NewParcelSet, site_folder: Path, *, actor: str) -> ParcelSet:
    """Put a version in force, within the connection's transaction; the one before is superseded.

    The same upload that is in force already, imported by someone else meanwhile, is returned as it is.

    Parameters
    ----------
    site_folder : ``…/{site}``; the files go to ``{site}/{year}/v{nnn}/``.

    Raises
    ------
    ConflictError : another version came into force since the identities were computed.
    InputError, StorageError, DatabaseUnavailableError : the version in force stays.
    """
    auxdata.lock_key(connection, new.site_id, auxdata.Kind.DECLARATIONS, new.year)
    current = active_set(connection, new.site_id, new.year)
    if current is not None and current.auxdata_version_id == new.auxdata_version_id:
        return current
    if (None if current is None else current.id) != new.base_id:
        raise ConflictError(
            f"The declarations of {new.year} were replaced while these were checked.", hint="import them again"
        )
    version = _next_number(connection, new.site_id, new.year)
    folder = version_folder(site_folder, new.year, version)
    write_version_folder(folder, new.parcels, new.crs, new.tables, new.report)
    try:
        connection.execute(
            text(
                "UPDATE s4c.parcel_set SET state = 'superseded' "
                "WHERE site_id = :site_id AND year = :year AND state = 'active'"
            ),
            {"site_id": new.site_id, "year": new.year},
        )
        parcel_set = _insert(connection, new, version, folder, actor)
        store_parcels(connection, parcel_set, new.parcels)
        if new.pixels is not None:
            store_pixels(connection, parcel_set.id, new.pixels)
        _store_holdings(connection, new)
        auxdata.activate(connection, new.auxdata_version_id, report=new.report, parsed=None, actor=actor)
    except BaseException:
        remove_version_folder(folder)
        raise
    return parcel_set


def _next_number(connection: Connection, site_id: int, year: int) -> int:
    statement = text(
        "SELECT coalesce(max(version), 0) + 1 FROM s4c.parcel_set WHERE site_id = :site_id AND year = :year"
    )
    return int(connection.execute(statement, {"site_id": site_id, "year": year}).scalar_one())


def _insert(connection: Connection, new: NewParcelSet, version: int, folder: Path, actor: str) -> ParcelSet:
    statement = text(
        f"""
        INSERT INTO s4c.parcel_set
            (site_id, year, version, auxdata_version_id, base_id, mode, srid, crs_wkt, mapping, profile, counts, report,
             folder, created_by)
        VALUES (:site_id, :year, :version, :auxdata_version_id, :base_id, CAST(:mode AS s4c.import_mode), :srid,
                :crs_wkt, CAST(:mapping AS jsonb), :profile, CAST(:counts AS jsonb), CAST(:report AS jsonb), :folder,
                :actor)
        RETURNING {_COLUMNS}
        """
    )
    values = {
        "site_id": new.site_id,
        "year": new.year,
        "version": version,
        "auxdata_version_id": new.auxdata_version_id,
        "base_id": new.base_id,
        "mode": new.mode,
        "srid": new.crs.to_epsg() or 0,
        "crs_wkt": new.crs.to_wkt(),
        "mapping": json.dumps(asdict(new.mapping)),
        "profile": new.profile,
        "counts": json.dumps(dict(new.counts)),
        "report": json.dumps(dict(new.report)),
        "folder": str(folder),
        "actor": actor,
    }
    return _set(connection.execute(statement, values).mappings().one())


def _store_holdings(connection: Connection, new: NewParcelSet) -> None:
    named = new.parcels.select(["hold_id", "ori_hold"]).filter(pc.is_valid(new.parcels["hold_id"]))
    holdings = named.group_by(["hold_id", "ori_hold"]).aggregate([])
    known = known_holdings(connection, new.site_id, new.year)
    fresh = holdings.filter(pc.invert(pc.is_in(holdings["hold_id"], value_set=known["hold_id"].combine_chunks())))
    rows = fresh.append_column("site_id", pa.repeat(pa.scalar(new.site_id, pa.int64()), len(fresh)))
    rows = rows.append_column("year", pa.repeat(pa.scalar(new.year, pa.int32()), len(fresh)))
    kinds = {"site_id": "bigint", "year": "integer", "hold_id": "integer", "ori_hold": "text"}
    copy_in(connection, "holding", rows, kinds, freeze=False)


def known_holdings(connection: Connection, site_id: int, year: int) -> pa.Table:
    """Return ``hold_id`` and ``ori_hold`` of every holding ever numbered in a site and year, for new numbers."""
    return copy_out(
        connection,
        "SELECT hold_id, ori_hold FROM s4c.holding WHERE site_id = %(site)s AND year = %(year)s ORDER BY hold_id",
        {"site": site_id, "year": year},
        {"hold_id": "integer", "ori_hold": "text"},
    )


def known_parcels(rows: pa.Table) -> KnownParcels:
    """Return what a delivery is compared with, from the rows of the version in force, the deleted ones too.

    Parameters
    ----------
    rows : of ``read_parcels(..., with_deleted=True)`` with ``new_id, is_deleted, ori_id, ori_hold, ori_crop, geom``.
    """

    def objects(name: str) -> Any:
        return rows[name].to_numpy() if len(rows) else np.empty(0, object)

    return KnownParcels(
        ParcelRows(
            objects("ori_id"), objects("ori_hold"), objects("ori_crop"), np.asarray(shapely.from_wkb(objects("geom")))
        ),
        rows["new_id"].to_numpy(),
        rows["is_deleted"].to_numpy(),
    )


def read_known(connection: Connection, site_id: int, year: int) -> tuple[ParcelSet | None, pa.Table]:
    """Return the version in force with all its rows; without one, None and no rows."""
    current = active_set(connection, site_id, year)
    if current is None:
        return None, pa.table({name: pa.array([], COLUMN_TYPES[kind]) for name, kind in PARCEL_COLUMNS.items()})
    return current, read_parcels(connection, current, with_deleted=True)


def active_set(connection: Connection, site_id: int, year: int) -> ParcelSet | None:
    """Return the version in force, or None."""
    statement = text(
        f"SELECT {_COLUMNS} FROM s4c.parcel_set WHERE site_id = :site_id AND year = :year AND state = 'active'"
    )
    row = connection.execute(statement, {"site_id": site_id, "year": year}).mappings().one_or_none()
    return None if row is None else _set(row)


def get_set(connection: Connection, set_id: int) -> ParcelSet:
    """Return a version by number.

    Raises
    ------
    NotFoundError : there is none.
    """
    statement = text(f"SELECT {_COLUMNS} FROM s4c.parcel_set WHERE id = :id")
    row = connection.execute(statement, {"id": set_id}).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no version {set_id} of declarations.", hint="it may have gone with its site")
    return _set(row)


def list_sets(connection: Connection, site_id: int, year: int | None = None) -> list[ParcelSet]:
    """Return the versions of a site, by year and version, newest first."""
    statement = text(
        f"""
        SELECT {_COLUMNS} FROM s4c.parcel_set
        WHERE site_id = :site_id AND (CAST(:year AS integer) IS NULL OR year = :year)
        ORDER BY year DESC, version DESC
        """
    )
    return [_set(row) for row in connection.execute(statement, {"site_id": site_id, "year": year}).mappings()]


def report_of(connection: Connection, set_id: int) -> Mapping[str, Any]:
    """Return the report a version was imported with."""
    get_set(connection, set_id)
    statement = text("SELECT report FROM s4c.parcel_set WHERE id = :id")
    report: Mapping[str, Any] = connection.execute(statement, {"id": set_id}).scalar_one()
    return report


def record_use(
    connection: Connection, set_id: int, *, job_id: int | None = None, product_id: int | None = None
) -> None:
    """Say that a job or a product reads a version: it is not removed as long as the product or the open job is.

    Raises
    ------
    ConflictError : the version was removed.
    """
    # shared with other users, against `remove_unused`
    statement = text("SELECT state FROM s4c.parcel_set WHERE id = :id FOR SHARE")
    if connection.execute(statement, {"id": set_id}).scalar_one_or_none() in (None, SetState.REMOVED):
        raise ConflictError(f"Version {set_id} of the declarations is not there any more.", hint="start the run again")
    connection.execute(
        text(
            "INSERT INTO s4c.parcel_set_use (parcel_set_id, job_id, product_id) VALUES (:id, :job_id, :product_id) "
            "ON CONFLICT ON CONSTRAINT parcel_set_use_key DO NOTHING"
        ),
        {"id": set_id, "job_id": job_id, "product_id": product_id},
    )


def remove_unused(connection: Connection, site_id: int, year: int, *, keep: int = KEPT) -> list[ParcelSet]:
    """Remove the parcels of superseded versions that nothing refers to, but for the latest ones.

    Parameters
    ----------
    keep : of the latest versions, the one in force included.

    Returns
    -------
    Those removed; their folders are the caller's to delete once the transaction has ended.
    """
    auxdata.lock_key(connection, site_id, auxdata.Kind.DECLARATIONS, year)
    statement = text(
        f"""
        UPDATE s4c.parcel_set SET state = 'removed' WHERE id IN (
            SELECT p.id FROM s4c.parcel_set p
            WHERE p.site_id = :site_id AND p.year = :year AND p.state = 'superseded'
              AND p.version <= (SELECT max(version) FROM s4c.parcel_set
                                WHERE site_id = :site_id AND year = :year) - :keep
              AND NOT EXISTS (
                  SELECT 1 FROM s4c.parcel_set_use u LEFT JOIN s4c.job j ON j.id = u.job_id
                  WHERE u.parcel_set_id = p.id
                    AND (u.product_id IS NOT NULL
                         OR j.state NOT IN ('succeeded', 'failed', 'cancelled', 'skipped'))
              )
            FOR UPDATE
        ) RETURNING {_COLUMNS}
        """
    )
    rows = connection.execute(statement, {"site_id": site_id, "year": year, "keep": keep}).mappings()
    return sorted((_set(row) for row in rows), key=lambda item: item.version)
