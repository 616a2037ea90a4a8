"""Where in a Sentinel-1 image the pixels of a map lie: range-Doppler geocoding (``preprocessing.md`` 4.4).

The geometry is that of the library sarsen (zero Doppler by Newton with a polynomial orbit, then slant range to ground
range), with which the tests compare it; a loop of our own takes seconds and little memory where whole-array steps take
minutes on a tile of 30 million pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.kernel_cache import compiled
from s4c_lib.preprocessing.radar import geocoding_kernels as kernels
from s4c_lib.preprocessing.radar.annotation import SPEED_OF_LIGHT, Annotation, TiePoints
from s4c_lib.preprocessing.radar.geoid import Geoid
from s4c_lib.preprocessing.radar.orbits import OrbitPolynomial

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.float32]

SEMI_MAJOR_M: Final = 6_378_137.0
_FLATTENING: Final = 1 / 298.257223563
_E2: Final = _FLATTENING * (2 - _FLATTENING)
# Linear between nodes this far apart, a point of the ellipsoid is d^2 / 8R = 8 mm off in each direction.
_NODE_M: Final = 640.0


@dataclass(frozen=True, slots=True, eq=False)
class GroundNodes:
    """A map's grid in space, at every ``step``-th pixel centre; the last nodes lie at or beyond the last pixels.

    Parameters
    ----------
    place, up : (down, across, 3): point of the ellipsoid, metres earth-fixed; unit vector upwards.
    surface : (down, across), what heights are counted from, metres above the ellipsoid.
    """

    grid: PixelGrid
    step: int
    place: Floats
    up: Floats
    surface: Floats


@dataclass(frozen=True, slots=True, eq=False)
class ImageFrame:
    """What is needed to find a point of the ground in an image.

    Parameters
    ----------
    shift : constant and slope per metre of slant range, seconds: line time is zero-Doppler time less this.
    limits : slant range of the first and the last sample (metres), lines, samples.
    """

    annotation: Annotation
    orbit: OrbitPolynomial
    shift: Floats
    limits: Floats


def ground_nodes(grid: PixelGrid, geoid: Geoid | None) -> GroundNodes:
    """Place a grid in space.

    Parameters
    ----------
    geoid : what heights are counted from; None for the ellipsoid.

    Raises
    ------
    InputError : the geoid grid is missing or does not reach the place.
    """
    from pyproj import Transformer

    step = max(1, int(_NODE_M / grid.pixel))
    column = np.arange(0, grid.columns + step, step) + 0.5
    row = np.arange(0, grid.rows + step, step) + 0.5
    easting, northing = np.meshgrid(grid.west + column * grid.pixel, grid.north - row * grid.pixel)
    longitude, latitude = Transformer.from_crs(grid.epsg, 4326, always_xy=True).transform(easting, northing)
    surface = np.zeros(longitude.shape) if geoid is None else geoid.at(longitude, latitude)
    place, up = earth_fixed(longitude, latitude)
    return GroundNodes(grid, step, place, up, surface)


def earth_fixed(longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
    """Points of the WGS 84 ellipsoid, metres, and their normals, both (..., 3); degrees."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    up = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)
    normal = SEMI_MAJOR_M / np.sqrt(1 - _E2 * np.sin(phi) ** 2)
    return normal[..., None] * up * [1, 1, 1 - _E2], up


def image_frame(annotation: Annotation, orbit: OrbitPolynomial) -> ImageFrame:
    """Prepare an image for `locate`."""
    geometry = annotation.geometry
    ranges = annotation.tie_points.range_seconds * SPEED_OF_LIGHT / 2
    limits = np.array([ranges.min(), ranges.max(), geometry.lines, geometry.samples], float)
    shift = np.zeros(2)
    if geometry.ground_range:
        shift = residual_shift(annotation.tie_points, geometry.line_seconds)
    else:  # lines of an SLC follow each other within a burst only, which its reader has to know
        limits[0] = geometry.near_range_seconds * SPEED_OF_LIGHT / 2
        limits[1] = limits[0] + (geometry.samples - 1) * slant_spacing(annotation)
    return ImageFrame(annotation, orbit, shift, limits)


def slant_spacing(annotation: Annotation) -> float:
    """Metres of slant range from sample to sample of an SLC."""
    return SPEED_OF_LIGHT / (2 * annotation.geometry.range_sampling_hz)


def residual_shift(points: TiePoints, line_seconds: float) -> Floats:
    """How far zero-Doppler time lies from line time, as constant and slope per metre of slant range.

    The processor removes the motion between transmission and reception for the middle of the swath only; what stays,
    half the difference of the two-way times (up to 0.18 lines of a GRD), the tie points show.
    """
    ranges = points.range_seconds * SPEED_OF_LIGHT / 2
    design = np.stack([np.ones_like(ranges), ranges], axis=1)
    found = np.linalg.lstsq(design, points.seconds - points.line * line_seconds, rcond=None)[0]
    return np.asarray(found, float)


def locate(frame: ImageFrame, nodes: GroundNodes, first_row: int, heights: Any) -> tuple[Positions, Positions]:
    """Line and sample of the pixel centres of some rows of a map.

    Parameters
    ----------
    first_row : of the map. heights : float32 (rows, columns), metres above the nodes' surface.

    Returns
    -------
    line, pixel : float32 (rows, columns), counting pixel centres; NaN more than a pixel off the image.
    """
    annotation, records = frame.annotation, frame.annotation.ground_range
    geometry = annotation.geometry
    if records is None:
        none = np.zeros(0), np.zeros(0), np.zeros((0, 1))
        seconds, origin, coefficients = none
        spacing = slant_spacing(annotation)
    else:
        seconds, origin, coefficients = records.seconds, records.origin, records.coefficients
        spacing = geometry.range_spacing
    line, pixel = np.empty(heights.shape, np.float32), np.empty(heights.shape, np.float32)
    compiled(kernels.locate)(
        nodes.place,
        nodes.up,
        nodes.surface,
        nodes.step,
        first_row,
        heights,
        frame.orbit.coefficients,
        frame.orbit.middle,
        frame.shift,
        seconds,
        origin,
        coefficients,
        frame.limits,
        geometry.line_seconds,
        spacing,
        line,
        pixel,
    )
    return line, pixel
