"""Waivers: who gave them, why, and that they can be taken back."""

from __future__ import annotations

import pytest
from derived_rows import optical
from domain_rows import make_acquisition, make_enabled
from sqlalchemy import Connection

from s4c_lib.catalog import waivers
from s4c_lib.catalog.seasons import Season
from s4c_lib.errors import ConflictError, InputError, NotFoundError, TransitionError


@pytest.fixture
def season(connection: Connection) -> Season:
    site, season = make_enabled(connection)
    make_acquisition(connection, site, "MISSING", state="aborted")
    return season


def test_a_waiver_says_what_who_and_why_and_stays_on_record(connection: Connection, season: Season) -> None:
    made = waivers.add_waiver(connection, season, "s4c_l4a", acquisition="MISSING", reason=" never came ", actor="anna")
    assert (made.acquisition, made.product, made.reason, made.created_by) == ("MISSING", None, "never came", "anna")
    assert waivers.list_waivers(connection, season.id) == [made]
    assert waivers.list_waivers(connection, season.id, "s4c_l4b") == []
    taken = waivers.withdraw(connection, season, made.id, actor="bert")
    assert (taken.withdrawn_by, taken.withdrawn_at is not None) == ("bert", True)
    assert waivers.list_waivers(connection, season.id) == []
    assert [item.id for item in waivers.list_waivers(connection, season.id, withdrawn=True)] == [made.id]
    again = waivers.add_waiver(connection, season, "s4c_l4a", acquisition="MISSING", reason="after all", actor="anna")
    assert again.id != made.id


def test_only_what_lies_in_the_interval_of_a_run_is_its_waiver(connection: Connection, season: Season) -> None:
    waivers.add_waiver(connection, season, "s4c_l4a", acquisition="MISSING", reason="x", actor="anna")
    dates = season.dates
    assert len(waivers.waivers_of_run(connection, season.id, "s4c_l4a", dates.start, dates.end)) == 1
    assert waivers.waivers_of_run(connection, season.id, "s4c_l4a", dates.start, dates.start) == []


def test_wrong_waivers_are_refused(connection: Connection, season: Season) -> None:
    optical(connection, season, "PRODUCT", l3b=None)

    def waive(**what: str) -> None:
        waivers.add_waiver(connection, season, "s4c_l4a", **{"reason": "x", "actor": "anna", **what})  # type: ignore[arg-type]

    for wrong, error in (
        ({"acquisition": "NOBODY"}, NotFoundError),
        ({"product": "NOBODY"}, NotFoundError),
        ({}, InputError),
        ({"acquisition": "MISSING", "product": "PRODUCT"}, InputError),
        ({"acquisition": "MISSING", "reason": " "}, InputError),
    ):
        with pytest.raises(error):
            waive(**wrong)
    waive(product="PRODUCT")
    with pytest.raises(ConflictError, match="waived already"):
        waive(product="PRODUCT")
    (made,) = waivers.list_waivers(connection, season.id)
    waivers.withdraw(connection, season, made.id, actor="bert")
    with pytest.raises(TransitionError, match="by bert"):
        waivers.withdraw(connection, season, made.id, actor="carl")
    with pytest.raises(NotFoundError):
        waivers.withdraw(connection, season, 10**9, actor="carl")
