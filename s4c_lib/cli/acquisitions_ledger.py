"""The records of ``s4c acquisitions``: one an acquisition, with what happened, why and what happens next."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from s4c_lib.cli.session import named_season

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from s4c_lib.catalog.acquisition_supply import Supply
    from s4c_lib.catalog.acquisitions import Acquisition


def records_of(
    connection: Connection,
    site_name: str,
    season_name: str,
    states: list[str] | None,
    satellites: list[str] | None,
    *,
    left_out: bool | None,
    now: datetime,
    tiles: list[str] | None = None,
    orbits: list[int] | None = None,
    days: tuple[date | None, date | None] = (None, None),
) -> list[dict[str, Any]]:
    """Return the acquisitions that a season's searches listed.

    Parameters
    ----------
    days : first and last day of sensing; None is the season's.
    left_out : True for those the site leaves out, False for those it uses, None for both.
    """
    from s4c_lib.catalog import acquisitions
    from s4c_lib.catalog.acquisition_supply import supplies
    from s4c_lib.catalog.config_values import snapshot
    from s4c_lib.cli.season_preview import planned_ingest
    from s4c_lib.scheduling.dates import midnight

    site, season = named_season(connection, site_name, season_name)
    parameters = snapshot(connection, today=now.date(), site=site, season=season)
    first, stop = planned_ingest(site, season, parameters).sensing_range()
    if days[0] is not None:
        first = max(first, midnight(days[0]))
    if days[1] is not None:
        stop = min(stop, midnight(days[1] + timedelta(days=1)))
    found = acquisitions.list_acquisitions(
        connection,
        site.id,
        date_from=first,
        date_to=stop,
        satellites=satellites,
        states=states,
        tiles=tiles,
        orbits=orbits,
    )
    chosen = [item for item in found if left_out is None or (item.relevance == "ignored") is left_out]
    supply = supplies(connection, [item.id for item in chosen], now=now)
    return [record_of(item, supply[item.id], now) for item in chosen]


def rejected_records(
    connection: Connection,
    site_name: str,
    season_name: str,
    satellites: list[str] | None,
    days: tuple[date | None, date | None] = (None, None),
) -> list[dict[str, Any]]:
    """Return what a season's searches met that is no usable product, of windows that have one of these days."""
    from s4c_lib.catalog.query_windows import list_windows

    _, season = named_season(connection, site_name, season_name)
    return [
        {
            "satellite": item.satellite,
            "window": f"{item.window.date_from}..{item.window.date_to}",
            "reason": entry["reason"],
            "text": entry["text"],
            "path": entry["path"],
        }
        for item in list_windows(connection, season.id)
        if (not satellites or item.satellite in satellites)
        and (days[0] is None or item.window.date_to >= days[0])
        and (days[1] is None or item.window.date_from <= days[1])
        for entry in item.rejected
    ]


def record_of(item: Acquisition, supply: Supply, now: datetime) -> dict[str, Any]:
    """Return an acquisition as the command line tells of it."""
    from s4c_lib.ingest.ledger import ledger_row

    row = ledger_row(item, supply, now)
    return {
        "id": item.id,
        "satellite": item.satellite,
        "sensed": item.sensing_start,
        "name": item.source_product_name,
        "kind": item.kind,
        "tiles": item.tiles,
        "relative_orbit": item.relative_orbit,
        "cloud_pct": item.cloud_pct,
        "state": item.state,
        "relevance": item.relevance,
        "reason": row.reason or None,
        "error": item.last_error,
        "source": supply.source,
        "also_at": supply.also_at,
        "storage": item.storage_state,
        "attempts": item.attempts,
        "next_attempt": item.next_attempt_at,
        "circuit_until": supply.circuit_until,
        "staging_since": supply.staging_since,
        "path": item.full_path,
        "archived_at": item.archived_at,
        "removed_at": item.removed_at,
        "removed_because": item.removed_because,
        "happened": row.happened,
        "next": row.next,
    }
