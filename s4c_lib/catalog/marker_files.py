"""Files of the statistics store: which are in force for which parcels, product and variable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, text


@dataclass(frozen=True, slots=True)
class NewMarkerFile:
    """Statistics of one variable of one product for one version of the parcels, and the file that holds them."""

    site_id: int
    parcel_set_id: int
    product_id: int
    family: str
    variable: str
    tile: str
    time: datetime
    previous_time: datetime | None
    platform: str
    orbit: int | None
    direction: str | None
    path: str
    n_rows: int
    sha256: str
    config_hash: str


@dataclass(frozen=True, slots=True)
class MarkerFile(NewMarkerFile):
    """A file of the store as the database has it."""

    id: int


_COLUMNS = (
    "m.id, m.site_id, m.parcel_set_id, m.product_id, m.family, m.variable, m.tile, m.time, m.previous_time, "
    "m.platform, m.orbit, m.direction::text AS direction, m.path, m.n_rows, m.sha256, m.config_hash"
)


def _file(row: RowMapping) -> MarkerFile:
    return MarkerFile(**row)


def put_in_force(connection: Connection, files: Sequence[NewMarkerFile]) -> None:
    """Put files in force; those they replace are superseded in the same transaction.

    A file that is in force already (same content, same place) stays as it is. Files are taken in the order of their
    keys, so that two workers on one product wait for each other instead of locking each other out. Files of a product
    that was superseded meanwhile are superseded from the start.
    """
    products = {"ids": sorted({item.product_id for item in files})}
    statement = text("SELECT id FROM s4c.product WHERE id = ANY(:ids) AND state = 'active' ORDER BY id FOR SHARE")
    in_force = set(connection.execute(statement, products).scalars())
    for new in sorted(files, key=lambda item: (item.parcel_set_id, item.product_id, item.variable)):
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"),
            {"key": f"marker {new.parcel_set_id} {new.product_id} {new.variable}"},
        )
        values = {field: getattr(new, field) for field in NewMarkerFile.__dataclass_fields__}
        same = connection.execute(
            text(
                """
                SELECT sha256 = :sha256 AND path = :path AND config_hash = :config_hash FROM s4c.marker_file
                WHERE parcel_set_id = :parcel_set_id AND product_id = :product_id AND variable = :variable
                  AND state = 'active'
                """
            ),
            values,
        ).scalar_one_or_none()
        if same:
            continue
        connection.execute(
            text(
                """
                UPDATE s4c.marker_file SET state = 'superseded', superseded_at = clock_timestamp()
                WHERE parcel_set_id = :parcel_set_id AND product_id = :product_id AND variable = :variable
                  AND state = 'active'
                """
            ),
            values,
        )
        connection.execute(
            text(
                """
                INSERT INTO s4c.marker_file
                    (site_id, parcel_set_id, product_id, family, variable, tile, time, previous_time, platform, orbit,
                     direction, path, n_rows, sha256, config_hash, state, superseded_at)
                VALUES
                    (:site_id, :parcel_set_id, :product_id, :family, :variable, :tile, :time, :previous_time,
                     :platform, :orbit, CAST(:direction AS s4c.orbit_direction), :path, :n_rows, :sha256, :config_hash,
                     CAST(:state AS s4c.marker_state),
                     CASE WHEN :state = 'superseded' THEN clock_timestamp() END)
                """
            ),
            values | {"state": "active" if new.product_id in in_force else "superseded"},
        )


def list_marker_files(
    connection: Connection,
    parcel_set_id: int,
    *,
    config_hashes: Mapping[str, str] | None = None,
    variables: Sequence[str] | None = None,
    tiles: Sequence[str] | None = None,
    products: Sequence[int] | None = None,
    time_from: datetime | None = None,
    time_to: datetime | None = None,
) -> list[MarkerFile]:
    """Return the files in force of a version of the parcels whose product is in force, by time, tile and variable.

    Parameters
    ----------
    config_hashes : by processor (``s4c_mdb1``, ``l3b``): only statistics made with this configuration, of products
        made with this one; processors not named are not looked at.
    time_from, time_to : sensing time in [time_from, time_to).
    """
    hashes = config_hashes or {}
    statement = text(
        f"""
        SELECT {_COLUMNS} FROM s4c.marker_file m
        JOIN s4c.product p ON p.id = m.product_id
        JOIN s4c.processor c ON c.id = p.processor_id
        JOIN s4c.product_site s ON s.product_id = p.id AND s.site_id = m.site_id
        WHERE m.parcel_set_id = :parcel_set_id AND m.state = 'active' AND p.state = 'active'
          AND (CAST(:variables AS text[]) IS NULL OR m.variable = ANY(:variables))
          AND (CAST(:tiles AS text[]) IS NULL OR m.tile = ANY(:tiles))
          AND (CAST(:products AS bigint[]) IS NULL OR m.product_id = ANY(:products))
          AND (CAST(:time_from AS timestamptz) IS NULL OR m.time >= :time_from)
          AND (CAST(:time_to AS timestamptz) IS NULL OR m.time < :time_to)
          AND (CAST(:own_hash AS text) IS NULL OR m.config_hash = :own_hash)
          AND (CAST(:l3b_hash AS text) IS NULL OR c.short_name <> 'l3b' OR p.config_hash = :l3b_hash)
        ORDER BY m.time, m.tile, m.variable, m.orbit, m.product_id
        """
    )
    values = {
        "parcel_set_id": parcel_set_id,
        "variables": None if variables is None else list(variables),
        "tiles": None if tiles is None else list(tiles),
        "products": None if products is None else list(products),
        "time_from": time_from,
        "time_to": time_to,
        "own_hash": hashes.get("s4c_mdb1"),
        "l3b_hash": hashes.get("l3b"),
    }
    return [_file(row) for row in connection.execute(statement, values).mappings()]


def of_product(
    connection: Connection, product_id: int, parcel_set_ids: Sequence[int], *, config_hash: str
) -> list[MarkerFile]:
    """Return the files in force of one product for some versions of the parcels, by version and variable."""
    statement = text(
        f"""
        SELECT {_COLUMNS} FROM s4c.marker_file m
        WHERE m.product_id = :product_id AND m.parcel_set_id = ANY(:sets) AND m.state = 'active'
          AND m.config_hash = :config_hash
        ORDER BY m.parcel_set_id, m.variable
        """
    )
    values = {"product_id": product_id, "sets": list(parcel_set_ids), "config_hash": config_hash}
    return [_file(row) for row in connection.execute(statement, values).mappings()]


def superseded_files(connection: Connection, before: datetime) -> list[tuple[int, str]]:
    """Return number and path of the files superseded before a moment: no run reads them any more.

    A file that came into force again (the parameters were changed back: same content, same name) is not among them.
    """
    statement = text(
        """
        SELECT m.id, m.path FROM s4c.marker_file m
        WHERE m.state = 'superseded' AND m.superseded_at < :before
          AND NOT EXISTS (SELECT 1 FROM s4c.marker_file o WHERE o.path = m.path AND o.state = 'active'
                            AND o.parcel_set_id = m.parcel_set_id AND o.product_id = m.product_id)
        ORDER BY m.id
        """
    )
    return [(int(row.id), str(row.path)) for row in connection.execute(statement, {"before": before})]


def forget(connection: Connection, ids: Sequence[int]) -> None:
    """Remove superseded rows whose files are gone."""
    connection.execute(
        text("DELETE FROM s4c.marker_file WHERE id = ANY(:ids) AND state = 'superseded'"), {"ids": list(ids)}
    )
