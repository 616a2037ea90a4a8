"""Which reader a product is for."""

from __future__ import annotations

from pathlib import Path

from s4c_lib.errors import InputError
from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.readers.landsat import read_landsat
from s4c_lib.readers.muscate import read_muscate
from s4c_lib.readers.published import is_published, read_published
from s4c_lib.readers.scene import MaskKind, OpticalScene
from s4c_lib.readers.sentinel2_safe import read_safe
from s4c_lib.readers.tile_grid import on_tile_grid
from s4c_lib.sources.product_names import ProductKind, ProductName, parse_product_name
from s4c_lib.sources.product_tree import ProductTree

_KNOWN = "give a Sentinel-2 L2A (SAFE, MUSCATE), a Landsat L2SP or a published L2A"


def read_scene(path: Path, *, tile: str | None = None, on_grid_of: Sentinel2Tile | None = None) -> OpticalScene:
    """Read the metadata of an optical L2A product of any format; pixels are read by `open_pixels`.

    Parameters
    ----------
    path : folder or archive, or a folder that holds nothing but one product.
    tile : which one of an old multi-tile SAFE; a product of another tile is refused.
    on_grid_of : of Landsat, the Sentinel-2 tile whose 30 m grid the pixels are to lie on.

    Raises
    ------
    InputError : no such product, or it is of another tile.
    ProductCorruptError : incomplete, or its parts do not belong together. StorageError : it cannot be read.
    """
    scene = _read(path, tile)
    if scene.mask.kind is MaskKind.LANDSAT or scene.platform.startswith("landsat"):
        scene = scene if on_grid_of is None else on_tile_grid(scene, on_grid_of)
    elif on_grid_of is not None and on_grid_of.tile_id != scene.tile:
        raise InputError(f"{scene.name} is of tile {scene.tile}, not {on_grid_of.tile_id}")
    wanted = None if tile is None else tile.strip().upper().removeprefix("T")
    if wanted is not None and wanted != scene.tile:
        raise InputError(f"{scene.name} is of tile {scene.tile}, not {wanted}")
    return scene


def _read(path: Path, tile: str | None) -> OpticalScene:
    if is_published(path):
        return read_published(path)
    name, place = _named(path)
    tree = ProductTree(place)
    match name.kind:
        case ProductKind.S2_L2A:
            return read_safe(tree, name, tile)
        case ProductKind.MUSCATE_L2A:
            return read_muscate(tree, name)
        case ProductKind.LANDSAT_L2SP:
            return read_landsat(tree, name)
        case _:
            raise InputError(f"{path} is a product of kind {name.kind}, no optical L2A", hint=_KNOWN)


def _named(path: Path) -> tuple[ProductName, Path]:
    """Name and place of the product: the path's own, or of the one product in that folder."""
    name = parse_product_name(path.name)
    if name is not None:
        return name, path
    if not path.exists():
        raise InputError(f"{path} does not exist")
    inner = sorted(path.iterdir()) if path.is_dir() else []
    named = [(found, child) for child in inner if (found := parse_product_name(child.name)) is not None]
    if len(named) != 1:
        raise InputError(f"{path} is not named as a product is, and holds {len(named)} products", hint=_KNOWN)
    return named[0]
