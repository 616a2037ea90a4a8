"""The statistics step: a file of the store for each wanted variable of each product in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from pyproj import CRS

from s4c_lib.catalog import derivations, marker_files, products
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.derivations import Derivation, WorkKey
from s4c_lib.catalog.marker_files import MarkerFile, NewMarkerFile
from s4c_lib.catalog.missing_products import Piece, missing_statistics
from s4c_lib.catalog.parcel_sets import ParcelSet, active_set
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.catalog.products import Product
from s4c_lib.catalog.seasons import season_processors
from s4c_lib.extraction.pixel_indexes import ParcelOutlines, PixelIndexes
from s4c_lib.extraction.product_statistics import (
    VariableStatistics,
    band_statistics,
    l3b_statistics,
    radar_statistics,
)
from s4c_lib.ingest.chunks import chunk_sizes
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.derive import DeriveOutcome, Made, work_off
from s4c_lib.parcels.pixel_index import PixelIndex
from s4c_lib.progress import Progress
from s4c_lib.readers.flags import MaskRules
from s4c_lib.readers.radar_raster import RadarRaster, read_radar_raster
from s4c_lib.readers.recognise import read_scene
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA, unit_of
from s4c_lib.statistics.observations import read_observations
from s4c_lib.statistics.parcel_statistics import ParcelStatistics, merged
from s4c_lib.statistics.store import Source, StoredFile, statistics_in, write_statistics
from s4c_lib.statistics.wanted import (
    FAMILIES,
    PRODUCT_TYPES,
    StatisticsOptions,
    WantedVariable,
    wanted_variables,
)

# For planning only, measured on full tiles: bytes of the acquisition.
PLANNED_BYTES_PER_SECOND = 3e8
PLANNED_SECONDS_EACH = 0.2
# The platform only tells Sentinel-2 from Landsat here.
_ANY_SENTINEL2, _ANY_LANDSAT = "sentinel-2a", "landsat-8"
_SAME_BORDERS = ("unchanged", "attribute")


@dataclass(frozen=True, slots=True)
class StatisticsWork:
    """What a season's statistics are made of and how; none of it is read again while a step runs.

    Parameters
    ----------
    processors : L4 processors the season has; L4A asks for bands.
    """

    parcel_set: ParcelSet
    key: WorkKey
    l3b_hash: str
    processors: tuple[str, ...]

    def wanted(self, context: IngestContext, product_type: str, platform: str) -> tuple[WantedVariable, ...]:
        """Variables wanted of a product."""
        return wanted_variables(context.parameters.values, self.processors, product_type, platform)


def statistics_work(database: Database, context: IngestContext) -> StatisticsWork | None:
    """Return what the season's statistics are made of; None while it has no declarations."""
    with database.begin() as connection:
        parcel_set = active_set(connection, context.site.id, context.season.year)
        processors = tuple(item.processor for item in season_processors(connection, context.season.id) if item.enabled)
    if parcel_set is None:
        return None
    key = WorkKey(
        context.site.id,
        "s4c_mdb1",
        context.parameters.hash_for("s4c_mdb1"),
        parcel_set.id,
        context.sensing_range(),
    )
    return StatisticsWork(parcel_set, key, context.parameters.hash_for("l3b"), processors)


def missing(database: Database, context: IngestContext, work: StatisticsWork) -> list[Piece]:
    """Return the products of the season that lack a file of the store."""
    first, stop = context.sensing_range()
    variables = {
        (product_type, item.variable)
        for product_type in PRODUCT_TYPES
        for platform in (_ANY_SENTINEL2, _ANY_LANDSAT)
        for item in work.wanted(context, product_type, platform)
    }
    with database.begin() as connection:
        return missing_statistics(
            connection,
            context.site.id,
            parcel_set_id=work.parcel_set.id,
            variables=sorted(variables),
            config_hash=work.key.config_hash,
            l3b_hash=work.l3b_hash,
            first=first,
            stop=stop,
        )


def plan_statistics(database: Database, context: IngestContext, *, now: datetime) -> int:
    """Claimable pieces are brought up to date; returns how many can be made now, 0 without declarations."""
    work = statistics_work(database, context)
    if work is None:
        return 0
    pieces = missing(database, context, work)
    with database.begin() as connection:
        derivations.expire(connection, now)
        attempts = 1 + int(context.parameters["processor.l2a.optical.max-retries"])
        return derivations.plan(connection, work.key, pieces, max_attempts=attempts, now=now)


def chunks_of(database: Database, context: IngestContext, *, now: datetime, slots: int) -> list[int]:
    """Return how many products each parallel task takes."""
    work = statistics_work(database, context)
    count = plan_statistics(database, context, now=now)
    if work is None:
        return []
    with database.begin() as connection:
        size = derivations.due_bytes(connection, work.key, now=now)
    return chunk_sizes(context, count, size / PLANNED_BYTES_PER_SECOND + count * PLANNED_SECONDS_EACH, slots=slots)


def run_statistics(
    database: Database,
    context: IngestContext,
    *,
    owner: str,
    job_id: int | None,
    clock: Callable[[], datetime],
    limit: int | None = None,
    progress: Progress | None = None,
) -> DeriveOutcome:
    """Extract what is missing, oldest product first, until nothing is due or ``limit`` is reached."""
    work = statistics_work(database, context)
    if work is None:
        return DeriveOutcome()
    extraction = _Extraction(database, context, work)
    return work_off(
        database, context, work.key, extraction.make, owner=owner, clock=clock, limit=limit, progress=progress
    )


class _Extraction:
    """Extracts products one after the other; parcels and pixel indexes are read once."""

    def __init__(self, database: Database, context: IngestContext, work: StatisticsWork) -> None:
        self.database = database
        self.context = context
        self.work = work
        self.options = StatisticsOptions.of(context.parameters.values)
        self.root = context.parameters.path("storage.products_path")
        self.indexes = PixelIndexes(work.parcel_set.id, self._outlines, Path(work.parcel_set.folder) / "pixels")

    def make(self, piece: Derivation) -> tuple[str, Made]:
        """Extract the missing variables of a product and put their files in force together."""
        with self.database.begin() as connection:
            product = products.get_product(connection, piece.product_id)
            before = self._before(connection, product)
        have = {item.variable for item in before if item.parcel_set_id == self.work.parcel_set.id}
        platform = str(product.metadata.get("platform") or "")
        wanted = [item for item in self._wanted(product, platform) if item.variable not in have]
        of_base = {item.variable: item for item in before if item.parcel_set_id == self.work.parcel_set.base_id}
        # rows of parcels with the borders they had are copied when every variable has a file of the version before
        copied = bool(wanted) and all(item.variable in of_base for item in wanted)
        choose = self._changed_only if copied else _everything
        files = []
        # all before the first is written: a raster that cannot be read leaves no file that nobody knows
        for source, found in list(self._found(product, platform, wanted, choose)):
            statistics = found.statistics
            if copied:
                statistics = self._merged(of_base[source.variable], found)
            stored = write_statistics(
                self.root, self.context.site.short_name, self.context.season.short_name, source, statistics
            )
            files.append(_new_file(self.context.site.id, source, stored))
        with self.database.begin() as connection:
            marker_files.put_in_force(connection, files)
        return product.name, Made(empty=not files)

    def _wanted(self, product: Product, platform: str) -> tuple[WantedVariable, ...]:
        """Variables wanted of a product; of a Sentinel-1 raster that of its polarisation."""
        every = self.work.wanted(self.context, product.product_type, platform)
        if not product.product_type.startswith("s1"):
            return every
        own = read_radar_raster(Path(product.full_path)).variable
        return tuple(item for item in every if item.variable == own)

    def _before(self, connection: Any, product: Product) -> list[MarkerFile]:
        """Files in force of the product, of this version of the parcels and of the one before."""
        sets = [self.work.parcel_set.id]
        if self.work.parcel_set.base_id is not None:
            sets.append(self.work.parcel_set.base_id)
        return marker_files.of_product(connection, product.id, sets, config_hash=self.work.key.config_hash)

    def _found(
        self,
        product: Product,
        platform: str,
        wanted: list[WantedVariable],
        choose: Callable[[PixelIndex], PixelIndex],
    ) -> Iterator[tuple[Source, VariableStatistics]]:
        place = Path(product.full_path)
        if product.product_type.startswith("s1"):
            raster = read_radar_raster(place)
            for item in wanted:
                found = radar_statistics(raster, item, self.indexes, self.options, choose)
                yield self._radar_source(product, raster, found), found
            return
        if product.product_type == "l3b":
            rasters = {name: place / file for name, file in product.metadata["rasters"].items()}
            flags = place / product.metadata["flags"]
            every = l3b_statistics(rasters, flags, product.tiles[0], wanted, self.indexes, self.options, choose)
        else:
            scene = read_scene(place)
            rules = MaskRules.of(self.context.parameters.values)
            every = band_statistics(scene, rules, wanted, self.indexes, self.options, choose)
        for found in every:
            yield self._optical_source(product, platform, found), found

    def _optical_source(self, product: Product, platform: str, found: VariableStatistics) -> Source:
        return Source(
            variable=found.wanted.variable,
            family=found.wanted.family,
            unit=unit_of(found.wanted.variable),
            time=product.acquired_at,
            previous_time=None,
            platform=platform,
            tile=product.tiles[0],
            orbit=None,
            direction=None,
            **self._about(product, found),
        )

    def _radar_source(self, product: Product, raster: RadarRaster, found: VariableStatistics) -> Source:
        orbit = raster.orbit if raster.orbit is not None else product.relative_orbit
        coherence = raster.quantity == "coherence"
        return Source(
            variable=raster.variable,
            family=FAMILIES[product.product_type],
            unit=unit_of(raster.variable),
            time=raster.time,
            # of backscatter it has no meaning, although Sen4CAP's names have two dates
            previous_time=raster.previous_time if coherence else None,
            platform=raster.platform,
            # Sen4CAP's own rasters cover an orbit, not a tile
            tile=raster.tile or f"r{orbit or 0:03d}",
            orbit=orbit,
            direction=raster.direction or product.direction,
            **self._about(product, found),
        )

    def _about(self, product: Product, found: VariableStatistics) -> dict[str, Any]:
        return {
            "product_id": product.id,
            "item_id": product.name,
            "parcel_set_id": self.work.parcel_set.id,
            "buffer_m": found.wanted.buffer_m,
            "resolution": found.grid.pixel,
            "config_hash": self.work.key.config_hash,
        }

    def _outlines(self) -> ParcelOutlines:
        with self.database.begin() as connection:
            table = read_parcels(connection, self.work.parcel_set, ["new_id", "geom", "geom_valid", "geom_repaired"])
        usable = table.filter(pc.or_(table["geom_valid"], table["geom_repaired"]))
        return ParcelOutlines(
            usable["new_id"].to_numpy().astype(np.int64),
            shapely.from_wkb(usable["geom"].to_numpy(zero_copy_only=False)),
            CRS.from_wkt(self.work.parcel_set.crs_wkt),
        )

    @cached_property
    def _unchanged(self) -> npt.NDArray[np.int64]:
        """Parcels whose borders are those of the version before."""
        with self.database.begin() as connection:
            table = read_parcels(connection, self.work.parcel_set, ["new_id", "change"])
        same = pc.is_in(table["change"].cast(pa.string()), pa.array(_SAME_BORDERS))
        return np.asarray(table.filter(same)["new_id"].to_numpy(), np.int64)

    def _changed_only(self, index: PixelIndex) -> PixelIndex:
        return index.select(index.parcel_id[~np.isin(index.parcel_id, self._unchanged)])

    def _merged(self, base: MarkerFile, found: VariableStatistics) -> ParcelStatistics:
        columns = [*OBSERVATION_SCHEMA.names, *self.options.quartiles]
        old = statistics_in(read_observations([Path(base.path)], columns=columns))
        return merged(old, found.statistics, self._unchanged)


def _everything(index: PixelIndex) -> PixelIndex:
    return index


def _new_file(site_id: int, source: Source, stored: StoredFile) -> NewMarkerFile:
    return NewMarkerFile(
        site_id=site_id,
        parcel_set_id=source.parcel_set_id or 0,
        product_id=source.product_id or 0,
        family=source.family,
        variable=source.variable,
        tile=source.tile,
        time=source.time,
        previous_time=source.previous_time,
        platform=source.platform,
        orbit=source.orbit,
        direction=source.direction,
        path=str(stored.path),
        n_rows=stored.rows,
        sha256=stored.sha256,
        config_hash=source.config_hash,
    )
