"""The stack of one checkout: PostgreSQL and Airflow under ``.local``, started, used and stopped as one."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local_stack import ports, postgres, processes
from deploy.local_stack.airflow import SERVICES, AirflowServer, define_airflow
from deploy.local_stack.airflow_settings import Profile
from deploy.local_stack.credentials import write_private
from deploy.local_stack.databases import DOMAIN_DATABASE, DatabaseServer, GivenServer
from deploy.local_stack.errors import ServiceFailedError, StackBusyError, StackNotRunningError
from deploy.local_stack.interruption import ignore_signals
from deploy.local_stack.processes import Service, ServiceSpec

DEFAULT_AIRFLOW_PORT = 8080
DEFAULT_POSTGRES_PORT = 15432
Say = Callable[[str], None]
# Says which S4C_DATABASE_URL is the private server's own, and not one that the user gave.
OWN_DATABASE = "S4C_LOCAL_DATABASE_URL"


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What the user decides about a stack.

    Parameters
    ----------
    postgres_port : of the private server; None keeps the port it had, 15432 at first.
    setup : commands run when the database is there, before Airflow starts (migrate it, write the manifest).
    """

    repository: Path
    base_dir: Path
    environ: Mapping[str, str] = field(repr=False)
    profile: Profile = "default"
    setup: tuple[tuple[str, ...], ...] = ()
    airflow_port: int = DEFAULT_AIRFLOW_PORT
    postgres_port: int | None = None
    durable: bool = True

    @property
    def run_dir(self) -> Path:
        """Folder of the pid files."""
        return self.base_dir / "run"

    @property
    def state_file(self) -> Path:
        """What a later command needs to know of a running stack (private: it holds the passwords)."""
        return self.run_dir / "stack" / "state.json"


@dataclass(slots=True)
class Stack:
    """A running stack; ``database`` is None when the server was given by ``S4C_DATABASE_URL``."""

    options: StackOptions
    airflow: AirflowServer
    database: postgres.PostgresServer | None
    started: list[str]

    def services(self) -> list[Service]:
        """All services of this stack."""
        return [*self.airflow.services.values(), *([self.database.service] if self.database else [])]

    def raise_if_ended(self) -> None:
        """Raise when a service has ended by itself."""
        for service in self.services():
            if not service.running():
                raise ServiceFailedError(service.why_it_ended())

    def detach(self) -> None:
        """Let the stack run on when this process ends."""
        for service in self.services():
            service.detach()
        _write_state(self, detached=True)

    def stop(self) -> None:
        """End everything."""
        self.airflow.stop()
        if self.database is not None:
            self.database.stop()


@contextmanager
def sole_user(options: StackOptions) -> Iterator[None]:
    """Hold the stack of this folder; another command that starts or stops it is refused meanwhile."""
    options.run_dir.mkdir(parents=True, exist_ok=True)
    with (options.base_dir / "lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise StackBusyError(
                f"process {lock.read().strip() or 'unknown'} is starting, stopping or using the stack of this folder",
                hint="wait for it, or end it",
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def running_services(options: StackOptions) -> dict[str, Service]:
    """Return the services of this folder that run, by name."""
    found = {name: processes.find(name, options.run_dir) for name in (postgres.NAME, *SERVICES)}
    return {name: service for name, service in found.items() if service is not None}


def detached_services(options: StackOptions) -> dict[str, Service]:
    """Return the services ``up`` left running, by name; those of a command that was killed are about to end."""
    return running_services(options) if _read_state(options).get("detached") else {}


def start_stack(options: StackOptions, *, say: Say) -> Stack:
    """Start whatever of the stack does not run, attached to this process, and wait until all of it is healthy."""
    found = detached_services(options)
    if not found:
        stop_stack(options, say=say)
    stack: Stack | None = None
    database: postgres.PostgresServer | None = None
    known = _read_state(options)
    try:
        database, server = _start_database(options, found, known, say)
        domain_url = server.create_database(DOMAIN_DATABASE)
        env = {
            "S4C_DATABASE_URL": domain_url,
            "S4C_MANIFEST_PATH": str(options.base_dir.resolve() / "dag_manifest.json"),
            "AIRFLOW_CONN_S4C_DB": domain_url,
            OWN_DATABASE: domain_url,
        }
        port = _airflow_port(options, found, known, say)
        airflow = define_airflow(
            options.base_dir,
            server,
            dags_folder=options.repository / "dags",
            plugins_folder=options.repository / "plugins",
            env=env,
            profile=options.profile,
            port=port,
            environ=options.environ,
        )
        airflow.services = {name: service for name, service in found.items() if name in SERVICES}
        stack = Stack(options, airflow, database, [] if postgres.NAME in found or not database else [postgres.NAME])
        _write_state(stack, detached=bool(found))
        _start_airflow(stack, say)
    except BaseException:
        ignore_signals()
        if stack is not None:
            stack.stop()
        elif database is not None:
            database.stop()
        processes.kill_leftovers(options.base_dir, say=say)
        raise
    return stack


def stop_stack(options: StackOptions, *, say: Say) -> list[str]:
    """End whatever of the stack runs; return the names of the services that did."""
    found = running_services(options)
    airflow = [service for name, service in found.items() if name in SERVICES and name != "api-server"]
    processes.stop_all(airflow)
    for name in ("api-server", postgres.NAME):
        if name in found:
            found[name].stop()
    processes.kill_leftovers(options.base_dir, say=say)
    return list(found)


def remove_stack(options: StackOptions, *, say: Say) -> None:
    """End the stack and delete its databases, logs, passwords and keys."""
    stop_stack(options, say=say)
    postgres.remove_cluster(options.base_dir, say=say)
    for entry in ("airflow", "logs", "secrets", "run", "postgres", "dag_manifest.json"):
        path = options.base_dir / entry
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def user_environment(options: StackOptions) -> dict[str, str]:
    """Return the variables with which ``s4c`` and ``airflow`` use the running stack.

    Raises
    ------
    StackNotRunningError : it does not run.
    """
    if not running_services(options):
        raise StackNotRunningError(f"the stack in {options.base_dir} does not run", hint="make up")
    variables: dict[str, str] = _read_state(options)["environment"]
    return variables


def run_command(stack: Stack | None, options: StackOptions, command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a command on this terminal; return its exit code. It ends with this process or when a service fails."""
    spec = ServiceSpec(
        name=Path(command[0]).name,
        command=tuple(command),
        env=env,
        cwd=Path.cwd(),
        foreground=True,
    )
    service = processes.start(spec)
    try:
        while service.running():
            if stack is not None:
                stack.raise_if_ended()
            time.sleep(0.2)
        code = service.wait()
    finally:
        service.stop()
    return 1 if code is None else code


def shell_exports(variables: Mapping[str, str], repository: Path) -> str:
    """Return ``export`` lines for a POSIX shell."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    return "\n".join([*lines, f'export PATH={shlex.quote(str(repository / ".venv" / "bin"))}:"$PATH"'])


def _start_database(
    options: StackOptions, found: Mapping[str, Service], known: Mapping[str, Any], say: Say
) -> tuple[postgres.PostgresServer | None, DatabaseServer]:
    given = options.environ.get("S4C_DATABASE_URL")
    if given and given == options.environ.get(OWN_DATABASE):
        given = None  # a shell with the lines of `make env`: the address is of this stack's own server
    if given:
        server = GivenServer(given, options.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"))
        server.check()
        say(f"using the PostgreSQL of S4C_DATABASE_URL: {server.shown}")
        return None, server
    known_port: int = known.get("postgres_port") or DEFAULT_POSTGRES_PORT
    if postgres.NAME in found:
        private = postgres.attach_postgres(found[postgres.NAME], options.base_dir, known_port)
        return private, private
    port = options.postgres_port or known_port
    begun = time.monotonic()
    private = postgres.start_postgres(
        options.base_dir, durable=options.durable, port=port, environ=options.environ, say=say
    )
    say(f"PostgreSQL {private.version} on port {private.port} ({time.monotonic() - begun:.1f} s)")
    return private, private


def _airflow_port(options: StackOptions, found: dict[str, Service], known: Mapping[str, Any], say: Say) -> int:
    """Return the port of the API server; end running services that would talk to another one."""
    port = known.get("airflow_port")
    api_runs = "api-server" in found
    if isinstance(port, int) and any(name in found for name in SERVICES) and (api_runs or ports.is_free(port)):
        return port
    stranded = [found.pop(name) for name in SERVICES if name in found]
    processes.stop_all(stranded)
    chosen = ports.next_free(options.airflow_port)
    if chosen != options.airflow_port:
        say(f"port {options.airflow_port} is taken, Airflow listens on {chosen} (S4C_AIRFLOW_PORT chooses another)")
    return chosen


def _start_airflow(stack: Stack, say: Say) -> None:
    airflow = stack.airflow
    begun = time.monotonic()
    migration = airflow.migrate()
    try:
        _set_up(stack.options, airflow.env, say)
    except BaseException:
        if migration is not None:
            migration.stop()
        raise
    airflow.finish_migration(migration)
    say(f"databases ready ({time.monotonic() - begun:.1f} s)")
    begun = time.monotonic()
    started = airflow.start_missing()
    stack.started += started
    airflow.wait_until_healthy(started)
    airflow.make_pools()
    say(f"Airflow healthy on {airflow.url} ({time.monotonic() - begun:.1f} s)")


def _set_up(options: StackOptions, env: Mapping[str, str], say: Say) -> None:
    log = options.base_dir / "logs" / "setup.log"
    for command in options.setup:
        shown = " ".join([Path(command[0]).name, *command[1:]])
        say(shown)
        code = processes.run(ServiceSpec(name=shown, command=command, env=env, cwd=options.repository, log=log))
        if code != 0:
            told = " | ".join(processes.last_lines(log, 3))
            raise ServiceFailedError(f"{shown} failed with exit code {code}; log {log}, last lines: {told}")


def _write_state(stack: Stack, *, detached: bool) -> None:
    state = {
        "detached": detached,
        "airflow_port": stack.airflow.place.port,
        "postgres_port": stack.database.port if stack.database else None,
        "environment": stack.airflow.settings,
    }
    write_private(stack.options.state_file, json.dumps(state, indent=1) + "\n")


def _read_state(options: StackOptions) -> dict[str, Any]:
    path = options.state_file
    if not path.exists():
        return {}
    state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return state
