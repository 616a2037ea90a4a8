"""Waiting without holding a worker: the trigger that watches a job's inputs and lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import BaseHook
from airflow.triggers.base import BaseTrigger, TriggerEvent


class MayStartTrigger(BaseTrigger):
    """Fires when a waiting job may start, or has something else to do than wait.

    Parameters
    ----------
    job_id : number of the job.
    connection_id : Airflow connection of the domain database.
    first_check_seconds : pause before the first look; a trigger that fires within seconds of the deferral makes
        Airflow fail runs now and then, so it is never below 10.
    poll_seconds : pause between looks.
    """

    def __init__(
        self, job_id: int, connection_id: str, first_check_seconds: float = 10.0, poll_seconds: float = 60.0
    ) -> None:
        super().__init__()
        self.job_id = job_id
        self.connection_id = connection_id
        self.first_check_seconds = max(10.0, first_check_seconds)
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments."""
        return (
            "s4c_airflow.triggers.MayStartTrigger",
            {
                "job_id": self.job_id,
                "connection_id": self.connection_id,
                "first_check_seconds": self.first_check_seconds,
                "poll_seconds": self.poll_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the job may start; say in the log each time the reason changes."""
        from s4c_lib.catalog.database import Database
        from s4c_lib.errors import DatabaseUnavailableError
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.runs import may_start

        connection = await BaseHook.aget_connection(self.connection_id)
        database = Database(connection.get_uri())
        said = ""
        await asyncio.sleep(self.first_check_seconds)
        while True:
            try:
                ready, reason = await asyncio.to_thread(may_start, database, self.job_id, now=utc_now())
            except DatabaseUnavailableError as error:
                ready, reason = False, error.one_line
            if ready:
                yield TriggerEvent({"job_id": self.job_id, "reason": reason})
                return
            if reason != said:
                self.log.info("Job %s waits: %s", self.job_id, reason)
                said = reason
            await asyncio.sleep(self.poll_seconds)
