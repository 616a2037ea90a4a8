"""Products and statistics whose files went: put back to be made, or fetched, and made again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from s4c_lib.catalog import product_events, wanted_again
from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.retention_rows import lock_name
from s4c_lib.reasons import Reason


@dataclass(frozen=True, slots=True)
class Origin:
    """What a product could be made of again.

    Attributes
    ----------
    download : path of the acquisition's files, whether they exist or not; None where retention removed them.
    inputs_removed : why retention removed a product that it was made of. inputs_in_force : all of them are.
    """

    acquisition_id: int | None
    acquisition_state: str | None
    download: str | None
    inputs_removed: str | None
    inputs_in_force: bool
    removed_because: str | None


def origin(connection: Connection, product_id: int) -> Origin | None:
    """Return what a product in force could be made of; None where it is no longer in force. It stays locked."""
    name = connection.execute(
        text("SELECT name FROM s4c.product WHERE id = :id"), {"id": product_id}
    ).scalar_one_or_none()
    if name is None:
        return None
    lock_name(connection, name)
    statement = text(
        """
        SELECT p.acquisition_id, a.state::text AS acquisition_state,
               CASE WHEN a.removed_at IS NULL THEN a.full_path END AS download,
               (SELECT min(q.removed_because) FROM s4c.product_input i JOIN s4c.product q ON q.id = i.input_product_id
                WHERE i.product_id = p.id) AS inputs_removed,
               NOT EXISTS (SELECT 1 FROM s4c.product_input i JOIN s4c.product q ON q.id = i.input_product_id
                           WHERE i.product_id = p.id AND q.state <> 'active') AS inputs_in_force,
               p.removed_because
        FROM s4c.product p LEFT JOIN s4c.acquisition a ON a.id = p.acquisition_id
        WHERE p.id = :id AND p.state = 'active' FOR UPDATE OF p
        """
    )
    row = connection.execute(statement, {"id": product_id}).mappings().one_or_none()
    return None if row is None else Origin(**row)


def addresses(connection: Connection, acquisition_id: int) -> list[tuple[str, str, str]]:
    """Return (source, driver, address) of the sources that an acquisition could be fetched from again.

    They are switched on, serve a site that selects it, and listed it once.
    """
    statement = text(
        """
        SELECT DISTINCT d.name, d.driver, a.providers -> d.id::text ->> 'address' AS address, d.priority
        FROM s4c.acquisition a
        JOIN s4c.site_acquisition m ON m.acquisition_id = a.id AND m.relevance = 'selected'
        JOIN s4c.data_source d ON d.enabled AND d.can_download AND a.providers ? d.id::text
             AND (d.site_id IS NULL OR d.site_id = m.site_id)
        WHERE a.id = :id ORDER BY d.priority, d.name
        """
    )
    return [(row.name, row.driver, row.address) for row in connection.execute(statement, {"id": acquisition_id})]


def make_derived_again(connection: Connection, product_id: int, *, actor: str, why: str) -> None:
    """Take an L3B out of force: what it was made of lacks it then, and the next ingest makes it."""
    product_events.record(connection, [product_id], "made_again", actor=actor, reason=why)
    connection.execute(text("UPDATE s4c.product SET state = 'superseded' WHERE id = :id"), {"id": product_id})


def extract_again(connection: Connection, marker_id: int, product_id: int, *, actor: str, why: str) -> None:
    """Take a file of statistics out of force: its product lacks it then, and the next ingest extracts it."""
    product_events.record(connection, [product_id], "made_again", actor=actor, reason=why)
    connection.execute(
        text(
            "UPDATE s4c.marker_file SET state = 'superseded', superseded_at = clock_timestamp() "
            "WHERE id = :id AND state = 'active'"
        ),
        {"id": marker_id},
    )


def make_own_again(
    connection: Connection, product_id: int, acquisition_id: int, *, fetch: bool, actor: str, why: str
) -> None:
    """Have the product of an acquisition made again; until then it counts as one that retention removed.

    What comes of it is the same product again, so that all that was made of it stays as it is.

    Parameters
    ----------
    fetch : the download is gone too, or is the product.
    """
    values = {"product": product_id, "acquisition": acquisition_id, "why": why}
    product_events.record(connection, [product_id], "made_again", actor=actor, reason=why)
    connection.execute(
        text("UPDATE s4c.product SET removed_at = clock_timestamp(), removed_because = :why WHERE id = :product"),
        values,
    )
    if fetch:
        connection.execute(
            text(
                "UPDATE s4c.acquisition SET removed_at = clock_timestamp(), removed_because = :why "
                "WHERE id = :acquisition AND removed_at IS NULL"
            ),
            values,
        )
    wanted_again.want_again(connection, [acquisition_id], actor=actor)


def fetch_again(connection: Connection, acquisition_id: int, *, actor: str, why: str) -> None:
    """Queue an acquisition whose download went before it was processed."""
    transition(
        connection,
        [acquisition_id],
        AcquisitionState.QUEUED,
        actor=actor,
        reason=str(Reason.INPUT_MISSING),
        error=why,
    )
