"""Having fetched and made again what retention removed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.units import reopen_done, roll_up


def want_again(connection: Connection, acquisition_ids: Sequence[int], *, actor: str) -> None:
    """Have acquisitions fetched and processed again whose products were removed.

    What is made is the same product again, so that all that was made of it stays as it is.
    """
    for number in sorted(set(acquisition_ids)):
        reopen_done(connection, number)
        roll_up(connection, number, actor=actor)
        gone = connection.execute(
            text("SELECT removed_at IS NOT NULL FROM s4c.acquisition WHERE id = :id"), {"id": number}
        ).scalar_one()
        if gone:
            transition(connection, [number], AcquisitionState.QUEUED, actor=actor, reason="forced")
            connection.execute(text("UPDATE s4c.acquisition SET attempts = 0 WHERE id = :id"), {"id": number})
