"""The command line as a user calls it: on a database of its own, with Airflow away unless a test brings one."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from s4c_lib.cli.main import app
from s4c_lib.synthetic.archive import ArchiveSummary, make_archive
from tests.cli.airflow_hub import Hub, serving
from tests.synthetic_delivery import deliver

# a closed port: nothing listens on 9 of this machine
NOWHERE = "http://127.0.0.1:9"
EXTENT = {
    "type": "Feature",
    "properties": {},
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[4.55, 50.60], [4.80, 50.60], [4.80, 50.80], [4.55, 50.80], [4.55, 50.60]]],
    },
}
ARCHIVE_START, ARCHIVE_END = date(2024, 3, 1), date(2024, 3, 20)


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture(autouse=True)
def restored_logs() -> Iterator[None]:
    """Leave the logging of the test session as it was: the program configures its own."""
    ours = logging.getLogger("s4c_lib")
    handlers, level = list(ours.handlers), ours.level
    yield
    ours.handlers, ours.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the test's manifest and files lie."""
    return tmp_path


@pytest.fixture
def environment(database_url: str, folder: Path) -> dict[str, str]:
    """What the process environment says."""
    return {
        "S4C_DATABASE_URL": database_url,
        "S4C_MANIFEST_PATH": str(folder / "manifest" / "dags.json"),
        "S4C_AIRFLOW_URL": NOWHERE,
        "S4C_AIRFLOW_USERNAME": "admin",
        "S4C_AIRFLOW_PASSWORD": "secret",
        "S4C_ACTOR": "tester",
        "S4C_LOG_JSON": "false",
    }


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a synthetic agency uploads; read only."""
    return deliver(tmp_path_factory.mktemp("delivered"))


@pytest.fixture
def airflow(environment: dict[str, str]) -> Iterator[Hub]:
    """An Airflow that answers; commands of the test talk to it."""
    hub = Hub(Path(environment["S4C_MANIFEST_PATH"]))
    with serving(hub) as url:
        environment["S4C_AIRFLOW_URL"] = url
        yield hub


@pytest.fixture
def s4c(environment: dict[str, str]) -> Run:
    """Run a command; an exit code is expected unless None."""

    def run(*arguments: object, code: int | None = 0, **more: str | None) -> Answer:
        result = CliRunner().invoke(
            app, [str(item) for item in arguments], env={**environment, **more}, prog_name="s4c"
        )
        answer = Answer(result.exit_code, result.stdout, result.stderr)
        if code is not None:
            assert answer.code == code, f"s4c {arguments}: {answer}"
        if answer.code in {1, 2} and "s4c: " in answer.err:
            # an error is one line, whatever it is
            assert len([line for line in answer.err.splitlines() if line.startswith("s4c: ")]) >= 1
            assert "Traceback" not in answer.err or "--debug" in arguments
        return answer

    return run


def write_extent(path: Path, extent: dict[str, Any] | None = None) -> Path:
    """Write a GeoJSON file."""
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [extent or EXTENT]}))
    return path


@pytest.fixture
def extent(folder: Path) -> Path:
    return write_extent(folder / "extent.geojson")


@pytest.fixture
def site(s4c: Run, extent: Path) -> str:
    """A site without season, disabled."""
    s4c("site", "add", "Test Land", extent)
    return "test_land"


@pytest.fixture
def season(s4c: Run, site: str) -> tuple[str, str]:
    """A past season of an enabled site."""
    s4c("season", "add", site, "2019", "2019-04-01", "2019-10-31", "--mid", "2019-06-15")
    s4c("site", "enable", site)
    return site, "2019"


@pytest.fixture(scope="session")
def small_archive(tmp_path_factory: pytest.TempPathFactory) -> ArchiveSummary:
    """Three weeks of products around the test site; read only."""
    return make_archive(
        tmp_path_factory.mktemp("cli") / "archive", seed=11, start=ARCHIVE_START, end=ARCHIVE_END, tiles=["31UFS"]
    )


@pytest.fixture
def ready_season(s4c: Run, site: str, small_archive: ArchiveSummary, folder: Path) -> tuple[str, str]:
    """A past season whose archive is linked into the test's own folders; nothing is ingested yet."""
    s4c("season", "add", site, "2024", "2024-03-01", "2024-03-31")
    s4c(
        "source",
        "add",
        "archive",
        "--satellite",
        "s1",
        "--satellite",
        "s2",
        "--satellite",
        "l8",
        "--root",
        small_archive.root,
    )
    for satellite in ("s1", "s2", "l8"):
        s4c("config", "set", f"downloader.{satellite}.write-dir", folder / "downloads" / satellite)
    s4c("config", "set", "storage.products_path", folder / "products")
    s4c("config", "set", "storage.min_free_gb", "0")
    s4c("config", "set", "processor.l2a.optical.cog-tiffs", "false")
    s4c("config", "set", "processor.l3b.lai.tiles_filter", "01AAA")
    s4c("site", "enable", site)
    return site, "2024"
