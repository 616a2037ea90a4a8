"""Crop types and verdicts on declarations against the crops that really grow there."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.crop_type.eligibility import CLASSIFIED
from s4c_lib.crop_type.judgement import CONFIRMED, CONTRADICTED
from s4c_lib.crop_type.metrics import measure
from s4c_lib.scorecard.figures import SHARE, Figure, share

_PRODUCT: Final = "s4c_l4a"
_CHECKED: Final = 2
"""``ct_purpose`` of parcels that the forest has not learnt from."""
UNKNOWN: Final = -1


def crop_type_figures(results: pa.Table, true: npt.NDArray[np.int32]) -> list[Figure]:
    """Compare L4A with the truth.

    Parameters
    ----------
    results : columns of ``l4a_result``.
    true : int32 (rows,), CTnumL4A of what grows there, `UNKNOWN` where that is not known.
    """
    known = (true != UNKNOWN) & pc.equal(results["ct_status"], CLASSIFIED).to_numpy(zero_copy_only=False)
    rows, true = results.filter(pa.array(known)), true[known]
    predicted = pc.fill_null(rows["ct_pred_1"], UNKNOWN).to_numpy().astype(np.int32)
    second = pc.fill_null(rows["ct_pred_2"], UNKNOWN).to_numpy().astype(np.int32)
    chance = pc.fill_null(rows["ct_conf_1"], 0.0).to_numpy().astype(np.float32)
    declared = pc.fill_null(rows["ct_decl"], UNKNOWN).to_numpy()
    checked = pc.fill_null(pc.equal(rows["ct_purpose"], _CHECKED), False).to_numpy(zero_copy_only=False)
    verdict = rows["verdict"].to_numpy(zero_copy_only=False)
    judged = pc.fill_null(pc.greater(rows["review_rank"], 0), False).to_numpy(zero_copy_only=False)
    contradicted, confirmed = judged & (verdict == CONTRADICTED), judged & (verdict == CONFIRMED)
    wrong = declared != true
    among = measure(true[checked], predicted[checked], second[checked], chance[checked])
    every = np.ones(len(true), np.bool_)
    lines = (
        ("overall_accuracy", among.overall, checked, "validation parcels whose crop is the one that grows there"),
        ("macro_f1", among.macro_f1, checked, "the same, every crop counting alike: mean of their F1"),
        ("accuracy_all", share(predicted == true, every), every, "the same of all classified parcels"),
        ("wrong_found", share(contradicted, judged & wrong), judged & wrong,
         "wrong declarations that are contradicted"),
        ("contradicted_wrong", share(wrong, contradicted), contradicted,
         "contradicted declarations that are really wrong"),
        ("right_contradicted", share(contradicted, judged & ~wrong), judged & ~wrong,
         "right declarations that are contradicted"),
        ("confirmed_wrong", share(wrong, confirmed), confirmed, "confirmed declarations that are wrong all the same"),
    )  # fmt: skip
    return [Figure(_PRODUCT, name, value, SHARE, int(of.sum()), words) for name, value, of, words in lines]
