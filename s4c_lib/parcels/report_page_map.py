"""Small map of an upload's report: where the parcels lie and which have findings, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from s4c_lib.parcels.findings import Severity

Points = npt.NDArray[np.float64]

_WIDTH: Final = 720
_LARGEST: Final = 560
_MARGIN: Final = 14
_CELLS: Final = 72
_SHADES: Final = 5
_DOTS: Final = 600
_DRAWN: Final = (Severity.INFO, Severity.WARNING, Severity.EXCLUDED, Severity.SET_ASIDE, Severity.REFUSED)


@dataclass(frozen=True, slots=True)
class ReportMap:
    """What the map shows; all coordinates in one system, x before y.

    Parameters
    ----------
    centroids : float64 (parcels, 2); NaN where a parcel has no outline.
    offending : float64 (n, 2) by severity: parcels with findings.
    tiles : float64 (corners, 2) by name of the Sentinel-2 tile.
    geographic : coordinates are degrees, not metres.
    """

    centroids: Points = field(repr=False)
    offending: Mapping[Severity, Points] = field(default_factory=dict, repr=False)
    tiles: Mapping[str, Points] = field(default_factory=dict, repr=False)
    geographic: bool = False


@dataclass(frozen=True, slots=True)
class _View:
    """From coordinates to the drawing."""

    west: float
    north: float
    across: float
    up: float
    width: float
    height: float

    def __call__(self, points: Points) -> Points:
        x = (points[:, 0] - self.west) * self.across + _MARGIN
        y = (self.north - points[:, 1]) * self.up + _MARGIN
        return np.column_stack([x, y])


def map_svg(given: ReportMap) -> str:
    """Draw the map; empty text when no parcel has a place.

    Shades count parcels per cell, the line is the hull around all of them. At most 600 dots a severity are drawn,
    evenly taken from all; the legend says so.
    """
    centroids = _placed(given.centroids)
    offending = {severity: _placed(given.offending[severity]) for severity in _DRAWN if severity in given.offending}
    offending = {severity: points for severity, points in offending.items() if len(points)}
    everything = np.concatenate([centroids, *offending.values()])
    if not len(everything):
        return ""
    view = _view(everything, geographic=given.geographic)
    parts = [
        *_tiles(given.tiles, view),
        *_density(view(centroids), view),
        _hull(view(centroids)),
        *(_dots(severity, view(points)) for severity, points in offending.items()),
        _scale(view, given),
    ]
    label = escape(_label(len(centroids), offending))
    drawing = (
        f'<svg class="map" viewBox="0 0 {view.width:.0f} {view.height:.0f}" role="img" aria-label="{label}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{label}</title>'
        f'<clipPath id="frame"><rect width="{view.width:.0f}" height="{view.height:.0f}" /></clipPath>'
        f'<g clip-path="url(#frame)">{"".join(parts)}</g></svg>'
    )
    return f"<figure>{drawing}{_legend(len(centroids), offending, bool(given.tiles))}</figure>"


def _placed(points: Points) -> Points:
    two = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return two[np.isfinite(two).all(1)]


def _view(points: Points, *, geographic: bool) -> _View:
    west, south = points.min(0)
    east, north = points.max(0)
    # A degree of longitude is shorter than one of latitude.
    squeeze = max(math.cos(math.radians((south + north) / 2)), 0.05) if geographic else 1.0
    least = 0.002 if geographic else 200.0
    wide, high = max((east - west) * squeeze, least), max(north - south, least)
    wide, high = max(wide, high / 3) * 1.04, max(high, wide / 3) * 1.04
    scale = min((_WIDTH - 2 * _MARGIN) / wide, (_LARGEST - 2 * _MARGIN) / high)
    middle_x, middle_y = (west + east) / 2, (south + north) / 2
    return _View(
        west=middle_x - wide / squeeze / 2,
        north=middle_y + high / 2,
        across=scale * squeeze,
        up=scale,
        width=wide * scale + 2 * _MARGIN,
        height=high * scale + 2 * _MARGIN,
    )


def _density(points: Points, view: _View) -> list[str]:
    if not len(points):
        return []
    side = max(view.width, view.height) / _CELLS
    cells = np.floor(points / side).astype(np.int64)
    found, counts = np.unique(cells, axis=0, return_counts=True)
    # Logarithmic: a thousand parcels in one cell must not hide a few in another.
    shade = np.minimum(np.log1p(counts) / np.log1p(counts.max()) * _SHADES, _SHADES - 1e-9).astype(int)
    paths = []
    for level in range(_SHADES):
        squares = "".join(
            f"M{x * side:.1f} {y * side:.1f}h{side:.1f}v{side:.1f}h-{side:.1f}z" for x, y in found[shade == level]
        )
        if squares:
            paths.append(f'<path class="density d{level + 1}" d="{squares}" />')
    return paths


def _hull(points: Points) -> str:
    hull = shapely.MultiPoint(points).convex_hull
    if not isinstance(hull, shapely.Polygon):
        return ""  # fewer than three parcels, or all on one line
    return f'<polygon class="hull" points="{_corners(np.asarray(hull.exterior.coords)[:-1])}" />'


def _tiles(tiles: Mapping[str, Points], view: _View) -> list[str]:
    drawn = []
    for name in sorted(tiles):
        corners = view(_placed(tiles[name]))
        if len(corners) < 3:
            continue
        drawn.append(f'<polygon class="tile" points="{_corners(corners)}" />')
        # The name stands in the part of the tile that is on the map.
        x = min(max(corners[:, 0].min(), 0) + 6, view.width - 50)
        y = min(max(corners[:, 1].min(), 0) + 16, view.height - 6)
        drawn.append(f'<text class="tile-name" x="{x:.1f}" y="{y:.1f}">{escape(name)}</text>')
    return drawn


def _dots(severity: Severity, points: Points) -> str:
    chosen = points[_evenly(len(points))]
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in chosen)
    return f'<path class="dots s{severity.value}" d="{dots}" />'


def _evenly(count: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, _DOTS)).round().astype(np.int64))


def _scale(view: _View, given: ReportMap) -> str:
    metres_per_pixel = (111_320.0 if given.geographic else 1.0) / view.up
    wanted = view.width / 5 * metres_per_pixel
    step = 10 ** math.floor(math.log10(wanted))
    length = max(factor * step for factor in (1, 2, 5) if factor * step <= wanted)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    right, low = view.width - _MARGIN, view.height - 10
    return (
        f'<path class="scale" d="M{right - length / metres_per_pixel:.1f} {low - 4:.1f}v4H{right:.1f}v-4" />'
        f'<text class="scale-name" x="{right:.1f}" y="{low - 8:.1f}">{text}</text>'
    )


def _corners(points: Points) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _label(parcels: int, offending: Mapping[Severity, Points]) -> str:
    found = ", ".join(f"{len(points)} {NAMES[severity].lower()}" for severity, points in offending.items())
    return f"Map of the parcels: {parcels}" + (f"; with findings: {found}" if found else "")


NAMES: Final[Mapping[Severity, str]] = {
    Severity.REFUSED: "File refused",
    Severity.SET_ASIDE: "Set aside",
    Severity.EXCLUDED: "Excluded",
    Severity.WARNING: "Warning",
    Severity.INFO: "Information",
}


def _legend(parcels: int, offending: Mapping[Severity, Points], tiles: bool) -> str:
    items = [f'<span class="key"><i class="swatch area"></i>Parcels: {parcels:,}; stronger colour where denser</span>']
    for severity in reversed(_DRAWN):
        if severity in offending:
            count = len(offending[severity])
            shown = f"{count:,}" if count <= _DOTS else f"{_DOTS} of {count:,} shown"
            items.append(f'<span class="key"><i class="swatch s{severity.value}"></i>{NAMES[severity]}: {shown}</span>')
    if tiles:
        items.append('<span class="key"><i class="swatch square"></i>Sentinel-2 tile</span>')
    return f"<figcaption>{''.join(items)}</figcaption>"
