"""Acquisitions: one row a source product, and which sites use it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, text

from s4c_lib.catalog.acquisition_states import AcquisitionState, record_events, transition
from s4c_lib.catalog.geometry import bound, geometry_parameter, loaded
from s4c_lib.catalog.vocabulary import SATELLITES, satellite_name, satellite_numbers
from s4c_lib.errors import NotFoundError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True, slots=True)
class NewAcquisition:
    """What a source says of a product before it is fetched. Times are UTC, the footprint WGS 84."""

    satellite: str
    source_product_name: str
    kind: str
    platform: str
    sensing_start: datetime
    footprint: BaseGeometry
    sensing_stop: datetime | None = None
    previous_time: datetime | None = None
    tiles: tuple[str, ...] = ()
    relative_orbit: int | None = None
    direction: str | None = None
    polarisation: str | None = None
    baseline: int | None = None
    cloud_pct: float | None = None
    size_bytes: int | None = None
    storage_state: str = "unknown"
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Acquisition:
    """An acquisition as stored, and what one site makes of it (None where no site is asked for)."""

    id: int
    satellite: str
    source_product_name: str
    kind: str
    platform: str
    sensing_start: datetime
    sensing_stop: datetime | None
    previous_time: datetime | None
    tiles: tuple[str, ...]
    relative_orbit: int | None
    direction: str | None
    polarisation: str | None
    baseline: int | None
    cloud_pct: float | None
    providers: Mapping[str, Any]
    data_source_id: int | None
    size_bytes: int | None
    checksum: str | None
    full_path: str | None
    fetch_mode: str | None
    state: AcquisitionState
    reason_code: str | None
    attempts: int
    next_attempt_at: datetime | None
    last_error: str | None
    storage_state: str
    archived_at: datetime | None
    removed_at: datetime | None
    removed_because: str | None
    relevance: str | None = None
    relevance_reason: str | None = None


_COLUMNS = ", ".join(
    f"a.{field.name}"
    for field in fields(Acquisition)
    if field.name not in {"satellite", "relevance", "relevance_reason"}
)


def _acquisition(row: RowMapping) -> Acquisition:
    values = dict(row)
    values["satellite"] = satellite_name(values.pop("satellite_id"))
    values["tiles"] = tuple(values["tiles"])
    values["state"] = AcquisitionState(values["state"])
    return Acquisition(**values)


def discover(
    connection: Connection, new: NewAcquisition, *, source: str, address: str, data_source_id: int, actor: str
) -> tuple[int, bool]:
    """Store a product a source lists, or refresh what is known of it; the state is never touched.

    Returns
    -------
    id, created : the acquisition's number and whether it was unknown.
    """
    statement = text(
        """
        INSERT INTO s4c.acquisition AS a
            (satellite_id, source_product_name, kind, platform, sensing_start, sensing_stop, previous_time, tiles,
             relative_orbit, direction, polarisation, baseline, cloud_pct, footprint, providers, data_source_id,
             size_bytes, storage_state, published_at)
        VALUES
            (:satellite_id, :name, :kind, :platform, :sensing_start, :sensing_stop, :previous_time, :tiles,
             :relative_orbit, CAST(:direction AS s4c.orbit_direction), :polarisation, :baseline, :cloud_pct,
             :footprint, CAST(:providers AS jsonb), :data_source_id,
             :size_bytes, CAST(:storage_state AS s4c.storage_state), :published_at)
        ON CONFLICT (satellite_id, source_product_name) DO UPDATE SET
            providers = a.providers || excluded.providers,
            -- until it is fetched, the source that listed it last is asked first: an earlier one may be off by now
            data_source_id = CASE WHEN a.full_path IS NULL OR a.data_source_id IS NULL
                                  THEN excluded.data_source_id ELSE a.data_source_id END,
            size_bytes = CASE WHEN a.full_path IS NULL THEN excluded.size_bytes ELSE a.size_bytes END,
            storage_state = CASE WHEN a.full_path IS NULL THEN excluded.storage_state ELSE a.storage_state END,
            cloud_pct = coalesce(excluded.cloud_pct, a.cloud_pct),
            footprint = excluded.footprint,
            updated_at = clock_timestamp()
        RETURNING a.id, (xmax = 0) AS created
        """
    ).bindparams(geometry_parameter("footprint"))
    row = connection.execute(
        statement,
        {
            "satellite_id": SATELLITES[new.satellite],
            "name": new.source_product_name,
            "kind": new.kind,
            "platform": new.platform,
            "sensing_start": new.sensing_start,
            "sensing_stop": new.sensing_stop,
            "previous_time": new.previous_time,
            "tiles": list(new.tiles),
            "relative_orbit": new.relative_orbit,
            "direction": new.direction,
            "polarisation": new.polarisation,
            "baseline": new.baseline,
            "cloud_pct": new.cloud_pct,
            "footprint": bound(new.footprint),
            # by number: sources of several sites may have one name
            "providers": json.dumps({str(data_source_id): {"name": source, "address": address}}),
            "data_source_id": data_source_id,
            "size_bytes": new.size_bytes,
            "storage_state": new.storage_state,
            "published_at": new.published_at,
        },
    ).one()
    if row.created:
        record_events(connection, {row.id: None}, AcquisitionState.DISCOVERED, actor=actor, reason=None)
    return int(row.id), bool(row.created)


def set_membership(
    connection: Connection,
    site_id: int,
    acquisition_id: int,
    *,
    tiles: Sequence[str],
    overlap_ratio: float | None,
    ignored_because: str | None,
) -> None:
    """Say what a site makes of an acquisition: selected, or ignored with the reason code."""
    connection.execute(
        text(
            """
            INSERT INTO s4c.site_acquisition (site_id, acquisition_id, tiles, overlap_ratio, relevance, reason)
            VALUES (:site_id, :acquisition_id, :tiles, :overlap_ratio, CAST(:relevance AS s4c.relevance), :reason)
            ON CONFLICT (site_id, acquisition_id) DO UPDATE SET
                tiles = excluded.tiles, overlap_ratio = excluded.overlap_ratio,
                relevance = excluded.relevance, reason = excluded.reason
            """
        ),
        {
            "site_id": site_id,
            "acquisition_id": acquisition_id,
            "tiles": list(tiles),
            "overlap_ratio": overlap_ratio,
            "relevance": "selected" if ignored_because is None else "ignored",
            "reason": ignored_because,
        },
    )


def set_relevance(connection: Connection, site_id: int, acquisition_id: int, ignored_because: str | None) -> None:
    """Change what a site makes of an acquisition it knows."""
    connection.execute(
        text(
            "UPDATE s4c.site_acquisition SET relevance = CAST(:relevance AS s4c.relevance), reason = :reason "
            "WHERE site_id = :site_id AND acquisition_id = :acquisition_id"
        ),
        {
            "relevance": "selected" if ignored_because is None else "ignored",
            "reason": ignored_because,
            "site_id": site_id,
            "acquisition_id": acquisition_id,
        },
    )


def lock_known(connection: Connection, names: Sequence[str]) -> None:
    """Hold the acquisitions of these names that exist, in the one order in which everybody takes several."""
    connection.execute(
        text("SELECT id FROM s4c.acquisition WHERE source_product_name = ANY(:names) ORDER BY id FOR NO KEY UPDATE"),
        {"names": list(names)},
    )


def settle_selection(connection: Connection, site_id: int, *, actor: str) -> dict[str, int]:
    """Bring the acquisitions a site knows in line with all memberships: queued where a site selects them, else ignored.

    Looks at everything the site knows, not at what one run found: a run that died between its search and this
    loses nothing. Only acquisitions that nobody has begun to fetch move; what was fetched stays as it is.

    Returns
    -------
    counts of acquisitions ``queued`` and ``ignored`` by this call.
    """
    # Locked first and read after: of two sites that settle at once, the second sees what the first decided.
    held = text(
        """
        SELECT a.id FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
        WHERE m.site_id = :site_id AND a.state IN ('discovered', 'queued', 'failed', 'ignored')
          -- what an operator left out comes back when an operator wants it
          AND NOT (a.state = 'ignored' AND a.reason_code IS NOT DISTINCT FROM 'by_hand')
        ORDER BY a.id FOR UPDATE OF a
        """
    )
    ids = list(connection.execute(held, {"site_id": site_id}).scalars())
    statement = text(
        """
        SELECT a.id, a.state, bool_or(m.relevance = 'selected') AS wanted,
               min(m.reason) FILTER (WHERE m.relevance = 'ignored') AS reason
        FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
        WHERE a.id = ANY(:ids) GROUP BY a.id, a.state ORDER BY a.id
        """
    )
    queue: list[int] = []
    ignore: dict[str, list[int]] = {}
    for row in connection.execute(statement, {"ids": ids}):
        state = AcquisitionState(row.state)
        if row.wanted and state in {AcquisitionState.DISCOVERED, AcquisitionState.IGNORED}:
            queue.append(row.id)
        elif not row.wanted and state in {
            AcquisitionState.DISCOVERED,
            AcquisitionState.QUEUED,
            AcquisitionState.FAILED,
        }:
            ignore.setdefault(row.reason, []).append(row.id)
    transition(connection, queue, AcquisitionState.QUEUED, actor=actor)
    for reason, ids in sorted(ignore.items()):
        transition(connection, ids, AcquisitionState.IGNORED, actor=actor, reason=reason)
    return {"queued": len(queue), "ignored": sum(len(ids) for ids in ignore.values())}


def ignore_duplicates(connection: Connection, site_id: int) -> list[int]:
    """Keep one product of each datatake and tile for a site: the highest baseline, then the newest name.

    One that was withdrawn before it was fetched, or that an operator left out, leaves its place to the next.
    Source: preprocessing.md §2.4. Returns the acquisitions that lost or won their place.
    """
    statement = text(
        """
        WITH ranked AS (
            SELECT a.id, row_number() OVER (
                PARTITION BY a.satellite_id, a.kind, a.platform, a.relative_orbit, a.tiles, a.sensing_start,
                             a.previous_time, a.polarisation
                ORDER BY a.baseline DESC NULLS LAST, a.source_product_name DESC
            ) AS place
            FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
            WHERE m.site_id = :site_id AND (m.relevance = 'selected' OR m.reason = 'duplicate')
              AND NOT (a.state IN ('aborted', 'ignored') AND coalesce(a.reason_code, '') IN ('gone', 'by_hand'))
        )
        UPDATE s4c.site_acquisition m
        SET relevance = CASE WHEN r.place = 1 THEN 'selected' ELSE 'ignored' END::s4c.relevance,
            reason = CASE WHEN r.place = 1 THEN NULL ELSE 'duplicate' END
        FROM ranked r
        WHERE m.acquisition_id = r.id AND m.site_id = :site_id
          AND (m.relevance = 'selected') <> (r.place = 1)
        RETURNING m.acquisition_id
        """
    )
    return sorted(connection.execute(statement, {"site_id": site_id}).scalars())


def list_acquisitions(
    connection: Connection,
    site_id: int,
    *,
    date_from: datetime | None = None,
    date_to: datetime | None = None,
    satellites: Sequence[str] | None = None,
    states: Sequence[str] | None = None,
    tiles: Sequence[str] | None = None,
    orbits: Sequence[int] | None = None,
) -> list[Acquisition]:
    """Return the acquisitions a site knows, selected or ignored, by sensing time and name.

    Parameters
    ----------
    date_from, date_to : sensing start in [date_from, date_to).
    satellites : search groups (``l8`` is Landsat 8 and 9) or ``l9`` alone.
    tiles : of one of these, or, of what is not cut into tiles, over one of these tiles of the site.
    orbits : relative.
    """
    statement = text(
        f"""
        SELECT {_COLUMNS}, a.satellite_id, m.relevance, m.reason AS relevance_reason
        FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
        WHERE m.site_id = :site_id
          AND (CAST(:date_from AS timestamptz) IS NULL OR a.sensing_start >= :date_from)
          AND (CAST(:date_to AS timestamptz) IS NULL OR a.sensing_start < :date_to)
          AND (CAST(:satellites AS smallint[]) IS NULL OR a.satellite_id = ANY(CAST(:satellites AS smallint[])))
          AND (CAST(:states AS text[]) IS NULL OR a.state::text = ANY(CAST(:states AS text[])))
          AND (CAST(:orbits AS integer[]) IS NULL OR a.relative_orbit = ANY(CAST(:orbits AS integer[])))
          AND (CAST(:tiles AS text[]) IS NULL OR a.tiles && CAST(:tiles AS text[])
               OR (a.tiles = '{{}}' AND EXISTS (
                   SELECT 1 FROM s4c.site_tile t WHERE t.site_id = m.site_id AND t.tile = ANY(CAST(:tiles AS text[]))
                     AND ST_Intersects(t.footprint, a.footprint))))
        ORDER BY a.sensing_start, a.source_product_name
        """
    )
    rows = connection.execute(
        statement,
        {
            "site_id": site_id,
            "date_from": date_from,
            "date_to": date_to,
            "satellites": None if satellites is None else satellite_numbers(satellites),
            "states": None if states is None else list(states),
            "tiles": None if tiles is None else list(tiles),
            "orbits": None if orbits is None else list(orbits),
        },
    )
    return [_acquisition(row) for row in rows.mappings()]


def footprints(connection: Connection, acquisition_ids: Sequence[int]) -> dict[int, BaseGeometry]:
    """Return where acquisitions lie, WGS 84, by their numbers."""
    statement = text("SELECT id, footprint FROM s4c.acquisition WHERE id = ANY(:ids)")
    return {row.id: loaded(row.footprint) for row in connection.execute(statement, {"ids": list(acquisition_ids)})}


def get_acquisition(connection: Connection, acquisition_id: int) -> Acquisition:
    """Return one acquisition by number."""
    statement = text(f"SELECT {_COLUMNS}, a.satellite_id FROM s4c.acquisition a WHERE a.id = :id")
    row = connection.execute(statement, {"id": acquisition_id}).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no acquisition {acquisition_id}.", hint="'s4c acquisitions list' names them")
    return _acquisition(row)


def get_by_name(connection: Connection, name: str) -> Acquisition:
    """Return one acquisition by its product name."""
    statement = text("SELECT id FROM s4c.acquisition WHERE source_product_name = :name ORDER BY id LIMIT 1")
    found = connection.execute(statement, {"name": name}).scalar_one_or_none()
    if found is None:
        raise NotFoundError(f"There is no acquisition named {name!r}.", hint="'s4c acquisitions list' names them")
    return get_acquisition(connection, found)


@dataclass(frozen=True, slots=True)
class AcquisitionEvent:
    """One step in the life of an acquisition."""

    at: datetime
    from_state: str | None
    to_state: str
    actor: str
    reason: str | None


def events(connection: Connection, acquisition_id: int) -> list[AcquisitionEvent]:
    """Return the history of an acquisition, oldest first."""
    statement = text(
        "SELECT at, from_state, to_state, actor, reason FROM s4c.acquisition_event "
        "WHERE acquisition_id = :id ORDER BY id"
    )
    return [AcquisitionEvent(**row) for row in connection.execute(statement, {"id": acquisition_id}).mappings()]
