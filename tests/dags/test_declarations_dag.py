"""The declarations DAG: its shape and form, and its task on a real database with a synthetic delivery."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import shapely
from airflow.sdk import ParamsDict
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError

from operators.declarations import TASK, ImportDeclarationsOperator, progress_lines
from s4c_airflow.dag_factory import build as build_dag
from s4c_airflow.declarations_dag import declarations_form
from s4c_airflow.forms import MOST_FIELDS
from s4c_airflow.report_pages import is_report, report_url
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.parcel_sets import active_set
from s4c_lib.catalog.sites import Site, get_site
from s4c_lib.errors import DatabaseUnavailableError
from tests.dags.conftest import Build, declarations_of, entries, manifest_of
from tests.synthetic_delivery import add_kempen, deliver

COLUMNS = "parcel_id=FUNCTIONEE; holding=FakeBRSnr; crop=GRONDBEDEK"


def test_each_site_has_the_dag_and_two_processes_serialise_the_same_bytes(build: Build) -> None:
    manifest = manifest_of(*entries("alpha"), declarations_of("alpha"), declarations_of("beta"))
    first = build(manifest, "--offline", PYTHONHASHSEED="1")
    second = build(manifest, PYTHONHASHSEED="4242")
    assert first["import_errors"] == {}
    assert {"alpha__declarations", "beta__declarations"} <= set(first["dags"])
    assert first["dags"] == second["dags"]
    assert not {"geopandas", "rasterio", "pyogrio", "yoyo"} & set(first["ours_imported"])


def test_it_is_started_by_hand_only_and_has_one_task() -> None:
    entry = declarations_of("alpha")
    dag = build_dag(entry, manifest_of(entry))
    assert dag.dag_id == "alpha__declarations"
    assert set(dag.tags) == {"alpha", "declarations"}
    assert not dag.timetable.can_be_scheduled
    assert list(dag.task_dict) == [TASK]
    task = dag.task_dict[TASK]
    assert (task.pool, task.retries) == ("memory", 4)
    assert [link.name for link in task.operator_extra_links] == ["Report"]
    assert "POST /api/v2/dags/alpha__declarations/dagRuns" in str(dag.doc_md)
    disabled = declarations_of("alpha", enabled=False)
    assert set(build_dag(disabled, manifest_of(disabled)).task_dict) == {TASK}


def asked(**conf: Any) -> dict[str, Any]:
    """What Airflow makes of a request."""
    fields = ParamsDict(copy.deepcopy(declarations_form()))
    fields.update({"file": "a.zip", "year": 2021, **conf})
    found: dict[str, Any] = fields.validate()
    return found


def test_the_form_takes_text_and_objects_and_has_defaults_for_the_rest() -> None:
    assert len(declarations_form()) <= MOST_FIELDS
    assert asked() == {
        "file": "a.zip",
        "year": 2021,
        "mode": "update",
        "columns": None,
        "dry_run": False,
        "settings": {},
    }
    asked(columns=COLUMNS)
    asked(columns={"parcel_id": ["A", "B"], "crop": "C", "area": "D", "area_unit": "m2"})
    asked(settings={"encoding": "cp1250", "epsg": 5514, "country": "CZE", "code_normalisation": "pad_3"})


@pytest.mark.parametrize(
    ("conf", "named"),
    [
        ({"year": "soon"}, "'soon' is not of type 'integer'"),
        ({"year": 1900}, "1900 is less than the minimum of 2014"),
        ({"file": ""}, "file"),
        ({"mode": "append"}, "'append' is not one of"),
        ({"columns": {"parcel_id": ["A"]}}, "'crop' is a required property"),
        ({"columns": {"parcel_id": "A", "crop": "B", "colour": "C"}}, "'colour' was unexpected"),
        ({"columns": ["A"]}, "is not of type"),
        ({"dry_run": "perhaps"}, "'perhaps' is not of type 'boolean'"),
        ({"settings": {"epsg": "Lambert"}}, "'Lambert' is not of type 'integer'"),
        ({"settings": {"codepage": "cp1250"}}, "'codepage' was unexpected"),
        ({"settings": {"country": "Czechia"}}, "'Czechia' does not match"),
    ],
)
def test_a_wrong_value_is_refused_before_a_run_exists(conf: dict[str, Any], named: str) -> None:
    with pytest.raises(ParamValidationError) as caught:
        asked(**conf)
    assert f"Invalid input for param {next(iter(conf))}" in str(caught.value)
    assert named in str(caught.value)


def test_a_run_without_file_or_year_is_refused() -> None:
    with pytest.raises(ParamValidationError, match="Invalid input for param file: No value passed"):
        ParamsDict(copy.deepcopy(declarations_form())).validate()


# -- the task


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deliver(tmp_path_factory.mktemp("delivered"))


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    with database.begin() as connection:
        made = add_kempen(connection)
        set_value(connection, "storage.products_path", str(tmp_path / "products"), actor="test")
        set_value(connection, "site.upload-path", str(tmp_path / "uploads" / "{site}"), actor="test")
        return get_site(connection, made.short_name)


@dataclass
class Pushed:
    """The part of a task instance that the task uses, outside of a running Airflow."""

    values: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.values[key] = value


@dataclass
class Ended:
    """What a task did."""

    operator: ImportDeclarationsOperator
    pushed: dict[str, Any]
    log: list[str]
    result: dict[str, Any] | None = None
    refused: str = ""


Start = Callable[..., Ended]


@pytest.fixture
def start(site: Site, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Start:
    monkeypatch.setenv("AIRFLOW_CONN_S4C_DB", database_url)

    def run(file: Path | str, year: int = 2021, **conf: Any) -> Ended:
        operator = ImportDeclarationsOperator(task_id=TASK, site=site.short_name)
        pushed = Pushed()
        lines: list[str] = []
        # Airflow warns when a task runs outside of its runner
        heard = SimpleNamespace(info=lambda text, *values: lines.append(text % values), warning=lambda *_: None)
        monkeypatch.setattr(operator, "_cached_logger", heard, raising=False)
        params = {"mode": "update", "columns": COLUMNS, "dry_run": False, "settings": {}}
        context: Any = {
            "params": {**params, "file": str(file), "year": year, **conf},
            "dag_run": SimpleNamespace(triggering_user_name="eva"),
            "ti": pushed,
        }
        ended = Ended(operator, pushed.values, lines)
        try:
            ended.result = operator.execute(context)
        except AirflowFailException as error:
            ended.refused = str(error)
        return ended

    return run


def test_an_import_puts_the_file_in_force_and_tells_its_counts(
    start: Start, delivered: Path, database: Database, site: Site
) -> None:
    ended = start(delivered / "declarations.zip")
    assert ended.refused == ""
    with database.begin() as connection:
        current = active_set(connection, site.id, 2021)
    assert current is not None
    assert current.created_by == "eva"
    result = ended.result
    assert result is not None
    assert (result["parcel_set_id"], result["version"], result["changed"]) == (current.id, 1, True)
    assert result["rows"] == result["accepted"] + result["set_aside"]
    assert all(isinstance(value, int | str | None) for value in result.values())
    page = Path(result["report_page"])
    assert is_report(page)
    assert ended.pushed == {"report_page": str(page)}
    # progress by step in percent, then counts and findings, then the end
    assert any(re.fullmatch(r"geometry: \d+ %", line) for line in ended.log)
    assert any(f"{result['rows']} rows, {result['accepted']} accepted" in line for line in ended.log)
    assert any(line.startswith("excluded DECL-24 (1): ") for line in ended.log)
    assert ended.log[-1] == "Version 1 of 2021 is in force."


def test_the_same_file_again_changes_nothing_and_needs_no_columns(start: Start, delivered: Path) -> None:
    first = start(delivered / "declarations.zip")
    again = start(delivered / "declarations.zip", columns="")
    assert first.result is not None
    assert again.result is not None
    assert not again.result["changed"]
    assert again.result["parcel_set_id"] == first.result["parcel_set_id"]
    assert any(line.startswith("Columns as in version 1 of 2021: parcel_id=FUNCTIONEE") for line in again.log)
    assert "holds this very file already" in again.log[-1]


def test_a_dry_run_says_all_and_stores_nothing(
    start: Start, delivered: Path, database: Database, site: Site, tmp_path: Path
) -> None:
    # without an import before, the layout of the file is known by its columns
    ended = start(delivered / "declarations.zip", columns=None, dry_run=True)
    assert ended.result is not None
    assert (ended.result["dry_run"], ended.result["parcel_set_id"], ended.result["version"]) == (True, None, None)
    assert ended.result["rows"] == 244
    assert any("those of Netherlands" in line for line in ended.log)
    assert ended.log[-1] == "Dry run: nothing was stored."
    with database.begin() as connection:
        assert active_set(connection, site.id, 2021) is None
    assert not (tmp_path / "products").exists()


def test_a_refused_file_fails_with_its_gravest_finding_and_the_report(
    start: Start, delivered: Path, tmp_path: Path, database: Database, site: Site
) -> None:
    broken = tmp_path / "half.zip"
    broken.write_bytes((delivered / "declarations.zip").read_bytes()[:2000])
    ended = start(broken)
    assert re.match(r"half\.zip was refused\. ZIP-01: .+ \(report: /.+\.html\)$", ended.refused)
    assert "\n" not in ended.refused
    assert is_report(Path(ended.pushed["report_page"]))
    assert ended.pushed["report_page"] in ended.refused
    with database.begin() as connection:
        assert active_set(connection, site.id, 2021) is None


def test_a_file_is_found_by_name_in_the_uploads_of_the_site(start: Start, delivered: Path, tmp_path: Path) -> None:
    folder = tmp_path / "uploads" / "kempen"
    folder.mkdir(parents=True)
    (folder / "mine.zip").symlink_to(delivered / "declarations.zip")
    ended = start("mine.zip", dry_run=True)
    assert ended.result is not None
    assert ended.log[0].startswith(str(folder / "mine.zip"))


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"columns": "parcel=A;crop=B"}, "'parcel' is no column role. (did you mean 'parcel_id'?)"),
        ({"columns": "parcel_id=A"}, "columns: crop is missing. (write it as parcel_id=A,B;holding=C;crop=D)"),
        ({"columns": "A,B"}, "columns: 'A,B' names no role. (write it as parcel_id=A,B;holding=C;crop=D)"),
        ({"columns": "parcel_id=A;crop=B,C"}, "DECL-20"),
        ({"settings": {"ecnoding": "x"}}, "'ecnoding' is no setting. (did you mean 'encoding'?)"),
        ({"settings": {"epsg": "5514"}}, "Setting epsg is '5514', not a number such as 3035."),
        ({"dryrun": True}, "no parameter 'dryrun'. (did you mean 'dry_run'?)"),
        ({"mode": "append"}, "'append' is no mode. (modes are update, incremental, replace)"),
        ({"year": "2021"}, "The year is '2021', not a number."),
        ({"file": "nowhere.zip"}, "nowhere.zip is no file on this machine. (give a path that the workers can read"),
        ({"file": " "}, "No file is given."),
    ],
)
def test_what_airflow_lets_pass_is_refused_in_one_line(
    start: Start, delivered: Path, conf: dict[str, Any], said: str
) -> None:
    ended = start(**{"file": delivered / "declarations.zip", **conf})
    assert said in ended.refused
    assert "\n" not in ended.refused


def test_columns_of_no_known_layout_must_be_named(start: Start, delivered: Path, tmp_path: Path) -> None:
    import geopandas

    frame = geopandas.GeoDataFrame({"schlag": ["1"], "feld": ["x"]}, geometry=[shapely.box(5, 51, 5.1, 51.1)], crs=4326)
    path = tmp_path / "unknown.gpkg"
    frame.to_file(path)
    ended = start(path, columns=None)
    assert ended.refused == (
        "unknown.gpkg has the columns of no known layout, nor those of the site's last import. "
        "(name the columns; the file has fid, schlag, feld)"
    )


def test_a_database_that_is_away_is_left_to_airflow_to_retry(
    start: Start, delivered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_S4C_DB", "postgresql://nobody@127.0.0.1:9/nowhere")
    with pytest.raises(DatabaseUnavailableError):
        start(delivered / "declarations.zip")


def test_progress_is_a_line_for_every_ten_percent_of_a_step() -> None:
    lines: list[str] = []
    listen = progress_lines(lines.append)
    for done in range(1001):
        listen("read", done / 1000)
    listen("store", 0)
    listen("store", 1)
    assert lines == [*(f"read: {percent} %" for percent in range(0, 101, 10)), "store: 0 %", "store: 100 %"]


def test_the_address_of_a_report_holds_any_run_id() -> None:
    found = report_url("alpha__declarations", "manual__2026-01-01T00:00:00+00:00/x")
    assert found == "/s4c/reports/alpha__declarations/manual__2026-01-01T00%3A00%3A00%2B00%3A00%2Fx"


def test_only_pages_of_reports_are_shown(tmp_path: Path) -> None:
    """An XCom can be edited by hand: it must not open other files of the server."""
    for name in ("2021/v001/report.html", "2021/refused/7.html", "2021/v001/report.json", "etc/v001/page.html"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "2021/v001/link.html").symlink_to(tmp_path / "2021/v001/report.json")
    assert is_report(tmp_path / "2021/v001/report.html")
    assert is_report(tmp_path / "2021/refused/7.html")
    for name in ("2021/v001/report.json", "etc/v001/page.html", "2021/v001/link.html", "2021/v002/report.html"):
        assert not is_report(tmp_path / name)
