"""The season that tests of the scorecard run on."""

from __future__ import annotations

from filled_season import database, prepared, season

__all__ = ["database", "prepared", "season"]
