"""How long work tells what it is doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int, str], None]
"""Told what is being done: how much of how much, and what."""


def silent(done: int, total: int, what: str) -> None:
    """Tell nobody."""


def thinned(tell: Progress, *, clock: Callable[[], float], lines: int = 10, silent_seconds: float = 30.0) -> Progress:
    """Return progress for a log: each step, but of many that only count on about every tenth.

    Parameters
    ----------
    tell : told what is left.
    clock : seconds that only grow, such as ``time.monotonic``.
    lines : how many steps of a count are told, about; a count up to twice as long is told whole.
    silent_seconds : after this long without a word the next step is told in any case.
    """
    last = reached = -1
    said_at = clock()

    def step(done: int, total: int, what: str) -> None:
        nonlocal last, reached, said_at
        now = clock()
        part = done * lines // total if total > 2 * lines else -1
        counts_on = done > last and part == reached >= 0
        last = done
        if counts_on and now - said_at < silent_seconds:
            return
        reached, said_at = part, now
        tell(done, total, what)

    return step
