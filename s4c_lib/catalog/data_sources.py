"""Where acquisitions are searched and fetched, in order of priority. Credentials are never here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, text
from sqlalchemy.exc import DataError, IntegrityError

from s4c_lib.catalog import query_windows
from s4c_lib.catalog.sites import Site
from s4c_lib.catalog.vocabulary import SATELLITES, SEARCHED_SATELLITES, satellite_name
from s4c_lib.errors import ConflictError, InputError, NotFoundError
from s4c_lib.sources.quotas import checked_quota
from s4c_lib.sources.secret_free import refuse_secrets
from s4c_lib.sources.source_spec import SourceSpec

LOCAL = "local"
# What a driver cannot do without.
REMOTE_DRIVERS = {"eodag": ("provider",), "asf": (), "dhus": ("api_url",), "usgs": ()}
DRIVERS = (LOCAL, *REMOTE_DRIVERS)
LOCAL_MODES = ("copy", "symlink", "check")
DOWNLOAD = "download"
MOST_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class DataSource:
    """One source of one satellite, for all sites or for one."""

    id: int
    name: str
    satellite: str
    site: str | None
    driver: str
    priority: int
    enabled: bool
    can_query: bool
    can_download: bool
    fetch_mode: str
    local_root: str | None
    path_template: str | None
    max_connections: int
    max_retries: int | None
    retry_interval_minutes: int | None
    secret_ref: str | None
    quota: Mapping[str, Any]
    params: Mapping[str, Any]

    @property
    def remote(self) -> bool:
        """Whether it is a catalogue elsewhere, with an account and limits, and no local archive."""
        return self.driver != LOCAL

    def spec(self) -> SourceSpec:
        """Return what opening it takes."""
        return SourceSpec(
            name=self.name,
            driver=self.driver,
            satellite=self.satellite,
            local_root=self.local_root,
            path_template=self.path_template,
            secret_ref=self.secret_ref,
            params=self.params,
        )

    @property
    def pool(self) -> str:
        """The Airflow pool that limits its transfers."""
        return f"ds_{self.name}"


_COLUMNS = ", ".join(f"d.{field.name}" for field in fields(DataSource) if field.name not in {"satellite", "site"})
_SELECT = f"""
    SELECT {_COLUMNS}, d.satellite_id, site.short_name AS site
    FROM s4c.data_source d LEFT JOIN s4c.site site ON site.id = d.site_id
"""


def _data_source(row: RowMapping) -> DataSource:
    values = dict(row)
    values["satellite"] = satellite_name(values.pop("satellite_id"))
    return DataSource(**values)


def list_sources(connection: Connection) -> list[DataSource]:
    """Return all data sources by priority, name and satellite."""
    rows = connection.execute(text(f"{_SELECT} ORDER BY d.priority, d.name, d.satellite_id, d.id")).mappings()
    return [_data_source(row) for row in rows]


def sources_for(
    connection: Connection, site_id: int, satellite: str, *, with_disabled: bool = False
) -> list[DataSource]:
    """Return the sources a site searches for a satellite: its own first, then by priority.

    Parameters
    ----------
    with_disabled : also those that are switched off.
    """
    statement = text(
        f"""
        {_SELECT}
        WHERE (d.enabled OR :with_disabled) AND d.satellite_id = :satellite
          AND (d.site_id IS NULL OR d.site_id = :site_id)
        ORDER BY (d.site_id IS NULL), d.priority, d.name, d.id
        """
    )
    values = {"satellite": SATELLITES[satellite], "site_id": site_id, "with_disabled": with_disabled}
    return [_data_source(row) for row in connection.execute(statement, values).mappings()]


def get_sources(connection: Connection, name: str) -> list[DataSource]:
    """Return the rows of a named source, one a satellite.

    Raises
    ------
    NotFoundError : there is none.
    """
    found = [source for source in list_sources(connection) if source.name == name]
    if not found:
        known = sorted({source.name for source in list_sources(connection)})
        hint = f"sources are {', '.join(known)}" if known else "add one with 's4c source add'"
        raise NotFoundError(f"There is no data source {name!r}.", hint=hint)
    return found


def add_source(
    connection: Connection,
    *,
    name: str,
    satellites: Sequence[str],
    driver: str,
    fetch_mode: str = DOWNLOAD,
    local_root: Path | None = None,
    site: Site | None = None,
    path_template: str | None = None,
    priority: int = 1,
    max_connections: int = 2,
    params: Mapping[str, Any] | None = None,
    secret_ref: str | None = None,
    quota: Mapping[str, float] | None = None,
    can_query: bool = True,
    can_download: bool = True,
) -> list[DataSource]:
    """Add a source for some satellites; their windows are searched again, since it may offer what others lacked.

    Parameters
    ----------
    params, secret_ref : see `SourceSpec`; secrets are in neither.
    quota : what its provider limits (`s4c_lib.sources.quotas`).

    Raises
    ------
    InputError : a name that is none; unknown driver, satellite or mode; an archive without folder, a catalogue without
        what its driver needs; neither searched nor fetched from; a secret among the params.
    ConflictError : the name is taken for a satellite, or by a source of another driver.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise InputError(
            f"{name!r} is no name for a data source.",
            hint="a lower-case letter, then letters, digits and _, 40 at most",
        )
    if not 1 <= max_connections <= MOST_CONNECTIONS:
        raise InputError(f"A data source has 1 to {MOST_CONNECTIONS} connections, not {max_connections}.")
    _check_driver(driver, fetch_mode, local_root, params or {})
    refuse_secrets(params or {})
    if not (can_query or can_download):
        raise InputError("A data source is searched, fetched from, or both.", hint="leave one of the two out")
    if not satellites:
        raise InputError("A data source needs a satellite.", hint=f"choose from {', '.join(SEARCHED_SATELLITES)}")
    if others := sorted({item.driver for item in list_sources(connection) if item.name == name} - {driver}):
        raise ConflictError(
            f"{name!r} is a data source with the driver {others[0]!r} already.",
            hint="sources of one name share account and limits: choose another name",
        )
    if strangers := sorted(set(satellites) - set(SEARCHED_SATELLITES)):
        raise InputError(
            f"There is no satellite {strangers[0]!r}.", hint=f"choose from {', '.join(SEARCHED_SATELLITES)}"
        )
    statement = text(
        """
        INSERT INTO s4c.data_source
            (name, satellite_id, site_id, driver, priority, fetch_mode, local_root, path_template, max_connections,
             params, secret_ref, quota, can_query, can_download)
        VALUES (:name, :satellite, :site_id, :driver, :priority, CAST(:fetch_mode AS s4c.fetch_mode), :local_root,
                :path_template, :max_connections, CAST(:params AS jsonb), :secret_ref, CAST(:quota AS jsonb),
                :can_query, :can_download)
        ON CONFLICT ON CONSTRAINT data_source_key DO NOTHING RETURNING id
        """
    )
    for satellite in satellites:
        created = connection.execute(
            statement,
            {
                "name": name,
                "satellite": SATELLITES[satellite],
                "site_id": None if site is None else site.id,
                "driver": driver,
                "priority": priority,
                "fetch_mode": fetch_mode,
                "local_root": None if local_root is None else str(local_root),
                "path_template": path_template,
                "max_connections": max_connections,
                "params": json.dumps(dict(params or {})),
                "secret_ref": secret_ref,
                "quota": json.dumps(checked_quota(quota or {})),
                "can_query": can_query,
                "can_download": can_download,
            },
        ).scalar_one_or_none()
        if created is None:
            raise ConflictError(
                f"A data source {name!r} for {satellite} exists already.",
                hint=f"change it with 's4c source set {name}'",
            )
        query_windows.reopen(connection, satellite, None if site is None else site.id)
    return get_sources(connection, name)


def _check_driver(driver: str, fetch_mode: str, local_root: Path | None, params: Mapping[str, Any]) -> None:
    if driver not in DRIVERS:
        raise InputError(f"There is no driver {driver!r}.", hint=f"choose from {', '.join(DRIVERS)}")
    _check_mode(driver, fetch_mode)
    if driver == LOCAL and local_root is None:
        raise InputError("A local archive needs its folder.", hint="give --root FOLDER")
    if driver != LOCAL and local_root is not None:
        raise InputError(f"A source with the driver {driver!r} has no folder.", hint="leave --root out")
    if missing := [key for key in REMOTE_DRIVERS.get(driver, ()) if not params.get(key)]:
        option = {"provider": "--provider NAME", "api_url": "--url ADDRESS"}[missing[0]]
        raise InputError(f"The driver {driver!r} needs {missing[0]}.", hint=f"give {option}")


def _check_mode(driver: str, fetch_mode: str) -> None:
    modes = LOCAL_MODES if driver == LOCAL else (DOWNLOAD,)
    if fetch_mode not in modes:
        what = "A local archive" if driver == LOCAL else f"A source with the driver {driver!r}"
        raise InputError(f"{what} is not fetched by {fetch_mode!r}.", hint=f"choose from {', '.join(modes)}")


# Columns a user may change on an existing source. A quota is merged key by key, None removing one; params are replaced.
CHANGEABLE = {
    "enabled": "boolean",
    "priority": "integer",
    "fetch_mode": "s4c.fetch_mode",
    "local_root": "text",
    "path_template": "text",
    "max_connections": "integer",
    "max_retries": "integer",
    "retry_interval_minutes": "integer",
    "secret_ref": "text",
    "can_query": "boolean",
    "can_download": "boolean",
    "quota": "jsonb",
    "params": "jsonb",
}


def set_source(
    connection: Connection, name: str, changes: Mapping[str, Any], *, site: str | None = None
) -> list[DataSource]:
    """Change fields of a source, on all its satellites.

    A source that is switched on or lies elsewhere now is searched again; when one is switched off, the others are
    asked for what it was to supply.

    Parameters
    ----------
    site : only of the source that this site has under the name; None for all of the name.

    Raises
    ------
    NotFoundError : no such source.
    ConflictError : a folder or layout for archives of several sites that share a name.
    InputError : no such field, or a value it cannot have.
    """
    named = get_sources(connection, name)
    before = [source for source in named if site is None or source.site == site]
    owners = sorted({source.site or "all sites" for source in named})
    if not before:
        raise NotFoundError(f"Site {site!r} has no data source {name!r} of its own.", hint=f"it is of {owners[0]}")
    if len({source.site for source in before}) > 1 and {"local_root", "path_template"} & set(changes):
        raise ConflictError(
            f"Archives of {', '.join(owners)} have the name {name!r}, and lie apart.", hint="say which with --site SITE"
        )
    if strangers := sorted(set(changes) - set(CHANGEABLE)):
        raise InputError(
            f"A data source has no field {strangers[0]!r} to set.", hint=f"choose from {', '.join(sorted(CHANGEABLE))}"
        )
    if changes.get("fetch_mode") is not None:
        _check_mode(before[0].driver, changes["fetch_mode"])
    if changes:
        values: dict[str, Any] = {**changes, "ids": [source.id for source in before]}
        for field in {"quota", "params"} & set(changes):
            values[field] = json.dumps(dict(changes[field]))
        refuse_secrets(changes.get("params", {}))
        if "quota" in changes:
            checked_quota({key: value for key, value in changes["quota"].items() if value is not None})
        # the column names come from the table above, never from the user
        assignments = ", ".join(
            "quota = jsonb_strip_nulls(quota || CAST(:quota AS jsonb))"
            if field == "quota"
            else f"{field} = CAST(:{field} AS {CHANGEABLE[field]})"
            for field in sorted(changes)
        )
        statement = text(f"UPDATE s4c.data_source SET {assignments} WHERE id = ANY(:ids)")
        try:
            with connection.begin_nested():
                connection.execute(statement, values)
        except (IntegrityError, DataError) as error:
            given = ", ".join(f"{field}={value}" for field, value in sorted(changes.items()))
            raise InputError(
                f"Data source {name!r} cannot have {given}: {str(error.orig).strip().splitlines()[0]}",
                hint="copy, symlink and check need local_root, other modes have none; max_connections is 1 to 64",
            ) from error
    changed = {source.id for source in before}
    after = [source for source in get_sources(connection, name) if source.id in changed]
    if not all(source.can_query or source.can_download for source in after):
        raise InputError(
            f"Data source {name!r} would be neither searched nor fetched from.", hint="switch it off with --disable"
        )
    earlier = {source.id: source for source in before}
    for new in after:
        old = earlier[new.id]
        if _searched_by(new) != _searched_by(old):
            query_windows.reopen(connection, new.satellite, _site_id(connection, new.id))
    return after


def _searched_by(source: DataSource) -> tuple[Any, ...]:
    """Return what decides what a search of a source finds, and whether it is asked at all."""
    return source.enabled, source.can_query, source.local_root, source.path_template, source.params


def _site_id(connection: Connection, source_id: int) -> int | None:
    statement = text("SELECT site_id FROM s4c.data_source WHERE id = :id")
    found: int | None = connection.execute(statement, {"id": source_id}).scalar_one()
    return found
