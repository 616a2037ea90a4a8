"""Crop diversification of a country: seconds and memory, against a loop over holdings.

Run: ``python benchmarks/diversification.py [--parcels 1000000] [--holdings 100000] [--json]``

The peer is what one would first write: pandas groups the parcels, and plain Python adds up and judges holding after
holding, here without any text. Both must agree on every holding.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from measuring import highest_memory, spent

from s4c_lib.crop_type.diversification import diversify
from s4c_lib.crop_type.diversification_parcels import DiversificationSettings, HoldingParcels
from s4c_lib.parcels.crop_lut import CropLut, read_crop_lut

LIMIT_S, LIMIT_MB = 30.0, 4000
KINDS = ("10000", "10000", "10000", "10000", "10000", "01000", "00100", "00010")


def crop_table() -> CropLut:
    """Forty crops; of eight, one is temporary grass, one fallow and one rice."""
    lines = ["Ori_crop;CTnum;CT;LC;CTnumL4A;CTL4A;CTnumDIV;CTDIV;EAA;AL;PGrass;TGrass;Fallow;Cwater"]
    for number in range(1, 41):
        kind = KINDS[number % len(KINDS)]
        grass, fallow, rice = kind[1], kind[2], kind[3]
        lines.append(
            f"{number};{number};c{number};1;{number};c{number};{number};c{number};1;1;0;{grass};{fallow};{rice}"
        )
    lut, _ = read_crop_lut("\n".join(lines).encode(), "lut.csv")
    if lut is None:
        raise SystemExit("the crop table of the benchmark is refused")
    return lut


def country(parcels: int, holdings: int, lut: CropLut) -> HoldingParcels:
    """Parcels of 0.1 to 12 ha; a fifth is not confirmed."""
    rng = np.random.default_rng(7)
    crop = rng.integers(0, len(lut), parcels)
    declared = lut.ctnuml4a[crop].astype(np.int64)
    wrong = rng.random(parcels) < 0.2
    return HoldingParcels(
        new_id=np.arange(1, parcels + 1),
        holding=rng.integers(1, holdings + 1, parcels),
        area_m2=np.round(rng.gamma(1.2, 15_000, parcels) + 1000, 2),
        geom_valid=np.ones(parcels, np.bool_),
        duplic=np.zeros(parcels, np.bool_),
        overlap=np.zeros(parcels, np.bool_),
        s2_pix=np.full(parcels, 40),
        s1_pix=np.full(parcels, 10),
        lc=np.ones(parcels, np.int64),
        crop=crop,
        ct_decl=declared,
        ct_pred_1=np.where(wrong, 99, declared),
        ct_conf_1=np.round(rng.random(parcels), 3),
        ct_pred_2=np.full(parcels, 98),
        ct_conf_2=np.zeros(parcels),
    )


def by_loop(parcels: HoldingParcels, lut: CropLut) -> list[tuple[int, str, str]]:
    """Rule set eu_2018, written as the specification reads."""
    import pandas as pd

    frame = pd.DataFrame(
        {
            "holding": parcels.holding,
            "area": np.rint(parcels.area_m2 * 100).astype(np.int64),
            "known": parcels.ct_pred_1 == parcels.ct_decl,
            "crop": lut.ctnumdiv[parcels.crop],
            "grass": lut.tgrass[parcels.crop],
            "fallow": lut.fallow[parcels.crop],
            "rice": lut.cwater[parcels.crop],
        }
    )
    return [(int(number), *judged(group)) for number, group in frame.groupby("holding")]


def judged(group: Any) -> tuple[str, str]:
    """Category and diagnosis of one holding, all of whose land is arable; areas in hundredths of a square metre."""
    ha = 1_000_000
    crops: dict[int, int] = {}
    rest: dict[int, int] = {}
    a = t = w = u = number = 0
    for area, known, crop, grass, fallow, rice in zip(
        group["area"].tolist(), group["known"].tolist(), group["crop"].tolist(), group["grass"].tolist(),
        group["fallow"].tolist(), group["rice"].tolist(), strict=True,
    ):  # fmt: skip
        if not known:
            u, number = u + area, number + 1
            continue
        a += area
        crops[crop] = crops.get(crop, 0) + area
        if grass or fallow:
            t += area
        if rice:
            w += area
        if not (grass or fallow or rice):
            rest[crop] = rest.get(crop, 0) + area
    temporary = sum(
        area
        for area, known, grass in zip(group["area"], group["known"], group["grass"], strict=True)
        if known and grass
    )
    x, g, h = a + u, t + w, temporary + w
    if x < 10 * ha:
        return "Exemption1", "Not_required"
    if t * 100 > 75 * x:
        return "Exemption2", "Not_required"
    if h * 100 > 75 * x:
        return "Exemption3", "Not_required"
    if u == 0 and w == a:
        return "Exemption4", "Not_required"
    possible = u > 0 and (
        a < 10 * ha
        or t * 100 > 75 * a
        or (t + u) * 100 > 75 * x
        or h * 100 > 75 * a
        or (h + u) * 100 > 75 * x
        or w == a
    )
    size = "1" if x <= 30 * ha else "2" if a > 30 * ha else "1_or_2"
    if g * 100 > 75 * x:
        suffix = "3"
    elif (g + u) * 100 <= 75 * x:
        suffix = size
    else:
        suffix = "1_2_or_3" if size == "1_or_2" else f"{size}_or_3"
    main = [*sorted(crops.values(), reverse=True), 0, 0]
    n, m1, m2, m3 = len(crops), main[0], main[1], max(rest.values(), default=0)
    tests = {
        "1": (n >= 2 and (m1 + u) * 100 <= 75 * x, n + number < 2 or m1 * 100 > 75 * x),
        "2": (
            n >= 3 and (m1 + u) * 100 <= 75 * x and (m1 + m2 + u) * 100 <= 95 * x,
            n + number < 3 or m1 * 100 > 75 * x or (m1 + m2) * 100 > 95 * x,
        ),
        "3": ((m3 + u) * 100 <= 75 * (a - g + u), m3 * 100 > 75 * (a - g + u)),
    }
    named = [tests[part] for part in suffix.replace("_or", "").split("_")]
    label = ("Exemption_or_" if possible else "") + f"Category{suffix}"
    if all(met for met, _ in named):
        return label, "Compliant"
    return label, "Not_compliant" if not possible and all(failed for _, failed in named) else "Missing_info"


def main() -> None:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--holdings", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    lut = crop_table()
    parcels = country(given.parcels, given.holdings, lut)
    settings = DiversificationSettings("eu_2018")
    diversify(HoldingParcels(*(getattr(parcels, name)[:1000] for name in parcels.__slots__)), lut, settings)

    with highest_memory() as memory:
        seconds, found = spent(lambda: diversify(parcels, lut, settings))
    loop, expected = spent(lambda: by_loop(parcels, lut))
    table = found.holding_table.select(["HoldID", "CD_cat", "CD_diagn"]).to_pylist()
    if [tuple(row.values()) for row in table] != expected:
        raise SystemExit("the loop and the library disagree")
    figures = {
        "parcels": given.parcels,
        "holdings": len(found.quantities),
        "seconds": round(seconds, 2),
        "loop_seconds": round(loop, 2),
        "ratio": round(loop / seconds, 1),
        "memory_mb": round(memory[0]),
        **found.counts(),
        "within_limits": seconds <= LIMIT_S and memory[0] <= LIMIT_MB,
    }
    for name, value in figures.items():
        print(f"{name:16} {value}")
    if given.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
