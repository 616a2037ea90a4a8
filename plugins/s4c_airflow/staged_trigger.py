"""Waiting for products on tape without holding a worker or a transfer slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from s4c_lib.catalog.database import Database
    from s4c_lib.ingest.remote import Access
    from s4c_lib.ingest.staging import Standing

# A trigger that fires within seconds of the deferral makes Airflow fail runs now and then.
SHORTEST_FIRST_CHECK_SECONDS = 10.0


class StagedTrigger(BaseTrigger):
    """Fires when something ordered from a source can be fetched, or nothing more will come by itself.

    Of all triggers that wait for a source, one in each ``staging.poll_seconds`` asks it; what came online is queued
    for whoever is to fetch it.

    Parameters
    ----------
    job_id : number of the ingest job.
    source : name of the data source.
    connection_id : Airflow connection of the domain database.
    first_check_seconds : pause before the first look, never below 10.
    poll_seconds : pause between looks.
    fruitless : how often in a row the task waited in vain, handed back in the event.
    until : ISO time, UTC, after which nothing is waited for; None waits as long as something may come.
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
        super().__init__()
        self.job_id = job_id
        self.source = source
        self.connection_id = connection_id
        self.first_check_seconds = max(SHORTEST_FIRST_CHECK_SECONDS, first_check_seconds)
        self.poll_seconds = poll_seconds
        self.fruitless = fruitless
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments; no account is among them."""
        return (
            "s4c_airflow.staged_trigger.StagedTrigger",
            {
                "job_id": self.job_id,
                "source": self.source,
                "connection_id": self.connection_id,
                "first_check_seconds": self.first_check_seconds,
                "poll_seconds": self.poll_seconds,
                "fruitless": self.fruitless,
                "until": self.until,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to do; say in the log each time what is waited for changes."""
        from operators.accounts import access_in_triggerer
        from s4c_lib.catalog.database import Database
        from s4c_lib.errors import DatabaseUnavailableError

        connection = await BaseHook.aget_connection(self.connection_id)
        database = Database(connection.get_uri())
        said = ""
        await asyncio.sleep(self.first_check_seconds)
        while True:
            try:
                access = await access_in_triggerer(await asyncio.to_thread(self._connection_ids, database))
                left = await asyncio.to_thread(self._look, database, access)
                text = left.text
                done = left.can_fetch or not left.worth_waiting
            except DatabaseUnavailableError as error:
                text, done = error.one_line, False
            if done or self._too_late():
                yield TriggerEvent({"text": text, "fruitless": self.fruitless})
                return
            if text != said:
                self.log.info("%s: %s", self.source, text)
                said = text
            await asyncio.sleep(self.poll_seconds)

    def _too_late(self) -> bool:
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
