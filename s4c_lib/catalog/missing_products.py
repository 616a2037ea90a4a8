"""What has not been made yet of the products of a site: looked up in what is there, not in a list of what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """A product in force and the tile of it that is worked on."""

    acquired_at: datetime
    product_id: int
    tile: str


_L2A_OF_SITE = """
    FROM s4c.product p
    JOIN s4c.product_site x ON x.product_id = p.id AND x.site_id = :site_id
    LEFT JOIN s4c.acquisition a ON a.id = p.acquisition_id
    JOIN s4c.site_tile t ON t.site_id = :site_id AND t.selected AND t.epsg IS NOT NULL
         AND (t.tile = ANY(p.tiles)
              -- Landsat has its own tiling: it serves the Sentinel-2 tiles it meets
              OR (p.satellite_id IN (2, 4) AND ST_Intersects(a.footprint, t.footprint)))
    WHERE p.product_type_id = 1 AND p.state = 'active' AND p.removed_at IS NULL
      AND p.acquired_at >= :first AND p.acquired_at < :stop
      AND (CAST(:tiles AS text[]) IS NULL OR t.tile = ANY(CAST(:tiles AS text[])))
"""


def adopt_l3b(connection: Connection, site_id: int, *, config_hash: str) -> int:
    """Give a site the L3B that another one made of its L2A with the same parameters."""
    statement = text(
        """
        INSERT INTO s4c.product_site (product_id, site_id)
        SELECT DISTINCT c.id, :site_id FROM s4c.product c
        JOIN s4c.product_input i ON i.product_id = c.id
        JOIN s4c.product_site x ON x.product_id = i.input_product_id AND x.site_id = :site_id
        JOIN s4c.product p ON p.id = i.input_product_id AND p.state = 'active'
        JOIN s4c.site_tile t ON t.site_id = :site_id AND t.selected AND t.tile = ANY(c.tiles)
        WHERE c.product_type_id = 3 AND c.state IN ('active', 'empty') AND c.config_hash = :config_hash
        ON CONFLICT DO NOTHING
        """
    )
    return connection.execute(statement, {"site_id": site_id, "config_hash": config_hash}).rowcount


def missing_l3b(
    connection: Connection,
    site_id: int,
    *,
    config_hash: str,
    first: datetime,
    stop: datetime,
    tiles: Sequence[str] | None = None,
) -> list[Piece]:
    """Return the L2A tiles in force of a site sensed in [first, stop) that have no L3B made with this configuration.

    An L3B that retention removed counts as made; of an L2A that it removed nothing can be made.
    """
    statement = text(
        f"""
        SELECT p.acquired_at, p.id AS product_id, t.tile {_L2A_OF_SITE}
          AND NOT EXISTS (
              SELECT 1 FROM s4c.product_input i JOIN s4c.product c ON c.id = i.product_id
              JOIN s4c.product_site y ON y.product_id = c.id AND y.site_id = :site_id
              WHERE i.input_product_id = p.id AND c.product_type_id = 3 AND c.state IN ('active', 'empty')
                AND c.config_hash = :config_hash AND t.tile = ANY(c.tiles))
        ORDER BY p.acquired_at, p.id, t.tile
        """
    )
    values = {
        "site_id": site_id,
        "config_hash": config_hash,
        "first": first,
        "stop": stop,
        "tiles": None if not tiles else list(tiles),
    }
    return [Piece(**row) for row in connection.execute(statement, values).mappings()]


def missing_statistics(
    connection: Connection,
    site_id: int,
    *,
    parcel_set_id: int,
    variables: Sequence[tuple[str, str]],
    config_hash: str,
    l3b_hash: str,
    first: datetime,
    stop: datetime,
) -> list[Piece]:
    """Return the products in force of a site that lack a file of the statistics store.

    Parameters
    ----------
    variables : (product type, variable) that are wanted; of a Sentinel-1 product only those of its polarisation, of
        Landsat's L2A none.
    """
    statement = text(
        """
        SELECT DISTINCT p.acquired_at, p.id AS product_id, coalesce(p.tiles[1], '') AS tile
        FROM s4c.product p
        JOIN s4c.product_site x ON x.product_id = p.id AND x.site_id = :site_id
        JOIN s4c.product_type k ON k.id = p.product_type_id
        LEFT JOIN s4c.acquisition a ON a.id = p.acquisition_id
        JOIN unnest(CAST(:types AS text[]), CAST(:variables AS text[])) AS w (type, variable) ON w.type = k.name
        WHERE p.state = 'active' AND p.removed_at IS NULL AND p.acquired_at >= :first AND p.acquired_at < :stop
          AND (k.name <> 'l3b' OR p.config_hash = :l3b_hash)
          AND (k.name <> 'l2a' OR p.satellite_id = 1)
          AND (k.name NOT LIKE 's1%' OR right(w.variable, 2) = lower(coalesce(p.polarisation, a.polarisation)))
          AND (k.name LIKE 's1%' OR EXISTS (SELECT 1 FROM s4c.site_tile t WHERE t.site_id = :site_id AND t.selected
                                              AND t.tile = ANY(p.tiles)))
          AND NOT EXISTS (
              SELECT 1 FROM s4c.marker_file m
              WHERE m.parcel_set_id = :parcel_set_id AND m.product_id = p.id AND m.variable = w.variable
                AND m.state = 'active' AND m.config_hash = :config_hash)
        ORDER BY 1, 2, 3
        """
    )
    values = {
        "site_id": site_id,
        "parcel_set_id": parcel_set_id,
        "types": [item[0] for item in variables],
        "variables": [item[1] for item in variables],
        "config_hash": config_hash,
        "l3b_hash": l3b_hash,
        "first": first,
        "stop": stop,
    }
    return [Piece(**row) for row in connection.execute(statement, values).mappings()]
