"""Who changed what of sites, seasons, their processors and data sources, and of parameters, and when.

The records of ``change_record`` are written by triggers, in the transaction of the change; here is who is named in them
and how they are read. Uploads, acquisitions, waivers and deletions have histories of their own.
Source: operations.md §2 ``audit_log``, §5.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

NOUNS = ("site", "season", "processor", "source", "parameter")


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed at once of one thing.

    Parameters
    ----------
    action : ``added``, ``changed`` or ``removed``.
    noun, name : one of `NOUNS`, and what it is called: ``s4c_l4a``, ``archive/s2``, a parameter's key.
    site, season : short names of what it belongs to; None for what holds everywhere.
    fields : of each field that changed ``{"from": value, "to": value}``; null where there was, or is, none.
    """

    at: datetime
    actor: str
    action: str
    noun: str
    name: str
    site: str | None
    season: str | None
    fields: Mapping[str, Mapping[str, Any]]


def act_as(connection: Connection, actor: str) -> None:
    """Name who makes the changes of this transaction; else they count as the database user's."""
    connection.execute(text("SELECT set_config('s4c.actor', :actor, true)"), {"actor": actor})


def list_changes(
    connection: Connection,
    *,
    site: str | None = None,
    since: datetime | None = None,
    noun: str | None = None,
    limit: int = 100,
) -> list[Change]:
    """Return what was changed, newest first.

    Parameters
    ----------
    site : short name; that of a deleted site too.
    limit : most changes returned.
    """
    statement = text(
        """
        SELECT at, actor, action, noun, name, site, season, fields FROM (
            SELECT at, 0 AS place, id, actor, action, noun, name, site, season, fields FROM s4c.change_record
            UNION ALL
            SELECT c.changed_at, 1, c.id, c.changed_by,
                   CASE WHEN c.old_value IS NULL THEN 'added' WHEN c.new_value IS NULL THEN 'removed'
                        ELSE 'changed' END,
                   'parameter', c.key, t.short_name, s.short_name,
                   jsonb_build_object('value', jsonb_build_object('from', c.old_value, 'to', c.new_value))
            FROM s4c.config_change c
            LEFT JOIN s4c.season s ON s.id = c.season_id
            LEFT JOIN s4c.site t ON t.id = coalesce(c.site_id, s.site_id)
        ) every
        WHERE (CAST(:site AS text) IS NULL OR site = :site)
          AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)
          AND (CAST(:noun AS text) IS NULL OR noun = :noun)
        ORDER BY at DESC, place, id DESC LIMIT :limit
        """
    )
    values = {"site": site, "since": since, "noun": noun, "limit": limit}
    return [Change(**row) for row in connection.execute(statement, values).mappings()]
