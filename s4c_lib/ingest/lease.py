"""A claim on a piece of work is kept alive while the work goes on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from s4c_lib.catalog.database import Database
from s4c_lib.errors import LeaseLostError, Sen4capError
from s4c_lib.ingest.context import IngestContext

log = structlog.get_logger(__name__)

Extend = Callable[[Connection, datetime], None]
"""Sets the end of a lease, or raises LeaseLostError."""


@contextmanager
def kept_alive(
    database: Database, context: IngestContext, extend: Extend, clock: Callable[[], datetime], what: str
) -> Iterator[None]:
    """Prolong a lease from a thread while the work runs.

    A database away for a moment is tolerated: the lease only runs out when it stays away.

    Parameters
    ----------
    what : names the work in the log.
    """
    stop = threading.Event()
    lease_seconds = float(context.parameters["lease.seconds"])
    pause = float(context.parameters["lease.heartbeat_seconds"])

    def beat() -> None:
        while not stop.wait(pause):
            try:
                with database.begin() as connection:
                    extend(connection, clock() + timedelta(seconds=lease_seconds))
            except LeaseLostError:
                # the work's own record of its end meets the same error and reports it
                return
            except Sen4capError as error:
                log.warning("heartbeat missed", work=what, error=error.one_line)

    thread = threading.Thread(target=beat, name=f"heartbeat {what}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def process_owner(job_id: int, task: str) -> str:
    """Return the name under which a worker holds leases."""
    return f"job {job_id} {task} {os.uname().nodename}:{os.getpid()}"
