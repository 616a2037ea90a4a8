"""Sun and view angles on the 5 km grid of product metadata, around the values of a pass.

The sun is one direction in space: the angles of a node follow exactly from those at the centre of the window. The
satellite is a point 786 km above ground that moves along the ground track, so the view changes across the track only;
the bands of a detector look at the same ground within 2.6 s of each other, the even detectors in the reverse order
(0.54 degrees a second, as in the grids of real products). The constant fore and aft look of odd and even detectors,
+1.1 and -1.5 degrees there, is left out: the view at the window is the one its reflectances were computed for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pyproj import Transformer

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.products.sentinel2_bands import BAND_NAMES

NODES = 23
STEP_M = 5000.0
_HEIGHT_M = 786_000.0
_INCLINATION_DEG = 98.62
# Along the orbit, of the point below it on the ground, of the turning earth at the equator.
_ORBIT_M_S, _GROUND_M_S, _EARTH_M_S = 7440.0, 6640.0, 465.1
_DETECTORS = 12
_SWATH_M = 290_000.0
# Neighbouring detectors see 2 km twice.
_OVERLAP_M = 1000.0
# Seconds after B02 at which a band sees the same ground (ESA MSI technical guide; Frantz et al. 2018, table 1).
_DELAY_S = {
    "B01": 2.314, "B02": 0.0, "B03": 0.527, "B04": 1.005, "B05": 1.269, "B06": 1.525, "B07": 1.790, "B08": 0.264,
    "B8A": 2.055, "B09": 2.586, "B10": 0.851, "B11": 1.468, "B12": 2.085,
}  # fmt: skip
_MEAN_DELAY_S = sum(_DELAY_S.values()) / len(_DELAY_S)

Grid = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ViewGrid:
    """View angles of one band in one detector: float64 (23, 23), degrees, NaN where the detector does not look."""

    band: str
    detector: int
    zenith: Grid
    azimuth: Grid


@dataclass(frozen=True, slots=True)
class AngleGrids:
    """Angles of a product; node (i, j) lies 5000 j m east and 5000 i m south of its upper-left corner.

    Parameters
    ----------
    sun_zenith, sun_azimuth : float64 (23, 23), degrees.
    views : of every band in every detector that reaches the grid; empty where only means are written.
    mean_sun : zenith, azimuth at the centre of the window, degrees.
    mean_views : the same of each band.
    """

    sun_zenith: Grid
    sun_azimuth: Grid
    views: tuple[ViewGrid, ...]
    mean_sun: tuple[float, float]
    mean_views: dict[str, tuple[float, float]]


def angle_grids(flight: OpticalPass, window: PixelGrid, *, detectors: bool = True) -> AngleGrids:
    """Angles around a pass whose values hold at the centre of the window.

    Parameters
    ----------
    detectors : make the grids of the view; without them the metadata carry its means alone.
    """
    east = np.arange(NODES) * STEP_M - window.columns * window.pixel / 2
    south = np.arange(NODES) * STEP_M - window.rows * window.pixel / 2
    dx, dy = np.meshgrid(east, -south)
    centre = (window.west + window.columns * window.pixel / 2, window.north - window.rows * window.pixel / 2)
    transformer = to_lonlat(window.epsg)
    longitude, latitude = transformer.transform(centre[0] + dx, centre[1] + dy)
    longitude_0, latitude_0 = transformer.transform(*centre)
    sun_zenith, sun_azimuth = _sun(flight, float(longitude_0), float(latitude_0), longitude, latitude)
    track = _Track.of(flight, float(latitude_0))
    still = np.zeros(1)
    number = track.detector(still, still)[0]
    means = {band: track.view(band, int(number), still, still) for band in BAND_NAMES}
    return AngleGrids(
        sun_zenith,
        sun_azimuth,
        tuple(track.grids(dx, dy)) if detectors else (),
        (flight.sun_zenith, flight.sun_azimuth),
        {band: (float(zenith[0]), float(azimuth[0])) for band, (zenith, azimuth) in means.items()},
    )


@dataclass(frozen=True, slots=True)
class _Track:
    """Ground track near the window: unit vectors along the flight and to its left, and where the satellite stands."""

    ahead: tuple[float, float]
    left: tuple[float, float]
    satellite: tuple[float, float]

    @classmethod
    def of(cls, flight: OpticalPass, latitude: float) -> _Track:
        # Descending: towards south-south-west; the ground moves east below the satellite.
        sine = np.clip(np.cos(np.radians(_INCLINATION_DEG)) / np.cos(np.radians(latitude)), -1, 1)
        east = _GROUND_M_S * sine - _EARTH_M_S * np.cos(np.radians(latitude))
        north = -_GROUND_M_S * np.sqrt(1 - sine**2)
        length = float(np.hypot(east, north))
        ahead = float(east) / length, float(north) / length
        azimuth = np.radians(flight.view_azimuth)
        away = _HEIGHT_M * np.tan(np.radians(flight.view_zenith))
        return cls(ahead, (-ahead[1], ahead[0]), (float(away * np.sin(azimuth)), float(away * np.cos(azimuth))))

    def detector(self, dx: Grid, dy: Grid) -> npt.NDArray[np.int64]:
        """Detector (1 to 12, from west to east) that sees a point; beyond the swath the nearest one."""
        position = (self._across(dx, dy) + _SWATH_M / 2) / (_SWATH_M / _DETECTORS)
        return np.clip(np.floor(position), 0, _DETECTORS - 1).astype(np.int64) + 1

    def _across(self, dx: Grid, dy: Grid) -> Grid:
        """Metres to the left of the ground track."""
        return np.asarray((dx - self.satellite[0]) * self.left[0] + (dy - self.satellite[1]) * self.left[1])

    def view(self, band: str, detector: int, dx: Grid, dy: Grid) -> tuple[Grid, Grid]:
        """Zenith and azimuth towards the satellite when the band sees the points, degrees."""
        turn = 1 if detector % 2 else -1
        lead = turn * (_DELAY_S[band] - _MEAN_DELAY_S) * _ORBIT_M_S
        shift = dx * self.left[0] + dy * self.left[1]
        x = self.satellite[0] - shift * self.left[0] + lead * self.ahead[0]
        y = self.satellite[1] - shift * self.left[1] + lead * self.ahead[1]
        zenith = np.degrees(np.arctan2(np.hypot(x, y), _HEIGHT_M))
        return zenith, np.degrees(np.arctan2(x, y)) % 360

    def grids(self, dx: Grid, dy: Grid) -> list[ViewGrid]:
        across = self._across(dx, dy)
        width = _SWATH_M / _DETECTORS
        seen: list[tuple[int, npt.NDArray[np.bool_]]] = []
        for number in range(1, _DETECTORS + 1):
            first = -np.inf if number == 1 else (number - 1) * width - _SWATH_M / 2 - _OVERLAP_M
            last = np.inf if number == _DETECTORS else number * width - _SWATH_M / 2 + _OVERLAP_M
            inside = (across >= first) & (across < last)
            if inside.any():
                seen.append((number, inside))
        grids = []
        for band in BAND_NAMES:
            for number, inside in seen:
                zenith, azimuth = self.view(band, number, dx, dy)
                grids.append(
                    ViewGrid(band, number, np.where(inside, zenith, np.nan), np.where(inside, azimuth, np.nan))
                )
        return grids


def _sun(
    flight: OpticalPass, longitude: float, latitude: float, longitudes: Grid, latitudes: Grid
) -> tuple[Grid, Grid]:
    """Carry the direction of the sun from one place to others, by its declination and hour angle."""
    zenith, azimuth, phi = np.radians([flight.sun_zenith, flight.sun_azimuth, latitude])
    sine = np.sin(phi) * np.cos(zenith) + np.cos(phi) * np.sin(zenith) * np.cos(azimuth)
    declination = np.arcsin(np.clip(sine, -1, 1))
    hour = np.arctan2(
        -np.sin(azimuth) * np.sin(zenith),
        np.cos(zenith) * np.cos(phi) - np.sin(zenith) * np.cos(azimuth) * np.sin(phi),
    )
    there = np.radians(latitudes)
    hours = hour + np.radians(longitudes - longitude)
    height = np.sin(there) * np.sin(declination) + np.cos(there) * np.cos(declination) * np.cos(hours)
    towards_east = -np.cos(declination) * np.sin(hours)
    towards_north = np.sin(declination) * np.cos(there) - np.cos(declination) * np.cos(hours) * np.sin(there)
    return np.degrees(np.arccos(np.clip(height, -1, 1))), np.degrees(np.arctan2(towards_east, towards_north)) % 360


@lru_cache(maxsize=16)
def to_lonlat(epsg: int) -> Transformer:
    """Return the way from a projection to longitude and latitude (WGS 84)."""
    return Transformer.from_crs(epsg, 4326, always_xy=True)
