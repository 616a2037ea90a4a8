"""Sentinel-2 L2A in the format of MUSCATE and MAJA (preprocessing.md 2.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.etree import ElementTree

from s4c_lib.errors import ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers.angles import angles_of_metadata, read_directions
from s4c_lib.readers.metadata_checks import check_on_tile, check_same, stated
from s4c_lib.readers.scene import AngleGrid, Band, Layer, Mask, MaskKind, OpticalScene
from s4c_lib.readers.sentinel2_safe import NATIVE, number_after_colon
from s4c_lib.sources.metadata_files import elements, number, parse_xml, text
from s4c_lib.sources.product_facts import muscate_metadata_file
from s4c_lib.sources.product_names import ProductName
from s4c_lib.sources.product_tree import ProductTree
from s4c_lib.sources.raster_check import check_present

_GROUPS: Final[Mapping[int, str]] = {10: "R1", 20: "R2"}
_MASKS: Final = ("mg2", "edg", "sat")
_NO_DATA: Final = -10_000
_CYCLE: Final = 143  # relative orbits; a larger number is an absolute one
_AGAIN: Final = "fetch the product again"
_ARRIVING: Final = "the product may still be arriving"


def read_muscate(tree: ProductTree, name: ProductName) -> OpticalScene:
    """Read a product: the slope-corrected reflectances (FRE) when there are any, else SRE.

    Raises
    ------
    ProductCorruptError : metadata or a raster is missing, or they do not belong together.
    """
    file = muscate_metadata_file(tree)
    where = tree.where(file)
    root = parse_xml(tree.read(file), where)
    tile = stated(name.tile, "tile", str(tree.path))
    zone = text(root, "GEOGRAPHICAL_ZONE")
    check_same("tile", None if zone is None else zone.upper().removeprefix("T"), tile, where)
    platform = text(root, "PLATFORM")
    check_same("platform", platform, f"SENTINEL{name.platform.removeprefix('sentinel-')}", where)
    grids = _grids(root, where)
    check_on_tile(grids[10], tile, where)
    quantification = stated(number(root, "REFLECTANCE_QUANTIFICATION_VALUE"), "REFLECTANCE_QUANTIFICATION_VALUE", where)
    correction, rasters = _reflectances(tree)
    no_data = _no_data(root, where)
    orbit = number(root, "ORBIT_NUMBER")
    return OpticalScene(
        name=name.name,
        kind=name.kind,
        platform=name.platform,
        tile=tile,
        sensing_time=name.sensing_start,
        relative_orbit=int(orbit) if orbit is not None and 1 <= orbit <= _CYCLE else None,
        direction=_direction(text(root, "ORBIT_DIRECTION") or text(root, "SENSING_ORBIT_DIRECTION")),
        baseline=None,
        grid=grids[10],
        bands={
            band: Band(band, Layer(tree.gdal_path(rasters[band]), grids[metres]), 1 / quantification, 0.0, no_data)
            for band, metres in NATIVE.items()
        },
        mask=Mask(MaskKind.MUSCATE, _masks(tree, grids)),
        angles=_angles(root, grids[10], where),
        metadata_files=(tree.gdal_path(file),),
        quality=_quality(root),
        properties={"reflectance": correction},
    )


def _reflectances(tree: ProductTree) -> tuple[str, dict[str, str]]:
    """``FRE`` or ``SRE``, with the file of each band."""
    sets = {kind: {band: _ending(tree, f"_{kind}_{_written(band)}.tif") for band in NATIVE} for kind in ("FRE", "SRE")}
    kind = "FRE" if any(sets["FRE"].values()) else "SRE"
    files = {band: file for band, file in sets[kind].items() if file is not None}
    missing = [_written(band) for band in NATIVE if band not in files]
    if missing:
        raise ProductCorruptError(f"{tree.path} has no {kind} raster of {', '.join(missing)}", hint=_ARRIVING)
    for file in files.values():
        check_present(tree, file)
    return kind, files


def _masks(tree: ProductTree, grids: Mapping[int, PixelGrid]) -> dict[str, Layer]:
    layers = {}
    for mask in _MASKS:
        for metres, group in _GROUPS.items():
            file = _ending(tree, f"_{mask}_{group}.tif")
            if file is not None:
                check_present(tree, file)
                layers[f"{mask}_{group.lower()}"] = Layer(tree.gdal_path(file), grids[metres])
    for group in ("r1", "r2"):
        if all(f"{mask}_{group}" in layers for mask in _MASKS):
            return layers
    missing = [f"{mask}_r1" for mask in _MASKS if f"{mask}_r1" not in layers]
    raise ProductCorruptError(f"{tree.path} has no mask {', '.join(missing).upper()}", hint=_ARRIVING)


def _written(band: str) -> str:
    """``b02`` -> ``B2``."""
    return band.upper().replace("B0", "B")


def _ending(tree: ProductTree, ending: str) -> str | None:
    return next((file for file in sorted(tree.files) if file.lower().endswith(ending.lower())), None)


def _grids(root: ElementTree.Element, where: str) -> dict[int, PixelGrid]:
    epsg = number_after_colon(stated(text(root, "HORIZONTAL_CS_CODE"), "HORIZONTAL_CS_CODE", where), where)
    groups = {element.get("group_id"): element for element in elements(root, "Group_Geopositioning")}
    grids = {}
    for metres, group in _GROUPS.items():
        element = groups.get(group)
        if element is None:
            raise ProductCorruptError(f"{where} does not place the rasters of {group}", hint=_AGAIN)
        west, north, pixel, rows, columns = (
            stated(number(element, key), key, where) for key in ("ULX", "ULY", "XDIM", "NROWS", "NCOLS")
        )
        if pixel != metres:
            raise ProductCorruptError(f"{where} says pixels of {pixel} m for {group}", hint=_AGAIN)
        grids[metres] = PixelGrid(epsg, west, north, pixel, int(rows), int(columns))
    return grids


def _no_data(root: ElementTree.Element, where: str) -> int:
    for element in elements(root, "SPECIAL_VALUE"):
        if element.get("name") == "nodata":
            return int(stated(number(element, "SPECIAL_VALUE"), "SPECIAL_VALUE nodata", where))
    return _NO_DATA


def _direction(written: str | None) -> str | None:
    return {"ascending": "ascending", "descending": "descending"}.get((written or "").lower())


def _angles(root: ElementTree.Element, grid: PixelGrid, where: str) -> AngleGrid:
    return angles_of_metadata(
        grid,
        sun_grid=next(elements(root, "Sun_Angles_Grids"), None),
        view_grids=list(elements(root, "Viewing_Incidence_Angles_Grids")),
        sun_means=read_directions(elements(root, "Sun_Angles")),
        view_means=read_directions(elements(root, "Mean_Viewing_Incidence_Angle")),
        where=where,
    )


def _quality(root: ElementTree.Element) -> dict[str, float]:
    """Quality indices that are percentages: ``cloudpercent``, ``snowpercent``."""
    found: dict[str, float] = {}
    for element in elements(root, "QUALITY_INDEX"):
        name = (element.get("name") or "").lower()
        value = number(element, "QUALITY_INDEX")
        if name.endswith("percent") and value is not None:
            found.setdefault(name, value)
    return found
