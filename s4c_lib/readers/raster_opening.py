"""Opening the rasters of products so that nothing damaged passes for data."""

from __future__ import annotations

import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Final

from s4c_lib.damaged_archives import DAMAGED_ZIP
from s4c_lib.errors import ProductCorruptError, Sen4capError, StorageError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers.scene import Layer
from s4c_lib.sources.gdal_threads import make_room as make_room
from s4c_lib.sources.gdal_threads import single_thread as single_thread

_IN_ARCHIVE: Final = re.compile(r"/vsi(zip|tar)/\{(?P<archive>.+)\}/(?P<member>.+)")
_SHOWN: Final = 200
_METRES: Final = 1e-6  # of a corner's place


def open_layer(layer: Layer) -> Any:
    """Open the file of a layer as a rasterio dataset, after comparing its place with the metadata's.

    Raises
    ------
    ProductCorruptError : not readable, or of another size, place or coordinate system than the metadata state; names
        the file. StorageError : no permission to read it.
    """
    raster = open_raster(layer.path)
    try:
        fault = _fault(raster, layer)
    except BaseException:
        raster.close()
        raise
    if fault:
        raster.close()
        raise ProductCorruptError(
            f"{shown(layer.path)} {fault}", hint="file and metadata do not belong together; fetch the product again"
        )
    return raster


def open_raster(path: str) -> Any:
    """Open a raster.

    Raises
    ------
    ProductCorruptError : not readable. StorageError : no permission to read it.
    """
    import rasterio
    from rasterio.errors import RasterioError

    try:
        return rasterio.open(path)
    except RasterioError as error:
        raise unreadable(path, error) from error


def unreadable(path: str, error: Exception) -> Sen4capError:
    """Make the error of a raster that GDAL cannot open or decode."""
    reason = " ".join(str(error.__cause__ or error).split())
    if "Permission denied" in reason:
        return StorageError(
            f"cannot read {shown(path)}: permission denied",
            hint="give the service's user read permission",
            code="unreadable",
        )
    return ProductCorruptError(
        f"cannot read {shown(path)}: {reason}", hint="it may still be arriving; else fetch it again"
    )


def shown(path: str) -> str:
    """A layer's path for a message: of a warped one, its source."""
    if path.startswith("<VRTDataset"):
        found = re.search(r"<SourceDataset[^>]*>([^<]+)</SourceDataset>", path)
        return found[1] if found else path[:_SHOWN]
    found = _IN_ARCHIVE.fullmatch(path)
    return f"{found['archive']}!{found['member']}" if found else path


def document(path: str) -> bytes:
    """Content of one of a scene's metadata files, in an archive too.

    Raises
    ------
    ProductCorruptError : missing or damaged.
    """
    found = _IN_ARCHIVE.fullmatch(path)
    try:
        if found is None:
            return Path(path).read_bytes()
        if found[1] == "zip":
            with zipfile.ZipFile(found["archive"]) as archive:
                return archive.read(found["member"])
        with tarfile.open(found["archive"]) as tar:
            member = found["member"]
            stream = tar.extractfile(member if member in tar.getnames() else f"./{member}")
            return b"" if stream is None else stream.read()
    except (OSError, KeyError, RuntimeError, tarfile.TarError, *DAMAGED_ZIP) as error:
        raise ProductCorruptError(f"cannot read {shown(path)}: {error}", hint="fetch the product again") from error


def grid_of_raster(raster: Any, path: str) -> PixelGrid:
    """The grid of an open raster.

    Raises
    ------
    ProductCorruptError : it has no projected EPSG system, or no north-up square pixels.
    """
    epsg = None if raster.crs is None else raster.crs.to_epsg()
    pixel, turned, west, slanted, down, north = tuple(raster.transform)[:6]
    if epsg is None or not raster.crs.is_projected or turned or slanted or pixel <= 0 or pixel != -down:
        raise ProductCorruptError(
            f"{shown(path)} has no north-up grid of square pixels in a projected system",
            hint="fetch the product again",
        )
    return PixelGrid(int(epsg), west, north, pixel, raster.height, raster.width)


def _fault(raster: Any, layer: Layer) -> str | None:
    grid = layer.grid
    if (raster.height, raster.width) != grid.shape:
        return f"has {raster.height} x {raster.width} pixels, the metadata say {grid.rows} x {grid.columns}"
    if raster.count < layer.index:
        return f"has {raster.count} bands, not {layer.index}"
    stated = (grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north)
    if any(abs(a - b) > _METRES for a, b in zip(tuple(raster.transform)[:6], stated, strict=True)):
        return (
            f"lies at {raster.transform.c:.2f} {raster.transform.f:.2f} with pixels of {raster.transform.a:g} m, "
            f"the metadata say {grid.west:.2f} {grid.north:.2f} and {grid.pixel:g} m"
        )
    if raster.crs is None or raster.crs.to_epsg() != grid.epsg:
        return f"is in {raster.crs or 'no coordinate system'}, the metadata say EPSG:{grid.epsg}"
    return None
