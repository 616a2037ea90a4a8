"""Radar rasters in force and the units that made them: one raster a tile and pass, whichever slice it is made with.

A pass is cut into slices with a unit each; a tile belongs to one of them (preprocessing.md §4.7).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from s4c_lib.catalog.radar_units import leave_out, previous_of, reopen
from s4c_lib.catalog.units import roll_up
from s4c_lib.catalog.vocabulary import PROCESSORS, PRODUCT_TYPES

_L2S1: Final = PROCESSORS["l2s1"]
_BACKSCATTER: Final = PRODUCT_TYPES["s1_l2a_amp"]
_COHERENCE: Final = PRODUCT_TYPES["s1_l2a_cohe"]


def put_together(connection: Connection, acquisition_ids: Sequence[int]) -> dict[str, frozenset[int]]:
    """Return, by tile, the acquisitions in the backscatter in force that has one of these acquisitions in it."""
    statement = text(
        """
        SELECT p.tiles[1] AS tile, array_agg(DISTINCT x.acquisition_id) AS acquisitions
        FROM s4c.product p JOIN s4c.product_acquisition x ON x.product_id = p.id
        WHERE p.product_type_id = :backscatter AND p.state <> 'superseded'
          AND p.id IN (SELECT product_id FROM s4c.product_acquisition WHERE acquisition_id = ANY(:ids))
        GROUP BY 1 ORDER BY 1
        """
    )
    values = {"backscatter": _BACKSCATTER, "ids": sorted(set(acquisition_ids))}
    return {row.tile: frozenset(row.acquisitions) for row in connection.execute(statement, values)}


def tiles_of_pair(connection: Connection, current_id: int, previous_id: int) -> set[str]:
    """Return the tiles that have coherence of a pair in force."""
    statement = text(
        """
        SELECT DISTINCT unnest(p.tiles) FROM s4c.product p
        JOIN s4c.product_acquisition x ON x.product_id = p.id AND x.acquisition_id = :previous_id
        WHERE p.acquisition_id = :current_id AND p.product_type_id = :coherence AND p.state <> 'superseded'
        """
    )
    values = {"current_id": current_id, "previous_id": previous_id, "coherence": _COHERENCE}
    return set(connection.execute(statement, values).scalars())


def product_of_unit(connection: Connection, acquisition_id: int, unit_key: str) -> int | None:
    """Return a product in force that a unit's acquisition has of its kind; None where there is none."""
    previous = previous_of(unit_key)
    statement = text(
        """
        SELECT min(p.id) FROM s4c.product p
        WHERE p.acquisition_id = :acquisition_id AND p.product_type_id = :type AND p.state <> 'superseded'
          AND (CAST(:previous AS bigint) IS NULL
               OR EXISTS (SELECT 1 FROM s4c.product_acquisition x
                          WHERE x.product_id = p.id AND x.acquisition_id = :previous))
        """
    )
    product_type = _BACKSCATTER if previous is None else _COHERENCE
    values = {"acquisition_id": acquisition_id, "type": product_type, "previous": previous}
    found: int | None = connection.execute(statement, values).scalar_one()
    return found


def replace_joined(
    connection: Connection, product_id: int, acquisition_ids: Sequence[int], *, tile: str, polarisation: str
) -> None:
    """Supersede backscatter of other names on a tile that was made of some of a new product's acquisitions."""
    connection.execute(
        text(
            """
            UPDATE s4c.product p
            SET state = 'superseded', metadata = p.metadata || jsonb_build_object('superseded_by', :product_id)
            WHERE p.product_type_id = :backscatter AND p.state <> 'superseded' AND p.id <> :product_id
              AND p.tiles = ARRAY[:tile] AND p.polarisation = :polarisation
              AND EXISTS (SELECT 1 FROM s4c.product_acquisition x
                          WHERE x.product_id = p.id AND x.acquisition_id = ANY(:ids))
            """
        ),
        {
            "product_id": product_id,
            "backscatter": _BACKSCATTER,
            "tile": tile,
            "polarisation": polarisation,
            "ids": sorted(set(acquisition_ids)),
        },
    )


def join_others(
    connection: Connection, acquisition_ids: Sequence[int], *, reason: str, now: datetime, actor: str
) -> None:
    """Say of finished units whose products another slice's have replaced that they are made together with it.

    Those that still have a product in force are given that one.
    """
    statement = text(
        """
        SELECT u.id, u.acquisition_id FROM s4c.acquisition_unit u
        WHERE u.acquisition_id = ANY(:ids) AND u.processor_id = :l2s1 AND u.unit_key = 'single' AND u.state = 'done'
          AND NOT EXISTS (SELECT 1 FROM s4c.product p
                          WHERE p.acquisition_id = u.acquisition_id AND p.product_type_id = :backscatter
                            AND p.state <> 'superseded')
        ORDER BY u.acquisition_id, u.id
        """
    )
    values = {"ids": sorted(set(acquisition_ids)), "l2s1": _L2S1, "backscatter": _BACKSCATTER}
    rows = connection.execute(statement, values).all()
    leave_out(connection, [row.id for row in rows], reason=reason, now=now)
    for acquisition_id in sorted({row.acquisition_id for row in rows}):
        roll_up(connection, acquisition_id, actor=actor)
    connection.execute(
        text(
            """
            UPDATE s4c.acquisition_unit u
            SET product_id = (SELECT min(p.id) FROM s4c.product p
                              WHERE p.acquisition_id = u.acquisition_id AND p.product_type_id = :backscatter
                                AND p.state <> 'superseded')
            FROM s4c.product old
            WHERE u.acquisition_id = ANY(:ids) AND u.processor_id = :l2s1 AND u.unit_key = 'single'
              AND u.state = 'done' AND old.id = u.product_id AND old.state = 'superseded'
            """
        ),
        values,
    )


def reopen_joined(connection: Connection, acquisition_ids: Sequence[int], *, actor: str) -> None:
    """Let slices that were left to a neighbour be looked at again: the neighbour's raster came to nothing."""
    statement = text(
        """
        SELECT id, acquisition_id FROM s4c.acquisition_unit
        WHERE acquisition_id = ANY(:ids) AND processor_id = :l2s1 AND unit_key = 'single' AND state = 'ignored'
          AND reason_code = 'joined' ORDER BY acquisition_id, id
        """
    )
    rows = connection.execute(statement, {"ids": sorted(set(acquisition_ids)), "l2s1": _L2S1}).all()
    reopen(connection, [row.id for row in rows])
    for acquisition_id in sorted({row.acquisition_id for row in rows}):
        roll_up(connection, acquisition_id, actor=actor)


def unusable(connection: Connection, acquisition_ids: Sequence[int]) -> set[int]:
    """Return those of the acquisitions whose backscatter was given up, or that could not be read at the last try."""
    statement = text(
        """
        SELECT acquisition_id FROM s4c.acquisition_unit
        WHERE acquisition_id = ANY(:ids) AND processor_id = :l2s1 AND unit_key = 'single' AND state = 'failed'
          AND (NOT retryable OR attempts >= max_attempts OR reason_code = 'input_corrupt')
        """
    )
    values = {"ids": sorted(set(acquisition_ids)), "l2s1": _L2S1}
    return set(connection.execute(statement, values).scalars())
