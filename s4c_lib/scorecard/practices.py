"""Harvest weeks and verdicts on practices against what the simulated farmer did."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.practices.codes import Found, Verdict
from s4c_lib.practices.validation import harvest_score, verdict_score
from s4c_lib.scorecard.figures import SHARE, Figure, share
from s4c_lib.scorecard.truth import Truth
from s4c_lib.synthetic.crops import CROPS, CatchCrop

_PRODUCT: Final = "s4c_l4c"
_FIXING: Final = tuple(crop.code for crop in CROPS if crop.nitrogen_fixing)
_FALLOW: Final = tuple(crop.code for crop in CROPS if crop.fallow)
_WORDS: Final = {"CC": "catch crops", "FL": "fallow parcels", "NFC": "nitrogen-fixing crops"}
VERDICTS_OF: Final = tuple(_WORDS)
"""Practices whose verdicts are judged, by short name; harvest is that of ``NA``."""

Bools = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]


def harvest_figures(results: pa.Table, row_of: Int64, truth: Truth, as_of: date) -> list[Figure]:
    """Compare harvest weeks with harvests.

    Parameters
    ----------
    results : columns of ``l4c_result``, rows of practice NA.
    row_of : int64 (results,), row in the truth, -1 where it is not known.
    as_of : last day the product knows of.
    """
    known = row_of >= 0
    rows = results.filter(pa.array(known))
    day = truth.days("harvest", as_of)[row_of[known]]
    found = np.array([Found[state or "NA"] for state in rows["h_state"].to_pylist()], np.int8)
    score = harvest_score(found, _days(rows, "h_w_start"), day)
    hit = score.found
    lines = (
        ("harvest_found", score.found / score.true if score.true else float("nan"), SHARE, score.true,
         "harvested parcels for which a harvest is reported"),
        ("harvest_error", score.absolute, "d", hit, "of these: from the day to the middle of the week, mean"),
        ("harvest_near", score.rates["near"], SHARE, hit, "of these: at most one week off"),
        ("harvest_false", score.rates["false"], SHARE, score.evaluated - score.true,
         "parcels not harvested by then for which one is reported"),
    )  # fmt: skip
    return [Figure(_PRODUCT, *line) for line in lines]


def verdict_figures(practice: str, results: pa.Table, row_of: Int64, truth: Truth, as_of: date) -> list[Figure]:
    """Compare the verdicts of a practice with whether it was kept; STRONG and MODERATE agree, WEAK and POOR object.

    Parameters
    ----------
    practice : of `VERDICTS_OF`.
    """
    known = row_of >= 0
    rows = results.filter(pa.array(known))
    kept = _kept(practice, rows, row_of[known], truth, as_of)
    verdicts = np.array([Verdict[text or "NA"] for text in rows["c_index"].to_pylist()], np.int8)
    score = verdict_score(verdicts, kept)
    decided = np.isin(verdicts, (Verdict.STRONG, Verdict.MODERATE, Verdict.WEAK, Verdict.POOR))
    name, what = practice.lower(), _WORDS[practice]
    were_kept, were_broken = score.agreed_kept + score.objected_kept, score.agreed_broken + score.objected_broken
    lines = (
        (f"{name}_decided", share(decided, np.ones(len(rows), np.bool_)), len(rows),
         f"declared {what} with a verdict by the last day; the others cannot be told, or not yet"),
        (f"{name}_kept_agreed", score.agreement.recall, were_kept, f"{what} that were kept: the verdict agrees"),
        (f"{name}_broken_objected", score.objection.recall, were_broken,
         f"{what} that were not kept: the verdict objects"),
    )  # fmt: skip
    return [Figure(_PRODUCT, key, value, SHARE, n, words) for key, value, n, words in lines]


def _kept(practice: str, rows: pa.Table, row_of: Int64, truth: Truth, as_of: date) -> Bools:
    """Whether the practice was kept: it grows there; a catch crop also came up and stood as long as its period is."""
    if practice != "CC":
        grows: Bools = np.isin(truth.texts("true_crop")[row_of].astype(str), _FALLOW if practice == "FL" else _FIXING)
        return grows
    kind = truth.texts("catch_crop")[row_of].astype(str)
    sown = truth.days("catch_crop_sowing", as_of)[row_of]
    since: Days = np.where(kind == CatchCrop.UNDERSOWN.name.lower(), truth.days("harvest", as_of)[row_of], sown)
    needed = _days(rows, "p_end") - _days(rows, "p_start") + np.timedelta64(1, "D")
    # never where it was left to stand; nor where no period was told, and then there is no verdict either
    too_short = truth.days("catch_crop_destruction", as_of)[row_of] < since + needed
    came_up = ~np.isnat(truth.days("catch_crop_emergence", as_of)[row_of])
    stood: Bools = came_up & (kind != CatchCrop.NONE.name.lower()) & ~np.isnat(since) & ~too_short
    return stood


def _days(rows: pa.Table, column: str) -> Days:
    found: Days = rows[column].to_numpy(zero_copy_only=False).astype("datetime64[D]")
    return found
