"""Search and fetch of an ingest at one moment, after its season."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from s4c_lib.ingest import fetch, query

LATER = datetime(2025, 2, 1, 8, tzinfo=UTC)
New = Callable[..., Any]
FIRST = "20240306T103621_N0510_R051_T31UFS"


def clock() -> datetime:
    return LATER


def find(ingest: Any, now: datetime = LATER) -> None:
    """Search only."""
    query.run_query(ingest.database, ingest.context(now), now=now, actor="test")


def run_fetch(ingest: Any, **more: Any) -> dict[str, int]:
    return fetch.run_fetch(ingest.database, ingest.context(), "archive", owner="test", clock=clock, **more).counts()


def same_tree(left: Path, right: Path) -> bool:
    """Whether two folders hold the same files, or two files the same bytes."""
    if left.is_file():
        return left.read_bytes() == right.read_bytes()
    names = [{str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()} for top in (left, right)]
    return names[0] == names[1] and all((left / name).read_bytes() == (right / name).read_bytes() for name in names[0])
