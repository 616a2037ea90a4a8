"""Runs the services of docker-compose.yml as plain processes: their own commands, variables, secrets, health checks.

What a container engine would do is done here by hand: interpolation, the user, secret files, and host names and ports,
which all become 127.0.0.1 with free ports.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.local_stack import processes
from deploy.local_stack.processes import Service, ServiceSpec

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE_FILE = REPOSITORY / "docker-compose.yml"
HEALTHY_SECONDS = 120.0

_EXPRESSION = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<operator>:[-+?])(?P<word>[^}]*))?\})")


class MissingSettingError(ValueError):
    """The compose file asks for a setting that has no value."""


def interpolate(value: Any, settings: Mapping[str, str]) -> Any:
    """Replace ``${NAME}``, ``${NAME:-default}``, ``${NAME:+value}``, ``${NAME:?message}`` and ``$$``."""

    def replacement(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        setting = settings.get(found["name"], "")
        match found["operator"]:
            case ":-":
                return setting or found["word"]
            case ":+":
                return found["word"] if setting else ""
            case ":?" if not setting:
                raise MissingSettingError(f"{found['name']}: {found['word']}")
        return setting

    if isinstance(value, str):
        return _EXPRESSION.sub(replacement, value)
    if isinstance(value, dict):
        return {key: interpolate(item, settings) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, settings) for item in value]
    return value


def load(settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the compose file with anchors and settings resolved."""
    document: dict[str, Any] = interpolate(yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8")), settings)
    return document


def image_entrypoint() -> list[str]:
    """The ENTRYPOINT of the Dockerfile."""
    (line,) = re.findall(r"^ENTRYPOINT (.*)$", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    entrypoint: list[str] = json.loads(line)
    return entrypoint


@dataclass(frozen=True, slots=True)
class Host:
    """What stands for the image and its mounts.

    Parameters
    ----------
    uid, gid : numbers of the unprivileged user, or None to stay the (unprivileged) user of the tests.
    root : folder of an installed image, or None for the checkout of the tests.
    paths : replacements of the image's paths; empty inside an installed image.
    """

    uid: int | None
    gid: int | None
    root: Path | None
    paths: Mapping[str, str]
    extra: Mapping[str, str] = field(default_factory=dict)

    def as_user(self, command: Sequence[str]) -> tuple[str, ...]:
        """Return the command line that runs a command as the unprivileged user."""
        owner = f"{self.uid}:{self.gid}"
        if self.root is not None:
            # The mount ends with the process: it has a mount namespace of its own.
            enter = 'mount -t proc proc "$0/proc" && exec /usr/sbin/chroot "$@"'
            chroot = (f"--userspec={owner}", str(self.root), *command)
            return ("unshare", "--mount", "sh", "-c", enter, str(self.root), *chroot)
        if self.uid is None:
            return tuple(command)
        # env: what setpriv itself starts, it still finds with the rights of root.
        return ("setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--", "env", *command)

    def here(self, text: str) -> str:
        """Replace the image's paths in a text."""
        for inside, outside in self.paths.items():
            text = text.replace(inside, outside)
        return text

    def outside(self, path: str) -> Path:
        """Return where a folder of the container really is."""
        return Path(self.here(path)) if self.root is None else self.root / path.lstrip("/")

    def own(self, folder: Path) -> None:
        """Give a folder and what is in it to the unprivileged user."""
        if self.uid is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self.uid, self.gid or self.uid)


@dataclass(slots=True)
class ComposeStack:
    """The services of one ``docker compose up``."""

    host: Host
    settings: Mapping[str, str]
    overrides: Mapping[str, str]
    base_dir: Path
    running: dict[str, Service] = field(default_factory=dict)

    @property
    def services(self) -> dict[str, Any]:
        """The services of the compose file."""
        services: dict[str, Any] = load(self.settings)["services"]
        return services

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables of a container, and no others."""
        given = {key: self.host.here(str(value)) for key, value in self.services[name]["environment"].items()}
        system = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        return {**system, **given, **self.host.extra, **self.overrides, processes.TAG: str(self.base_dir)}

    def command(self, name: str) -> tuple[str, ...]:
        """Return the command line of a service."""
        service = self.services[name]
        entrypoint = service.get("entrypoint") or (image_entrypoint() if "build" in service else [])
        return tuple(self.host.here(word) for word in [*entrypoint, *service["command"]])

    def run(self, name: str, timeout: float = 180.0) -> subprocess.CompletedProcess[str]:
        """Run a service that ends by itself."""
        return self._call(self.command(name), name, timeout)

    def start(self, name: str) -> None:
        """Start a service that stays."""
        spec = ServiceSpec(
            name=name,
            command=self.host.as_user(self.command(name)),
            env=self.environment(name),
            cwd=Path("/"),
            log=self.base_dir / "logs" / f"{name}.log",
            grace=20.0,
        )
        self.running[name] = processes.start(spec)

    def health(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run the health check of a service."""
        kind, *words = self.services[name]["healthcheck"]["test"]
        command = ["/bin/sh", "-c", *words] if kind == "CMD-SHELL" else words
        return self._call([self.host.here(word) for word in command], name, 30.0)

    def wait_until_healthy(self, names: Sequence[str]) -> dict[str, float]:
        """Wait for the health checks to pass; return the seconds each took."""
        begun, took = time.monotonic(), {}
        while len(took) < len(names):
            for name in names:
                if name in took:
                    continue
                if not self.running[name].running():
                    raise AssertionError(f"{name} ended: {self.log(name)}")
                checked = self.health(name)
                if checked.returncode == 0:
                    took[name] = time.monotonic() - begun
                elif time.monotonic() - begun > HEALTHY_SECONDS:
                    raise AssertionError(f"{name}: {checked.stderr} {self.log(name)}")
            time.sleep(0.5)
        return took

    def log(self, name: str) -> str:
        """Return the end of what a service wrote."""
        return (self.base_dir / "logs" / f"{name}.log").read_text(encoding="utf-8", errors="replace")[-4000:]

    def stop(self) -> None:
        """End all services."""
        processes.stop_all(list(self.running.values()))
        self.running.clear()

    def _call(self, command: Sequence[str], name: str, timeout: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.host.as_user(command),
            env=self.environment(name),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )


@contextmanager
def stopped_at_the_end(stack: ComposeStack) -> Iterator[ComposeStack]:
    """Stop whatever the block has started."""
    (stack.base_dir / "logs").mkdir(parents=True, exist_ok=True)
    try:
        yield stack
    finally:
        stack.stop()


PROOF_DAG = '''
"""Says as whom a task runs and whether it may enter Airflow's database."""
from airflow.sdk import dag, task


@dag(schedule=None, is_paused_upon_creation=False)
def proof():
    @task
    def who():
        import os

        print("a line for the log")
        return {"uid": os.getuid(), "bytecode": not __import__("sys").dont_write_bytecode}

    who()


proof()
'''


def run_proof_dag(client: httpx.Client, password: str, seconds: float = 90.0) -> tuple[dict[str, Any], str]:
    """Log in, run the DAG of :data:`PROOF_DAG`; return what its task returned and logged."""
    answer = client.post("/auth/token", json={"username": "admin", "password": password})
    assert answer.status_code == httpx.codes.CREATED, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    dag = "/api/v2/dags/proof"
    _wait(lambda: client.get(dag).status_code == httpx.codes.OK, seconds, "the DAG does not appear")
    run = client.post(f"{dag}/dagRuns", json={"logical_date": None})
    assert run.status_code == httpx.codes.OK, run.text
    run_url = f"{dag}/dagRuns/{run.json()['dag_run_id']}"
    _wait(lambda: client.get(run_url).json()["state"] in ("success", "failed"), seconds, "the run does not end")
    logs = client.get(f"{run_url}/taskInstances/who/logs/1").text
    assert client.get(run_url).json()["state"] == "success", logs
    result = client.get(f"{run_url}/taskInstances/who/xcomEntries/return_value").json()["value"]
    return (json.loads(result) if isinstance(result, str) else result), logs


def _wait(condition: Callable[[], bool], seconds: float, complaint: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, complaint
        time.sleep(0.5)


def write_proof_dag(folder: Path) -> None:
    """Write the DAG into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "proof.py").write_text(PROOF_DAG, encoding="utf-8")


def make_secrets(folder: Path) -> None:
    """Write the secrets with the script that operators use."""
    script = REPOSITORY / "deploy" / "make-secrets.sh"
    subprocess.run([str(script), str(folder)], check=True, capture_output=True, env={"PATH": os.environ["PATH"]})


def copy_build_context(target: Path) -> None:
    """Copy what ``COPY .`` of the Dockerfile copies: the names .dockerignore lets through."""
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    target.mkdir(parents=True)
    for name in (line[1:] for line in lines if line.startswith("!")):
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "*.pyo"))
        else:
            shutil.copy(source, target / name)
