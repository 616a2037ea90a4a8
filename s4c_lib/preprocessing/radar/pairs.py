"""Coherence pairs: which earlier acquisitions an acquisition is compared with (``preprocessing.md`` 3.3, case 9.5).

The newer acquisition is *current* and owns the pair, its date and its record; the older is *previous*. Nothing here
reads a file or a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, Literal

from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError
from s4c_lib.preprocessing.radar.ground_share import share_of
from s4c_lib.sources.model import Direction

Baseline = Literal["auto", 6, 12]
BASELINES: Final = (6, 12)
MIN_SHARE: Final = 0.05
SETTLE_DAYS: Final = 5
LATE_DAYS: Final = 30
_TOLERANCE_DAYS: Final = 1
# Shares come out of projected areas: two that are equal on paper differ by less than this.
_SHARE_TOLERANCE: Final = 1e-6
# First and last day of service; used only where the acquisitions themselves tell nothing.
_SERVICE: Final = {
    "sentinel-1a": (date(2014, 10, 3), date.max),
    "sentinel-1b": (date(2016, 9, 26), date(2021, 12, 23)),
    "sentinel-1c": (date(2025, 4, 1), date.max),
}


@dataclass(frozen=True, slots=True)
class RadarPass:
    """One slice of one pass over the site, as pairs are made of.

    Parameters
    ----------
    id : of the acquisition.
    name : of the product.
    platform : ``sentinel-1a``.
    start : first line, UTC.
    footprint : WGS 84, longitude and latitude.
    absolute_orbit : of the platform; a datatake lies within one.
    datatake : id within the platform's mission; None where it is not known.
    created : when it was processed.
    checksum : of its measurements.
    on_disk : whether it has been fetched.
    """

    id: int
    name: str
    platform: str
    start: datetime
    relative_orbit: int
    direction: Direction
    footprint: BaseGeometry
    absolute_orbit: int | None = None
    datatake: str | None = None
    created: datetime | None = None
    checksum: str | None = None
    on_disk: bool = True

    @property
    def day(self) -> date:
        """UTC day."""
        return self.start.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class Pair:
    """Two acquisitions whose coherence is made.

    Parameters
    ----------
    share : of the current footprint that the previous one covers.
    expected_days : baseline of the orbit at that time: 6 or 12.
    """

    current: RadarPass
    previous: RadarPass
    share: float
    expected_days: int

    @property
    def baseline_days(self) -> int:
        """Days between the two dates: the tag ``BASELINE_DAYS``, which tells 6- and 12-day coherence apart."""
        return (self.current.day - self.previous.day).days


class PartnerSearch(StrEnum):
    """Where the search for a partner stands, as long as none was found."""

    WAITING = "waiting"
    """It may still be published."""
    LATE = "late"
    """``no_previous``; a partner that arrives is still taken."""
    OVER = "over"
    """``no_previous``, for good."""


def candidates_of(
    current: RadarPass, earlier: Sequence[RadarPass], *, baseline: Baseline = "auto", min_share: float = MIN_SHARE
) -> list[Pair]:
    """Pairs of an acquisition with every earlier one at the orbit's baseline, the largest overlap first.

    Parameters
    ----------
    earlier : all acquisitions of the site that are known; others than earlier ones of the same relative orbit and
        direction are passed over.
    baseline : days between the two, +-1; ``auto`` decides by `baseline_of`.
    min_share : least share of the *newer* footprint that both cover.

    Raises
    ------
    InputError : the baseline is none of ``auto``, 6 and 12.
    """
    days = baseline_of(current, earlier, baseline=baseline, min_share=min_share)
    near = (other for other in _on_same_track(current, earlier) if at_baseline(_age(current, other), days))
    pairs = [Pair(current, other, share_of(current.footprint, other.footprint), days) for other in near]
    kept = [pair for pair in pairs if _enough(pair.share, min_share)]
    return sorted(kept, key=lambda pair: (-pair.share, pair.previous.start, pair.previous.name))


def at_baseline(age_days: int, days: int) -> bool:
    """Whether two acquisitions of some age apart are one baseline apart."""
    return abs(age_days - days) <= _TOLERANCE_DAYS


def baseline_of(
    current: RadarPass, earlier: Sequence[RadarPass], *, baseline: Baseline = "auto", min_share: float = MIN_SHARE
) -> int:
    """Days between the acquisitions of the orbit's series at that time: 6 with two platforms, 12 with one.

    ``auto`` counts the platforms that saw this ground on this orbit within the longer baseline before the acquisition.
    Where there was no acquisition at all in that time, the platforms in service are counted.

    Raises
    ------
    InputError : the baseline is none of ``auto``, 6 and 12.
    """
    if baseline != "auto":
        if baseline not in BASELINES:
            raise InputError(
                f"{baseline!r} days is no baseline of Sentinel-1", hint="processor.l2s1.temporal.offset: auto, 6 or 12"
            )
        return baseline
    window = [
        other
        for other in _on_same_track(current, earlier)
        if 0 < _age(current, other) <= BASELINES[-1] + _TOLERANCE_DAYS
        and _enough(share_of(current.footprint, other.footprint), min_share)
    ]
    if window:
        platforms = {current.platform, *(other.platform for other in window)}
    else:
        platforms = {name for name, (first, last) in _SERVICE.items() if first <= current.day <= last}
    return BASELINES[0] if len(platforms) >= 2 else BASELINES[1]


def partner_search(
    sensed: datetime, now: datetime, *, baseline_days: int, settle_days: int = SETTLE_DAYS
) -> PartnerSearch:
    """What becomes of an acquisition without partner.

    It waits twice the baseline and the days that publication may take, then has none, and for 30 days more a partner
    that arrives is taken after all.
    """
    began = datetime.combine(sensed.astimezone(UTC).date(), time(), UTC)
    given_up = began + timedelta(days=2 * baseline_days + settle_days)
    if now < given_up:
        return PartnerSearch.WAITING
    return PartnerSearch.LATE if now <= given_up + timedelta(days=LATE_DAYS) else PartnerSearch.OVER


def drop_duplicate_slices(slices: Iterable[RadarPass]) -> tuple[list[RadarPass], dict[int, int]]:
    """Keep one of the slices that are the same acquisition: the one processed last.

    The same are those with equal measurements, and those of one platform and orbit that start in the same second.

    Returns
    -------
    The slices kept, by time and name; and for each one dropped, the id of the one kept instead.
    """
    ranked = sorted(slices, key=lambda item: (_processed(item), item.name, item.id), reverse=True)
    kept: list[RadarPass] = []
    owner: dict[tuple[object, ...], RadarPass] = {}
    dropped: dict[int, int] = {}
    for item in ranked:
        keys = _identities(item)
        same = next((owner[key] for key in keys if key in owner), None)
        if same is None:
            kept.append(item)
        else:
            dropped[item.id] = same.id
        for key in keys:
            owner.setdefault(key, same or item)
    return sorted(kept, key=lambda item: (item.start, item.name)), dropped


def _identities(item: RadarPass) -> list[tuple[object, ...]]:
    start = item.start.astimezone(UTC).replace(microsecond=0)
    keys: list[tuple[object, ...]] = [(item.platform, item.relative_orbit, item.absolute_orbit, start)]
    return [*keys, (item.checksum,)] if item.checksum else keys


def _processed(item: RadarPass) -> datetime:
    return item.created or datetime.min.replace(tzinfo=UTC)


def _on_same_track(current: RadarPass, others: Iterable[RadarPass]) -> Iterable[RadarPass]:
    for other in others:
        if other.relative_orbit == current.relative_orbit and other.direction is current.direction:
            yield other


def _age(current: RadarPass, other: RadarPass) -> int:
    return (current.day - other.day).days


def _enough(share: float, least: float) -> bool:
    return share >= least - _SHARE_TOLERANCE
