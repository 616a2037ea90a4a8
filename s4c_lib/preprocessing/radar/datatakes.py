"""Slices of one datatake: which of them makes the backscatter of a tile, and which others it needs for that.

A tile has one raster of one pass (``preprocessing.md`` 4.7), a pass is cut into slices, and every slice is a unit of
work of its own: exactly one of them owns the tile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

import shapely
from shapely.geometry.base import BaseGeometry

from s4c_lib.preprocessing.radar.ground_share import share_of
from s4c_lib.preprocessing.radar.pairs import RadarPass

WAIT_DAYS: Final = 2.0
MIN_TILE_SHARE: Final = 0.05
_SHARE_TOLERANCE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class TileOwnership:
    """Who makes the raster of one tile from one datatake.

    Parameters
    ----------
    owner : the slice that covers most of the tile, of equals the earliest.
    slices : all that are put together, by time.
    absent : those of the datatake that would be needed too and are not on disk.
    waits_until : the raster is not made before; None when nothing is waited for.
    """

    tile: str
    owner: RadarPass
    slices: tuple[RadarPass, ...]
    absent: tuple[RadarPass, ...] = ()
    waits_until: datetime | None = None


def datatakes(slices: Iterable[RadarPass]) -> list[tuple[RadarPass, ...]]:
    """Slices by datatake, in the order of time; where the id is not known, by absolute orbit, direction and day."""
    ranked = sorted(slices, key=lambda item: (_datatake(item), item.start, item.name))
    groups = [tuple(group) for _, group in groupby(ranked, key=_datatake)]
    return sorted(groups, key=lambda group: (group[0].start, group[0].name))


def tile_owners(
    datatake: Sequence[RadarPass],
    tiles: Mapping[str, BaseGeometry],
    now: datetime,
    *,
    min_share: float = MIN_TILE_SHARE,
    wait_days: float = WAIT_DAYS,
) -> list[TileOwnership]:
    """For each tile that a datatake covers: owner, slices, and whether to wait.

    A slice that is known and not on disk is waited for until ``wait_days`` after its sensing; from then on owner and
    coverage are those of what exists.

    Parameters
    ----------
    datatake : slices of one datatake, without duplicates.
    tiles : name -> footprint, WGS 84.
    min_share : tiles covered to less than this by all its slices together are left out.
    """
    found = []
    for tile, footprint in sorted(tiles.items()):
        shares = {item.id: share_of(footprint, item.footprint) for item in datatake}
        meeting = sorted((item for item in datatake if shares[item.id] > 0), key=lambda item: (item.start, item.name))
        awaited = [item for item in meeting if not item.on_disk and now < item.start + timedelta(days=wait_days)]
        usable = tuple(item for item in meeting if item.on_disk or item in awaited)
        if not usable or not _covered(footprint, usable, min_share):
            continue
        found.append(
            TileOwnership(
                tile,
                min(usable, key=lambda item: (-shares[item.id], item.start, item.name)),
                usable,
                tuple(item for item in meeting if not item.on_disk),
                max((item.start + timedelta(days=wait_days) for item in awaited), default=None),
            )
        )
    return found


def _covered(footprint: BaseGeometry, slices: Sequence[RadarPass], min_share: float) -> bool:
    together = shapely.union_all([item.footprint for item in slices])
    return share_of(footprint, together) >= min_share - _SHARE_TOLERANCE


def _datatake(item: RadarPass) -> tuple[str, str]:
    if item.datatake is not None:
        return item.platform, item.datatake
    return item.platform, f"{item.absolute_orbit} {item.relative_orbit} {item.direction} {item.day}"
