"""The ground under the canopy day by day: roughness, residue, wetness, brightness, and what operations moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s4c_lib.synthetic.crops import Growth, ParcelTraits
from s4c_lib.synthetic.growth.grassland import is_sward
from s4c_lib.synthetic.growth.management import growth_numbers, is_one_of
from s4c_lib.synthetic.growth.operations import EFFECTS, Operation, Operations
from s4c_lib.synthetic.growth.season import Draws, Floats, Season
from s4c_lib.synthetic.growth.weather import SATURATED, WILTED

SMOOTH = 0.10  # roughness that rain leaves
_RAIN_SMOOTHS = 0.010  # per mm (Zobeck & Onstad 1987)
_ROUGH_DARKENS = 0.14  # shadows between clods (Cierniewski 1987)


@dataclass(frozen=True, slots=True)
class Surface:
    """float32 (parcel, day) from the first day shown; as the fields of `canopy.Canopy`."""

    wetness: Floats
    brightness: Floats
    residue: Floats
    roughness: Floats
    change: Floats


def surface(
    traits: ParcelTraits, operations: Operations, taken: Floats, season: Season, first: int, draws: Draws
) -> Surface:
    """Run the ground from the first day of the weather; keep the days from ``first`` on.

    Parameters
    ----------
    taken : share of the green LAI each operation took; one that found nothing (0) did not happen.
    """
    count = len(traits)
    shown = season.days - first
    sward = is_sward(growth_numbers(traits))
    kinds = max(Operation) + 1
    change_of, rough_of = np.zeros(kinds, np.float32), np.full(kinds, np.nan, np.float32)
    kept_of, residue_of, moist_of = np.ones(kinds, np.float32), np.zeros(kinds, np.float32), np.zeros(kinds, np.float32)
    for kind, effect in EFFECTS.items():
        change_of[kind], kept_of[kind], residue_of[kind], moist_of[kind] = (
            effect.change,
            effect.residue_kept,
            effect.residue,
            effect.moist,
        )
        if effect.roughness is not None:
            rough_of[kind] = effect.roughness
    rough = np.where(sward, 0.2, 0.25).astype(np.float32) + 0.03 * draws.normal()
    smooth = np.where(sward, np.float32(0.2), np.float32(SMOOTH))  # tufts stay
    residue = np.where(sward, 0.15, 0.4).astype(np.float32) + 0.05 * draws.uniform()
    fallow = is_one_of(growth_numbers(traits), (Growth.FALLOW,))
    residue = np.where(fallow, 0.6, residue).astype(np.float32)
    # Straw left is a habit of the holding; soils differ in how wet they lie.
    habit = np.clip(1 + 0.25 * draws.normal(), 0.4, 1.4)
    moist_offset = 0.06 * draws.normal() - 0.15 * (traits.soil_brightness - 1)
    decay = np.exp(-0.0009 * np.maximum(season.weather.temperature, 0.0)).astype(np.float32)
    smoothing = np.exp(-_RAIN_SMOOTHS * season.weather.rain).astype(np.float32)
    weather_wet = ((season.weather.soil_moisture - WILTED) / (SATURATED - WILTED)).astype(np.float32)
    brought = np.zeros(count, dtype=np.float32)
    out = np.zeros((4, shown, count), dtype=np.float32)
    starts = operations.slices(season.days)
    happened = ~(taken <= 0)
    grazed_until = np.full(count, -1, dtype=np.int32)
    for day in range(season.days):
        rough = smooth + (rough - smooth) * smoothing[day]
        residue = residue * decay[day]
        brought *= 0.7
        change = np.where(grazed_until >= day, change_of[Operation.GRAZING], 0).astype(np.float32)
        today = slice(int(starts[day]), int(starts[day + 1]))
        kinds_today, parcels_today = operations.kind[today], operations.parcel[today]
        for kind in np.unique(kinds_today):
            who = parcels_today[(kinds_today == kind) & happened[today]]
            if not np.isnan(rough_of[kind]):
                rough[who] = rough_of[kind]
            residue[who] = np.maximum(residue[who] * kept_of[kind], residue_of[kind] * habit[who])
            brought[who] = np.maximum(brought[who], moist_of[kind])
            change[who] = 1 - (1 - change[who]) * (1 - change_of[kind])
            if kind == Operation.GRAZING:
                grazed_until[who] = operations.last_day[today][(kinds_today == kind) & happened[today]]
                change[who] = np.maximum(change[who], change_of[kind])
        if day >= first:
            here = day - first
            out[0, here] = np.clip(weather_wet[day] + moist_offset + brought, 0, 1)
            out[1, here], out[2, here], out[3, here] = residue, rough, change
    wetness, residues, roughness, changes = (np.ascontiguousarray(part.T) for part in out)
    brightness = traits.soil_brightness[:, None] * (1 + 0.02 - _ROUGH_DARKENS * (roughness - SMOOTH))
    return Surface(
        wetness, brightness.astype(np.float32), np.clip(residues, 0, 0.95), np.clip(roughness, 0, 1), changes
    )
