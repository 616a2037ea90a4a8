"""What Sen2Cor has left: resolutions of a tile, the one product, its quality (``preprocessing.md`` 2.7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from s4c_lib.errors import ProductCorruptError
from s4c_lib.preprocessing.clear_pixels import ClearPixels, clear_pixels_of_document
from s4c_lib.preprocessing.executor import ExecutorError
from s4c_lib.preprocessing.sen2cor_settings import RESOLUTIONS
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_names import ProductName, granule_tile
from s4c_lib.sources.product_tree import ProductTree
from s4c_lib.sources.raster_check import check_header

_TEN = ("B02", "B03", "B04", "B08")
_TWENTY = ("B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12", "SCL")
_LAYERS = {10: _TEN, 20: _TWENTY, 60: ("B01", *_TWENTY[:-1], "B09", "SCL")}


def resolutions_to_run(wanted: Sequence[int], present: Iterable[int]) -> tuple[int, ...]:
    """Resolutions to compute, in Sen2Cor's order 60, 20, 10.

    Nothing wanted means all; 10 m needs a result of 20 m, which is made first unless it is there; what is present is
    not computed again.
    """
    needed = set(wanted or RESOLUTIONS) - set(present)
    if 10 in needed and 20 not in set(present):
        needed.add(20)
    return tuple(resolution for resolution in RESOLUTIONS if resolution in needed)


def product_patterns(l1c: ProductName) -> str:
    """Pattern of the names that Sen2Cor may give to the L2A of an L1C."""
    satellite, start = f"S2{l1c.platform[-1].upper()}", f"{l1c.sensing_start:%Y%m%dT%H%M%S}"
    orbit = f"R{l1c.relative_orbit or 0:03d}"
    if l1c.tile is not None:
        return f"{satellite}_MSIL2A_{start}_N*_{orbit}_T{l1c.tile}_*.SAFE"
    return f"{satellite}_????_PRD_MSIL2A_*_{orbit}_V{start}_*.SAFE"


def products_in(folder: Path, l1c: ProductName) -> list[Path]:
    """L2A folders of this L1C, with or without content."""
    return sorted(path for path in folder.glob(product_patterns(l1c)) if path.is_dir())


def metadata_of(product: Path) -> Path | None:
    """Product-level metadata; None when there are none."""
    compact = product / "MTD_MSIL2A.xml"
    found = [compact] if compact.is_file() else sorted(product.glob("S2*_MTD_SAFL2A_*.xml"))
    return found[0] if len(found) == 1 else None


def resolutions_present(product: Path, tile: str) -> tuple[int, ...]:
    """Resolutions of which a tile has every layer, none of them empty."""
    return tuple(resolution for resolution in RESOLUTIONS if not _missing(_layers(product, tile), resolution))


def faults_of(product: Path, tile: str, resolutions: Iterable[int]) -> str:
    """What keeps a product from being accepted; empty when nothing does."""
    if metadata_of(product) is None:
        return f"{product.name} has no MTD_MSIL2A.xml"
    layers = _layers(product, tile)
    for resolution in resolutions:
        missing = _missing(layers, resolution)
        if missing:
            return f"{product.name} lacks {', '.join(missing)} of tile {tile} at {resolution} m"
    tree = ProductTree(product)
    try:
        for path in layers.values():
            check_header(tree, str(path.relative_to(product)))
    except ProductCorruptError as error:
        return error.message
    return ""


def clear_pixels_of(product: Path) -> ClearPixels:
    """Shares of classes as the product's metadata state them.

    Raises
    ------
    ExecutorError : there are no metadata, they cannot be read or lack a share (``output_incomplete``).
    """
    document = metadata_of(product)
    try:
        if document is None:
            raise ProductCorruptError(f"{product.name} has no MTD_MSIL2A.xml")
        return clear_pixels_of_document(document.read_bytes(), str(document))
    except ProductCorruptError as error:
        raise ExecutorError(f"{product.name}: {error.message}", code=Reason.OUTPUT_INCOMPLETE) from error


def _layers(product: Path, tile: str) -> dict[str, Path]:
    """``B02_10m`` -> file, of the tile's granule; empty files are left out."""
    found = {}
    for granule in sorted((product / "GRANULE").glob("*")):
        if granule_tile(granule.name) != tile:
            continue
        for path in sorted(granule.glob("IMG_DATA/R*m/*.jp2")):
            if path.stat().st_size > 0:
                found["_".join(path.stem.split("_")[-2:])] = path
    return found


def _missing(layers: dict[str, Path], resolution: int) -> list[str]:
    return [name for name in _LAYERS[resolution] if f"{name}_{resolution}m" not in layers]
