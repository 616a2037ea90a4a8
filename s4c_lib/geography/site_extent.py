"""The extent of a site: read from what the user uploads, checked and brought to one MultiPolygon in lon/lat."""

from __future__ import annotations

import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError
from s4c_lib.geography.archives import check_shapefile, dataset_names, open_dataset_archive
from s4c_lib.geography.search_geometry import search_geometry
from s4c_lib.geography.sentinel2_tiles import tiles_intersecting
from s4c_lib.geography.site_names import check_site_name, short_name, unique_short_name

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Finding",
    "SiteExtent",
    "area_km2",
    "check_site_name",
    "read_site_extent",
    "short_name",
    "site_extent",
    "unique_short_name",
]

MIN_LATITUDE: Final = -56.0
MAX_LATITUDE: Final = 84.0
MIN_AREA_KM2: Final = 1.0
LARGE_AREA_KM2: Final = 600_000.0
MANY_TILES: Final = 200
SMALLEST_PART_KM2: Final = 0.01
_EDGE_M: Final = 10_000.0
_EDGE_DEG: Final = _EDGE_M / 111_320.0
_NO_CRS: Final = "No coordinate system (.prj) found. Add the .prj or choose an EPSG code."
_FORMATS: Final = (".shp", ".gpkg", ".geojson", ".json")


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that does not refuse the file.

    Parameters
    ----------
    code : ``SITE-03``.
    severity : ``W`` warning or ``I`` information.
    message : one line.
    count : how many items it concerns.
    """

    code: str
    severity: str
    message: str
    count: int


@dataclass(frozen=True, slots=True)
class SiteExtent:
    """Extent of a site, EPSG:4326 (lon, lat).

    Parameters
    ----------
    geometry : the exact extent.
    search_geometry : at most 200 vertices, contains `geometry`; for catalogue queries.
    area_km2 : on the ellipsoid.
    warnings : what was found and did not refuse the file.
    """

    geometry: shapely.MultiPolygon
    search_geometry: shapely.MultiPolygon
    area_km2: float
    warnings: tuple[Finding, ...]


def read_site_extent(path: Path, *, layer: str | None = None, epsg: int | None = None) -> SiteExtent:
    """Read a site extent from a Shapefile or GeoPackage, bare or zipped, or from GeoJSON.

    Parameters
    ----------
    path : the file.
    layer : dataset of the archive or layer of the GeoPackage, when there are several.
    epsg : coordinate system of a file that states none.

    Raises
    ------
    InputError
        With the code of the check: ZIP-01 to ZIP-09, CRS-01, SITE-02, SITE-04, SITE-05.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist or is not a file.")
    if path.suffix.lower() != ".zip":
        return site_extent(*_read(path, layer, epsg, path.name))
    with tempfile.TemporaryDirectory(prefix="site-extent-") as work_dir:
        dataset = open_dataset_archive(path, Path(work_dir), layer)
        named_dataset = layer is not None and layer.lower() in dataset_names(path)
        inner = None if dataset.suffix == ".shp" or named_dataset else layer
        return site_extent(*_read(dataset, inner, epsg, path.name))


def site_extent(geometries: Sequence[BaseGeometry | None], crs: CRS) -> SiteExtent:
    """Extent of given geometries (also one drawn on a map): the steps of `read_site_extent` after reading."""
    polygons = _polygons(geometries)
    invalid = ~shapely.is_valid(polygons)
    if invalid.any():
        polygons[invalid] = shapely.make_valid(polygons[invalid], method="structure", keep_collapsed=False)
    whole = _union(_to_wgs84(polygons, crs))
    _check_position(whole)
    geometry = _without_specks(whole)
    area = area_km2(geometry)
    findings = []
    if invalid.any():
        count, total = int(invalid.sum()), len(polygons)
        message = f"{count} of {total} polygons were invalid and have been repaired; check the preview."
        findings.append(Finding("SITE-03", "W", message, count))
    findings += _check_size(geometry, area)
    return SiteExtent(geometry, search_geometry(geometry), area, tuple(findings))


def area_km2(geometry: shapely.Polygon | shapely.MultiPolygon) -> float:
    """Area on the WGS 84 ellipsoid of polygons in lon/lat."""
    return sum(_ring_km2(part.exterior) - sum(_ring_km2(hole) for hole in part.interiors) for part in _parts(geometry))


def _read(path: Path, layer: str | None, epsg: int | None, shown: str) -> tuple[list[BaseGeometry | None], CRS]:
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise InputError(
            f"{shown} is no supported site extent.", hint="Send a zipped Shapefile, a GeoPackage or GeoJSON."
        )
    if suffix == ".shp" and path.name == shown:
        check_shapefile(path)
    if suffix == ".gpkg" and layer is None:
        layer = _only_layer(path, shown)
    try:
        with warnings.catch_warnings():
            # M is dropped below, so that pyogrio cannot keep it is no news
            warnings.filterwarnings("ignore", message="Measured", category=UserWarning)
            meta, _, geometries, _ = pyogrio.raw.read(path, layer=layer, columns=[], force_2d=True)
        shapes = None if geometries is None else shapely.from_wkb(geometries)
    except (DataSourceError, DataLayerError, ValueError, shapely.errors.GEOSException) as error:
        raise InputError(f"{shown} cannot be read ({error}).", hint="Export it again.") from error
    if shapes is None:
        raise _no_polygon(["no geometry"])
    return list(shapes), _crs(meta["crs"], epsg, shown)


def _layers(path: Path, shown: str) -> list[str]:
    """Layers of a GeoPackage that hold geometries."""
    import pyogrio
    from pyogrio.errors import DataSourceError

    try:
        return [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    except DataSourceError as error:
        raise InputError(f"{shown} cannot be read ({error}).", hint="Export it again.") from error


def _only_layer(path: Path, shown: str) -> str:
    names = _layers(path, shown)
    if not names:
        raise _no_polygon(["no layer with geometries"])
    if len(names) > 1:
        message = f"{len(names)} datasets found: {', '.join(sorted(names))}. Choose one."
        raise InputError(message, hint="Name it as layer.", code="ZIP-07")
    return names[0]


def _crs(stated: str | None, epsg: int | None, shown: str) -> CRS:
    try:
        chosen = CRS.from_epsg(epsg) if epsg is not None else None
    except CRSError as error:
        raise InputError(f"EPSG:{epsg} is not a known coordinate system.", code="CRS-01") from error
    if stated is None:
        if chosen is None:
            raise InputError(_NO_CRS, code="CRS-01")
        return chosen
    try:
        crs = CRS.from_user_input(stated)
    except CRSError as error:
        raise _unknown_crs(shown) from error
    if chosen is not None and not crs.equals(chosen, ignore_axis_order=True) and crs.to_epsg() != epsg:
        raise InputError(
            f"{shown} states the coordinate system {crs.name}, not EPSG:{epsg}.",
            hint="Leave the EPSG code away, or correct the file.",
        )
    return crs


def _unknown_crs(shown: str) -> InputError:
    return InputError(f"The coordinate system of {shown} is not known.", hint="Choose an EPSG code.", code="CRS-01")


def _polygons(geometries: Sequence[BaseGeometry | None]) -> npt.NDArray[np.object_]:
    """Polygons and multipolygons among the geometries, also inside collections."""
    flat = [part for geometry in geometries for part in _flattened(geometry)]
    polygons = [g for g in flat if isinstance(g, shapely.Polygon | shapely.MultiPolygon) and not g.is_empty]
    if not polygons:
        raise _no_polygon([_kind(g) for g in geometries])
    return np.atleast_1d(shapely.force_2d(np.array(polygons, dtype=object)))


def _flattened(geometry: BaseGeometry | None) -> Iterable[BaseGeometry | None]:
    if isinstance(geometry, shapely.GeometryCollection):
        return [part for member in geometry.geoms for part in _flattened(member)]
    return [geometry]


def _kind(geometry: BaseGeometry | None) -> str:
    return "null" if geometry is None else f"empty {geometry.geom_type}" if geometry.is_empty else geometry.geom_type


def _no_polygon(kinds: Sequence[str]) -> InputError:
    counted = Counter(kinds)
    types = ", ".join(f"{counted[kind]} {kind}" if counted[kind] > 1 else kind for kind in sorted(counted)) or "nothing"
    return InputError(f"The extent contains no polygon (found: {types}).", code="SITE-02")


def _to_wgs84(polygons: npt.NDArray[np.object_], crs: CRS) -> npt.NDArray[np.object_]:
    metres_per_unit = crs.axis_info[0].unit_conversion_factor if crs.is_projected else 1.0
    longest = _EDGE_M / metres_per_unit if crs.is_projected else _EDGE_DEG
    dense = shapely.segmentize(polygons, longest)
    try:
        transformer = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    except ProjError as error:
        raise _unknown_crs(crs.name) from error

    def change(coordinates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack(transformer.transform(coordinates[:, 0], coordinates[:, 1]))

    result = np.atleast_1d(shapely.transform(dense, change))
    coordinates = shapely.get_coordinates(result)
    if not np.isfinite(coordinates).all() or (np.abs(coordinates) > (540.0, 90.0)).any():
        raise _outside()
    return result


def _union(polygons: npt.NDArray[np.object_]) -> BaseGeometry:
    if _crosses_antimeridian(polygons):
        raise InputError("The extent crosses the antimeridian.", code="SITE-04")
    # a repaired polygon may touch itself again after the change of coordinates
    return shapely.union_all(shapely.make_valid(polygons, method="structure", keep_collapsed=False))


def _crosses_antimeridian(polygons: npt.NDArray[np.object_]) -> bool:
    west, _, east, _ = shapely.total_bounds(polygons)
    # a site in Fiji with parts on both sides spans nearly 360 degrees; no other site reaches 180
    return bool(west < -180 or east > 180 or east - west > 180)


def _check_position(whole: BaseGeometry) -> None:
    if whole.is_empty:
        raise _no_polygon(["polygons without area"])
    _, south, _, north = whole.bounds
    if south < MIN_LATITUDE or north > MAX_LATITUDE:
        raise _outside()


def _outside() -> InputError:
    return InputError(
        "The extent lies outside Sentinel-2 coverage.", hint="Is the coordinate system right?", code="SITE-04"
    )


def _without_specks(whole: BaseGeometry) -> shapely.MultiPolygon:
    """Drop parts and holes below 0.01 km2."""
    kept = []
    for part in _parts(whole):
        holes = [hole for hole in part.interiors if _ring_km2(hole) >= SMALLEST_PART_KM2]
        filled = shapely.Polygon(part.exterior, holes)
        if area_km2(filled) >= SMALLEST_PART_KM2:
            kept.append(filled)
    if not kept:
        raise _too_small(sum(area_km2(part) for part in _parts(whole)), whole)
    return shapely.MultiPolygon(kept)


def _check_size(geometry: shapely.MultiPolygon, area: float) -> list[Finding]:
    if area < MIN_AREA_KM2:
        raise _too_small(area, geometry)
    tiles = len(tiles_intersecting(geometry))
    if area <= LARGE_AREA_KM2 and tiles <= MANY_TILES:
        return []
    return [Finding("SITE-05", "W", _size_message(area, tiles), tiles)]


def _too_small(area: float, geometry: BaseGeometry) -> InputError:
    message = _size_message(area, len(tiles_intersecting(geometry)))
    return InputError(message, hint="A site has at least 1 km². Is the coordinate system right?", code="SITE-05")


def _size_message(area: float, tiles: int) -> str:
    shown = f"{area:.0f}" if area >= 10 else f"{area:.3f}"
    return f"Area is {shown} km², {tiles} tiles; estimated storage {_storage_tb(area):.1f} TB."


def _storage_tb(area: float) -> float:
    """Storage without L1 of the reference's two classes (90 000 km² 8 TB, 500 000 km² 28 TB), linear between."""
    return 8 * area / 90_000 if area < 90_000 else 8 + 20 * (area - 90_000) / 410_000


def _parts(geometry: BaseGeometry) -> list[shapely.Polygon]:
    return [part for part in shapely.get_parts(geometry) if isinstance(part, shapely.Polygon)]


@lru_cache(maxsize=1)
def _ellipsoid() -> Geod:
    return Geod(ellps="WGS84")


def _ring_km2(ring: shapely.LinearRing) -> float:
    area, _ = _ellipsoid().polygon_area_perimeter(*ring.xy)
    return abs(float(area)) / 1e6
