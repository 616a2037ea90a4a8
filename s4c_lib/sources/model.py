"""What sources, local archives as well as remote catalogues, are asked and answer: queries, candidates, fetches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError
from s4c_lib.sources.product_kinds import ProductKind, ProductName, Satellite

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""


class Direction(StrEnum):
    """Pass direction."""

    ASCENDING = "ascending"
    DESCENDING = "descending"


class StorageState(StrEnum):
    """Whether the bytes can be had now or must be staged first."""

    ONLINE = "online"
    OFFLINE = "offline"


class FetchMode(StrEnum):
    """How a product gets under the target directory."""

    COPY = "copy"
    SYMLINK = "symlink"
    CHECK = "check"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Query:
    """What is wanted from a source.

    Attributes
    ----------
    date_from, date_to : UTC days, both inclusive, compared with the product's date.
    geometry : WGS84 (lon, lat); None asks for everything. A product whose footprint only touches it is outside.
    tiles : restricts Sentinel-2 products to these MGRS tiles, with or without the leading T; None takes all that meet
        the geometry.
    """

    satellite: Satellite
    kinds: frozenset[ProductKind]
    date_from: date
    date_to: date
    geometry: BaseGeometry | None = None
    tiles: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.tiles is not None:
            # The grid writes T31UFS, product names 31UFS after their own T: names win here.
            object.__setattr__(self, "tiles", frozenset(tile.upper().removeprefix("T") for tile in self.tiles))
        if self.date_to < self.date_from:
            raise InputError(
                f"the search ends on {self.date_to} before it begins on {self.date_from}",
                hint="give the earlier day first",
            )

    def covers(self, day: date) -> bool:
        """Whether the day lies in the window."""
        return self.date_from <= day <= self.date_to

    def asks_for(self, name: ProductName) -> bool:
        """Whether satellite, kind and day of a product are those of the search."""
        return name.satellite is self.satellite and name.kind in self.kinds and self.covers(name.product_date)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product that a source offers.

    Attributes
    ----------
    address : path in a local archive, URL or provider id elsewhere.
    footprint : WGS84, lon and lat; a MultiPolygon when it crosses the antimeridian.
    sensing_time : UTC; from the metadata where the name holds a date only (Landsat).
    tiles : MGRS tiles or WRS-2 path/row; empty for Sentinel-1 scenes.
    created : when it was processed; decides between two processings of one acquisition.
    published_at : when the provider made it available; None where the source cannot know.
    """

    name: ProductName
    address: str
    footprint: BaseGeometry
    size_bytes: int | None
    sensing_time: datetime
    tiles: tuple[str, ...] = ()
    relative_orbit: int | None = None
    direction: Direction | None = None
    cloud_pct: float | None = None
    created: datetime | None = None
    published_at: datetime | None = None
    storage_state: StorageState = StorageState.ONLINE


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something found that is not offered, and why, in one line. ``code`` is stable."""

    path: str
    code: str
    text: str
    name: ProductName | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Candidates by sensing time and name; rejected entries by path."""

    candidates: tuple[Candidate, ...] = ()
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class TileProblem:
    """A tile of a product that cannot be used while the others can (``preprocessing.md`` §2.3)."""

    tile: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class FetchResult:
    """Where the product is now.

    Attributes
    ----------
    checksum : sha256 in hex. See `checksum_of` for what was hashed.
    checksum_of : ``content`` (relative paths, sizes and bytes, after a copy) or ``listing`` (relative paths and sizes
        only: reading a whole archive product again to make a link would cost as much as copying it).
    tile_problems, warnings : what the structure check found without refusing the product.
    """

    path: Path
    size_bytes: int
    checksum: str
    checksum_of: str
    mode: FetchMode
    seconds: float
    tile_problems: tuple[TileProblem, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Whether a source can be used now, in one line."""

    source: str
    ok: bool
    text: str
    details: dict[str, str] = field(default_factory=dict)


@runtime_checkable
class Source(Protocol):
    """Where acquisitions come from."""

    name: str

    def search(self, query: Query) -> SearchResult:
        """Products that fit the query, and what was turned down."""
        ...

    def fetch(
        self, candidate: Candidate, target_dir: Path, mode: FetchMode, progress: Progress | None = None
    ) -> FetchResult:
        """Bring one product under ``target_dir``; only a complete and checked product ever appears there."""
        ...

    def health(self) -> HealthReport:
        """Say whether the source answers."""
        ...
