"""The rows of a delivery: what the agency's file holds, in its own columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from s4c_lib.synthetic.crops import CROPS, INDEX_OF_CODE
from s4c_lib.synthetic.landscape.fault_geometries import free_lots, placed, square
from s4c_lib.synthetic.landscape.faults import Fault
from s4c_lib.synthetic.landscape.model import Landscape
from s4c_lib.synthetic.streams import Stream, generator

Objects = npt.NDArray[np.object_]

# Names of the Dutch preset (section 3.1 of the spec): parcel, holding, crop.
PARCEL, HOLDING, CROP = "FUNCTIONEE", "FakeBRSnr", "GRONDBEDEK"
DELETED, ADDED, RECROPPED, SHIFTED, REDRAWN = 0.03, 0.02, 0.02, 0.01, 0.005
_SECOND_DELIVERY: Final = 2
_COLUMNS_STREAM: Final = 10
_KEPT: Final = 0.8  # of a redrawn parcel's width
SHIFT_M: Final = 1.0
_MINOR: Final = 0.05  # geom_change_ratio from which a change is major
_FIRMS: Final = ("", "", "", "Maatschap ", "V.O.F. ", "Fa. ")
_NAMES: Final = (
    "van den Broek", "Böhmer", "Hendriks", "de Grève", "van Daële", "Müller", "Jansen", "Noël", "Gielen", "Châtelain",
    "Peeters", "Renée Aerts", "Verhoeven", "Coëlho", "Smulders", "van Gool", "Dubé", "Köster", "Maas", "François",
)  # fmt: skip
_PLACES: Final = (
    "Reusel", "Bladel", "Eersel", "Hilvarenbeek", "Oirschot", "Baarle-Hertog", "Esbeek", "Hélécine", "Liège",
    "Súdwest-Fryslân", "Diessen", "Lage Mierde",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in file order.

    Parameters
    ----------
    shapes : (rows,) as delivered, None where there is none.
    ori_id, holding, crop : object (rows,), texts or None.
    source : int64 (rows,), position of the true parcel, or minus one minus the position of the fault.
    """

    shapes: Objects
    ori_id: Objects
    holding: Objects
    crop: Objects
    source: npt.NDArray[np.int64]

    def select(self, rows: npt.NDArray[Any]) -> Rows:
        """Some rows, in the order given."""
        return Rows(self.shapes[rows], self.ori_id[rows], self.holding[rows], self.crop[rows], self.source[rows])


def rows_of(landscape: Landscape, faults: Sequence[Fault], seed: int) -> Rows:
    """True parcels and faults, shuffled: no agency delivers its parcels in order."""
    true = _true_rows(landscape)
    wrong = (
        _objects([fault.shape for fault in faults]),
        _objects([fault.ori_id for fault in faults]),
        _objects([fault.holding for fault in faults]),
        _objects([fault.crop for fault in faults]),
        -1 - np.arange(len(faults)),
    )
    mine = (true.shapes, true.ori_id, true.holding, true.crop, true.source)
    both = Rows(*(np.concatenate(pair) for pair in zip(mine, wrong, strict=True)))
    return both.select(generator(seed, Stream.FAULTS, 1).permutation(len(both.source)))


def second_delivery(landscape: Landscape, seed: int) -> tuple[Rows, dict[str, list[str]]]:
    """The sound parcels a few weeks later, and the identifiers of each class of change.

    Classes are those of the import (section 3.7): deleted, new, attribute, minor, major.
    """
    rng = generator(seed, Stream.FAULTS, _SECOND_DELIVERY)
    count = len(landscape.shapes)
    rows = _true_rows(landscape)
    order = rng.permutation(count)
    cuts = np.cumsum([max(1, round(share * count)) for share in (DELETED, RECROPPED, SHIFTED, REDRAWN)])
    deleted, recropped, shifted, redrawn, _ = np.split(order, cuts)
    shapes, crop = rows.shapes.copy(), rows.crop.copy()
    for row in recropped:
        crop[row] = CROPS[(INDEX_OF_CODE[crop[row]] + int(rng.integers(1, len(CROPS)))) % len(CROPS)].code
    shapes[shifted] = shapely.transform(shapes[shifted], lambda points: points + np.array([SHIFT_M, 0.0]))
    shapes[redrawn] = [_cut_back(shape) for shape in shapes[redrawn]]
    moved = np.concatenate([shifted, redrawn])
    before, after = rows.shapes[moved], shapes[moved]
    ratio = shapely.area(shapely.symmetric_difference(before, after)) / shapely.area(shapely.union(before, after))
    lots = free_lots(landscape, max(1, round(ADDED * count)), rng)
    ids = [f"{landscape.holding[int(rng.integers(count))]}-{8001 + number}" for number in range(len(lots))]
    new = Rows(
        _objects([placed(square(), lot) for lot in lots]),
        _objects(ids),
        _objects([name.rsplit("-", 1)[0] for name in ids]),
        _objects([CROPS[int(rng.integers(len(CROPS)))].code for _ in ids]),
        np.full(len(ids), -1),
    )
    kept = Rows(shapes, rows.ori_id, rows.holding, crop, rows.source).select(np.setdiff1d(np.arange(count), deleted))
    pairs = zip(_fields(kept), _fields(new), strict=True)
    both = Rows(*(np.concatenate(pair) for pair in pairs))
    changes = {
        "deleted": rows.ori_id[deleted],
        "new": new.ori_id,
        "attribute": rows.ori_id[recropped],
        "minor": rows.ori_id[moved[ratio < _MINOR]],
        "major": rows.ori_id[moved[ratio >= _MINOR]],
    }
    delivered = both.select(rng.permutation(len(both.source)))
    return delivered, {name: sorted(ids.tolist()) for name, ids in changes.items()}


def columns_of(rows: Rows, seed: int, *, numeric_crop: bool = False) -> dict[str, npt.NDArray[Any]]:
    """The agency's columns.

    Parameters
    ----------
    numeric_crop : the crop column holds numbers with decimals (``265.0``), as a spreadsheet leaves it.
    """
    rng = generator(seed, Stream.FAULTS, _COLUMNS_STREAM)
    names = _objects([firm + name for name in _NAMES for firm in _FIRMS])
    holdings = rows.holding.astype(str)
    known, farm = np.unique(holdings, return_inverse=True)
    holder = names[rng.integers(len(names), size=len(known))][farm]
    place = _objects(_PLACES)[rng.integers(len(_PLACES), size=len(known))][farm]
    names_of_crops = {crop.code: crop.name for crop in CROPS}
    missing = shapely.is_missing(rows.shapes)
    area = np.where(missing, np.nan, np.round(shapely.area(rows.shapes) / 1e4, 2))
    crop: npt.NDArray[Any] = rows.crop
    if numeric_crop:
        crop = np.array([np.nan if code is None else float(code) for code in rows.crop])
    return {
        PARCEL: rows.ori_id,
        HOLDING: rows.holding,
        "NAAM": holder,
        "PLAATS": place,
        CROP: crop,
        "GEWAS": _objects([names_of_crops.get(code) for code in rows.crop]),
        "OPP_HA": area,
    }


def _true_rows(landscape: Landscape) -> Rows:
    codes = _objects([crop.code for crop in CROPS])
    return Rows(
        np.asarray(landscape.shapes, dtype=object),
        _objects(landscape.ori_id),
        _objects(landscape.holding),
        codes[landscape.traits.declared],
        np.arange(len(landscape.shapes)),
    )


def _fields(rows: Rows) -> tuple[npt.NDArray[Any], ...]:
    return rows.shapes, rows.ori_id, rows.holding, rows.crop, rows.source


def _cut_back(shape: BaseGeometry) -> BaseGeometry:
    """A parcel less a fifth of its extent, as after the sale of a strip."""
    west, south, east, north = shapely.bounds(shape)
    kept: BaseGeometry = shapely.intersection(shape, shapely.box(west, south, west + _KEPT * (east - west), north))
    return kept


def _objects(values: Sequence[Any]) -> Objects:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
