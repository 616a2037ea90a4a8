"""What the database says of products and downloads that retention may archive or remove, or has removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from s4c_lib.catalog.vocabulary import PRODUCT_TYPES
from s4c_lib.processors import L4_PRODUCT_TYPES

KIND_OF_TYPE: Final = {
    "l2a": "l2a",
    "s1_l2a_amp": "s1",
    "s1_l2a_cohe": "s1",
    "l3b": "l3b",
    **dict.fromkeys(L4_PRODUCT_TYPES, "l4"),
}


@dataclass(frozen=True, slots=True)
class KeptProduct:
    """A product in force whose files are in the storage folders.

    Attributes
    ----------
    season_id : of the run that made it, or that its metadata name.
    linked : it is a product of someone else that is linked or only referenced. in_work : something is made of it now.
    """

    id: int
    acquisition_id: int | None
    kind: str
    product_type: str
    name: str
    path: str
    acquired_at: datetime
    inserted_at: datetime
    tiles: tuple[str, ...]
    site_ids: tuple[int, ...]
    season_id: int | None
    linked: bool
    in_work: bool


@dataclass(frozen=True, slots=True)
class KeptDownload:
    """A fetched acquisition that is no product as it is.

    Attributes
    ----------
    finished_at : when the last work on it ended; None while some may follow.
    wanted_by : a later or earlier acquisition that is worked on together with it.
    """

    id: int
    name: str
    path: str
    sensed: datetime
    satellite_id: int
    tiles: tuple[str, ...]
    site_ids: tuple[int, ...]
    finished_at: datetime | None
    linked: bool
    wanted_by: str | None


def products_kept(connection: Connection) -> list[KeptProduct]:
    """Return the products in force that were neither archived nor removed, by number."""
    statement = text(
        """
        SELECT p.id, p.acquisition_id, t.name AS product_type, p.name, p.full_path AS path, p.acquired_at,
               p.inserted_at, p.tiles,
               ARRAY(SELECT s.site_id FROM s4c.product_site s WHERE s.product_id = p.id ORDER BY 1) AS site_ids,
               coalesce(j.season_id, (
                   SELECT c.id FROM s4c.season c JOIN s4c.product_site s ON s.site_id = c.site_id
                   WHERE s.product_id = p.id AND c.short_name = p.metadata -> 'run' ->> 'season' LIMIT 1)) AS season_id,
               coalesce(a.full_path = p.full_path AND a.fetch_mode IN ('symlink', 'check'), false) AS linked,
               EXISTS (SELECT 1 FROM s4c.derivation d WHERE d.product_id = p.id AND d.state = 'processing') AS in_work
        FROM s4c.product p
        JOIN s4c.product_type t ON t.id = p.product_type_id
        LEFT JOIN s4c.acquisition a ON a.id = p.acquisition_id
        LEFT JOIN s4c.job j ON j.id = p.job_id AND p.product_type_id = ANY(:results)
        WHERE p.state = 'active' AND p.removed_at IS NULL AND p.archived_at IS NULL AND p.product_type_id = ANY(:types)
        ORDER BY p.id
        """
    )
    results = [PRODUCT_TYPES[name] for name, kind in KIND_OF_TYPE.items() if kind == "l4"]
    rows = connection.execute(statement, {"types": [PRODUCT_TYPES[one] for one in KIND_OF_TYPE], "results": results})
    return [
        KeptProduct(
            **{**row, "tiles": tuple(row["tiles"]), "site_ids": tuple(row["site_ids"])},
            kind=KIND_OF_TYPE[row["product_type"]],
        )
        for row in rows.mappings()
    ]


# Of the pieces that are still to be made of an acquisition, or may be tried again.
OPEN_UNIT: Final = """
    EXISTS (SELECT 1 FROM s4c.acquisition_unit u WHERE u.acquisition_id = a.id
            AND (u.state IN ('pending', 'processing')
                 OR (u.state = 'failed' AND u.retryable AND u.attempts < u.max_attempts)))
"""


# A download that is used as it came is a product; so is one that was withdrawn, which may be taken back.
AS_IT_CAME: Final = """
    EXISTS (SELECT 1 FROM s4c.product p WHERE p.full_path = a.full_path
            AND (p.state <> 'superseded' OR p.withdrawn_state IS NOT NULL))
"""


def downloads_kept(connection: Connection) -> list[KeptDownload]:
    """Return the downloads on disk that were neither archived nor removed, by number.

    Radar pairs reach back 13 days, and a MAJA chain that begins learns from the dates of 60 days: an acquisition is
    kept until those around it are worked off too.
    """
    statement = text(
        f"""
        SELECT a.id, a.source_product_name AS name, a.full_path AS path, a.sensing_start AS sensed, a.satellite_id,
               a.tiles,
               ARRAY(SELECT m.site_id FROM s4c.site_acquisition m
                     WHERE m.acquisition_id = a.id ORDER BY 1) AS site_ids,
               CASE WHEN NOT {OPEN_UNIT} THEN greatest(
                   (SELECT max(u.updated_at) FROM s4c.acquisition_unit u WHERE u.acquisition_id = a.id),
                   (SELECT max(e.at) FROM s4c.acquisition_event e WHERE e.acquisition_id = a.id),
                   a.discovered_at) END AS finished_at,
               a.fetch_mode IN ('symlink', 'check') AS linked,
               (SELECT b.source_product_name FROM s4c.acquisition b
                JOIN s4c.site_acquisition m ON m.acquisition_id = b.id AND m.relevance = 'selected'
                JOIN s4c.site s ON s.id = m.site_id AND s.enabled
                WHERE b.id <> a.id AND b.kind = a.kind AND a.kind IN ('s1_slc', 's1_grd', 's2_l1c')
                  AND b.relative_orbit IS NOT DISTINCT FROM a.relative_orbit
                  AND (a.kind <> 's2_l1c' OR b.tiles && a.tiles)
                  AND b.sensing_start BETWEEN
                      a.sensing_start - make_interval(days => CASE WHEN a.kind = 's2_l1c' THEN 60 ELSE 13 END)
                      AND a.sensing_start + make_interval(days => CASE WHEN a.kind = 's2_l1c' THEN 60 ELSE 13 END)
                  AND b.state IN ('queued', 'staging', 'downloading', 'failed', 'downloaded', 'processing')
                ORDER BY b.sensing_start, b.id LIMIT 1) AS wanted_by
        FROM s4c.acquisition a
        WHERE a.full_path IS NOT NULL AND a.removed_at IS NULL AND a.archived_at IS NULL
          AND (a.state IN ('processed', 'processing_failed', 'ignored', 'aborted')
               OR (a.state = 'downloaded' AND NOT EXISTS (SELECT 1 FROM s4c.site_acquisition m
                                                          WHERE m.acquisition_id = a.id AND m.relevance = 'selected')))
          AND NOT {AS_IT_CAME}
        ORDER BY a.id
        """
    )
    rows = connection.execute(statement).mappings()
    return [KeptDownload(**{**row, "tiles": tuple(row["tiles"]), "site_ids": tuple(row["site_ids"])}) for row in rows]


def seasons_with_open_jobs(connection: Connection) -> set[int]:
    """Return the seasons of which a run is under way or waits."""
    statement = text(
        "SELECT DISTINCT season_id FROM s4c.job WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'skipped')"
    )
    return set(connection.execute(statement).scalars())


def needed_by_seasons(connection: Connection, seasons: Sequence[tuple[int, datetime, datetime]]) -> dict[int, int]:
    """Return, by number, products of which something in one of these seasons was made, with that season.

    Parameters
    ----------
    seasons : number, first moment and moment after the last that the season needs acquisitions of.
    """
    statement = text(
        """
        WITH unfinished AS (
            SELECT s.id, s.site_id, s.short_name, s.year, w.first, w.stop
            FROM unnest(CAST(:ids AS bigint[]), CAST(:firsts AS timestamptz[]), CAST(:stops AS timestamptz[]))
                 AS w (id, first, stop) JOIN s4c.season s ON s.id = w.id
        )
        SELECT product_id, min(season_id) FROM (
            SELECT i.input_product_id AS product_id, u.id AS season_id
            FROM s4c.product_input i
            JOIN s4c.product c ON c.id = i.product_id AND c.state <> 'superseded' AND c.removed_at IS NULL
            JOIN s4c.product_site x ON x.product_id = c.id
            JOIN unfinished u ON u.site_id = x.site_id
            LEFT JOIN s4c.job j ON j.id = c.job_id
            WHERE (c.acquired_at >= u.first AND c.acquired_at < u.stop) OR j.season_id = u.id
               OR c.metadata -> 'run' ->> 'season' = u.short_name
            UNION ALL
            SELECT m.product_id, u.id
            FROM s4c.marker_file m
            JOIN s4c.parcel_set p ON p.id = m.parcel_set_id
            JOIN unfinished u ON u.site_id = m.site_id AND u.year = p.year
            WHERE m.state = 'active' AND m.time >= u.first AND m.time < u.stop
        ) needed GROUP BY product_id
        """
    )
    values = {
        "ids": [one[0] for one in seasons],
        "firsts": [one[1] for one in seasons],
        "stops": [one[2] for one in seasons],
    }
    return {int(row[0]): int(row[1]) for row in connection.execute(statement, values)}


def removed_products(connection: Connection, acquisition_ids: Sequence[int]) -> dict[int, str]:
    """Return the acquisitions whose own products (L2A, Sentinel-1) were removed, and why."""
    statement = text(
        """
        SELECT p.acquisition_id, min(p.removed_because) FROM s4c.product p
        WHERE p.acquisition_id = ANY(:ids) AND p.state = 'active' AND p.product_type_id <> :l3b
        GROUP BY p.acquisition_id HAVING bool_and(p.removed_at IS NOT NULL)
        """
    )
    values = {"ids": list(acquisition_ids), "l3b": PRODUCT_TYPES["l3b"]}
    return {int(row[0]): str(row[1]) for row in connection.execute(statement, values)}
