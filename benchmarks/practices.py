"""L4C on matrices in memory: the decision core for every practice; parcels a second, growth and memory.

Run: ``python benchmarks/practices.py [--parcels 40000] [--images 60] [--sample 200] [--json]``

A season of fourteen months and four orbits, tillage included, from a tenth of the parcels to all of them. The peers are
what one would first write, one parcel after the other in Python, on a sample (its results must be the same), and the
figure measured for Sen4CAP's own core on this class of machine (l4c-practices.md section 20).
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import date
from typing import Any

from measuring import peak_mb
from practices_loop import Parcel, Rules, decide_parcel
from practices_season import observations_of, season

from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.parcels.l4c_configuration import read_l4c_configuration
from s4c_lib.parcels.l4c_presets import preset_text
from s4c_lib.practices.decision import decide
from s4c_lib.practices.decisions import Decisions
from s4c_lib.practices.product_tables import MadeOf, result_table
from s4c_lib.practices.rows import PracticeRows
from s4c_lib.practices.sen4cap_table import sen4cap_table
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.statistics.matrices import Key, Series

SEN4CAP_PER_S = 1006
LEAST_PER_S, LIMIT_MB = 20_000, 4000
COUNTRIES = {"CC": "NLD", "FL": "CZE", "NFC": "ROU", "NA": "NLD"}
LAST, START = date(2019, 12, 28), date(2019, 1, 1)


def settings_of(profile: str, practice: str) -> PracticeSettings:
    """Settings of a profile with the thresholds of a country."""
    values = resolve(Layers(season={"profile": profile}), phase="current").values
    country = COUNTRIES[practice]
    found, report = read_l4c_configuration(
        preset_text(country).encode(), f"{country}.cfg", year=2019, country=country, practices=practice
    )
    if found is None:
        raise SystemExit(f"{country}: {report.findings}")
    return PracticeSettings.of(values, found, practice)


def run(series: dict[Key, Series], rows: PracticeRows, told: PracticeSettings) -> tuple[Decisions, float, float]:
    """What was decided, CPU and wall seconds."""
    before, begun = time.process_time(), time.perf_counter()
    found = decide(series, rows, told, as_of=LAST, gap_limit=LAST, tillage=True, season_start=START)
    return found, time.process_time() - before, time.perf_counter() - begun


def loop(series: dict[Key, Series], rows: PracticeRows, told: PracticeSettings, sample: int) -> float:
    """CPU seconds of the plain version on the first parcels; its results are the same.

    Raises
    ------
    SystemExit : they are not.
    """
    rules = Rules(told.practice, told.thresholds, told.repairs, 2019, LAST, True, told.min_pooled, season_start=START)
    rows = rows.of(slice(0, sample))
    parcels = []
    for number in range(sample):
        lists = observations_of(series, number)
        parcels.append(
            Parcel(
                lists["vv"], lists["vh"], lists["coherence_vv"], lists["ndvi"], rows.veg_start[number].tolist(),
                rows.h_start[number].tolist(), rows.h_end[number].tolist(), rows.practice[number], rows.p_type[number],
                rows.p_start[number].tolist(), rows.p_end[number].tolist(), int(rows.s1_pix[number]),
            )
        )  # fmt: skip
    before = time.process_time()
    plain = [decide_parcel(parcel, rules).row for parcel in parcels]
    seconds = time.process_time() - before
    results = result_table(run(series, rows, told)[0], rows, MadeOf(LAST))
    fast = sen4cap_table(results, tillage=True).to_pylist()
    for number, (slow, own) in enumerate(zip(plain, fast, strict=True), 1):
        different = {name: (own[name], text) for name, text in slow.items() if own[name] != text}
        if different:
            raise SystemExit(f"parcel {number} of {told.practice}: {different}")
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=40_000)
    parser.add_argument("--images", type=int, default=60, help="days with NDVI")
    parser.add_argument("--sample", type=int, default=200, help="parcels of the plain version, by practice")
    parser.add_argument("--json", action="store_true", help="last line is one JSON object")
    options = parser.parse_args()
    figures: dict[str, Any] = {"parcels": options.parcels, "images": options.images, "orbits": 4}
    total = slow = 0.0
    for practice, country in COUNTRIES.items():
        cpu_of: dict[str, list[float]] = {"reference": [], "default": []}
        for parcels in (max(options.parcels // 10, options.sample), options.parcels):
            series, rows = season(parcels, 1, practice, country, images=options.images)
            matrices = peak_mb()
            for profile, cpu_s in cpu_of.items():
                told = settings_of(profile, practice)
                run(series, rows.of(slice(0, 10)), told)  # compiles
                found, cpu, wall = run(series, rows, told)
                cpu_s.append(cpu)
                print(
                    f"{practice:3} {profile:9} {parcels:7} parcels {cpu:6.2f} s CPU {wall:6.2f} s, "
                    f"{parcels / cpu:7.0f} a second; {len(found.weekly)} weeks, {peak_mb():.0f} MB, "
                    f"of which matrices {matrices:.0f}"
                )
            if len(cpu_of["default"]) == 1:
                slow += loop(series, rows, settings_of("reference", practice), options.sample)
        total += cpu_of["default"][-1]
        for profile, cpu_s in cpu_of.items():
            figures[f"{practice}_{profile}_cpu_s"] = round(cpu_s[-1], 2)
            figures[f"{practice}_{profile}_growth"] = round(cpu_s[-1] / max(cpu_s[0], 0.001), 1)
    rate = len(COUNTRIES) * options.parcels / total
    plain = len(COUNTRIES) * options.sample / slow
    figures |= {
        "parcels_per_cpu_s": round(rate),
        "least_per_s": LEAST_PER_S,
        "plain_per_s": round(plain),
        "ratio_plain": round(rate / plain, 1),
        "ratio_sen4cap": round(rate / SEN4CAP_PER_S, 1),
        "peak_mb": round(peak_mb()),
        "limit_mb": LIMIT_MB,
    }
    print(
        f"{rate:.0f} parcels a second of CPU; {figures['ratio_plain']} times the plain version ({plain:.0f}), "
        f"{figures['ratio_sen4cap']} times Sen4CAP's core ({SEN4CAP_PER_S})"
    )
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
