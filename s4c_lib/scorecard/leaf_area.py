"""Leaf area of L3B, as means of parcels, against the true leaf area of the day."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.scorecard.figures import Figure
from s4c_lib.scorecard.truth import LeafArea
from s4c_lib.statistics.matrices import EnoughPixels, Series

_PRODUCT: Final = "l3b"
_TRULY_CLEAR: Final = 0.99
_UNIT: Final = "m²/m²"
ENOUGH: Final = EnoughPixels(min_n=10, min_share=0.5)
"""Which parcel means are compared: as in ``benchmarks/vegetation_accuracy.py``."""

Floats = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


def leaf_area_figures(series: Series, row_of: Int64, parcels: Int64, truth: LeafArea) -> list[Figure]:
    """Compare parcel means with the truth, on dates when neither cloud nor shadow touches the parcel.

    Parameters
    ----------
    series : LAI of parcels. row_of : int64 (parcels of the series,), row in the truth, -1 where it is not known.
    parcels : int64 (parcels of the truth,), their numbers there, ascending.
    """
    days = series.time.astype("datetime64[D]")
    true = _matrix(truth.daily, "lai", parcels, days)
    seen = _matrix(truth.clear, "clear_share", parcels, days)
    known = row_of >= 0
    mean = series.mean[known].astype(np.float64)
    true, seen = true[row_of[known]], seen[row_of[known]]
    error = (mean - true)[np.isfinite(mean) & np.isfinite(true) & (seen >= _TRULY_CLEAR)]
    n = len(error)
    rmse = float(np.sqrt((error**2).mean())) if n else float("nan")
    bias = float(error.mean()) if n else float("nan")
    return [
        Figure(_PRODUCT, "lai_rmse", rmse, _UNIT, n, "leaf area of parcels on clear dates: typical error (RMSE)"),
        Figure(_PRODUCT, "lai_bias", bias, _UNIT, n, "the same: how much too much is reported, mean"),
    ]


def _matrix(table: pa.Table, column: str, parcels: Int64, days: npt.NDArray[np.datetime64]) -> Floats:
    """A column by parcel and day, float64 (parcels, days), the least where a day has several; NaN for none."""
    day = table["date" if "date" in table.column_names else "time"].to_numpy().astype("datetime64[D]")
    wanted, back = np.unique(days, return_inverse=True)
    at = np.searchsorted(wanted, day)
    row = np.searchsorted(parcels, table["parcel_id"].to_numpy())
    inside = (at < len(wanted)) & (row < len(parcels))
    inside[inside] = wanted[at[inside]] == day[inside]
    result = np.full((len(parcels), len(wanted)), np.nan)
    np.fmin.at(result, (row[inside], at[inside]), table[column].to_numpy().astype(np.float64)[inside])
    return result[:, back]
