"""Parcels of three crops as a forest sees them, and classifications around given frequencies."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.classification import Classification


class Seen(NamedTuple):
    """Share of the crops, distance of their centres in deviations, and the exponent that flattens probabilities."""

    shares: tuple[float, float, float]
    distance: float
    caution: float


SEEN: Final = Seen((0.7, 0.25, 0.05), 3.0, 0.5)


def seen_parcels(count: int, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], np.random.Generator]:
    """Return true crops (count,), frequencies (count, 3) of a balanced, too cautious forest, and the generator."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, count, p=SEEN.shares)
    centres = SEEN.distance * np.eye(3)
    at = centres[truth] + rng.normal(size=(count, 3))
    logits = -((at[:, None, :] - centres) ** 2).sum(axis=2) / 2 * SEEN.caution
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    frequencies = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
    return truth.astype(np.int64), frequencies, rng


def classification(
    frequencies: npt.NDArray[np.float32],
    declared: npt.NDArray[np.int64],
    *,
    purpose: int = 2,
    judged_by: int = 1,
    left_out: tuple[str, ...] = (),
    parcel_id: npt.NDArray[np.int64] | None = None,
) -> Classification:
    """Make a classification of classes 10, 20, 30...: the given parcels, then others of these statuses."""
    count, classes = frequencies.shape
    total = count + len(left_out)
    numbers = np.arange(10, 10 * classes + 1, 10, dtype=np.int32)
    order = np.argsort(-frequencies, axis=1, kind="stable")
    none = np.full(len(left_out), -1, np.int32)
    return Classification(
        parcel_id=np.arange(1, total + 1) if parcel_id is None else parcel_id,
        status=np.array(["classified"] * count + list(left_out)),
        purpose=np.array([purpose] * count + [0] * len(left_out), np.int8),
        strategy=np.array([3] * count + [0] * len(left_out), np.int8),
        declared=np.concatenate([numbers[declared], none]),
        pred_1=np.concatenate([numbers[order[:, 0]], none]),
        conf_1=np.concatenate([frequencies.max(axis=1), np.full(len(left_out), np.nan, np.float32)]),
        pred_2=np.concatenate([numbers[order[:, 1]], none]),
        conf_2=np.full(total, np.nan, np.float32),
        judged_by=np.array([judged_by] * count + [0] * len(left_out), np.uint8),
        imputed=np.zeros(total, np.bool_),
        rows=np.arange(count),
        probabilities=frequencies,
        classes=numbers,
        counts={},
        feature_names=(),
        importances=np.empty(0),
        model=None,
        metrics=None,
    )
