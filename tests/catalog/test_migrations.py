from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from database_server import DatabaseServer
from domain_rows import DATES, NOW, make_acquisition, make_enabled, make_job, make_source
from sqlalchemy import Connection, text
from uploaded_rows import give, new_set

from s4c_lib.catalog import jobs, notice_rows, parcel_sets, query_windows, source_state, source_usage, units
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.file_removals import note_removal
from s4c_lib.catalog.migrations import migrate, status
from s4c_lib.catalog.seasons import Season
from s4c_lib.errors import DatabaseUnavailableError, MigrationError
from s4c_lib.notices.finding import Event, Finding
from s4c_lib.scheduling.query_windows import Window
from s4c_lib.settings import MIGRATIONS

NAMES = tuple(sorted(path.stem for path in MIGRATIONS.glob("*.sql")))
# what no release wrote to or read from
DROPPED = {"job_resource"}
# Processors that a database had before any later migration brought another.
OF_THE_FIRST = ("s4c_l4a", "s4c_l4b", "s4c_l4c")
# Tables to which a migration may add a row.
NAMED = {"processor", "product_type"}


@pytest.fixture
def empty(postgres: DatabaseServer) -> Iterator[Database]:
    """A database nobody has migrated."""
    url = postgres.create()
    database = Database(url)
    yield database
    database.engine.dispose()
    postgres.drop(url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations to add to."""
    return Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))


def add(folder: Path, name: str, sql: str) -> None:
    (folder / f"{name}.sql").write_text(f"-- depends: {NAMES[-1]}\n\n{sql}\n")


def tables(database: Database) -> set[str]:
    with database.begin() as connection:
        rows = connection.execute(text("SELECT table_name FROM information_schema.tables WHERE table_schema = 's4c'"))
        return set(rows.scalars())


def test_an_empty_database_is_brought_up_to_date_once(empty: Database) -> None:
    assert status(empty, MIGRATIONS).pending == NAMES
    assert migrate(empty, MIGRATIONS) == NAMES
    assert status(empty, MIGRATIONS).applied == NAMES
    assert status(empty, MIGRATIONS).pending == ()
    assert migrate(empty, MIGRATIONS) == ()


def test_the_books_stay_where_they_are_although_the_user_is_called_like_the_schema(empty: Database) -> None:
    """PostgreSQL looks for the schema named like the user first; the usual user is called s4c."""
    migrate(empty, MIGRATIONS)
    with empty.begin() as connection:
        statement = text("SELECT table_schema FROM information_schema.tables WHERE table_name = '_yoyo_migration'")
        assert list(connection.execute(statement).scalars()) == ["public"]


def fill(connection: Connection) -> None:
    """Put at least one row into every table that exists."""
    site, season = make_enabled(connection, processors=OF_THE_FIRST)
    make_source(connection)
    number = make_acquisition(connection, site, "EARLIER", state="downloaded")
    other = make_acquisition(connection, site, "LATER", state="downloaded")
    query_windows.store_windows(connection, season.id, "s2", [Window(DATES.start, DATES.end)])
    units.ensure_units(connection, number, ["31UFS"], processor="l2a", config_hash="h", max_attempts=3)
    connection.execute(
        text(
            "INSERT INTO s4c.s1_pair (current_id, previous_id, relative_orbit, intersection_pct, baseline_days) "
            "VALUES (:a, :b, 88, 90, 6)"
        ),
        {"a": other, "b": number},
    )
    connection.execute(
        text("INSERT INTO s4c.site_deletion (short_name, name, deleted_by, removed) VALUES ('gone', 'Gone', 'x', '{}')")
    )
    if "job" in present(connection):
        job_id = connection.execute(
            text(
                """
                INSERT INTO s4c.job (site_id, season_id, processor_id, job_key, start_type, interval_start, as_of,
                                     config_snapshot, config_hash, requested_by)
                VALUES (:site, :season, 9, 'k', 'manual', '2024-03-01', '2024-05-31', '{}', 'h', 'x') RETURNING id
                """
            ),
            {"site": site.id, "season": season.id},
        ).scalar_one()
        if "job_resource" in present(connection):
            connection.execute(
                text(
                    "INSERT INTO s4c.job_resource (job_id, task_id, host, wall_s, cpu_s, max_rss_mb) "
                    "VALUES (:job, 't', 'h', 1, 1, 1)"
                ),
                {"job": job_id},
            )
        made = [product(connection, name, site.id, number, job_id) for name in ("PARENT", "CHILD")]
        connection.execute(
            text("INSERT INTO s4c.product_input VALUES (:child, :parent)"), {"child": made[1], "parent": made[0]}
        )
        connection.execute(
            text(
                "INSERT INTO s4c.waiver (season_id, processor_id, acquisition_id, reason, created_by) "
                "VALUES (:season, 9, :number, 'clouds', 'x')"
            ),
            {"season": season.id, "number": number},
        )
    if "config_value" in present(connection):
        set_value(connection, "downloader.enabled", True, actor="x")
        connection.execute(
            text(
                "INSERT INTO s4c.auxdata_version (site_id, kind, year, file_name, sha256, size_bytes, uploaded_by) "
                "VALUES (:site, 'lut', 2024, 'lut.csv', 'abc', 3, 'x')"
            ),
            {"site": site.id},
        )
    if "parcel" in present(connection):
        fill_declarations(connection, site.id, season)
    if "retention_event" in present(connection):
        note_removal(connection, "/products/OLD", "retention")
        connection.execute(
            text(
                """
                INSERT INTO s4c.retention_event (actor, action, kind, name, sites, path, size_bytes, rule)
                VALUES ('x', 'removed', 'l1', 'OLD', '{alpha}', '/products/OLD', 1, 'deleted after 30 days');
                INSERT INTO s4c.season_deletion (site, short_name, name, deleted_by, removed)
                VALUES ('alpha', '2023', '2023', 'x', '{}')
                """
            )
        )
    if "product_event" in present(connection):
        connection.execute(
            text(
                "INSERT INTO s4c.product_event (actor, action, product_id, product_type, name, reason) "
                "VALUES ('x', 'withdrawn', 1, 'l2a', 'OLD', 'haze')"
            )
        )
    if "derivation" in present(connection):
        fill_derived(connection, site.id, made[0])
    if "l4b_result" in present(connection):
        fill_mowing(connection, made[0])
    if "l4a_result" in present(connection):
        fill_crop_type(connection, made[0])
    if "l4c_result" in present(connection):
        fill_practices(connection, made[0])
    if "source_state" in present(connection):
        source_state.open_circuit(connection, "archive", until=NOW, reason="refused", error="401", now=NOW)
        source_usage.record(connection, "archive", day=NOW.date(), requests=1)
        source_usage.begin_session(connection, "archive", owner="x", now=NOW, lease_seconds=9)
    if "notice" in present(connection):
        found = Finding(Event.SOURCE_DOWN, "source archive", "it refuses", site_id=site.id)
        notice_rows.record(connection, [found], now=NOW)
        notice_rows.delivered(connection, notice_rows.pending(connection, "mail", since=NOW), "mail", now=NOW)
    if "product_acquisition" in present(connection):
        connection.execute(
            text("INSERT INTO s4c.product_acquisition VALUES (:product, :number)"),
            {"product": made[0], "number": number},
        )
        radar = make_acquisition(connection, site, "SLC", satellite="s1")
        connection.execute(text("UPDATE s4c.acquisition SET kind = 's1_slc' WHERE id = :id"), {"id": radar})


def fill_declarations(connection: Connection, site_id: int, season: Season) -> None:
    give(connection, site_id, Kind.LUT)
    pixels = pa.table({"grid": ["31UFT 10"], "new_id": [1], "n": [81], "n_shared": [9]})
    new = replace(new_set(connection, site_id), pixels=pixels)
    with tempfile.TemporaryDirectory() as folder:
        made = parcel_sets.activate(connection, new, Path(folder), actor="x")
    parcel_sets.record_use(connection, made.id, job_id=make_job(connection, season, "reader").id)
    connection.execute(
        text(
            "INSERT INTO s4c.l4c_practice (auxdata_version_id, practice, ori_id, line, bad_dates) "
            "VALUES (:id, 'CC', 'P1', 2, true)"
        ),
        {"id": give(connection, site_id, Kind.PRACTICES_CC)},
    )


def fill_derived(connection: Connection, site_id: int, product_id: int) -> None:
    values = {"site": site_id, "product": product_id}
    connection.execute(
        text(
            "INSERT INTO s4c.derivation (site_id, processor_id, product_id, tile, config_hash) "
            "VALUES (:site, 3, :product, '31UFS', 'h')"
        ),
        values,
    )
    connection.execute(
        text(
            "INSERT INTO s4c.marker_file (site_id, parcel_set_id, product_id, family, variable, tile, time, platform, "
            "path, n_rows, sha256, config_hash) SELECT :site, max(id), :product, 'l3b', 'ndvi', '31UFS', now(), "
            "'sentinel-2a', 'x', 1, 'y', 'z' FROM s4c.parcel_set"
        ),
        values,
    )


def fill_mowing(connection: Connection, product_id: int) -> None:
    connection.execute(
        text(
            "INSERT INTO s4c.l4b_result (product_id, new_id, mow_n, proc, compl, n_clear, n_pairs, status, decision) "
            "VALUES (:id, 1, 1, true, 1, 9, 0, 'processed', 'yes')"
        ),
        {"id": product_id},
    )
    connection.execute(
        text(
            "INSERT INTO s4c.l4b_event (product_id, new_id, seq, place, reported, dstart, dend, conf, mission, n) "
            "VALUES (:id, 1, 1, 1, true, '2024-05-01', '2024-05-06', 0.6, 'S2', 1)"
        ),
        {"id": product_id},
    )


def fill_crop_type(connection: Connection, product_id: int) -> None:
    for statement in (
        "INSERT INTO s4c.l4a_result (product_id, new_id, ct_status, ct_purpose, feat_imputed, verdict, reason) "
        "VALUES (:id, 1, 'no_lut', 0, false, 'cannot tell', 'x')",
        "INSERT INTO s4c.l4a_div_holding VALUES (:id, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'Category1', "
        "'Compliant', 'x')",
        "INSERT INTO s4c.l4a_div_parcel VALUES (:id, 1, 1, 'Classified_conform', 'Category1', 'Compliant', 9, 'x')",
    ):
        connection.execute(text(statement), {"id": product_id})


def fill_practices(connection: Connection, product_id: int) -> None:
    markers = {f"m{number}": -1 for number in range(1, 11)}
    texts = {"h_state": "NOT_FOUND", "h_s1_state": "NA", "c_index": "NA", "h_source": "current"}
    texts |= dict.fromkeys(("status", "rule", "flags", "c_preliminary", "orbits"), "")
    numbers = dict.fromkeys(("n_ndvi_v", "n_ndvi_p", "n_coh_p"), 0)
    row = {"product_id": product_id, "new_id": 1, "practice_id": 1, "year": 2024, **markers, **texts, **numbers}
    row |= {"h_quality": False, "c_quality": False}
    columns = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    connection.execute(text(f"INSERT INTO s4c.l4c_result ({columns}) VALUES ({values})"), row)


def product(connection: Connection, name: str, site_id: int, acquisition_id: int, job_id: int) -> int:
    """In SQL: tables of an earlier version lack columns that the code writes."""
    number: int = connection.execute(
        text(
            "INSERT INTO s4c.product (product_type_id, processor_id, satellite_id, name, full_path, acquired_at, "
            "software_version, config_hash, acquisition_id, job_id) "
            "VALUES (1, 1, 1, :name, '/products/' || :name, :now, '1', 'h', :acquisition, :job) RETURNING id"
        ),
        {"name": name, "now": NOW, "acquisition": acquisition_id, "job": job_id},
    ).scalar_one()
    connection.execute(
        text("INSERT INTO s4c.product_site VALUES (:product, :site)"), {"product": number, "site": site_id}
    )
    connection.execute(text("INSERT INTO s4c.product_file VALUES (:product, 'a.tif', 3, '00')"), {"product": number})
    return number


def present(connection: Connection) -> set[str]:
    rows = connection.execute(text("SELECT table_name FROM information_schema.tables WHERE table_schema = 's4c'"))
    return set(rows.scalars())


def contents(connection: Connection) -> dict[str, list[str]]:
    return {
        table: list(connection.execute(text(f"SELECT row_to_json(t)::text FROM s4c.{table} t ORDER BY 1")).scalars())
        for table in sorted(present(connection))
    }


@pytest.mark.parametrize("until", NAMES[2:-1])
def test_the_last_migrations_keep_every_row(empty: Database, until: str) -> None:
    migrate(empty, MIGRATIONS, until=until)
    with empty.begin() as connection:
        fill(connection)
        before = contents(connection)
    assert all(before.values()), [table for table, rows in before.items() if not rows]
    assert migrate(empty, MIGRATIONS) == NAMES[NAMES.index(until) + 1 :]
    with empty.begin() as connection:
        after = contents(connection)
    assert before.keys() - after.keys() <= DROPPED
    for table, rows in before.items():
        if table in DROPPED:
            continue
        # a column that came later has its default
        known = json.loads(rows[0]).keys()
        kept = [{key: row[key] for key in known} for row in map(json.loads, after[table])]
        if table in NAMED:
            kept = [row for row in kept if row in [*map(json.loads, rows)]]
        assert kept == [*map(json.loads, rows)]


def test_what_sources_offer_is_known_by_their_number(empty: Database) -> None:
    migrate(empty, MIGRATIONS, until="0005_lookup_indexes")
    with empty.begin() as connection:
        site, _ = make_enabled(connection, processors=OF_THE_FIRST)
        (source,) = make_source(connection, satellites=("s2",))
        make_acquisition(connection, site, "PRODUCT")
        now = connection.execute(text("SELECT providers FROM s4c.acquisition")).scalar_one()
        connection.execute(
            text(
                "UPDATE s4c.acquisition SET providers = jsonb_build_object('archive', "
                "jsonb_build_object('address', '/archive/PRODUCT', 'data_source_id', CAST(:id AS bigint)))"
            ),
            {"id": source.id},
        )
    migrate(empty, MIGRATIONS)
    with empty.begin() as connection:
        assert connection.execute(text("SELECT providers FROM s4c.acquisition")).scalar_one() == now
    assert now == {str(source.id): {"name": "archive", "address": "/archive/PRODUCT"}}


def test_a_coming_migration_keeps_every_row(empty: Database, folder: Path) -> None:
    """The pattern a real one follows: a column with a default, on tables that hold rows."""
    migrate(empty, folder)
    with empty.begin() as connection:
        fill(connection)
        before = contents(connection)
    assert all(before.values()), [table for table, rows in before.items() if not rows]
    add(folder, "9999_later", "ALTER TABLE s4c.site ADD COLUMN note text NOT NULL DEFAULT '';")
    assert migrate(empty, folder) == ("9999_later",)
    with empty.begin() as connection:
        after = contents(connection)
        assert connection.execute(text("SELECT note FROM s4c.site")).scalar_one() == ""
    assert {table: len(rows) for table, rows in after.items()} == {table: len(rows) for table, rows in before.items()}


def test_a_failing_migration_leaves_nothing_and_is_named(empty: Database, folder: Path) -> None:
    add(folder, "9998_good", "CREATE TABLE s4c.kept (id int);")
    add(folder, "9999_bad", "CREATE TABLE s4c.half_made (id int);\n\nINSERT INTO s4c.nowhere VALUES (1);")
    with pytest.raises(MigrationError, match=r"9999_bad failed and was rolled back: .*nowhere"):
        migrate(empty, folder)
    assert "half_made" not in tables(empty)
    assert "kept" in tables(empty)
    assert status(empty, folder).pending == ("9999_bad",)
    add(folder, "9999_bad", "CREATE TABLE s4c.half_made (id int);")
    assert migrate(empty, folder) == ("9999_bad",)


def test_two_migrations_at_once_apply_everything_once(empty: Database) -> None:
    script = textwrap.dedent(
        """
        import sys
        from s4c_lib.catalog.database import Database
        from s4c_lib.catalog.migrations import migrate
        from s4c_lib.settings import MIGRATIONS
        print(len(migrate(Database(sys.argv[1]), MIGRATIONS)))
        """
    )
    command = [sys.executable, "-c", script, empty.url]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert sorted(int(out) for out, _ in ended) == [0, len(NAMES)]


def migrate_noting_errors(database: Database, folder: Path, ended: list[Exception]) -> None:
    try:
        migrate(database, folder)
    except MigrationError as error:
        ended.append(error)


def test_a_migration_that_does_not_end_is_reported(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    add(folder, "9999_slow", "SELECT pg_sleep(20);")
    with empty.engine.connect() as watching:
        ended: list[Exception] = []
        slow = threading.Thread(target=migrate_noting_errors, args=(empty, folder, ended))
        slow.start()
        sleeping = text(
            "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid()"
        )
        while (pid := watching.execute(sleeping).scalar_one_or_none()) is None:
            watching.rollback()
        with pytest.raises(DatabaseUnavailableError, match="Another migration"):
            migrate(empty, folder, wait_seconds=0.2)
        # killed in the middle: it leaves nothing behind, not even a lock
        watching.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        slow.join(timeout=30)
    assert [type(error) for error in ended] == [MigrationError]
    assert status(empty, folder).pending == ("9999_slow",)
    (folder / "9999_slow.sql").write_text("CREATE TABLE s4c.quick (id int);\n")
    assert migrate(empty, folder, wait_seconds=5) == ("9999_slow",)


def test_a_lock_left_by_a_killed_process_is_no_obstacle(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    with empty.begin() as connection:
        connection.execute(text("INSERT INTO public.yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)"))
    add(folder, "9999_later", "CREATE TABLE s4c.later (id int);")
    assert migrate(empty, folder, wait_seconds=2) == ("9999_later",)


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    nowhere = Database("postgresql://s4c:secret-word@127.0.0.1:1/s4c")
    with pytest.raises(DatabaseUnavailableError, match=r"127\.0\.0\.1:1/s4c cannot be reached") as raised:
        migrate(nowhere, MIGRATIONS)
    assert "secret-word" not in raised.value.one_line
    nowhere.engine.dispose()


def test_a_process_whose_connections_are_all_in_use_may_try_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database.engine.pool, "_timeout", 0.1)
    with contextlib.ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(database.engine.connect())
        with pytest.raises(DatabaseUnavailableError, match="in use") as raised, database.begin():
            pytest.fail("there was a seventh connection")
    assert raised.value.retryable
    assert database.ping()


def test_a_database_that_is_not_migrated_says_what_to_do(empty: Database) -> None:
    with pytest.raises(MigrationError) as raised, empty.begin() as connection:
        jobs.get_job(connection, 1)
    assert "s4c db migrate" in raised.value.hint


def test_a_folder_without_migrations_is_refused(empty: Database, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="No migrations"):
        migrate(empty, tmp_path)


def test_names_of_the_vocabulary_agree_with_the_tables(connection: Connection) -> None:
    from s4c_lib.catalog.vocabulary import PROCESSORS, PRODUCT_TYPES, SATELLITES

    def stored(sql: str) -> dict[str, int]:
        return {row[0]: row[1] for row in connection.execute(text(sql))}

    assert stored("SELECT short_name, id FROM s4c.satellite") == SATELLITES
    assert PROCESSORS.items() <= stored("SELECT short_name, id FROM s4c.processor").items()
    assert PRODUCT_TYPES.items() <= stored("SELECT name, id FROM s4c.product_type").items()
