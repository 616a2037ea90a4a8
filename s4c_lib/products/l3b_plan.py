"""What will be made of a scene: names, pixel, bands, rasters and networks of its L3B product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from s4c_lib.errors import InputError, NotFoundError, ProductCorruptError
from s4c_lib.products.l3b_options import L3bOptions
from s4c_lib.readers.scene import OpticalScene
from s4c_lib.reasons import Reason
from s4c_lib.vegetation.biophysical import VARIABLE_SCALE, scene_bands
from s4c_lib.vegetation.indices import BRIGHTNESS_SCALE, RATIO_SCALE
from s4c_lib.vegetation.networks import MODEL_SET_PIXEL, VARIABLES, Network, load_network, model_of

_SHORT: Final[Mapping[str, str]] = MappingProxyType(
    {f"sentinel-2{letter}": f"S2{letter.upper()}" for letter in "abcd"} | {"landsat-8": "L8", "landsat-9": "L9"}
)
_LANDSAT_PIXEL: Final = 30


@dataclass(frozen=True, slots=True)
class L3bRaster:
    """A raster of values: int16, no data -10000.

    Parameters
    ----------
    suffix : in its file's name. scale : a number times this is the value. bands : read for it, of an index.
    """

    variable: str
    suffix: str
    title: str
    scale: float
    unit: str
    bands: tuple[str, ...] = ()


RASTERS: Final[Mapping[str, L3bRaster]] = MappingProxyType(
    {
        raster.variable: raster
        for raster in (
            L3bRaster("ndvi", "NDVI", "NDVI, (b08 - b04) / (b08 + b04)", RATIO_SCALE, "1", ("b08", "b04")),
            L3bRaster("lai", "LAI", "Leaf area index", VARIABLE_SCALE, "m2/m2"),
            L3bRaster("fapar", "FAPAR", "Absorbed share of the light that plants use", VARIABLE_SCALE, "1"),
            L3bRaster("fcover", "FCOVER", "Share of the ground covered by green", VARIABLE_SCALE, "1"),
            L3bRaster("ndwi", "NDWI", "NDWI (Gao), (b08 - b11) / (b08 + b11)", RATIO_SCALE, "1", ("b08", "b11")),
            L3bRaster(
                "brightness", "BRIGHT", "Brightness, sqrt((b04^2 + b03^2) / 2)", BRIGHTNESS_SCALE, "1", ("b04", "b03")
            ),
        )
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class L3bPlan:
    """Decisions for one scene.

    Parameters
    ----------
    platform : short, ``S2A`` ... ``L9``. pixel : m. bands : of the scene, all that are read.
    rasters : what is made, in order. networks : one for each biophysical variable among them, in the same order.
    """

    item_id: str
    platform: str
    pixel: float
    bands: tuple[str, ...]
    rasters: tuple[L3bRaster, ...]
    networks: tuple[Network, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the models used."""
        return tuple(dict.fromkeys(network.model_id for network in self.networks))


def plan_l3b(scene: OpticalScene, options: L3bOptions) -> L3bPlan:
    """Decide what is made of a scene.

    Raises
    ------
    InputError : the platform is none of Sentinel-2 or Landsat 8 and 9, or the model set does not serve it.
    ProductCorruptError : the scene lacks a band that is needed.
    """
    platform = _SHORT.get(scene.platform)
    if platform is None:
        raise InputError(
            f"no vegetation product is made of {scene.name}: platform {scene.platform!r}",
            hint=f"one of {', '.join(_SHORT)}",
            code=Reason.CONFIG,
        )
    rasters = tuple(RASTERS[name] for name in RASTERS if name in options.produce)
    networks = _networks(scene, options, platform)
    names = {band for raster in rasters for band in raster.bands}
    if networks:
        names.update(scene_bands(networks[0]))
    missing = sorted(names - set(scene.bands))
    if missing:
        raise ProductCorruptError(
            f"{scene.name} has no {', '.join(missing)}, which its vegetation product needs",
            hint="keep these bands (processor.l2a.keep_bands), or fetch the product again",
        )
    time = f"{scene.sensing_time:%Y%m%dT%H%M%S}"
    return L3bPlan(
        item_id=f"S4C_L3B_{platform}_{time}_T{scene.tile}_{options.config_hash[:8]}",
        platform=platform,
        pixel=_pixel(platform, options),
        bands=tuple(sorted(names)),
        rasters=rasters,
        networks=networks,
    )


def item_folder(folder: Path, scene: OpticalScene, item_id: str) -> Path:
    """Place of a product below the archive of its site and processor (l3b-and-markers.md 2.4)."""
    return folder / f"{scene.sensing_time:%Y}" / f"{scene.sensing_time:%m}" / item_id


def _pixel(platform: str, options: L3bOptions) -> float:
    if platform.startswith("L"):
        return _LANDSAT_PIXEL
    return MODEL_SET_PIXEL.get(options.model_set, options.resolution)


def _networks(scene: OpticalScene, options: L3bOptions, platform: str) -> tuple[Network, ...]:
    variables = [variable for variable in VARIABLES if variable in options.produce]
    if not variables:
        return ()
    try:
        model = model_of(options.model_set, platform)
    except NotFoundError as error:
        raise InputError(
            f"{scene.name}: {error.message}",
            hint="choose another processor.l3b.model_set, or no LAI, FAPAR and FCOVER",
            code=Reason.CONFIG,
        ) from error
    return tuple(load_network(model, variable) for variable in variables)
