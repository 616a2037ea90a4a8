"""Fixtures: one season for the tests of a file, which says in its fixture ``filled`` what is in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from database_server import DatabaseServer
from domain_rows import make_enabled
from l4_season import Filled, Prepared
from sqlalchemy.engine import make_url

from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.seasons import Season


@pytest.fixture(scope="module")
def prepared(
    postgres: DatabaseServer, migrated_template: str, tmp_path_factory: pytest.TempPathFactory, filled: Filled
) -> Iterator[Prepared]:
    folder = tmp_path_factory.mktemp("l4")
    url = postgres.create(migrated_template)
    database = Database(url)
    with database.begin() as connection:
        _, season = make_enabled(connection)
        filled(connection, season, folder)
    database.engine.dispose()
    yield Prepared(make_url(url).database or "", season, folder)
    postgres.drop(url)


@pytest.fixture
def season(prepared: Prepared) -> Season:
    return prepared.season


@pytest.fixture
def database(postgres: DatabaseServer, prepared: Prepared) -> Iterator[Database]:
    url = postgres.create(prepared.template)
    database = Database(url)
    with database.begin() as connection:
        set_value(connection, "storage.products_path", str(prepared.folder / "p"), actor="anna")
    yield database
    database.engine.dispose()
    postgres.drop(url)
