"""What nobody needs any more: transfers that were never finished.

Finished products are kept until the steps that derive others from them exist; what those may remove is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.sites import list_sites
from s4c_lib.catalog.vocabulary import SEARCHED_SATELLITES
from s4c_lib.sources.partial_copy import remove_stale_parts

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionOutcome:
    """What was removed."""

    parts: int

    def counts(self) -> dict[str, int]:
        """Return the numbers for an XCom."""
        return {"parts": self.parts}


def apply(database: Database, *, now: datetime) -> RetentionOutcome:
    """Remove unfinished transfers older than ``retention.partial_days`` from every downloads folder."""
    with database.begin() as connection:
        settings = snapshot(connection, today=now.date())
        names = [site.short_name for site in list_sites(connection)]
    before = now - timedelta(days=float(settings["retention.partial_days"]))
    folders = {
        settings.path(f"downloader.{satellite}.write-dir", site=name)
        for satellite in SEARCHED_SATELLITES
        for name in names
    }
    removed = 0
    for folder in sorted(folders):
        gone = remove_stale_parts(folder, before)
        removed += len(gone)
        for path in gone:
            log.info("unfinished transfer removed", path=str(path))
    return RetentionOutcome(removed)
