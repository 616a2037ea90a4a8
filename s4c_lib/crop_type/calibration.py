"""Probabilities of a forest made to agree with how often they come true, although some declarations are wrong.

A forest trained on balanced samples is too cautious where it is sure and knows nothing of how common a crop is. Fitted
is p_c proportional to exp(a log(f_c + FLOOR) + b_c) for forest frequencies f: one slope and one shift a class (vector
scaling: Guo et al. 2017, arXiv 1706.04599). A declaration is taken to be right with chance 1 - e and otherwise to name
another crop, so that wrong declarations do not teach the slope caution; e is fitted with the rest (noise-adaptation:
Sukhbaatar et al. 2014, arXiv 1406.2080). Only predictions made without the parcel's own declaration may be given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError

Floats = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

FLOOR: Final = 0.003
"""Frequencies below are not told apart: no parcel of the class reached a leaf, which is not an impossibility.

With the discriminant, which leaves no class without a chance, 0.01 hid that a declaration is wrong: the slope fell.
"""
FEWEST: Final = 20
"""Predictions that a calibration needs."""

_MOST: Final = 50_000
_BLOCK: Final = 1 << 16
_PARTS: Final = 5
_SHIFT_VARIANCE: Final = 1.0
_SLOPE_VARIANCE: Final = 1.0
# As if 1 wrong declaration had been seen among 50 checked ones.
_WRONG_SEEN, _RIGHT_SEEN = 1.0, 49.0
_BY_SHARE: Final = 0.25
_ECE_BINS: Final = 15


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """How forest frequencies become probabilities of the true crop.

    Parameters
    ----------
    slope : a, above 1 where the forest is too cautious.
    shift : float64 (C,), b of every class, sum not fixed.
    wrong_share : e, the estimated share of wrong declarations, 0-1.
    wrong_names : float64 (C, C), chance that a wrong declaration of true class (row) names a class (column).
    parcels : predictions it was fitted on.
    ece_before, ece_after : expected calibration error of the most likely class against the declarations.
    """

    slope: float
    shift: Floats
    wrong_share: float
    wrong_names: Floats
    parcels: int
    ece_before: float
    ece_after: float

    def probabilities(self, frequencies: Float32) -> Float32:
        """Return calibrated probabilities, float32 (N, C), rows summing to 1; rows of NaN stay so."""
        result: Float32 = np.empty(frequencies.shape, np.float32)
        for begin in range(0, len(frequencies), _BLOCK):
            block = frequencies[begin : begin + _BLOCK].astype(np.float64)
            result[begin : begin + _BLOCK] = _softmax(self.slope * np.log(block + FLOOR) + self.shift)
        return result


def calibrate(frequencies: Float32, declared: Positions) -> Calibration:
    """Fit a calibration by maximum likelihood, with weak priors that hold where there are few parcels.

    Parameters
    ----------
    frequencies : float32 (N, C), of forests that have not seen the parcel's declaration; finite.
    declared : int64 (N,), position of the declared class.

    Raises
    ------
    InputError : fewer than FEWEST parcels (code ``too_few_parcels``) or fewer than two classes.
    """
    count, classes = frequencies.shape
    if count < FEWEST:
        raise InputError(
            f"{count} parcels are predicted without their own declaration; calibration needs {FEWEST}.",
            code="too_few_parcels",
        )
    if classes < 2:
        raise InputError("Calibration needs at least two classes.", code="too_few_classes")
    return _fitted(frequencies, declared, _names_of_wrong(np.bincount(declared, minlength=classes)))


def calibrated_apart(
    frequencies: Float32, declared: Positions, parcel_id: npt.NDArray[np.int64]
) -> tuple[Calibration, Float32]:
    """Calibrate parcels without their own declarations: each of five parts by the others.

    Where there are few parcels, shifts that were fitted to their declarations would lean towards these. From
    50 000 / 5 parcels on that is of no account, and all are calibrated at once.

    Parameters
    ----------
    frequencies, declared : as in `calibrate`, which says what is raised.
    parcel_id : int64 (N,), decides the parts, so that the order of the rows does not.

    Returns
    -------
    The calibration by all parcels, and float32 (N, C) probabilities.
    """
    whole = calibrate(frequencies, declared)
    if len(declared) * _PARTS >= _MOST:
        return whole, whole.probabilities(frequencies)
    order = np.lexsort((parcel_id, declared))
    part = np.empty(len(declared), np.int64)
    part[order] = np.arange(len(declared)) % _PARTS
    probabilities: Float32 = np.empty_like(frequencies, dtype=np.float32)
    for number in range(_PARTS):
        own = part == number
        of_others = _fitted(frequencies[~own], declared[~own], whole.wrong_names, near=whole)
        probabilities[own] = of_others.probabilities(frequencies[own])
    return whole, probabilities


def _fitted(frequencies: Float32, declared: Positions, names: Floats, near: Calibration | None = None) -> Calibration:
    """Fit; the loss has one valley in practice, so that starting `near` another fit only saves time."""
    from scipy.optimize import minimize

    some = _spread_over_classes(declared)
    loss = _Loss(np.log(frequencies[some].astype(np.float64) + FLOOR), declared[some], names)
    share = _WRONG_SEEN / (_WRONG_SEEN + _RIGHT_SEEN) if near is None else near.wrong_share
    scale = [0.0] if near is None else [np.log(near.slope)]
    shifts = np.zeros(frequencies.shape[1]) if near is None else near.shift
    start = np.concatenate([scale, shifts, [np.log(share / (1 - share))]])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    slope, shift, wrong = float(np.exp(found[0])), found[1:-1], float(1 / (1 + np.exp(-found[-1])))
    rows = np.arange(len(some))
    before = frequencies[some].astype(np.float64)
    after = _softmax(slope * loss.logs + shift)
    top = after.argmax(axis=1)
    agrees = (1 - wrong) * after[rows, top] + wrong * (after * names.T[top]).sum(axis=1)
    return Calibration(
        slope,
        shift,
        wrong,
        names,
        len(declared),
        expected_calibration_error(before.max(axis=1), before.argmax(axis=1) == loss.declared),
        expected_calibration_error(agrees, top == loss.declared),
    )


def expected_calibration_error(confidence: Floats, came_true: npt.NDArray[np.bool_], bins: int = _ECE_BINS) -> float:
    """Return the mean gap of confidence and frequency over bins of equal counts; NaN without values."""
    if not len(confidence):
        return np.nan
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(part) * abs(float(confidence[part].mean()) - float(came_true[part].mean())) for part in parts]
    return float(sum(gaps) / len(order))


@dataclass(frozen=True, slots=True, eq=False)
class _Loss:
    """Negative log posterior of (log slope, shifts, log odds of wrong), and its gradient."""

    logs: Floats
    declared: Positions
    names: Floats

    def __call__(self, values: Floats) -> tuple[float, Floats]:
        rows = np.arange(len(self.declared))
        slope, shift, wrong = np.exp(values[0]), values[1:-1], 1 / (1 + np.exp(-values[-1]))
        true = _softmax(slope * self.logs + shift)
        named = self.names.T[self.declared]
        right = true[rows, self.declared]
        otherwise = (true * named).sum(axis=1)
        seen = (1 - wrong) * right + wrong * otherwise + 1e-300
        by_logit = true * (wrong * (named - otherwise[:, None]) - (1 - wrong) * right[:, None])
        by_logit[rows, self.declared] += (1 - wrong) * right
        by_logit /= seen[:, None]
        loss = (
            -np.log(seen).sum()
            + (shift**2).sum() / (2 * _SHIFT_VARIANCE)
            + values[0] ** 2 / (2 * _SLOPE_VARIANCE)
            - _WRONG_SEEN * np.log(wrong)
            - _RIGHT_SEEN * np.log1p(-wrong)
        )
        gradient = np.concatenate(
            [
                [-(by_logit * self.logs).sum() * slope + values[0] / _SLOPE_VARIANCE],
                -by_logit.sum(axis=0) + shift / _SHIFT_VARIANCE,
                [
                    -((otherwise - right) / seen).sum() * wrong * (1 - wrong)
                    - _WRONG_SEEN * (1 - wrong)
                    + _RIGHT_SEEN * wrong
                ],
            ]
        )
        return float(loss), gradient


def _names_of_wrong(declared: npt.NDArray[Any]) -> Floats:
    """A quarter by how often a class is declared at all, the rest alike: who errs or cheats names any crop."""
    classes = len(declared)
    share = declared / declared.sum()
    other = 1 - share[:, None]
    # One class holds all declarations: the others are equally likely.
    by_share = np.where(other > 0, share[None, :] / np.where(other > 0, other, 1), 1 / (classes - 1))
    names: Floats = _BY_SHARE * by_share + (1 - _BY_SHARE) / (classes - 1)
    np.fill_diagonal(names, 0)
    names /= names.sum(axis=1, keepdims=True)
    return names


def _spread_over_classes(declared: Positions) -> Positions:
    """Every k-th parcel of every class, so that a fit takes seconds whatever the size of the country."""
    by_class = np.argsort(declared, kind="stable")
    every = -(-len(declared) // _MOST)
    return np.sort(by_class[::every])


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Floats = raised / raised.sum(axis=1, keepdims=True)
    return result
