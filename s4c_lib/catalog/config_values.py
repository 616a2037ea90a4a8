"""Stored values of parameters, checked on the way in, with their history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import Site
from s4c_lib.parameters import REGISTRY, Layers, Scope, Snapshot, resolve
from s4c_lib.scheduling.dates import Phase


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One change of a parameter; a null value means unset."""

    key: str
    site: str | None
    season: str | None
    old_value: Any
    new_value: Any
    changed_by: str
    changed_at: datetime


def _scope(site: Site | None, season: Season | None) -> tuple[Scope, dict[str, int | None]]:
    if season is not None:
        return Scope.SEASON, {"site_id": None, "season_id": season.id}
    if site is not None:
        return Scope.SITE, {"site_id": site.id, "season_id": None}
    return Scope.GLOBAL, {"site_id": None, "season_id": None}


_WHERE = "key = :key AND site_id IS NOT DISTINCT FROM :site_id AND season_id IS NOT DISTINCT FROM :season_id"


def set_value(
    connection: Connection,
    key: str,
    value: Any,
    *,
    actor: str,
    site: Site | None = None,
    season: Season | None = None,
) -> tuple[str, Any]:
    """Set a parameter for a season, a site, or everywhere, and record the change.

    Returns
    -------
    key, value : the parameter's own key (an alias may have been given) and the typed value stored.

    Raises
    ------
    ParameterError : unknown key, wrong type, out of bounds, not allowed in this scope, or in contradiction to
        another value.
    """
    scope, target = _scope(site, season)
    parameter = REGISTRY.get(key)
    typed = REGISTRY.check(parameter.key, value, scope)
    values = {**target, "key": parameter.key, "value": json.dumps(typed, default=_plain), "actor": actor}
    old = connection.execute(text(f"SELECT value FROM s4c.config_value WHERE {_WHERE} FOR UPDATE"), values)
    values["old"] = json.dumps(old.scalar_one_or_none())
    connection.execute(
        text(
            """
            INSERT INTO s4c.config_value AS c (key, site_id, season_id, value, updated_by)
            VALUES (:key, :site_id, :season_id, CAST(:value AS jsonb), :actor)
            ON CONFLICT ON CONSTRAINT config_value_key DO UPDATE SET
                value = excluded.value, version = c.version + 1, updated_by = excluded.updated_by, updated_at = now()
            """
        ),
        values,
    )
    _record(connection, values)
    resolve(_layers(connection, site, season, {}), phase=Phase.CURRENT)
    return parameter.key, typed


def unset_value(
    connection: Connection, key: str, *, actor: str, site: Site | None = None, season: Season | None = None
) -> bool:
    """Remove a stored value so that the next wider scope counts; False when none was stored."""
    _, target = _scope(site, season)
    values: dict[str, Any] = {**target, "key": REGISTRY.get(key).key, "value": "null", "actor": actor}
    # a row may hold null: "not set" is a value of some parameters
    row = connection.execute(text(f"DELETE FROM s4c.config_value WHERE {_WHERE} RETURNING value"), values).one_or_none()
    if row is None:
        return False
    values["old"] = json.dumps(row.value)
    _record(connection, values)
    resolve(_layers(connection, site, season, {}), phase=Phase.CURRENT)
    return True


def _record(connection: Connection, values: Mapping[str, Any]) -> None:
    connection.execute(
        text(
            """
            INSERT INTO s4c.config_change (key, site_id, season_id, old_value, new_value, changed_by)
            VALUES (:key, :site_id, :season_id, nullif(CAST(:old AS jsonb), 'null'), nullif(CAST(:value AS jsonb),
                    'null'), :actor)
            """
        ),
        dict(values),
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else str(value)


def stored_values(connection: Connection, *, site: Site | None = None, season: Season | None = None) -> dict[str, Any]:
    """Return the values stored in exactly this scope, by key."""
    _, target = _scope(site, season)
    statement = text(
        "SELECT key, value FROM s4c.config_value WHERE site_id IS NOT DISTINCT FROM :site_id "
        "AND season_id IS NOT DISTINCT FROM :season_id ORDER BY key"
    )
    return {row.key: row.value for row in connection.execute(statement, target)}


def snapshot(
    connection: Connection,
    *,
    today: date,
    site: Site | None = None,
    season: Season | None = None,
    job_values: Mapping[str, Any] | None = None,
) -> Snapshot:
    """Resolve every parameter: job, then season, site, global, and the registry's default.

    Parameters
    ----------
    today : decides the phase of the season, which some defaults depend on.
    job_values : values of one run; checked.
    """
    checked = {
        REGISTRY.get(key).key: REGISTRY.check(key, value, Scope.JOB) for key, value in (job_values or {}).items()
    }
    layers = _layers(connection, site, season, checked)
    found = resolve(layers, phase=Phase.CURRENT)
    if season is None:
        return found
    phase = season.dates.phase(today, int(found["schedule.grace_months"]))
    return found if phase is Phase.CURRENT else resolve(layers, phase=phase)


def _layers(connection: Connection, site: Site | None, season: Season | None, job_values: Mapping[str, Any]) -> Layers:
    of_site: dict[str, Any] = {}
    if season is not None:
        statement = text("SELECT key, value FROM s4c.config_value WHERE site_id = :site_id ORDER BY key")
        of_site = {row.key: row.value for row in connection.execute(statement, {"site_id": season.site_id})}
    elif site is not None:
        of_site = stored_values(connection, site=site)
    return Layers(
        job=job_values,
        season={} if season is None else stored_values(connection, season=season),
        site=of_site,
        global_=stored_values(connection),
    )


def history(connection: Connection, key: str | None = None, limit: int = 100) -> list[ConfigChange]:
    """Return changes of one parameter, or of all, newest first."""
    statement = text(
        """
        SELECT c.key, site.short_name AS site, season.short_name AS season, c.old_value, c.new_value,
               c.changed_by, c.changed_at
        FROM s4c.config_change c
        LEFT JOIN s4c.season season ON season.id = c.season_id
        LEFT JOIN s4c.site site ON site.id = coalesce(c.site_id, season.site_id)
        WHERE CAST(:key AS text) IS NULL OR c.key = :key
        ORDER BY c.id DESC LIMIT :limit
        """
    )
    values = {"key": None if key is None else REGISTRY.get(key).key, "limit": limit}
    return [ConfigChange(**row) for row in connection.execute(statement, values).mappings()]
