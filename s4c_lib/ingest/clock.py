"""The clock of the edges; everything inside is given the moment, and what spends time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Wait = Callable[[float, str], None]
"""Spends some seconds; told what is waited for."""


def utc_now() -> datetime:
    """Return the present moment, UTC."""
    return datetime.now(UTC)
