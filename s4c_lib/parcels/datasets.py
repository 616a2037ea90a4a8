"""Opening what an agency uploads: which format it is, which dataset of an archive, which layer (1.3, 3.1)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pyproj import CRS
from pyproj.exceptions import CRSError

from s4c_lib.errors import InputError
from s4c_lib.geography.archives import (
    DECLARATION_FORMATS,
    ArchiveLimits,
    check_shapefile,
    dataset_names,
    extract_dataset,
)
from s4c_lib.parcels.findings import Finding, Severity, finding

NO_CRS: Final = "No coordinate system (.prj) found. Add the .prj or choose an EPSG code."
LARGE_SHAPEFILE: Final = 1_500_000_000
_ACCEPTED: Final = "Send a zipped Shapefile, GeoPackage, GeoParquet, FlatGeobuf or GeoJSON."
_ARCHIVES: Final = (".7z", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz")


class Format(StrEnum):
    """File formats of declarations."""

    SHAPEFILE = "Shapefile"
    GEOPACKAGE = "GeoPackage"
    GEOPARQUET = "GeoParquet"
    FLATGEOBUF = "FlatGeobuf"
    GEOJSON = "GeoJSON"


_FORMATS: Final = {
    ".shp": Format.SHAPEFILE,
    ".gpkg": Format.GEOPACKAGE,
    ".parquet": Format.GEOPARQUET,
    ".geoparquet": Format.GEOPARQUET,
    ".fgb": Format.FLATGEOBUF,
    ".geojson": Format.GEOJSON,
    ".json": Format.GEOJSON,
}
# GDAL looks at the content, not at the name: a file that only claims to be one of these could make it open others.
_FIRST_BYTES: Final = {
    Format.SHAPEFILE: b"\x00\x00\x27\x0a",
    Format.GEOPACKAGE: b"SQLite format 3\x00",
    Format.GEOPARQUET: b"PAR1",
    Format.FLATGEOBUF: b"fgb",
    Format.GEOJSON: b"{",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with geometries.

    Parameters
    ----------
    geometry_type : as GDAL names it (``Polygon``, ``Unknown``).
    """

    name: str
    geometry_type: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """An upload, opened as far as needed to read one layer.

    Parameters
    ----------
    path : of the file to read, unpacked.
    shown : name of the upload, for messages.
    format : of the file.
    layer : to read, as the user knows it.
    inner_layer : its name for GDAL; None where there is only one.
    layers : all layers with geometries.
    """

    path: Path
    shown: str
    format: Format
    layer: str
    inner_layer: str | None
    layers: tuple[Layer, ...]

    def side_file(self, suffix: str) -> Path | None:
        """A file of a Shapefile by its suffix, in whatever case; None where there is none."""
        stem = self.path.stem.lower()
        found = [other for other in self.path.parent.iterdir() if other.suffix.lower() == suffix]
        return next((other for other in sorted(found) if other.stem.lower() == stem), None)


@contextmanager
def opened_dataset(
    path: Path,
    *,
    layer: str | None = None,
    limits: ArchiveLimits | None = None,
    work_dir: Path | None = None,
    first_of_several: bool = False,
) -> Iterator[Dataset]:
    """Open an upload; what was unpacked is removed at the end.

    Parameters
    ----------
    path : zip archive, or a Shapefile, GeoPackage, GeoParquet, FlatGeobuf or GeoJSON file.
    layer : dataset of the archive, or layer of the GeoPackage, when there are several.
    limits : of an archive.
    work_dir : existing folder to unpack in; default that of the system.
    first_of_several : take the first of several layers of a GeoPackage rather than refuse (ZIP-07).

    Raises
    ------
    InputError
        ZIP-01 to ZIP-09, or the file is of no supported format or cannot be read.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist or is not a file.")
    suffix = path.suffix.lower()
    if suffix in _ARCHIVES:
        raise InputError(f"{path.name} is an archive of a kind that is not supported.", hint="Send a .zip file.")
    if suffix != ".zip":
        yield _dataset(path, path.name, path.stem, layer, first_of_several)
        return
    with tempfile.TemporaryDirectory(prefix="declarations-", dir=work_dir) as folder:
        extracted = extract_dataset(path, Path(folder), layer, limits, DECLARATION_FORMATS)
        # the layer named the dataset of the archive, so that it does not name one within
        named = layer is not None and layer.lower() in dataset_names(path, DECLARATION_FORMATS)
        yield _dataset(extracted.path, path.name, extracted.name, None if named else layer, first_of_several)


def stated_crs(stated: str | None, epsg: int | None, shown: str) -> tuple[CRS | None, list[Finding]]:
    """The coordinate system of a file, and CRS-01 when there is none.

    Parameters
    ----------
    stated : by the file, as WKT, ``EPSG:…`` or PROJJSON; None where it states none.
    epsg : chosen by the user; only needed where the file states none.

    Raises
    ------
    InputError : `epsg` is unknown, or the file states another system.
    """
    try:
        chosen = CRS.from_epsg(epsg) if epsg is not None else None
    except CRSError as error:
        raise InputError(f"EPSG:{epsg} is not a known coordinate system.", code="CRS-01") from error
    crs = _understood(stated)
    if crs is None:
        if chosen is not None:
            return chosen, []
        message = NO_CRS if stated is None else f"The coordinate system of {shown} is not known. Choose an EPSG code."
        return None, [finding("CRS-01", Severity.REFUSED, message)]
    if chosen is not None and not crs.equals(chosen, ignore_axis_order=True) and crs.to_epsg(min_confidence=70) != epsg:
        raise InputError(
            f"{shown} states the coordinate system {crs.name}, not EPSG:{epsg}.",
            hint="Leave the EPSG code away, or correct the file.",
            code="CRS-01",
        )
    return crs, []


def size_findings(dataset: Dataset) -> list[Finding]:
    """DECL-12 for a Shapefile near the limit of its format."""
    if dataset.format != Format.SHAPEFILE:
        return []
    largest = max(file.stat().st_size for file in (dataset.path, dataset.side_file(".dbf")) if file is not None)
    if largest <= LARGE_SHAPEFILE:
        return []
    message = f"{dataset.shown} holds a Shapefile of {largest / 1e9:.1f} GB; its limit is 2 GB. Send a GeoPackage."
    return [finding("DECL-12", Severity.WARNING, message)]


def unreadable(shown: str, error: Exception) -> InputError:
    """The error for a file that the library cannot read."""
    return InputError(f"{shown} cannot be read ({error}).", hint="Export it again and upload.")


def _understood(stated: str | None) -> CRS | None:
    if stated is None:
        return None
    try:
        crs = CRS.from_user_input(stated)
    except CRSError:  # reported as CRS-01 by the caller
        return None
    # GeoPackage writes "undefined" as an engineering system, which says nothing about the place
    return None if crs.is_engineering else crs


def _dataset(path: Path, shown: str, stem: str, layer: str | None, first_of_several: bool) -> Dataset:
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{shown} is of no supported format.", hint=_ACCEPTED)
    if kind == Format.SHAPEFILE:
        check_shapefile(path, stem)
    _check_content(path, shown, kind)
    if kind == Format.GEOPACKAGE:
        layers = _geopackage_layers(path, shown)
        chosen = _choose(layers, shown, layer, first_of_several)
        return Dataset(path, shown, kind, chosen, chosen, layers)
    if kind == Format.GEOPARQUET:
        layers = (Layer(stem, "Unknown"),)
    else:
        layers = tuple(Layer(stem, item.geometry_type) for item in _gdal_layers(path, shown))
    return Dataset(path, shown, kind, _choose(layers, shown, layer, first_of_several), None, layers)


def _check_content(path: Path, shown: str, kind: Format) -> None:
    with path.open("rb") as file:
        start = file.read(64)
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip() if kind == Format.GEOJSON else start
    if not start.startswith(_FIRST_BYTES[kind]):
        name = f"{shown} ({path.suffix})" if shown.lower().endswith(".zip") else shown
        raise InputError(f"{name} is not a {kind} file.", hint="Export it again and upload.")


def _geopackage_layers(path: Path, shown: str) -> tuple[Layer, ...]:
    return tuple(item for item in _gdal_layers(path, shown) if item.geometry_type)


def _gdal_layers(path: Path, shown: str) -> list[Layer]:
    import pyogrio
    from pyogrio.errors import DataSourceError

    try:
        listed: Any = pyogrio.list_layers(path)
    except DataSourceError as error:
        raise unreadable(shown, error) from error
    return [Layer(str(name), str(kind or "")) for name, kind in listed]


def _choose(layers: tuple[Layer, ...], shown: str, layer: str | None, first_of_several: bool) -> str:
    names = [item.name for item in layers]
    if not names:
        raise InputError(f"{shown} holds no layer with geometries.", hint=_ACCEPTED, code="ZIP-06")
    if layer is not None:
        same = [name for name in names if name == layer] or [name for name in names if name.lower() == layer.lower()]
        if len(same) == 1:
            return same[0]
    elif len(names) == 1 or first_of_several:
        return names[0]
    noun = "dataset" if len(names) == 1 else "datasets"
    raise InputError(
        f"{len(names)} {noun} found: {', '.join(sorted(names))}. Choose one.",
        hint=f'There is no single one named "{layer}".' if layer else "Name it as layer.",
        code="ZIP-07",
    )
