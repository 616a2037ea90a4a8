"""Practice tables: when the harvest and a declared practice of a parcel are expected (lpis-and-inputs.md 5.3)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.errors import InputError
from s4c_lib.parcels.canonical import as_objects, canonical_strings
from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.delimited_text import DelimitedTable, read_delimited
from s4c_lib.parcels.findings import EXAMPLES, Finding, Report, Severity, finding, ordered
from s4c_lib.parcels.practice_tables_dates import (
    DATE_COLUMNS,
    Days,
    bad_date_findings,
    days_of,
    order_findings,
    outside_season,
)

COLUMNS: Final = (
    "FIELD_ID", "MAIN_CROP", "VEG_START", "H_START", "H_END", "PRACTICE", "P_TYPE", "P_START", "P_END",
)  # fmt: skip
NAMES: Final = {"CC": ("CatchCrop", "CatchCropIsMain"), "FL": ("Fallow",), "NFC": ("NFC",), "NA": ("NA",)}
"""Values of PRACTICE by the short name of the table."""
_WRONG_TABLE: Final = 0.05
_DELIMITERS: Final = (";", ",", "\t")


@dataclass(frozen=True, slots=True, eq=False)
class PracticeTable:
    """Accepted rows of one practice in the order of the file; arrays (rows,).

    Parameters
    ----------
    practice : CC, FL, NFC or NA.
    line : int64, where a row starts in the file.
    field_id : str, canonical and unique; ``ori_id`` as the agency writes it.
    main_crop, p_type : str or None, canonical. practice_name : a value of `NAMES`.
    veg_start, h_start, h_end, p_start, p_end : datetime64[D], NaT for NA and for what is no date.
    bad_dates : the row cannot be evaluated and gets the status ``BAD_DATES``.
    """

    practice: str
    line: npt.NDArray[np.int64]
    field_id: Objects
    main_crop: Objects
    veg_start: Days
    h_start: Days
    h_end: Days
    practice_name: Objects
    p_type: Objects
    p_start: Days
    p_end: Days
    bad_dates: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.line)

    def as_arrow(self) -> Any:
        """As an arrow table: lower-case column names of the file (``practice`` for PRACTICE), dates as date32."""
        days = {name.lower(): pa.array(getattr(self, name.lower()), pa.date32()) for name in DATE_COLUMNS}
        texts = {name: pa.array(getattr(self, name), pa.string()) for name in ("field_id", "main_crop", "p_type")}
        return pa.table(
            {
                "field_id": texts["field_id"],
                "main_crop": texts["main_crop"],
                **{name: days[name] for name in ("veg_start", "h_start", "h_end")},
                "practice": pa.array(self.practice_name, pa.string()),
                "p_type": texts["p_type"],
                **{name: days[name] for name in ("p_start", "p_end")},
                "bad_dates": pa.array(self.bad_dates),
                "line": pa.array(self.line),
            }
        )


def read_practice_table(
    content: bytes, name: str, practice: str, *, year: int, country: str | None = None
) -> tuple[PracticeTable | None, Report]:
    """Read and check the table of a practice.

    Rows whose dates cannot be used are kept and marked, so that every row has a result. Rows without a parcel, of
    another practice, or for a parcel that has one already are set aside.

    Parameters
    ----------
    name : of the file, for the report.
    practice : CC, FL, NFC or NA.
    year : of the season; dates far from it are a warning.
    country : ISO 3166 alpha-3, for the code page of a text that is not UTF-8.

    Returns
    -------
    The table, None when the file is refused, and the report; rows of its findings are lines of the file.

    Raises
    ------
    InputError : no such practice.
    """
    known = practice_of(practice)
    kind = f"practices_{known.lower()}"
    try:
        text = read_delimited(content, COLUMNS, delimiters=_DELIMITERS, country=country)
    except InputError as error:
        message = f"The file is not a table with a header row. {error.one_line}"
        return None, Report(kind, name, 0, 0, 0, (finding("PRAC-01", Severity.REFUSED, message),))
    facts = {"encoding": text.encoding, "delimiter": text.delimiter_name}
    count = len(text.line)
    refusals = _unreadable(text)
    if refusals:
        return None, Report(kind, name, count, 0, count, refusals, facts)
    aside, found = _set_aside(text, known)
    table, dated = _typed(text, known, ~aside, year)
    findings = ordered([*found, *dated])
    report = Report(kind, name, count, len(table), count - len(table), findings, facts)
    if report.refused:
        return None, Report(kind, name, count, 0, count, findings, facts)
    return table, report


def practice_of(name: str) -> str:
    """Short name of a practice in capitals.

    Raises
    ------
    InputError : no such practice.
    """
    if name.upper() not in NAMES:
        raise InputError(f'"{name}" is not a practice; use CC, FL, NFC, NA.', code="CFG-10")
    return name.upper()


def _unreadable(text: DelimitedTable) -> tuple[Finding, ...]:
    messages = []
    missing = text.missing(COLUMNS)
    if missing:
        messages.append(text.missing_message(missing))
    if text.repeated:
        messages.append(f"Column(s) twice in the header: {', '.join(text.repeated)}.")
    if not len(text.line) and not missing:
        messages.append("The file has no row below the header.")
    return tuple(finding("PRAC-01", Severity.REFUSED, message) for message in messages)


def _set_aside(text: DelimitedTable, practice: str) -> tuple[npt.NDArray[np.bool_], list[Finding]]:
    """Rows that are not kept, and why; each row for one reason."""
    lines = text.line
    ids = canonical_strings(text.columns["FIELD_ID"])
    aside = np.zeros(len(lines), np.bool_)
    found = []
    if text.overlong:
        numbers = np.array([line for line, _ in text.overlong])
        aside[np.isin(lines, numbers)] = True
        texts = [
            f"Line {line} has {values} values, the header {len(text.header)} columns."
            for line, values in text.overlong[:EXAMPLES]
        ]
        found.append(finding("PRAC-01", Severity.SET_ASIDE, texts[0], numbers.tolist(), texts))
    nameless = ids.is_null().to_numpy(zero_copy_only=False) & ~aside
    if nameless.any():
        numbers = lines[nameless]
        texts = [f"Line {line}: FIELD_ID is empty." for line in numbers[:EXAMPLES].tolist()]
        found.append(finding("PRAC-01", Severity.SET_ASIDE, texts[0], numbers.tolist(), texts))
        aside |= nameless
    wrong, named = _wrong_practice(text, practice, aside)
    found += named
    aside |= wrong
    index = ids.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    kept = np.flatnonzero(~aside)
    first = np.zeros(len(ids) + 1, np.int64)
    first[index[kept][::-1]] = kept[::-1]
    second = kept[first[index[kept]] != kept]
    if len(second):
        places = second[:EXAMPLES]
        texts = [
            f'Line {lines[place]}: parcel "{ids[place]}" already on line {lines[first[index[place]]]}.'
            for place in places.tolist()
        ]
        found.append(finding("PRAC-06", Severity.SET_ASIDE, texts[0], lines[second].tolist(), texts))
        aside[second] = True
    return aside, found


def _wrong_practice(
    text: DelimitedTable, practice: str, aside: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], list[Finding]]:
    said = canonical_strings(text.columns["PRACTICE"]).fill_null("NA")
    allowed = pa.array([name.lower() for name in NAMES[practice]])
    wrong = ~pc.is_in(pc.utf8_lower(said), allowed).to_numpy(zero_copy_only=False) & ~aside
    if not wrong.any():
        return wrong, []
    counts = said.filter(pa.array(wrong)).value_counts().to_pylist()
    counts.sort(key=lambda one: (-one["counts"], one["values"]))
    listed = [f'{one["counts"]} rows say "{one["values"]}"' for one in counts]
    shown = ", ".join(listed[:EXAMPLES]) + (" …" if len(listed) > EXAMPLES else "")
    severity = Severity.REFUSED if wrong.sum() > _WRONG_TABLE * len(wrong) else Severity.SET_ASIDE
    message = f"This is the {practice} table but {shown}."
    return wrong, [finding("PRAC-05", severity, message, text.line[wrong].tolist())]


def _typed(
    text: DelimitedTable, practice: str, keep: npt.NDArray[np.bool_], year: int
) -> tuple[PracticeTable, list[Finding]]:
    mask = pa.array(keep)
    columns = {name: values.filter(mask) for name, values in text.columns.items()}
    lines = text.line[keep]
    dates = {name: days_of(columns[name]) for name in DATE_COLUMNS}
    bad, found = bad_date_findings(dates, columns, lines, practice)
    broken, misordered = order_findings(dates, lines)
    found += misordered + outside_season(dates, lines, year)
    # A practice period of which one end cannot be read is none; the harvest is evaluated all the same.
    unknown = dates["P_START"].unreadable | dates["P_END"].unreadable
    nat = np.datetime64("NaT", "D")
    said = pc.utf8_lower(canonical_strings(columns["PRACTICE"]).fill_null("NA"))
    spelling = {name.lower(): name for name in NAMES[practice]}
    names = np.empty(len(lines), object)
    names[:] = [spelling.get(value, value) for value in said.to_pylist()]
    table = PracticeTable(
        practice,
        lines,
        as_objects(canonical_strings(columns["FIELD_ID"])),
        as_objects(canonical_strings(columns["MAIN_CROP"])),
        dates["VEG_START"].days,
        dates["H_START"].days,
        dates["H_END"].days,
        names,
        as_objects(canonical_strings(columns["P_TYPE"])),
        np.where(unknown, nat, dates["P_START"].days),
        np.where(unknown, nat, dates["P_END"].days),
        bad | broken,
    )
    return table, found


def practice_text(table: PracticeTable) -> str:
    """The table as a file that `read_practice_table` reads."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\n")
    writer.writerow(COLUMNS)
    attributes = ("practice_name" if name == "PRACTICE" else name.lower() for name in COLUMNS)
    writer.writerows(zip(*(_texts(getattr(table, name)) for name in attributes), strict=True))
    return text.getvalue()


def _texts(values: Any) -> list[str]:
    if values.dtype == object:
        return ["NA" if value is None else value for value in values.tolist()]
    return ["NA" if text == "NaT" else text for text in np.datetime_as_string(values).tolist()]
