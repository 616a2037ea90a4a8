"""What an agency uploads for a synthetic country, read back with the readers of the world outside."""

from __future__ import annotations

import configparser
import csv
import errno
import io
import json
import zipfile
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely

from s4c_lib.errors import DiskFullError, InputError, StorageError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.crops import CROPS, CatchCrop, LandCover, Practice
from s4c_lib.synthetic.landscape.assignment import draw_traits
from s4c_lib.synthetic.landscape.country import make_landscape
from s4c_lib.synthetic.landscape.declarations import (
    DeclarationSummary,
    grid_for,
    overlap_amounts,
    write_declarations,
    write_parcels_only,
)
from s4c_lib.synthetic.landscape.model import Landscape
from s4c_lib.synthetic.landscape.practices import COLUMNS, practice_tables

WINDOW = PixelGrid(32631, 652320, 5697660, 10, 510, 510)
FAULTS = {
    "exact_duplicate", "rotated_duplicate", "reversed_duplicate", "shifted_overlap", "inside_large", "sliver",
    "bow_tie", "touching_ring", "spike", "hole_outside", "hole_on_shell",
    "null", "empty", "point", "line", "with_height",
    "repeated_id_2", "repeated_id_3", "null_id", "null_holding", "null_crop",
    "id_spaces", "id_accents", "id_leading_zeros", "outside_tiles", "giant", "tiny", "unknown_code",
}  # fmt: skip


@pytest.fixture(scope="module")
def landscape() -> Landscape:
    return make_landscape(WINDOW, 600, 1)


@pytest.fixture(scope="module")
def folder(landscape: Landscape, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("declarations")
    write_declarations(landscape, folder, 1)
    return folder


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "declarations_truth.json").read_text())
    return content


@pytest.fixture(scope="module")
def package(folder: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    meta, _, geometry, columns = pyogrio.raw.read(folder / "declarations.gpkg")
    return shapely.from_wkb(geometry), dict(zip(meta["fields"], columns, strict=True))


def rows_of(truth: dict[str, Any], kind: str) -> list[int]:
    return [fault["row"]["geopackage"] - 1 for fault in truth["faults"] if fault["fault"] == kind]


def test_every_fault_is_there_and_counted(landscape: Landscape, truth: dict[str, Any], tmp_path: Path) -> None:
    summary = write_declarations(landscape, tmp_path, 1)
    assert isinstance(summary, DeclarationSummary)
    assert set(summary.faults) == FAULTS == set(truth["counts"]["faults"])
    assert summary.rows == 600 + sum(summary.faults.values()) == truth["counts"]["rows"]["geopackage"]
    assert all(path.is_file() for path in summary.files)
    assert summary.files[-1].name == "declarations_truth.json"
    assert truth["counts"]["wrong_declarations"] == 12
    refused = sum(summary.faults[kind] for kind in ("null_id", "point", "line"))
    assert refused < 0.01 * summary.rows  # else the file is refused as a whole


def test_true_parcels_are_delivered_as_they_are(landscape: Landscape, package: Any) -> None:
    shapes, columns = package
    where = {name: row for row, name in enumerate(columns["FUNCTIONEE"])}
    assert len(set(landscape.ori_id) & set(where)) == 600
    rows = np.array([where[name] for name in landscape.ori_id])
    assert shapely.equals_exact(shapes[rows], landscape.shapes, 0).all()
    assert [f"{code:.0f}" for code in columns["GRONDBEDEK"][rows]] == [
        CROPS[number].code for number in landscape.traits.declared
    ]
    assert tuple(columns["FakeBRSnr"][rows]) == landscape.holding
    assert Counter(columns["FUNCTIONEE"][rows]).most_common(1)[0][1] == 1


def test_invalid_geometries_are_what_they_claim(truth: dict[str, Any], package: Any) -> None:
    shapes, _ = package
    reasons = {
        "bow_tie": "Self-intersection",
        "touching_ring": "Ring Self-intersection",
        "spike": "Self-intersection",
        "hole_outside": "Hole lies outside shell",
        "hole_on_shell": "Self-intersection",
    }
    for kind, reason in reasons.items():
        for row in rows_of(truth, kind):
            assert shapely.is_valid_reason(shapes[row]).startswith(reason), kind
            # Repair as the import does it: within 5 % of the ring area, or refused.
            polygon = shapes[row]
            shell = shapely.Polygon(polygon.exterior).area if kind != "bow_tie" else 0.0
            ring_area = abs(shell) - sum(shapely.Polygon(ring).area for ring in polygon.interiors)
            repaired = shapely.make_valid(polygon, method="structure", keep_collapsed=False).area
            repairable = abs(repaired - ring_area) <= 0.05 * ring_area
            assert repairable == (kind in ("touching_ring", "spike", "hole_on_shell")), kind
    types = {"point": "Point", "line": "LineString"}
    assert all(shapes[row].geom_type == name for kind, name in types.items() for row in rows_of(truth, kind))
    assert all(shapes[row] is None for row in rows_of(truth, "null"))
    assert all(shapes[row].is_empty for row in rows_of(truth, "empty"))
    assert all(shapes[row].has_z for row in rows_of(truth, "with_height"))
    listed = {row for kind in reasons for row in rows_of(truth, kind)}
    assert listed == set(np.flatnonzero(~shapely.is_valid(shapes) & ~shapely.is_missing(shapes)))


def test_overlaps_and_duplicates_are_what_they_claim(truth: dict[str, Any], package: Any) -> None:
    shapes, columns = package
    where = {name: row for row, name in enumerate(columns["FUNCTIONEE"])}
    amounts = overlap_amounts(shapes)
    originals = {fault["row"]["geopackage"] - 1: fault["of"] for fault in truth["faults"] if fault["of"]}
    for kind in ("exact_duplicate", "rotated_duplicate", "reversed_duplicate"):
        for row in rows_of(truth, kind):
            original = shapes[where[originals[row]]]
            assert shapely.equals(shapes[row], original)
            assert shapely.equals_exact(shapes[row], original) == (kind == "exact_duplicate")
            assert shapely.equals_exact(shapely.normalize(shapes[row]), shapely.normalize(original))
            assert amounts[row] >= 0.999
            assert amounts[where[originals[row]]] >= 0.999
    for row in rows_of(truth, "inside_large"):
        original = shapes[where[originals[row]]]
        assert original.contains(shapes[row])
        assert amounts[row] == pytest.approx(1)
        assert 0 < amounts[where[originals[row]]] < 0.1
    assert all(amounts[row] > 0.1 for row in rows_of(truth, "shifted_overlap"))
    assert all(0 < amounts[row] < 0.02 for row in rows_of(truth, "sliver"))
    expected = {fault["row"]["geopackage"] - 1: fault["Overlap"] for fault in truth["faults"]}
    expected |= {where[parcel["id"]]: parcel["Overlap"] for parcel in truth["parcels_touched"]}
    assert {row for row, flag in expected.items() if flag} == set(np.flatnonzero(amounts > 0.1))
    # Almost all true parcels are free of overlaps.
    assert len(truth["parcels_touched"]) < 30


def test_overlap_is_a_share_of_the_own_area() -> None:
    """Case P1 to P4 of the golden set, section 10.1."""
    x, y = 650003, 5750003
    squares = shapely.box(
        np.array([x, x + 85, x, x + 10]), np.array([y, y, y + 200, y + 210]),
        np.array([x + 100, x + 185, x + 200, x + 60]), np.array([y + 100, y + 100, y + 400, y + 260]),
    )  # fmt: skip
    np.testing.assert_allclose(overlap_amounts(squares), [0.15, 0.15, 0.0625, 1.0])


def test_identifiers_and_places_are_wrong_as_told(truth: dict[str, Any], package: Any) -> None:
    shapes, columns = package
    ids, codes = columns["FUNCTIONEE"], columns["GRONDBEDEK"]
    for members in (2, 3):
        rows = rows_of(truth, f"repeated_id_{members}")
        assert Counter(ids[rows]).most_common(1)[0][1] == members
        suffixes = {f["row"]["geopackage"]: f["suffix"] for f in truth["faults"] if f["fault"].endswith(str(members))}
        assert [suffix for _, suffix in sorted(suffixes.items())][:2] == ["-A", "-B"]
    assert all(ids[row] is None for row in rows_of(truth, "null_id"))
    assert all(columns["FakeBRSnr"][row] is None for row in rows_of(truth, "null_holding"))
    assert np.isnan(codes[rows_of(truth, "null_crop")]).all()
    assert all("  " in ids[row] and ids[row][0] == " " for row in rows_of(truth, "id_spaces"))
    assert all("ë" in ids[row] for row in rows_of(truth, "id_accents"))
    assert all(ids[row].startswith("00") for row in rows_of(truth, "id_leading_zeros"))
    known = {float(crop.code) for crop in CROPS}
    unknown = {row for row, code in enumerate(codes) if not np.isnan(code) and code not in known}
    assert unknown == set(rows_of(truth, "unknown_code"))
    east = WINDOW.bounds[2]
    far = rows_of(truth, "outside_tiles")
    assert len(far) == 10
    assert (shapely.bounds(shapes[far])[:, 0] > east + 110_000).all()
    assert shapes[rows_of(truth, "giant")[0]].area == 12e6
    assert (shapely.area(shapes[rows_of(truth, "tiny")]) < 100).all()


@pytest.mark.parametrize("code_page", [True, False])
def test_the_shapefile_is_read_with_its_accents(folder: Path, truth: dict[str, Any], code_page: bool) -> None:
    path = folder / ("declarations.zip" if code_page else "declarations_no_cpg.zip")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert ("percelen.cpg" in names) == code_page
        if code_page:
            assert archive.read("percelen.cpg") == b"CP1252"
        assert "Böhmer".encode("cp1252") in archive.read("percelen.dbf")
    with pytest.warns(RuntimeWarning):  # the driver's own complaint about the ring outside its shell
        meta, _, geometry, columns = pyogrio.raw.read(f"/vsizip/{path}", encoding=None if code_page else "cp1252")
    table = dict(zip(meta["fields"], columns, strict=True))
    assert len(geometry) == truth["counts"]["rows"]["shapefile"]
    assert any("Böhmer" in name for name in table["NAAM"])
    assert "Súdwest-Fryslân" in set(table["PLAATS"])
    assert all(len(name) <= 10 for name in meta["fields"])
    assert "265" in set(table["GRONDBEDEK"])
    for fault in truth["faults"]:
        row = fault["row"]["shapefile"]
        if row is not None and fault["fault"] != "id_spaces":
            assert table["FUNCTIONEE"][row - 1] == fault["id"]


def test_the_same_seed_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2031-05-05T00:00:00Z"})
    try:
        summary = write_declarations(make_landscape(WINDOW, 600, 1), tmp_path, 1)
        assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") == "2031-05-05T00:00:00Z"
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in summary.files)
    for path in summary.files:
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_without_faults_only_true_parcels_are_delivered(landscape: Landscape, tmp_path: Path) -> None:
    summary = write_declarations(landscape, tmp_path, 1, faults=False)
    assert summary.rows == 600
    assert summary.faults == {}
    truth = json.loads(summary.files[-1].read_text())
    assert truth["faults"] == truth["parcels_touched"] == []
    assert all(not table["wrong"] for table in truth["practices"].values())


def test_the_second_delivery_changes_what_it_says(landscape: Landscape, folder: Path, truth: dict[str, Any]) -> None:
    meta, _, geometry, columns = pyogrio.raw.read(folder / "declarations_v2.gpkg")
    table = dict(zip(meta["fields"], columns, strict=True))
    later = {name: row for row, name in enumerate(table["FUNCTIONEE"])}
    shapes = shapely.from_wkb(geometry)
    changes = truth["second_delivery"]
    earlier = set(landscape.ori_id)
    sizes = {name: len(ids) for name, ids in changes.items()}
    assert (sizes["deleted"], sizes["new"], sizes["attribute"]) == (18, 12, 12)
    assert sizes["minor"] + sizes["major"] == 6 + 3  # a tiny parcel moved by a metre is a major change
    assert sizes["major"] >= 3
    assert earlier - set(later) == set(changes["deleted"])
    assert set(later) - earlier == set(changes["new"])
    for position, name in enumerate(landscape.ori_id):
        if name not in later:
            continue
        before, after = landscape.shapes[position], shapes[later[name]]
        ratio = before.symmetric_difference(after).area / before.union(after).area
        kind = "minor" if 1e-6 < ratio < 0.05 else "major" if ratio >= 0.05 else None
        code = CROPS[landscape.traits.declared[position]].code
        kind = kind or ("attribute" if table["GRONDBEDEK"][later[name]] != code else None)
        assert [name in changes[each] for each in ("attribute", "minor", "major")] == [
            kind == each for each in ("attribute", "minor", "major")
        ]
    assert (shapely.is_valid(shapes) & ~shapely.is_empty(shapes)).all()


def test_the_lut_lists_every_crop_consistently(folder: Path) -> None:
    with (folder / "crop_lut.csv").open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert [row["Ori_crop"] for row in rows] == [crop.code for crop in CROPS]
    assert [int(row["CTnum"]) for row in rows] == list(range(1, len(CROPS) + 1))
    for number, name in (("CTnumL4A", "CTL4A"), ("CTnumDIV", "CTDIV")):
        pairs = {(row[number], row[name]) for row in rows}
        assert len({first for first, _ in pairs}) == len(pairs) == len({second for _, second in pairs})
    for row in rows:  # LUT-10
        flag = {name: row[name] == "1" for name in ("EAA", "AL", "PGrass", "TGrass", "Fallow", "Cwater", "Legum")}
        assert all(row[name] in "01" for name in flag)
        assert flag["EAA"]
        assert not (flag["PGrass"] and (flag["AL"] or flag["TGrass"]))
        assert flag["AL"] or not (flag["TGrass"] or flag["Fallow"])
        assert (row["LC"] == "3") == (flag["PGrass"] or flag["TGrass"])
        assert (row["LC"] == "4") == flag["Fallow"]
        assert row["CT_en"]


def test_the_configurations_can_be_read(folder: Path) -> None:
    mowing = configparser.ConfigParser()
    mowing.read(folder / "l4b.cfg")
    lists = [mowing["compliancy"][name] for name in ("crop_codes", "crop_rule")]
    codes, rules = ([item.strip() for item in text.split(",")] for text in lists)
    periods = mowing["compliancy"]["crop_time_intervals"].split("), ")
    assert codes == [crop.code for crop in CROPS if crop.grassland]
    assert len(codes) == len(rules) == len(periods) == 4
    filtered = [CROPS[int(number) - 1] for number in mowing["GENERAL_CONFIG"]["CTNUM_FILTER"].split(",")]
    assert all(crop.land_cover == LandCover.GRASSLAND for crop in filtered)
    practices = configparser.ConfigParser()
    practices.read(folder / "l4c.cfg")
    assert practices["DEFAULT_TIME_SERIES_ANALYSIS_PARAMS"]["OPTTHRVEGCYCLE"] == "350"
    for name in ("CC", "FL", "NFC", "NA"):
        section = practices[f"{name}_TIME_SERIES_ANALYSIS_PARAMS"]
        assert all(key.upper().startswith(f"{name}_") for key in section)
        default = practices["DEFAULT_TIME_SERIES_ANALYSIS_PARAMS"]
        assert all(key.upper().removeprefix(f"{name}_") in {each.upper() for each in default} for key in section)
    assert practices["CC_TIME_SERIES_ANALYSIS_PARAMS"]["CC_CATCHMAIN"] == "CatchCrop_3"
    assert practices["CC_TIME_SERIES_ANALYSIS_PARAMS"]["CC_CATCHPERIODSTART"] == "${YEAR}-07-15"


@pytest.mark.parametrize("name", ["NA", "CC", "FL", "NFC"])
def test_practice_rows_belong_to_parcels_and_make_sense(
    landscape: Landscape, folder: Path, truth: dict[str, Any], name: str
) -> None:
    text = (folder / f"practices_{name.lower()}.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert tuple(rows[0]) == COLUMNS
    wrong = {fault["row"]: fault["code"] for fault in truth["practices"][name]["wrong"]}
    assert "PRAC-07" in wrong.values()
    position = {parcel: row for row, parcel in enumerate(landscape.ori_id)}
    seen = set()
    for number, row in enumerate(rows, start=1):
        code = wrong.get(number)
        assert (row["FIELD_ID"] not in position) == (code == "PRAC-07")
        if code == "PRAC-07":
            continue
        parcel = position[row["FIELD_ID"]]
        seen.add(parcel)
        assert row["MAIN_CROP"] == CROPS[landscape.traits.declared[parcel]].code
        if code == "PRAC-02":
            with pytest.raises(ValueError):  # noqa: PT012  (any of the three is the damaged one)
                for column in ("VEG_START", "H_START", "H_END"):
                    date.fromisoformat(row[column])
            continue
        if code == "PRAC-04":
            assert row["H_END"] == "NA"
            continue
        days = [date.fromisoformat(row[column]) for column in ("VEG_START", "H_START", "H_END")]
        assert (days == sorted(days)) == (code is None)
        assert {day.year for day in days} == {2021}
        assert row["PRACTICE"] == {"NA": "NA", "CC": "CatchCrop", "FL": "Fallow", "NFC": "NFC"}[name]
        if name == "CC":
            assert (row["P_START"], row["P_END"]) == ("2021-10-15", "NA")
            assert row["P_TYPE"] in ("CatchCrop_1", "CatchCrop_2", "CatchCrop_3")
        elif name != "NA":
            assert date.fromisoformat(row["P_START"]) < date.fromisoformat(row["P_END"])
    practice = {"CC": Practice.CATCH_CROP, "FL": Practice.FALLOW, "NFC": Practice.NITROGEN_FIXING}
    if name == "NA":
        expected = [CROPS[number].land_cover == LandCover.ANNUAL for number in landscape.traits.declared]
    else:
        expected = list(landscape.traits.practice == practice[name])
    assert seen == set(np.flatnonzero(expected))


def test_the_variant_declared_does_not_betray_what_is_there() -> None:
    traits = draw_traits(20_000, 2)
    ids = [str(number) for number in traits.parcel_id]
    rows = practice_tables(traits, ids, 2021, 2, faults=False)["CC"].rows
    under = [row for row in rows if row[6] == "CatchCrop_3"]
    assert all(row[1] == "259" for row in under)
    there = traits.catch_crop[[int(row[0]) - 1 for row in under]]
    assert (there == CatchCrop.NONE).mean() == pytest.approx(0.12, abs=0.05)
    assert set(there) <= {CatchCrop.NONE, CatchCrop.UNDERSOWN}


@pytest.mark.parametrize("name", ["parcels.gpkg", "parcels.zip"])
def test_parcels_alone_are_written_in_numbers(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    grid = grid_for(12_000, 600_000, 5_800_020, 32631)
    summary = write_parcels_only(grid, 12_000, path, 3, faults=True)
    where = f"/vsizip/{path}" if name.endswith("zip") else path
    info = pyogrio.read_info(where)
    assert info["features"] == summary.rows > 12_000
    assert summary.faults["repeated_id_60"] == 60
    assert info["crs"] == "EPSG:32631"
    west, south, east, north = grid.bounds
    assert 15_000 < (east - west) * (north - south) * 0.66 / 12_000 < 21_000


def test_another_format_or_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    grid = grid_for(20, 600_000, 5_800_020, 32631)
    with pytest.raises(InputError, match=r"parcels\.kml"):
        write_parcels_only(grid, 20, tmp_path / "parcels.kml", 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        write_parcels_only(grid, 20, tmp_path / "file" / "parcels.gpkg", 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_write_that_fails_leaves_nothing_that_looks_whole(
    landscape: Landscape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_declarations(landscape, tmp_path, 1)

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pyogrio.raw, "write", full)
    with pytest.raises(DiskFullError, match=r"no space left while writing .*declarations\.gpkg"):
        write_declarations(landscape, tmp_path, 2)
    left = {path.name for path in tmp_path.iterdir()}
    assert "declarations_truth.json" not in left  # what there is belongs to no complete set
    assert not any(name.startswith(".part") for name in left)


def test_a_small_country_has_its_faults_as_well(tmp_path: Path) -> None:
    summary = write_declarations(make_landscape(PixelGrid(32631, 652320, 5697660, 10, 120, 120), 25, 4), tmp_path, 4)
    assert summary.rows > 25
    assert "null_id" not in summary.faults
