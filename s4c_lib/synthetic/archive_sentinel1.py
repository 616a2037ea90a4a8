"""Made-up Sentinel-1 products: SLC and GRD scenes as SAFE, and ready-made level 2 by tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import TILE_M, Sentinel2Tile
from s4c_lib.synthetic.archive_files import Files, metadata_object, safe_manifest
from s4c_lib.synthetic.archive_rasters import PIXELS, radar_raster, smooth_field
from s4c_lib.synthetic.radar import level2

RELATIVE_ORBIT = 117
_POLARISATIONS = ("VV", "VH")
_SCENE_LENGTH = timedelta(seconds=27)
_TIME = "%Y%m%dT%H%M%S"
# (day, absolute orbit) of one pass over relative orbit 117 by each platform; a cycle is 175 orbits in 12 days.
_ANCHORS = {"S1A": (date(2022, 1, 4), 41314), "S1B": (date(2021, 12, 5), 29893), "S1C": (date(2022, 1, 10), 288)}
_END_OF_1B = date(2021, 12, 23)


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over the site, ascending."""

    platform: str
    start: datetime

    @property
    def absolute_orbit(self) -> int:
        """Absolute orbit whose relative orbit is `RELATIVE_ORBIT`."""
        day, orbit = _ANCHORS[self.platform]
        return max(orbit % 175 or 175, orbit + 175 * round((self.start.date() - day).days / 12))

    @property
    def datatake(self) -> str:
        """Datatake id, hexadecimal."""
        return f"{self.absolute_orbit * 8 & 0xFFFFFF:06X}"


def platforms_of(day: date) -> tuple[str, str]:
    """The two platforms that share a six-day repeat from a day on."""
    return ("S1A", "S1B") if day < _END_OF_1B else ("S1A", "S1C")


def scene_corners(tiles: Sequence[Sentinel2Tile]) -> list[tuple[float, float]]:
    """Corners (lon, lat) of a slanted scene that covers the tiles, in ring order."""
    bounds = np.array([tile.footprint_wgs84().bounds for tile in tiles])
    west, south = bounds[:, 0].min() - 0.5, bounds[:, 1].min() - 0.3
    east, north = bounds[:, 2].max() + 0.5, bounds[:, 3].max() + 0.3
    slant = 0.3
    return [
        (float(west - slant), float(north - slant)),
        (float(east - slant), float(north + slant)),
        (float(east + slant), float(south + slant)),
        (float(west + slant), float(south - slant)),
    ]


def scene_name(flight: Pass, kind: str) -> str:
    """Name without ``.SAFE``; ``kind`` is ``SLC`` or ``GRD``."""
    level = "SLC__1SDV" if kind == "SLC" else "GRDH_1SDV"
    stop = flight.start + _SCENE_LENGTH
    check = f"{sum(map(ord, kind)) * flight.absolute_orbit & 0xFFFF:04X}"
    return (
        f"{flight.platform}_IW_{level}_{flight.start:{_TIME}}_{stop:{_TIME}}"
        f"_{flight.absolute_orbit:06d}_{flight.datatake}_{check}"
    )


class SceneImages:
    """Measurements of the scenes, encoded once; the same pixels every time."""

    def __init__(self, corners: list[tuple[float, float]], rng: np.random.Generator) -> None:
        self.corners = corners
        amplitude = 60 + 200 * smooth_field(rng, 64)
        phase = rng.uniform(0, 2 * np.pi, amplitude.shape)
        complex_values = np.round(amplitude * np.cos(phase)) + 1j * np.round(amplitude * np.sin(phase))
        self.slc = radar_raster(complex_values.astype(np.complex64), corners)
        self.grd = radar_raster(amplitude.astype(np.uint16), corners)


def scene_files(flight: Pass, kind: str, images: SceneImages) -> Files:
    """Files of an SLC or GRD SAFE: for each swath and polarisation annotation, calibration, noise, measurement."""
    swaths = ("iw1", "iw2", "iw3") if kind == "SLC" else ("iw",)
    stop = flight.start + _SCENE_LENGTH
    files: Files = {}
    pairs = [(swath, polarisation) for polarisation in _POLARISATIONS for swath in swaths]
    for number, (swath, polarisation) in enumerate(pairs, start=1):
        stem = (
            f"{flight.platform}-{swath}-{kind}-{polarisation}-{flight.start:{_TIME}}-{stop:{_TIME}}"
            f"-{flight.absolute_orbit:06d}-{flight.datatake}-{number:03d}"
        ).lower()
        header = (
            f"<adsHeader><missionId>{flight.platform}</missionId><productType>{kind}</productType>"
            f"<polarisation>{polarisation}</polarisation><mode>IW</mode><swath>{swath.upper()}</swath>"
            f"<startTime>{flight.start:%Y-%m-%dT%H:%M:%S.%f}</startTime>"
            f"<stopTime>{stop:%Y-%m-%dT%H:%M:%S.%f}</stopTime>"
            f"<absoluteOrbitNumber>{flight.absolute_orbit}</absoluteOrbitNumber></adsHeader>"
        )
        files[f"annotation/{stem}.xml"] = _xml("product", header + _geolocation(images.corners))
        files[f"annotation/calibration/calibration-{stem}.xml"] = _xml("calibration", header)
        files[f"annotation/calibration/noise-{stem}.xml"] = _xml("noise", header)
        files[f"measurement/{stem}.tiff"] = images.slc if kind == "SLC" else images.grd
    files["manifest.safe"] = _manifest(flight, stop, kind, images.corners, files)
    return files


def level2_name(flight: Pass, previous: Pass | None, polarisation: str, tile: str) -> str:
    """V2 name with ``.tif``: backscatter, or coherence when there is a previous pass."""
    times = tuple(f"{item.start:{_TIME}}" for item in (flight, previous) if item is not None)
    return level2.level2_name(flight.platform, times, polarisation, RELATIVE_ORBIT, tile)


def level2_raster(tile: Sentinel2Tile, rng: np.random.Generator, *, coherence: bool) -> bytes:
    """Float32 raster on a tile: sigma nought (linear) or coherence, 0 = no data.

    One raster serves all passes, so it has no tag of a date, an orbit or a polarisation.
    """
    field = smooth_field(rng, PIXELS[20])
    values = 0.2 + 0.6 * field if coherence else 0.02 + 0.2 * field
    return level2.geotiff(
        level2.significant(values.astype(np.float32)),
        PixelGrid(tile.epsg, tile.ulx, tile.uly, TILE_M / PIXELS[20], PIXELS[20], PIXELS[20]),
        {"QUANTITY": "coherence" if coherence else "sigma0"},
    )


def _manifest(flight: Pass, stop: datetime, kind: str, corners: list[tuple[float, float]], files: Files) -> bytes:
    ring = " ".join(f"{lat:.6f},{lon:.6f}" for lon, lat in corners)
    processed = stop + timedelta(hours=3)
    return safe_manifest(
        files,
        namespaces='xmlns:safe="http://www.esa.int/safe/sentinel-1.0" '
        'xmlns:s1="http://www.esa.int/safe/sentinel-1.0/sentinel-1"',
        package=f"Sentinel-1 IW Level-1 {kind} Product",
        metadata=metadata_object(
            "processing",
            f'<safe:processing name="{kind} Post Processing" start="{stop:%Y-%m-%dT%H:%M:%S}" '
            f'stop="{processed:%Y-%m-%dT%H:%M:%S}"/>\n',
        )
        + metadata_object(
            "acquisitionPeriod",
            f"<safe:acquisitionPeriod><safe:startTime>{flight.start:%Y-%m-%dT%H:%M:%S.%f}</safe:startTime>"
            f"<safe:stopTime>{stop:%Y-%m-%dT%H:%M:%S.%f}</safe:stopTime></safe:acquisitionPeriod>\n",
        )
        + metadata_object(
            "measurementOrbitReference",
            f'<safe:orbitReference><safe:orbitNumber type="start">{flight.absolute_orbit}</safe:orbitNumber>'
            f'<safe:relativeOrbitNumber type="start">{RELATIVE_ORBIT}</safe:relativeOrbitNumber>'
            "<safe:extension><s1:orbitProperties><s1:pass>ASCENDING</s1:pass></s1:orbitProperties></safe:extension>"
            "</safe:orbitReference>\n",
        )
        + metadata_object(
            "measurementFrameSet",
            '<safe:frameSet><safe:frame><safe:footPrint srsName="http://www.opengis.net/gml/srs/epsg.xml#4326">'
            f"<gml:coordinates>{ring}</gml:coordinates></safe:footPrint></safe:frame></safe:frameSet>\n",
        ),
    )


def _geolocation(corners: list[tuple[float, float]]) -> str:
    places = ((0, 0), (0, 64), (64, 64), (64, 0))
    points = "".join(
        f"<geolocationGridPoint><line>{line}</line><pixel>{pixel}</pixel><latitude>{lat:.6f}</latitude>"
        f"<longitude>{lon:.6f}</longitude><height>0</height></geolocationGridPoint>"
        for (line, pixel), (lon, lat) in zip(places, corners, strict=True)
    )
    return f"<geolocationGrid><geolocationGridPointList>{points}</geolocationGridPointList></geolocationGrid>"


def _xml(root: str, content: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{content}</{root}>\n'.encode()
