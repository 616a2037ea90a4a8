"""What SNAP leaves: why a run failed, and its rasters brought to the grid of a tile (``preprocessing.md`` 1.3, 3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.executor import ExecutorError
from s4c_lib.preprocessing.executor_log import says_disk_full
from s4c_lib.preprocessing.process_run import ProcessEnd
from s4c_lib.preprocessing.radar.executor import RadarJob
from s4c_lib.reasons import Reason
from s4c_lib.sources.gdal_threads import single_thread

Values = npt.NDArray[np.float32]
Extent = tuple[float, float, float, float]

COHERENCE_RANGE: Final = (1e-4, 1.0)
# Beyond these a raster is no coherence, or no backscatter: 50 dB is far more than any corner reflector in a cell.
_LARGEST: Final = {RadarJob.COHERENCE: 1.001, RadarJob.BACKSCATTER: 1e5}
# Grids agree when their nodes do to a hundredth of a pixel.
_SAME_NODE: Final = 0.01
# What SNAP and Java print, in lower case, and what it means; the first that is found counts.
_SIGNS: Final = (
    ("java heap space", Reason.OUT_OF_MEMORY),
    ("outofmemoryerror", Reason.OUT_OF_MEMORY),
    ("gc overhead limit exceeded", Reason.OUT_OF_MEMORY),
    ("insufficient memory for the java runtime", Reason.OUT_OF_MEMORY),
    ("could not reserve enough space", Reason.OUT_OF_MEMORY),
    # Of an image tile whose memory cannot be had; Sen4CAP runs such products again.
    ("cannot construct databuffer", Reason.OUT_OF_MEMORY),
    ("no operator with", Reason.CONFIG),
    ("operatorspi", Reason.CONFIG),
    ("unknown element", Reason.CONFIG),
    ("conversionexception", Reason.CONFIG),
    ("validationexception", Reason.CONFIG),
    ("orbit file", Reason.AUX_MISSING),
    ("please verify the dem", Reason.DEM_MISSING),
    ("externaldemfile", Reason.DEM_MISSING),
    ("entire image is outside of srtm", Reason.DEM_MISSING),
    ("no intersection with source product", Reason.TILE_EMPTY),
    ("no product reader found", Reason.INPUT_CORRUPT),
    ("could not be read", Reason.INPUT_CORRUPT),
    ("not a valid sentinel", Reason.INPUT_CORRUPT),
    ("unexpected end of file", Reason.INPUT_CORRUPT),
    ("eofexception", Reason.INPUT_CORRUPT),
    ("i/o error reading", Reason.INPUT_CORRUPT),
    ("zipexception", Reason.INPUT_CORRUPT),
)
_TROUBLE: Final = ("error", "severe", "exception")


@dataclass(frozen=True, slots=True)
class MappedRaster:
    """A raster of SNAP's on a map.

    Parameters
    ----------
    extent : left, bottom, right, top in its coordinates.
    empty : no pixel holds data.
    """

    path: Path
    epsg: int
    extent: Extent
    empty: bool = False


def failure_of(end: ProcessEnd, lines: Sequence[str], step: str) -> tuple[Reason, str] | None:
    """Why a run of ``gpt`` failed, from its end and its words; None when it did not.

    SNAP may end with 0 although it says ``SEVERE`` and what it writes has holes: that is a failure where the cause is
    one of those known here, and a mere warning else.
    """
    if end.timed_out:
        return Reason.EXEC_TIMEOUT, f"{step}: SNAP was ended after {end.seconds:.0f} s, its time was up"
    if end.out_of_memory:
        return Reason.OUT_OF_MEMORY, f"{step}: SNAP was killed by the system, most likely out of memory"
    said = [line.strip() for line in lines if line.strip() and not line.startswith("INFO")]
    trouble = [line for line in said if any(word in line.lower() for word in _TROUBLE)]
    telling = trouble if end.exit_code == 0 else said
    for line in telling:
        if says_disk_full([line]):
            return Reason.OUT_OF_DISK, f"{step}: {line}"
    for sign, reason in _SIGNS:
        for line in telling:
            if sign in line.lower():
                return reason, f"{step}: {line}"
    if end.exit_code == 0:
        return None
    cause = trouble[0] if trouble else said[-1] if said else "SNAP said nothing"
    return Reason.EXEC_NONZERO, f"{step}: {cause} (exit code {end.exit_code})"


def severe_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """What SNAP called severe and got over, each once."""
    return tuple(dict.fromkeys(line.strip() for line in lines if line.startswith("SEVERE")))


def mapped_raster(path: Path, epsg: int, job: RadarJob) -> MappedRaster:
    """Check a raster SNAP wrote: there, readable to its end, one band, in the projection asked for, in range.

    Raises
    ------
    ExecutorError : it is not (``output_incomplete``).
    """
    import rasterio
    from rasterio.errors import RasterioError

    if not path.is_file():
        raise _incomplete(f"SNAP left no {path.name}")
    try:
        with single_thread(), rasterio.open(path) as raster:
            if raster.count != 1:
                raise _incomplete(f"{path.name} has {raster.count} bands, one is expected")
            if raster.crs is None or raster.crs.to_epsg() != epsg:
                raise _incomplete(f"{path.name} is not in EPSG:{epsg}")
            largest = 0.0
            for _, window in raster.block_windows(1):
                values = raster.read(1, window=window)
                finite = values[np.isfinite(values)]
                largest = max(largest, float(finite.max(initial=0)))
            extent = (raster.bounds.left, raster.bounds.bottom, raster.bounds.right, raster.bounds.top)
    except RasterioError as error:
        raise _incomplete(f"{path.name} cannot be read: {error}") from error
    if largest > _LARGEST[job]:
        raise _incomplete(f"{path.name} reaches {largest:g}, more than {job} can be")
    return MappedRaster(path, epsg, extent, largest <= 0)


def on_grid(raster: MappedRaster, grid: PixelGrid) -> Values:
    """A raster on another grid: the same pixels where the grids agree, else bilinear between those that hold data.

    Returns
    -------
    float32 (rows, columns); 0 where there is nothing.
    """
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    values = np.zeros(grid.shape, np.float32)
    with single_thread(), rasterio.open(raster.path) as source:
        offset = _offset(source.transform, raster.epsg, grid)
        if offset is not None:
            _copy(source, offset, values)
        else:
            reproject(
                rasterio.band(source, 1),
                values,
                src_nodata=0.0,
                dst_nodata=0.0,
                dst_transform=rasterio.Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north),
                dst_crs=f"EPSG:{grid.epsg}",
                resampling=Resampling.bilinear,
                num_threads=1,
            )
    return np.where(np.isfinite(values) & (values > 0), values, np.float32(0))


def mosaicked(slices: Sequence[Values]) -> Values:
    """Slices of one datatake as one raster, the newest first: where it holds nothing the next one counts."""
    result = slices[0].copy()
    for older in slices[1:]:
        np.copyto(result, older, where=result == 0)
    return result


def as_quantity(values: Values, job: RadarJob, quantity: str) -> Values:
    """Values as they are stored: coherence within [1e-4, 1], amplitude as the root of sigma nought; 0 is no data."""
    if job is RadarJob.COHERENCE:
        return np.where(values > 0, np.clip(values, *COHERENCE_RANGE), np.float32(0)).astype(np.float32)
    return np.sqrt(values) if quantity == "amplitude" else values


def _offset(transform: Any, epsg: int, grid: PixelGrid) -> tuple[int, int] | None:
    """Rows and columns from a raster's corner to a grid's, where pixels fall on pixels."""
    if epsg != grid.epsg or transform.b or transform.d:
        return None
    if abs(transform.a - grid.pixel) > 1e-6 or abs(transform.e + grid.pixel) > 1e-6:
        return None
    right, down = (grid.west - transform.c) / grid.pixel, (transform.f - grid.north) / grid.pixel
    if max(abs(right - round(right)), abs(down - round(down))) > _SAME_NODE:
        return None
    return round(down), round(right)


def _copy(source: Any, offset: tuple[int, int], values: Values) -> None:
    from rasterio.windows import Window

    down, right = offset
    rows, columns = values.shape
    top, left = max(0, down), max(0, right)
    bottom, end = min(source.height, down + rows), min(source.width, right + columns)
    if bottom > top and end > left:
        window = Window(left, top, end - left, bottom - top)
        values[top - down : bottom - down, left - right : end - right] = source.read(1, window=window)


def _incomplete(text: str) -> ExecutorError:
    return ExecutorError(text, hint="see the log of SNAP", code=Reason.OUTPUT_INCOMPLETE)
