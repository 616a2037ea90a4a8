"""Rule R3 (derived): every processed acquisition has the products and statistics the run reads.

Optical: L2A, its L3B with the season's configuration, and a file of statistics for each variable. Radar: backscatter,
and coherence where there is a pair, and their files. What has nothing to read (an ``empty`` L3B, a unit that was left
out) misses nothing; what was given up counts as a failure (R6) and is not waited for.

Source: operations.md §2.6 R3 with spec/README.md B17.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, text

from s4c_lib.catalog.readiness_rules import IN_INTERVAL, MOST_NAMED, JudgedRun, RuleResult, variables_made
from s4c_lib.catalog.vocabulary import PROCESSORS, PRODUCT_TYPES
from s4c_lib.processors import variables_read

_BACKSCATTER: Final = PRODUCT_TYPES["s1_l2a_amp"]
_COHERENCE: Final = PRODUCT_TYPES["s1_l2a_cohe"]
_WORDS: Final = {"l2a": "L2A", "l3b": "L3B", "radar": "backscatter or coherence", "statistics": "statistics"}

# Terminal: no further try comes by itself.
_TERMINAL = "d.state = 'failed' AND (NOT d.retryable OR d.attempts >= d.max_attempts)"

_CHOSEN = f"""
    chosen AS MATERIALIZED (
        SELECT a.id, a.source_product_name AS name, a.sensing_start, a.kind, a.polarisation, a.footprint, a.satellite_id
        {IN_INTERVAL} AND a.state = 'processed'
          -- left out whole, with a reason of its own
          AND NOT (EXISTS (SELECT 1 FROM s4c.acquisition_unit u WHERE u.acquisition_id = a.id)
                   AND NOT EXISTS (SELECT 1 FROM s4c.acquisition_unit u
                                   WHERE u.acquisition_id = a.id AND u.state <> 'ignored'))
    ), waived AS MATERIALIZED (
        SELECT w.product_id FROM s4c.waiver w JOIN s4c.processor p ON p.id = w.processor_id
        WHERE w.season_id = :season_id AND p.short_name = :processor AND w.withdrawn_at IS NULL
          AND w.product_id IS NOT NULL
    ), here AS MATERIALIZED (
        SELECT c.id AS acquisition_id, c.sensing_start, coalesce(p.polarisation, c.polarisation) AS polarisation,
               c.footprint, c.satellite_id, p.id AS product_id, p.name, p.state, p.tiles, p.product_type_id
        FROM chosen c
        JOIN s4c.product p ON p.acquisition_id = c.id AND p.product_type_id = ANY(:types) AND p.state <> 'superseded'
        JOIN s4c.product_site s ON s.product_id = p.id AND s.site_id = :site_id
    ), no_statistics AS MATERIALIZED (
        SELECT d.product_id FROM s4c.derivation d
        WHERE d.site_id = :site_id AND d.processor_id = :mdb1 AND d.parcel_set_id = :parcel_set_id
          AND d.config_hash = :mdb1_hash AND {_TERMINAL}
    ), have AS MATERIALIZED (
        SELECT f.product_id, array_agg(f.variable) AS variables FROM s4c.marker_file f
        WHERE f.parcel_set_id = :parcel_set_id AND f.state = 'active' AND f.config_hash = :mdb1_hash
          AND f.variable = ANY(CAST(:variables AS text[]))
        GROUP BY f.product_id
    )
"""

_OPTICAL_MISSING = f"""
    WITH {_CHOSEN}, tile AS (
        -- Landsat has its own tiling: it serves the Sentinel-2 tiles it meets
        SELECT h.*, t.tile
        FROM here h
        JOIN s4c.site_tile t ON t.site_id = :site_id AND t.selected AND t.epsg IS NOT NULL
                            AND (t.tile = ANY(h.tiles)
                                 OR (h.satellite_id IN (2, 4) AND ST_Intersects(h.footprint, t.footprint)))
        WHERE h.state = 'active' AND h.product_id NOT IN (SELECT product_id FROM waived)
          AND (cardinality(CAST(:tiles AS text[])) = 0 OR t.tile = ANY(CAST(:tiles AS text[])))
          AND (cardinality(CAST(:chosen_tiles AS text[])) = 0 OR t.tile = ANY(CAST(:chosen_tiles AS text[])))
    ), vegetation AS MATERIALIZED (
        SELECT i.input_product_id, q.id, q.name, q.state, q.tiles
        FROM s4c.product q
        JOIN s4c.product_site s ON s.product_id = q.id AND s.site_id = :site_id
        JOIN s4c.product_input i ON i.product_id = q.id
        WHERE q.product_type_id = :l3b_type AND q.state <> 'superseded' AND q.config_hash = :l3b_hash
    ), derived AS MATERIALIZED (
        SELECT t.*, v.id AS l3b_id, v.name AS l3b_name, v.state AS l3b_state
        FROM tile t
        LEFT JOIN vegetation v ON v.input_product_id = t.product_id AND t.tile = ANY(v.tiles)
    ), missing AS (
        SELECT 'l2a' AS what, c.name AS label, c.sensing_start
        FROM chosen c WHERE NOT EXISTS (SELECT 1 FROM here h WHERE h.acquisition_id = c.id)
        UNION ALL
        SELECT DISTINCT 'l3b', x.name || ' (l3b)', x.sensing_start
        FROM derived x
        WHERE x.l3b_id IS NULL AND NOT EXISTS (
            SELECT 1 FROM s4c.derivation d
            WHERE d.site_id = :site_id AND d.processor_id = :l3b AND d.product_id = x.product_id
              AND d.tile = x.tile AND d.config_hash = :l3b_hash AND {_TERMINAL}
        )
        UNION ALL
        SELECT DISTINCT 'statistics', x.l3b_name || ' (' || (
                   SELECT string_agg(w.variable, ', ' ORDER BY w.variable)
                   FROM unnest(CAST(:variables AS text[])) AS w (variable)
                   WHERE w.variable <> ALL(coalesce(v.variables, '{{}}') || coalesce(b.variables, '{{}}'))
               ) || ')', x.sensing_start
        FROM derived x
        LEFT JOIN have v ON v.product_id = x.l3b_id
        -- statistics of bands are of the L2A itself
        LEFT JOIN have b ON b.product_id = x.product_id
        WHERE x.l3b_state = 'active' AND :parcel_set_id IS NOT NULL
          AND NOT CAST(:variables AS text[]) <@ (coalesce(v.variables, '{{}}') || coalesce(b.variables, '{{}}'))
          AND x.l3b_id NOT IN (SELECT product_id FROM waived)
          AND x.l3b_id NOT IN (SELECT product_id FROM no_statistics)
          AND x.product_id NOT IN (SELECT product_id FROM no_statistics)
    )
"""

_RADAR_MISSING = f"""
    WITH {_CHOSEN}, needed AS (
        -- a ready-made product is one of both; what is made here has a unit for each
        SELECT c.id, c.name, c.sensing_start, y.type FROM chosen c CROSS JOIN unnest(CAST(:types AS integer[])) y (type)
        WHERE CASE
            WHEN c.kind = 's1_amp' THEN y.type = {_BACKSCATTER}
            WHEN c.kind = 's1_cohe' THEN y.type = {_COHERENCE}
            WHEN y.type = {_BACKSCATTER} THEN NOT EXISTS (
                SELECT 1 FROM s4c.acquisition_unit u
                WHERE u.acquisition_id = c.id AND u.unit_key = 'single' AND u.state IN ('failed', 'ignored'))
            ELSE EXISTS (
                SELECT 1 FROM s4c.acquisition_unit u
                WHERE u.acquisition_id = c.id AND u.unit_key LIKE 'pair:%' AND u.state = 'done')
        END
    ), missing AS (
        SELECT 'radar' AS what, n.name AS label, n.sensing_start
        FROM needed n
        WHERE NOT EXISTS (SELECT 1 FROM here h WHERE h.acquisition_id = n.id AND h.product_type_id = n.type)
        UNION ALL
        SELECT 'statistics', h.name || ' (' || string_agg(w.variable, ', ' ORDER BY w.variable) || ')', h.sensing_start
        FROM here h
        JOIN unnest(CAST(:variables AS text[]), CAST(:variable_types AS integer[]), CAST(:polarisations AS text[]))
             AS w (variable, type, polarisation) ON w.type = h.product_type_id
        LEFT JOIN have v ON v.product_id = h.product_id
        WHERE h.state = 'active' AND :parcel_set_id IS NOT NULL
          AND position(w.polarisation IN upper(h.polarisation)) > 0
          AND (cardinality(CAST(:chosen_tiles AS text[])) = 0 OR h.tiles && CAST(:chosen_tiles AS text[]))
          AND h.product_id NOT IN (SELECT product_id FROM waived)
          AND h.product_id NOT IN (SELECT product_id FROM no_statistics)
          AND w.variable <> ALL(coalesce(v.variables, '{{}}'))
        GROUP BY h.product_id, h.name, h.sensing_start
    )
"""

_SUMMARY = f"""
    SELECT what, count(*) AS number, (array_agg(label ORDER BY sensing_start, label))[1\\:{MOST_NAMED}] AS labels
    FROM missing GROUP BY what
    UNION ALL
    SELECT 'all', count(*), NULL FROM here
"""


def derived(connection: Connection, run: JudgedRun, satellite: str, parcel_set_id: int | None) -> RuleResult:
    """Judge R3 for a satellite (``s1``, ``s2``, ``l8``).

    Parameters
    ----------
    parcel_set_id : version of the declarations whose statistics are read; without one only products are looked at.
    """
    wanted = variables_read(run.processor, run.snapshot)
    values: dict[str, Any] = {
        **run.values(satellite),
        "parcel_set_id": parcel_set_id,
        "mdb1": PROCESSORS["s4c_mdb1"],
        "mdb1_hash": run.made_with["s4c_mdb1"],
    }
    if satellite == "s1":
        types = [_COHERENCE if name.startswith("coherence") else _BACKSCATTER for name in wanted.radar]
        statement = _RADAR_MISSING
        values |= {
            "types": sorted(set(types)),
            "variables": list(wanted.radar),
            "variable_types": types,
            "polarisations": [name[-2:].upper() for name in wanted.radar],
        }
    else:
        statement = _OPTICAL_MISSING
        values |= {
            "types": [PRODUCT_TYPES["l2a"]],
            "variables": list(wanted.optical),
            "l3b": PROCESSORS["l3b"],
            "l3b_type": PRODUCT_TYPES["l3b"],
            "l3b_hash": run.made_with["l3b"],
            "tiles": list(run.snapshot["processor.l3b.lai.tiles_filter"]),
        }
    return _verdict(connection, run, satellite, statement, values)


def _verdict(
    connection: Connection, run: JudgedRun, satellite: str, statement: str, values: dict[str, Any]
) -> RuleResult:
    rows = {row.what: row for row in connection.execute(text(statement + _SUMMARY), values)}
    products = int(rows.pop("all").number)
    found = [rows[what] for what in _WORDS if what in rows]
    count = sum(int(row.number) for row in found)
    names = tuple(label for row in found for label in row.labels)[:MOST_NAMED]
    rule = f"R3 {satellite}"
    if not found:
        return RuleResult(rule, True, f"{satellite}: what is read of {products} products is there")
    parts = ", ".join(f"{row.number} without {_WORDS[row.what]}" for row in found)
    season = run.season
    words = f"{satellite}: {parts}; 's4c ingest {season.site} {season.short_name}' makes what is due"
    if "statistics" in rows:
        made = variables_made(connection, season, run.today)
        if never := [name for name in values["variables"] if name not in made]:
            words += (
                f", but never {', '.join(never)}: switched off for the season by processor.s4c_mdb1.*, "
                "processor.l3b.filter.produce_* or processor.s4c_l4a.mode ('s4c config set')"
            )
    return RuleResult(rule, False, words, count, names)
