"""Waiting without holding a worker: what the triggers share that look into the domain database now and then."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from s4c_lib.catalog.database import Database

# A trigger that fires within seconds of the deferral makes Airflow fail runs now and then.
SHORTEST_FIRST_CHECK_SECONDS = 10.0


class PollingTrigger(BaseTrigger):
    """Looks until there is something else to do than wait; a database that is away is waited for.

    Parameters
    ----------
    connection_id : Airflow connection of the domain database.
    first_check_seconds : pause before the first look, never below 10.
    poll_seconds : pause between looks.
    """

    def __init__(self, connection_id: str, first_check_seconds: float, poll_seconds: float) -> None:
        super().__init__()
        self.connection_id = connection_id
        self.first_check_seconds = max(SHORTEST_FIRST_CHECK_SECONDS, first_check_seconds)
        self.poll_seconds = poll_seconds

    @property
    @abstractmethod
    def subject(self) -> str:
        """What waits, for the log."""

    @abstractmethod
    async def look(self, database: Database) -> tuple[bool, str]:
        """Return whether the waiting is over, and one line on how things stand."""

    @abstractmethod
    def event(self, text: str) -> dict[str, Any]:
        """Return what the task is told that goes on."""

    def too_late(self) -> bool:
        """Whether nothing is waited for any more, however things stand."""
        return False

    def polling(self) -> dict[str, Any]:
        """Return this class's arguments, for `serialize`."""
        return {
            "connection_id": self.connection_id,
            "first_check_seconds": self.first_check_seconds,
            "poll_seconds": self.poll_seconds,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the waiting is over; say in the log each time the reason changes."""
        from s4c_lib.catalog.database import Database
        from s4c_lib.errors import DatabaseUnavailableError

        connection = await BaseHook.aget_connection(self.connection_id)
        database = Database(connection.get_uri())
        said = ""
        await asyncio.sleep(self.first_check_seconds)
        while True:
            try:
                done, text = await self.look(database)
            except DatabaseUnavailableError as error:
                done, text = False, error.one_line
            if done or self.too_late():
                yield TriggerEvent(self.event(text))
                return
            if text != said:
                self.log.info("%s: %s", self.subject, text)
                said = text
            await asyncio.sleep(self.poll_seconds)
