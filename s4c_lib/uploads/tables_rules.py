"""Practice tables made from rules: a row for each parcel with a crop (lpis-and-inputs.md 5.3, helper)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from s4c_lib.catalog.sites import Site
from s4c_lib.errors import InputError
from s4c_lib.parcels.canonical import canonical_text
from s4c_lib.parcels.delimited_text import read_delimited
from s4c_lib.parcels.practice_tables import PracticeTable
from s4c_lib.parcels.practice_tables_rules import PracticeRule, practice_rows_from_rules
from s4c_lib.uploads.tables_in_force import declared_in_force, lut_in_force

RULE_COLUMNS: Final = (
    "CROPS", "GROUPS", "LAND_COVER", "VEG_START", "H_START", "H_END", "PRACTICE", "P_TYPE", "P_START", "P_END",
)  # fmt: skip
_REQUIRED: Final = ("VEG_START", "H_START", "H_END")


def read_rules(content: bytes, name: str) -> tuple[PracticeRule, ...]:
    """Read rules from a delimited text with `RULE_COLUMNS`; several crops, groups or covers are separated by spaces.

    Raises
    ------
    InputError : no table, a column or a day is missing, or a number is none; file and line are named.
    """
    try:
        table = read_delimited(content, RULE_COLUMNS)
    except InputError as error:
        raise InputError(f"{name} is not a table of rules. {error.message}", hint=error.hint) from error
    if missing := table.missing(_REQUIRED):
        raise InputError(f"{name}: {table.missing_message(missing)}", hint=f"columns are {', '.join(RULE_COLUMNS)}")
    if not len(table.line):
        raise InputError(f"{name} has no rule below the header.", hint="write a line for each group of crops")
    if table.overlong:
        raise InputError(
            f"{name}, line {table.overlong[0][0]} has more values than the header has columns.",
            hint="separate several crops by spaces",
        )
    columns = {column: values.to_pylist() for column, values in table.columns.items()}
    rules = []
    for place, line in enumerate(table.line.tolist()):
        given = {column: canonical_text(values[place]) for column, values in columns.items()}
        rules.append(_rule(given, f"{name}, line {line}"))
    return tuple(rules)


def _rule(given: Mapping[str, str | None], where: str) -> PracticeRule:
    days = [given[column] for column in _REQUIRED]
    if None in days:
        lacking = _REQUIRED[days.index(None)]
        raise InputError(f"{where}: {lacking} is empty.", hint="write MM-DD")
    veg_start, h_start, h_end = (str(day) for day in days)
    return PracticeRule(
        veg_start,
        h_start,
        h_end,
        given.get("P_START"),
        given.get("P_END"),
        tuple((given.get("CROPS") or "").split()),
        _numbers(given, "GROUPS", where),
        _numbers(given, "LAND_COVER", where),
        given.get("PRACTICE"),
        given.get("P_TYPE"),
    )


def _numbers(given: Mapping[str, str | None], column: str, where: str) -> tuple[int, ...]:
    items = (given.get(column) or "").split()
    for item in items:
        if not (item.isascii() and item.isdigit()):
            raise InputError(f'{where}: {column} holds "{item}".', hint="write whole numbers, separated by spaces")
    return tuple(int(item) for item in items)


def table_from_rules(
    connection: Connection, site: Site, year: int, practice: str, rules: tuple[PracticeRule, ...]
) -> PracticeTable:
    """Make the table of a practice for the declarations in force.

    Raises
    ------
    InputError : there are no declarations, a rule cannot be used, or no parcel has a crop that a rule names.
    """
    declared = declared_in_force(connection, site.id, year)
    if declared is None:
        raise InputError(
            f"Site {site.short_name} has no declarations of {year} to make a table for.",
            hint="run 's4c declarations import' first",
        )
    lut = lut_in_force(connection, site.id, year)
    table = practice_rows_from_rules(rules, practice, year, declared.ori_id, declared.ori_crop, lut)
    if not len(table):
        raise InputError(
            f"No parcel of {site.short_name} in {year} has a crop that a rule names.",
            hint="crops are written as in the declarations",
        )
    return table
