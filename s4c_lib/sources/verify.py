"""The structure a product must have before it counts as downloaded; one check for each kind.

Pixels are not judged here (the readers do), nor schemas: what is checked is that everything is there and opens. Of
ready-made Sentinel-1 rasters a sample is read, to see that they are of the quantity and unit they state.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from s4c_lib.damaged_archives import DAMAGED_ZIP
from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.metadata_files import elements, parse_xml
from s4c_lib.sources.model import TileProblem
from s4c_lib.sources.product_facts import landsat_metadata, muscate_metadata_file
from s4c_lib.sources.product_names import ProductKind, ProductName
from s4c_lib.sources.product_tree import RASTER_SUFFIXES, ProductTree, is_zip, unreadable
from s4c_lib.sources.radar_contents import radar_contents
from s4c_lib.sources.radar_plausibility import check_plausible
from s4c_lib.sources.raster_check import check_header, check_present
from s4c_lib.sources.verify_sentinel2 import check_safe

_MUSCATE_BANDS = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
_MUSCATE_MASKS = tuple(f"{mask}_R{resolution}" for mask in ("EDG", "MG2", "SAT") for resolution in (1, 2))
_LANDSAT_SR = (*(f"SR_B{band}" for band in range(1, 8)), "QA_PIXEL", "QA_RADSAT")
_ARRIVING = "the product may still be arriving"


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What the check of an accepted product found.

    Attributes
    ----------
    size_bytes : on disk, of the archive if it is one.
    files : count of files in the product.
    tile_problems : tiles that cannot be used although the product as a whole can.
    """

    size_bytes: int
    files: int
    tile_problems: tuple[TileProblem, ...] = ()
    warnings: tuple[str, ...] = ()


def verify_product(path: Path, name: ProductName, *, bytes_compared: bool = False) -> VerifyReport:
    """Check a product's structure; reads metadata and raster headers, of a zip every byte (CRC).

    Every file is stat-ed first: a dangling link inside is an error that names the link.

    Parameters
    ----------
    bytes_compared : every byte has been compared with the provider's checksum: a zip is not read a second time then.
        What hubs were seen to spoil before they took the checksum, archives cut short, its directory shows.

    Raises
    ------
    ProductCorruptError : something is missing, empty or not readable; the message names the file. Retryable: it may
        still be arriving.
    StorageError : no permission to read it (code ``unreadable``).
    """
    tree = ProductTree(path)
    if tree.is_archive and is_zip(path) and not bytes_compared:
        _check_crc(path)
    problems: tuple[TileProblem, ...] = ()
    warnings: tuple[str, ...] = ()
    match name.kind:
        case ProductKind.S2_L1C | ProductKind.S2_L2A:
            problems, warnings = check_safe(tree, name)
        case ProductKind.MUSCATE_L2A:
            _check_muscate(tree)
        case ProductKind.S1_SLC | ProductKind.S1_GRD:
            _check_sentinel1(tree, name)
        case ProductKind.S1_AMP | ProductKind.S1_COHE:
            warnings = _check_radar(tree, name)
        case _:
            _check_landsat(tree, name)
    return VerifyReport(tree.disk_bytes, len(tree.files), problems, warnings)


def _check_crc(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except PermissionError as error:
        raise unreadable(error, path) from error
    except (OSError, RuntimeError, *DAMAGED_ZIP) as error:
        raise ProductCorruptError(f"{path} is a damaged zip archive: {error}", hint="fetch it again") from error
    if damaged is not None:
        raise ProductCorruptError(f"{path}!{damaged} is damaged: its checksum differs", hint="fetch it again")


def _check_sentinel1(tree: ProductTree, name: ProductName) -> None:
    root = parse_xml(tree.read("manifest.safe"), tree.where("manifest.safe"))
    listed = sorted(
        (item.get("href") or "").removeprefix("./")
        for item in elements(root, "fileLocation")
        if (item.get("href") or "").removeprefix("./").startswith(("annotation/", "measurement/"))
    )
    measurements = [file for file in listed if file.startswith("measurement/")]
    for polarisation in name.polarisations:
        if not any(f"-{polarisation.lower()}-" in file for file in measurements):
            raise ProductCorruptError(
                f"{tree.where('manifest.safe')} lists no measurement of {polarisation}", hint="fetch it again"
            )
    for file in listed:
        check_present(tree, file)
    for file in listed:
        if file.endswith(".xml"):
            parse_xml(tree.read(file), tree.where(file))
    for file in measurements:
        check_header(tree, file)


def _check_radar(tree: ProductTree, name: ProductName) -> tuple[str, ...]:
    rasters = sorted(file for file in tree.files if file.lower().endswith(RASTER_SUFFIXES))
    if not rasters:
        raise ProductCorruptError(f"{tree.path} holds no .tif", hint=_ARRIVING)
    for file in rasters:
        check_header(tree, file)
    contents = radar_contents(tree, name)
    check_plausible(tree, contents)
    return contents.warnings


def _check_muscate(tree: ProductTree) -> None:
    file = muscate_metadata_file(tree)
    parse_xml(tree.read(file), tree.where(file))
    # One complete set will do: sites keep either the flat or the slope-corrected reflectances, or both.
    sets = {kind: _ending(tree, [f"_{kind}_{band}.tif" for band in _MUSCATE_BANDS]) for kind in ("FRE", "SRE")}
    kind = max(sets, key=lambda key: len(sets[key]))
    missing = [band for band in _MUSCATE_BANDS if f"_{kind}_{band}.tif" not in sets[kind]]
    if missing:
        raise ProductCorruptError(f"{tree.path} lacks {kind} {', '.join(missing)}", hint=_ARRIVING)
    masks = _ending(tree, [f"_{mask}.tif" for mask in _MUSCATE_MASKS])
    missing = [mask for mask in _MUSCATE_MASKS if f"_{mask}.tif" not in masks]
    if missing:
        raise ProductCorruptError(f"{tree.path} lacks the masks {', '.join(missing)}", hint=_ARRIVING)
    for found in sorted([*sets[kind].values(), *masks.values()]):
        check_header(tree, found)


def _ending(tree: ProductTree, endings: list[str]) -> dict[str, str]:
    """Ending -> file, for the endings that some file has (case ignored)."""
    found: dict[str, str] = {}
    for ending in endings:
        for file in sorted(tree.files):
            if file.lower().endswith(ending.lower()):
                found[ending] = file
                break
    return found


def _check_landsat(tree: ProductTree, name: ProductName) -> None:
    values = landsat_metadata(tree)
    if name.kind in {ProductKind.LANDSAT_L2SP, ProductKind.LANDSAT_L2SR}:
        endings = [f"_{band}.tif" for band in _LANDSAT_SR]
        rasters = _ending(tree, endings)
        missing = [ending for ending in endings if ending not in rasters]
        if missing:
            raise ProductCorruptError(f"{tree.path} has no file ending in {', '.join(missing)}", hint=_ARRIVING)
        files = sorted(rasters.values())
    else:
        files = sorted(value for key, value in values.items() if key.startswith("FILE_NAME_BAND_"))
        if not files:
            raise ProductCorruptError(f"the MTL of {tree.path} lists no band", hint="fetch the product again")
    for file in files:
        check_header(tree, file)
