"""The season that tests of the L4 processors run on."""

from __future__ import annotations

from filled_season import database, prepared, season

__all__ = ["database", "prepared", "season"]
