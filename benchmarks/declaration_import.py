"""A whole import of declarations: reading, checks, identity, pixels, database.

Limit: 500 000 polygons in under 3 minutes and 3 GB on 2 cores (issue 4). What 7 million would take is extrapolated
from two sizes.

    python benchmarks/declaration_import.py [--parcels 500000] [--again]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import shapely
from pyproj import Transformer

from deploy.local_stack.postgres import private_postgres
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.migrations import migrate
from s4c_lib.catalog.sites import Site, add_site, get_site
from s4c_lib.geography.sentinel2_tiles import select_tiles
from s4c_lib.parcels.checking import CheckOptions
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.settings import MIGRATIONS
from s4c_lib.synthetic.landscape.declarations import grid_for, write_parcels_only
from s4c_lib.uploads.declarations import ImportRequest, import_declarations

LIMIT_SECONDS, LIMIT_GB = 180, 3.0
MAPPING = ColumnMapping(("FUNCTIONEE",), "GRONDBEDEK", ("FakeBRSnr",))


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=500_000)
    parser.add_argument("--again", action="store_true", help="also import a second delivery of the same file")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()), help="where the file is kept")
    arguments = parser.parse_args()
    file = arguments.cache / f"s4c_declarations_{arguments.parcels}.zip"
    grid = grid_for(arguments.parcels, 610_000, 5_790_000, 32631)
    if not file.exists():
        print(f"making {file}", file=sys.stderr)
        write_parcels_only(grid, arguments.parcels, file, 1)
    with tempfile.TemporaryDirectory() as folder, private_postgres(Path(folder) / "pg", say=_quiet) as server:
        database = Database(server.url_for("postgres"))
        migrate(database, MIGRATIONS)
        site = make_site(database, grid.bounds)
        database.engine.dispose()
        for number in range(2 if arguments.again else 1):
            # A process of its own, as an import has: its peak is its own.
            worker = multiprocessing.get_context("spawn").Process(
                target=run, args=(server.url_for("postgres"), site.short_name, file, Path(folder) / "lpis", number > 0)
            )
            worker.start()
            worker.join()
            if worker.exitcode:
                sys.exit(worker.exitcode)


def run(url: str, site_name: str, file: Path, storage: Path, replaced: bool) -> None:
    """Import once and print where the time went."""
    database = Database(url)
    with database.begin() as connection:
        site = get_site(connection, site_name)
    marks: list[tuple[str, float, float]] = []

    def progress(step: str, fraction: float) -> None:
        if not marks or marks[-1][0] != step:
            marks.append((step, time.perf_counter(), _peak()))

    began, processor = time.perf_counter(), time.process_time()
    options = CheckOptions(max_reject_pct=1.5 if replaced else 1.0)  # other parameters: not the same upload
    outcome = import_declarations(
        database,
        site,
        ImportRequest(file, MAPPING, 2026, options=options),
        storage=storage,
        actor="benchmark",
        now=datetime(2026, 5, 1, tzinfo=UTC),
        progress=progress,
    )
    ended = time.perf_counter()
    seconds = ended - began
    peak = _peak()
    print(f"{'second' if replaced else 'first'} import of {outcome.report.rows} rows, refused {outcome.report.refused}")
    for (step, start, _), (_, end, held) in zip(marks, [*marks[1:], ("", ended, peak)], strict=True):
        print(f"  {step:12} {end - start:7.1f} s, peak so far {held:.2f} GB")
    print(f"  {'all':12} {seconds:7.1f} s, {seconds / LIMIT_SECONDS:.2f} of the limit at 500 000")
    print(
        f"  {'processor':12} {time.process_time() - processor:7.1f} s; "
        f"peak {peak:.2f} GB, {peak / LIMIT_GB:.2f} of the limit"
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def make_site(database: Database, bounds: tuple[float, float, float, float]) -> Site:
    """A site around the parcels."""
    to_degrees = Transformer.from_crs(32631, 4326, always_xy=True)
    box = shapely.segmentize(shapely.box(*bounds), 10_000)
    extent = shapely.multipolygons([shapely.transform(box, to_degrees.transform, interleaved=False)])
    with database.begin() as connection:
        add_site(
            connection,
            name="Benchmark",
            short_name="benchmark",
            geometry=extent,
            search_geometry=extent,
            area_km2=1.0,
            tiles=select_tiles(extent, 1.0),
            actor="benchmark",
        )
        return get_site(connection, "benchmark")


def _quiet(text: str) -> None:
    """Say nothing of the server's start."""


if __name__ == "__main__":
    main()
