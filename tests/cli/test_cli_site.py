"""Sites from the command line."""

from __future__ import annotations

import json
import resource
import signal
import zipfile
from pathlib import Path

import geopandas
import pytest
from shapely.geometry import box

from tests.cli.conftest import EXTENT, Answer, Run, write_extent


def test_a_site_is_added_with_its_tiles_and_stays_disabled(s4c: Run, extent: Path, environment: dict[str, str]) -> None:
    answer = s4c("site", "add", "Île-de-Test", extent)
    assert "site ile_de_test: 393 km², 2 of 2 tiles used" in answer.out
    assert "31UFS" in answer.out
    assert "a minimal cover would save 1 of 2 tiles (31UES)" in answer.err
    (record,) = s4c("site", "list", "--json").json
    assert record["name"] == "Île-de-Test"
    assert not record["enabled"]
    assert [tile["tile"] for tile in record["tiles"]] == ["31UES", "31UFS"]
    assert Path(environment["S4C_MANIFEST_PATH"]).exists()


@pytest.mark.parametrize("form", ["zip", "gpkg"])
def test_shapefile_and_geopackage_give_the_same_site(s4c: Run, folder: Path, form: str) -> None:
    frame = geopandas.GeoDataFrame(geometry=[box(4.55, 50.60, 4.80, 50.80)], crs=4326).to_crs(32631)
    path = folder / f"extent.{form}"
    if form == "gpkg":
        frame.to_file(path, layer="one")
        frame.to_file(path, layer="two")
        assert "ZIP-07 2 datasets found" in s4c("site", "add", "Two", path, code=2).err
        answer = s4c("site", "add", "Two", path, "--layer", "one", "--json")
    else:
        frame.to_file(folder / "extent.shp")
        with zipfile.ZipFile(path, "w") as archive:
            for part in folder.glob("extent.*"):
                if part.suffix != ".zip":
                    archive.write(part, part.name)
        answer = s4c("site", "add", "Two", path, "--json")
    assert answer.json["area_km2"] == pytest.approx(393, abs=1)


def test_only_named_tiles_are_used_and_must_meet_the_site(s4c: Run, extent: Path, site: str) -> None:
    answer = s4c("site", "add", "One tile", extent, "--tile", "31UFS", "--json")
    assert [tile["tile"] for tile in answer.json["tiles"] if tile["selected"]] == ["31UFS"]
    assert "do not meet the site: 33UVQ" in s4c("site", "add", "Far", extent, "--tile", "33UVQ", code=2).err
    s4c("site", "tiles", site, "--only", "31UFS")
    used = {tile["tile"]: tile["selected"] for tile in s4c("site", "tiles", site, "--json").json}
    assert used == {"31UES": False, "31UFS": True}
    refused = s4c("site", "tiles", site, "--only", "33UVQ", code=2)
    assert "choose from 31UES, 31UFS" in refused.err


def test_a_second_site_of_the_same_name_is_refused_whatever_its_case(s4c: Run, extent: Path, site: str) -> None:
    assert (
        's4c: SITE-01 A site named "TEST LAND" already exists.' in s4c("site", "add", "TEST LAND", extent, code=2).err
    )
    assert s4c("site", "add", "Test-Land", extent, "--json").json["short_name"] == "test_land_2"


def shapefile(folder: Path, *suffixes: str) -> Path:
    frame = geopandas.GeoDataFrame(geometry=[box(4.55, 50.60, 4.80, 50.80)], crs=4326)
    frame.to_file(folder / "plain.shp")
    path = folder / "plain.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for suffix in suffixes:
            archive.write(folder / f"plain{suffix}", f"plain{suffix}")
    return path


def refused(answer: Answer, s4c: Run, *said: str) -> None:
    (line,) = [line for line in answer.err.splitlines() if line.startswith("s4c: ")]
    for text in said:
        assert text in line
    assert s4c("site", "list", "--json").json == []


def test_an_extent_without_coordinate_system_is_refused_until_one_is_given(s4c: Run, folder: Path) -> None:
    path = shapefile(folder, ".shp", ".shx", ".dbf")
    refused(s4c("site", "add", "Bare", path, code=2), s4c, "CRS-01", "No coordinate system")
    assert s4c("site", "add", "Bare", path, "--epsg", "4326", "--json").json["short_name"] == "bare"


def test_a_bow_tie_is_repaired_with_a_warning(s4c: Run, folder: Path) -> None:
    ring = [[4.5, 50.6], [4.8, 50.8], [4.8, 50.6], [4.5, 50.8], [4.5, 50.6]]
    path = write_extent(folder / "bow.geojson", {**EXTENT, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    answer = s4c("site", "add", "Bow tie", path)
    assert "s4c: warning: SITE-03 1 of 1 polygons were invalid and have been repaired; check the preview." in answer.err


def test_what_is_no_extent_is_refused_and_nothing_is_stored(s4c: Run, folder: Path) -> None:
    points = write_extent(folder / "points.geojson", {**EXTENT, "geometry": {"type": "Point", "coordinates": [4, 50]}})
    refused(s4c("site", "add", "Points", points, code=2), s4c, "SITE-02", "Point")
    ring = [[-60, -80], [-50, -80], [-50, -70], [-60, -70], [-60, -80]]
    polar = {**EXTENT, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    refused(s4c("site", "add", "Pole", write_extent(folder / "p.geojson", polar), code=2), s4c, "SITE-04")
    ring = [[4, 50], [4.001, 50], [4.001, 50.001], [4, 50]]
    tiny = {**EXTENT, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    refused(s4c("site", "add", "Tiny", write_extent(folder / "t.geojson", tiny), code=2), s4c, "SITE-05")
    (folder / "broken.geojson").write_text("{")
    refused(s4c("site", "add", "Broken", folder / "broken.geojson", code=2), s4c, "cannot be read")
    refused(s4c("site", "add", "Gone", folder / "gone.zip", code=2), s4c, "does not exist")
    refused(s4c("site", "add", " ", write_extent(folder / "e.geojson"), code=2), s4c, "SITE-01")


def test_an_unknown_site_is_answered_with_the_nearest(s4c: Run, site: str) -> None:
    for arguments in (("site", "show"), ("site", "enable"), ("season", "list"), ("products", "list")):
        answer = s4c(*arguments, "test_lnad", code=2)
        assert answer.err == "s4c: There is no site 'test_lnad'. (did you mean 'test_land'?)\n"


def test_a_site_without_season_cannot_be_enabled(s4c: Run, site: str) -> None:
    answer = s4c("site", "enable", site, code=2)
    assert "has no enabled season" in answer.err
    assert "s4c season add test_land NAME START END" in answer.err
    assert not s4c("site", "show", site, "--json").json["enabled"]


def test_enabling_and_disabling_rewrites_the_manifest(
    s4c: Run, season: tuple[str, str], environment: dict[str, str]
) -> None:
    def dags() -> list[str]:
        body = json.loads(Path(environment["S4C_MANIFEST_PATH"]).read_text())["body"]
        return [entry["dag_id"] for entry in body["dags"] if entry["enabled"]]

    assert "test_land__2019__ingest" in dags()
    answer = s4c("site", "disable", "test_land")
    assert "does not answer" in answer.err  # Airflow is away: a note, not a failure
    assert dags() == []
    s4c("site", "enable", "test_land")
    assert len(dags()) == 5


def test_an_unwritable_manifest_is_a_warning_that_says_how_to_repair_it(s4c: Run, site: str, folder: Path) -> None:
    (folder / "file").write_text("in the way")
    wrong = {"S4C_MANIFEST_PATH": str(folder / "file" / "dags.json")}
    answer = s4c("season", "add", site, "2019", "2019-04-01", "2019-10-31", **wrong)
    (warning,) = [line for line in answer.err.splitlines() if "warning" in line]
    assert "The change is stored. The DAGs do not follow" in warning
    assert "cannot be written" in warning
    assert "s4c dags export" in warning
    assert [season["season"] for season in s4c("season", "list", "--json").json] == ["2019"]
    assert s4c("dags", "export", code=1, **wrong).err.count("s4c: The DAG manifest") == 1


def test_a_full_disk_leaves_the_old_manifest_whole(
    s4c: Run, season: tuple[str, str], environment: dict[str, str]
) -> None:
    manifest = Path(environment["S4C_MANIFEST_PATH"])
    before = manifest.read_text()
    # a file-size limit makes writing fail in the middle, as a full disk does
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        answer = s4c("season", "processors", *season, "--off", "l4c")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert "warning: The change is stored" in answer.err
    assert manifest.read_text() == before
    assert sorted(path.name for path in manifest.parent.iterdir()) == ["dags.json", "dags.last_good.json"]
    s4c("dags", "export")
    assert manifest.read_text() != before
