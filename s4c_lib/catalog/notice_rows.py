"""Notices kept in the database: what was found, whether it lasts, and who has been told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from s4c_lib.notices.finding import Event, Finding

MAIL: Final = "mail"
WEBHOOK: Final = "webhook"


@dataclass(frozen=True, slots=True)
class Notice:
    """A finding that was recorded.

    Attributes
    ----------
    ended_at : since when it is no longer the case; None while it lasts.
    """

    id: int
    event: Event
    site_id: int | None
    site: str | None
    season: str | None
    text: str
    remedy: str
    found_at: datetime
    ended_at: datetime | None


def lock_notices(connection: Connection) -> None:
    """Let nobody else record or send notices until this transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('s4c.notice'))"))


def record(connection: Connection, findings: Iterable[Finding], *, now: datetime) -> int:
    """Store findings that are not known yet; return how many there were."""
    statement = text(
        """
        INSERT INTO s4c.notice (event, subject, site_id, season, text, remedy, found_at)
        VALUES (:event, :subject, :site_id, :season, :text, :remedy, :now)
        ON CONFLICT (event, subject) WHERE ended_at IS NULL DO NOTHING
        """
    )
    return sum(
        connection.execute(
            statement,
            {
                "event": str(item.event),
                "subject": item.subject,
                "site_id": item.site_id,
                "season": item.season,
                "text": item.text,
                "remedy": item.remedy,
                "now": now,
            },
        ).rowcount
        for item in findings
    )


def end_all_but(connection: Connection, findings: Collection[Finding], *, now: datetime) -> int:
    """Mark notices that no finding stands for any more as ended; a run that failed stays failed.

    What is found again later is a notice of its own.
    """
    statement = text(
        """
        UPDATE s4c.notice n SET ended_at = :now
        WHERE n.ended_at IS NULL AND n.event <> :lasting
          AND NOT EXISTS (SELECT 1 FROM unnest(CAST(:events AS text[]), CAST(:subjects AS text[])) AS f (event, subject)
                          WHERE f.event = n.event AND f.subject = n.subject)
        """
    )
    values = {
        "now": now,
        "lasting": str(Event.JOB_FAILED),
        "events": [str(item.event) for item in findings],
        "subjects": [item.subject for item in findings],
    }
    return connection.execute(statement, values).rowcount


def pending(connection: Connection, channel: str, *, since: datetime) -> list[Notice]:
    """Return the notices found after a moment that a channel has not carried yet, oldest first."""
    statement = text(
        """
        SELECT n.id, n.event, n.site_id, s.short_name AS site, n.season, n.text, n.remedy, n.found_at, n.ended_at
        FROM s4c.notice n LEFT JOIN s4c.site s ON s.id = n.site_id
        WHERE n.found_at >= :since
          AND NOT EXISTS (SELECT 1 FROM s4c.notice_delivery d WHERE d.notice_id = n.id AND d.channel = :channel)
        ORDER BY n.found_at, n.id
        """
    )
    rows = connection.execute(statement, {"channel": channel, "since": since}).mappings()
    return [Notice(**{**row, "event": Event(row["event"])}) for row in rows]


def delivered(connection: Connection, notices: Sequence[Notice], channel: str, *, now: datetime) -> None:
    """Record that a channel took notices."""
    connection.execute(
        text(
            "INSERT INTO s4c.notice_delivery (notice_id, channel, sent_at) "
            "SELECT unnest(CAST(:ids AS bigint[])), :channel, :now"
        ),
        {"ids": [item.id for item in notices], "channel": channel, "now": now},
    )


def forget_before(connection: Connection, moment: datetime) -> int:
    """Remove notices found before a moment that are over; a run that failed is over by then."""
    statement = text("DELETE FROM s4c.notice WHERE found_at < :moment AND (ended_at IS NOT NULL OR event = :failed)")
    return connection.execute(statement, {"moment": moment, "failed": str(Event.JOB_FAILED)}).rowcount
