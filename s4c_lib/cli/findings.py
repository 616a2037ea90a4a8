"""How reports of checks are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from s4c_lib.cli.output import print_record, print_records, say

if TYPE_CHECKING:
    from s4c_lib.parcels.findings import Report

_MEANING = {
    "F": "file refused",
    "R": "row set aside",
    "X": "not processed",
    "W": "warning",
    "I": "information",
}


def show_report(report: Report, *, as_json: bool, more: Mapping[str, Any] | None = None) -> None:
    """Print counts, then one line a finding; as JSON everything."""
    if as_json:
        print_record({**report.as_dict(), **(more or {})}, as_json=True)
        return
    shown: dict[str, Any] = {
        "file": report.file,
        "rows": report.rows,
        "accepted": report.accepted,
        "set aside": report.set_aside,
        "verdict": "refused" if report.refused else "can be imported",
    }
    shown |= {name: report.facts[name] for name in ("crs", "encoding", "changes") if report.facts.get(name) is not None}
    shown |= {name: value for name, value in (more or {}).items() if value is not None}
    print_record(shown, as_json=False)
    if report.findings:
        say("")
        rows = [
            {
                "code": item.code,
                "meaning": _MEANING[item.severity.value],
                "count": item.count or None,
                "message": item.message,
            }
            for item in report.findings
        ]
        print_records(rows, {"code": "code", "meaning": "", "count": "count", "message": ""}, as_json=False, none="")
