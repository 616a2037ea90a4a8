"""How the pictures look, the same in all of them: colours that colour-blind readers tell apart, sizes, PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.crops import CROPS, Regime, ParcelTraits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito (2008), Color Universal Design.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY: Final = "#666666"
RAIN: Final = "#9CC3E6"
DPI: Final = 100
_COLORS: Final = 128

# Colour, line and word of each event of the truth.
EVENTS: Final[dict[str, tuple[str, str, str]]] = {
    "sowing": (ORANGE, "-", "sowing"),
    "emergence": (GREEN, ":", "emergence"),
    "senescence": (GREY, ":", "senescence"),
    "harvest": (VERMILION, "-", "harvest"),
    "mowing": (VERMILION, "--", "mowing"),
    "grazing": (PURPLE, ":", "grazing"),
    "cultivation": (BLACK, "-.", "cultivation"),
    "ploughing": (BLACK, "-", "ploughing"),
    "catch_crop_sowing": (BLUE, "-", "catch crop sown"),
    "catch_crop_emergence": (BLUE, ":", "catch crop up"),
    "catch_crop_destruction": (BLUE, "-.", "catch crop ended"),
}


def new_figure(width: float, height: float) -> Figure:
    """Figure of a size in inches, outside of pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG of few colours: a third of the size, and the same bytes for the same figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    save_pixels(np.asarray(canvas.buffer_rgba())[..., :3], path, _COLORS)


def save_pixels(rgb: npt.NDArray[np.uint8], path: Path, colors: int = 256) -> None:
    """Write uint8 (rows, columns, 3) as PNG with a palette."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(rgb), "RGB")
    image.quantize(colors, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)


def months(axes: Axes) -> None:
    """Mark the axis of time by month."""
    from matplotlib.dates import DateFormatter, MonthLocator

    axes.xaxis.set_major_locator(MonthLocator())
    axes.xaxis.set_major_formatter(DateFormatter("%b"))
    axes.grid(axis="both", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def parcel_title(traits: ParcelTraits, position: int, ori_id: str) -> str:
    """Crop, code, use and parcel."""
    crop = CROPS[traits.crop[position]]
    regime = Regime(int(traits.regime[position]))
    use = "" if regime == Regime.NONE else f", {regime.name.lower()} use"
    area = float(traits.area_m2[position]) / 1e4
    return f"{crop.english.capitalize()} ({crop.code}){use} · parcel {ori_id}, {area:.1f} ha"
