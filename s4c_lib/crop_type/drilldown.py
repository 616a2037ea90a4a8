"""Verdicts by declared class, and which crops probably grow where declarations are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.crop_type.declared_chance import wrongly_declared
from s4c_lib.crop_type.judgement import CONTRADICTED, VERDICTS, Judgement
from s4c_lib.crop_type.metrics import Metrics

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Drilldown:
    """Tables by class, ready for a report.

    Parameters
    ----------
    classes : one row a declared class, ascending: class, name, parcels, confirmed, contradicted, cannot_tell (counts),
        area_ha, confirmed_ha, contradicted_ha, cannot_tell_ha (null without areas), expected_wrong (sum of the chances
        of wrong), contradicted_right (expected share of right ones among the contradicted, null when none),
        user_accuracy, producer_accuracy (of the validation, null where not known).
    pairs : declared class and the crop that probably grows there: declared, grows, looks_so (parcels that look most
        like it), contradicted, expected_wrong; most expected first.
    """

    classes: pa.Table
    pairs: pa.Table


def drill_down(
    judgement: Judgement,
    *,
    area: Floats | None = None,
    metrics: Metrics | None = None,
    names: Mapping[int, str] | None = None,
) -> Drilldown:
    """Summarise a judgement by class.

    The expected number of wrong declarations of a pair adds chances instead of counting parcels above a threshold
    (in the sense of confident learning: Northcutt et al. 2021, doi:10.1613/jair.1.12125).

    Parameters
    ----------
    area : m2 (P,), NaN where not known. names : of classes.
    """
    known = names or {}
    # Parcels without a class in the crop table are counted under -1.
    numbers = np.unique(judgement.declared)
    position = np.searchsorted(numbers, judgement.declared)
    hectares = None if area is None else np.nan_to_num(area) / 10_000
    columns: dict[str, pa.Array] = {
        "class": pa.array(numbers, pa.int32()),
        "name": pa.array([known.get(int(number)) for number in numbers], pa.string()),
        "parcels": pa.array(np.bincount(position, minlength=len(numbers)), pa.int64()),
    }
    for verdict in VERDICTS:
        has = judgement.verdict == verdict
        columns[verdict.replace(" ", "_")] = pa.array(np.bincount(position[has], minlength=len(numbers)), pa.int64())
    for verdict in ("area", *VERDICTS):
        has = (judgement.verdict == verdict) | (verdict == "area")
        column = "area_ha" if verdict == "area" else f"{verdict.replace(' ', '_')}_ha"
        columns[column] = (
            pa.nulls(len(numbers), pa.float64())
            if hectares is None
            else pa.array(np.bincount(position[has], hectares[has], len(numbers)), pa.float64())
        )
    wrong = np.nan_to_num(judgement.chance_wrong.astype(np.float64))
    columns["expected_wrong"] = pa.array(np.bincount(position, wrong, len(numbers)), pa.float64())
    contradicted = judgement.verdict == CONTRADICTED
    right = np.bincount(position[contradicted], 1 - wrong[contradicted], len(numbers))
    among = np.bincount(position[contradicted], minlength=len(numbers))
    columns["contradicted_right"] = _where(right.astype(np.float64), among)
    columns |= _accuracies(numbers, metrics)
    return Drilldown(pa.table(columns), _pairs(judgement))


def _pairs(judgement: Judgement) -> pa.Table:
    """Expected wrong declarations by declared class and true class."""
    classes = len(judgement.classes)
    expected = np.zeros((classes, classes))
    looks = np.zeros((classes, classes), np.int64)
    contradicted = np.zeros((classes, classes), np.int64)
    if judgement.calibration is not None:
        declared = np.searchsorted(judgement.classes, judgement.declared[judgement.rows]).astype(np.int64)
        chance = judgement.chance_wrong[judgement.rows].astype(np.float64)
        for number in range(classes):
            members = declared == number
            wrongly = wrongly_declared(judgement.probabilities[members], declared[members], judgement.calibration)
            shares = chance[members] / np.maximum(wrongly.sum(axis=1), 1e-300)
            expected[number] = shares @ wrongly
        np.add.at(looks, (declared, judgement.probabilities.argmax(axis=1)), 1)
        is_contradicted = judgement.verdict[judgement.rows] == CONTRADICTED
        other = np.searchsorted(judgement.classes, judgement.other[judgement.rows])
        np.add.at(contradicted, (declared[is_contradicted], other[is_contradicted]), 1)
    np.fill_diagonal(looks, 0)
    row, column = np.nonzero((looks > 0) | (contradicted > 0))
    order = np.lexsort((column, row, -expected[row, column]))
    row, column = row[order], column[order]
    return pa.table(
        {
            "declared": pa.array(judgement.classes[row], pa.int32()),
            "grows": pa.array(judgement.classes[column], pa.int32()),
            "looks_so": pa.array(looks[row, column], pa.int64()),
            "contradicted": pa.array(contradicted[row, column], pa.int64()),
            "expected_wrong": pa.array(expected[row, column], pa.float64()),
        }
    )


def _accuracies(numbers: npt.NDArray[np.int32], metrics: Metrics | None) -> dict[str, pa.Array]:
    found = {}
    for column, values in (
        ("user_accuracy", None if metrics is None else metrics.user),
        ("producer_accuracy", None if metrics is None else metrics.producer),
    ):
        by_class = {} if metrics is None or values is None else dict(zip(metrics.classes.tolist(), values, strict=True))
        found[column] = pa.array(
            [by_class.get(int(number), np.nan) for number in numbers], pa.float64(), from_pandas=True
        )
    return found


def _where(part: Floats, whole: npt.NDArray[Any]) -> pa.Array:
    ratio = np.full(len(part), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return pa.array(ratio, pa.float64(), from_pandas=True)
