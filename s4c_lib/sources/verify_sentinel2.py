"""Structure of Sentinel-2 SAFE products, old and compact (``preprocessing.md`` §2.3)."""

from __future__ import annotations

from xml.etree import ElementTree

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.metadata_files import elements, number, parse_xml
from s4c_lib.sources.model import TileProblem
from s4c_lib.sources.product_facts import image_tiles, safe_metadata_file
from s4c_lib.sources.product_names import ProductKind, ProductName, granule_tile
from s4c_lib.sources.product_tree import ProductTree
from s4c_lib.sources.raster_check import check_header, is_black

_L1C_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
# What the readers open (§2.8); a product without one of these is of no use.
_L2A_BANDS = (
    *(f"{band}_10m" for band in ("B02", "B03", "B04", "B08")),
    *(f"{band}_20m" for band in ("B05", "B06", "B07", "B8A", "B11", "B12", "SCL")),
)
_PREVIEWS = ("TCI", "PVI")


def check_safe(tree: ProductTree, name: ProductName) -> tuple[tuple[TileProblem, ...], tuple[str, ...]]:
    """Check manifest, product metadata, and for each tile the presence, size and header of every listed image.

    Returns
    -------
    Problems of single tiles while another tile is good (``input_corrupt``), or of a tile without any data
    (``tile_empty``: the product is complete, retrying it would change nothing), and warnings.

    Raises
    ------
    ProductCorruptError : the product, or every tile of it, is incomplete.
    """
    manifest = parse_xml(tree.read("manifest.safe"), tree.where("manifest.safe"))
    metadata = safe_metadata_file(tree, name)
    root = parse_xml(tree.read(metadata), tree.where(metadata))
    sizes = _manifest_sizes(manifest)
    images = _listed_images(tree, root)
    tiles = sorted(set(images) | set(image_tiles(tree)))
    if name.tile is not None and name.tile not in images:
        raise ProductCorruptError(f"{tree.where(metadata)} lists no image of tile {name.tile}", hint="fetch it again")
    problems: list[TileProblem] = []
    faults: list[ProductCorruptError] = []
    empty = number(root, "NODATA_PIXEL_PERCENTAGE") == 100
    for tile in tiles:
        try:
            _check_tile(tree, name, tile, images.get(tile, []), sizes)
            if empty or (name.kind is ProductKind.S2_L1C and is_black(tree, _blue(images[tile]))):
                problems.append(TileProblem(tile, "tile_empty", f"tile {tile} of {tree.path} holds no data at all"))
        except ProductCorruptError as error:
            faults.append(error)
            problems.append(TileProblem(tile, error.code, error.message))
    if faults and len(faults) == len(tiles):
        raise faults[0]
    if not tiles:
        raise ProductCorruptError(f"{tree.path} holds no image", hint="the product may still be arriving")
    return tuple(problems), _warnings(tree)


def _check_tile(tree: ProductTree, name: ProductName, tile: str, files: list[str], sizes: dict[str, int]) -> None:
    wanted = _L1C_BANDS if name.kind is ProductKind.S2_L1C else _L2A_BANDS
    stems = [file.rsplit("/", 1)[-1].removesuffix(".jp2") for file in files]
    for band in wanted:
        if not any(stem.endswith(f"_{band}") for stem in stems):
            raise ProductCorruptError(
                f"the metadata of {tree.path} lists no {band} of tile {tile}", hint="fetch it again"
            )
    for file in files:
        if any(preview in file.rsplit("/", 1)[-1] for preview in _PREVIEWS):
            continue
        # A cut-off JP2 opens without complaint; that it is shorter than the manifest says gives it away.
        if 0 < tree.files.get(file, 0) < sizes.get(file, 0):
            raise ProductCorruptError(
                f"{tree.where(file)} has {tree.files[file]} of {sizes[file]} bytes",
                hint="the product may still be arriving",
            )
        check_header(tree, file)


def _listed_images(tree: ProductTree, root: ElementTree.Element) -> dict[str, list[str]]:
    """Tile -> files named by the metadata: ``IMAGE_FILE`` (compact), ``IMAGE_ID`` (old, without its folder)."""
    images: dict[str, list[str]] = {}
    for element in elements(root, "IMAGE_FILE"):
        file = f"{(element.text or '').strip()}.jp2"
        parts = file.split("/")
        tile = granule_tile(parts[1]) if len(parts) > 2 else None
        if tile is not None:
            images.setdefault(tile, []).append(file)
    for granule in (*elements(root, "Granules"), *elements(root, "Granule")):
        identifier = granule.get("granuleIdentifier") or ""
        tile = granule_tile(identifier)
        if tile is None:
            continue
        for element in elements(granule, "IMAGE_ID"):
            images.setdefault(tile, []).append(f"GRANULE/{identifier}/IMG_DATA/{(element.text or '').strip()}.jp2")
    if not images:
        raise ProductCorruptError(f"the metadata of {tree.path} lists no image", hint="fetch the product again")
    return images


def _manifest_sizes(manifest: ElementTree.Element) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for stream in elements(manifest, "byteStream"):
        size = stream.get("size", "")
        for location in elements(stream, "fileLocation"):
            if size.isdigit():
                sizes[(location.get("href") or "").removeprefix("./")] = int(size)
    return sizes


def _blue(files: list[str]) -> str:
    return next(file for file in files if file.removesuffix(".jp2").endswith("_B02"))


def _warnings(tree: ProductTree) -> tuple[str, ...]:
    datastrips = {file.split("/")[1] for file in tree.files if file.startswith("DATASTRIP/") and file.count("/") > 1}
    if len(datastrips) > 1:
        return (f"{tree.path} is consolidated from {len(datastrips)} datastrips",)
    return ()
