"""INI texts: sections, lines, quotes, continued values."""

from __future__ import annotations

import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.parcels.configuration_file import Entry, list_items, read_sections, unquoted, with_year, written
from s4c_lib.parcels.delimited_text import LineFindings


def entries(text: str) -> list[tuple[str, str, str, int]]:
    found = LineFindings()
    sections = read_sections(text.encode(), found)
    assert found.findings() == []
    return [(entry.section, entry.key, entry.value, entry.line) for one in sections for entry in one.entries]


def test_sections_keys_and_lines() -> None:
    text = "\ufeff# comment\n[One]\nkey = 1\nother: 'two'\n; comment\nempty =\n\n[Two]\n key=a=b\n"
    assert entries(text) == [
        ("One", "key", "1", 3),
        ("One", "other", "two", 4),
        ("One", "empty", "", 6),
        ("Two", "key", "a=b", 9),
    ]


def test_an_indented_line_continues_the_value() -> None:
    text = "[s]\nperiods = ('01/05','31/07'),\n    # of the second crop\n    ('01/06','30/09')\nrule = 0, 1\n"
    assert entries(text) == [
        ("s", "periods", "('01/05','31/07'), ('01/06','30/09')", 2),
        ("s", "rule", "0, 1", 5),
    ]


def test_a_section_in_two_parts_is_one() -> None:
    assert entries("[s]\na=1\n[t]\nb=2\n[S]\nc=3\n") == [("s", "a", "1", 2), ("S", "c", "3", 6), ("t", "b", "2", 4)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[s]\na = 1\nnonsense\n", 'Line 3: "nonsense" is neither a [section] nor key = value.'),
        ("a = 1\n[s]\n", 'Line 1: "a = 1" comes before the first [section].'),
        ("[s\na = 1\n", 'Line 1: "[s" is neither a [section] nor key = value.'),
        ("", "The file is not a configuration file. It has no [section]."),
        ("[s]\x00", "The file is not a configuration file. Line 1 holds binary data. "
         "(it must be plain text; spreadsheets are saved as CSV)"),
    ],
)  # fmt: skip
def test_cfg_01_says_which_line_is_wrong(text: str, message: str) -> None:
    found = LineFindings()
    read_sections(text.encode(), found)
    assert found.refusing()
    assert found.findings()[0].code == "CFG-01"
    assert found.findings()[0].message == message


@pytest.mark.parametrize(
    ("value", "text"),
    [('"a b"', "a b"), ("'a'", "a"), ("'a','b'", "'a','b'"), ('"', '"'), ("\"a'", "\"a'"), ("", "")],
)
def test_only_a_pair_of_quotes_around_a_value_goes(value: str, text: str) -> None:
    assert unquoted(value) == text


def test_lists() -> None:
    assert list_items("['VH', \"VV\",]") == ("VH", "VV")
    assert list_items(" ") == ()


def test_year_is_filled_in_and_other_names_are_refused() -> None:
    found = LineFindings()
    filled = with_year(Entry("s", "day", "${YEAR}-07-15", 3), 2021, found)
    assert filled is not None
    assert filled.value == "2021-07-15"
    assert with_year(Entry("s", "day", "${SITE}-07-15", 4), 2021, found) is None
    assert with_year(Entry("s", "day", "${YEAR-07-15", 5), 2021, found) is None
    (problem,) = found.findings()
    assert problem.code == "CFG-13"
    assert problem.examples == (
        "Line 4: day holds ${SITE}; only ${YEAR} is replaced.",
        "Line 5: day holds ${YEAR-07-15; only ${YEAR} is replaced.",
    )


NAMES = st.text("abcdefgh_", min_size=1, max_size=8)
VALUES = st.text("abc019 .,()/-'", max_size=12).map(lambda text: unquoted(text.strip()).strip(" '"))


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), min_size=1, max_size=3))
def test_what_is_written_is_read_here_and_by_python(sections: dict[str, dict[str, str]]) -> None:
    text = written(sections)
    found = LineFindings()
    read = {one.name: {entry.key: entry.value for entry in one.entries} for one in read_sections(text.encode(), found)}
    assert read == sections
    assert not found.findings()
    reader = configparser.ConfigParser(interpolation=None)
    reader.read_string(text)
    assert {name: dict(reader[name]) for name in reader.sections()} == sections
