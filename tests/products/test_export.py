from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import export_cases as cases
import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s4c_lib.errors import InputError, NothingToDoError, StorageError
from s4c_lib.products.export import export_parcels
from s4c_lib.products.export_model import ExportFilter, ExportFrame, ExportOptions, ExportSummary, Format, Layout

ALL = tuple(Format)


def export(folder: Path, *results: Any, **options: Any) -> ExportSummary:
    return export_parcels(cases.frame(*results), folder, ExportOptions(**options))


def rows(path: Path, layer: str | None = None) -> list[dict[str, Any]]:
    """Rows by NewID, whatever the format."""
    if path.suffix == ".parquet":
        table, geometry = pq.read_table(path), "geometry"
        table = table.drop(["bbox"])
    elif path.suffix == ".fgb":
        # GDAL 3.12 cannot give a FlatGeobuf row without outline to Arrow; row by row it can.
        frame = pyogrio.read_dataframe(path, use_arrow=False)
        table, geometry = pa.Table.from_pandas(frame.drop(columns="geometry"), preserve_index=False), "geometry"
        table = table.append_column("geometry", pa.array(frame.geometry.to_wkb(), pa.binary(), from_pandas=True))
    else:
        meta, table = pyogrio.read_arrow(path, layer=layer)
        geometry = next((name for name in table.schema.names if name in (meta["geometry_name"], "wkb_geometry")), "")
    found = table.drop([geometry] if geometry else []).to_pylist()
    shapes = table[geometry].to_pylist() if geometry else [None] * len(found)
    for row, shape in zip(found, shapes, strict=True):
        row["shape"] = None if shape is None else shapely.from_wkb(shape)
    return sorted(found, key=lambda row: row["NewID"])


@pytest.mark.parametrize("name", ["parcels.gpkg", "parcels_shp.zip", "parcels.parquet", "parcels.fgb"])
def test_every_vector_format_gives_the_parcels_back(tmp_path: Path, name: str) -> None:
    summary = export(tmp_path, formats=ALL, attributes=True)
    assert (summary.parcels, summary.rows) == (4, {"parcels": 4})
    assert summary.left_out == {"deleted": 1}
    found = rows(tmp_path / name, "parcels" if name == "parcels.gpkg" else None)
    assert [row["NewID"] for row in found] == [1, 2, 3, 4]
    assert [row["ori_id"] for row in found] == ["P1", "P2", "P3", "P4"]
    assert [row["CT"] for row in found] == ["Grasland", "Maïs", "Grasland", None]  # 999 is in no crop table
    assert [row["LC"] for row in found] == [3, 1, 3, None]
    assert [row["GeomValid"] for row in found] == [True, True, True, False]
    area = "Area_meter" if name.endswith(".zip") else "Area_meters"
    assert [row[area] for row in found] == [10000.0, 10000.25, 20000.0, None]
    assert [row["Naam"] for row in found] == [*cases.NAMES[:3], None]
    assert [None if row["sown"] is None else row["sown"].isoformat()[:10] for row in found] == [
        "1999-12-31",
        None,
        "2026-04-01",
        None,
    ]
    if not name.endswith(".zip"):  # a Shapefile knows no difference between polygon and multipolygon
        assert {row["shape"].geom_type for row in found if row["shape"]} == {"MultiPolygon"}
    assert found[0]["shape"].equals(cases.square(0))
    assert found[2]["shape"].area == pytest.approx(20000)
    assert found[3]["shape"] is None


def test_columns_begin_with_the_common_ones_and_keep_their_types(tmp_path: Path) -> None:
    export(tmp_path, formats=(Format.GEOPACKAGE, Format.GEOPARQUET))
    _, package = pyogrio.read_arrow(tmp_path / "parcels.gpkg", layer="parcels")
    parquet = pq.read_schema(tmp_path / "parcels.parquet")
    leading = ["NewID", "ori_id", "ori_hold", "ori_crop", "CT", "LC", "Area_meters"]
    assert package.schema.names[:7] == parquet.names[:7] == leading
    for schema in (package.schema, parquet):
        assert schema.field("NewID").type == pa.int32()
        assert schema.field("LC").type == pa.int16()
        assert schema.field("GeomValid").type == pa.bool_()
        assert schema.field("Area_meters").type == pa.float64()


def test_own_attributes_come_on_request_and_never_replace_our_columns(tmp_path: Path) -> None:
    export(tmp_path / "without", formats=(Format.GEOPARQUET,))
    assert "Naam" not in pq.read_schema(tmp_path / "without/parcels.parquet").names
    summary = export(tmp_path, formats=(Format.GEOPARQUET,), attributes=True)
    found = rows(tmp_path / "parcels.parquet")
    assert [row["ori_id"] for row in found] == ["P1", "P2", "P3", "P4"]
    assert [row["orig_ori_id"] for row in found] == ["1", "2", "3", "their own 4"]
    assert "Parcels whose crop code the crop table does not name: 1; their crop columns are empty." in summary.warnings


def test_parcel_in_two_practices_gives_two_rows_with_declaration_columns(tmp_path: Path) -> None:
    # Acceptance case 28.
    summary = export(tmp_path, cases.l4c(), formats=ALL)
    assert summary.rows == {"l4c": 3}
    assert summary.warnings[-1] == "Results of l4c S4C_L4C_noord_2026_c1 of no declared parcel: 1; left out."
    for file, layer in (("parcels.gpkg", "l4c"), ("parcels_l4c.parquet", None), ("parcels_l4c_shp.zip", None)):
        found = sorted(rows(tmp_path / file, layer), key=lambda row: (row["NewID"], row["PRACTICE"]))
        assert [(row["NewID"], row["PRACTICE"], row["C_INDEX"], row["ori_id"], row["CT"]) for row in found] == [
            (1, "CC", "STRONG", "P1", "Grasland"),
            (1, "NA", "NA", "P1", "Grasland"),
            (2, "NA", "NA", "P2", "Maïs"),
        ]
        assert found[0]["H_W_START"] == date(2026, 7, 6)
        assert {row["product"] for row in found} == {"S4C_L4C_noord_2026_c1"}
        assert found[0]["shape"].equals(found[1]["shape"])


def test_long_layout_has_a_layer_per_product(tmp_path: Path) -> None:
    summary = export(tmp_path, cases.l4a(), cases.l4c())
    assert [item.path.name for item in summary.files] == ["parcels.gpkg"]
    layers = [name for name, _ in pyogrio.list_layers(tmp_path / "parcels.gpkg")]
    assert layers == ["l4a", "l4c", "columns", "about", "layer_styles"]
    found = rows(tmp_path / "parcels.gpkg", "l4a")
    assert [(row["NewID"], row["status"], row["CT_pred_1"]) for row in found] == [
        (1, "processed", 2),
        (2, "min_pixels", None),
        (3, "processed", 1),
    ]
    assert found[0]["confidence"] == 0.5
    assert found[1]["confidence"] is None  # NaN
    seen = rows(tmp_path / "parcels.gpkg", "l4c")
    assert datetime(2026, 11, 21, 8, 30, tzinfo=UTC) in [row["seen_at"] for row in seen]


def test_wide_layout_has_one_row_per_parcel_and_the_newest_product(tmp_path: Path) -> None:
    newer = cases.l4a(
        product_id="S4C_L4A_noord_2026_a2",
        as_of=date(2026, 9, 1),
        table=pa.table({"NewID": [1], "CT_pred_1": pa.array([7], pa.int32())}),
    )
    options = {"formats": (Format.GEOPARQUET,), "layout": Layout.WIDE}
    summary = export(tmp_path, newer, cases.l4a(), cases.l4c(), **options)
    assert "l4a S4C_L4A_noord_2026_a1 is not in the export: a newer product is." in summary.warnings
    found = rows(tmp_path / "parcels.parquet")
    assert [row["NewID"] for row in found] == [1, 2, 3, 4]
    assert [row["l4a_CT_pred_1"] for row in found] == [7, None, None, None]
    assert [row["l4c_CC_C_INDEX"] for row in found] == ["STRONG", None, None, None]
    assert [row["l4c_NA_C_INDEX"] for row in found] == ["NA", "NA", None, None]
    assert "l4c_NA_PRACTICE" not in found[0]


def test_shapefile_brings_the_map_of_its_names(tmp_path: Path) -> None:
    import csv
    import io
    import zipfile

    export(tmp_path, cases.l4a(), formats=(Format.SHAPEFILE,))
    with zipfile.ZipFile(tmp_path / "parcels_l4a_shp.zip") as archive:
        assert archive.testzip() is None
        listed = {name.removeprefix("parcels_l4a") for name in archive.namelist()}
        assert listed == {".shp", ".shx", ".dbf", ".prj", ".cpg", "_columns.csv", "_about.json"}
        assert archive.read("parcels_l4a.cpg") == b"UTF-8"
        names = list(csv.DictReader(io.StringIO(archive.read("parcels_l4a_columns.csv").decode())))
    short = {row["column"]: row["shapefile_name"] for row in names}
    assert short["CTnumL4A_name"] == "CTnumL4A_n"
    assert short["CT_pred_1_name"] == "CT_pred_1_"
    _, table = pyogrio.read_arrow(tmp_path / "parcels_l4a_shp.zip")
    assert [name for name in table.schema.names if name != "wkb_geometry"] == list(short.values())
    assert len(set(map(str.lower, short.values()))) == len(short)
    assert next(row["description"] for row in names if row["column"] == "CT_pred_1") == "First predicted crop"


def test_long_texts_are_cut_at_a_character_counted_and_listed(tmp_path: Path) -> None:
    import zipfile

    text = "é" * 200
    own = cases.attributes().set_column(1, "Naam", pa.array([None, text, "é" * 127, "short"]))
    frame = replace(cases.frame(), attributes=own)
    options = ExportOptions(formats=(Format.SHAPEFILE, Format.GEOPACKAGE), attributes=True)
    summary = export_parcels(frame, tmp_path, options)
    assert summary.warnings[-1].startswith('parcels_shp.zip: texts of column "Naam" cut at 254 bytes: 1 (NewID 3);')
    assert [row["Naam"] for row in rows(tmp_path / "parcels_shp.zip")] == ["short", "é" * 127, "é" * 127, None]
    assert rows(tmp_path / "parcels.gpkg", "parcels")[2]["Naam"] == text
    with zipfile.ZipFile(tmp_path / "parcels_shp.zip") as archive:
        assert archive.read("parcels_shortened.csv").decode() == f"NewID,column,text\r\n3,Naam,{text}\r\n"


def test_a_large_shapefile_is_split_below_the_limit(tmp_path: Path) -> None:
    import zipfile

    summary = export(tmp_path, formats=(Format.SHAPEFILE,), shapefile_bytes=900)
    assert summary.warnings[-1] == "parcels_shp.zip: split into 2 Shapefiles, each below the size limit."
    with zipfile.ZipFile(tmp_path / "parcels_shp.zip") as archive:
        sizes = {item.filename: item.file_size for item in archive.infolist()}
        archive.extractall(tmp_path)
    assert max(size for name, size in sizes.items() if name.endswith((".shp", ".dbf"))) <= 900
    found = [row["NewID"] for part in (1, 2) for row in rows(tmp_path / f"parcels_{part}.shp")]
    assert found == [1, 2, 3, 4]


@pytest.mark.parametrize(("encoding", "mark"), [("cp1252", b"CP1252"), ("ISO-8859-2", b"ISO-8859-2")])
def test_shapefile_in_another_encoding(tmp_path: Path, encoding: str, mark: bytes) -> None:
    import zipfile

    word = "Łódź" if mark.endswith(b"2") and b"ISO" in mark else "Maïs €"
    own = cases.attributes().set_column(1, "Naam", pa.array([word] * 4))
    options = ExportOptions(formats=(Format.SHAPEFILE,), attributes=True, encoding=encoding, columns=("Naam",))
    export_parcels(replace(cases.frame(), attributes=own), tmp_path, options)
    with zipfile.ZipFile(tmp_path / "parcels_shp.zip") as archive:
        assert archive.read("parcels.cpg").upper() == mark
        assert word.encode(encoding) in archive.read("parcels.dbf")
    assert {row["Naam"] for row in rows(tmp_path / "parcels_shp.zip")} == {word}


@pytest.mark.parametrize("kind", [Format.SHAPEFILE, Format.CSV])
def test_a_value_that_does_not_fit_the_encoding_is_named(tmp_path: Path, kind: Format) -> None:
    (tmp_path / "parcels.csv").write_text("what was there before")
    with pytest.raises(InputError, match='column "Naam", NewID 1: "Č" in "Čeština" does not fit the encoding cp1252'):
        export(tmp_path, formats=(kind,), attributes=True, encoding="cp1252")
    assert [item.name for item in tmp_path.iterdir()] == ["parcels.csv"]
    assert (tmp_path / "parcels.csv").read_text() == "what was there before"


def test_reprojection_moves_every_outline(tmp_path: Path) -> None:
    export(tmp_path, formats=ALL, crs="EPSG:3035", layout=Layout.WIDE)
    expected = gpd.GeoSeries([cases.square(0)], crs="EPSG:32631").to_crs(3035).iloc[0]
    for name in ("parcels.gpkg", "parcels_shp.zip", "parcels.fgb"):
        layer = "parcels" if name.endswith("gpkg") else None
        assert pyogrio.read_info(tmp_path / name, layer=layer)["crs"] == "EPSG:3035"
        assert rows(tmp_path / name, layer)[0]["shape"].hausdorff_distance(expected) < 1e-6
    parquet = gpd.read_parquet(tmp_path / "parcels.parquet")
    assert parquet.crs.to_epsg() == 3035
    assert parquet.geometry[0].hausdorff_distance(expected) < 1e-6
    assert parquet.geometry[3] is None


def test_geoparquet_boxes_let_a_reader_skip(tmp_path: Path) -> None:
    export(tmp_path, formats=(Format.GEOPARQUET,))
    meta = json.loads(pq.read_metadata(tmp_path / "parcels.parquet").metadata[b"geo"])
    assert (meta["version"], meta["primary_column"]) == ("1.1.0", "geometry")
    assert meta["columns"]["geometry"]["bbox"] == [650003, 5750003, 650703, 5750103]
    inside = gpd.read_parquet(tmp_path / "parcels.parquet", bbox=(650000, 5750000, 650150, 5750200))
    assert inside["NewID"].tolist() == [1]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (ExportFilter(crops=("265",)), [1, 3]),
        (ExportFilter(groups=(10,)), [2]),
        (ExportFilter(land_cover=(1, 3)), [1, 2, 3]),
        (ExportFilter(holdings=("H2",)), [3, 4]),
        (ExportFilter(tiles=("31UGT",), deleted=True), [3, 5]),
        (ExportFilter(bbox=(650150, 5750000, 650250, 5750200)), [2]),
        (ExportFilter(decisions=("yes", "no")), [1, 3]),
        (ExportFilter(decisions=("yes", "no"), crops=("265",), tiles=("31UGT",)), [3]),
    ],
)
def test_filters(tmp_path: Path, wanted: ExportFilter, ids: list[int]) -> None:
    options = {"formats": (Format.GEOPARQUET,), "layout": Layout.WIDE, "filter": wanted}
    summary = export(tmp_path, cases.l4a(), **options)
    assert [row["NewID"] for row in rows(tmp_path / "parcels.parquet")] == ids
    assert summary.parcels + sum(summary.left_out.values()) == 5


def test_decisions_also_filter_the_rows_of_a_long_layer(tmp_path: Path) -> None:
    export(tmp_path, cases.l4c(), filter=ExportFilter(decisions=("inconclusive",)))
    assert [row["NewID"] for row in rows(tmp_path / "parcels.gpkg", "l4c")] == [2]


def test_every_file_says_where_it_comes_from(tmp_path: Path) -> None:
    export(tmp_path, cases.l4a(), formats=ALL, filter=ExportFilter(land_cover=(3,)))
    _, told = pyogrio.read_arrow(tmp_path / "parcels.gpkg", layer="about")
    about = dict(zip(*(told[name].to_pylist() for name in ("item", "value")), strict=True))
    assert about["created"] == "2026-11-21T08:30:00Z"
    assert about["licence"] == "Licence of the agency"
    assert about["version of declarations"] == "3"
    assert about["product l4a S4C_L4A_noord_2026_a1"] == "S4C_L4A_noord_2026_a1, until 2026-08-01"
    assert about["parameter accept_second_min_conf"] == "0"
    assert about["filter"] == "LC in 3; without deleted parcels"
    assert json.loads((tmp_path / "parcels_l4a_about.json").read_text(encoding="utf-8")) == about
    assert json.loads(pq.read_metadata(tmp_path / "parcels_l4a.parquet").metadata[b"about"]) == about
    _, columns = pyogrio.read_arrow(tmp_path / "parcels.gpkg", layer="columns")
    entry = next(row for row in columns.to_pylist() if row["column"] == "Area_meters")
    assert (entry["unit"], entry["type"], entry["source"]) == ("m2", "real64", "declarations")
    _, layer = pyogrio.read_arrow(tmp_path / "parcels.gpkg", layer="l4a")
    assert layer.schema.field("S2Pix").metadata[b"GDAL:OGR:comment"].startswith(b"Sentinel-2 pixels")


def test_the_same_export_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        export(tmp_path / folder, cases.l4a(), cases.l4c(), formats=ALL, attributes=True)
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_wished_columns_only_in_their_order(tmp_path: Path) -> None:
    export(tmp_path, cases.l4a(), formats=(Format.GEOPARQUET,), columns=("CT_pred_1", "ori_id"))
    schema = pq.read_schema(tmp_path / "parcels_l4a.parquet")
    assert schema.names == ["NewID", "CT_pred_1", "ori_id", "geometry", "bbox"]
    with pytest.raises(InputError, match="The export has no column 'CT_pred_9'"):
        export(tmp_path, cases.l4a(), columns=("CT_pred_9",))


def test_batches_do_not_change_the_files(tmp_path: Path) -> None:
    for batch in (1, 3, 65536):
        export(tmp_path / str(batch), cases.l4a(), cases.l4c(), formats=(Format.CSV,), batch=batch, attributes=True)
    for name in ("parcels_l4a.csv", "parcels_l4c.csv"):
        first, *others = [(tmp_path / str(batch) / name).read_bytes() for batch in (1, 3, 65536)]
        assert all(other == first for other in others)


def test_geodataframe_is_taken_too(tmp_path: Path) -> None:
    parcels = gpd.GeoDataFrame(
        {"NewID": [1, 2], "ori_crop": ["265", "259"]}, geometry=[cases.square(0), None], crs="EPSG:32631"
    )
    export_parcels(ExportFrame(parcels, cases.PROVENANCE, lut=cases.lut()), tmp_path, ExportOptions())
    found = rows(tmp_path / "parcels.gpkg", "parcels")
    assert [(row["NewID"], row["CT"], row["shape"] is None) for row in found] == [
        (1, "Grasland", False),
        (2, "Maïs", True),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"formats": ()}, "no format"),
        ({"name": "../outside"}, "cannot name the export"),
        ({"delimiter": "xx"}, "cannot separate"),
        ({"decimal": "'"}, "no decimal sign"),
        ({"encoding": "klingon"}, 'no encoding "klingon"'),
        ({"encoding": "utf-16"}, "not offered"),
        ({"crs": "EPSG:0"}, "no coordinate system"),
        ({"filter": ExportFilter(bbox=(1, 1, 0, 0))}, "is empty"),
        ({"filter": ExportFilter(decisions=("yes",))}, 'No product of the export has a column "decision"'),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        export(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_tables_that_do_not_fit_are_named(tmp_path: Path) -> None:
    doubled = cases.l4a(table=pa.table({"NewID": [1, 2, 2]}))
    with pytest.raises(InputError, match="NewID 2 has several rows in the results of l4a"):
        export(tmp_path, doubled)
    with pytest.raises(InputError, match='Column "NewID" is missing in the results of l4a'):
        export(tmp_path, cases.l4a(table=pa.table({"FIELD_ID": [1]})))
    with pytest.raises(InputError, match="coordinate system of the declarations is not known"):
        export_parcels(replace(cases.frame(), crs=None), tmp_path, ExportOptions())
    points = cases.declarations().set_column(10, "geometry", cases.wkb(*[shapely.Point(0, 0)] * 5))
    with pytest.raises(InputError, match="no polygon but a Point"):
        export_parcels(replace(cases.frame(), declarations=points), tmp_path, ExportOptions())
    assert list(tmp_path.iterdir()) == []


def test_nothing_fits(tmp_path: Path) -> None:
    with pytest.raises(NothingToDoError, match="No parcel fits"):
        export(tmp_path, filter=ExportFilter(crops=("nobody grows this",)))


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file cannot be written"):
        export(tmp_path / "file")


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    export_parcels(
        cases.frame(), tmp_path, ExportOptions(batch=3), lambda done, total, label: told.append((done, total, label))
    )
    assert told == [(3, 4, "parcels.gpkg: parcels"), (4, 4, "parcels.gpkg: parcels")]


texts = st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=300))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=4, max_size=4))
def test_any_text_survives_geopackage_and_parquet(tmp_path: Path, values: list[str | None]) -> None:
    own = pa.table({"src_row": [1, 2, 3, 4], "note": pa.array(values, pa.string())})
    options = ExportOptions(formats=(Format.GEOPACKAGE, Format.GEOPARQUET), attributes=True, columns=("note",))
    export_parcels(replace(cases.frame(), attributes=own), tmp_path, options)
    assert [row["note"] for row in rows(tmp_path / "parcels.gpkg", "parcels")] == values
    assert [row["note"] for row in rows(tmp_path / "parcels.parquet")] == values
