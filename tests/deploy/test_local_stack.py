"""The whole stack through its command line: up, down, run, and every way to interrupt it."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local_stack import ports, postgres, processes
from deploy.local_stack.postgres import private_postgres

REPOSITORY = Path(__file__).resolve().parents[2]
# What a user's program sees: it asks Airflow for its DAGs over REST, with what `run` gave it.
CLIENT = """
import os, httpx, psycopg2
# the machine is busy with other tests; httpx gives up after five seconds
http = httpx.Client(timeout=60)
url, user, password = (os.environ["S4C_AIRFLOW_" + name] for name in ("URL", "USERNAME", "PASSWORD"))
token = http.post(url + "/auth/token", json={"username": user, "password": password}).json()["access_token"]
answer = http.get(url + "/api/v2/dags", headers={"Authorization": "Bearer " + token})
pools = http.get(url + "/api/v2/pools", headers={"Authorization": "Bearer " + token}).json()["pools"]
psycopg2.connect(os.environ["S4C_DATABASE_URL"]).close()
print(answer.status_code, {pool["name"]: pool["slots"] for pool in pools}["cpu"], flush=True)
"""


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stack(tmp_path, "down")
    processes.kill_leftovers(tmp_path, say=print)
    postgres.remove_cluster(tmp_path, say=print)


def command_line(base: Path, *arguments: str, setup: str = "true") -> list[str]:
    options = ("--base-dir", str(base), "--profile", "test", "--setup", setup)
    return [sys.executable, "-m", "deploy.local_stack", *options, *arguments]


def environment(**extra: str) -> dict[str, str]:
    """Return the user's environment, with free ports so that a running stack is not in the way."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("S4C_", "AIRFLOW"))}
    return {**kept, "S4C_AIRFLOW_PORT": str(ports.any_free()), "S4C_PG_PORT": str(ports.any_free()), **extra}


def stack(base: Path, *arguments: str, setup: str = "true", **extra: str) -> subprocess.CompletedProcess[str]:
    command = command_line(base, *arguments, setup=setup)
    return subprocess.run(command, cwd=REPOSITORY, env=environment(**extra), capture_output=True, text=True)


def begin_run(base: Path, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_line(base, "run", "--", *command),
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
def test_up_is_usable_idempotent_and_down_leaves_nothing(base: Path) -> None:
    with socket.socket() as taken:
        taken.bind((ports.LOCALHOST, 0))
        taken.listen()
        busy = str(taken.getsockname()[1])
        first = stack(base, "up", S4C_AIRFLOW_PORT=busy)
    assert first.returncode == 0, first.stderr
    assert f"port {busy} is taken, Airflow listens on" in first.stderr
    passwords = base / "secrets" / "airflow_passwords.json"
    assert f"password  {json.loads(passwords.read_text())['admin']}\n" in first.stdout
    for private in (passwords, base / "run" / "stack" / "state.json", *(base / "secrets").iterdir()):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600

    again = stack(base, "up")
    assert again.returncode == 0
    assert "already running" in again.stderr
    assert "password  " not in again.stdout

    exports = stack(base, "env").stdout
    client = subprocess.run(
        ["bash", "-c", f'{exports}\nexec "$@"', "bash", sys.executable, "-c", CLIENT], capture_output=True, text=True
    )
    assert client.stdout == "200 2\n", client.stderr

    # `run` uses the running stack and leaves it running.
    used = stack(base, "run", "--", sys.executable, "-c", CLIENT + "raise SystemExit(5)")
    assert (used.stdout, used.returncode) == ("200 2\n", 5), used.stderr
    assert "using the running stack" in used.stderr

    # A service that crashed is started again by itself; the others stay.
    scheduler = processes.find("scheduler", base / "run")
    triggerer = processes.find("triggerer", base / "run")
    assert scheduler is not None
    assert triggerer is not None
    triggerer.kill()
    repaired = stack(base, "up")
    assert "started triggerer:" in repaired.stderr
    assert scheduler.running()

    assert "stopped postgresql, api-server" in stack(base, "down").stderr
    assert processes.leftovers(base) == []
    assert "nothing was running" in stack(base, "down").stderr
    assert "does not run (make up)" in stack(base, "env").stderr


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_and_the_next_one_continues_until_it_is_interrupted(base: Path) -> None:
    killed = begin_run(base, "sh", "-c", "echo busy; exec sleep 1000")
    assert killed.stdout is not None
    assert killed.stdout.readline() == "busy\n"
    refused = stack(base, "up")
    assert refused.returncode == 2
    assert f"process {killed.pid} is starting, stopping or using the stack" in refused.stderr
    killed.kill()
    killed.communicate()

    # At once, while the services of the killed one are still on their way out.
    process = begin_run(base, sys.executable, "-c", CLIENT + "import time; time.sleep(1000)")
    assert process.stdout is not None
    line = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert line == "200 2\n", told
    assert process.returncode == 128 + signal.SIGINT
    assert "interrupted by SIGINT" in told
    assert processes.leftovers(base) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_start_that_is_interrupted_half_way_leaves_nothing(base: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        command_line(base, "up", setup="sleep 1000"),
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    until(lambda: process.stderr is not None and "sleep 1000" in process.stderr.readline())
    process.send_signal(number)
    process.communicate(timeout=60)
    until(lambda: processes.leftovers(base) == [], 30)


def test_a_set_up_command_that_fails_ends_everything_and_is_named(base: Path) -> None:
    failed = stack(base, "up", setup="sh -c 'echo no such table; exit 3'")
    assert failed.returncode == 1
    assert "failed with exit code 3" in failed.stderr.splitlines()[-1]
    assert "no such table" in failed.stderr.splitlines()[-1]
    assert "Traceback" not in failed.stderr
    assert processes.leftovers(base) == []


def test_a_given_server_is_used_and_said(base: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with private_postgres(tmp_path_factory.mktemp("given")) as server:
        url = server.create_database("domain")
        failed = stack(base, "up", setup="sh -c 'echo $S4C_DATABASE_URL; exit 3'", S4C_DATABASE_URL=url)
        assert f"using the PostgreSQL of S4C_DATABASE_URL: {url.replace(server.password, '***')}" in failed.stderr
        assert url in (base / "logs" / "setup.log").read_text()
        assert not (base / "postgres").exists()


def test_a_port_that_is_none_is_refused(base: Path) -> None:
    refused = stack(base, "up", S4C_AIRFLOW_PORT="http")
    assert refused.returncode == 2
    assert refused.stderr == "local stack: S4C_AIRFLOW_PORT=http is no port (a number from 1 to 65535)\n"
