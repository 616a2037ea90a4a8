"""A whole small season through ingest: L2A, L3B and parcel statistics, against what plain numpy makes of its files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pytest
import rasterio
import shapely
from database_server import DatabaseServer
from derived_season import L3B, Derived, make_derived, products_in, season_files, stored_files

from s4c_lib.catalog.database import Database
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.catalog.products import Product, files_of, inputs_of

__all__ = ["season_files"]

OPTICAL, RADAR = 6, 12
BANDS_OF_L4A = ("b03", "b04", "b05", "b06", "b07", "b08", "b11", "b12", "brightness_l4a", "ndwi")
LAND_CLASSES = (4, 5)

Pixels = dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None]


@pytest.fixture(scope="module")
def done(
    postgres: DatabaseServer, migrated_template: str, season_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Derived, dict[str, int]]]:
    """The season after one ingest, and its counts; nothing is changed any more."""
    url = postgres.create(migrated_template)
    database = Database(url)
    season = make_derived(database, season_files, tmp_path_factory.mktemp("done"))
    yield season, season.run()
    database.engine.dispose()
    postgres.drop(url)


@pytest.fixture(scope="module")
def season(done: tuple[Derived, dict[str, int]]) -> Derived:
    return done[0]


def outlines(season: Derived, buffer_m: float) -> dict[int, tuple[Any, Any]]:
    """Parcels that take part without their border, a millimetre smaller and a millimetre larger."""
    with season.database.begin() as connection:
        table = read_parcels(connection, season.parcels, ["new_id", "geom", "geom_valid", "geom_repaired"])
    rows = table.filter(pc.or_(table["geom_valid"], table["geom_repaired"])).to_pylist()
    found = {}
    for row in rows:
        shape = shapely.from_wkb(row["geom"])
        found[row["new_id"]] = (shapely.buffer(shape, -buffer_m - 0.001), shapely.buffer(shape, -buffer_m + 0.001))
    return found


def pixels_of(shapes: dict[int, tuple[Any, Any]], raster: Path) -> Pixels:
    """Rows and columns of the pixels whose centre lies in each shape, found by asking for every pixel.

    None for a shape with a centre on its very edge: whose that is is not defined.
    """
    with rasterio.open(raster) as source:
        columns, rows = np.meshgrid(np.arange(source.width), np.arange(source.height))
        x, y = source.transform @ (columns + 0.5, rows + 0.5)
    found: Pixels = {}
    for number, (smaller, larger) in shapes.items():
        inside = shapely.contains_xy(larger, x, y)
        sure = (inside == shapely.contains_xy(smaller, x, y)).all()
        if inside.any():
            found[number] = np.nonzero(inside) if sure else None
    assert len([at for at in found.values() if at is None]) < 5
    return found


def read(path: Path) -> npt.NDArray[Any]:
    with rasterio.open(path) as source:
        return np.asarray(source.read(1))


def check_rows(
    season: Derived,
    product: Product,
    variable: str,
    pixels: Pixels,
    values: npt.NDArray[Any],
    valid: npt.NDArray[np.bool_],
    tolerance: float,
) -> int:
    """The rows of a product's variable are those of the valid pixels; returns how many there are."""
    table = season.observations(variable)
    found = {row["parcel_id"]: row for row in table.filter(pc.equal(table["product_id"], product.id)).to_pylist()}
    assert found.keys() <= pixels.keys()
    for number, at in pixels.items():
        if at is None:
            continue
        mine = values[at][valid[at]]
        if not len(mine):
            assert number not in found
            continue
        row = found[number]
        assert (row["n"], row["n_total"]) == (len(mine), len(at[0]))
        assert row["mean"] == pytest.approx(mine.mean(), abs=tolerance)
        if len(mine) < 2:
            assert row["std"] is None
        else:
            assert row["std"] == pytest.approx(mine.std(ddof=1), abs=tolerance)
    return len(found)


# --- what an ingest makes and says ---------------------------------------------------------------------------------


def test_an_ingest_goes_from_images_to_parcel_statistics(done: tuple[Derived, dict[str, int]]) -> None:
    season, counts = done
    told = ("queued", "ignored", "fetched", "registered", "waiting", "l2a", "l3b", "statistics")
    assert {key: counts[key] for key in told} == {
        "queued": OPTICAL + RADAR,
        "ignored": 2,
        "fetched": OPTICAL + RADAR,
        "registered": OPTICAL + RADAR,
        "waiting": OPTICAL,
        "l2a": OPTICAL,
        "l3b": OPTICAL,
        "statistics": 2 * OPTICAL + RADAR,
    }
    assert not [key for key in counts if key.endswith("_failed") and counts[key]]
    assert set(season.acquisitions().values()) == {"processed"}
    assert {kind: len(season.products(kind)) for kind in ("l2a", "l3b", "s1_l2a_amp", "s1_l2a_cohe")} == {
        "l2a": OPTICAL,
        "l3b": OPTICAL,
        "s1_l2a_amp": 8,
        "s1_l2a_cohe": 4,
    }
    made: dict[str, int] = {}
    for marker in season.markers():
        made[marker.variable] = made.get(marker.variable, 0) + 1
    assert made == {
        **dict.fromkeys((*L3B, *BANDS_OF_L4A), OPTICAL),
        **{"vv": 4, "vh": 4, "coherence_vv": 2, "coherence_vh": 2},
    }
    assert {Path(one.path) for one in season.markers()} == stored_files(season.root)


def test_a_second_ingest_has_nothing_to_do(done: tuple[Derived, dict[str, int]]) -> None:
    season, _ = done
    before = (season.products("l2a"), season.products("l3b"), season.markers())
    assert not season.has_work()
    counts = season.run()
    assert {key: value for key, value in counts.items() if value} == {}
    assert (season.products("l2a"), season.products("l3b"), season.markers()) == before


def test_products_know_what_they_were_made_of_and_their_files(season: Derived) -> None:
    l2a = {product.id: product for product in season.products("l2a")}
    for product in season.products("l3b"):
        with season.database.begin() as connection:
            (source,) = inputs_of(connection, product.id)
            files = files_of(connection, product.id)
        assert l2a[source].acquired_at == product.acquired_at
        assert {item.path for item in files} == {path.name for path in Path(product.full_path).iterdir()}
        assert all((Path(product.full_path) / item.path).stat().st_size == item.size_bytes for item in files)
    day = season.products("l2a")[0]
    assert Path(day.full_path).parts[-5:-1] == ("31UFS", "2021", "06", "01")
    assert day.name == Path(day.full_path).name


# --- the numbers ---------------------------------------------------------------------------------------------------


def test_statistics_of_vegetation_are_those_of_its_pixels(season: Derived) -> None:
    shapes = outlines(season, 5)
    compared = 0
    for product in season.products("l3b"):
        folder = Path(product.full_path)
        land = read(folder / product.metadata["flags"]) == 0
        pixels = pixels_of(shapes, folder / product.metadata["flags"])
        for variable in L3B:
            raw = read(folder / product.metadata["rasters"][variable])
            compared += check_rows(season, product, variable, pixels, raw * 0.001, land & (raw != -10000), 2e-6)
    assert compared > 1000


def test_clouds_of_the_delivered_product_are_left_out(season: Derived) -> None:
    """From the SAFE as it was delivered: NDVI of pixels that its classification calls vegetation or bare soil."""
    shapes = outlines(season, 5)
    compared = 0
    for product in season.products("l3b"):
        (safe,) = products_in(season.archive, "_MSIL2A_", [product.acquired_at.day])
        (scl,) = safe.rglob("*_SCL_20m.jp2")
        (red,), (infrared,) = safe.rglob("*_B04_10m.jp2"), safe.rglob("*_B08_10m.jp2")
        land = np.isin(read(scl), LAND_CLASSES).repeat(2, axis=0).repeat(2, axis=1)
        dark, bright = read(red).astype(float), read(infrared).astype(float)
        data = (dark > 0) & (bright > 0)
        index = (bright - dark) / np.where(data, bright + dark - 2000, 1)
        # each pixel is rounded to a thousandth in between
        compared += check_rows(season, product, "ndvi", pixels_of(shapes, red), index, land & data, 1e-3)
    assert compared > 200


def test_backscatter_is_averaged_in_decibel(season: Derived) -> None:
    shapes = outlines(season, 10)
    different = 0.0
    for product in season.products("s1_l2a_amp"):
        raster = Path(product.full_path)
        linear = read(raster).astype(np.float64)
        valid = np.isfinite(linear) & (linear > 1e-6)
        decibel = 10 * np.log10(np.where(valid, linear, 1))
        pixels = pixels_of(shapes, raster)
        variable = "vv" if "_VV_" in product.name else "vh"
        assert check_rows(season, product, variable, pixels, decibel, valid, 2e-5) > 50
        sure = [at for at in pixels.values() if at is not None]
        different = max(different, *(10 * np.log10(linear[at].mean()) - decibel[at].mean() for at in sure))
    # the logarithm of the mean would be another number by far
    assert different > 0.3


def test_coherence_is_averaged_as_it_is_and_knows_both_dates(season: Derived) -> None:
    shapes = outlines(season, 10)
    for product in season.products("s1_l2a_cohe"):
        raster = Path(product.full_path)
        values = read(raster).astype(np.float64)
        with rasterio.open(raster) as source:
            scale, no_data = source.scales[0], source.nodata
        valid = np.isfinite(values) & (values > 0) & (values != no_data)
        variable = "coherence_vv" if "_VV_" in product.name else "coherence_vh"
        assert check_rows(season, product, variable, pixels_of(shapes, raster), values * scale, valid, 2e-5) > 50
    for row in season.observations("coherence_vv", "vv").to_pylist():
        gap = None if row["previous_time"] is None else round((row["time"] - row["previous_time"]) / timedelta(days=1))
        assert (row["variable"], gap) in {("vv", None), ("coherence_vv", 6)}
        assert row["orbit"] in (37, 88)


def test_bands_for_crop_types_lie_on_their_own_grids(season: Derived) -> None:
    product = season.products("l2a")[0]
    folder = Path(product.full_path)
    scl = read(folder / f"{product.name}_SCL.tif")
    for variable, buffer_m, repeat in (("b04", 5, 2), ("b05", 10, 1)):
        raster = folder / f"{product.name}_{variable.upper()}.tif"
        values = (read(raster).astype(np.float64) - 1000) / 10000
        land = np.isin(scl, LAND_CLASSES).repeat(repeat, axis=0).repeat(repeat, axis=1)
        pixels = pixels_of(outlines(season, buffer_m), raster)
        assert check_rows(season, product, variable, pixels, values, land, 2e-6) > 50


def test_a15_two_parcels_with_the_same_outline_have_the_same_statistics(season: Derived) -> None:
    """Declarations of the season hold duplicates on purpose; none takes pixels from the other."""
    with season.database.begin() as connection:
        table = read_parcels(connection, season.parcels, ["new_id", "geom", "geom_valid", "geom_repaired"])
    usable = table.filter(pc.or_(table["geom_valid"], table["geom_repaired"])).to_pylist()
    twins: dict[bytes, list[int]] = {}
    for row in usable:
        twins.setdefault(shapely.normalize(shapely.from_wkb(row["geom"])).wkb, []).append(row["new_id"])
    pairs = [numbers for numbers in twins.values() if len(numbers) == 2]
    assert pairs
    facts = ("variable", "time", "mean", "std", "n", "n_total")
    found = season.observations("ndvi", "vv").to_pylist()
    compared = 0
    for one, other in pairs:
        rows = [[[row[key] for key in facts] for row in found if row["parcel_id"] == number] for number in (one, other)]
        assert rows[0] == rows[1]
        compared += len(rows[0])
    assert compared > 5


def test_nothing_is_left_in_scratch(season: Derived) -> None:
    scratch = season.root / "scratch"
    assert not scratch.exists() or not [path for path in scratch.rglob("*") if path.is_file()]
    assert list((season.root / "products").rglob(".*")) == []
