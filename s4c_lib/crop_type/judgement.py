"""Verdict on every declaration: confirmed, contradicted, or cannot tell, at an error rate the user chooses.

Three numbers bound what a user would call an error: the expected share of right declarations among the contradicted
(false discovery rate by local chances: Efron 2010, *Large-Scale Inference*, chapter 5); the share of a crop's parcels
that may be contradicted at all (`atypicality`), which holds even if the chances are badly off; and for the confirmed
the weight of evidence, which does not lean on declarations being mostly right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.atypicality import share_as_unusual
from s4c_lib.crop_type.calibration import FEWEST, Calibration, calibrated_apart
from s4c_lib.crop_type.classification import CALIBRATION, JUDGED_BY_ALL_TREES, Classification
from s4c_lib.crop_type.declared_chance import DeclaredChance, declared_chance
from s4c_lib.crop_type.eligibility import CLASSIFIED
from s4c_lib.crop_type.learning_settings import PREFIX
from s4c_lib.crop_type.ranking import review_rank
from s4c_lib.errors import ParameterError

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CONFIRMED: Final = "confirmed"
CONTRADICTED: Final = "contradicted"
CANNOT_TELL: Final = "cannot tell"
VERDICTS: Final = (CONFIRMED, CONTRADICTED, CANNOT_TELL)

AS_DECLARED: Final = "as_declared"
OTHER_CROP: Final = "other_crop"
SELF_TAUGHT: Final = "self_taught"
TOO_FEW_PARCELS: Final = "too_few_parcels"
CROP_SUSPECT: Final = "crop_suspect"
FEW_DATES: Final = "few_dates"
SMALL_PARCEL: Final = "small_parcel"
CONFUSED: Final = "confused"
UNSURE: Final = "unsure"

_OFTEN: Final = 0.05
"""A pair of classes is often confused when at least this share of one looks most like the other."""
_LONG_GAP_DAYS: Final = 15
"""Dates are few when the regular dates lie further than this from a clear one, on average."""


@dataclass(frozen=True, slots=True)
class JudgementSettings:
    """How declarations are judged.

    Parameters
    ----------
    error_rate : alpha, in ]0, 0.5]. Contradicted are as many declarations as keep the expected share of right ones
        among them at most alpha, each more probably wrong than right, and in no crop more than alpha and the estimated
        share of wrong declarations together, at most twice alpha. Confirmed are those that would be wrong with a
        chance of at most alpha even if every second declaration were wrong.
    by_area : rank for review by chance times area.

    Raises
    ------
    ParameterError : a rate outside ]0, 0.5].
    """

    error_rate: float = 0.05
    by_area: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.error_rate <= 0.5:
            raise ParameterError(f"{PREFIX}judgement_error_rate is {self.error_rate}; it must be above 0, at most 0.5.")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> JudgementSettings:
        """Read the settings from parameters by key; a key that is not there keeps its default."""
        standard = cls()
        return cls(
            values.get(f"{PREFIX}judgement_error_rate", standard.error_rate),
            values.get(f"{PREFIX}review_order", "chance") == "area",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Verdicts of parcels; one an index of the columns of length P, as in the classification.

    Parameters
    ----------
    verdict : str (P,), one of VERDICTS; parcels that were not classified: cannot tell.
    reason : str (P,), why: a code of `judgement_reasons.words`, or the status of a parcel that was not classified.
    chance_wrong : float32 (P,), calibrated chance that another crop grows there, NaN where it was not judged.
    other : int32 (P,), class that most likely grows there if the declaration is wrong, -1 where not judged.
    as_unusual : float32 (P,), share of the parcels declared alike that are at least as unusual, NaN where not judged.
    rank : int32 (P,), 1 is to be reviewed first, 0 where not judged.
    rows : int64 (J,), rows of the judged parcels, ascending.
    probabilities : float32 (J, C), calibrated, of `rows`.
    classes : int32 (C,), CTnumL4A ascending.
    calibration : None when too few parcels could be judged.
    error_rate : as asked for.
    """

    parcel_id: Int64
    declared: Int32
    verdict: npt.NDArray[np.str_]
    reason: npt.NDArray[np.str_]
    chance_wrong: npt.NDArray[np.float32]
    other: Int32
    as_unusual: npt.NDArray[np.float32]
    rank: Int32
    rows: Int64
    probabilities: npt.NDArray[np.float32]
    classes: Int32
    calibration: Calibration | None
    error_rate: float


def judge(
    classification: Classification,
    settings: JudgementSettings,
    *,
    area: Floats | None = None,
    small: Bools | None = None,
    gap_days: Floats | None = None,
) -> Judgement:
    """Judge every declaration by predictions made without it.

    The result depends on the classification only, not on an order or a generator.

    Parameters
    ----------
    area : m2 (P,), needed to rank by area.
    small : bool (P,), parcels of few pixels; gap_days : float (P,), mean days from the regular dates to the nearest
        clear one, NaN unknown. Both only say why nothing can be told.

    Raises
    ------
    ParameterError : ranked by area without areas.
    """
    if settings.by_area and area is None:
        raise ParameterError(
            f"{PREFIX}review_order is area, but the areas of the parcels are not known.", hint="take chance"
        )
    count = len(classification.parcel_id)
    unlearnt = _not_learnt_from(classification)
    rows, frequencies = classification.rows[unlearnt], classification.probabilities[unlearnt]
    verdict = np.full(count, CANNOT_TELL, dtype=f"U{max(map(len, VERDICTS))}")
    reason = classification.status.astype(object)
    reason[classification.rows] = SELF_TAUGHT
    if len(rows) < FEWEST:
        reason[rows] = TOO_FEW_PARCELS
        return _unjudged(classification, verdict, reason, settings)
    declared = np.searchsorted(classification.classes, classification.declared[rows]).astype(np.int64)
    calibration, probabilities = calibrated_apart(frequencies, declared, classification.parcel_id[rows])
    chance = declared_chance(probabilities, declared, calibration)
    unusual = share_as_unusual(chance.odds, declared, fewest=int(np.ceil(1 / settings.error_rate)))
    alpha = settings.error_rate
    confirmed = chance.wrong_at_even <= alpha
    suspect = (chance.wrong >= 0.5) & ~confirmed
    # As many as are estimated to be wrong may stand before the first that is right; the estimate is not trusted far.
    usual = unusual > alpha + min(alpha, calibration.wrong_share)
    contradicted = suspect & ~usual & _few_right(chance, suspect & ~usual, alpha)
    verdict[rows] = np.select([confirmed, contradicted], [CONFIRMED, CONTRADICTED], CANNOT_TELL)
    often = _often_confused(probabilities, declared)[declared, chance.other]
    few_dates = np.zeros(len(rows), np.bool_) if gap_days is None else gap_days[rows] > _LONG_GAP_DAYS
    few_pixels = np.zeros(len(rows), np.bool_) if small is None else small[rows]
    reason[rows] = np.select(
        [confirmed, contradicted, suspect & usual, few_dates, few_pixels, often],
        [AS_DECLARED, OTHER_CROP, CROP_SUSPECT, FEW_DATES, SMALL_PARCEL, CONFUSED],
        UNSURE,
    )
    weight = np.ones(count) if area is None or not settings.by_area else area
    return Judgement(
        classification.parcel_id,
        classification.declared,
        verdict,
        reason.astype(str),
        _spread(chance.wrong.astype(np.float32), rows, count, np.nan),
        _spread(classification.classes[chance.other], rows, count, -1),
        _spread(unusual.astype(np.float32), rows, count, np.nan),
        _spread(review_rank(classification.parcel_id[rows], chance.odds, chance.wrong, weight[rows]), rows, count, 0),
        rows,
        probabilities,
        classification.classes,
        calibration,
        alpha,
    )


def _few_right(chance: DeclaredChance, among: Bools, alpha: float) -> Bools:
    """Parcels with the highest odds, as many as keep the mean chance of being right at most `alpha`, bool (N,)."""
    order = np.argsort(-chance.odds[among], kind="stable")
    odds, right = chance.odds[among][order], 1 - chance.wrong[among][order]
    enough = np.flatnonzero(np.cumsum(right) <= alpha * np.arange(1, len(right) + 1))
    result: Bools = chance.odds >= odds[enough[-1]] if len(enough) else np.zeros(len(among), np.bool_)
    return result


def _not_learnt_from(classification: Classification) -> Bools:
    """Classified parcels whose prediction does not know their declaration, bool (E,)."""
    rows = classification.rows
    taught = (classification.purpose[rows] == CALIBRATION) & (classification.judged_by[rows] == JUDGED_BY_ALL_TREES)
    known = np.isfinite(classification.probabilities).all(axis=1)
    result: Bools = ~taught & known & (classification.status[rows] == CLASSIFIED)
    return result


def _often_confused(probabilities: npt.NDArray[np.float32], declared: Int64) -> Bools:
    """Whether at least the share _OFTEN of a class (row) looks most like another (column), bool (C, C)."""
    classes = probabilities.shape[1]
    pairs = np.bincount(declared * classes + probabilities.argmax(axis=1), minlength=classes * classes)
    counts = pairs.reshape(classes, classes)
    result: Bools = counts >= _OFTEN * np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return result


def _unjudged(
    classification: Classification, verdict: npt.NDArray[np.str_], reason: npt.NDArray[Any], settings: JudgementSettings
) -> Judgement:
    count, classes = len(verdict), len(classification.classes)
    unknown = np.full(count, np.nan, np.float32)
    return Judgement(
        classification.parcel_id,
        classification.declared,
        verdict,
        reason.astype(str),
        unknown,
        np.full(count, -1, np.int32),
        unknown.copy(),
        np.zeros(count, np.int32),
        np.empty(0, np.int64),
        np.empty((0, classes), np.float32),
        classification.classes,
        None,
        settings.error_rate,
    )


def _spread(values: npt.NDArray[Any], rows: Int64, count: int, otherwise: float) -> npt.NDArray[Any]:
    result = np.full(count, otherwise, dtype=values.dtype)
    result[rows] = values
    return result
