"""Machines with a Celery worker each, as processes of this one; one can be switched off as a power cut would."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local_stack import processes
from deploy.local_stack.airflow import AirflowServer
from deploy.local_stack.processes import Service, ServiceSpec, child_environment
from deploy.local_stack.redis_server import private_redis
from tests.end_to_end.running_stack import Stack, until

NAMES = ("north", "south")
# A lost machine is noticed in seconds; docker-compose.yml has what is right for real use.
SHORT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "1000",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
}
# What a worker has no use for, and docker-compose.yml does not give it either.
CONTROL_PLANE_ONLY = (
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__CORE__FERNET_KEY",
)


@dataclass(frozen=True)
class Machine:
    """A worker and all it starts; ``name`` is what Airflow knows it by."""

    name: str
    folder: Path
    worker: Service

    def log(self) -> str:
        return (self.folder / "worker.log").read_text(encoding="utf-8", errors="replace")

    def processes(self) -> list[int]:
        """All that runs on it."""
        return processes.leftovers(self.folder)

    def lose_power(self) -> None:
        """End everything on it at once, without a word to anybody."""
        while pids := self.processes():
            processes.kill(pids)


@contextmanager
def several_machines(stack: Stack) -> Iterator[tuple[Machine, ...]]:
    """Let the scheduler of the running stack send its tasks to the workers of two machines; then to none again.

    Raises
    ------
    RedisMissingError : the broker is not there and cannot be installed.
    """
    airflow = stack.airflow
    with ExitStack() as running:
        redis = running.enter_context(private_redis(stack.folder, os.environ, say=print))
        celery = {
            **SHORT,
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": redis.url(0),
            "AIRFLOW__CELERY__RESULT_BACKEND": redis.url(1),
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
        }
        machines = tuple(_start(stack.folder / "machines" / name, name, {**airflow.env, **celery}) for name in NAMES)
        for machine in machines:
            running.callback(machine.worker.stop)
        running.enter_context(_scheduler_with(airflow, celery))
        for machine in machines:
            until(lambda machine=machine: " ready." in machine.log(), f"the worker of {machine.name} is ready", 90)
        yield machines


def _start(folder: Path, name: str, env: Mapping[str, str]) -> Machine:
    folder.mkdir(parents=True)
    airflow = str(Path(sys.executable).with_name("airflow"))
    own = {key: value for key, value in env.items() if key not in CONTROL_PLANE_ONLY} | {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "machine_name.of_this_worker",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(Path(__file__).parent), env.get("PYTHONPATH")))),
        "S4C_TEST_MACHINE": name,
    }
    spec = ServiceSpec(
        name=f"worker of {name}",
        # as deploy/entrypoint.sh starts it; two on one machine need a name each
        command=(
            airflow,
            "celery",
            "worker",
            "--skip-serve-logs",
            "--celery-hostname",
            name,
        ),
        env=child_environment(own, folder),
        cwd=folder,
        log=folder / "worker.log",
        grace=20.0,
    )
    return Machine(name, folder, processes.start(spec))


@contextmanager
def _scheduler_with(airflow: AirflowServer, settings: Mapping[str, str]) -> Iterator[None]:
    """The scheduler, started again with other settings; at the end with its own."""
    before = dict(airflow.env)

    def start_again() -> None:
        airflow.services["scheduler"].stop()
        airflow.start("scheduler")
        airflow.wait_until_healthy(["scheduler"])

    airflow.env |= settings
    try:
        start_again()
        yield
    finally:
        airflow.env = before
        start_again()
