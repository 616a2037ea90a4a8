"""What an L4 product is made of, in words: products by number."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class InputProduct:
    """A product whose statistics are read."""

    id: int
    name: str
    product_type: str
    full_path: str
    acquired_at: datetime
    tiles: tuple[str, ...]
    relative_orbit: int | None


def input_products(connection: Connection, numbers: Collection[int]) -> list[InputProduct]:
    """Return products by time and name; numbers that are no longer known are left out."""
    rows = connection.execute(
        text(
            """
            SELECT p.id, p.name, t.name AS product_type, p.full_path, p.acquired_at, p.tiles, p.relative_orbit
            FROM s4c.product p JOIN s4c.product_type t ON t.id = p.product_type_id
            WHERE p.id = ANY(:ids) ORDER BY p.acquired_at, p.name, p.id
            """
        ),
        {"ids": sorted(set(numbers))},
    ).mappings()
    return [InputProduct(**{**row, "tiles": tuple(row["tiles"])}) for row in rows]
