"""Observations and truth without rasters."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from s4c_lib.errors import InputError
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA, VARIABLES
from s4c_lib.synthetic.series import SeriesOptions, SeriesSummary, make_series

START, END = date(2021, 6, 20), date(2021, 7, 31)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SeriesSummary:
    folder = tmp_path_factory.mktemp("series") / "series"
    return make_series(folder, SeriesOptions(parcels=600, start=START, end=END))


def observations(root: Path):  # type: ignore[no-untyped-def]
    return ds.dataset(root / "observations").to_table()


def files(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_it_is_an_observation_table(made: SeriesSummary) -> None:
    table = observations(made.root)

    # Parquet keeps milliseconds; readers cast.
    table = table.cast(OBSERVATION_SCHEMA)
    assert table.num_rows == made.observations > 100_000
    assert sorted(pc.unique(table["variable"]).to_pylist()) == sorted(VARIABLES)
    n, total = table["n"].to_numpy(), table["n_total"].to_numpy()
    assert n.min() >= 1
    assert (n <= total).all()
    assert np.isfinite(table["mean"].to_numpy()).all()
    # A standard deviation exists where there are two pixels or more, and only there.
    assert (np.isnan(table["std"].to_numpy(zero_copy_only=False)) == (n == 1)).all()
    assert (table["min"].to_numpy() <= table["mean"].to_numpy() + 1e-4).all()
    assert (table["max"].to_numpy() >= table["mean"].to_numpy() - 1e-4).all()


def test_values_are_physical(made: SeriesSummary) -> None:
    table = observations(made.root)
    bounds = {
        "ndvi": (-0.3, 1), "lai": (0, 8), "fapar": (0, 0.94), "fcover": (0, 1), "vv": (-30, 5), "vh": (-35, 0),
        "coherence_vv": (0, 1), "coherence_vh": (0, 1),
    }  # fmt: skip
    for variable, (low, high) in bounds.items():
        values = table.filter(pc.equal(table["variable"], variable))["mean"].to_numpy()
        assert low <= values.min(), variable
        assert values.max() <= high, variable


def test_radar_sees_through_cloud_and_optical_does_not(made: SeriesSummary) -> None:
    table = observations(made.root)
    parcels = pq.read_table(made.root / "parcels.parquet")
    with_radar = int(pc.sum(pc.greater(parcels["S1Pix"], 0)).as_py())

    for variable, expect_all in (("vv", True), ("ndvi", False)):
        rows = table.filter(pc.equal(table["variable"], variable))
        by_time = [count["counts"] for count in pc.value_counts(rows["time"]).to_pylist()]
        if expect_all:
            assert set(by_time) == {with_radar}
        else:
            assert min(by_time) < 300


def test_coherence_names_its_earlier_pass(made: SeriesSummary) -> None:
    table = observations(made.root)
    rows = table.filter(pc.equal(table["variable"], "coherence_vv"))
    days = pc.days_between(rows["previous_time"], rows["time"])

    assert pc.unique(days).to_pylist() == [6]
    assert table.filter(pc.equal(table["variable"], "vv"))["previous_time"].null_count > 0
    assert sorted(pc.unique(rows["direction"]).to_pylist()) == ["ascending", "descending"]


def test_a_mowing_of_the_truth_is_seen(made: SeriesSummary) -> None:
    """Grass cut to its stubble has lost greenness when it is seen again within a week."""
    table = observations(made.root)
    events = pq.read_table(made.root / "truth" / "events.parquet")
    cuts = events.filter(
        pc.and_(pc.equal(events["event"], "mowing"), pc.greater_equal(events["intensity"], 0.6))
    ).to_pylist()
    ndvi = table.filter(pc.equal(table["variable"], "ndvi"))
    ids, times, means = (
        ndvi["parcel_id"].to_numpy(),
        ndvi["time"].to_numpy().astype("datetime64[D]"),
        ndvi["mean"].to_numpy(),
    )
    drops = []
    for cut in cuts:
        own, days = ids == cut["parcel_id"], (times - np.datetime64(cut["date"])).astype(int)
        before, after = means[own & (days >= -10) & (days < 0)], means[own & (days > 0) & (days <= 7)]
        if len(before) and len(after):
            drops.append(before.max() - after.min())
    assert len(drops) > 20
    assert np.median(drops) > 0.15


def test_practice_tables_name_parcels_of_the_table(made: SeriesSummary) -> None:
    known = set(pq.read_table(made.root / "parcels.parquet")["ori_id"].to_pylist())

    for name in ("na", "cc", "fl", "nfc"):
        header, *rows = (made.root / f"practices_{name}.csv").read_text().splitlines()
        assert header.startswith("FIELD_ID;MAIN_CROP")
        assert rows
        assert {row.split(";")[0] for row in rows} <= known


def test_truth_has_every_parcel_and_day(made: SeriesSummary) -> None:
    truth = pq.read_table(made.root / "truth" / "parcels.parquet")
    daily = ds.dataset(made.root / "truth" / "daily_lai").to_table()

    assert truth["parcel_id"].to_pylist() == list(range(1, 601))
    assert daily.num_rows == 600 * ((END - START).days + 1)
    assert json.loads((made.root / "series.json").read_text())["observations"] == made.observations


def test_workers_and_more_parcels_change_nothing(tmp_path: Path) -> None:
    few = {"start": date(2021, 7, 1), "end": date(2021, 7, 14), "variables": ("ndvi", "lai", "vv", "coherence_vh")}
    one = make_series(tmp_path / "one", SeriesOptions(parcels=2300, **few), workers=1)  # type: ignore[arg-type]
    two = make_series(tmp_path / "two", SeriesOptions(parcels=2300, **few), workers=2)  # type: ignore[arg-type]
    less = make_series(tmp_path / "less", SeriesOptions(parcels=2000, **few), workers=1)  # type: ignore[arg-type]

    assert files(one.root) == files(two.root)
    part = "observations/part-00000.parquet"
    assert files(less.root)[part] == files(one.root)[part]
    other = make_series(tmp_path / "other", SeriesOptions(parcels=100, seed=2, **few))  # type: ignore[arg-type]
    assert files(other.root)[part] != files(less.root)[part]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"parcels": 0}, "shows nothing"),
        ({"parcels": 10, "variables": ("ndvi", "evi")}, "evi is no variable"),
        ({"parcels": 10, "variables": ()}, "no variable"),
        ({"parcels": 10, "seed": -1}, "negative"),
        ({"parcels": 10, "start": date(2021, 5, 1), "end": date(2021, 4, 1)}, "before it starts"),
    ],
)
def test_options_that_cannot_be(wrong: dict[str, object], text: str) -> None:
    with pytest.raises(InputError, match=text):
        SeriesOptions(**wrong)  # type: ignore[arg-type]
