"""Whether a Sentinel-2 L1C is fit for processing, tile by tile, before any program starts (``preprocessing.md`` 2.3).

Structure, bands, headers and black tiles are judged by the check that every fetched product passes; here come what
only processing needs: metadata of the right tile, images of the stated size, and the rules of baselines.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.readers.raster_opening import open_raster, single_thread
from s4c_lib.reasons import Reason
from s4c_lib.sources.metadata_files import elements, number, parse_xml, text
from s4c_lib.sources.product_facts import image_tiles, safe_metadata_file
from s4c_lib.sources.product_names import ProductKind, ProductName, granule_tile, product_name
from s4c_lib.sources.product_tree import ProductTree
from s4c_lib.sources.verify import verify_product

_METRES = {
    **dict.fromkeys(("B02", "B03", "B04", "B08"), 10),
    **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), 20),
    **dict.fromkeys(("B01", "B09", "B10"), 60),
}
# What a product of the specification states; a product without is processed all the same.
_EXPECTED = ("PRODUCT_START_TIME", "PROCESSING_BASELINE", "PROCESSING_LEVEL", "SPACECRAFT_NAME", "QUANTIFICATION_VALUE")
_KNOWN_FILES = re.compile(
    r".*\.(xml|jp2|safe|gml|html|css|png|jpg|xsd|xsl|json|txt|log|bin|grib|grb)|[^.]*", re.IGNORECASE
)
# Sen2Cor from 2.8 on reads products of the compact format from this baseline on; before 2.10 it does not know the
# offsets that came with the other.
_COMPACT_FROM, _SEN2COR_COMPACT_ONLY = 205, (2, 8)
_OFFSETS_FROM, _SEN2COR_OFFSETS = 400, (2, 10)


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a tile cannot be processed."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class L1cReport:
    """What was found in an L1C.

    Parameters
    ----------
    tiles : all tiles it has or should have. findings : of the tiles that cannot be processed.
    baseline : ``N0400`` -> 400; None where neither name nor metadata say.
    """

    name: ProductName
    tiles: tuple[str, ...]
    baseline: int | None
    findings: Mapping[str, Finding]
    warnings: tuple[str, ...]

    def finding(self, tile: str) -> Finding | None:
        """Why this tile cannot be processed; None when it can."""
        if tile not in self.tiles:
            return Finding(Reason.INPUT_MISSING, f"{self.name.name} holds no tile {tile}")
        return self.findings.get(tile)


def inspect_l1c(path: Path) -> L1cReport:
    """Judge an L1C product.

    Raises
    ------
    ProductCorruptError : manifest or metadata missing or not readable, or every tile incomplete.
    InputError : no Sentinel-2 L1C by its name.
    """
    name = product_name(path.name)
    if name.kind is not ProductKind.S2_L1C:
        raise InputError(f"{path} is no Sentinel-2 L1C", hint="ready-made L2A needs no executor")
    report = verify_product(path, name)
    tree = ProductTree(path)
    metadata = safe_metadata_file(tree, name)
    root = parse_xml(tree.read(metadata), tree.where(metadata))
    findings = {problem.tile: Finding(Reason(problem.code), problem.text) for problem in report.tile_problems}
    folders = _granules(tree)
    tiles = tuple(sorted({*image_tiles(tree), *findings, *folders}))
    notes = [*report.warnings, *_schema_notes(root, tree.where(metadata), name), *_strangers(tree)]
    for tile in tiles:
        if tile not in findings:
            try:
                _check_granule(tree, folders[tile], tile)
            except ProductCorruptError as error:
                findings[tile] = Finding(Reason.INPUT_CORRUPT, error.message)
        elif findings[tile].reason is Reason.TILE_EMPTY:
            notes.append(findings[tile].text)
    return L1cReport(name, tiles, _baseline(name, root), findings, tuple(notes))


def baseline_fault(executor: str, version: str, baseline: int | None) -> str | None:
    """Why this version of the program cannot read a product of this baseline; None when it can, or nobody knows."""
    if executor != "sen2cor" or baseline is None:
        return None
    numbers = version_numbers(version)
    written = f"{baseline // 100:02d}.{baseline % 100:02d}"
    if baseline < _COMPACT_FROM and numbers >= _SEN2COR_COMPACT_ONLY:
        return f"baseline {written} is too old for Sen2Cor {version}; versions before 2.8 read it"
    if baseline >= _OFFSETS_FROM and numbers < _SEN2COR_OFFSETS:
        return f"baseline {written} needs Sen2Cor 2.10 or later, this is {version}"
    return None


def version_numbers(version: str) -> tuple[int, ...]:
    """``2.10.01`` -> (2, 10, 1).

    Raises
    ------
    InputError : it does not start with two numbers.
    """
    found = re.match(r"\s*v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    if found is None:
        raise InputError(f"'{version}' is no version", hint="write it as 2.10.1")
    return tuple(int(part) for part in found.groups() if part is not None)


def version_faults(version: str) -> tuple[str, ...]:
    """What is wrong with a program's version as it was set."""
    try:
        version_numbers(version)
    except InputError as error:
        return (error.message,)
    return ()


def granule_folders(product: Path) -> dict[str, Path]:
    """Tile -> folder of its granule, of a SAFE folder; granules without a file do not count."""
    tree = ProductTree(product)
    return {tile: product / folder for tile, folder in _granules(tree).items()}


def _granules(tree: ProductTree) -> dict[str, str]:
    folders = {}
    for file in tree.files:
        parts = file.split("/")
        tile = granule_tile(parts[1]) if len(parts) > 2 and parts[0] == "GRANULE" else None
        if tile is not None:
            folders[tile] = f"GRANULE/{parts[1]}"
    return folders


def _check_granule(tree: ProductTree, folder: str, tile: str) -> None:
    documents = [
        file
        for file in sorted(tree.files)
        if file.startswith(f"{folder}/") and file.count("/") == 2 and "MTD" in file.upper() and file.endswith(".xml")
    ]
    if not documents:
        raise ProductCorruptError(f"{tree.where(folder)} has no metadata", hint="the product may still be arriving")
    root = parse_xml(tree.read(documents[0]), tree.where(documents[0]))
    stated = granule_tile(text(root, "TILE_ID") or "")
    if stated is not None and stated != tile:
        raise ProductCorruptError(f"{tree.where(documents[0])} describes tile {stated}", hint="fetch it again")
    sizes = {
        int(size.get("resolution", "0")): (int(number(size, "NROWS") or 0), int(number(size, "NCOLS") or 0))
        for size in elements(root, "Size")
    }
    for band, file in _images(tree, folder):
        wanted = sizes.get(_METRES[band])
        if wanted is not None and _shape(tree, file) != wanted:
            raise ProductCorruptError(
                f"{tree.where(file)} has {_shape(tree, file)} pixels, its metadata say {wanted}", hint="fetch it again"
            )


def _images(tree: ProductTree, folder: str) -> Iterator[tuple[str, str]]:
    for file in sorted(tree.files):
        band = file.removesuffix(".jp2").rsplit("_", 1)[-1]
        if file.startswith(f"{folder}/IMG_DATA/") and band in _METRES:
            yield band, file


def _shape(tree: ProductTree, file: str) -> tuple[int, int]:
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings(), single_thread():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with open_raster(tree.gdal_path(file)) as raster:
            return raster.height, raster.width


def _baseline(name: ProductName, root: ElementTree.Element) -> int | None:
    if name.baseline is not None:
        return name.baseline
    found = re.fullmatch(r"(\d{2})\.(\d{2})", text(root, "PROCESSING_BASELINE") or "")
    return int(found[1]) * 100 + int(found[2]) if found else None


def _schema_notes(root: ElementTree.Element, where: str, name: ProductName) -> list[str]:
    notes = [f"{where} has no {element}" for element in _EXPECTED if text(root, element) is None]
    stated = _baseline_of_metadata(root)
    if name.baseline is not None and stated is not None and stated != name.baseline:
        notes.append(f"{where} says baseline {stated}, the product's name {name.baseline}")
    return notes


def _baseline_of_metadata(root: ElementTree.Element) -> int | None:
    digits = (text(root, "PROCESSING_BASELINE") or "").replace(".", "")
    return int(digits) if digits.isdigit() else None


def _strangers(tree: ProductTree) -> list[str]:
    """Unexpected files, such as the ``.gfs`` that GDAL once left beside masks; they do no harm."""
    return [f"{tree.where(file)} is unexpected" for file in sorted(tree.files) if not _KNOWN_FILES.fullmatch(file)]
