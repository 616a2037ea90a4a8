"""L4 products: what a run registers, and which earlier product it takes the place of."""

from __future__ import annotations

import json

from sqlalchemy import Connection, text

from s4c_lib.catalog.products import NewProduct, register
from s4c_lib.catalog.vocabulary import PROCESSORS, PRODUCT_TYPES


def register_result(connection: Connection, new: NewProduct, site_id: int) -> int:
    """Register the product of a run; its version counts on from what it takes the place of.

    A product of the same name (same inputs) is renewed: its folder is replaced, so no other row may describe it.
    One of the same season, interval and settings on other inputs is superseded; its folder stays for retention.
    """
    before = connection.execute(
        text(
            "SELECT id FROM s4c.product WHERE product_type_id = :type AND processor_id = :processor "
            "AND name = :name AND state <> 'superseded'"
        ),
        _key(new),
    ).scalar_one_or_none()
    product_id = register(connection, new, [site_id])
    if product_id == before:
        _renew(connection, product_id, new)
    else:
        _supersede(connection, product_id, new, site_id)
    return product_id


def _key(new: NewProduct) -> dict[str, object]:
    return {
        "type": PRODUCT_TYPES[new.product_type],
        "processor": PROCESSORS[new.processor],
        "name": new.name,
    }


def _renew(connection: Connection, product_id: int, new: NewProduct) -> None:
    """Make a row describe the folder that takes the place of its own."""
    connection.execute(
        text(
            """
            UPDATE s4c.product
            SET version = version + 1, job_id = :job_id, quality = CAST(:quality AS s4c.product_quality),
                quicklook = :quicklook, inserted_at = clock_timestamp(), inputs_complete = :inputs_complete,
                software_version = :software_version, metadata = CAST(:metadata AS jsonb), tiles = :tiles
            WHERE id = :id
            """
        ),
        {
            "id": product_id,
            "job_id": new.job_id,
            "quality": new.quality,
            "quicklook": new.quicklook,
            "inputs_complete": new.inputs_complete,
            "software_version": new.software_version,
            "metadata": json.dumps(dict(new.metadata)),
            "tiles": list(new.tiles),
        },
    )
    connection.execute(text("DELETE FROM s4c.product_file WHERE product_id = :id"), {"id": product_id})
    connection.execute(
        text("INSERT INTO s4c.product_file VALUES (:product_id, :path, :size_bytes, :sha256)"),
        [
            {"product_id": product_id, "path": item.path, "size_bytes": item.size_bytes, "sha256": item.sha256}
            for item in new.files
        ],
    )
    connection.execute(text("DELETE FROM s4c.product_input WHERE product_id = :id"), {"id": product_id})
    connection.execute(
        text("INSERT INTO s4c.product_input SELECT :id, unnest(CAST(:inputs AS bigint[]))"),
        {"id": product_id, "inputs": sorted(set(new.inputs))},
    )


def _supersede(connection: Connection, product_id: int, new: NewProduct, site_id: int) -> None:
    replaced = connection.execute(
        text(
            """
            UPDATE s4c.product p SET state = 'superseded'
            FROM s4c.product_site s
            WHERE s.product_id = p.id AND s.site_id = :site_id AND p.id <> :id AND p.state <> 'superseded'
              AND p.product_type_id = :type AND p.processor_id = :processor
              AND p.metadata -> 'run' = CAST(:run AS jsonb)
            RETURNING p.version
            """
        ),
        {**_key(new), "id": product_id, "site_id": site_id, "run": json.dumps(new.metadata["run"])},
    ).scalars()
    if (latest := max(replaced, default=0)) > 0:
        connection.execute(
            text("UPDATE s4c.product SET version = :version WHERE id = :id"),
            {"version": latest + 1, "id": product_id},
        )
