"""How pictures look, the same in all of them: colours that colour-blind readers tell apart, the axis of time, PNG."""

from __future__ import annotations

from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito (2008), Color Universal Design.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY: Final = "#666666"
DPI: Final = 100
_COLORS: Final = 128
_FIRST_DAY: Final = date(1970, 1, 1)


def new_figure(width: float, height: float) -> Figure:
    """Figure of a size in inches, outside of pyplot's global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG of few colours: a third of the size, and the same bytes for the same figure."""
    from PIL import Image

    rendered = BytesIO()
    figure.savefig(rendered, format="png")
    drawn = Image.open(rendered).convert("RGB")
    # Colours far from all others count as much as frequent ones: a thin line keeps its own.
    few = drawn.quantize(_COLORS, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    few.save(path, format="PNG", optimize=True)


def day_number(day: date) -> float:
    """Date as matplotlib's axes count it: days since 1970."""
    return float((day - _FIRST_DAY).days)


def day_numbers(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.float64]:
    """The same for arrays."""
    return days.astype("datetime64[D]").astype(np.float64)


def months(axes: Axes) -> None:
    """Mark the axis of time by month, once its limits are set."""
    first, last = (_FIRST_DAY + timedelta(days=round(day)) for day in axes.get_xlim())
    count = 12 * (last.year - first.year) + last.month - first.month + 1
    starts = [date(first.year + (first.month - 1 + k) // 12, (first.month - 1 + k) % 12 + 1, 1) for k in range(count)]
    shown = [day for day in starts if first <= day < last]
    axes.set_xticks([day_number(day) for day in shown], [f"{day:%b}" for day in shown])
    axes.grid(axis="both", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
