"""Styles in GeoPackages: QGIS finds them where it looks, understands them, and every value shown has its colour."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import numpy as np
import pyarrow as pa
import pyogrio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.l4.vector_files import write_geopackage
from s4c_lib.products.export import export_parcels
from s4c_lib.products.export_model import ExportFrame, ExportOptions, Format, Layout, ResultTable
from s4c_lib.products.qml import Category, Style, qml
from tests.products.export_cases import PROVENANCE, attributes, declarations, l4a, lut

CRS = "EPSG:32631"
WITHOUT = 1
L4A = {
    "CT_decl": [10, 20],
    "CT_pred_1": [10, 10],
    "CT_pred_1_name": ["Maïs & Co <b>", "Grasland"],
    "conform": [1, 0],
    "verdict": ["confirmed", "contradicted"],
}
L4B = {"mow_n": [0, 7], "status": ["processed", "processed"], "compl": [1, 2], "decision": ["yes", "no"]}
L4C = {"C_INDEX": ["STRONG", "POOR"], "H_WEEK": ["24", "NR"]}


def stored(path: Path) -> list[dict[str, Any]]:
    """The table as QGIS asks for it, defaults first."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute("SELECT * FROM layer_styles ORDER BY useAsDefault DESC, id").fetchall()
    return [dict(row) for row in rows]


def written(folder: Path, **columns: list[Any]) -> Path:
    parcels = declarations().select(["NewID", "ori_id", "Area_meters", "geometry"])
    result = ResultTable("l4x", "1", pa.table({"NewID": [1, 3], **columns}))
    write_geopackage(folder, "stem", parcels, CRS, result, PROVENANCE)
    return folder / "stem.gpkg"


def renderer(document: str) -> Element:
    root = fromstring(document)
    assert root.tag == "qgis"
    found = root.find("renderer-v2")
    assert found is not None
    return found


def colors(document: str) -> dict[str, tuple[str, str]]:
    """Legend text and colour by value, as a program reads them that follows the numbers of the symbols."""
    drawn = renderer(document)
    fills = {}
    for symbol in drawn.iterfind("symbols/symbol"):
        layer = symbol.find("layer")
        assert layer is not None
        assert (symbol.get("type"), layer.get("class")) == ("fill", "SimpleFill")
        old = {item.get("k"): item.get("v") for item in layer.iterfind("prop")}
        new = {item.get("name"): item.get("value") for item in layer.iterfind("Option/Option")}
        assert old == new
        fills[symbol.get("name")] = str(new["color"])
    return {
        str(item.get("value")): (str(item.get("label")), fills[item.get("symbol")])
        for item in drawn.iterfind("categories/category")
    }


@pytest.mark.parametrize(
    ("columns", "first", "others"),
    [
        (L4A, '"CT_pred_1_name"', {"Declaration", "Conformity"}),
        (L4B, 'min("mow_n", 4)', {"Decision", "Compliance"}),
        (L4C, '"C_INDEX"', {"Harvest week"}),
        ({"decision": ["no", "yes"]}, '"decision"', set()),
    ],
)
def test_each_product_is_shown_by_its_result_and_offers_the_other_views(
    tmp_path: Path, columns: Mapping[str, list[Any]], first: str, others: set[str]
) -> None:
    rows = stored(written(tmp_path, **columns))
    default, *more = rows
    assert default["useAsDefault"] == 1
    assert not any(row["useAsDefault"] for row in more)
    assert {row["styleName"] for row in more} == others
    for row in rows:
        # QGIS looks for exactly these, empty texts and no nulls
        keys = ("f_table_catalog", "f_table_schema", "f_table_name", "f_geometry_column")
        assert [row[key] for key in keys] == ["", "", "l4x", "geometry"]
        assert len(row["styleName"]) <= 30
        drawn = renderer(row["styleQML"])
        assert drawn.get("type") == "categorizedSymbol"
        assert "" in colors(row["styleQML"])  # parcels without a result have a colour too
    assert first in str(renderer(default["styleQML"]).get("attr"))


def test_a_file_with_styles_reads_as_before(tmp_path: Path) -> None:
    path = written(tmp_path, **L4B)
    layers = dict(pyogrio.list_layers(path))
    assert layers == {"l4x": "MultiPolygon", "columns": None, "about": None, "layer_styles": None}
    with pytest.warns(UserWarning, match="More than one layer"):
        frame = pyogrio.read_dataframe(path)  # what a program gets that names no layer
    assert frame["mow_n"].tolist() == [0, 7]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kinds = dict(database.execute("SELECT table_name, data_type FROM gpkg_contents"))
        assert kinds["layer_styles"] == "attributes"
        # GDAL tells columns by their declared types
        declared = {row[1]: row[2] for row in database.execute("PRAGMA table_info(layer_styles)")}
    assert (declared["useAsDefault"], declared["update_time"]) == ("BOOLEAN", "DATETIME")
    styles = pyogrio.read_dataframe(path, layer="layer_styles")
    assert set(styles["update_time"].dt.strftime("%Y-%m-%dT%H:%M")) == {"2026-11-21T08:30"}


def test_the_same_product_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (written(tmp_path / name, **L4A) for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_crops_take_the_hue_of_their_land_cover_and_no_two_are_alike(tmp_path: Path) -> None:
    names = [f"Crop {number:02d}" for number in range(30)] + ["Meadow", "Pasture"]
    frame = pa.table(
        {
            "NewID": pa.array(range(1, 33), pa.int32()),
            "ori_id": [str(number) for number in range(32)],
            "ori_crop": names,
            "CT": names,
            "LC": pa.array([1] * 30 + [3, 3], pa.int16()),
            "geometry": pa.concat_arrays([declarations()["geometry"].chunk(0).slice(0, 1)] * 32),
        }
    )
    export_parcels(ExportFrame(frame, PROVENANCE, crs=CRS), tmp_path, ExportOptions())
    style = next(row for row in stored(tmp_path / "parcels.gpkg") if row["styleName"] == "Declared crop")
    found = colors(style["styleQML"])
    assert set(found) == {*names, ""}
    rgb = {name: tuple(map(int, color.split(",")[:3])) for name, (_, color) in found.items()}
    assert len(set(rgb.values())) == len(rgb)
    for name in ("Meadow", "Pasture"):
        assert max(rgb[name]) == rgb[name][1]  # green
    assert style["useAsDefault"]


def test_names_of_crops_are_text_and_no_markup(tmp_path: Path) -> None:
    rows = stored(written(tmp_path, **L4A))
    found = colors(rows[0]["styleQML"])
    assert found["Maïs & Co <b>"][0] == "Maïs & Co <b>"


def test_an_export_is_a_traffic_light_and_the_wide_layout_has_one_a_product(tmp_path: Path) -> None:
    frame = ExportFrame(declarations(), PROVENANCE, crs=CRS, lut=lut(), attributes=attributes(), results=(l4a(),))
    export_parcels(frame, tmp_path, ExportOptions(name="long"))
    default = stored(tmp_path / "long.gpkg")[0]
    assert renderer(default["styleQML"]).get("attr") == '"decision"'
    legend = {value: label for value, (label, _) in colors(default["styleQML"]).items()}
    assert legend["no"] == "no: to be reviewed"
    other = replace(l4a(), name="l4b")
    wide = replace(frame, results=(l4a(), other))
    export_parcels(wide, tmp_path, ExportOptions(name="wide", layout=Layout.WIDE))
    rows = stored(tmp_path / "wide.gpkg")
    assert [row["styleName"] for row in rows[:2]] == ["Decision l4a", "Decision l4b"]
    assert renderer(rows[1]["styleQML"]).get("attr") == '"l4b_decision"'


def test_a_layer_with_nothing_to_colour_has_no_style(tmp_path: Path) -> None:
    frame = ExportFrame(declarations().select(["NewID", "ori_id", "geometry"]), PROVENANCE, crs=CRS)
    export_parcels(frame, tmp_path, ExportOptions())
    assert "layer_styles" not in pyogrio.list_layers(tmp_path / "parcels.gpkg")[:, 0]


def test_other_formats_have_no_styles(tmp_path: Path) -> None:
    frame = ExportFrame(declarations(), PROVENANCE, crs=CRS, results=(l4a(),))
    export_parcels(frame, tmp_path, ExportOptions(formats=(Format.FLATGEOBUF, Format.CSV)))
    assert not [path for path in tmp_path.iterdir() if "style" in path.name]


TEXTS = st.text(max_size=20)


def told(text: str) -> str:
    """What XML can say of a text: what it cannot hold at all stands as the sign for that."""
    return "".join(sign if sign in "\t\n\r" or (ord(sign) >= 32 and not unfit(sign)) else "\ufffd" for sign in text)


def unfit(sign: str) -> bool:
    return 0xD800 <= ord(sign) <= 0xDFFF or sign in "\ufffe\uffff"


@given(st.lists(st.tuples(st.one_of(TEXTS, st.integers(-9, 9)), TEXTS), max_size=5), TEXTS)
def test_any_text_comes_back_out_of_a_style(rows: list[tuple[str | int, str]], column: str) -> None:
    some = tuple(Category(value, label, "#0A0B0C") for value, label in rows)
    drawn = renderer(qml(Style("n", "d", column, some)))
    assert drawn.get("attr") == told(column)
    found = [(item.get("value"), item.get("label")) for item in drawn.iterfind("categories/category")]
    assert found[:-WITHOUT] == [(told(str(value)), told(label)) for value, label in rows]


def test_traffic_lights_differ_for_the_colour_blind(tmp_path: Path) -> None:
    """Seen without red and green alike (deuteranopia, Viénot 1999), no two of green, yellow, red and grey are close."""
    rows = stored(written(tmp_path, decision=["no", "yes"]))
    found = colors(rows[0]["styleQML"])
    seen = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    lights = []
    for value in ("yes", "inconclusive", "no", "not_monitorable"):
        linear = (np.array([int(part) for part in found[value][1].split(",")[:3]]) / 255) ** 2.2
        lights.append(seen @ linear)
    apart = [np.linalg.norm(first - second) for at, first in enumerate(lights) for second in lights[at + 1 :]]
    assert min(apart) > 0.15
