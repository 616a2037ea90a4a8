"""Tiles of a country: seconds and peak memory, against testing every tile of the world.

Run: ``python benchmarks/sentinel2_tiles.py [--vertices 20000]``
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import shapely
from measuring import peak_mb

from s4c_lib.geography import mgrs
from s4c_lib.geography.sentinel2_tiles import TileCoverage, select_tiles, tile
from s4c_lib.geography.site_extent import area_km2


def country(vertices: int) -> shapely.Polygon:
    """A ragged outline of about 500 000 km2 over zones 30 to 32, as a national border has."""
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    ragged = 1 + 0.08 * np.sin(11 * angle) + 0.02 * np.sin(211 * angle)
    return shapely.Polygon(np.column_stack([2.5 + 5.2 * ragged * np.cos(angle), 46.7 + 3.6 * ragged * np.sin(angle)]))


def world() -> list[str]:
    """Names of all tiles, as a table of the grid would hold them (ESA's KML has 56 686)."""
    squares = (mgrs.Square(z, c, r) for z in range(1, 61) for c in range(1, 9) for r in mgrs.ROWS)
    return [s.name for s in squares if mgrs.in_sentinel2_grid(s)]


def brute_force(site: shapely.Polygon, names: list[str]) -> list[str]:
    """Build the footprint of every tile of the table and test each against the site."""
    shapely.prepare(site)
    return sorted(name for name in names if tile(name).footprint_wgs84().intersects(site))


def measured(work: Callable[[], list[TileCoverage] | list[str]]) -> tuple[float, float, list[str]]:
    """Seconds, peak memory of Python and numpy in MB (a second run, as tracing slows it), names."""
    started = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - started
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return seconds, peak, [item if isinstance(item, str) else item.tile.tile_id for item in found]


def main() -> None:
    """Print one line for each way and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vertices", type=int, default=20_000)
    site = country(parser.parse_args().vertices)
    print(f"site: {area_km2(site):.0f} km2, {shapely.get_num_coordinates(site)} vertices")
    fast, fast_mb, names = measured(lambda: select_tiles(site, 1.0))
    table = world()  # not counted
    slow, slow_mb, expected = measured(lambda: brute_force(site, table))
    print(f"select_tiles (with overlaps and redundancy): {len(names)} tiles, {fast:.2f} s, {fast_mb:.0f} MB")
    print(f"brute force over {len(table)} tiles of the world: {len(expected)} tiles, {slow:.2f} s, {slow_mb:.0f} MB")
    print(f"ratio: {slow / fast:.0f} times faster; limit 5 s: {fast / 5:.1%} of it")
    print(f"peak memory of the process: {peak_mb():.0f} MB")
    if names != expected:
        raise SystemExit(f"different tiles: {sorted(set(names) ^ set(expected))}")


if __name__ == "__main__":
    main()
