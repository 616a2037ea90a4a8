"""Writing parcels as agencies deliver them: zipped Shapefile and GeoPackage; whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from s4c_lib.errors import DiskFullError, InputError, StorageError, is_disk_full

Columns = Mapping[str, npt.NDArray[Any]]

LAYER: Final = "percelen"
# Files carry the time of their making; a fixed one keeps them the same for the same seed.
_DAY: Final = "2020-01-01"
_ZIP_TIME: Final = (2020, 1, 1, 0, 0, 0)
_LITTLE_SPACE: Final = 1 << 20


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place to write to beside ``path``; becomes ``path`` when all went well.

    Raises
    ------
    DiskFullError, StorageError : it could not be written; nothing is left at ``path``.
    """
    with _told_as_storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as folder:
            unfinished = Path(folder) / path.name
            yield unfinished
            unfinished.replace(path)


def remove(path: Path) -> None:
    """Remove a file if it is there.

    Raises
    ------
    StorageError : it cannot be removed.
    """
    with _told_as_storage(path):
        path.unlink(missing_ok=True)


@contextmanager
def _told_as_storage(path: Path) -> Iterator[None]:
    """Errors of the system and of the vector library as storage errors."""
    import pyogrio.errors

    try:
        yield
    except (
        OSError,
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        pyogrio.errors.GeometryError,
        pyogrio.errors.FeatureError,
    ) as error:
        # The vector library does not pass the system's reason on.
        full = (isinstance(error, OSError) and is_disk_full(error)) or (
            path.parent.is_dir() and shutil.disk_usage(path.parent).free < _LITTLE_SPACE
        )
        if full:
            raise DiskFullError(f"no space left while writing {path}", hint="free space there and repeat") from error
        raise StorageError(f"{path} cannot be written: {error}", hint="check the folder and its permissions") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, lines ending in a line feed."""
    with whole_file(path) as unfinished:
        unfinished.write_bytes(text.encode())


def write_geopackage(path: Path, shapes: npt.NDArray[np.object_], columns: Columns, epsg: int) -> None:
    """Write rows as a GeoPackage whose layer takes any type of geometry."""
    with whole_file(path) as unfinished:
        _write(unfinished, shapes, columns, epsg, driver="GPKG", geometry_type="Unknown", layer=LAYER)


def write_shapefile_zip(
    path: Path,
    shapes: npt.NDArray[np.object_],
    columns: Columns,
    epsg: int,
    *,
    encoding: str = "cp1252",
    code_page_file: bool = True,
) -> None:
    """Write rows as a zipped Shapefile; geometries are polygons or None.

    Parameters
    ----------
    encoding : of the texts.
    code_page_file : include the ``.cpg`` that names the encoding.
    """
    with whole_file(path) as unfinished:
        shape = unfinished.with_name(f"{LAYER}.shp")
        _write(
            shape,
            shapes,
            columns,
            epsg,
            driver="ESRI Shapefile",
            geometry_type="Polygon",
            encoding=encoding,
            layer_options={"DBF_DATE_LAST_UPDATE": _DAY},
        )
        suffixes = (".shp", ".shx", ".dbf", ".prj", ".cpg")[: None if code_page_file else -1]
        with zipfile.ZipFile(unfinished, "w") as archive:
            for suffix in suffixes:
                entry = zipfile.ZipInfo(f"{LAYER}{suffix}", _ZIP_TIME)
                entry.compress_type = zipfile.ZIP_DEFLATED
                with (
                    shape.with_suffix(suffix).open("rb") as source,
                    archive.open(entry, "w", force_zip64=True) as target,
                ):
                    shutil.copyfileobj(source, target, 1 << 20)


def write_parcels(path: Path, shapes: npt.NDArray[np.object_], columns: Columns, epsg: int) -> None:
    """Write rows as the format that the file's name asks for: ``.gpkg`` or ``.zip``.

    Raises
    ------
    InputError : another suffix.
    """
    writers = {".gpkg": write_geopackage, ".zip": write_shapefile_zip}
    if path.suffix not in writers:
        raise InputError(f"{path.name} names no format", hint="end it with .gpkg or .zip (Shapefile)")
    writers[path.suffix](path, shapes, columns, epsg)


def _write(path: Path, shapes: npt.NDArray[np.object_], columns: Columns, epsg: int, **options: Any) -> None:
    import pyogrio
    from pyogrio.raw import write

    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{_DAY}T00:00:00.000Z"})
    try:
        write(
            str(path),
            shapely.to_wkb(shapes),
            list(columns.values()),
            list(columns),
            crs=f"EPSG:{epsg}",
            promote_to_multi=False,
            **options,
        )
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
