"""Which source supplies which acquisition to a site, and in which order: the SQL that claims and orders share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

# The source that supplies an acquisition to a site: the one that failures of others led to, else, of those the site
# may fetch from and that listed it, the one that listed it last, else the first by priority. Another site's source,
# or one switched off, is passed over.
SUPPLIER = """
    SELECT d.id, d.name, d.driver FROM s4c.data_source d
    WHERE d.id = ANY(CAST(:usable AS bigint[])) AND (a.providers ? d.id::text OR d.id = a.fallback_source_id)
    ORDER BY d.id IS NOT DISTINCT FROM a.fallback_source_id DESC, d.id IS NOT DISTINCT FROM a.data_source_id DESC,
             array_position(CAST(:usable AS bigint[]), d.id)
    LIMIT 1
"""
# What a source can give now: of what lies on tape, nothing before it is staged (see `staging`).
WAITING = f"""
    FROM s4c.acquisition a
    JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
    CROSS JOIN LATERAL ({SUPPLIER}) supplier
    WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.state = 'queued'
      AND supplier.id = ANY(CAST(:sources AS bigint[]))
      AND (a.storage_state <> 'offline' OR supplier.driver = 'local')
      AND a.sensing_start >= :date_from AND a.sensing_start < :date_to
"""
# Current seasons before past ones, then as it was sensed. What was refused comes last: where it is one product that the
# account may not have, the others are not to wait behind it for ever.
IN_TURN = """
    ORDER BY a.reason_code IS NOT DISTINCT FROM 'refused',
             EXISTS (SELECT 1 FROM s4c.season c WHERE c.site_id = :site_id AND c.enabled AND c.end_date >= :today
                       AND a.sensing_start >= c.start_date AND a.sensing_start < c.end_date + 1) DESC,
             a.sensing_start, a.id
"""


def waiting_values(
    site_id: int, sources: Collection[int], usable: Sequence[int], date_from: datetime, date_to: datetime
) -> dict[str, Any]:
    """Return the values of the placeholders in `WAITING`."""
    return {
        "site_id": site_id,
        "sources": sorted(sources),
        "usable": list(usable),
        "date_from": date_from,
        "date_to": date_to,
    }
