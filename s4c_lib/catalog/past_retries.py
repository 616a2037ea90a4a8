"""Past seasons whose failed searches and transfers are due again: no schedule visits them any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.seasons import list_seasons
from s4c_lib.catalog.sites import list_sites
from s4c_lib.scheduling.dates import Phase

# Begun, at rest, searched in full: a backfill of some of its dates only is left as its operator wanted it.
_DUE = """
    SELECT (SELECT count(*) FROM s4c.query_window w
            WHERE w.season_id = :season AND w.in_span AND w.state = 'failed' AND w.next_attempt_at <= :now) AS windows,
           (SELECT count(*) FROM s4c.acquisition a
            JOIN s4c.site_acquisition m ON m.acquisition_id = a.id AND m.site_id = :site
            WHERE m.relevance = 'selected' AND a.state = 'failed' AND a.next_attempt_at <= :now
              AND a.sensing_start >= (SELECT min(w.date_from) FROM s4c.query_window w
                                      WHERE w.season_id = :season AND w.in_span)
              AND a.sensing_start < (SELECT max(w.date_to) + 1 FROM s4c.query_window w
                                     WHERE w.season_id = :season AND w.in_span)) AS acquisitions
    WHERE EXISTS (SELECT 1 FROM s4c.query_window w WHERE w.season_id = :season AND w.in_span)
      AND NOT EXISTS (SELECT 1 FROM s4c.query_window w
                      WHERE w.season_id = :season AND w.in_span AND w.last_started IS NULL)
      AND NOT EXISTS (SELECT 1 FROM s4c.job j JOIN s4c.processor p ON p.id = j.processor_id
                      WHERE j.season_id = :season AND p.short_name = 'ingest'
                        AND j.state IN ('submitted', 'waiting_inputs', 'queued', 'running'))
"""


@dataclass(frozen=True, slots=True)
class PastRetry:
    """A past season with something due again: query windows and acquisitions that failed and whose pause is over."""

    site: str
    season: str
    windows: int
    acquisitions: int


def past_retries(connection: Connection, now: datetime) -> list[PastRetry]:
    """Return the enabled past seasons whose ingest is to run again, by site and season.

    Each try that fails doubles the pause, and a product has a limited number of tries, so a season comes to rest.
    """
    found = []
    for site in list_sites(connection):
        if not site.enabled:
            continue
        for season in list_seasons(connection, site.id):
            if not season.enabled:
                continue
            parameters = snapshot(connection, today=now.date(), site=site, season=season)
            if season.dates.phase(now.date(), int(parameters["schedule.grace_months"])) is not Phase.PAST:
                continue
            row = connection.execute(text(_DUE), {"season": season.id, "site": site.id, "now": now}).one_or_none()
            if row is not None and row.windows + row.acquisitions:
                found.append(PastRetry(site.short_name, season.short_name, int(row.windows), int(row.acquisitions)))
    return sorted(found, key=lambda item: (item.site, item.season))
