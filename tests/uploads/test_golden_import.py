"""The golden set of the specification (lpis-and-inputs.md 10.1) and real deliveries, imported whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import CRS, Transformer

from s4c_lib.catalog.database import Database
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.catalog.sites import Site, add_site, get_site
from s4c_lib.geography.sentinel2_tiles import TileCoverage, select_tiles, tile
from s4c_lib.parcels.checking import CheckOptions
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.parcels.inspection import inspect
from s4c_lib.parcels.mapping import suggest
from s4c_lib.uploads.declarations import ImportOutcome, ImportRequest, import_declarations

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "declarations"
X, Y = 650003.0, 5750003.0


def square(x: float, y: float, wide: float, high: float | None = None) -> shapely.Polygon:
    return shapely.box(X + x, Y + y, X + x + wide, Y + y + (high or wide))


def ring(*points: tuple[float, float]) -> shapely.Polygon:
    return shapely.Polygon([(X + x, Y + y) for x, y in points])


# id, holding, crop, outline; then ori_id, NewID, HoldID, valid, area, ShapeInd, amount, overlap, duplicate,
# S2Pix and S1Pix of the reference and of the default.
GOLDEN = [
    ("P1", "H1", "265", square(0, 0, 100), "P1", 1, 1, True, 10000, 1.1284, 0.15, True, False, (72, 16), (81, 16)),
    ("P2", "H1", "259", square(85, 0, 100), "P2", 2, 1, True, 10000, 1.1284, 0.15, True, False, (81, 16), (81, 16)),
    ("P3", "H2", "233", square(0, 200, 200),
     "P3", 3, 2, True, 40000, 1.1284, 0.0625, False, False, (345, 77), (361, 81)),
    ("P4", "H2", "233", square(10, 210, 50), "P4", 4, 2, True, 2500, 1.1284, 1.0, True, False, (16, 4), (16, 4)),
    ("P5", "H2", "256", square(300, 0, 100), "P5-A", 5, 2, True, 10000, 1.1284, 1.0, True, True, (0, 0), (81, 16)),
    ("P5", "H2", "256", square(300, 0, 100), "P5-B", 6, 2, True, 10000, 1.1284, 1.0, True, True, (81, 16), (81, 16)),
    ("P6", "H3", "2014", ring((500, 0), (600, 100), (600, 0), (500, 100)),
     "P6", 7, 3, False, 5000, 1.9263, 0, False, False, (0, 0), (0, 0)),
    ("P7", "H3", "2014",
     ring((700, 0), (800, 0), (800, 100), (750, 100), (760, 50), (740, 50), (750, 100), (700, 100)),
     "P7", 8, 3, False, 9500, 1.5107, 0, False, False, (0, 0), (70, 12)),
    ("P8", "H3", "331", square(900, 0, 12, 300), "P8", 9, 3, True, 3600, 2.9338, 0, False, False, (0, 0), (0, 0)),
]  # fmt: skip


def site_around(database: Database, west: float, south: float, east: float, north: float, tiles: list[str]) -> Site:
    extent = shapely.multipolygons([shapely.segmentize(shapely.box(west, south, east, north), 0.1)])
    chosen = [TileCoverage(tile(name), 100.0, selected=True, redundant=False) for name in tiles]
    with database.begin() as connection:
        add_site(
            connection,
            name="Golden",
            short_name="golden",
            geometry=extent,
            search_geometry=extent,
            area_km2=100,
            tiles=chosen or select_tiles(extent, 0.0),
            actor="test",
        )
        return get_site(connection, "golden")


def run(
    database: Database, site: Site, path: Path, mapping: ColumnMapping, storage: Path, **options: object
) -> ImportOutcome:
    request = ImportRequest(path, mapping, 2026, options=CheckOptions(**options))  # type: ignore[arg-type]
    return import_declarations(database, site, request, storage=storage, actor="test", now=NOW)


@pytest.mark.parametrize("profile", ["reference", "default"])
def test_the_golden_set(database: Database, tmp_path: Path, profile: str) -> None:
    columns = {name: [row[place] for row in GOLDEN] for place, name in enumerate(("id", "hold", "crop"))}
    frame = gpd.GeoDataFrame(columns, geometry=[row[3] for row in GOLDEN], crs="EPSG:32631")
    frame.to_file(tmp_path / "golden.gpkg")
    site = site_around(database, 5.0, 51.8, 5.3, 52.0, ["31UFT"])
    mapping = ColumnMapping(("id",), "crop", ("hold",))
    outcome = run(database, site, tmp_path / "golden.gpkg", mapping, tmp_path / "lpis", profile=profile)

    assert outcome.parcel_set is not None
    with database.begin() as connection:
        stored = read_parcels(connection, outcome.parcel_set).to_pylist()
    scale = 1.000247 if profile == "default" else 1
    for row, (*_, ori_id, new_id, hold_id, valid, area, shape, amount, overlap, duplicate, reference, default) in zip(
        stored, GOLDEN, strict=True
    ):
        s2, s1 = reference if profile == "reference" else default
        assert (row["ori_id"], row["new_id"], row["hold_id"]) == (ori_id, new_id, hold_id)
        assert (row["geom_valid"], row["overlap"], row["duplic"]) == (valid, overlap, duplicate), ori_id
        assert row["area_meters"] == pytest.approx(area * scale, rel=1e-5)
        assert row["shape_ind"] == pytest.approx(shape, abs=2e-3)
        assert row["overlap_amount"] == pytest.approx(amount, abs=1e-4)
        assert (row["s2_pix"], row["s1_pix"]) == (s2, s1), ori_id
    assert [row["ori_id"] for row in stored if row["geom_repaired"]] == ([] if profile == "reference" else ["P7"])


def test_a_partial_delivery_is_suspected(database: Database, tmp_path: Path) -> None:
    site = site_around(database, 5.0, 51.8, 5.3, 52.0, ["31UFT"])
    mapping = ColumnMapping(("id",), "crop")
    for name, count in (("all", 20), ("few", 10)):
        shapes = [square(120 * number, 0, 100) for number in range(count)]
        frame = gpd.GeoDataFrame(
            {"id": [f"P{number}" for number in range(count)], "crop": "265"}, geometry=shapes, crs=32631
        )
        frame.to_file(tmp_path / f"{name}.gpkg")
    assert run(database, site, tmp_path / "all.gpkg", mapping, tmp_path / "lpis").report.of("DECL-50") is None
    found = run(database, site, tmp_path / "few.gpkg", mapping, tmp_path / "lpis").report.of("DECL-50")

    assert found is not None
    assert found.message == '10 parcels, active version has 20. Is this a partial delivery? Use "incremental".'


@pytest.mark.skipif(not REAL.is_dir(), reason="the real declarations of the project's shared data are not here")
@pytest.mark.parametrize(
    "name", ["be_vlg_2023.gpkg.zip", "de_bb.zip", "dk_2026.zip", "lt_2024.zip", "nl_2023.gpkg", "ro.zip"]
)
def test_real_deliveries_come_into_force_whole(database: Database, tmp_path: Path, name: str) -> None:
    found = inspect(REAL / name)
    proposal = suggest([column.name for column in found.columns])
    assert proposal is not None
    assert found.bounds is not None
    assert found.crs is not None
    west, south, east, north = Transformer.from_crs(
        CRS.from_epsg(found.crs["epsg"]), 4326, always_xy=True
    ).transform_bounds(*found.bounds)
    site = site_around(database, west - 0.01, south - 0.01, east + 0.01, north + 0.01, [])
    outcome = run(database, site, REAL / name, proposal.mapping, tmp_path / "lpis")

    assert not outcome.report.refused
    assert outcome.report.rows == outcome.report.accepted + outcome.report.set_aside == 100
    assert outcome.parcel_set is not None
    with database.begin() as connection:
        stored = read_parcels(connection, outcome.parcel_set)
    assert len(stored) == outcome.report.accepted
    assert len(np.unique(stored["ori_id"].to_pylist())) == len(stored)
    own = gpd.pd.read_parquet(Path(outcome.parcel_set.folder) / "attributes.parquet")
    assert {column.name for column in found.columns} - {"src_row"} <= set(own.columns) | {
        name.removeprefix("src_") for name in own.columns
    }
