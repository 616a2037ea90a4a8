"""Who wants to hear of what, and when: the parameters ``notify.*`` of the installation and of each site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.notice_rows import Notice
from s4c_lib.catalog.sites import list_sites
from s4c_lib.notices.finding import URGENT, Event, Finding
from s4c_lib.parameters import Snapshot

COLLECTED: Final[Mapping[str, timedelta]] = {
    "immediate": timedelta(0),
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What one site, or the installation as a whole, wants to be told.

    Attributes
    ----------
    digest : how long notices are collected; none waits longer.
    """

    enabled: bool
    recipients: tuple[str, ...]
    events: frozenset[Event]
    digest: timedelta

    def want(self, event: Event) -> bool:
        """Tell whether an event is to be told."""
        return self.enabled and event in self.events

    def due(self, notices: Iterable[Notice], *, now: datetime) -> list[Notice]:
        """Return what is to be sent now: all once the oldest was collected long enough, else what is urgent."""
        waiting = list(notices)
        if any(now - item.found_at >= self.digest for item in waiting):
            return waiting
        return [item for item in waiting if item.event in URGENT]


@dataclass(frozen=True, slots=True)
class AllWishes:
    """Wishes of every site and of the installation, and the connections that notices go through."""

    installation: Wishes
    sites: Mapping[int, Wishes]
    sender: str | None
    mail_connection: str
    webhook_connection: str | None

    @property
    def enabled(self) -> bool:
        """Whether anybody wants to be told anything."""
        return self.installation.enabled or any(item.enabled for item in self.sites.values())

    def of(self, site_id: int | None) -> Wishes:
        """Return the wishes that count for something of a site, or of none."""
        return self.installation if site_id is None else self.sites.get(site_id, self.installation)

    def wanted(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the findings that are to be told."""
        return [item for item in findings if self.of(item.site_id).want(item.event)]


def read_wishes(connection: Connection, *, today: date) -> AllWishes:
    """Read the parameters."""
    common = snapshot(connection, today=today)
    return AllWishes(
        installation=_wishes(common),
        sites={site.id: _wishes(snapshot(connection, today=today, site=site)) for site in list_sites(connection)},
        sender=common["notify.sender"] or None,
        mail_connection=str(common["notify.connection_id"]),
        webhook_connection=common["notify.webhook_connection_id"] or None,
    )


def _wishes(settings: Snapshot) -> Wishes:
    return Wishes(
        enabled=bool(settings["notify.enabled"]),
        recipients=tuple(sorted(settings["notify.recipients"])),
        events=frozenset(Event(name) for name in settings["notify.events"]),
        digest=COLLECTED[str(settings["notify.digest"])],
    )
