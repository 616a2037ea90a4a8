"""Products of acquisitions that an operator leaves out after they were processed: out of force, and back into it.

A withdrawn product is superseded by nothing: all that reads products in force goes without it, its statistics leave
force with it (trigger ``product_superseded``), and retention leaves its files alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from s4c_lib.catalog import product_events, units
from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.errors import ConflictError

_RAW_RADAR = ("s1_slc", "s1_grd")


@dataclass(frozen=True, slots=True)
class WithdrawnProduct:
    """A product that left force with its acquisition.

    Attributes
    ----------
    has_files : there were files when it was withdrawn (an empty product has none, nor has one that retention removed).
    """

    id: int
    product_type: str
    path: str
    has_files: bool


def withdraw(connection: Connection, acquisition_ids: Sequence[int], *, actor: str, why: str) -> list[int]:
    """Take everything made of processed acquisitions out of force; returns the numbers of the products.

    What was planned of them is forgotten. The acquisitions must be locked by the caller's transaction.

    Raises
    ------
    ConflictError : something is being made of one now, or it is raw radar, of which rasters of several are made.
    """
    values = {"ids": sorted(set(acquisition_ids)), "raw": list(_RAW_RADAR)}
    raw = connection.execute(
        text("SELECT id FROM s4c.acquisition WHERE id = ANY(:ids) AND kind = ANY(:raw) ORDER BY id LIMIT 1"), values
    ).scalar_one_or_none()
    if raw is not None:
        raise ConflictError(
            f"Acquisition {raw} is processed, and rasters are made of it together with other acquisitions.",
            hint="SLC and GRD products can be left out before they are processed only",
        )
    statement = text(
        "SELECT id FROM s4c.product WHERE acquisition_id = ANY(:ids) AND state <> 'superseded' ORDER BY id FOR UPDATE"
    )
    found = list(connection.execute(statement, values).scalars())
    # locked: nobody claims one of them before this transaction ends
    pieces = connection.execute(
        text("SELECT id, state, product_id FROM s4c.derivation WHERE product_id = ANY(:found) ORDER BY id FOR UPDATE"),
        {"found": found},
    ).all()
    if busy := next((row.product_id for row in pieces if row.state == "processing"), None):
        raise ConflictError(
            f"Something is being made of product {busy} now.", hint="do it again when the ingest has ended"
        )
    connection.execute(
        text("DELETE FROM s4c.derivation WHERE id = ANY(:ids) AND state IN ('pending', 'failed')"),
        {"ids": [row.id for row in pieces]},
    )
    connection.execute(
        text("UPDATE s4c.product SET withdrawn_state = state, state = 'superseded' WHERE id = ANY(:found)"),
        {"found": found},
    )
    product_events.record(connection, found, "withdrawn", actor=actor, reason=why)
    return found


def withdrawn(connection: Connection, acquisition_id: int) -> list[WithdrawnProduct]:
    """Return what left force with an acquisition and could come back, by number."""
    statement = text(
        """
        SELECT p.id, t.name AS product_type, p.full_path AS path,
               p.withdrawn_state = 'active' AND p.removed_at IS NULL AS has_files
        FROM s4c.product p JOIN s4c.product_type t ON t.id = p.product_type_id
        WHERE p.acquisition_id = :id AND p.withdrawn_state IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM s4c.product o
                          WHERE o.product_type_id = p.product_type_id AND o.processor_id = p.processor_id
                            AND o.name = p.name AND (o.state <> 'superseded' OR o.version > p.version))
        ORDER BY p.id
        """
    )
    return [WithdrawnProduct(**row) for row in connection.execute(statement, {"id": acquisition_id}).mappings()]


def take_back(connection: Connection, acquisition_id: int, *, exists: Callable[[str], bool], actor: str) -> bool:
    """Put what was made of an acquisition that is left out in force again, and the acquisition back to processed.

    Statistics are extracted again by the next ingest, and so is made what lacks its files.

    Parameters
    ----------
    exists : tells whether a path is there.

    Returns
    -------
    Whether it is processed again; if not, it has to be fetched, and its units are ready to work on what comes.
    """
    pieces = units.units_of(connection, acquisition_id)
    found = withdrawn(connection, acquisition_id)
    own = [one for one in found if one.product_type != "l3b"]
    whole = [one.id for one in found if not one.has_files or exists(one.path)]
    was_processed = bool(pieces) and units.rolled_up(pieces) is AcquisitionState.PROCESSED
    made_nothing = not any(piece.state == "done" for piece in pieces)
    if not was_processed or not (own or made_nothing) or any(one.id not in whole for one in own):
        units.reopen_done(connection, acquisition_id)
        return False
    product_events.record(connection, whole, "taken_back", actor=actor, reason="the acquisition was taken back")
    connection.execute(
        text("UPDATE s4c.product SET state = withdrawn_state, withdrawn_state = NULL WHERE id = ANY(:ids)"),
        {"ids": whole},
    )
    transition(connection, [acquisition_id], AcquisitionState.PROCESSED, actor=actor, reason="forced")
    return True
