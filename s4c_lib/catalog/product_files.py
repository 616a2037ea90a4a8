"""The files that the database says are there: of products in force, of their statistics, of downloads still needed.

What retention removed, or is about to, is not among them. Rows are read in batches, by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from s4c_lib.catalog.products import ProductFile
from s4c_lib.catalog.vocabulary import PRODUCT_TYPES
from s4c_lib.processors import L4_PRODUCT_TYPES

_RESULTS: Final = [PRODUCT_TYPES[name] for name in L4_PRODUCT_TYPES]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose files: of a site, all of them or those of a season.

    Attributes
    ----------
    season : short name; None for all. sensed : what the season needs is sensed in [first, after last).
    """

    site_id: int
    season: str | None = None
    sensed: tuple[datetime, datetime] | None = None

    def values(self) -> dict[str, object]:
        """Return the values of the placeholders that the statements here share."""
        first, stop = self.sensed or (None, None)
        return {"site_id": self.site_id, "season": self.season, "first": first, "stop": stop, "results": _RESULTS}


@dataclass(frozen=True, slots=True)
class FilesOfProduct:
    """A product in force and what is known of its files.

    Attributes
    ----------
    download : it is the download as it came. size_bytes : of that download.
    files : each file, where the product states them.
    """

    id: int
    product_type: str
    name: str
    path: str
    acquisition_id: int | None
    download: bool
    size_bytes: int | None
    files: tuple[ProductFile, ...]


@dataclass(frozen=True, slots=True)
class FileOfStatistics:
    """A file of the statistics store that is in force."""

    id: int
    product_id: int
    acquisition_id: int | None
    variable: str
    product: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class NeededDownload:
    """A fetched acquisition that is still to be processed."""

    id: int
    name: str
    path: str


_PRODUCTS: Final = """
    FROM s4c.product p
    JOIN s4c.product_site x ON x.product_id = p.id AND x.site_id = :site_id
    WHERE p.state = 'active' AND p.removed_at IS NULL
      AND (CAST(:season AS text) IS NULL
           OR CASE WHEN p.product_type_id = ANY(CAST(:results AS smallint[]))
                   THEN p.metadata -> 'run' ->> 'season' = :season
                   ELSE p.acquired_at >= :first AND p.acquired_at < :stop END)
"""
_STATISTICS: Final = """
    FROM s4c.marker_file m
    JOIN s4c.product p ON p.id = m.product_id AND p.state = 'active'
    WHERE m.site_id = :site_id AND m.state = 'active'
      AND (CAST(:season AS text) IS NULL OR (m.time >= :first AND m.time < :stop))
"""
_DOWNLOADS: Final = """
    FROM s4c.acquisition a
    JOIN s4c.site_acquisition m ON m.acquisition_id = a.id AND m.site_id = :site_id AND m.relevance = 'selected'
    WHERE a.state IN ('downloaded', 'processing') AND a.full_path IS NOT NULL AND a.removed_at IS NULL
      AND (CAST(:season AS text) IS NULL OR (a.sensing_start >= :first AND a.sensing_start < :stop))
"""


def count(connection: Connection, scope: Scope) -> int:
    """Return how many products, files of statistics and downloads there are."""
    statement = text(
        f"SELECT (SELECT count(*) {_PRODUCTS}) + (SELECT count(*) {_STATISTICS}) + (SELECT count(*) {_DOWNLOADS})"
    )
    return int(connection.execute(statement, scope.values()).scalar_one())


def products_after(connection: Connection, scope: Scope, number: int, most: int) -> list[FilesOfProduct]:
    """Return the next products after a number, with their files."""
    statement = text(
        f"""
        WITH next AS (SELECT p.* {_PRODUCTS} AND p.id > :after ORDER BY p.id LIMIT :most)
        SELECT n.id, t.name AS product_type, n.name, n.full_path AS path, n.acquisition_id,
               coalesce(a.full_path = n.full_path, false) AS download, a.size_bytes
        FROM next n JOIN s4c.product_type t ON t.id = n.product_type_id
        LEFT JOIN s4c.acquisition a ON a.id = n.acquisition_id
        ORDER BY n.id
        """
    )
    rows = connection.execute(statement, {**scope.values(), "after": number, "most": most}).mappings().all()
    files = _files(connection, [row["id"] for row in rows])
    return [FilesOfProduct(**row, files=tuple(files.get(row["id"], ()))) for row in rows]


def _files(connection: Connection, product_ids: Sequence[int]) -> dict[int, list[ProductFile]]:
    statement = text(
        "SELECT product_id, path, size_bytes, sha256 FROM s4c.product_file WHERE product_id = ANY(:ids) ORDER BY 1, 2"
    )
    found: dict[int, list[ProductFile]] = {}
    for row in connection.execute(statement, {"ids": list(product_ids)}):
        found.setdefault(row.product_id, []).append(ProductFile(row.path, row.size_bytes, row.sha256))
    return found


def statistics_after(connection: Connection, scope: Scope, number: int, most: int) -> list[FileOfStatistics]:
    """Return the next files of statistics after a number."""
    statement = text(
        f"""
        SELECT m.id, m.product_id, p.acquisition_id, m.variable, p.name AS product, m.path, m.sha256
        {_STATISTICS} AND m.id > :after ORDER BY m.id LIMIT :most
        """
    )
    rows = connection.execute(statement, {**scope.values(), "after": number, "most": most}).mappings()
    return [FileOfStatistics(**row) for row in rows]


def downloads_needed(connection: Connection, scope: Scope) -> list[NeededDownload]:
    """Return the downloads that are still to be processed, by number."""
    statement = text(f"SELECT a.id, a.source_product_name AS name, a.full_path AS path {_DOWNLOADS} ORDER BY a.id")
    return [NeededDownload(**row) for row in connection.execute(statement, scope.values()).mappings()]


def places(connection: Connection) -> list[str]:
    """Return where the products in force of enabled sites are said to be, by path."""
    statement = text(
        """
        SELECT DISTINCT p.full_path FROM s4c.product p
        JOIN s4c.product_site x ON x.product_id = p.id JOIN s4c.site s ON s.id = x.site_id AND s.enabled
        WHERE p.state = 'active' AND p.removed_at IS NULL ORDER BY 1
        """
    )
    return list(connection.execute(statement).scalars())
