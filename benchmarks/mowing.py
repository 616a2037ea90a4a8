"""L4B on matrices in memory: candidates of both missions, fusion, selection, compliance; seconds and memory.

Run: ``python benchmarks/mowing.py [--parcels 1000000] [--optical 60] [--radar 15] [--sample 300] [--json]``

Both profiles, from a hundredth of the parcels to all of them. The peer is what one would first write, one parcel after
the other in Python, on a sample and in the profile ``reference``; its seconds are scaled, its events must be the same.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import date
from typing import Any

import numpy as np
from measuring import peak_mb
from mowing_loop import mow_parcel

from s4c_lib.mowing.detection import Mowing, MowingParcels, detect
from s4c_lib.mowing.events import MISSION_NAMES, Mission
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.parcels.l4b_configuration import L4bConfiguration
from s4c_lib.parcels.l4b_configuration_compliance import MowingPeriod
from s4c_lib.statistics.matrices import Key, Series

LIMIT_S, LIMIT_MB = 20.0, 4000
FIRST, LAST = date(2021, 3, 1), date(2021, 10, 31)
ORBITS = {8: "descending", 37: "descending", 88: "ascending", 161: "ascending"}
START = np.datetime64("2021-03-02T10:40:00", "s")
DAY = np.timedelta64(1, "D")
SEASON_DAYS = 230
_AT_ONCE = 20_000
PERIOD = MowingPeriod("A", date(2021, 4, 1), date(2021, 7, 31), 1)


def meadows(parcels: int, optical: int, radar: int) -> dict[Key, Series]:
    """Meadows mown one to four times: NDVI falls and comes back in 30 days, coherence rises and falls in 15.

    Clouds hide two fifths of the optical observations and spoil one in fifty; one pair in thirty is missing.
    """
    days = np.linspace(0, SEASON_DAYS - 1, optical).astype(int)
    found: dict[Key, Series] = {("ndvi", None): _empty("ndvi", None, None, START + days * DAY, parcels)}
    for number, (orbit, direction) in enumerate(ORBITS.items()):
        step = SEASON_DAYS // radar
        day = number * 3 + step * np.arange(radar)
        time_of = START - np.timedelta64(5 if direction == "descending" else -7, "h") + day * DAY
        found["coherence_vh", orbit] = _empty("coherence_vh", orbit, direction, time_of, parcels)
    for begin in range(0, parcels, _AT_ONCE):
        rng = np.random.default_rng([1, begin])
        rows = slice(begin, min(begin + _AT_ONCE, parcels))
        count = rows.stop - begin
        mown = np.sort(rng.integers(40, 225, (count, 4)), axis=1).astype(float)
        mown[rng.random(mown.shape) < 0.35] = np.inf
        for series in found.values():
            at = (series.time - START) / DAY
            since = at[None, None, :] - mown[:, :, None]
            shape = count, len(at)
            if series.orbit is None:
                low = np.where(since >= 0, 0.38 * np.exp(-since / 30), 0).max(axis=1)
                mean = 0.84 - low + rng.normal(0, 0.02, shape)
                spoilt = rng.random(shape) < 0.02
                mean = np.where(spoilt, mean * rng.uniform(0.2, 0.8, shape), mean)
                mean[rng.random(shape) < 0.4] = np.nan
                pixels = rng.integers(20, 600, (count, 1))
            else:
                high = np.where(since >= 6, 0.35 * np.exp(-np.maximum(since - 6, 0) / 15), 0).max(axis=1)
                mean = 0.3 + high + rng.normal(0, 0.03, shape)
                mean[rng.random(shape) < 1 / 30] = np.nan
                pixels = rng.integers(5, 150, (count, 1))
            series.mean[rows] = mean
            series.n_total[rows] = np.where(np.isnan(mean), 0, pixels)
            series.n[rows] = series.n_total[rows]
    return found


def _empty(variable: str, orbit: int | None, direction: str | None, time_of: Any, parcels: int) -> Series:
    shape = parcels, len(time_of)
    previous = np.full(len(time_of), np.datetime64("NaT"), "datetime64[s]")
    if orbit is not None:
        previous = np.concatenate([time_of[:1] - (time_of[1] - time_of[0]), time_of[:-1]])
    return Series(
        variable,
        orbit,
        direction,
        time_of.astype("datetime64[s]"),
        previous.astype("datetime64[s]"),
        np.full(len(time_of), "sentinel-2a" if orbit is None else "sentinel-1a"),
        np.arange(1, parcels + 1),
        np.empty(shape, np.float32),
        np.zeros(shape, np.float32),
        np.empty(shape, np.int32),
        np.empty(shape, np.int32),
    )


def settings_of(profile: str) -> MowingSettings:
    """What a profile says, with compliance."""
    values = resolve(Layers(season={"profile": profile}), phase="current").values
    return MowingSettings.of(values, L4bConfiguration(2021, compliance=(PERIOD,)))


def run(series: dict[Key, Series], parcels: int, told: MowingSettings) -> tuple[Mowing, float, float]:
    """What was found, CPU and wall seconds."""
    crop = np.where(np.arange(parcels) % 3 == 0, "B", "A")
    before, begun = time.process_time(), time.perf_counter()
    found = detect(series, MowingParcels(np.arange(1, parcels + 1), crop), told, FIRST, LAST)
    return found, time.process_time() - before, time.perf_counter() - begun


def loop(series: dict[Key, Series], sample: int, told: MowingSettings, found: Mowing) -> float:
    """CPU seconds of the peer on the first parcels; its events are the same.

    Raises
    ------
    SystemExit : they are not.
    """
    orbits = [one for (_, orbit), one in series.items() if orbit is not None]
    before = time.process_time()
    events = [mow_parcel(parcel, series["ndvi", None], orbits, told) for parcel in range(sample)]
    seconds = time.process_time() - before
    for parcel, slow in enumerate(events):
        own = found.events.take(np.flatnonzero(found.events.parcel == parcel))
        ends = (own.end - np.datetime64(0, "s")) / DAY
        missions = [MISSION_NAMES[Mission(int(bits))] for bits in own.missions]
        fast = list(zip(own.confidence.round(3).tolist(), ends.round(3).tolist(), missions, strict=True))
        if fast != [(one[0], round(one[2], 3), one[3]) for one in slow]:
            raise SystemExit(f"parcel {parcel}: {fast}, one parcel after the other: {slow}")
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--optical", type=int, default=60, help="optical dates")
    parser.add_argument("--radar", type=int, default=15, help="pairs of each of four orbits")
    parser.add_argument("--sample", type=int, default=300, help="parcels of the peer")
    parser.add_argument("--json", action="store_true", help="last line is one JSON object")
    options = parser.parse_args()
    told = {profile: settings_of(profile) for profile in ("reference", "default")}
    small = meadows(max(options.sample, 100), options.optical, options.radar)
    for one in told.values():
        run(small, max(options.sample, 100), one)  # compiles
    figures: dict[str, Any] = {"parcels": options.parcels, "optical": options.optical, "radar": options.radar * 4}
    sizes = sorted({max(options.parcels // 100, 1), max(options.parcels // 10, 1), options.parcels})
    for parcels in sizes:
        series = meadows(parcels, options.optical, options.radar)
        matrices = peak_mb()
        for profile, one in told.items():
            found, cpu, wall = run(series, parcels, one)
            print(
                f"{profile:9} {parcels:8} parcels {cpu:7.2f} s CPU {wall:7.2f} s; {len(found.events)} events, "
                f"{peak_mb():.0f} MB, of which matrices {matrices:.0f}"
            )
            figures[f"{profile}_{parcels}_cpu_s"] = round(cpu, 2)
            if parcels == options.parcels:
                figures |= {f"{profile}_wall_s": round(wall, 2), f"{profile}_events": len(found.events)}
                figures |= {f"{profile}_growth": round(cpu / max(figures[f"{profile}_{sizes[0]}_cpu_s"], 0.01), 1)}
            if profile == "reference" and parcels == sizes[0]:
                sample = min(options.sample, parcels)
                slow = loop(series, sample, one, found) / sample
                figures["loop_ms_a_parcel"] = round(1000 * slow, 3)
            del found
        del series
    figures |= {"limit_s": LIMIT_S, "peak_mb": round(peak_mb()), "limit_mb": LIMIT_MB}
    fast = figures[f"reference_{options.parcels}_cpu_s"] / options.parcels
    figures["ratio_loop"] = round(figures["loop_ms_a_parcel"] / 1000 / fast, 1)
    print(
        f"one parcel after the other {figures['loop_ms_a_parcel']} ms a parcel: {figures['ratio_loop']} times as long"
    )
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
