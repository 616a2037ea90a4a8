"""Deleting a site: what would go, then everything that belongs to it, in one transaction.

Acquisitions and shared products go only when no other site uses them. Files are the caller's: it removes
them before it commits the rows, so that an interrupted deletion can be repeated, inside the storage folders
only and never through links.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, text

from s4c_lib.catalog.products import share_with_site
from s4c_lib.catalog.sites import Site
from s4c_lib.errors import ConflictError

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
    product_paths : of products, of logs of what could not be made, of the folders and files of declarations, and of the
        statistics store.
    """

    seasons: int
    jobs: int
    acquisitions: int
    products: int
    uploads: int
    parcel_sets: int
    acquisition_paths: tuple[str, ...]
    product_paths: tuple[str, ...]


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
    acquisition_paths = connection.execute(
        text(
            f"SELECT full_path FROM s4c.acquisition WHERE id IN ({_ONLY_HERE}) "
            "AND full_path IS NOT NULL AND fetch_mode <> 'check' ORDER BY full_path"
        ),
        values,
    ).scalars()
    product_paths = connection.execute(
        text(
            f"""
            SELECT p.full_path FROM s4c.product p LEFT JOIN s4c.acquisition a ON a.id = p.acquisition_id
            WHERE p.id IN ({_PRODUCTS_ONLY_HERE}) AND p.full_path IS DISTINCT FROM a.full_path
            -- what programs said of units that could not be made
            UNION SELECT u.log_path FROM s4c.acquisition_unit u
            WHERE u.acquisition_id IN ({_ONLY_HERE}) AND u.log_path IS NOT NULL
            UNION SELECT folder FROM s4c.parcel_set WHERE site_id = :site_id AND state <> 'removed'
            UNION SELECT path FROM s4c.auxdata_version WHERE site_id = :site_id AND path IS NOT NULL
            -- the site's part of the statistics store as one, with what no row names
            UNION SELECT coalesce(substring(path FROM '^(/.*/markers/site=' || :name || ')/'), path)
            FROM s4c.marker_file WHERE site_id = :site_id
            ORDER BY 1
            """
        ),
        {**values, "name": site.short_name},
    ).scalars()
    return DeletionPlan(
        seasons=counts.seasons,
        jobs=counts.jobs,
        acquisitions=counts.acquisitions,
        products=counts.products,
        uploads=counts.uploads,
        parcel_sets=counts.parcel_sets,
        acquisition_paths=tuple(acquisition_paths),
        product_paths=tuple(product_paths),
    )


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
            hint=f"disable the site with 's4c site disable {site.short_name}' and wait for its runs to end",
        )
    planned = plan(connection, site)
    values = {"site_id": site.id}
    for heir in connection.execute(text(_HEIRS), values).scalars().all():
        share_with_site(connection, heir)
    connection.execute(text(f"DELETE FROM s4c.product WHERE id IN ({_PRODUCTS_ONLY_HERE})"), values)
    connection.execute(text(f"DELETE FROM s4c.acquisition WHERE id IN ({_ONLY_HERE})"), values)
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
