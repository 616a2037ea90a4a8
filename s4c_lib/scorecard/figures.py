"""A scorecard: figures of products against what is known to be true, each with what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

SHARE: Final = "%"
"""Unit of figures that are shares, 0 to 1: shown as per cent."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a product against the truth.

    Parameters
    ----------
    product : type of the product, such as ``s4c_l4b``. name : stable key, such as ``recall``.
    value : NaN where nothing is there to judge. unit : `SHARE`, ``d``, ``m²/m²`` or nothing.
    n : what the value is a share or a mean of. meaning : the same in words.
    """

    product: str
    name: str
    value: float
    unit: str
    n: int
    meaning: str

    @property
    def shown(self) -> str:
        """The value as people read it; ``-`` where nothing is there to judge."""
        if np.isnan(self.value):
            return "-"
        if self.unit == SHARE:
            return f"{100 * self.value:.1f} %"
        return f"{self.value:.2f} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Scorecard:
    """What the products of a season are worth.

    Parameters
    ----------
    figures : by product. products : name of the product that was judged, by type.
    absent : why a type, or a part of one, has no figures.
    """

    figures: tuple[Figure, ...]
    products: Mapping[str, str]
    absent: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """As JSON; null where nothing is there to judge."""
        return {
            "products": dict(self.products),
            "figures": [
                {
                    "product": one.product,
                    "name": one.name,
                    "value": None if np.isnan(one.value) else one.value,
                    "unit": one.unit,
                    "n": one.n,
                    "meaning": one.meaning,
                }
                for one in self.figures
            ],
            "absent": dict(self.absent),
        }


def share(which: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> float:
    """Share of some among others, NaN among none."""
    return float(which[among].mean()) if among.any() else float("nan")
