"""Made-up Sentinel-2 products of the small archive: coarse images of a whole tile in the products' real formats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.geography.sentinel2_tiles import tile as tile_of
from s4c_lib.synthetic.archive_files import Files
from s4c_lib.synthetic.archive_rasters import PIXELS, smooth_field, window_grid
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.products.raster_files import jpeg2000
from s4c_lib.synthetic.products.sentinel2_bands import NATIVE_METRES
from s4c_lib.synthetic.products.sentinel2_images import GranuleImages, class_shares, digital_numbers
from s4c_lib.synthetic.products.sentinel2_product import Sentinel2Product, added_to_numbers
from s4c_lib.synthetic.products.sentinel2_product import baselines_of as baselines_of
from s4c_lib.synthetic.products.sentinel2_safe import safe_files

# Typical reflectance of cropland.
_REFLECTANCE = {
    "B01": 0.03, "B02": 0.04, "B03": 0.07, "B04": 0.05, "B05": 0.11, "B06": 0.25, "B07": 0.32, "B08": 0.34,
    "B8A": 0.36, "B09": 0.35, "B10": 0.002, "B11": 0.22, "B12": 0.13,
}  # fmt: skip
_L2A_IMAGES = {
    10: ("B02", "B03", "B04", "B08"),
    20: ("B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12"),
}
_CLOUD_STATES = (0.02, 0.35, 0.85)
_AEROSOL, _WATER_VAPOUR = 0.12, 2.0
# Without it images would compress to almost nothing, unlike real ones.
_TEXTURE = 0.03
# A real orbit number: absolute, relative, day; 143 orbits make ten days.
_ORBIT_ANCHOR = (42640, 29, date(2023, 8, 21))
_MILLISECONDS = 24


@dataclass(frozen=True, slots=True)
class Datatake:
    """One pass over the site, and the processing baseline of its products."""

    platform: str
    start: datetime
    relative_orbit: int
    baseline: int

    @property
    def flight(self) -> OpticalPass:
        """The pass, with a plausible absolute orbit and the same angles every day."""
        number, relative, day = _ORBIT_ANCHOR
        return OpticalPass(
            start=self.start.replace(microsecond=_MILLISECONDS * 1000),
            platform=self.platform,
            relative_orbit=self.relative_orbit,
            absolute_orbit=number + self.relative_orbit - relative + round((self.start.date() - day).days * 14.3),
            sun_zenith=38.5,
            sun_azimuth=155.0,
            view_zenith=5.0,
            view_azimuth=105.0,
        )


def product_name(take: Datatake, tile: str, level: str) -> str:
    """Compact name without ``.SAFE``; ``level`` is ``L1C`` or ``L2A``."""
    return Sentinel2Product(take.flight, tile_of(tile), level, take.baseline).name


class TileImages:
    """The images of one tile, encoded once and shared by all its products."""

    def __init__(self, tile: Sentinel2Tile, rng: np.random.Generator) -> None:
        self.tile = tile
        self.grids = {metres: window_grid(tile, metres) for metres in PIXELS}
        self._field = {
            pixels: smooth_field(rng, pixels) + rng.normal(0, _TEXTURE, (pixels, pixels))
            for pixels in sorted(set(PIXELS.values()))
        }
        clouds = smooth_field(rng, PIXELS[20])
        self._scene_class = [_scene_class(clouds, self._field[PIXELS[20]], share) for share in _CLOUD_STATES]
        self._encoded: dict[tuple[str, int, int], bytes] = {}

    @property
    def states(self) -> int:
        """Count of cloud states to choose from."""
        return len(self._scene_class)

    def reflectance(self, band: str, metres: int) -> npt.NDArray[np.float64]:
        """Surface reflectance, float64 (pixels, pixels), unitless."""
        return np.asarray(_REFLECTANCE[band] * (0.5 + self._field[PIXELS[metres]]))

    def l2a(self, state: int, baseline: int) -> GranuleImages:
        """Images of an L2A with one of the cloud states."""
        layers = {
            (band, metres): self._band(band, metres, baseline)
            for metres, names in _L2A_IMAGES.items()
            for band in names
        }
        layers["SCL", 20] = self._jp2(("SCL", 20, state), self._scene_class[state])
        return self._granule(layers, state)

    def l1c(self, state: int, baseline: int) -> GranuleImages:
        """Images of an L1C with one of the cloud states."""
        return self._granule(
            {(band, metres): self._band(band, metres, baseline) for band, metres in NATIVE_METRES.items()}, state
        )

    def class_pct(self, state: int, *classes: int) -> float:
        """Share of classes in the scene classification, %."""
        return float(100 * np.isin(self._scene_class[state], classes).mean())

    def cloud_mask(self, state: int) -> npt.NDArray[np.bool_]:
        """Cloud where True, (pixels, pixels) of 20 m."""
        return np.asarray(np.isin(self._scene_class[state], (8, 9, 10)))

    def _granule(self, layers: dict[tuple[str, int], bytes], state: int) -> GranuleImages:
        shares = class_shares(self._scene_class[state])
        return GranuleImages(self.grids, layers, {}, shares, _AEROSOL, _WATER_VAPOUR)

    def _band(self, band: str, metres: int, baseline: int) -> bytes:
        numbers = digital_numbers(self.reflectance(band, metres), baseline)
        return self._jp2((band, metres, added_to_numbers(baseline)), numbers)

    def _jp2(self, key: tuple[str, int, int], array: npt.NDArray[np.generic]) -> bytes:
        if key not in self._encoded:
            self._encoded[key] = jpeg2000(array, self.grids[key[1]])
        return self._encoded[key]


def l2a_files(take: Datatake, images: TileImages, state: int) -> Files:
    """Files of an L2A SAFE."""
    product = Sentinel2Product(take.flight, images.tile, "L2A", take.baseline)
    return safe_files(product, images.l2a(state, take.baseline), view_grids=False)


def l1c_files(take: Datatake, images: TileImages, state: int) -> Files:
    """Files of an L1C SAFE."""
    product = Sentinel2Product(take.flight, images.tile, "L1C", take.baseline)
    return safe_files(product, images.l1c(state, take.baseline), view_grids=False)


def _scene_class(
    clouds: npt.NDArray[np.float64], field: npt.NDArray[np.float64], share: float
) -> npt.NDArray[np.uint8]:
    classes = np.where(field < 0.4, 5, 4).astype(np.uint8)
    classes[clouds >= np.quantile(clouds, 1 - share)] = 9
    return classes
