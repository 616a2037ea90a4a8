"""Probabilities of many parcels, and the two most likely classes (spec/l4a-crop-type.md §9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.crop_parcels import UNKNOWN
from s4c_lib.crop_type.discriminant import Discriminant
from s4c_lib.crop_type.forest import Forest
from s4c_lib.crop_type.imputation import Imputation
from s4c_lib.progress import Progress, silent

Floats = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

BLOCK: Final = 4096
"""Rows predicted at a time: 20 MB with 1200 features."""


def probabilities(
    trees: Sequence[Any],
    values: Floats,
    rows: Int64,
    imputation: Imputation,
    *,
    discriminant: Discriminant | None = None,
    threads: int = 1,
    progress: Progress = silent,
) -> Floats:
    """Return the mean class frequencies of the leaves, float32 (rows, C); the same for any number of threads.

    With a discriminant, the average of these and its probabilities.

    Parameters
    ----------
    values : float32 (P, F), may be memory-mapped; only `rows` are read, block by block.
    """

    def predict(block: Int64) -> Floats:
        filled = imputation.filled(values[block])
        # Trees are added in their order, so that a parcel's sum does not depend on blocks or threads.
        total = sum(tree.tree_.predict(filled) for tree in trees)
        mean = total / len(trees)
        found = mean if discriminant is None else discriminant.averaged(mean, filled)
        result: Floats = found.astype(np.float32)
        return result

    classes = trees[0].tree_.max_n_classes
    result: Floats = np.empty((len(rows), classes), dtype=np.float32)
    done = 0
    with ThreadPoolExecutor(threads) as pool:
        for block in pool.map(predict, _blocks(rows)):
            result[done : done + len(block)] = block
            done += len(block)
            progress(done, len(rows), "parcels")
    return result


def out_of_bag_probabilities(
    forest: Forest, calibration: Floats, *, threads: int = 1
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return out-of-bag probabilities of the calibration parcels, from the trees that have not drawn them.

    Only for a forest without synthetic parcels: copies of a parcel, declared like it, would be in those trees. A
    discriminant has learnt from all parcels and is left out.

    Returns
    -------
    float32 (N, C), and bool (N,): judged so. A parcel no tree is without, which a few tens of trees exclude, gets
    the mean of all trees and False.
    """

    def predict(block: Int64) -> npt.NDArray[np.float64]:
        rows = np.ascontiguousarray(calibration[block])
        absent = forest.absent[:, block]
        absent = absent | ~absent.any(axis=0)
        total = np.zeros((len(block), len(forest.classes)))
        for tree, out in zip(forest.trees, absent, strict=True):
            total[out] += tree.tree_.predict(rows[out])
        mean: npt.NDArray[np.float64] = total / absent.sum(axis=0)[:, None]
        return mean

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(predict, _blocks(np.arange(len(calibration)))))
    judged: npt.NDArray[np.bool_] = np.any(forest.absent, axis=0)
    return np.concatenate(found).astype(np.float32), judged


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The two most likely classes; pred int32, -1 where there is none, conf float32, 3 decimals, NaN where none."""

    pred_1: Int32
    conf_1: Floats
    pred_2: Int32
    conf_2: Floats


def rank(probability: Floats, classes: Int32) -> Ranking:
    """Return the two most likely classes of each row, float (N, C) over `classes` ascending; ties: lower number."""
    size = len(probability)
    every = np.arange(size)
    first = probability.argmax(axis=1)
    conf_1 = _rounded(probability[every, first])
    if len(classes) == 1:
        return Ranking(
            classes[first], conf_1, np.full(size, UNKNOWN, dtype=np.int32), np.full(size, np.nan, dtype=np.float32)
        )
    rest = probability.copy()
    rest[every, first] = -1
    second = rest.argmax(axis=1)
    return Ranking(classes[first], conf_1, classes[second], _rounded(probability[every, second]))


def _rounded(probability: npt.NDArray[Any]) -> Floats:
    return np.round(probability.astype(np.float64), 3).astype(np.float32)


def _blocks(rows: Int64) -> Iterator[Int64]:
    for begin in range(0, len(rows), BLOCK):
        yield rows[begin : begin + BLOCK]
