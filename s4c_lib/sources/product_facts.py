"""What a product on disk says about itself beyond its name: footprint, tiles, orbit, clouds, exact time, size."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.described_raster import is_described
from s4c_lib.sources.footprints import (
    polygon_of_coordinates,
    polygon_of_corners,
    polygon_of_raster,
    polygon_of_tiles,
)
from s4c_lib.sources.metadata_files import elements, number, parse_mtl, parse_xml, text, utc_time
from s4c_lib.sources.model import Direction
from s4c_lib.sources.product_names import ProductKind, ProductName, granule_tile
from s4c_lib.sources.product_tree import ProductTree
from s4c_lib.sources.radar_contents import radar_contents

_ARRIVING = "the product may still be arriving"
_CORNERS = ("UL", "UR", "LR", "LL")


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """Facts of one product, as `Candidate` carries them."""

    footprint: BaseGeometry
    tiles: tuple[str, ...]
    sensing_time: datetime
    size_bytes: int
    relative_orbit: int | None = None
    direction: Direction | None = None
    cloud_pct: float | None = None
    created: datetime | None = None


def read_facts(path: Path, name: ProductName) -> ProductFacts:
    """Read the metadata of a product in a folder, archive or single file.

    Raises
    ------
    ProductCorruptError : metadata missing or not readable, a dangling link inside.
    StorageError : no permission to read it.
    InputError : the tile in its name does not exist.
    """
    tree = ProductTree(path)
    match name.kind:
        case ProductKind.S2_L1C | ProductKind.S2_L2A:
            return _sentinel2_safe(tree, name)
        case ProductKind.MUSCATE_L2A:
            return _muscate(tree, name)
        case ProductKind.S1_SLC | ProductKind.S1_GRD:
            return _sentinel1_safe(tree, name)
        case ProductKind.S1_AMP | ProductKind.S1_COHE:
            return _sentinel1_raster(tree, name)
        case _:
            return _landsat(tree, name)


def safe_metadata_file(tree: ProductTree, name: ProductName) -> str:
    """The product-level metadata file of a Sentinel-2 SAFE, in the compact or the old spelling.

    Raises
    ------
    ProductCorruptError : there is none.
    """
    level = "1C" if name.kind is ProductKind.S2_L1C else "2A"
    compact = f"MTD_MSIL{level}.xml"
    if compact in tree.files:
        return compact
    old = [file for file in tree.files if "/" not in file and f"_MTD_SAFL{level}_" in file and file.endswith(".xml")]
    if len(old) == 1:
        return old[0]
    raise ProductCorruptError(f"{tree.where(compact)} is missing", hint=_ARRIVING)


def image_tiles(tree: ProductTree) -> tuple[str, ...]:
    """Tiles of the granules whose ``IMG_DATA`` holds a file that is not empty (``preprocessing.md`` §2.1)."""
    tiles = set()
    for file, size in tree.files.items():
        parts = file.split("/")
        if size > 0 and len(parts) > 3 and parts[0] == "GRANULE" and parts[2] == "IMG_DATA":
            tile = granule_tile(parts[1])
            if tile is not None:
                tiles.add(tile)
    return tuple(sorted(tiles))


def _sentinel2_safe(tree: ProductTree, name: ProductName) -> ProductFacts:
    parse_xml(tree.read("manifest.safe"), tree.where("manifest.safe"))
    file = safe_metadata_file(tree, name)
    root = parse_xml(tree.read(file), tree.where(file))
    tiles = image_tiles(tree)
    if not tiles or (name.tile is not None and name.tile not in tiles):
        wanted = "any tile" if name.tile is None else f"tile {name.tile}"
        raise ProductCorruptError(f"{tree.path} holds no image of {wanted}", hint=_ARRIVING)
    present = tiles if name.tile is None else (name.tile,)
    return ProductFacts(
        footprint=polygon_of_tiles(present),
        tiles=present,
        sensing_time=name.sensing_start,
        size_bytes=tree.disk_bytes,
        relative_orbit=name.relative_orbit,
        direction=_direction(text(root, "SENSING_ORBIT_DIRECTION")),
        cloud_pct=number(root, "Cloud_Coverage_Assessment"),
        created=utc_time(text(root, "GENERATION_TIME")) or name.created,
    )


def muscate_metadata_file(tree: ProductTree) -> str:
    """The ``…_MTD_ALL.xml`` of a MUSCATE product.

    Raises
    ------
    ProductCorruptError : there is none.
    """
    for file in sorted(tree.files):
        if "/" not in file and file.upper().endswith("_MTD_ALL.XML"):
            return file
    raise ProductCorruptError(f"{tree.path} has no …_MTD_ALL.xml", hint=_ARRIVING)


def _muscate(tree: ProductTree, name: ProductName) -> ProductFacts:
    file = muscate_metadata_file(tree)
    root = parse_xml(tree.read(file), tree.where(file))
    orbit = number(root, "ORBIT_NUMBER")
    clouds = [
        float(item.text)
        for item in elements(root, "QUALITY_INDEX")
        if item.get("name") == "CloudPercent" and item.text and item.text.strip().replace(".", "", 1).isdigit()
    ]
    tiles = () if name.tile is None else (name.tile,)
    return ProductFacts(
        footprint=polygon_of_tiles(tiles),
        tiles=tiles,
        sensing_time=name.sensing_start,
        size_bytes=tree.disk_bytes,
        # 143 relative orbits make a Sentinel-2 cycle; a larger number is an absolute one.
        relative_orbit=int(orbit) if orbit is not None and 1 <= orbit <= 143 else None,
        cloud_pct=clouds[0] if clouds else None,
        created=utc_time(text(root, "PRODUCTION_DATE")),
    )


def _sentinel1_safe(tree: ProductTree, name: ProductName) -> ProductFacts:
    where = tree.where("manifest.safe")
    root = parse_xml(tree.read("manifest.safe"), where)
    coordinates = text(root, "coordinates")
    if coordinates is None:
        raise ProductCorruptError(f"{where} has no footprint", hint=_ARRIVING)
    orbit = number(root, "relativeOrbitNumber")
    processed = [utc_time(item.get("stop")) for item in elements(root, "processing")]
    return ProductFacts(
        footprint=polygon_of_coordinates(coordinates, where),
        tiles=(),
        sensing_time=name.sensing_start,
        size_bytes=tree.disk_bytes,
        relative_orbit=name.relative_orbit if orbit is None else int(orbit),
        direction=_direction(text(root, "pass")),
        created=max((time for time in processed if time is not None), default=None),
    )


def _sentinel1_raster(tree: ProductTree, name: ProductName) -> ProductFacts:
    if is_described(tree.path):
        return _described_raster(tree, name)
    rasters = sorted(file for file in tree.files if file.lower().endswith((".tif", ".tiff")))
    if not rasters:
        raise ProductCorruptError(f"{tree.path} holds no .tif", hint=_ARRIVING)
    return ProductFacts(
        footprint=polygon_of_raster(tree.gdal_path(rasters[0]), tree.where(rasters[0])),
        tiles=() if name.tile is None else (name.tile,),
        sensing_time=name.sensing_start,
        size_bytes=tree.disk_bytes,
        relative_orbit=name.relative_orbit,
    )


def _described_raster(tree: ProductTree, name: ProductName) -> ProductFacts:
    contents = radar_contents(tree, name)
    where = tree.where(contents.file)
    footprint = polygon_of_raster(tree.gdal_path(contents.file), where)
    if name.tile is not None and not footprint.intersects(polygon_of_tiles([name.tile])):
        raise ProductCorruptError(
            f"{where}: tile: the raster does not lie on tile {name.tile}",
            hint="correct or leave out the sidecar's tile",
        )
    return ProductFacts(
        footprint=footprint,
        tiles=() if name.tile is None else (name.tile,),
        sensing_time=name.sensing_start,
        size_bytes=tree.disk_bytes,
        relative_orbit=name.relative_orbit,
        direction=None if contents.direction is None else Direction(contents.direction),
    )


def landsat_metadata(tree: ProductTree) -> dict[str, str]:
    """Key -> value of the MTL, from its xml, json or txt spelling, in this order.

    Raises
    ------
    ProductCorruptError : there is none or it cannot be parsed.
    """
    for suffix in ("_mtl.xml", "_mtl.json", "_mtl.txt"):
        for file in sorted(tree.files):
            if file.lower().endswith(suffix):
                return parse_mtl(tree.read(file), file, tree.where(file))
    raise ProductCorruptError(f"{tree.path} has no …_MTL.xml, .json or .txt", hint=_ARRIVING)


def _landsat(tree: ProductTree, name: ProductName) -> ProductFacts:
    values = landsat_metadata(tree)
    where = f"the MTL of {tree.path}"
    try:
        corners = [
            (float(values[f"CORNER_{corner}_LON_PRODUCT"]), float(values[f"CORNER_{corner}_LAT_PRODUCT"]))
            for corner in _CORNERS
        ]
        cloud = float(values.get("CLOUD_COVER", -1))
    except (KeyError, ValueError) as error:
        raise ProductCorruptError(f"{where} has no usable {error}", hint="fetch the product again") from error
    moment = utc_time(f"{values.get('DATE_ACQUIRED', '')}T{values.get('SCENE_CENTER_TIME', '')}")
    return ProductFacts(
        footprint=polygon_of_corners(corners, where),
        tiles=() if name.tile is None else (name.tile,),
        sensing_time=moment or name.sensing_start,
        size_bytes=tree.disk_bytes,
        # USGS writes -1 where the cover was not computed.
        cloud_pct=cloud if cloud >= 0 else None,
        created=utc_time(values.get("DATE_PRODUCT_GENERATED") or values.get("FILE_DATE")) or name.created,
    )


def _direction(written: str | None) -> Direction | None:
    return {"ASCENDING": Direction.ASCENDING, "DESCENDING": Direction.DESCENDING}.get((written or "").upper())
