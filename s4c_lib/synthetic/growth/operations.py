"""What is done to parcels and when, and what each operation does to the surface."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.synthetic.canopy import EVENTS_SCHEMA
from s4c_lib.synthetic.growth.season import Days, Flags, Floats, Season


class Operation(IntEnum):
    """Field operations, and stages that the truth names; on one day they act in this order."""

    PLOUGHING = 1
    SEEDBED = 2
    DRILLING = 3
    PLANTING = 4
    RIDGING = 5
    EMERGENCE = 6
    SENESCENCE = 7
    SPRAYING = 8
    HAULM_KILLING = 9
    COMBINING = 10
    FORAGE_HARVEST = 11
    ROOT_HARVEST = 12
    BALING = 13
    CULTIVATION = 14
    CATCH_CROP_SOWING = 15
    UNDERSOWING = 16
    CATCH_CROP_EMERGENCE = 17
    CATCH_CROP_DESTRUCTION = 18
    CATCH_CROP_PLOUGHING = 19
    MOWING = 20
    MULCHING = 21
    GRAZING = 22


@dataclass(frozen=True, slots=True)
class Effect:
    """Effect on the surface.

    Parameters
    ----------
    event : name in the truth; empty when the truth does not name it.
    change : share of the scatterers moved.
    roughness : after it; None leaves it. residue_kept : share of the residue left on the surface.
    residue : share of the ground covered at least, after it.
    moist : wetness brought up from below, 0..1.
    """

    event: str = ""
    change: float = 0.0
    roughness: float | None = None
    residue_kept: float = 1.0
    residue: float = 0.0
    moist: float = 0.0


# Residue left by tillage: USDA NRCS residue tables (ploughing 5-10 %, disc or chisel 50-70 %, drilling 80 %).
# Roughness: random roughness of Zobeck & Onstad (1987) scaled so that ploughing is 1.
EFFECTS: Final[dict[Operation, Effect]] = {
    # Ploughing moves all it meets; a field is seldom worked whole in one day (headlands, corners, wet places), and
    # the drops of 0.1-0.4 that fields show average over that.
    Operation.PLOUGHING: Effect("ploughing", 0.75, 1.0, 0.06, moist=0.25),
    Operation.SEEDBED: Effect("cultivation", 0.5, 0.28, 0.6, moist=0.10),
    Operation.DRILLING: Effect("sowing", 0.4, 0.20, 0.85),
    Operation.PLANTING: Effect("sowing", 0.6, 0.60, 0.5, moist=0.10),
    Operation.RIDGING: Effect("", 0.45, 0.60, 0.5, moist=0.10),
    Operation.EMERGENCE: Effect("emergence"),
    Operation.SENESCENCE: Effect("senescence"),
    Operation.SPRAYING: Effect(),
    Operation.HAULM_KILLING: Effect("", 0.3, residue=0.25),
    Operation.COMBINING: Effect("harvest", 0.5, 0.22, residue=0.65),
    Operation.FORAGE_HARVEST: Effect("harvest", 0.7, 0.25, residue=0.22),
    Operation.ROOT_HARVEST: Effect("harvest", 0.8, 0.45, residue=0.15, moist=0.15),
    Operation.BALING: Effect("", 0.3, residue_kept=0.65),
    Operation.CULTIVATION: Effect("cultivation", 0.5, 0.50, 0.55, moist=0.15),
    Operation.CATCH_CROP_SOWING: Effect("catch_crop_sowing", 0.7, 0.32, 0.5, moist=0.10),
    Operation.UNDERSOWING: Effect("catch_crop_sowing", 0.1),
    Operation.CATCH_CROP_EMERGENCE: Effect("catch_crop_emergence"),
    Operation.CATCH_CROP_DESTRUCTION: Effect("catch_crop_destruction", 0.05, residue=0.4),
    Operation.CATCH_CROP_PLOUGHING: Effect("catch_crop_destruction", 0.8, 1.0, 0.06, moist=0.25),
    Operation.MOWING: Effect("mowing", 0.5, residue=0.35),
    Operation.MULCHING: Effect("mowing", 0.5, residue=0.65),
    Operation.GRAZING: Effect("grazing", 0.025),
}


@dataclass(frozen=True, slots=True)
class Operations:
    """Operations of many parcels, in the order of day, parcel position and kind.

    Parameters
    ----------
    parcel : int32 (operations,), position of the parcel.
    day, last_day : int32 (operations,), day of the weather; they differ for grazing only.
    kind : int8 (operations,), `Operation`.
    """

    parcel: npt.NDArray[np.int32]
    day: Days
    last_day: Days
    kind: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.day)

    def of(self, *kinds: Operation) -> Flags:
        """Where the kind is one of these (operations,)."""
        return np.isin(self.kind, [int(kind) for kind in kinds])

    @property
    def harvests(self) -> Flags:
        """Where a crop is taken off the field (operations,)."""
        return self.of(Operation.COMBINING, Operation.FORAGE_HARVEST, Operation.ROOT_HARVEST)

    def slices(self, days: int) -> npt.NDArray[np.int64]:
        """Where each day's operations begin (days + 1,)."""
        return np.searchsorted(self.day, np.arange(days + 1))


@dataclass(slots=True)
class OperationLog:
    """Collects operations while they are planned; what falls outside the days of the weather is left out."""

    days: int
    _parts: list[tuple[npt.NDArray[np.int32], Days, Days, Operation]] = field(default_factory=list)

    def add(self, kind: Operation, day: Days, where: Flags | None = None, *, last_day: Days | None = None) -> None:
        """Log ``kind`` on ``day`` (parcels,), of the parcels in ``where``."""
        keep = (day >= 0) & (day < self.days)
        if where is not None:
            keep &= where
        rows = np.flatnonzero(keep).astype(np.int32)
        until = day if last_day is None else np.minimum(last_day, self.days - 1)
        self._parts.append((rows, day[rows].astype(np.int32), until[rows].astype(np.int32), kind))

    def operations(self) -> Operations:
        """All that was logged."""
        if not self._parts:
            none = np.empty(0, dtype=np.int32)
            return Operations(none, none, none, none.astype(np.int8))
        parcel, day, last = (np.concatenate([part[k] for part in self._parts]) for k in range(3))
        kind = np.concatenate([np.full(len(part[0]), part[3], dtype=np.int8) for part in self._parts])
        order = np.lexsort((kind, parcel, day))
        return Operations(parcel[order], day[order], last[order], kind[order])


def events_table(operations: Operations, taken: Floats, parcel_id: npt.NDArray[np.int64], season: Season) -> pa.Table:
    """The truth's events with `EVENTS_SCHEMA`, sorted by parcel, date and name.

    Parameters
    ----------
    taken : float32 (operations,), share of the green LAI taken; NaN where the kind takes none. A cut that found
        nothing to take (0) did not happen.
    """
    names = np.array([EFFECTS[Operation(k)].event if k else "" for k in range(max(Operation) + 1)])
    name = names[operations.kind]
    keep = np.flatnonzero((name != "") & ~(taken <= 0))
    keep = keep[np.lexsort((name[keep], operations.day[keep], parcel_id[operations.parcel[keep]]))]
    first = np.datetime64(season.weather.first_day, "D")
    grazed = operations.kind[keep] == Operation.GRAZING
    ends = (first + operations.last_day[keep]).astype("datetime64[D]")
    return pa.table(
        [
            pa.array(parcel_id[operations.parcel[keep]], pa.int64()),
            pa.array(name[keep].tolist(), pa.string()),
            pa.array(first + operations.day[keep], pa.date32()),
            pa.array(ends, pa.date32(), mask=~grazed),
            pa.array(taken[keep], pa.float32(), mask=np.isnan(taken[keep])),
        ],
        schema=EVENTS_SCHEMA,
    )
