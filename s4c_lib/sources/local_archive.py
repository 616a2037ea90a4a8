"""A folder of products as a source: a copied archive, a mounted ``/eodata``."""

from __future__ import annotations

import os
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError, NotFoundError
from s4c_lib.sources.archive_index import ArchiveIndex
from s4c_lib.sources.archive_scan import DEFAULT_DEPTH, Found
from s4c_lib.sources.duplicates import drop_duplicates
from s4c_lib.sources.footprints import polygon_of_tiles
from s4c_lib.sources.model import (
    Candidate,
    FetchMode,
    FetchResult,
    HealthReport,
    Progress,
    Query,
    Rejected,
    SearchResult,
)
from s4c_lib.sources.path_template import PathTemplate
from s4c_lib.sources.product_names import Satellite
from s4c_lib.sources.product_tree import link_fault
from s4c_lib.sources.transfer import fetch_local


class LocalArchive:
    """Products in a folder tree.

    Parameters
    ----------
    root : top of the archive; never written to.
    path_template : layout below the root, ``yyyy/MM/dd`` or ``UU/L/SS/yyyy/MM/dd``, fixed folders allowed; only the
        folders of a query's window are then listed. None: the whole tree is walked once for each index.
    max_depth : levels walked without a template.
    name : how messages call the source.
    """

    def __init__(
        self,
        root: Path,
        path_template: str | None = None,
        *,
        max_depth: int = DEFAULT_DEPTH,
        name: str = "local archive",
    ) -> None:
        # Absolute, not resolved: addresses are stored, and the mount point is what stays.
        self.root = Path(root).absolute()
        self.name = name
        self._template = PathTemplate(path_template) if path_template else None
        self._max_depth = max_depth

    def open_index(self) -> ArchiveIndex:
        """Make the index of one run; give it to every `search` of that run.

        Raises
        ------
        NotFoundError : the root is not a folder.
        """
        if not self._is_folder():
            raise NotFoundError(f"{self.name}: {self._fault()}", hint="check the source's local_root and its mount")
        return ArchiveIndex(self.root, template=self._template, max_depth=self._max_depth)

    def search(self, query: Query, index: ArchiveIndex | None = None) -> SearchResult:
        """Products of the window that meet the geometry, one for each acquisition.

        Products of other satellites, kinds and days are passed over in silence; everything else not offered is in
        ``rejected``: ``not_a_product``, ``dangling_link``, ``link_loop``, ``too_deep``, ``outside_template``,
        ``unreadable``, ``input_corrupt``, ``unknown_tile``, ``wrong_date_folder``, ``outside_site``, ``superseded``,
        ``duplicate``. What has no readable name belongs to no day and comes with every query that meets its folder.

        Parameters
        ----------
        index : from `open_index`; None looks at the disk anew.
        """
        index = index if index is not None else self.open_index()
        scan = index.scan(query)
        candidates: list[Candidate] = []
        rejected = [item for item in scan.rejected if _concerns(item, query)]
        squares: dict[str, BaseGeometry | None] = {}
        if query.geometry is not None:
            shapely.prepare(query.geometry)
        for found in scan.found:
            if not query.asks_for(found.name):
                continue
            outcome = _outside_by_name(found, query, squares) or self._describe(found, query, index)
            if isinstance(outcome, Candidate):
                candidates.append(outcome)
            else:
                rejected.append(outcome)
        kept, dropped = drop_duplicates(candidates)
        return SearchResult(tuple(kept), tuple(sorted([*rejected, *dropped], key=lambda item: (item.path, item.code))))

    def fetch(
        self, candidate: Candidate, target_dir: Path, mode: FetchMode, progress: Progress | None = None
    ) -> FetchResult:
        """Copy, link or only check a product; see `fetch_local`."""
        return fetch_local(Path(candidate.address), candidate.name, target_dir, mode, progress)

    def health(self) -> HealthReport:
        """Whether the root is a folder that can be listed and holds something."""
        if not self._is_folder():
            return HealthReport(self.name, False, self._fault())
        try:
            with os.scandir(self.root) as listing:
                empty = next(listing, None) is None
        except OSError as error:
            return HealthReport(self.name, False, f"cannot list {self.root}: {error.strerror}")
        # An unmounted file system looks exactly like this.
        if empty:
            return HealthReport(self.name, False, f"{self.root} is empty; is it mounted?")
        return HealthReport(self.name, True, f"{self.root} can be read", {"root": str(self.root)})

    def _is_folder(self) -> bool:
        try:
            return self.root.is_dir()
        except PermissionError:  # a folder above it is closed to this user
            return False

    def _fault(self) -> str:
        try:
            fault = link_fault(self.root)
            there = self.root.exists()
        except PermissionError as error:
            return f"{self.root} cannot be reached: {error.strerror}"
        if fault is not None:
            return fault
        return f"{self.root} is not a folder" if there else f"{self.root} does not exist"

    def _describe(self, found: Found, query: Query, index: ArchiveIndex) -> Candidate | Rejected:
        facts = index.facts(found)
        if isinstance(facts, Rejected):
            return facts
        tiles = facts.tiles
        if query.satellite is Satellite.SENTINEL2 and query.tiles is not None:
            tiles = tuple(tile for tile in tiles if tile in query.tiles)
        if (facts.tiles and not tiles) or not _meets(facts.footprint, query.geometry):
            return _outside(found)
        return Candidate(
            name=found.name,
            address=str(found.path),
            footprint=facts.footprint,
            size_bytes=facts.size_bytes,
            sensing_time=facts.sensing_time,
            tiles=facts.tiles,
            relative_orbit=facts.relative_orbit,
            direction=facts.direction,
            cloud_pct=facts.cloud_pct,
            created=facts.created,
        )


def _concerns(item: Rejected, query: Query) -> bool:
    if item.name is None:
        return True
    if item.code == "wrong_date_folder":
        # Its folder is in the window, its date may not be: by date no query would ever report it.
        return item.name.satellite is query.satellite and item.name.kind in query.kinds
    return query.asks_for(item.name)


def _meets(footprint: BaseGeometry, geometry: BaseGeometry | None) -> bool:
    return geometry is None or bool(geometry.intersects(footprint) and not geometry.touches(footprint))


def _outside(found: Found) -> Rejected:
    return Rejected(str(found.path), "outside_site", f"{found.path} does not meet the site", found.name)


def _outside_by_name(found: Found, query: Query, squares: dict[str, BaseGeometry | None]) -> Rejected | None:
    """Turn down a Sentinel-2 product by the tile in its name: a world archive holds thousands for each day."""
    tile = found.name.tile
    if query.satellite is not Satellite.SENTINEL2 or tile is None:
        return None
    if query.tiles is not None and tile not in query.tiles:
        return _outside(found)
    if tile not in squares:
        try:
            squares[tile] = polygon_of_tiles([tile])
        except InputError:
            # The metadata reader meets the same tile and reports it.
            squares[tile] = None
    square = squares[tile]
    return None if square is None or _meets(square, query.geometry) else _outside(found)
