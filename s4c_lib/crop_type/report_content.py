"""What the crop type report tells, put together from the classification and the judgement."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.classification import UNKNOWN, Classification
from s4c_lib.crop_type.crop_parcels import CropParcels
from s4c_lib.crop_type.feature_names import FURTHER, table_of
from s4c_lib.crop_type.judgement import CONFIRMED, VERDICTS, Judgement
from s4c_lib.crop_type.metrics import Decile, largest_confusions, measure
from s4c_lib.crop_type.product_tables import ClassNames

_SOURCES: Final = {
    "opt_main": "S2 bands and indices",
    "opt_re": "S2 red edge and SWIR2",
    "sar_main": "S1 weekly",
    "sar_temp": "S1 bi-monthly and season",
    FURTHER: "further variables",
}
_DAY: Final = re.compile(r"XX_(\d{4})_(\d\d)_\d\d_")
_WEEK: Final = re.compile(r"XX_W(\d{4})(\d\d)_")
_MONTH: Final = re.compile(r"XX_M(\d{4})(\d\d)_")


@dataclass(frozen=True, slots=True, eq=False)
class ReportContent:
    """Everything on the page.

    Attributes
    ----------
    about : short facts below the title, such as site, season and dates.
    parcel_names : object (parcels,), identifier of the agency; None where it has none.
    uncalibrated : deciles of the validation parcels before calibration.
    notes : sentences about what was missing or done otherwise.
    holdings : holdings by diagnosis of crop diversification, when it was evaluated.
    facts : parameters, versions and inputs, by section.
    """

    title: str
    about: Sequence[str]
    classification: Classification
    parcels: CropParcels
    names: ClassNames
    parcel_names: npt.NDArray[np.object_]
    judgement: Judgement | None = None
    uncalibrated: Sequence[Decile] = ()
    notes: Sequence[str] = ()
    holdings: Mapping[str, int] = field(default_factory=dict)
    rule_set: str = ""
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def name(self, number: int) -> str:
        """Return the name of a class."""
        return self.names.get(int(number), str(number))

    def verdicts(self, of: npt.NDArray[np.bool_] | None = None) -> dict[str, int]:
        """Return classified parcels by verdict, of all or of some (mask); nothing without a judgement."""
        if self.judgement is None:
            return {}
        classified = self.classification.pred_1 != UNKNOWN
        verdict = self.judgement.verdict[classified if of is None else classified & of]
        return {name: int((verdict == name).sum()) for name in VERDICTS}

    def doubtful(self, of: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
        """Return rows of judged declarations that are not confirmed, the most doubtful first."""
        if self.judgement is None:
            return np.empty(0, np.int64)
        open_ = (self.judgement.rank > 0) & (self.judgement.verdict != CONFIRMED)
        rows = np.flatnonzero(open_ if of is None else open_ & of)
        return rows[np.argsort(self.judgement.rank[rows], kind="stable")]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One learnt class.

    Attributes
    ----------
    parcels, area_ha : declared and not left out for their geometry. classified, calibration, validation : of these.
    user, producer, f1 : NaN where undefined. verdicts : parcels by verdict.
    taken_for, mistaken : classes that its parcels are predicted as, and that are predicted as it, with per cent.
    """

    number: int
    name: str
    strategy: int
    parcels: int
    area_ha: float
    classified: int
    calibration: int
    validation: int
    user: float
    producer: float
    f1: float
    verdicts: Mapping[str, int]
    taken_for: Sequence[tuple[str, float]]
    mistaken: Sequence[tuple[str, float]]


def classes_of(content: ReportContent) -> list[ClassFigures]:
    """Return the learnt classes by decreasing area (or parcels, where areas are not known)."""
    of, parcels = content.classification, content.parcels
    taken = np.array([reason is None for reason in parcels.reason], np.bool_)
    found = []
    for number in of.classes.tolist():
        its = taken & (of.declared == number)
        at = -1 if of.metrics is None else int(np.searchsorted(of.metrics.classes, number))
        known = of.metrics is not None and at < len(of.metrics.classes) and of.metrics.classes[at] == number
        user = producer = f1 = np.nan
        taken_for: list[tuple[str, float]] = []
        mistaken: list[tuple[str, float]] = []
        if known and of.metrics is not None:
            user, producer, f1 = (float(values[at]) for values in (of.metrics.user, of.metrics.producer, of.metrics.f1))
            taken_for, mistaken = (
                [
                    (content.name(of.metrics.classes[other]), share)
                    for other, share in largest_confusions(of.metrics.confusion, at, of=side)
                ]
                for side in ("producer", "user")
            )
        verdicts = content.verdicts(its)
        found.append(
            ClassFigures(
                number,
                content.name(number),
                int(of.strategy[its].max(initial=0)),
                int(its.sum()),
                0.0 if parcels.area is None else float(np.nansum(parcels.area[its])) / 10_000,
                int((of.pred_1[its] != UNKNOWN).sum()),
                int((of.purpose[its] == 1).sum()),
                int((of.purpose[its] == 2).sum()),
                user,
                producer,
                f1,
                verdicts,
                taken_for,
                mistaken,
            )
        )
    return sorted(found, key=lambda one: (-one.area_ha, -one.parcels, one.number))


def calibrated_deciles(judgement: Judgement) -> Sequence[Decile]:
    """Return confidence against accuracy of the calibrated probabilities, over all judged parcels."""
    if judgement.calibration is None:
        return ()
    best = judgement.probabilities.argmax(axis=1)
    first = judgement.classes[best]
    confidence = judgement.probabilities[np.arange(len(best)), best]
    return measure(judgement.declared[judgement.rows], first, np.full_like(first, UNKNOWN), confidence).reliability


def importance_by_source(classification: Classification) -> list[tuple[str, float]]:
    """Return the share of the importance of each kind of features, the largest first."""
    shares: dict[str, float] = {}
    for name, value in zip(classification.feature_names, classification.importances.tolist(), strict=True):
        source = _SOURCES[table_of(name)]
        shares[source] = shares.get(source, 0.0) + value
    return sorted(shares.items(), key=lambda item: (-item[1], item[0]))


def importance_by_month(classification: Classification) -> list[tuple[str, float]]:
    """Return the share of the importance of features of each month, in order; those of whole seasons come last."""
    shares: dict[str, float] = {}
    for name, value in zip(classification.feature_names, classification.importances.tolist(), strict=True):
        month = _month_of(name)
        shares[month] = shares.get(month, 0.0) + value
    return [(_shown_month(month), share) for month, share in sorted(shares.items())]


_SEASON: Final = "9999-99"


def _month_of(name: str) -> str:
    if day := _DAY.match(name):
        return f"{day[1]}-{day[2]}"
    if month := _MONTH.match(name):
        return f"{month[1]}-{month[2]}"
    if week := _WEEK.match(name):
        # the Monday of the week, as the week's number counts them
        monday = datetime.strptime(f"{week[1]} {week[2]} 1", "%Y %W %w").replace(tzinfo=UTC)
        return f"{monday:%Y-%m}"
    return _SEASON


def _shown_month(month: str) -> str:
    if month == _SEASON:
        return "season"
    names = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return names[int(month[5:]) - 1]
