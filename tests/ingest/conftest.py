"""A small archive, a site on it, and an ingest that runs as the command line's does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from domain_rows import make_season, make_site, make_source
from sqlalchemy import Connection, text

from s4c_lib.catalog import acquisitions, products, query_windows, sites
from s4c_lib.catalog.acquisitions import Acquisition
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.data_sources import add_source
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.query_windows import QueryWindow
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import Site
from s4c_lib.ingest.context import IngestContext, load_context
from s4c_lib.ingest.fetch import FetchOutcome, run_fetch
from s4c_lib.ingest.fetch_all import Wait
from s4c_lib.ingest.query import QueryOutcome, run_query
from s4c_lib.ingest.remote import Access
from s4c_lib.ingest.steps import IngestOutcome, has_work, run_all
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.sources.credentials import Credentials
from s4c_lib.synthetic.archive import ArchiveSummary, make_archive
from s4c_lib.synthetic.hub import Hub

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
        set_storage(connection, downloads)
    return site, season


def set_storage(connection: Connection, downloads: Path) -> None:
    """Let everything lie in the test's own folder."""
    for satellite in ("s1", "s2", "l8"):
        set_value(connection, f"downloader.{satellite}.write-dir", str(downloads / satellite), actor="test")
    set_value(connection, "storage.min_free_gb", 0, actor="test")
    set_value(connection, "storage.products_path", str(downloads.parent / "products"), actor="test")
    # these tests are about finding and fetching: products are registered as they come, none of these tiles has L3B
    set_value(connection, "processor.l2a.optical.cog-tiffs", False, actor="test")
    set_value(connection, "processor.l3b.lai.tiles_filter", ["01AAA"], actor="test")


@pytest.fixture
def new_ingest(database: Database, tmp_path: Path) -> Callable[..., Ingest]:
    """Makes a season on an archive."""

    def make(root: Path, mode: str = "copy") -> Ingest:
        with database.begin() as connection:
            site, season = prepare(connection, root, tmp_path / "downloads", mode=mode)
        return Ingest(database, site, season, root, tmp_path / "downloads")

    return make


ACCOUNT = Credentials("user", "a-password-nobody-may-see")
CONNECTION = "hub_account"


@dataclass
class Remote(Ingest):
    """A season whose source is the fake hub."""

    hub: Hub
    password: str = ACCOUNT.password or ""

    @property
    def access(self) -> Access:
        return Access(vault={CONNECTION: ACCOUNT}.__getitem__)

    def run(self, now: datetime = LATER, before: date | None = None) -> dict[str, int]:
        return self.ingest(now, before).counts

    def ingest(self, now: datetime = LATER, before: date | None = None, wait: Wait | None = None) -> IngestOutcome:
        return run_all(
            self.database, self.context(now, before), owner="test run", clock=lambda: now, access=self.access, wait=wait
        )

    def find(self, now: datetime = LATER) -> QueryOutcome:
        return run_query(self.database, self.context(now), now=now, actor="test", access=self.access)

    def fetch(self, source: str = "hub", now: datetime = LATER, **more: Any) -> FetchOutcome:
        return run_fetch(
            self.database, self.context(now), source, owner="test", clock=lambda: now, access=self.access, **more
        )

    def add_source(
        self,
        name: str,
        driver: str,
        *,
        satellites: tuple[str, ...] = ("s2",),
        params: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        there = {
            "dhus": {"api_url": self.hub.dhus_url},
            "eodag": {"provider": "cop_dataspace", "definition": self.hub.eodag_definition()},
        }[driver]
        with self.database.begin() as connection:
            add_source(
                connection,
                name=name,
                satellites=satellites,
                driver=driver,
                params={**there, **(params or {})},
                secret_ref=CONNECTION,
                **{"max_connections": 4, **more},
            )

    def is_whole(self, name: str) -> bool:
        """Whether what was fetched is, byte for byte, what the hub serves."""
        served = self.hub.product(name)
        return (self.downloads / "s2" / served.file_name).read_bytes() == served.path.read_bytes()


@pytest.fixture
def new_remote(database: Database, tmp_path: Path) -> Iterator[Callable[..., Remote]]:
    """Makes a season that is ingested from a fake hub which serves an archive."""
    with ExitStack() as stack:

        def make(root: Path, driver: str = "dhus", **more: Any) -> Remote:
            limits = more.pop("limits", None)
            hub = stack.enter_context(
                Hub(root, seed=1, accounts={"user": ACCOUNT.password or ""}, cache=tmp_path / "hub", limits=limits)
            )
            with database.begin() as connection:
                site, season = prepare(connection, root, tmp_path / "downloads", source=False)
                set_storage(connection, tmp_path / "downloads")
            made = Remote(database, site, season, root, tmp_path / "downloads", hub)
            made.add_source("hub", driver, **more)
            return made

        yield make
