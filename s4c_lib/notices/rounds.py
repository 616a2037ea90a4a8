"""A round of notifications: look, remember what is new, send what is due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from s4c_lib.catalog import notable
from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.notice_rows import (
    MAIL,
    WEBHOOK,
    Notice,
    delivered,
    end_all_but,
    forget_before,
    lock_notices,
    pending,
    record,
)
from s4c_lib.catalog.sites import list_sites
from s4c_lib.errors import InputError
from s4c_lib.notices import message
from s4c_lib.notices.disks import full_disks
from s4c_lib.notices.finding import Event, Finding
from s4c_lib.notices.post import DeliveryError, Post
from s4c_lib.notices.wishes import AllWishes, read_wishes

#: What nobody could be told for this long is told no more; `s4c status` shows what still is the case.
PATIENCE: Final = timedelta(days=7)
KEPT: Final = timedelta(days=90)


@dataclass(slots=True)
class Round:
    """What a round did."""

    found: int = 0
    new: int = 0
    messages: int = 0
    failures: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the numbers for an XCom."""
        return {"found": self.found, "new": self.new, "messages": self.messages, "failures": len(self.failures)}

    def enforce(self) -> None:
        """Raise DeliveryError when something was not taken."""
        if self.failures:
            raise DeliveryError(
                f"{len(self.failures)} notifications were not taken: {' '.join(self.failures)}",
                hint="they are sent in the next round once this is mended",
            )


def notify(database: Database, post: Post, *, now: datetime) -> Round:
    """Look for what operators have to know and tell what is new.

    What one channel does not take stays pending for it; the other channels and sites get theirs.
    """
    outcome = Round()
    with database.begin() as connection:
        lock_notices(connection)
        wishes = read_wishes(connection, today=now.date())
        if not wishes.enabled:
            return outcome
        findings = wishes.wanted(_look(connection, now=now))
        outcome.found = len(findings)
        end_all_but(connection, findings, now=now)
        outcome.new = record(connection, findings, now=now)
        forget_before(connection, now - KEPT)
    _send(database, wishes, post, now, outcome)
    return outcome


def notify_of_failed_run(database: Database, post: Post, dag_id: str, run_id: str, *, now: datetime) -> Round:
    """Tell at once that a run of Airflow failed; a later round does not tell it again."""
    outcome = Round(found=1)
    with database.begin() as connection:
        lock_notices(connection)
        wishes = read_wishes(connection, today=now.date())
        findings = wishes.wanted([_failed_run(connection, dag_id, run_id, now)])
        if not findings:
            return outcome
        outcome.new = record(connection, findings, now=now)
    _send(database, wishes, post, now, outcome)
    return outcome


def _look(connection: Connection, *, now: datetime) -> Iterator[Finding]:
    yield from notable.failed_jobs(connection, now=now)
    yield from notable.overdue_runs(connection, now=now)
    yield from notable.failing_windows(connection)
    yield from notable.refusing_sources(connection, now=now)
    yield from notable.many_failed(connection, now=now)
    names = [site.short_name for site in list_sites(connection)]
    yield from full_disks(snapshot(connection, today=now.date()), names)


def _failed_run(connection: Connection, dag_id: str, run_id: str, now: datetime) -> Finding:
    """Say of a run what its job says, or, when it has none, that it failed."""
    row = connection.execute(
        text(
            "SELECT j.id, j.submitted_at, j.site_id, n.short_name AS season "
            "FROM s4c.job j JOIN s4c.season n ON n.id = j.season_id "
            "WHERE j.airflow_dag_id = :dag_id AND j.airflow_run_id = :run_id ORDER BY j.id DESC LIMIT 1"
        ),
        {"dag_id": dag_id, "run_id": run_id},
    ).one_or_none()
    if row is None:
        owner = dag_id.partition("__")[0]
        site = next((item.id for item in list_sites(connection) if item.short_name == owner), None)
        remedy = f"look at the run {run_id} in Airflow"
        return Finding(Event.JOB_FAILED, f"run {dag_id} {run_id}", f"A run of {dag_id} failed.", remedy, site)
    name = notable.job_subject(row.id, row.submitted_at)
    known = next((item for item in notable.failed_jobs(connection, now=now) if item.subject == name), None)
    return known or Finding(
        Event.JOB_FAILED, name, f"A run of {dag_id} failed.", f"s4c jobs show {row.id}", row.site_id, row.season
    )


def _send(database: Database, wishes: AllWishes, post: Post, now: datetime, outcome: Round) -> None:
    for recipients in sorted({wishes.of(site).recipients for site in (None, *wishes.sites)}):
        if recipients:
            _send_one(database, wishes, post, now, outcome, recipients)
    if wishes.webhook_connection is not None:
        _send_one(database, wishes, post, now, outcome, None)


def _send_one(
    database: Database, wishes: AllWishes, post: Post, now: datetime, outcome: Round, recipients: tuple[str, ...] | None
) -> None:
    """Send what is due for one group of people, or (None) for the web hook, in a transaction of its own."""
    channel = WEBHOOK if recipients is None else MAIL
    with database.begin() as connection:
        lock_notices(connection)
        notices = _due(pending(connection, channel, since=now - PATIENCE), wishes, recipients, now)
        if not notices:
            return
        try:
            _hand_over(wishes, post, notices, recipients)
        except (DeliveryError, InputError) as error:
            outcome.failures.append(error.one_line)
            return
        delivered(connection, notices, channel, now=now)
    outcome.messages += 1


def _due(
    notices: Sequence[Notice], wishes: AllWishes, recipients: tuple[str, ...] | None, now: datetime
) -> list[Notice]:
    mine = [
        item
        for item in notices
        if wishes.of(item.site_id).enabled and recipients in (None, wishes.of(item.site_id).recipients)
    ]
    by_wishes = {site: [item for item in mine if item.site_id == site] for site in {item.site_id for item in mine}}
    due = {item.id for site, some in by_wishes.items() for item in wishes.of(site).due(some, now=now)}
    return [item for item in mine if item.id in due]


def _hand_over(wishes: AllWishes, post: Post, notices: Sequence[Notice], recipients: tuple[str, ...] | None) -> None:
    if recipients is not None:
        post.mail(
            wishes.mail_connection,
            sender=wishes.sender,
            recipients=recipients,
            subject=message.subject(notices),
            page=message.page(notices),
        )
    elif wishes.webhook_connection is not None:
        post.webhook(wishes.webhook_connection, message.document(notices))
