"""Waiting without holding a worker: the trigger that watches a job's inputs and lock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from s4c_airflow.polling_trigger import SHORTEST_FIRST_CHECK_SECONDS, PollingTrigger

if TYPE_CHECKING:
    from s4c_lib.catalog.database import Database


class MayStartTrigger(PollingTrigger):
    """Fires when a waiting job may start, or has something else to do than wait.

    Parameters
    ----------
    job_id : number of the job. The others : see `PollingTrigger`.
    """

    def __init__(
        self,
        job_id: int,
        connection_id: str,
        first_check_seconds: float = SHORTEST_FIRST_CHECK_SECONDS,
        poll_seconds: float = 60.0,
    ) -> None:
        super().__init__(connection_id, first_check_seconds, poll_seconds)
        self.job_id = job_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments."""
        return "s4c_airflow.triggers.MayStartTrigger", {"job_id": self.job_id, **self.polling()}

    @property
    def subject(self) -> str:
        """What waits, for the log."""
        return f"Job {self.job_id} waits"

    async def look(self, database: Database) -> tuple[bool, str]:
        """Return whether the job may start, and why not."""
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.runs import may_start

        return await asyncio.to_thread(may_start, database, self.job_id, now=utc_now())

    def event(self, text: str) -> dict[str, Any]:
        """Return what the task is told that goes on."""
        return {"job_id": self.job_id, "reason": text}
