"""Real input: what agencies deliver, what satellites' ground segments write, what others measured on real plots.

Figures and the commands behind them: docs/validation.md.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import CRS, Transformer
from rasterio import Affine
from shapely import box, multipolygons
from shapely.geometry.base import BaseGeometry
from typer.testing import CliRunner

from benchmarks.real_series import french_files, slovakia
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.parcel_sets import active_set
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.catalog.sites import Site, add_site, get_site
from s4c_lib.cli.main import app
from s4c_lib.geography.sentinel2_tiles import select_tiles
from s4c_lib.parcels.inspection import inspect
from s4c_lib.sources.local_archive import LocalArchive
from s4c_lib.sources.metadata_files import elements, parse_xml
from s4c_lib.sources.model import Candidate, Query
from s4c_lib.sources.product_names import ProductKind, Satellite
from s4c_lib.uploads.declarations import import_declarations
from s4c_lib.uploads.requests import Wish, import_request
from tests.dags.conftest import RunDags, airflow_environment, declarations_of, manifest_of, run_dags  # noqa: F401

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
REAL = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="the project's shared real data are not on this machine")

# Of each delivery of 100 rows: coordinate system, encoding, codes of the findings with their rows.
DELIVERIES: dict[str, tuple[int, str, dict[str, int]]] = {
    "be_vlg_2023.gpkg.zip": (31370, "UTF-8", {"CRS-04": 0, "DECL-23": 100, "DECL-36": 5}),
    "de_bb.zip": (25833, "cp1252", {"DECL-10": 0, "DECL-23": 100, "DECL-24": 29, "DECL-33": 1, "DECL-36": 26,
                                    "DECL-41": 5}),
    "dk_2026.zip": (25832, "cp1252", {"DECL-10": 0, "DECL-23": 14}),
    "lt_2024.zip": (3035, "UTF-8", {"DECL-23": 100, "DECL-25": 100, "DECL-34": 1, "DECL-36": 3}),
    "nl_2023.gpkg": (28992, "UTF-8", {"CRS-04": 0, "DECL-23": 100, "DECL-36": 44}),
    "ro.zip": (32635, "UTF-8", {"DECL-10": 0, "DECL-23": 100, "DECL-34": 5, "DECL-35": 5, "DECL-36": 100}),
}  # fmt: skip
# A code as the agency writes it, after the ways that file formats mangle it (593.0, '0593 ').
FIRST_CODE = {"be_vlg": "60", "de_bb": "591", "dk": "593", "lt": "3301011503", "nl": "343", "ro": "WD"}

Command = Callable[..., str]


@pytest.fixture
def s4c() -> Command:
    """Run a command by hand, without a database; its standard output."""

    def run(*arguments: object) -> str:
        answer = CliRunner().invoke(
            app, [str(item) for item in arguments], env={"S4C_DATABASE_URL": None}, prog_name="s4c"
        )
        assert answer.exit_code == 0, answer.stderr
        return answer.stdout

    return run


# -- declarations


@needs_real_data
@pytest.mark.parametrize("name", DELIVERIES)
def test_a_check_finds_what_is_special_about_a_real_delivery(s4c: Command, name: str) -> None:
    report = json.loads(s4c("declarations", "check", REAL / "declarations" / name, "--json"))
    epsg, encoding, codes = DELIVERIES[name]
    assert (report["rows"], report["accepted"], report["set_aside"]) == (100, 100, 0)
    assert (report["crs"], report["encoding"]) == (f"EPSG:{epsg}", encoding)
    assert {finding["code"]: finding["count"] for finding in report["findings"]} == codes


def site_of(database: Database, short_name: str, file: Path) -> Site:
    """A site around the parcels of a delivery."""
    found = inspect(file)
    assert found.bounds is not None
    assert found.crs is not None
    to_degrees = Transformer.from_crs(CRS.from_epsg(found.crs["epsg"]), 4326, always_xy=True)
    west, south, east, north = to_degrees.transform_bounds(*found.bounds)
    extent = multipolygons([box(west - 0.01, south - 0.01, east + 0.01, north + 0.01)])
    with database.begin() as connection:
        add_site(
            connection,
            name=short_name,
            short_name=short_name,
            geometry=extent,
            search_geometry=extent,
            area_km2=100,
            tiles=select_tiles(extent, 0.0),
            actor="anna",
        )
        return get_site(connection, short_name)


@needs_real_data
@pytest.mark.slow
def test_real_deliveries_come_into_force_by_the_declarations_dag(
    database: Database,
    tmp_path: Path,
    run_dags: RunDags,  # noqa: F811
) -> None:
    """By Airflow's ``dag.test()``, with a file and a year in the form; two of the six, for the time's sake."""
    files = {name.split(".")[0].removesuffix("_2023").removesuffix("_2024").removesuffix("_2026"): name
             for name in ("lt_2024.zip", "ro.zip")}  # fmt: skip
    sites = {site: site_of(database, site, REAL / "declarations" / name) for site, name in files.items()}
    with database.begin() as connection:
        set_value(connection, "storage.products_path", str(tmp_path / "products"), actor="anna")
    asked = [
        {
            "dag": f"{site}__declarations",
            "logical_date": f"2026-05-{day:02d}",
            "conf": {"file": str(REAL / "declarations" / files[site]), "year": 2024},
        }
        for day, site in enumerate(sites, 1)
    ]
    runs = run_dags(manifest_of(*map(declarations_of, sites)), *asked)
    assert [one["run"] for one in runs] == ["success"] * len(sites)
    for short_name, site in sites.items():
        with database.begin() as connection:
            current = active_set(connection, site.id, 2024)
            assert current is not None
            parcels = read_parcels(connection, current).to_pylist()
        assert len({parcel["new_id"] for parcel in parcels}) == len({parcel["ori_id"] for parcel in parcels}) == 100
        assert FIRST_CODE[short_name] in {parcel["ori_crop"] for parcel in parcels}
        assert (Path(current.folder) / "report.html").is_file()


def test_an_extent_that_meets_a_tile_too_little_makes_a_site(database: Database) -> None:
    """Found with the extents of the real Danish, German and Romanian deliveries."""
    extent = multipolygons([box(5.72, 50.5, 5.76, 50.55)])
    largest = max(one.overlap_km2 for one in select_tiles(extent, 0.0))
    unused = select_tiles(extent, largest + 1)
    assert [one.selected for one in unused] == [False] * len(unused)
    with database.begin() as connection:
        add_site(
            connection,
            name="sliver",
            short_name="sliver",
            geometry=extent,
            search_geometry=extent,
            area_km2=16,
            tiles=unused,
            actor="anna",
        )


@needs_real_data
def test_the_same_real_file_again_changes_nothing(database: Database, tmp_path: Path) -> None:
    file = REAL / "declarations" / "be_vlg_2023.gpkg.zip"
    site = site_of(database, "vlg", file)
    made = []
    for _ in range(2):
        request, _, _ = import_request(database, site, Wish(str(file), 2024), today=NOW.date())
        made.append(import_declarations(database, site, request, storage=tmp_path / "lpis", actor="anna", now=NOW))
    assert [one.changed for one in made] == [True, False]


# -- series


@needs_real_data
def test_mowing_by_hand_finds_what_cameras_saw(s4c: Command, tmp_path: Path) -> None:
    """Counted by code of its own, from the files that the command leaves behind."""
    figures = slovakia(REAL / "mowing_slovakia", tmp_path, ["--profile", "reference"], s4c)["within 3 days"]
    # case SY-1 of the specification: Sen4CAP's own method
    assert [figures[name] for name in ("parcels", "mowings", "events", "right")] == [199, 196, 242, 153]


@needs_real_data
def test_crop_type_by_hand_beats_the_commonest_crop(s4c: Command, tmp_path: Path) -> None:
    french_files(REAL / "crop_type_france" / "dekads_2023.parquet", tmp_path, 10)
    few = ("--folds", 2, "--end", "2023-07-31", "--set", "processor.s4c_l4a.num-trees=20")
    files = "--observations", tmp_path / "observations.parquet", "--parcels", tmp_path / "parcels.csv"
    s4c("run", "l4a", *files, "--lut", tmp_path / "lut.csv", "--out", tmp_path / "crops", *few)
    metrics = json.loads((tmp_path / "crops" / "metrics.json").read_text("utf-8"))
    assert metrics["validation"]["overall_accuracy"] > 0.5  # a quarter of them have the commonest crop


# -- metadata and names


def all_of(root: Path, *, geometry: BaseGeometry | None = None) -> list[Candidate]:
    """Whatever a source at that folder offers, of all satellites, kinds and days."""
    archive = LocalArchive(root)
    index = archive.open_index()
    found = []
    for satellite in Satellite:
        query = Query(satellite, frozenset(ProductKind), date(2014, 1, 1), date(2030, 1, 1), geometry, None)
        found += archive.search(query, index).candidates
    return found


def put_images(product: Path) -> None:
    """Put in the images that real metadata list and that were left out of the excerpt: a file of one byte each."""
    (metadata,) = product.glob("MTD_MSI*.xml")
    for element in elements(parse_xml(metadata.read_bytes(), metadata.name), "IMAGE_FILE"):
        image = product / f"{element.text}.jp2"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(b"x")


def writable_copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    for path in [*target.rglob("*"), target]:
        path.chmod(0o755)
    return target


@needs_real_data
def test_real_metadata_say_when_where_and_how_cloudy(tmp_path: Path) -> None:
    root = writable_copy(REAL / "sentinel2_metadata", tmp_path / "optical")
    for product in root.iterdir():
        put_images(product)
    found = [*all_of(root), *all_of(REAL / "sentinel1_safe")]
    said = [
        (item.name.kind.value, f"{item.sensing_time:%Y-%m-%d %H:%M}", item.relative_orbit, str(item.direction))
        for item in found
    ]
    assert said == [
        ("s2_l2a", "2019-12-28 21:05", 71, "descending"),
        ("s2_l1c", "2021-09-08 04:27", 133, "descending"),
        ("s2_l2a", "2022-04-13 15:07", 25, "ascending"),
        ("s2_l2a", "2023-08-21 22:19", 29, "descending"),
        ("s1_grd", "2021-12-23 05:11", 22, "descending"),
        ("s1_slc", "2022-01-04 17:05", 117, "ascending"),
    ]
    clouds = [item.cloud_pct for item in found[:4]]
    assert clouds == pytest.approx([99.99889, 88.2972, 98.944211, 59.050727])
    # made anew years after the pass: the later processing is preferred by this time
    assert [item.created.year for item in found if item.created is not None] == [2020, 2021, 2022, 2023, 2021, 2022]


# Names that a provider gave to a product, one of each kind, and the day that they mean.
NAMES = {
    ProductKind.S2_L1C: ("S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.SAFE", "2021-09-08"),
    ProductKind.S2_L2A: ("S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825.SAFE", "2023-08-21"),
    ProductKind.MUSCATE_L2A: ("SENTINEL2A_20160928-105637-665_L2A_T31UDS_C_V1-0", "2016-09-28"),
    ProductKind.S1_SLC: ("S1A_IW_SLC__1SDV_20220104T170557_20220104T170624_041314_04E951_F1F1.SAFE", "2022-01-04"),
    ProductKind.S1_GRD: ("S1B_IW_GRDH_1SDV_20211223T051122_20211223T051147_030148_039993_5371.SAFE", "2021-12-23"),
    ProductKind.S1_AMP: ("SEN4CAP_L2A_S7_V20200404T165041_20200329T165122_VH_146_AMP.tif", "2020-04-04"),
    ProductKind.S1_COHE: ("S1A_L2_COH_20200114T070238_20200108T070156_VV_096_28RBR.tif", "2020-01-14"),
    ProductKind.LANDSAT_L1: ("LC08_L1TP_005004_20170410_20170414_01_T1", "2017-04-10"),
    ProductKind.LANDSAT_L2SP: ("LC08_L2SP_198024_20210509_20210518_02_T1", "2021-05-09"),
    ProductKind.LANDSAT_L2SR: ("LC08_L2SR_081119_20200101_20200823_02_T2", "2020-01-01"),
    ProductKind.LANDSAT_L2A: ("LC81970242016120LGN00_L2A", "2016-04-29"),
}


def drop(kind: ProductKind, target: Path) -> None:
    """Put a product where its user put it: real metadata where there are any, else what a search reads of it."""
    name = target.name
    folders = {"sentinel2_metadata", "sentinel1_safe"}
    real = [path for folder in folders if (path := REAL / folder / name).is_dir()]
    target.parent.mkdir(parents=True)
    if real:
        writable_copy(real[0], target)
        if name.startswith("S2"):
            put_images(target)
    elif name.endswith(".tif"):
        raster: dict[str, Any] = {"driver": "GTiff", "dtype": "float32", "count": 1, "width": 50, "height": 50}
        place = {"crs": "EPSG:32628", "transform": Affine(20, 0, 200_000, 0, -20, 3_200_000)}
        with rasterio.open(target, "w", **raster, **place) as file:
            file.write(np.ones((1, 50, 50), np.float32))
    elif kind is ProductKind.MUSCATE_L2A:
        target.mkdir()
        (target / f"{name}_MTD_ALL.xml").write_text("<Muscate><ORBIT_NUMBER>8</ORBIT_NUMBER></Muscate>")
    else:
        target.mkdir()
        corners = {"UL": (10.0, 53.0), "UR": (13.0, 53.0), "LR": (13.0, 51.0), "LL": (10.0, 51.0)}
        lines = [
            f"    CORNER_{corner}_{axis}_PRODUCT = {value}"
            for corner, values in corners.items()
            for axis, value in zip(("LON", "LAT"), values, strict=True)
        ]
        time = '    SCENE_CENTER_TIME = "10:10:10.0000000Z"'
        (target / f"{name}_MTL.txt").write_text(
            "\n".join(["GROUP = L1_METADATA_FILE", *lines, time, "END_GROUP", "END"])
        )


@needs_real_data
def test_a_product_of_every_kind_is_picked_up_by_its_name_wherever_it_was_dropped(tmp_path: Path) -> None:
    """Folders say nothing, no list is kept, nothing is registered: the name on disk is enough."""
    root = tmp_path / "disk"
    for number, (kind, (name, _)) in enumerate(NAMES.items()):
        drop(kind, root.joinpath(*(f"from {part}" for part in "abc"[: number % 4]), str(number), name))
    (root / "notes.txt").write_text("what came on which disk")
    (root / "DCIM").mkdir()
    found = {item.name.kind: item for item in all_of(root)}
    assert set(found) == set(ProductKind) == set(NAMES)
    assert {kind: f"{item.sensing_time:%Y-%m-%d}" for kind, item in found.items()} == {
        kind: day for kind, (_, day) in NAMES.items()
    }
    assert {kind: Path(item.address).name for kind, item in found.items()} == {
        kind: name for kind, (name, _) in NAMES.items()
    }


@needs_real_data
def test_a_dropped_product_serves_the_site_that_it_meets_only(tmp_path: Path) -> None:
    for kind in (ProductKind.S1_SLC, ProductKind.S1_GRD, ProductKind.S2_L1C):
        drop(kind, tmp_path / kind.value / NAMES[kind][0])
    rome, assam = box(12.4, 41.8, 12.6, 42.0), box(93.2, 27.2, 93.4, 27.4)
    assert Counter(item.name.kind for item in all_of(tmp_path, geometry=rome)) == {
        ProductKind.S1_SLC: 1,
        ProductKind.S1_GRD: 1,
    }
    assert Counter(item.name.kind for item in all_of(tmp_path, geometry=assam)) == {ProductKind.S2_L1C: 1}
