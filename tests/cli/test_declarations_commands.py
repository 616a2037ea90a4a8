"""`s4c declarations`: from a file into force and out again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyogrio
import pytest

from s4c_lib.synthetic.landscape.country import make_landscape
from s4c_lib.synthetic.landscape.declarations import write_declarations
from s4c_lib.synthetic.window import window_of

Run = Callable[..., "object"]
COLUMNS = ("--parcel-id", "FUNCTIONEE", "--crop", "GRONDBEDEK", "--holding", "FakeBRSnr")
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "declarations"


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("delivered")
    write_declarations(make_landscape(window_of(["31UFS", "31UFT"], 3000).grid, 150, 5), folder, 5)
    return folder


@pytest.fixture
def site(s4c: Run, tmp_path: Path) -> str:
    window = window_of(["31UFS", "31UFT"], 6000)
    west, south = window.longitude - 0.1, window.latitude - 0.07
    ring = [[west, south], [west + 0.2, south], [west + 0.2, south + 0.14], [west, south + 0.14], [west, south]]
    extent = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    (tmp_path / "site.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [extent]}))
    s4c("site", "add", "Kempen", tmp_path / "site.geojson")
    s4c("config", "set", "storage.products_path", tmp_path / "products")
    return "kempen"


def test_check_needs_no_database(s4c: Run, delivered: Path) -> None:
    answer = s4c("declarations", "check", delivered / "declarations.zip", *COLUMNS, "--json", S4C_DATABASE_URL=None)

    report = json.loads(answer.out)
    assert report["rows"] == report["accepted"] + report["set_aside"] > 150
    assert {"code", "severity", "count", "message", "rows"} <= set(report["findings"][0])
    assert report["crs"] == "EPSG:32631"
    assert report["encoding"] == "cp1252"
    assert len(report["bounds"]) == 4


def test_a_known_layout_needs_no_columns(s4c: Run, delivered: Path) -> None:
    answer = s4c("declarations", "check", delivered / "declarations.gpkg")
    assert "Netherlands" in answer.err
    assert "can be imported" in answer.out


def test_check_compares_crop_codes(s4c: Run, delivered: Path) -> None:
    answer = s4c(
        "declarations", "check", delivered / "declarations.gpkg", "--lut", delivered / "crop_lut.csv", "--json"
    )
    assert "DECL-40" in {item["code"] for item in json.loads(answer.out)["findings"]}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--parcel-id", "NUMBER", "--crop", "GRONDBEDEK"), "NUMBER"),
        (("--parcel-id", "FUNCTIONEE"), "go together"),
        ((*COLUMNS, "--profile", "best"), "no profile"),
    ],
)
def test_wrong_options_are_said(s4c: Run, delivered: Path, arguments: tuple[str, ...], text: str) -> None:
    answer = s4c("declarations", "check", delivered / "declarations.gpkg", *arguments, code=2)
    assert text in answer.out + answer.err


def test_a_file_that_does_not_exist(s4c: Run, tmp_path: Path) -> None:
    answer = s4c("declarations", "check", tmp_path / "none.zip", code=2)
    assert "does not exist" in answer.err


def test_import_list_show_and_export(s4c: Run, delivered: Path, site: str, tmp_path: Path) -> None:
    file = delivered / "declarations.gpkg"
    dry = json.loads(s4c("declarations", "import", site, file, "--year", "2021", *COLUMNS, "--dry-run", "--json").out)
    assert dry["version"] is None
    made = json.loads(s4c("declarations", "import", site, file, "--year", "2021", *COLUMNS, "--json").out)
    assert made["version"] == 1
    assert made["changes"]["new"] == made["accepted"] == dry["accepted"]
    assert "<svg" in Path(made["report_page"]).read_text()
    again = s4c("declarations", "import", site, file, "--year", "2021", *COLUMNS)
    assert "nothing has changed" in again.err

    listed = json.loads(s4c("declarations", "list", site, "--json").out)
    assert [(row["version"], row["state"], row["parcels"]) for row in listed] == [(1, "active", made["accepted"])]
    shown = json.loads(s4c("declarations", "show", site, "--year", "2021", "--json").out)
    assert shown["rows"] == made["rows"]

    # The second delivery: the columns of the last import are taken.
    second = json.loads(
        s4c("declarations", "import", site, delivered / "declarations_v2.gpkg", "--year", "2021", "--json").out
    )
    assert second["version"] == 2
    assert second["changes"]["deleted"] > 0

    formats = ("--format", "gpkg", "--format", "csv", "--attributes", "--json")
    answer = s4c("declarations", "export", site, "--year", "2021", "--out", tmp_path / "out", *formats)
    files = json.loads(answer.out)["files"]
    frame = pyogrio.read_dataframe(next(name for name in files if name.endswith(".gpkg")), layer="parcels")
    assert len(frame) == second["accepted"]
    assert {"NewID", "ori_id", "ori_crop", "S2Pix", "PLAATS"} <= set(frame.columns)


def test_nothing_in_force_is_said(s4c: Run, site: str) -> None:
    answer = s4c("declarations", "show", site, "--year", "1999", code=2)
    assert "has no declarations of 1999" in answer.err


@pytest.mark.skipif(not REAL.is_dir(), reason="the real declarations of the project's shared data are not here")
@pytest.mark.parametrize(
    "name", ["be_vlg_2023.gpkg.zip", "de_bb.zip", "dk_2026.zip", "lt_2024.zip", "nl_2023.gpkg", "ro.zip"]
)
def test_real_deliveries_are_read_by_their_layout(s4c: Run, name: str) -> None:
    report = json.loads(s4c("declarations", "check", REAL / name, "--json").out)

    assert not report["refused"]
    assert report["rows"] == report["accepted"] + report["set_aside"] == 100
