"""Deleting a site: what would go, then everything that belongs to it, in one transaction.

Acquisitions and shared products go only when no other site uses them. Files go before the rows, see
`s4c_lib.deletion.stages`: a deletion that was interrupted finds by the rows what is left to do.
Source: operations.md §7, "Site deletion".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.keeping_rows import KIND_OF_TYPE
from s4c_lib.catalog.products import share_with_site
from s4c_lib.catalog.sites import Site
from s4c_lib.catalog.wanted_again import want_again
from s4c_lib.errors import ConflictError
from s4c_lib.reasons import Reason

FILE_KINDS: Final = ("l1", "l2a", "s1", "l3b", "l4", "declarations", "statistics", "logs")

_ONLY_HERE = """
    SELECT m.acquisition_id FROM s4c.site_acquisition m WHERE m.site_id = :site_id
      AND NOT EXISTS (SELECT 1 FROM s4c.site_acquisition o
                      WHERE o.acquisition_id = m.acquisition_id AND o.site_id <> :site_id)
"""
# What was made of an acquisition goes and stays with it: nothing would make it again for the other site.
_PRODUCTS_ONLY_HERE = f"""
    SELECT p.id FROM s4c.product p
    WHERE (EXISTS (SELECT 1 FROM s4c.product_site s WHERE s.product_id = p.id AND s.site_id = :site_id)
           OR p.acquisition_id IN ({_ONLY_HERE}))
      AND NOT EXISTS (SELECT 1 FROM s4c.product_site o WHERE o.product_id = p.id AND o.site_id <> :site_id)
      AND NOT EXISTS (SELECT 1 FROM s4c.site_acquisition o
                      WHERE o.acquisition_id = p.acquisition_id AND o.site_id <> :site_id)
"""

# Other sites that select an acquisition of which this one has a product.
_HEIRS = """
    SELECT DISTINCT o.site_id FROM s4c.product_site s
    JOIN s4c.product p ON p.id = s.product_id
    JOIN s4c.site_acquisition o ON o.acquisition_id = p.acquisition_id AND o.relevance = 'selected'
    WHERE s.site_id = :site_id AND o.site_id <> :site_id ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class DeletionPlan:
    """Rows and files that go with a site.

    Attributes
    ----------
    uploads, parcel_sets : uploads of all kinds, and versions of the declarations with their parcels.
    acquisition_paths : of downloads.
    product_paths : of products, of logs of what could not be made, of the folders and files of declarations, and of the
        statistics store.
    kinds : kind of each path, one of `FILE_KINDS`.
    """

    seasons: int
    jobs: int
    acquisitions: int
    products: int
    uploads: int
    parcel_sets: int
    acquisition_paths: tuple[str, ...]
    product_paths: tuple[str, ...]
    kinds: Mapping[str, str]


def plan(connection: Connection, site: Site) -> DeletionPlan:
    """Count what a deletion would remove, without removing anything."""
    values = {"site_id": site.id}
    counts = connection.execute(
        text(
            f"""
            SELECT (SELECT count(*) FROM s4c.season WHERE site_id = :site_id) AS seasons,
                   (SELECT count(*) FROM s4c.job WHERE site_id = :site_id) AS jobs,
                   (SELECT count(*) FROM ({_ONLY_HERE}) a) AS acquisitions,
                   (SELECT count(*) FROM ({_PRODUCTS_ONLY_HERE}) p) AS products,
                   (SELECT count(*) FROM s4c.auxdata_version WHERE site_id = :site_id) AS uploads,
                   (SELECT count(*) FROM s4c.parcel_set WHERE site_id = :site_id) AS parcel_sets
            """
        ),
        values,
    ).one()
    # What was only checked in place belongs to the archive, not to us.
    acquisition_paths = (
        connection.execute(
            text(
                f"SELECT full_path FROM s4c.acquisition WHERE id IN ({_ONLY_HERE}) "
                "AND full_path IS NOT NULL AND fetch_mode <> 'check' ORDER BY full_path"
            ),
            values,
        )
        .scalars()
        .all()
    )
    kinds = dict.fromkeys(acquisition_paths, "l1")
    product_paths = connection.execute(
        text(
            f"""
            SELECT p.full_path AS path, t.name AS kind
            FROM s4c.product p JOIN s4c.product_type t ON t.id = p.product_type_id
            LEFT JOIN s4c.acquisition a ON a.id = p.acquisition_id
            WHERE p.id IN ({_PRODUCTS_ONLY_HERE}) AND p.full_path IS DISTINCT FROM a.full_path
            UNION SELECT p.metadata ->> 'native', 'l2a' FROM s4c.product p
            WHERE p.id IN ({_PRODUCTS_ONLY_HERE}) AND p.metadata ->> 'native' IS NOT NULL
            -- what programs said of units that could not be made
            UNION SELECT u.log_path, 'logs' FROM s4c.acquisition_unit u
            WHERE u.acquisition_id IN ({_ONLY_HERE}) AND u.log_path IS NOT NULL
            -- of removed versions too: a folder that could not go yet would have no row any more
            UNION SELECT folder, 'declarations' FROM s4c.parcel_set WHERE site_id = :site_id
            UNION SELECT path, 'declarations' FROM s4c.auxdata_version WHERE site_id = :site_id AND path IS NOT NULL
            -- the site's part of the statistics store as one, with what no row names
            UNION SELECT coalesce(substring(path FROM '^(/.*/markers/site=' || :name || ')/'), path), 'statistics'
            FROM s4c.marker_file WHERE site_id = :site_id
            ORDER BY 1
            """
        ),
        {**values, "name": site.short_name},
    ).all()
    kinds |= {row.path: KIND_OF_TYPE.get(row.kind, row.kind) for row in product_paths}
    return DeletionPlan(
        seasons=counts.seasons,
        jobs=counts.jobs,
        acquisitions=counts.acquisitions,
        products=counts.products,
        uploads=counts.uploads,
        parcel_sets=counts.parcel_sets,
        acquisition_paths=tuple(acquisition_paths),
        product_paths=tuple(dict.fromkeys(row.path for row in product_paths)),
        kinds=kinds,
    )


@dataclass(frozen=True, slots=True)
class Deleting:
    """A site that is being deleted. ``keeps`` : kinds of files that stay where they are."""

    site_id: int
    short_name: str
    by: str
    keeps: tuple[str, ...]


def deleting(connection: Connection) -> list[Deleting]:
    """Return the sites that are being deleted, by short name."""
    statement = text(
        "SELECT id AS site_id, short_name, deleting_by AS by, deleting_keeps AS keeps FROM s4c.site "
        "WHERE deleting_since IS NOT NULL ORDER BY short_name"
    )
    return [Deleting(**{**row, "keeps": tuple(row["keeps"])}) for row in connection.execute(statement).mappings()]


def refuse_deleting(connection: Connection, site: Site) -> None:
    """Let nothing be done with a site that is being deleted.

    Raises
    ------
    ConflictError : it is.
    """
    if any(one.site_id == site.id for one in deleting(connection)):
        raise ConflictError(
            f"Site {site.short_name!r} is being deleted.",
            hint=f"'s4c site delete {site.short_name} --yes' goes on with it, and so does s4c__retention",
        )


def begin(connection: Connection, site: Site, *, actor: str, keeps: Sequence[str]) -> None:
    """Mark a site: nothing of it starts any more, and runs that wait are cancelled. Called again, more kinds are kept.

    From now on no other site is to rely on files that are about to go: what only this one uses counts as removed.
    """
    connection.execute(
        text(
            """
            UPDATE s4c.site SET enabled = false, deleting_since = coalesce(deleting_since, clock_timestamp()),
                deleting_by = coalesce(deleting_by, :actor),
                -- what was to stay stays, whoever repeats the command
                deleting_keeps = ARRAY(SELECT DISTINCT unnest(deleting_keeps || CAST(:keeps AS text[])) ORDER BY 1)
            WHERE id = :id
            """
        ),
        {"id": site.id, "actor": actor, "keeps": sorted(keeps)},
    )
    connection.execute(
        text(
            """
            UPDATE s4c.job SET state = 'cancelled', reason = 'site_deleted', ended_at = clock_timestamp(),
                detail = 'its site is being deleted'
            WHERE site_id = :id AND state IN ('submitted', 'waiting_inputs', 'queued')
            """
        ),
        {"id": site.id},
    )


def let_go(connection: Connection, site: Site) -> None:
    """Say of what only this site uses that its files are removed, before they are."""
    values = {"site_id": site.id, "why": _why(site)}
    for table, chosen in (("acquisition", _ONLY_HERE), ("product", _PRODUCTS_ONLY_HERE)):
        connection.execute(
            text(
                f"UPDATE s4c.{table} SET removed_at = clock_timestamp(), removed_because = :why "
                f"WHERE removed_at IS NULL AND id IN ({chosen})"
            ),
            values,
        )


def _why(site: Site) -> str:
    return f"site {site.short_name} deleted"


def holding_others(connection: Connection, site: Site, paths: Sequence[str]) -> set[str]:
    """Return which of these paths hold, or are, something of other sites: they stay, whatever a row says."""
    statement = text(
        f"""
        WITH other AS (
            SELECT full_path AS path FROM s4c.product WHERE id NOT IN ({_PRODUCTS_ONLY_HERE})
            UNION SELECT full_path FROM s4c.acquisition WHERE full_path IS NOT NULL AND id NOT IN ({_ONLY_HERE})
            UNION SELECT folder FROM s4c.parcel_set WHERE site_id <> :site_id AND state <> 'removed'
            UNION SELECT path FROM s4c.auxdata_version WHERE site_id <> :site_id AND path IS NOT NULL
            UNION SELECT path FROM s4c.marker_file WHERE site_id <> :site_id
        ), above AS (
            -- every folder on the way to them
            SELECT DISTINCT array_to_string(parts[1:n], '/') AS path
            FROM (SELECT string_to_array(path, '/') AS parts FROM other) o, generate_series(2, cardinality(parts)) AS n
        )
        SELECT path FROM above WHERE path = ANY(:paths)
        """
    )
    return set(connection.execute(statement, {"site_id": site.id, "paths": list(paths)}).scalars())


def delete(connection: Connection, site: Site, *, actor: str) -> DeletionPlan:
    """Remove a site and all that is only its own; a tombstone says what went.

    Raises
    ------
    ConflictError : a job of the site is running.
    """
    running = connection.execute(
        text("SELECT id FROM s4c.job WHERE site_id = :id AND state = 'running' ORDER BY id LIMIT 1"), {"id": site.id}
    ).scalar_one_or_none()
    if running is not None:
        raise ConflictError(
            f"Job {running} of site {site.short_name!r} is running.",
            hint="wait until it ends, or end its run in Airflow",
        )
    planned = plan(connection, site)
    values = {"site_id": site.id}
    for heir in connection.execute(text(_HEIRS), values).scalars().all():
        share_with_site(connection, heir)
    connection.execute(text(f"DELETE FROM s4c.product WHERE id IN ({_PRODUCTS_ONLY_HERE})"), values)
    connection.execute(text(f"DELETE FROM s4c.acquisition WHERE id IN ({_ONLY_HERE})"), values)
    _give_to_others(connection, site, actor)
    # its uploads, and by a trigger the tables of its parcels, go with it
    connection.execute(text("DELETE FROM s4c.site WHERE id = :site_id"), values)
    connection.execute(
        text(
            "INSERT INTO s4c.site_deletion (short_name, name, deleted_by, removed) "
            "VALUES (:short_name, :name, :actor, CAST(:removed AS jsonb))"
        ),
        {
            "short_name": site.short_name,
            "name": site.name,
            "actor": actor,
            "removed": json.dumps(
                {
                    "seasons": planned.seasons,
                    "jobs": planned.jobs,
                    "acquisitions": planned.acquisitions,
                    "products": planned.products,
                    "uploads": planned.uploads,
                    "parcel_sets": planned.parcel_sets,
                }
            ),
        },
    )
    return planned


def _give_to_others(connection: Connection, site: Site, actor: str) -> None:
    """What another site has selected while the files went is fetched and made again for it."""
    statement = text("SELECT id FROM s4c.acquisition WHERE removed_because = :why AND state = 'processed' ORDER BY id")
    want_again(connection, list(connection.execute(statement, {"why": _why(site)}).scalars()), actor=actor)
    statement = text("SELECT id FROM s4c.acquisition WHERE removed_because = :why AND state = 'downloaded' ORDER BY id")
    waiting = list(connection.execute(statement, {"why": _why(site)}).scalars())
    queued = AcquisitionState.QUEUED
    transition(connection, waiting, queued, actor=actor, reason=str(Reason.INPUT_MISSING), error=_why(site))
