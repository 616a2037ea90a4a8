"""``s4c run l4b``: mowing from files, and what becomes of bad ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from s4c_lib.cli.main import app
from tests.cli.conftest import Answer

# Cases S2-1 and S1-1 of the specification.
S2_1 = (0.80, 0.82, 0.83, 0.84, 0.84, 0.55, 0.60, 0.65, 0.70, 0.74, 0.78, 0.80)
S1_1 = (0.30, 0.32, 0.29, 0.31, 0.30, 0.31, 0.30, 0.32, 0.30, 0.31, 0.52, 0.48, 0.44, 0.40, 0.37, 0.35, 0.33)
COMPLIANCE = "[compliancy]\ncrop_codes = {}\ncrop_time_intervals = {}\ncrop_rule = {}\n"


def run(*arguments: object, code: int = 0) -> Answer:
    """Run it in the profile of Sen4CAP, whose numbers the specification gives; on files alone, without a database."""
    words = ["run", "l4b", "--profile", "reference", *(str(item) for item in arguments)]
    result = CliRunner().invoke(app, words, env={"S4C_DATABASE_URL": None}, prog_name="s4c")
    answer = Answer(result.exit_code, result.stdout, result.stderr)
    assert answer.code == code, f"{words}: {answer}"
    if code:
        assert len([line for line in answer.err.splitlines() if line.startswith("s4c: ")]) == 1, "an error is one line"
    return answer


def ndvi(parcel: int, values: Iterable[float | None] = S2_1, first: date = date(2021, 5, 1)) -> list[str]:
    """Rows of a series, an observation every five days."""
    days = [first + timedelta(days=5 * number) for number, _ in enumerate(values)]
    return [f"{parcel},{day},ndvi,{'' if value is None else value},," for day, value in zip(days, values, strict=True)]


def coherence(parcel: int, orbit: int = 44) -> list[str]:
    days = [date(2021, 4, 3) + timedelta(days=6 * number) for number in range(len(S1_1))]
    return [f"{parcel},{day},coherence_vh,{value},{orbit},36" for day, value in zip(days, S1_1, strict=True)]


def observations(folder: Path, *series: list[str], name: str = "observations.csv") -> Path:
    path = folder / name
    rows = [row for one in series for row in one]
    path.write_text("\n".join(["parcel_id,time,variable,mean,orbit,n_total", *rows]) + "\n")
    return path


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def events(folder: Path) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in table(folder / "events.csv")]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_dates_and_means_alone_give_events(tmp_path: Path, out: Path) -> None:
    """The least a user can bring: parcel_id, time, variable, mean; no parcel table, no configuration."""
    path = tmp_path / "least.csv"
    rows = [row.removesuffix(",,") for row in ndvi(7)]
    path.write_text("\n".join(["parcel_id,time,variable,mean", *rows]) + "\n")
    answer = run("--observations", path, "--out", out, "--json")
    assert answer.json["events"] == 1
    assert [answer.json[name] for name in ("first_day", "last_day")] == ["2021-05-01", "2021-06-25"]
    assert (out / "events.csv").read_text().splitlines() == [
        "parcel_id,start,end,confidence,missions,n",
        "7,2021-05-21 10:30:00,2021-05-26 10:30:00,0.633,S2,1",
    ]
    assert table(out / "parcels.csv")[0]["status"] == "processed"


def test_both_missions_with_parcels_configuration_and_a_picture(tmp_path: Path, out: Path) -> None:
    """Case F-1, an orbit below 100 as the file names it, compliance by crop code, and the run from its own settings."""
    file = observations(tmp_path, ndvi(1), coherence(1), ndvi(2, [0.8] * 12))
    parcels = tmp_path / "parcels.csv"
    parcels.write_text("NewID;ORI_CROP;ori_id\n2;H01;B\n1;046;A\n3;046;C\n")
    config = tmp_path / "l4b.cfg"
    config.write_text(
        "[GENERAL_CONFIG]\ns1_orbit_list_filter = 044\ns1_orbit_type_list_filter = ASC\n"
        + COMPLIANCE.format("046", "('01/05/2021','31/07/2021')", "0")
    )
    run("--observations", file, "--parcels", parcels, "--config", config, "--out", out, "--plot", "A")
    assert events(out) == [("1", "2021-05-21 10:30:00", "2021-05-26 10:30:00", "0.783", "S2/S1", "2")]
    rows = {row["parcel_id"]: row for row in table(out / "parcels.csv")}
    assert [rows["1"][name] for name in ("ori_id", "crop", "compl", "decision")] == ["A", "046", "1", "yes"]
    assert [rows["2"][name] for name in ("crop", "compl", "mow_n")] == ["H01", "-1", "0"], "an unknown crop code"
    assert [rows["3"][name] for name in ("status", "compl", "decision")] == ["no_observation", "0", "inconclusive"]
    assert (out / "plot_A.png").read_bytes().startswith(b"\x89PNG")
    evidence = pq.read_table(out / "events.parquet").to_pylist()[0]
    assert (evidence["s1_orbit"], round(evidence["s2_v0"], 2), f"{evidence['s1_t1']:%m-%d}") == (44, 0.84, "06-02")
    again = tmp_path / "again"
    run("--observations", file, "--parcels", parcels, "--config", out / "l4b_config.cfg", "--out", again)
    for name in ("events.csv", "events.parquet", "parcels.csv", "l4b_config.cfg"):
        assert (again / name).read_bytes() == (out / name).read_bytes(), name


def test_order_files_and_repetition_of_rows_do_not_matter(tmp_path: Path, out: Path) -> None:
    rows = ndvi(1) + ndvi(2)
    shuffled = observations(tmp_path, rows[::-2] + rows[::-1], name="shuffled.csv")
    run("--observations", observations(tmp_path, rows), "--out", out)
    run("--observations", shuffled, "--out", tmp_path / "shuffled")
    parts = tmp_path / "parts"
    parts.mkdir()
    observations(parts, rows[:9], name="a.csv")
    observations(parts, rows[9:], name="b.csv")
    run("--observations", parts, "--out", tmp_path / "joined")
    for other in ("shuffled", "joined"):
        assert (tmp_path / other / "events.csv").read_bytes() == (out / "events.csv").read_bytes()
    assert len(events(out)) == 2


def test_a_day_with_two_values_has_that_of_most_pixels(tmp_path: Path, out: Path) -> None:
    file = observations(tmp_path, ndvi(1), ["1,2021-05-16T09:00:00Z,ndvi,0.2,,3"])
    run("--observations", file, "--out", out)
    assert [row[3] for row in events(out)] == ["0.633"]


def test_series_that_say_nothing_are_told_apart(tmp_path: Path, out: Path) -> None:
    file = observations(
        tmp_path,
        ndvi(1),
        ndvi(2, [None] * 12),
        ndvi(3, [0.8]),
        ["4,2021-05-01,ndvi,0.8,,2", "4,2021-05-06,ndvi,0.3,,2"],
    )
    run("--observations", file, "--out", out)
    rows = table(out / "parcels.csv")
    assert [row["status"] for row in rows] == ["processed", "no_observation", "processed", "min_pixels"]
    assert [row["n_clear"] for row in rows] == ["12", "0", "1", "0"]
    assert [row["max_gap_d"] for row in rows][1:3] == ["56", "55"]
    assert [row[0] for row in events(out)] == ["1"]


def test_a_season_across_new_year(tmp_path: Path, out: Path) -> None:
    """Case S2-13: the drop between 12-28 and 01-02; a period without years goes on into the next one."""
    file = observations(tmp_path, ndvi(1, first=date(2021, 12, 8)))
    config = tmp_path / "l4b.cfg"
    config.write_text(COMPLIANCE.format("A", "('15/12','15/03')", "0"))
    parcels = tmp_path / "parcels.csv"
    parcels.write_text("parcel_id,crop\n1,A\n")
    setting = "processor.s4c_l4b.input_product_types=S2"
    run("--observations", file, "--out", out, "--config", config, "--parcels", parcels, "--set", setting)
    assert events(out)[0][1:4] == ("2021-12-28 10:30:00", "2022-01-02 10:30:00", "0.633")
    assert "'15/03/" in (out / "l4b_config.cfg").read_text()


def test_periods_of_a_crop_may_overlap_but_not_contradict_each_other(tmp_path: Path, out: Path) -> None:
    file = observations(tmp_path, ndvi(1))
    parcels = tmp_path / "parcels.csv"
    parcels.write_text("parcel_id,crop\n1,A\n")
    config = tmp_path / "l4b.cfg"
    periods = "('01/05/2021','24/05/2021'), ('20/05/2021','31/07/2021')"
    config.write_text(COMPLIANCE.format("A, A", periods, "1, 1"))
    run("--observations", file, "--parcels", parcels, "--config", config, "--out", out)
    assert table(out / "parcels.csv")[0]["compl"] == "1"
    config.write_text(COMPLIANCE.format("A, A", periods, "0, 1"))
    answer = run("--observations", file, "--parcels", parcels, "--config", config, "--out", out, code=2)
    assert "crop code A has the rules 0 and 1" in answer.err


def test_a_crop_code_table_leaves_grassland_only(tmp_path: Path, out: Path) -> None:
    file = observations(tmp_path, ndvi(1), ndvi(2))
    parcels = tmp_path / "parcels.csv"
    parcels.write_text("parcel_id,crop\n1,265\n2,233\n")
    lut = tmp_path / "lut.csv"
    flags = "EAA,AL,PGrass,TGrass,Fallow,Cwater"
    lut.write_text(f"Ori_crop,CTnum,CT,LC,{flags}\n265,1,Grass,3,1,0,1,0,0,0\n233,2,Wheat,1,1,1,0,0,0,0\n")
    given = ("--observations", file, "--parcels", parcels, "--lut", lut, "--out", out)
    run(*given, "--set", "processor.s4c_l4b.land_cover=3")
    assert [row["parcel_id"] for row in table(out / "parcels.csv")] == ["1"]
    run(*given)
    assert len(table(out / "parcels.csv")) == 2, "Sen4CAP looks at every crop"
    config = tmp_path / "l4b.cfg"
    config.write_text("[GENERAL_CONFIG]\nCTNUM_FILTER = 2\n")
    run(*given, "--config", config)
    assert [row["crop"] for row in table(out / "parcels.csv")] == ["233"]


@pytest.mark.parametrize(
    ("what", "content", "code", "said"),
    [
        ("observations", None, 2, "there is no file of observations"),
        ("observations", "parcel_id,time,mean\n1,2021-05-01,1\n", 2, "has no column variable"),
        ("observations", "parcel_id,time,variable,mean\n1,01/05/2021,ndvi,1\n", 2, "01/05/2021"),
        (
            "observations",
            "parcel_id,time,variable,mean\n1,2021-05-01,lai,1\n",
            3,
            "no observation of ndvi, coherence_vh",
        ),
        (
            "observations",
            "parcel_id,time,variable,mean\n1,2021-05-01,ndvi,800\n1,2021-05-06,ndvi,-10000\n7,2021-05-11,ndvi,820\n",
            2,
            "ndvi is 800 in the middle: it must be -1 to 1. (divide Sen4CAP's NDVI by 1000",
        ),
        ("parcels", None, 2, "there is no parcel table"),
        ("parcels", "parcel_id,crop\n7,A\n", 3, "None of the 1 parcels of"),
        ("parcels", "parcel_id,crop\n", 3, "has no parcel"),
        ("parcels", "crop\nA\n", 2, "has no column parcel_id"),
        ("parcels", "parcel_id,crop\n1,A\n1,B\n", 2, "parcel_id 1 occurs more than once"),
        ("parcels", "parcel_id\nx\n", 2, "column parcel_id cannot be read"),
        ("parcels", "parcel_id\n0\n", 2, "parcel_id 0 is below 1"),
        ("config", None, 2, "There is no configuration"),
        ("config", "[GENERAL_CONFIG]\nCTNUM_FILTER = grass\n", 2, "CTNUM_FILTER = grass"),
        ("config", COMPLIANCE.format("A, B", "('01/05','31/07')", "0"), 2, "2 codes, 1 periods, 1 rules"),
        ("lut", "Ori_crop\n1\n", 2, "CTnum"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_a_line(
    tmp_path: Path, out: Path, what: str, content: str | None, code: int, said: str
) -> None:
    given: dict[str, Any] = {"observations": observations(tmp_path, ndvi(1)), what: tmp_path / f"wrong_{what}.csv"}
    if content is not None:
        given[what].write_text(content)
    words = [word for name, path in given.items() for word in (f"--{name}", path)]
    assert said in run(*words, "--out", out, code=code).err
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--start", "2021-07-01", "--end", "2021-05-01"), "the last day comes first"),
        (("--plot", "99"), "There is no parcel 99"),
        (("--set", "processor.s4c_l4b.s2.low_abs_th=7"), "low_abs_th"),
        (("--profile", "other"), "profile"),
    ],
)
def test_an_option_that_is_wrong_is_refused_in_a_line(
    tmp_path: Path, out: Path, words: tuple[str, ...], said: str
) -> None:
    answer = run("--observations", observations(tmp_path, ndvi(1)), "--out", out, *words, code=2)
    assert said in answer.err
    assert not out.exists()


def test_a_parcel_of_the_observations_that_is_not_declared_is_named(tmp_path: Path, out: Path) -> None:
    parcels = tmp_path / "parcels.csv"
    parcels.write_text("parcel_id\n1\n")
    answer = run("--observations", observations(tmp_path, ndvi(1), ndvi(2)), "--parcels", parcels, "--out", out)
    assert "1 parcels with observations are not among the 1 of" in answer.err
    assert [row[0] for row in events(out)] == ["1"]
