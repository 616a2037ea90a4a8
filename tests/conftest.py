"""One private PostgreSQL for the session, a migrated database of its own for each test, no network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from database_server import DatabaseServer
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from deploy.local_stack.postgres import private_postgres
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.migrations import migrate
from s4c_lib.kernel_cache import use_cache
from s4c_lib.settings import MIGRATIONS

# How long an example takes depends on what else the machine does; no test here is timed.
# The same examples every time: a change is judged by what it changes. `--hypothesis-profile search` looks for new ones.
hypothesis.settings.register_profile(
    "s4c", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("search", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("s4c")

# Not the user's: a test compiles what an earlier run of the tests has not.
KERNELS = Path(__file__).resolve().parents[1] / ".local" / "kernels"
# One running Airflow for all of them.
TOGETHER = ("tests/end_to_end/",)
LONG = (
    *TOGETHER,
    "tests/deploy/test_compose",
    "tests/deploy/test_local_stack",
    "tests/cli/test_synthetic_commands",
    "tests/ingest/",
    "tests/dags/",
    "tests/synthetic/",
    "tests/cli/",
)
LOOPBACK = ["127.0.0.1", "::1", "localhost"]


def pytest_configure() -> None:
    """Keep compiled kernels for the next run, here and in all processes that tests start."""
    os.environ.setdefault("S4C_KERNEL_CACHE", str(KERNELS))
    use_cache(Path(os.environ["S4C_KERNEL_CACHE"]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests talk to this machine only (pytest-socket); files that take minutes come first, so that no worker is
    left with one at the end.
    """
    for item in items:
        item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
    items.sort(key=lambda item: next((turn for turn, long in enumerate(LONG) if long in item.nodeid), len(LONG)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a worker whole files, or the files that share what is dear to make (its own groups go by test names that
    pytest 9 no longer lets it change).
    """
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((group for group in TOGETHER if group in nodeid), nodeid.partition("::")[0])

    return Files(config, log)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    """The server of S4C_TEST_DATABASE_URL or S4C_DATABASE_URL, else a private one that ends with the session."""
    given = os.environ.get("S4C_TEST_DATABASE_URL") or os.environ.get("S4C_DATABASE_URL")
    if given == os.environ.get("S4C_LOCAL_DATABASE_URL"):
        given = None  # a shell with the lines of `make env`: a stack in use is no place for tests
    if given:
        yield DatabaseServer(make_url(given).set(drivername="postgresql").render_as_string(hide_password=False))
        return
    with private_postgres(tmp_path_factory.mktemp("postgres"), say=print) as server:
        yield DatabaseServer(server.url_for("postgres"))


@pytest.fixture(scope="session")
def migrated_template(postgres: DatabaseServer) -> Iterator[str]:
    """Name of a migrated, empty database that nobody is connected to, to copy from."""
    url = postgres.create()
    database = Database(url)
    migrate(database, MIGRATIONS)
    database.engine.dispose()
    yield make_url(url).database or ""
    postgres.drop(url)


@pytest.fixture
def database_url(postgres: DatabaseServer, migrated_template: str) -> Iterator[str]:
    """A migrated database of the test's own."""
    url = postgres.create(migrated_template)
    yield url
    postgres.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The domain database of the test's own, migrated."""
    database = Database(database_url)
    yield database
    database.engine.dispose()


@pytest.fixture(scope="session")
def shared_database(postgres: DatabaseServer, migrated_template: str) -> Iterator[Database]:
    """A migrated database for tests that leave nothing behind."""
    url = postgres.create(migrated_template)
    database = Database(url)
    yield database
    database.engine.dispose()
    postgres.drop(url)


@pytest.fixture
def connection(shared_database: Database) -> Iterator[Connection]:
    """A transaction in a migrated database, rolled back at the end: the fast way, for one connection."""
    with shared_database.engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()
