"""Imports of declarations that are refused, killed, too late or beside each other: the version in force stays whole."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from domain_rows import make_site
from pyarrow import parquet
from sqlalchemy import text
from uploaded_rows import ACTOR, FIELDS, declare, new_set, parcel_tables

from s4c_lib.catalog import auxdata, parcel_sets
from s4c_lib.catalog.auxdata import Kind, State
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.errors import ConflictError, InputError, StorageError


def in_force(database: Database, site_id: int) -> tuple[int | None, list[str], list[State]]:
    """Version in force, tables of parcels, states of uploads."""
    with database.begin() as connection:
        current = parcel_sets.active_set(connection, site_id, 2024)
        uploads = auxdata.list_versions(connection, site_id)
        return None if current is None else current.version, parcel_tables(connection), [item.state for item in uploads]


@pytest.fixture
def declared(database: Database, tmp_path: Path) -> tuple[Database, int]:
    """A site with declarations in force, committed."""
    with database.begin() as connection:
        site = make_site(connection)
        declare(connection, site.id, tmp_path)
    return database, site.id


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("ori_id", ["P1", "P2", "P3", "P3"], r"\(ori_id, .*\)=\(P3, .*already|duplicated"),
        ("new_id", [1, 2, 3, 0], "violates check constraint"),
        ("area_meters", [1.0, None, 1.0, 1.0], "null value"),
        ("change", ["new", "new", "new", "moved"], "invalid input value for enum"),
        ("ori_crop", ["1", "2", "3", "4\0"], "invalid byte sequence"),
        ("geom", [b"\1\6\0\0\0\0\0\0\0"] * 3 + [b"\1\6\0\0\0\7\0\0\0"], "WKB"),
    ],
)
def test_a_row_the_database_refuses_leaves_everything_as_it_was(
    declared: tuple[Database, int], tmp_path: Path, column: str, values: list[object], message: str
) -> None:
    database, site_id = declared
    before = in_force(database, site_id)

    def attempt() -> None:
        with database.begin() as connection:
            new = new_set(connection, site_id, FIELDS, content=b"two")
            place = new.parcels.column_names.index(column)
            broken = new.parcels.set_column(place, column, pa.array(values, new.parcels[column].type))
            parcel_sets.activate(connection, dataclasses.replace(new, parcels=broken), tmp_path, actor=ACTOR)

    with pytest.raises((InputError, StorageError), match=message):
        attempt()
    assert in_force(database, site_id) == before
    assert sorted(path.name for path in (tmp_path / "2024").iterdir()) == ["v001"]


def test_a_crash_before_the_end_leaves_everything_as_it_was(declared: tuple[Database, int], tmp_path: Path) -> None:
    """Case 27: what is left over of the folder is replaced by the next import."""
    database, site_id = declared
    before = in_force(database, site_id)

    def attempt() -> None:
        with database.begin() as connection:
            declare(connection, site_id, tmp_path, FIELDS[:3])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt()
    assert in_force(database, site_id) == before
    left = tmp_path / "2024" / "v002" / "declarations.parquet"
    assert parquet.read_metadata(left).num_rows == 4, "with the deleted one"
    with database.begin() as connection:
        made = declare(connection, site_id, tmp_path, FIELDS[:2])
    assert made.version == 2
    assert parquet.read_table(left)["ori_id"].to_pylist() == ["P1", "P2", "P3", "P4"]
    assert pc.sum(parquet.read_table(left)["is_deleted"]).as_py() == 2


KILLED = """
    import sys
    from pathlib import Path
    sys.path[:0] = [{tests!r}, {root!r}]
    from uploaded_rows import declare
    from s4c_lib.catalog.database import Database
    fields = [(f"P{{n}}", "H1", "265", n * 11.0, 10.0) for n in range(60_000)]
    with Database({url!r}).begin() as connection:
        declare(connection, {site}, Path({folder!r}), fields)
"""


@pytest.mark.parametrize("victim", ["importer", "server"])
def test_whoever_is_killed_in_mid_copy_leaves_everything_as_it_was(
    declared: tuple[Database, int], tmp_path: Path, victim: str
) -> None:
    database, site_id = declared
    before = in_force(database, site_id)
    script = KILLED.format(
        tests=str(Path(__file__).parents[1]),
        root=str(Path(__file__).parents[2]),
        url=database.url,
        site=site_id,
        folder=str(tmp_path),
    )
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stderr=subprocess.PIPE, text=True)
    busy = text(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND state = 'active' AND query LIKE 'COPY s4c.%'"
    )
    pid = None
    while pid is None and process.poll() is None:
        with database.begin() as connection:
            pid = connection.execute(busy).scalars().first()
            if pid is not None and victim == "server":
                connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    assert pid is not None, process.communicate()[1]
    if victim == "importer":
        os.kill(process.pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    if victim == "server":
        assert "DatabaseUnavailableError" in errors
    wait_until_alone(database)
    assert in_force(database, site_id) == before
    with database.begin() as connection:
        assert declare(connection, site_id, tmp_path, FIELDS[:2]).version == 2


def wait_until_alone(database: Database) -> None:
    """Until the server has noticed that a client is gone."""
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend' AND state <> 'idle'"
    )
    while True:
        with database.begin() as connection:
            if connection.execute(others).scalar_one() == 0:
                return


def test_imports_of_a_year_go_one_after_another(database: Database, tmp_path: Path) -> None:
    """Two at a time with the same file: one imports, the other finds its version."""
    with database.begin() as connection:
        site = make_site(connection)
    results: list[int] = []
    start = threading.Barrier(2)

    def run() -> None:
        start.wait()
        with parcel_sets.import_lock(database, site.id, 2024, wait_seconds=30), database.begin() as connection:
            version, _ = auxdata.upload(
                connection, site.id, Kind.DECLARATIONS, 2024, file_name="a.zip", content=b"same",
                parameters={"mode": "update"}, actor=ACTOR,
            )  # fmt: skip
            if version.state is State.ACTIVE:
                current = parcel_sets.active_set(connection, site.id, 2024)
                assert current is not None
                results.append(current.id)
                return
            results.append(declare(connection, site.id, tmp_path, content=b"same").id)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert len(set(results)) == 1


def test_an_import_that_takes_too_long_is_not_waited_for_for_ever(database: Database) -> None:
    free = []
    with parcel_sets.import_lock(database, 1, 2024, wait_seconds=1):
        with (
            pytest.raises(ConflictError, match="Another import of the declarations of 2024"),
            parcel_sets.import_lock(database, 1, 2024, wait_seconds=0.1),
        ):
            pytest.fail("both hold the lock")
        with parcel_sets.import_lock(database, 1, 2023, wait_seconds=0.1):
            free.append("another year")
    with parcel_sets.import_lock(database, 1, 2024, wait_seconds=0.1):
        free.append("the same year, afterwards")
    assert free == ["another year", "the same year, afterwards"]


def test_readers_do_not_wait_for_an_import(declared: tuple[Database, int], tmp_path: Path) -> None:
    database, site_id = declared
    with database.begin() as connection:
        declare(connection, site_id, tmp_path, FIELDS[:2])
        other = declare(connection, site_id, tmp_path, year=2023)
        with database.begin() as reader:
            reader.execute(text("SET LOCAL lock_timeout = '2s'"))
            assert reader.execute(text("SELECT count(*) FROM s4c.parcel")).scalar_one() == 4
            current = parcel_sets.active_set(reader, site_id, 2024)
            assert current is not None
            assert current.version == 1
            assert len(read_parcels(reader, current)) == 4
    with database.begin() as reader:
        assert len(read_parcels(reader, other, ["new_id"])) == 4
