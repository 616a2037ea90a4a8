"""Inputs that a user chooses for one run of a product: Sentinel-2 tiles, or single products by their number.

Source: design section 4 (custom jobs: dates, tiles, product ids).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from s4c_lib.errors import InputError

TILES: Final = "tiles"
PRODUCTS: Final = "products"


@dataclass(frozen=True, slots=True)
class ChosenInputs:
    """What a run is restricted to; everything when nothing is chosen.

    Attributes
    ----------
    tiles : Sentinel-2 tiles, ascending, without the leading T.
    products : numbers of products, ascending.
    """

    tiles: tuple[str, ...] = ()
    products: tuple[int, ...] = ()

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ChosenInputs:
        """Read the options of a run, or what a job recorded of them.

        Raises
        ------
        InputError : they are no lists of tile names and product numbers.
        """
        tiles, numbers = (options.get(name) or [] for name in (TILES, PRODUCTS))
        if not isinstance(tiles, list | tuple) or not all(isinstance(one, str) for one in tiles):
            raise InputError(f"{TILES} is {tiles!r}, not a list of tiles.", hint='write it as ["31UFS", "31UFT"]')
        if not isinstance(numbers, list | tuple) or not all(type(one) is int for one in numbers):
            raise InputError(f"{PRODUCTS} is {numbers!r}, not a list of product numbers.", hint="write it as [12, 14]")
        return cls(tuple(sorted({one.upper().removeprefix("T") for one in tiles})), tuple(sorted(set(numbers))))

    def as_json(self) -> dict[str, list[str] | list[int]]:
        """Return what is chosen as it is stored; empty when nothing is."""
        found: dict[str, list[str] | list[int]] = {TILES: list(self.tiles), PRODUCTS: list(self.products)}
        return {name: values for name, values in found.items() if values}
