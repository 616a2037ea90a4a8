"""deploy/*.sh and the Dockerfile: what they refuse, and what they start. The image itself: test_compose.py."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from compose_services import REPOSITORY, copy_build_context, make_secrets

ENTRYPOINT = REPOSITORY / "deploy" / "entrypoint.sh"
SECRETS = (
    *("S4C_FERNET_KEY", "S4C_JWT_SECRET", "S4C_API_SECRET_KEY"),
    *("AIRFLOW_DATABASE_PASSWORD", "S4C_DATABASE_PASSWORD", "S4C_ADMIN_PASSWORD", "POSTGRES_PASSWORD"),
)
REQUIRED = [
    *[("init", name) for name in SECRETS],
    *[(role, name) for role in ("api-server", "scheduler", "dag-processor", "triggerer") for name in SECRETS[:5]],
    ("celery-worker", "S4C_DATABASE_PASSWORD"),
    ("celery-worker", "S4C_REDIS_PASSWORD"),
    ("scheduler", "S4C_REDIS_PASSWORD"),
]

Entry = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    """Runs the entry point with stand-ins for the programs it starts, which print how they were started."""
    venv = tmp_path / "venv" / "bin"
    venv.mkdir(parents=True)
    for name in ("airflow", "s4c", "python"):
        program = venv / name
        program.write_text(f'#!/bin/sh\necho "pid $$ {name} $*"\nenv\n', encoding="utf-8")
        program.chmod(0o755)
    given = {name: f"a-real-secret-{index}" for index, name in enumerate((*SECRETS, "S4C_REDIS_PASSWORD"))}
    given |= {"PATH": os.environ["PATH"], "S4C_VENV": str(venv.parent), "AIRFLOW_HOME": str(tmp_path / "airflow")}

    def run(*arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in {**given, **changes}.items() if value is not None}
        return subprocess.run([str(ENTRYPOINT), *arguments], env=env, capture_output=True, text=True, timeout=20)

    return run


def refused(outcome: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Nothing was started, and one line says why."""
    assert outcome.returncode == 2, outcome
    assert outcome.stdout == ""
    (line,) = outcome.stderr.splitlines()
    for part in ("sen4cap: ", *parts):
        assert part in line


@pytest.mark.parametrize(("role", "name"), REQUIRED)
def test_a_role_does_not_start_without_its_secrets(entry: Entry, role: str, name: str) -> None:
    profiles = "celery" if "REDIS" in name or role == "celery-worker" else ""
    refused(entry(role, S4C_PROFILES=profiles, **{name: None}), name, "missing", "make-secrets.sh")


@pytest.mark.parametrize("value", ["airflow", "postgres", "changeme", "Admin", "PASSWORD", "12345678", " ", "\n"])
def test_a_known_default_is_no_secret(entry: Entry, tmp_path: Path, value: str) -> None:
    refused(entry("api-server", S4C_JWT_SECRET=value), "S4C_JWT_SECRET")
    file = tmp_path / "secret"
    file.write_text(value, encoding="utf-8")
    refused(entry("api-server", S4C_JWT_SECRET=None, S4C_JWT_SECRET_FILE=str(file)), "S4C_JWT_SECRET")


def test_a_secret_file_that_is_absent_is_named(entry: Entry) -> None:
    outcome = entry("scheduler", S4C_FERNET_KEY=None, S4C_FERNET_KEY_FILE="/nowhere/fernet_key")
    refused(outcome, "S4C_FERNET_KEY", "/nowhere/fernet_key", str(os.geteuid()))


def test_a_secret_given_twice_is_refused(entry: Entry) -> None:
    refused(entry("scheduler", S4C_FERNET_KEY_FILE="/nowhere/fernet_key"), "both", "S4C_FERNET_KEY_FILE")


@pytest.mark.parametrize("role", ["", "webserver"])
def test_an_unknown_role_is_answered_with_the_known_ones(entry: Entry, role: str) -> None:
    refused(entry(*([role] if role else [])), "api-server", "celery-worker")


def test_the_process_replaces_the_entry_point_and_gets_addresses(entry: Entry, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("p@ss/w:rd é\n", encoding="utf-8")
    outcome = entry(
        "scheduler",
        AIRFLOW_DATABASE_PASSWORD=None,
        AIRFLOW_DATABASE_PASSWORD_FILE=str(password),
        PYTHONDONTWRITEBYTECODE="1",
    )
    assert outcome.returncode == 0, outcome.stderr
    first, *lines = outcome.stdout.splitlines()
    assert first.endswith("airflow scheduler --skip-serve-logs")
    seen = dict(line.split("=", 1) for line in lines if "=" in line)
    assert seen["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == (
        "postgresql+psycopg2://airflow:p%40ss%2Fw%3Ard%20%C3%A9@postgis:5432/airflow"
    )
    assert (
        seen["S4C_DATABASE_URL"] == seen["AIRFLOW_CONN_S4C_DB"] == "postgresql://s4c:a-real-secret-4@postgis:5432/s4c"
    )
    assert seen["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert seen["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://api-server:8080/execution/"
    assert "AIRFLOW__API__SSL_CERT" not in seen
    assert "PYTHONDONTWRITEBYTECODE" not in seen
    # What is not needed is not handed on.
    assert not {"AIRFLOW_DATABASE_PASSWORD", "AIRFLOW_DATABASE_PASSWORD_FILE", "S4C_DATABASE_PASSWORD"} & seen.keys()


def test_a_celery_worker_gets_no_way_into_the_database_of_airflow(entry: Entry) -> None:
    outcome = entry("celery-worker", S4C_PROFILES="celery")
    assert outcome.returncode == 0, outcome.stderr
    assert "airflow celery worker" in outcome.stdout
    assert "SQL_ALCHEMY_CONN" not in outcome.stdout
    assert "AIRFLOW__CORE__EXECUTOR=CeleryExecutor" in outcome.stdout


def test_a_celery_worker_without_the_setting_says_how_to_switch(entry: Entry) -> None:
    refused(entry("celery-worker"), "COMPOSE_PROFILES=celery")


def test_tls_needs_both_settings(entry: Entry, tmp_path: Path) -> None:
    file = tmp_path / "some.pem"
    file.write_text("-", encoding="utf-8")
    refused(entry("api-server", S4C_TLS_CERT=str(file)), "S4C_TLS_KEY")
    refused(entry("api-server", S4C_TLS_KEY=str(file)), "S4C_TLS_CERT")
    refused(entry("api-server", S4C_TLS_CERT="/nowhere.pem", S4C_TLS_KEY=str(file)), "/nowhere.pem")
    outcome = entry("scheduler", S4C_TLS_CERT=str(file))
    assert "AIRFLOW__CORE__EXECUTION_API_SERVER_URL=https://api-server:8080/execution/" in outcome.stdout
    assert f"AIRFLOW__API__SSL_CERT={file}" in outcome.stdout
    assert f"S4C_AIRFLOW_CA_FILE={file}" in outcome.stdout


def test_the_command_line_needs_no_secret(entry: Entry) -> None:
    outcome = entry("s4c", "run", "l3b", "a b", **dict.fromkeys((*SECRETS, "S4C_REDIS_PASSWORD")))
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.splitlines()[0].endswith("s4c run l3b a b")


def test_secrets_are_private_complete_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    first = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert first.pop(".gitignore").strip() == "*"
    assert len(set(first.values())) == len(first) == 8
    assert all(len(value) >= 24 for value in first.values())
    assert re.fullmatch(r"[\w-]{43}=", first["fernet_key"])
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    (folder / "jwt_secret").unlink()
    make_secrets(folder)
    second = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert second["jwt_secret"] != first["jwt_secret"]
    assert {name: second[name] for name in first if name != "jwt_secret"} == {
        name: value for name, value in first.items() if name != "jwt_secret"
    }


def test_the_first_call_writes_settings_that_fit_the_user(tmp_path: Path) -> None:
    copy = tmp_path / "project"
    (copy / "deploy").mkdir(parents=True)
    for name in ("deploy/make-secrets.sh", ".env.example"):
        (copy / name).write_bytes((REPOSITORY / name).read_bytes())
        (copy / name).chmod(0o755)
    subprocess.run([str(copy / "deploy" / "make-secrets.sh")], check=True, capture_output=True)
    uid = os.geteuid() or 50000
    assert f"S4C_UID={uid}\n" in (copy / ".env").read_text(encoding="utf-8")
    assert {path.stat().st_uid for path in (copy / "secrets").iterdir()} == {uid}


def test_the_dockerfile_does_nothing_but_call_the_scripts() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    runs = [line for line in lines if line.startswith("RUN")]
    assert [run.split()[-1] for run in runs] == ["/opt/sen4cap/deploy/install.sh"]
    assert "latest" not in "".join(lines)
    user = [line for line in lines if line.startswith("USER")]
    assert user == ["USER ${S4C_UID}:${S4C_GID}"]


def test_the_build_context_holds_the_project_and_nothing_private(tmp_path: Path) -> None:
    copy_build_context(tmp_path / "context")
    names = {path.name for path in (tmp_path / "context").iterdir()}
    assert {"pyproject.toml", "uv.lock", "README.md", "dags", "plugins", "s4c_lib", "sql", "deploy"} <= names
    assert not names & {".env", ".git", ".venv", "secrets", ".local", "tests"}


@pytest.mark.parametrize("script", sorted((REPOSITORY / "deploy").glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_executable_and_parse(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
