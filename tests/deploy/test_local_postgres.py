"""The private PostgreSQL: starts, has PostGIS, stops, comes back after a crash; clear words when it is missing."""

import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from deploy.local_stack import databases, ports, postgres, processes
from deploy.local_stack.databases import GivenServer
from deploy.local_stack.errors import DatabaseServerError, PostgresMissingError, ServiceFailedError
from deploy.local_stack.postgres import PostgresServer, private_postgres
from deploy.local_stack.postgres_binaries import choose_package_version, find_binaries, find_or_install


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    session = psycopg2.connect(url)
    try:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        session.close()


@pytest.fixture
def durable_base(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    processes.kill_leftovers(tmp_path, say=print)
    postgres.remove_cluster(tmp_path, say=print)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with private_postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


def test_it_has_postgis_and_listens_on_this_machine_only(server: PostgresServer) -> None:
    url = server.create_database("somewhere")
    assert server.create_database("somewhere") == url
    query(url, "CREATE EXTENSION postgis")
    assert query(url, "SELECT ST_AsText(ST_Point(4, 51))") == [("POINT(4 51)",)]
    assert query(url, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert query(url, "SHOW server_encoding") == [("UTF8",)]


def test_it_wants_its_password(server: PostgresServer) -> None:
    url = server.url_for("postgres").replace(server.password, "guessed")
    assert "password authentication failed" in (databases.why_unreachable(url) or "")
    assert server.password not in repr(server)


def test_a_fast_server_leaves_neither_process_nor_data(tmp_path: Path) -> None:
    with private_postgres(tmp_path) as running:
        data = running.data
        assert processes.processes_in(data)
        assert query(running.url_for("postgres"), "SHOW fsync") == [("off",)]
    assert processes.processes_in(data) == []
    assert not data.exists()
    assert processes.leftovers(tmp_path) == []


def test_a_durable_server_keeps_its_data_and_password_over_sigkill(durable_base: Path) -> None:
    with private_postgres(durable_base, durable=True) as running:
        url = running.create_database("s4c")
        query(url, "CREATE TABLE kept AS SELECT 7 AS value")
        assert query(url, "SHOW fsync") == [("on",)]
        secret = running.password
        password_file = running.data.parent / "password"
        assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
        running.service.kill()
    # The postmaster's pid file is still there, as after a power failure; its number may be anybody's by now.
    (running.data / "postmaster.pid").write_text(f"{os.getpid()}\n{running.data}\n0\n0\n\n127.0.0.1\n")
    with private_postgres(durable_base, durable=True) as again:
        assert again.password == secret
        assert query(again.url_for("s4c"), "SELECT value FROM kept") == [(7,)]


def test_a_server_whose_guard_was_killed_is_ended_by_the_next_start(durable_base: Path) -> None:
    first = postgres.start_postgres(durable_base, durable=True)
    os.kill(first.service.pid, signal.SIGKILL)
    first.service.wait(10)
    with private_postgres(durable_base, durable=True) as again:
        assert query(again.url_for("postgres"), "SELECT 1") == [(1,)]
    assert processes.processes_in(again.data) == []


def test_a_taken_port_is_left_and_said(tmp_path: Path) -> None:
    told: list[str] = []
    with socket.socket() as taken:
        taken.bind((ports.LOCALHOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with private_postgres(tmp_path, port=port, say=told.append) as running:
            assert running.port != port
            assert told == [f"port {port} is taken, PostgreSQL listens on {running.port}"]


def test_data_of_another_release_is_not_touched(durable_base: Path) -> None:
    with private_postgres(durable_base, durable=True) as running:
        marker = running.data / "PG_VERSION"
    marker.write_text("9\n")
    with pytest.raises(ServiceFailedError, match="made by PostgreSQL 9, this machine has"):
        postgres.start_postgres(durable_base, durable=True)


def installation(root: Path, share: Path, version: int, *, postgis: bool) -> None:
    programs = root / str(version) / "bin"
    programs.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (programs / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}.1 (Debian)'\n")
        (programs / name).chmod(0o755)
    extensions = share / str(version) / "extension"
    extensions.mkdir(parents=True)
    if postgis:
        (extensions / "postgis.control").touch()


def test_the_newest_release_with_postgis_is_chosen(tmp_path: Path) -> None:
    root, share = tmp_path / "lib", tmp_path / "share"
    for version, postgis in ((13, True), (15, True), (16, True), (17, False)):
        installation(root, share, version, postgis=postgis)
    assert find_binaries(root, share, path="").version == 16


@pytest.mark.parametrize(
    ("version", "postgis", "reason"),
    [(13, True, "PostgreSQL 13 is older than 15"), (16, False, "PostgreSQL 16 has no PostGIS")],
)
def test_without_postgis_and_without_root_the_packages_are_named(
    tmp_path: Path, version: int, postgis: bool, reason: str
) -> None:
    root, share = tmp_path / "lib", tmp_path / "share"
    installation(root, share, version, postgis=postgis)
    with pytest.raises(PostgresMissingError) as refused:
        find_or_install({"PATH": ""}, say=print, root=root, share=share, privilege=lambda _path: None)
    message = refused.value.one_line
    assert reason in message
    assert "apt-get install postgresql-NN postgresql-NN-postgis-3" in message
    assert "S4C_DATABASE_URL" in message
    assert "\n" not in message


def apt(tmp_path: Path, *, install: str) -> dict[str, str]:
    """An apt that knows two releases; ``install`` is what its ``install`` does."""
    programs = tmp_path / "programs"
    programs.mkdir()
    scripts = {
        "pg_config": "exit 1",
        "apt-cache": "echo 'postgresql-15-postgis-3 - Geographic'; echo 'postgresql-16-postgis-3 - Geographic'",
        "apt-get": f'echo "$DEBIAN_FRONTEND $*" >>{tmp_path}/calls; case "$*" in *install*) {install};; esac',
    }
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    return {**os.environ, "PATH": f"{programs}:/usr/bin:/bin"}


def test_missing_postgis_is_installed_without_a_cluster_of_its_own(tmp_path: Path) -> None:
    root, share, switch = tmp_path / "lib", tmp_path / "share", tmp_path / "etc" / "switch.conf"
    installation(tmp_path / "ready", tmp_path / "ready-share", 16, postgis=True)
    install = f"cp {switch} {tmp_path}/seen; mv {tmp_path}/ready {root}; mv {tmp_path}/ready-share {share}"
    environ = apt(tmp_path, install=install)
    told: list[str] = []
    found = find_or_install(
        environ, say=told.append, root=root, share=share, privilege=lambda _path: [], cluster_switch=switch
    )
    assert found.version == 16
    assert "postgresql-16 and postgresql-16-postgis-3" in told[-1]
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[-1] for call in calls] == ["update", "postgresql-16-postgis-3"]
    assert all(call.startswith("noninteractive ") for call in calls)
    assert (tmp_path / "seen").read_text() == "create_main_cluster = false\n"
    assert not switch.exists()


def test_an_apt_that_fails_is_quoted_in_one_line(tmp_path: Path) -> None:
    switch = tmp_path / "switch.conf"
    environ = apt(tmp_path, install="echo 'E: Unable to fetch some archives'; exit 100")
    with pytest.raises(PostgresMissingError, match="exit code 100: E: Unable to fetch some archives") as refused:
        find_or_install(
            environ, say=print, root=tmp_path, share=tmp_path, privilege=lambda _path: [], cluster_switch=switch
        )
    assert "\n" not in refused.value.one_line
    assert not switch.exists()


def test_the_package_is_the_newest_the_system_offers() -> None:
    listed = "postgresql-14-postgis-3 - Geographic\npostgresql-15-postgis-3 - Geographic\npostgresql-16-postgis-3 - G\n"
    assert choose_package_version(listed) == 16
    assert choose_package_version("postgresql-14-postgis-3 - Geographic\n") is None


def test_a_given_server_gets_airflows_database_beside_the_domain_database(server: PostgresServer) -> None:
    given = GivenServer(server.create_database("domain").replace("postgresql://", "postgresql+psycopg2://"))
    given.check()
    assert given.create_database("s4c") == server.url_for("domain")
    assert given.create_database("airflow") == server.url_for("airflow")
    assert given.create_database("airflow") == server.url_for("airflow")
    assert server.password not in given.shown
    query(server.url_for("postgres"), "DROP DATABASE airflow")


def test_somebody_elses_airflow_database_on_a_given_server_is_refused(server: PostgresServer) -> None:
    server.create_database("airflow")
    with pytest.raises(DatabaseServerError, match="not made by this stack") as refused:
        GivenServer(server.create_database("domain")).create_database("airflow")
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in refused.value.hint
    own = GivenServer(server.url_for("domain"), server.url_for("airflow"))
    assert own.create_database("airflow") == server.url_for("airflow")
    query(server.url_for("postgres"), "DROP DATABASE airflow")


def test_a_given_user_without_rights_gets_advice(server: PostgresServer) -> None:
    query(server.create_database("domain"), "CREATE ROLE small LOGIN PASSWORD 'small'")
    url = databases.database_url("small", "small", ports.LOCALHOST, server.port, "domain")
    with pytest.raises(DatabaseServerError, match="may not create the database airflow"):
        GivenServer(url).create_database("airflow")
    query(server.url_for("domain"), "DROP ROLE small")


def test_a_given_server_that_does_not_answer_is_refused_at_once() -> None:
    begun = time.monotonic()
    with pytest.raises(DatabaseServerError, match=r"S4C_DATABASE_URL: .*refused"):
        GivenServer(databases.database_url("a", "b", ports.LOCALHOST, ports.any_free(), "c")).check()
    assert time.monotonic() - begun < 5
