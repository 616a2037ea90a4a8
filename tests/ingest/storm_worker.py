"""An ingest in a process of its own, which a test may kill: database, season, moment, password in the environment."""

from __future__ import annotations

import logging
import os
import sys
from datetime import datetime

from s4c_lib.catalog.database import Database
from s4c_lib.ingest.context import load_context
from s4c_lib.ingest.remote import Access
from s4c_lib.ingest.steps import run_all
from s4c_lib.sources.credentials import Credentials


def main() -> None:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    url, season, moment = sys.argv[1:]
    now = datetime.fromisoformat(moment)
    database = Database(url)
    context = load_context(database, int(season), today=now.date())
    access = Access(lambda _: Credentials("user", os.environ["HUB_PASSWORD"]))
    print(run_all(database, context, owner=f"worker {os.getpid()}", clock=lambda: now, access=access).counts)


if __name__ == "__main__":
    main()
