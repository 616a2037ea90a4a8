"""The scene classification as a processor would give it, errors included.

Rates of Sen2Cor: it misses some 5-15 % of cloud, mostly thin edges, and a third and more of shadows; it calls bright
soil and roofs cloud (Baetens et al. 2019; Tarrio et al. 2020; Skakun et al. 2022, CMIX).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.synthetic.canopy import Weather
from s4c_lib.synthetic.optical.clouds import CLOUD_THICKNESS, DEFAULT_CLOUDINESS, CloudView, cloud_cover
from s4c_lib.synthetic.optical.random_fields import Floats, smooth_field
from s4c_lib.synthetic.passes import OpticalPass

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]


class SceneClass(IntEnum):
    """Codes of the SCL raster that are used here."""

    DARK = 2
    SHADOW = 3
    VEGETATION = 4
    BARE = 5
    WATER = 6
    UNCLASSIFIED = 7
    CLOUD_MEDIUM = 8
    CLOUD_HIGH = 9
    CIRRUS = 10


@dataclass(frozen=True, slots=True)
class ClassificationErrors:
    """Rates of errors, 0..1.

    Parameters
    ----------
    cloud_missed : share of cloudy ground called clear, over a season.
    soil_as_cloud : share of bright bare ground called cloud.
    shadow_missed : share of shadows called clear.
    shadow_as_dark : share of the shadows seen that are called dark surface.
    dark_as_shadow : share of dark ground called shadow.
    """

    cloud_missed: float = 0.05
    soil_as_cloud: float = 0.04
    shadow_missed: float = 0.30
    shadow_as_dark: float = 0.15
    dark_as_shadow: float = 0.03

    def __post_init__(self) -> None:
        for field in fields(self):
            rate = getattr(self, field.name)
            if not 0 <= rate <= 1:
                raise InputError(f"classification error rate {field.name} is {rate}", hint="give a share, 0 to 1")


@dataclass(frozen=True, slots=True)
class PassSky:
    """The sky of one pass as planned for the season.

    Parameters
    ----------
    cover : share of the sky under cloud. cloud_missed : share of that cloud which the processor misses.
    errors : other rates of the season.
    """

    cover: float
    cloud_missed: float
    errors: ClassificationErrors


def plan_sky(
    weather: Weather,
    passes: Sequence[OpticalPass],
    cloudiness: float = DEFAULT_CLOUDINESS,
    errors: ClassificationErrors = ClassificationErrors(),
) -> list[PassSky]:
    """Cover and misses of each pass: most cloud is missed where it is broken, next to none where it is closed.

    Parameters
    ----------
    cloudiness : mean cover wanted, 0.02..0.98.

    Returns
    -------
    One for each pass; ``errors.cloud_missed`` of all cloudy ground of the season is missed.
    """
    cover = cloud_cover(weather, passes, cloudiness).astype(np.float64)
    # The share missed falls with the cover; those of all dates together make up the rate, none above 0.8 or the rate.
    broken = (1.02 - cover) ** 1.5
    scale = errors.cloud_missed * cover.sum() / max(float(broken @ cover), 1e-9)
    most = max(0.8, errors.cloud_missed)
    return [
        PassSky(float(share), float(min(scale * gaps, most)) if errors.cloud_missed < 1 else 1.0, errors)
        for share, gaps in zip(cover, broken, strict=True)
    ]


# Detection varies over patches of this size.
_PATCH_M: Final = 90.0
BRIGHT_SOIL: Final = 0.105  # reflectance in red
_DARK: Final = 0.14  # reflectance in the near infrared


def detect(view: CloudView, sky: PassSky, pixel_m: float, rng: np.random.Generator) -> tuple[Flags, Flags]:
    """Clouds and shadows that the processor finds.

    Returns
    -------
    cloud, shadow : bool (rows, columns).
    """
    from scipy.ndimage import uniform_filter

    patches = smooth_field(rng, view.low.shape, pixel_m, _PATCH_M)
    thickness = np.maximum(view.low, view.cirrus)
    cloud = view.cloud
    # Thin cloud and small clouds are missed first.
    around = uniform_filter(cloud.astype(np.float32), max(round(100 / pixel_m), 2), mode="wrap")
    clear = np.log(thickness + np.float32(0.01)) + np.float32(0.5) * patches + np.float32(1.5) * around
    found = cloud & ~_lowest(clear, cloud, sky.cloud_missed)
    # The rim of a cloud is often flagged with it.
    found |= ~cloud & (thickness > 0.5 * CLOUD_THICKNESS) & (patches > 0.3)
    shadow = view.shadow
    depth = np.log(view.shade + np.float32(0.01)) + np.float32(0.8) * patches
    return found, shadow & ~found & ~_lowest(depth, shadow, sky.errors.shadow_missed)


def classify(
    view: CloudView,
    found: tuple[Flags, Flags],
    red: Floats,
    infrared: Floats,
    water: Flags,
    errors: ClassificationErrors,
    pixel_m: float,
    rng: np.random.Generator,
) -> tuple[Bytes, Bytes]:
    """Scene classes and cloud probability.

    Parameters
    ----------
    found : from `detect`.
    red, infrared : clear reflectance. water : where water is.

    Returns
    -------
    scene_class : uint8, `SceneClass`. probability : uint8, %.
    """
    cloud, shadow = found
    noise = smooth_field(rng, red.shape, pixel_m, _PATCH_M)
    ndvi = (infrared - red) / np.maximum(infrared + red, np.float32(0.01))
    classes = np.where(ndvi > 0.32 + 0.02 * noise, SceneClass.VEGETATION, SceneClass.BARE).astype(np.uint8)
    classes[water] = SceneClass.WATER
    bright = ~water & (ndvi < 0.3) & (red > BRIGHT_SOIL) & ~cloud
    mistaken = bright & _lowest(-(red / np.float32(0.04) + noise), bright, errors.soil_as_cloud)
    dark = ~water & (infrared < _DARK) & ~cloud & ~shadow
    classes[dark & _lowest(infrared / np.float32(0.02) + noise, dark, errors.dark_as_shadow)] = SceneClass.SHADOW
    classes[shadow] = SceneClass.SHADOW
    classes[shadow & _lowest(noise, shadow, errors.shadow_as_dark)] = SceneClass.DARK
    thickness = np.maximum(view.low, np.float32(0.6) * view.cirrus)
    strength = np.log(np.maximum(thickness, np.float32(0.02)) / 3) + np.float32(0.4) * noise
    classes[mistaken] = SceneClass.CLOUD_MEDIUM
    classes[cloud] = np.select(
        [strength[cloud] > 1.0, strength[cloud] > -0.9],
        [SceneClass.CLOUD_HIGH, SceneClass.CLOUD_MEDIUM],
        SceneClass.UNCLASSIFIED,
    )
    classes[cloud & (view.cirrus > view.low) & (view.low < 1)] = SceneClass.CIRRUS
    share = 1 / (1 + np.exp(-np.float32(1.3) * (strength + np.float32(0.9))))
    share = np.where(cloud, np.maximum(share, 0.2), np.where(mistaken, 0.4 + 0.1 * noise, np.minimum(share, 0.15)))
    return classes, np.clip(np.rint(100 * share), 0, 100).astype(np.uint8)


def _lowest(score: Floats, among: Flags, rate: float) -> Flags:
    """The ``rate`` of the pixels ``among`` with the lowest score."""
    count = round(rate * int(among.sum()))
    if count == 0:
        return np.zeros_like(among)
    return np.asarray(among & (score <= np.partition(score[among], count - 1)[count - 1]))
