"""The program as a whole: help, errors in one line, exit codes, what is loaded, where output goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from s4c_lib.cli.output import progress
from tests.cli.conftest import Run

NOUNS = ("site", "season", "source", "acquisitions", "products", "jobs", "config", "dags", "db", "run", "kernels")
# Without these the help comes at once (0.25 s on an idle machine).
HEAVY = (
    *("geopandas", "rasterio", "sqlalchemy", "pyogrio", "shapely", "numpy", "pyproj", "psycopg2", "httpx"),
    *("numba", "pyarrow", "pystac", "scipy", "matplotlib", "pandas", "airflow"),
)


def real(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a process of its own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("S4C_", "PYTHONDONTWRITE"))}
    return subprocess.run(
        [sys.executable, "-m", "s4c_lib.cli.main", *arguments],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_starting_the_program_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom s4c_lib.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_help_needs_no_settings_and_shows_an_example_of_every_command(s4c: Run) -> None:
    for noun in NOUNS:
        listing = s4c(noun, "--help", S4C_DATABASE_URL=None).out
        commands = [line.split()[1] for line in listing.split("Commands")[1].splitlines() if line.startswith("│ ")]
        words = [word for word in commands if word.replace("-", "").isalpha() and word.islower()]
        assert words
        for command in words:
            answer = s4c(noun, command, "--help", code=None, S4C_DATABASE_URL=None)
            if answer.code == 0:
                assert f"s4c {noun} {command}" in answer.out, (noun, command)
    for command in ("status", "ingest", "doctor"):
        assert f"s4c {command}" in s4c(command, "--help").out


def test_wrong_usage_is_one_line_and_exit_code_2(s4c: Run) -> None:
    for arguments, said in (
        (("bogus",), "No such command 'bogus'"),
        (("site", "add"), "Missing argument 'NAME'"),
        (("site", "list", "--bogus"), "No such option"),
        (("season", "add", "x", "y", "2026-13-01", "2026-10-31"), "is no date; write it as 2026-04-01"),
        (("products", "show", "x"), "should be a valid integer"),
        (("season", "schedule", "x", "y", "l9", "--once"), "choose from s4c_l4a, s4c_l4b, s4c_l4c"),
    ):
        answer = s4c(*arguments, code=2)
        assert said in answer.err, answer.err
        assert len(answer.err.splitlines()) == 1
        assert answer.err.startswith("s4c: ")
        assert "--help'" in answer.err
        assert answer.out == ""


def test_a_group_without_command_shows_its_help_and_is_wrong_usage(s4c: Run) -> None:
    assert s4c("site", code=2).err == ""
    assert s4c(code=2).err == ""


def test_without_a_database_address_there_is_one_clear_line(s4c: Run) -> None:
    answer = s4c("site", "list", code=2, S4C_DATABASE_URL=None)
    assert answer.err == ("s4c: S4C_DATABASE_URL is not set. (set it to postgresql://user:password@host:5432/s4c)\n")


@pytest.mark.parametrize("arguments", [("site", "list"), ("status",), ("db", "migrate"), ("config", "set", "a", "b")])
def test_a_database_that_is_away_is_one_line_without_the_password(s4c: Run, arguments: tuple[str, ...]) -> None:
    answer = s4c(*arguments, code=1, S4C_DATABASE_URL="postgresql://user:hidden@127.0.0.1:9/s4c")
    (line,) = answer.err.splitlines()
    assert line.startswith("s4c: The domain database at 127.0.0.1:9/s4c cannot be reached")
    assert "check S4C_DATABASE_URL" in line
    assert "hidden" not in line


def test_an_address_that_is_none_is_wrong_input(s4c: Run) -> None:
    assert "must be PostgreSQL" in s4c("site", "list", code=2, S4C_DATABASE_URL="mysql://host/s4c").err
    assert "cannot be read" in s4c("site", "list", code=2, S4C_DATABASE_URL="bogus").err


def test_the_traceback_comes_only_with_debug_wherever_it_stands(s4c: Run) -> None:
    assert "Traceback" not in s4c("site", "show", "nowhere", code=2).err
    for arguments in (("--debug", "site", "show", "nowhere"), ("site", "show", "nowhere", "--debug")):
        answer = s4c(*arguments, code=2)
        assert "Traceback" in answer.err
        assert answer.err.splitlines()[-1].startswith("s4c: There is no site 'nowhere'.")


def test_settings_that_make_no_sense_are_named(s4c: Run) -> None:
    assert "S4C_LOG_JSON is not usable" in s4c("site", "list", code=2, S4C_LOG_JSON="perhaps").err


def test_logs_are_quiet_readable_or_json_and_never_on_stdout(
    s4c: Run, ready_season: tuple[str, str], environment: dict[str, str]
) -> None:
    first = real(environment, "ingest", *ready_season, "--satellite", "s2")
    assert first.returncode == 0, first.stderr
    assert "query window searched" not in first.stderr
    talking = real({**environment, "S4C_LOG_JSON": "true"}, "ingest", *ready_season, "--requery", "-v", "--json")
    assert json.loads(talking.stdout)["state"] == "succeeded"
    logged = [json.loads(line) for line in talking.stderr.splitlines() if line.startswith("{")]
    assert any(entry["event"] == "query window searched" and "window" in entry for entry in logged)


def test_the_installed_program_works_through_a_pipe(environment: dict[str, str], site: str) -> None:
    program = Path(sys.executable).with_name("s4c")
    command = f"{program} site list --json | head -c 1"
    answer = subprocess.run(
        ["bash", "-c", command], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )
    assert answer.stdout == "["
    assert "Traceback" not in answer.stderr


def test_the_actor_is_named_in_histories(s4c: Run) -> None:
    s4c("--actor", "anna", "config", "set", "storage.min_free_gb", "300")
    s4c("config", "set", "storage.min_free_gb", "301")
    history = s4c("config", "history", "--json").json
    assert [entry["changed_by"] for entry in history] == ["tester", "anna"]


def test_progress_in_a_pipe_is_about_ten_lines_and_says_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("files") as step:
        for number in range(143):
            step(number + 1, 143, f"f{number}")
    lines = capsys.readouterr().err.splitlines()
    assert 10 <= len(lines) <= 12
    assert (lines[0], lines[-1]) == ("files: 1 of 143, f0", "files: 143 of 143, f142")
    with progress("runs ended") as step:
        step(0, 0, "looking")
        step(0, 60, "no run yet")
        step(0, 60, "1 running")
        step(3, 60, "1 running, 3 success")
        step(60, 60, "")
        step(12, 0, "rows")
    assert capsys.readouterr().err.splitlines() == [
        "runs ended: looking",
        "runs ended: 0 of 60, no run yet",
        "runs ended: 0 of 60, 1 running",
        "runs ended: 60 of 60",
        "runs ended: 12, rows",
    ]
