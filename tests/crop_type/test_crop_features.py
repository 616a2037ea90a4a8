"""Features of L4A from observations: names, units, both profiles, and what is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from feature_cases import FIRST, LAST, REFERENCE, row, season_rows, store_files, table, values_of

from s4c_lib.crop_type.feature_names import table_of
from s4c_lib.crop_type.feature_table import FeatureSettings, compute_features, prepare_features, variables_of
from s4c_lib.crop_type.marker_tables import marker_name, marker_tables
from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parameters import REGISTRY
from s4c_lib.parcels.inner_buffer import LocatedParcels
from s4c_lib.parcels.pixel_index import build_pixel_index
from s4c_lib.statistics.legacy_export import write_legacy
from s4c_lib.statistics.parcel_statistics import statistics_of
from s4c_lib.statistics.store import Source, write_statistics

DEFAULT = FeatureSettings()
S1, S2 = FeatureSettings(mode="s1-only"), FeatureSettings(mode="s2-only")


def of(rows: list[dict[str, Any]], settings: FeatureSettings, parcels: int = 2, **more: Any) -> Any:
    return compute_features(table(rows), range(1, parcels + 1), settings, FIRST, LAST, **more)


def test_settings_come_from_the_registry_in_both_profiles() -> None:
    values = {
        parameter.key: parameter.default for parameter in REGISTRY if parameter.key.startswith("processor.s4c_l4a.")
    }
    assert FeatureSettings.of(values) == DEFAULT
    for parameter in REGISTRY:
        for variant in parameter.variants if parameter.key in values else ():
            values[parameter.key] = variant.value
    assert FeatureSettings.of(values) == REFERENCE


def test_names_of_a_season_by_table_with_means_first() -> None:
    found = of(season_rows(), DEFAULT, 12)
    tables = {name: [one for one in found.names if table_of(one) == name] for name in map(table_of, found.names)}
    assert list(tables) == ["opt_main", "opt_re", "sar_main", "sar_temp"]
    dates = len(found.dates)
    assert [str(day) for day in found.dates] == [
        "2020-03-02",
        "2020-03-12",
        "2020-03-22",
        "2020-04-01",
        "2020-04-11",
        "2020-04-21",
    ]
    assert len(tables["opt_main"]) == 2 * 7 * dates
    assert tables["opt_main"][:7] == [
        f"XX_2020_03_02_s2_mean_{label}" for label in ("b3", "b4", "b8", "b11", "ndvi", "ndwi", "brightness")
    ]
    assert len(tables["opt_re"]) == 2 * 4 * dates
    weeks = {name.split("_")[1] for name in tables["sar_main"]}
    assert (min(weeks), max(weeks)) == ("W202009", "W202016")
    assert len(tables["sar_main"]) == 2 * 2 * 5 * len(weeks)
    # Two bins of two months x 2 orbits x 3; two months x 2 polarisations; the season.
    assert len(tables["sar_temp"]) == 1 * 2 * 3 * 3 + 2 * 2 * 3 + 2
    assert not any(part in name for name in found.names for part in ("CVAR_DEV", "MIN_DEV", "XX_S_VV_COHE_DEV"))
    for names in tables.values():
        deviations = ["_dev" in name.lower() for name in names]
        assert deviations == sorted(deviations)
    assert not np.isnan(found.values).any()


def test_units_of_features() -> None:
    rows = [
        row(1, FIRST, "b04", 0.05, std=0.002),
        row(1, FIRST, "ndvi", 0.7, std=0.1),
        row(1, FIRST, "ndwi", 0.3, std=0.05),
        row(1, FIRST, "brightness_l4a", 0.35),
        row(1, FIRST, "b05", 0.1, n=1, std=None),
        row(2, FIRST, "b05", 0.1),
        row(1, FIRST, "vv", -10, std=1),
        row(1, FIRST, "vh", -20, std=0),
        row(1, FIRST, "coherence_vv", 0.4, std=0.1),
    ]
    found = of(rows, DEFAULT, 1)
    day, week = "XX_2020_03_02_s2_", "XX_W202009_ASC_"
    expected = {
        f"{day}mean_b4": 500, f"{day}dev_b4": 20, f"{day}mean_ndvi": 0.7, f"{day}dev_ndvi": 0.1,
        f"{day}mean_ndwi": -0.3, f"{day}dev_ndwi": 0.05, f"{day}mean_brightness": 3500, f"{day}mean_b5": 1000,
        f"{day}dev_b5": 0, f"{week}VV_BCK_MEAN": 0.1, f"{week}VV_BCK_DEV": np.log(10) / 10 * 0.1,
        f"{week}VH_BCK_MEAN": 0.01, f"{week}RATIO_BCK_MEAN": 10, f"{week}RATIO_BCK_DEV": np.log(10),
        f"{week}VV_COHE_MEAN": 0.4, f"{week}VV_COHE_DEV": 0.1, "XX_M202003_ASC_VV_BCK_MEAN_MEAN": 0.1,
        "XX_M202003_ASC_VV_BCK_CVAR_MEAN": 0, "XX_M202003_ASC_RATIO_BCK_MEAN_MEAN": 10,
        "XX_M202003_VV_COHE_MEAN_MEAN": 0.4, "XX_M202003_VV_COHE_MIN_MEAN": 0.4, "XX_S_VV_COHE_MEAN": 0,
    }  # fmt: skip
    for name, value in expected.items():
        assert values_of(found, name)[0] == pytest.approx(value, rel=1e-5, abs=1e-7), name


def test_coherence_of_a_month_takes_both_orbits_together() -> None:
    rows = [
        row(1, day, "coherence_vh", value, orbit=orbit)
        for day, orbit, value in (
            ("2020-03-02", 88, 0.62),
            ("2020-03-04", 37, 0.41),
            ("2020-03-10", 88, 0.55),
            ("2020-03-11", 37, 0.30),
        )
    ]
    found = of(rows, S1, 1)
    assert values_of(found, "XX_M202003_VH_COHE_MEAN_MEAN")[0] == pytest.approx(0.47)
    assert values_of(found, "XX_M202003_VH_COHE_MIN_MEAN")[0] == pytest.approx(0.30)
    assert values_of(found, "XX_S_VH_COHE_MEAN")[0] == pytest.approx(0.123895, abs=1e-6)


def test_ac_02_and_ac_03_dates_and_what_is_interpolated_to_them() -> None:
    seen = [("2020-03-03", 0.10, 20), ("2020-03-08", 0.90, 0), ("2020-03-18", 0.25, 20), ("2020-04-07", 0.15, 20)]
    rows = [row(1, day, "b08", value, n=n) for day, value, n in seen]
    rows += [row(2, day, "b08", value, n=n if day == "2020-03-18" else 0) for day, value, n in seen]
    found = of(rows, replace(S2, grid_from_first_product=True), 3)
    assert found.dates == (date(2020, 3, 3), date(2020, 3, 13), date(2020, 3, 23), date(2020, 4, 2))
    means = found.values[:, [name.endswith("mean_b8") for name in found.names]]
    np.testing.assert_allclose(means[:2], [[1000, 2000, 2250, 1750], [2500] * 4], rtol=1e-6)
    assert np.isnan(means[2]).all()


def test_ac_06_pixels_of_a_raster_become_mean_and_deviation(tmp_path: Path) -> None:
    pixels = np.array([[2000, 2100, -10_000, 1900, 2200], [1800, -10_000, -10_000, -10_000, -10_000]], np.int16)
    shapes = np.empty(2, object)
    shapes[:] = [shapely.box(0, 10, 50, 20), shapely.box(0, 0, 50, 10)]
    located = LocatedParcels(32631, np.array([1, 2], np.int32), shapes)
    index = build_pixel_index(located, PixelGrid(32631, 0, 20, 10, 2, 5), buffer_m=0, parcel_set_id=1)
    statistics = statistics_of(index, pixels, scale=1e-4, no_data=-10_000)
    assert statistics.n.tolist() == [4, 1]
    at = datetime(2020, 3, 3, 10, tzinfo=UTC)
    source = Source("b08", "l2a", "1", at, None, "sentinel-2a", "31UFS", None, None, 1, "i", 1, 5.0, 10.0, "0")
    file = write_statistics(tmp_path, "demo", "2020", source, statistics)
    found = compute_features([file.path], [1, 2], replace(S2, grid_from_first_product=True), FIRST, LAST)
    np.testing.assert_allclose(values_of(found, "XX_2020_03_03_s2_mean_b8"), [2050, 1800], rtol=1e-6)
    np.testing.assert_allclose(values_of(found, "XX_2020_03_03_s2_dev_b8"), [129.0994, 0], atol=1e-3)


def test_an_infinite_value_is_none() -> None:
    """The decibels of zero, as tables of users have them."""
    days = ("2020-03-02", "2020-03-08", "2020-03-14")
    rows = [row(1, day, name, value) for day in days for name, value in (("vv", -10.0), ("b08", 0.2))]
    strange = [row(1, "2020-03-05", name, value) for name in ("vv", "b08") for value in (-np.inf, np.inf)]
    plain, odd = of(rows, DEFAULT, 1), of([*rows, *strange], DEFAULT, 1)
    assert plain.names == odd.names
    np.testing.assert_array_equal(odd.values, plain.values)


def test_ac_13_columns_are_bound_by_name_whatever_the_order() -> None:
    rows = season_rows(3)
    rows += [row(7, day, "vv", 10 * np.log10(0.101)) for day in ("2020-03-02", "2020-03-08", "2020-03-14")]
    rows += [row(7, day, "coherence_vv", 0.301) for day in ("2020-03-02", "2020-03-08", "2020-03-14")]
    # Two rows for one place, as only tables of users have them.
    rows += [row(7, "2020-03-20", name, value) for name in ("vv", "vh") for value in (-3, -9, -8)]
    rows += [row(2, "2020-03-12", "b08", value, platform=name) for name, value in (("sentinel-2b", 0.2), ("", 0.3))]
    shuffled = [rows[k] for k in np.random.default_rng(5).permutation(len(rows))]
    one = compute_features(table(rows), [1, 2, 3, 7], DEFAULT, FIRST, LAST)
    other = compute_features(table(shuffled), [7, 3, 1, 2], DEFAULT, FIRST, LAST)
    assert values_of(one, "XX_W202010_ASC_VV_BCK_MEAN")[3] == pytest.approx(0.101)
    assert values_of(one, "XX_M202003_VV_COHE_MEAN_MEAN")[3] == pytest.approx(0.301)
    assert one.names == other.names
    assert one.values.tobytes() == other.values.tobytes()


def test_modes_choose_the_tables() -> None:
    rows = season_rows(3)
    assert {table_of(name) for name in of(rows, S1, 3).names} == {"sar_main", "sar_temp"}
    assert {table_of(name) for name in of(rows, S2, 3).names} == {"opt_main"}
    assert len(variables_of(DEFAULT)) == 15
    assert "b05" not in variables_of(S2)


def test_ac_21_a_missing_sensor_is_named() -> None:
    optical = [one for one in season_rows(2) if one["orbit"] is None]
    with pytest.raises(InputError, match="Sentinel-1 between 2020-03-02 and 2020-05-31"):
        of(optical, DEFAULT)
    found = of(optical, replace(DEFAULT, allow_missing_sensor=True))
    assert found.missing_sensor == "s1"
    assert {table_of(name) for name in found.names} == {"opt_main", "opt_re"}
    undirected = [row(1, FIRST, "vv", -11, orbit=None, direction=None)]
    with pytest.raises(InputError, match="Sentinel-1"):
        of([*optical, *undirected], DEFAULT)
    assert of(undirected, replace(DEFAULT, further_variables=True)).missing_sensor == "s2"
    with pytest.raises(InputError, match="Sentinel-2 and of Sentinel-1"):
        of([], replace(DEFAULT, allow_missing_sensor=True))
    with pytest.raises(InputError, match="Sentinel-1"):
        of(optical, replace(S1, allow_missing_sensor=True))


def test_ac_23_a_parcel_never_seen_is_missing_and_zero_in_the_reference() -> None:
    rows = [row(1, FIRST, "b08", 0.3), row(1, "2020-03-20", "b08", 0.4), row(2, FIRST, "b08", None, n=0)]
    found = of(rows, S2)
    assert np.isnan(found.values[1]).all()
    assert found.gap_days is not None
    assert found.gap_days.tolist() == [[0, 8], [-1, -1]]
    assert values_of(found, "XX_2020_03_12_s2_mean_b8")[0] == pytest.approx(3000 + 1000 * 10 / 18)
    assert of(rows, replace(REFERENCE, mode="s2-only")).values[1].tolist() == [0] * 4


def test_ac_22_a_tile_without_radar_is_told() -> None:
    rows = [row(1, FIRST, "b08", 0.3), row(1, FIRST, "vv", -10), row(2, FIRST, "b08", 0.3, tile="31UFT")]
    found = prepare_features(table(rows), [1, 2], replace(DEFAULT, period_min_coverage=0.5), FIRST, LAST)
    assert found.sensors == {"31UFS": ("s1", "s2"), "31UFT": ("s2",)}
    values = found.block(0, 2)
    assert np.isnan(values_of(values, "XX_W202009_ASC_VV_BCK_MEAN")).tolist() == [False, True]


def test_optical_dates_begin_with_the_season_or_with_the_first_product() -> None:
    rows = [row(1, "2020-03-05", "b08", 0.3), row(1, "2020-03-17", "b08", 0.4)]
    assert of(rows, S2, 1).dates == (date(2020, 3, 2), date(2020, 3, 12))
    assert of(rows, replace(S2, grid_from_first_product=True), 1).dates == (date(2020, 3, 5), date(2020, 3, 15))
    assert len(of(rows, replace(S2, step_days=3), 1).dates) == 6


def test_radar_gaps_are_filled_by_time_and_in_the_reference_by_position() -> None:
    others = [row(2, day, "vv", 0) for day in ("2020-03-09", "2020-03-30", "2020-04-06", "2020-04-20")]
    first, last = (10 * np.log10(value) for value in (0.05, 0.08))
    rows = [*others, row(1, "2020-03-09", "vv", first), row(1, "2020-04-20", "vv", last)]
    weeks = ["XX_W202013_ASC_VV_BCK_MEAN", "XX_W202014_ASC_VV_BCK_MEAN"]
    default = of(rows, replace(S1, period_min_coverage=0.5))
    assert [values_of(default, week)[0] for week in weeks] == [pytest.approx(0.065), pytest.approx(0.07)]
    by_position = of(rows, replace(S1, period_min_coverage=0.5, repairs=S1.repairs - {9}))
    assert [values_of(by_position, week)[0] for week in weeks] == [pytest.approx(0.06), pytest.approx(0.07)]


def test_d_10_periods_are_kept_for_enough_parcels_or_where_every_tile_has_one() -> None:
    rows = [row(parcel, "2020-03-02", "vv", -10) for parcel in range(1, 6)]
    rows += [row(parcel, "2020-03-09", "vv", -10) for parcel in range(1, 5)]
    rows += [row(parcel, "2020-03-16", "vv", -10, tile="31UFT") for parcel in range(1, 4)]
    rows += [row(parcel, "2020-03-02", "vv", -10, tile="31UFT") for parcel in range(1, 4)]

    def weeks(settings: FeatureSettings, **more: Any) -> list[str]:
        return [
            name[:10]
            for name in of(rows, settings, 5, **more).names
            if name.endswith("ASC_VV_BCK_MEAN") and "_W" in name
        ]

    assert weeks(S1) == ["XX_W202009", "XX_W202010"]
    assert weeks(S1, eligible=[1, 2, 3]) == ["XX_W202009", "XX_W202010", "XX_W202011"]
    assert weeks(replace(S1, period_min_coverage=1.0)) == ["XX_W202009"]


def test_d_08_a_single_observation_has_no_spread_in_the_reference() -> None:
    rows = [row(1, FIRST, "vv", -10), row(1, FIRST, "coherence_vv", 0.4)]
    names = ["XX_M202003_ASC_VV_BCK_CVAR_MEAN", "XX_S_VV_COHE_MEAN"]
    assert [values_of(of(rows, S1, 1), name)[0] for name in names] == [0, 0]
    reference = of(rows, replace(REFERENCE, mode="s1-only"), 1)
    assert np.isnan([values_of(reference, name)[0] for name in names]).all()


def test_the_best_tile_counts_and_in_the_reference_tiles_are_pooled() -> None:
    rows = [
        row(1, FIRST, "b08", 0.2050, std=0.01290994, n=4, tile="31UFS"),
        row(1, FIRST, "b08", 0.1950, std=0.0050, n=2, tile="31UFT"),
    ]
    name = "XX_2020_03_02_s2_{}_b8"
    best, together = of(rows, S2, 1), of(rows, replace(REFERENCE, mode="s2-only"), 1)
    assert [values_of(best, name.format(one))[0] for one in ("mean", "dev")] == [
        pytest.approx(2050),
        pytest.approx(129.0994),
    ]
    assert [values_of(together, name.format(one))[0] for one in ("mean", "dev")] == [
        pytest.approx(2016.6667), pytest.approx(114.7461, abs=1e-3),
    ]  # fmt: skip


def test_indices_that_a_table_lacks_come_from_the_bands() -> None:
    bands = {"b03": 0.0620, "b04": 0.0480, "b08": 0.3120, "b11": 0.1980}
    found = of([row(1, FIRST, name, value) for name, value in bands.items()], S2, 1)
    day = "XX_2020_03_02_s2_mean_"
    assert values_of(found, f"{day}ndvi")[0] == pytest.approx(0.733333, abs=1e-6)
    assert values_of(found, f"{day}ndwi")[0] == pytest.approx(-0.223529, abs=1e-6)
    assert values_of(found, f"{day}brightness")[0] == pytest.approx(3777.5124, abs=1e-3)
    assert values_of(found, "XX_2020_03_02_s2_dev_ndvi")[0] > 0
    without = of([row(1, FIRST, name, value, std=None) for name, value in bands.items()], S2, 1)
    assert [name for name in without.names if "_dev_" in name] == []
    assert len(without.names) == 7


def test_the_reference_computes_indices_of_bands_cut_to_whole_numbers() -> None:
    rows = [row(1, FIRST, name, value) for name, value in (("b04", 0.04807), ("b08", 0.31204), ("ndvi", 0.5))]
    name = "XX_2020_03_02_s2_mean_ndvi"
    assert values_of(of(rows, S2, 1), name)[0] == pytest.approx(0.5)
    assert values_of(of(rows, replace(S2, repairs=S2.repairs - {5}), 1), name)[0] == pytest.approx(0.733333, abs=1e-6)


def test_other_variables_of_users_become_features_of_the_dates() -> None:
    rows = [row(1, FIRST, "lai", 2.5), row(1, FIRST, "b08", 0.3), row(1, FIRST, "vv", -11, orbit=None, direction=None)]
    found = of(rows, replace(DEFAULT, further_variables=True), 1)
    assert values_of(found, "XX_2020_03_02_s2_mean_lai") == [2.5]
    assert values_of(found, "XX_2020_03_02_s1_mean_vv") == [-11]
    assert values_of(found, "XX_2020_03_02_s2_mean_b8") == [pytest.approx(3000)]
    assert "lai" not in "".join(of(rows, S2, 1).names)
    assert list(marker_tables(found)) == ["opt_main"]


def test_landsat_and_days_outside_do_not_count() -> None:
    rows = [row(1, FIRST, "b08", 0.3), row(1, "2020-03-12", "b08", 0.9, platform="landsat-8")]
    rows += [row(1, FIRST - timedelta(days=1), "b08", 0.9), row(1, LAST + timedelta(days=1), "b08", 0.9)]
    found = of(rows, S2, 1)
    assert found.dates == (FIRST,)
    assert values_of(found, "XX_2020_03_02_s2_mean_b8") == [pytest.approx(3000)]
    assert len(of([*rows, row(1, LAST, "b08", 0.3)], S2, 1).dates) == 10


def test_a_parcel_that_is_repeated_is_refused() -> None:
    with pytest.raises(InputError, match="parcel 3 is asked for twice"):
        compute_features(table(season_rows(3)), [1, 3, 3], DEFAULT, FIRST, LAST)


def test_files_of_the_store_tables_and_blocks_give_the_same(tmp_path: Path) -> None:
    rows = season_rows(9, days=12)
    paths = [file.path for file in store_files(tmp_path, rows)]
    wanted = [2, 3, 5, 8, 9, 40]
    whole = compute_features(paths, wanted, DEFAULT, FIRST, LAST)
    assert whole.values.tobytes() == compute_features(table(rows), wanted, DEFAULT, FIRST, LAST).values.tobytes()
    blocks = list(prepare_features(paths, wanted, DEFAULT, FIRST, LAST).blocks(1))
    assert [block.parcel_id.tolist() for block in blocks] == [[number] for number in wanted]
    assert np.concatenate([block.values for block in blocks]).tobytes() == whole.values.tobytes()
    assert np.isnan(whole.values[-1]).all()


def test_marker_tables_become_sen4cap_s_files(tmp_path: Path) -> None:
    found = of([one for one in season_rows(3) if one["parcel_id"] != 2 or one["orbit"] == 88], DEFAULT, 3)
    tables = marker_tables(found)
    assert list(tables) == ["opt_main", "opt_re", "sar_main", "sar_temp"]
    assert sum(one.num_columns - 1 for one in tables.values()) == len(found.names)
    one = tables["opt_main"]
    assert one.schema.field("NewID").type == pa.int32()
    assert one.column(1).to_pylist() == [
        values_of(found, one.column_names[1])[0],
        None,
        values_of(found, one.column_names[1])[2],
    ]
    name = marker_name("sar_temp", FIRST, LAST, datetime(2020, 6, 1, 10, 15, tzinfo=UTC))
    assert name == "SEN4CAP_MDB_L4A_SAR_TEMP_V20200302_20200531_20200601T101500"
    written = write_legacy(tmp_path, name, tables["sar_temp"].column_names[1:], [tables["sar_temp"]], ("ipc",))
    with pa.ipc.open_file(written.ipc) as file:
        assert file.read_all().equals(tables["sar_temp"])
    with pytest.raises(InputError, match="does not fit"):
        marker_tables(replace(found, parcel_id=np.array([1, 2, 2**31])))
