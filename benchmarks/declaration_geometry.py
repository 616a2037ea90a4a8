"""Geometry checks of declarations: seconds and memory of each step, and overlaps against a plain STRtree.

Two sets are measured: the synthetic declarations (fields with gaps between them) and a mosaic of the same size whose
neighbours touch along their whole border, which is the hard case for overlaps. Each step runs in a process of its own,
so that its peak memory is its own. The limits are the figures of lpis-and-inputs.md section 9 for 500 000 parcels,
taken on one core of an idle machine: on a busy one the seconds of the processor are what to compare.

Run: ``python benchmarks/declaration_geometry.py [--parcels 500000] [--threads 2] [--file FILE.gpkg] [--skip-plain]``
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from pyproj import CRS

from s4c_lib.parcels.duplicates import duplicate_groups
from s4c_lib.parcels.geometry_blocks import as_multipolygons, reproject
from s4c_lib.parcels.geometry_checks import geometry_facts, measured
from s4c_lib.parcels.overlaps import overlaps
from s4c_lib.parcels.repair import repair

UTM = CRS.from_epsg(32631)
THRESHOLD = 0.1
PIECE = 20_000
# seconds of section 9 for 500 000 parcels; None where it names none
LIMITS: dict[str, float | None] = {
    "validity and repair": 1.3,
    "area (EPSG:3035) and ShapeInd (UTM)": 8.8,
    "area and ShapeInd, reference": 0.3,
    "duplicates, default": 5.5,
    "duplicates, reference": 4.0,
    "reprojection UTM to 3035": 7.7,
    "promotion to multipolygons": None,
    "overlaps": 25.0,
    "overlaps, shrunk set": 25.0,
    "overlaps, plain STRtree": 75.0,
    "geometry_facts, all of it": 40.0,
}


def synthetic(parcels: int, folder: Path) -> Path:
    """The file of ``s4c synthetic declarations``, kept in the temporary folder for the next time."""
    path = folder / f"declarations_{parcels}.gpkg"
    if not path.exists():
        command = [sys.executable, "-m", "s4c_lib.cli.main", "synthetic", "declarations"]
        subprocess.run([*command, "--out", str(path), "--parcels", str(parcels)], check=True, stdout=subprocess.DEVNULL)
    return path


def mosaic(parcels: int) -> np.ndarray[Any, Any]:
    """Elongated fields that share their borders, a quarter of the land left out, 0.5 % moved over their neighbours."""
    rng = np.random.default_rng(1)
    side = int(np.ceil(np.sqrt(parcels / 0.755)))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    seeds = (grid + rng.uniform(-0.42, 0.42, grid.shape)) * 90.5
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(seeds)))
    cells = cells[shapely.area(cells) < 5e4]
    cells = shapely.transform(cells, lambda points: points * np.array([1, 2.2]) + np.array([600000.0, 5000000.0]))
    cells = shapely.segmentize(cells, 40.0)
    kind = rng.random(len(cells))
    moved = shapely.transform(cells[kind < 0.005], lambda points: points + np.array([15.0, 5.0]))
    kept = np.concatenate([cells[kind > 0.25], moved])
    return kept[rng.permutation(len(kept))][:parcels]


def plain(shapes: Any) -> Any:
    """All ordered pairs an STRtree reports, all intersections: amounts (parcels,)."""
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, other = one[one != other], other[one != other]
    shared = shapely.area(shapely.intersection(shapes[one], shapes[other]))
    return np.bincount(one, shared, minlength=len(shapes)) / shapely.area(shapes)


def shrunk(shapes: Any) -> Any:
    """The method of section 3.6: the set shrunk by 0.25 m is asked with the original one."""
    tree = shapely.STRtree(shapely.buffer(shapes, -0.25, join_style="mitre"))
    one, other = tree.query(shapes, predicate="intersects")
    pairs = np.unique(np.sort(np.stack([one, other])[:, one != other], axis=0), axis=1)
    shared = shapely.area(shapely.intersection(shapes[pairs[0]], shapes[pairs[1]]))
    total = sum(np.bincount(side, shared, minlength=len(shapes)) for side in pairs)
    return total / shapely.area(shapes)


def steps(threads: int) -> dict[str, Callable[[Any], Any]]:
    """What is measured; each returns what is compared or nothing."""
    laea = CRS.from_epsg(3035)
    return {
        "validity and repair": lambda g: repair(g, profile="default", threads=threads) and None,
        "area (EPSG:3035) and ShapeInd (UTM)": lambda g: measured(g, UTM, profile="default", threads=threads) and None,
        "area and ShapeInd, reference": lambda g: measured(g, UTM, profile="reference", threads=threads) and None,
        "duplicates, default": lambda g: duplicate_groups(g, profile="default", threads=threads).max() and None,
        "duplicates, reference": lambda g: duplicate_groups(g, profile="reference", threads=threads).max() and None,
        "reprojection UTM to 3035": lambda g: reproject(g, UTM, laea, threads=threads).size and None,
        "promotion to multipolygons": lambda g: as_multipolygons(g, threads=threads).size and None,
        "overlaps": lambda g: overlaps(g, threads=threads).amount,
        "overlaps, shrunk set": shrunk,
        "overlaps, plain STRtree": plain,
        "geometry_facts, all of it": lambda g: geometry_facts(g, UTM, threads=threads) and None,
    }


def peak_gb() -> float:
    """Peak memory of this process alone; ``ru_maxrss`` would start from that of the process that made it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1e6


def measure(pieces: list[str], name: str, threads: int) -> tuple[float, float, float, float, Any]:
    """Seconds, seconds of processor, GB before, GB at the peak, result: in a fresh process."""
    # a piece at a time: the memory of loading must not hide that of the step
    shapes = np.concatenate([shapely.from_wkb(np.load(piece, allow_pickle=True)) for piece in pieces])
    before = peak_gb()
    work = steps(threads)[name]
    started, used = time.perf_counter(), time.process_time()
    result = work(shapes)
    seconds, processor = time.perf_counter() - started, time.process_time() - used
    return seconds, processor, before, peak_gb(), result


def report(title: str, shapes: Any, folder: Path, threads: int, skipped: set[str]) -> None:
    """Print one line for each step, and the ratios of the overlap methods."""
    vertices = shapely.get_num_coordinates(shapes).mean()
    print(f"\n{title}: {len(shapes)} polygons, {vertices:.1f} vertices, {shapely.area(shapes).mean():.0f} m2")
    count = len(shapes)
    pieces = [str(folder / f"{start}.npy") for start in range(0, count, PIECE)]
    for start, piece in zip(range(0, count, PIECE), pieces, strict=True):
        np.save(piece, shapely.to_wkb(shapes[start : start + PIECE]), allow_pickle=True)
    del shapes
    took: dict[str, float] = {}
    amounts: dict[str, Any] = {}
    print(f"{'step':38} {'s':>6} {'cpu s':>6} {'GB':>5} {'peak':>5}   limit")
    for name, limit in LIMITS.items():
        if name in skipped:
            continue
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, processor, before, peak, result = pool.apply(measure, (pieces, name, threads))
        took[name] = seconds
        if result is not None:
            amounts[name] = result
        allowed = ""
        if limit is not None:
            share = 500_000 / count / limit
            allowed = f"{limit * count / 500_000:6.1f} s: {seconds * share:.0%}, cpu {processor * share:.0%}"
        print(f"{name:38} {seconds:6.1f} {processor:6.1f} {before:5.2f} {peak:5.2f}  {allowed}", flush=True)
    if "overlaps, plain STRtree" not in took:
        return
    expected = amounts["overlaps, plain STRtree"]
    for name in ("overlaps", "overlaps, shrunk set"):
        if name in took:
            wrong = int(((amounts[name] > THRESHOLD + 1e-7) != (expected > THRESHOLD + 1e-7)).sum())
            ratio = took["overlaps, plain STRtree"] / took[name]
            worst = np.abs(amounts[name] - expected).max()
            print(
                f"{name}: {ratio:.1f} times faster than the plain STRtree, {wrong} other flags, amounts to {worst:.1e}"
            )
    if (amounts["overlaps"] > THRESHOLD + 1e-7).tolist() != (expected > THRESHOLD + 1e-7).tolist():
        raise SystemExit("the flags differ from the plain way")


def main() -> None:
    """Print the figures of both sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=500_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--file", type=Path, help="a GeoPackage instead of the synthetic declarations")
    parser.add_argument("--skip-plain", action="store_true", help="leave the slow peers out")
    chosen = parser.parse_args()
    cache = Path(tempfile.gettempdir()) / "declaration_geometry"
    cache.mkdir(exist_ok=True)
    skipped = {"overlaps, plain STRtree", "overlaps, shrunk set"} if chosen.skip_plain else set()
    source = chosen.file or synthetic(chosen.parcels, cache)
    with tempfile.TemporaryDirectory() as work:
        shapes = shapely.from_wkb(pyogrio.raw.read(source, columns=[])[2])
        report("synthetic declarations", shapes, Path(work), chosen.threads, skipped)
        del shapes
        report("mosaic of touching fields", mosaic(chosen.parcels), Path(work), chosen.threads, skipped)


if __name__ == "__main__":
    main()
