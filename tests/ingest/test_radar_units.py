"""Pairs and units of raw Sentinel-1 acquisitions in the database, by the cases of the specifications."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import shapely
from domain_rows import WAYS, make_season, make_site, make_source
from shapely.geometry.base import BaseGeometry
from sqlalchemy import text

from s4c_lib.catalog import acquisitions, radar_units, s1_pairs, sites, unit_claims, units
from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.readiness_rules import look_back_days
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import Site
from s4c_lib.cli.run_by_hand import parameters
from s4c_lib.ingest.context import load_context
from s4c_lib.ingest.radar import chunks_of, plan_radar
from s4c_lib.ingest.radar_executors import radar_executor
from s4c_lib.ingest.radar_inputs import READS, RadarInputs
from s4c_lib.preprocessing.radar.executor import RadarJob
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.scheduling.query_windows import span, windows
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.sources.product_names import product_name

# Covers the site of `domain_rows`.
WIDE = shapely.box(4, 50, 7, 51)
DATES = SeasonDates(date(2021, 12, 10), date(2021, 12, 20), date(2022, 3, 1))
LATER = datetime(2022, 6, 1, 8, tzinfo=UTC)
# (platform, absolute orbit, date) of case 9.5
A = ("S1B", 29893, date(2021, 12, 5))
B = ("S1A", 40964, date(2021, 12, 11))
C = ("S1B", 30068, date(2021, 12, 17))
D = ("S1A", 41139, date(2021, 12, 23))
E = ("S1A", 41314, date(2022, 1, 4))
Flight = tuple[str, int, date]


@dataclass
class Radar:
    """A season with acquisitions whose files nobody reads."""

    database: Database
    site: Site
    season: Season
    names: dict[str, int] = field(default_factory=dict)

    def add(
        self,
        label: str,
        flight: Flight,
        *,
        state: str = "downloaded",
        footprint: BaseGeometry = WIDE,
        second: int = 0,
        kind: str = "SLC_",
        orbit: int | None = None,
        checksum: str = "",
    ) -> int:
        platform, absolute, day = flight
        start = datetime(day.year, day.month, day.day, 17, 5, tzinfo=UTC) + timedelta(seconds=second)
        stop = start + timedelta(seconds=27)
        level = "SLC__1SDV" if kind == "SLC_" else "GRDH_1SDV"
        check = f"{len(self.names) + 1:04X}"
        name = f"{platform}_IW_{level}_{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}_{absolute:06d}_{absolute:06X}_{check}"
        parsed = product_name(name)
        with self.database.begin() as connection:
            source = make_source(connection, Path("/archive"), name=f"source{check}")[0]
            number, _ = acquisitions.discover(
                connection,
                acquisitions.NewAcquisition(
                    satellite="s1",
                    source_product_name=name,
                    kind=parsed.kind,
                    platform=parsed.platform,
                    sensing_start=start,
                    footprint=footprint,
                    relative_orbit=orbit or parsed.relative_orbit,
                    direction="ascending",
                    polarisation="VV+VH",
                    size_bytes=1000,
                ),
                source=source.name,
                address=f"/archive/{name}",
                data_source_id=source.id,
                actor="test",
            )
            acquisitions.set_membership(
                connection, self.site.id, number, tiles=(), overlap_ratio=1.0, ignored_because=None
            )
            connection.execute(
                text(
                    "UPDATE s4c.acquisition SET full_path = :path, measurement_checksum = :checksum, checksum = 'c' "
                    "WHERE id = :id"
                ),
                {"path": f"/archive/{name}", "checksum": checksum, "id": number},
            )
        self.names[label] = number
        self.step(label, *WAYS[state])
        return number

    def step(self, label: str, *states: str) -> None:
        """Lead an acquisition through states."""
        for state in states:
            lease = ("test", LATER) if state == "downloading" else None
            with self.database.begin() as connection:
                transition(connection, [self.names[label]], AcquisitionState(state), actor="test", lease=lease)

    def plan(self, now: datetime = LATER) -> int:
        context = load_context(self.database, self.season.id, today=now.date())
        return plan_radar(self.database, context, now=now)

    def pairs(self) -> list[tuple[str, str, int, int]]:
        """(newer, older, intersection %, baseline) of every pair, by newer."""
        labels = {number: label for label, number in self.names.items()}
        with self.database.begin() as connection:
            found = s1_pairs.pairs_of(connection, list(labels))
        return [
            (labels[one.current_id], labels[one.previous_id], round(one.intersection_pct), one.baseline_days)
            for one in found
        ]

    def units(self, label: str) -> dict[str, str]:
        """State, or reason of what is left out, of each unit; pairs by the older one's label."""
        labels = {f"pair:{number}": label for label, number in self.names.items()}
        with self.database.begin() as connection:
            found = units.units_of(connection, self.names[label])
        return {
            labels.get(one.unit_key, one.unit_key): one.reason_code or one.state
            if one.state == "ignored"
            else one.state
            for one in found
        }

    def hashes(self) -> dict[str, str]:
        """Configuration of each unit."""
        with self.database.begin() as connection:
            return {
                f"{label} {unit.unit_key.partition(':')[0]}": unit.config_hash
                for label, number in self.names.items()
                for unit in units.units_of(connection, number)
            }

    def state(self, label: str) -> str:
        with self.database.begin() as connection:
            return str(acquisitions.get_acquisition(connection, self.names[label]).state)

    def set(self, key: str, value: object) -> None:
        with self.database.begin() as connection:
            set_value(connection, key, value, actor="test")

    def claim(self, now: datetime = LATER, owner: str = "w") -> str | None:
        with self.database.begin() as connection:
            found = unit_claims.claim(connection, "l2s1", self.site.id, owner=owner, now=now, lease_seconds=1800)
        labels = {number: label for label, number in self.names.items()}
        return f"{labels[found[0].acquisition_id]} {found[0].unit_key.partition(':')[0]}" if found else None

    def finish(self, label: str, key: str, *, owner: str = "w", failed: bool | None = None) -> str:
        """End a claimed unit: well, or (failed) for good or to be tried again."""
        with self.database.begin() as connection:
            unit = next(
                one
                for one in units.units_of(connection, self.names[label])
                if one.unit_key.startswith(key) and one.state == "processing"
            )
            radar_units.note_tiles(connection, unit.id, ["31UFS", "31UGS"])
            if failed is None:
                return str(units.finish(connection, unit.id, owner=owner, product_id=None))
            return str(
                units.fail(
                    connection,
                    unit.id,
                    owner=owner,
                    reason="exec_nonzero",
                    error="x",
                    retryable=not failed,
                    next_attempt_at=LATER,
                )
            )


@pytest.fixture
def radar(database: Database, monkeypatch: pytest.MonkeyPatch) -> Radar:
    monkeypatch.setenv("S4C_SNAP_PROGRAM", "/opt/snap/bin/gpt")
    with database.begin() as connection:
        site = make_site(connection)
        season = make_season(connection, site, dates=DATES)
        site = sites.set_enabled(connection, site, True)
        make_source(connection)
        set_value(connection, "processor.l2s1.executor", "snap", actor="test")
    return Radar(database, site, season)


def test_9_5_pairs_by_platforms_and_dates(radar: Radar) -> None:
    for label, flight in zip("abcde", (A, B, C, D, E), strict=True):
        radar.add(label, flight)
    # backscatter of all five, coherence of four
    assert radar.plan() == 9
    assert radar.pairs() == [("b", "a", 100, 6), ("c", "b", 100, 6), ("d", "c", 100, 6), ("e", "d", 100, 12)]
    assert radar.units("a") == {"single": "pending", "pair:none": "no_previous"}
    assert radar.units("e") == {"single": "pending", "d": "pending"}
    assert radar.plan() == 9, "nothing is made twice"


def test_9_5_two_slices_of_the_earlier_pass_are_two_coherences(radar: Radar) -> None:
    radar.add("north", B, footprint=shapely.box(4, 50.38, 7, 51))
    radar.add("south", B, footprint=shapely.box(4, 50, 7, 50.38), second=27)
    radar.add("c", C)
    radar.plan()
    assert [pair[:2] for pair in radar.pairs()] == [("c", "north"), ("c", "south")]
    assert [pair[2] for pair in radar.pairs()] == pytest.approx([62, 38], abs=1)
    assert radar.units("c") == {"single": "pending", "north": "pending", "south": "pending"}


@pytest.mark.parametrize(("west", "pairs"), [(6.853, 0), (6.849, 1)])
def test_39_overlap_decides_on_a_pair(radar: Radar, west: float, pairs: int) -> None:
    """4.9 % and 5.0 % of the newer footprint."""
    radar.add("b", B, footprint=shapely.box(west, 50, 9, 51))
    radar.add("c", C)
    radar.plan()
    assert len(radar.pairs()) == pairs


def test_39_partners_with_a_fixed_offset(radar: Radar) -> None:
    radar.set("processor.l2s1.temporal.offset", "6")
    radar.add("0", B)
    radar.add("6", C)
    radar.add("12", D)
    radar.plan()
    assert [pair[:2] for pair in radar.pairs()] == [("6", "0"), ("12", "6")]


def test_39_without_the_one_between_there_is_no_coherence(radar: Radar) -> None:
    radar.set("processor.l2s1.temporal.offset", "6")
    radar.add("0", B)
    radar.add("12", D)
    radar.add("other orbit", C, orbit=15)
    radar.plan()
    assert radar.pairs() == []
    assert radar.units("12") == {"single": "pending", "pair:none": "no_previous"}


def test_14_an_acquisition_without_partner_waits_and_then_blocks_nothing(radar: Radar) -> None:
    """2 x 12 + 5 days after the 4th of January; backscatter is not waited with."""
    radar.add("e", E)
    # orbit files: two days
    assert radar.plan(datetime(2022, 1, 6, 17, tzinfo=UTC)) == 0
    assert radar.plan(datetime(2022, 1, 6, 18, tzinfo=UTC)) == 1
    assert radar.claim(datetime(2022, 1, 6, 18, tzinfo=UTC)) == "e single"
    assert radar.finish("e", "single") == "processing", "its coherence may still come"
    assert radar.units("e")["pair:none"] == "pending"
    radar.plan(datetime(2022, 2, 1, 23, tzinfo=UTC))
    assert radar.state("e") == "processing"
    radar.plan(datetime(2022, 2, 2, 0, tzinfo=UTC))
    assert radar.units("e") == {"single": "done", "pair:none": "no_previous"}
    assert radar.state("e") == "processed"


@pytest.mark.parametrize(("days", "taken"), [(29, True), (31, False)])
def test_a_late_partner_is_taken_for_thirty_days(radar: Radar, days: int, taken: bool) -> None:
    radar.add("e", E)
    radar.plan(LATER)
    assert radar.units("e")["pair:none"] == "no_previous"
    radar.add("d", D)
    radar.plan(LATER + timedelta(days=days))
    assert radar.units("e") == {"single": "pending", **({"d": "pending"} if taken else {"pair:none": "no_previous"})}


def test_a_pair_is_known_before_its_partner_is_fetched_and_waits_for_it(radar: Radar) -> None:
    radar.add("d", D, state="queued")
    radar.add("e", E)
    assert radar.plan() == 1
    assert radar.pairs() == [("e", "d", 100, 12)]
    assert radar.claim() == "e single"
    assert radar.claim() is None, "its partner is not there"
    radar.step("d", "downloading", "aborted")
    radar.plan()
    assert radar.units("e") == {"single": "processing", "d": "no_previous"}, "it cannot be fetched"
    radar.step("d", "queued", "downloading", "downloaded")
    radar.plan()
    assert radar.units("e")["d"] == "pending"
    assert [radar.claim(), radar.claim()] == ["d single", "e pair"]


def test_slices_with_the_same_measurements_are_one(radar: Radar) -> None:
    first = radar.add("first", E, checksum="same")
    second = radar.add("again", E, second=1, checksum="same")
    radar.add("d", D)
    radar.plan()
    kept, left = ("again", "first") if second > first else ("first", "again")
    assert radar.units(kept) == {"single": "pending", "d": "pending"}
    assert radar.units(left) == {"single": "duplicate"}
    assert radar.state(left) == "processed"
    assert [pair[0] for pair in radar.pairs()] == [kept]


def test_coherence_is_not_made_with_both_processings_of_the_earlier_slice(radar: Radar) -> None:
    radar.add("first", D, checksum="same")
    radar.add("e", E)
    radar.plan()
    assert radar.units("e")["first"] == "pending"
    radar.add("again", D, second=1, checksum="same")
    radar.plan()
    kept, left = ("again", "first") if radar.units("first")["single"] == "duplicate" else ("first", "again")
    units = radar.units("e")
    assert units[kept] == "pending"
    assert units.get(left, "duplicate") == "duplicate"
    assert radar.plan() == 3, "both backscatters and one coherence"


def test_a_platform_that_becomes_known_late_makes_the_baseline_shorter(radar: Radar) -> None:
    radar.add("d", D)
    radar.add("e", E)
    radar.plan()
    assert radar.units("e") == {"single": "pending", "d": "pending"}
    radar.add("late", ("S1B", 30243, date(2021, 12, 29)))
    radar.plan()
    assert radar.units("e") == {"single": "pending", "d": "not_wanted", "late": "pending"}
    radar.set("processor.l2s1.temporal.offset", "12")
    radar.plan()
    assert radar.units("e") == {"single": "pending", "d": "pending", "late": "not_wanted"}


def test_what_waits_is_of_the_parameters_of_today(radar: Radar) -> None:
    radar.add("d", D)
    radar.add("e", E)
    radar.plan()
    assert radar.claim() == "d single"
    radar.finish("d", "single")
    before = radar.hashes()
    radar.set("processor.l2s1.remove_noise", False)
    radar.plan()
    after = radar.hashes()
    assert after["d single"] == before["d single"], "it is made"
    assert len({after["e single"], after["e pair"], before["e single"]}) == 2
    assert after["e single"] == after["e pair"]


def test_units_of_a_site_that_is_switched_off_stay_as_they_are(radar: Radar) -> None:
    """Release notes: S1 products are not processed when the site gets disabled."""
    radar.add("d", D)
    radar.add("e", E)
    assert radar.plan() == 3
    before = radar.units("e")
    with radar.database.begin() as connection:
        sites.set_enabled(connection, radar.site, False)
    assert radar.claim() is None
    assert radar.plan() == 0
    assert radar.units("e") == before
    with radar.database.begin() as connection:
        sites.set_enabled(connection, radar.site, True)
    assert radar.claim() == "d single"


def test_37_an_acquisition_ends_as_its_units_do(radar: Radar) -> None:
    """One done, one failed: processing while it may be tried again, then processed; none done: processing_failed."""
    radar.set("processor.l2a.optical.max-retries", 1)
    radar.add("d", D)
    radar.add("e", E)
    radar.plan()
    assert [radar.claim(), radar.claim(), radar.claim()] == ["d single", "e single", "e pair"]
    assert radar.finish("d", "single", failed=True) == "processing_failed"
    assert radar.finish("e", "single") == "processing"
    assert radar.finish("e", "pair", failed=False) == "processing"
    assert radar.claim(LATER) == "e pair"
    assert radar.finish("e", "pair", failed=False) == "processed"


def test_50_a_worker_that_died_costs_no_attempt(radar: Radar) -> None:
    radar.add("e", E)
    radar.plan()
    assert radar.claim() == "e single"
    assert radar.plan(LATER + timedelta(minutes=29)) == 0
    assert radar.plan(LATER + timedelta(minutes=31)) == 1
    with radar.database.begin() as connection:
        single = next(one for one in units.units_of(connection, radar.names["e"]) if one.unit_key == "single")
    assert (single.state, single.attempts) == ("pending", 0)


@pytest.mark.parametrize(("offset", "first", "count"), [("12", date(2024, 2, 18), 23), ("6", date(2024, 2, 24), 22)])
def test_26_the_season_of_radar_starts_as_early_as_a_pair_reaches_back(offset: str, first: date, count: int) -> None:
    dates = SeasonDates(date(2024, 3, 1), date(2024, 5, 1), date(2024, 9, 30))
    days = look_back_days("s1", parameters("default", [f"processor.l2s1.temporal.offset={offset}"]))
    whole = span("s1", dates, start_offset_months=0, s1_offset_days=days)
    assert whole.date_from == first
    assert len(windows(whole, 10)) == count


@pytest.mark.parametrize(
    ("executor", "settings", "slc", "grd"),
    [
        ("snap", {}, None, "not_wanted"),
        ("snap", {"backscatter_input": "grd"}, None, None),
        ("snap", {"compute.coherence": "false"}, "not_wanted", None),
        ("snap", {"compute.coherence": "false", "backscatter_input": "slc"}, None, "not_wanted"),
        ("snap", {"compute.amplitude": "false"}, None, "not_wanted"),
        ("native-grd", {}, "no_executor", None),
        ("native-grd", {"compute.coherence": "false"}, "not_wanted", None),
        ("none", {}, "no_executor", "no_executor"),
        ("snap", {"enabled": "false"}, "disabled", "disabled"),
    ],
)
def test_what_is_searched_follows_from_what_is_made(
    executor: str, settings: dict[str, object], slc: str | None, grd: str | None
) -> None:
    given = [f"processor.l2s1.{key}={value}" for key, value in {"executor": executor, **settings}.items()]
    snapshot = parameters("default", given)
    inputs = RadarInputs.of(snapshot, frozenset({"snap"}))
    assert (inputs.why_left_out(ProductKind.S1_SLC), inputs.why_left_out(ProductKind.S1_GRD)) == (slc, grd)
    if executor == "snap" and "enabled" not in settings:
        without = RadarInputs.of(snapshot, frozenset())
        assert without.why_left_out(ProductKind.S1_SLC) == "no_executor", "its program is not set here"


def test_what_executors_read_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S4C_SNAP_PROGRAM", "/opt/snap/bin/gpt")
    for name, said in READS.items():
        executor, _ = radar_executor(name, parameters("default", []))
        assert {job: executor.reads(job) for job in RadarJob} == dict(said)


def test_long_units_are_a_task_each(radar: Radar) -> None:
    for label, flight in zip("de", (D, E), strict=True):
        radar.add(label, flight)
    context = load_context(radar.database, radar.season.id, today=LATER.date())
    assert chunks_of(radar.database, context, now=LATER, slots=1) == [1, 1, 1]
