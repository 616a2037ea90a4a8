"""What the database says of files that may go: superseded products, native products, removed declarations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from s4c_lib.catalog.vocabulary import PRODUCT_TYPES
from s4c_lib.processors import L4_PRODUCT_TYPES

# Made here; Sentinel-1 products are so unless they are the downloads themselves.
_OWN: Final = tuple(PRODUCT_TYPES[name] for name in ("l2a", "l3b", *L4_PRODUCT_TYPES))
_RADAR: Final = tuple(PRODUCT_TYPES[name] for name in ("s1_l2a_amp", "s1_l2a_cohe"))
_RESULTS: Final = tuple(PRODUCT_TYPES[name] for name in L4_PRODUCT_TYPES)


@dataclass(frozen=True, slots=True)
class SupersededProduct:
    """A product that nothing in force was made of.

    Parameters
    ----------
    native : folder of the same in the format of the program that made it.
    superseded_at : when the product that took its place was registered.
    """

    id: int
    name: str
    full_path: str
    native: str | None
    superseded_at: datetime
    site_ids: tuple[int, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Its folders."""
        return (self.full_path,) if self.native is None else (self.full_path, self.native)


def superseded_products(connection: Connection) -> list[SupersededProduct]:
    """Return products superseded by another one that no unit, statistics, waiver or other product in force uses."""
    statement = text(
        """
        WITH superseded AS (
            SELECT p.*, least(
                (SELECT min(q.inserted_at) FROM s4c.product q
                 WHERE q.product_type_id = p.product_type_id AND q.processor_id = p.processor_id
                   AND q.name = p.name AND q.version > p.version),
                -- a result gives way to one of the same run on other inputs, which has another name
                (SELECT min(q.inserted_at) FROM s4c.product q
                 WHERE p.product_type_id = ANY(:results) AND q.product_type_id = p.product_type_id AND q.id > p.id
                   AND q.metadata -> 'run' = p.metadata -> 'run'),
                -- backscatter gives way to that of more slices, which may have the name of another one
                (SELECT q.inserted_at FROM s4c.product q
                 WHERE q.id = CAST(p.metadata ->> 'superseded_by' AS bigint))) AS superseded_at
            FROM s4c.product p LEFT JOIN s4c.acquisition a ON a.id = p.acquisition_id
            WHERE p.state = 'superseded' AND p.archived_at IS NULL
              AND (p.product_type_id = ANY(:own)
                   OR (p.product_type_id = ANY(:radar) AND p.full_path IS DISTINCT FROM a.full_path))
        )
        SELECT p.id, p.name, p.full_path, p.metadata ->> 'native' AS native, p.superseded_at,
               ARRAY(SELECT s.site_id FROM s4c.product_site s WHERE s.product_id = p.id ORDER BY 1) AS site_ids
        FROM superseded p
        WHERE p.superseded_at IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM s4c.marker_file m WHERE m.product_id = p.id)
          AND NOT EXISTS (SELECT 1 FROM s4c.acquisition_unit u WHERE u.product_id = p.id)
          AND NOT EXISTS (SELECT 1 FROM s4c.waiver w WHERE w.product_id = p.id)
          AND NOT EXISTS (SELECT 1 FROM s4c.derivation d WHERE d.product_id = p.id AND d.state = 'processing')
          AND NOT EXISTS (SELECT 1 FROM s4c.product_input i JOIN s4c.product c ON c.id = i.product_id
                          WHERE i.input_product_id = p.id AND c.state <> 'superseded')
        ORDER BY p.id
        """
    )
    values = {"own": list(_OWN), "radar": list(_RADAR), "results": list(_RESULTS)}
    rows = connection.execute(statement, values).mappings()
    return [SupersededProduct(**{**row, "site_ids": tuple(row["site_ids"])}) for row in rows]


def lock_name(connection: Connection, name: str) -> None:
    """Keep products of a name from being registered until the transaction ends; see `products.register`."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def paths_in_use(connection: Connection, paths: Sequence[str], but: int) -> set[str]:
    """Return which of these paths another product or an acquisition has too."""
    statement = text(
        """
        SELECT full_path FROM s4c.product WHERE full_path = ANY(:paths) AND id <> :but
        UNION SELECT metadata ->> 'native' FROM s4c.product WHERE metadata ->> 'native' = ANY(:paths) AND id <> :but
        UNION SELECT full_path FROM s4c.acquisition WHERE full_path = ANY(:paths)
        """
    )
    return set(connection.execute(statement, {"paths": list(paths), "but": but}).scalars())


def forget_product(connection: Connection, product_id: int) -> None:
    """Remove the row of a superseded product whose files are gone."""
    connection.execute(text("DELETE FROM s4c.product WHERE id = :id AND state = 'superseded'"), {"id": product_id})


def outdated_natives(connection: Connection, days: int) -> list[str]:
    """Return native folders of products sensed more than some days before the newest of their tile and orbit."""
    statement = text(
        """
        SELECT native FROM (
            SELECT metadata ->> 'native' AS native, acquired_at,
                   max(acquired_at) FILTER (WHERE state = 'active')
                       OVER (PARTITION BY satellite_id, tiles, relative_orbit) AS newest
            FROM s4c.product
            WHERE product_type_id = 1 AND metadata ->> 'native' IS NOT NULL
        ) lane
        GROUP BY native HAVING bool_and(acquired_at < newest - make_interval(days => :days)) ORDER BY native
        """
    )
    return list(connection.execute(statement, {"days": days}).scalars())


def declared_years(connection: Connection, site_id: int) -> list[int]:
    """Return the years a site has declarations of."""
    statement = text("SELECT DISTINCT year FROM s4c.parcel_set WHERE site_id = :site_id ORDER BY 1")
    return list(connection.execute(statement, {"site_id": site_id}).scalars())


def removed_set_folders(connection: Connection) -> list[str]:
    """Return the folders of versions of declarations that are removed; they may be gone."""
    return list(
        connection.execute(text("SELECT folder FROM s4c.parcel_set WHERE state = 'removed' ORDER BY 1")).scalars()
    )


def logs_of_units(connection: Connection) -> list[str]:
    """Return the logs of what could not be made, of products apart: those lie with them."""
    statement = text(
        "SELECT DISTINCT log_path FROM s4c.acquisition_unit "
        "WHERE log_path IS NOT NULL AND product_id IS NULL ORDER BY 1"
    )
    return list(connection.execute(statement).scalars())


def forget_logs(connection: Connection, paths: Sequence[str]) -> None:
    """Say no more that there are logs which are gone."""
    connection.execute(
        text("UPDATE s4c.acquisition_unit SET log_path = NULL WHERE log_path = ANY(:paths)"), {"paths": list(paths)}
    )


def acquisitions_at_work(connection: Connection, now: datetime) -> set[int]:
    """Return the acquisitions of which a unit is being made."""
    statement = text(
        "SELECT DISTINCT acquisition_id FROM s4c.acquisition_unit WHERE state = 'processing' AND lease_until > :now"
    )
    return set(connection.execute(statement, {"now": now}).scalars())


def sites_ever(connection: Connection) -> list[str]:
    """Return the short names of all sites, deleted ones too."""
    statement = text("SELECT short_name FROM s4c.site UNION SELECT short_name FROM s4c.site_deletion ORDER BY 1")
    return list(connection.execute(statement).scalars())


def supersede_statistics_of_removed_sets(connection: Connection) -> int:
    """Take statistics of versions of declarations that are removed out of force; returns how many files that are."""
    statement = text(
        """
        UPDATE s4c.marker_file m SET state = 'superseded', superseded_at = clock_timestamp()
        FROM s4c.parcel_set p WHERE p.id = m.parcel_set_id AND p.state = 'removed' AND m.state = 'active'
        """
    )
    return connection.execute(statement).rowcount


def also_named(connection: Connection, paths: Sequence[str], but: Sequence[int]) -> set[str]:
    """Return which of these paths other rows of the statistics store have too: same content, same name."""
    statement = text("SELECT DISTINCT path FROM s4c.marker_file WHERE path = ANY(:paths) AND id <> ALL(:but)")
    return set(connection.execute(statement, {"paths": list(paths), "but": list(but)}).scalars())


def marker_paths(connection: Connection, site: str) -> set[str]:
    """Return the paths of all files of the statistics store of a site, superseded ones too."""
    statement = text(
        "SELECT m.path FROM s4c.marker_file m JOIN s4c.site s ON s.id = m.site_id WHERE s.short_name = :site"
    )
    return set(connection.execute(statement, {"site": site}).scalars())
