"""Which code page the text of a Shapefile is in (3.1).

Order: the user's choice; the ``.cpg``; the language byte of the ``.dbf``; UTF-8 where all its text is valid UTF-8; the
page of the country, given or guessed; ISO-8859-1. A page that cannot hold the text of the file is passed over and
named, except the user's, which is refused.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from s4c_lib.errors import InputError
from s4c_lib.parcels.encoding_dbf import DbfText, scan_dbf
from s4c_lib.parcels.findings import Finding, Severity, finding

LATIN_1: Final = "ISO-8859-1"
UTF_8: Final = "UTF-8"
_MANY_BYTES: Final = frozenset({"cp932", "cp936", "cp949", "cp950"})

# Windows pages by ISO 3166 country, three and two letters; those of the west are the rest of Europe.
_PAGES: Final = {
    "cp1250": "CZE CZ SVK SK POL PL HUN HU SVN SI HRV HR ROU RO BIH BA ALB AL",
    "cp1251": "BGR BG UKR UA MKD MK SRB RS",
    "cp1252": "NLD NL BEL BE FRA FR DEU DE ESP ES ITA IT PRT PT DNK DK SWE SE FIN FI IRL IE AUT AT LUX LU MLT MT "
    "CHE CH NOR NO GBR GB ISL IS",
    "cp1253": "GRC GR EL CYP CY",
    "cp1254": "TUR TR",
    "cp1257": "LTU LT LVA LV EST EE",
}
_PAGE_OF: Final = {country: page for page, countries in _PAGES.items() for country in countries.split()}

# Language driver byte of the dBASE header. 0x57 names no page but "that of the machine", so it decides nothing.
_LANGUAGE: Final = {
    **dict.fromkeys((0x01, 0x09, 0x0B, 0x0D, 0x0F, 0x11, 0x15, 0x18, 0x19, 0x1B), "cp437"),
    **dict.fromkeys((0x02, 0x0A, 0x0E, 0x10, 0x12, 0x14, 0x16, 0x1A, 0x1D, 0x25, 0x37), "cp850"),
    **dict.fromkeys((0x03, 0x58, 0x59), "cp1252"),
    **dict.fromkeys((0x08, 0x17, 0x66), "cp865"),
    **dict.fromkeys((0x1F, 0x22, 0x23, 0x40, 0x64, 0x87), "cp852"),
    **dict.fromkeys((0x1C, 0x6C), "cp863"),
    **dict.fromkeys((0x26, 0x65), "cp866"),
    **dict.fromkeys((0x6A, 0x86), "cp737"),
    **dict.fromkeys((0x6B, 0x88), "cp857"),
    **dict.fromkeys((0x13, 0x7B), "cp932"),
    **dict.fromkeys((0x4D, 0x7A), "cp936"),
    **dict.fromkeys((0x4E, 0x79), "cp949"),
    **dict.fromkeys((0x4F, 0x78), "cp950"),
    **dict.fromkeys((0x50, 0x7C), "cp874"),
    0x04: "mac_roman", 0x24: "cp860", 0x67: "cp861", 0x96: "mac_cyrillic", 0x97: "mac_latin2", 0x98: "mac_greek",
    0xC8: "cp1250", 0xC9: "cp1251", 0xCA: "cp1254", 0xCB: "cp1253", 0xCC: "cp1257",
}  # fmt: skip
_SHOWN: Final = {"utf-8": UTF_8, "utf-8-sig": UTF_8}


class EncodingSource(StrEnum):
    """What decided."""

    USER = "user"
    CPG = "cpg"
    LANGUAGE_BYTE = "language_byte"
    DETECTED = "detected"
    COUNTRY = "country"
    GUESSED_COUNTRY = "guessed_country"
    DEFAULT = "default"
    FORMAT = "format"


_BECAUSE: Final = {
    EncodingSource.USER: "as chosen",
    EncodingSource.CPG: "from the .cpg",
    EncodingSource.LANGUAGE_BYTE: "from the language byte of the .dbf",
    EncodingSource.DETECTED: "all text is valid UTF-8",
    EncodingSource.COUNTRY: "the code page of the site's country",
    EncodingSource.GUESSED_COUNTRY: "the code page of the country that the file seems to come from",
    EncodingSource.DEFAULT: "nothing in the file tells",
    EncodingSource.FORMAT: "by definition of the format",
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """A decision about the code page.

    Parameters
    ----------
    name : ``UTF-8``, ``ISO-8859-1``, ``cp1250`` …, known to Python's codecs.
    source : what decided.
    samples : column and text of at most 20 values that are not plain ASCII, decoded, for the user to confirm.
    passed_over : why earlier candidates were not taken, a sentence each.
    doubtful : the text would be valid UTF-8 as well, though another page was named.
    """

    name: str
    source: EncodingSource
    samples: tuple[tuple[str, str], ...] = ()
    passed_over: tuple[str, ...] = ()
    doubtful: bool = False

    @property
    def because(self) -> str:
        """What decided, in words."""
        return _BECAUSE[self.source]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        samples = [{"column": column, "value": value} for column, value in self.samples]
        return {
            "name": self.name,
            "source": self.source.value,
            "because": self.because,
            "samples": samples,
            "passed_over": list(self.passed_over),
        }

    def findings(self) -> list[Finding]:
        """DECL-10: nothing when the text is plain ASCII; a warning where the decision may be wrong."""
        if not self.samples and not self.passed_over:
            return []
        guessed = self.source in (EncodingSource.GUESSED_COUNTRY, EncodingSource.DEFAULT)
        message = f"Text read as {self.name} ({self.because})."
        if self.passed_over:
            message = f"{message} {' '.join(self.passed_over)}"
        if self.doubtful:
            message = f"{message} It would be valid UTF-8 as well."
        severity = Severity.INFO
        if guessed or self.passed_over or self.doubtful:
            severity = Severity.WARNING
            message = f"{message} Check the samples; choose the encoding if they are wrong."
        return [
            finding("DECL-10", severity, message, examples=[f"{column}: {value}" for column, value in self.samples])
        ]


OF_THE_FORMAT: Final = Encoding(UTF_8, EncodingSource.FORMAT)


def known_encoding(name: str) -> str | None:
    """The usual name of a code page from any spelling (``ANSI 1252``, ``88591``, ``utf8``), or None."""
    text = name.strip().strip("\x00\ufeff").lower()
    digits = re.fullmatch(r"(?:ansi|oem|cp|windows|win|ms)?[\s_-]*(\d{3,6})", text)
    if digits:
        number = digits[1]
        text = "utf-8" if number == "65001" else f"iso8859-{number[4:]}" if number.startswith("8859") else f"cp{number}"
    try:
        found = codecs.lookup(text)
        b"a".decode(found.name)  # codecs also knows hex, zip … which are no text
    except (LookupError, UnicodeError):
        return None
    return _SHOWN.get(found.name, found.name.replace("iso8859-", "ISO-8859-"))


def country_page(country: str | None) -> str | None:
    """The Windows code page of a country (ISO 3166, two or three letters), or None."""
    return _PAGE_OF.get(country.strip().upper()) if country else None


def decide_encoding(
    dbf: Path,
    *,
    cpg: Path | None = None,
    chosen: str | None = None,
    country: str | None = None,
    guessed_country: str | None = None,
) -> Encoding:
    """Decide on the code page of a DBF; reads the whole file once, in blocks.

    Parameters
    ----------
    cpg : the side file that names the page, if any.
    chosen : by the user.
    country, guessed_country : ISO 3166; of the site, and what the layout of the file tells.

    Raises
    ------
    InputError : the page chosen by the user is unknown, or the text is not in it (DECL-10).
    """
    text = scan_dbf(dbf)
    if chosen is not None:
        return _as_chosen(chosen, text)
    passed: list[str] = []
    for name, source, told in _candidates(text, cpg, country, guessed_country):
        known = known_encoding(name)
        if known is None:
            passed.append(f'{told} names "{name[:40]}", which is no known encoding.')
        elif not _holds(known, text):
            passed.append(f"{told} says {known}, but the text is not valid {known}.")
        else:
            return _decision(known, source, text, passed)
    # ISO-8859-1 has control characters where cp1252 has typographic ones; text holds no control characters
    last = "cp1252" if any(0x80 <= byte <= 0x9F for byte in text.high_bytes) and _holds("cp1252", text) else LATIN_1
    return _decision(last, EncodingSource.DEFAULT, text, passed)


def _candidates(
    text: DbfText, cpg: Path | None, country: str | None, guessed_country: str | None
) -> list[tuple[str, EncodingSource, str]]:
    found: list[tuple[str, EncodingSource, str]] = []
    if cpg is not None:
        name = cpg.read_bytes()[:200].decode("ascii", "replace").strip()
        if name:
            found.append((name, EncodingSource.CPG, "The .cpg"))
    if text.language in _LANGUAGE:
        found.append((_LANGUAGE[text.language], EncodingSource.LANGUAGE_BYTE, "The language byte"))
    if text.valid_utf8 and text.high_bytes:
        found.append((UTF_8, EncodingSource.DETECTED, "Detection"))
    for value, source, told in (
        (country, EncodingSource.COUNTRY, "The country"),
        (guessed_country, EncodingSource.GUESSED_COUNTRY, "The layout"),
    ):
        page = country_page(value)
        if page is not None:
            found.append((page, source, told))
    return found


def _as_chosen(chosen: str, text: DbfText) -> Encoding:
    known = known_encoding(chosen)
    if known is None:
        raise InputError(
            f'"{chosen}" is no known encoding.', hint="Try UTF-8, cp1250, cp1252 or ISO-8859-1.", code="DECL-10"
        )
    if not _holds(known, text):
        raise InputError(
            f"The text of the file is not valid {known}.", hint="Choose another encoding, or none.", code="DECL-10"
        )
    return _decision(known, EncodingSource.USER, text, [])


def _holds(name: str, text: DbfText) -> bool:
    if not text.high_bytes:
        return True
    if name == UTF_8:
        return text.valid_utf8
    if name in _MANY_BYTES:
        return True
    try:
        bytes(sorted(text.high_bytes)).decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _decision(name: str, source: EncodingSource, text: DbfText, passed: list[str]) -> Encoding:
    samples = tuple((column.decode(name, "replace"), value.decode(name, "replace")) for column, value in text.samples)
    doubtful = name != UTF_8 and text.valid_utf8 and bool(text.high_bytes)
    return Encoding(name, source, samples, tuple(passed), doubtful)
