"""Pixels of a scene, block by block: reflectance and flags on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.kernel_cache import compiled
from s4c_lib.readers.flags import (
    Flag,
    Flags,
    MaskRules,
    coarsened,
    dilated,
    flags_from_flags,
    flags_from_landsat,
    flags_from_muscate,
    flags_from_scl,
)
from s4c_lib.readers.pixel_kernels import average, cubic, replicate, scale, shift
from s4c_lib.readers.raster_opening import make_room, open_layer, shown, single_thread, unreadable
from s4c_lib.readers.scene import NO_DATA, SCALE, Band, Int16, Layer, MaskKind, OpticalScene

Array = npt.NDArray[Any]
_BLOCK: Final = 512  # rows of a mask read at a time
_EXACT: Final = 1e-6
_REACH: Final = 2  # pixels to each side that cubic convolution reads


def open_pixels(scene: OpticalScene, pixel: float | None = None, rules: MaskRules | None = None) -> ScenePixels:
    """Open a scene for reading, with ``with``.

    Parameters
    ----------
    pixel : side of the pixels wanted, metres: 10, 20 or 30; default the scene's finest.
    rules : default `MaskRules()`.

    Raises
    ------
    InputError : the scene's side is no whole number of these pixels.
    """
    return ScenePixels(scene, scene.grid.resized(scene.grid.pixel if pixel is None else pixel), rules or MaskRules())


def cubic_weights(factor: int) -> npt.NDArray[np.float64]:
    """Weights of cubic convolution (Keys 1981, a = -1/2) by phase of the finer pixel: (factor, 4)."""
    at = (np.arange(factor) + 0.5) / factor - 0.5  # from the centre of the coarse pixel, in coarse pixels
    left = np.where(at < 0, -2, -1)  # the first of four neighbours
    distance = np.abs(left[:, None] + np.arange(4) - at[:, None])
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


class ScenePixels:
    """Reads a scene's pixels on one grid; its files stay open while the ``with`` block lasts.

    Attributes
    ----------
    scene : what is read. grid : of all arrays.
    """

    def __init__(self, scene: OpticalScene, grid: PixelGrid, rules: MaskRules) -> None:
        self.scene = scene
        self.grid = grid
        self._rules = rules
        self._stack: ExitStack | None = None
        self._rasters: dict[str, Any] = {}
        self._room = 0

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._stack.enter_context(single_thread())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stack, self._stack, self._rasters, self._room = self._stack, None, {}, 0
        if stack is not None:
            stack.close()

    def rows(self, names: Sequence[str], first: int, stop: int, *, smooth: bool = False) -> Int16:
        """Reflectance x 10000 of rows ``first`` to ``stop`` (not included) of the grid.

        Parameters
        ----------
        names : of bands, ``b02`` ... ``b12``. A coarser band is replicated, of a finer one valid pixels are averaged.
        smooth : coarser bands by cubic convolution instead, as the features of L4A want them (spec/README.md B11).

        Returns
        -------
        int16 (bands, rows, columns), -10000 no data; values beyond -9999 ... 32767 are cut to these.

        Raises
        ------
        InputError : no such band or rows, or pixels that do not nest.
        ProductCorruptError : a file is damaged, or not what the metadata say; names it.
        """
        if not 0 <= first <= stop <= self.grid.rows:
            raise InputError(f"rows {first} to {stop} are none of a grid of {self.grid.rows} rows")
        out = np.empty((len(names), stop - first, self.grid.columns), dtype=np.int16)
        if first == stop:
            return out
        for number, name in enumerate(names):
            band = self.scene.bands.get(name)
            if band is None:
                raise InputError(
                    f"{self.scene.name} has no band {name}", hint=f"it has {', '.join(sorted(self.scene.bands))}"
                )
            self._band(band, first, stop, out[number], smooth)
        return out

    def flags(self) -> Flags:
        """Flags of the whole raster, after rules and dilation: uint8 (rows, columns).

        Of a finer mask each pixel takes the flag whose test comes first among those it covers; a coarser one is
        replicated. MAJA's saturation counts in every band, whatever its resolution.

        Raises
        ------
        InputError : pixels that do not nest. ProductCorruptError : a file is damaged or not what the metadata say.
        """
        flags = np.empty(self.grid.shape, dtype=np.uint8)
        # All layers nest in blocks of whole pixels of each of them.
        block = _BLOCK * max(1, *(round(layer.grid.pixel / self.grid.pixel) for layer in self._mask_layers().values()))
        for first in range(0, self.grid.rows, block):
            stop = min(first + block, self.grid.rows)
            self._flag_rows(first, stop, flags[first:stop])
        return dilated(flags, self._rules.dilate_px) if self._rules.dilate_px else flags

    def _band(self, band: Band, first: int, stop: int, out: Int16, smooth: bool) -> None:
        factor, finer = self._factor(band.layer)
        if factor == 1:
            self._reflectance(band, first, stop, out)
            return
        start, end = (first * factor, stop * factor) if finer else (first // factor, -(-stop // factor))
        if smooth and not finer:
            start, end = max(start - _REACH, 0), min(end + _REACH, band.layer.grid.rows)
        values = np.empty((end - start, band.layer.grid.columns), dtype=np.int16)
        self._reflectance(band, start, end, values)
        if finer:
            compiled(average)(values, factor, NO_DATA, out)
        elif smooth:
            compiled(cubic)(values, factor, first - start * factor, cubic_weights(factor), NO_DATA, out)
        else:
            compiled(replicate)(values, factor, first - start * factor, out)

    def _reflectance(self, band: Band, first: int, stop: int, out: Int16) -> None:
        """Rows of a band on its own grid."""
        raster = self._raster(band.layer)
        dtype = np.dtype(raster.dtypes[band.layer.index - 1])
        if dtype.kind not in "iu":
            raise ProductCorruptError(
                f"{shown(band.layer.path)} has {dtype} pixels, not integers", hint="fetch the product again"
            )
        # Numbers of 16 bits are read into the result itself and converted there.
        numbers = out.view(dtype) if dtype.itemsize == out.itemsize else np.empty(out.shape, dtype=dtype)
        self._read(band.layer, first, stop, numbers)
        factor, added = band.scale * SCALE, band.offset * SCALE
        whole = abs(factor - 1) < _EXACT and abs(added - round(added)) < _EXACT
        if whole and round(added) == 0 and dtype == np.int16 and band.no_data == NO_DATA:
            return
        if whole and dtype.itemsize <= out.itemsize:
            compiled(shift)(numbers, band.no_data, round(added), NO_DATA, out)
        else:
            compiled(scale)(numbers, band.no_data, factor, added, NO_DATA, out)

    def _flag_rows(self, first: int, stop: int, out: Flags) -> None:
        kind, layers = self.scene.mask.kind, self._mask_layers()
        if kind is MaskKind.SCL:
            self._place(layers["scl"], flags_from_scl(self._mask("scl", first, stop), self._rules), first, out)
        elif kind is MaskKind.FLAGS:
            self._place(layers["flags"], flags_from_flags(self._mask("flags", first, stop), self._rules), first, out)
        elif kind is MaskKind.LANDSAT:
            qa, radsat = self._mask("qa_pixel", first, stop), self._mask("qa_radsat", first, stop)
            self._place(layers["qa_pixel"], flags_from_landsat(qa, radsat, self._rules), first, out)
        else:
            self._muscate_rows(first, stop, out)

    def _muscate_rows(self, first: int, stop: int, out: Flags) -> None:
        layers = self._mask_layers()
        group = self._muscate_group()
        mg2, edg, sat = (self._mask(f"{mask}_{group}", first, stop) for mask in ("mg2", "edg", "sat"))
        self._place(layers[f"mg2_{group}"], flags_from_muscate(mg2, edg, sat, self._rules), first, out)
        other = f"sat_{'r2' if group == 'r1' else 'r1'}"
        if other in layers:
            saturated = np.where(self._mask(other, first, stop) != 0, Flag.SATURATED, Flag.LAND).astype(np.uint8)
            placed = np.empty_like(out)
            self._place(layers[other], saturated, first, placed)
            out[(out == Flag.LAND) & (placed == Flag.SATURATED)] = Flag.SATURATED

    def _muscate_group(self) -> str:
        """The group of masks to decide by: of the grid's own pixel, else the finest there is."""
        layers = self.scene.mask.layers
        groups = [group for group in ("r1", "r2") if all(f"{mask}_{group}" in layers for mask in ("mg2", "edg", "sat"))]
        same = [group for group in groups if layers[f"mg2_{group}"].grid.pixel == self.grid.pixel]
        return (same or groups)[0]

    def _mask_layers(self) -> dict[str, Layer]:
        layers = dict(self.scene.mask.layers)
        if self.scene.mask.kind is not MaskKind.MUSCATE:
            return layers
        group = self._muscate_group()
        return {key: layer for key, layer in layers.items() if key.endswith(group) or key.startswith("sat")}

    def _mask(self, key: str, first: int, stop: int) -> Array:
        """Rows of a mask on its own grid that cover rows of the result."""
        layer = self.scene.mask.layers[key]
        factor, finer = self._factor(layer)
        start, end = (first * factor, stop * factor) if finer else (first // factor, -(-stop // factor))
        dtype = np.dtype(self._raster(layer).dtypes[layer.index - 1])
        if dtype.kind not in "iu":
            raise ProductCorruptError(
                f"{shown(layer.path)} has {dtype} pixels, not integers", hint="fetch the product again"
            )
        values = np.empty((end - start, layer.grid.columns), dtype=dtype)
        self._read(layer, start, end, values)
        return values

    def _place(self, layer: Layer, flags: Flags, first: int, out: Flags) -> None:
        """Flags of a layer's rows onto the grid."""
        factor, finer = self._factor(layer)
        if factor == 1:
            out[...] = flags
        elif finer:
            out[...] = coarsened(flags, factor)
        else:
            compiled(replicate)(flags, factor, first % factor, out)

    def _factor(self, layer: Layer) -> tuple[int, bool]:
        """Ratio of the pixels of layer and grid, and whether the layer's are the finer ones."""
        theirs, ours = layer.grid, self.grid
        if (theirs.epsg, theirs.bounds) != (ours.epsg, ours.bounds):
            raise ProductCorruptError(
                f"{shown(layer.path)} does not cover the same ground as the rest of {self.scene.name}",
                hint="fetch the product again",
            )
        finer = theirs.pixel < ours.pixel
        ratio = ours.pixel / theirs.pixel if finer else theirs.pixel / ours.pixel
        if abs(ratio - round(ratio)) > _EXACT:
            raise InputError(
                f"pixels of {theirs.pixel:g} m do not nest with pixels of {ours.pixel:g} m",
                hint="choose a pixel that is a multiple or a part of both",
            )
        return round(ratio), finer

    def _raster(self, layer: Layer) -> Any:
        if self._stack is None:
            raise InputError(f"the pixels of {self.scene.name} are read outside their 'with' block")
        raster = self._rasters.get(layer.path)
        if raster is None:
            raster = self._stack.enter_context(open_layer(layer))
            self._rasters[layer.path] = raster
            # A row of blocks of each file: JPEG 2000 is decoded in blocks of 1024 rows, twice what is read at a time.
            height, _ = raster.block_shapes[0]
            self._room += height * raster.width * np.dtype(raster.dtypes[0]).itemsize * raster.count
            make_room(self._room)
        return raster

    def _read(self, layer: Layer, first: int, stop: int, out: Array) -> None:
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        raster = self._raster(layer)
        try:
            raster.read(layer.index, window=Window(0, first, layer.grid.columns, stop - first), out=out)
        except RasterioError as error:
            raise unreadable(layer.path, error) from error
