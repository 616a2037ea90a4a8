"""Settings of the learning part of L4A (spec/l4a-crop-type.md §13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from s4c_lib.crop_type.land_cover import ALL_LAND_COVER, monitored_land_cover
from s4c_lib.errors import ParameterError

PREFIX: Final = "processor.s4c_l4a."


@dataclass(frozen=True, slots=True)
class CropSettings:
    """How parcels are chosen, learnt and predicted; the defaults are those of the profile `default`.

    Parameters
    ----------
    mode : ``both``, ``s1-only`` or ``s2-only``; one sensor alone asks for no pixels of the other (§4).
    land_cover : monitored land cover classes, 0-5.
    min_s2_pix, min_s1_pix : fewest pixels of a parcel that is classified.
    best_s2_pix : fewest pixels of a parcel that may train.
    pa_min, pa_train_l, pa_train_h, sample_ratio_l, sample_ratio_h : strategies (§7).
    smote_target, smote_k, smote_standardise : synthetic samples (§8); target 0 makes none.
    trees, min_node_size : forest (§9).
    discriminant_share : of a linear discriminant in the average with the forest; 0 is the forest alone.
    seed : of every random choice.
    oob_for_calibration : calibration parcels are predicted by the trees they have no part in (§9, D-15).
    cross_validation : ``none`` or ``holding`` (§10).
    folds : None, or K: every parcel is predicted by a forest of the other K - 1 parts, and pixel minima, pa-min,
        strategies and synthetic samples do not apply.

    Raises
    ------
    ParameterError : a value is out of its bounds, or two contradict each other; key and value are named.
    """

    mode: str = "both"
    land_cover: frozenset[int] = frozenset({1, 2, 3, 4})
    min_s2_pix: int = 3
    min_s1_pix: int = 1
    best_s2_pix: int = 10
    pa_min: int = 30
    pa_train_h: int = 4000
    pa_train_l: int = 1333
    sample_ratio_h: float = 0.25
    sample_ratio_l: float = 0.75
    smote_target: int = 1000
    smote_k: int = 5
    smote_standardise: bool = True
    trees: int = 300
    min_node_size: int = 10
    discriminant_share: float = 0.25
    seed: int = 42
    oob_for_calibration: bool = True
    cross_validation: str = "none"
    folds: int | None = None

    def __post_init__(self) -> None:
        _require_choice("mode", self.mode, ("both", "s1-only", "s2-only"))
        _require_choice("cv", self.cross_validation, ("none", "holding"))
        if not self.land_cover or not self.land_cover <= ALL_LAND_COVER:
            raise ParameterError(f"{PREFIX}lc: {sorted(self.land_cover)} are not land cover classes 0 to 5.")
        _require("min-s2-pix", self.min_s2_pix, self.min_s2_pix >= 0, "at least 0")
        _require("min-s1-pix", self.min_s1_pix, self.min_s1_pix >= 0, "at least 0")
        _require("pa-min", self.pa_min, self.pa_min >= 2, "at least 2")
        _require("smote-target", self.smote_target, self.smote_target >= 0, "0 (none) or more")
        _require("smote-k", self.smote_k, self.smote_k >= 1, "at least 1")
        _require("num-trees", self.trees, 1 <= self.trees <= 5000, "between 1 and 5000")
        _require("min-node-size", self.min_node_size, self.min_node_size >= 1, "at least 1")
        share = self.discriminant_share
        _require("discriminant_share", share, 0 <= share <= 1, "between 0 and 1")
        _require("sample-ratio-h", self.sample_ratio_h, 0 < self.sample_ratio_h < 1, "between 0 and 1, both excluded")
        _require("sample-ratio-l", self.sample_ratio_l, 0 < self.sample_ratio_l < 1, "between 0 and 1, both excluded")
        _require("seed", self.seed, 0 <= self.seed < 2**31, "between 0 and 2147483647")
        _require_order("min-s2-pix", self.min_s2_pix, "best-s2-pix", self.best_s2_pix)
        _require_order("smote-target", self.smote_target, "pa-train-l", self.pa_train_l)
        _require_order("pa-train-l", self.pa_train_l, "pa-train-h", self.pa_train_h)
        if self.folds is not None and self.folds < 2:
            raise ParameterError(f"folds is {self.folds}; it must be at least 2.")

    @classmethod
    def of(cls, values: Mapping[str, Any], *, folds: int | None = None) -> CropSettings:
        """Read the settings from parameters by key; a key that is not there keeps its default."""
        given: dict[str, Any] = {
            field: values[PREFIX + name] for field, name in _KEYS.items() if PREFIX + name in values
        }
        if PREFIX + "lc" in values:
            given["land_cover"] = monitored_land_cover(values[PREFIX + "lc"])
        return cls(**given, folds=folds)

    def without(self, sensor: str) -> CropSettings:
        """Return them for a run that goes on without ``s1`` or ``s2``, whose pixels are then not asked for (AC-21)."""
        if sensor == "s1":
            return replace(self, min_s1_pix=0)
        return replace(self, min_s2_pix=0) if sensor == "s2" else self

    @property
    def least_s2_pix(self) -> int:
        """Fewest S2 pixels of a classified parcel, with the mode taken into account."""
        return 0 if self.mode == "s1-only" else self.min_s2_pix

    @property
    def least_s1_pix(self) -> int:
        """Fewest S1 pixels of a classified parcel, with the mode taken into account."""
        return 0 if self.mode == "s2-only" else self.min_s1_pix


_KEYS: Final[dict[str, str]] = {
    "mode": "mode",
    "min_s2_pix": "min-s2-pix",
    "min_s1_pix": "min-s1-pix",
    "best_s2_pix": "best-s2-pix",
    "pa_min": "pa-min",
    "pa_train_h": "pa-train-h",
    "pa_train_l": "pa-train-l",
    "sample_ratio_h": "sample-ratio-h",
    "sample_ratio_l": "sample-ratio-l",
    "smote_target": "smote-target",
    "smote_k": "smote-k",
    "smote_standardise": "smote_standardise",
    "trees": "num-trees",
    "min_node_size": "min-node-size",
    "discriminant_share": "discriminant_share",
    "seed": "seed",
    "oob_for_calibration": "oob_for_calibration",
    "cross_validation": "cv",
}


def _require(name: str, value: float, sound: bool, rule: str) -> None:
    if not sound:
        raise ParameterError(f"{PREFIX}{name} is {value}; it must be {rule}.")


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ParameterError(f"{PREFIX}{name} is {value!r}.", hint=f"one of {', '.join(choices)}")


def _require_order(smaller: str, low: int, larger: str, high: int) -> None:
    if low > high:
        raise ParameterError(
            f"{PREFIX}{smaller} is {low}, more than {PREFIX}{larger}, which is {high}.",
            hint=f"lower {smaller} or raise {larger}",
        )
