"""Inputs of SNAP's tests: small SLC and GRD products, an elevation model, and starters of the double of ``gpt``."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj import Transformer

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile as tile_of
from s4c_lib.preprocessing.elevation.sources import ElevationSource, elevation_source
from s4c_lib.preprocessing.launcher import Launcher
from s4c_lib.preprocessing.radar.executor import RadarJob, RadarRequest, RadarScene, RadarTarget
from s4c_lib.preprocessing.radar.snap_executor import SnapExecutor
from s4c_lib.preprocessing.radar.snap_settings import SnapOptions
from s4c_lib.sources.product_names import product_name
from s4c_lib.synthetic.archive_files import write_folder
from s4c_lib.synthetic.archive_sentinel1 import Pass, SceneImages, scene_files, scene_name

DOUBLE = Path(__file__).resolve().parents[2] / "doubles" / "gpt" / "gpt_double.py"
TILE = "31UFS"
CURRENT = Pass("S1A", datetime(2022, 1, 4, 17, 5, 57, tzinfo=UTC))
PREVIOUS = Pass("S1A", datetime(2021, 12, 23, 17, 5, 58, tzinfo=UTC))
NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
BURSTS = 3
# Ring of a slanted scene around the grid of `target`, longitude and latitude.
CORNERS = [(4.6, 51.3), (6.1, 51.6), (6.3, 50.8), (4.8, 50.5)]


def target(*, pixel: int = 20, side: int = 60, east: int = 60_000, south: int = 40_000) -> RadarTarget:
    """A piece of a tile, on the tile's pixels."""
    whole = tile_of(TILE)
    return RadarTarget(TILE, PixelGrid(whole.epsg, whole.ulx + east, whole.uly - south, pixel, side, side))


def value_at(grid: PixelGrid) -> np.ndarray[Any, Any]:
    """What the double writes at the pixel centres of a grid that its scenes cover."""
    x = grid.west + (np.arange(grid.columns) + 0.5) * grid.pixel
    y = grid.north - (np.arange(grid.rows) + 0.5) * grid.pixel
    back = Transformer.from_crs(grid.epsg, 4326, always_xy=True)
    longitude, latitude = back.transform(*np.meshgrid(x, y))
    return 0.2 + 0.01 * (longitude % 10) + 0.02 * (latitude % 10)


def make_scene(
    folder: Path,
    flight: Pass = CURRENT,
    kind: str = "SLC",
    *,
    swaths: tuple[str, ...] = ("iw1", "iw2"),
    corners: list[tuple[float, float]] = CORNERS,
    processor: str = "003.40",
) -> RadarScene:
    """A SAFE folder with bursts in its annotation."""
    name = scene_name(flight, kind)
    files = scene_files(flight, kind, SceneImages(corners, np.random.default_rng(3)))
    kept = {}
    for path, content in files.items():
        if kind == "SLC" and path != "manifest.safe" and not any(f"-{swath}-" in path for swath in swaths):
            continue
        if path.startswith("annotation/s1") and kind == "SLC":
            timing = f'<swathTiming><burstList count="{BURSTS}"/></swathTiming></product>'
            content = content.replace(b"</product>", timing.encode())
        if path == "manifest.safe":
            software = f'<software name="Sentinel-1 IPF" version="{processor}"/></metadataSection>'
            content = content.replace(b"</metadataSection>", software.encode())
            assert software.encode() in content
        kept[path] = content
    path = folder / f"{name}.SAFE"
    write_folder(path, kept)
    return RadarScene(path, product_name(path.name))


def make_elevation(folder: Path, cells: tuple[tuple[int, int], ...] = ((51, 5),)) -> ElevationSource:
    """Copernicus cells of 0.01 degrees, 100 m high."""
    folder.mkdir(parents=True, exist_ok=True)
    for latitude, longitude in cells:
        with rasterio.open(
            folder / f"Copernicus_DSM_COG_10_N{latitude}_00_E{longitude:03d}_00_DEM.tif",
            "w",
            driver="GTiff",
            width=100,
            height=100,
            count=1,
            dtype="float32",
            crs="EPSG:4326",
            transform=rasterio.Affine(0.01, 0, longitude, 0, -0.01, latitude + 1),
        ) as raster:
            raster.write(np.full((100, 100), 100, np.float32), 1)
    return elevation_source("auto", folder)


def with_orbit(scene: RadarScene, folder: Path, kind: str = "POE") -> RadarScene:
    """The scene with an orbit file."""
    day = scene.name.sensing_start
    letter = scene.name.platform[-1].upper()
    before, after, made = (day + timedelta(days=days) for days in (-1, 1, 20))
    name = f"S1{letter}_OPER_AUX_{kind}ORB_OPOD_{made:%Y%m%dT120000}_V{before:%Y%m%dT225942}_{after:%Y%m%dT005942}.EOF"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("<Earth_Explorer_File/>")
    return replace(scene, orbit_file=folder / name)


def snap(folder: Path, behaviour: str = "", **launcher: Any) -> SnapExecutor:
    """SNAP by its double, which notes its calls in ``bin/calls.txt``."""
    path = folder / "bin" / "gpt"
    path.parent.mkdir(parents=True, exist_ok=True)
    exports = {"GPT_DOUBLE": behaviour, "GPT_DOUBLE_CALLS": str(path.with_name("calls.txt"))}
    lines = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in exports.items())
    path.write_text(f'#!/bin/sh\n{lines}exec {shlex.quote(sys.executable)} {shlex.quote(str(DOUBLE))} "$@"\n')
    path.chmod(0o755)
    return SnapExecutor(Launcher(str(path), **launcher), "11.0")


def calls(folder: Path) -> list[dict[str, Any]]:
    """What the double was called with, in order."""
    path = folder / "bin" / "calls.txt"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def options(**changes: Any) -> SnapOptions:
    """One polarisation, all operators in one run, no demands on the machine."""
    values: dict[str, Any] = {
        "polarisations": ("VV",),
        "join_backscatter": True,
        "join_coherence": True,
        "min_memory_mb": 1,
        "min_disk_mb": 1,
    }
    return SnapOptions(**{**values, **changes})


def request(folder: Path, *current: RadarScene, previous: RadarScene | None = None, **changes: Any) -> RadarRequest:
    """A request; work and output lie in ``folder``, a previous scene makes it one for coherence."""
    elevation = changes.pop("elevation", None)
    values: dict[str, Any] = {
        "job": RadarJob.BACKSCATTER if previous is None else RadarJob.COHERENCE,
        "current": current,
        "previous": () if previous is None else (previous,),
        "targets": (target(),),
        "elevation": elevation if elevation is not None else make_elevation(folder / "dem"),
        "work_dir": folder / "work" / "12_1",
        "output_dir": folder / "out",
        "options": options(),
        "now": NOW,
    }
    return RadarRequest(**{**values, **changes})


def private_copy(scene: RadarScene, folder: Path) -> RadarScene:
    """The same scene where it may be damaged."""
    path = folder / scene.path.name
    shutil.copytree(scene.path, path)
    return replace(scene, path=path)
