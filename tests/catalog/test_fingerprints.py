"""The fingerprint of a run: what decides a result changes it, nothing else does (operations.md §2.5, B17)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from derived_rows import TODAY, optical, put_statistics, radar
from domain_rows import DATES, make_acquisition, make_enabled
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from uploaded_rows import FIELDS, declare, give, give_everything

from s4c_lib.catalog import fingerprints
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.config_values import set_value, snapshot
from s4c_lib.catalog.fingerprints import RunInputs
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import get_site

INPUTS = RunInputs(7, {Kind.LUT: 3, Kind.DECLARATIONS: 2}, {"l3b": "x", "s4c_mdb1": "y"}, ("ndvi",), DATES.start)
SHAS = st.lists(st.text("0123456789abcdef", min_size=4, max_size=4), max_size=6)


def printed(files: list[str], inputs: RunInputs = INPUTS, **more: object) -> str:
    usual = {"config_hash": "c", "software_version": "1", "interval_start": DATES.start, "as_of": DATES.end}
    return fingerprints.fingerprint(files, inputs, **{**usual, **more})  # type: ignore[arg-type]


@given(SHAS, SHAS)
def test_files_decide_and_their_order_does_not(first: list[str], second: list[str]) -> None:
    assert printed(first) == printed(list(reversed(first)))
    assert (printed(first) == printed(second)) is (sorted(first) == sorted(second))


def test_a_fingerprint_stays_what_it_was() -> None:
    """Products carry it in their names: a change of its making would repeat every run."""
    canonical = (
        '{"as_of":"2024-09-30","config":"c","files":["aa","bb"],"from":"2024-03-01","parcel_set":7,"software":"1",'
        '"uploads":["declarations 2","lut 3"]}'
    )
    assert printed(["bb", "aa"]) == hashlib.sha256(canonical.encode()).hexdigest()
    stored = INPUTS.as_json()
    assert RunInputs.from_json(stored) == INPUTS


@pytest.fixture
def season(connection: Connection, tmp_path: Path) -> Season:
    _, season = make_enabled(connection)
    give_everything(connection, season, tmp_path)
    optical(connection, season, "S2")
    for polarisation in ("VV", "VH"):
        radar(connection, season, f"AMP_{polarisation}", "s1_amp", polarisation)
        radar(connection, season, f"COHE_{polarisation}", "s1_cohe", polarisation)
    return season


def of_run(
    connection: Connection, season: Season, processor: str = "s4c_l4a", as_of: date = DATES.end, **values: object
) -> str:
    settings = snapshot(connection, today=TODAY, season=season, job_values=values)
    inputs = fingerprints.present_inputs(
        connection, season, processor, settings, interval_start=DATES.start, today=TODAY
    )
    files = fingerprints.files_read(connection, inputs, DATES.start, as_of)
    return printed([item.sha256 for item in files], inputs, config_hash=settings.hash_for(processor), as_of=as_of)


def test_what_decides_the_result_of_a_run(connection: Connection, season: Season, tmp_path: Path) -> None:
    site = get_site(connection, season.site)
    changes: dict[str, Callable[[], object]] = {
        "statistics": lambda: connection.execute(
            text("UPDATE s4c.marker_file SET sha256 = 'other' WHERE variable = 'vv'")
        ),
        "one more image": lambda: optical(connection, season, "LATE", sensed=datetime(2024, 9, 28, tzinfo=UTC)),
        "a product superseded": lambda: connection.execute(
            text("UPDATE s4c.product SET state = 'superseded' WHERE name = 'AMP_VV'")
        ),
        "declarations": lambda: declare(connection, season.site_id, tmp_path, FIELDS[:2]),
        "crop codes": lambda: give(connection, season.site_id, Kind.LUT, b"another"),
        "parameters": lambda: set_value(connection, "processor.s4c_l4a.num-trees", 10, actor="x", season=season),
    }
    before = of_run(connection, season)
    for name, change in changes.items():
        undo = connection.begin_nested()
        change()
        assert of_run(connection, season) != before, name
        undo.rollback()
    assert of_run(connection, season) == before
    assert of_run(connection, season, as_of=DATES.end - timedelta(days=1)) != before
    assert of_run(connection, season, **{"processor.s4c_l4a.num-trees": 10}) != before
    # what decides nothing
    set_value(connection, "readiness.max_wait_days", 9, actor="x", season=season)
    make_acquisition(connection, site, "LANDSAT", satellite="l8")
    give(connection, season.site_id, Kind.L4C_CONFIG, b"another")
    put_statistics(connection, season, max(_products(connection).values()), ("b99",))
    optical(connection, season, "NEXT YEAR", sensed=datetime(2025, 1, 2, tzinfo=UTC))
    assert of_run(connection, season) == before


def _products(connection: Connection) -> dict[str, int]:
    return {row.name: row.id for row in connection.execute(text("SELECT name, id FROM s4c.product"))}


def test_practice_tables_decide_for_practices_alone(connection: Connection, season: Season) -> None:
    mowing, practices = of_run(connection, season, "s4c_l4b"), of_run(connection, season, "s4c_l4c")
    give(connection, season.site_id, Kind.PRACTICES_CC)
    assert of_run(connection, season, "s4c_l4b") == mowing
    assert of_run(connection, season, "s4c_l4c") != practices


def test_mowing_reads_radar_of_the_days_a_pair_reaches_back(connection: Connection, season: Season) -> None:
    early = datetime(2024, 2, 20, 18, tzinfo=UTC)
    radar(connection, season, "EARLY", "s1_cohe", "VH", sensed=early)
    optical(connection, season, "EARLY_S2", sensed=early)
    settings = snapshot(connection, today=TODAY, season=season)
    for processor, expected in (("s4c_l4b", {("coherence_vh", early)}), ("s4c_l4a", set())):
        inputs = fingerprints.present_inputs(
            connection, season, processor, settings, interval_start=DATES.start, today=TODAY
        )
        files = fingerprints.files_read(connection, inputs, DATES.start, DATES.end)
        assert {
            (item.variable, item.time) for item in files if item.time < datetime(2024, 3, 1, tzinfo=UTC)
        } == expected
