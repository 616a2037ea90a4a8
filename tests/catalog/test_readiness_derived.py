"""Rule R3: a run waits for the products and statistics it reads (operations.md cases 13 to 15, spec/README.md B17)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from derived_rows import OPTICAL, SENSED, optical, put_statistics, radar, settle
from domain_rows import DATES, make_acquisition, make_enabled
from sqlalchemy import Connection, text
from uploaded_rows import FIELDS, declare, give_everything

from s4c_lib.catalog import readiness, units
from s4c_lib.catalog.config_values import set_value, snapshot
from s4c_lib.catalog.readiness import Readiness, RuleResult
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import get_site
from s4c_lib.catalog.waivers import add_waiver

PAST = datetime(2025, 2, 1, 8, tzinfo=UTC)
MODE = "processor.s4c_l4a.mode"
INPUTS = "processor.s4c_l4b.input_product_types"


def judge(connection: Connection, season: Season, processor: str = "s4c_l4c", **values: object) -> Readiness:
    settings = snapshot(connection, today=PAST.date(), season=season, job_values=values)
    return readiness.evaluate(
        connection,
        season,
        processor,
        interval_start=DATES.start,
        as_of=DATES.end,
        due=PAST,
        now=PAST,
        snapshot=settings,
    )


def rule(verdict: Readiness, name: str) -> RuleResult:
    return next(item for item in verdict.rules if item.rule == name)


def failing(verdict: Readiness) -> list[str]:
    return [item.rule for item in verdict.rules if not item.ok]


@pytest.fixture
def season(connection: Connection, tmp_path: Path) -> Season:
    """A past season searched to its end, with all that users give."""
    _, season = make_enabled(connection)
    give_everything(connection, season, tmp_path)
    settle(connection, season, PAST)
    return season


def test_an_l2a_without_l3b_holds_a_run_back_until_it_is_made_or_waived(connection: Connection, season: Season) -> None:
    """Case 15."""
    optical(connection, season, "GOOD")
    optical(connection, season, "LONELY", l3b=None)
    verdict = judge(connection, season)
    assert failing(verdict) == ["R3 s2"]
    found = rule(verdict, "R3 s2")
    assert (found.count, found.blocking) == (1, ("LONELY (l3b)",))
    assert "1 without L3B" in verdict.reason
    add_waiver(connection, season, "s4c_l4c", product="LONELY", reason="haze", actor="anna")
    verdict = judge(connection, season)
    assert (verdict.ready, verdict.complete) == (True, True)
    assert [waiver.as_json()["product"] for waiver in verdict.waivers] == ["LONELY"]
    assert verdict.as_json()["waivers"][0]["reason"] == "haze"
    assert not judge(connection, season, "s4c_l4a").ready, "the waiver is for one processor"


def test_statistics_of_every_wanted_variable_are_waited_for(connection: Connection, season: Season) -> None:
    _, vegetation = optical(connection, season, "S2", variables=("ndvi", "b03"))
    assert vegetation is not None
    assert judge(connection, season, "s4c_l4c").ready, "L4C reads NDVI only"
    assert judge(connection, season, "s4c_l4b").ready
    found = rule(judge(connection, season, "s4c_l4a"), "R3 s2")
    assert found.blocking == ("S2_L3B (b04, b05, b06, b07, b08, b11, b12, brightness_l4a, ndwi)",)
    assert "b05" not in str(rule(judge(connection, season, "s4c_l4a", **{MODE: "s2-only"}), "R3 s2").blocking)
    assert judge(connection, season, "s4c_l4a", **{MODE: "s1-only"}).ready
    put_statistics(connection, season, vegetation, OPTICAL)
    assert judge(connection, season, "s4c_l4a").ready


def test_a_variable_that_is_switched_off_is_said_to_be_never_made(connection: Connection, season: Season) -> None:
    """Or a run would wait for ever for what the ingest it names does not make."""
    radar(connection, season, "AMP", "s1_amp", statistics=False)
    assert "never" not in rule(judge(connection, season), "R3 s1").text
    set_value(connection, "processor.s4c_mdb1.amp_enabled", False, actor="anna", season=season)
    assert (
        "never vv, vh: switched off for the season by processor.s4c_mdb1"
        in rule(judge(connection, season), "R3 s1").text
    )


def test_statistics_of_bands_may_be_of_the_l2a(connection: Connection, season: Season) -> None:
    l2a, _ = optical(connection, season, "S2", variables=("ndvi",))
    put_statistics(connection, season, l2a, OPTICAL[1:])
    assert judge(connection, season, "s4c_l4a").ready


def test_an_empty_l3b_has_nothing_to_read(connection: Connection, season: Season) -> None:
    optical(connection, season, "CLOUDS", l3b="empty")
    assert judge(connection, season).ready


def test_what_was_made_with_another_configuration_does_not_count(connection: Connection, season: Season) -> None:
    optical(connection, season, "S2")
    assert judge(connection, season).ready
    assert judge(connection, season, profile="reference").ready, "a value of one run changes nothing ingest makes"
    set_value(connection, "processor.s4c_mdb1.buffer_10m", 0, actor="anna", season=season)
    assert "1 without statistics" in judge(connection, season).reason
    set_value(connection, "profile", "reference", actor="anna", season=season)
    assert "1 without L3B" in judge(connection, season).reason


def test_new_declarations_need_their_own_statistics(connection: Connection, season: Season, tmp_path: Path) -> None:
    """B17: a new version of the parcels makes every file missing."""
    _, vegetation = optical(connection, season, "S2")
    assert judge(connection, season).ready
    declare(connection, season.site_id, tmp_path, FIELDS[:2])
    assert rule(judge(connection, season), "R3 s2").blocking == ("S2_L3B (ndvi)",)
    assert vegetation is not None
    put_statistics(connection, season, vegetation, ("ndvi",))
    assert judge(connection, season).ready


def test_radar_is_read_by_polarisation_and_kind(connection: Connection, season: Season) -> None:
    """Case 13: what the consumer reads of it counts, nothing else."""
    optical(connection, season, "S2")
    for kind, name in (("s1_amp", "AMP"), ("s1_cohe", "COHE")):
        for polarisation in ("VV", "VH"):
            radar(connection, season, f"{name}_{polarisation}", kind, polarisation, statistics=False)
    assert rule(judge(connection, season), "R3 s1").blocking == (
        "AMP_VH (vh)", "AMP_VV (vv)", "COHE_VV (coherence_vv)",
    )  # fmt: skip
    assert rule(judge(connection, season, "s4c_l4b"), "R3 s1").blocking == ("COHE_VH (coherence_vh)",)
    assert rule(judge(connection, season, "s4c_l4a"), "R3 s1").count == 4
    assert judge(connection, season, "s4c_l4b", **{INPUTS: "S2"}).ready
    numbers = dict(connection.execute(text("SELECT name, id FROM s4c.product")).all())
    for name in ("AMP_VH", "AMP_VV"):
        put_statistics(connection, season, numbers[name], (name[-2:].lower(),))
    put_statistics(connection, season, numbers["COHE_VV"], ("coherence_vv",))
    assert judge(connection, season).ready


def test_a_radar_image_without_partner_is_complete_without_coherence(connection: Connection, season: Season) -> None:
    """Case 14: unit `single` is done, the pair was left out."""
    site = get_site(connection, season.site)
    number = make_acquisition(connection, site, "SLC", satellite="s1", state="downloaded", polarisation="VV+VH")
    connection.execute(text("UPDATE s4c.acquisition SET kind = 's1_slc' WHERE id = :id"), {"id": number})
    units.ensure_units(connection, number, ["single", "pair:7"], processor="l2s1", config_hash="h", max_attempts=3)
    connection.execute(
        text(
            "UPDATE s4c.acquisition_unit SET state = 'ignored', reason_code = 'no_previous' WHERE unit_key <> 'single'"
        )
    )
    connection.execute(text("UPDATE s4c.acquisition_unit SET state = 'done' WHERE unit_key = 'single'"))
    connection.execute(text("UPDATE s4c.acquisition SET state = 'processed' WHERE id = :id"), {"id": number})
    found = rule(judge(connection, season, "s4c_l4a", **{MODE: "s1-only"}), "R3 s1")
    assert found.text.startswith("s1: 1 without backscatter or coherence"), "its backscatter is still to come"
    from derived_rows import make_product

    product = make_product(connection, season, "SLC_AMP", "s1_l2a_amp", acquisition=number, satellite="s1")
    put_statistics(connection, season, product, ("vv", "vh"))
    assert judge(connection, season, "s4c_l4a", **{MODE: "s1-only"}).ready


def fail_for_good(connection: Connection, season: Season, processor: int, product: int, code: str) -> None:
    hashes = readiness.season_hashes(connection, season, PAST.date())
    connection.execute(
        text(
            "INSERT INTO s4c.derivation (site_id, processor_id, product_id, tile, parcel_set_id, config_hash, state, "
            "retryable, reason_code) VALUES (:site, :processor, :product, '31UFS', "
            "CASE WHEN :processor = 14 THEN (SELECT id FROM s4c.parcel_set WHERE site_id = :site AND state = 'active') "
            "END, :hash, 'failed', false, :code)"
        ),
        {
            "site": season.site_id,
            "processor": processor,
            "product": product,
            "hash": hashes["l3b" if processor == 3 else "s4c_mdb1"],
            "code": code,
        },
    )


def test_what_was_given_up_is_a_failure_and_not_waited_for(connection: Connection, season: Season) -> None:
    for index in range(18):
        optical(connection, season, f"GOOD{index:02}")
    bad, _ = optical(connection, season, "BAD", l3b=None)
    _, vegetation = optical(connection, season, "WORSE", variables=())
    assert rule(judge(connection, season), "R3 s2").count == 2
    fail_for_good(connection, season, 3, bad, "input_corrupt")
    assert vegetation is not None
    fail_for_good(connection, season, 14, vegetation, "storage")
    verdict = judge(connection, season)
    assert failing(verdict) == ["R6"], "2 of 20 are above 5 %"
    assert rule(verdict, "R6").blocking == ("BAD", "WORSE")
    assert "2 of them in L3B or statistics" in verdict.reason
    add_waiver(connection, season, "s4c_l4c", product="BAD", reason="broken", actor="anna")
    assert judge(connection, season).ready, "1 of 20 is 5 %, the limit"


def test_a_failure_that_is_tried_again_is_waited_for(connection: Connection, season: Season) -> None:
    l2a, _ = optical(connection, season, "S2", l3b=None)
    fail_for_good(connection, season, 3, l2a, "storage")
    connection.execute(text("UPDATE s4c.derivation SET retryable = true, attempts = 1"))
    assert failing(judge(connection, season)) == ["R3 s2"]


def test_a_processed_acquisition_has_its_products_unless_it_was_left_out(
    connection: Connection, season: Season
) -> None:
    site = get_site(connection, season.site)
    number = make_acquisition(connection, site, "BARE", state="processed")
    assert rule(judge(connection, season), "R3 s2").blocking == ("BARE",)
    add_waiver(connection, season, "s4c_l4c", acquisition="BARE", reason="lost", actor="anna")
    assert judge(connection, season).ready
    other = make_acquisition(connection, site, "NIGHT", state="processed")
    units.ensure_units(connection, other, ["31UFS"], processor="l2a", config_hash="h", max_attempts=3)
    connection.execute(
        text("UPDATE s4c.acquisition_unit SET state = 'ignored' WHERE acquisition_id = :id"), {"id": other}
    )
    assert judge(connection, season).ready
    assert number != other


def test_tiles_the_site_does_not_use_need_no_l3b(connection: Connection, season: Season) -> None:
    optical(connection, season, "S2", l3b=None)
    assert failing(judge(connection, season)) == ["R3 s2"]
    set_value(connection, "processor.l3b.lai.tiles_filter", ["31UGS"], actor="anna", season=season)
    assert judge(connection, season).ready


def test_landsat_is_reported_and_not_waited_for(connection: Connection, season: Season) -> None:
    optical(connection, season, "LANDSAT", l3b=None, satellite="l8")
    verdict = judge(connection, season, "s4c_l4c")
    assert verdict.ready
    assert rule(verdict, "R3 l8").text.endswith("not waited for")
    assert all(item.rule != "R3 l8" for item in judge(connection, season, "s4c_l4a").rules), "L4A does not read it"


def test_twenty_are_named_and_all_are_counted(connection: Connection, season: Season) -> None:
    for index in range(23):
        optical(connection, season, f"S2_{index:02}", l3b=None)
    found = rule(judge(connection, season), "R3 s2")
    assert (found.count, len(found.blocking), found.blocking[0]) == (23, 20, "S2_00 (l3b)")


def test_products_before_the_interval_do_not_count(connection: Connection, season: Season) -> None:
    optical(connection, season, "EARLY", l3b=None, sensed=datetime(2024, 2, 27, tzinfo=UTC))
    assert judge(connection, season).ready
    optical(connection, season, "INSIDE", l3b=None, sensed=SENSED)
    assert rule(judge(connection, season), "R3 s2").count == 1
