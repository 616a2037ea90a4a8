"""Ready-made Sentinel-1 level 2: one raster of backscatter or coherence (preprocessing.md 3.6, 4.7; decision B3).

Names of both versions are read, ``SEN4CAP_L2A_..._AMP|COHE`` (V1) and ``S1x_L2_BCK|COH_...`` (V2), and rasters of any
name that a sidecar describes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers.raster_opening import grid_of_raster, open_layer, open_raster, single_thread, unreadable
from s4c_lib.readers.scene import Layer
from s4c_lib.sources.described_raster import described_name
from s4c_lib.sources.product_names import ProductKind, ProductName, bare_name, parse_product_name
from s4c_lib.sources.product_tree import ProductTree, has_sidecar
from s4c_lib.sources.radar_contents import RadarContents, radar_contents
from s4c_lib.sources.radar_plausibility import physical

_BLOCK: Final = 512


@dataclass(frozen=True, slots=True)
class RadarRaster:
    """A raster and what its pixels mean: ``quantity = pixel * scale``.

    Parameters
    ----------
    name : without suffix; with a sidecar the one that follows from it. layer : where its pixels are.
    variable : ``vv``, ``vh``, ``coherence_vv``, ``coherence_vh``.
    quantity : ``sigma0``, ``gamma0`` (linear), ``amplitude`` (root of sigma nought) or ``coherence``.
    no_data : pixel value that means none.
    time, previous_time : UTC; the later acquisition, and the earlier one of a pair.
    orbit : relative. direction : ``ascending``, ``descending`` or None where the file does not say.
    tile : MGRS, None for V1.
    warnings : what had to be assumed, for the log.
    """

    name: str
    layer: Layer
    variable: str
    quantity: str
    scale: float
    no_data: float
    platform: str
    time: datetime
    previous_time: datetime | None
    orbit: int | None
    direction: str | None
    tile: str | None
    warnings: tuple[str, ...] = ()
    stored: RadarContents | None = None
    """How stored numbers become what `read` gives; None where it gives them as they are."""

    @property
    def grid(self) -> PixelGrid:
        """Grid of the pixels."""
        return self.layer.grid

    def read(self) -> npt.NDArray[np.float32] | npt.NDArray[np.uint16]:
        """All pixels (rows, columns), float32 or uint16 as they are stored.

        Of a raster with a sidecar they are float32 in physical units, linear (dB becomes power), 0 where none.

        Raises
        ------
        ProductCorruptError : the file is damaged or has changed since.
        """
        from rasterio.errors import RasterioError

        with single_thread(), open_layer(self.layer) as raster:
            try:
                pixels: npt.NDArray[Any] = raster.read(self.layer.index)
            except RasterioError as error:
                raise unreadable(self.layer.path, error) from error
        return pixels if self.stored is None else _linear(pixels, self.stored)


def radar_name(path: Path) -> ProductName | None:
    """Name of a Sentinel-1 level-2 product: its sidecar's, or its own; None for any other product.

    Raises
    ------
    ProductCorruptError : a sidecar that is wrong or contradicts the name.
    """
    name = described_name(path) if has_sidecar(path) else parse_product_name(path.name)
    return name if name is not None and name.kind in {ProductKind.S1_AMP, ProductKind.S1_COHE} else None


def read_radar_raster(path: Path) -> RadarRaster:
    """Read name, grid and tags of a raster, or its sidecar.

    Parameters
    ----------
    path : the ``.tif``, or a folder of its product's name that holds it.

    Raises
    ------
    InputError : it is not named as such a product and has no sidecar, or has a polarisation other than VV and VH.
    ProductCorruptError : not readable, of an unknown quantity, or of one that its name or its sidecar contradicts.
    """
    name = radar_name(path)
    if name is None:
        raise InputError(
            f"{path} is not named as a Sentinel-1 level-2 raster",
            hint="keep the name it was made with, or describe it by a sidecar NAME.s1.json",
        )
    polarisation = name.polarisations[0].lower()
    if polarisation not in {"vv", "vh"}:
        raise InputError(f"{path} is of polarisation {name.polarisations[0]}", hint="only VV and VH are used")
    tree = ProductTree(path)
    contents = radar_contents(tree, name)
    file = tree.gdal_path(contents.file)
    with single_thread(), open_raster(file) as raster:
        grid = grid_of_raster(raster, file)
    coherence = contents.quantity == "coherence"
    return RadarRaster(
        name=name.name if contents.described else bare_name(path.name),
        layer=Layer(file, grid),
        variable=f"coherence_{polarisation}" if coherence else polarisation,
        quantity=contents.quantity,
        scale=1.0 if contents.described else contents.factor,
        no_data=0.0 if contents.described else contents.no_data,
        platform=contents.platform,
        time=name.sensing_start,
        previous_time=name.previous_time if coherence else None,
        orbit=name.relative_orbit,
        direction=contents.direction,
        tile=name.tile,
        warnings=contents.warnings,
        stored=contents if contents.described else None,
    )


def _linear(pixels: npt.NDArray[Any], contents: RadarContents) -> npt.NDArray[np.float32]:
    """Linear values of stored ones; in double precision, so that 10 log10 gives the dB that were stored."""
    result = np.empty(pixels.shape, np.float32)
    with np.errstate(over="ignore"):
        for first in range(0, len(pixels), _BLOCK):
            values = physical(pixels[first : first + _BLOCK], contents)
            if contents.decibel:
                np.power(10, values / 10, out=values)
            result[first : first + _BLOCK] = np.where(np.isfinite(values), values, 0)
    return result
