"""Under which address each data source has a product: the column ``acquisition.providers``."""

from __future__ import annotations

import json

from sqlalchemy import Connection, text

from s4c_lib.catalog.acquisitions import Acquisition


def address_of(acquisition: Acquisition, data_source_id: int) -> str | None:
    """Return the address at a data source; None where that never listed it."""
    found = acquisition.providers.get(str(data_source_id))
    return None if found is None else str(found["address"])


def remember_address(
    connection: Connection, acquisition_id: int, *, source: str, data_source_id: int, address: str
) -> None:
    """Store where a data source has a product now."""
    connection.execute(
        text("UPDATE s4c.acquisition SET providers = providers || CAST(:providers AS jsonb) WHERE id = :id"),
        {
            "providers": json.dumps({str(data_source_id): {"name": source, "address": address}}),
            "id": acquisition_id,
        },
    )
