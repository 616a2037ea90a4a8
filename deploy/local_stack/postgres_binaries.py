"""Where PostgreSQL with PostGIS is on this machine, and how to install it on Debian and Ubuntu."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local_stack import apt
from deploy.local_stack.errors import PostgresMissingError

OLDEST = 15
DEBIAN_ROOT = Path("/usr/lib/postgresql")
DEBIAN_SHARE = Path("/usr/share/postgresql")
_NO_MAIN_CLUSTER = Path("/etc/postgresql-common/createcluster.d/sen4cap-bootstrap.conf")


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """One PostgreSQL installation that has PostGIS."""

    version: int
    folder: Path

    def program(self, name: str) -> str:
        """Path of one program, such as ``initdb``."""
        return str(self.folder / name)


def find_binaries(root: Path = DEBIAN_ROOT, share: Path = DEBIAN_SHARE, path: str | None = None) -> PostgresBinaries:
    """Return the newest PostgreSQL >= 15 with PostGIS, from Debian's layout or through ``pg_config`` on the path.

    Raises
    ------
    PostgresMissingError : there is none; the message says what was found instead.
    """
    usable: list[PostgresBinaries] = []
    rejected: list[str] = []
    candidates = [(folder / "bin", share / folder.name) for folder in sorted(root.glob("*")) if folder.name.isdigit()]
    for folder, shared in [*candidates, *_from_pg_config(path)]:
        version = _version(folder)
        if version is None:
            continue
        if version < OLDEST:
            rejected.append(f"PostgreSQL {version} is older than {OLDEST}")
        elif not (shared / "extension" / "postgis.control").exists():
            rejected.append(f"PostgreSQL {version} has no PostGIS")
        else:
            usable.append(PostgresBinaries(version, folder))
    if usable:
        return max(usable, key=lambda found: found.version)
    raise PostgresMissingError(
        f"no PostgreSQL {OLDEST} or newer with PostGIS on this machine"
        + (f": {', '.join(sorted(set(rejected)))}" if rejected else ""),
        hint="as root: apt-get install postgresql-NN postgresql-NN-postgis-3 (NN >= 15);"
        " or set S4C_DATABASE_URL to a server that has PostGIS",
    )


def find_or_install(
    environ: Mapping[str, str],
    *,
    say: Callable[[str], None],
    root: Path = DEBIAN_ROOT,
    share: Path = DEBIAN_SHARE,
    privilege: Callable[[str | None], Sequence[str] | None] | None = None,
    cluster_switch: Path = _NO_MAIN_CLUSTER,
) -> PostgresBinaries:
    """Return the PostgreSQL of this machine, installed with apt first when it is missing and apt may be used.

    Parameters
    ----------
    privilege : says what to put before a command to run it as root, None when that is impossible
        (:func:`apt.root_prefix` by default); it is given the search path.
    cluster_switch : file that keeps the package from creating a cluster of its own; there only meanwhile.
    """
    path = environ.get("PATH")
    try:
        return find_binaries(root, share, path)
    except PostgresMissingError as missing:
        prefix = (privilege or apt.root_prefix)(path)
        if prefix is None or shutil.which("apt-get", path=path) is None:
            raise
        say(f"{missing.message}; installing it with apt")
        _install([*prefix], environ, cluster_switch, say)
    return find_binaries(root, share, path)


def choose_package_version(search_output: str) -> int | None:
    """Return the newest version for which ``apt-cache search --names-only`` lists PostGIS 3, at least 15."""
    versions = (int(found) for found in re.findall(r"(?m)^postgresql-(\d+)-postgis-3 ", search_output))
    return max((version for version in versions if version >= OLDEST), default=None)


def _install(prefix: list[str], environ: Mapping[str, str], switch: Path, say: Callable[[str], None]) -> None:
    _done(apt.update(prefix, environ))
    search = subprocess.run(
        ["apt-cache", "search", "--names-only", r"^postgresql-[0-9]+-postgis-3$"],
        env=dict(environ),
        capture_output=True,
        text=True,
        check=True,
    )
    version = choose_package_version(search.stdout)
    if version is None:
        raise PostgresMissingError(
            f"the package lists of this system have no PostgreSQL {OLDEST} or newer with PostGIS",
            hint="add the apt repository of the PostgreSQL project, or set S4C_DATABASE_URL",
        )
    packages = [f"postgresql-{version}", f"postgresql-{version}-postgis-3"]
    say(f"installing {' and '.join(packages)}")
    # The server package creates and starts a cluster "main" on port 5432, which nobody asked for.
    already = switch.exists()
    if not already:
        subprocess.run([*prefix, "mkdir", "-p", str(switch.parent)], check=True)
        subprocess.run(
            [*prefix, "tee", str(switch)],
            input=b"create_main_cluster = false\n",
            stdout=subprocess.DEVNULL,
            check=True,
        )
    try:
        _done(apt.install(prefix, environ, packages))
    finally:
        if not already:
            subprocess.run([*prefix, "rm", "-f", str(switch)], check=True)


def _done(trouble: str | None) -> None:
    if trouble is not None:
        raise PostgresMissingError(trouble, hint="repair apt, or set S4C_DATABASE_URL to a server that has PostGIS")


def _version(folder: Path) -> int | None:
    program = folder / "postgres"
    if not (os.access(program, os.X_OK) and os.access(folder / "initdb", os.X_OK)):
        return None
    told = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    number = re.search(r"(\d+)", told)
    return int(number.group(1)) if number else None


def _from_pg_config(path: str | None) -> list[tuple[Path, Path]]:
    program = shutil.which("pg_config", path=path)
    if program is None:
        return []
    told = subprocess.run([program, "--bindir", "--sharedir"], capture_output=True, text=True)
    lines = told.stdout.split("\n")
    return [(Path(lines[0]), Path(lines[1]))] if told.returncode == 0 and len(lines) >= 2 else []
