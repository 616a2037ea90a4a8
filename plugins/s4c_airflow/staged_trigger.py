"""Waiting for products on tape without holding a worker or a transfer slot."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

from s4c_airflow.polling_trigger import SHORTEST_FIRST_CHECK_SECONDS, PollingTrigger

if TYPE_CHECKING:
    from s4c_lib.catalog.database import Database
    from s4c_lib.ingest.remote import Access
    from s4c_lib.ingest.staging import Standing


class StagedTrigger(PollingTrigger):
    """Fires when something ordered from a source can be fetched, or nothing more will come by itself.

    Of all triggers that wait for a source, one in each ``staging.poll_seconds`` asks it; what came online is queued
    for whoever is to fetch it.

    Parameters
    ----------
    job_id : number of the ingest job.
    source : name of the data source.
    fruitless : how often in a row the task waited in vain, handed back in the event.
    until : ISO time, UTC, after which nothing is waited for; None waits as long as something may come.
    The others : see `PollingTrigger`.
    """

    def __init__(
        self,
        job_id: int,
        source: str,
        connection_id: str,
        first_check_seconds: float = SHORTEST_FIRST_CHECK_SECONDS,
        poll_seconds: float = 60.0,
        fruitless: int = 0,
        until: str | None = None,
    ) -> None:
        super().__init__(connection_id, first_check_seconds, poll_seconds)
        self.job_id = job_id
        self.source = source
        self.fruitless = fruitless
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments; no account is among them."""
        return (
            "s4c_airflow.staged_trigger.StagedTrigger",
            {
                "job_id": self.job_id,
                "source": self.source,
                "fruitless": self.fruitless,
                "until": self.until,
                **self.polling(),
            },
        )

    @property
    def subject(self) -> str:
        """What is waited for, for the log."""
        return self.source

    async def look(self, database: Database) -> tuple[bool, str]:
        """Ask the source, and return whether there is something to do, and what is left."""
        from operators.accounts import access_in_triggerer

        access = await access_in_triggerer(await asyncio.to_thread(self._connection_ids, database))
        left = await asyncio.to_thread(self._look, database, access)
        return left.can_fetch or not left.worth_waiting, left.text

    def event(self, text: str) -> dict[str, Any]:
        """Return what the task is told that goes on."""
        return {"text": text, "fruitless": self.fruitless}

    def too_late(self) -> bool:
        """Whether ``until`` is past."""
        from s4c_lib.ingest.clock import utc_now

        return self.until is not None and utc_now() >= datetime.fromisoformat(self.until)

    def _connection_ids(self, database: Database) -> list[str]:
        """Return the Airflow connections with the source's accounts."""
        from s4c_lib.catalog.data_sources import get_sources

        with database.begin() as connection:
            return sorted({row.secret_ref for row in get_sources(connection, self.source) if row.secret_ref})

    def _look(self, database: Database, access: Access) -> Standing:
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.ingest.context import context_of_job
        from s4c_lib.ingest.staging import look_after

        ingest = context_of_job(database, self.job_id, today=utc_now().date())
        return look_after(
            database, ingest, self.source, access=access, clock=utc_now, actor=f"job {self.job_id} trigger"
        )
