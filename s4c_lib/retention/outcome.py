"""What a night of retention did, or would do, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path


@dataclass(slots=True)
class RetentionOutcome:
    """What was removed.

    Attributes
    ----------
    parts : unfinished transfers. marker_files : superseded files of the statistics store.
    orphans : files of the store that no row names. products : superseded products.
    native_products : what the chain of MAJA's dates does not need any more. elevation_folders : outdated ones.
    parcel_sets : versions of declarations. scratch : temporary files of failed work. logs : of programs.
    history_rows : of histories. removed, archived : products in force and downloads whose time was over.
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
    scratch: int = 0
    logs: int = 0
    history_rows: int = 0
    removed: int = 0
    archived: int = 0
    freed_bytes: int = 0
    left_alone: int = 0
    failed: int = 0

    faults: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the numbers for an XCom."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "faults"}


@dataclass(frozen=True, slots=True)
class Unneeded:
    """What nothing needs any more and the next night removes: a path, or (``path`` None) rows of histories."""

    kind: str
    rule: str
    path: Path | None
    count: int
    files: int
    size_bytes: int
