"""A private Redis, the broker between Airflow's scheduler and Celery workers; Debian's is installed when missing.

The local stack itself runs its tasks in the scheduler and needs none; what needs several workers does.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local_stack import apt, ports, processes
from deploy.local_stack.credentials import password, write_private
from deploy.local_stack.errors import RedisMissingError, ServiceFailedError
from deploy.local_stack.processes import Service, ServiceSpec, child_environment

NAME = "redis"
PROGRAM = "redis-server"
START_SECONDS = 30.0
# Asked by packages whether they may start their services; there only meanwhile.
_NO_SERVICES = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running server."""

    service: Service
    port: int
    secret: str = field(repr=False)

    def url(self, number: int) -> str:
        """Address of one of its databases, with the password."""
        return f"redis://:{self.secret}@{ports.LOCALHOST}:{self.port}/{number}"


def find_or_install(
    environ: Mapping[str, str],
    *,
    say: Callable[[str], None],
    privilege: Callable[[str | None], Sequence[str] | None] = apt.root_prefix,
    service_switch: Path = _NO_SERVICES,
) -> str:
    """Return the program of this machine, installed with apt first when it is missing and apt may be used.

    Parameters
    ----------
    privilege : says what to put before a command to run it as root, None when that is impossible; it is given the
        search path.
    service_switch : file that keeps the package from starting a server of its own.

    Raises
    ------
    RedisMissingError : it is not there and cannot be installed.
    """
    path = environ.get("PATH")
    found = shutil.which(PROGRAM, path=path)
    if found is not None:
        return found
    prefix = privilege(path)
    if prefix is None or shutil.which("apt-get", path=path) is None:
        raise RedisMissingError(f"no {PROGRAM} on this machine", hint=f"as root: apt-get install {PROGRAM}")
    say(f"no {PROGRAM} on this machine; installing it with apt")
    _install(list(prefix), environ, service_switch)
    found = shutil.which(PROGRAM, path=path)
    if found is None:
        raise RedisMissingError(f"the package {PROGRAM} brought no program of this name", hint="put it on the path")
    return found


@contextmanager
def private_redis(
    base_dir: Path, environ: Mapping[str, str], *, say: Callable[[str], None] = lambda _text: None
) -> Iterator[RedisServer]:
    """Run a server on a free port of this machine while the block runs; it keeps nothing on disk.

    Raises
    ------
    RedisMissingError, ServiceFailedError
    """
    program = find_or_install(environ, say=say)
    folder = base_dir / NAME
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port, secret = ports.any_free(), password()
    # A file: command lines can be read by everybody.
    settings = folder / "redis.conf"
    lines = (f"bind {ports.LOCALHOST}", f"port {port}", f"requirepass {secret}", f"dir {folder}", 'save ""')
    write_private(settings, "\n".join(lines) + "\n")
    spec = ServiceSpec(
        name=NAME,
        command=(program, str(settings)),
        env=child_environment(environ, base_dir),
        cwd=folder,
        log=base_dir / "logs" / f"{NAME}.log",
    )
    server = RedisServer(processes.start(spec), port, secret)
    try:
        _wait_until_it_listens(server)
        yield server
    finally:
        server.service.stop()


def _install(prefix: list[str], environ: Mapping[str, str], switch: Path) -> None:
    hint = "repair apt, or install it yourself"
    if (trouble := apt.update(prefix, environ)) is not None:
        raise RedisMissingError(trouble, hint=hint)
    already = switch.exists()
    if not already:
        forbid = b"#!/bin/sh\nexit 101\n"
        subprocess.run([*prefix, "tee", str(switch)], input=forbid, stdout=subprocess.DEVNULL, check=True)
        subprocess.run([*prefix, "chmod", "755", str(switch)], check=True)
    try:
        trouble = apt.install(prefix, environ, [PROGRAM])
    finally:
        if not already:
            subprocess.run([*prefix, "rm", "-f", str(switch)], check=True)
    if trouble is not None:
        raise RedisMissingError(trouble, hint=hint)


def _wait_until_it_listens(server: RedisServer) -> None:
    end = time.monotonic() + START_SECONDS
    while server.service.running():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            if probe.connect_ex((ports.LOCALHOST, server.port)) == 0:
                return
        if time.monotonic() > end:
            raise ServiceFailedError(f"Redis does not answer after {START_SECONDS:.0f} s{server.service.log_hint()}")
        time.sleep(0.05)
    raise ServiceFailedError(server.service.why_it_ended())
