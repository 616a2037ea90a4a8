"""What a night does: products and downloads whose time is over, and what nobody needs any more.

The latter are unfinished transfers, what was superseded, and what dead workers left.

Files go before their rows, so that an interrupted night is made up for by the next; only below the storage folders,
and never through a link. What is younger than a day is left to whoever is making it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import structlog

from s4c_lib.catalog import marker_files, parcel_sets, retention_rows
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.only_one import only_one
from s4c_lib.catalog.vocabulary import SEARCHED_SATELLITES
from s4c_lib.errors import DiskFullError, StorageError
from s4c_lib.keeping import Keeper, KeepingOutcome, Policies, verdicts
from s4c_lib.parameters import Snapshot
from s4c_lib.preprocessing.maja_chain import STEP_BACK
from s4c_lib.retention_policy import Action, Verdict
from s4c_lib.sources.part_folder import remove_stale_parts
from s4c_lib.stored_files import Measured, entries, files_below, is_inside, measured, remove_stored

log = structlog.get_logger(__name__)

# A worker writes a file first and says so in the database later.
_BEING_MADE: Final = timedelta(days=1)
_ELEVATION: Final = re.compile(r"((?:S2|L8)_[0-9A-Z]+)_[0-9a-f]{16}")
_MARKERS: Final = "markers"


@dataclass(slots=True)
class RetentionOutcome:
    """What was removed.

    Attributes
    ----------
    parts : unfinished transfers. marker_files : superseded files of the statistics store.
    orphans : files of the store that no row names. products : superseded products.
    native_products : what the chain of MAJA's dates does not need any more. elevation_folders : outdated ones.
    parcel_sets : versions of declarations. removed, archived : products in force and downloads whose time was over.
    freed_bytes : of those removed.
    left_alone : paths outside the storage folders. failed : paths that could not be removed.
    """

    parts: int = 0
    marker_files: int = 0
    orphans: int = 0
    products: int = 0
    native_products: int = 0
    elevation_folders: int = 0
    parcel_sets: int = 0
    removed: int = 0
    archived: int = 0
    freed_bytes: int = 0
    left_alone: int = 0
    failed: int = 0

    faults: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return the numbers for an XCom."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "faults"}


@dataclass(frozen=True, slots=True)
class Planned:
    """What a night would do to one product or download, and the rule that says so."""

    verdict: Verdict
    files: int
    size_bytes: int


def plan(database: Database, *, now: datetime) -> list[Planned]:
    """Judge everything that is stored, without changing anything; only what would go is measured."""
    with database.begin() as connection:
        policies = Policies.read(connection, now.date())
        found = verdicts(connection, policies, now=now)
    planned = []
    for one in found:
        files = measured(Path(one.item.path)) if one.action is not Action.NONE else Measured(0, 0)
        planned.append(Planned(one, files.files, files.size_bytes))
    return planned


def apply(
    database: Database, *, now: datetime, actor: str = "retention", progress: Callable[[str], None] | None = None
) -> RetentionOutcome:
    """Remove or archive whatever the parameters ``retention.*`` say; what cannot be done stops nothing else.

    Parameters
    ----------
    actor : who is written into the history. progress : told the name of what is archived or removed.

    Raises
    ------
    ConflictError : another pass is under way.
    """
    with only_one(database, "retention"):
        with database.begin() as connection:
            policies = Policies.read(connection, now.date())
            places = _Places(
                policies.system, {(site.id, site.short_name): values for site, values in policies.sites.values()}
            )
        night = _Night(database, now, places)
        night.keep(policies, actor, progress)
        night.unfinished_transfers()
        night.declarations()
        night.statistics()
        night.orphans()
        night.products()
        night.natives()
        night.elevation()
    log.info("retention", **night.outcome.counts())
    return night.outcome


@dataclass(frozen=True, slots=True)
class _Places:
    """Parameters of the system and, by number and name, of each site."""

    system: Snapshot
    sites: Mapping[tuple[int, str], Snapshot]

    def days(self, key: str, site_ids: Sequence[int] = ()) -> int:
        """The longest of some sites, or of all."""
        own = [int(values[key]) for (number, _), values in self.sites.items() if not site_ids or number in site_ids]
        return max(own, default=int(self.system[key]))

    def paths(self, key: str) -> list[Path]:
        return sorted({values.path(key, site=name) for (_, name), values in self.sites.items()})

    @property
    def products(self) -> list[Path]:
        return self.paths("storage.products_path")

    @property
    def roots(self) -> list[Path]:
        downloads = [path for one in SEARCHED_SATELLITES for path in self.paths(f"downloader.{one}.write-dir")]
        declarations = [
            values.path("processor.lpis.path", site=name)
            for (_, name), values in self.sites.items()
            if values["processor.lpis.path"]
        ]
        return [*self.products, *downloads, *declarations]


@dataclass(slots=True)
class _Night:
    database: Database
    now: datetime
    places: _Places
    outcome: RetentionOutcome = field(default_factory=RetentionOutcome)

    def keep(self, policies: Policies, actor: str, progress: Callable[[str], None] | None) -> None:
        """Carry out the policy of products in force and downloads, after what an earlier pass left undone."""
        done = KeepingOutcome()
        keeper = Keeper(self.database, policies, actor, done)
        keeper.finish_removals()
        with self.database.begin() as connection:
            found = verdicts(connection, policies, now=self.now)
        full = False
        for verdict in found:
            if full and verdict.action is Action.ARCHIVE:
                continue
            try:
                keeper.carry_out(verdict, progress)
            except DiskFullError:  # recorded among the faults; what is deleted goes on
                full = True
        self.outcome.removed, self.outcome.archived = done.removed, done.archived
        self.outcome.freed_bytes = done.freed_bytes
        self.outcome.left_alone += done.left_alone
        self.outcome.failed += done.failed
        self.outcome.faults = tuple(done.faults)

    def unfinished_transfers(self) -> None:
        before = self.now - timedelta(days=float(self.places.system["retention.partial_days"]))
        folders = {path for one in SEARCHED_SATELLITES for path in self.places.paths(f"downloader.{one}.write-dir")}
        for folder in sorted(folders):
            gone = remove_stale_parts(folder, before)
            self.outcome.parts += len(gone)
            for path in gone:
                log.info("unfinished transfer removed", path=str(path))

    def declarations(self) -> None:
        """Versions that nothing refers to; their statistics are then superseded."""
        for number, _ in self.places.sites:
            with self.database.begin() as connection:
                for year in retention_rows.declared_years(connection, number):
                    self.outcome.parcel_sets += len(parcel_sets.remove_unused(connection, number, year))
        with self.database.begin() as connection:
            retention_rows.supersede_statistics_of_removed_sets(connection)
            folders = retention_rows.removed_set_folders(connection)
        for folder in folders:
            self._remove(Path(folder))

    def statistics(self) -> None:
        """Superseded files of the store; a row goes when its file has."""
        days = self.places.days("retention.markers_superseded_days")
        with self.database.begin() as connection:
            found = marker_files.superseded_files(connection, self.now - timedelta(days=days))
            numbers = [number for number, _ in found]
            shared = retention_rows.also_named(connection, [path for _, path in found], numbers)
        done = []
        for number, path in found:
            if path in shared or self._remove(Path(path)):
                done.append(number)
                self.outcome.marker_files += path not in shared
        with self.database.begin() as connection:
            marker_files.forget(connection, done)

    def orphans(self) -> None:
        """Files of the store that no row names: their worker died before it put them in force."""
        for root in self.places.products:
            for folder in entries(root / _MARKERS):
                with self.database.begin() as connection:
                    paths = retention_rows.marker_paths(connection, folder.name.removeprefix("site="))
                # by their place in the store: the store itself may have been moved, and names follow the content
                named = {path.rpartition(f"/{_MARKERS}/")[2] for path in paths}
                for file in files_below(Path(folder.path)):
                    path = Path(file.path)
                    place = path.relative_to(root / _MARKERS).as_posix()
                    if place not in named and self._is_old(path) and self._remove(path):
                        self.outcome.orphans += 1
                        log.info("file of statistics without a row removed", path=file.path)

    def products(self) -> None:
        """Superseded products with their folders, unless another product lies there now."""
        with self.database.begin() as connection:
            found = retention_rows.superseded_products(connection)
        for product in found:
            days = self.places.days("retention.superseded_days", product.site_ids)
            if product.superseded_at >= self.now - timedelta(days=days):
                continue
            with self.database.begin() as connection:
                retention_rows.lock_name(connection, product.name)
                used = retention_rows.paths_in_use(connection, product.paths, product.id)
                gone = [self._remove(Path(path)) for path in product.paths if path not in used]
                if all(gone):
                    retention_rows.forget_product(connection, product.id)
                    self.outcome.products += 1
                    log.info("superseded product removed", product=product.name, path=product.full_path)

    def natives(self) -> None:
        """Products in MAJA's own format that no later date can start from."""
        with self.database.begin() as connection:
            found = retention_rows.outdated_natives(connection, STEP_BACK.days)
        for path in map(Path, found):
            if path.is_dir() and self._remove(path):
                self.outcome.native_products += 1
                log.info("native product removed", path=str(path))

    def elevation(self) -> None:
        """Elevation of a tile that a newer one has replaced for long enough."""
        before = self.now - timedelta(days=self.places.days("retention.superseded_days"))
        for root in self.places.products:
            for newer, older in _replaced(root / "auxiliary" / "elevation"):
                if newer < before.timestamp() and self._remove(older):
                    self.outcome.elevation_folders += 1
                    log.info("outdated elevation removed", path=str(older))

    def _is_old(self, path: Path) -> bool:
        try:
            return path.lstat().st_mtime < (self.now - _BEING_MADE).timestamp()
        except FileNotFoundError:  # it has got its name
            return False

    def _remove(self, path: Path) -> bool:
        """Whether a path is gone now; one outside the storage folders, or just made, stays."""
        if not is_inside(path, self.places.roots):
            self.outcome.left_alone += 1
            log.warning("path outside the storage folders is left alone", path=str(path))
            return False
        try:
            if os.path.lexists(path) and not self._is_old(path):
                return False
            remove_stored(path)
        except OSError as error:
            self.outcome.failed += 1
            text = error.one_line if isinstance(error, StorageError) else str(error)
            log.warning("cannot be removed", path=str(path), error=text)
            return False
        return True


def _replaced(folder: Path) -> Iterator[tuple[float, Path]]:
    """Elevation folders that are not the newest of their tile, with the time the next newer one was made."""
    found: dict[str, list[tuple[float, Path]]] = {}
    for entry in entries(folder):
        if name := _ELEVATION.fullmatch(entry.name):
            found.setdefault(name[1], []).append((entry.stat(follow_symlinks=False).st_mtime, Path(entry.path)))
    for same in found.values():
        same.sort()
        for (_, older), (newer, _) in pairwise(same):
            yield newer, older
