"""The place of all tests of retention that go through the database."""

from __future__ import annotations

from pathlib import Path

import pytest
from domain_rows import make_enabled
from kept_products import Place

from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Place:
    with database.begin() as connection:
        site, season = make_enabled(connection)
        for key, folder in (("storage.products_path", "products"), ("downloader.s2.write-dir", "downloads")):
            set_value(connection, key, str(tmp_path / folder), actor="tester")
    return Place(database, site, season, tmp_path)
