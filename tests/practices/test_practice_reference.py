"""Results of Sen4CAP's own decision core for five generated seasons, cell by cell."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from practice_cases import values

from s4c_lib.parcels.l4c_configuration import read_l4c_configuration
from s4c_lib.parcels.practice_tables import read_practice_table
from s4c_lib.practices.decision import decide
from s4c_lib.practices.product_tables import MadeOf, result_table
from s4c_lib.practices.rows import PracticeRows
from s4c_lib.practices.sen4cap_table import write_sen4cap_csv
from s4c_lib.practices.series import VARIABLES, practice_series
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.statistics.observation_files import read_observation_file

SEASONS = Path(__file__).resolve().parents[3] / "shared" / "data" / "practices_reference"
CASES = sorted(folder.name for folder in SEASONS.glob("case*")) or ["none"]


def rows_of(folder: Path, run: dict[str, str]) -> PracticeRows:
    practice, year, country = run["practice"], int(run["year"]), run["country"]
    content = (folder / "practices.csv").read_bytes()
    table, report = read_practice_table(content, "practices.csv", practice, year=year, country=country)
    assert table is not None, report.findings
    with (folder / "parcels.csv").open() as file:
        parcels = {one["ori_id"]: one for one in csv.DictReader(file)}

    def whole(name: str, kind: Any) -> Any:
        return np.array([int(parcels[field][name]) for field in table.field_id], kind)

    return PracticeRows(
        whole("parcel_id", np.int64), table.field_id, np.full(len(table), country, object),
        np.full(len(table), year, np.int32), table.main_crop, table.practice_name, table.p_type, table.veg_start,
        table.h_start, table.h_end, table.p_start, table.p_end, table.bad_dates, whole("S1Pix", np.int32),
        whole("S2Pix", np.int32), np.zeros(len(table), np.int8),
    )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_cell_is_that_of_sen4cap(tmp_path: Path, name: str) -> None:
    folder = SEASONS / name
    if not folder.is_dir():
        pytest.skip("the reference seasons are not here")
    run = dict(line.split("=") for line in (folder / "run.txt").read_text().split())
    practice, year, country = run["practice"], int(run["year"]), run["country"]
    configuration, report = read_l4c_configuration(
        (folder / "config.cfg").read_bytes(), "config.cfg", year=year, country=country, practices=practice
    )
    assert configuration is not None, report.findings
    rows = rows_of(folder, run)
    observations = read_observation_file(folder / "observations.parquet", VARIABLES)
    decisions = decide(
        practice_series(observations, rows.parcel_id),
        rows,
        PracticeSettings.of(values("reference"), configuration, practice),
        as_of=date.fromisoformat(run["as_of"]),
        gap_limit=date.fromisoformat(run["gap_limit"]),
        tillage=run["tillage"] == "1",
    )
    expected = [line.split(";") for line in (folder / "expected.csv").read_text().splitlines()]
    results = result_table(decisions, rows, MadeOf(date.fromisoformat(run["as_of"])))
    write_sen4cap_csv(tmp_path / "results.csv", [results], tillage=run["tillage"] == "1")
    got = [line.split(";") for line in (tmp_path / "results.csv").read_text().splitlines()]
    assert got[0] == expected[0]
    assert len(got) == len(expected)
    for own, wanted in zip(got[1:], expected[1:], strict=True):
        different = [cell for cell in zip(expected[0], own, wanted, strict=True) if cell[1] != cell[2]]
        assert not different, (own[0], different)
