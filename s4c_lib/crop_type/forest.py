"""The random forest (spec/l4a-crop-type.md §9), and the discriminant beside it.

The trees are those of scikit-learn's ``RandomForestClassifier``, number by number. They are grown one at a time here
because it copies the matrix, tells nothing of its progress, and forgets which rows a tree has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.discriminant import Discriminant, discriminant
from s4c_lib.crop_type.learning_settings import CropSettings
from s4c_lib.crop_type.oversampling import Synthetic, oversample
from s4c_lib.progress import Progress, silent

Floats = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]

_LARGEST_SEED = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """A trained forest.

    Parameters
    ----------
    estimator : fitted ``sklearn.ensemble.RandomForestClassifier``.
    classes : int32 (C,), class numbers ascending.
    absent : bool (trees, N), calibration parcels out of the bag of a tree; with synthetic parcels made of them it
        knows them all the same.
    synthetic : synthetic parcels that took part.
    discriminant : speaks beside the trees; None with `discriminant_share` 0.
    """

    estimator: Any
    classes: Int32
    absent: npt.NDArray[np.bool_]
    synthetic: Synthetic
    discriminant: Discriminant | None = None

    @property
    def trees(self) -> list[Any]:
        """Fitted trees in order; each gives probabilities of `classes`."""
        found: list[Any] = self.estimator.estimators_
        return found

    @property
    def importances(self) -> npt.NDArray[np.float64]:
        """Impurity importances (F,), summing to 1; zeros when no tree found a split."""
        found: npt.NDArray[np.float64] = self.estimator.feature_importances_
        return found


def train(
    calibration: Floats,
    class_number: Int32,
    settings: CropSettings,
    *,
    names: Sequence[str] = (),
    threads: int = 1,
    progress: Progress = silent,
) -> Forest:
    """Train a forest on calibration parcels and the synthetic ones made of them.

    The result depends on the rows and their order, not on `threads`.

    Parameters
    ----------
    calibration : float32 (N, F), without missing values.
    class_number : int32 (N,), two classes at least.
    names : of the features, which tell the discriminant what they are.
    progress : called with (trees done, trees, label).
    """
    from sklearn.ensemble import RandomForestClassifier

    classes = np.unique(class_number).astype(np.int32)
    synthetic = oversample(calibration, class_number, settings)
    rows = _stacked(calibration, synthetic)
    label = np.searchsorted(classes, np.concatenate([class_number, synthetic.class_number])).astype(np.int32)
    estimator = RandomForestClassifier(
        n_estimators=settings.trees,
        min_samples_split=settings.min_node_size + 1,
        max_features="sqrt",
        random_state=settings.seed,
    )
    draw = np.random.RandomState(settings.seed)
    seeds = [int(draw.randint(_LARGEST_SEED)) for _ in range(settings.trees)]

    def grow(seed: int) -> tuple[Any, npt.NDArray[np.bool_]]:
        counts = _drawn(len(rows), seed)
        return _tree(estimator, rows, label, counts, seed), counts[: len(calibration)] == 0

    trees, absent = [], np.zeros((settings.trees, len(calibration)), dtype=np.bool_)
    with ThreadPoolExecutor(threads) as pool:
        for done, (tree, out) in enumerate(pool.map(grow, seeds)):
            trees.append(tree)
            absent[done] = out
            progress(done + 1, settings.trees, "trees")
    _fill(estimator, trees, classes, rows.shape[1])
    beside = None
    if settings.discriminant_share > 0:
        prior = np.bincount(label, minlength=len(classes)).astype(np.float64)
        beside = discriminant(calibration, label[: len(calibration)], prior, settings.discriminant_share, names)
    return Forest(estimator, classes, absent, synthetic, beside)


def _stacked(calibration: Floats, synthetic: Synthetic) -> Floats:
    """Real rows, then synthetic ones; column-major, as trees read one feature of many parcels at a time."""
    real, features = calibration.shape
    rows: Floats = np.empty((real + len(synthetic), features), dtype=np.float32, order="F")
    rows[:real] = calibration
    rows[real:] = synthetic.values(calibration)
    return rows


def _drawn(size: int, seed: int) -> npt.NDArray[np.int64]:
    """How often a tree draws each row; the generator and the call of scikit-learn's forests."""
    return np.bincount(np.random.RandomState(seed).randint(0, size, size), minlength=size)


def _tree(estimator: Any, rows: Floats, label: Int32, counts: npt.NDArray[np.int64], seed: int) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        min_samples_split=estimator.min_samples_split, max_features=estimator.max_features, random_state=seed
    )
    # Rows drawn several times weigh as much, as in scikit-learn's forests. Checking the matrix would copy it.
    return tree.fit(rows, label, sample_weight=counts.astype(np.float64), check_input=False)


def _fill(estimator: Any, trees: list[Any], classes: Int32, features: int) -> None:
    """Make the fitted forest of trees that were grown outside it."""
    estimator.estimators_ = trees
    estimator.estimator_ = type(trees[0])()
    estimator.classes_ = classes
    estimator.n_classes_ = len(classes)
    estimator.n_outputs_ = 1
    estimator.n_features_in_ = features
