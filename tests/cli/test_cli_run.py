"""``s4c run``: processors on files, without database, as a user calls them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyogrio
import pytest
from derived_season import CLEAR_DAYS, L3B, products_in, season_files
from typer.testing import CliRunner

from s4c_lib.cli.main import app
from tests.cli.conftest import Answer
from tests.preprocessing.executor_cases import make_l1c, make_sen2cor_folders, sen2cor, starter

__all__ = ["season_files"]

Hand = Callable[..., Answer]


@pytest.fixture
def by_hand() -> Hand:
    """Run ``s4c run`` where no database is."""

    def run(*arguments: object, code: int = 0, **environment: str) -> Answer:
        given = {"S4C_DATABASE_URL": None, "S4C_MAJA_PROGRAM": None, "S4C_SEN2COR_PROGRAM": None, **environment}
        result = CliRunner().invoke(app, ["run", *(str(item) for item in arguments)], env=given, prog_name="s4c")
        answer = Answer(result.exit_code, result.stdout, result.stderr)
        assert answer.code == code, answer
        lines = [line for line in answer.err.splitlines() if line.startswith("s4c: ")]
        assert len(lines) == (1 if code else 0), answer.err
        return answer

    return run


@pytest.fixture(scope="module")
def safes(season_files: Path) -> list[Path]:
    return products_in(season_files / "archive", "_MSIL2A_", CLEAR_DAYS)


@pytest.fixture(scope="module")
def parcels(season_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten sound parcels, numbered."""
    path = tmp_path_factory.mktemp("parcels") / "parcels.gpkg"
    frame = pyogrio.read_dataframe(season_files / "truth" / "parcels.gpkg").head(10)
    frame["NewID"] = range(1, len(frame) + 1)
    pyogrio.write_dataframe(frame[["NewID", "geometry"]], path)
    return path


def truncated(product: Path, folder: Path) -> Path:
    broken = Path(shutil.copytree(product, folder / product.name))
    for file in broken.rglob("*_B04_10m.jp2"):
        file.write_bytes(file.read_bytes()[:300])
    return broken


# --- L2A -----------------------------------------------------------------------------------------------------------


def test_l2a_is_published_once(by_hand: Hand, safes: list[Path], tmp_path: Path) -> None:
    first = by_hand("l2a", safes[0], "--out", tmp_path, "--json").json
    assert [(row["product"], row["result"]) for row in first] == [(safes[0].name, "published")]
    folder = Path(first[0]["where"])
    assert (folder / f"{folder.name}_B02.tif").is_file()
    assert json.loads((folder / f"{folder.name}.json").read_text())["properties"]["s4c:layout"] == "l2a-1"
    again = by_hand("l2a", safes[0], "--out", tmp_path, "--json", code=3)
    assert [row["result"] for row in again.json] == ["there already"]
    assert "there already" in again.err
    more = by_hand("l2a", *safes, "--out", tmp_path, "--json").json
    assert [row["result"] for row in more] == ["there already", "published"]


def test_l2a_of_a_damaged_product_says_why_and_the_others_are_made(
    by_hand: Hand, safes: list[Path], tmp_path: Path
) -> None:
    broken = truncated(safes[0], tmp_path)
    out = tmp_path / "out"
    rows = by_hand("l2a", broken, safes[1], "--out", out, "--json", code=1).json
    assert [(row["result"], row["reason"]) for row in rows] == [("failed", "input_corrupt"), ("published", None)]
    assert [path.name for path in out.iterdir()] == [safes[1].name.removesuffix(".SAFE")]


def test_l2a_of_level_1_needs_a_program(by_hand: Hand, season_files: Path, tmp_path: Path) -> None:
    (level1,) = products_in(season_files / "archive", "_MSIL1C_")
    rows = by_hand("l2a", level1, "--out", tmp_path / "a", "--json", code=1).json
    assert rows[0]["reason"] == "config"
    assert "--executor" in rows[0]["where"]
    rows = by_hand("l2a", level1, "--out", tmp_path / "b", "--executor", "sen2cor", "--json", code=1).json
    assert rows[0]["reason"] == "no_executor"
    assert "S4C_SEN2COR_PROGRAM" in rows[0]["where"]


def test_l2a_of_level_1_is_made_by_the_program(by_hand: Hand, tmp_path: Path) -> None:
    level1 = make_l1c(tmp_path / "in")
    settings, elevation = make_sen2cor_folders(tmp_path)
    program = sen2cor(tmp_path)
    assert program.name == "sen2cor"
    environment = {"S4C_SEN2COR_PROGRAM": str(tmp_path / "bin" / "L2A_Process"), "S4C_SEN2COR_VERSION": "2.10.1"}
    given = ["--executor", "sen2cor", "--out", tmp_path / "out", "--json"]
    for key, value in {"processor.l2a.sen2cor.gipp-path": settings, "dem.path": elevation}.items():
        given += ["--set", f"{key}={value}"]
    rows = by_hand("l2a", level1, *given, **environment).json
    assert [row["result"] for row in rows] == ["published"], rows
    folder = Path(rows[0]["where"])
    assert "_MSIL2A_" in folder.name
    assert (folder / f"{folder.name}_B05.tif").is_file()
    assert list((tmp_path / "out").rglob("*.SAFE")) == []
    assert by_hand("l2a", level1, *given, code=3, **environment).json[0]["result"] == "there already"

    starter(
        tmp_path / "bin",
        "L2A_Process",
        "sen2cor/l2a_process_double.py",
        {
            "SEN2COR_DOUBLE": "shares=0,96,0,0,0,0",
            "SEN2COR_DOUBLE_VERSION": "2.10.1",
            "SEN2COR_DOUBLE_CALLS": str(tmp_path / "bin" / "calls.txt"),
        },
    )
    given[given.index("--out") + 1] = tmp_path / "cloudy"
    rows = by_hand("l2a", level1, *given, "--keep-work", **environment).json
    assert [(row["result"], row["reason"]) for row in rows] == [("rejected", "too_cloudy")]
    assert list((tmp_path / "cloudy" / "work").rglob("*.xml")), "the work folder was to be kept"


# --- L3B -----------------------------------------------------------------------------------------------------------


def test_l3b_and_statistics_of_files(by_hand: Hand, safes: list[Path], parcels: Path, tmp_path: Path) -> None:
    rows = by_hand("l3b", *safes, "--out", tmp_path / "l3b", "--json").json
    assert [row["result"] for row in rows] == ["active", "active"]
    folders = [Path(row["where"]) for row in rows]
    for folder in folders:
        assert {f"{folder.name}_{name}.tif" for name in ("NDVI", "LAI", "FLAGS")} <= {
            path.name for path in folder.iterdir()
        }
    answer = by_hand("statistics", *folders, "--parcels", parcels, "--out", tmp_path / "s", "--json")
    made = answer.json
    assert sorted({row["result"] for row in made}) == sorted(L3B)
    assert len(made) == 2 * len(L3B)
    table = pq.read_table(tmp_path / "s" / "observations.parquet")
    assert len(table) == sum(row["rows"] for row in made)
    assert set(table["parcel_id"].to_pylist()) <= set(range(1, 11))
    ndvi = table.filter(pc.equal(table["variable"], "ndvi"))
    assert pc.all(pc.and_(pc.greater(ndvi["mean"], -0.2), pc.less(ndvi["mean"], 1))).as_py()
    assert pc.all(pc.less_equal(table["n"], table["n_total"])).as_py()


def test_statistics_of_radar_and_of_bands(
    by_hand: Hand, season_files: Path, safes: list[Path], parcels: Path, tmp_path: Path
) -> None:
    radar = products_in(season_files / "archive", "_BCK_", [3])
    answer = by_hand("statistics", *radar, "--parcels", parcels, "--id", "newid", "--out", tmp_path / "s")
    assert "vv" in answer.out
    assert "vh" in answer.out
    table = pq.read_table(tmp_path / "s" / "observations.parquet")
    assert set(table["variable"].to_pylist()) == {"vv", "vh"}
    assert pc.all(pc.less(table["mean"], 0)).as_py()
    by_hand(
        "statistics", safes[0], "--parcels", parcels, "--out", tmp_path / "b", "--set",
        "processor.s4c_mdb1.l2ab08_enabled=true",
    )  # fmt: skip
    bands = pq.read_table(tmp_path / "b" / "observations.parquet")
    assert set(bands["variable"].to_pylist()) == {"b08"}


def test_one_bad_product_does_not_keep_the_others_from_being_done(
    by_hand: Hand, season_files: Path, safes: list[Path], parcels: Path, tmp_path: Path
) -> None:
    broken = truncated(safes[0], tmp_path)
    rows = by_hand("l3b", broken, safes[1], "--out", tmp_path / "l3b", "--json", code=1).json
    assert [(row["result"], row["reason"]) for row in rows] == [("failed", "input_corrupt"), ("active", None)]
    assert len(list((tmp_path / "l3b").glob("*/*/S4C_L3B_*"))) == 1

    (radar,) = [path for path in products_in(season_files / "archive", "_BCK_", [3]) if "_VV_" in path.name]
    cut = tmp_path / radar.name.replace("_VV_", "_VH_")
    cut.write_bytes(radar.read_bytes()[:500])
    rows = by_hand("statistics", cut, radar, "--parcels", parcels, "--out", tmp_path / "s", "--json", code=1).json
    assert [row["result"] for row in rows] == ["failed", "vv"]
    table = pq.read_table(tmp_path / "s" / "observations.parquet")
    assert set(table["variable"].to_pylist()) == {"vv"}, "the table holds what was made"


# --- what is said --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["l2a", "l3b", "statistics"])
def test_help_shows_an_example(by_hand: Hand, command: str) -> None:
    shown = by_hand(command, "--help").out
    assert f"s4c run {command}" in shown
    assert "--out" in shown


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("l3b", "nowhere.SAFE", "--out", "o"), "nowhere.SAFE does not exist"),
        (("l2a", "nowhere.SAFE", "--out", "o"), "nowhere.SAFE does not exist"),
        (("l3b", ".", "--out", "o", "--set", "processor.l3b.resolution"), "no setting"),
        (("l3b", ".", "--out", "o", "--set", "processor.l3b.resolutoin=10"), "resolutoin"),
        (("l3b", ".", "--out", "o", "--profile", "other"), "profile"),
        (("statistics", ".", "--parcels", "none.gpkg", "--out", "o"), "none.gpkg does not exist"),
    ],
)
def test_wrong_arguments_are_said_in_one_line(
    by_hand: Hand, arguments: tuple[str, ...], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert text in by_hand(*arguments, code=2).err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("column", "change", "text"),
    [
        ("id", lambda frame: frame, "no column 'id'"),
        ("NewID", lambda frame: frame.assign(NewID=[1, 1, *range(3, 11)]), "1 more than once"),
        ("NewID", lambda frame: frame.assign(NewID=range(10)), "holds 0"),
        ("NewID", lambda frame: frame.assign(NewID=[f"p{number}" for number in range(10)]), "no whole numbers"),
        ("NewID", lambda frame: frame.set_crs(None, allow_override=True), "no coordinate system"),
    ],
)
def test_parcels_that_cannot_be_used_are_refused_before_anything_is_done(
    by_hand: Hand,
    safes: list[Path],
    parcels: Path,
    tmp_path: Path,
    column: str,
    change: Callable[..., object],
    text: str,
) -> None:
    file = tmp_path / "changed.parquet"
    change(pyogrio.read_dataframe(parcels)).to_parquet(file)  # type: ignore[attr-defined]
    said = by_hand("statistics", safes[0], "--parcels", file, "--id", column, "--out", tmp_path / "s", code=2).err
    assert text in said
    assert not (tmp_path / "s").exists()
