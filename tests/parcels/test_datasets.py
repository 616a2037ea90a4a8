"""Opening uploads: formats, layers, coordinate systems."""

import zipfile

import numpy as np
import pyogrio
import pytest
import shapely

from s4c_lib.errors import InputError
from s4c_lib.parcels.datasets import Format, opened_dataset, size_findings, stated_crs

BOX = shapely.to_wkb([shapely.box(0, 0, 1, 1)])


def write(path, *, crs="EPSG:32631", geometry=BOX, **options):
    count = 1 if geometry is None else len(geometry)
    pyogrio.raw.write(
        path, geometry, [np.array(["x"] * count, dtype=object)], ["a"], geometry_type=None if geometry is None else
        "Polygon", crs=crs, **options,
    )  # fmt: skip
    return path


def zipped(path, *files):
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            archive.write(file, f"Folder X/{file.name}")
    return path


def refused(path, **options):
    with pytest.raises(InputError) as caught, opened_dataset(path, **options):
        pass
    return caught.value


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".shp", Format.SHAPEFILE), (".gpkg", Format.GEOPACKAGE), (".fgb", Format.FLATGEOBUF),
        (".geojson", Format.GEOJSON),
    ],
)  # fmt: skip
def test_opens_bare_and_zipped(tmp_path, suffix, kind):
    path = write(tmp_path / f"Parcels{suffix}")
    with opened_dataset(path) as dataset:
        assert (dataset.format, dataset.layer, dataset.shown) == (kind, "Parcels", path.name)
    sides = sorted(tmp_path.glob("Parcels.*"))
    archive = zipped(tmp_path / "a.zip", *sides)
    work = tmp_path / "work"
    work.mkdir()
    with opened_dataset(archive, work_dir=work) as dataset:
        assert (dataset.format, dataset.layer, dataset.shown) == (kind, "Parcels", "a.zip")
        assert len(pyogrio.raw.read(dataset.path, layer=dataset.inner_layer)[2]) == 1
    assert list(work.iterdir()) == []


def test_zip_07_layers_of_a_geopackage(tmp_path):
    path = tmp_path / "a.gpkg"
    write(path, layer="Fields")
    write(path, layer="b", append=True)
    write(path, layer="styles", geometry=None, crs=None, append=True)
    error = refused(path)
    assert (error.code, error.message) == ("ZIP-07", "2 datasets found: Fields, b. Choose one.")
    assert refused(path, layer="styles").code == "ZIP-07"
    with opened_dataset(path, layer="fields") as dataset:
        assert dataset.inner_layer == "Fields"
        assert [layer.name for layer in dataset.layers] == ["Fields", "b"]
    with opened_dataset(path, first_of_several=True) as dataset:
        assert dataset.layer == "Fields"
    with opened_dataset(zipped(tmp_path / "a.zip", path), layer="b") as dataset:
        assert dataset.layer == "b"


def test_a_table_without_geometries_is_not_opened(tmp_path):
    path = write(tmp_path / "a.gpkg", geometry=None, crs=None)
    assert refused(path).message == "a.gpkg holds no layer with geometries."


def test_the_name_of_another_layer_is_refused(tmp_path):
    path = write(tmp_path / "a.fgb")
    assert refused(path, layer="b").message == "1 dataset found: a. Choose one."


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojson", ".parquet"])
def test_what_only_claims_to_be_of_a_format_is_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text("<OGRVRTDataSource><OGRVRTLayer name='x'/></OGRVRTDataSource>")
    assert " is not a " in refused(path).message


def test_a_damaged_geopackage_is_refused(tmp_path):
    path = tmp_path / "a.gpkg"
    path.write_bytes(b"SQLite format 3\x00" + b"\x01" * 50)
    assert refused(path).message.startswith("a.gpkg cannot be read (")


@pytest.mark.parametrize(("name", "said"), [("a.kml", "no supported format"), ("a.7z", "Send a .zip file")])
def test_other_formats_are_refused(tmp_path, name, said):
    (tmp_path / name).write_bytes(b"x")
    assert said in refused(tmp_path / name).one_line


def test_a_missing_file_is_named(tmp_path):
    assert "does not exist" in refused(tmp_path / "none.zip").message


def test_zip_08_and_09_of_a_bare_shapefile(tmp_path):
    path = write(tmp_path / "a.shp")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    error = refused(path)
    assert (error.code, error.message) == ("ZIP-09", f"a.shp is truncated: {len(whole) - 20} of {len(whole)} bytes.")
    path.write_bytes(whole)
    path.with_suffix(".shx").unlink()
    assert (refused(path).code, refused(path).message) == ("ZIP-08", "a.shx is missing.")


def test_crs_01_and_a_chosen_code():
    crs, findings = stated_crs(None, None, "a.zip")
    assert crs is None
    assert [(item.code, item.severity.value, item.message) for item in findings] == [
        ("CRS-01", "F", "No coordinate system (.prj) found. Add the .prj or choose an EPSG code.")
    ]
    crs, findings = stated_crs(None, 28992, "a.zip")
    assert (crs.to_epsg(), findings) == (28992, [])
    assert stated_crs("EPSG:3035", 3035, "a.zip")[0].to_epsg() == 3035


@pytest.mark.parametrize("stated", ["nonsense", 'LOCAL_CS["Undefined Cartesian SRS",UNIT["metre",1]]'])
def test_crs_01_for_a_system_that_says_nothing(stated):
    crs, findings = stated_crs(stated, None, "a.zip")
    assert crs is None
    assert findings[0].code == "CRS-01"


@pytest.mark.parametrize(("stated", "epsg"), [(None, 999_999), ("EPSG:3035", 4326)])
def test_a_wrong_choice_of_code_is_refused(stated, epsg):
    with pytest.raises(InputError) as caught:
        stated_crs(stated, epsg, "a.zip")
    assert caught.value.code == "CRS-01"
    assert str(epsg) in caught.value.message


def test_a_shapefile_near_its_limit_is_told(tmp_path, monkeypatch):
    path = write(tmp_path / "a.shp")
    with opened_dataset(path) as dataset:
        assert size_findings(dataset) == []
        monkeypatch.setattr("s4c_lib.parcels.datasets.LARGE_SHAPEFILE", 10)
        assert [item.code for item in size_findings(dataset)] == ["DECL-12"]
