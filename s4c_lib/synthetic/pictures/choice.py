"""Which parcels the pictures show: of each crop and each use of grassland the one with most to see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.crops import CROPS, Regime
from s4c_lib.synthetic.pixel_fractions import PixelFractions
from s4c_lib.synthetic.world import World

# Share of a pixel from which it counts as the parcel's own.
PURE = 0.99
_USUAL_M2 = 30_000.0
_ENOUGH = 25  # pixels of 20 m
# Codes looked for first, so that all four kinds of grassland are shown.
_GRASS_CODES = {
    Regime.INTENSIVE: ("265", "266"),
    Regime.MODERATE: ("266", "265"),
    Regime.EXTENSIVE: ("332", "331"),
    Regime.GRAZED: ("331", "265"),
    Regime.MIXED: ("265", "266"),
    Regime.UNUSED: ("332", "331"),
}


def pure_pixels(fractions: PixelFractions, parcel: int) -> npt.NDArray[np.int64]:
    """Pixels (row by row) that lie in a parcel; its best one when none lies in it wholly."""
    mine = np.flatnonzero(fractions.objects == parcel)
    owners = np.searchsorted(fractions.start, mine, side="right") - 1
    shares = fractions.shares[mine]
    inside = owners[shares >= PURE]
    return np.asarray(inside if len(inside) else owners[[int(shares.argmax())]] if len(owners) else owners)


def chosen_parcels(world: World) -> dict[str, int]:
    """Position of the parcel of each picture, by the picture's name (``parcel_CODE``, ``grass_REGIME``)."""
    traits = world.landscape.traits
    rank = _ranks(world)
    chosen = {}
    for index, crop in enumerate(CROPS):
        if not crop.grassland:
            found = np.flatnonzero(traits.crop == index)
            if len(found):
                chosen[f"parcel_{crop.code}"] = int(found[rank[found].argmin()])
    code = np.array([crop.code for crop in CROPS])[traits.crop]
    for regime, codes in _GRASS_CODES.items():
        candidates = [np.flatnonzero((traits.regime == regime) & (code == one)) for one in codes]
        candidates.append(np.flatnonzero(traits.regime == regime))
        found = next((rows for rows in candidates if len(rows)), candidates[-1])
        if len(found):
            chosen[f"grass_{regime.name.lower()}"] = int(found[rank[found].argmin()])
    return chosen


def _ranks(world: World) -> npt.NDArray[np.int64]:
    """Order of parcels (parcels,): large enough to see first, then many kinds of events, then a usual size."""
    traits, events = world.landscape.traits, world.events
    dates = events.column("date").to_numpy().astype("datetime64[D]")
    within = (dates >= np.datetime64(world.options.start, "D")) & (dates <= np.datetime64(world.options.end, "D"))
    pairs = {
        (int(parcel), str(kind))
        for parcel, kind, keep in zip(
            events.column("parcel_id").to_pylist(), events.column("event").to_pylist(), within, strict=True
        )
        if keep
    }
    position = {int(number): row for row, number in enumerate(traits.parcel_id)}
    kinds = np.bincount([position[parcel] for parcel, _ in pairs], minlength=len(traits))
    coarse = world.coarse
    pure = np.bincount(coarse.objects[coarse.shares >= PURE], minlength=len(traits))[: len(traits)]
    unusual = np.abs(np.log(traits.area_m2 / _USUAL_M2))
    rank = np.empty(len(traits), dtype=np.int64)
    rank[np.lexsort((unusual, -kinds, pure < _ENOUGH))] = np.arange(len(traits))
    return rank
