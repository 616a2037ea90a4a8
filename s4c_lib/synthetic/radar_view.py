"""A pass of Sentinel-1 over a season's window: images and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from s4c_lib.synthetic.passes import RadarPass
from s4c_lib.synthetic.radar.backscatter import cover_backscatter, parcel_backscatter
from s4c_lib.synthetic.radar.coherence import cover_coherence, parcel_coherence
from s4c_lib.synthetic.radar.conditions import radar_character
from s4c_lib.synthetic.radar.images import backscatter_image, coherence_image, field_texture
from s4c_lib.synthetic.radar.level2 import RadarScene, parity_files, tile_files
from s4c_lib.synthetic.radar.speckle import Floats
from s4c_lib.synthetic.streams import Stream, generator
from s4c_lib.synthetic.views import PASS_SCHEMA, View
from s4c_lib.synthetic.world import World, previous_pass

RADAR = "Sentinel-1/SAR/L2"
# Beside the archive: the same passes twice in one archive would be found twice.
PARITY_ARCHIVE = "archive_parity"
_SITE_NUMBER = 1


def radar_view(world: World, archive: Path, number: int) -> View:
    """Write backscatter of a pass, and coherence with the pass before."""
    flight = world.radar[number]
    previous = previous_pass(world.radar, flight)
    scene = radar_scene(world, flight, previous)
    folder = archive / RADAR / f"{flight.start:%Y/%m/%d}"
    folder.mkdir(parents=True, exist_ok=True)
    products = 0
    for tile, part in world.window.tiles:
        for name, content in tile_files(scene, tile.tile_id, part.resized(20)).items():
            (folder / name).write_bytes(content)
            products += 1
    if world.options.parity:
        old = archive.with_name(PARITY_ARCHIVE) / RADAR / f"{flight.start:%Y/%m/%d}"
        for name, content in parity_files(scene, _SITE_NUMBER).items():
            old.mkdir(parents=True, exist_ok=True)
            (old / name).write_bytes(content)
            products += 1
    row = {
        "time": [flight.start],
        "sensor": ["sentinel-1"],
        "platform": [flight.platform],
        "relative_orbit": [flight.relative_orbit],
        "direction": [flight.direction],
        "sun_zenith": [None],
        "view_zenith": [flight.incidence],
        "previous_time": [None if previous is None else previous.start],
        "cloud_share": [None],
        "hidden_share": [None],
        "classified_hidden_share": [None],
    }
    label = f"{flight.platform} {flight.start:%Y-%m-%d} {flight.direction}"
    return View((1, number), label, products, pa.table(row, schema=PASS_SCHEMA), None)


def radar_scene(world: World, flight: RadarPass, previous: RadarPass | None) -> RadarScene:
    """Images of one pass; each pass has random numbers of its own."""
    seed, key = world.options.seed, (flight.start.toordinal(), flight.relative_orbit)
    sigma0 = true_backscatter(world, flight)
    texture = field_texture(world.coarse.grid, generator(seed, Stream.RADAR_TEXTURE, 0))
    image = backscatter_image(world.coarse, sigma0, generator(seed, Stream.SPECKLE, *key), texture)
    if previous is None:
        return RadarScene(world.coarse.grid, flight, image)
    coherence = true_coherence(world, flight, previous)
    estimate = coherence_image(
        world.coarse, coherence, true_backscatter(world, previous), sigma0, generator(seed, Stream.COHERENCE, *key)
    )
    return RadarScene(world.coarse.grid, flight, image, previous, estimate)


def true_backscatter(world: World, flight: RadarPass) -> Floats:
    """Sigma nought of parcels, then covers, float32 (objects, 2), linear, VV and VH."""
    traits = world.landscape.traits
    character = radar_character(world.options.seed, len(traits))
    parcels = parcel_backscatter(traits, world.canopy, world.weather, flight, character)
    return np.concatenate([parcels, cover_backscatter(world.weather, flight)])


def true_coherence(world: World, flight: RadarPass, previous: RadarPass) -> Floats:
    """Coherence of parcels, then covers, float32 (objects, 2), VV and VH."""
    traits = world.landscape.traits
    character = radar_character(world.options.seed, len(traits))
    parcels = parcel_coherence(traits, world.canopy, world.weather, flight, previous, character)
    return np.concatenate([parcels, cover_coherence(world.weather, flight, previous)])
