"""One running Airflow for all end-to-end tests, on a private PostgreSQL, with a small archive to ingest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr

from deploy.local_stack.airflow import local_airflow
from deploy.local_stack.postgres import private_postgres
from s4c_lib.airflow_api import AirflowApi
from s4c_lib.catalog import config_values, migrations
from s4c_lib.catalog.database import Database
from s4c_lib.geography.sentinel2_tiles import select_tiles
from s4c_lib.settings import MIGRATIONS, Settings
from s4c_lib.synthetic.archive import make_archive
from tests.end_to_end.running_stack import ACTOR, EXTENT, REPOSITORY, Stack

RUNNING = pytest.StashKey[ExitStack]()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop Airflow with the last test that uses it: until the session ends it would work for nobody."""
    here = Path(__file__).parent
    if RUNNING in item.config.stash and (nextitem is None or here not in nextitem.path.parents):
        item.config.stash[RUNNING].close()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    folder.chmod(0o755)
    manifest = folder / "dag_manifest.json"
    with ExitStack() as running:
        request.config.stash[RUNNING] = running
        postgres = running.enter_context(private_postgres(folder))
        url = postgres.create_database("s4c")
        database = Database(url)
        running.callback(database.engine.dispose)
        migrations.migrate(database, MIGRATIONS)
        env = {"S4C_DATABASE_URL": url, "S4C_MANIFEST_PATH": str(manifest), "AIRFLOW_CONN_S4C_DB": url}
        with database.begin() as connection:
            for key, value in {
                "storage.min_free_gb": 1,
                "readiness.poll_seconds": 2,
                "lease.seconds": 20,
                "sync.interval_minutes": 60,
                "storage.products_path": str(folder / "products"),
                # most of these tests are about runs: their products are registered as they come and have no L3B
                "processor.l2a.optical.cog-tiffs": False,
                "processor.l3b.lai.tiles_filter": ["01AAA"],
                **{f"downloader.{name}.write-dir": str(folder / "downloads" / name) for name in ("s1", "s2", "l8")},
            }.items():
                config_values.set_value(connection, key, value, actor=ACTOR)
        airflow = running.enter_context(
            local_airflow(folder, postgres, dags_folder=REPOSITORY / "dags", env=env, profile="test")
        )
        settings = Settings(
            database_url=url,
            manifest_path=manifest,
            airflow_url=airflow.url,
            airflow_username=airflow.username,
            airflow_password=SecretStr(airflow.password),
        )
        api = running.enter_context(AirflowApi.from_settings(settings))
        yield Stack(airflow, api, database, settings, folder, {**airflow.settings, **env})


@pytest.fixture(scope="session")
def archive(stack: Stack) -> Path:
    """A past season's archive: March to October 2025, with its deliberate faults."""
    root = stack.folder / "archive"
    tiles = [item.tile.tile_id for item in select_tiles(EXTENT, 1.0) if item.selected]
    make_archive(root, seed=7, start=date(2025, 3, 1), end=date(2025, 10, 31), tiles=tiles)
    return root
