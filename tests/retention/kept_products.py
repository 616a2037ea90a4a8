"""A site with a past season and files that retention looks after."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from domain_rows import make_acquisition
from sqlalchemy import text

from s4c_lib.catalog import (
    products,
    units,
)
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.products import NewProduct
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import Site
from s4c_lib.retention import nightly
from s4c_lib.retention.outcome import RetentionOutcome

# Rows are stamped by the database with the present; nights of these tests come later.
TODAY = datetime.now(UTC)
SENSED = datetime(2024, 5, 6, 10, 36, tzinfo=UTC)
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Place:
    """A site with a past season, and where its files lie."""

    database: Database
    site: Site
    season: Season
    root: Path

    def night(self, days: float) -> RetentionOutcome:
        """What a night so many days from now did."""
        return nightly.apply(self.database, now=TODAY + timedelta(days=days))

    def l2a(self, name: str, *, at: Path | None = None, content: bytes = b"x", acquisition: int | None = None) -> int:
        """A product in a folder that exists."""
        path = at or self.root / "products" / "l2a" / name
        if not os.path.lexists(path):
            path.mkdir(parents=True)
            (path / "a.tif").write_bytes(content)
        with self.database.begin() as connection:
            return products.register(connection, self.new(name, path, acquisition), [self.site.id])

    def new(self, name: str, path: Path, acquisition: int | None = None) -> NewProduct:
        return NewProduct(
            "l2a", "l2a", name, str(path), SENSED, "1", "h", satellite="s2", tiles=("31UFS",),
            acquisition_id=acquisition,
        )  # fmt: skip

    def download(self, name: str, mode: str = "download") -> int:
        """A processed acquisition with its folder."""
        path = self.root / "downloads" / name
        path.mkdir(parents=True)
        (path / "b.jp2").write_bytes(b"12345")
        with self.database.begin() as connection:
            number = make_acquisition(connection, self.site, name, state="processed")
            values = {"id": number, "path": str(path), "mode": mode}
            connection.execute(
                text(
                    "UPDATE s4c.acquisition SET full_path = :path, fetch_mode = CAST(:mode AS s4c.fetch_mode) "
                    "WHERE id = :id"
                ),
                values,
            )
            units.ensure_units(connection, number, ["31UFS"], processor="l2a", config_hash="h", max_attempts=3)
            connection.execute(text("UPDATE s4c.acquisition_unit SET state = 'done'"))
        return number

    def set(self, key: str, value: object) -> None:
        with self.database.begin() as connection:
            set_value(connection, key, value, actor="tester")

    def product(self, number: int) -> products.Product:
        with self.database.begin() as connection:
            return products.get_product(connection, number)

    def rows(self, table: str) -> int:
        with self.database.begin() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM s4c.{table}")).scalar_one())
