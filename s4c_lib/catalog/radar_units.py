"""Units of raw Sentinel-1 acquisitions: ``single`` (backscatter), ``pair:<previous acquisition id>`` (coherence).

``pair:none`` stands for the coherence of an acquisition without partner: pending while one may come, then ignored.
Source: operations.md §3.4, spec/README.md C6 and C8.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from s4c_lib.catalog.s1_pairs import ON_DISK
from s4c_lib.catalog.units import owned_unit, roll_up
from s4c_lib.catalog.vocabulary import PROCESSORS, SATELLITES

SINGLE: Final = "single"
NO_PAIR: Final = "pair:none"
_L2S1: Final = PROCESSORS["l2s1"]


def pair_key(previous_id: int) -> str:
    """Return the key of the unit that makes the coherence with an earlier acquisition."""
    return f"pair:{previous_id}"


def previous_of(unit_key: str) -> int | None:
    """Return the earlier acquisition of a pair's unit; None for ``single`` and ``pair:none``."""
    _, _, number = unit_key.partition(":")
    return int(number) if number.isdigit() else None


@dataclass(frozen=True, slots=True)
class RawAcquisition:
    """A fetched SLC or GRD product of a site. ``facts_read`` : its manifest has been read."""

    id: int
    name: str
    kind: str
    sensing_start: datetime
    full_path: str
    state: str
    facts_read: bool


@dataclass(frozen=True, slots=True)
class RadarUnit:
    """A unit as planning sees it.

    Parameters
    ----------
    since : of one left out: when (by the clock of the run that did it); of others when it may begin.
    """

    id: int
    acquisition_id: int
    unit_key: str
    state: str
    reason_code: str | None
    since: datetime | None


def fetched(
    connection: Connection, site_id: int, kinds: Collection[str], *, first: datetime, stop: datetime
) -> list[RawAcquisition]:
    """Return the raw acquisitions a site selects that are on disk, sensed in [first, stop), by number."""
    statement = text(
        """
        SELECT a.id, a.source_product_name AS name, a.kind, a.sensing_start, a.full_path,
               a.state::text AS state, a.measurement_checksum IS NOT NULL AS facts_read
        FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
        WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.satellite_id = :satellite
          AND a.kind = ANY(:kinds) AND a.state = ANY(CAST(:on_disk AS s4c.acquisition_state[]))
          AND a.sensing_start >= :first AND a.sensing_start < :stop
        ORDER BY a.id
        """
    )
    values = {
        "site_id": site_id,
        "satellite": SATELLITES["s1"],
        "kinds": sorted(kinds),
        "on_disk": list(ON_DISK),
        "first": first,
        "stop": stop,
    }
    return [RawAcquisition(**row) for row in connection.execute(statement, values).mappings()]


def units_by_acquisition(connection: Connection, acquisition_ids: Sequence[int]) -> dict[int, list[RadarUnit]]:
    """Return the radar units of acquisitions, made with whatever parameters."""
    statement = text(
        """
        SELECT id, acquisition_id, unit_key, state::text AS state, reason_code, next_attempt_at AS since
        FROM s4c.acquisition_unit WHERE processor_id = :l2s1 AND acquisition_id = ANY(:ids)
        ORDER BY acquisition_id, unit_key, id
        """
    )
    found: dict[int, list[RadarUnit]] = {}
    for row in connection.execute(statement, {"l2s1": _L2S1, "ids": sorted(set(acquisition_ids))}).mappings():
        found.setdefault(row["acquisition_id"], []).append(RadarUnit(**row))
    return found


def add_unit(
    connection: Connection,
    acquisition_id: int,
    unit_key: str,
    *,
    config_hash: str,
    max_attempts: int,
    executor: str,
    not_before: datetime | None = None,
    left_out: tuple[str, datetime] | None = None,
) -> None:
    """Make a unit, unless another run made it meanwhile.

    Parameters
    ----------
    not_before : it is not worked on earlier.
    left_out : (reason, when) of one that is ignored from the start.
    """
    reason, since = left_out or (None, not_before)
    statement = text(
        """
        INSERT INTO s4c.acquisition_unit
            (acquisition_id, unit_key, processor_id, config_hash, max_attempts, executor, state, reason_code,
             next_attempt_at)
        VALUES (:acquisition_id, :unit_key, :l2s1, :config_hash, :max_attempts, :executor,
                CAST(:state AS s4c.unit_state), :reason, :since)
        ON CONFLICT (acquisition_id, unit_key, processor_id, config_hash) DO NOTHING
        """
    )
    connection.execute(
        statement,
        {
            "acquisition_id": acquisition_id,
            "unit_key": unit_key,
            "l2s1": _L2S1,
            "config_hash": config_hash,
            "max_attempts": max_attempts,
            "executor": executor,
            "state": "pending" if left_out is None else "ignored",
            "reason": reason,
            "since": since,
        },
    )


def follow_parameters(
    connection: Connection, acquisition_ids: Sequence[int], *, config_hash: str, executor: str, max_attempts: int
) -> None:
    """Make what is still to be worked on belong to the parameters of today, with which it will be made."""
    connection.execute(
        text(
            """
            UPDATE s4c.acquisition_unit u
            SET config_hash = :config_hash, executor = :executor, max_attempts = :max_attempts
            WHERE u.processor_id = :l2s1 AND u.acquisition_id = ANY(:ids) AND u.config_hash <> :config_hash
              AND (u.state = 'pending' OR (u.state = 'failed' AND u.retryable AND u.attempts < u.max_attempts))
              AND NOT EXISTS (SELECT 1 FROM s4c.acquisition_unit o
                              WHERE o.acquisition_id = u.acquisition_id AND o.unit_key = u.unit_key
                                AND o.processor_id = u.processor_id AND o.config_hash = :config_hash)
            """
        ),
        {
            "l2s1": _L2S1,
            "ids": sorted(set(acquisition_ids)),
            "config_hash": config_hash,
            "executor": executor,
            "max_attempts": max_attempts,
        },
    )


def leave_out(connection: Connection, unit_ids: Sequence[int], *, reason: str, now: datetime) -> None:
    """Ignore units that nobody works on, with a reason."""
    connection.execute(
        text(
            """
            UPDATE s4c.acquisition_unit
            SET state = 'ignored', reason_code = :reason, failed_reason = NULL, next_attempt_at = :now,
                product_id = NULL, updated_at = clock_timestamp()
            WHERE id = ANY(:ids) AND state <> 'processing'
            """
        ),
        {"ids": sorted(unit_ids), "reason": reason, "now": now},
    )


def reopen(connection: Connection, unit_ids: Sequence[int], *, not_before: datetime | None = None) -> None:
    """Make units pending again, with a fresh count of tries; those in work stay as they are."""
    connection.execute(
        text(
            """
            UPDATE s4c.acquisition_unit
            SET state = 'pending', attempts = 0, retryable = true, reason_code = NULL, failed_reason = NULL,
                next_attempt_at = :not_before, updated_at = clock_timestamp()
            WHERE id = ANY(:ids) AND state <> 'processing'
            """
        ),
        {"ids": sorted(unit_ids), "not_before": not_before},
    )


def reopen_misconfigured(connection: Connection, acquisition_ids: Sequence[int]) -> list[int]:
    """Make units that failed for want of a right configuration pending again, while they have tries left.

    Returns
    -------
    Their acquisitions.
    """
    statement = text(
        """
        UPDATE s4c.acquisition_unit
        SET state = 'pending', retryable = true, reason_code = NULL, failed_reason = NULL, next_attempt_at = NULL,
            updated_at = clock_timestamp()
        WHERE processor_id = :l2s1 AND acquisition_id = ANY(:ids) AND state = 'failed' AND reason_code = 'config'
          AND attempts < max_attempts
        RETURNING acquisition_id
        """
    )
    return list(connection.execute(statement, {"l2s1": _L2S1, "ids": sorted(set(acquisition_ids))}).scalars())


def remove_units(connection: Connection, unit_ids: Sequence[int]) -> None:
    """Remove units that say what does not hold any more."""
    connection.execute(
        text("DELETE FROM s4c.acquisition_unit WHERE id = ANY(:ids) AND state <> 'processing'"),
        {"ids": sorted(unit_ids)},
    )


def end_without_product(
    connection: Connection,
    unit_id: int,
    *,
    owner: str,
    reason: str,
    text_line: str,
    tiles: Sequence[str],
    now: datetime,
) -> None:
    """End a claimed unit that has nothing of its own to make.

    Parameters
    ----------
    tiles : that it was asked for.

    Raises
    ------
    LeaseLostError : it was given to another worker meanwhile.
    """
    unit = owned_unit(connection, unit_id, owner)
    connection.execute(
        text(
            """
            UPDATE s4c.acquisition_unit
            SET state = 'ignored', reason_code = :reason, failed_reason = :line, next_attempt_at = :now,
                product_id = NULL, tiles = :tiles, lease_owner = NULL, lease_until = NULL,
                updated_at = clock_timestamp()
            WHERE id = :id
            """
        ),
        {"id": unit_id, "reason": reason, "line": text_line, "now": now, "tiles": sorted(tiles)},
    )
    roll_up(connection, unit.acquisition_id, actor=owner)


def note_tiles(connection: Connection, unit_id: int, tiles: Sequence[str]) -> None:
    """Remember for which tiles a unit was worked on."""
    connection.execute(
        text("UPDATE s4c.acquisition_unit SET tiles = :tiles WHERE id = :id"), {"id": unit_id, "tiles": sorted(tiles)}
    )


def lacking_tiles(connection: Connection, site_id: int, *, first: datetime, stop: datetime) -> list[RadarUnit]:
    """Return the ended units of an enabled site's acquisitions never asked for a tile of the site that they meet."""
    statement = text(
        """
        SELECT u.id, u.acquisition_id, u.unit_key, u.state::text AS state, u.reason_code, u.next_attempt_at AS since
        FROM s4c.acquisition_unit u
        JOIN s4c.acquisition a ON a.id = u.acquisition_id
        JOIN s4c.site_acquisition m ON m.acquisition_id = a.id AND m.site_id = :site_id AND m.relevance = 'selected'
        JOIN s4c.site s ON s.id = m.site_id AND s.enabled
        WHERE u.processor_id = :l2s1 AND a.kind IN ('s1_slc', 's1_grd')
          AND a.sensing_start >= :first AND a.sensing_start < :stop
          AND (u.state = 'done' OR (u.state = 'ignored' AND u.reason_code IN ('no_overlap', 'joined')))
          AND EXISTS (SELECT 1 FROM s4c.site_tile t
                      WHERE t.site_id = :site_id AND t.selected AND t.epsg IS NOT NULL AND t.tile <> ALL(u.tiles)
                        AND ST_Intersects(t.footprint, a.footprint))
        ORDER BY u.acquisition_id, u.id
        """
    )
    values = {"site_id": site_id, "l2s1": _L2S1, "first": first, "stop": stop}
    return [RadarUnit(**row) for row in connection.execute(statement, values).mappings()]


def tiles_around(connection: Connection, acquisition_ids: Sequence[int]) -> list[str]:
    """Return the tiles that enabled sites which select one of the acquisitions use and that it meets, by name."""
    statement = text(
        """
        SELECT DISTINCT t.tile
        FROM s4c.site_acquisition m
        JOIN s4c.acquisition a ON a.id = m.acquisition_id
        JOIN s4c.site s ON s.id = m.site_id AND s.enabled
        JOIN s4c.site_tile t ON t.site_id = s.id AND t.selected AND t.epsg IS NOT NULL
             AND ST_Intersects(t.footprint, a.footprint)
        WHERE m.acquisition_id = ANY(:ids) AND m.relevance = 'selected' ORDER BY 1
        """
    )
    return list(connection.execute(statement, {"ids": sorted(set(acquisition_ids))}).scalars())
