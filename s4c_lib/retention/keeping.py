"""What the retention policy says of everything that is stored, and carrying it out.

A product is let go of in one transaction, which also notes its files for removal; then they are removed. So a crash
leaves a product that is whole, or one that counts as removed and whose files the next pass removes. A copy for the
archive is noted for removal before it is begun, and forgotten in the transaction that makes it the product.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection

from s4c_lib.catalog import file_removals, keeping_rows, letting_go, products
from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.keeping_rows import KeptDownload, KeptProduct
from s4c_lib.catalog.letting_go import Letting
from s4c_lib.catalog.readiness import look_back_days
from s4c_lib.catalog.seasons import Season, list_seasons
from s4c_lib.catalog.sites import Site, list_sites
from s4c_lib.catalog.vocabulary import SEARCHED_SATELLITES
from s4c_lib.errors import DiskFullError, InputError, Sen4capError, StorageError
from s4c_lib.parameters import Snapshot
from s4c_lib.retention.archive_copy import archive_copy, check_archive
from s4c_lib.retention.policy import Action, Kind, Rule, Stored, Verdict, judge, ranked
from s4c_lib.retention.stored_files import is_away, is_inside, is_link, measured, remove_stored
from s4c_lib.scheduling.dates import Phase, midnight
from s4c_lib.scheduling.query_windows import span

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _SeasonRules:
    """A season with its parameters. ``first``, ``stop`` : what it needs is sensed in [first, stop)."""

    season: Season
    values: Snapshot
    first: datetime
    stop: datetime
    unfinished: bool


@dataclass(frozen=True, slots=True)
class Policies:
    """The parameters of the system, of each site and of each season, read once.

    Attributes
    ----------
    roots : folders in which files are ours to remove, those of the archives included.
    """

    system: Snapshot
    sites: Mapping[int, tuple[Site, Snapshot]]
    seasons: Mapping[int, tuple[_SeasonRules, ...]]
    roots: tuple[Path, ...]

    @classmethod
    def read(cls, connection: Connection, today: date) -> Policies:
        """Read them from the database."""
        system = snapshot(connection, today=today)
        sites = {site.id: (site, snapshot(connection, today=today, site=site)) for site in list_sites(connection)}
        busy = keeping_rows.seasons_with_open_jobs(connection)
        seasons: dict[int, list[_SeasonRules]] = {}
        for season in list_seasons(connection):
            values = snapshot(connection, today=today, site=sites[season.site_id][0], season=season)
            spans = [
                span(
                    satellite,
                    season.dates,
                    start_offset_months=int(values["downloader.start.offset"]),
                    s1_offset_days=look_back_days("s1", values),
                )
                for satellite in SEARCHED_SATELLITES
            ]
            phase = season.dates.phase(today, int(values["schedule.grace_months"]))
            seasons.setdefault(season.site_id, []).append(
                _SeasonRules(
                    season,
                    values,
                    midnight(min(one.date_from for one in spans)),
                    midnight(max(one.date_to for one in spans) + timedelta(days=1)),
                    phase is not Phase.PAST or season.id in busy,
                )
            )
        named = [(site.short_name, values) for site, values in sites.values()]
        roots = {path for name, values in named for path in storage_folders(values, name)}
        roots.update(storage_folders(system, None))
        return cls(system, sites, {key: tuple(rules) for key, rules in seasons.items()}, tuple(sorted(roots)))

    def rules(self, kind: Kind, site_ids: Sequence[int], moment: datetime, season_id: int | None) -> tuple[Rule, ...]:
        """Return the rules of all that use something sensed at a moment; of a product of a season, that season's."""
        found = []
        for number in site_ids:
            site, values = self.sites[number]
            mine = [
                one
                for one in self.seasons.get(number, ())
                if (one.season.id == season_id if season_id is not None else one.first <= moment < one.stop)
            ]
            for one in mine:
                owner = f"{site.short_name}/{one.season.short_name}"
                found.append(_rule(kind, one.values, owner, one.season.dates.end, unfinished=one.unfinished))
            if not mine:
                found.append(_rule(kind, values, site.short_name))
        return tuple(found) or (_rule(kind, self.system, ""),)

    def archive_of(self, site_ids: Sequence[int]) -> Path | None:
        """Return the archive's root for a product: the first of its sites'; None where none is set."""
        for number in site_ids:
            site, values = self.sites[number]
            if values["retention.archive_path"]:
                return values.path("retention.archive_path", site=site.short_name)
        template = self.system["retention.archive_path"]
        return None if not template or "{site}" in str(template) else self.system.path("retention.archive_path")


def storage_folders(values: Snapshot, site: str | None) -> list[Path]:
    """Return the folders of downloads, products, declarations and archive; those a site is needed for only with one."""
    keys = [f"downloader.{satellite}.write-dir" for satellite in SEARCHED_SATELLITES]
    keys += ["storage.products_path", "processor.lpis.path", "retention.archive_path"]
    known = {} if site is None else {"site": site}
    return [values.path(key, **known) for key in keys if values[key] and (known or "{site}" not in str(values[key]))]


def _rule(
    kind: Kind, values: Snapshot, owner: str, season_end: date | None = None, *, unfinished: bool = False
) -> Rule:
    return Rule(
        owner=owner,
        action=Action(str(values[f"retention.{kind}.action"])),
        keep_days=int(values[f"retention.{kind}.keep_days"]),
        keep_last=int(values[f"retention.{kind}.keep_last_n"]),
        season_end=season_end,
        unfinished=unfinished,
    )


def verdicts(connection: Connection, policies: Policies, *, now: datetime) -> list[Verdict]:
    """Judge every product in force and every download that is still there, by kind and number."""
    open_seasons = [one for rules in policies.seasons.values() for one in rules if one.unfinished]
    by_id = {one.season.id: one for one in open_seasons}
    needed = keeping_rows.needed_by_seasons(connection, [(one.season.id, one.first, one.stop) for one in open_seasons])
    names = {number: f"{one.season.site}/{one.season.short_name}" for number, one in by_id.items()}
    downloads = keeping_rows.downloads_kept(connection)
    kept = keeping_rows.products_kept(connection)
    ranks = ranked(
        (one.id, (site, one.satellite_id, one.tiles), one.sensed) for one in downloads for site in one.site_ids or (0,)
    )
    items = [_download(one, policies, ranks[one.id], now) for one in downloads]
    ranks = ranked(
        (one.id, (site, one.product_type, one.tiles), one.acquired_at) for one in kept for site in one.site_ids or (0,)
    )
    items += [_product(one, policies, ranks[one.id], names.get(needed.get(one.id, 0))) for one in kept]
    return [judge(item, now.date()) for item in items]


def _outside(path: str, policies: Policies) -> str | None:
    return None if is_inside(Path(path), policies.roots) else "kept: outside the storage folders"


def _download(item: KeptDownload, policies: Policies, rank: int, now: datetime) -> Stored:
    hindrance = (
        "kept: linked or only referenced, it is not ours"
        if item.linked or is_link(Path(item.path))
        else "kept: work on it is not over"
        if item.finished_at is None
        else "kept: an acquisition that goes with it is not worked off"
        if item.wanted_by is not None
        else _outside(item.path, policies)
    )
    return Stored(
        kind=Kind.L1,
        product_id=None,
        acquisition_id=item.id,
        name=item.name,
        path=item.path,
        sites=tuple(policies.sites[number][0].short_name for number in item.site_ids),
        since=item.finished_at or now,
        rules=policies.rules(Kind.L1, item.site_ids, item.sensed, None),
        rank=rank,
        hindrance=hindrance,
    )


def _product(item: KeptProduct, policies: Policies, rank: int, needed_by: str | None) -> Stored:
    hindrance = (
        "kept: linked or only referenced, it is not ours"
        if item.linked or is_link(Path(item.path))
        else "kept: something is being made of it"
        if item.in_work
        else f"kept: {needed_by} was made of it and is not finished"
        if needed_by is not None
        else _outside(item.path, policies)
    )
    kind = Kind(item.kind)
    return Stored(
        kind=kind,
        product_id=item.id,
        acquisition_id=item.acquisition_id,
        name=item.name,
        path=item.path,
        sites=tuple(policies.sites[number][0].short_name for number in item.site_ids),
        since=item.inserted_at,
        rules=policies.rules(kind, item.site_ids, item.acquired_at, item.season_id),
        rank=rank,
        hindrance=hindrance,
    )


@dataclass(slots=True)
class KeepingOutcome:
    """What was done. ``failed`` : what could not be, told in the log; it is tried again by the next pass."""

    removed: int = 0
    archived: int = 0
    freed_bytes: int = 0
    left_alone: int = 0
    failed: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Keeper:
    """Carries out verdicts, one product at a time.

    Attributes
    ----------
    actor : who is written into the history.
    """

    database: Database
    policies: Policies
    actor: str
    outcome: KeepingOutcome

    def finish_removals(self) -> None:
        """Remove what is noted for it: what an earlier pass, or a killed one, let go of."""
        with self.database.begin() as connection:
            noted = file_removals.noted_removals(connection)
        for path, _ in noted:
            # asked for anew: removing those before may have taken hours
            with self.database.begin() as connection:
                now = file_removals.noted_removals(connection, path)
            for _, used in now:
                self._finish(path, used=used)

    def _finish(self, path: str, *, used: bool = False) -> None:
        place = Path(path)
        if not used and not is_inside(place, self.policies.roots):
            self.outcome.left_alone += 1
            log.warning("path outside the storage folders is left alone", path=path)
            return
        if not used and self._is_away(place):
            return
        try:
            if not used:
                remove_stored(place)
        except Sen4capError as error:
            self._fault(error.one_line)
            return
        with self.database.begin() as connection:
            file_removals.forget_removal(connection, path)

    def carry_out(self, verdict: Verdict, progress: Callable[[str], None] | None = None) -> None:
        """Archive or remove one product or download.

        Raises
        ------
        DiskFullError : the archive is full; the next ones would meet it too.
        """
        if verdict.action is Action.NONE:
            return
        item = verdict.item
        if progress is not None:
            progress(item.name)
        try:
            if verdict.action is Action.ARCHIVE:
                self._archive(verdict)
            else:
                self._remove(verdict)
        except DiskFullError as error:
            self._fault(error.one_line)
            raise
        except Sen4capError as error:
            self._fault(error.one_line)
        except OSError as error:
            self._fault(f"{error.filename or item.path} cannot be read: {error.strerror or error}")

    def _is_away(self, place: Path) -> bool:
        """What is on a disk that is not mounted would else count as gone, and stay there for ever."""
        away = is_away(place, self.policies.roots)
        if away:
            self._fault(f"{place} is not there, nor anything else in its storage folder: a disk may be away")
        return away

    def _remove(self, verdict: Verdict) -> None:
        if self._is_away(Path(verdict.item.path)):
            return
        letting = _letting(verdict, measured(Path(verdict.item.path)).size_bytes)
        with self.database.begin() as connection:
            done = letting_go.let_go(connection, letting, actor=self.actor)
        if not done:
            return
        self.outcome.removed += 1
        self.outcome.freed_bytes += letting.size_bytes
        log.info("removed", kind=letting.kind, name=letting.name, path=letting.path, rule=letting.rule)
        self._finish(letting.path)

    def _archive(self, verdict: Verdict) -> None:
        item = verdict.item
        with self.database.begin() as connection:
            files = [] if item.product_id is None else products.files_of(connection, item.product_id)
        source, target = Path(item.path), self._target(verdict)
        if not os.path.lexists(source):
            self._fault(f"{source} is gone; there is nothing to archive")
            return
        folder = str(target.parent)
        if os.path.lexists(folder):
            self._fault(f"{folder} is there already and not of this database; {item.name} is not archived")
            return
        # noted first: a copy that no product points to is removed by the next pass
        with self.database.begin() as connection:
            file_removals.note_removal(connection, folder, f"unfinished copy of {item.name}")
        try:
            size = archive_copy(source, target, {one.path: one.sha256 for one in files})
        except Sen4capError:
            self._finish(folder)
            raise
        letting = _letting(verdict, size)
        with self.database.begin() as connection:
            done = letting_go.switch_to_archive(connection, letting, str(target), folder=folder, actor=self.actor)
        if not done:
            self._finish(folder)
            return
        self.outcome.archived += 1
        log.info("archived", kind=letting.kind, name=letting.name, path=letting.path, copy=str(target))
        self._finish(letting.path)

    def _target(self, verdict: Verdict) -> Path:
        """Return the place of a product in the archive: a folder of its own, by its number."""
        item = verdict.item
        owners = [number for number, (site, _) in self.policies.sites.items() if site.short_name in item.sites]
        root = self.policies.archive_of(owners)
        if root is None:
            raise InputError(
                f"retention.archive_path is not set for {', '.join(item.sites) or 'what no site uses'}: "
                "its products stay where they are.",
                hint="s4c config set retention.archive_path /a/folder",
            )
        check_archive(root)
        number = item.acquisition_id if item.product_id is None else item.product_id
        folder = root / str(item.kind) / ("acquisition" if item.product_id is None else "product") / str(number)
        if os.path.lexists(folder):
            with self.database.begin() as connection:
                noted = {path for path, _ in file_removals.noted_removals(connection)}
            if str(folder) in noted:
                self._finish(str(folder))
        if not is_inside(folder, [root]):
            raise StorageError(f"{folder} leads out of the archive, by a link.", hint="remove the link")
        return folder / Path(item.path).name

    def _fault(self, text: str) -> None:
        self.outcome.failed += 1
        if text not in self.outcome.faults:
            self.outcome.faults.append(text)
            log.warning("cannot be done", error=text)


def _letting(verdict: Verdict, size: int) -> Letting:
    item = verdict.item
    return Letting(
        str(item.kind), item.name, item.path, item.sites, item.product_id, item.acquisition_id, verdict.rule, size
    )
