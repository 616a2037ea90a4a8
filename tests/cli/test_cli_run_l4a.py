"""``s4c run l4a`` and ``s4c run diversification``: crop types from files, as a user calls them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from s4c_lib.cli.main import app
from s4c_lib.statistics.parcel_statistics import ParcelStatistics
from s4c_lib.statistics.store import Source, write_statistics
from tests.cli.conftest import Answer

Hand = Callable[..., Answer]

LUT = """Ori_crop;CTnum;CT;LC;CTnumL4A;CTL4A;CTnumDIV;CTDIV;EAA;AL;PGrass;TGrass;Fallow;Cwater
G;1;Grass;3;10;Grassland;1;Grass;1;0;1;0;0;0
W;2;Wheat;1;20;Wheat;2;Wheat;1;1;0;0;0;0
M;3;Maize;1;30;Maize;3;Maize;1;1;0;0;0;0
"""
CROPS = ("G", "W", "M")
EACH = 15
FEW = (
    "--set", "processor.s4c_l4a.pa-min=5", "--set", "processor.s4c_l4a.smote-target=0",
    "--set", "processor.s4c_l4a.num-trees=12", "--set", "processor.s4c_l4a.min-node-size=2",
)  # fmt: skip


@pytest.fixture
def by_hand() -> Hand:
    def run(*arguments: object, code: int = 0) -> Answer:
        given = {"S4C_DATABASE_URL": None}
        result = CliRunner().invoke(app, ["run", *(str(item) for item in arguments)], env=given, prog_name="s4c")
        answer = Answer(result.exit_code, result.stdout, result.stderr)
        assert answer.code == code, answer
        lines = [
            line for line in answer.err.splitlines() if line.startswith("s4c: ") and not line.startswith("s4c: warning")
        ]
        assert len(lines) == (1 if code else 0), answer.err
        return answer

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-five parcels of three crops seen on four dates; parcel 31 is declared maize and grows grass."""
    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(5)
    observations = ["parcel_id,time,variable,mean,std"]
    parcels = ["parcel_id,crop,holding,Area_meters,S2Pix,S1Pix"]
    for number in range(1, 3 * EACH + 1):
        code = CROPS[(number - 1) // EACH]
        parcels.append(f"{number},{code},H{number % 3},{20_000 + number},60,15")
        level = (0.8, 0.5, 0.2)[CROPS.index(code)] if number != 31 else 0.8
        for step in range(4):
            day = date(2026, 4, 1) + timedelta(days=20 * step)
            for variable, factor in (("ndvi", 1.0), ("b08", 0.4)):
                observations.append(f"{number},{day},{variable},{level * factor + rng.normal(0, 0.02):.4f},0.01")
    parcels.append("99,Z,H0,30000,60,15")
    (folder / "observations.csv").write_text("\n".join(observations))
    (folder / "parcels.csv").write_text("\n".join(parcels))
    (folder / "lut.csv").write_text(LUT)
    return folder


def options(files: Path, **changed: object) -> list[object]:
    given = {"observations": files / "observations.csv", "parcels": files / "parcels.csv", "lut": files / "lut.csv"}
    return [part for name, value in (given | changed).items() for part in (f"--{name}", value)]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_report_and_diversification(by_hand: Hand, files: Path, tmp_path: Path) -> None:
    more = ["--set", "processor.s4c_l4a.diversification_enabled=true", "--json"]
    answer = by_hand("l4a", *options(files, out=tmp_path / "o"), *FEW, *more)
    told = json.loads(answer.out)
    assert (told["classified"], told["classes"], told["status"]) == (45, 3, {"classified": 45, "no_lut": 1})
    assert (told["first_day"], told["last_day"], told["missing_sensor"]) == ("2026-04-01", "2026-05-31", "s1")
    assert 0.8 < told["overall_accuracy"] <= 1
    assert "parcels have a crop that the crop table lacks (Z)" in answer.err
    rows = {row["parcel_id"]: row for row in rows_of(tmp_path / "o" / "predictions.csv")}
    assert list(rows["1"])[:9] == [
        "parcel_id", "status", "purpose", "ct_decl", "ct_pred_1", "ct_conf_1", "ct_pred_2", "ct_conf_2", "verdict",
    ]  # fmt: skip
    assert [rows["31"][name] for name in ("ct_decl", "ct_pred_1")] == ["30", "10"]
    assert rows["31"]["verdict"] != "confirmed"
    assert (rows["99"]["status"], rows["99"]["ct_decl"], rows["99"]["ct_pred_1"]) == ("no_lut", "", "")
    page = (tmp_path / "o" / "report.html").read_text()
    assert "CropDiversification_holding.csv gives" in page
    assert (tmp_path / "o" / "CropDiversification_holding.csv").exists()
    holdings = rows_of(tmp_path / "o" / "CropDiversification_holding.csv")
    assert [row["HoldID"] for row in holdings] == ["H0", "H1", "H2"]
    assert not [path.name for path in (tmp_path / "o").iterdir() if path.name.startswith(".")]

    again = by_hand(
        "diversification", tmp_path / "o" / "CropType.csv", "--lut", tmp_path / "o" / "CropType_LUT.csv",
        "--out", tmp_path / "d", "--json", "--set", "processor.s4c_l4a.min-s1-pix=0",
    )  # fmt: skip
    assert again.json["holdings"] == 3
    apart = [row for row in rows_of(tmp_path / "d" / "CropDiversification_holding.csv") if row["HoldID"] != "H0"]
    assert apart == [row for row in holdings if row["HoldID"] != "H0"], "H0 has the parcel whose code is not listed"

    without = by_hand("l4a", *options(files, out=tmp_path / "o"), *FEW, "--json")
    assert "holdings" not in json.loads(without.out)
    assert not (tmp_path / "o" / "CropDiversification.csv").exists(), "what an earlier run left does not stay"


def test_folds_predict_everyone_out_of_sample(by_hand: Hand, files: Path, tmp_path: Path) -> None:
    by_hand("l4a", *options(files, out=tmp_path), "--folds", 3, "--set", "processor.s4c_l4a.num-trees=8")
    rows = rows_of(tmp_path / "predictions.csv")
    assert {row["purpose"] for row in rows if row["status"] == "classified"} == {"2"}
    assert next(row for row in rows if row["parcel_id"] == "31")["ct_pred_1"] == "10"
    assert not (tmp_path / "model.joblib").exists(), "there is no one forest"


def test_what_cannot_be_done_is_told_in_a_line(by_hand: Hand, files: Path, tmp_path: Path) -> None:
    def refused(code: int, says: str, *more: object, **changed: object) -> None:
        assert says in by_hand("l4a", *options(files, out=tmp_path / "x", **changed), *FEW, *more, code=code).err

    other_codes, no_crop = tmp_path / "codes.csv", tmp_path / "no_crop.csv"
    other_codes.write_text(LUT.replace("\nG;", "\n501;").replace("\nW;", "\n502;").replace("\nM;", "\n503;"))
    refused(1, "has none of the declared crops (G, M, W, Z)", lut=other_codes)
    no_crop.write_text((files / "parcels.csv").read_text().replace("crop", "culture"))
    refused(2, "no parcel has a crop", parcels=no_crop)
    one_crop = tmp_path / "one.csv"
    one_crop.write_text((files / "parcels.csv").read_text().replace(",W,", ",G,").replace(",M,", ",G,"))
    refused(1, "All parcels that can be classified are of class 10", parcels=one_crop)
    refused(1, "No parcel can be classified", "--set", "processor.s4c_l4a.pa-min=100")
    refused(2, "there is no file of observations", observations=tmp_path / "none.csv")
    refused(2, "Missing column(s): Ori_crop", lut=files / "parcels.csv")
    refused(2, "has no column parcel_id", parcels=files / "lut.csv")
    refused(2, "the last day comes first", "--start", "2026-06-01", "--end", "2026-05-01")
    refused(3, "There is no observation from 2027-01-01", "--start", "2027-01-01", "--end", "2027-12-31")
    refused(3, "there is no observation of Sentinel-1", "--set", "processor.s4c_l4a.mode=s1-only")
    no_holdings = tmp_path / "p.csv"
    no_holdings.write_text((files / "parcels.csv").read_text().replace("holding", "other"))
    refused(2, "needs holdings", "--set", "processor.s4c_l4a.diversification_enabled=1", parcels=no_holdings)
    assert not (tmp_path / "x" / "predictions.csv").exists()


def test_pixels_that_nobody_counted_and_crops_that_nobody_declared(by_hand: Hand, files: Path, tmp_path: Path) -> None:
    plain = [line.split(",")[:2] for line in (files / "parcels.csv").read_text().splitlines()]
    plain[4][1] = ""
    (tmp_path / "p.csv").write_text("\n".join(",".join(cells) for cells in plain))
    answer = by_hand("l4a", *options(files, parcels=tmp_path / "p.csv", out=tmp_path / "o"), *FEW)
    assert "1 parcels have a crop that the crop table lacks (Z)" in answer.err
    assert "1 parcels have no crop" in answer.err
    assert "keep_water_for_cwater" not in answer.err
    for name in ("Parcels_classified_with_predictions.csv", "Parcels_all_with_predictions.csv"):
        assert {(row["S2Pix"], row["S1Pix"]) for row in rows_of(tmp_path / "o" / name)} == {("", "")}


def test_a_parameter_without_effect_is_told(by_hand: Hand, files: Path, tmp_path: Path) -> None:
    answer = by_hand(
        "l4a", *options(files, out=tmp_path), "--folds", 3, "--set", "processor.s4c_l4a.num-trees=4",
        "--set", "processor.s4c_l4a.keep_water_for_cwater=true",
        "--set", "processor.s4c_l4a.start_season_offset=3",
    )  # fmt: skip
    assert "keep_water_for_cwater has no effect: statistics" in answer.err
    assert "start_season_offset has no effect by hand: give --start" in answer.err
    assert "export_shapefile" not in answer.err
    assert "keep_water_for_cwater has no effect" in (tmp_path / "report.html").read_text()


def test_accuracy_before_calibration_is_told_apart(by_hand: Hand, files: Path, tmp_path: Path) -> None:
    pages: dict[str, str] = {}

    def run(name: str, *more: object) -> dict[str, Any]:
        pages[name] = by_hand(
            "l4a", *options(files, out=tmp_path / name), "--folds", 3, "--set", "processor.s4c_l4a.num-trees=8", *more
        ).out
        found: dict[str, Any] = json.loads((tmp_path / name / "metrics.json").read_text())
        return found

    calibrated = run("calibrated")
    figures = dict(line.split()[-2:] for line in pages["calibrated"].splitlines() if "accuracy" in line)
    assert figures["accuracy"] == f"{calibrated['validation']['overall_accuracy']:.3f}"
    plain = run("plain", "--set", "processor.s4c_l4a.calibrated_predictions=false")
    assert plain["validation"] == plain["validation_uncalibrated"] == calibrated["validation_uncalibrated"]
    assert calibrated["validation"] != calibrated["validation_uncalibrated"], "confidences are others"


def test_ac_24_rows_in_another_order_give_the_same_bytes(by_hand: Hand, files: Path, tmp_path: Path) -> None:
    synthetic = (
        "--set", "processor.s4c_l4a.smote-target=15", "--set", "processor.s4c_l4a.diversification_enabled=true",
    )  # fmt: skip
    found = []
    for place, step in ((tmp_path / "one", 1), (tmp_path / "other", -1)):
        place.mkdir()
        for name in ("observations.csv", "parcels.csv"):
            header, *rows = (files / name).read_text().splitlines()
            (place / name).write_text("\n".join([header, *rows[::step]]))
        (place / "lut.csv").write_text(LUT)
        by_hand("l4a", *options(place, out=place / "out"), *FEW, *synthetic)
        found.append({path.name: path.read_bytes() for path in (place / "out").iterdir()})
    one, other = found
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    assert {"predictions.csv", "report.html", "model.joblib", "features.parquet", "metrics.json"} <= one.keys()


COLUMNS = "NewID,HoldID,GeomValid,Duplic,Overlap,Area_meters,S2Pix,S1Pix,LC,CTnumDIV,CT_decl,"
CROP_TYPE = f"""{COLUMNS}CT_pred_1,CT_conf_1,CT_pred_2,CT_conf_2
1,7,1,0,0,160000,90,20,1,2,20,20,0.9,30,0.1
2,7,TRUE,FALSE,FALSE,40000,90,20,1,3,30,30,0.8,20,0.2
3,8,1,0,0,200000,90,20,1,2,NA,NA,NA,NA,NA
"""


def test_sen4caps_own_table_is_read(by_hand: Hand, files: Path, tmp_path: Path) -> None:
    table = tmp_path / "CropType.csv"
    table.write_text(CROP_TYPE)
    organic = tmp_path / "organic.csv"
    organic.write_text("HoldID\n8\n12\n")
    answer = by_hand(
        "diversification", table, "--lut", files / "lut.csv", "--out", tmp_path, "--organic", organic, "--json"
    )
    assert (answer.json["not_compliant"], answer.json["not_required"]) == (1, 1)
    assert "1 holdings of" in answer.err
    rows = rows_of(tmp_path / "CropDiversification_holding.csv")
    assert [(row["HoldID"], row["CD_cat"]) for row in rows] == [("7", "Category1"), ("8", "Exemption_organic")]
    assert rows_of(tmp_path / "CropDiversification.csv")[2]["Classif_r"] == "Not_classified_undefined"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("Area_meters", "Area", "Missing column(s): Area_meters"),
        ("160000", "much", "column Area_meters cannot be read"),
        ("160000", "", "parcel 1 (line 2) has no Area_meters"),
        ("2,7,TRUE", "2,7,maybe", "GeomValid of line 3 is maybe"),
        ("3,8,1", "2,8,1", "NewID 2 comes twice"),
        ("HoldID", "Holding", "Missing column(s): HoldID"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(
    by_hand: Hand, files: Path, tmp_path: Path, before: str, after: str, says: str
) -> None:
    table = tmp_path / "CropType.csv"
    table.write_text(CROP_TYPE.replace(before, after, 1))
    answer = by_hand("diversification", table, "--lut", files / "lut.csv", "--out", tmp_path / "d", code=2)
    assert says in answer.err
    assert not (tmp_path / "d").exists()


def test_a_table_without_holdings_is_refused(by_hand: Hand, files: Path, tmp_path: Path) -> None:
    table = tmp_path / "CropType.csv"
    table.write_text(CROP_TYPE.replace(",7,", ",,").replace(",8,", ",NA,"))
    answer = by_hand("diversification", table, "--lut", files / "lut.csv", "--out", tmp_path / "d", code=2)
    assert "no parcel has a HoldID" in answer.err


def test_files_of_the_statistics_store_are_read_as_they_are(by_hand: Hand, files: Path, tmp_path: Path) -> None:
    """What `s4c run statistics` writes, a file for each image and variable."""
    numbers = np.arange(1, 3 * EACH + 1)
    levels = np.repeat([0.8, 0.5, 0.2], EACH).astype(np.float32)
    many = np.full(len(numbers), 100, np.int32)
    none = np.zeros_like(many)
    for step in range(3):
        moment = datetime(2026, 4, 5, 10, 30, tzinfo=UTC) + timedelta(days=15 * step)
        mean = levels + np.random.default_rng(step).normal(0, 0.02, len(levels)).astype(np.float32)
        source = Source(
            "ndvi", "l3b", "1", moment, None, "sentinel-2a", "31UFS", None, None, step + 1, "test", 1, 5.0, 10.0, "0"
        )
        statistics = ParcelStatistics(numbers, many, none, many, mean, mean * np.float32(0.1), mean, mean)
        write_statistics(tmp_path / "store", "alpha", "2026", source, statistics)
    places = {path.parent for path in (tmp_path / "store").rglob("*.parquet")}
    given = [part for path in sorted(places) for part in ("--observations", path)]
    rest = options(files, out=tmp_path / "o")[2:]
    told = json.loads(by_hand("l4a", *given, *rest, *FEW, "--json").out)
    assert (told["first_day"], told["last_day"], told["classified"]) == ("2026-04-05", "2026-05-05", 45)
    assert told["features"] == 8, "mean and deviation at four dates, ten days apart"


def test_flags_that_cannot_be_told_are_refused(by_hand: Hand, tmp_path: Path) -> None:
    """D-24: codes of one diversification group that differ in a flag need the declared code."""
    table, lut = tmp_path / "CropType.csv", tmp_path / "lut.csv"
    table.write_text(CROP_TYPE)
    lut.write_text(LUT + "V;4;Fallow wheat;1;20;Wheat;2;Wheat;1;1;0;0;1;0\n")
    answer = by_hand("diversification", table, "--lut", lut, "--out", tmp_path / "d", code=2)
    assert "the crop codes of CTnumDIV 2 differ in fallow" in answer.err
    rows = CROP_TYPE.splitlines()
    coded = [f"{line},{code}" for line, code in zip(rows, ("Ori_crop", "W", "M", "V"), strict=True)]
    table.write_text("\n".join(coded))
    assert by_hand("diversification", table, "--lut", lut, "--out", tmp_path / "d", "--json").json["holdings"] == 2
