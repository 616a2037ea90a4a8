"""Synthetic Sentinel-1: seconds and memory of one pass, as images and for a country of parcels without images.

Run: ``python benchmarks/synthetic_radar.py [--parcels 1000000]``
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar

import numpy as np
from measuring import peak_mb

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.canopy import Canopy, Weather
from s4c_lib.synthetic.crops import CROPS, ParcelTraits
from s4c_lib.synthetic.passes import RadarPass
from s4c_lib.synthetic.pixel_fractions import PixelFractions
from s4c_lib.synthetic.radar.backscatter import contributions
from s4c_lib.synthetic.radar.coherence import NOISE, parcel_coherence
from s4c_lib.synthetic.radar.conditions import radar_character
from s4c_lib.synthetic.radar.images import backscatter_image, coherence_image, field_texture
from s4c_lib.synthetic.radar.level2 import RadarScene, parity_files, tile_files
from s4c_lib.synthetic.radar.speckle import CELL_LOOKS
from s4c_lib.synthetic.radar.statistics import coherence_moments, observed_backscatter, observed_coherence

DAYS = 10
FIRST = date(2021, 5, 1)
GRID = PixelGrid(32631, 652320, 5697660, 20, 255, 255)
Result = TypeVar("Result")


def measured(name: str, work: Callable[[], Result]) -> tuple[float, Result]:
    """Print best seconds of three and peak memory of numpy (a run of its own, as tracing slows it)."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - started)
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(f"{name:60s} {min(seconds):7.3f} s {peak:7.0f} MB")
    return min(seconds), result


def flight_on(day: int) -> RadarPass:
    """An ascending pass."""
    return RadarPass(datetime(2021, 5, day, 17, 24), "S1A", 88, 37000, "ascending", 38.0, 78.0)


def country(parcels: int) -> tuple[ParcelTraits, Canopy, Weather]:
    """Parcels of all crops with any canopy."""
    rng = np.random.default_rng(1)

    def daily(high: float) -> np.ndarray:
        return rng.uniform(0, high, (parcels, 1)).astype(np.float32) * np.ones(DAYS, np.float32)

    crop = rng.integers(0, len(CROPS), parcels).astype(np.int16)
    small, one = np.zeros(parcels, np.int8), np.ones(parcels, np.float32)
    angle = rng.uniform(0, 180, parcels).astype(np.float32)
    traits = ParcelTraits(np.arange(parcels) + 1, crop, crop, small, small, small, one, angle, one)
    lai, water, wetness, rest = daily(5), daily(4), daily(1), daily(0.5)
    nothing = np.zeros((parcels, DAYS), np.float32)
    canopy = Canopy(FIRST, lai, rest, lai, lai, water, wetness, wetness, rest, rest, nothing)
    flat = np.ones(DAYS, np.float32)
    return traits, canopy, Weather(FIRST, 12 * flat, flat, 0.2 * flat, 0 * flat, flat < 0)


def sampled(sigma0: np.ndarray, pixels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """What `observed_backscatter` draws, by sampling every pixel (without correlation)."""
    starts = np.concatenate([[0], np.cumsum(pixels)[:-1]])
    owner = np.repeat(np.arange(len(pixels)), pixels)
    looks = rng.standard_gamma(CELL_LOOKS, (len(owner), 2), dtype=np.float32) / np.float32(CELL_LOOKS)
    noise = np.float32(NOISE)
    values = 10 * np.log10(np.maximum((sigma0 + noise)[owner] * looks - noise, 1e-6))
    mean = np.add.reduceat(values, starts) / pixels[:, None]
    std = np.sqrt(np.add.reduceat((values - mean[owner]) ** 2, starts) / np.maximum(pixels - 1, 1)[:, None])
    return mean, std, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def images() -> None:
    """One pass of the default window: 2 polarisations, backscatter and coherence, for 2 tiles."""
    rng = np.random.default_rng(1)
    objects = np.repeat(np.repeat(np.arange(51 * 51).reshape(51, 51), 5, 0), 5, 1).ravel().astype(np.int32)
    shares = np.ones(objects.size, np.float32)
    fractions = PixelFractions(GRID, np.arange(objects.size + 1), objects, shares)
    sigma0 = (10 ** (rng.uniform([-13, -20], [-8, -14], (51 * 51, 2)) / 10)).astype(np.float32)
    gamma = rng.uniform(0.1, 0.8, sigma0.shape).astype(np.float32)
    texture = field_texture(GRID, rng)

    def scene() -> RadarScene:
        backscatter = backscatter_image(fractions, sigma0, rng, texture)
        coherence = coherence_image(fractions, gamma, sigma0, sigma0, rng)
        return RadarScene(GRID, flight_on(8), backscatter, flight_on(2), coherence)

    composed, made = measured("images of a pass, 255 x 255", scene)
    encoded, _ = measured(
        "default files, 2 tiles", lambda: [tile_files(made, name, GRID) for name in ("31UFS", "31UFT")]
    )
    measured("parity files", lambda: parity_files(made, 1))
    print(f"a pass: {composed + encoded:.2f} s; limit 1 s")


def parcels_only(count: int) -> None:
    """One pass over many parcels, and its noise by moments against pixels."""
    traits, canopy, weather = country(count)
    character = radar_character(1, count)
    now, before = flight_on(8), flight_on(2)
    physics, parts = measured(
        f"backscatter and coherence of {count:,} parcels",
        lambda: [contributions(traits, canopy, weather, flight, character) for flight in (before, now)],
    )
    pairs, gamma = measured(
        "  coherence, with the parts at hand",
        lambda: parcel_coherence(traits, canopy, weather, now, before, character, parts=(parts[0], parts[1])),
    )
    print(f"a pass (the previous one's parts kept): {physics / 2 + pairs:.2f} s; limit about 1 s for a million")
    coherence_moments()
    pixels = np.random.default_rng(1).geometric(1 / 50, count).astype(np.int32)
    rng = np.random.default_rng(2)
    fast, drawn = measured(
        "statistics of backscatter by moments", lambda: observed_backscatter(parts[1].total, pixels, rng)
    )
    measured("statistics of coherence by moments", lambda: observed_coherence(gamma, pixels, rng))
    some = slice(0, max(count // 20, 1))
    slow, plain = measured(
        "statistics of backscatter by pixels (a twentieth)",
        lambda: sampled(parts[1].total[some], pixels[some], np.random.default_rng(2)),
    )
    print(f"moments are {slow * 20 / fast:.0f} times faster than sampling {pixels.mean():.0f} pixels a parcel")
    print(f"mean of both, dB: {drawn.mean[some].mean(axis=0)} {plain[0].mean(axis=0)}")


def main() -> None:
    """Print one line for each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=1_000_000)
    arguments = parser.parse_args()
    images()
    parcels_only(arguments.parcels)
    print(f"peak memory of the process: {peak_mb():.0f} MB")


if __name__ == "__main__":
    main()
