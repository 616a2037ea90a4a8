"""Crop codes, configurations and practice tables into force: complete or not at all, and never without a word."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from domain_rows import count, make_season, make_site
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from s4c_lib.catalog import auxdata, config_values
from s4c_lib.catalog.auxdata import Kind, State
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.practice_rows import read_practice_table
from s4c_lib.catalog.sites import Site
from s4c_lib.errors import InputError
from s4c_lib.parcels.checking import CheckOptions
from s4c_lib.parcels.crop_lut import CropLut
from s4c_lib.parcels.findings import Finding, Report, Severity, stored_report
from s4c_lib.parcels.l4b_configuration import L4bConfiguration
from s4c_lib.parcels.l4c_configuration import L4cConfiguration
from s4c_lib.parcels.l4c_presets import preset_text
from s4c_lib.parcels.practice_tables import practice_text
from s4c_lib.parcels.practice_tables import read_practice_table as read_practices
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.uploads.declarations import ImportRequest, import_declarations
from s4c_lib.uploads.tables import PRACTICE_OF, TableOutcome, TableParameters, import_table
from s4c_lib.uploads.tables_in_force import compared_again, lut_in_force
from s4c_lib.uploads.tables_rules import read_rules, table_from_rules
from s4c_lib.uploads.tables_seasons import harvest_year, year_of
from tests.synthetic_delivery import MAPPING, YEAR, add_kempen

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TABLES = {kind: f"practices_{name.lower()}.csv" for kind, name in PRACTICE_OF.items()}
Import = Callable[..., TableOutcome]


@pytest.fixture
def site(database: Database) -> Site:
    """A site around the synthetic parcels, with a season of their year."""
    with database.begin() as connection:
        site = add_kempen(connection)
        make_season(connection, site, "2021", SeasonDates(date(2021, 3, 1), date(2021, 6, 1), date(2021, 10, 31)))
    return site


@pytest.fixture
def importing(database: Database, site: Site) -> Import:
    def run(
        kind: Kind, source: Path | bytes, *, year: int = YEAR, name: str | None = None, **more: Any
    ) -> TableOutcome:
        options = {key: more.pop(key) for key in ("dry_run", "administrator") if key in more}
        if isinstance(source, bytes):
            name = name or "table.csv"
        parameters = TableParameters(**more)
        return import_table(
            database, site, kind, year, source, parameters=parameters, actor="anna", name=name, **options
        )

    return run


@pytest.fixture
def declared(database: Database, site: Site, delivered: Path, tmp_path: Path) -> None:
    """The synthetic declarations, in force."""
    request = ImportRequest(delivered / "declarations.gpkg", MAPPING, YEAR, options=CheckOptions())
    outcome = import_declarations(database, site, request, storage=tmp_path / "lpis", actor="test", now=NOW)
    assert outcome.parcel_set is not None, outcome.report


def states(database: Database, site: Site, kind: Kind) -> list[str]:
    with database.begin() as connection:
        return [one.state.value for one in auxdata.list_versions(connection, site.id, kind=kind)]


def in_force(database: Database, site: Site, kind: Kind, year: int = YEAR) -> int | None:
    with database.begin() as connection:
        version = auxdata.active_version(connection, site.id, kind, year)
        return None if version is None else version.id


def test_the_synthetic_tables_come_into_force_with_what_is_wrong_in_them(
    importing: Import, database: Database, site: Site, delivered: Path, declared: None
) -> None:
    truth = json.loads((delivered / "declarations_truth.json").read_text())
    lut = importing(Kind.LUT, delivered / "crop_lut.csv")
    assert lut.changed
    assert lut.version is not None
    assert lut.version.state is State.ACTIVE
    unknown = truth["counts"]["faults"]["unknown_code"]
    missing = lut.report.of("DECL-40")
    assert missing is not None
    assert missing.count == unknown
    assert lut.report.of("LUT-11") is not None
    with database.begin() as connection:
        table = lut_in_force(connection, site.id, YEAR)
        rows = connection.execute(text("SELECT count(*) FROM s4c.crop_lut")).scalar_one()
    assert table is not None
    assert rows == len(table) == lut.report.accepted
    for kind, name in PRACTICE_OF.items():
        outcome = importing(kind, delivered / TABLES[kind])
        expected = Counter(fault["code"] for fault in truth["practices"][name]["wrong"])
        found = {one.code: one.count for one in outcome.report.findings if one.code in expected}
        assert found == dict(expected), name
        assert outcome.report.rows == outcome.report.accepted + outcome.report.set_aside
        lost = expected["PRAC-07"]
        assert outcome.report.facts["parcels_found"] == outcome.report.accepted - lost
        assert outcome.version is not None
        with database.begin() as connection:
            assert len(read_practice_table(connection, outcome.version.id, name)) == outcome.report.accepted
    with database.begin() as connection:
        assert len(compared_again(connection, site, YEAR)) == 5


def test_configurations_come_into_force_in_their_checked_form(
    importing: Import, database: Database, site: Site, delivered: Path
) -> None:
    importing(Kind.LUT, delivered / "crop_lut.csv")
    l4b = importing(Kind.L4B_CONFIG, delivered / "l4b.cfg", mowing_start=date(2021, 4, 1))
    l4c = importing(Kind.L4C_CONFIG, delivered / "l4c.cfg", country="NLD", practices=("CC", "NA"))
    assert l4b.version is not None
    assert l4c.version is not None
    assert l4b.changed
    assert l4c.changed
    with database.begin() as connection:
        mowing = L4bConfiguration.from_dict(auxdata.parsed_of(connection, l4b.version.id))
        practices = L4cConfiguration.from_dict(auxdata.parsed_of(connection, l4c.version.id))
        kept = auxdata.content_of(connection, l4b.version.id)
    assert mowing.settings["processor.s4c_l4b.start_date"] == date(2021, 4, 1)
    assert {period.first.year for period in mowing.compliance} == {YEAR}
    assert practices.practices == ("CC", "NA")
    assert kept == (delivered / "l4b.cfg").read_bytes()
    assert l4b.version.parameters == {"mowing_start": "2021-04-01"}


def test_an_l4c_configuration_sets_what_the_seasons_of_its_year_monitor(
    importing: Import, database: Database, site: Site
) -> None:
    later = SeasonDates(date(2022, 3, 1), date(2022, 6, 1), date(2022, 10, 31))
    with database.begin() as connection:
        other = make_season(connection, site, "2022", later)
    importing(Kind.L4C_CONFIG, preset_text("NLD").encode(), country="NLD", practices=("CC", "NA"))
    importing(Kind.L4C_CONFIG, preset_text("NLD").encode(), country="NLD", practices=("CC", "XX"))
    with database.begin() as connection:
        changes = config_values.history(connection)
        assert config_values.stored_values(connection, season=other) == {}
    assert {(one.season, one.key, str(one.new_value), one.changed_by) for one in changes} == {
        ("2021", "processor.s4c_l4c.country", "NLD", "anna"),
        ("2021", "processor.s4c_l4c.practices", "['CC', 'NA']", "anna"),
    }


def test_the_same_file_again_changes_nothing(
    importing: Import, database: Database, site: Site, delivered: Path, declared: None
) -> None:
    first = importing(Kind.PRACTICES_CC, delivered / TABLES[Kind.PRACTICES_CC])
    second = importing(Kind.PRACTICES_CC, delivered / TABLES[Kind.PRACTICES_CC])
    assert first.version is not None
    assert second.version is not None
    assert (second.version.id, second.changed) == (first.version.id, False)
    assert second.report.as_dict() == first.report.as_dict()
    assert states(database, site, Kind.PRACTICES_CC) == ["active"]


def test_other_parameters_make_another_version(importing: Import, database: Database, site: Site) -> None:
    content = preset_text("NLD").encode()
    first = importing(Kind.L4C_CONFIG, content, country="NLD", practices=("NA",))
    second = importing(Kind.L4C_CONFIG, content, country="NLD", practices=("CC", "NA"))
    assert second.changed
    assert first.version is not None
    assert states(database, site, Kind.L4C_CONFIG) == ["active", "superseded"]
    back = importing(Kind.L4C_CONFIG, content, country="NLD", practices=("NA",))
    assert back.changed
    assert back.version is not None
    assert in_force(database, site, Kind.L4C_CONFIG) == first.version.id == back.version.id


def test_a_refused_file_is_recorded_and_leaves_what_is_in_force(
    importing: Import, database: Database, site: Site, delivered: Path
) -> None:
    sound = importing(Kind.LUT, delivered / "crop_lut.csv")
    lines = (delivered / "crop_lut.csv").read_text().splitlines()
    broken = "\n".join([*lines, lines[1]]).encode()
    outcome = importing(Kind.LUT, broken, name="lut_v2.csv")
    assert outcome.report.refused
    assert not outcome.changed
    assert outcome.report.of("LUT-03") is not None
    assert outcome.report.rows == outcome.report.set_aside
    assert sound.version is not None
    assert in_force(database, site, Kind.LUT) == sound.version.id
    assert states(database, site, Kind.LUT) == ["rejected", "active"]
    with database.begin() as connection:
        assert outcome.version is not None
        assert auxdata.report_of(connection, outcome.version.id)["refused"] is True
        done = [(one.file_name, one.state.value) for one in auxdata.history(connection, site.id, Kind.LUT, YEAR)]
    assert done == [
        *[("crop_lut.csv", state) for state in ("uploaded", "validating", "active")],
        *[("lut_v2.csv", state) for state in ("uploaded", "validating", "rejected")],
    ]


@pytest.mark.parametrize(
    ("kind", "content", "code"),
    [
        (Kind.LUT, b"\x00\x01\x02", "LUT-01"),
        (Kind.LUT, b"", "LUT-01"),
        (Kind.L4B_CONFIG, b"not a configuration", "CFG-01"),
        (Kind.L4B_CONFIG, b"[compliancy]\ncrop_codes = 1, 2, 3\ncrop_rule = 0, 0, 0\n"
         b"crop_time_intervals = ('01/04/2021','31/07/2021'), ('01/04/2021','31/07/2021')\n", "CFG-04"),
        (Kind.L4C_CONFIG, b"[CC_TIME_SERIES_ANALYSIS_PARAMS]\nNDVIUP = 500\n", "CFG-11"),
        (Kind.PRACTICES_FL, b"FIELD_ID;PRACTICE\n1;Fallow\n", "PRAC-01"),
    ],
)  # fmt: skip
def test_files_that_are_not_what_they_should_be_are_refused(
    importing: Import, database: Database, site: Site, kind: Kind, content: bytes, code: str
) -> None:
    more = {"country": "NLD", "practices": ("CC",)} if kind is Kind.L4C_CONFIG else {}
    outcome = importing(kind, content, **more)
    assert outcome.report.refused
    assert outcome.report.of(code) is not None
    assert states(database, site, kind) == ["rejected"]
    with database.begin() as connection:
        assert count(connection, "l4c_practice") == 0
        assert config_values.history(connection) == []


def test_a_dry_run_says_the_same_and_stores_nothing(
    importing: Import, database: Database, delivered: Path, declared: None
) -> None:
    for kind, file in {Kind.LUT: "crop_lut.csv", **TABLES}.items():
        tried = importing(kind, delivered / file, dry_run=True)
        assert (tried.version, tried.changed) == (None, False)
        with database.begin() as connection:
            assert count(connection, "auxdata_version") == 1, "the declarations"
    done = importing(Kind.LUT, delivered / "crop_lut.csv")
    assert done.report.as_dict() == importing(Kind.LUT, delivered / "crop_lut.csv", dry_run=True).report.as_dict()


def test_practices_may_come_before_the_declarations(
    importing: Import, database: Database, site: Site, delivered: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    outcome = importing(Kind.PRACTICES_NA, delivered / TABLES[Kind.PRACTICES_NA])
    waiting = outcome.report.of("PRAC-10")
    assert outcome.changed
    assert waiting is not None
    assert waiting.count == outcome.report.accepted
    assert outcome.report.of("PRAC-07") is None
    request.getfixturevalue("declared")
    with database.begin() as connection:
        ((version, against),) = compared_again(connection, site, YEAR)
    assert version.kind is Kind.PRACTICES_NA
    assert against.facts["parcels_found"] > 0.95 * outcome.report.accepted
    assert against.findings[0].code == "PRAC-07"


def test_practices_of_parcels_that_nobody_declared_are_refused(
    importing: Import, database: Database, site: Site, declared: None
) -> None:
    head = "FIELD_ID;MAIN_CROP;VEG_START;H_START;H_END;PRACTICE;P_TYPE;P_START;P_END\n"
    row = "X{};259;2021-05-01;2021-08-01;2021-10-15;CatchCrop;CatchCrop_1;2021-10-15;NA\n"
    outcome = importing(Kind.PRACTICES_CC, (head + row.format(1) + row.format(2)).encode())
    refused = outcome.report.of("PRAC-07")
    assert refused is not None
    assert refused.severity is Severity.REFUSED
    assert (outcome.report.accepted, outcome.report.set_aside) == (0, 2)
    assert states(database, site, Kind.PRACTICES_CC) == ["rejected"]
    with database.begin() as connection:
        assert count(connection, "l4c_practice") == 0


def test_codes_written_another_way_get_a_proposal_and_do_not_refuse_the_table(
    importing: Import, database: Database, site: Site, delivered: Path, declared: None
) -> None:
    head, *rows = (delivered / "crop_lut.csv").read_text().splitlines()
    padded = "\n".join([head, *(f"000{row}" for row in rows)]).encode()
    outcome = importing(Kind.LUT, padded)
    proposal = outcome.report.of("DECL-40")
    assert proposal is not None
    assert proposal.severity is Severity.WARNING
    assert proposal.rows == (), "rows of another file"
    assert "Proposal: strip leading zeros" in proposal.message
    assert outcome.report.facts["proposed_code_normalisation"] == "strip_zeros"
    assert outcome.changed
    with database.begin() as connection:
        config_values.set_value(connection, "declaration.code_normalisation", "strip_zeros", actor="anna", site=site)
    again = importing(Kind.LUT, padded, dry_run=True)
    assert "proposed_code_normalisation" not in again.report.facts
    assert again.report.facts["share_of_parcels_matched"] > 0.99


def test_mowing_of_crops_that_the_table_lacks_is_a_warning(importing: Import, delivered: Path) -> None:
    importing(Kind.LUT, delivered / "crop_lut.csv")
    content = b"""[general]
ctnum_filter = 9999
[compliance]
crop_codes = ZZZ
crop_time_intervals = ('01/04','31/10')
crop_rule = 0
"""
    outcome = importing(Kind.L4B_CONFIG, content, name="mine.cfg")
    assert outcome.changed
    assert {one.code for one in outcome.report.findings} == {"CFG-06"}


def test_a_mowing_start_outside_the_season_is_refused(importing: Import, delivered: Path) -> None:
    outcome = importing(Kind.L4B_CONFIG, delivered / "l4b.cfg", mowing_start=date(2020, 11, 1))
    refused = outcome.report.of("CFG-03")
    assert refused is not None
    assert "2020-12-31 to 2021-10-31" in refused.message


def test_only_an_administrator_changes_how_mowing_is_detected(importing: Import, delivered: Path) -> None:
    importing(Kind.L4B_CONFIG, delivered / "l4b.cfg")
    changed = (delivered / "l4b.cfg").read_bytes().replace(b"stat_smpl_n = 5", b"stat_smpl_n = 7")
    assert importing(Kind.L4B_CONFIG, changed, administrator=False).report.of("CFG-08") is not None
    assert importing(Kind.L4B_CONFIG, changed).changed


def test_years_and_sites_stand_apart(importing: Import, database: Database, site: Site, delivered: Path) -> None:
    importing(Kind.LUT, delivered / "crop_lut.csv")
    importing(Kind.LUT, delivered / "crop_lut.csv", year=2022)
    with database.begin() as connection:
        other = make_site(connection)
    assert in_force(database, site, Kind.LUT) != in_force(database, site, Kind.LUT, 2022)
    assert in_force(database, other, Kind.LUT) is None


def test_two_at_a_time_leave_one_version_in_force(
    importing: Import, database: Database, site: Site, delivered: Path
) -> None:
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: importing(Kind.LUT, delivered / "crop_lut.csv"), range(4)))
    assert sorted(outcome.changed for outcome in outcomes) == [False, False, False, True]
    assert states(database, site, Kind.LUT) == ["active"]


def test_what_cannot_be_imported_at_all_is_told_in_one_line(importing: Import, tmp_path: Path) -> None:
    large = tmp_path / "l4b.cfg"
    large.write_bytes(b"#" * (1024**2 + 1))
    for call, words in (
        (lambda: importing(Kind.LUT, tmp_path / "gone.csv"), "There is no file"),
        (lambda: importing(Kind.LUT, tmp_path), "There is no file"),
        (lambda: importing(Kind.L4B_CONFIG, large), "1.0 MiB; such a file may have 1"),
        (lambda: importing(Kind.DECLARATIONS, b"x"), "is no table"),
        (lambda: importing(Kind.L4C_CONFIG, b"x", practices=("CC",)), "needs its country"),
        (lambda: importing(Kind.L4C_CONFIG, b"x", country="NLD"), "needs its practices"),
    ):
        with pytest.raises(InputError, match=words):
            call()


def test_the_year_comes_from_the_season_where_there_is_no_doubt(database: Database, site: Site) -> None:
    with database.begin() as connection:
        assert year_of(connection, site) == 2021
        assert year_of(connection, site, year=2019) == 2019
        with pytest.raises(InputError, match="is of 2021, not of 2019"):
            year_of(connection, site, year=2019, season="2021")
        make_season(connection, site, "late", SeasonDates(date(2022, 3, 1), date(2022, 6, 1), date(2022, 9, 1)))
        assert year_of(connection, site, season="late") == 2022
        with pytest.raises(InputError, match=r"2021 \(2021\), late \(2022\)"):
            year_of(connection, site)
        with pytest.raises(InputError, match="has no season that tells the year"):
            year_of(connection, make_site(connection))


def test_the_year_of_a_table_is_that_of_most_harvests(delivered: Path) -> None:
    assert harvest_year((delivered / TABLES[Kind.PRACTICES_NA]).read_bytes(), "NA") == YEAR
    head = "FIELD_ID;MAIN_CROP;VEG_START;H_START;H_END;PRACTICE;P_TYPE;P_START;P_END\n"
    assert harvest_year(f"{head}P1;1;2019-05-01;NA;NA;NA;NA;NA;NA\n".encode(), "NA") == 2019
    assert harvest_year(f"{head}P1;1;NA;NA;NA;NA;NA;NA;NA\n".encode(), "NA") is None
    assert harvest_year(b"nothing", "NA") is None


RULES = b"""crops;groups;land_cover;veg_start;h_start;h_end;p_type;p_start;p_end
259;;;05-01;08-20;11-30;CatchCrop_3;10-15;12-09
;;1;04-01;06-15;10-15;CatchCrop_1;10-15;12-09
"""


def test_a_table_made_from_rules_is_one_that_can_be_imported(
    importing: Import, database: Database, site: Site, delivered: Path, declared: None
) -> None:
    importing(Kind.LUT, delivered / "crop_lut.csv")
    with database.begin() as connection:
        made = table_from_rules(connection, site, YEAR, "CC", read_rules(RULES, "rules.csv"))
    assert {code: kind for code, kind in zip(made.main_crop, made.p_type, strict=True) if code == "259"} == {
        "259": "CatchCrop_3"
    }
    outcome = importing(Kind.PRACTICES_CC, practice_text(made).encode())
    assert outcome.report.findings == ()
    assert outcome.report.facts["parcels_found"] == len(made) == outcome.report.accepted
    again, _ = read_practices(practice_text(made).encode(), "made.csv", "CC", year=YEAR)
    assert again is not None
    assert len(again) == len(made)


def test_rules_that_cannot_be_used_name_their_line(database: Database, site: Site) -> None:
    for content, words in (
        (b"\x00", "is not a table of rules"),
        (b"crops;veg_start\n1;05-01\n", r"Missing column\(s\): H_START, H_END"),
        (b"crops;veg_start;h_start;h_end\n", "has no rule"),
        (b"crops;veg_start;h_start;h_end\n1;05-01;;10-01\n", "rules.csv, line 2: H_START is empty"),
        (b"groups;veg_start;h_start;h_end\nx;05-01;06-01;10-01\n", 'line 2: GROUPS holds "x"'),
        (b"crops;veg_start;h_start;h_end\n1;05-01;06-01;10-01;9\n", "line 2 has more values"),
    ):
        with pytest.raises(InputError, match=words):
            read_rules(content, "rules.csv")
    with database.begin() as connection, pytest.raises(InputError, match="has no declarations of 2021"):
        table_from_rules(connection, site, YEAR, "CC", read_rules(RULES, "rules.csv"))


FINDINGS = st.builds(
    Finding,
    st.sampled_from(["LUT-03", "PRAC-07"]),
    st.sampled_from(list(Severity)),
    st.text(),
    st.integers(0, 10**6),
    st.lists(st.text(), max_size=20).map(tuple),
    st.lists(st.integers(1, 10**6), max_size=20).map(tuple),
)
REPORTS = st.builds(
    Report,
    st.just("lut"),
    st.just("a.csv"),
    *[st.integers(0, 10**6)] * 3,
    st.lists(FINDINGS, max_size=4).map(tuple),
    st.dictionaries(st.sampled_from(["encoding", "year"]), st.text()),
)


@given(REPORTS)
def test_a_stored_report_reads_as_it_was(report: Report) -> None:
    stored = json.loads(json.dumps(report.as_dict()))
    assert stored_report(stored, "b.csv") == replace(report, file="b.csv")


def test_the_crop_codes_in_force_are_those_of_the_file(
    importing: Import, database: Database, site: Site, delivered: Path
) -> None:
    with database.begin() as connection:
        assert lut_in_force(connection, site.id, YEAR) is None
    importing(Kind.LUT, delivered / "crop_lut.csv")
    with database.begin() as connection:
        lut = lut_in_force(connection, site.id, YEAR)
    assert isinstance(lut, CropLut)
    lines = (delivered / "crop_lut.csv").read_text().splitlines()
    assert len(lut) == len(lines) - 1
