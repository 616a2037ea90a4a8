"""Mowing events against what was really mown."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.mowing.events import Mission, make_events
from s4c_lib.mowing.validation import Truths, count_error, match, one_to_one_score, timing
from s4c_lib.scorecard.figures import SHARE, Figure

_PRODUCT: Final = "s4c_l4b"
_DAYS: Final = 3

Int64 = npt.NDArray[np.int64]


def mowing_figures(
    results: pa.Table, events: pa.Table, row_of: Int64, truth_row: Int64, truth_day: npt.NDArray[np.datetime64]
) -> list[Figure]:
    """Compare reported events with mowings, one to one, as far apart as three days.

    All parcels that were looked at count, also those that are no grassland in truth: what is found there is wrong.

    Parameters
    ----------
    results, events : columns of ``l4b_result`` and ``l4b_event``.
    row_of : int64 (results,), row of each parcel in the truth, -1 where it is not known.
    truth_row, truth_day : mowings (mowings,): row of the truth, and the day.
    """
    judged = pc.fill_null(results["proc"], False).to_numpy(zero_copy_only=False) & (row_of >= 0)
    parcels = results["new_id"].to_numpy()[judged]
    order = np.argsort(parcels, kind="stable")
    parcels, rows = parcels[order], row_of[judged][order]
    reported = events.filter(pc.fill_null(events["reported"], False))
    number = reported["new_id"].to_numpy()
    at = np.searchsorted(parcels, number)
    ours = (at < len(parcels)) & np.isin(number, parcels)
    seen = reported.filter(pa.array(ours))
    found = make_events(
        parcel=at[ours],
        start=_seconds(seen["dstart"]),
        end=_seconds(seen["dend"]),
        confidence=seen["conf"].to_numpy(),
        missions=np.full(len(seen), Mission.S2),
        n=np.ones(len(seen)),
    ).in_order()
    place = {row: position for position, row in enumerate(rows.tolist())}
    among = np.isin(truth_row, rows)
    truths = Truths.of(len(parcels), [place[row] for row in truth_row[among].tolist()], truth_day[among])
    pairs = match(found, truths, backward_days=_DAYS, forward_days=_DAYS)
    score, dates = one_to_one_score(pairs), timing(found, truths, pairs)
    exact = count_error(truths, found, pairs).exact if len(parcels) else float("nan")
    matched = len(pairs.pair_truth)
    within = f"one to one, within {_DAYS} days"
    lines = (
        ("precision", score.precision, SHARE, len(found), f"events that are a mowing, {within}"),
        ("recall", score.recall, SHARE, len(truths), f"mowings that were found, {within}"),
        ("f1", score.f1, SHARE, len(found) + len(truths), "both in one: harmonic mean"),
        ("date_error", dates.middle_mean, "d", matched, "from the day to the middle of the interval given, mean"),
        ("date_outside", dates.outside_share, SHARE, matched, "found ones whose day lies outside of that interval"),
        ("count_exact", exact, SHARE, len(parcels), "parcels with the right number of mowings"),
    )
    return [Figure(_PRODUCT, *line) for line in lines]


def _seconds(column: pa.ChunkedArray) -> npt.NDArray[np.datetime64]:
    moments: npt.NDArray[np.datetime64] = column.to_numpy().astype("datetime64[s]")
    return moments
