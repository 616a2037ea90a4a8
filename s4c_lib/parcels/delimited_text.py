"""Delimited text as users' programs write it: encoding and delimiter found, rows with their lines in the file."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.errors import InputError
from s4c_lib.parcels.encoding import country_page
from s4c_lib.parcels.findings import Finding, Severity, finding

DELIMITERS: Final = (";", ",", "\t", "|")
_BATCH: Final = 20_000
_BYTE_ORDER_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_WESTERN: Final = "cp1252"
_BINARY: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def decode_text(content: bytes, country: str | None = None) -> tuple[str, str]:
    """Text and name of its encoding: byte order mark, else strict UTF-8, else the country's code page.

    Raises
    ------
    InputError : the bytes are no text.
    """
    marked = [encoding for mark, encoding in _BYTE_ORDER_MARKS if content.startswith(mark)]
    for encoding in marked or ("utf-8", country_page(country) or _WESTERN, "iso-8859-1"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            if marked:
                raise InputError(f"Byte {error.start} does not fit the byte order mark ({encoding}).") from None
            continue  # the next encoding; the last one takes any byte
        break
    binary = _BINARY.search(text)
    if binary:
        line = text.count("\n", 0, binary.start()) + 1
        raise InputError(f"Line {line} holds binary data.", hint="it must be plain text; spreadsheets are saved as CSV")
    return text, encoding


@dataclass(frozen=True, slots=True)
class DelimitedTable:
    """Rows of a delimited text.

    Parameters
    ----------
    header : names as written, without empty ones at the end.
    columns : arrow string arrays (rows,) of the known columns that are there, by their known names.
    line : int64 (rows,), where a row starts in the file.
    repeated : known names that the header has twice or more; the first is read.
    overlong : line and number of values of rows with more values than the header has names.
    """

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    columns: Mapping[str, Any] = field(repr=False)
    line: npt.NDArray[np.int64] = field(repr=False)
    repeated: tuple[str, ...] = ()
    overlong: tuple[tuple[int, int], ...] = ()

    @property
    def delimiter_name(self) -> str:
        """As messages show it."""
        return "tab" if self.delimiter == "\t" else self.delimiter

    def missing(self, required: Sequence[str]) -> tuple[str, ...]:
        """Required columns that are not there."""
        return tuple(name for name in required if name not in self.columns)

    def missing_message(self, missing: Sequence[str]) -> str:
        """What a report says about missing columns."""
        return (
            f"Missing column(s): {', '.join(missing)}. Found: {', '.join(self.header)}. "
            f'Delimiter read as "{self.delimiter_name}".'
        )


def read_delimited(
    content: bytes, known: Sequence[str], *, delimiters: Sequence[str] = DELIMITERS, country: str | None = None
) -> DelimitedTable:
    """Read a table with a header row.

    The delimiter is the one that makes most known names of the header. Empty lines, lines of delimiters alone and
    columns without a name are left out; a short row is filled with empty values.

    Parameters
    ----------
    known : names of the columns to read; letter case does not matter.
    country : ISO 3166 alpha-3, for texts that are not UTF-8.

    Raises
    ------
    InputError : no text, no header, a quote that is not closed.
    """
    text, encoding = decode_text(content, country)
    names = {name.casefold(): name for name in known}
    delimiter = max(delimiters, key=lambda one: _known_names(text, one, names))
    # It refuses values of more than 131 072 characters, so that a quote never closed does not swallow the file.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[int] = []
    overlong: list[tuple[int, int]] = []
    chunks: list[list[Any]] = []
    batch: list[list[str]] = []
    header: list[str] = []
    chosen: dict[str, int] = {}
    previous = 0

    def keep_batch() -> None:
        values = list(zip(*batch, strict=True))
        chunks.append([pa.array(values[position], pa.string()) for position in chosen.values()])
        batch.clear()

    try:
        for row in reader:
            start, previous = previous + 1, reader.line_num
            if not any(row):
                continue
            if not header:
                header = _header(row)
                chosen = _positions(header, names)
                continue
            width = len(header)
            if len(row) != width:
                if any(value.strip() for value in row[width:]):
                    overlong.append((start, len(row)))
                row = (row + [""] * width)[:width]
            lines.append(start)
            batch.append(row)
            if len(batch) == _BATCH:
                keep_batch()
    except csv.Error as error:
        raise InputError(
            f"Line {previous + 1}: {error}.", hint="a quote is not closed, or stands inside a quoted value undoubled"
        ) from None
    if not header:
        raise InputError("It is empty.")
    if batch:
        keep_batch()
    columns = {
        name: pa.chunked_array([chunk[place] for chunk in chunks], pa.string()).combine_chunks()
        for place, name in enumerate(chosen)
    }
    times = Counter(cell.casefold() for cell in header)
    return DelimitedTable(
        encoding,
        delimiter,
        tuple(header),
        columns,
        np.array(lines, np.int64),
        tuple(name for name in known if times[name.casefold()] > 1),
        tuple(overlong),
    )


def _known_names(text: str, delimiter: str, names: Mapping[str, str]) -> int:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        row = next((row for row in reader if any(row)), [])
    except csv.Error:
        return 0  # a header cell longer than any value may be: not this delimiter
    return len({cell.strip().casefold() for cell in row} & names.keys())


def _header(row: Sequence[str]) -> list[str]:
    header = [cell.strip() for cell in row]
    while not header[-1]:
        header.pop()
    return header


def _positions(header: Sequence[str], names: Mapping[str, str]) -> dict[str, int]:
    positions: dict[str, int] = {}
    for position, cell in enumerate(header):
        name = names.get(cell.casefold())
        if name is not None:
            positions.setdefault(name, position)
    return positions


class LineFindings:
    """Collects what is wrong with single lines: one finding for each code and severity, its first line shown."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Severity], list[tuple[int, str]]] = {}

    def add(self, code: str, severity: Severity, line: int, message: str) -> None:
        """Note a problem; ``line`` 0 is the file as a whole."""
        self._found.setdefault((code, severity), []).append((line, message))

    def refusing(self) -> bool:
        """Whether something found refuses the file."""
        return any(severity == Severity.REFUSED for _, severity in self._found)

    def findings(self) -> list[Finding]:
        """One finding for each code and severity; all messages are among its examples, 20 at most."""
        result = []
        for (code, severity), found in self._found.items():
            found = sorted(found, key=lambda one: one[0])
            rows = sorted({line for line, _ in found if line})
            texts = [message for _, message in found] if len(found) > 1 else ()
            result.append(finding(code, severity, found[0][1], rows, texts))
        return result
