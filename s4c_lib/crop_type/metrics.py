"""Accuracy of a classification on validation parcels (spec/l4a-crop-type.md §10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DECILES: Final = 10


@dataclass(frozen=True, slots=True)
class Decile:
    """Confidence against accuracy of the parcels whose confidence lies in [low, high).

    Parameters
    ----------
    n : parcels. confidence : mean CT_conf_1, accuracy : share predicted as declared; NaN when n is 0.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """Agreement of predicted and declared classes.

    Parameters
    ----------
    classes : int32 (C,), ascending: predicted or declared (D-25).
    confusion : int64 (C, C), rows predicted, columns declared.
    overall, kappa : NaN where undefined (no parcel; kappa also when chance explains everything).
    user, producer, f1 : float64 (C,), NaN where undefined.
    macro_f1 : mean F1 of the declared classes; one that is never right counts 0.
    by_area : share of the area predicted as declared, NaN without areas.
    top_2 : share of parcels declared as one of the two most likely classes.
    by_size : overall accuracy and parcels of ``small`` (below best-s2-pix) and ``good`` ones.
    by_tile : the same by tile, sorted; empty when tiles are not known.
    reliability : ten deciles of confidence.
    """

    classes: Int32
    confusion: Int64
    overall: float
    kappa: float
    user: Floats
    producer: Floats
    f1: Floats
    macro_f1: float
    by_area: float
    top_2: float
    by_size: Mapping[str, tuple[float, int]]
    by_tile: Mapping[str, tuple[float, int]]
    reliability: Sequence[Decile]

    @property
    def parcels(self) -> int:
        """Validation parcels."""
        return int(self.confusion.sum())

    def as_json(self) -> dict[str, Any]:
        """Return what ``metrics.json`` holds; undefined figures are None."""
        classes = [
            {
                "class": int(number),
                "predicted": int(self.confusion[at].sum()),
                "declared": int(self.confusion[:, at].sum()),
                "correct": int(self.confusion[at, at]),
                "user_accuracy": _defined(self.user[at]),
                "producer_accuracy": _defined(self.producer[at]),
                "f1": _defined(self.f1[at]),
            }
            for at, number in enumerate(self.classes)
        ]
        return {
            "parcels": self.parcels,
            "overall_accuracy": _defined(self.overall),
            "kappa": _defined(self.kappa),
            "macro_f1": _defined(self.macro_f1),
            "area_weighted_accuracy": _defined(self.by_area),
            "top_2_accuracy": _defined(self.top_2),
            "by_size": {name: _group(*figures) for name, figures in self.by_size.items()},
            "by_tile": {name: _group(*figures) for name, figures in self.by_tile.items()},
            "reliability": [
                {
                    "from": one.low,
                    "to": one.high,
                    "parcels": one.n,
                    "mean_confidence": _defined(one.confidence),
                    "accuracy": _defined(one.accuracy),
                }
                for one in self.reliability
            ],
            "classes": classes,
        }


def measure(
    declared: Int32,
    pred_1: Int32,
    pred_2: Int32,
    conf_1: npt.NDArray[np.float32],
    *,
    good: npt.NDArray[np.bool_] | None = None,
    area: Floats | None = None,
    tile: npt.NDArray[np.object_] | None = None,
) -> Metrics:
    """Compare predictions with declarations, both (N,) by parcel.

    Parameters
    ----------
    pred_2 : -1 where there is none. conf_1 : probability of `pred_1`, 0-1.
    good : parcels with at least best-s2-pix pixels; None counts all as good.
    area : m2. tile : name or None by parcel.
    """
    classes = np.unique(np.concatenate([declared, pred_1])).astype(np.int32)
    confusion = confusion_matrix(classes, pred_1, declared)
    right = pred_1 == declared
    user, producer, f1 = _by_class(confusion)
    overall, kappa = _agreement(confusion)
    is_declared = confusion.sum(axis=0) > 0
    macro = float(np.nan_to_num(f1[is_declared]).mean()) if is_declared.any() else np.nan
    large = np.ones(len(declared), dtype=np.bool_) if good is None else good
    return Metrics(
        classes=classes,
        confusion=confusion,
        overall=overall,
        kappa=kappa,
        user=user,
        producer=producer,
        f1=f1,
        macro_f1=macro,
        by_area=_weighted(right, area),
        top_2=_share(right | (pred_2 == declared)),
        by_size={"small": _figures(right[~large]), "good": _figures(right[large])},
        by_tile=_by_tile(right, tile),
        reliability=_reliability(conf_1, right),
    )


def confusion_matrix(classes: Int32, predicted: Int32, declared: Int32) -> Int64:
    """Count pairs; int64 (C, C), rows predicted, columns declared, over `classes` (ascending, all that occur)."""
    size = len(classes)
    pairs = np.searchsorted(classes, predicted) * size + np.searchsorted(classes, declared)
    return np.bincount(pairs, minlength=size * size).reshape(size, size).astype(np.int64)


def largest_confusions(confusion: Int64, at: int, *, of: str, number: int = 3) -> list[tuple[int, float]]:
    """Return the classes most confused with class `at`, as positions with their per cent of the sum, largest first.

    Parameters
    ----------
    of : ``user`` takes the row (what is predicted as it), ``producer`` the column (what it is predicted as).
    number : at most so many; zeros are left out, ties go to the lower position.
    """
    line = (confusion[at] if of == "user" else confusion[:, at]).astype(np.float64)
    total = line.sum()
    line[at] = 0
    order = np.argsort(-line, kind="stable")[:number]
    return [(int(other), round(100 * float(line[other] / total), 1)) for other in order if line[other] > 0]


def _agreement(confusion: Int64) -> tuple[float, float]:
    total = float(confusion.sum())
    if total == 0:
        return np.nan, np.nan
    overall = float(np.trace(confusion)) / total
    chance = float(confusion.sum(axis=1).astype(np.float64) @ confusion.sum(axis=0)) / total**2
    return overall, (overall - chance) / (1 - chance) if chance < 1 else np.nan


def _by_class(confusion: Int64) -> tuple[Floats, Floats, Floats]:
    correct = np.diag(confusion).astype(np.float64)
    user = _ratio(correct, confusion.sum(axis=1))
    producer = _ratio(correct, confusion.sum(axis=0))
    return user, producer, _ratio(2 * user * producer, user + producer)


def _ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> Floats:
    result = np.full(len(part), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def _weighted(right: npt.NDArray[np.bool_], area: Floats | None) -> float:
    if area is None:
        return np.nan
    known = np.isfinite(area) & (area > 0)
    return float(area[known & right].sum() / area[known].sum()) if known.any() else np.nan


def _share(right: npt.NDArray[np.bool_]) -> float:
    return float(right.mean()) if len(right) else np.nan


def _figures(right: npt.NDArray[np.bool_]) -> tuple[float, int]:
    return _share(right), len(right)


def _by_tile(right: npt.NDArray[np.bool_], tile: npt.NDArray[np.object_] | None) -> dict[str, tuple[float, int]]:
    if tile is None:
        return {}
    names = np.array(["" if name is None else str(name) for name in tile])
    return {str(name): _figures(right[names == name]) for name in np.unique(names) if name}


def _reliability(confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> tuple[Decile, ...]:
    # Confidences are tenths and hundredths that binary fractions only approach: 0.7 belongs to the decile from 0.7.
    bins = np.clip(np.floor(confidence.astype(np.float64) * DECILES + 1e-6), 0, DECILES - 1).astype(np.int64)
    return tuple(
        Decile(
            at / DECILES,
            (at + 1) / DECILES,
            int((bins == at).sum()),
            float(confidence[bins == at].mean(dtype=np.float64)) if (bins == at).any() else np.nan,
            _share(right[bins == at]),
        )
        for at in range(DECILES)
    )


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _group(accuracy: float, parcels: int) -> dict[str, Any]:
    return {"overall_accuracy": _defined(accuracy), "parcels": parcels}
