from __future__ import annotations

import codecs
import csv
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import export_cases as cases
import pyarrow as pa
import pyogrio
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s4c_lib.products.export import export_parcels
from s4c_lib.products.export_model import ExportFrame, ExportOptions, Format


def export(folder: Path, frame: ExportFrame, **options: Any) -> bytes:
    export_parcels(frame, folder, ExportOptions(formats=(Format.CSV,), **options))
    return next(item for item in folder.iterdir() if item.name in ("parcels.csv", "parcels_l4c.csv")).read_bytes()


def table(**columns: Any) -> ExportFrame:
    count = len(next(iter(columns.values())))
    ids = pa.array(range(1, count + 1), pa.int32())
    parcels = pa.table({"NewID": ids, **columns, "geometry": cases.wkb(*[cases.square(item) for item in range(count)])})
    return ExportFrame(parcels, cases.PROVENANCE, "EPSG:32631")


def test_values_are_written_as_a_spreadsheet_expects_them(tmp_path: Path) -> None:
    frame = table(
        word=["plain", 'said "so"; twice', None, ""],
        flag=[True, False, None, True],
        area=[10002.47, 1e-7, float("nan"), 3.0],
        small=pa.array([0.1, None, 2.5, 1.0], pa.float32()),
        day=pa.array([20000, None, 0, 1], pa.date32()),
        seen=pa.array([1_700_000_000, None, 0, 1], pa.timestamp("s", tz="UTC")),
    )
    assert export(tmp_path, frame).decode().split("\r\n") == [
        "NewID,word,flag,area,small,day,seen",
        "1,plain,true,10002.47,0.1,2024-10-04,2023-11-14T22:13:20Z",
        '2,"said ""so""; twice",false,1e-7,,,',
        "3,,,,2.5,1970-01-01,1970-01-01T00:00:00Z",
        '4,"",true,3,1,1970-01-02,1970-01-01T00:00:01Z',
        "",
    ]


def test_decimal_comma_semicolon_and_byte_order_mark(tmp_path: Path) -> None:
    written = export(tmp_path, table(area=[1.5, 2.0], word=["a,b", "c;d"]), delimiter=";", decimal=",", bom=True)
    assert written.startswith(codecs.BOM_UTF8)
    assert written.decode("utf-8-sig").split("\r\n")[:3] == ["NewID;area;word", "1;1,5;a,b", '2;2;"c;d"']


def test_decimal_comma_between_commas_is_quoted(tmp_path: Path) -> None:
    assert b'\r\n1,"1,5"\r\n' in export(tmp_path, table(area=[1.5]), decimal=",")


def test_another_encoding(tmp_path: Path) -> None:
    assert "1,Maïs €".encode("cp1252") in export(tmp_path, table(word=["Maïs €"]), encoding="windows-1252")


def test_outlines_as_text_on_request(tmp_path: Path) -> None:
    written = export(tmp_path, table(word=["x"]), csv_geometry=True, crs="EPSG:4326").decode()
    row = next(csv.DictReader(written.splitlines()))
    shape = shapely.from_wkt(row["WKT"])
    assert shape.geom_type == "MultiPolygon"
    assert shape.centroid.y == pytest.approx(51.88, abs=0.01)


def test_gdal_reads_the_rows_and_the_side_file_names_the_columns(tmp_path: Path) -> None:
    export(tmp_path, cases.frame(cases.l4c()), attributes=True)
    _, found = pyogrio.read_arrow(tmp_path / "parcels_l4c.csv")
    assert [row["PRACTICE"] for row in found.to_pylist()] == ["CC", "NA", "NA"]
    with (tmp_path / "parcels_l4c_columns.csv").open(encoding="utf-8", newline="") as stream:
        listed = list(csv.DictReader(stream))
    assert [row["column"] for row in listed] == found.schema.names
    assert listed[0] == {
        "layer": "l4c",
        "column": "NewID",
        "type": "int32",
        "unit": "",
        "description": "Number of the parcel, unique in the site and year",
        "source": "declarations",
    }


def test_own_columns_named_like_those_of_the_formats_get_through(tmp_path: Path) -> None:
    own = pa.table({"src_row": [1, 2, 3, 4], "fid": [9, 8, 7, 6], "geom": list("abcd"), "GEOMETRY": list("efgh")})
    frame = replace(cases.frame(), attributes=own)
    formats = (Format.GEOPACKAGE, Format.CSV, Format.SHAPEFILE, Format.FLATGEOBUF, Format.GEOPARQUET)
    export_parcels(frame, tmp_path, ExportOptions(formats=formats, attributes=True))
    _, found = pyogrio.read_arrow(tmp_path / "parcels.gpkg", layer="parcels")
    assert found["orig_fid"].to_pylist() == [9, 8, 7, 6]
    assert found["orig_geom"].to_pylist() == list("abcd")
    assert found["orig_GEOMETRY"].to_pylist() == list("efgh")


def test_unusual_types_become_plain_ones(tmp_path: Path) -> None:
    frame = table(
        code=pa.array(["a", "b", "a"]).dictionary_encode(),
        byte=pa.array([1, 200, None], pa.uint8()),
        list=pa.array([[1, 2], None, []]),
        blob=pa.array([b"\x00\xff", None, b""]),
        exact=pa.array([Decimal("1.25"), None, Decimal(3)]),
        nothing=pa.nulls(3),
        long_word=pa.array(["x", None, "y"], pa.large_string()),
    )
    rows = list(csv.reader(export(tmp_path, frame).decode().splitlines()))
    assert rows == [
        ["NewID", "code", "byte", "list", "blob", "exact", "nothing", "long_word"],
        ["1", "a", "1", "[1, 2]", "00ff", "1.25", "", "x"],
        ["2", "b", "200", "", "", "", "", ""],
        ["3", "a", "", "[]", "", "3", "", "y"],
    ]


texts = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=12))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_any_text_survives(tmp_path: Path, values: list[str | None], delimiter: str) -> None:
    export(tmp_path, table(word=pa.array(values, pa.string())), delimiter=delimiter)
    with (tmp_path / "parcels.csv").open(encoding="utf-8", newline="") as stream:
        found = [row["word"] for row in csv.DictReader(stream, delimiter=delimiter)]
    assert found == [value or "" for value in values]
