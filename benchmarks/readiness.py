"""Readiness of a run on a country's season: every rule on 100 000 products, against reading the same rows.

Fills a database of its own (on the server of ``S4C_TEST_DATABASE_URL``, else a private one that ends with the program)
with Sentinel-2 and Sentinel-1 products and a file of statistics for each variable, then judges an L4A run, which reads
the most. The alternative of the ratio is fetching the same products and files into Python, without any rule.

    python benchmarks/readiness.py [--products 100000] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from database_server import DatabaseServer  # noqa: E402
from derived_rows import settle  # noqa: E402
from domain_rows import make_enabled  # noqa: E402
from measuring import peak_mb  # noqa: E402
from sqlalchemy import Connection, text  # noqa: E402
from sqlalchemy.engine import make_url  # noqa: E402
from uploaded_rows import give_everything  # noqa: E402

from deploy.local_stack.postgres import private_postgres  # noqa: E402
from s4c_lib.catalog import readiness  # noqa: E402
from s4c_lib.catalog.config_values import snapshot  # noqa: E402
from s4c_lib.catalog.database import Database  # noqa: E402
from s4c_lib.catalog.migrations import migrate  # noqa: E402
from s4c_lib.catalog.seasons import Season  # noqa: E402
from s4c_lib.processors import variables_read  # noqa: E402
from s4c_lib.settings import MIGRATIONS  # noqa: E402

NOW = datetime(2025, 2, 1, tzinfo=UTC)
LIMIT_SECONDS = 1.0


def fill(connection: Connection, season: Season, products: int) -> None:
    """Make half of the products optical (L2A and L3B), half radar, with statistics of all but the last ones."""
    hashes = readiness.season_hashes(connection, season, NOW.date())
    settings = snapshot(connection, today=NOW.date(), season=season)
    wanted = variables_read("s4c_l4a", settings)
    values = {
        "site": season.site_id, "l3b": hashes["l3b"], "mdb1": hashes["s4c_mdb1"], "optical": products // 4,
        "radar": products // 2, "variables": list(wanted.optical),
    }  # fmt: skip
    for statement in FILL:
        connection.execute(text(statement), values)


_ACQUIRED = """
    INSERT INTO s4c.acquisition (satellite_id, source_product_name, kind, platform, sensing_start, tiles, polarisation,
                                 footprint, state)
    SELECT {satellite}, '{name}_' || n, {kind}, 'x', timestamptz '2024-03-01 10:00Z' + n * interval '18 minutes'
           * 10000.0 / :{total}, '{{31UFS}}', {polarisation}, ST_MakeEnvelope(5, 50, 6, 51, 4326), 'processed'
    FROM generate_series(1, :{total}) n
"""
FILL = (
    _ACQUIRED.format(satellite=1, name="S2", kind="'s2_l2a'", polarisation="NULL", total="optical"),
    _ACQUIRED.format(
        satellite=3,
        name="S1",
        kind="CASE WHEN n % 4 < 2 THEN 's1_amp' ELSE 's1_cohe' END",
        polarisation="CASE WHEN n % 2 = 0 THEN 'VV' ELSE 'VH' END",
        total="radar",
    ),
    "INSERT INTO s4c.site_acquisition SELECT :site, id, '{31UFS}', 1, 'selected' FROM s4c.acquisition",
    """
    INSERT INTO s4c.product (product_type_id, processor_id, satellite_id, acquisition_id, name, full_path, acquired_at,
                             tiles, software_version, config_hash)
    SELECT CASE a.kind WHEN 's2_l2a' THEN 1 WHEN 's1_amp' THEN 10 ELSE 11 END, CASE a.satellite_id WHEN 1 THEN 1 ELSE 7
           END, a.satellite_id, a.id, a.source_product_name, '/x', a.sensing_start, a.tiles, '1', 'h'
    FROM s4c.acquisition a
    """,
    """
    INSERT INTO s4c.product (product_type_id, processor_id, satellite_id, acquisition_id, name, full_path, acquired_at,
                             tiles, software_version, config_hash)
    SELECT 3, 3, 1, acquisition_id, name || '_L3B', '/x', acquired_at, tiles, '1', :l3b
    FROM s4c.product WHERE product_type_id = 1
    """,
    """
    INSERT INTO s4c.product_input SELECT q.id, p.id FROM s4c.product q JOIN s4c.product p
    ON p.acquisition_id = q.acquisition_id AND p.product_type_id = 1 WHERE q.product_type_id = 3
    """,
    "INSERT INTO s4c.product_site SELECT id, :site FROM s4c.product",
    """
    INSERT INTO s4c.marker_file (site_id, parcel_set_id, product_id, family, variable, tile, time, platform, path,
                                 n_rows, sha256, config_hash)
    SELECT :site, (SELECT max(id) FROM s4c.parcel_set), p.id, 'l3b', v.variable, '31UFS', p.acquired_at, 'x', '/x', 1,
           md5(p.id || v.variable), :mdb1
    FROM s4c.product p LEFT JOIN s4c.acquisition a ON a.id = p.acquisition_id
    CROSS JOIN LATERAL unnest(CASE
        WHEN p.product_type_id = 3 THEN CAST(:variables AS text[])
        WHEN p.product_type_id = 10 THEN ARRAY[lower(a.polarisation)]
        WHEN p.product_type_id = 11 THEN ARRAY['coherence_' || lower(a.polarisation)] END) AS v (variable)
    WHERE p.product_type_id IN (3, 10, 11) AND p.id % 5000 <> 0
    """,
    "ANALYZE",
)


def judge(connection: Connection, season: Season) -> readiness.Readiness:
    """Judge a run of the whole season."""
    return readiness.evaluate(
        connection,
        season,
        "s4c_l4a",
        interval_start=season.dates.start,
        as_of=season.dates.end,
        due=NOW,
        now=NOW,
        snapshot=snapshot(connection, today=NOW.date(), season=season),
    )


def fetch(connection: Connection, season: Season) -> int:
    """Read the rows the rules look at into Python."""
    rows = list(connection.execute(text("SELECT id, name, state, config_hash, acquisition_id FROM s4c.product")))
    files = list(connection.execute(text("SELECT product_id, variable, config_hash FROM s4c.marker_file")))
    return len(rows) + len(files)


def timed(work: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """Return the best time of some repeats, and the last result."""
    best, result = float("inf"), None
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - began)
    return best, result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    given = os.environ.get("S4C_TEST_DATABASE_URL")
    with tempfile.TemporaryDirectory() as folder:
        private = nullcontext(None) if given else private_postgres(Path(folder), say=lambda _: None)
        with private as started:
            server = DatabaseServer(
                make_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
                if given
                else started.url_for("postgres")  # type: ignore[union-attr]
            )
            url = server.create()
            try:
                found = measure(Database(url), options.products, Path(folder))
            finally:
                server.drop(url)
    if options.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key:24} {value}")


def measure(database: Database, products: int, folder: Path) -> dict[str, Any]:
    """Fill a database and judge a run in it."""
    migrate(database, MIGRATIONS)
    with database.begin() as connection:
        _, season = make_enabled(connection)
        give_everything(connection, season, folder / "declarations")
        settle(connection, season, NOW)
        fill(connection, season, products)
    with database.begin() as connection:
        cpu = time.process_time()
        seconds, verdict = timed(lambda: judge(connection, season))
        cpu = (time.process_time() - cpu) / 3
        raw, rows = timed(lambda: fetch(connection, season))
    database.engine.dispose()
    missing = {rule.rule: rule.count for rule in verdict.rules if not rule.ok}
    return {
        "products": products,
        "rows": rows,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 3),
        "limit_seconds": LIMIT_SECONDS,
        "ratio_fetch": round(seconds / raw, 3),
        "fetch_seconds": round(raw, 3),
        "missing": missing,
        "peak_mb": round(peak_mb()),
    }


if __name__ == "__main__":
    main()
