from __future__ import annotations

import hashlib
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
import rasterio
from shapely import box

from s4c_lib.errors import InputError
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.sources.metadata_files import elements, number, parse_xml
from s4c_lib.sources.product_names import parse_product_name, product_name, relative_orbit
from s4c_lib.synthetic.archive import ArchiveSummary, make_archive

SEASON = date(2024, 3, 1), date(2024, 9, 30)


def digest(root: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        total.update(str(path.relative_to(root)).encode())
        if path.is_file():
            total.update(path.read_bytes())
    return total.hexdigest()


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> ArchiveSummary:
    root = tmp_path_factory.mktemp("season") / "archive"
    return make_archive(root, seed=1, start=SEASON[0], end=SEASON[1], tiles=["31UFS", "31UGS"])


def test_a_season_of_two_tiles_is_small(season: ArchiveSummary) -> None:
    assert 1e6 < season.total_bytes < 50e6
    assert all(product.path.exists() for product in season.products)
    kinds = {product_name(product.path.name).kind.value for product in season.products}
    assert len(kinds) == 8


def test_revisits_are_those_of_the_missions(season: ArchiveSummary) -> None:
    names = [product_name(product.name) for product in season.products]
    l2a = sorted({(n.product_date, n.platform) for n in names if n.kind.value == "s2_l2a"})
    assert {(b[0] - a[0]).days for a, b in pairwise(l2a)} == {5}
    assert {platform for _, platform in l2a} == {"sentinel-2a", "sentinel-2b"}
    slc = sorted({(n.product_date, n.platform) for n in names if n.kind.value == "s1_slc"})
    assert {(b[0] - a[0]).days for a, b in pairwise(slc)} == {6}
    scenes = [n for n in names if n.absolute_orbit is not None]
    assert all(relative_orbit(n.platform, n.absolute_orbit or 0) == 117 for n in scenes)


def test_one_acquisition_of_each_tile_has_two_baselines(season: ArchiveSummary) -> None:
    older = [product_name(product.name) for product in season.products if product.superseded]
    assert [name.tile for name in older] == ["31UFS", "31UGS"]
    current = {product_name(p.name).datatake: product_name(p.name) for p in season.products if not p.superseded}
    assert all((current[name.datatake].baseline or 0) > (name.baseline or 0) for name in older)


def test_bands_lie_where_their_tile_lies(season: ArchiveSummary) -> None:
    product = next(item.path for item in season.products if "L2A" in item.name and "T31UGS" in item.name)
    square = tile("31UGS")
    for file in product.rglob("*.jp2"):
        with rasterio.open(file) as raster:
            assert raster.crs.to_epsg() == square.epsg
            assert square.footprint_utm().contains(box(*raster.bounds))
            assert (raster.transform.c - square.ulx) % raster.transform.a == 0
            assert (square.uly - raster.transform.f) % raster.transform.a == 0


def test_metadata_agrees_with_the_pixels(season: ArchiveSummary) -> None:
    clouds = set()
    for product in season.products:
        if "MSIL2A" in product.name and not product.superseded:
            root = parse_xml((product.path / "MTD_MSIL2A.xml").read_bytes(), product.name)
            offsets = [element.text for element in elements(root, "BOA_ADD_OFFSET")]
            assert offsets == ["-1000"] * 13
            stated = number(root, "Cloud_Coverage_Assessment")
            with rasterio.open(next(product.path.rglob("*_SCL_20m.jp2"))) as raster:
                assert stated == pytest.approx(100 * (raster.read(1) == 9).mean(), abs=1e-4)
            clouds.add(stated)
    assert len(clouds) > 2


def test_before_baseline_4_there_is_no_offset(tmp_path: Path) -> None:
    made = make_archive(tmp_path / "a", seed=1, start=date(2021, 5, 1), end=date(2021, 5, 2), tiles=["31UFS"])
    product = next(item.path for item in made.products if "MSIL2A" in item.name)
    assert "_N0301_" in product.name
    assert not list(elements(parse_xml((product / "MTD_MSIL2A.xml").read_bytes(), ""), "BOA_ADD_OFFSET"))


def test_the_seed_fixes_every_byte(tmp_path: Path) -> None:
    days = date(2024, 3, 1), date(2024, 3, 20)
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        make_archive(tmp_path / name, seed=seed, start=days[0], end=days[1], tiles=["31UFS"])
    a, b, c = (digest(tmp_path / name) for name in "abc")
    assert a == b
    assert a != c


def test_every_fault_exists_and_names_a_reason(season: ArchiveSummary) -> None:
    found = {(fault.stage, fault.code) for fault in season.faults}
    assert found == {
        ("fetch", "input_corrupt"),
        ("search", "input_corrupt"),
        ("search", "outside_site"),
        ("search", "dangling_link"),
        ("search", "not_a_product"),
    }
    assert all(fault.path.exists() or fault.path.is_symlink() for fault in season.faults)
    assert sum(fault.code == "not_a_product" for fault in season.faults) == 3


def test_without_faults_everything_is_a_product(tmp_path: Path) -> None:
    made = make_archive(
        tmp_path / "a", seed=1, start=date(2024, 3, 1), end=date(2024, 3, 8), tiles=["31UFS"], faults=False
    )
    assert made.faults == ()
    days = {path for path in (tmp_path / "a").rglob("[0-3][0-9]") if len(path.name) == 2 and path.parent.name != "2024"}
    entries = [entry for day in days if day.parent.parent.name == "2024" for entry in day.iterdir()]
    assert len(entries) == len(made.products)
    assert all(parse_product_name(entry.name) for entry in entries)


@pytest.mark.parametrize(
    ("start", "tiles"), [(date(2025, 1, 1), ["31UFS"]), (date(2024, 3, 1), []), (date(2024, 3, 1), ["99ZZZ"])]
)
def test_wrong_wishes_are_refused(tmp_path: Path, start: date, tiles: list[str]) -> None:
    with pytest.raises(InputError):
        make_archive(tmp_path / "a", seed=1, start=start, end=date(2024, 3, 8), tiles=tiles)


def test_a_folder_in_use_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(InputError, match="is not empty"):
        make_archive(tmp_path, seed=1, start=SEASON[0], end=SEASON[0], tiles=["31UFS"])
