"""The truth of a synthetic season as the scorecard reads it, joined to declared parcels by their identifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.errors import NotFoundError, ProductCorruptError, StorageError

Int64 = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]

_PARCELS: Final = "parcels.parquet"
_NEEDED: Final = {
    _PARCELS: ("parcel_id", "ori_id", "true_crop", "harvest", "catch_crop", "catch_crop_sowing",
               "catch_crop_emergence", "catch_crop_destruction"),
    "events.parquet": ("parcel_id", "event", "date"),
}  # fmt: skip
_LEAF_AREA: Final = {
    "daily_lai.parquet": ("parcel_id", "date", "lai"),
    "clear.parquet": ("parcel_id", "time", "clear_share"),
}


@dataclass(frozen=True, slots=True, eq=False)
class LeafArea:
    """Leaf area of every day and the clear share of every pass: ``daily_lai.parquet`` and ``clear.parquet``."""

    daily: pa.Table = field(repr=False)
    clear: pa.Table = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is really there, by row of the truth's parcels.

    Parameters
    ----------
    parcels : ``truth/parcels.parquet``, ascending parcel_id.
    events : ``truth/events.parquet``.
    leaf_area : None where a season has none.
    """

    parcels: pa.Table = field(repr=False)
    events: pa.Table = field(repr=False)
    leaf_area: LeafArea | None

    @property
    def parcel_id(self) -> Int64:
        """Numbers in the truth, int64 (parcels,), ascending; no NewIDs."""
        numbers: Int64 = self.parcels["parcel_id"].to_numpy().astype(np.int64)
        return numbers

    def texts(self, column: str) -> npt.NDArray[np.object_]:
        """A column of text, object (parcels,)."""
        found: npt.NDArray[np.object_] = self.parcels[column].to_numpy(zero_copy_only=False).astype(object)
        return found

    def days(self, column: str, until: date) -> Days:
        """A column of dates, datetime64[D] (parcels,); NaT for none, and after ``until``: that has not happened."""
        found = self.parcels[column].to_numpy(zero_copy_only=False).astype("datetime64[D]")
        kept: Days = np.where(found > np.datetime64(until), np.datetime64("NaT", "D"), found)
        return kept

    def rows_of(self, ori_id: Sequence[str | None] | npt.NDArray[np.object_]) -> Int64:
        """Row of each declared identifier, int64; -1 where it is unknown, or occurs more than once on either side."""
        own = self.texts("ori_id").tolist()
        place = {name: row for row, name in enumerate(own)}
        declared = list(ori_id)
        single = _single(own) & _single(declared)
        return np.array([place[name] if name in single else -1 for name in declared], np.int64).reshape(len(declared))

    def mowings(self, first: date, last: date) -> tuple[Int64, Days]:
        """Row and day of every mowing in [first, last]."""
        events = self.events.filter(pc.equal(self.events["event"], "mowing"))
        days = events["date"].to_numpy().astype("datetime64[D]")
        within = (days >= np.datetime64(first)) & (days <= np.datetime64(last))
        numbers = events["parcel_id"].to_numpy().astype(np.int64)[within]
        return np.searchsorted(self.parcel_id, numbers), days[within]


def _single(names: Sequence[str | None]) -> set[str]:
    seen: set[str] = set()
    repeated: set[str] = set()
    for name in names:
        if name is not None:
            (repeated if name in seen else seen).add(name)
    return seen - repeated


def read_truth(folder: Path) -> Truth:
    """Read the truth of a synthetic season, from its folder or from ``truth/`` in it.

    Raises
    ------
    NotFoundError : it is no such folder.
    ProductCorruptError, StorageError : a file lacks a column, or cannot be read.
    """
    place = folder / "truth" if (folder / "truth" / _PARCELS).is_file() else folder
    if not (place / _PARCELS).is_file():
        raise NotFoundError(f"{folder} holds no {_PARCELS}", hint="give the folder that 's4c synthetic make' wrote")
    tables = {name: _read(place / name, columns) for name, columns in _NEEDED.items()}
    leaf_area = None
    if all((place / name).is_file() for name in _LEAF_AREA):
        leaf_area = LeafArea(*(_read(place / name, columns) for name, columns in _LEAF_AREA.items()))
    return Truth(tables[_PARCELS].sort_by("parcel_id"), tables["events.parquet"], leaf_area)


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, use_threads=False)
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} is not there", hint="make the season again") from error
    except pa.ArrowInvalid as error:
        raise ProductCorruptError(f"{path} cannot be read: {error}", hint="make the season again") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
    if missing := [name for name in columns if name not in table.column_names]:
        raise ProductCorruptError(f"{path} has no column {missing[0]!r}", hint="make the season with this release")
    return table
