"""A private PostgreSQL with PostGIS: its own cluster, port and password, on 127.0.0.1 only.

PostgreSQL refuses to run as root; then the cluster belongs to the account ``postgres``, and lies under ``/var/tmp``
when that account cannot reach the folder asked for (a checkout under ``/root``, a test's private folder).
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local_stack import ports, processes
from deploy.local_stack.credentials import password, read_or_create
from deploy.local_stack.databases import create_database, database_url, why_unreachable
from deploy.local_stack.errors import ServiceFailedError
from deploy.local_stack.postgres_binaries import PostgresBinaries, find_or_install
from deploy.local_stack.processes import Service, ServiceSpec, child_environment

ACCOUNT_INSTEAD_OF_ROOT = "postgres"
USER = "s4c"
NAME = "postgresql"
START_SECONDS = 60.0
_ATTEMPTS = 3
# Nothing of these survives a power failure; nothing of a test needs to.
_NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(slots=True)
class PostgresServer:
    """A running private server; the user ``s4c`` owns it."""

    service: Service
    port: int
    password: str = field(repr=False)
    data: Path
    version: int

    def url_for(self, database: str) -> str:
        """Return ``postgresql://user:password@127.0.0.1:port/database``."""
        return database_url(USER, self.password, ports.LOCALHOST, self.port, database)

    def create_database(self, name: str) -> str:
        """Create a database unless it exists; return its URL."""
        create_database(self.url_for("postgres"), name)
        return self.url_for(name)

    def stop(self) -> None:
        """End the server; of a server that is not durable the data goes too."""
        self.service.stop()


@contextmanager
def private_postgres(
    base_dir: Path,
    *,
    durable: bool = False,
    port: int | None = None,
    environ: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> Iterator[PostgresServer]:
    """Run a private server while the block runs; it ends with this process, however that ends.

    Parameters
    ----------
    base_dir : holds the cluster, the log and the pid file.
    durable : keep the data for the next time and write it safely; otherwise it is fast and deleted at the end.
    port : preferred port, any free one by default.
    """
    server = start_postgres(base_dir, durable=durable, port=port, environ=environ, say=say)
    try:
        yield server
    finally:
        server.stop()


def start_postgres(
    base_dir: Path,
    *,
    durable: bool,
    port: int | None = None,
    environ: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> PostgresServer:
    """Start the cluster of a folder, made when it is absent, and wait until it answers."""
    environ = os.environ if environ is None else environ
    binaries = find_or_install(environ, say=say)
    account = _account()
    cluster = cluster_folder(base_dir, account)
    data = cluster / "data"
    log = base_dir / "logs" / "postgresql.log"
    _make_cluster_folder(cluster)
    _check_owner(data, account)
    _end_leftovers(data, say)
    if not durable and data.exists():
        shutil.rmtree(data)
    secret = read_or_create(cluster / "password", password)
    env = child_environment(environ, base_dir)
    if not data.exists():
        _initialise(binaries, cluster, secret, durable=durable, account=account, env=env, log=log)
    _refuse_other_version(data, binaries)

    for attempt in range(_ATTEMPTS):
        chosen = ports.any_free() if port is None or attempt else ports.next_free(port)
        if port is not None and chosen != port:
            say(f"port {port} is taken, PostgreSQL listens on {chosen}")
        settings = [f"port={chosen}", f"listen_addresses={ports.LOCALHOST}", "unix_socket_directories=", "jit=off"]
        settings += [] if durable else _NOT_DURABLE
        spec = ServiceSpec(
            name=NAME,
            command=(binaries.program("postgres"), "-D", str(data), *(x for item in settings for x in ("-c", item))),
            env=env,
            cwd=cluster,
            log=log,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
            death_signal=signal.SIGQUIT,  # "immediate"; SIGKILL would leave its helpers to notice by themselves
            grace=30.0,
            user=account,
            remove=None if durable else cluster,
        )
        service = processes.start(spec, base_dir / "run")
        server = PostgresServer(service, chosen, secret, data, binaries.version)
        try:
            if _answers(server):
                return server
        except BaseException:
            service.stop()
            raise
        taken_meanwhile = not ports.is_free(chosen)
        if not taken_meanwhile or attempt == _ATTEMPTS - 1:
            break
    raise ServiceFailedError(service.why_it_ended())


def attach_postgres(service: Service, base_dir: Path, port: int) -> PostgresServer:
    """Return the server another command started."""
    cluster = cluster_folder(base_dir, _account())
    version = int((cluster / "data" / "PG_VERSION").read_text(encoding="ascii"))
    secret = (cluster / "password").read_text(encoding="utf-8").strip()
    return PostgresServer(service, port, secret, cluster / "data", version)


def remove_cluster(base_dir: Path, *, say: Callable[[str], None]) -> None:
    """End and delete the cluster of a folder."""
    cluster = cluster_folder(base_dir, _account())
    _end_leftovers(cluster / "data", say)
    if cluster.exists():
        shutil.rmtree(cluster)


def cluster_folder(base_dir: Path, account: str | None) -> Path:
    """Where the cluster of a folder lies: in it, or under ``/var/tmp`` when the account cannot reach it."""
    base = base_dir.resolve()
    if account is None or _may_enter(base, account):
        return base / "postgres"
    key = hashlib.sha256(str(base).encode()).hexdigest()[:16]
    return Path("/var/tmp") / f"sen4cap-{key}"


def _account() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(ACCOUNT_INSTEAD_OF_ROOT)
    except KeyError as error:
        raise ServiceFailedError(
            f"PostgreSQL does not run as root and there is no account {ACCOUNT_INSTEAD_OF_ROOT}",
            hint=f"create it (useradd --system {ACCOUNT_INSTEAD_OF_ROOT}) or call make as another user",
        ) from error
    return ACCOUNT_INSTEAD_OF_ROOT


def _may_enter(folder: Path, account: str) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    entry = pwd.getpwnam(account)
    asked = subprocess.run(
        ["/bin/sh", "-c", 'cd -- "$1" 2>/dev/null', "sh", str(folder)],
        cwd="/",
        user=entry.pw_uid,
        group=entry.pw_gid,
        extra_groups=os.getgrouplist(entry.pw_name, entry.pw_gid),
    )
    return asked.returncode == 0


def _make_cluster_folder(cluster: Path) -> None:
    cluster.mkdir(mode=0o711, parents=True, exist_ok=True)
    found = cluster.lstat()
    # Under /var/tmp anybody could have put something else there before.
    if cluster.is_symlink() or found.st_uid != os.geteuid():
        raise ServiceFailedError(
            f"{cluster} belongs to another user", hint="start as that user, or delete it as root (its data is lost)"
        )
    cluster.chmod(0o711)


def _check_owner(data: Path, account: str | None) -> None:
    wanted = os.geteuid() if account is None else pwd.getpwnam(account).pw_uid
    if data.exists() and data.stat().st_uid != wanted:
        raise ServiceFailedError(
            f"the database in {data} belongs to another user",
            hint="start as the user who made it, or delete it with make clean (its data is lost)",
        )


def _initialise(
    binaries: PostgresBinaries,
    cluster: Path,
    secret: str,
    *,
    durable: bool,
    account: str | None,
    env: Mapping[str, str],
    log: Path,
) -> None:
    draft = cluster / "initialising"
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    password_file = cluster / "initial_password"
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(secret + "\n", encoding="utf-8")
    if account is not None:
        for path in (draft, password_file):
            shutil.chown(path, account, pwd.getpwnam(account).pw_gid)
    spec = ServiceSpec(
        name="initdb",
        command=(
            *(binaries.program("initdb"), "-D", str(draft), "-U", USER, "--pwfile", str(password_file)),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", *(() if durable else ("--no-sync",))),
        ),
        env=env,
        cwd=cluster,
        log=log,
        user=account,
    )
    code = processes.run(spec)
    password_file.unlink()
    if code != 0:
        told = " | ".join(processes.last_lines(log, 3))
        raise ServiceFailedError(f"initdb failed with exit code {code}; log {log}, last lines: {told}")
    draft.replace(cluster / "data")


def _refuse_other_version(data: Path, binaries: PostgresBinaries) -> None:
    made_by = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if made_by != str(binaries.version):
        raise ServiceFailedError(
            f"the database in {data} was made by PostgreSQL {made_by}, this machine has {binaries.version}",
            hint=f"install PostgreSQL {made_by}, or start anew with make clean (the local data is lost)",
        )


def _end_leftovers(data: Path, say: Callable[[str], None]) -> None:
    """End servers a killed stack left on this data; forget the pid file of a dead one.

    PostgreSQL takes any living process under that number for a running server.
    """
    end = time.monotonic() + 30.0
    number = signal.SIGINT
    while pids := processes.processes_in(data):
        if number == signal.SIGINT:
            say("ending a PostgreSQL an earlier start left behind")
        processes.kill(pids, number)
        number = signal.SIGQUIT
        if time.monotonic() > end:
            raise ServiceFailedError(f"PostgreSQL processes do not leave {data}: {pids}")
        time.sleep(0.2)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _answers(server: PostgresServer) -> bool:
    end = time.monotonic() + START_SECONDS
    url = server.url_for("postgres")
    while server.service.running():
        reason = why_unreachable(url)
        if reason is None:
            return True
        if time.monotonic() > end:
            raise ServiceFailedError(
                f"PostgreSQL does not answer after {START_SECONDS:.0f} s: {reason}{server.service.log_hint()}"
            )
        time.sleep(0.1)
    return False
