"""Rows that a real delivery holds beside the sound ones: the deliberate faults of lpis-and-inputs.md section 8.

The true parcels stay as they are. A fault is a row of its own, on ground that nobody farms unless it is about an
overlap or a duplicate, so that every true parcel is found again by its identifier.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from s4c_lib.synthetic.crops import CROPS
from s4c_lib.synthetic.landscape import fault_geometries as drawn
from s4c_lib.synthetic.landscape.model import Landscape
from s4c_lib.synthetic.streams import Stream, generator

SHIFT_M: Final = (15.0, 5.0)
SLIVER_M: Final = 0.3
UNKNOWN_CODES: Final = ("9901", "9902")
# Refusals: a file with more than 1 % of its rows refused is refused as a whole (DECL-20).
REFUSALS_FROM: Final = 300
SIXTY_FROM: Final = 10_000
_OUTSIDE: Final = 10
_OUTSIDE_M: Final = 150_000.0
_GIANT_M: Final = (4000.0, 3000.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """One row.

    Parameters
    ----------
    kind : name of the fault.
    shape : as delivered; None where there is none.
    ori_id, holding, crop : as delivered.
    codes : report codes expected for the row, GeoPackage.
    of : position of the true parcel it was made from, -1 if none.
    shapefile : whether a Shapefile can hold it.
    shapefile_codes : where they differ there.
    """

    kind: str
    shape: BaseGeometry | None
    ori_id: str | None
    holding: str | None
    crop: str | None
    codes: tuple[str, ...] = ()
    of: int = -1
    shapefile: bool = True
    shapefile_codes: tuple[str, ...] | None = None


def make_faults(landscape: Landscape, seed: int) -> list[Fault]:
    """Faulty rows for a landscape; their rates follow its parcels, with at least one of each kind."""
    rng = generator(seed, Stream.FAULTS)
    return _Maker(landscape, rng).all()


class _Maker:
    """Draws faults one kind after the other, each on lots of its own."""

    def __init__(self, landscape: Landscape, rng: np.random.Generator) -> None:
        self.landscape, self.rng = landscape, rng
        self.count = len(landscape.shapes)
        plain = shapely.get_type_id(landscape.shapes) == 3
        self.large = rng.permutation(np.flatnonzero(plain & (shapely.area(landscape.shapes) > 5000)))
        if not len(self.large):
            self.large = np.arange(self.count)
        self.taken = 0
        self.made: list[Fault] = []
        self.lots: npt.NDArray[np.float64] = drawn.free_lots(landscape, 80 + round(0.06 * self.count), rng)
        self.lot = 0

    def all(self) -> list[Fault]:
        """Every kind."""
        few, five = min(3, max(1, self.count // 500)), min(5, max(1, self.count // 500))
        self._overlaps()
        for kind, code, in_shapefile in (
            ("bow_tie", "DECL-31", "DECL-31"),
            ("touching_ring", "DECL-32", "DECL-32"),
            ("spike", "DECL-32", "DECL-32"),
            # A Shapefile knows no such hole: the ring comes back as a second part.
            ("hole_outside", "DECL-31", "DECL-33"),
            ("hole_on_shell", "DECL-32", "DECL-32"),
        ):
            for _ in range(self._number(0.0002)):
                self._add(kind, drawn.DRAWN[kind](), (code,), shapefile_codes=(in_shapefile,))
        for _ in range(few):
            self._add("null", None, ("DECL-30",))
            self._add("empty", shapely.Polygon(), ("DECL-30",))
            self._add("with_height", drawn.with_height(), (), shapefile=False)
            if self.count >= REFUSALS_FROM:
                self._add("point", drawn.point(), ("DECL-22",), shapefile=False)
                self._add("line", drawn.line(), ("DECL-22",), shapefile=False)
        self._identifiers(five)
        self._places()
        for number in range(self._number(0.003, 2)):
            code = UNKNOWN_CODES[number % len(UNKNOWN_CODES)]
            self._add("unknown_code", drawn.square(), ("DECL-40",), crop=code)
        return self.made

    def _overlaps(self) -> None:
        shapes = self.landscape.shapes
        for kind, rate in (
            ("exact_duplicate", 0.002),
            ("rotated_duplicate", 0.0005),
            ("reversed_duplicate", 0.0005),
            ("shifted_overlap", 0.005),
            ("inside_large", 0.001),
        ):
            for _ in range(self._number(rate)):
                of = self._true_parcel()
                shape: BaseGeometry = shapes[of]
                codes: tuple[str, ...] = ("DECL-34", "DECL-35")
                if kind == "rotated_duplicate":
                    shape = drawn.rotated_start(shape, int(self.rng.integers(1, 9)))
                elif kind == "reversed_duplicate":
                    shape = drawn.reversed_rings(shape)
                elif kind == "shifted_overlap":
                    shape, codes = translate(shape, *SHIFT_M), ("DECL-34",)
                elif kind == "inside_large":
                    shape, codes = _plot_within(shape), ("DECL-34",)
                self._add(kind, shape, codes, of=of)
        for _ in range(self._number(0.01)):
            # Two plots side by side, of which one was drawn a little too wide.
            half = drawn.square(22.0)
            for offset in (0.0, 22.0 - SLIVER_M):
                self._add("sliver", translate(half, offset, 0.0), (), same_lot=offset > 0)

    def _identifiers(self, five: int) -> None:
        for members, groups in ((2, self._number(0.0005)), (3, self._number(0.0003)), (60, self.count // SIXTY_FROM)):
            for _ in range(min(groups, 1) if members == 60 else groups):
                name = self._next_id(self._holding())
                for _ in range(members):
                    self._add(f"repeated_id_{members}", drawn.square(), ("DECL-41",), ori_id=name)
        for _ in range(five):
            if self.count >= REFUSALS_FROM:
                self._add("null_id", drawn.square(), ("DECL-21",), ori_id=None)
            self._add("null_holding", drawn.square(), (), holding=None)
            self._add("null_crop", drawn.square(), (), crop=None)
        spellings: dict[str, Callable[[str], str]] = {
            "id_spaces": lambda name: f" {name[:3]}  {name[3:]}",
            "id_accents": lambda name: f"Zoë-{name}",
            "id_leading_zeros": lambda name: f"00{name}",
        }
        for kind, spell in spellings.items():
            for _ in range(self._number(0.0033)):
                self._add(kind, drawn.square(), (), ori_id=spell(self._next_id(self._holding())))

    def _places(self) -> None:
        west, south, east, _ = self.landscape.grid.bounds
        for number in range(_OUTSIDE):
            far = translate(drawn.square(), east + _OUTSIDE_M + 100.0 * number, south)
            self._add("outside_tiles", far, ("CRS-05",), lot=False)
        wide, high = _GIANT_M
        middle = (west + east) / 2
        giant = shapely.box(middle - wide / 2, south - 300 - high, middle + wide / 2, south - 300)
        self._add("giant", giant, ("DECL-36",), lot=False)
        for _ in range(5):
            self._add("tiny", drawn.square(8.5), ("DECL-36",))

    def _number(self, rate: float, least: int = 1) -> int:
        return max(least, round(rate * self.count))

    def _true_parcel(self) -> int:
        """A large parcel not used yet, as long as there is one."""
        self.taken += 1
        return int(self.large[(self.taken - 1) % len(self.large)])

    def _holding(self) -> str:
        return self.landscape.holding[int(self.rng.integers(self.count))]

    def _next_id(self, holding: str) -> str:
        return f"{holding}-{9001 + len(self.made)}"

    def _add(
        self,
        kind: str,
        shape: BaseGeometry | None,
        codes: tuple[str, ...],
        *,
        lot: bool = True,
        same_lot: bool = False,
        **details: Any,
    ) -> None:
        """Add a row of a farm's and with a crop that exist, unless the details of the fault say otherwise."""
        if lot and "of" not in details and shape is not None:
            self.lot += not same_lot
            shape = drawn.placed(shape, self.lots[self.lot - 1])
        holding = self._holding()
        crop = CROPS[int(self.landscape.traits.declared[int(self.rng.integers(self.count))])].code
        row = Fault(kind, shape, self._next_id(holding), holding, crop, codes)
        self.made.append(replace(row, **details))


def _plot_within(shape: BaseGeometry) -> BaseGeometry:
    """A plot within a parcel, small enough to be less than a tenth of it."""
    middle = shapely.point_on_surface(shape)
    room = min(float(shapely.distance(middle, shapely.boundary(shape))) / 1.5, float(np.sqrt(shape.area * 0.05)) / 2)
    x, y = float(shapely.get_x(middle)), float(shapely.get_y(middle))
    return shapely.box(x - room, y - room, x + room, y + room)
