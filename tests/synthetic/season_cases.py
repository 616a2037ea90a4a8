"""The default season as its sensors see it: parcel means over inner pixels, beside the truth of the same days.

No file is written: the functions that make the products give the images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.crops import CROPS, Growth
from s4c_lib.synthetic.optical.image import make_scene
from s4c_lib.synthetic.optical_view import surface_of
from s4c_lib.synthetic.pixel_fractions import PixelFractions
from s4c_lib.synthetic.radar.conditions import state_index
from s4c_lib.synthetic.radar_view import radar_scene
from s4c_lib.synthetic.world import World, previous_pass
from s4c_lib.vegetation.networks import Network, load_network, model_of

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]

INNER_SHARE = 0.99
# Pixels that make a parcel mean: fewer show speckle and noise rather than the parcel.
OPTICAL_PIXELS, RADAR_PIXELS = 10, 20
VEGETATION, BARE = 4, 5
NETWORK_SETS = ("sl2p_v3_20m", "s4c")


@dataclass(frozen=True)
class InnerPixels:
    """Pixels that lie in one parcel, and means over them.

    Parameters
    ----------
    pixel, parcel : (pixels,), flat number of the pixel, and position of its parcel.
    """

    pixel: npt.NDArray[np.int64]
    parcel: npt.NDArray[np.int32]
    parcels: int

    @classmethod
    def of(cls, fractions: PixelFractions, parcels: int) -> InnerPixels:
        """Pixels with more than `INNER_SHARE` in a parcel."""
        inner = (fractions.shares > INNER_SHARE) & (fractions.objects < parcels)
        return cls(fractions.pixels[inner], fractions.objects[inner], parcels)

    def means(self, values: Floats, least: int, among: Flags | None = None) -> Floats:
        """Mean of an image over each parcel (parcels,); NaN with fewer than ``least`` pixels or half of them."""
        here = values.ravel()[self.pixel].astype(np.float64)
        weight = np.ones(len(here)) if among is None else among.ravel()[self.pixel].astype(np.float64)
        total = np.bincount(self.parcel, minlength=self.parcels)
        count = np.bincount(self.parcel, weight, minlength=self.parcels)
        sums = np.bincount(self.parcel, weight * here, minlength=self.parcels)
        enough = (count >= least) & (count >= 0.5 * total)
        return np.divide(sums, count, out=np.full(self.parcels, np.nan), where=enough)


@dataclass(frozen=True)
class OpticalSeason:
    """What Sentinel-2 shows; arrays are (passes, parcels), NaN where a parcel is not clear, or too small.

    Parameters
    ----------
    day : (passes,), column of the canopy. cloud_share : (passes,).
    lai : by network set, mean LAI of the parcel's 20 m pixels without sky and noise (clouds do not matter).
    factor : mean leaf factor of those pixels: the parcel's true LAI times this is what lies in them.
    pixels : by network set, (true LAI, LAI of the network) of the single inner pixels of all passes.
    """

    dates: list[date]
    day: npt.NDArray[np.int64]
    cloud_share: Floats
    ndvi: Floats
    lai: dict[str, Floats]
    factor: Floats
    pixels: dict[str, tuple[Floats, Floats]]


@dataclass(frozen=True)
class RadarSeason:
    """What Sentinel-1 shows; arrays are (passes, parcels), NaN where a parcel is too small, dB and coherence.

    Parameters
    ----------
    day : (passes,), column of the canopy that the pass sees; ``previous`` : that of the pass before, -1 for none.
    """

    dates: list[date]
    orbit: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    previous: npt.NDArray[np.int64]
    vv: Floats
    vh: Floats
    coherence_vv: Floats
    coherence_vh: Floats


def optical_season(world: World) -> OpticalSeason:
    """Look at the world from every pass of Sentinel-2."""
    parcels = len(world.landscape.shapes)
    fine, coarse = InnerPixels.of(world.fine, parcels), InnerPixels.of(world.coarse, parcels)
    days, shares, ndvi, factors = [], [], [], []
    lai: dict[str, list[Floats]] = {name: [] for name in NETWORK_SETS}
    truth: list[Floats] = []
    singles: dict[str, list[Floats]] = {name: [] for name in NETWORK_SETS}
    for number, flight in enumerate(world.optical):
        surface = surface_of(world, number)
        scene = make_scene(world.fine, parcels, surface, world.weather, flight, world.sky[number], world.options.seed)
        day = world.canopy.index(flight.start.date())
        classes = scene.scene_class.repeat(2, axis=0).repeat(2, axis=1)
        clear = np.isin(classes, (VEGETATION, BARE)) & ~scene.true_cloud & ~scene.true_shadow
        red, infrared = scene.bands["B04"], scene.bands["B08"]
        ndvi.append(fine.means((infrared - red) / (infrared + red), OPTICAL_PIXELS, clear))
        days.append(day)
        shares.append(float(scene.true_cloud.mean()))
        factor = _mean2(world.texture.leaf_factor(flight.start.toordinal()))
        factors.append(coarse.means(factor, 4))
        truth.append(world.canopy.green_lai[coarse.parcel, day] * factor.ravel()[coarse.pixel])
        for name in NETWORK_SETS:
            network = load_network(model_of(name, "S2A"), "lai")
            values = _network_values(network, surface, world, number)
            lai[name].append(coarse.means(values, 4))
            singles[name].append(values.ravel()[coarse.pixel])
    return OpticalSeason(
        [flight.start.date() for flight in world.optical],
        np.array(days),
        np.array(shares),
        np.array(ndvi),
        {name: np.array(values) for name, values in lai.items()},
        np.array(factors),
        {name: (np.concatenate(truth), np.concatenate(values)) for name, values in singles.items()},
    )


def _network_values(network: Network, surface: dict[str, Floats], world: World, number: int) -> Floats:
    flight = world.optical[number]
    cosines = {
        "cos_vza": np.cos(np.radians(flight.view_zenith)),
        "cos_sza": np.cos(np.radians(flight.sun_zenith)),
        "cos_raa": np.cos(np.radians(flight.sun_azimuth - flight.view_azimuth)),
    }
    shape = world.coarse.grid.shape
    bands = [surface[name] if surface[name].shape == shape else _mean2(surface[name]) for name in network.bands]
    angles = [np.full(shape, value, np.float32) for value in cosines.values()]
    return network.evaluate(np.stack([*bands, *angles]).astype(np.float32))


def radar_season(world: World) -> RadarSeason:
    """Look at the world from every pass of Sentinel-1."""
    inner = InnerPixels.of(world.coarse, len(world.landscape.shapes))
    none = np.full(inner.parcels, np.nan)
    columns: dict[str, list[Floats]] = {name: [] for name in ("vv", "vh", "coherence_vv", "coherence_vh")}
    previous_days = []
    for flight in world.radar:
        previous = previous_pass(world.radar, flight)
        scene = radar_scene(world, flight, previous)
        for band, name in enumerate(("vv", "vh")):
            columns[name].append(10 * np.log10(inner.means(scene.backscatter[..., band], RADAR_PIXELS)))
            image = scene.coherence
            columns[f"coherence_{name}"].append(none if image is None else inner.means(image[..., band], RADAR_PIXELS))
        previous_days.append(-1 if previous is None else state_index(world.canopy, previous))
    return RadarSeason(
        [flight.start.date() for flight in world.radar],
        np.array([flight.relative_orbit for flight in world.radar]),
        np.array([state_index(world.canopy, flight) for flight in world.radar]),
        np.array(previous_days),
        *(np.array(values) for values in columns.values()),
    )


def is_growth(world: World, *growths: Growth) -> Flags:
    """Parcels with one of these canopies (parcels,)."""
    kinds = np.array([crop.growth in growths for crop in CROPS])
    return np.asarray(kinds[world.landscape.traits.crop])


def days_since(world: World, *events: str) -> npt.NDArray[np.int64]:
    """Days since the last of these events, (parcels, days) as the canopy; 9999 before the first."""
    table = world.events
    names = np.asarray(table.column("event").to_numpy(zero_copy_only=False), dtype=str)
    keep = np.isin(names, events)
    position = {int(number): place for place, number in enumerate(world.landscape.traits.parcel_id)}
    result = np.full(world.canopy.green_lai.shape, 9999, dtype=np.int64)
    columns = np.arange(world.canopy.days)
    rows = zip(
        table.column("parcel_id").to_numpy()[keep],
        table.column("date").to_numpy()[keep].astype("datetime64[D]"),
        strict=True,
    )
    for parcel, when in rows:
        since = columns - (when - np.datetime64(world.canopy.first_day, "D")).astype(int)
        row = result[position[int(parcel)]]
        np.minimum(row, np.where(since >= 0, since, 9999), out=row)
    return result


def network_table(world: World, season: OpticalSeason) -> list[str]:
    """Rows of a Markdown table: error of the networks by crop, parcel means of all passes.

    "With dead leaves" is where those outweigh three tenths of the green ones by a tenth: ripe, or just cut.
    """
    green, brown = (state[:, season.day].T for state in (world.canopy.green_lai, world.canopy.brown_lai))
    truth = green * season.factor
    with_dead = brown > 0.3 * green + 0.1
    rows = [
        "| crop | stage | parcel dates | mean LAI | SL2P V3 rmse | bias | s4c rmse | bias |",
        "|---|---|---|---|---|---|---|---|",
    ]
    everything = np.ones(truth.shape, dtype=bool)
    groups: list[tuple[str, str, Flags]] = [
        *(
            (growth.value.replace("_", " "), stage, np.broadcast_to(is_growth(world, growth), truth.shape) & among)
            for growth in Growth
            for stage, among in (("green", ~with_dead), ("with dead leaves", with_dead))
        ),
        ("all", "green", ~with_dead),
        ("all", "with dead leaves", with_dead),
        ("all", "LAI below 3", truth < 3),
        ("all", "LAI 3 to 6", (truth >= 3) & (truth <= 6)),
        ("all", "all", everything),
    ]
    for crop, stage, among in groups:
        here = among & np.isfinite(truth)
        if not here.any():
            continue
        errors = [(season.lai[name] - truth)[here] for name in NETWORK_SETS]
        numbers = " | ".join(f"{rmse(error):.2f} | {error.mean():+.2f}" for error in errors)
        rows.append(f"| {crop} | {stage} | {here.sum()} | {truth[here].mean():.2f} | {numbers} |")
    return rows


def rmse(errors: Floats) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(errors, dtype=np.float64))))


def hashes(folder: Path) -> dict[str, str]:
    """Digest of each file below a folder, by its path from there."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files_of(folder)}


def files_of(folder: Path) -> Iterator[Path]:
    """Files below a folder, in order."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _mean2(image: Floats) -> Floats:
    rows, columns = image.shape
    return np.asarray(image.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3)), dtype=np.float32)
