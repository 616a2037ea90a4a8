"""Pictures of the crop type report, drawn as SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.metrics import Decile

WIDTH: Final = 1000
_ROW: Final = 22
_DARK: Final = 0.62  # a cell on which dark text is hard to read
_ENOUGH: Final = 10  # parcels of a decile that the line of reliability passes through
_SHOWN: Final = 0.005  # a cell below half a per cent is left white


def text(value: object) -> str:
    """Return a text of the user as HTML and XML hold it."""
    return escape(str(value), quote=True)


def shortened(name: str, length: int = 26) -> str:
    """Return a name that fits beside a bar."""
    return name if len(name) <= length else f"{name[: length - 1].rstrip()}…"


def accuracy_bars(overall: Mapping[str, float], classes: Sequence[tuple[str, float, float | None]]) -> str:
    """Draw overall figures and the F1 of classes as bars, the cumulative share of the area as rings.

    Parameters
    ----------
    overall : such as OA and kappa. classes : name, F1 (NaN: undefined), cumulative share of the area (None: unknown).
    """
    left, right, top = 230.0, 70.0, 24.0
    span = WIDTH - left - right
    rows: list[tuple[str, float, float | None, str]] = [
        (name, value, None, "overall") for name, value in overall.items()
    ]
    rows += [(name, f1, area, "" if f1 >= 0.6 else "weak") for name, f1, area in classes]
    height = top + len(rows) * _ROW + 8
    parts = [_axis(left, span, top - 6, height - 6)]
    for at, (name, value, area, kind) in enumerate(rows):
        y = top + at * _ROW
        shown = "–" if np.isnan(value) else f"{value:.2f}"
        width = 0.0 if np.isnan(value) else max(value, 0.0) * span
        parts.append(f'<text x="{left - 10:g}" y="{y + 12:g}" class="end">{text(shortened(name, 32))}</text>')
        parts.append(f'<rect x="{left:g}" y="{y:g}" width="{span:g}" height="15" class="bar back" />')
        parts.append(f'<rect x="{left:g}" y="{y:g}" width="{width:.1f}" height="15" class="bar {kind}" />')
        parts.append(f'<text x="{left + span + 8:g}" y="{y + 12:g}">{shown}</text>')
        if area is not None:
            title = f"<title>{text(name)}: {100 * area:.1f} % of the area up to here</title>"
            parts.append(f'<circle cx="{left + area * span:.1f}" cy="{y + 7.5:g}" r="4.5" class="dot">{title}</circle>')
    return _svg(WIDTH, height, parts, "Accuracy of classes by decreasing area")


def _axis(left: float, span: float, top: float, bottom: float) -> str:
    lines = []
    for tenth in range(0, 11, 2):
        x = left + span * tenth / 10
        lines.append(f'<line x1="{x:g}" y1="{top:g}" x2="{x:g}" y2="{bottom:g}" class="axis" />')
        lines.append(f'<text x="{x:g}" y="{top - 4:g}" class="middle dim small">{tenth / 10:g}</text>')
    return "".join(lines)


def confusion_map(names: Sequence[str], confusion: npt.NDArray[np.int64]) -> str:
    """Draw the share of each declared class (columns) that is predicted as each class (rows).

    Parameters
    ----------
    confusion : int64 (classes, classes), rows predicted, columns declared; the shares are of whole columns.
    """
    count = len(names)
    left, top, bottom = 190.0, 118.0, 8.0
    side = min(44.0, (WIDTH - left - 100) / max(count, 1))
    size = left + count * side + 100  # the slanting name of the last column
    total = confusion.sum(axis=0)
    share = confusion / np.maximum(total, 1)
    parts = [f'<text x="{left - 10:g}" y="{top - 8:g}" class="end dim small">predicted ↓ declared →</text>']
    for at, name in enumerate(names):
        x, y = left + at * side, top + at * side
        middle = x + side / 2 + 3
        parts.append(
            f'<text x="{middle:.1f}" y="{top - 8:g}" transform="rotate(-50 {middle:.1f} {top - 8:g})" class="small">'
            f"{text(shortened(name, 22))}</text>"
        )
        parts.append(
            f'<text x="{left - 10:g}" y="{y + side / 2 + 4:.1f}" class="end small">{text(shortened(name))}</text>'
        )
    for row in range(count):
        for column in range(count):
            value = float(share[row, column])
            x, y = left + column * side, top + row * side
            kind = "none" if value < _SHOWN else "right" if row == column else "wrong"
            opacity = 1.0 if kind == "none" else round(0.18 + 0.82 * value**0.6, 2)
            says = (
                f"declared {names[column]}, predicted {names[row]}: "
                f"{confusion[row, column]} of {total[column]} parcels, {100 * value:.1f} %"
            )
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}" class="cell {kind}" '
                f'fill-opacity="{opacity}"><title>{text(says)}</title></rect>'
            )
            if value >= _SHOWN and side >= 21:
                on = " on" if opacity > _DARK else ""
                parts.append(
                    f'<text x="{x + side / 2:.1f}" y="{y + side / 2 + 4:.1f}" class="middle small{on}">'
                    f"{100 * value:.0f}</text>"
                )
    return _svg(max(size, 560), top + count * side + bottom, parts, "Confusion of declared and predicted classes")


def reliability_plot(series: Mapping[str, Sequence[Decile]]) -> str:
    """Draw how often predictions of a confidence are right; the area of a point grows with its parcels.

    Parameters
    ----------
    series : deciles by name, at most two: before calibration, and calibrated.
    """
    left, top, side = 52.0, 14.0, 360.0
    parts = [f'<line x1="{left:g}" y1="{top + side:g}" x2="{left + side:g}" y2="{top:g}" class="ideal" />']
    for fifth in range(6):
        at = fifth / 5
        x, y = left + at * side, top + side * (1 - at)
        parts.append(f'<line x1="{left:g}" y1="{y:g}" x2="{left + side:g}" y2="{y:g}" class="axis" />')
        parts.append(f'<text x="{left - 8:g}" y="{y + 4:g}" class="end dim small">{at:g}</text>')
        parts.append(f'<text x="{x:g}" y="{top + side + 18:g}" class="middle dim small">{at:g}</text>')
    largest = max((one.n for deciles in series.values() for one in deciles), default=0)
    for kind, (name, deciles) in zip(("", "calibrated"), series.items(), strict=False):
        points = [(left + one.confidence * side, top + side * (1 - one.accuracy), one) for one in deciles if one.n]
        steady = [(x, y) for x, y, one in points if one.n >= _ENOUGH]
        parts.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in steady)}" class="line {kind}" />')
        for x, y, one in points:
            radius = 2.5 + 8 * np.sqrt(one.n / largest)
            says = f"{name}: {one.n} parcels, confidence {one.confidence:.2f}, right {one.accuracy:.2f}"
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="point {kind}" fill-opacity="0.75">'
                f"<title>{text(says)}</title></circle>"
            )
    parts.append(
        f'<text x="{left + side / 2:g}" y="{top + side + 38:g}" class="middle dim">'
        "confidence of the first choice</text>"
    )
    parts.append(
        f'<text x="14" y="{top + side / 2:g}" class="middle dim" transform="rotate(-90 14 {top + side / 2:g})">'
        "share that is right</text>"
    )
    return _svg(left + side + 16, top + side + 48, parts, "Reliability of the confidence")


def ranked_bars(rows: Sequence[tuple[str, float]], *, label: str, mono: bool = False, names_width: float = 190) -> str:
    """Draw shares as bars from the left, the longest as long as there is room; values in per cent."""
    right, width = 54.0, 480.0
    span = width - names_width - right
    largest = max((value for _, value in rows), default=0.0) or 1.0
    parts = []
    for at, (name, value) in enumerate(rows):
        y = 2.0 + at * _ROW
        parts.append(
            f'<text x="{names_width - 8:g}" y="{y + 12:g}" class="end{" mono" if mono else ""}">{text(name)}</text>'
            f'<rect x="{names_width:g}" y="{y:g}" width="{value / largest * span:.1f}" height="15" class="bar" />'
            f'<text x="{names_width + value / largest * span + 6:.1f}" y="{y + 12:g}" class="dim small">'
            f"{100 * value:.1f} %</text>"
        )
    return _svg(width, len(rows) * _ROW + 6, parts, label)


def columns_plot(rows: Sequence[tuple[str, float]], *, label: str) -> str:
    """Draw shares as columns, values in per cent above them."""
    width, height, bottom = 480.0, 190.0, 24.0
    step = width / max(len(rows), 1)
    largest = max((value for _, value in rows), default=0.0) or 1.0
    parts = []
    for at, (name, value) in enumerate(rows):
        tall = value / largest * (height - bottom - 22)
        x = at * step + step * 0.15
        middle = at * step + step / 2
        parts.append(
            f'<rect x="{x:.1f}" y="{height - bottom - tall:.1f}" width="{step * 0.7:.1f}" height="{tall:.1f}" '
            f'class="bar" /><text x="{middle:.1f}" y="{height - bottom - tall - 5:.1f}" class="middle dim small">'
            f'{100 * value:.0f} %</text><text x="{middle:.1f}" y="{height - 6:g}" class="middle small">'
            f"{text(name)}</text>"
        )
    return _svg(width, height, parts, label)


def _svg(width: float, height: float, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {width:g} {height:.0f}" style="max-width:{width:g}px" role="img" '
        f'aria-label="{text(label)}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
