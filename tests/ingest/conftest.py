"""A small archive, a site on it, and an ingest that runs as the command line's does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from domain_rows import make_season, make_site, make_source
from sqlalchemy import Connection, text

from s4c_lib.catalog import acquisitions, products, query_windows, sites
from s4c_lib.catalog.acquisitions import Acquisition
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.query_windows import QueryWindow
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import Site
from s4c_lib.ingest.context import IngestContext, load_context
from s4c_lib.ingest.steps import has_work, run_all
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.synthetic.archive import ArchiveSummary, make_archive

START, END = date(2024, 3, 1), date(2024, 3, 22)
TILES = ("31UFS", "31UGS")
# Long after the season: every window settles with its first success.
LATER = datetime(2025, 2, 1, 8, tzinfo=UTC)


@dataclass
class Ingest:
    """A season of a site with its archive."""

    database: Database
    site: Site
    season: Season
    root: Path
    downloads: Path

    def context(self, now: datetime = LATER, before: date | None = None, job_id: int | None = None) -> IngestContext:
        return load_context(self.database, self.season.id, today=now.date(), before=before, job_id=job_id)

    def run(self, now: datetime = LATER, before: date | None = None) -> dict[str, int]:
        return run_all(self.database, self.context(now, before), owner="test run", clock=lambda: now).counts

    def has_work(self, now: datetime = LATER, before: date | None = None) -> bool:
        return has_work(self.database, self.context(now, before), now)

    def set(self, key: str, value: object) -> None:
        with self.database.begin() as connection:
            set_value(connection, key, value, actor="test")

    def known(self) -> dict[str, Acquisition]:
        with self.database.begin() as connection:
            found = acquisitions.list_acquisitions(connection, self.site.id)
        return {acquisition.source_product_name: acquisition for acquisition in found}

    def acquisition(self, part: str) -> Acquisition:
        return next(found for name, found in self.known().items() if part in name)

    def windows(self, satellite: str | None = None) -> list[QueryWindow]:
        with self.database.begin() as connection:
            return query_windows.list_windows(connection, self.season.id, satellite)

    def products(self) -> dict[str, str]:
        """Name to path of the products in force."""
        with self.database.begin() as connection:
            return {one.name: one.full_path for one in products.list_products(connection, self.site.id)}

    def execute(self, statement: str) -> None:
        with self.database.begin() as connection:
            connection.execute(text(statement))


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> ArchiveSummary:
    """The archive with its faults; read only."""
    root = tmp_path_factory.mktemp("pristine") / "archive"
    return make_archive(root, seed=7, start=START, end=END, tiles=TILES)


@pytest.fixture
def archive(pristine: ArchiveSummary, tmp_path: Path) -> Path:
    """A copy of the archive that a test may damage."""
    return Path(shutil.copytree(pristine.root, tmp_path / "archive", symlinks=True))


@pytest.fixture
def small_archive(pristine: ArchiveSummary, tmp_path: Path) -> Path:
    """Four Sentinel-2 L2A products of March 6 and 11, without faults."""
    root = tmp_path / "archive"
    for product in pristine.products:
        day = product.path.parent.name
        if "MSIL2A" in product.name and day in {"06", "11"} and not product.superseded:
            shutil.copytree(product.path, root / product.path.relative_to(pristine.root))
    return root


def prepare(
    connection: Connection, root: Path, downloads: Path, *, name: str = "Alpha", mode: str = "copy", source: bool = True
) -> tuple[Site, Season]:
    """Enable a site with a season, its source and its parameters."""
    site = make_site(connection, name)
    season = make_season(connection, site, dates=SeasonDates(START, date(2024, 3, 15), END))
    site = sites.set_enabled(connection, site, True)
    if source:
        make_source(connection, root, mode=mode)
        for satellite in ("s1", "s2", "l8"):
            set_value(connection, f"downloader.{satellite}.write-dir", str(downloads / satellite), actor="test")
        set_value(connection, "storage.min_free_gb", 0, actor="test")
        set_value(connection, "storage.products_path", str(downloads.parent / "products"), actor="test")
        # these tests are about finding and fetching: products are registered as they come, none of these tiles has L3B
        set_value(connection, "processor.l2a.optical.cog-tiffs", False, actor="test")
        set_value(connection, "processor.l3b.lai.tiles_filter", ["01AAA"], actor="test")
    return site, season


@pytest.fixture
def new_ingest(database: Database, tmp_path: Path) -> Callable[..., Ingest]:
    """Makes a season on an archive."""

    def make(root: Path, mode: str = "copy") -> Ingest:
        with database.begin() as connection:
            site, season = prepare(connection, root, tmp_path / "downloads", mode=mode)
        return Ingest(database, site, season, root, tmp_path / "downloads")

    return make
