"""Which ways of making L2A may stand beside each other in a season (``preprocessing.md`` 2.4)."""

from __future__ import annotations

from collections.abc import Iterable

_CHAINED = frozenset({"maja"})


def implementation_conflict(used: Iterable[tuple[str, str]], executor: str, version: str) -> str | None:
    """Why a season made with ``used`` (executor, version) cannot go on with another; None when it can.

    Masks and reflectances differ between implementations and between their major versions; a chain of MAJA keeps one
    version to the second number, for its memory of the surface is read back.
    """
    places = 2 if executor in _CHAINED else 1
    for other, other_version in sorted(set(used)):
        if other != executor or other_version.split(".")[:places] != version.split(".")[:places]:
            before, now = f"{other} {other_version}".strip(), f"{executor} {version}".strip()
            return f"the season was made with {before}; {now} differs from it"
    return None
