"""Reading declarations: every row is there, and what is wrong with it is said."""

import json
import sqlite3
import struct
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parcels.datasets import opened_dataset
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.parcels.encoding import OF_THE_FORMAT
from s4c_lib.parcels.findings import Severity
from s4c_lib.parcels.identifiers import distinguished
from s4c_lib.parcels.mapping import suggest
from s4c_lib.parcels.reading import read_declared, set_aside
from s4c_lib.parcels.reading_batches import opened_source
from s4c_lib.synthetic.landscape.country import make_landscape
from s4c_lib.synthetic.landscape.declarations import write_declarations

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "declarations"
MAPPING = ColumnMapping(("id",), "crop", ("hold",))
X, Y = 650_003.0, 5_750_003.0


def square(size, dx, dy=0.0):
    return shapely.box(X + dx, Y + dy, X + dx + size, Y + dy + size)


def objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def write(path, shapes=None, columns=None, *, crs="EPSG:32631", kind="Polygon", **options):
    shapes = [square(100, 0), square(100, 85), square(200, 0, 200)] if shapes is None else shapes
    count = len(shapes)
    if columns is None:
        columns = {
            "id": objects([f"P{i + 1}" for i in range(count)]),
            "hold": objects(["H1"] * count),
            "crop": objects(["265"] * count),
        }
    wkb = objects([shape if shape is None or isinstance(shape, bytes) else shapely.to_wkb(shape) for shape in shapes])
    pyogrio.raw.write(path, wkb, list(columns.values()), list(columns), geometry_type=kind, crs=crs, **options)
    return path


def write_parquet(path, table, column=None, shapes=None):
    shapes = [square(100, 0)] * table.num_rows if shapes is None else shapes
    table = table.append_column("geometry", pa.array(list(shapely.to_wkb(np.array(shapes, object))), pa.binary()))
    crs = {"crs": {"$schema": "x", **json.loads(pyproj_json(32631))}}
    geo = {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", **crs, **(column or {})}}}
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
    return path


def pyproj_json(epsg):
    from pyproj import CRS

    return CRS.from_epsg(epsg).to_json()


def zipped(path, folder, stem, *, without=(), upper=False, inside=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.glob(f"{stem}.*")):
            if file.suffix not in (*without, ".zip"):
                name = file.name.upper() if upper else file.name
                archive.write(file, f"{inside}{name}")
        if upper:
            archive.writestr("__MACOSX/._PARCELS.SHP", b"x")
    return path


def codes(findings):
    return {item.code: item for item in findings}


@pytest.mark.parametrize("suffix", [".shp", ".gpkg", ".fgb", ".geojson", ".zip"])
def test_every_format_gives_the_same_rows(tmp_path, suffix):
    crs = "EPSG:4326" if suffix == ".geojson" else "EPSG:32631"
    # the index of FlatGeobuf puts the rows in another order
    options = {"SPATIAL_INDEX": "NO"} if suffix == ".fgb" else {}
    path = write(tmp_path / ("a.gpkg" if suffix == ".zip" else f"a{suffix}"), crs=crs, **options)
    if suffix == ".zip":
        path = zipped(tmp_path / "a.gpkg.zip", tmp_path, "a")
    rows, findings = read_declared(path, MAPPING)
    assert findings == []
    assert (rows.layer, rows.crs.to_epsg(), len(rows)) == ("a", int(crs[5:]), 3)
    assert rows.src_row.tolist() == [1, 2, 3]
    assert rows.ori_id_raw.tolist() == ["P1", "P2", "P3"]
    assert (rows.ori_hold.tolist(), rows.ori_crop.tolist()) == (["H1"] * 3, ["265"] * 3)
    assert shapely.area(rows.geometry) == pytest.approx([10_000, 10_000, 40_000])
    assert rows.attributes["src_row"].to_pylist() == [1, 2, 3]
    assert rows.attributes["crop"].to_pylist() == ["265"] * 3
    assert set_aside(rows)[0].all()


def test_geoparquet_bare_and_zipped(tmp_path):
    box = {"bbox": {"xmin": ["bbox", "xmin"]}}
    table = pa.table({"id": [7, 8], "hold": ["a", None], "crop": [265.0, 1.5], "bbox": [{"xmin": 1.0}, {"xmin": 2.0}]})
    path = write_parquet(tmp_path / "GSA.geoparquet", table, {"covering": box})
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, path.name)
    for file in (path, tmp_path / "a.zip"):
        rows, _ = read_declared(file, MAPPING)
        assert (rows.layer, rows.crs.to_epsg()) == ("GSA", 32631)
        assert (rows.ori_id_raw.tolist(), rows.ori_crop.tolist()) == (["7", "8"], ["265", "1.5"])
        assert rows.attributes.column_names == ["src_row", "id", "hold", "crop"]


def test_parquet_that_is_no_geoparquet_is_refused(tmp_path):
    pq.write_table(pa.table({"id": [1]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="Parquet without geometry"):
        read_declared(tmp_path / "a.parquet", MAPPING)
    table = pa.table({"id": [1], "hold": [1], "crop": [1]})
    path = write_parquet(tmp_path / "b.parquet", table, {"encoding": "polygon"})
    with pytest.raises(InputError, match="has the encoding polygon"):
        read_declared(path, MAPPING)
    path = write_parquet(tmp_path / "c.parquet", table, {"crs": None})
    assert codes(read_declared(path, MAPPING)[1])["CRS-01"].severity == Severity.REFUSED


def test_case_7_joined_columns_of_number_and_text(tmp_path):
    columns = {"A": np.array([12.0]), "B": objects([" 7 "]), "crop": objects(["x"])}
    path = write(tmp_path / "a.gpkg", [square(100, 0)], columns)
    rows, _ = read_declared(path, ColumnMapping(("A", "B"), "crop"))
    assert rows.ori_id_raw.tolist() == ["12-7"]
    assert rows.ori_hold.tolist() == [None]


def test_case_13_upper_case_in_a_folder(tmp_path):
    write(tmp_path / "parcels.shp")
    path = zipped(tmp_path / "a.zip", tmp_path, "parcels", upper=True, inside="Folder X/SUB/")
    rows, _ = read_declared(path, MAPPING)
    assert (rows.layer, len(rows)) == ("PARCELS", 3)


def test_case_14_truncated_and_two_shapefiles(tmp_path):
    write(tmp_path / "a.shp")
    write(tmp_path / "b.shp", [square(100, 0)])
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for file in (*tmp_path.glob("a.*"), *tmp_path.glob("b.*")):
            archive.write(file, file.name)
    with pytest.raises(InputError) as caught:
        read_declared(tmp_path / "two.zip", MAPPING)
    assert caught.value.code == "ZIP-07"
    rows, _ = read_declared(tmp_path / "two.zip", MAPPING, layer="b")
    assert (rows.layer, len(rows)) == ("b", 1)
    shp = tmp_path / "a.shp"
    size = shp.stat().st_size
    shp.write_bytes(shp.read_bytes()[:200])
    with pytest.raises(InputError) as caught:
        read_declared(zipped(tmp_path / "cut.zip", tmp_path, "a"), MAPPING)
    assert (caught.value.code, caught.value.message) == ("ZIP-09", f"a.shp is truncated: 200 of {size} bytes.")


def test_case_15_encoding_and_coordinate_system(tmp_path):
    columns = {"id": objects(["1"]), "hold": objects(["Čeština"]), "crop": objects(["x"])}
    write(tmp_path / "a.shp", [square(100, 0)], columns, encoding="UTF-8")
    path = zipped(tmp_path / "a.zip", tmp_path, "a", without=(".cpg", ".prj"))
    rows, findings = read_declared(path, MAPPING)
    assert (rows.encoding, rows.ori_hold.tolist(), rows.crs) == ("UTF-8", ["Čeština"], None)
    assert codes(findings)["CRS-01"].message == (
        "No coordinate system (.prj) found. Add the .prj or choose an EPSG code."
    )
    assert codes(findings)["DECL-10"].examples == ("hold: Čeština",)
    rows, findings = read_declared(path, MAPPING, epsg=28992)
    assert rows.crs.to_epsg() == 28992
    assert "CRS-01" not in codes(findings)


@pytest.mark.parametrize("page", ["cp1250", "ISO-8859-13", "cp1252", "UTF-8"])
def test_text_and_names_of_columns_are_right_in_every_page(tmp_path, page):
    name, text = ("Jméno", "Šemíč") if page in ("cp1250", "UTF-8") else ("Nafn", "Zoë" if page == "cp1252" else "Žąslė")
    columns = {"id": objects(["1", "2"]), name: objects([text, None]), "crop": objects(["x", "y"])}
    path = write(tmp_path / "a.shp", [square(100, 0)] * 2, columns, encoding=page)
    rows, _ = read_declared(path, ColumnMapping(("id",), "crop", (name,)))
    assert rows.ori_hold.tolist() == [text, None]
    assert rows.attributes[name].to_pylist() == [text, None]
    path.with_suffix(".cpg").unlink()
    rows, _ = read_declared(path, ColumnMapping(("id",), "crop"), encoding=page)
    assert rows.attributes[name].to_pylist() == [text, None]


def test_the_layout_tells_the_page(tmp_path):
    columns = {"NKOD_DPB": objects(["1"]), "PLODINA": objects(["Řepa"])}
    path = write(tmp_path / "a.shp", [square(100, 0)], columns, encoding="cp1250")
    path.with_suffix(".cpg").unlink()
    rows, findings = read_declared(path, ColumnMapping(("NKOD_DPB",), "PLODINA"))
    assert rows.ori_crop.tolist() == ["Řepa"]
    assert codes(findings)["DECL-10"].severity == Severity.WARNING


def test_text_of_a_geopackage_that_is_no_utf8_is_told(tmp_path):
    path = write(tmp_path / "a.gpkg", SPATIAL_INDEX="NO")
    with sqlite3.connect(path) as database:
        database.execute("update a set hold = cast(X'c865' as text) where fid = 2")
    database.close()
    rows, findings = read_declared(path, MAPPING)
    assert rows.ori_hold.tolist() == ["H1", "\ufffde", "H1"]
    assert codes(findings)["DECL-10"].examples == ("hold: 1",)


def test_a_cut_character_is_dropped_and_told(tmp_path):
    columns = {"id": objects(["1"]), "hold": objects(["a" * 254]), "crop": objects(["x"])}
    path = write(tmp_path / "a.shp", [square(100, 0)], columns, encoding="UTF-8")
    dbf = path.with_suffix(".dbf")
    # 254 bytes are all that a column holds: the last letter, an é, lost its second byte
    dbf.write_bytes(dbf.read_bytes().replace(b"a" * 254, "é".encode() + b"a" * 251 + b"\xc3"))
    rows, findings = read_declared(path, MAPPING)
    assert (rows.encoding, rows.ori_hold.tolist()) == ("UTF-8", ["é" + "a" * 251])
    assert codes(findings)["DECL-14"].examples == ("hold: 1",)


def test_missing_identifiers_crops_and_holdings(tmp_path):
    count = 300
    ids, holdings, crops = (objects([f"{name}{i}" for i in range(count)]) for name in "phc")
    ids[[4, 9]], holdings[7], crops[[8, 9]] = [None, "NULL"], "  ", ["", "NA"]
    shapes = [square(10, 20 * i) for i in range(count)]
    path = write(tmp_path / "a.gpkg", shapes, {"id": ids, "hold": holdings, "crop": crops})
    rows, _ = read_declared(path, MAPPING)
    keep, findings = set_aside(rows)
    assert np.flatnonzero(~keep).tolist() == [4, 9]
    found = codes(findings)
    assert (found["DECL-21"].severity, found["DECL-21"].rows) == (Severity.SET_ASIDE, (5, 10))
    assert "first in row 5" in found["DECL-21"].message
    assert (found["DECL-23"].severity, found["DECL-23"].rows) == (Severity.WARNING, (8,))
    assert (found["DECL-24"].severity, found["DECL-24"].rows) == (Severity.EXCLUDED, (9,))
    assert found["DECL-24"].examples == ("p8",)
    assert "DECL-20" not in found
    rows, _ = read_declared(path, MAPPING, na_is_crop=True)
    assert rows.ori_crop[9] == "NA"


def test_decl_20_too_many_rows_without_identifier(tmp_path):
    columns = {"id": objects(["1", None, ""]), "hold": objects(["h"] * 3), "crop": objects(["c"] * 3)}
    rows, _ = read_declared(write(tmp_path / "a.gpkg", columns=columns), MAPPING)
    keep, findings = set_aside(rows)
    assert keep.tolist() == [True, False, False]
    found = codes(findings)["DECL-20"]
    assert (found.severity, found.message) == (
        Severity.REFUSED,
        "2 of 3 rows (66.7 %) have no parcel identifier; limit 1 %.",
    )
    assert "DECL-20" not in codes(set_aside(rows, max_reject_pct=70)[1])


def test_decl_20_no_rows(tmp_path):
    path = write(tmp_path / "a.gpkg", [])
    rows, _ = read_declared(path, MAPPING)
    keep, findings = set_aside(rows)
    assert (len(rows), len(keep)) == (0, 0)
    assert codes(findings)["DECL-20"].message == "Layer a holds no rows. Is it the right file?"
    assert "hold" in rows.attributes.column_names


def test_decl_20_no_mapped_column(tmp_path):
    with pytest.raises(InputError) as caught:
        read_declared(write(tmp_path / "a.gpkg"), ColumnMapping(("ident",), "crop"))
    assert caught.value.code == "DECL-20"
    assert caught.value.message == "Column ident for the parcel identifier is missing."


def curve():
    """A full circle of radius 1 as a curve polygon."""
    points = [(X - 1, Y), (X, Y + 1), (X + 1, Y), (X, Y - 1), (X - 1, Y)]
    ring = struct.pack("<BII", 1, 8, 5) + b"".join(struct.pack("<dd", *point) for point in points)
    return struct.pack("<BII", 1, 10, 1) + ring


def open_ring():
    points = [(X, Y), (X + 1, Y), (X + 1, Y + 1), (X, Y + 1)]
    return struct.pack("<BIII", 1, 3, 1, 4) + b"".join(struct.pack("<dd", *point) for point in points)


def with_measure():
    points = [(X, Y, 5), (X + 2, Y, 5), (X + 2, Y + 2, 5), (X, Y, 5)]
    return struct.pack("<BIII", 1, 2003, 1, 4) + b"".join(struct.pack("<ddd", *point) for point in points)


def test_geometries_of_every_kind(tmp_path):
    collection = shapely.GeometryCollection([square(10, 0), shapely.Point(X, Y), shapely.MultiPolygon([square(5, 50)])])
    shapes = [
        square(10, 0), None, shapely.Polygon(), shapely.Point(X, Y), shapely.LineString([(X, Y), (X + 1, Y)]),
        shapely.force_3d(square(10, 20), 7.0), with_measure(), curve(), open_ring(), collection,
        shapely.MultiPolygon([square(5, 0), square(5, 50)]), shapely.GeometryCollection([shapely.Point(X, Y)]),
    ]  # fmt: skip
    rows, findings = read_declared(write(tmp_path / "a.gpkg", shapes, kind="Unknown"), MAPPING)
    keep, more = set_aside(rows, max_reject_pct=100)
    assert len(rows) == len(shapes)
    assert np.flatnonzero(~keep).tolist() == [3, 4, 11]
    found = codes([*findings, *more])
    assert (found["DECL-22"].severity, found["DECL-22"].rows) == (Severity.SET_ASIDE, (4, 5, 12))
    assert "GeometryCollection, LineString, Point" in found["DECL-22"].message.replace("GEOMETRY", "")
    assert (found["DECL-25"].rows, found["DECL-26"].rows, found["DECL-29"].rows) == ((6, 7), (8,), (10,))
    assert not shapely.has_z(rows.geometry).any()
    assert not shapely.has_m(rows.geometry).any()
    assert (np.flatnonzero(rows.had_z).tolist(), np.flatnonzero(rows.was_curved).tolist()) == ([5, 6], [7])
    assert rows.geometry[7].geom_type == "Polygon"
    assert rows.geometry[7].area == pytest.approx(np.pi, rel=0.01)
    assert rows.geometry[8].area == pytest.approx(1)
    assert rows.geometry[9].area == pytest.approx(125)
    assert (rows.geometry[1], rows.geometry[2].is_empty) == (None, True)


def test_bytes_that_are_no_geometry_are_told(tmp_path):
    table = pa.table({"id": [1, 2], "hold": [1, 1], "crop": [1, 1]})
    path = write_parquet(tmp_path / "a.parquet", table)
    read = pq.read_table(path)
    for wrong in (b"xyz", b"\x01\x03\x00\x00\x00\x01", struct.pack("<BI", 1, 15) + bytes(8), curve()):
        broken = read.set_column(3, "geometry", pa.array([read["geometry"][0].as_py(), wrong], pa.binary()))
        pq.write_table(broken, tmp_path / "b.parquet")
        rows, findings = read_declared(tmp_path / "b.parquet", MAPPING)
        assert rows.geometry[0].area == 10_000
        assert rows.geometry[1] is None
        assert codes(findings)["DECL-28"].rows == (2,)


def test_records_marked_as_deleted_are_told_and_rows_keep_their_number(tmp_path):
    path = write(tmp_path / "a.shp")
    dbf = path.with_suffix(".dbf")
    content = bytearray(dbf.read_bytes())
    size, record = int.from_bytes(content[8:10], "little"), int.from_bytes(content[10:12], "little")
    content[size + record] = ord("*")
    dbf.write_bytes(content)
    rows, findings = read_declared(path, MAPPING)
    assert (rows.src_row.tolist(), rows.ori_id_raw.tolist()) == ([1, 3], ["P1", "P3"])
    assert codes(findings)["DECL-13"].rows == (2,)


def test_a_previous_export_can_be_read_again(tmp_path):
    columns = {"ori_id": objects(["P5-A"]), "NewID": np.array([4]), "ori_crop": objects(["265"])}
    rows, findings = read_declared(
        write(tmp_path / "a.shp", [square(100, 0)], columns), ColumnMapping(("ori_id",), "ori_crop")
    )
    assert rows.attributes.column_names == ["src_row", "src_ori_id", "src_NewID", "src_ori_crop"]
    assert rows.ori_id_raw.tolist() == ["P5-A"]
    assert codes(findings)["DECL-11"].count == 3


def test_the_key_of_a_geopackage_is_a_column(tmp_path):
    path = write(
        tmp_path / "a.gpkg", layer_options={"FID": "id"}, columns={"hold": objects(["h"] * 3), "crop": objects("abc")}
    )
    rows, _ = read_declared(path, MAPPING)
    assert rows.ori_id_raw.tolist() == ["1", "2", "3"]
    assert rows.attributes.column_names == ["src_row", "id", "hold", "crop"]


def test_the_id_of_a_geojson_feature_is_a_column(tmp_path):
    ring = [[0, 0], [1, 0], [1, 1], [0, 0]]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    for ids in ([5, 15], ["A", "B"]):
        features = [{"type": "Feature", "id": i, "properties": {"crop": "c"}, "geometry": polygon} for i in ids]
        (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        rows, _ = read_declared(tmp_path / "a.geojson", ColumnMapping(("id",), "crop"))
        assert rows.ori_id_raw.tolist() == [str(i) for i in ids]


def test_the_row_number_as_identifier(tmp_path):
    rows, _ = read_declared(write(tmp_path / "a.fgb"), ColumnMapping(("src_row",), "crop"))
    assert rows.ori_id_raw.tolist() == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("values", "unit", "expected", "wrong"),
    [
        (np.array([1.5, np.nan, -1.0]), "ha", [15_000, np.nan, np.nan], (3,)),
        (np.array([100, 0, 7], np.int32), "m2", [100, 0, 7], ()),
        (objects(["1,25", " 2.5 ", "many"]), "ha", [12_500, 25_000, np.nan], (3,)),
    ],
)
def test_declared_area(tmp_path, values, unit, expected, wrong):
    columns = {"id": objects("abc"), "crop": objects("abc"), "area": values}
    mapping = ColumnMapping(("id",), "crop", area="area", area_unit=unit)
    rows, findings = read_declared(write(tmp_path / "a.gpkg", columns=columns), mapping)
    np.testing.assert_allclose(rows.declared_area, expected)
    assert (codes(findings)["DECL-27"].rows if wrong else ()) == wrong


def test_a_file_that_ends_early_is_refused(tmp_path):
    path = write(tmp_path / "a.fgb", [square(10, 20 * i) for i in range(500)], SPATIAL_INDEX="NO")
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(InputError, match=r"a\.fgb (cannot be read|ends early)"):
        read_declared(path, MAPPING)


def test_progress_goes_up_to_the_end(tmp_path):
    told = []
    read_declared(write(tmp_path / "a.gpkg"), MAPPING, progress=lambda step, share: told.append((step, share)))
    assert told == [("read", 1.0)]


def test_nothing_is_left_behind(tmp_path):
    write(tmp_path / "a.shp")
    work = tmp_path / "work"
    work.mkdir()
    path = zipped(tmp_path / "a.zip", tmp_path, "a")
    read_declared(path, MAPPING, work_dir=work)
    with pytest.raises(InputError):
        read_declared(path, ColumnMapping(("no",), "crop"), work_dir=work)
    assert list(work.iterdir()) == []


def test_synthetic_faults_are_found(tmp_path):
    landscape = make_landscape(PixelGrid(32631, 650_000, 5_750_000, 10, 480, 480), 400, 3)
    write_declarations(landscape, tmp_path, 3)
    truth = json.loads((tmp_path / "declarations_truth.json").read_text())
    mapping = ColumnMapping(
        tuple(truth["mapping"]["parcel"]), truth["mapping"]["crop"], tuple(truth["mapping"]["holding"])
    )
    for name, kind in (("declarations.gpkg", "geopackage"), ("declarations_no_cpg.zip", "shapefile")):
        rows, _ = read_declared(tmp_path / name, mapping)
        keep, findings = set_aside(rows, max_reject_pct=100)
        assert len(rows) == truth["counts"]["rows"][kind]
        found = codes(findings)
        for code in ("DECL-21", "DECL-22"):
            expected = {fault["row"][kind] for fault in truth["faults"] if code in fault["codes"][kind]} - {None}
            assert set(found[code].rows if code in found else ()) == expected
        for code, fault in (("DECL-23", "null_holding"), ("DECL-24", "null_crop")):
            expected = {item["row"][kind] for item in truth["faults"] if item["fault"] == fault} - {None}
            assert set(found[code].rows) == expected
        assert int((~keep).sum()) == len(
            {row for code in ("DECL-21", "DECL-22") if code in found for row in found[code].rows}
        )
        suffixes = dict(zip(rows.src_row.tolist(), distinguished(rows.ori_id_raw).ori_id.tolist(), strict=True))
        for fault in truth["faults"]:
            if fault["row"][kind] and fault["suffix"] and kind == "geopackage":
                assert suffixes[fault["row"][kind]].endswith(fault["suffix"])
    assert any("ë" in str(name) for name in rows.attributes["NAAM"].to_pylist())


@pytest.mark.skipif(not REAL.is_dir(), reason="the real declarations are not there")
@pytest.mark.parametrize(
    ("name", "epsg", "row", "identifier", "crop", "text"),
    [
        ("be_vlg_2023.gpkg.zip", 31370, 1, "922212948", "201", ("GWSNAM_H", "Silomaïs")),
        ("de_bb.zip", 25833, 1, "DEBBLI0268030574-328325-NNF", "088", ("egs_name", "Förderfähig, mit EGS-Beantragung")),
        ("dk_2026.zip", 25832, 1, "26-0023282-1-1", "527", ("Afgroede", "Hassel (Corylus maxima)")),
        ("lt_2024.zip", 3035, 0, "12141937", "3301011503", ("crop_name", "Vasariniai javai")),
        ("nl_2023.gpkg", 28992, 1, "2", "343", ("gewas", "Sloot")),
        ("ro.zip", 32635, 0, "1", "WD", ("LC_CLASS_N", "Terenuri împădurite")),
    ],
)
def test_real_declarations_with_their_own_columns(name, epsg, row, identifier, crop, text):
    path = REAL / name
    with opened_dataset(path) as dataset, opened_source(dataset, OF_THE_FORMAT, max_features=1) as source:
        proposal = suggest(source.fields)
    rows, _ = read_declared(path, proposal.mapping)
    keep, findings = set_aside(rows)
    aside = sum(item.count for item in findings if item.severity == Severity.SET_ASIDE)
    assert len(rows) == 100 == int(keep.sum()) + aside
    assert rows.crs.to_epsg() == epsg
    assert (rows.ori_id_raw[row], rows.ori_crop[row]) == (identifier, crop)
    assert rows.attributes[text[0]][row].as_py() == text[1]
    assert shapely.area(rows.geometry).min() > 0
    ids = distinguished(rows.ori_id_raw).ori_id
    assert len(set(ids.tolist())) == 100
    assert not {item.code for item in findings} & {"DECL-20", "DECL-21", "DECL-22"}


def test_what_the_library_remarks_is_told(tmp_path):
    polygon = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    features = [{"type": "Feature", "id": 7, "properties": {"crop": "c"}, "geometry": polygon}] * 2
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    rows, findings = read_declared(path, ColumnMapping(("src_row",), "crop"))
    assert len(rows) == 2
    told = codes(findings)["DECL-15"]
    assert told.severity == Severity.WARNING
    assert "Several features with id = 7" in told.message
