"""What a scene must be before it is written."""

from __future__ import annotations

from s4c_lib.errors import InputError
from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.synthetic.optical.scene import BAND_METRES, OpticalScene

_CELL_M = 60


def check_scene(scene: OpticalScene) -> None:
    """Refuse a scene that lacks a band, or whose arrays do not fit its grid.

    Raises
    ------
    InputError : names the band or layer.
    """
    grid = scene.grid
    if grid.pixel != 10 or grid.rows % 6 or grid.columns % 6:
        raise InputError(f"a scene of {grid.rows} x {grid.columns} pixels of {grid.pixel} m is no whole 60 m cells")
    shapes = {name: (scene.bands[name].shape, BAND_METRES[name]) for name in BAND_METRES if name in scene.bands}
    missing = sorted(BAND_METRES.keys() - shapes.keys())
    if missing:
        raise InputError(f"the scene lacks {', '.join(missing)}")
    shapes |= {"scene class": (scene.scene_class.shape, 20), "cloud probability": (scene.cloud_probability.shape, 20)}
    for name, (shape, metres) in shapes.items():
        if shape != grid.resized(metres).shape:
            raise InputError(f"{name} of the scene has {shape} pixels, {grid.resized(metres).shape} are its grid's")


def check_place(scene: OpticalScene, tile: Sentinel2Tile) -> None:
    """Refuse a scene that lies outside a tile or off its 60 m grid.

    Raises
    ------
    InputError : names the tile.
    """
    grid, (west, south, east, north) = scene.grid, tile.bounds
    left, bottom, right, top = grid.bounds
    if grid.epsg != tile.epsg or left < west or bottom < south or right > east or top > north:
        raise InputError(f"the scene does not lie within tile {tile.tile_id}", hint="cut it to the tile first")
    if (left - west) % _CELL_M or (north - top) % _CELL_M:
        raise InputError(f"the scene does not lie on the 60 m grid of tile {tile.tile_id}")
