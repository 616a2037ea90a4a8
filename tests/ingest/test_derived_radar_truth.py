"""Sentinel-1 of the synthetic season, ingested: parcel means are what was generated, within the stated noise."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import rasterio
import shapely
from derived_season import END, START, TILE, make_derived
from scipy.ndimage import correlate1d
from scipy.special import digamma
from scipy.stats import gamma

from s4c_lib.catalog.database import Database
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.sources.product_names import ProductKind, product_name
from s4c_lib.synthetic.landscape.declarations import write_declarations
from s4c_lib.synthetic.passes import RadarPass
from s4c_lib.synthetic.radar.coherence import NOISE
from s4c_lib.synthetic.radar.images import field_texture
from s4c_lib.synthetic.radar.speckle import (
    CELL_LOOKS,
    NEIGHBOUR,
    OWN_SHARE,
    WINDOW_COLUMNS,
    WINDOW_OVERLAP,
    WINDOW_ROWS,
    inflation,
)
from s4c_lib.synthetic.radar.statistics import coherence_moments
from s4c_lib.synthetic.radar_view import PARITY_ARCHIVE, radar_view, true_backscatter, true_coherence
from s4c_lib.synthetic.season_truth import write_truth
from s4c_lib.synthetic.streams import Stream, generator
from s4c_lib.synthetic.views import CLEAR_SCHEMA
from s4c_lib.synthetic.world import SeasonOptions, World, make_world, previous_pass

pytestmark = pytest.mark.slow

Doubles = npt.NDArray[np.float64]
OPTIONS = SeasonOptions(size_m=3000, parcels=110, start=START, end=END, tiles=(TILE,), parity=True)
BANDS = ("vv", "vh")
# A mean of dB lies below the dB of the mean, by digamma(looks) - ln(looks): resampled images have more looks, and lose
# a part of it only.
LOST_DB = float(10 / np.log(10) * (np.log(CELL_LOOKS) - digamma(CELL_LOOKS)))


@dataclass
class Truth:
    """What the images are made of, before speckle, and which pixels are a parcel's."""

    world: World

    @cached_property
    def pixels(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Pixels whose centre lies in the parcel less 10 m, by the agency's identifier."""
        grid = self.world.coarse.grid
        columns, rows = np.meshgrid(np.arange(grid.columns) + 0.5, np.arange(grid.rows) + 0.5)
        x, y = grid.west + grid.pixel * columns, grid.north - grid.pixel * rows
        landscape = self.world.landscape
        inner = {
            name: shapely.contains_xy(shapely.buffer(shape, -10), x, y)
            for name, shape in zip(landscape.ori_id, landscape.shapes, strict=True)
        }
        return {name: mask for name, mask in inner.items() if mask.any()}

    def decibels(self, flight: RadarPass) -> tuple[Doubles, Doubles]:
        """Mean and variance of a pixel's dB under speckle (rows, columns, 2)."""
        coarse = self.world.coarse
        power = coarse.combine(true_backscatter(self.world, flight)[coarse.objects]).astype(np.float64)
        power *= field_texture(coarse.grid, generator(OPTIONS.seed, Stream.RADAR_TEXTURE, 0))
        for axis in (0, 1):
            own = OWN_SHARE[axis]
            power = correlate1d(power, [(1 - own) / 2, own, (1 - own) / 2], axis=axis, mode="nearest")
        speckle = gamma.ppf((np.arange(300) + 0.5) / 300, CELL_LOOKS, scale=1 / CELL_LOOKS)
        first, second, count = (np.zeros_like(power) for _ in range(3))
        for one in speckle:
            seen = (power + NOISE) * one - NOISE
            valid = seen > 1e-6
            value = 10 * np.log10(np.where(valid, seen, 1))
            first += value * valid
            second += value**2 * valid
            count += valid
        mean = first / count
        return mean, second / count - mean**2

    def coherence(self, flight: RadarPass, previous: RadarPass) -> tuple[Doubles, Doubles]:
        """Mean and variance of a pixel's estimate (rows, columns, 2)."""
        coarse = self.world.coarse
        powers = [true_backscatter(self.world, one) + NOISE for one in (previous, flight)]
        both = np.sqrt(powers[0] * powers[1]) * true_coherence(self.world, flight, previous)
        one, two, cross = (coarse.combine(values[coarse.objects].astype(np.float32)) for values in (*powers, both))
        sums = []
        for values in (one, two, cross):
            rows = correlate1d(values.astype(np.float64), WINDOW_ROWS, axis=0, mode="nearest")
            sums.append(correlate1d(rows, WINDOW_COLUMNS, axis=1, mode="nearest"))
        nodes, mean, std = coherence_moments()
        true = sums[2] / np.sqrt(sums[0] * sums[1])
        return np.interp(true, nodes, mean), np.interp(true, nodes, std) ** 2


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(OPTIONS)


@pytest.fixture(scope="module")
def files(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The radar half of a season's folder: both encodings, declarations, extent."""
    root = tmp_path_factory.mktemp("radar") / "season"
    root.mkdir()
    views = [radar_view(world, root / "archive", number) for number in range(len(world.radar))]
    write_declarations(world.landscape, root / "declarations", OPTIONS.seed, year=OPTIONS.year, faults=False)
    write_truth(world, root, pa.concat_tables([view.flight for view in views]), CLEAR_SCHEMA.empty_table())
    return root


def ingested(
    database: Database, files: Path, root: Path, archive: str, name: str, *, mode: str = "check"
) -> list[dict[str, Any]]:
    """Rows of the statistics store after an ingest of one archive, with the agency's identifier."""
    site = make_derived(database, files, root, files / archive, name)
    site.rows_changed(
        "UPDATE s4c.data_source SET fetch_mode = :mode WHERE site_id = :site", mode=mode, site=site.site.id
    )
    counts = site.run()
    assert counts["registered"] == len(list((files / archive).rglob("*.tif")))
    # A copied raster lies with its sidecar in a folder of its product's name.
    assert {Path(one.full_path).is_dir() for one in site.products("s1_l2a_amp")} == {mode == "copy"}
    with database.begin() as connection:
        table = read_parcels(connection, site.parcels, ["new_id", "ori_id"])
    names = dict(zip(table["new_id"].to_pylist(), table["ori_id"].to_pylist(), strict=True))
    return [row | {"ori_id": names[row["parcel_id"]]} for row in site.observations().to_pylist()]


def scores(truth: Truth, rows: list[dict[str, Any]], world: World, *, coherence: bool) -> tuple[Doubles, Doubles]:
    """Deviations from the truth in standard errors, and as they are (parcels and polarisations, passes)."""
    rows_lag, columns_lag = WINDOW_OVERLAP
    shared = (rows_lag, columns_lag) if coherence else tuple(np.array([1, one]) for one in NEIGHBOUR)
    images = {}
    for flight in world.radar:
        earlier = previous_pass(world.radar, flight)
        if not coherence:
            images[flight.start] = truth.decibels(flight)
        elif earlier is not None:
            images[flight.start] = truth.coherence(flight, earlier)
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        band = BANDS.index(row["variable"].removeprefix("coherence_"))
        mean, variance = images[row["time"]]
        mask = truth.pixels[row["ori_id"]]
        assert row["n_total"] == mask.sum()
        grown = float(inflation(np.array([mask.sum()], np.float32), shared)[0])
        error = np.sqrt(variance[mask, band].mean() / mask.sum() * grown)
        apart = row["mean"] - mean[mask, band].mean()
        found.setdefault((row["ori_id"], row["variable"]), []).append((apart / error, apart))
    both = np.array([found[key] for key in sorted(found)])
    return both[..., 0], both[..., 1]


def test_parcel_means_are_those_that_were_generated(
    database: Database, files: Path, world: World, tmp_path: Path
) -> None:
    """Three encodings in one test: an ingest takes most of its time."""
    rows = ingested(database, files, tmp_path, "archive", "Truth")
    _check_truth(rows, world)
    _check_parity(rows, ingested(database, files, tmp_path, PARITY_ARCHIVE, "Parity"))
    _check_own(database, files, tmp_path, rows)


def _check_truth(rows: list[dict[str, Any]], world: World) -> None:
    truth = Truth(world)
    seen = {row["ori_id"] for row in rows}
    assert seen == set(truth.pixels)
    assert len(seen) > 80
    passes = len(world.radar)
    pairs = sum(previous_pass(world.radar, flight) is not None for flight in world.radar)
    assert (passes, pairs) == (4, 2)
    # Half the spread of chi-square is left to what the standard error takes for granted: square parcels.
    for coherence, times, bias in ((False, passes, 0.03), (True, pairs, 0.005)):
        mine = [row for row in rows if row["variable"].startswith("coherence") == coherence]
        assert len(mine) == 2 * times * len(seen)
        deviations, apart = scores(truth, mine, world, coherence=coherence)
        assert deviations.shape == (2 * len(seen), times)
        assert 0.75 < np.mean(deviations**2) < 1.25
        assert np.abs(deviations).max() < 4.5
        # No parcel is off in one direction on all dates, nor are all of them.
        assert np.abs(deviations.sum(axis=1) / np.sqrt(times)).max() < 4
        assert abs(apart.mean()) < bias


def _check_parity(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> None:
    """Means of the root of sigma nought on another grid; other pixels at the borders, less speckle by resampling."""
    facts = ("ori_id", "variable", "time", "platform", "orbit", "direction", "previous_time")
    by_facts = {tuple(row[name] for name in facts): row for row in new}
    for variable in ("vv", "vh", "coherence_vv", "coherence_vh"):
        mine = [row for row in old if row["variable"] == variable]
        pairs = [(row, by_facts[key]) for row in mine if (key := tuple(row[name] for name in facts)) in by_facts]
        # A parcel of a pixel or two may have none on the other grid.
        assert len(pairs) > 0.95 * len(mine) > 0
        apart = np.array([one["mean"] - other["mean"] for one, other in pairs])
        error = np.array([other["std"] / np.sqrt(other["n"]) if other["n"] > 1 else np.inf for _, other in pairs])
        if variable.startswith("coherence"):
            assert abs(apart.mean()) < 0.005
        else:
            assert 0 < apart.mean() < LOST_DB
        large = np.array([other["n"] >= 20 for _, other in pairs])
        assert large.sum() > 100
        assert np.abs((apart - apart.mean()) / error)[large].max() < 3


def _check_own(database: Database, files: Path, root: Path, rows: list[dict[str, Any]]) -> None:
    """The same rasters as a user may have them: hundredths of a dB, bytes of coherence, all of one file name."""
    for number, path in enumerate(sorted((files / "archive").rglob("*.tif"))):
        name = product_name(path.name)
        coherence = name.kind is ProductKind.S1_COHE
        with rasterio.open(path) as source:
            pixels, profile, tags = source.read(1), source.profile, source.tags()
        steps = np.rint(pixels * 250) if coherence else np.rint(1000 * np.log10(pixels))
        sidecar = {
            "quantity": "coherence" if coherence else "sigma0",
            "scale": "linear" if coherence else "dB",
            "factor": 0.004 if coherence else 0.01,
            "polarisation": name.polarisations[0],
            "time": name.sensing_start.isoformat(),
            "platform": name.platform,
            "relative_orbit": name.relative_orbit,
            "direction": tags["ORBIT_DIRECTION"],
            "no_data": -32768 if not coherence else 0,
            "tile": name.tile,
        } | ({"previous_time": name.start.isoformat()} if coherence else {})
        folder = files / "own" / f"{number:02d}"
        folder.mkdir(parents=True)
        kind = "uint8" if coherence else "int16"
        with rasterio.open(
            folder / "raster.tif", "w", **(profile | {"dtype": kind, "nodata": None, "predictor": 2})
        ) as to:
            to.write(steps.astype(kind), 1)
        (folder / "raster.s1.json").write_text(json.dumps(sidecar))
    own = ingested(database, files, root, "own", "Own", mode="copy")
    keys = ("ori_id", "variable", "time", "previous_time", "platform", "orbit", "direction", "tile", "n", "n_total")
    means = {tuple(row[name] for name in keys): row["mean"] for row in rows}
    assert {tuple(row[name] for name in keys) for row in own} == set(means)
    for row in own:
        assert row["mean"] == pytest.approx(means[tuple(row[name] for name in keys)], abs=0.006)
