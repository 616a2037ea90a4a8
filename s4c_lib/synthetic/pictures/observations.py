"""What the satellites see of some parcels in a season, beside the truth; and the scenes worth showing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.optical.canopy_reflectance import table_for
from s4c_lib.synthetic.optical.parcel_reflectance import parcel_reflectance
from s4c_lib.synthetic.optical.scene import OpticalScene
from s4c_lib.synthetic.optical.scene_classes import SceneClass
from s4c_lib.synthetic.optical.spectral_response import SURFACE_BANDS
from s4c_lib.synthetic.optical_view import scene_of
from s4c_lib.synthetic.pictures.choice import pure_pixels
from s4c_lib.synthetic.radar_view import radar_scene, true_backscatter, true_coherence
from s4c_lib.synthetic.world import World, previous_pass

Floats = npt.NDArray[np.float32]
Step = Callable[[str], None]

_RED, _INFRARED = SURFACE_BANDS.index("B04"), SURFACE_BANDS.index("B08")
# A date shows a parcel when this share of its pixels is called clear.
CLEAR_SHARE = 0.9
_CLEAR = (SceneClass.DARK, SceneClass.VEGETATION, SceneClass.BARE, SceneClass.WATER)
_EXAMPLE_CLOUD = 0.4


@dataclass(slots=True)
class OpticalRecord:
    """NDVI of a season.

    Parameters
    ----------
    days : datetime64[D] (passes,).
    true : float32 (passes, parcels), of all parcels, from noise-free reflectance.
    observed : float32 (passes, chosen), mean over the parcel's pixels called clear; NaN where too few are.
    spoilt : bool (passes, chosen), cloud or shadow lies on more than a tenth of the parcel all the same.
    """

    days: npt.NDArray[np.datetime64]
    true: Floats
    observed: Floats
    spoilt: npt.NDArray[np.bool_]


@dataclass(slots=True)
class RadarRecord:
    """Backscatter and coherence of a season; the last axis is VV, VH.

    Parameters
    ----------
    days : datetime64[D] (passes,). ascending : bool (passes,).
    true, true_coherence : float32 (passes, parcels, 2), dB and magnitude; NaN without a pass before.
    observed, observed_coherence : float32 (passes, chosen, 2), from the images.
    """

    days: npt.NDArray[np.datetime64]
    ascending: npt.NDArray[np.bool_]
    true: Floats
    true_coherence: Floats
    observed: Floats
    observed_coherence: Floats


@dataclass(slots=True)
class Gallery:
    """Scenes kept.

    Parameters
    ----------
    clearest : of each month (its first day), with the position of its pass.
    mixed : the one with most to tell about clouds; None without a pass.
    """

    clearest: dict[date, tuple[int, OpticalScene]] = field(default_factory=dict)
    mixed: tuple[int, OpticalScene] | None = None


def observe_optical(world: World, chosen: list[int], step: Step) -> tuple[OpticalRecord, Gallery]:
    """Look from every optical pass."""
    traits = world.landscape.traits
    pixels = [pure_pixels(world.fine, parcel) for parcel in chosen]
    shape = (len(world.optical), len(chosen))
    record = OpticalRecord(
        np.array([flight.start.date() for flight in world.optical], dtype="datetime64[D]"),
        np.empty((len(world.optical), len(traits)), np.float32),
        np.full(shape, np.nan, np.float32),
        np.zeros(shape, bool),
    )
    gallery = Gallery()
    for number, flight in enumerate(world.optical):
        day = flight.start.date()
        curves = parcel_reflectance(traits, world.canopy, day, table_for(flight), (1.0,))[:, 0]
        record.true[number] = _ndvi(curves[:, _RED], curves[:, _INFRARED])
        scene = scene_of(world, number)
        ndvi = _ndvi(scene.bands["B04"], scene.bands["B08"]).ravel()
        called_clear = np.isin(scene.scene_class, _CLEAR).repeat(2, axis=0).repeat(2, axis=1).ravel()
        hidden = (scene.true_cloud | scene.true_shadow).ravel()
        for column, mine in enumerate(pixels):
            seen = mine[called_clear[mine]]
            if len(seen) and len(seen) >= CLEAR_SHARE * len(mine):
                record.observed[number, column] = ndvi[seen].mean()
                record.spoilt[number, column] = hidden[seen].mean() > 1 - CLEAR_SHARE
        _keep(gallery, number, day.replace(day=1), scene)
        step(f"{flight.platform} {day}")
    return record, gallery


def observe_radar(world: World, chosen: list[int], step: Step) -> RadarRecord:
    """Look from every radar pass."""
    parcels = len(world.landscape.traits)
    pixels = [pure_pixels(world.coarse, parcel) for parcel in chosen]
    count = len(world.radar)
    record = RadarRecord(
        np.array([flight.start.date() for flight in world.radar], dtype="datetime64[D]"),
        np.array([flight.direction == "ascending" for flight in world.radar], dtype=bool),
        *(np.full((count, size, 2), np.nan, np.float32) for size in (parcels, parcels, len(chosen), len(chosen))),
    )
    for number, flight in enumerate(world.radar):
        previous = previous_pass(world.radar, flight)
        record.true[number] = decibels(true_backscatter(world, flight)[:parcels])
        scene = radar_scene(world, flight, previous)
        power = scene.backscatter.reshape(-1, 2)
        for column, mine in enumerate(pixels):
            record.observed[number, column] = decibels(power[mine].mean(axis=0))
        if previous is not None and scene.coherence is not None:
            record.true_coherence[number] = true_coherence(world, flight, previous)[:parcels]
            estimate = scene.coherence.reshape(-1, 2)
            for column, mine in enumerate(pixels):
                record.observed_coherence[number, column] = estimate[mine].mean(axis=0)
        step(f"{flight.platform} {flight.start.date()}")
    return record


def decibels(power: Floats) -> Floats:
    """10 log10."""
    return np.asarray(10 * np.log10(power), dtype=np.float32)


def _ndvi(red: Floats, infrared: Floats) -> Floats:
    return np.asarray((infrared - red) / np.maximum(infrared + red, np.float32(1e-3)), dtype=np.float32)


def _keep(gallery: Gallery, number: int, month: date, scene: OpticalScene) -> None:
    if month not in gallery.clearest or _hidden(scene) < _hidden(gallery.clearest[month][1]):
        gallery.clearest[month] = number, scene
    if gallery.mixed is None or _interest(scene) > _interest(gallery.mixed[1]):
        gallery.mixed = number, scene


def _hidden(scene: OpticalScene) -> float:
    return float((scene.true_cloud | scene.true_shadow).mean())


def _interest(scene: OpticalScene) -> float:
    """How well a scene shows clouds and their classification: some cloud, much shadow."""
    return float(scene.true_shadow.mean()) - abs(float(scene.true_cloud.mean()) - _EXAMPLE_CLOUD)
