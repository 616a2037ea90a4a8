"""Whether the values of a Sentinel-1 raster can be what it says they are: judged by a sample of its blocks."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.gdal_threads import single_thread
from s4c_lib.sources.product_tree import ProductTree
from s4c_lib.sources.radar_contents import RadarContents

Doubles = npt.NDArray[np.float64]

# A sample of so many values from several places is enough; it is looked for in no more than so many blocks and pixels.
_ENOUGH: Final = 20_000
_LEAST_BLOCKS: Final = 8
_MOST_BLOCKS: Final = 64
_MOST_PIXELS: Final = 8_000_000
# Steps of the golden section spread the first blocks over the whole raster, however many are read.
_GOLDEN: Final = (5**0.5 - 1) / 2
# Noise that was subtracted leaves linear values a little below 0, never so far; land in dB is below it nearly always.
_NEVER_LINEAR: Final = -0.5
_LINEAR_SHARE: Final = 0.1
# Medians of land lie between -35 and 5 dB; beyond these limits a factor is missing.
_LOUDEST_POWER: Final = 10.0
_DB_RANGE: Final = (-60.0, 30.0)
# Cubic resampling overshoots at a few edges.
_COHERENCE_LIMIT: Final = 1.001
_COHERENCE_SHARE: Final = 0.01


def check_plausible(tree: ProductTree, contents: RadarContents) -> None:
    """Refuse a raster whose values are not of the quantity and scale that it states.

    Backscatter and amplitude cannot be told apart by their values; neither can sigma0 and gamma0.

    Raises
    ------
    ProductCorruptError : values look like another quantity or scale, or are not readable; names file and field.
    """
    values = physical(_sample(tree, contents), contents)
    fault = implausible(values[np.isfinite(values)], contents.quantity, decibel=contents.decibel)
    if fault is None:
        return
    hint = "correct the sidecar" if contents.described else "a raster in another unit needs a sidecar NAME.s1.json"
    raise ProductCorruptError(f"{tree.where(contents.file)}: {fault}", hint=hint)


def implausible(values: npt.NDArray[Any], quantity: str, *, decibel: bool) -> str | None:
    """Why values cannot be of a quantity; None when they can, or when there are none.

    Parameters
    ----------
    values : float (pixels,), finite, linear or in dB as ``decibel`` says.
    """
    if len(values) == 0:
        return None
    median = float(np.median(values))
    shown = f"the median of {len(values)} values is {median:.4g}"
    if quantity == "coherence":
        outside = float(np.mean((values < 0) | (values > _COHERENCE_LIMIT)))
        if outside > _COHERENCE_SHARE:
            return f"quantity: coherence lies between 0 and 1, {outside:.0%} of the values do not ({shown}; a factor?)"
        return None
    if decibel:
        if not _DB_RANGE[0] <= median <= _DB_RANGE[1]:
            return f"factor: {quantity} in dB is never like this: {shown}"
        return None if (values < 0).any() else f"scale: says dB, but no value is below 0: they look linear ({shown})"
    if float(np.mean(values < _NEVER_LINEAR)) > _LINEAR_SHARE:
        return f"scale: {quantity} is linear, but the values look like dB: {shown}"
    loudest = _LOUDEST_POWER**0.5 if quantity == "amplitude" else _LOUDEST_POWER
    if median > loudest:
        return f"factor: linear {quantity} is never like this: {shown}"
    return None


def physical(pixels: npt.NDArray[Any], contents: RadarContents) -> Doubles:
    """Values in the unit the raster states, float64, NaN where there is no data."""
    values: Doubles = np.multiply(pixels, contents.factor, dtype=np.float64)
    values += contents.offset
    values[pixels == contents.no_data] = np.nan
    return values


def _sample(tree: ProductTree, contents: RadarContents) -> npt.NDArray[Any]:
    """Stored values of some blocks, flat; data that lies in a corner only may not be met."""
    import rasterio
    from rasterio.errors import RasterioError

    found: list[npt.NDArray[Any]] = []
    valid = read = 0
    try:
        with single_thread(), rasterio.open(tree.gdal_path(contents.file)) as raster:
            windows = [window for _, window in raster.block_windows(1)]
            order = sorted(range(len(windows)), key=lambda number: (number * _GOLDEN) % 1)
            for place, number in enumerate(order[:_MOST_BLOCKS], start=1):
                pixels = raster.read(1, window=windows[number]).ravel()
                found.append(pixels)
                valid += int(np.count_nonzero(np.isfinite(pixels) & (pixels != contents.no_data)))
                read += pixels.size
                if (valid >= _ENOUGH and place >= _LEAST_BLOCKS) or read >= _MOST_PIXELS:
                    break
    except RasterioError as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise ProductCorruptError(
            f"cannot read {tree.where(contents.file)}: {reason}", hint="it may still be arriving; else fetch it again"
        ) from error
    return np.concatenate(found)
