"""A pass of Sentinel-2 over a season's window: scene and products."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.optical.canopy_reflectance import table_for
from s4c_lib.synthetic.optical.image import as_tile, make_scene, true_surface
from s4c_lib.synthetic.optical.parcel_reflectance import cover_reflectance, parcel_reflectance
from s4c_lib.synthetic.optical.scene import BAND_METRES, OpticalScene
from s4c_lib.synthetic.products.muscate import muscate_files
from s4c_lib.synthetic.products.product_folder import write_product
from s4c_lib.synthetic.products.sentinel2_product import season_baseline
from s4c_lib.synthetic.products.sentinel2_safe import l1c_files, l2a_files
from s4c_lib.synthetic.views import CLEAR_SCHEMA, PASS_SCHEMA, View
from s4c_lib.synthetic.world import World

L2A, L1C, MUSCATE = "Sentinel-2/MSI/L2A", "Sentinel-2/MSI/L1C", "Sentinel-2/MSI/MUSCATE"
# Of every so many passes one is also written as L1C, and one as MUSCATE.
L1C_EVERY, MUSCATE_EVERY = 24, 12
# Classes that hide the ground: shadow, unclassified, clouds, cirrus.
_HIDDEN = (3, 7, 8, 9, 10)


def optical_view(world: World, archive: Path, number: int) -> View:
    """Write the L2A of a pass for each tile, of some passes L1C and MUSCATE too."""
    flight = world.optical[number]
    baseline = season_baseline(flight.start.date())
    whole = scene_of(world, number)
    products = 0
    for tile, part in world.window.tiles:
        scene = cut(as_tile(whole, flight, tile.tile_id, world.options.seed), part)
        written = [(L2A, *l2a_files(scene, flight, tile, baseline))]
        if number % L1C_EVERY == 0:
            written.append((L1C, *l1c_files(scene, flight, tile, baseline)))
        if number % MUSCATE_EVERY == 0:
            written.append((MUSCATE, *muscate_files(scene, flight, tile)))
        for kind, name, files in written:
            write_product(archive / kind / f"{flight.start:%Y/%m/%d}", name, files)
        products += len(written)
    hidden = whole.true_cloud | whole.true_shadow
    row = {
        "time": [flight.start],
        "sensor": ["sentinel-2"],
        "platform": [flight.platform],
        "relative_orbit": [flight.relative_orbit],
        "direction": [None],
        "sun_zenith": [flight.sun_zenith],
        "view_zenith": [flight.view_zenith],
        "previous_time": [None],
        "cloud_share": [float(whole.true_cloud.mean())],
        "hidden_share": [float(hidden.mean())],
        "classified_hidden_share": [float(np.isin(whole.scene_class, _HIDDEN).mean())],
    }
    label = f"{flight.platform} {flight.start:%Y-%m-%d}"
    return View((0, number), label, products, pa.table(row, schema=PASS_SCHEMA), _clear(world, number, ~hidden))


def scene_of(world: World, number: int) -> OpticalScene:
    """What a pass sees of the whole window."""
    flight = world.optical[number]
    surface = surface_of(world, number)
    parcels = len(world.landscape.shapes)
    return make_scene(world.fine, parcels, surface, world.weather, flight, world.sky[number], world.options.seed)


def surface_of(world: World, number: int) -> dict[str, npt.NDArray[np.float32]]:
    """Reflectance of the ground on the day of a pass under its sun and view, without sky and instrument."""
    flight = world.optical[number]
    day, table = flight.start.date(), table_for(flight)
    curves = np.concatenate(
        [
            parcel_reflectance(world.landscape.traits, world.canopy, day, table),
            cover_reflectance(world.covers, day, table),
        ]
    )
    return true_surface(world.fine, curves, world.texture, day.toordinal())


def cut(scene: OpticalScene, part: PixelGrid) -> OpticalScene:
    """The part of a scene that a tile shows."""
    if part == scene.grid:
        return scene

    def piece(array: npt.NDArray[Any], metres: int) -> npt.NDArray[Any]:
        grid = part.resized(metres)
        row, column = int((scene.grid.north - part.north) // metres), int((part.west - scene.grid.west) // metres)
        return array[row : row + grid.rows, column : column + grid.columns]

    return replace(
        scene,
        grid=part,
        bands={name: piece(values, BAND_METRES[name]) for name, values in scene.bands.items()},
        scene_class=piece(scene.scene_class, 20),
        cloud_probability=piece(scene.cloud_probability, 20),
        true_cloud=piece(scene.true_cloud, 10),
        true_shadow=piece(scene.true_shadow, 10),
    )


def _clear(world: World, number: int, clear: npt.NDArray[np.bool_]) -> pa.Table:
    """Share of each parcel that nothing hides, by area."""
    shares, objects = world.fine.shares.astype(np.float64), world.fine.objects
    parcels = len(world.landscape.shapes)
    whole = np.bincount(objects, shares, minlength=parcels)[:parcels]
    seen = np.bincount(objects, shares * clear.ravel()[world.fine.pixels], minlength=parcels)[:parcels]
    times = pa.array([world.optical[number].start] * parcels, pa.timestamp("s", tz="UTC"))
    share = np.divide(seen, whole, out=np.zeros(parcels), where=whole > 0)
    return pa.table(
        [pa.array(world.landscape.traits.parcel_id), times, pa.array(share.astype(np.float32))], schema=CLEAR_SCHEMA
    )
