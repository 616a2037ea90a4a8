from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError, NotFoundError
from s4c_lib.sources.footprints import polygon_of_tiles
from s4c_lib.sources.local_archive import LocalArchive
from s4c_lib.sources.model import Direction, Query, SearchResult, Source
from s4c_lib.sources.product_names import ProductKind, Satellite
from s4c_lib.synthetic.archive import ArchiveSummary, make_archive

ALWAYS = date(2015, 1, 1), date(2030, 1, 1)
START, END = date(2024, 3, 1), date(2024, 4, 15)
TILES = ("31UFS", "31UGS")
ALL_KINDS = frozenset(ProductKind)
L2A = frozenset({ProductKind.S2_L2A})
NAME = "S2B_MSIL2A_20240506T103621_N0510_R051_T31UFS_20240506T150000.SAFE"


def query(
    satellite: Satellite = Satellite.SENTINEL2,
    kinds: frozenset[ProductKind] = ALL_KINDS,
    window: tuple[date, date] = ALWAYS,
    geometry: BaseGeometry | None = None,
    tiles: frozenset[str] | None = None,
) -> Query:
    return Query(satellite, kinds, *window, geometry, tiles)


def site() -> BaseGeometry:
    return polygon_of_tiles(TILES).centroid.buffer(0.4)


def codes(result: SearchResult) -> dict[str, str]:
    return {item.path: item.code for item in result.rejected}


def test_it_is_a_source(made_archive: ArchiveSummary) -> None:
    assert isinstance(LocalArchive(made_archive.root), Source)


def test_every_sound_product_is_offered_and_every_fault_has_its_reason(made_archive: ArchiveSummary) -> None:
    archive = LocalArchive(made_archive.root)
    index = archive.open_index()
    results = [archive.search(query(satellite, geometry=site()), index) for satellite in Satellite]
    offered = {item.address for result in results for item in result.candidates}
    reasons = {path: code for result in results for path, code in codes(result).items()}
    sound = {str(item.path) for item in made_archive.products if not item.superseded}
    complete_looking = {str(fault.path) for fault in made_archive.faults if fault.stage == "fetch"}
    assert offered == sound | complete_looking
    expected = {str(fault.path): fault.code for fault in made_archive.faults if fault.stage == "search"}
    expected |= {str(item.path): "superseded" for item in made_archive.products if item.superseded}
    assert reasons == expected
    assert all("\n" not in item.text and item.text for result in results for item in result.rejected)


def test_a_dangling_link_is_named_with_its_target(made_archive: ArchiveSummary) -> None:
    found = LocalArchive(made_archive.root).search(query())
    text = next(item.text for item in found.rejected if item.code == "dangling_link")
    assert "R008_T31UFS" in text
    assert "moved-away" in text


def test_candidates_carry_what_the_metadata_says(made_archive: ArchiveSummary) -> None:
    archive = LocalArchive(made_archive.root)
    l2a = archive.search(query(kinds=L2A, geometry=site())).candidates[0]
    assert (l2a.relative_orbit, l2a.direction, l2a.tiles) == (51, Direction.DESCENDING, ("31UFS",))
    assert l2a.cloud_pct is not None
    assert l2a.footprint.equals(polygon_of_tiles(["31UFS"]))
    assert l2a.size_bytes == sum(path.stat().st_size for path in Path(l2a.address).rglob("*") if path.is_file())
    slc = archive.search(query(Satellite.SENTINEL1, frozenset({ProductKind.S1_SLC}))).candidates[0]
    assert (slc.relative_orbit, slc.direction, slc.tiles) == (117, Direction.ASCENDING, ())
    assert slc.footprint.covers(polygon_of_tiles(TILES))
    assert slc.created is not None
    landsat = archive.search(query(Satellite.LANDSAT8)).candidates[0]
    assert (landsat.cloud_pct, landsat.tiles, landsat.sensing_time.hour) == (12.5, ("197024",), 10)
    assert landsat.footprint.intersection(polygon_of_tiles(["31UFS"])).area > 0.9 * polygon_of_tiles(["31UFS"]).area
    coherence = archive.search(query(Satellite.SENTINEL1, frozenset({ProductKind.S1_COHE}))).candidates[0]
    overlap = coherence.footprint.intersection(polygon_of_tiles(coherence.tiles)).area
    assert overlap > 0.99 * polygon_of_tiles(coherence.tiles).area


def test_windows_cut_the_archive_without_gap_or_overlap(made_archive: ArchiveSummary) -> None:
    archive = LocalArchive(made_archive.root)
    index = archive.open_index()
    whole = archive.search(query(geometry=site()), index).candidates
    parts = []
    first = START
    while first <= END:
        last = first + timedelta(days=9)
        parts += archive.search(query(geometry=site(), window=(first, last)), index).candidates
        first = last + timedelta(days=1)
    assert Counter(item.name.name for item in parts) == Counter(item.name.name for item in whole)


def test_one_index_lists_the_archive_once_for_all_windows(made_archive: ArchiveSummary) -> None:
    archive = LocalArchive(made_archive.root)
    index = archive.open_index()
    archive.search(query(window=(START, START)), index)
    listed = index.folders_listed
    for offset in range(20):
        day = START + timedelta(days=offset)
        archive.search(query(window=(day, day)), index)
    assert index.folders_listed == listed == 1


def test_without_an_index_a_search_sees_the_disk_as_it_is_now(product_copy: Callable[[str], Path]) -> None:
    product = product_copy("Sentinel-2/MSI/L2A")
    archive = LocalArchive(product.parent)
    assert len(archive.search(query()).candidates) == 1
    shutil.rmtree(product)
    assert archive.search(query()) == SearchResult()


def test_a_template_lists_the_folders_of_the_window_only(made_archive: ArchiveSummary) -> None:
    plain = LocalArchive(made_archive.root)
    templated = LocalArchive(made_archive.root, "Sentinel-2/MSI/L2A/yyyy/MM/dd")
    wanted = query(kinds=L2A, geometry=site(), window=(START, START + timedelta(days=9)))
    index = templated.open_index()
    found = templated.search(wanted, index)
    assert found.candidates == plain.search(wanted).candidates
    assert len(found.candidates) > 3
    few = index.folders_listed
    templated.search(query(kinds=L2A, geometry=site()), index)
    assert index.folders_listed > few


def test_mgrs_folders_are_narrowed_by_tile(tmp_path: Path, product_copy: Callable[[str], Path]) -> None:
    product = product_copy("T31UFS")
    day = tmp_path / "archive/31/U/FS/2024/03/01"
    day.mkdir(parents=True)
    product.rename(day / product.name)
    archive = LocalArchive(tmp_path / "archive", "UU/L/SS/yyyy/MM/dd")
    assert len(archive.search(query(tiles=frozenset({"T31UFS"}))).candidates) == 1
    index = archive.open_index()
    assert archive.search(query(tiles=frozenset({"31UGS"})), index) == SearchResult()


def test_a_product_in_another_days_folder_is_reported_wherever_its_date_lies(
    tmp_path: Path, product_copy: Callable[[str], Path]
) -> None:
    product = product_copy("Sentinel-2/MSI/L2A")  # of 2024-03-01
    day = tmp_path / "archive/2024/05/09"
    day.mkdir(parents=True)
    product.rename(day / product.name)
    archive = LocalArchive(tmp_path / "archive", "yyyy/MM/dd")
    found = archive.search(query(window=(date(2024, 5, 1), date(2024, 5, 10))))
    assert list(codes(found).values()) == ["wrong_date_folder"]
    assert "2024-03-01" in found.rejected[0].text


def test_what_lies_outside_the_template_is_said(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "2024/spring").mkdir(parents=True)
    (tmp_path / "readme").write_text("hello")
    found = LocalArchive(tmp_path, "yyyy/MM/dd").search(query())
    assert set(codes(found).values()) == {"outside_template"}
    assert len(found.rejected) == 3


def test_link_loops_end_and_links_to_folders_are_followed(tmp_path: Path, product_copy: Callable[[str], Path]) -> None:
    product = product_copy("Sentinel-2/MSI/L2A")
    root = tmp_path / "archive"
    (root / "a").mkdir(parents=True)
    (root / "a" / "back").symlink_to(root)
    (root / "disk2").symlink_to(product.parent)
    found = LocalArchive(root).search(query())
    assert [item.address for item in found.candidates] == [str(root / "disk2" / product.name)]
    assert codes(found) == {str(root / "a" / "back"): "link_loop"}


def test_a_file_link_to_itself_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "self.tif").symlink_to("self.tif")
    assert codes(LocalArchive(tmp_path).search(query())) == {str(tmp_path / "self.tif"): "dangling_link"}


def test_folders_too_deep_are_reported(tmp_path: Path) -> None:
    (tmp_path / "1/2/3").mkdir(parents=True)
    found = LocalArchive(tmp_path, max_depth=3).search(query())
    assert codes(found) == {str(tmp_path / "1/2/3"): "too_deep"}


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Root may read everything; become somebody who may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_without_permission_is_unreadable_not_fatal(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    root = tmp_path_factory.mktemp("locked")
    for folder in (root, *root.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    (root / "closed").mkdir(mode=0o000)
    product = root / NAME
    product.mkdir()
    (product / "manifest.safe").write_text("<a/>")
    (product / "GRANULE").mkdir(mode=0o000)
    request.getfixturevalue("as_nobody")
    found = LocalArchive(root).search(query())
    assert codes(found) == {str(root / "closed"): "unreadable", str(product): "unreadable"}


def test_a_root_below_a_closed_folder_is_said_to_be_out_of_reach(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    closed = tmp_path_factory.mktemp("closed")
    (closed / "archive").mkdir()
    closed.chmod(0o000)
    request.getfixturevalue("as_nobody")
    archive = LocalArchive(closed / "archive")
    assert not archive.health().ok
    with pytest.raises(NotFoundError, match="cannot be reached: Permission denied"):
        archive.search(query())


def test_broken_metadata_is_input_corrupt_with_the_file_named(product_copy: Callable[[str], Path]) -> None:
    product = product_copy("Sentinel-2/MSI/L2A")
    metadata = product / "MTD_MSIL2A.xml"
    metadata.write_bytes(metadata.read_bytes()[:500])
    found = LocalArchive(product.parent).search(query())
    assert codes(found) == {str(product): "input_corrupt"}
    assert "MTD_MSIL2A.xml" in found.rejected[0].text


def test_metadata_with_entities_is_refused(product_copy: Callable[[str], Path]) -> None:
    product = product_copy("SAR/SLC")
    (product / "manifest.safe").write_text('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    found = LocalArchive(product.parent).search(query(Satellite.SENTINEL1))
    assert codes(found) == {str(product): "input_corrupt"}
    assert "entities" in found.rejected[0].text


def test_a_dangling_link_inside_a_product_is_named(product_copy: Callable[[str], Path]) -> None:
    product = product_copy("Sentinel-2/MSI/L2A")
    band = next(product.rglob("*_B02_10m.jp2"))
    band.unlink()
    band.symlink_to("/nowhere/B02.jp2")
    found = LocalArchive(product.parent).search(query())
    assert codes(found) == {str(product): "input_corrupt"}
    assert str(band) in found.rejected[0].text
    assert "/nowhere/B02.jp2" in found.rejected[0].text


def test_a_tile_that_does_not_exist(product_copy: Callable[[str], Path]) -> None:
    product = product_copy("T31UFS")
    for old in (next(product.glob("GRANULE/*")), product):
        old.rename(old.with_name(old.name.replace("31UFS", "99ZZZ")))
    found = LocalArchive(product.parent).search(query(geometry=site()))
    assert list(codes(found).values()) == ["unknown_tile"]


def test_a_product_that_only_touches_the_site_is_outside(made_archive: ArchiveSummary) -> None:
    west, south, east, north = polygon_of_tiles(["31UFS"]).bounds
    beside = box(west - 1, south, west, north)
    found = LocalArchive(made_archive.root).search(query(kinds=L2A, geometry=beside, tiles=frozenset({"31UFS"})))
    assert found.candidates == ()
    assert "outside_site" in codes(found).values()
    assert east > west


def test_the_same_product_twice_is_offered_once_as_a_folder(product_copy: Callable[[str], Path]) -> None:
    product = product_copy("Sentinel-2/MSI/L2A")
    shutil.make_archive(str(product), "zip", product.parent, product.name)
    found = LocalArchive(product.parent).search(query())
    assert [item.address for item in found.candidates] == [str(product)]
    assert codes(found) == {f"{product}.zip": "duplicate"}


def test_a_theia_zip_unpacked_into_its_own_name_is_looked_through(
    tmp_path: Path, product_copy: Callable[[str], Path]
) -> None:
    product = product_copy("MUSCATE")
    outer = tmp_path / "archive" / product.name
    outer.mkdir(parents=True)
    product.rename(outer / product.name)
    found = LocalArchive(tmp_path / "archive").search(query())
    assert [item.address for item in found.candidates] == [str(outer)]
    assert found.candidates[0].relative_orbit == 51


@pytest.mark.parametrize("kept", ["_MTL.xml", "_MTL.txt"])
def test_landsat_is_read_from_any_spelling_of_its_metadata(product_copy: Callable[[str], Path], kept: str) -> None:
    product = product_copy("OLI_TIRS")
    reference = LocalArchive(product.parent).search(query(Satellite.LANDSAT8)).candidates[0]
    for file in product.glob("*_MTL.*"):
        if not file.name.endswith(kept):
            file.unlink()
    found = LocalArchive(product.parent).search(query(Satellite.LANDSAT8)).candidates[0]
    assert found.footprint == reference.footprint
    assert found.sensing_time == reference.sensing_time


def test_an_old_multi_tile_product_has_the_tiles_of_its_granules(tmp_path: Path) -> None:
    product = tmp_path / "S2A_OPER_PRD_MSIL1C_PDMC_20160209T182417_R022_V20160209T101210_20160209T101210.SAFE"
    for tile, content in (("32UPU", b"x"), ("32UPV", b"x"), ("32UPA", b"")):
        images = product / f"GRANULE/S2A_OPER_MSI_L1C_TL_SGS__20160209T154030_A003318_T{tile}_N02.01/IMG_DATA"
        images.mkdir(parents=True)
        (images / f"S2A_OPER_MSI_L1C_TL_SGS__20160209T154030_A003318_T{tile}_B02.jp2").write_bytes(content)
    (product / "manifest.safe").write_text("<XFDU/>")
    (product / "S2A_OPER_MTD_SAFL1C_PDMC_20160209T182417_R022_V20160209T101210_20160209T101210.xml").write_text(
        "<a><Cloud_Coverage_Assessment>12.5</Cloud_Coverage_Assessment></a>"
    )
    found = LocalArchive(tmp_path).search(query()).candidates
    assert [(item.tiles, item.cloud_pct) for item in found] == [(("32UPU", "32UPV"), 12.5)]
    assert found[0].footprint.equals(polygon_of_tiles(["32UPU", "32UPV"]))


def test_a_damaged_archive_file_is_input_corrupt(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.zip").write_bytes(b"PK\x03\x04 and then nothing")
    landsat = tmp_path / "LC08_L2SP_197024_20240304_20240312_02_T1.tar"
    landsat.write_bytes(b"\0" * 10)
    archive = LocalArchive(tmp_path)
    assert codes(archive.search(query())) == {str(tmp_path / f"{NAME}.zip"): "input_corrupt"}
    assert codes(archive.search(query(Satellite.LANDSAT8))) == {str(landsat): "input_corrupt"}


def test_an_archive_member_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "LC08_L2SP_197024_20240304_20240312_02_T1.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("../../etc/cron.d/job"))
    found = LocalArchive(tmp_path).search(query(Satellite.LANDSAT8))
    assert codes(found) == {str(path): "input_corrupt"}
    assert "outside its folder" in found.rejected[0].text


def test_files_beside_products_are_no_mistake(tmp_path: Path) -> None:
    stem = "S1A_L2_BCK_20200114T070238_VH_096_28RBR"
    for suffix in (".mtd", ".png", ".tif.md5"):
        (tmp_path / f"{stem}{suffix}").write_text("x")
    (tmp_path / ".part").mkdir()
    assert LocalArchive(tmp_path).search(query(Satellite.SENTINEL1)) == SearchResult()


def test_two_runs_answer_the_same_in_the_same_order(tmp_path: Path) -> None:
    make_archive(tmp_path / "a", seed=3, start=START, end=START + timedelta(days=12), tiles=["31UFS"])
    archive = LocalArchive(tmp_path / "a")
    first, second = (archive.search(query(geometry=site())) for _ in range(2))
    assert first == second
    times = [item.sensing_time for item in first.candidates]
    assert times == sorted(times)


def test_health_tells_what_is_wrong(tmp_path: Path, made_archive: ArchiveSummary) -> None:
    assert LocalArchive(made_archive.root).health().ok
    assert "does not exist" in LocalArchive(tmp_path / "absent").health().text
    (tmp_path / "mount").mkdir()
    assert "is it mounted?" in LocalArchive(tmp_path / "mount").health().text
    (tmp_path / "link").symlink_to(tmp_path / "unmounted")
    report = LocalArchive(tmp_path / "link").health()
    assert not report.ok
    assert "unmounted" in report.text
    with pytest.raises(NotFoundError, match="unmounted"):
        LocalArchive(tmp_path / "link").search(query())


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InputError, match="ends on 2024-03-01 before"):
        query(window=(END, START))


def test_real_sentinel1_scenes(real_data: Path) -> None:
    found = LocalArchive(real_data / "sentinel1_safe").search(query(Satellite.SENTINEL1)).candidates
    assert [(item.name.kind.value, item.relative_orbit, item.direction) for item in found] == [
        ("s1_grd", 22, Direction.DESCENDING),
        ("s1_slc", 117, Direction.ASCENDING),
    ]
    assert all(item.name.relative_orbit == item.relative_orbit for item in found)
    rome = box(12.4, 41.8, 12.6, 42.0)
    assert all(item.footprint.covers(rome) for item in found)


def test_real_sentinel2_metadata(real_data: Path, tmp_path: Path) -> None:
    """The real products come without pixels: every image the metadata lists is put in as a file of one byte."""
    from s4c_lib.sources.metadata_files import elements, parse_xml

    root = tmp_path / "real"
    shutil.copytree(real_data / "sentinel2_metadata", root)
    for path in [*root.rglob("*"), root]:
        path.chmod(0o755)
    for metadata in root.glob("*/MTD_MSI*.xml"):
        for element in elements(parse_xml(metadata.read_bytes(), metadata.name), "IMAGE_FILE"):
            image = metadata.parent / f"{element.text}.jp2"
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(b"x")
    found = LocalArchive(root).search(query()).candidates
    assert [(item.name.baseline, item.tiles, item.relative_orbit) for item in found] == [
        (212, ("01CCV",), 71),
        (301, ("46RER",), 133),
        (400, ("33XWJ",), 25),
        (509, ("01KAB",), 29),
    ]
    assert found[3].cloud_pct == pytest.approx(59.050727)
    assert found[3].footprint.geom_type == "MultiPolygon"
    assert all(item.direction in {Direction.DESCENDING, Direction.ASCENDING} for item in found)
