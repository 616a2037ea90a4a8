"""Leaves and stems of one vegetation layer in thermal time, added up over the layers of a parcel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.growth.phenology import AnnualCrop
from s4c_lib.synthetic.growth.season import NEVER, Days, Floats, Season

LEAF_WATER = 0.17  # kg/m2 of water per unit of leaf area (equivalent thickness of 0.017 cm; Jacquemoud et al. 2009)
_NEXT_YEARS_DEGREES = 6.0  # degree days a day assumed beyond the weather, where only "not yet" matters


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One kind of vegetation on some parcels: a main crop, a catch crop, volunteers. Arrays are (rows,).

    Parameters
    ----------
    rows : positions of the parcels.
    base : of thermal time, degrees C.
    emergence, clock, stop : days; the layer shows from ``emergence``, growth and senescence count from ``clock``, and
        it is gone from ``stop`` on.
    dying, dying_days : from this day leaves wither (haulm killing, frost, spraying), and how fast.
    offset : degree days by which a parcel is late. pace : speed of development against the typical one.
    half_grown, growth_rate, half_senesced, senescence_rate : as of `phenology.AnnualCrop`.
    start : share of ``lai`` that stands before the logistic growth (tillers in winter, grass under maize).
    settling : degree days from emergence until half of ``start`` is there.
    lai : peak without senescence, m2/m2; ``typical`` of the crop, to which ``stem_water`` belongs.
    chlorophyll : of full-grown leaves, ug/cm2. leaf_angle : of young and old canopies; ``angle_shift`` of the parcel.
    stem_water : kg/m2. dead_leaves : share of the lost green that stands as brown leaves.
    """

    rows: npt.NDArray[np.intp]
    base: float
    emergence: Days
    clock: Days
    stop: Days | int
    dying: Days | int = NEVER
    dying_days: float = 5.0
    offset: Floats | float = 0.0
    pace: Floats | float = 1.0
    half_grown: float
    growth_rate: float
    half_senesced: float = 4000.0
    senescence_rate: float = 0.002
    start: float = 0.0
    settling: float = 30.0
    lai: Floats
    typical: float
    chlorophyll: Floats | float
    leaf_angle: tuple[float, float]
    angle_shift: Floats | float = 0.0
    stem_water: float
    dead_leaves: float

    @classmethod
    def of_crop(
        cls,
        crop: AnnualCrop,
        rows: npt.NDArray[np.intp],
        *,
        emergence: Days,
        clock: Days,
        stop: Days | int,
        lai: Floats,
        dying: Days | int = NEVER,
        offset: Floats | float = 0.0,
        pace: Floats | float = 1.0,
        chlorophyll_shift: Floats | float = 0.0,
        angle_shift: Floats | float = 0.0,
    ) -> Layer:
        """Layer with a crop's parameters."""
        return cls(
            rows=rows,
            base=crop.base,
            emergence=emergence,
            clock=clock,
            stop=stop,
            dying=dying,
            dying_days=4.0,
            offset=offset,
            pace=pace,
            half_grown=crop.half_grown,
            growth_rate=crop.growth_rate,
            half_senesced=crop.half_senesced,
            senescence_rate=crop.senescence_rate,
            start=crop.winter,
            settling=150.0 if crop.autumn else 30.0,
            lai=lai,
            typical=crop.lai,
            chlorophyll=crop.chlorophyll + chlorophyll_shift,
            leaf_angle=crop.leaf_angle,
            angle_shift=angle_shift,
            stem_water=crop.stem_water,
            dead_leaves=crop.dead_leaves,
        )


@dataclass(slots=True)
class LayerSums:
    """Sums over layers, float32 (parcel, day); colour and angle are weighted by leaf area.

    Parameters
    ----------
    first : day of the weather that column 0 is of; the last column is of its last day.
    """

    season: Season
    first: int
    green: Floats
    brown: Floats
    water: Floats
    chlorophyll: Floats
    angle: Floats

    @classmethod
    def empty(cls, season: Season, parcels: int, first: int) -> LayerSums:
        """Bare ground from day ``first`` to the end of the weather."""
        shape = (parcels, season.days - first)
        return cls(season, first, *(np.zeros(shape, dtype=np.float32) for _ in range(5)))

    def add(self, layer: Layer) -> None:
        """Add a layer."""
        if not len(layer.rows):
            return
        green, brown, water, color, angle = _course(layer, self.season, self.first)
        rows = layer.rows
        self.green[rows] += green
        self.brown[rows] += brown
        self.water[rows] += water
        self.chlorophyll[rows] += color * green
        self.angle[rows] += angle * (green + brown)


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * np.tanh(0.5 * x) + 0.5, dtype=np.float32)


def _course(layer: Layer, season: Season, first: int) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    total = season.thermal_time(layer.base)
    shown = total[first : season.days].astype(np.float32)[None, :]
    day = np.arange(first, season.days, dtype=np.int32)[None, :]
    since = shown - _sum_at(total, layer.emergence)
    clock = (shown - _sum_at(total, layer.clock)) * _column(layer.pace) - _column(layer.offset)
    grown = sigmoid((clock - layer.half_grown) * np.float32(layer.growth_rate))
    zero = float(sigmoid(np.float32(-layer.half_grown * layer.growth_rate) * np.ones(1, dtype=np.float32))[0])
    grown = np.clip((grown - zero) / (1 - zero), 0, 1)
    settled = np.clip(since / (2 * layer.settling), 0, 1)
    settled = settled * settled * (3 - 2 * settled)
    full = _column(layer.lai) * settled * (layer.start + (1 - layer.start) * grown)
    senesced = sigmoid((clock - layer.half_senesced) * np.float32(layer.senescence_rate))
    withered = 1 - np.exp(-np.maximum(day - _column(layer.dying), 0) / np.float32(layer.dying_days))
    there = (day >= layer.emergence[:, None]) & (day < _column(layer.stop))
    full = np.where(there, full, np.float32(0))
    green = full * (1 - senesced) * (1 - withered)
    fallen = np.exp(-np.maximum(day - _column(layer.dying), 0) / np.float32(4 * layer.dying_days))
    brown = layer.dead_leaves * (full - green) * fallen
    # Stems follow the leaves, and dry out after them.
    middle = layer.half_grown + 0.35 * (layer.half_senesced - layer.half_grown) * (layer.stem_water > 2.8)
    stems = sigmoid((clock - middle - 60) * np.float32(layer.growth_rate)) * settled
    drying = sigmoid((clock - layer.half_senesced - 80) * np.float32(layer.senescence_rate))
    vigour = _column(layer.lai) / np.float32(layer.typical)
    water = LEAF_WATER * (green + 0.15 * brown)
    water += np.where(there, layer.stem_water * vigour * stems * (1 - 0.85 * drying) * (1 - 0.8 * withered), 0)
    color = _column(layer.chlorophyll) * (0.8 + 0.2 * grown) * (1 - 0.65 * senesced)
    age = np.clip(clock / np.float32(layer.half_senesced), 0, 1)
    young, old = layer.leaf_angle
    angle = young + (old - young) * age + _column(layer.angle_shift)
    return green, brown, water.astype(np.float32), color, angle


def _column(values: npt.ArrayLike) -> Floats:
    """One value a row, or one for all, as (rows, 1) or (1, 1)."""
    return np.asarray(values, dtype=np.float32).reshape(-1, 1)


def _sum_at(total: npt.NDArray[np.float64], day: Days) -> Floats:
    """Degree days at a day (rows, 1); days outside the weather go on at a mean rate."""
    last = len(total) - 1
    inside = np.clip(day, 0, last)
    outside = np.clip(day, -NEVER, NEVER) - inside
    return np.asarray((total[inside] + _NEXT_YEARS_DEGREES * outside)[:, None], dtype=np.float32)
