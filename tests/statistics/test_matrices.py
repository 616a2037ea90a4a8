"""Observations as matrices of parcels and times."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from statistics_cases import MAY, NDVI, VV, statistics, stored

from s4c_lib.errors import InputError
from s4c_lib.statistics.matrices import EnoughPixels, Series, series_of
from s4c_lib.statistics.observations import best_tile, read_observations
from s4c_lib.statistics.store import Source, statistics_table


def season(root: Path) -> list[Path]:
    """NDVI on two dates in two tiles that share parcel 2, VV on two orbits, coherence of one pair."""
    later = MAY + timedelta(days=5)
    pair = replace(VV, variable="coherence_vh", family="s1coh", previous_time=MAY - timedelta(days=6))
    files = [
        stored(root, statistics([1, 2], [0.1, 0.2], n=[5, 35], n_total=[10, 40])),
        stored(
            root,
            statistics([2, 3], [0.25, 0.3], n=[22, 7], n_total=[22, 7]),
            tile="31UFR",
            time=MAY + timedelta(seconds=9),
        ),
        stored(root, statistics([2, 3], [0.26, 0.31], n=[22, 7], n_total=[22, 7]), tile="31UFR", time=later),
        stored(root, statistics([1, 3], [-11, -12]), VV),
        stored(root, statistics([1], [-13]), VV, orbit=37, direction="descending"),
        stored(root, statistics([3], [0.4]), pair),
    ]
    return [file.path for file in files]


def test_matrices_by_variable_and_orbit(tmp_path: Path) -> None:
    found = series_of(season(tmp_path), ["vv", "ndvi", "coherence_vh"])
    assert list(found) == [("coherence_vh", 88), ("ndvi", None), ("vv", 37), ("vv", 88)]
    ndvi = found["ndvi", None]
    assert ndvi.parcel_id.tolist() == [1, 2, 3]
    assert ndvi.time.tolist() == [MAY.replace(tzinfo=None), (MAY + timedelta(days=5)).replace(tzinfo=None)]
    assert ndvi.platform.tolist() == ["sentinel-2a"] * 2
    np.testing.assert_array_equal(ndvi.mean, np.array([[0.1, np.nan], [0.2, 0.26], [0.3, 0.31]], np.float32))
    np.testing.assert_array_equal(ndvi.n, [[5, 0], [35, 22], [7, 7]])
    np.testing.assert_array_equal(ndvi.n_total, [[10, 0], [40, 22], [7, 7]])
    assert np.isnat(ndvi.previous_time).all()
    assert ndvi.mean.flags.c_contiguous
    assert (found["vv", 37].direction, found["vv", 88].direction) == ("descending", "ascending")
    pair = found["coherence_vh", 88]
    assert (pair.time - pair.previous_time).astype("timedelta64[D]").tolist() == [timedelta(days=6)]


def same(one: Series, other: Series) -> None:
    for name in ("time", "previous_time", "platform", "parcel_id", "mean", "std", "n", "n_total"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_table_and_one_file_of_all_give_the_same(tmp_path: Path) -> None:
    paths = season(tmp_path)
    variables = ["vv", "ndvi", "coherence_vh"]
    table = read_observations(paths)
    shuffled = table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))
    one_file = tmp_path / "all.parquet"
    pq.write_table(shuffled, one_file)
    expected = series_of(paths, variables)
    for found in (series_of(shuffled, variables), series_of([one_file], variables), series_of(paths[::-1], variables)):
        assert list(found) == list(expected)
        for key, series in found.items():
            same(series, expected[key])


def test_parcels_are_chosen_and_those_without_observations_are_there(tmp_path: Path) -> None:
    ndvi = series_of(season(tmp_path), ["ndvi"], [9, 3])["ndvi", None]
    assert ndvi.parcel_id.tolist() == [3, 9]
    np.testing.assert_array_equal(ndvi.mean, np.array([[0.3, 0.31], [np.nan, np.nan]], np.float32))
    assert series_of(season(tmp_path), ["ndvi"], [])["ndvi", None].mean.shape == (0, 2)
    with pytest.raises(InputError, match="parcel 3"):
        series_of(season(tmp_path), ["ndvi"], [3, 3])


def test_too_few_pixels_leave_an_observation_out_and_its_counts_in(tmp_path: Path) -> None:
    paths = season(tmp_path)
    half = series_of(paths, ["ndvi"], enough=EnoughPixels(min_share=0.5, min_total=8))["ndvi", None]
    np.testing.assert_array_equal(np.isnan(half.mean[:, 0]), [False, False, True])
    assert half.n[:, 0].tolist() == [5, 35, 7]
    more = series_of(paths, ["ndvi"], enough=EnoughPixels(above_share=0.5))["ndvi", None]
    np.testing.assert_array_equal(np.isnan(more.std[:, 0]), [True, False, False])


def test_times_and_platforms_are_chosen(tmp_path: Path) -> None:
    paths = [*season(tmp_path), stored(tmp_path, statistics([1], [0.9]), platform="landsat-8").path]
    assert series_of(paths, ["ndvi"])["ndvi", None].platform.tolist() == ["landsat-8", "sentinel-2a", "sentinel-2a"]
    own = series_of(paths, ["ndvi"], platforms=["sentinel-2"], time_to=MAY + timedelta(days=1))["ndvi", None]
    assert own.platform.tolist() == ["sentinel-2a"]
    assert series_of(paths, ["ndvi"], time_from=MAY + timedelta(days=9)) == {}


def test_of_two_rows_for_one_place_that_with_more_pixels_counts(tmp_path: Path) -> None:
    """Tables of others need not say the tile."""
    parts = [statistics_table(NDVI, statistics([5], [mean], n=[n])) for mean, n in ((0.1, 9), (0.2, 35), (0.3, 22))]
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        table = pa.concat_tables([parts[at] for at in order])
        series = series_of(table, ["ndvi"])["ndvi", None]
        assert (series.n.tolist(), series.mean.tolist()) == ([[35]], [[np.float32(0.2)]])
        assert best_tile(table).column("n").to_pylist() == [35]


ROWS = st.tuples(
    st.sampled_from([1, 2, 3]),
    st.sampled_from(["31UFR", "31UFS"]),
    st.integers(0, 2),
    st.integers(1, 5),
    st.integers(0, 3),
)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, min_size=1, max_size=20, unique_by=lambda row: row[:3]))
def test_matrices_have_the_rows_of_the_best_tile(rows: list[tuple[int, str, int, int, int]], tmp_path: Path) -> None:
    paths = []
    for tile, day in sorted({row[1:3] for row in rows}):
        some = sorted(row for row in rows if row[1:3] == (tile, day))
        n = [row[3] for row in some]
        found = statistics(
            [row[0] for row in some],
            [97 * row[0] + ord(tile[-1]) + day for row in some],
            n,
            [row[3] + row[4] for row in some],
        )
        source: Source = replace(NDVI, tile=tile, time=MAY + timedelta(days=day))
        paths.append(stored(tmp_path, found, source).path)
    series = series_of(paths, ["ndvi"])["ndvi", None]
    best = best_tile(read_observations(paths))
    assert np.count_nonzero(series.n) == best.num_rows
    times = series.time.tolist()
    for row in best.to_pylist():
        at = series.parcel_id.tolist().index(row["parcel_id"]), times.index(row["time"].replace(tzinfo=None))
        assert (series.mean[at], series.n[at], series.n_total[at]) == (row["mean"], row["n"], row["n_total"])
