"""Debian's and Ubuntu's packages: installed where this process may become root without asking for a password."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

# Another apt at work (unattended upgrades on a fresh machine) is waited for.
_APT_GET = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=300")


def root_prefix(path: str | None) -> list[str] | None:
    """How to run a command as root here without being asked for a password; None when that is impossible."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo", path=path) and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo", "-n"]
    return None


def update(prefix: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """Fetch the package lists; return what went wrong, in one line."""
    return _run(prefix, environ, "update")


def install(prefix: Sequence[str], environ: Mapping[str, str], packages: Sequence[str]) -> str | None:
    """Install packages; return what went wrong, in one line."""
    return _run(prefix, environ, "-y", "--no-install-recommends", "install", *packages)


def _run(prefix: Sequence[str], environ: Mapping[str, str], *arguments: str) -> str | None:
    # sudo passes no variables on
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *_APT_GET, *arguments]
    done = subprocess.run(command, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode == 0:
        return None
    last = [line for line in done.stdout.splitlines() if line.strip()][-1:]
    return f"{' '.join(command)} failed with exit code {done.returncode}: {' '.join(last)}"
