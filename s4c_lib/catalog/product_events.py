"""What became of products by hand or by a check of their files: who, when and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class ProductEvent:
    """One thing that happened to one product.

    Attributes
    ----------
    action : ``withdrawn`` and ``taken_back`` with its acquisition, ``made_again`` because files are not as they should.
    """

    at: datetime
    actor: str
    action: str
    product_type: str
    name: str
    reason: str


def record(connection: Connection, product_ids: Sequence[int], action: str, *, actor: str, reason: str) -> None:
    """Write one event for each product."""
    connection.execute(
        text(
            """
            INSERT INTO s4c.product_event (actor, action, product_id, acquisition_id, product_type, name, reason)
            SELECT :actor, :action, p.id, p.acquisition_id, t.name, p.name, :reason
            FROM s4c.product p JOIN s4c.product_type t ON t.id = p.product_type_id
            WHERE p.id = ANY(:ids) ORDER BY p.id
            """
        ),
        {"actor": actor, "action": action, "ids": sorted(set(product_ids)), "reason": reason},
    )


def of_product(connection: Connection, product_id: int) -> list[ProductEvent]:
    """Return the events of a product, oldest first."""
    statement = text(
        "SELECT at, actor, action, product_type, name, reason FROM s4c.product_event WHERE product_id = :id ORDER BY id"
    )
    return [ProductEvent(**row) for row in connection.execute(statement, {"id": product_id}).mappings()]


def of_acquisition(connection: Connection, acquisition_id: int) -> list[ProductEvent]:
    """Return the events of what was made of an acquisition, oldest first."""
    statement = text(
        "SELECT at, actor, action, product_type, name, reason FROM s4c.product_event "
        "WHERE acquisition_id = :id ORDER BY id"
    )
    return [ProductEvent(**row) for row in connection.execute(statement, {"id": acquisition_id}).mappings()]
