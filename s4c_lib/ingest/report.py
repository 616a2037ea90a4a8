"""What became of everything an ingest met: counts by kind, outcome and reason, and what was no acquisition."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from s4c_lib.catalog.seasons import Season
from s4c_lib.reasons import EXPLAINED


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """Acquisitions of one kind with one outcome.

    Attributes
    ----------
    outcome : ``registered``, ``ignored``, or the state they are in.
    example : name of one of them.
    """

    kind: str
    outcome: str
    reason: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """Something found in an archive that is no acquisition of the season."""

    path: str
    reason: str
    text: str


def outcomes(connection: Connection, season: Season) -> list[OutcomeRow]:
    """Return what became of the acquisitions a season's searches listed, by kind and outcome."""
    statement = text(
        """
        WITH span AS (
            SELECT satellite_id, min(date_from) AS first, max(date_to) AS last
            FROM s4c.query_window WHERE season_id = :season_id AND in_span GROUP BY satellite_id
        )
        SELECT a.kind,
               CASE WHEN m.relevance = 'ignored' THEN 'ignored'
                    WHEN a.state = 'processed' THEN 'registered' ELSE a.state::text END AS outcome,
               coalesce(CASE WHEN m.relevance = 'ignored' THEN m.reason ELSE a.reason_code END, '') AS reason,
               count(*) AS count, min(a.source_product_name) AS example
        FROM s4c.acquisition a
        JOIN s4c.site_acquisition m ON m.acquisition_id = a.id AND m.site_id = :site_id
        JOIN span ON span.satellite_id = CASE WHEN a.satellite_id = 4 THEN 2 ELSE a.satellite_id END
                 AND a.sensing_start >= span.first AND a.sensing_start < span.last + 1
        GROUP BY 1, 2, 3 ORDER BY 1, 2 DESC, 3
        """
    )
    values = {"season_id": season.id, "site_id": season.site_id}
    return [OutcomeRow(**row) for row in connection.execute(statement, values).mappings()]


def rejected(connection: Connection, season: Season) -> list[RejectedRow]:
    """Return what the season's searches met that is no acquisition of it, by path."""
    statement = text(
        """
        SELECT DISTINCT ON (entry ->> 'path') entry ->> 'path' AS path, entry ->> 'reason' AS reason,
               entry ->> 'text' AS text
        FROM s4c.query_window w, jsonb_array_elements(w.rejected) AS entry
        WHERE w.season_id = :season_id AND w.in_span ORDER BY 1
        """
    )
    return [RejectedRow(**row) for row in connection.execute(statement, {"season_id": season.id}).mappings()]


def explained(row: OutcomeRow) -> str:
    """Say a row's reason in words."""
    if row.outcome == "registered":
        return "ready for use"
    return EXPLAINED.get(row.reason, row.reason)
