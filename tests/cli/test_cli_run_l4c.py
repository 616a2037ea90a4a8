"""``s4c run l4c``: practices from files, why a verdict came about, and what becomes of bad files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from s4c_lib.cli.main import app
from s4c_lib.parcels.l4c_presets import preset_text
from tests.cli.conftest import Answer

SEASONS = Path(__file__).parents[3] / "shared" / "data" / "practices_reference"
# The base of the acceptance cases, l4c-practices.md section 22; vv and vh are twice as large in dB of sigma0.
N0 = {
    "04-03": 300, "04-18": 450, "05-08": 650, "05-28": 780, "06-12": 760, "06-27": 600, "07-07": 420, "07-22": 240,
    "08-06": 210, "08-26": 200,
}  # fmt: skip
PASSES = [date(2019, 3, 4) + timedelta(days=6 * number) for number in range(40)]
HARVEST = date(2019, 7, 15)
HEADER = "FIELD_ID;MAIN_CROP;VEG_START;H_START;H_END;PRACTICE;P_TYPE;P_START;P_END"
ROW = "f1;9;2019-04-01;2019-06-03;2019-10-15;NA;NA;NA;NA"
A1 = {
    "H_WEEK": "29", "H_W_START": "2019-07-15", "H_W_END": "2019-07-21", "H_W_S1": "2019-07-15", "L_WEEK": "2019-10-21",
    "M1": "NA", "M2": "FALSE", "M3": "FALSE", "M4": "TRUE", "M5": "TRUE", "C_INDEX": "NA", "S1GAPS": "7",
    "H_S1GAPS": "0", "P_S1GAPS": "0", "H_W_S1GAPS": "0", "S1PIX": "20",
}  # fmt: skip


def run(*arguments: object, code: int = 0) -> Answer:
    """Run it on files alone, without a database."""
    words = ["run", *(str(item) for item in arguments)]
    result = CliRunner().invoke(app, words, env={"S4C_DATABASE_URL": None}, prog_name="s4c")
    answer = Answer(result.exit_code, result.stdout, result.stderr)
    assert answer.code == code, f"{words}: {answer}"
    if code:
        errors = [line for line in answer.err.splitlines() if line.startswith("s4c: ") and "warning" not in line]
        assert len(errors) == 1, "an error is one line"
    return answer


def series(parcel: int, ndvi: dict[str, int] = N0) -> list[str]:
    rows = [f"{parcel},2019-{day},ndvi,{value / 1000},," for day, value in ndvi.items()]
    for day in PASSES:
        bare = day >= HARVEST
        measured = {"vv": -24, "vh": -42 if bare else -38, "coherence_vv": 0.62 if bare else 0.25}
        for variable, value in measured.items():
            before = day - timedelta(days=6) if variable == "coherence_vv" else ""
            rows.append(f"{parcel},{day},{variable},{value},88,{before}")
    return rows


Files = Callable[..., list[object]]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Write the files of a run and return its options; what is given takes the place of the base."""

    def written(
        rows: Sequence[str] = (ROW,),
        *,
        observations: Sequence[str] | None = None,
        parcels: Sequence[str] = ("1,f1,9,20,50",),
        config: str | None = None,
        header: str = HEADER,
    ) -> list[object]:
        lines = series(1) if observations is None else observations
        contents = {
            "observations.csv": ["parcel_id,time,variable,mean,orbit,previous_time", *lines],
            "practices.csv": [header, *rows],
            "parcels.csv": ["parcel_id,ori_id,crop,S1Pix,S2Pix", *parcels],
        }
        for name, texts in contents.items():
            (tmp_path / name).write_text("\n".join(texts) + "\n")
        (tmp_path / "l4c.cfg").write_text(preset_text("NLD") if config is None else config)
        options: list[object] = ["l4c", "--config", tmp_path / "l4c.cfg", "--country", "NLD", "--year", 2019]
        for name in ("observations", "practices", "parcels"):
            options += [f"--{name}", tmp_path / f"{name}.csv"]
        return [*options, "--as-of", "2019-10-31", "--gap-limit", "2019-10-31", "--out", tmp_path / "out"]

    return written


def results(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


@pytest.mark.skipif(not SEASONS.is_dir(), reason="the reference seasons lie outside the repository")
@pytest.mark.parametrize("name", ["case1_NA_NLD", "case2_CC_NLD", "case3_FL_LTU", "case4_NFC_ESP", "case5_NA_NLD"])
def test_reference_gives_every_cell_of_sen4cap(tmp_path: Path, name: str) -> None:
    folder = SEASONS / name
    told = dict(line.split("=") for line in (folder / "run.txt").read_text().split())
    options: list[object] = ["--practice", told["practice"], "--country", told["country"], "--year", told["year"]]
    options += ["--as-of", told["as_of"], "--gap-limit", told["gap_limit"], "--config", folder / "config.cfg"]
    options += ["--tillage"] if told["tillage"] == "1" else []
    for kind, file in (
        ("observations", "observations.parquet"),
        ("practices", "practices.csv"),
        ("parcels", "parcels.csv"),
    ):
        options += [f"--{kind}", folder / file]
    run("l4c", *options, "--profile", "reference", "--out", tmp_path)
    assert (tmp_path / "results.csv").read_bytes() == (folder / "expected.csv").read_bytes()


def test_the_base_case_gives_its_numbers_and_says_why(tmp_path: Path, files: Files) -> None:
    answer = run(*files(), "--practice", "na", "--trace", "f1", "--plot", 1, "--json")
    record = json.loads(answer.out)
    (row,) = results(tmp_path / "out")
    assert {name: row[name] for name in A1} == A1
    assert (record["judged"], record["status"], record["gap_limit"]) == (1, {"OK": 1}, "2019-10-31")
    (typed,) = pq.read_table(tmp_path / "out" / "results.parquet").to_pylist()
    assert (typed["H_W_START"], typed["H_WEEK"], typed["M4"], typed["M1"]) == (HARVEST, 29, 1, -1)
    assert [round(typed[name], 4) for name in ("T", "T_BUF", "MU", "SIGMA", "BRK", "LEVEL", "A")] == [
        300, 120, 7.8824, 1.0080, 0.3360, 7.5464, 0.52,
    ]  # fmt: skip
    assert (typed["H_OPT"], typed["H_M2"], typed["ORBITS"]) == (date(2019, 7, 8), 1, "88")
    weeks = {one["WEEK"]: one for one in pq.read_table(tmp_path / "out" / "weekly.parquet").to_pylist()}
    shown = weeks[HARVEST]
    assert (shown["NDVI"], shown["NDVI_PREV"], shown["NDVI_NEXT"], shown["RATIO_CHANGE"]) == (None, 420, 240, 2.0)
    (traced,) = json.loads((tmp_path / "out" / "trace_f1.json").read_text())
    said = "\n".join(traced["sentences"])
    assert "NDVI rose above 0.350 in the week of 2019-04-15" in said
    assert "below 0.420, from the week of 2019-07-08 on; VV - VH risen by more than 0.34 and above 7.55" in said
    assert "Harvest in week 29, 2019-07-15 to 2019-07-21: NDVI 0.420 before and 0.240 after" in said
    assert len(traced["weeks"]) == len(weeks) == 34
    assert (tmp_path / "out" / "plot_1.png").read_bytes().startswith(b"\x89PNG")

    again = json.loads(run("l4c-trace", tmp_path / "out", "--parcel", 1, "--out", tmp_path / "later", "--json").out)
    assert again["trace"]["1"] == [traced]
    assert (tmp_path / "later" / "plot_1.png").read_bytes() == (tmp_path / "out" / "plot_1.png").read_bytes()
    assert "There is no row of a parcel 77" in run("l4c-trace", tmp_path / "out", "--parcel", 77, code=2).err


def test_the_gap_limit_is_two_weeks_before_unless_given_and_never_in_the_year_after(
    tmp_path: Path, files: Files
) -> None:
    options = files()
    options[options.index("--gap-limit") : options.index("--gap-limit") + 2] = []
    options[options.index("--as-of") + 1] = "2020-02-20"
    assert json.loads(run(*options, "--practice", "NA", "--json").out)["gap_limit"] == "2019-12-31"
    options[options.index("--as-of") + 1] = "2019-10-31"
    assert json.loads(run(*options, "--practice", "NA", "--json").out)["gap_limit"] == "2019-10-17"
    assert results(tmp_path / "out")[0]["H_WEEK"] == "29"


def test_rows_that_cannot_be_judged_keep_their_row_and_say_why(tmp_path: Path, files: Files) -> None:
    """D3 and D8 of the decisions: dates, pixels, parcels and series that lack something."""
    ndvi_only = [row.replace("1,", "3,", 1) for row in series(1) if ",ndvi," in row]
    radar_only = [row.replace("1,", "4,", 1) for row in series(1) if ",ndvi," not in row]
    one_coherence = [row.replace("1,", "5,", 1) for row in series(1) if "coherence" not in row]
    one_coherence.append(f"5,{PASSES[9]},coherence_vv,0.3,88,{PASSES[8]}")
    apart = [row.replace("1,", "10,", 1) for row in series(1, {"05-08": 650})]
    early = str(PASSES[20])
    apart = [row for row in apart if ("coherence" in row) == (row.split(",")[1] >= early) or ",ndvi," in row]
    rows = [
        ROW,
        "f2;9;2019-04-01;2019-06-03;2019-10-15;NA;NA;NA;NA",
        "f3;9;2019-04-01;2019-06-03;2019-10-15;NA;NA;NA;NA",
        "f4;9;2019-04-01;2019-06-03;2019-10-15;NA;NA;NA;NA",
        "f5;9;2019-04-01;2019-06-03;2019-10-15;NA;NA;NA;NA",
        "f6;9;spring;2019-06-03;2019-10-15;NA;NA;NA;NA",
        "f7;9;2019-04-01;2019-10-15;2019-06-03;NA;NA;NA;NA",
        "f8;9;2019-04-01;2019-06-03;2019-10-15;NA;NA;NA;NA",
        "f9;9;2019-04-01;2019-06-03;2019-10-15;NA;NA;NA;NA",
        "f10;9;2019-04-01;2019-06-03;2019-10-15;NA;NA;NA;NA",
        "f1;9;2019-04-01;2019-06-03;2019-10-15;NA;NA;NA;NA",
    ]
    parcels = [f"{number},f{number},9,{0 if number == 2 else 20},50" for number in (*range(1, 9), 10)]
    observed = [*series(1), *ndvi_only, *radar_only, *one_coherence, *apart]
    options = files(rows, observations=observed, parcels=parcels)
    answer = run(*options, "--practice", "NA", "--json")
    found = pq.read_table(tmp_path / "out" / "results.parquet").to_pylist()
    assert {row["ORIG_ID"]: row["STATUS"] for row in found} == {
        "f1": "OK", "f2": "NO_S1PIX", "f3": "NO_AMP", "f4": "NO_NDVI", "f5": "SHORT_COHE", "f6": "BAD_DATES",
        "f7": "BAD_DATES", "f8": "NOT_IN_SERIES", "f9": "NOT_IN_SERIES", "f10": "NO_COMMON_WEEK",
    }  # fmt: skip
    assert json.loads(answer.out)["status"]["BAD_DATES"] == 2
    lines = {row["ORIG_ID"]: row for row in results(tmp_path / "out")}
    assert (lines["f2"]["M1"], lines["f2"]["S1PIX"], lines["f6"]["VEG_START"]) == ("NA1", "0", "NA")
    assert lines["f9"]["FIELD_ID"] == "NA"
    for text in (
        'PRAC-02 Line 7: VEG_START "spring" is not a date',
        "PRAC-03 Line 8: H_START 2019-10-15 is after H_END 2019-06-03",
        'PRAC-06 Line 12: parcel "f1" already on line 2',
        "PRAC-07 1 parcels not found, e.g. f9",
    ):
        assert text in answer.err
    said = run("l4c-trace", tmp_path / "out", "--parcel", "f5").out
    assert "No result (SHORT_COHE): there are too few coherence values." in said


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({}, ["--practice", "CC"], 'This is the CC table but 1 rows say "NA"'),
        ({"config": "[DEFAULT]\nNDVIUP = high\n"}, ["--practice", "NA"], "NDVIUP"),
        ({"config": "[DEFAULT]\nNDVIUP = 400\n[NA]\nNA_NDVIDW = 450\n"}, ["--practice", "NA"], "NDVIDW 450 above"),
        ({"header": HEADER.replace("H_START", "HSTART")}, ["--practice", "NA"], "H_START"),
        ({"parcels": ["1,other,9,20,50"]}, ["--practice", "NA"], "None of the 1 rows of"),
        ({"parcels": ["1,f1,9,20,50", "1,f2,9,20,50"]}, ["--practice", "NA"], "parcel_id 1 occurs more than once"),
        ({}, ["--practice", "NA", "--config", "XYZ"], "There is no configuration XYZ"),
        ({}, ["--practice", "NA", "--country", "nl"], 'Country "nl" is not a code of three capital letters'),
        ({}, ["--practice", "NA", "--trace", "f9"], "There is no row of a parcel f9"),
    ],
)
def test_files_that_do_not_fit_are_refused_in_one_line(
    tmp_path: Path, files: Files, change: dict[str, object], options: list[str], words: str
) -> None:
    answer = run(*files(**change), *options, code=2)
    assert words in answer.err
    assert not (tmp_path / "out").exists()


def test_without_a_variable_there_is_nothing_to_do(tmp_path: Path, files: Files) -> None:
    """E1 and E5 of the decisions."""
    optical = [row for row in series(1) if ",ndvi," in row]
    answer = run(*files(observations=optical), "--practice", "NA", code=3)
    assert "There is no observation of vv, vh, coherence_vv up to 2019-10-31" in answer.err
    assert not (tmp_path / "out").exists()


def test_a_run_that_judges_nothing_fails_and_leaves_its_table(tmp_path: Path, files: Files) -> None:
    """J4 of the specification."""
    answer = run(*files(parcels=["1,f1,9,0,50"]), "--practice", "NA", code=1)
    assert "None of 1 rows could be judged: 1 NO_S1PIX" in answer.err
    assert results(tmp_path / "out")[0]["C_INDEX"] == "NA1"


def test_a_table_of_another_year_is_noticed(files: Files) -> None:
    row = ROW.replace("2019-", "2017-")
    answer = run(*files([row]), "--practice", "NA")
    assert "PRAC-09" in answer.err
    assert "2017" in answer.err


def test_a_misspelt_key_is_named_with_the_right_one(files: Files) -> None:
    answer = run(*files(config="[DEFAULT]\nNDVIUPP = 400\n"), "--practice", "NA")
    assert "CFG-02 Line 2: [DEFAULT] has no key NDVIUPP (did you mean NDVIUP?)" in answer.err


def test_coherence_of_pairs_that_lie_too_far_apart_is_told(files: Files, tmp_path: Path) -> None:
    """Case X2 of the specification: one satellite; a longer interval can be allowed."""
    kept = {day.isoformat() for day in PASSES[::2]}
    every = [line.split(",")[:5] for line in series(1)]
    sparse = [",".join([*one, ""]) for one in every if one[2] == "ndvi" or one[1] in kept]
    given = [*files(observations=sparse), "--practice", "NA"]
    telling = "coherence is of pairs 12 days apart; only those up to 6 days are compared"
    assert telling in run(*given, "--out", tmp_path / "few").err
    wider = "processor.s4c_l4c.coh_change_max_days=12"
    assert "days apart" not in run(*given, "--set", wider, "--out", tmp_path / "all").err


def test_an_identifier_with_a_slash_gives_a_file_too(files: Files, tmp_path: Path) -> None:
    given = files((ROW.replace("f1", "NL/7 b"),), parcels=("1,NL/7 b,9,20,50",))
    run(*given, "--practice", "NA", "--trace", "NL/7 b", "--plot", "NL/7 b")
    assert {"trace_NL_7_b.json", "plot_NL_7_b.png"} <= {one.name for one in (tmp_path / "out").iterdir()}
