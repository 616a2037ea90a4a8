"""Rules R1 (searched), R2 (acquired) and R6 (few failures): whether the acquisitions of a run are there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import Connection, text

from s4c_lib.catalog.query_windows import list_windows
from s4c_lib.catalog.readiness_rules import IN_INTERVAL, MOST_NAMED, JudgedRun, RuleResult, look_back_days
from s4c_lib.catalog.vocabulary import PROCESSORS
from s4c_lib.scheduling.dates import Phase, midnight
from s4c_lib.scheduling.query_windows import Window


def searched(connection: Connection, run: JudgedRun, satellite: str) -> RuleResult:
    """Judge R1: every query window of the interval was searched after late publications, or lately enough."""
    snapshot = run.snapshot
    if not (snapshot["downloader.enabled"] and snapshot[f"downloader.{satellite}.enabled"]):
        return RuleResult(f"R1 {satellite}", True, f"{satellite}: searching is switched off, what is there is used")
    first = run.interval_start - timedelta(days=look_back_days(satellite, snapshot))
    settle_days = int(snapshot[f"downloader.{satellite}.settle_days"])
    lag = int(snapshot["readiness.publication_lag_days"])
    enough_now = midnight(run.as_of + timedelta(days=1 + lag))
    current = run.phase is Phase.CURRENT
    stored = [
        item
        for item in list_windows(connection, run.season.id, satellite)
        if item.window.date_to >= first and item.window.date_from <= run.as_of
    ]
    missing = [
        item
        for item in stored
        if not item.window.settled(item.last_success, settle_days)
        and not (current and item.last_success is not None and item.last_success >= enough_now)
    ]
    if gaps := _not_covered([item.window for item in stored], first, run.as_of):
        names = tuple(f"{gap.date_from}..{gap.date_to}" for gap in gaps[:MOST_NAMED])
        words = f"{satellite}: {names[0]} has no query window yet; ingest has not run or no source serves {satellite}"
        return RuleResult(f"R1 {satellite}", False, words, len(gaps), names)
    names = tuple(f"{item.window.date_from}..{item.window.date_to}" for item in missing[:MOST_NAMED])
    words = (
        f"{satellite}: {len(missing)} of {len(stored)} query windows not yet searched conclusively"
        if missing
        else f"{satellite}: all {len(stored)} query windows searched"
    )
    return RuleResult(f"R1 {satellite}", not missing, words, len(missing), names)


def _not_covered(windows: Sequence[Window], first: date, last: date) -> list[Window]:
    """Return the days of [first, last] that lie in none of the windows (ascending): a season was prolonged."""
    gaps = []
    for window in windows:
        if window.date_from > first:
            gaps.append(Window(first, window.date_from - timedelta(days=1)))
        first = max(first, window.date_to + timedelta(days=1))
    if first <= last:
        gaps.append(Window(first, last))
    return gaps


def acquired(connection: Connection, run: JudgedRun, satellite: str) -> RuleResult:
    """Judge R2: no acquisition of the interval is still on its way."""
    statement = text(
        f"""
        SELECT a.source_product_name || ' (' || a.state || ')' AS label {IN_INTERVAL}
          AND a.state NOT IN ('processed', 'aborted', 'ignored', 'processing_failed')
        ORDER BY a.sensing_start, a.id
        """
    )
    values = run.values(satellite, look_back=look_back_days(satellite, run.snapshot))
    rows = list(connection.execute(statement, values).scalars())
    words = f"{satellite}: {len(rows)} acquisitions not ready" if rows else f"{satellite}: every acquisition is ready"
    if failed := sum(label.endswith("(failed)") for label in rows):
        # a past season has no scheduled ingest that would try them again
        season = run.season
        words += f" ({failed} failed; 's4c ingest {season.site} {season.short_name}' tries again what is due)"
    return RuleResult(f"R2 {satellite}", not rows, words, len(rows), tuple(rows[:MOST_NAMED]))


# L3B or statistics given up on what was made of the acquisition.
_GIVEN_UP = """
    EXISTS (
        SELECT 1 FROM s4c.product p
        JOIN s4c.derivation d ON d.product_id = p.id AND d.site_id = :site_id AND d.state = 'failed'
                             AND (NOT d.retryable OR d.attempts >= d.max_attempts)
        WHERE p.acquisition_id = a.id AND p.state = 'active'
          AND ((d.processor_id = :l3b AND d.config_hash = :l3b_hash)
               OR (d.processor_id = :mdb1 AND d.config_hash = :mdb1_hash AND d.parcel_set_id = :parcel_set_id))
          AND NOT EXISTS (
              SELECT 1 FROM s4c.waiver w JOIN s4c.processor c ON c.id = w.processor_id
              WHERE w.season_id = :season_id AND c.short_name = :processor AND w.withdrawn_at IS NULL
                AND w.product_id = p.id
          )
    )
"""


def failures(
    connection: Connection, run: JudgedRun, satellites: Sequence[str], parcel_set_id: int | None
) -> RuleResult:
    """Judge R6: few acquisitions failed for good, themselves or in what is made of them."""
    statement = text(
        f"""
        WITH given_up AS (
            SELECT EXISTS (
                SELECT 1 FROM s4c.derivation WHERE site_id = :site_id AND state = 'failed'
            ) AS there
        )
        SELECT count(*) AS total, count(*) FILTER (WHERE state IN ('aborted', 'processing_failed')) AS failed,
               count(*) FILTER (WHERE given_up) AS given_up,
               (array_agg(name ORDER BY sensing_start, name) FILTER (
                   WHERE given_up OR state IN ('aborted', 'processing_failed')))[1\\:{MOST_NAMED}] AS names
        FROM (
            SELECT a.state, a.source_product_name AS name, a.sensing_start,
                   a.state = 'processed' AND (SELECT there FROM given_up) AND {_GIVEN_UP} AS given_up
            {IN_INTERVAL} AND a.state <> 'ignored'
        ) judged
        """
    )
    values = {
        **run.values(*satellites),
        "l3b": PROCESSORS["l3b"],
        "mdb1": PROCESSORS["s4c_mdb1"],
        "l3b_hash": run.made_with["l3b"],
        "mdb1_hash": run.made_with["s4c_mdb1"],
        "parcel_set_id": parcel_set_id,
    }
    row = connection.execute(statement, values).one()
    failed = int(row.failed) + int(row.given_up)
    share = 100.0 * failed / row.total if row.total else 0.0
    limit = float(run.snapshot["readiness.max_failed_pct"])
    words = f"{failed} of {row.total} acquisitions failed for good ({share:.1f} %, limit {limit:g} %)"
    if row.given_up:
        words += f", {row.given_up} of them in L3B or statistics"
    if share > limit:
        words += "; 's4c acquisitions retry ID' tries one again, 's4c season waive' goes on without it"
    return RuleResult("R6", share <= limit, words, failed, tuple(row.names or ()))
