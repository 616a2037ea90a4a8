"""The scorecard of a season: its products in force, read and put beside the truth of a synthetic season."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlalchemy import text

from s4c_lib.catalog import auxdata, marker_files, results_l4a, results_l4b, results_l4c
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.parcel_sets import active_set, get_set
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.catalog.products import Product, list_products
from s4c_lib.parcels.crop_lut import CropLut
from s4c_lib.scheduling.dates import midnight
from s4c_lib.scorecard.crop_type import UNKNOWN, crop_type_figures
from s4c_lib.scorecard.figures import Figure, Scorecard
from s4c_lib.scorecard.leaf_area import ENOUGH, leaf_area_figures
from s4c_lib.scorecard.mowing import mowing_figures
from s4c_lib.scorecard.practices import VERDICTS_OF, harvest_figures, verdict_figures
from s4c_lib.scorecard.truth import Truth
from s4c_lib.statistics.matrices import series_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from s4c_lib.catalog.parcel_sets import ParcelSet
    from s4c_lib.catalog.seasons import Season

_L4: Final = ("s4c_l4a", "s4c_l4b", "s4c_l4c")
_HARVEST_OF: Final = "NA"
_LAI: Final = "lai"

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Parcels:
    """Declared parcels of a product, ascending number; ``row_of``: rows of the truth, -1 where unknown."""

    new_id: Int64
    row_of: Int64

    def of(self, numbers: Int64) -> Int64:
        """Row in the truth of parcels by number, -1 where unknown."""
        if not len(self.new_id):
            return np.full(len(numbers), -1)
        at = np.minimum(np.searchsorted(self.new_id, numbers), len(self.new_id) - 1)
        return np.where(self.new_id[at] == numbers, self.row_of[at], -1)


def season_scorecard(connection: Connection, season: Season, truth: Truth, products_root: Path) -> Scorecard:
    """Judge what the products in force of a season say; what there is no product of is said.

    Of several products of a type the one up to the latest day counts, of these the newest.

    Parameters
    ----------
    products_root : ``storage.products_path``.

    Raises
    ------
    DatabaseUnavailableError : the server went away. NotFoundError, StorageError : a file of statistics cannot be read.
    """
    figures: list[Figure] = []
    names: dict[str, str] = {}
    absent: dict[str, str] = {}
    figures += _leaf_area(connection, season, truth, products_root, absent)
    for kind in _L4:
        product = newest_product(connection, season, kind)
        if product is None:
            absent[kind] = "the season has no product of it in force"
            continue
        names[kind] = product.name
        parcels = _parcels(connection, season, product, truth)
        if kind == "s4c_l4a":
            figures += _crop_type(connection, product, parcels, truth)
        elif kind == "s4c_l4b":
            figures += _mowing(connection, product, parcels, truth)
        else:
            figures += _practices(connection, product, parcels, truth, absent)
    return Scorecard(tuple(figures), names, absent)


def newest_product(connection: Connection, season: Season, kind: str) -> Product | None:
    """Return the product in force of a type: the one up to the latest day, of these the newest; None without any.

    One of chosen tiles or images does not stand for the season.
    """
    found = [
        item
        for item in list_products(connection, season.site_id, product_type=kind)
        if item.metadata["run"]["season"] == season.short_name and "chosen" not in item.metadata["run"]
    ]
    return max(found, key=lambda item: (item.acquired_at, item.id), default=None)


def _parcels(connection: Connection, season: Season, product: Product, truth: Truth) -> _Parcels:
    """Parcels of the version a product was made with."""
    version = product.metadata["parcel_set"]
    number = connection.execute(
        text("SELECT id FROM s4c.parcel_set WHERE site_id = :site AND year = :year AND version = :version"),
        {"site": season.site_id, "year": version["year"], "version": version["version"]},
    ).scalar_one()
    return _joined(connection, get_set(connection, int(number)), truth)


def _joined(connection: Connection, parcel_set: ParcelSet, truth: Truth) -> _Parcels:
    rows = read_parcels(connection, parcel_set, ["new_id", "ori_id"])
    return _Parcels(rows["new_id"].to_numpy().astype(np.int64), truth.rows_of(rows["ori_id"].to_pylist()))


def _leaf_area(
    connection: Connection, season: Season, truth: Truth, root: Path, absent: dict[str, str]
) -> list[Figure]:
    parcel_set = active_set(connection, season.site_id, season.year)
    if truth.leaf_area is None:
        absent["l3b"] = "the truth has no daily leaf area, or does not say which dates were clear"
        return []
    if parcel_set is None:
        absent["l3b"] = "the season has no declarations, so there are no statistics of parcels"
        return []
    files = marker_files.list_marker_files(
        connection,
        parcel_set.id,
        variables=[_LAI],
        time_from=midnight(season.dates.start),
        time_to=midnight(season.dates.end + timedelta(days=1)),
    )
    if not files:
        absent["l3b"] = "there are no statistics of leaf area"
        return []
    parcels = _joined(connection, parcel_set, truth)
    found = series_of([root / file.path for file in files], [_LAI], parcels.new_id, enough=ENOUGH)
    series = found[_LAI, None]
    return leaf_area_figures(series, parcels.of(series.parcel_id), truth.parcel_id, truth.leaf_area)


def _crop_type(connection: Connection, product: Product, parcels: _Parcels, truth: Truth) -> list[Figure]:
    results = results_l4a.read_results(connection, product.id)
    lut = CropLut.from_dict(auxdata.parsed_of(connection, product.metadata["uploads"][str(Kind.LUT)]))
    at = lut.positions(truth.texts("true_crop"))
    classes = np.where(at >= 0, lut.ctnuml4a[at], UNKNOWN)
    rows = parcels.of(results["new_id"].to_numpy().astype(np.int64))
    true = np.where(rows >= 0, classes[rows], UNKNOWN).astype(np.int32)
    return crop_type_figures(results, true)


def _mowing(connection: Connection, product: Product, parcels: _Parcels, truth: Truth) -> list[Figure]:
    results = results_l4b.read_results(connection, product.id)
    events = results_l4b.read_events(connection, product.id)
    first, last = (date.fromisoformat(product.metadata[name]) for name in ("first_day", "last_day"))
    row, day = truth.mowings(first, last)
    return mowing_figures(results, events, parcels.of(results["new_id"].to_numpy().astype(np.int64)), row, day)


def _practices(
    connection: Connection, product: Product, parcels: _Parcels, truth: Truth, absent: dict[str, str]
) -> list[Figure]:
    made, skipped = product.metadata["practices"], product.metadata["skipped_practices"]
    as_of = date.fromisoformat(product.metadata["run"]["as_of"])
    figures: list[Figure] = []
    for practice in (_HARVEST_OF, *VERDICTS_OF):
        if practice not in made:
            absent[f"s4c_l4c {practice}"] = _why(practice, skipped)
            continue
        results: pa.Table = results_l4c.read_results(connection, product.id, practice=practice)
        rows = parcels.of(results["new_id"].to_numpy().astype(np.int64))
        if practice == _HARVEST_OF:
            figures += harvest_figures(results, rows, truth, as_of)
        else:
            figures += verdict_figures(practice, results, rows, truth, as_of)
    return figures


def _why(practice: str, skipped: Mapping[str, Any]) -> str:
    return str(skipped.get(practice, "the configuration does not ask for this practice"))
