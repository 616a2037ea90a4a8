"""The truth as tables: leaf area every day, and one row a parcel."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.errors import InputError
from s4c_lib.synthetic.canopy import Canopy
from s4c_lib.synthetic.crops import CROPS, CatchCrop, ParcelTraits, Practice, Regime
from s4c_lib.synthetic.growth.phenology import ANNUAL
from s4c_lib.synthetic.growth.weather import season_year

MOWINGS_NAMED = 6
_SOWN = np.array([crop.growth in ANNUAL or crop.temporary_grass for crop in CROPS])
DAILY_LAI_SCHEMA = pa.schema(
    [
        pa.field("parcel_id", pa.int64(), nullable=False),
        pa.field("date", pa.date32(), nullable=False),
        pa.field("lai", pa.float32(), nullable=False),
        pa.field("brown_lai", pa.float32(), nullable=False),
    ]
)
_DATES = (
    "sowing", "emergence", "senescence", "harvest", "tillage_after_harvest", "catch_crop_sowing",
    "catch_crop_emergence", "catch_crop_destruction",
)  # fmt: skip
PARCEL_TRUTH_SCHEMA = pa.schema(
    [
        pa.field("parcel_id", pa.int64(), nullable=False),
        pa.field("true_crop", pa.string(), nullable=False),
        pa.field("declared_crop", pa.string(), nullable=False),
        pa.field("mislabelled", pa.bool_(), nullable=False),
        pa.field("regime", pa.string(), nullable=False),
        pa.field("catch_crop", pa.string(), nullable=False),
        pa.field("practice", pa.string(), nullable=False),
        pa.field("area_m2", pa.float32(), nullable=False),
        *(pa.field(name, pa.date32()) for name in _DATES),
        pa.field("mowings", pa.int8(), nullable=False),
        *(pa.field(f"mowing_{number}", pa.date32()) for number in range(1, MOWINGS_NAMED + 1)),
        pa.field("grazing_days", pa.int16(), nullable=False),
    ]
)


def daily_lai_table(traits: ParcelTraits, canopy: Canopy, start: date, end: date) -> pa.Table:
    """Green and brown leaf area of each parcel and day of [start, end], sorted by parcel position and date."""
    first, last = canopy.index(start), canopy.index(end)
    if first < 0 or last >= canopy.days or last < first:
        raise InputError(f"the canopy has no days from {start} to {end}", hint="ask for days it was grown for")
    days = last - first + 1
    dates = np.datetime64(start, "D") + np.arange(days)
    return pa.table(
        [
            pa.array(np.repeat(traits.parcel_id, days)),
            pa.array(np.tile(dates, len(traits)), pa.date32()),
            pa.array(canopy.green_lai[:, first : last + 1].ravel()),
            pa.array(canopy.brown_lai[:, first : last + 1].ravel()),
        ],
        schema=DAILY_LAI_SCHEMA,
    )


def parcel_truth_table(traits: ParcelTraits, events: pa.Table, *, start: date, end: date) -> pa.Table:
    """One row a parcel, in the order of the traits: what is there, and when the main things happened.

    Dates are those of the season's main crop; what comes after ``end`` is null. The catch crop is the one that
    follows the main crop or stands under it. Mowings and days of grazing count within [start, end].
    """
    table = _Events(traits, events)
    year = np.datetime64(date(season_year(start, end), 1, 1), "D")
    emergence = table.first("emergence")
    harvest = table.first("harvest", after=np.full(len(traits), year))
    # What is sown after fallow or a perennial is not the season's crop.
    emergence = np.where(_SOWN[traits.crop], emergence, np.datetime64("NaT", "D"))
    sowing = np.where(np.isnat(emergence), table.first("sowing"), table.last("sowing", until=emergence))
    sowing = np.where(_SOWN[traits.crop], sowing, np.datetime64("NaT", "D"))
    catch_sowing = table.first("catch_crop_sowing", after=emergence)
    dates = {
        "sowing": sowing,
        "emergence": emergence,
        "senescence": table.first("senescence", after=np.full(len(traits), year)),
        "harvest": harvest,
        "tillage_after_harvest": table.first("cultivation", "ploughing", after=harvest),
        "catch_crop_sowing": catch_sowing,
        "catch_crop_emergence": table.first("catch_crop_emergence", after=catch_sowing),
        "catch_crop_destruction": table.first("catch_crop_destruction", after=catch_sowing),
    }
    counts, mowings = table.listed("mowing", start, end)
    true = np.array([crop.code for crop in CROPS])
    columns = [
        pa.array(traits.parcel_id, pa.int64()),
        pa.array(true[traits.crop].tolist(), pa.string()),
        pa.array(true[traits.declared].tolist(), pa.string()),
        pa.array(traits.crop != traits.declared),
        _names(Regime, traits.regime),
        _names(CatchCrop, traits.catch_crop),
        _names(Practice, traits.practice),
        pa.array(traits.area_m2, pa.float32()),
        *(pa.array(dates[name], pa.date32()) for name in _DATES),
        pa.array(counts, pa.int8()),
        *(pa.array(mowings[:, number], pa.date32()) for number in range(MOWINGS_NAMED)),
        pa.array(table.grazing_days(start, end), pa.int16()),
    ]
    return pa.table(columns, schema=PARCEL_TRUTH_SCHEMA)


def _names(members: type[Regime] | type[CatchCrop] | type[Practice], values: npt.NDArray[np.int8]) -> pa.Array:
    names = np.array([members(number).name.lower() for number in range(len(members))])
    return pa.array(names[values].tolist(), pa.string())


class _Events:
    """Events with the position of their parcel, for look-ups over all parcels at a time."""

    def __init__(self, traits: ParcelTraits, events: pa.Table) -> None:
        order = np.argsort(traits.parcel_id)
        ids = events.column("parcel_id").to_numpy()
        self.count = len(traits)
        self.position = order[np.searchsorted(traits.parcel_id[order], ids)] if len(ids) else ids
        self.name = np.asarray(events.column("event").to_numpy(zero_copy_only=False), dtype=np.str_)
        self.date = events.column("date").to_numpy().astype("datetime64[D]")
        self.end = events.column("end_date").to_numpy().astype("datetime64[D]")

    def first(self, *names: str, after: npt.NDArray[np.datetime64] | None = None) -> npt.NDArray[np.datetime64]:
        """First event of these kinds on or after ``after`` of each parcel; NaT when none (or ``after`` is NaT)."""
        keep = np.isin(self.name, names)
        if after is not None:
            keep &= self.date >= after[self.position]
        result = np.full(self.count, np.datetime64("9999-01-01", "D"))
        np.minimum.at(result, self.position[keep], self.date[keep])
        return np.where(result < np.datetime64("9999-01-01", "D"), result, np.datetime64("NaT", "D"))

    def last(self, name: str, *, until: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
        """Last event of a kind on or before ``until`` of each parcel; NaT when none."""
        keep = (self.name == name) & (self.date <= until[self.position])
        result = np.full(self.count, np.datetime64("0001-01-01", "D"))
        np.maximum.at(result, self.position[keep], self.date[keep])
        return np.where(result > np.datetime64("0001-01-01", "D"), result, np.datetime64("NaT", "D"))

    def listed(self, name: str, start: date, end: date) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.datetime64]]:
        """Count of a kind within [start, end] and its first dates (parcels, `MOWINGS_NAMED`)."""
        low, high = np.datetime64(start, "D"), np.datetime64(end, "D")
        keep = np.flatnonzero((self.name == name) & (self.date >= low) & (self.date <= high))
        keep = keep[np.lexsort((self.date[keep], self.position[keep]))]
        owner = self.position[keep]
        counts = np.bincount(owner, minlength=self.count)
        rank = np.arange(len(keep)) - (np.cumsum(counts) - counts)[owner]
        dates = np.full((self.count, MOWINGS_NAMED), np.datetime64("NaT", "D"))
        named = rank < MOWINGS_NAMED
        dates[owner[named], rank[named]] = self.date[keep][named]
        return counts, dates

    def grazing_days(self, start: date, end: date) -> npt.NDArray[np.int64]:
        """Days of grazing within [start, end]."""
        keep = self.name == "grazing"
        low = np.maximum(self.date[keep], np.datetime64(start, "D"))
        high = np.minimum(self.end[keep], np.datetime64(end, "D"))
        days = np.maximum((high - low).astype(np.int64) + 1, 0)
        return np.bincount(self.position[keep], weights=days, minlength=self.count).astype(np.int64)
