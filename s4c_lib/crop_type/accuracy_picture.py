"""``Accuracy_metrics_plot.png``: accuracy of classes by decreasing area (l4a-crop-type.md 10)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from s4c_lib.crop_type.metrics import Metrics


def accuracy_png(metrics: Metrics, classes: Sequence[tuple[str, float, float | None]], title: str) -> bytes:
    """Draw overall accuracy, kappa and the F1 of classes as bars, cumulative shares of the area as dots.

    Parameters
    ----------
    classes : name, F1 (NaN: undefined) and cumulative share of the area (None: unknown), by decreasing area.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = ["OA", "Kappa", *(name for name, _, _ in classes)]
    values = [metrics.overall, metrics.kappa, *(f1 for _, f1, _ in classes)]
    colours = ["#1f6fa8"] * 2 + ["#2f6b3a"] * len(classes)
    figure = Figure(figsize=(max(7.0, 2.5 + 0.34 * len(names)), 5.2), layout="constrained")
    axes = figure.add_subplot()
    axes.bar(range(len(names)), [0.0 if value != value else max(value, 0.0) for value in values], color=colours)
    dots = [(at + 2, area) for at, (_, _, area) in enumerate(classes) if area is not None]
    if dots:
        axes.plot(*zip(*dots, strict=True), "o", color="#1d211c", markerfacecolor="white", label="cumulative area")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("OA, kappa, F1")
    axes.set_title(title, fontsize=11, loc="left")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    buffer = io.BytesIO()
    # no date and no version: the same classification gives the same bytes
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
