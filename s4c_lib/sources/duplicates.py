"""Two processings of one acquisition: which one is kept (``preprocessing.md`` §2.4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

from s4c_lib.sources.model import Candidate, Rejected

_TIER_RANK = {"RT": 0, "T2": 1, "T1": 2}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def drop_duplicates(candidates: Iterable[Candidate]) -> tuple[list[Candidate], list[Rejected]]:
    """Keep one candidate for each acquisition and kind.

    The highest baseline wins (Landsat: collection, then tier; MUSCATE: version), then the newest processing, then a
    folder before an archive, then the first address. The result does not depend on the order given.

    Returns
    -------
    The candidates kept, by sensing time and name, and the others as rejected: ``duplicate`` for the same product found
    twice, ``superseded`` for an older processing.
    """
    groups: dict[tuple[Any, ...], list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(_acquisition(candidate), []).append(candidate)
    kept, rejected = [], []
    for group in groups.values():
        # Sorted twice, stably: the address ascending, everything else descending.
        ranked = sorted(sorted(group, key=attrgetter("address")), key=_rank, reverse=True)
        best = ranked[0]
        kept.append(best)
        for other in ranked[1:]:
            same = other.name.name == best.name.name
            text = f"{other.address} is {'the same product as' if same else 'an older processing of'} {best.address}"
            rejected.append(Rejected(other.address, "duplicate" if same else "superseded", text, other.name))
    kept.sort(key=lambda candidate: (candidate.sensing_time, candidate.name.name))
    return kept, sorted(rejected, key=attrgetter("path"))


def _acquisition(candidate: Candidate) -> tuple[Any, ...]:
    name = candidate.name
    return (
        name.kind,
        name.platform,
        candidate.tiles,
        name.sensing_start,
        name.sensing_stop,
        name.previous_time,
        candidate.relative_orbit,
        name.polarisations,
        name.mode,
        name.site_id,
    )


def _rank(candidate: Candidate) -> tuple[Any, ...]:
    name = candidate.name
    version = tuple(int(part) for part in (name.version or "").split(".") if part.isdigit())
    return (
        name.baseline or 0,
        name.collection or 0,
        _TIER_RANK.get(name.tier or "", 0),
        version,
        candidate.created or name.created or _LONG_AGO,
        name.name,
        Path(candidate.address).suffix.lower() not in {".zip", ".tar", ".gz", ".tgz"},
    )
