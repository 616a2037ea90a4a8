"""What a run finds of a parcel does not depend on how its parcels are divided into blocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s4c_lib.l4 import mowing, mowing_by_hand, mowing_series
from s4c_lib.l4.declared import Declared
from s4c_lib.l4.mowing import MowingRun
from s4c_lib.l4.mowing_series import RunPasses
from s4c_lib.l4.parcel_blocks import parcel_blocks
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.parameters import Layers, resolve
from s4c_lib.statistics.matrices import EnoughPixels
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA

FIRST, LAST = date(2024, 5, 1), date(2024, 8, 31)
PARCELS, DATES = 120, 13
# 31UFS and 31UGS overlap; 33UXQ lies far away. The last parcels of each are seen in the next one too.
TILES = {"31UFS": range(1, 56), "31UGS": range(45, 91), "33UXQ": range(91, PARCELS + 1)}


def observed(number: int, tile: str, at: int, rng: np.random.Generator) -> tuple[float, float]:
    """NDVI and coherence, whose weather differs from tile to tile; every third parcel is mown in the middle."""
    weather = 0.6 if (at + len(tile) + ord(tile[3])) % 5 == 0 else 1.0
    mown = number % 3 == 0 and 6 <= at < 10
    ndvi = (0.45 if mown else 0.8) + rng.normal(0, 0.02)
    return ndvi, (0.42 if mown else 0.27) * weather + rng.normal(0, 0.03)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """Files of NDVI and of two orbits, a tile and a date each, with what the database says of them."""
    root, rng, files = tmp_path_factory.mktemp("store"), np.random.default_rng(5), []
    for at in range(DATES):
        for seconds, (tile, parcels) in enumerate(TILES.items()):
            for variable, orbit, hour in (("ndvi", None, 10), ("coherence_vh", 44, 17), ("coherence_vv", 95, 5)):
                if rng.random() < 0.15 or (orbit == 95 and tile == "31UFS"):
                    continue
                time = datetime(2024, 5, 2, hour, tzinfo=UTC) + timedelta(days=6 * at, seconds=25 * seconds)
                earlier = None if orbit is None else time - timedelta(days=6)
                rows = [
                    {
                        "parcel_id": number, "time": time, "previous_time": earlier, "variable": variable,
                        "mean": observed(number, tile, at, rng)[orbit is not None], "n": 30 - seconds, "n_total": 30,
                        "platform": "sentinel-2a" if orbit is None else "sentinel-1a", "tile": tile, "orbit": orbit,
                    }
                    for number in parcels
                ]  # fmt: skip
                path = root / f"{variable}_{tile}_{at}.parquet"
                pq.write_table(pa.Table.from_pylist(rows, OBSERVATION_SCHEMA), path)
                files.append(SimpleNamespace(variable=variable, tile=tile, orbit=orbit, time=time, path=path.name))
    return root, files


def chosen(profile: str) -> MowingSettings:
    """Groups of 25 neighbours, which no division into blocks falls in with."""
    settings = MowingSettings.of(resolve(Layers(season={"profile": profile}), phase="current").values)
    if settings.evidence is None:
        return settings
    return replace(settings, evidence=replace(settings.evidence, trend_parcels=25, min_parcels=8))


def in_blocks(largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    divided = partial(parcel_blocks, largest=largest)
    for module in (mowing, mowing_series):
        monkeypatch.setattr(module, "parcel_blocks", divided)


def tables(store: tuple[Path, list[Any]], out: Path, profile: str) -> dict[str, pa.Table]:
    """Events and parcels of a run, as it writes them."""
    root, files = store
    out.mkdir()
    tile_of = {number: tile for tile, numbers in TILES.items() for number in numbers}
    parcels = pa.table(
        {
            "new_id": pa.array(sorted(tile_of), pa.int32()),
            "primary_tile": pa.array([tile_of[number] for number in sorted(tile_of)]),
            "ori_crop": pa.array(["1"] * PARCELS),
            "s2_pix": pa.array([30] * PARCELS, pa.int32()),
            "s1_pix": pa.array([30] * PARCELS, pa.int32()),
            "reason": pa.nulls(PARCELS, pa.string()),
        }
    )
    run: Any = SimpleNamespace(products_root=root, work_folder=out, progress=lambda *_: None)
    nothing: Any = None
    told = MowingRun(run, None, None, chosen(profile), {}, FIRST, LAST, tuple(files), ("S2", "S1"), ())
    mowing._detect(told, Declared(parcels, nothing, run))
    return {name: pq.read_table(out / name) for name in ("events.parquet", "parcels.parquet")}


@pytest.mark.parametrize("profile", ["default", "reference"])
def test_blocks_do_not_matter(
    profile: str, store: tuple[Path, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks read the files of their own tiles, and have other neighbours, passes, and first times of passes."""
    whole = tables(store, tmp_path / "whole", profile)
    assert len(set(whole["events.parquet"]["parcel_id"].to_pylist())) > PARCELS / 4
    assert "S2/S1" in whole["events.parquet"]["missions"].to_pylist()
    in_blocks(41, monkeypatch)
    assert tables(store, tmp_path / "blocks", profile) == whole


def test_blocks_by_hand_do_not_matter(store: tuple[Path, list[Any]], tmp_path: Path) -> None:
    root, _ = store
    given = mowing_by_hand.read_files([root], None, lambda *_: None, print)
    run = replace(mowing_by_hand.prepare(given, resolve(Layers(), phase="current"), print), settings=chosen("default"))
    written = {}
    for block in (PARCELS, 11):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mowing_by_hand, "_BLOCK", block)
            mowing_by_hand.detect_by_hand(run, tmp_path / str(block), [], lambda *_: None)
        written[block] = (tmp_path / str(block) / "events.csv").read_bytes()
    assert written[11] == written[PARCELS]
    assert written[11].count(b"\n") > PARCELS / 4


def test_every_block_has_the_passes_of_the_run(store: tuple[Path, list[Any]]) -> None:
    """Orbit 95 does not see tile 31UFS; a pass begins where the first of its tiles does."""
    root, files = store
    passes = RunPasses.of([root / file.path for file in files])
    own = [root / file.path for file in files if file.tile == "31UGS"]
    found = passes.series(own, ("coherence_vh", "coherence_vv", "ndvi"), np.arange(45, 50), EnoughPixels())
    assert list(found) == [("coherence_vh", 44), ("coherence_vv", 95), ("ndvi", None)]
    one = found["coherence_vh", 44]
    assert one.mean.shape == (5, DATES), "one pass every six days, whether this tile has it or not"
    seconds = one.time.astype(np.int64) % 60
    assert {0, 25} <= set(seconds.tolist())
    assert np.isfinite(one.mean).all(axis=0).sum() == len(
        [path for path in own if path.name.startswith("coherence_vh")]
    )
    alone = passes.series([], ("coherence_vv",), np.arange(1, 4), EnoughPixels())["coherence_vv", 95]
    assert alone.mean.shape == (3, len(found["coherence_vv", 95].time))
    assert not np.isfinite(alone.mean).any()
