"""A small GRD product whose every pixel is known: a circular orbit, the annotation that follows from it, and values.

Where a point of the ground lies in it is found without the library: by the least distance to the orbit itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.control
from pyproj import Geod, Transformer
from scipy.optimize import minimize_scalar

C = 299_792_458.0
RADIUS, INCLINATION, EARTH_RATE = 7_070_000.0, math.radians(98.18), 7.2921150e-5
ANGULAR = math.sqrt(3.986004418e14 / RADIUS**3)
MID_LINE = 450
GEOD = Geod(ellps="WGS84")
TO_SPACE = Transformer.from_crs(4979, 4978, always_xy=True)

Pattern = Callable[["Scene", Any, Any], Any]  # (lines, 1) and (1, samples) to sigma nought


@dataclass(frozen=True)
class Scene:
    """What is imaged and how.

    Parameters
    ----------
    longitude, latitude : of the middle. start : UTC of the first line. first : its seconds after the first slice's.
    bistatic : whether tie points show half the difference of the two-way times, as the real processor's do.
    noise : of the range vectors at sample 0. blocks : azimuth noise of each block at its first and last line; none
        is the form before IPF 2.90.
    zeros : lines and samples without data at top, bottom, left, right.
    relative_orbit : in the manifest.
    """

    longitude: float = 12.4
    latitude: float = 42.4
    lines: int = 900
    samples: int = 1000
    line_seconds: float = 1.47e-3
    spacing: float = 10.0
    start: datetime = datetime(2021, 5, 2, 5, 50, 0, 250_000, tzinfo=UTC)
    first: float = 0.0
    bistatic: bool = True
    ipf: str = "003.40"
    polarisations: tuple[str, ...] = ("VV", "VH")
    calibration: float = 450.0
    noise: float = 2000.0
    blocks: tuple[tuple[float, float], ...] = ((1.05, 1.15), (0.9, 1.0), (1.2, 1.1))
    crc: str = "1A2B"
    zeros: tuple[int, int, int, int] = (0, 0, 0, 0)
    relative_orbit: int = 9

    @property
    def name(self) -> str:
        """As ESA would name it."""
        stop = self.start + timedelta(seconds=self.lines * self.line_seconds)
        mode = "DV" if len(self.polarisations) == 2 else f"S{self.polarisations[0][1]}"
        times = f"{self.start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}"
        return f"S1A_IW_GRDH_1S{mode}_{times}_037706_0472A5_{self.crc}.SAFE"

    def next_slice(self, **other: Any) -> Scene:
        """The slice that begins where this one ends."""
        seconds = self.lines * self.line_seconds
        later = {"start": self.start + timedelta(seconds=seconds), "first": self.first + seconds, "crc": "3C4D"}
        return replace(self, **(later | other))

    def satellite(self, seconds: Any) -> Any:
        """Position (..., 3), on its way south, 600 km east of the middle.

        Seconds are on the orbit's own clock, 0 where it passes the latitude of the middle.
        """
        t = np.asarray(seconds, float)
        passing = math.pi - math.asin(math.sin(math.radians(self.latitude)) / math.sin(INCLINATION))
        u = passing + ANGULAR * t
        x, y, z = np.cos(u), np.sin(u) * math.cos(INCLINATION), np.sin(u) * math.sin(INCLINATION)
        under = math.atan2(math.sin(passing) * math.cos(INCLINATION), math.cos(passing))
        east = math.radians(self.longitude) + 600_000 / (6_371_000 * math.cos(math.radians(self.latitude)))
        turn = east - under - EARTH_RATE * t
        cos, sin = np.cos(turn), np.sin(turn)
        return RADIUS * np.stack([x * cos - y * sin, x * sin + y * cos, z], axis=-1)

    def seen(self, longitude: float, latitude: float, height: float) -> tuple[float, float]:
        """Zero-Doppler seconds (after the first slice's first line) and slant range of a point."""
        point = np.array(TO_SPACE.transform(longitude, latitude, height))
        found = minimize_scalar(
            lambda t: float(((self.satellite(t) - point) ** 2).sum()) / 1e6,
            bounds=(-40, 40),
            method="bounded",
            options={"xatol": 1e-10},
        )
        # The least distance is flat: its derivative gives the time to a microsecond.
        t, step = float(found.x), 1e-3
        for _ in range(4):
            before, here, after = (float(((self.satellite(t + d) - point) ** 2).sum()) for d in (-step, 0, step))
            t -= step * (after - before) / 2 / (after - 2 * here + before)
        return t - self.begin, float(np.linalg.norm(self.satellite(t) - point))

    @property
    def begin(self) -> float:
        """The first line of the first slice on the orbit's clock; the middle is imaged 450 lines later."""
        return _middle(self)[0] - MID_LINE * self.line_seconds

    def ground_range(self, seconds: Any, slant: Any) -> Any:
        """Ground range as the annotation's polynomials give it: 20 m more at the second record than at the first."""
        base, near, coefficients = _polynomial(self)
        return np.polyval(coefficients, np.asarray(slant) - near) + base + 20 * np.asarray(seconds) / 4

    def image_of(self, longitude: float, latitude: float, height: float) -> tuple[float, float]:
        """Line and sample of a point."""
        seconds, slant = self.seen(longitude, latitude, height)
        sample = float(self.ground_range(seconds, slant)) / self.spacing
        shift = (slant - self.middle_range) / C if self.bistatic else 0.0
        return (seconds - self.first - shift) / self.line_seconds, sample

    @property
    def middle_range(self) -> float:
        """Slant range where the processor's correction is exact."""
        return _middle(self)[1]

    def slant_range(self, seconds: float, sample: Any) -> Any:
        """Slant range of samples."""
        table = self.middle_range + np.linspace(-9000, 9000, 4001)
        return np.interp(np.asarray(sample) * self.spacing, self.ground_range(seconds, table), table)


_CACHE: dict[tuple[float, ...], Any] = {}


def _middle(scene: Scene) -> tuple[float, float]:
    key = (scene.longitude, scene.latitude)
    if key not in _CACHE:
        point = np.array(TO_SPACE.transform(*key, 0.0))
        times = np.linspace(-40, 40, 80_001)
        distance = np.linalg.norm(scene.satellite(times) - point, axis=1)
        least = int(np.argmin(distance))
        _CACHE[key] = float(times[least]), float(distance[least])
    found: tuple[float, float] = _CACHE[key]
    return found


def _polynomial(scene: Scene) -> tuple[float, float, Any]:
    """Ground range of the first sample's range, that range, and the polynomial (highest first) from there."""
    key = (scene.longitude, scene.latitude, scene.samples, scene.spacing)
    if key not in _CACHE:
        half = scene.samples * scene.spacing / 2
        distances = np.linspace(-half - 3000, half + 3000, 41)
        slants = []
        for distance in distances:  # westwards, away from the satellite
            longitude, latitude, _ = GEOD.fwd(scene.longitude, scene.latitude, 281.0, distance)
            point = np.array(TO_SPACE.transform(longitude, latitude, 0.0))
            times = _middle(scene)[0] + np.linspace(-2, 2, 4001)
            slants.append(float(np.linalg.norm(scene.satellite(times) - point, axis=1).min()))
        near = float(np.interp(-half, distances, slants))
        coefficients = np.polyfit(np.array(slants) - near, distances + half, 4)
        _CACHE[key] = 0.0, near, coefficients
    found: tuple[float, float, Any] = _CACHE[key]
    return found


def uniform(level: float) -> Pattern:
    """One sigma nought everywhere."""
    return lambda scene, line, sample: np.full((scene.lines, scene.samples), level)


def points(places: list[tuple[float, float]], level: float = 0.01, peak: float = 40.0) -> Pattern:
    """Point targets (Gaussian, 1.5 pixels) at lines and samples, on a dark ground."""

    def pattern(scene: Scene, line: Any, sample: Any) -> Any:
        values = np.full((scene.lines, scene.samples), level)
        for at, across in places:
            values += peak * np.exp(-((line - at) ** 2 + (sample - across) ** 2) / (2 * 1.5**2))
        return values

    return pattern


def lut(scene: Scene, line: Any, sample: Any) -> Any:
    """A of sigma nought: bilinear in the vectors that the annotation lists."""
    return scene.calibration * (1 + 0.05 * np.asarray(sample) / scene.samples + 0.02 * np.asarray(line) / scene.lines)


def noise_power(scene: Scene, line: Any, sample: Any) -> Any:
    """Range noise times the block's azimuth noise."""
    line, sample = np.broadcast_arrays(np.asarray(line, float), np.asarray(sample, float))
    across = scene.noise * (1 + 0.3 * sample / scene.samples)
    if not scene.blocks:
        return across
    limits = _blocks(scene)
    block = np.clip(np.searchsorted([first for first, _ in limits], sample, side="right") - 1, 0, len(limits) - 1)
    first, last = np.array(scene.blocks).T
    return across * (first[block] + (last - first)[block] * line / (scene.lines - 1))


def _blocks(scene: Scene) -> list[tuple[int, int]]:
    edges = np.linspace(0, scene.samples, len(scene.blocks) + 1).astype(int)
    return [(int(a), int(b) - 1) for a, b in pairwise(edges)]


def amplitudes(scene: Scene, pattern: Pattern, seed: int) -> Any:
    """DN of a pattern of sigma nought with noise; rounded up or down by chance, so that means are exact."""
    line, sample = np.arange(scene.lines)[:, None], np.arange(scene.samples)[None, :]
    power = pattern(scene, line, sample) * lut(scene, line, sample) ** 2 + noise_power(scene, line, sample)
    rng = np.random.default_rng(seed)
    root = np.sqrt(power)
    low = np.floor(root)
    # The chance that keeps the mean of DN^2.
    up = (power - low**2) / (2 * low + 1)
    values = (low + (rng.random(root.shape) < up)).astype(np.uint16)
    top, bottom, left, right = scene.zeros
    inside = (line >= top) & (line < scene.lines - bottom) & (sample >= left) & (sample < scene.samples - right)
    return np.where(inside, values, 0).astype(np.uint16)


def write_grd(folder: Path, scene: Scene, pattern: Pattern, *, leave_out: tuple[str, ...] = ()) -> Path:
    """Write the product; ``leave_out`` names kinds (``noise``, ``calibration``, ``measurement``, ``annotation``) or
    polarisations that are missing."""
    safe = folder / scene.name
    for part in ("annotation/calibration", "measurement"):
        (safe / part).mkdir(parents=True)
    (safe / "manifest.safe").write_text(_manifest(scene))
    start, stop = scene.name.split("_")[4:6]
    for number, pol in enumerate(scene.polarisations, 1):
        if pol in leave_out:
            continue
        stem = f"s1a-iw-grd-{pol}-{start}-{stop}-037706-0472a5-{number:03d}".lower()
        if "annotation" not in leave_out:
            (safe / "annotation" / f"{stem}.xml").write_text(_annotation(scene, pol))
        if "calibration" not in leave_out:
            (safe / "annotation" / "calibration" / f"calibration-{stem}.xml").write_text(_calibration(scene))
        if "noise" not in leave_out:
            (safe / "annotation" / "calibration" / f"noise-{stem}.xml").write_text(_noise(scene))
        if "measurement" not in leave_out:
            _write_measurement(safe / "measurement" / f"{stem}.tiff", amplitudes(scene, pattern, number))
    return safe


def _write_measurement(path: Path, values: Any) -> None:
    gcps = [rasterio.control.GroundControlPoint(row, col, col, -row, 0) for row, col in ((0, 0), (0, 9), (9, 0))]
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=values.shape[0],
        width=values.shape[1],
        count=1,
        dtype="uint16",
        blockysize=1,
        gcps=gcps,
        crs="EPSG:4326",
    ) as raster:
        raster.write(values, 1)


def orbit_file(folder: Path, scene: Scene, *, late: float = 0.0, kind: str = "POE") -> Path:
    """An orbit file of the scene; in it the satellite is ``late`` by some seconds."""
    day = scene.start.replace(hour=0, minute=0, second=0, microsecond=0)
    rows = []
    whole = scene.start.replace(microsecond=0)
    for number in range(-30, 31):
        moment = whole + timedelta(seconds=10 * number)
        t = scene.begin + scene.first + (moment - scene.start).total_seconds()
        position, velocity = scene.satellite(t - late), _velocity(scene, t - late)
        values = "".join(f"<{n}>{v:.6f}</{n}>" for n, v in zip("XYZ", position, strict=True))
        values += "".join(f"<V{n}>{v:.6f}</V{n}>" for n, v in zip("XYZ", velocity, strict=True))
        rows.append(f"<OSV><UTC>UTC={moment:%Y-%m-%dT%H:%M:%S}.000000</UTC>{values}</OSV>")
    validity = f"V{day - timedelta(hours=1):%Y%m%dT%H%M%S}_{day + timedelta(hours=25):%Y%m%dT%H%M%S}"
    path = folder / f"S1A_OPER_AUX_{kind}ORB_OPOD_20210523T121500_{validity}.EOF"
    path.write_text(
        f"<Earth_Explorer_File><Data_Block><List_of_OSVs>{''.join(rows)}</List_of_OSVs></Data_Block>"
        "</Earth_Explorer_File>"
    )
    return path


def _velocity(scene: Scene, t: float) -> Any:
    return (scene.satellite(t + 0.01) - scene.satellite(t - 0.01)) / 0.02


def _time(scene: Scene, seconds: float) -> str:
    return f"{scene.start + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S.%f}"


def _corners(scene: Scene) -> list[tuple[float, float]]:
    """Longitude and latitude of the corners, roughly."""
    found = []
    for line, sample in ((0, 0), (0, 1), (1, 1), (1, 0)):
        along = (scene.first / scene.line_seconds + line * scene.lines - MID_LINE) * 10
        across = (sample - 0.5) * scene.samples * scene.spacing
        longitude, latitude, _ = GEOD.fwd(scene.longitude, scene.latitude, 191.0, along)
        found.append(GEOD.fwd(longitude, latitude, 281.0, across)[:2])
    return found


def _manifest(scene: Scene) -> str:
    polarisations = "".join(
        f"<s1sarl1:transmitterReceiverPolarisation>{pol}</s1sarl1:transmitterReceiverPolarisation>"
        for pol in scene.polarisations
    )
    corners = " ".join(f"{latitude:.6f},{longitude:.6f}" for longitude, latitude in _corners(scene))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" xmlns:safe="http://www.esa.int/safe/sentinel-1.0"
 xmlns:s1="http://www.esa.int/safe/sentinel-1.0/sentinel-1" xmlns:gml="http://www.opengis.net/gml"
 xmlns:s1sarl1="http://www.esa.int/safe/sentinel-1.0/sentinel-1/sar/level-1"><metadataSection>
<safe:software name="Sentinel-1 IPF" version="{scene.ipf}"/>
<safe:startTime>{_time(scene, 0)}</safe:startTime>
<safe:stopTime>{_time(scene, (scene.lines - 1) * scene.line_seconds)}</safe:stopTime>
<safe:orbitNumber type="start">37706</safe:orbitNumber>
<safe:relativeOrbitNumber type="start">{scene.relative_orbit}</safe:relativeOrbitNumber>
<s1:pass>DESCENDING</s1:pass>{polarisations}
<safe:footPrint><gml:coordinates>{corners}</gml:coordinates></safe:footPrint>
</metadataSection></xfdu:XFDU>
"""


def _annotation(scene: Scene, pol: str) -> str:
    orbit = []
    for number in range(-6, 8):
        t = scene.begin + scene.first + 10 * number
        vectors = "".join(
            f"<{name}>{''.join(f'<{a}>{v:.9e}</{a}>' for a, v in zip('xyz', vector, strict=True))}</{name}>"
            for name, vector in (("position", scene.satellite(t)), ("velocity", _velocity(scene, t)))
        )
        orbit.append(f"<orbit><time>{_time(scene, 10 * number)}</time><frame>Earth Fixed</frame>{vectors}</orbit>")
    _, near, coefficients = _polynomial(scene)
    records = []
    for seconds in (-1.0, 0.0, 4.0):
        own = coefficients[::-1].copy()
        own[0] += 20 * (seconds + scene.first) / 4
        words = " ".join(f"{value:.15e}" for value in own)
        records.append(
            f"<coordinateConversion><azimuthTime>{_time(scene, seconds)}</azimuthTime><sr0>{near:.9f}</sr0>"
            f"<srgrCoefficients>{words}</srgrCoefficients></coordinateConversion>"
        )
    ties = []
    corners = _corners(scene)
    for down in np.linspace(0, 1, 4):
        for across in np.linspace(0, 1, 5):
            line, sample = round(down * (scene.lines - 1)), round(across * (scene.samples - 1))
            seconds = line * scene.line_seconds
            slant = float(scene.slant_range(seconds + scene.first, sample))
            shift = (slant - scene.middle_range) / C if scene.bistatic else 0.0
            place = np.array(corners[0]) * (1 - down) * (1 - across) + np.array(corners[1]) * (1 - down) * across
            place = place + np.array(corners[2]) * down * across + np.array(corners[3]) * down * (1 - across)
            ties.append(
                f"<geolocationGridPoint><azimuthTime>{_time(scene, seconds + shift)}</azimuthTime>"
                f"<slantRangeTime>{2 * slant / C:.15e}</slantRangeTime><line>{line}</line><pixel>{sample}</pixel>"
                f"<latitude>{place[1]:.9f}</latitude><longitude>{place[0]:.9f}</longitude><height>0.0</height>"
                "<incidenceAngle>38.0</incidenceAngle></geolocationGridPoint>"
            )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<product><adsHeader><missionId>S1A</missionId><productType>GRD</productType><polarisation>{pol}</polarisation>
<mode>IW</mode><swath>IW</swath></adsHeader>
<generalAnnotation><productInformation><pass>Descending</pass>
<rangeSamplingRate>6.434523812571428e+07</rangeSamplingRate></productInformation>
<orbitList count="{len(orbit)}">{"".join(orbit)}</orbitList></generalAnnotation>
<imageAnnotation><imageInformation><productFirstLineUtcTime>{_time(scene, 0)}</productFirstLineUtcTime>
<slantRangeTime>{2 * near / C:.15e}</slantRangeTime><rangePixelSpacing>{scene.spacing:e}</rangePixelSpacing>
<azimuthPixelSpacing>1.0e+01</azimuthPixelSpacing><azimuthTimeInterval>{scene.line_seconds:.15e}</azimuthTimeInterval>
<numberOfSamples>{scene.samples}</numberOfSamples><numberOfLines>{scene.lines}</numberOfLines>
<incidenceAngleMidSwath>38.0</incidenceAngleMidSwath></imageInformation></imageAnnotation>
<swathTiming><linesPerBurst>0</linesPerBurst><samplesPerBurst>0</samplesPerBurst><burstList count="0"/></swathTiming>
<geolocationGrid><geolocationGridPointList>{"".join(ties)}</geolocationGridPointList></geolocationGrid>
<coordinateConversion><coordinateConversionList>{"".join(records)}</coordinateConversionList></coordinateConversion>
</product>
"""


def _words(values: Any, form: str = "{:.9e}") -> str:
    return " ".join(form.format(value) for value in np.asarray(values).ravel())


def _calibration(scene: Scene) -> str:
    pixels = np.unique(np.append(np.arange(0, scene.samples, 40), scene.samples - 1))
    vectors = []
    for line in (-50, scene.lines // 2, scene.lines + 10):
        a = lut(scene, line, pixels)
        vectors.append(
            f"<calibrationVector><line>{line}</line><pixel>{_words(pixels, '{:d}')}</pixel>"
            f"<sigmaNought>{_words(a)}</sigmaNought><betaNought>{_words(a * 0.8)}</betaNought>"
            f"<gamma>{_words(a * 0.9)}</gamma></calibrationVector>"
        )
    return f"<calibration><calibrationVectorList>{''.join(vectors)}</calibrationVectorList></calibration>"


def _noise(scene: Scene) -> str:
    vectors = []
    # Vectors may list other pixels than their neighbours.
    for line, step in ((0, 40), (scene.lines // 2, 100), (scene.lines - 1, 40)):
        pixels = np.unique(np.append(np.arange(0, scene.samples, step), scene.samples - 1))
        across = scene.noise * (1 + 0.3 * pixels / scene.samples)
        name, item = ("noiseLut", "noiseVector") if not scene.blocks else ("noiseRangeLut", "noiseRangeVector")
        vectors.append(
            f"<{item}><line>{line}</line><pixel>{_words(pixels, '{:d}')}</pixel>"
            f"<{name}>{_words(across)}</{name}></{item}>"
        )
    if not scene.blocks:
        return f"<noise><noiseVectorList>{''.join(vectors)}</noiseVectorList></noise>"
    blocks = []
    last_line = scene.lines - 1
    for (first, last), values in zip(_blocks(scene), scene.blocks, strict=True):
        blocks.append(
            f"<noiseAzimuthVector><firstAzimuthLine>0</firstAzimuthLine><firstRangeSample>{first}</firstRangeSample>"
            f"<lastAzimuthLine>{last_line}</lastAzimuthLine><lastRangeSample>{last}</lastRangeSample>"
            f"<line>0 {last_line}</line><noiseAzimuthLut>{_words(values)}</noiseAzimuthLut></noiseAzimuthVector>"
        )
    return (
        f"<noise><noiseRangeVectorList>{''.join(vectors)}</noiseRangeVectorList>"
        f"<noiseAzimuthVectorList>{''.join(blocks)}</noiseAzimuthVectorList></noise>"
    )
