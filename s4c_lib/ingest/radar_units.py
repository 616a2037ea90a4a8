"""Which units raw Sentinel-1 acquisitions have: backscatter of each, coherence of each pair, and what is left out.

Brought up to date whenever something may have changed: an acquisition was fetched, a partner became known, the time
to wait for one is over. Source: operations.md §3.4, preprocessing.md §3.2-3.3, spec/README.md C6-C9.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Connection

from s4c_lib.catalog import radar_units, s1_pairs
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.radar_units import NO_PAIR, SINGLE, RadarUnit, RawAcquisition, pair_key, previous_of
from s4c_lib.catalog.s1_pairs import ON_DISK, PairDetails
from s4c_lib.catalog.units import roll_up
from s4c_lib.errors import Sen4capError
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.radar_executors import radar_executor, radar_programs
from s4c_lib.ingest.radar_inputs import SLC, RadarInputs
from s4c_lib.parameters import Snapshot
from s4c_lib.preprocessing.radar.executor import RadarJob
from s4c_lib.preprocessing.radar.pairs import (
    BASELINES,
    LATE_DAYS,
    Baseline,
    Pair,
    PartnerSearch,
    RadarPass,
    at_baseline,
    baseline_of,
    candidates_of,
    drop_duplicate_slices,
    partner_search,
)
from s4c_lib.preprocessing.radar.scene_facts import scene_facts
from s4c_lib.reasons import Reason
from s4c_lib.settings import Settings
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.sources.product_names import product_name

log = structlog.get_logger(__name__)

# The two of a pair are at most the longer baseline and a day apart.
_REACH_DAYS: Final = BASELINES[-1] + 1
_OPEN: Final = frozenset({"pending", "failed"})
_OF_A_PAIR: Final = frozenset({Reason.NO_PREVIOUS, Reason.DUPLICATE, Reason.NOT_WANTED})


@dataclass(frozen=True, slots=True)
class PairRules:
    """How partners are found: ``processor.l2s1.temporal.offset``, ``min.intersection``, the days publication takes."""

    baseline: Baseline
    min_share: float
    settle_days: int

    @classmethod
    def of(cls, snapshot: Snapshot) -> PairRules:
        """Read them from the parameters of a site and season."""
        offset = str(snapshot["processor.l2s1.temporal.offset"])
        baseline: Baseline = 6 if offset == "6" else 12 if offset == "12" else "auto"
        return cls(
            baseline, float(snapshot["processor.l2s1.min.intersection"]), int(snapshot["downloader.s1.settle_days"])
        )


def settle_radar(database: Database, context: IngestContext, *, now: datetime, actor: str) -> None:
    """Bring pairs and units of the season's raw acquisitions up to date; without an executor nothing is done."""
    inputs = RadarInputs.of(context.parameters, radar_programs(Settings()))
    kinds = {str(kind) for kind in inputs.kinds}
    if not kinds:
        return
    _read_manifests(database, context, kinds)
    first, stop = context.sensing_range()
    with database.begin() as connection:
        found = s1_pairs.passes(connection, context.site.id, kinds, first=first, stop=stop)
        kept: dict[str, list[RadarPass]] = {}
        dropped: dict[int, int] = {}
        for kind in sorted(kinds):
            same = [item for item in found if product_name(item.name).kind == kind]
            kept[kind], twice = drop_duplicate_slices(same)
            dropped |= twice
        days: dict[int, int] = {}
        if inputs.makes(RadarJob.COHERENCE, SLC):
            days = _find_pairs(connection, context.site.id, kept[SLC], PairRules.of(context.parameters))
        fetched = radar_units.fetched(connection, context.site.id, kinds, first=first, stop=stop)
        _Units(connection, context, inputs, now, actor).settle(fetched, dropped, days)


def _read_manifests(database: Database, context: IngestContext, kinds: Collection[str]) -> None:
    """Orbit, direction and checksums of what was fetched, once; a product that cannot be read fails in its unit."""
    first, stop = context.sensing_range()
    with database.begin() as connection:
        found = radar_units.fetched(connection, context.site.id, kinds, first=first, stop=stop)
    for item in found:
        if item.facts_read:
            continue
        try:
            facts = scene_facts(Path(item.full_path), product_name(item.name))
        except Sen4capError as error:
            log.warning("manifest cannot be read", product=item.name, error=error.one_line)
            continue
        for warning in facts.warnings:
            log.warning("product has oddities", product=item.name, warning=warning)
        with database.begin() as connection:
            s1_pairs.store_scene_facts(
                connection,
                item.id,
                relative_orbit=facts.relative_orbit,
                direction=str(facts.direction),
                # empty: read, and none is stated
                measurement_checksum=facts.measurement_checksum or "",
            )


def _find_pairs(connection: Connection, site_id: int, slices: Sequence[RadarPass], rules: PairRules) -> dict[int, int]:
    """Store pairs as soon as both acquisitions are known; returns the baseline expected of each acquisition.

    An acquisition is looked at again only when those before it on its orbit, or the rules, are others than last time.
    """
    before = s1_pairs.sought_among(connection, site_id)
    tracks: dict[tuple[int, str], list[RadarPass]] = {}
    for item in slices:
        tracks.setdefault((item.relative_orbit, str(item.direction)), []).append(item)
    pairs: list[Pair] = []
    searched: dict[int, str] = {}
    days: dict[int, int] = {}
    for track in tracks.values():
        for current in track:
            earlier = [item for item in track if 0 < (current.day - item.day).days <= _REACH_DAYS]
            digest = _digest(current, earlier, rules)
            known, _, expected = before.get(current.id, "").partition(" ")
            if known == digest:
                days[current.id] = int(expected)
                continue
            options = {"baseline": rules.baseline, "min_share": rules.min_share}
            pairs += candidates_of(current, earlier, **options)  # type: ignore[arg-type]
            days[current.id] = baseline_of(current, earlier, **options)  # type: ignore[arg-type]
            searched[current.id] = f"{digest} {days[current.id]}"
    # in one order for every site: two that store the same pairs at once wait, but not for each other
    s1_pairs.store_pairs(connection, sorted(pairs, key=lambda pair: (pair.current.id, pair.previous.id)))
    s1_pairs.note_search(connection, site_id, searched)
    return days


def _digest(current: RadarPass, earlier: Sequence[RadarPass], rules: PairRules) -> str:
    said = [str(rules.baseline), repr(rules.min_share)]
    said += [f"{item.id} {item.relative_orbit} {item.direction} {item.footprint.wkt}" for item in (current, *earlier)]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _why_not(pair: PairDetails, dropped: Mapping[int, int], days: int) -> Reason | None:
    """Why the coherence of a pair that is stored is not to be made; None where it is.

    Parameters
    ----------
    days : baseline of the orbit as it is known now; a platform that became known late makes it another one.
    """
    if pair.previous_id in dropped:
        return Reason.DUPLICATE
    if not at_baseline(pair.baseline_days, days):
        return Reason.NOT_WANTED
    return Reason.NO_PREVIOUS if pair.previous_state in s1_pairs.NOT_COMING else None


@dataclass(slots=True)
class _Units:
    """Units of the fetched acquisitions under way."""

    connection: Connection
    context: IngestContext
    inputs: RadarInputs
    now: datetime
    actor: str
    changed: set[int] = field(default_factory=set)

    def settle(self, fetched: Sequence[RawAcquisition], dropped: dict[int, int], days: dict[int, int]) -> None:
        """Make, leave out and open again what has to be."""
        numbers = [item.id for item in fetched]
        units = radar_units.units_by_acquisition(self.connection, numbers)
        pairs: dict[int, list[PairDetails]] = {}
        for pair in s1_pairs.pairs_of(self.connection, numbers):
            pairs.setdefault(pair.current_id, []).append(pair)
        for item in fetched:
            own = {unit.unit_key: unit for unit in units.get(item.id, [])}
            if item.state == "downloaded":
                # its units say from now on what there is to do
                self.changed.add(item.id)
            if item.id in dropped:
                self._duplicate(item, own)
                continue
            if self.inputs.makes(RadarJob.BACKSCATTER, ProductKind(item.kind)):
                self._wanted(item, SINGLE, own)
            if self.inputs.makes(RadarJob.COHERENCE, ProductKind(item.kind)):
                self._coherence(item, own, pairs.get(item.id, []), dropped, days.get(item.id, BASELINES[-1]))
        first, stop = self.context.sensing_range()
        lacking = radar_units.lacking_tiles(self.connection, self.context.site.id, first=first, stop=stop)
        self._reopen([unit for unit in lacking if unit.acquisition_id not in dropped])
        if not radar_executor(self.inputs.executor, self.context.parameters)[1].faults():
            self.changed.update(radar_units.reopen_misconfigured(self.connection, numbers))
        radar_units.follow_parameters(
            self.connection,
            numbers,
            config_hash=self.context.parameters.hash_for("l2s1"),
            executor=self.inputs.executor,
            max_attempts=self._tries,
        )
        for number in sorted(self.changed):
            roll_up(self.connection, number, actor=self.actor)

    def _wanted(self, item: RawAcquisition, key: str, own: dict[str, RadarUnit]) -> None:
        unit = own.get(key)
        if unit is None:
            self._add(item, key)
        elif unit.state == "ignored" and unit.reason_code == Reason.DUPLICATE:
            self._reopen([unit])

    def _duplicate(self, item: RawAcquisition, own: dict[str, RadarUnit]) -> None:
        """What is the same slice as another one is left out; what was made of it stays until the other's is there."""
        self._leave_out([unit for unit in own.values() if unit.state in _OPEN], Reason.DUPLICATE)
        if not own:
            self._add(item, SINGLE, left_out=Reason.DUPLICATE)

    def _coherence(
        self,
        item: RawAcquisition,
        own: dict[str, RadarUnit],
        pairs: Sequence[PairDetails],
        dropped: Mapping[int, int],
        days: int,
    ) -> None:
        none = own.get(NO_PAIR)
        over = none is not None and none.state == "ignored" and self._is_over(none)
        for pair in pairs:
            unit = own.get(pair_key(pair.previous_id))
            why = _why_not(pair, dropped, days)
            if unit is None:
                if why is None and not over:
                    self._add(item, pair_key(pair.previous_id))
            elif unit.state in _OPEN and why is not None:
                self._leave_out([unit], why)
            elif unit.state == "ignored" and unit.reason_code in _OF_A_PAIR:
                arrived = why is None and pair.previous_state in ON_DISK and not self._is_over(unit)
                self._reopen([unit] if arrived else [])
        partnered = any(_why_not(pair, dropped, days) is None for pair in pairs) and not over
        if partnered or any(previous_of(key) is not None for key in own):
            if none is not None and not over:
                radar_units.remove_units(self.connection, [none.id])
                self.changed.add(item.id)
            return
        search = partner_search(
            item.sensing_start,
            self.now,
            baseline_days=days,
            settle_days=PairRules.of(self.context.parameters).settle_days,
        )
        waits = search is PartnerSearch.WAITING
        if none is None:
            self._add(item, NO_PAIR, left_out=None if waits else Reason.NO_PREVIOUS)
        elif none.state in _OPEN and not waits:
            self._leave_out([none], Reason.NO_PREVIOUS)

    @property
    def _tries(self) -> int:
        return 1 + int(self.context.parameters["processor.l2a.optical.max-retries"])

    def _is_over(self, unit: RadarUnit) -> bool:
        """Whether a unit was left out so long ago that a partner is not taken any more."""
        return unit.since is not None and self.now > unit.since + timedelta(days=LATE_DAYS)

    def _add(self, item: RawAcquisition, key: str, *, left_out: Reason | None = None) -> None:
        delay = timedelta(days=int(self.context.parameters["processor.l2s1.acquisition.delay"]))
        radar_units.add_unit(
            self.connection,
            item.id,
            key,
            config_hash=self.context.parameters.hash_for("l2s1"),
            max_attempts=self._tries,
            executor=self.inputs.executor,
            not_before=item.sensing_start + delay,
            left_out=None if left_out is None else (str(left_out), self.now),
        )
        self.changed.add(item.id)

    def _leave_out(self, units: Sequence[RadarUnit], reason: Reason) -> None:
        radar_units.leave_out(self.connection, [unit.id for unit in units], reason=str(reason), now=self.now)
        self.changed.update(unit.acquisition_id for unit in units)

    def _reopen(self, units: Sequence[RadarUnit]) -> None:
        radar_units.reopen(self.connection, [unit.id for unit in units])
        self.changed.update(unit.acquisition_id for unit in units)
