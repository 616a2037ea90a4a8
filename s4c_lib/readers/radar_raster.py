"""Ready-made Sentinel-1 level 2: one raster of backscatter or coherence (preprocessing.md 3.6, 4.7; decision B3).

Names of both versions are read, ``SEN4CAP_L2A_..._AMP|COHE`` (V1) and ``S1x_L2_BCK|COH_...`` (V2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers.raster_opening import grid_of_raster, open_layer, open_raster, shown, single_thread, unreadable
from s4c_lib.readers.scene import Layer
from s4c_lib.sources.product_names import ProductKind, ProductName, bare_name, parse_product_name
from s4c_lib.sources.product_tree import ProductTree

QUANTITIES: Final = ("sigma0", "gamma0", "amplitude", "coherence")
# Of UInt16 rasters (preprocessing.md 4.7) without a scale of their own.
_INTEGER_SCALE: Final = 1e-4
_NO_DATA: Final = 0.0
_DTYPES: Final = ("float32", "uint16")
_AGAIN: Final = "make or fetch the product again"


@dataclass(frozen=True, slots=True)
class RadarRaster:
    """A raster and what its pixels mean: ``quantity = DN * scale``.

    Parameters
    ----------
    name : without suffix. layer : where its pixels are.
    variable : ``vv``, ``vh``, ``coherence_vv``, ``coherence_vh``.
    quantity : ``sigma0``, ``gamma0`` (linear), ``amplitude`` (root of sigma nought) or ``coherence``.
    no_data : DN.
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

    @property
    def grid(self) -> PixelGrid:
        """Grid of the pixels."""
        return self.layer.grid

    def read(self) -> npt.NDArray[np.float32] | npt.NDArray[np.uint16]:
        """All pixels as they are stored: float32 or uint16 (rows, columns).

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
        return pixels


def read_radar_raster(path: Path) -> RadarRaster:
    """Read name, grid and tags of a raster.

    Parameters
    ----------
    path : the ``.tif``, or a folder of its name that holds it.

    Raises
    ------
    InputError : it is not named as such a product, or has a polarisation other than VV and VH.
    ProductCorruptError : not readable, of an unknown quantity, or of a quantity that its name contradicts.
    """
    name = parse_product_name(path.name)
    if name is None or name.kind not in {ProductKind.S1_AMP, ProductKind.S1_COHE}:
        raise InputError(f"{path} is not named as a Sentinel-1 level-2 raster", hint="keep the name it was made with")
    polarisation = name.polarisations[0].lower()
    if polarisation not in {"vv", "vh"}:
        raise InputError(f"{path} is of polarisation {name.polarisations[0]}", hint="only VV and VH are used")
    file = _file(path, name)
    with single_thread(), open_raster(file) as raster:
        grid = grid_of_raster(raster, file)
        tags = {key.upper(): str(value) for key, value in raster.tags().items()}
        dtype, scale, stated = raster.dtypes[0], float(raster.scales[0]), raster.nodata
        count = raster.count
    if dtype not in _DTYPES or count != 1:
        raise ProductCorruptError(f"{shown(file)} has {count} bands of {dtype}, not one of float32 or uint16")
    quantity, warnings = _quantity(tags, name, file)
    coherence = quantity == "coherence"
    return RadarRaster(
        name=bare_name(path.name),
        layer=Layer(file, grid),
        variable=f"coherence_{polarisation}" if coherence else polarisation,
        quantity=quantity,
        scale=_INTEGER_SCALE if dtype == "uint16" and scale == 1 else scale,
        no_data=_NO_DATA if stated is None else float(stated),
        platform=_platform(tags, name, file),
        time=name.sensing_start,
        previous_time=name.previous_time if coherence else None,
        orbit=name.relative_orbit,
        direction=_direction(tags),
        tile=name.tile,
        warnings=warnings,
    )


def _file(path: Path, name: ProductName) -> str:
    tree = ProductTree(path)
    rasters = sorted(file for file in tree.files if file.lower().endswith((".tif", ".tiff")))
    own = [file for file in rasters if bare_name(file.rsplit("/", 1)[-1]).upper() == name.name]
    if len(own or rasters) != 1:
        raise ProductCorruptError(f"{path} holds {len(rasters)} rasters, none of its own name", hint=_AGAIN)
    return tree.gdal_path((own or rasters)[0])


def _quantity(tags: Mapping[str, str], name: ProductName, file: str) -> tuple[str, tuple[str, ...]]:
    """The tag QUANTITY; without it what the name's version always held (decision B3)."""
    coherence = name.kind is ProductKind.S1_COHE
    tagged = tags.get("QUANTITY", "").strip().lower()
    if tagged:
        if tagged not in QUANTITIES or (tagged == "coherence") != coherence:
            raise ProductCorruptError(f"{shown(file)} has the tag QUANTITY '{tagged}', its name says otherwise")
        return tagged, ()
    if coherence:
        return "coherence", ()
    if name.version == "V1":
        return "amplitude", ()
    return "sigma0", (f"{shown(file)} has no tag QUANTITY: taken as linear sigma0",)


def _platform(tags: Mapping[str, str], name: ProductName, file: str) -> str:
    """``sentinel-1a``: of the name, for V1 of the tag; ``sentinel-1`` where neither says."""
    tag = tags.get("PLATFORM", "").strip().lower().replace("sentinel-1", "s1")
    tagged = f"sentinel-{tag[1:]}" if tag in {"s1a", "s1b", "s1c", "s1d"} else None
    if tagged is None or name.platform == "sentinel-1":
        return tagged or name.platform
    if tagged != name.platform:
        raise ProductCorruptError(f"{shown(file)} has the tag PLATFORM '{tag}', its name says {name.platform}")
    return tagged


def _direction(tags: Mapping[str, str]) -> str | None:
    written = tags.get("ORBIT_DIRECTION", "").strip().lower()
    return {"asc": "ascending", "ascending": "ascending", "desc": "descending", "descending": "descending"}.get(written)
