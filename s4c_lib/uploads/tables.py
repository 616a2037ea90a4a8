"""Crop code tables, L4B and L4C configurations and practice tables: from a file to a version in force, or a report.

A table is checked on its own, then against what is in force for the site and year. Every attempt is recorded; a
refused one leaves the version in force as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from s4c_lib.catalog import auxdata, config_values
from s4c_lib.catalog.auxdata import PRACTICE_KINDS, AuxdataVersion, Kind, State
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.practice_rows import store_practice_table
from s4c_lib.catalog.seasons import Season, list_seasons
from s4c_lib.catalog.sites import Site
from s4c_lib.errors import InputError, StorageError
from s4c_lib.parameters import REGISTRY
from s4c_lib.parcels.crop_lut import read_crop_lut
from s4c_lib.parcels.findings import Finding, Report, ordered, stored_report
from s4c_lib.parcels.l4b_configuration import L4bConfiguration, read_l4b_configuration
from s4c_lib.parcels.l4c_configuration import L4cConfiguration, read_l4c_configuration
from s4c_lib.parcels.practice_tables import PracticeTable, read_practice_table
from s4c_lib.uploads.tables_in_force import Against, Table, compared
from s4c_lib.uploads.tables_seasons import season_span

PRACTICE_OF: Final[Mapping[Kind, str]] = {kind: name for name, kind in PRACTICE_KINDS.items()}
"""Short name of a practice by kind of upload."""

_MIB: Final = 1024**2
_LARGEST_TABLE: Final = 200 * _MIB
_LARGEST_CONFIGURATION: Final = _MIB
_CONFIGURATIONS: Final = frozenset({Kind.L4B_CONFIG, Kind.L4C_CONFIG})


@dataclass(frozen=True, slots=True)
class TableParameters:
    """What is said beside the file; part of a version's identity as far as its kind uses it.

    Parameters
    ----------
    country : ISO 3166 alpha-3. L4C: whose rules hold. Tables: the code page of a text that is not UTF-8.
    practices : of CC, FL, NFC, NA; L4C only.
    mowing_start : L4B only; wins over a start date in the file.
    """

    country: str | None = None
    practices: tuple[str, ...] = ()
    mowing_start: date | None = None

    def stored(self, kind: Kind) -> dict[str, Any]:
        """As JSON, only what the kind uses and what is given."""
        values: dict[str, Any] = {}
        if self.country is not None and kind is not Kind.L4B_CONFIG:
            values["country"] = self.country
        if kind is Kind.L4C_CONFIG:
            values["practices"] = list(self.practices)
        if self.mowing_start is not None and kind is Kind.L4B_CONFIG:
            values["mowing_start"] = self.mowing_start.isoformat()
        return values


@dataclass(frozen=True, slots=True)
class TableOutcome:
    """What became of a file.

    Parameters
    ----------
    version : the upload; None at a dry run.
    changed : whether it came into force now; False when it was refused or was in force already.
    """

    report: Report
    version: AuxdataVersion | None
    changed: bool


def import_table(
    database: Database,
    site: Site,
    kind: Kind,
    year: int,
    source: Path | bytes,
    *,
    parameters: TableParameters,
    actor: str,
    dry_run: bool = False,
    name: str | None = None,
    administrator: bool = True,
) -> TableOutcome:
    """Check a file and, when it is sound, put it in force for the seasons of a site and year.

    The same bytes with the same parameters that are in force already stay as they are, with the report of then. A
    refused file is no error: the outcome's report says why, and it is recorded as rejected.

    Parameters
    ----------
    source : the file or its content.
    dry_run : check against what is in force and report, store nothing.
    name : of the file as the user calls it; needed with bytes.
    administrator : may change the sections of the detection in an L4B configuration.

    Raises
    ------
    InputError : no such file, a file that is too large, a missing parameter, or a kind that is no table.
    StorageError, DatabaseUnavailableError : nothing has changed.
    """
    _check_parameters(kind, parameters)
    content, name = table_content(kind, source, name)
    with database.begin() as connection:
        seasons = [season for season in list_seasons(connection, site.id) if season.year == year]
        previous = _previous(connection, site, kind, year)
    table, report = read_table(
        kind,
        content,
        name,
        year,
        parameters,
        season=season_span(seasons),
        administrator=administrator,
        previous=previous,
    )
    with database.begin() as connection:
        if dry_run:
            return TableOutcome(_checked(connection, site, year, table, report), None, False)
        # One at a time for a site, kind and year: whoever comes second sees what the first made of it.
        auxdata.lock_key(connection, site.id, kind, year)
        version, _ = auxdata.upload(
            connection,
            site.id,
            kind,
            year,
            file_name=name,
            content=content,
            parameters=parameters.stored(kind),
            actor=actor,
        )
        if version.state is State.ACTIVE:
            return TableOutcome(stored_report(auxdata.report_of(connection, version.id), name), version, False)
        auxdata.start_validation(connection, version.id, actor=actor)
        report = _checked(connection, site, year, table, report)
        if table is None or report.refused:
            version = auxdata.reject(connection, version.id, report=report.as_dict(), actor=actor)
            return TableOutcome(report, version, False)
        if isinstance(table, PracticeTable):
            store_practice_table(connection, version.id, table)
        if isinstance(table, L4cConfiguration):
            _set_practices(connection, site, seasons, table, actor)
        parsed = None if isinstance(table, PracticeTable) else table.as_dict()
        version = auxdata.activate(connection, version.id, report=report.as_dict(), parsed=parsed, actor=actor)
    return TableOutcome(report, version, True)


def read_table(
    kind: Kind,
    content: bytes,
    name: str,
    year: int,
    parameters: TableParameters,
    *,
    season: tuple[date, date] | None = None,
    administrator: bool = True,
    previous: L4bConfiguration | None = None,
) -> tuple[Table | None, Report]:
    """Check a file on its own, as its kind asks; see the readers in ``s4c_lib.parcels``.

    Parameters
    ----------
    season : first and last day of the seasons of the year.
    previous : the L4B configuration in force.

    Raises
    ------
    InputError : a kind that is no table.
    """
    if kind is Kind.LUT:
        return read_crop_lut(content, name, country=parameters.country)
    if kind is Kind.L4B_CONFIG:
        return read_l4b_configuration(
            content,
            name,
            year=year,
            season=season,
            mowing_start=parameters.mowing_start,
            administrator=administrator,
            previous=previous,
        )
    if kind is Kind.L4C_CONFIG:
        return read_l4c_configuration(
            content, name, year=year, country=parameters.country or "", practices=parameters.practices
        )
    if kind not in PRACTICE_OF:
        raise InputError(f"A file of {kind} is no table.", hint="use 's4c declarations import'")
    return read_practice_table(content, name, PRACTICE_OF[kind], year=year, country=parameters.country)


def _check_parameters(kind: Kind, parameters: TableParameters) -> None:
    if kind is not Kind.L4C_CONFIG:
        return
    if not parameters.country:
        raise InputError("An L4C configuration needs its country.", hint="give three letters (ISO 3166), such as NLD")
    if not parameters.practices:
        raise InputError("An L4C configuration needs its practices.", hint="give one or more of CC, FL, NFC, NA")


def table_content(kind: Kind, source: Path | bytes, name: str | None = None) -> tuple[bytes, str]:
    """Return the content of a file that may be a table of a kind, and its name.

    Raises
    ------
    InputError : there is no such file, it is too large for its kind, or content comes without its name.
    StorageError : it cannot be read.
    """
    if isinstance(source, bytes):
        if not name:
            raise InputError("The content of a file came without its name.", hint="give the name as well")
        _check_size(kind, name, len(source))
        return source, name
    # Bytes of a name that are no text could neither be stored nor shown.
    shown = name or source.name.encode("utf-8", "replace").decode()
    try:
        if not source.is_file():
            raise InputError(f"There is no file {source}.", hint="correct the path")
        _check_size(kind, shown, source.stat().st_size)
        return source.read_bytes(), shown
    except OSError as error:
        raise StorageError(f"{source} cannot be read: {error.strerror or error}.") from error


def _check_size(kind: Kind, name: str, size: int) -> None:
    largest = _LARGEST_CONFIGURATION if kind in _CONFIGURATIONS else _LARGEST_TABLE
    if size > largest:
        raise InputError(
            f"{name} has {size / _MIB:,.1f} MiB; such a file may have {largest // _MIB}.",
            hint="is it the right file?",
        )


def _previous(connection: Connection, site: Site, kind: Kind, year: int) -> L4bConfiguration | None:
    if kind is not Kind.L4B_CONFIG:
        return None
    active = auxdata.active_version(connection, site.id, kind, year)
    return None if active is None else L4bConfiguration.from_dict(auxdata.parsed_of(connection, active.id))


def _checked(connection: Connection, site: Site, year: int, table: Table | None, report: Report) -> Report:
    """The report with what the comparison with other uploads adds."""
    return report if table is None else with_comparison(report, compared(connection, site, year, table))


def with_comparison(report: Report, against: Against) -> Report:
    """A report that also says how a table meets what is in force; rows are refused with their file."""
    more: Sequence[Finding] = against.findings
    result = replace(report, findings=ordered([*report.findings, *more]), facts={**report.facts, **against.facts})
    return replace(result, accepted=0, set_aside=result.rows) if result.refused else result


def _set_practices(
    connection: Connection, site: Site, seasons: Sequence[Season], table: L4cConfiguration, actor: str
) -> None:
    """Let the seasons of the year monitor what the configuration is for (lpis-and-inputs.md 5.2)."""
    wide = {**config_values.stored_values(connection), **config_values.stored_values(connection, site=site)}
    for season in seasons:
        stored = {**wide, **config_values.stored_values(connection, season=season)}
        for key, value in (
            ("processor.s4c_l4c.country", table.country),
            ("processor.s4c_l4c.practices", list(table.practices)),
        ):
            default = REGISTRY.get(key).default
            before = stored.get(key, list(default) if isinstance(default, tuple) else default)
            if before != value:
                config_values.set_value(connection, key, value, actor=actor, season=season)
