"""Versions of what users upload: immutable, at most one in force for a site, kind and year.

States: ``uploaded``, ``validating``, then ``active`` or ``rejected``; ``superseded`` when another becomes active
(lpis-and-inputs.md 1.2). A version that was rejected or superseded is validated again when it is uploaded again: what
it is checked against may have changed, and so one goes back to an earlier file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text

from s4c_lib.catalog.seasons import Season
from s4c_lib.errors import InputError, NotFoundError, StorageError, TransitionError


class Kind(StrEnum):
    """What is uploaded."""

    DECLARATIONS = "declarations"
    LUT = "lut"
    L4B_CONFIG = "l4b_config"
    L4C_CONFIG = "l4c_config"
    PRACTICES_CC = "practices_cc"
    PRACTICES_FL = "practices_fl"
    PRACTICES_NFC = "practices_nfc"
    PRACTICES_NA = "practices_na"


PRACTICE_KINDS: Final[Mapping[str, Kind]] = {
    "CC": Kind.PRACTICES_CC,
    "FL": Kind.PRACTICES_FL,
    "NFC": Kind.PRACTICES_NFC,
    "NA": Kind.PRACTICES_NA,
}


class State(StrEnum):
    """Where an upload stands."""

    UPLOADED = "uploaded"
    VALIDATING = "validating"
    ACTIVE = "active"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


# A crashed validation begins anew from `validating`.
_FROM: Final[Mapping[State, frozenset[State]]] = {
    State.VALIDATING: frozenset({State.UPLOADED, State.VALIDATING, State.REJECTED, State.SUPERSEDED}),
    State.ACTIVE: frozenset({State.VALIDATING}),
    State.REJECTED: frozenset({State.VALIDATING}),
    State.SUPERSEDED: frozenset({State.ACTIVE}),
}


@dataclass(frozen=True, slots=True)
class AuxdataVersion:
    """An upload.

    Parameters
    ----------
    path : where the file lies, for declarations; the bytes of other kinds are in the database (`content_of`).
    parameters : what it was to be imported with; part of its identity.
    """

    id: int
    site_id: int
    kind: Kind
    year: int
    file_name: str
    sha256: str
    size_bytes: int
    path: str | None
    parameters: Mapping[str, Any]
    state: State
    uploaded_by: str
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class AuxdataChange:
    """A state an upload came into."""

    version_id: int
    file_name: str
    state: State
    changed_by: str
    changed_at: datetime


_COLUMNS = (
    "v.id, v.site_id, v.kind, v.year, v.file_name, v.sha256, v.size_bytes, v.path, v.parameters, v.state, "
    "v.uploaded_by, v.uploaded_at"
)


def _version(row: RowMapping) -> AuxdataVersion:
    return AuxdataVersion(**{**row, "kind": Kind(row["kind"]), "state": State(row["state"])})


def digest(content: bytes | Path) -> tuple[str, int]:
    """Return the sha256 and the size of an upload, read in pieces when it is a file.

    Raises
    ------
    StorageError : the file cannot be read.
    """
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest(), len(content)
    try:
        with content.open("rb") as file:
            found = hashlib.file_digest(file, "sha256")
            return found.hexdigest(), file.tell()
    except OSError as error:
        raise StorageError(f"{content} cannot be read: {error.strerror or error}.") from error


def upload(
    connection: Connection,
    site_id: int,
    kind: Kind,
    year: int,
    *,
    file_name: str,
    content: bytes | Path,
    parameters: Mapping[str, Any],
    actor: str,
) -> tuple[AuxdataVersion, bool]:
    """Record an upload, or find the same one: same site, kind, year, bytes and parameters.

    Parameters
    ----------
    file_name : as the user calls it; only shown.
    content : bytes are kept in the database; a file stays where it is, its path is kept.

    Returns
    -------
    version, new : False for one that was there before, which may be in any state.

    Raises
    ------
    InputError : a kind other than declarations without bytes.
    StorageError : the file cannot be read.
    """
    if isinstance(content, Path) and kind is not Kind.DECLARATIONS:
        raise InputError(f"The bytes of {kind} are kept in the database.", hint="give the content, not a path")
    sha256, size = digest(content)
    values = {
        "site_id": site_id,
        "kind": kind,
        "year": year,
        "file_name": file_name,
        "sha256": sha256,
        "size_bytes": size,
        "path": str(content) if isinstance(content, Path) else None,
        "content": content if isinstance(content, bytes) else None,
        "parameters": json.dumps(dict(parameters)),
        "actor": actor,
    }
    number = connection.execute(
        text(
            """
            INSERT INTO s4c.auxdata_version
                (site_id, kind, year, file_name, sha256, size_bytes, path, content, parameters, uploaded_by)
            VALUES (:site_id, CAST(:kind AS s4c.auxdata_kind), :year, :file_name, :sha256, :size_bytes, :path,
                    :content, CAST(:parameters AS jsonb), :actor)
            ON CONFLICT ON CONSTRAINT auxdata_version_key DO NOTHING RETURNING id
            """
        ),
        values,
    ).scalar_one_or_none()
    if number is not None:
        _record(connection, number, State.UPLOADED, actor)
        return get_version(connection, number), True
    statement = text(
        f"""
        SELECT {_COLUMNS} FROM s4c.auxdata_version v
        WHERE v.site_id = :site_id AND v.kind = CAST(:kind AS s4c.auxdata_kind) AND v.year = :year
          AND v.sha256 = :sha256 AND v.parameters = CAST(:parameters AS jsonb)
        """
    )
    return _version(connection.execute(statement, values).mappings().one()), False


def get_version(connection: Connection, version_id: int) -> AuxdataVersion:
    """Return an upload by number.

    Raises
    ------
    NotFoundError : there is none.
    """
    statement = text(f"SELECT {_COLUMNS} FROM s4c.auxdata_version v WHERE v.id = :id")
    row = connection.execute(statement, {"id": version_id}).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no upload {version_id}.", hint="it may have gone with its site")
    return _version(row)


def list_versions(
    connection: Connection, site_id: int, *, kind: Kind | None = None, year: int | None = None
) -> list[AuxdataVersion]:
    """Return the uploads of a site, newest first."""
    statement = text(
        f"""
        SELECT {_COLUMNS} FROM s4c.auxdata_version v
        WHERE v.site_id = :site_id AND (CAST(:year AS integer) IS NULL OR v.year = :year)
          AND (CAST(:kind AS s4c.auxdata_kind) IS NULL OR v.kind = CAST(:kind AS s4c.auxdata_kind))
        ORDER BY v.id DESC
        """
    )
    rows = connection.execute(statement, {"site_id": site_id, "kind": kind, "year": year}).mappings()
    return [_version(row) for row in rows]


def active_version(connection: Connection, site_id: int, kind: Kind, year: int) -> AuxdataVersion | None:
    """Return the version in force, or None."""
    statement = text(
        f"""
        SELECT {_COLUMNS} FROM s4c.auxdata_version v
        WHERE v.site_id = :site_id AND v.kind = CAST(:kind AS s4c.auxdata_kind) AND v.year = :year
          AND v.state = 'active'
        """
    )
    row = connection.execute(statement, {"site_id": site_id, "kind": kind, "year": year}).mappings().one_or_none()
    return None if row is None else _version(row)


def content_of(connection: Connection, version_id: int) -> bytes | None:
    """Return the bytes of an upload; None for declarations, which lie at their path."""
    content = _one(connection, "content", version_id)
    return None if content is None else bytes(content)


def parsed_of(connection: Connection, version_id: int) -> Any:
    """Return the parsed form of an upload as JSON values; None where it has none."""
    return _one(connection, "parsed", version_id)


def report_of(connection: Connection, version_id: int) -> Any:
    """Return the report of the last validation as JSON values, or None before it."""
    return _one(connection, "report", version_id)


def _one(connection: Connection, column: str, version_id: int) -> Any:
    get_version(connection, version_id)
    statement = text(f"SELECT {column} FROM s4c.auxdata_version WHERE id = :id")
    return connection.execute(statement, {"id": version_id}).scalar_one()


def start_validation(connection: Connection, version_id: int, *, actor: str) -> AuxdataVersion:
    """Begin to validate an upload, for the first time or again.

    Raises
    ------
    TransitionError : it is in force.
    """
    return _change(connection, version_id, State.VALIDATING, actor)


def reject(connection: Connection, version_id: int, *, report: Mapping[str, Any], actor: str) -> AuxdataVersion:
    """Refuse an upload; the version in force stays."""
    return _change(connection, version_id, State.REJECTED, actor, report=report)


def activate(
    connection: Connection,
    version_id: int,
    *,
    report: Mapping[str, Any],
    parsed: Mapping[str, Any] | None,
    actor: str,
) -> AuxdataVersion:
    """Put a validated upload in force for the seasons of its year; the one before is superseded.

    Declarations are put in force with their parcels, by ``parcel_sets.activate``.

    Raises
    ------
    TransitionError : it is not being validated.
    """
    version = get_version(connection, version_id)
    lock_key(connection, version.site_id, version.kind, version.year)
    current = active_version(connection, version.site_id, version.kind, version.year)
    if current is not None and current.id != version_id:
        _change(connection, current.id, State.SUPERSEDED, actor)
    return _change(connection, version_id, State.ACTIVE, actor, report=report, parsed=parsed)


def lock_key(connection: Connection, site_id: int, kind: Kind, year: int) -> None:
    """Let versions of a site, kind and year come into force one at a time, until the transaction ends."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"auxdata {site_id} {kind} {year}"}
    )


def _change(
    connection: Connection,
    version_id: int,
    state: State,
    actor: str,
    *,
    report: Mapping[str, Any] | None = None,
    parsed: Mapping[str, Any] | None = None,
) -> AuxdataVersion:
    row = connection.execute(
        text("SELECT state, file_name FROM s4c.auxdata_version WHERE id = :id FOR UPDATE"), {"id": version_id}
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no upload {version_id}.", hint="it may have gone with its site")
    if row.state not in _FROM[state]:
        raise TransitionError(
            f"Upload {version_id} ({row.file_name}) is {row.state}; it cannot become {state}.",
            hint="validate it first" if state is State.ACTIVE else "",
        )
    connection.execute(
        text(
            """
            UPDATE s4c.auxdata_version SET state = CAST(:state AS s4c.auxdata_state),
                report = coalesce(CAST(:report AS jsonb), report), parsed = coalesce(CAST(:parsed AS jsonb), parsed)
            WHERE id = :id
            """
        ),
        {
            "id": version_id,
            "state": state,
            "report": None if report is None else json.dumps(dict(report)),
            "parsed": None if parsed is None else json.dumps(dict(parsed)),
        },
    )
    _record(connection, version_id, state, actor)
    return get_version(connection, version_id)


def _record(connection: Connection, version_id: int, state: State, actor: str) -> None:
    connection.execute(
        text(
            "INSERT INTO s4c.auxdata_change (auxdata_version_id, state, changed_by) "
            "VALUES (:id, CAST(:state AS s4c.auxdata_state), :actor)"
        ),
        {"id": version_id, "state": state, "actor": actor},
    )


def history(connection: Connection, site_id: int, kind: Kind, year: int) -> list[AuxdataChange]:
    """Return what happened to the uploads of a site, kind and year, in order."""
    statement = text(
        """
        SELECT v.id AS version_id, v.file_name, c.state, c.changed_by, c.changed_at
        FROM s4c.auxdata_change c JOIN s4c.auxdata_version v ON v.id = c.auxdata_version_id
        WHERE v.site_id = :site_id AND v.kind = CAST(:kind AS s4c.auxdata_kind) AND v.year = :year
        ORDER BY c.id
        """
    )
    rows = connection.execute(statement, {"site_id": site_id, "kind": kind, "year": year}).mappings()
    return [AuxdataChange(**{**row, "state": State(row["state"])}) for row in rows]


@dataclass(frozen=True, slots=True)
class SeasonInputs:
    """The versions in force that a season reads, by number; a run records those it started with.

    Parameters
    ----------
    versions : upload of each kind there is.
    parcel_set_id : the declarations' parcels, or None.
    """

    versions: Mapping[Kind, int]
    parcel_set_id: int | None

    @property
    def practices(self) -> Mapping[str, int]:
        """Practice tables by practice (``CC``)."""
        return {name: self.versions[kind] for name, kind in PRACTICE_KINDS.items() if kind in self.versions}


def season_inputs(connection: Connection, season: Season) -> SeasonInputs:
    """Return what a season reads: the versions in force of its site and year, whenever they were uploaded."""
    statement = text(
        "SELECT kind, auxdata_version_id, parcel_set_id FROM s4c.season_input WHERE season_id = :id ORDER BY kind"
    )
    rows = list(connection.execute(statement, {"id": season.id}))
    sets = [row.parcel_set_id for row in rows if row.parcel_set_id is not None]
    return SeasonInputs({Kind(row.kind): row.auxdata_version_id for row in rows}, sets[0] if sets else None)
