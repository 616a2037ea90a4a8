"""Products: what was made of what, registered in one transaction with files and provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, text

from s4c_lib.catalog.geometry import bound, geometry_parameter
from s4c_lib.catalog.vocabulary import PROCESSORS, PRODUCT_TYPES, SATELLITES, satellite_name, satellite_numbers
from s4c_lib.errors import LeaseLostError, NotFoundError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True, slots=True)
class ProductFile:
    """A file of a product, relative to its folder."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class NewProduct:
    """What is registered. ``acquired_at`` is the reference time of the data, not of its making.

    Parameters
    ----------
    state : ``active``, or ``empty``: made, but without a valid pixel, so that there are no files.
    polarisation : of a radar raster that was made here.
    acquisitions : all that are in it, where that is more than ``acquisition_id``.
    """

    product_type: str
    processor: str
    name: str
    full_path: str
    acquired_at: datetime
    software_version: str
    config_hash: str
    satellite: str | None = None
    job_id: int | None = None
    acquisition_id: int | None = None
    footprint: BaseGeometry | None = None
    tiles: tuple[str, ...] = ()
    relative_orbit: int | None = None
    direction: str | None = None
    state: str = "active"
    quality: str = "ok"
    quicklook: str | None = None
    inputs_complete: bool = True
    input_fingerprint: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[ProductFile, ...] = ()
    inputs: tuple[int, ...] = ()
    polarisation: str | None = None
    acquisitions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Product:
    """A product as stored."""

    id: int
    product_type: str
    processor: str
    name: str
    version: int
    state: str
    quality: str
    full_path: str
    acquired_at: datetime
    inserted_at: datetime
    tiles: tuple[str, ...]
    relative_orbit: int | None
    acquisition_id: int | None
    config_hash: str
    satellite_id: int | None
    direction: str | None
    polarisation: str | None
    metadata: Mapping[str, Any]
    archived_at: datetime | None = None
    removed_at: datetime | None = None
    removed_because: str | None = None

    @property
    def files(self) -> str:
        """Where the files are, in words: on disk, in the archive, or removed, when and why."""
        if self.removed_at is not None:
            return f"removed {self.removed_at:%Y-%m-%d}: {self.removed_because}"
        return "on disk" if self.archived_at is None else f"archived {self.archived_at:%Y-%m-%d}"

    @property
    def satellite(self) -> str | None:
        """``s1``, ``s2``, ``l8``, ``l9``; None for products of several."""
        return None if self.satellite_id is None else satellite_name(self.satellite_id)


def register(connection: Connection, new: NewProduct, site_ids: Sequence[int]) -> int:
    """Register a product for sites; one of the same name is superseded in the same transaction, for its sites too.

    Registering what is already there unchanged (same configuration, fingerprint and path) only adds sites.
    """
    key = {
        "type": PRODUCT_TYPES[new.product_type],
        "processor": PROCESSORS[new.processor],
        "name": new.name,
    }
    # One registration of a name at a time: versions stay consecutive.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": new.name})
    current = connection.execute(
        text(
            """
            SELECT id, config_hash, input_fingerprint, full_path, state FROM s4c.product
            WHERE product_type_id = :type AND processor_id = :processor AND name = :name AND state <> 'superseded'
            """
        ),
        key,
    ).one_or_none()
    same = current is not None and (
        current.config_hash,
        current.input_fingerprint,
        current.full_path,
        current.state,
    ) == (new.config_hash, new.input_fingerprint, new.full_path, new.state)
    if current is not None and same:
        product_id = int(current.id)
        # what retention removed and was made again
        connection.execute(
            text(
                "UPDATE s4c.product SET removed_at = NULL, removed_because = NULL, inserted_at = clock_timestamp() "
                "WHERE id = :id AND removed_at IS NOT NULL"
            ),
            {"id": product_id},
        )
    else:
        if current is not None:
            connection.execute(text("UPDATE s4c.product SET state = 'superseded' WHERE id = :id"), {"id": current.id})
        latest = connection.execute(
            text(
                "SELECT coalesce(max(version), 0) FROM s4c.product "
                "WHERE product_type_id = :type AND processor_id = :processor AND name = :name"
            ),
            key,
        ).scalar_one()
        product_id = _insert(connection, new, key, version=latest + 1)
        if current is not None:
            connection.execute(
                text("INSERT INTO s4c.product_site SELECT :new, site_id FROM s4c.product_site WHERE product_id = :old"),
                {"new": product_id, "old": current.id},
            )
    for site_id in sorted(set(site_ids)):
        connection.execute(
            text("INSERT INTO s4c.product_site VALUES (:product_id, :site_id) ON CONFLICT DO NOTHING"),
            {"product_id": product_id, "site_id": site_id},
        )
    return product_id


def _insert(connection: Connection, new: NewProduct, key: Mapping[str, Any], version: int) -> int:
    statement = text(
        """
        INSERT INTO s4c.product
            (product_type_id, processor_id, satellite_id, job_id, acquisition_id, name, version, state, quality,
             full_path, quicklook, acquired_at, footprint, tiles, relative_orbit, direction, polarisation,
             inputs_complete, input_fingerprint, software_version, config_hash, metadata)
        VALUES
            (:type, :processor, :satellite_id, :job_id, :acquisition_id, :name, :version,
             CAST(:state AS s4c.product_state), CAST(:quality AS s4c.product_quality), :full_path,
             :quicklook, :acquired_at, :footprint, :tiles,
             :relative_orbit, CAST(:direction AS s4c.orbit_direction), :polarisation, :inputs_complete,
             :input_fingerprint, :software_version, :config_hash, CAST(:metadata AS jsonb))
        RETURNING id
        """
    ).bindparams(geometry_parameter("footprint"))
    product_id = int(
        connection.execute(
            statement,
            {
                **key,
                "satellite_id": None if new.satellite is None else SATELLITES[new.satellite],
                "job_id": new.job_id,
                "acquisition_id": new.acquisition_id,
                "version": version,
                "state": new.state,
                "quality": new.quality,
                "full_path": new.full_path,
                "quicklook": new.quicklook,
                "acquired_at": new.acquired_at,
                "footprint": None if new.footprint is None else bound(new.footprint),
                "tiles": list(new.tiles),
                "relative_orbit": new.relative_orbit,
                "direction": new.direction,
                "polarisation": new.polarisation,
                "inputs_complete": new.inputs_complete,
                "input_fingerprint": new.input_fingerprint,
                "software_version": new.software_version,
                "config_hash": new.config_hash,
                "metadata": json.dumps(dict(new.metadata)),
            },
        ).scalar_one()
    )
    connection.execute(
        text("INSERT INTO s4c.product_input SELECT :product_id, unnest(CAST(:parents AS bigint[]))"),
        {"product_id": product_id, "parents": sorted(set(new.inputs))},
    )
    connection.execute(
        text("INSERT INTO s4c.product_acquisition SELECT :product_id, unnest(CAST(:acquisitions AS bigint[]))"),
        {"product_id": product_id, "acquisitions": sorted(set(new.acquisitions))},
    )
    if new.files:
        connection.execute(
            text("INSERT INTO s4c.product_file VALUES (:product_id, :path, :size_bytes, :sha256)"),
            [
                {"product_id": product_id, "path": item.path, "size_bytes": item.size_bytes, "sha256": item.sha256}
                for item in new.files
            ],
        )
    return product_id


_SELECT = """
    SELECT p.id, t.name AS product_type, c.short_name AS processor, p.name, p.version, p.state, p.quality,
           p.full_path, p.acquired_at, p.inserted_at, p.tiles, p.relative_orbit, p.acquisition_id, p.config_hash,
           p.satellite_id, p.direction::text AS direction, p.polarisation, p.metadata, p.archived_at, p.removed_at,
           p.removed_because
    FROM s4c.product p
    JOIN s4c.product_type t ON t.id = p.product_type_id
    JOIN s4c.processor c ON c.id = p.processor_id
"""


def _product(row: RowMapping) -> Product:
    return Product(**{**row, "tiles": tuple(row["tiles"])})


def list_products(
    connection: Connection,
    site_id: int,
    *,
    product_type: str | None = None,
    date_from: datetime | None = None,
    date_to: datetime | None = None,
    satellites: Sequence[str] | None = None,
    tiles: Sequence[str] | None = None,
    orbits: Sequence[int] | None = None,
    job_id: int | None = None,
) -> list[Product]:
    """Return the products in force of a site, by acquisition time and name.

    Parameters
    ----------
    date_from, date_to : acquisition time in [date_from, date_to).
    satellites : search groups (``l8`` is Landsat 8 and 9) or ``l9`` alone; products of several satellites have none.
    tiles, orbits : of one of these tiles, of one of these relative orbits.
    job_id : that registered it.
    """
    statement = text(
        f"""
        {_SELECT}
        JOIN s4c.product_site s ON s.product_id = p.id
        WHERE s.site_id = :site_id AND p.state = 'active'
          AND (CAST(:product_type AS text) IS NULL OR t.name = :product_type)
          AND (CAST(:date_from AS timestamptz) IS NULL OR p.acquired_at >= :date_from)
          AND (CAST(:date_to AS timestamptz) IS NULL OR p.acquired_at < :date_to)
          AND (CAST(:satellites AS smallint[]) IS NULL OR p.satellite_id = ANY(CAST(:satellites AS smallint[])))
          AND (CAST(:tiles AS text[]) IS NULL OR p.tiles && CAST(:tiles AS text[]))
          AND (CAST(:orbits AS integer[]) IS NULL OR p.relative_orbit = ANY(CAST(:orbits AS integer[])))
          AND (CAST(:job_id AS bigint) IS NULL OR p.job_id = :job_id)
        ORDER BY p.acquired_at, p.name
        """
    )
    values = {
        "site_id": site_id,
        "product_type": product_type,
        "date_from": date_from,
        "date_to": date_to,
        "satellites": None if satellites is None else satellite_numbers(satellites),
        "tiles": None if tiles is None else list(tiles),
        "orbits": None if orbits is None else list(orbits),
        "job_id": job_id,
    }
    return [_product(row) for row in connection.execute(statement, values).mappings()]


def get_product(connection: Connection, product_id: int) -> Product:
    """Return one product by number."""
    row = connection.execute(text(f"{_SELECT} WHERE p.id = :id"), {"id": product_id}).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no product {product_id}.", hint="'s4c products list SITE' names them")
    return _product(row)


def require_in_force(connection: Connection, product_id: int) -> None:
    """Make sure that a product is in force, and stays so until the transaction ends.

    Raises
    ------
    LeaseLostError : it was superseded or withdrawn: nothing may be registered that was made of it.
    """
    statement = text("SELECT 1 FROM s4c.product WHERE id = :id AND state = 'active' FOR SHARE")
    if connection.execute(statement, {"id": product_id}).one_or_none() is None:
        raise LeaseLostError(f"Product {product_id} is not in force any more.")


def share_with_site(connection: Connection, site_id: int) -> int:
    """Give a site the products that were made for another one of acquisitions it selects too.

    L2A and Sentinel-1 products are the same for every site; L3B follows the site's parameters, see
    `missing_products.adopt_l3b`.
    """
    statement = text(
        """
        INSERT INTO s4c.product_site (product_id, site_id)
        SELECT p.id, m.site_id
        FROM s4c.product p JOIN s4c.site_acquisition m ON m.acquisition_id = p.acquisition_id
        WHERE m.site_id = :site_id AND m.relevance = 'selected' AND p.state = 'active' AND p.removed_at IS NULL
          AND p.product_type_id <> 3
        UNION
        -- backscatter of several slices serves a site that selects one of them
        SELECT p.id, m.site_id
        FROM s4c.site_acquisition m
        JOIN s4c.product_acquisition x ON x.acquisition_id = m.acquisition_id
        JOIN s4c.product p ON p.id = x.product_id AND p.product_type_id = 10 AND p.state = 'active'
             AND p.removed_at IS NULL
        WHERE m.site_id = :site_id AND m.relevance = 'selected'
        ON CONFLICT DO NOTHING
        """
    )
    return connection.execute(statement, {"site_id": site_id}).rowcount


def leave_out_replaced(connection: Connection, site_ids: Sequence[int]) -> int:
    """Take from sites the product of an acquisition they leave out, once they have one of another processing of it.

    A site loses nothing before what takes its place is there. Returns how many products sites lost.
    """
    statement = text(
        """
        DELETE FROM s4c.product_site s
        USING s4c.product p, s4c.acquisition a, s4c.site_acquisition m
        WHERE s.site_id = ANY(:site_ids) AND p.id = s.product_id AND a.id = p.acquisition_id
          AND m.acquisition_id = a.id AND m.site_id = s.site_id AND m.relevance = 'ignored'
          AND EXISTS (
              SELECT 1 FROM s4c.acquisition b
              JOIN s4c.site_acquisition n ON n.acquisition_id = b.id
              JOIN s4c.product q ON q.acquisition_id = b.id AND q.state = 'active'
              JOIN s4c.product_site t ON t.product_id = q.id AND t.site_id = n.site_id
              WHERE n.site_id = s.site_id AND n.relevance = 'selected' AND b.id <> a.id
                AND q.product_type_id = p.product_type_id
                AND b.satellite_id = a.satellite_id AND b.sensing_start = a.sensing_start
                AND b.kind = a.kind AND b.platform = a.platform AND b.tiles = a.tiles
                AND b.relative_orbit IS NOT DISTINCT FROM a.relative_orbit
                AND b.previous_time IS NOT DISTINCT FROM a.previous_time
                AND b.polarisation IS NOT DISTINCT FROM a.polarisation)
        """
    )
    return connection.execute(statement, {"site_ids": sorted(set(site_ids))}).rowcount


def sites_using(connection: Connection, acquisition_id: int) -> list[int]:
    """Return the sites that select an acquisition: they share what is made of it."""
    statement = text(
        "SELECT site_id FROM s4c.site_acquisition "
        "WHERE acquisition_id = :id AND relevance = 'selected' ORDER BY site_id"
    )
    return list(connection.execute(statement, {"id": acquisition_id}).scalars())


def inputs_of(connection: Connection, product_id: int) -> list[int]:
    """Return the numbers of the products one was made from."""
    statement = text("SELECT input_product_id FROM s4c.product_input WHERE product_id = :id ORDER BY 1")
    return list(connection.execute(statement, {"id": product_id}).scalars())


def files_of(connection: Connection, product_id: int) -> list[ProductFile]:
    """Return the file manifest of a product, by path."""
    statement = text("SELECT path, size_bytes, sha256 FROM s4c.product_file WHERE product_id = :id ORDER BY path")
    return [ProductFile(**row) for row in connection.execute(statement, {"id": product_id}).mappings()]
