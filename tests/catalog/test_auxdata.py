"""Uploads: immutable versions, one in force for a site, kind and year (lpis-and-inputs.md 1.2, operations.md 1.8)."""

from __future__ import annotations

import contextlib
import threading
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from domain_rows import make_season, make_site
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from uploaded_rows import LUT, declare, give

from s4c_lib.catalog import auxdata, parcel_sets, seasons
from s4c_lib.catalog.auxdata import AuxdataVersion, Kind, State
from s4c_lib.catalog.database import Database
from s4c_lib.errors import InputError, NotFoundError, StorageError, TransitionError
from s4c_lib.scheduling.dates import SeasonDates


def put(connection: Connection, site_id: int, content: bytes, kind: Kind = Kind.LUT, **more: Any) -> AuxdataVersion:
    return auxdata.upload(
        connection,
        site_id,
        kind,
        2024,
        **{"file_name": "f.csv", "content": content, "parameters": {}, "actor": "anna", **more},
    )[0]


def active(connection: Connection, version: AuxdataVersion, actor: str = "anna") -> AuxdataVersion:
    auxdata.start_validation(connection, version.id, actor=actor)
    return auxdata.activate(connection, version.id, report={"rows": 1}, parsed=LUT, actor=actor)


def test_the_same_bytes_and_parameters_are_one_version(connection: Connection) -> None:
    """Case 46 of operations.md."""
    site, other = make_site(connection), make_site(connection, "Beta")
    first = put(connection, site.id, b"Ori_crop;LC", parameters={"a": 1, "b": [2]})
    again, new = auxdata.upload(
        connection, site.id, Kind.LUT, 2024, file_name="renamed.csv", content=b"Ori_crop;LC",
        parameters={"b": [2], "a": 1}, actor="bert",
    )  # fmt: skip
    assert (again, new) == (first, False)
    assert (first.size_bytes, first.state, first.uploaded_by) == (11, "uploaded", "anna")
    assert auxdata.content_of(connection, first.id) == b"Ori_crop;LC"
    others = [
        put(connection, site.id, b"Ori_crop;LC", parameters={"a": 2}),
        put(connection, site.id, b"Ori_crop,LC", parameters={"a": 1, "b": [2]}),
        put(connection, other.id, b"Ori_crop;LC", parameters={"a": 1, "b": [2]}),
        put(connection, site.id, b"Ori_crop;LC", kind=Kind.L4B_CONFIG, parameters={"a": 1, "b": [2]}),
    ]
    assert len({first.id, *(item.id for item in others)}) == 5


def test_two_at_a_time_make_one_version(database: Database) -> None:
    with database.begin() as connection:
        site = make_site(connection)
    start = threading.Barrier(2)
    found: list[int] = []

    def run() -> None:
        start.wait()
        with database.begin() as connection:
            found.append(put(connection, site.id, b"same").id)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert len(set(found)) == 1


def test_another_version_supersedes_and_a_rejected_one_does_not(connection: Connection) -> None:
    site = make_site(connection)
    first = active(connection, put(connection, site.id, b"1"))
    bad = put(connection, site.id, b"2")
    auxdata.start_validation(connection, bad.id, actor="anna")
    assert auxdata.active_version(connection, site.id, Kind.LUT, 2024) == first, "while another is validated"
    auxdata.reject(connection, bad.id, report={"findings": ["LUT-01"]}, actor="anna")
    assert auxdata.active_version(connection, site.id, Kind.LUT, 2024) == first
    assert auxdata.report_of(connection, bad.id) == {"findings": ["LUT-01"]}
    third = active(connection, put(connection, site.id, b"3"), actor="bert")
    assert auxdata.active_version(connection, site.id, Kind.LUT, 2024) == third
    assert auxdata.parsed_of(connection, third.id) == LUT
    states = [(item.id, item.state) for item in auxdata.list_versions(connection, site.id, kind=Kind.LUT)]
    assert states == [(third.id, "active"), (bad.id, "rejected"), (first.id, "superseded")]
    history = [
        (item.version_id, str(item.state), item.changed_by)
        for item in auxdata.history(connection, site.id, Kind.LUT, 2024)
    ]
    assert history == [
        (first.id, "uploaded", "anna"), (first.id, "validating", "anna"), (first.id, "active", "anna"),
        (bad.id, "uploaded", "anna"), (bad.id, "validating", "anna"), (bad.id, "rejected", "anna"),
        (third.id, "uploaded", "anna"), (third.id, "validating", "bert"),
        (first.id, "superseded", "bert"), (third.id, "active", "bert"),
    ]  # fmt: skip


def test_an_earlier_file_comes_back_into_force(connection: Connection) -> None:
    site = make_site(connection)
    first = active(connection, put(connection, site.id, b"1"))
    active(connection, put(connection, site.id, b"2"))
    again = put(connection, site.id, b"1")
    assert (again.id, again.state) == (first.id, "superseded")
    assert active(connection, again).id == first.id
    assert len(auxdata.list_versions(connection, site.id)) == 2


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["start", "activate", "reject"])), max_size=12))
@settings(max_examples=30)
def test_at_most_one_is_in_force_whatever_happens(shared_database: Database, steps: list[tuple[int, str]]) -> None:
    with shared_database.engine.connect() as connection, connection.begin() as transaction:
        site = make_site(connection)
        versions = [put(connection, site.id, bytes([number])) for number in range(3)]
        for number, step in steps:
            version = auxdata.get_version(connection, versions[number].id)
            allowed = {
                "start": version.state is not State.ACTIVE,
                "activate": version.state is State.VALIDATING,
                "reject": version.state is State.VALIDATING,
            }[step]
            refused = contextlib.nullcontext() if allowed else pytest.raises(TransitionError, match=version.state)
            with refused:
                if step == "start":
                    auxdata.start_validation(connection, version.id, actor="x")
                elif step == "reject":
                    auxdata.reject(connection, version.id, report={}, actor="x")
                else:
                    auxdata.activate(connection, version.id, report={}, parsed=None, actor="x")
            states = [item.state for item in auxdata.list_versions(connection, site.id)]
            assert states.count(State.ACTIVE) <= 1
            assert len(states) == 3
        transaction.rollback()


def test_declarations_keep_their_path_and_other_files_their_bytes(connection: Connection, tmp_path: Path) -> None:
    site = make_site(connection)
    file = tmp_path / "parcels.zip"
    file.write_bytes(b"PK" * 100_000)
    version = put(connection, site.id, file, kind=Kind.DECLARATIONS)  # type: ignore[arg-type]
    assert (version.path, version.size_bytes) == (str(file), 200_000)
    assert auxdata.content_of(connection, version.id) is None
    assert put(connection, site.id, b"PK" * 100_000, kind=Kind.DECLARATIONS) == version
    with pytest.raises(InputError, match="kept in the database"):
        put(connection, site.id, file)  # type: ignore[arg-type]
    with pytest.raises(StorageError, match=r"nothing\.zip cannot be read: No such file"):
        put(connection, site.id, tmp_path / "nothing.zip", kind=Kind.DECLARATIONS)  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="no upload 0"):
        auxdata.content_of(connection, 0)


def test_a_season_reads_what_is_in_force_for_its_year(connection: Connection, tmp_path: Path) -> None:
    """D1: by the year of the season, also where the season comes later or its year is edited."""
    site = make_site(connection)
    lut = give(connection, site.id, Kind.LUT)
    give(connection, site.id, Kind.LUT, year=2023)
    table = give(connection, site.id, Kind.PRACTICES_NFC)
    season = make_season(connection, site)
    found = auxdata.season_inputs(connection, season)
    assert found.versions == {Kind.LUT: lut, Kind.PRACTICES_NFC: table}
    assert (found.practices, found.parcel_set_id) == ({"NFC": table}, None)
    made = declare(connection, site.id, tmp_path)
    found = auxdata.season_inputs(connection, season)
    assert found.parcel_set_id == made.id
    assert found.versions[Kind.DECLARATIONS] == made.auxdata_version_id
    again = declare(connection, site.id, tmp_path, content=b"second")
    assert auxdata.season_inputs(connection, season).parcel_set_id == again.id
    # back to the first file: a third version of the parcels, of the first upload
    third = declare(connection, site.id, tmp_path)
    assert (third.auxdata_version_id, third.version) == (made.auxdata_version_id, 3)
    assert auxdata.season_inputs(connection, season).parcel_set_id == third.id
    winter = SeasonDates(date(2023, 2, 1), date(2023, 5, 1), date(2023, 8, 31))
    other, _ = seasons.add_season(connection, site, name="2023", dates=winter, actor="x")
    assert list(auxdata.season_inputs(connection, other).versions) == [Kind.LUT]
    connection.execute(text("UPDATE s4c.season SET year = 2022"))
    assert auxdata.season_inputs(connection, season).versions == {}
    assert parcel_sets.active_set(connection, site.id, 2024) == third


def test_names_are_those_of_the_database(connection: Connection) -> None:
    for enum, name in ((Kind, "auxdata_kind"), (State, "auxdata_state")):
        stored = connection.execute(text(f"SELECT unnest(enum_range(NULL::s4c.{name}))::text")).scalars()
        assert list(stored) == [str(item) for item in enum]
