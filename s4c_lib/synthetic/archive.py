"""A small local archive with real names and valid minimal products, and faults put in on purpose.

The pixels of one tile are the same on every day and of a small window (`archive_rasters.PIXELS`): the archive shows
search, fetch and checking, not crops. Everything is fixed by the seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from s4c_lib.errors import InputError
from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.geography.sentinel2_tiles import tile as tile_of
from s4c_lib.synthetic.archive_files import Files, write_folder, write_tar, write_zip
from s4c_lib.synthetic.archive_others import landsat_files, landsat_name, muscate_files, muscate_name
from s4c_lib.synthetic.archive_sentinel1 import (
    Pass,
    SceneImages,
    level2_name,
    level2_raster,
    platforms_of,
    scene_corners,
    scene_files,
    scene_name,
)
from s4c_lib.synthetic.archive_sentinel2 import Datatake, TileImages, baselines_of, l1c_files, l2a_files, product_name

S2_FOLDER, L1C_FOLDER, MUSCATE_FOLDER = "Sentinel-2/MSI/L2A", "Sentinel-2/MSI/L1C", "Sentinel-2/MSI/MUSCATE"
SLC_FOLDER, GRD_FOLDER, S1_L2_FOLDER = "Sentinel-1/SAR/SLC", "Sentinel-1/SAR/GRD", "Sentinel-1/SAR/L2"
LANDSAT_FOLDER = "Landsat-8/OLI_TIRS/L2SP"
_S2_ORBIT, _FAULT_ORBIT = 51, 8
_LANDSAT_PATH_ROW = "197024"
_ELSEWHERE = ("33UVQ", "18TWL")


@dataclass(frozen=True, slots=True)
class MadeProduct:
    """A sound product. ``superseded``: an older processing of another one, which a search leaves out."""

    path: Path
    name: str
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class MadeFault:
    """A fault put in on purpose: where, what a search or a fetch says of it (``stage``), with which code."""

    path: Path
    stage: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class ArchiveSummary:
    """What `make_archive` made."""

    root: Path
    products: tuple[MadeProduct, ...]
    faults: tuple[MadeFault, ...]
    total_bytes: int


def make_archive(
    root: Path, *, seed: int, start: date, end: date, tiles: Sequence[str], faults: bool = True
) -> ArchiveSummary:
    """Make an archive laid out like ``/eodata``, one folder a day.

    Sentinel-2 L2A of each tile every 5 days (two platforms in turn) with one baseline duplicate, L1C every 30 days,
    two MUSCATE products; Sentinel-1 SLC and GRD every 6 days, level 2 (backscatter, coherence) of the first 30 days;
    Landsat 8 every 16 days.

    Parameters
    ----------
    root : created when absent; must be empty.
    start, end : first and last day, inclusive.
    tiles : MGRS ids, all within one Sentinel-1 scene (neighbours).
    faults : put the deliberate faults in.

    Raises
    ------
    InputError : no tile, a tile that does not exist, an end before the start, or a root that holds something.
    """
    squares = [tile_of(name) for name in sorted(set(tiles))]
    if not squares or end < start:
        raise InputError("an archive needs at least one tile and a first day not after the last")
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise InputError(f"{root} is not empty", hint="give a new folder")
    images = {
        square: TileImages(square, np.random.default_rng([seed, number])) for number, square in enumerate(squares)
    }
    products = [
        *_sentinel2(root, seed, start, end, images),
        *_sentinel1(root, seed, start, end, squares),
        *_landsat(root, seed, start, end, squares[0]),
    ]
    made_faults = tuple(_faults(root, seed, start, end, images)) if faults else ()
    total = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    return ArchiveSummary(root, tuple(products), made_faults, total)


def _sentinel2(
    root: Path, seed: int, start: date, end: date, images: dict[Sentinel2Tile, TileImages]
) -> Iterator[MadeProduct]:
    weather = np.random.default_rng([seed, 1000])
    for number, day in enumerate(_days(start, end, 5)):
        current, before = baselines_of(day)
        take = Datatake("S2A" if number % 2 == 0 else "S2B", _at(day, 10, 36, 21), _S2_ORBIT, current)
        for tile, tile_images in images.items():
            state = int(weather.integers(tile_images.states))
            grid = tile.tile_id.removeprefix("T")
            yield _safe(root, S2_FOLDER, day, product_name(take, grid, "L2A"), l2a_files(take, tile_images, state))
            if number == 1:
                older = Datatake(take.platform, take.start, take.relative_orbit, before)
                files = l2a_files(older, tile_images, state)
                yield _safe(root, S2_FOLDER, day, product_name(older, grid, "L2A"), files, superseded=True)
            if number % 6 == 0:
                files = l1c_files(take, tile_images, state)
                # The first as a zip: archives hold both.
                yield _safe(root, L1C_FOLDER, day, product_name(take, grid, "L1C"), files, packed=number == 0)
            if number in {2, 3}:
                folder = _folder(root, MUSCATE_FOLDER, day) / muscate_name(take, grid)
                write_folder(folder, muscate_files(take, tile_images, state))
                yield MadeProduct(folder, folder.name)


def _sentinel1(
    root: Path, seed: int, start: date, end: date, squares: Sequence[Sentinel2Tile]
) -> Iterator[MadeProduct]:
    images = SceneImages(scene_corners(squares), np.random.default_rng([seed, 2000]))
    platforms = platforms_of(start)
    rasters = {
        (square, coherence): level2_raster(square, np.random.default_rng([seed, 2001, number]), coherence=coherence)
        for number, square in enumerate(squares)
        for coherence in (False, True)
    }
    previous: Pass | None = None
    for number, day in enumerate(_days(start, end, 6)):
        flight = Pass(platforms[number % 2], _at(day, 17, 5, 57))
        for kind, folder in (("SLC", SLC_FOLDER), ("GRD", GRD_FOLDER)):
            yield _safe(root, folder, day, scene_name(flight, kind), scene_files(flight, kind, images))
        if number <= 5:
            for square in squares:
                for polarisation in ("VV", "VH"):
                    for earlier in (None,) if previous is None else (None, previous):
                        file = level2_name(flight, earlier, polarisation, square.tile_id.removeprefix("T"))
                        path = _folder(root, S1_L2_FOLDER, day) / file
                        write_folder(path.parent, {file: rasters[square, earlier is not None]})
                        yield MadeProduct(path, path.stem)
        previous = flight


def _landsat(root: Path, seed: int, start: date, end: date, square: Sentinel2Tile) -> Iterator[MadeProduct]:
    for number, day in enumerate(_days(start + timedelta(days=3), end, 16)):
        name = landsat_name(day, _LANDSAT_PATH_ROW)
        folder = _folder(root, LANDSAT_FOLDER, day)
        files = landsat_files(day, _LANDSAT_PATH_ROW, square, seed)
        if number == 1:
            write_tar(folder / f"{name}.tar", files)
            yield MadeProduct(folder / f"{name}.tar", name)
        else:
            write_folder(folder / name, files)
            yield MadeProduct(folder / name, name)


def add_faults(root: Path, *, seed: int, start: date, end: date, tile: str) -> tuple[MadeFault, ...]:
    """Put one fault of each sort into an archive that is there: what an ingest must meet without stopping."""
    square = tile_of(tile)
    images = {square: TileImages(square, np.random.default_rng([seed, 0]))}
    return tuple(_faults(root, seed, start, end, images))


def _faults(
    root: Path, seed: int, start: date, end: date, images: dict[Sentinel2Tile, TileImages]
) -> Iterator[MadeFault]:
    """One fault of each sort, on another orbit than the sound products, two days after the first of them."""
    day = min(start + timedelta(days=2), end)
    baseline, _ = baselines_of(day)
    take = Datatake("S2A", _at(day, 10, 46, 19), _FAULT_ORBIT, baseline)
    tile, tile_images = next(iter(images.items()))
    grid = tile.tile_id.removeprefix("T")
    files = l2a_files(take, tile_images, 0)
    folder = _folder(root, S2_FOLDER, day)
    band = next(name for name in sorted(files) if name.endswith("_B08_10m.jp2"))

    def safe(hours: int, content: Files, square: str = grid) -> Path:
        moment = Datatake(take.platform, take.start + timedelta(hours=hours), take.relative_orbit, baseline)
        path = folder / f"{product_name(moment, square, 'L2A')}.SAFE"
        write_folder(path, content)
        return path

    missing = {name: content for name, content in files.items() if name != band}
    yield MadeFault(safe(0, missing), "fetch", "input_corrupt", f"the copy ended before {Path(band).name}")
    empty = {**files, band: b""}
    yield MadeFault(safe(1, empty), "fetch", "input_corrupt", f"{Path(band).name} has 0 bytes")
    headless = {name: content for name, content in files.items() if name != "manifest.safe"}
    yield MadeFault(safe(2, headless), "search", "input_corrupt", "manifest.safe is missing")

    elsewhere = next(name for name in _ELSEWHERE if tile_of(name) not in images)
    other = TileImages(tile_of(elsewhere), np.random.default_rng([seed, 3000]))
    far = safe(0, l2a_files(take, other, 0), elsewhere)
    yield MadeFault(far, "search", "outside_site", f"tile {elsewhere} is far from the site")

    dangling = folder / f"{product_name(Datatake('S2B', take.start, _FAULT_ORBIT, baseline), grid, 'L2A')}.SAFE"
    dangling.symlink_to(root / "moved-away" / dangling.name)
    yield MadeFault(dangling, "search", "dangling_link", "the link's target was moved away")

    unknown = folder / f"S2X_MSIL2A_{take.start:%Y%m%dT%H%M%S}_FROM_A_COLLEAGUE.SAFE"
    write_folder(unknown, {"manifest.safe": files["manifest.safe"]})
    yield MadeFault(unknown, "search", "not_a_product", "a folder .SAFE whose name is no product's")
    for name, content in (("to_do.txt", b"ask for the missing scenes\n"), ("download.crdownload", b"\0" * 64)):
        write_folder(folder, {name: content})
        yield MadeFault(folder / name, "search", "not_a_product", "a file somebody left behind")


def _safe(
    root: Path, folder: str, day: date, name: str, files: Files, *, superseded: bool = False, packed: bool = False
) -> MadeProduct:
    path = _folder(root, folder, day) / f"{name}.SAFE{'.zip' if packed else ''}"
    if packed:
        write_zip(path, f"{name}.SAFE", files)
    else:
        write_folder(path, files)
    return MadeProduct(path, name, superseded)


def _folder(root: Path, folder: str, day: date) -> Path:
    return root / folder / f"{day:%Y}" / f"{day:%m}" / f"{day:%d}"


def _days(start: date, end: date, step: int) -> list[date]:
    return [start + timedelta(days=offset) for offset in range(0, (end - start).days + 1, step)]


def _at(day: date, hour: int, minute: int, second: int) -> datetime:
    return datetime.combine(day, time(hour, minute, second), tzinfo=UTC)
