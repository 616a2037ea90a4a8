"""Airflow's four services on this machine: started, checked through the REST API, stopped."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from deploy.local_stack import credentials, ports, processes
from deploy.local_stack.airflow_settings import (
    POOLS,
    USERNAME,
    AirflowPlace,
    AirflowSecrets,
    Profile,
    airflow_environment,
    without_proxy,
)
from deploy.local_stack.databases import AIRFLOW_DATABASE, DatabaseServer, has_table
from deploy.local_stack.errors import ServiceFailedError
from deploy.local_stack.processes import Service, ServiceSpec, child_environment

REPOSITORY = Path(__file__).resolve().parents[2]
HEALTHY_SECONDS = 180.0
MIGRATE_SECONDS = 300.0
# Logs are read from the folder all services share, so no service needs to serve its own.
SERVICES: Mapping[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
_GRACE = {"scheduler": 15.0}
_DEFAULT_GRACE = 8.0


@dataclass(slots=True)
class AirflowServer:
    """One Airflow: where it is, how to talk to it, its services.

    ``settings`` is what a process needs to use it: Airflow's configuration, ``S4C_AIRFLOW_*`` and what was passed on;
    ``env`` is the whole environment of its services: the starter's, with these settings.
    """

    base_dir: Path
    place: AirflowPlace
    password: str = field(repr=False)
    settings: dict[str, str] = field(repr=False)
    env: dict[str, str] = field(repr=False)
    services: dict[str, Service] = field(default_factory=dict)
    username: str = USERNAME

    @property
    def url(self) -> str:
        """Address of the user interface and the REST API."""
        return self.place.url

    def token(self) -> str:
        """Return a bearer token for the REST API."""
        body = {"username": self.username, "password": self.password}
        token: str = self._call("POST", "/auth/token", json=body).json()["access_token"]
        return token

    def get(self, path: str, **params: str | int) -> Any:
        """Return the JSON answer of a REST address, such as ``/api/v2/dags``."""
        return self._call("GET", path, params=params, headers={"Authorization": f"Bearer {self.token()}"}).json()

    def health(self) -> dict[str, Any]:
        """Return what ``/api/v2/monitor/health`` says."""
        answer: dict[str, Any] = self._call("GET", "/api/v2/monitor/health").json()
        return answer

    def migrate(self) -> Service | None:
        """Begin to create or upgrade Airflow's own tables; None when this release did so before."""
        stamp = self._migration_stamp
        done = stamp.exists() and stamp.read_text(encoding="utf-8") == self._release()
        if done and has_table(self.place.metadata_url, "alembic_version"):
            return None
        return processes.start(self._spec("db-migrate", ("db", "migrate")))

    def finish_migration(self, service: Service | None) -> None:
        """Wait for :meth:`migrate`."""
        if service is None:
            return
        try:
            code = service.wait(MIGRATE_SECONDS)
        finally:
            service.stop()
        if code != 0:
            raise ServiceFailedError(f"airflow db migrate: {service.why_it_ended()}")
        credentials.write_private(self._migration_stamp, self._release())

    def start(self, name: str) -> Service:
        """Start one service (again)."""
        service = processes.start(self._spec(name, SERVICES[name]), self.base_dir / "run")
        self.services[name] = service
        return service

    def start_missing(self) -> list[str]:
        """Start all services that do not run; return their names."""
        missing = [name for name in SERVICES if name not in self.services or not self.services[name].running()]
        for name in missing:
            self.start(name)
        return missing

    def wait_until_healthy(self, started: Sequence[str] = tuple(SERVICES), timeout: float = HEALTHY_SECONDS) -> None:
        """Wait until the REST API answers and every component has sent a heartbeat since now.

        A component killed a moment ago counts as healthy for Airflow; hence the look at the time.
        """
        since = datetime.now(UTC)
        end = time.monotonic() + timeout
        waiting_for = "the REST API"
        while time.monotonic() < end:
            self.raise_if_ended()
            try:
                waiting_for = _not_yet(self.health(), since, started)
            except httpx.HTTPError as error:
                waiting_for = f"the REST API ({type(error).__name__})"
            if not waiting_for:
                return
            time.sleep(0.3)
        logs = self.base_dir / "logs"
        raise ServiceFailedError(
            f"Airflow is not healthy after {timeout:.0f} s, missing: {waiting_for}; logs in {logs}"
        )

    def raise_if_ended(self) -> None:
        """Raise when a service has ended by itself."""
        for service in self.services.values():
            if not service.running():
                raise ServiceFailedError(service.why_it_ended())

    def make_pools(self) -> None:
        """Create the pools the DAGs rely on; the size of an existing one stays as the user set it."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        for name, slots in POOLS.items():
            body = {"name": name, "slots": slots, "description": "Sen4CAP", "include_deferred": False}
            self._call("POST", "/api/v2/pools", json=body, headers=headers, accepted=(httpx.codes.CONFLICT,))

    def stop(self) -> None:
        """End all services; the API server last, for tasks report to it."""
        others = [service for name, service in self.services.items() if name != "api-server"]
        processes.stop_all(others)
        if "api-server" in self.services:
            self.services["api-server"].stop()

    @property
    def _migration_stamp(self) -> Path:
        return self.place.home / "migrated"

    def _release(self) -> str:
        # Lazily: importing Airflow's own package costs seconds.
        from importlib.metadata import version

        return f"{version('apache-airflow-core')} {self.place.metadata_url}\n"

    def _spec(self, name: str, arguments: tuple[str, ...]) -> ServiceSpec:
        return ServiceSpec(
            name=name,
            command=(str(Path(sys.executable).with_name("airflow")), *arguments),
            env=self.env,
            cwd=self.place.home,
            log=self.base_dir / "logs" / f"{name}.log",
            grace=_GRACE.get(name, _DEFAULT_GRACE),
        )

    def _call(self, method: str, path: str, accepted: Sequence[int] = (), **options: Any) -> httpx.Response:
        # No proxy and no .netrc: it is this machine.
        with httpx.Client(base_url=self.url, timeout=30.0, trust_env=False) as client:
            answer = client.request(method, path, **options)
        if answer.status_code not in accepted:
            answer.raise_for_status()
        return answer


def define_airflow(
    base_dir: Path,
    postgres: DatabaseServer,
    *,
    dags_folder: Path,
    env: Mapping[str, str],
    profile: Profile,
    port: int | None = None,
    environ: Mapping[str, str] | None = None,
    plugins_folder: Path = REPOSITORY / "plugins",
) -> AirflowServer:
    """Create the folder, keys and database of an Airflow without starting it.

    Parameters
    ----------
    env : further variables for its services and its users, such as ``S4C_DATABASE_URL``.
    port : of the API server; any free one by default.
    """
    environ = os.environ if environ is None else environ
    base_dir = base_dir.resolve()
    keys = base_dir / "secrets"
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    passwords_file = keys / "airflow_passwords.json"
    secrets = AirflowSecrets(
        jwt_secret=credentials.read_or_create(keys / "jwt", credentials.signing_key),
        api_secret_key=credentials.read_or_create(keys / "api", credentials.signing_key),
        fernet_key=credentials.read_or_create(keys / "fernet", credentials.fernet_key),
        password=credentials.login_file(passwords_file, USERNAME),
    )
    place = AirflowPlace(
        home=base_dir / "airflow",
        dags_folder=dags_folder.resolve(),
        plugins_folder=plugins_folder.resolve(),
        logs=base_dir / "logs" / "tasks",
        passwords_file=passwords_file,
        port=ports.any_free() if port is None else port,
        metadata_url=postgres.create_database(AIRFLOW_DATABASE),
    )
    place.home.mkdir(parents=True, exist_ok=True)
    settings = {**without_proxy(environ), **airflow_environment(place, secrets, profile), **env}
    full = child_environment(environ, base_dir) | settings
    return AirflowServer(base_dir, place, secrets.password, settings, full)


@contextmanager
def local_airflow(
    base_dir: Path,
    postgres: DatabaseServer,
    *,
    dags_folder: Path,
    env: Mapping[str, str],
    profile: Profile = "test",
    port: int | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> Iterator[AirflowServer]:
    """Run Airflow while the block runs; it ends with this process, however that ends."""
    server = define_airflow(base_dir, postgres, dags_folder=dags_folder, env=env, profile=profile, port=port)
    try:
        begun = time.monotonic()
        server.finish_migration(server.migrate())
        say(f"Airflow's tables ready after {time.monotonic() - begun:.1f} s")
        begun = time.monotonic()
        server.wait_until_healthy(server.start_missing())
        server.make_pools()
        say(f"Airflow healthy after {time.monotonic() - begun:.1f} s")
        yield server
    finally:
        server.stop()


def _not_yet(health: Mapping[str, Mapping[str, Any]], since: datetime, started: Sequence[str]) -> str:
    """Return the components that are not healthy yet, comma separated; empty when all are."""
    missing = []
    for component in ("scheduler", "triggerer", "dag_processor"):
        state = health.get(component, {})
        heartbeat = state.get(f"latest_{component}_heartbeat")
        fresh = heartbeat is not None and datetime.fromisoformat(heartbeat) >= since
        if state.get("status") != "healthy" or (component.replace("_", "-") in started and not fresh):
            missing.append(component)
    if health.get("metadatabase", {}).get("status") != "healthy":
        missing.append("metadata database")
    return ", ".join(missing)
