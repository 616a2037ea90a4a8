"""What the rules of readiness share: the run they judge, and the form of a verdict on one rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from s4c_lib.catalog.config_values import snapshot as resolve_snapshot
from s4c_lib.catalog.seasons import Season, season_processors
from s4c_lib.catalog.vocabulary import satellite_numbers
from s4c_lib.chosen_inputs import ChosenInputs
from s4c_lib.parameters import Snapshot
from s4c_lib.scheduling.dates import Phase, midnight

MOST_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule: whether it holds, in words, and up to 20 of what stands in its way."""

    rule: str
    ok: bool
    text: str
    count: int = 0
    blocking: tuple[str, ...] = ()

    def soft(self) -> RuleResult:
        """Return it as a report: what misses is named, and not waited for."""
        return self if self.ok else replace(self, ok=True, text=f"{self.text}; not waited for")


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """The run whose inputs are looked at: the acquisitions of [interval_start, as_of], both included.

    Attributes
    ----------
    made_with : hash of the season's parameters of L3B (``l3b``) and of statistics (``s4c_mdb1``).
    today : day of the judgement.
    chosen : what a user restricts the run to; acquisitions over its tiles count.
    """

    season: Season
    processor: str
    interval_start: date
    as_of: date
    snapshot: Snapshot
    phase: Phase
    made_with: Mapping[str, str]
    today: date
    chosen: ChosenInputs = field(default_factory=ChosenInputs)

    def values(self, *satellites: str, look_back: int = 0) -> Mapping[str, Any]:
        """Return the values of `IN_INTERVAL`.

        Parameters
        ----------
        satellites : search groups (``l8`` is Landsat 8 and 9).
        look_back : days before the interval that count too.
        """
        return {
            "site_id": self.season.site_id,
            "season_id": self.season.id,
            "processor": self.processor,
            "satellites": satellite_numbers(satellites),
            "first": midnight(self.interval_start - timedelta(days=look_back)),
            "stop": midnight(self.as_of + timedelta(days=1)),
            "chosen_tiles": list(self.chosen.tiles),
        }


IN_INTERVAL: Final = """
    FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
    WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.satellite_id = ANY(:satellites)
      AND a.sensing_start >= :first AND a.sensing_start < :stop
      AND (cardinality(CAST(:chosen_tiles AS text[])) = 0 OR a.tiles && CAST(:chosen_tiles AS text[])
           OR (a.tiles = '{}' AND EXISTS (
               SELECT 1 FROM s4c.site_tile t WHERE t.site_id = :site_id AND t.tile = ANY(CAST(:chosen_tiles AS text[]))
                 AND ST_Intersects(a.footprint, t.footprint))))
      AND NOT EXISTS (
          SELECT 1 FROM s4c.waiver w JOIN s4c.processor p ON p.id = w.processor_id
          WHERE w.season_id = :season_id AND p.short_name = :processor AND w.withdrawn_at IS NULL
            AND w.acquisition_id = a.id
      )
"""
"""The acquisitions a site selects in an interval, over the tiles that were chosen, but for those that are waived."""


def season_hashes(connection: Connection, season: Season, today: date) -> dict[str, str]:
    """Return the hashes of the parameters with which ingest makes the L3B and the statistics of a season.

    Values of one run (its ``profile`` above all) do not change what ingest makes.
    """
    values = resolve_snapshot(connection, today=today, season=season)
    return {name: values.hash_for(name) for name in ("l3b", "s4c_mdb1")}


def variables_made(connection: Connection, season: Season, today: date) -> frozenset[str]:
    """Return the variables whose statistics ingest makes for a season; the others are switched off."""
    from s4c_lib.statistics.wanted import PRODUCT_TYPES, wanted_variables

    values = resolve_snapshot(connection, today=today, season=season).values
    enabled = tuple(item.processor for item in season_processors(connection, season.id) if item.enabled)
    return frozenset(
        item.variable
        for product_type in PRODUCT_TYPES
        for item in wanted_variables(values, enabled, product_type, "sentinel-2a")
    )


def look_back_days(satellite: str, snapshot: Snapshot) -> int:
    """Return the days before the interval whose acquisitions a run needs (radar pairs)."""
    if satellite != "s1":
        return 0
    offset = snapshot["processor.l2s1.temporal.offset"]
    pair_days = 12 if offset == "auto" else int(offset)
    return max(pair_days, int(snapshot["processor.l2s1.temporal.filter.interval"]))
