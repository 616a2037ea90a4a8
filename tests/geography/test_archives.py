"""Uploaded archives: every refusal of the ZIP checks, and what is accepted."""

import io
import struct
import zipfile

import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.geography.archives import DECLARATION_FORMATS, ArchiveLimits, extract_dataset, open_dataset_archive


def write_shapefile(path, geometries, crs="EPSG:4326"):
    pyogrio.raw.write(
        path,
        shapely.to_wkb(geometries),
        [],
        [],
        geometry_type="Polygon",
        crs=crs,
        driver="ESRI Shapefile",
    )


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Bytes of a Shapefile by suffix."""
    folder = tmp_path_factory.mktemp("shapefile")
    write_shapefile(folder / "PARCELS.shp", [shapely.box(4, 50, 5, 51), shapely.box(5, 50, 6, 51)])
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def archive(path, entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as target:
        for name, content in entries.items():
            target.writestr(name, content)
    return path


def shapefile(parts, stem, *, without=(), **changed):
    entries = {suffix: changed.get(suffix[1:], content) for suffix, content in parts.items() if suffix not in without}
    return {f"{stem}{suffix}": content for suffix, content in entries.items()}


def refused(code, path, work, **options):
    with pytest.raises(InputError) as caught:
        open_dataset_archive(path, work, **options)
    assert caught.value.code == code
    assert list(work.iterdir()) == []
    return caught.value.message


def patch_central(path, offset, content):
    """Overwrite bytes of the first central directory record, and of the local header where the field has its twin."""
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02") + offset
    data[start : start + len(content)] = content
    path.write_bytes(data)


def test_accepts_upper_case_files_in_a_folder_and_ignores_junk(tmp_path, work, parts):
    entries = {f"Folder X/SUB/PARCELS{suffix.upper()}": content for suffix, content in parts.items()}
    junk = {"__MACOSX/._PARCELS.shp": b"x", "._b.shp": b"x", ".DS_Store": b"x", "a/Thumbs.db": b"x", "Folder X/": b""}
    found = open_dataset_archive(archive(tmp_path / "a.zip", entries | junk), work)
    assert found.name == "dataset.shp"
    assert sorted(p.suffix for p in found.parent.iterdir()) == [".cpg", ".dbf", ".prj", ".shp", ".shx"]
    assert len(pyogrio.raw.read(found)[2]) == 2


def test_accepts_windows_separators(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "Folder\\PARCELS"))
    assert open_dataset_archive(path, work).is_file()


def test_accepts_a_geopackage(tmp_path, work):
    source = tmp_path / "site.gpkg"
    pyogrio.raw.write(
        source, shapely.to_wkb([shapely.box(4, 50, 5, 51)]), [], [], geometry_type="Polygon", crs="EPSG:4326"
    )
    found = open_dataset_archive(archive(tmp_path / "a.zip", {"deep/site.gpkg": source.read_bytes()}), work)
    assert found.name == "dataset.gpkg"
    assert found.read_bytes() == source.read_bytes()


def test_zip_01_not_a_zip(tmp_path, work):
    path = tmp_path / "parcels.zip"
    path.write_bytes(b"Rar! nothing of the kind")
    message = refused("ZIP-01", path, work)
    assert message.startswith("parcels.zip is not a readable zip archive (")
    assert message.endswith("Re-create it and upload again.")


def test_zip_01_truncated(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a"))
    path.write_bytes(path.read_bytes()[:-200])
    refused("ZIP-01", path, work)


def test_zip_01_damaged_content(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a"), zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    position = data.index(parts[".shp"][100:160])
    data[position + 40] ^= 0xFF
    path.write_bytes(data)
    refused("ZIP-01", path, work)


def test_zip_02_password(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a"))
    patch_central(path, 8, struct.pack("<H", 0x1))
    assert refused("ZIP-02", path, work) == "a.zip is password protected."


@pytest.mark.parametrize(
    "name", ["../../evil.shp", "a/../../evil.shp", "/etc/evil.shp", "C:\\evil.shp", "c:evil.shp", "\\evil.shp", "..\\x"]
)
def test_zip_03_path_outside(tmp_path, work, parts, name):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a") | {name: b"x"})
    message = refused("ZIP-03", path, work)
    assert message == f'Entry "{name}" points outside the archive. The file was refused.'
    assert not (tmp_path / "evil.shp").exists()


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o020644])
def test_zip_03_link_and_special_file(tmp_path, work, parts, mode):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a"))
    link = zipfile.ZipInfo("b.shp")
    link.external_attr = mode << 16
    with zipfile.ZipFile(path, "a") as target:
        target.writestr(link, "/etc/passwd")
    assert 'Entry "b.shp"' in refused("ZIP-03", path, work)


@pytest.mark.parametrize(("method", "number"), [(zipfile.ZIP_BZIP2, 12), (zipfile.ZIP_LZMA, 14)])
def test_zip_04_other_compression(tmp_path, work, parts, method, number):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a"), method)
    assert f"uses compression method {number}. Use standard" in refused("ZIP-04", path, work)


def test_zip_04_deflate64(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a"))
    patch_central(path, 10, struct.pack("<H", 9))
    assert 'uses compression method 9. Use standard "deflate" or send a GeoPackage.' in refused("ZIP-04", path, work)


@pytest.mark.slow
def test_zip_05_one_gigabyte_of_zeros(tmp_path, work):
    path = tmp_path / "bomb.zip"
    block = bytes(10**7)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target, target.open("a.shp", "w") as entry:
        for _ in range(100):
            entry.write(block)
    message = refused("ZIP-05", path, work)
    assert message == "The archive would unpack to 1.0 GB (limit 300 times its packed size)."


def test_zip_05_size_and_entries(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a") | {"x.txt": bytes(3 * 10**8)})
    assert refused("ZIP-05", path, work, limits=ArchiveLimits(max_unpacked_bytes=2 * 10**8)) == (
        "The archive would unpack to 0.3 GB (limit 0.2 GB)."
    )
    assert "entries (limit 3 entries)" in refused("ZIP-05", path, work, limits=ArchiveLimits(max_entries=3))


def test_zip_05_half_of_the_free_space(tmp_path, work, parts, monkeypatch):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a") | {"x.txt": bytes(10**6)})
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**6}))
    assert "half of the free space" in refused("ZIP-05", path, work)


def test_zip_06_no_dataset(tmp_path, work):
    path = archive(tmp_path / "a.zip", {"readme.txt": b"x", "map.kml": b"x"})
    assert refused("ZIP-06", path, work) == "No shapefile found in a.zip. Found: map.kml, readme.txt."
    assert "Found: nothing." in refused("ZIP-06", archive(tmp_path / "b.zip", {}), work)


def test_zip_07_several_and_the_layer_chooses(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a") | shapefile(parts, "x/b"))
    assert refused("ZIP-07", path, work) == "2 datasets found: a.shp, x/b.shp. Choose one."
    refused("ZIP-07", path, work, layer="c")
    assert open_dataset_archive(path, work, layer="B").is_file()


def test_zip_07_the_only_shapefile_has_another_name(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a"))
    assert refused("ZIP-07", path, work, layer="b") == "1 dataset found: a.shp. Choose one."


@pytest.mark.parametrize("suffix", [".shx", ".dbf"])
def test_zip_08_side_file(tmp_path, work, parts, suffix):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a", without=(suffix,)))
    assert refused("ZIP-08", path, work) == f"a{suffix} is missing."


def test_zip_08_side_file_of_another_folder_does_not_count(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a", without=(".dbf",)) | {"b/a.dbf": parts[".dbf"]})
    refused("ZIP-08", path, work)


def test_zip_09_shp_cut(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "PARCELS", shp=parts[".shp"][:200]))
    assert refused("ZIP-09", path, work) == f"PARCELS.shp is truncated: 200 of {len(parts['.shp'])} bytes."


def test_zip_09_header_cut(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a", shp=parts[".shp"][:50]))
    assert refused("ZIP-09", path, work) == "a.shp is truncated: 50 of 100 bytes."


def test_zip_09_dbf_cut(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a", dbf=parts[".dbf"][:-5]))
    assert refused("ZIP-09", path, work).startswith("a.dbf is truncated: ")


def test_zip_09_parts_of_two_deliveries(tmp_path, work, parts):
    write_shapefile(tmp_path / "other.shp", [shapely.box(4, 50, 5, 51)])
    other = (tmp_path / "other.dbf").read_bytes()
    path = archive(tmp_path / "a.zip", shapefile(parts, "a", dbf=other))
    assert refused("ZIP-09", path, work) == "a.shx lists 2 shapes, a.dbf 1 records."


@pytest.mark.parametrize("suffix", [".parquet", ".geoparquet", ".fgb", ".geojson", ".JSON"])
def test_further_formats_where_they_are_wanted(tmp_path, work, suffix):
    path = archive(tmp_path / "a.zip", {f"deep/Parcels 2024{suffix}": b"content", "readme.txt": b"x"})
    found = extract_dataset(path, work, formats=DECLARATION_FORMATS)
    assert (found.path.name, found.name) == (f"dataset{suffix.lower()}", "Parcels 2024")
    assert found.path.read_bytes() == b"content"
    with pytest.raises(InputError) as caught:
        extract_dataset(path, work)
    assert caught.value.code == "ZIP-06"


def test_a_json_file_beside_a_dataset_describes_it(tmp_path, work):
    path = archive(tmp_path / "a.zip", {"a.fgb": b"x", "a.json": b"{}"})
    assert extract_dataset(path, work, formats=DECLARATION_FORMATS).path.suffix == ".fgb"


def test_zip_06_an_archive_within_the_archive(tmp_path, work):
    path = archive(tmp_path / "a.zip", {"deep/inner.zip": b"PK", "readme.txt": b"x"})
    with pytest.raises(InputError) as caught:
        open_dataset_archive(path, work)
    assert caught.value.one_line == (
        "No shapefile found in a.zip. Found: deep/inner.zip, readme.txt. "
        "(Archives within an archive are not opened: unpack deep/inner.zip and send what it holds.)"
    )
    assert caught.value.code == "ZIP-06"


def test_zip_07_an_archive_beside_a_dataset_is_not_left_out_in_silence(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a") | {"inner.zip": b"PK"})
    assert refused("ZIP-07", path, work) == "2 datasets found: a.shp, inner.zip. Choose one."
    assert open_dataset_archive(path, work, layer="a").is_file()


def test_prj_is_not_required_here(tmp_path, work, parts):
    path = archive(tmp_path / "a.zip", shapefile(parts, "a", without=(".prj",)))
    assert not open_dataset_archive(path, work).with_suffix(".prj").exists()


@pytest.mark.parametrize("name", [b"\xff\xfe.shp", b""])
def test_zip_01_names_that_cannot_be_names(tmp_path, work, parts, name):
    path = archive(tmp_path / "a.zip", {"ab.shp": parts[".shp"]})
    data = path.read_bytes()
    at = data.index(b"PK\x01\x02")
    entry = bytearray(data[at:])
    entry[8:10] = struct.pack("<H", 0x800)  # the name is UTF-8, it says
    entry[28:30] = struct.pack("<H", len(name))
    entry[46:52] = name
    end = entry.index(b"PK\x05\x06")
    entry[end + 12 : end + 16] = struct.pack("<L", end)
    path.write_bytes(data[:at] + entry)
    assert refused("ZIP-01", path, work)


@given(st.binary(max_size=400), st.integers(0, 3000))
def test_damaged_archives_are_refused_or_read_never_worse(tmp_path_factory, parts, noise, position):
    folder = tmp_path_factory.mktemp("noise")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in shapefile(parts, "a").items():
            target.writestr(name, content)
    data = bytearray(buffer.getvalue())
    data[position : position + len(noise)] = noise
    path = folder / "a.zip"
    path.write_bytes(data)
    work = folder / "work"
    work.mkdir()
    code = ""
    try:
        open_dataset_archive(path, work)
    except InputError as error:
        code = error.code
    # extracted in one folder, or refused without a trace
    assert len(list(work.iterdir())) == (0 if code else 1)
    assert code == "" or code.startswith("ZIP-")
