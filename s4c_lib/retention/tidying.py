"""Removing what nothing needs any more: unfinished transfers, what was superseded, and what dead workers left.

Files go before their rows, so that an interrupted night is made up for by the next; only below the storage folders,
and never through a link. What is younger than a day is left to whoever is making it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import structlog

from s4c_lib.catalog import histories, marker_files, parcel_sets, retention_rows
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.vocabulary import SEARCHED_SATELLITES
from s4c_lib.errors import StorageError
from s4c_lib.parameters import Snapshot
from s4c_lib.preprocessing.maja_chain import STEP_BACK
from s4c_lib.retention.keeping import Policies
from s4c_lib.retention.outcome import RetentionOutcome, Unneeded
from s4c_lib.retention.scratch_leftovers import Leftover, LeftoverKind, left_of_attempts, left_of_results
from s4c_lib.retention.stored_files import entries, files_below, is_away, is_inside, measured, remove_stored
from s4c_lib.sources.part_folder import remove_stale_parts, stale_parts

log = structlog.get_logger(__name__)

# A worker writes a file first and says so in the database later.
_BEING_MADE: Final = timedelta(days=1)
_ELEVATION: Final = re.compile(r"((?:S2|L8)_[0-9A-Z]+)_[0-9a-f]{16}")
_MARKERS: Final = "markers"
_PROCESSORS_WITH_SCRATCH: Final = ("l2a", "l2s1")
_DECLARATIONS: Final = ("declarations", "nothing refers to this version any more")
_LEFT: Final = {
    LeftoverKind.SCRATCH: ("retention.scratch_failed_days", "deleted {} days after failed or killed work wrote it"),
    LeftoverKind.LOG: ("retention.log_days", "deleted {} days after a program wrote it that could make nothing"),
}


@dataclass(frozen=True, slots=True)
class Places:
    """Where files lie and how long they stay: parameters of the system and, by number and name, of each site."""

    system: Snapshot
    sites: Mapping[tuple[int, str], Snapshot]

    @classmethod
    def of(cls, policies: Policies) -> Places:
        """Take them from what was read."""
        return cls(policies.system, {(site.id, site.short_name): values for site, values in policies.sites.values()})

    def days(self, key: str, site_ids: Sequence[int] = ()) -> int:
        """The longest of some sites, or of all."""
        own = [int(values[key]) for (number, _), values in self.sites.items() if not site_ids or number in site_ids]
        return max(own, default=int(self.system[key]))

    def paths(self, key: str) -> list[Path]:
        """The folders that a parameter names, of all sites."""
        return sorted({values.path(key, site=name) for (_, name), values in self.sites.items()})

    @property
    def products(self) -> list[Path]:
        """Where products lie."""
        return self.paths("storage.products_path")

    @property
    def roots(self) -> list[Path]:
        """Folders below which files are ours to remove."""
        downloads = [path for one in SEARCHED_SATELLITES for path in self.paths(f"downloader.{one}.write-dir")]
        declarations = [
            values.path("processor.lpis.path", site=name)
            for (_, name), values in self.sites.items()
            if values["processor.lpis.path"]
        ]
        return [*self.products, *downloads, *declarations]

    @property
    def scratch(self) -> list[Path]:
        """Where pre-processing works, a folder for each site below."""
        found = {
            values.path("general.scratch-path", site=name, processor=processor, job_id="units")
            for (_, name), values in self.sites.items()
            for processor in _PROCESSORS_WITH_SCRATCH
        }
        return sorted(found)


@dataclass(slots=True)
class Tidying:
    """One pass. ``planned`` : None removes; a list is filled with what would go, and nothing is changed."""

    database: Database
    now: datetime
    places: Places
    outcome: RetentionOutcome
    planned: list[Unneeded] | None = None

    def tidy(self) -> None:
        """Go through all of it; what cannot be removed stops nothing else."""
        self.unfinished_transfers()
        self.declarations()
        self.statistics()
        self.orphans()
        self.products()
        self.natives()
        self.elevation()
        self.leftovers()
        self.histories()

    def unfinished_transfers(self) -> None:
        """Copies that nobody continues."""
        days = int(self.places.system["retention.partial_days"])
        before = self.now - timedelta(days=days)
        folders = {path for one in SEARCHED_SATELLITES for path in self.places.paths(f"downloader.{one}.write-dir")}
        for folder in sorted(folders):
            if self.planned is not None:
                for path in stale_parts(folder, before):
                    self._plan("unfinished transfer", f"deleted {days} days after the last byte", path)
                continue
            try:
                gone = remove_stale_parts(folder, before)
            except StorageError as error:
                self._fault(folder, error.one_line)
                continue
            self.outcome.parts += len(gone)
            for path in gone:
                log.info("unfinished transfer removed", path=str(path))

    def declarations(self) -> None:
        """Versions that nothing refers to; their statistics are then superseded."""
        for number, _ in self.places.sites:
            with self.database.begin() as connection:
                for year in retention_rows.declared_years(connection, number):
                    gone = parcel_sets.remove_unused(connection, number, year)
                    self.outcome.parcel_sets += len(gone)
                    for one in gone if self.planned is not None else ():
                        self._plan(_DECLARATIONS[0], _DECLARATIONS[1], Path(one.folder))
                if self.planned is not None:
                    connection.rollback()
        with self.database.begin() as connection:
            if self.planned is None:
                retention_rows.supersede_statistics_of_removed_sets(connection)
            folders = retention_rows.removed_set_folders(connection)
        for folder in folders:
            self._remove(Path(folder), *_DECLARATIONS)

    def statistics(self) -> None:
        """Superseded files of the store; a row goes when its file has."""
        days = self.places.days("retention.markers_superseded_days")
        with self.database.begin() as connection:
            found = marker_files.superseded_files(connection, self.now - timedelta(days=days))
            numbers = [number for number, _ in found]
            shared = retention_rows.also_named(connection, [path for _, path in found], numbers)
        done = []
        for number, path in found:
            rule = f"deleted {days} days after it was replaced"
            if path in shared or self._remove(Path(path), "statistics", rule):
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
                    if (
                        place not in named
                        and self._is_old(path)
                        and self._remove(path, "statistics", "no row names it")
                    ):
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
                rule = f"deleted {days} days after it was replaced"
                gone = [
                    self._remove(Path(path), "replaced product", rule) for path in product.paths if path not in used
                ]
                if all(gone) and self.planned is None:
                    retention_rows.forget_product(connection, product.id)
                    self.outcome.products += 1
                    log.info("superseded product removed", product=product.name, path=product.full_path)

    def natives(self) -> None:
        """Products in MAJA's own format that no later date can start from."""
        with self.database.begin() as connection:
            found = retention_rows.outdated_natives(connection, STEP_BACK.days)
        for path in map(Path, found):
            if path.is_dir() and self._remove(path, "MAJA's own product", "no later date starts from it"):
                self.outcome.native_products += 1
                log.info("native product removed", path=str(path))

    def elevation(self) -> None:
        """Elevation of a tile that a newer one has replaced for long enough."""
        days = self.places.days("retention.superseded_days")
        before, rule = self.now - timedelta(days=days), f"deleted {days} days after it was replaced"
        for root in self.places.products:
            for newer, older in _replaced(root / "auxiliary" / "elevation"):
                if newer < before.timestamp() and self._remove(older, "elevation", rule):
                    self.outcome.elevation_folders += 1
                    log.info("outdated elevation removed", path=str(older))

    def leftovers(self) -> None:
        """Temporary files and logs that failed or killed work left."""
        with self.database.begin() as connection:
            sites = retention_rows.sites_ever(connection)
            logs = [Path(path) for path in retention_rows.logs_of_units(connection)]
            at_work = retention_rows.acquisitions_at_work(connection, self.now)
        there = [path for path in logs if os.path.lexists(path)]
        roots = self.places.scratch
        for root in roots:
            self._leave_behind(left_of_attempts(root, sites, logs, at_work), roots)
        for root in self.places.products:
            for site in sites:
                self._leave_behind(left_of_results(root / site), [root])
        if self.planned is None:
            # only those that went now: others may lie on another machine
            with self.database.begin() as connection:
                retention_rows.forget_logs(connection, [str(path) for path in there if not os.path.lexists(path)])

    def _leave_behind(self, found: Iterable[Leftover], roots: Sequence[Path]) -> None:
        for one in found:
            key, words = _LEFT[one.kind]
            days = self.places.days(key)
            before = self.now - max(timedelta(days=days), _BEING_MADE)
            if one.touched >= before.timestamp() or not self._remove(one.path, one.kind, words.format(days), roots):
                continue
            self.outcome.scratch += one.kind is LeftoverKind.SCRATCH
            self.outcome.logs += one.kind is LeftoverKind.LOG
            log.info("left by failed work, removed", path=str(one.path))

    def histories(self) -> None:
        """Rows of histories that are old enough."""
        days = self.places.days("retention.history_days")
        before = self.now - timedelta(days=days)
        with self.database.begin() as connection:
            if self.planned is None:
                self.outcome.history_rows = histories.forget_before(connection, before)
                return
            for table, count in histories.rows_before(connection, before).items():
                if count:
                    self.planned.append(Unneeded(table, f"deleted after {days} days", None, count, 0, 0))

    def _plan(self, kind: str, rule: str, path: Path) -> None:
        if self.planned is not None and os.path.lexists(path):
            found = measured(path)
            self.planned.append(Unneeded(kind, rule, path, 1, found.files, found.size_bytes))

    def _is_old(self, path: Path) -> bool:
        try:
            return path.lstat().st_mtime < (self.now - _BEING_MADE).timestamp()
        except FileNotFoundError:  # it has got its name
            return False

    def _remove(self, path: Path, kind: str, rule: str, roots: Sequence[Path] | None = None) -> bool:
        """Whether a path is gone now; one outside the storage folders, or just made, stays. Planned, all stay."""
        roots = self.places.roots if roots is None else roots
        if not is_inside(path, roots):
            self.outcome.left_alone += 1
            log.warning("path outside the storage folders is left alone", path=str(path))
            return False
        if is_away(path, roots):
            self._fault(path, f"{path} is not there, nor anything else in its storage folder: a disk may be away")
            return False
        try:
            if os.path.lexists(path) and not self._is_old(path):
                return False
            if self.planned is not None:
                self._plan(kind, rule, path)
                return False
            remove_stored(path)
        except OSError as error:
            self._fault(path, error.one_line if isinstance(error, StorageError) else str(error))
            return False
        return True

    def _fault(self, path: Path, text: str) -> None:
        self.outcome.failed += 1
        self.outcome.faults.append(text)
        log.warning("cannot be removed", path=str(path), error=text)


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
