"""A small synthetic season on disk, and sites that ingest it down to parcel statistics."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import shapely
from sqlalchemy import text

from s4c_lib.catalog import marker_files, products, seasons, sites
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.data_sources import add_source
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.marker_files import MarkerFile
from s4c_lib.catalog.parcel_sets import ParcelSet, active_set
from s4c_lib.catalog.products import Product
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import Site
from s4c_lib.geography.sentinel2_tiles import TileCoverage, tile
from s4c_lib.ingest.context import IngestContext, load_context
from s4c_lib.ingest.steps import has_work, run_all
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.statistics.observations import read_observations
from s4c_lib.synthetic.season import make_season
from s4c_lib.synthetic.world import SeasonOptions
from s4c_lib.uploads.declarations import ImportOutcome, ImportRequest, import_declarations

TILE = "31UFS"
START, MID, END = date(2021, 6, 1), date(2021, 6, 7), date(2021, 6, 14)
# Long after the season: every window settles with its first success.
NOW = datetime(2022, 2, 1, 8, tzinfo=UTC)
MAPPING = ColumnMapping(("FUNCTIONEE",), "GRONDBEDEK", ("FakeBRSnr",))
L3B = ("fapar", "fcover", "lai", "ndvi")
# The clearest Sentinel-2 dates of the season.
CLEAR_DAYS = (1, 9)

_made: dict[str, Path] = {}


@pytest.fixture(scope="session")
def season_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two weeks of 60 fields seen by Sentinel-1 and -2, with declarations; read only, made once a process."""
    if "season" not in _made:
        options = SeasonOptions(size_m=1500, parcels=60, start=START, end=END, tiles=(TILE,))
        _made["season"] = make_season(tmp_path_factory.mktemp("derived") / "season", options).root
    return _made["season"]


def products_in(archive: Path, kind: str, days: Iterable[int] | None = None) -> list[Path]:
    """Products of an archive with ``kind`` before the date in their names, of some days of June, by name."""
    wanted = ("202106",) if days is None else tuple(f"202106{day:02d}T" for day in days)
    found = [path for path in archive.rglob(f"*{kind}*") if path.parent.name.isdigit()]
    return sorted(path for path in found if path.name.split(kind, 1)[1].startswith(wanted))


def part_of(archive: Path, target: Path, kinds: Iterable[str], days: Iterable[int] | None = None) -> Path:
    """A copy of some products, which a test may damage."""
    for kind in kinds:
        for product in products_in(archive, kind, days):
            place = target / product.relative_to(archive)
            place.parent.mkdir(parents=True, exist_ok=True)
            copy: Callable[..., Any] = shutil.copytree if product.is_dir() else shutil.copy2
            copy(product, place)
    return target


@dataclass
class Derived:
    """A season of a site that reads an archive in place."""

    database: Database
    site: Site
    season: Season
    archive: Path
    root: Path
    files: Path

    def context(self, now: datetime = NOW) -> IngestContext:
        return load_context(self.database, self.season.id, today=now.date())

    def run(self, now: datetime = NOW) -> Counter[str]:
        """Counts of an ingest; 0 for what it did not do."""
        return Counter(run_all(self.database, self.context(now), owner="test run", clock=lambda: now).counts)

    def has_work(self, now: datetime = NOW) -> bool:
        return has_work(self.database, self.context(now), now)

    def set(self, key: str, value: object) -> None:
        with self.database.begin() as connection:
            set_value(connection, key, value, actor="test")

    def declare(self, file: Path | None = None) -> ImportOutcome:
        request = ImportRequest(file or self.files / "declarations" / "declarations.gpkg", MAPPING, 2021)
        outcome = import_declarations(
            self.database, self.site, request, storage=self.root / "lpis" / self.site.short_name, actor="test", now=NOW
        )
        assert outcome.parcel_set is not None, outcome.report.as_dict()
        return outcome

    @property
    def parcels(self) -> ParcelSet:
        with self.database.begin() as connection:
            found = active_set(connection, self.site.id, 2021)
        assert found is not None
        return found

    def products(self, kind: str) -> list[Product]:
        with self.database.begin() as connection:
            return products.list_products(connection, self.site.id, product_type=kind)

    def markers(self, *variables: str) -> list[MarkerFile]:
        parcel_set = self.parcels
        with self.database.begin() as connection:
            return marker_files.list_marker_files(connection, parcel_set.id, variables=variables or None)

    def observations(self, *variables: str) -> pa.Table:
        keys = [("variable", "ascending"), ("time", "ascending"), ("tile", "ascending"), ("parcel_id", "ascending")]
        return read_observations([Path(one.path) for one in self.markers(*variables)]).sort_by(keys)

    def rows(self, statement: str, **values: object) -> list[dict[str, Any]]:
        with self.database.begin() as connection:
            return [dict(row) for row in connection.execute(text(statement), values).mappings()]

    def rows_changed(self, statement: str, **values: object) -> None:
        with self.database.begin() as connection:
            assert connection.execute(text(statement), values).rowcount

    def units(self) -> dict[str, tuple[str, str | None, int]]:
        """State, reason and tries of each tile of the preprocess step, by product."""
        rows = self.rows(
            "SELECT a.source_product_name AS name, u.state::text AS state, u.reason_code AS reason, u.attempts "
            "FROM s4c.acquisition_unit u JOIN s4c.acquisition a ON a.id = u.acquisition_id "
            "WHERE u.processor_id = 1 ORDER BY a.id, u.unit_key"
        )
        return {row["name"]: (row["state"], row["reason"], row["attempts"]) for row in rows}

    def acquisitions(self) -> dict[str, str]:
        """State of each acquisition the site selects, by product."""
        rows = self.rows(
            "SELECT a.source_product_name AS name, a.state::text AS state FROM s4c.acquisition a "
            "JOIN s4c.site_acquisition m ON m.acquisition_id = a.id AND m.site_id = :site "
            "WHERE m.relevance = 'selected' ORDER BY a.id",
            site=self.site.id,
        )
        return {row["name"]: row["state"] for row in rows}

    def derivations(self, processor: int) -> list[tuple[str, str | None, int]]:
        """State, reason and tries of the pieces of L3B (3) or of statistics (14)."""
        rows = self.rows(
            "SELECT d.state::text AS state, d.reason_code, d.attempts FROM s4c.derivation d "
            "JOIN s4c.product p ON p.id = d.product_id "
            "WHERE d.processor_id = :processor AND d.site_id = :site ORDER BY p.acquired_at, d.tile, d.id",
            processor=processor,
            site=self.site.id,
        )
        return [(row["state"], row["reason_code"], row["attempts"]) for row in rows]


def stored_files(root: Path) -> set[Path]:
    """All files of the statistics store."""
    return set((root / "products" / "markers").rglob("*.parquet"))


NewDerived = Callable[..., Derived]


@pytest.fixture
def new_derived(database: Database, season_files: Path, tmp_path: Path) -> NewDerived:
    """Makes sites of the season's window, each on an archive that is read in place."""

    def make(archive: Path | None = None, name: str = "Alpha", **more: Any) -> Derived:
        return make_derived(database, season_files, tmp_path, archive, name, **more)

    return make


def make_derived(
    database: Database,
    files: Path,
    root: Path,
    archive: Path | None = None,
    name: str = "Alpha",
    *,
    declared: bool = True,
    tiles: tuple[str, ...] = (TILE,),
) -> Derived:
    """Make a site on an archive, by default the whole one; what it makes goes below ``root``."""
    place = archive or files / "archive"
    area = shapely.geometry.shape(json.loads((files / "site.geojson").read_text())["features"][0]["geometry"])
    outline = shapely.MultiPolygon([area]) if area.geom_type == "Polygon" else area
    with database.begin() as connection:
        site = sites.add_site(
            connection,
            name=name,
            short_name=name.lower(),
            geometry=outline,
            search_geometry=outline,
            area_km2=2.25,
            tiles=[TileCoverage(tile(one), 2.25, selected=True, redundant=False) for one in tiles],
            actor="test",
        )
        season, _ = seasons.add_season(connection, site, name="2021", dates=SeasonDates(START, MID, END), actor="test")
        site = sites.set_enabled(connection, site, True)
        add_source(
            connection,
            name=f"archive_of_{name.lower()}",
            satellites=("s1", "s2", "l8"),
            driver="local",
            fetch_mode="check",
            local_root=place,
            site=site,
        )
        for key, folder in {
            "storage.products_path": "products",
            "general.scratch-path": "scratch",
            "downloader.s1.write-dir": "downloads",
            "downloader.s2.write-dir": "downloads",
            "downloader.l8.write-dir": "downloads",
        }.items():
            set_value(connection, key, str(root / folder), actor="test")
        set_value(connection, "storage.min_free_gb", 0, actor="test")
    made = Derived(database, site, season, place, root, files)
    if declared:
        made.declare()
    return made
