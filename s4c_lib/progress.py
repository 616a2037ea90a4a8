"""How long work tells what it is doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int, str], None]
"""Told what is being done: how much of how much, and what."""


def silent(done: int, total: int, what: str) -> None:
    """Tell nobody."""
