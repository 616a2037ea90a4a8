"""An unprivileged user, a database server and an installed image, for the tests of the production files."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg2
import pytest
from compose_services import REPOSITORY, Host, copy_build_context, make_secrets
from psycopg2 import sql

from deploy.local_stack.postgres import private_postgres
from deploy.local_stack.postgres_binaries import find_or_install

IMAGE_UID = 50321
# What a machine needs to reach package registries, and a container build gets from its engine.
NETWORK_VARIABLES = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_HTTP_TIMEOUT"),
)
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True)
class DatabaseServer:
    """Stands for the service `postgis`."""

    port: int
    binaries: Path
    secrets: Path

    def mount_secrets(self, host: Host) -> None:
        """Put the secrets where the containers have them."""
        folder = host.outside("/run/secrets")
        shutil.copytree(self.secrets, folder, dirs_exist_ok=True)
        host.own(folder)

    @property
    def overrides(self) -> dict[str, str]:
        """Where the services find it instead of under its name."""
        return {"S4C_DATABASE_HOST": "127.0.0.1", "S4C_DATABASE_PORT": str(self.port)}

    def password(self, name: str) -> str:
        """One of the secrets."""
        return (self.secrets / name).read_text(encoding="utf-8").strip()


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that an unprivileged user can reach; pytest's own ones are private to root."""
    folder = Path(tempfile.mkdtemp(prefix="sen4cap-compose-", dir="/var/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def service_host(request: pytest.FixtureRequest, open_folder: Path) -> Host:
    """Where services run as a user who is not root: in an installed image, else on the virtual environment."""
    if os.geteuid() == 0 and why_no_chroot() == "":
        image: Image = request.getfixturevalue("image")
        return image.host
    inside = ("/var/lib/sen4cap", "/run/secrets", "/run/tls")
    paths = {path: str(open_folder / path.lstrip("/")) for path in inside} | {"/opt/sen4cap": str(REPOSITORY)}
    uid = gid = None
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        uid, gid = nobody.pw_uid, nobody.pw_gid
    host = Host(uid, gid, None, paths, {"S4C_VENV": sys.prefix})
    for path in inside:
        host.outside(path).mkdir(parents=True)
        host.own(host.outside(path))
    probe = host.as_user([str(Path(sys.prefix) / "bin" / "python"), "-c", "import sqlalchemy, s4c_lib"])
    asked = subprocess.run(probe, cwd="/", capture_output=True, text=True)
    if asked.returncode != 0:
        pytest.skip(f"{why_no_chroot()}, and user {uid} cannot use {sys.prefix}: {asked.stderr[-300:].strip()}")
    return host


@pytest.fixture(scope="session")
def secrets_folder(open_folder: Path) -> Path:
    """Secrets of `deploy/make-secrets.sh`; one needs escaping in a URL, as a user's own might."""
    folder = open_folder / "made_secrets"
    make_secrets(folder)
    (folder / "s4c_database_password").write_text("p@ss/w:rd %23 é", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def database_server(open_folder: Path, secrets_folder: Path) -> Iterator[DatabaseServer]:
    """A fresh PostGIS server with the one role the image postgis/postgis makes: the superuser postgres."""
    binaries = find_or_install(os.environ, say=print).folder
    with private_postgres(open_folder / "postgres") as server:
        result = DatabaseServer(server.port, binaries, secrets_folder)
        password = result.password("postgres_password")
        with closing(psycopg2.connect(server.url_for("postgres"))) as connection, connection:
            statement = sql.SQL("CREATE ROLE postgres SUPERUSER LOGIN PASSWORD {}").format(sql.Literal(password))
            connection.cursor().execute(statement)
        # The cluster's first role would stand in the way of ours of the same name.
        where = {"host": "127.0.0.1", "port": server.port, "user": "postgres", "password": password}
        with closing(psycopg2.connect(dbname="postgres", **where)) as connection, connection:
            connection.cursor().execute("ALTER ROLE s4c RENAME TO cluster_owner")
        yield result


@dataclass(frozen=True)
class Image:
    """What `docker build` would make, as a folder to chroot into."""

    root: Path
    seconds: float
    output: str

    @property
    def host(self) -> Host:
        """Runs commands in it as the user of the image."""
        return Host(IMAGE_UID, IMAGE_UID, self.root, {})

    def install(self) -> subprocess.CompletedProcess[str]:
        """Run deploy/install.sh in it, as the Dockerfile does."""
        env = {name: os.environ[name] for name in NETWORK_VARIABLES if name in os.environ}
        env |= dict.fromkeys((name for name in CERTIFICATE_VARIABLES if name in os.environ), "/etc/ssl/build-ca.crt")
        env |= {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "S4C_UID": str(IMAGE_UID), "S4C_GID": str(IMAGE_UID)}
        command = ["chroot", str(self.root), "/opt/sen4cap/deploy/install.sh"]
        return subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, timeout=400)


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """Debian bookworm from debootstrap, the build context, and deploy/install.sh; about two minutes."""
    if reason := why_no_chroot():
        pytest.skip(reason)
    root = Path(tempfile.mkdtemp(prefix="sen4cap-image-", dir="/var/tmp"))
    root.chmod(0o755)
    try:
        begun = time.monotonic()
        # Redis stands for the service of that name; the image itself needs only what install.sh brings.
        bootstrap = [
            "debootstrap",
            "--variant=minbase",
            "--include=redis-server,ca-certificates",
            "bookworm",
            str(root),
        ]
        made = subprocess.run(bootstrap, capture_output=True, text=True, timeout=400)
        if made.returncode != 0:
            pytest.skip(f"debootstrap cannot make a Debian here: {made.stdout[-300:]}")
        _lend_network(root)
        _lend_packages(root)
        copy_build_context(root / "opt" / "sen4cap")
        bare = Image(root, 0.0, "")
        installed = bare.install()
        output = installed.stdout + installed.stderr
        if installed.returncode != 0 and "Failed to fetch" in output:
            pytest.skip(f"no package registry from here: {output[-300:]}")
        assert installed.returncode == 0, output[-3000:]
        yield Image(root, time.monotonic() - begun, output)
    finally:
        shutil.rmtree(root)


@cache
def why_no_chroot() -> str:
    """Why this machine cannot make an image; empty when it can. Installs debootstrap where that is possible."""
    if os.geteuid() != 0:
        return "only root can make a chroot"
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        return f"no mount namespaces here: {probe.stderr.strip()}"
    if shutil.which("debootstrap") is None:
        install = ["apt-get", "install", "--yes", "--no-install-recommends", "debootstrap"]
        if shutil.which("apt-get") is None or subprocess.run(install, capture_output=True).returncode != 0:
            return "no debootstrap, and apt-get cannot install it"
    return ""


def _lend_packages(root: Path) -> None:
    """Give the chroot what uv has fetched for this machine already, as links: the same files, fetched once."""
    cache = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")
    if not cache.is_dir():
        return
    target = root / "root" / ".cache" / "uv"
    target.parent.mkdir(parents=True, exist_ok=True)
    linked = subprocess.run(["cp", "--archive", "--link", str(cache), str(target)], capture_output=True)
    if linked.returncode != 0:  # on another disk: it is fetched again
        shutil.rmtree(target, ignore_errors=True)


def _lend_network(root: Path) -> None:
    """Give the chroot the name server and certificate authorities of this machine."""
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    for name in CERTIFICATE_VARIABLES:
        if os.environ.get(name):
            shutil.copy(os.environ[name], root / "etc" / "ssl" / "build-ca.crt")
    # Semaphores of Python's multiprocessing.
    shared = root / "dev" / "shm"
    shared.mkdir(exist_ok=True)
    shared.chmod(0o1777)
