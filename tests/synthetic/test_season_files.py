"""A small season on disk: the same bytes each time, products that others open, tables that say what is there."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pyogrio
import pytest
import rasterio
import rioxarray
import shapely
from season_cases import files_of, hashes
from shapely.geometry import shape

from s4c_lib.sources.local_archive import LocalArchive
from s4c_lib.sources.model import Candidate, Query
from s4c_lib.sources.product_kinds import ProductKind, Satellite
from s4c_lib.sources.product_names import parse_product_name
from s4c_lib.sources.verify import verify_product
from s4c_lib.synthetic.optical.image import as_tile
from s4c_lib.synthetic.optical_view import L2A, scene_of
from s4c_lib.synthetic.products.sentinel2_images import l2a_arrays
from s4c_lib.synthetic.radar_view import PARITY_ARCHIVE, RADAR, radar_scene
from s4c_lib.synthetic.season import MARK, make_season
from s4c_lib.synthetic.truth_readme import COLUMNS
from s4c_lib.synthetic.window import window_of
from s4c_lib.synthetic.world import SeasonOptions, World, make_world, previous_pass

# rioxarray multiplies transforms in a way that their package means to give up.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")]

START, END = date(2021, 6, 1), date(2021, 6, 21)
OPTIONS = SeasonOptions(size_m=1200, parcels=20, start=START, end=END, parity=True)
TILES = ("31UFS", "31UFT")
BASELINE = 500


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_season(tmp_path_factory.mktemp("season") / "one", OPTIONS).root


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(OPTIONS)


def pixels(path: Path | str) -> npt.NDArray[np.generic]:
    with rasterio.open(path) as raster:
        return np.asarray(raster.read(1))


def image(season: Path, tile: str, day: date, layer: str) -> Path:
    """One image of the L2A of a tile and day."""
    (found,) = (season / "archive" / L2A / f"{day:%Y/%m/%d}").glob(
        f"*_T{tile}_*.SAFE/GRANULE/*/IMG_DATA/*/*_{layer}.jp2"
    )
    return found


def search(season: Path, kind: ProductKind, satellite: Satellite = Satellite.SENTINEL2) -> tuple[Candidate, ...]:
    """What our archive reader offers for the season's own site."""
    site = json.loads((season / "site.geojson").read_text())["features"][0]["geometry"]
    result = LocalArchive(season / "archive").search(Query(satellite, frozenset({kind}), START, END, shape(site)))
    assert result.rejected == ()
    return result.candidates


# --- determinism -------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(season: Path, tmp_path: Path) -> None:
    again = make_season(tmp_path / "elsewhere", OPTIONS, workers=2)

    first, second = hashes(season), hashes(again.root)
    assert len(first) > 300
    assert {name for name in first | second if first.get(name) != second.get(name)} == set()


def test_another_seed_gives_another_season(season: Path, tmp_path: Path) -> None:
    other = make_season(tmp_path / "other", replace(OPTIONS, seed=2, end=date(2021, 6, 4))).root

    first, second = hashes(season), hashes(other)
    images = {name for name in first if name.endswith((".jp2", ".tif")) and "_TCI_" not in name} & second.keys()
    # Only masks without content may agree.
    assert len(images) > 20
    assert not {name for name in images if first[name] == second[name] and not _is_mask(name)}
    assert first["truth/parcels.gpkg"] != second["truth/parcels.gpkg"]
    assert first["declarations/declarations.gpkg"] != second["declarations/declarations.gpkg"]


def _is_mask(name: str) -> bool:
    return "/QI_DATA/" in name or "/MASKS/" in name


# --- products ----------------------------------------------------------------------------------------------------


def test_every_reader_sees_the_pixels_that_were_made(season: Path, world: World) -> None:
    for number, flight in enumerate(world.optical[:4]):
        day = flight.start.date()
        for tile in TILES:
            made = l2a_arrays(as_tile(scene_of(world, number), flight, tile, OPTIONS.seed), BASELINE)
            product = image(season, tile, day, "B04_10m").parents[4]
            by_driver = {}
            for resolution in ("10m", "20m"):
                with rasterio.open(f"SENTINEL2_L2A:{product / 'MTD_MSIL2A.xml'}:{resolution}:EPSG_32631") as raster:
                    assert raster.driver == "SENTINEL2"
                    names = [text.split(",")[0] for text in raster.descriptions]
                    by_driver |= {(name, resolution): band for name, band in zip(names, raster.read(), strict=True)}
            for layer, name in (("B04_10m", "B4"), ("B08_10m", "B8"), ("B11_20m", "B11"), ("SCL_20m", "SCL")):
                band, resolution = layer.split("_")
                expected = made[band, int(resolution.removesuffix("m"))]
                file = image(season, tile, day, layer)
                with rioxarray.open_rasterio(file) as array:
                    assert array.rio.crs.to_epsg() == 32631
                    assert array.rio.bounds() == world.window.grid.bounds
                    np.testing.assert_array_equal(array.values[0], expected, err_msg=f"{file.name} by xarray")
                np.testing.assert_array_equal(pixels(file), expected, err_msg=f"{file.name} by rasterio")
                np.testing.assert_array_equal(by_driver[name, resolution], expected, err_msg=f"{file.name} by GDAL")


def test_two_tiles_show_the_same_ground_a_little_apart(season: Path, world: World) -> None:
    for flight in world.optical:
        day = flight.start.date()
        first, second = (image(season, tile, day, "SCL_20m") for tile in TILES)
        np.testing.assert_array_equal(pixels(first), pixels(second))
        for layer in ("B04_10m", "B08_10m", "B12_20m"):
            one, two = (pixels(image(season, tile, day, layer)).astype(float) - 1000 for tile in TILES)
            # A gain of 1 % (three deviations) and an offset of a few thousandths, the same everywhere.
            gain, offset = np.polyfit(one.ravel(), two.ravel(), 1)
            assert abs(gain - 1) < 0.03
            assert np.abs(two - gain * one - offset).max() < 3
            assert np.abs(two - one).mean() < 0.01 * one.mean() + 60
            assert np.any(one != two)


def test_radar_rasters_open_and_say_what_they_are(season: Path, world: World) -> None:
    files = sorted((season / "archive" / RADAR).rglob("*.tif"))
    with_previous = sum(previous_pass(world.radar, flight) is not None for flight in world.radar)
    assert len(files) == 2 * len(TILES) * (len(world.radar) + with_previous)
    west, south, east, north = world.window.grid.bounds
    for file in files:
        with rasterio.open(file) as raster, rioxarray.open_rasterio(file) as array:
            values, tags = raster.read(1), raster.tags()
            np.testing.assert_array_equal(array.values[0], values)
            assert (raster.crs.to_epsg(), raster.nodata, raster.dtypes[0]) == (32631, 0, "float32")
            assert tuple(raster.bounds) == (west, south, east, north)
            assert raster.res == (20, 20)
        parts = file.stem.split("_")
        assert (tags["PLATFORM"], tags["POL"], int(tags["REL_ORBIT"])) == (parts[0], parts[-3], int(parts[-2]))
        if parts[2] == "COH":
            assert (tags["QUANTITY"], tags["ACQUISITIONS"]) == ("coherence", ",".join(parts[3:5]))
            assert values.min() > 0
            assert values.max() <= 1
        else:
            assert (tags["QUANTITY"], tags["ACQUISITION"]) == ("sigma0", parts[3])
            assert -30 < 10 * np.log10(values.mean()) < 0
        if parts[-1] == TILES[0]:
            np.testing.assert_array_equal(values, pixels(str(file).replace(*TILES)))


def test_parity_holds_the_same_passes_in_the_old_encoding(season: Path, world: World) -> None:
    files = sorted((season / PARITY_ARCHIVE).rglob("*.tif"))
    paired = [flight for flight in world.radar if previous_pass(world.radar, flight) is not None]
    assert len(files) == 4 * len(paired) > 0
    kinds = [name.kind for file in files if (name := parse_product_name(file.name)) is not None]
    assert sorted(kinds) == sorted([ProductKind.S1_AMP, ProductKind.S1_COHE] * (2 * len(paired)))
    flight = paired[0]
    truth = radar_scene(world, flight, previous_pass(world.radar, flight))
    (vv,) = (season / PARITY_ARCHIVE).rglob(f"*V{flight.start:%Y%m%dT%H%M%S}_*_VV_*_AMP.tif")
    with rasterio.open(vv) as raster:
        assert raster.crs.to_epsg() == 3035
        amplitude = raster.read(1)
    seen = amplitude[amplitude > 0]
    assert np.mean(seen**2) == pytest.approx(truth.backscatter[..., 0].mean(), rel=0.05)


@pytest.mark.parametrize(
    ("kind", "satellite"),
    [
        (ProductKind.S2_L2A, Satellite.SENTINEL2),
        (ProductKind.S2_L1C, Satellite.SENTINEL2),
        (ProductKind.MUSCATE_L2A, Satellite.SENTINEL2),
        (ProductKind.S1_AMP, Satellite.SENTINEL1),
        (ProductKind.S1_COHE, Satellite.SENTINEL1),
    ],
)
def test_our_reader_finds_every_product_and_accepts_it(
    season: Path, world: World, kind: ProductKind, satellite: Satellite
) -> None:
    found = search(season, kind, satellite)

    paired = sum(previous_pass(world.radar, flight) is not None for flight in world.radar)
    expected = {
        ProductKind.S2_L2A: 2 * len(world.optical),
        ProductKind.S2_L1C: 2,
        ProductKind.MUSCATE_L2A: 2,
        # Both polarisations of both tiles.
        ProductKind.S1_AMP: 4 * len(world.radar),
        ProductKind.S1_COHE: 4 * paired,
    }
    assert len(found) == expected[kind]
    flights = world.optical if satellite is Satellite.SENTINEL2 else world.radar
    times = {flight.start.replace(microsecond=0, tzinfo=None) for flight in flights}
    for candidate in found:
        assert candidate.sensing_time.replace(microsecond=0, tzinfo=None) in times
        assert candidate.relative_orbit in {flight.relative_orbit for flight in flights}
        report = verify_product(Path(candidate.address), candidate.name)
        assert (report.tile_problems, report.warnings) == ((), ())


# --- truth -------------------------------------------------------------------------------------------------------


def test_the_readme_explains_every_file_and_column(season: Path) -> None:
    readme = (season / "README.md").read_text(encoding="utf-8")
    truth = season / "truth"
    assert {path.name for path in truth.iterdir()} == COLUMNS.keys()
    for name, columns in COLUMNS.items():
        documented = [part for column in columns for part in _expanded(column)]
        if name.endswith(".gpkg"):
            there = list(pyogrio.read_info(truth / name)["fields"])
        else:
            there = pq.read_schema(truth / name).names
        assert there == documented, name
        section = readme.split(f"## truth/{name}")[1].split("\n## ")[0]
        for column in columns:
            assert f"| `{column}` |" in section
    for path in season.iterdir():
        assert path.name == "README.md" or f"`{path.name}" in readme, path.name


def _expanded(column: str) -> list[str]:
    """``mowing_1 … mowing_6`` as six names."""
    if "…" not in column:
        return [column]
    first, last = (part.strip() for part in column.split("…"))
    stem = first.rstrip("0123456789")
    return [f"{stem}{number}" for number in range(int(first[len(stem) :]), int(last[len(stem) :]) + 1)]


def test_the_truth_joins_what_was_declared(season: Path) -> None:
    truth = pq.read_table(season / "truth" / "parcels.parquet").to_pylist()
    outlines = pyogrio.read_dataframe(season / "truth" / "parcels.gpkg")
    first = pyogrio.read_dataframe(season / "declarations" / "declarations.gpkg")
    crop_of = dict(zip(first["FUNCTIONEE"], first["GRONDBEDEK"], strict=True))

    assert len(truth) == OPTIONS.parcels
    window = shapely.box(*window_of(OPTIONS.tiles, OPTIONS.size_m).grid.bounds).buffer(1)
    for row, outline in zip(truth, outlines.to_dict("records"), strict=True):
        assert {name: row[name] for name in ("parcel_id", "ori_id", "true_crop", "declared_crop")} == {
            name: outline[name] for name in ("parcel_id", "ori_id", "true_crop", "declared_crop")
        }
        assert row["mislabelled"] == (row["true_crop"] != row["declared_crop"])
        # The faulty delivery's column of codes holds numbers.
        assert int(crop_of[row["ori_id"]]) == int(row["declared_crop"])
        assert row["area_m2"] == pytest.approx(outline["geometry"].area, rel=1e-4)
        assert outline["geometry"].within(window)


def test_the_second_delivery_differs_where_it_says(season: Path) -> None:
    truth = {row["ori_id"]: row for row in pq.read_table(season / "truth" / "parcels.parquet").to_pylist()}
    second = pyogrio.read_dataframe(season / "declarations" / "declarations_v2.gpkg")
    said = json.loads((season / "declarations" / "declarations_truth.json").read_text())["second_delivery"]

    assert truth.keys() - set(second["FUNCTIONEE"]) == set(said["deleted"])
    assert set(second["FUNCTIONEE"]) - truth.keys() == set(said["new"])
    changed = {
        row["FUNCTIONEE"]
        for row in second.to_dict("records")
        if row["FUNCTIONEE"] in truth and str(row["GRONDBEDEK"]) != truth[row["FUNCTIONEE"]]["declared_crop"]
    }
    assert changed == set(said["attribute"])


def test_tables_have_a_row_for_each_parcel_day_and_pass(season: Path, world: World) -> None:
    truth = season / "truth"
    days = (END - START).days + 1
    assert pq.read_metadata(truth / "daily_lai.parquet").num_rows == OPTIONS.parcels * days
    assert pq.read_metadata(truth / "weather.parquet").num_rows == days
    assert pq.read_metadata(truth / "clear.parquet").num_rows == OPTIONS.parcels * len(world.optical)
    passes = pq.read_table(truth / "passes.parquet").to_pylist()
    assert [row["time"].replace(tzinfo=None) for row in passes if row["sensor"] == "sentinel-2"] == [
        flight.start.replace(microsecond=0, tzinfo=None) for flight in world.optical
    ]
    assert sum(row["sensor"] == "sentinel-1" for row in passes) == len(world.radar)
    assert pq.read_metadata(truth / "passes.parquet").num_rows == len(world.optical) + len(world.radar)


def test_the_clear_table_agrees_with_the_scenes(season: Path, world: World) -> None:
    clear = pq.read_table(season / "truth" / "clear.parquet").to_pandas()
    passes = pq.read_table(season / "truth" / "passes.parquet").to_pandas()
    fields = world.fine.main_object() < OPTIONS.parcels
    area = np.bincount(world.fine.objects, world.fine.shares, minlength=OPTIONS.parcels)[: OPTIONS.parcels]
    for number, flight in enumerate(world.optical):
        scene = scene_of(world, number)
        hidden = scene.true_cloud | scene.true_shadow
        rows = clear[clear["time"].dt.tz_localize(None) == flight.start.replace(microsecond=0, tzinfo=None)]
        assert rows["parcel_id"].tolist() == world.landscape.traits.parcel_id.tolist()
        shown = np.average(rows["clear_share"], weights=area)
        assert shown == pytest.approx(1 - hidden[fields].mean(), abs=0.02)
        row = passes.iloc[number]
        assert row["cloud_share"] == pytest.approx(scene.true_cloud.mean(), abs=1e-6)
        assert row["hidden_share"] == pytest.approx(hidden.mean(), abs=1e-6)
        assert row["classified_hidden_share"] == pytest.approx(
            np.isin(pixels(image(season, TILES[0], flight.start.date(), "SCL_20m")), (3, 7, 8, 9, 10)).mean(), abs=1e-6
        )


def test_the_mark_is_written_last_and_counts_right(season: Path) -> None:
    files = list(files_of(season))
    assert max(files, key=lambda path: path.stat().st_mtime_ns).name == MARK
    described = json.loads((season / MARK).read_text())
    assert described["options"]["seed"] == OPTIONS.seed
    assert described["options"]["start"] == "2021-06-01"
    assert described["made"]["parcels"] == OPTIONS.parcels
    assert described["made"]["total_bytes"] == sum(path.stat().st_size for path in files if path.name != MARK)
    products = sum(1 for path in season.rglob("*.SAFE")) + sum(1 for path in season.rglob("SENTINEL2?_*_C_V*/MASKS"))
    radar = [path for path in season.rglob("*.tif") if "Sentinel-1" in path.parts]
    assert described["made"]["products"] == products + len(radar)
    assert str(season) not in (season / MARK).read_text()


# --- a window wider than what the tiles share -----------------------------------------------------------------------


def test_neighbouring_tiles_agree_where_they_overlap(tmp_path: Path) -> None:
    # 31UFT and 31UGT share 9840 m.
    options = SeasonOptions(
        size_m=10_020, parcels=30, start=date(2021, 6, 3), end=date(2021, 6, 4), tiles=("31UFT", "31UGT")
    )
    season = make_season(tmp_path / "wide", options).root
    window = make_world(options).window

    (_, left), (_, right) = window.tiles
    assert left.columns < window.grid.columns > right.columns
    from_column = round((right.west - left.west) / 20)
    shared = left.columns // 2 - from_column
    found = sorted((season / "archive" / L2A).rglob("*_SCL_20m.jp2"))
    assert len(found) == 2
    one, two = (pixels(path) for path in found)
    assert one.shape == (left.rows // 2, left.columns // 2)
    np.testing.assert_array_equal(one[:, from_column:], two[:, :shared])
    reds = [pixels(path).astype(float) - 1000 for path in sorted((season / "archive" / L2A).rglob("*_B04_10m.jp2"))]
    apart = reds[0][:, 2 * from_column :] - reds[1][:, : 2 * shared]
    assert np.abs(apart).mean() < 0.01 * reds[0].mean() + 60
    radar = sorted((season / "archive" / RADAR).rglob("*_VV_*.tif"))
    assert len(radar) == 2
    np.testing.assert_array_equal(pixels(radar[0])[:, from_column:], pixels(radar[1])[:, :shared])
    assert math.isclose(left.bounds[2] - right.west, 20 * shared)
