"""Sentinel-2 L2A as SAFE, of every baseline: compact, or old with several tiles (preprocessing.md 2.1, 2.8-2.10)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers.angles import angles_of_metadata, read_directions
from s4c_lib.readers.metadata_checks import check_on_tile, check_same, stated
from s4c_lib.readers.scene import AngleGrid, Band, Layer, Mask, MaskKind, OpticalScene
from s4c_lib.sources.metadata_files import elements, number, parse_xml, text
from s4c_lib.sources.product_facts import safe_metadata_file
from s4c_lib.sources.product_names import ProductName, granule_tile
from s4c_lib.sources.product_tree import ProductTree
from s4c_lib.sources.raster_check import check_present

# Bands read, with their native pixel in metres.
NATIVE: Final[Mapping[str, int]] = {
    **dict.fromkeys(("b02", "b03", "b04", "b08"), 10),
    **dict.fromkeys(("b05", "b06", "b07", "b8a", "b11", "b12"), 20),
}
_SCL_METRES: Final = 20
_NO_DATA: Final = 0
# Bands by number, where the metadata do not say.
_NUMBERED: Final = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
_IMAGE = re.compile(r"_(?P<layer>B[0-9]{2}|B8A|SCL)(?:_.*)?_(?P<metres>10|20|60)m\.jp2$", re.IGNORECASE)
_TILE_OF_IDENTIFIER = re.compile(r"_T([0-9]{2}[A-Z]{3})(?:_|$)")
_BASELINE = re.compile(r"([0-9]{2})\.([0-9]{2})")
_AGAIN: Final = "fetch the product again"
_OFFSET_APPLIED: Final = ("earthsearch:boa_offset_applied", "s2:boa_offset_applied", "boa_offset_applied")


@dataclass(frozen=True, slots=True, eq=False)
class SafeMetadata:
    """What the two metadata documents of a product and tile say; no image is needed to read them.

    Parameters
    ----------
    quantification : DN of reflectance 1. offsets : added to the DN, by band.
    grids : by metres, 10 and 20.
    quality : the percentages, lower-case names; those of the granule where both documents have one.
    files : addresses of the documents in the product.
    """

    tile: str
    granule: str
    platform: str
    baseline: int | None
    relative_orbit: int | None
    direction: str | None
    granule_time: str | None
    quantification: float
    offsets: Mapping[str, float]
    grids: Mapping[int, PixelGrid]
    angles: AngleGrid
    quality: Mapping[str, float]
    files: tuple[str, ...]


def read_safe(tree: ProductTree, name: ProductName, tile: str | None = None) -> OpticalScene:
    """Read a product, in a folder or an archive.

    Parameters
    ----------
    tile : which one of an old product with several.

    Raises
    ------
    InputError : the product has no such tile, or several and none is named.
    ProductCorruptError : metadata or an image is missing, or they do not belong together.
    """
    metadata = read_safe_metadata(tree, name, tile)
    images = _images(tree, metadata)
    applied = _offset_applied(tree)
    scale = 1 / metadata.quantification
    bands = {
        band: Band(
            band,
            Layer(tree.gdal_path(images[band]), metadata.grids[metres]),
            scale,
            0.0 if applied else metadata.offsets[band] / metadata.quantification,
            _NO_DATA,
        )
        for band, metres in NATIVE.items()
    }
    properties: dict[str, Any] = {"granule_sensing_time": metadata.granule_time} if metadata.granule_time else {}
    if applied is not None:
        properties["offset_applied"] = applied
    return OpticalScene(
        name=name.name if name.tile else f"{name.name}_T{metadata.tile}",
        kind=name.kind,
        platform=metadata.platform,
        tile=metadata.tile,
        # Of the datatake, as the catalogue has it: the same in all tiles, so that a parcel seen in two is one date.
        sensing_time=name.sensing_start,
        relative_orbit=metadata.relative_orbit or name.relative_orbit,
        direction=metadata.direction,
        baseline=metadata.baseline or name.baseline,
        grid=metadata.grids[10],
        bands=bands,
        mask=Mask(MaskKind.SCL, {"scl": Layer(tree.gdal_path(images["scl"]), metadata.grids[_SCL_METRES])}),
        angles=metadata.angles,
        metadata_files=tuple(tree.gdal_path(file) for file in metadata.files),
        quality=metadata.quality,
        properties=properties,
    )


def read_safe_metadata(tree: ProductTree, name: ProductName, tile: str | None = None) -> SafeMetadata:
    """Read the documents of the product and of one tile; parameters and errors as `read_safe`."""
    file = safe_metadata_file(tree, name)
    where = tree.where(file)
    root = parse_xml(tree.read(file), where)
    wanted, granule = _granule(tree, name, tile)
    granule_file = _granule_metadata_file(tree, granule)
    granule_where = tree.where(granule_file)
    granule_root = parse_xml(tree.read(granule_file), granule_where)
    identifier = text(granule_root, "TILE_ID")
    found = _TILE_OF_IDENTIFIER.search(identifier or "")
    check_same("tile", found[1] if found else None, wanted, granule_where)
    platform = (text(root, "SPACECRAFT_NAME") or name.platform).lower()
    check_same("platform", platform, name.platform, where)
    grids = _grids(granule_root, granule_where)
    check_on_tile(grids[10], wanted, granule_where)
    quantification = stated(
        number(root, "BOA_QUANTIFICATION_VALUE") or number(root, "L2A_BOA_QUANTIFICATION_VALUE"),
        "BOA_QUANTIFICATION_VALUE",
        where,
    )
    baseline = _BASELINE.fullmatch(text(root, "PROCESSING_BASELINE") or "")
    orbit = number(root, "SENSING_ORBIT_NUMBER")
    if orbit is not None and name.relative_orbit is not None:
        check_same("relative orbit", f"{orbit:.0f}", str(name.relative_orbit), where)
    direction = (text(root, "SENSING_ORBIT_DIRECTION") or "").lower()
    return SafeMetadata(
        tile=wanted,
        granule=granule,
        platform=platform,
        baseline=int(baseline[1] + baseline[2]) if baseline else name.baseline,
        relative_orbit=None if orbit is None else int(orbit),
        direction=direction if direction in {"ascending", "descending"} else None,
        granule_time=text(granule_root, "SENSING_TIME"),
        quantification=quantification,
        offsets=_offsets(root, where),
        grids=grids,
        angles=_angles(granule_root, grids[10], granule_where),
        quality={**_percentages(root), **_percentages(granule_root)},
        files=(file, granule_file),
    )


def _granule(tree: ProductTree, name: ProductName, tile: str | None) -> tuple[str, str]:
    """The tile asked for, and its granule's folder below ``GRANULE``."""
    folders = sorted({file.split("/")[1] for file in tree.files if file.startswith("GRANULE/") and file.count("/") > 1})
    by_tile = {found: folder for folder in folders if (found := granule_tile(folder)) is not None}
    if not by_tile:
        raise ProductCorruptError(f"{tree.path} holds no granule", hint="the product may still be arriving")
    wanted = None if tile is None else tile.strip().upper().removeprefix("T")
    if name.tile is not None:
        if wanted is not None and wanted != name.tile:
            raise InputError(f"{tree.path} is of tile {name.tile}, not {wanted}")
        if name.tile not in by_tile:
            raise ProductCorruptError(
                f"{tree.path} holds granules of {', '.join(sorted(by_tile))}, none of {name.tile}", hint=_AGAIN
            )
        return name.tile, by_tile[name.tile]
    if wanted is None and len(by_tile) > 1:
        raise InputError(f"{tree.path} holds the tiles {', '.join(sorted(by_tile))}", hint="name one of them as tile")
    wanted = wanted or next(iter(by_tile))
    if wanted not in by_tile:
        raise InputError(f"{tree.path} has no tile {wanted}", hint=f"it holds {', '.join(sorted(by_tile))}")
    return wanted, by_tile[wanted]


def _granule_metadata_file(tree: ProductTree, granule: str) -> str:
    folder = f"GRANULE/{granule}/"
    compact = f"{folder}MTD_TL.xml"
    if compact in tree.files:
        return compact
    old = [
        file
        for file in sorted(tree.files)
        if file.startswith(folder) and "/" not in file[len(folder) :] and "_MTD_" in file and file.endswith(".xml")
    ]
    # An old Sen2Cor leaves the document of the level-1 granule beside its own.
    old = [file for file in old if "_MTD_L2A_" in file] or old
    if len(old) == 1:
        return old[0]
    raise ProductCorruptError(f"{tree.where(compact)} is missing", hint="the product may still be arriving")


def _images(tree: ProductTree, metadata: SafeMetadata) -> dict[str, str]:
    """File of each band at its native pixel, and of ``scl``; a missing or empty one is an error that names it."""
    folder = f"GRANULE/{metadata.granule}/IMG_DATA/"
    found: dict[tuple[str, int], str] = {}
    for file in sorted(tree.files):
        match = _IMAGE.search(file) if file.startswith(folder) else None
        if match:
            found.setdefault((match["layer"].lower(), int(match["metres"])), file)
    wanted = {**NATIVE, "scl": _SCL_METRES}
    for layer, metres in wanted.items():
        if (layer, metres) not in found:
            raise ProductCorruptError(
                f"{tree.where(folder)} has no {layer.upper()} of {metres} m", hint="the product may still be arriving"
            )
        check_present(tree, found[layer, metres])
        tile = _TILE_OF_IDENTIFIER.search(f"_{found[layer, metres].rsplit('/', 1)[-1].upper()}")
        check_same("tile", tile[1] if tile else None, metadata.tile, tree.where(found[layer, metres]))
    return {layer: found[layer, metres] for layer, metres in wanted.items()}


def _grids(root: ElementTree.Element, where: str) -> dict[int, PixelGrid]:
    epsg = number_after_colon(stated(text(root, "HORIZONTAL_CS_CODE"), "HORIZONTAL_CS_CODE", where), where)
    sizes = {element.get("resolution"): element for element in elements(root, "Size")}
    places = {element.get("resolution"): element for element in elements(root, "Geoposition")}
    grids = {}
    for metres in (10, 20):
        size, place = sizes.get(str(metres)), places.get(str(metres))
        if size is None or place is None:
            raise ProductCorruptError(f"{where} does not place the images of {metres} m", hint=_AGAIN)
        rows, columns = (stated(number(size, key), key, where) for key in ("NROWS", "NCOLS"))
        west, north, pixel = (stated(number(place, key), key, where) for key in ("ULX", "ULY", "XDIM"))
        grids[metres] = PixelGrid(epsg, west, north, pixel, int(rows), int(columns))
        if pixel != metres:
            raise ProductCorruptError(f"{where} says pixels of {pixel} m for the images of {metres} m", hint=_AGAIN)
    return grids


def number_after_colon(code: str, where: str) -> int:
    """EPSG number of ``EPSG:32631`` or ``32631``.

    Raises
    ------
    ProductCorruptError : it is no number.
    """
    digits = code.rsplit(":", 1)[-1].strip()
    if not digits.isdigit():
        raise ProductCorruptError(f"{where} has the coordinate system '{code}', no EPSG code", hint=_AGAIN)
    return int(digits)


def _offsets(root: ElementTree.Element, where: str) -> dict[str, float]:
    """What is added to the DN of each band: 0 where the metadata have no list."""
    listed = list(elements(root, "BOA_ADD_OFFSET"))
    if not listed:
        return dict.fromkeys(NATIVE, 0.0)
    names = dict(enumerate(_NUMBERED))
    for element in elements(root, "Spectral_Information"):
        band_id, physical = element.get("bandId", ""), element.get("physicalBand")
        if band_id.isdigit() and physical:
            names[int(band_id)] = physical.upper()
    offsets = {}
    for element in listed:
        band_id = element.get("band_id", "")
        try:
            offsets[_band_key(names[int(band_id)])] = float(element.text or "")
        except (KeyError, ValueError) as error:
            raise ProductCorruptError(
                f"{where} has an unreadable BOA_ADD_OFFSET of band_id '{band_id}'", hint=_AGAIN
            ) from error
    missing = [band for band in NATIVE if band not in offsets]
    if missing:
        raise ProductCorruptError(f"{where} has no BOA_ADD_OFFSET of {', '.join(missing)}", hint=_AGAIN)
    return offsets


def _band_key(physical: str) -> str:
    """``B2`` -> ``b02``, ``B8A`` -> ``b8a``."""
    return f"b{physical[1:].lower().rjust(2, '0')}"


def _angles(root: ElementTree.Element, grid: PixelGrid, where: str) -> AngleGrid:
    return angles_of_metadata(
        grid,
        sun_grid=next(elements(root, "Sun_Angles_Grid"), None),
        view_grids=list(elements(root, "Viewing_Incidence_Angles_Grids")),
        sun_means=read_directions(elements(root, "Mean_Sun_Angle")),
        view_means=read_directions(elements(root, "Mean_Viewing_Incidence_Angle")),
        where=where,
    )


def _percentages(root: ElementTree.Element) -> dict[str, float]:
    found: dict[str, float] = {}
    for element in root.iter():
        name = str(element.tag).rsplit("}", 1)[-1].lower()
        if name.endswith("_percentage") or name == "cloud_coverage_assessment":
            value = number(element, str(element.tag).rsplit("}", 1)[-1])
            if value is not None:
                found.setdefault(name, value)
    return found


def _offset_applied(tree: ProductTree) -> bool | None:
    """Whether a STAC item in or beside the product says that the offset is in the pixels already."""
    for content in _stac_items(tree):
        try:
            item = json.loads(content)
        except ValueError:
            continue  # some other JSON file: only an item has a say, and nothing depends on the rest
        properties = item.get("properties") if isinstance(item, dict) else None
        for key in _OFFSET_APPLIED:
            if isinstance(properties, dict) and isinstance(properties.get(key), bool):
                return bool(properties[key])
    return None


def _stac_items(tree: ProductTree) -> Iterator[bytes]:
    for file in sorted(tree.files):
        if "/" not in file and file.lower().endswith(".json"):
            yield tree.read(file)
    path = tree.path
    stem = re.sub(r"(\.SAFE)?(\.zip|\.tar|\.tar\.gz|\.tgz)?$", "", path.name, flags=re.IGNORECASE)
    for candidate in sorted({Path(f"{path}.json"), path.with_name(f"{stem}.json")}):
        if candidate.is_file():
            yield candidate.read_bytes()
