"""What the annotation of one Sentinel-1 image says of its geometry (``preprocessing.md`` 4.3, 4.4).

Read here rather than through a library: a product may lie in an archive, and every missing or damaged part is to be
named. Times are seconds from the image's first line.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.preprocessing.radar.xml_part import XmlPart, xml_part

Floats = npt.NDArray[np.float64]

SPEED_OF_LIGHT: Final = 299_792_458.0  # m/s
_DIRECTIONS: Final = {"ascending", "descending"}


@dataclass(frozen=True, slots=True)
class ImageGeometry:
    """The raster of an image in radar coordinates; indexes count pixel centres.

    Parameters
    ----------
    first_line : UTC zero-Doppler time of line 0. line_seconds : from line to line.
    near_range_seconds : two-way time to sample 0.
    range_spacing, azimuth_spacing : metres; on the ground for GRD, along the slant for SLC.
    ground_range : whether samples count ground range (GRD).
    """

    first_line: datetime
    line_seconds: float
    near_range_seconds: float
    range_spacing: float
    azimuth_spacing: float
    lines: int
    samples: int
    ground_range: bool
    range_sampling_hz: float
    incidence_mid_deg: float


@dataclass(frozen=True, slots=True, eq=False)
class StateVectors:
    """Where the satellite was.

    Parameters
    ----------
    seconds : (n), ascending. position, velocity : (n, 3), metres and m/s, earth-fixed.
    source : ``ANN`` of the annotation, ``POE`` precise, ``RES`` restituted.
    """

    seconds: Floats
    position: Floats
    velocity: Floats
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class GroundRangeRecords:
    """Ground range of slant range, as polynomials at some times: ``g = sum c_k (R - origin)^k``, metres.

    Parameters
    ----------
    seconds, origin : (n). coefficients : (n, degrees), lowest first.
    """

    seconds: Floats
    origin: Floats
    coefficients: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TiePoints:
    """Points of the annotation's geolocation grid, all (n): degrees, metres above the ellipsoid, seconds."""

    line: Floats
    pixel: Floats
    seconds: Floats
    range_seconds: Floats
    latitude: Floats
    longitude: Floats
    height: Floats
    incidence_deg: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """One image: a polarisation, and of SLC a sub-swath.

    Parameters
    ----------
    ground_range : None for SLC.
    lines_per_burst, bursts : of SLC; 0 for GRD.
    """

    polarisation: str
    swath: str
    product_type: str
    direction: str
    geometry: ImageGeometry
    orbit: StateVectors
    ground_range: GroundRangeRecords | None
    tie_points: TiePoints
    lines_per_burst: int
    bursts: int


def parse_annotation(content: bytes, where: str) -> Annotation:
    """Read the annotation of an SLC or GRD image.

    Parameters
    ----------
    where : the file, for messages.

    Raises
    ------
    ProductCorruptError : not XML, or something is missing or no number; names the file and the element.
    """
    root = xml_part(content, where)
    image = root.part("imageAnnotation/imageInformation")
    information = root.part("generalAnnotation/productInformation")
    first_line = image.time("productFirstLineUtcTime")
    product_type = root.text("adsHeader/productType")
    ground_range = product_type == "GRD"
    direction = information.text("pass").lower()
    if direction not in _DIRECTIONS:
        raise root.fault(f"the pass '{direction}' is neither ascending nor descending")
    geometry = ImageGeometry(
        first_line=first_line,
        line_seconds=image.number("azimuthTimeInterval"),
        near_range_seconds=image.number("slantRangeTime"),
        range_spacing=image.number("rangePixelSpacing"),
        azimuth_spacing=image.number("azimuthPixelSpacing"),
        lines=int(image.number("numberOfLines")),
        samples=int(image.number("numberOfSamples")),
        ground_range=ground_range,
        range_sampling_hz=information.number("rangeSamplingRate"),
        incidence_mid_deg=image.number("incidenceAngleMidSwath"),
    )
    lengths = geometry.line_seconds, geometry.range_spacing, geometry.azimuth_spacing
    if min(geometry.lines, geometry.samples, *lengths) <= 0:
        raise root.fault("the image has no extent")
    return Annotation(
        polarisation=root.text("adsHeader/polarisation").upper(),
        swath=root.text("adsHeader/swath").upper(),
        product_type=product_type,
        direction=direction,
        geometry=geometry,
        orbit=_orbit(root, first_line),
        ground_range=_ground_range(root, first_line) if ground_range else None,
        tie_points=_tie_points(root, first_line),
        lines_per_burst=int(root.number("swathTiming/linesPerBurst")),
        bursts=len(root.all("swathTiming/burstList/burst")),
    )


def seconds_since(moment: datetime, start: datetime) -> float:
    """Seconds between two times, exact to the microsecond."""
    return (moment - start).total_seconds()


def _orbit(root: XmlPart, start: datetime) -> StateVectors:
    vectors = root.some("generalAnnotation/orbitList/orbit")
    order = sorted(vectors, key=lambda vector: vector.time("time"))

    def axes(name: str) -> Floats:
        return np.array([[vector.number(f"{name}/{axis}") for axis in "xyz"] for vector in order])

    seconds = np.array([seconds_since(vector.time("time"), start) for vector in order])
    return StateVectors(seconds, axes("position"), axes("velocity"), "ANN")


def _ground_range(root: XmlPart, start: datetime) -> GroundRangeRecords:
    records = root.some("coordinateConversion/coordinateConversionList/coordinateConversion")
    order = sorted(records, key=lambda record: record.time("azimuthTime"))
    coefficients = [record.numbers("srgrCoefficients") for record in order]
    if len({len(row) for row in coefficients}) != 1:
        raise root.fault("slant-to-ground polynomials of several degrees")
    seconds = np.array([seconds_since(record.time("azimuthTime"), start) for record in order])
    return GroundRangeRecords(seconds, np.array([record.number("sr0") for record in order]), np.array(coefficients))


def _tie_points(root: XmlPart, start: datetime) -> TiePoints:
    points = root.some("geolocationGrid/geolocationGridPointList/geolocationGridPoint")

    def column(name: str) -> Floats:
        return np.array([point.number(name) for point in points])

    return TiePoints(
        line=column("line"),
        pixel=column("pixel"),
        seconds=np.array([seconds_since(point.time("azimuthTime"), start) for point in points]),
        range_seconds=column("slantRangeTime"),
        latitude=column("latitude"),
        longitude=column("longitude"),
        height=column("height"),
        incidence_deg=column("incidenceAngle"),
    )
