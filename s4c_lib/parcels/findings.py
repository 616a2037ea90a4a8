"""What a check of an upload found: values with a stable code, shown as text, JSON and HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

EXAMPLES: Final = 20


class Severity(StrEnum):
    """What a finding means for the file or its rows (lpis-and-inputs.md 1.2)."""

    REFUSED = "F"  # the file is refused
    SET_ASIDE = "R"  # the row is kept apart and not imported
    EXCLUDED = "X"  # the row is imported and left out of processing
    WARNING = "W"
    INFO = "I"

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return "FRXWI".index(self.value)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, over all rows it concerns.

    Parameters
    ----------
    code : stable, as in the specification (``DECL-21``).
    message : one line: what, where, and what to do.
    count : rows, lines or parcels concerned; 0 for the file as a whole.
    examples : at most 20 readable ones, such as identifiers or lines.
    rows : numbers of all rows concerned, as in the file (1 and up).
    """

    code: str
    severity: Severity
    message: str
    count: int = 0
    examples: tuple[str, ...] = ()
    rows: tuple[int, ...] = field(default=(), repr=False)

    def as_dict(self) -> dict[str, Any]:
        """As JSON shows it: examples instead of all rows."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "count": self.count,
            "message": self.message,
            "examples": list(self.examples),
            "rows": list(self.rows[:EXAMPLES]),
        }


def finding(
    code: str,
    severity: Severity,
    message: str,
    rows: Iterable[int] = (),
    examples: Sequence[object] = (),
    count: int | None = None,
) -> Finding:
    """Make a finding about rows; the count is theirs unless given."""
    numbers = tuple(int(row) for row in rows)
    shown = tuple(str(item) for item in examples[:EXAMPLES])
    return Finding(code, severity, message, len(numbers) if count is None else count, shown, numbers)


@dataclass(frozen=True, slots=True)
class Report:
    """Result of checking one upload.

    Parameters
    ----------
    kind : as in ``auxdata_version``: ``declarations``, ``lut``, ``l4b_config``, ``practices_cc`` …
    file : its name, without folder.
    rows, accepted, set_aside : rows read; rows kept; rows kept apart. ``rows = accepted + set_aside`` always.
    findings : gravest first, then by code.
    facts : further plain values (crs, encoding, bounds, counts of change classes …), ready for JSON.
    """

    kind: str
    file: str
    rows: int
    accepted: int
    set_aside: int
    findings: tuple[Finding, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether the file must not be imported."""
        return any(item.severity == Severity.REFUSED for item in self.findings)

    def of(self, code: str) -> Finding | None:
        """The finding with a code, or None."""
        return next((item for item in self.findings if item.code == code), None)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kind": self.kind,
            "file": self.file,
            "rows": self.rows,
            "accepted": self.accepted,
            "set_aside": self.set_aside,
            "refused": self.refused,
            "findings": [item.as_dict() for item in self.findings],
            **self.facts,
        }


def stored_report(stored: Mapping[str, Any], file: str) -> Report:
    """The report that `Report.as_dict` made; of the rows concerned the first twenty are left.

    Parameters
    ----------
    file : name to show, for the same content may have come under another.
    """
    known = {"kind", "file", "rows", "accepted", "set_aside", "refused", "findings"}
    findings = tuple(
        Finding(
            item["code"],
            Severity(item["severity"]),
            item["message"],
            item["count"],
            tuple(item["examples"]),
            tuple(item["rows"]),
        )
        for item in stored["findings"]
    )
    facts = {key: value for key, value in stored.items() if key not in known}
    return Report(stored["kind"], file, stored["rows"], stored["accepted"], stored["set_aside"], findings, facts)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Gravest first, then by code."""
    return tuple(sorted(findings, key=lambda item: (item.severity.rank, item.code)))
