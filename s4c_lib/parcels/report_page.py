"""Report of an upload as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from html import escape
from typing import Any, Final

from s4c_lib.parcels.findings import Finding, Report, Severity
from s4c_lib.parcels.report_page_map import NAMES, ReportMap, map_svg
from s4c_lib.parcels.report_page_style import STYLE

_KINDS: Final[Mapping[str, str]] = {
    "declarations": "Declarations",
    "lut": "Crop table",
    "l4b_config": "Mowing configuration",
    "l4c_config": "Practices configuration",
    "practices_cc": "Practice table: catch crops",
    "practices_fl": "Practice table: fallow land",
    "practices_nfc": "Practice table: nitrogen-fixing crops",
    "practices_na": "Practice table: harvest",
}
_LABELS: Final[Mapping[str, str]] = {
    "crs": "Coordinate system",
    "encoding": "Text encoding",
    "bounds": "Extent (west, south, east, north)",
    "layer": "Layer",
    "changes": "Changes against the active version",
    "change_classes": "Changes against the active version",
    "mapping": "Columns of the file",
    "parcel_id": "Parcel identifier",
    "holding": "Holding",
    "crop": "Crop code",
    "area": "Declared area",
    "area_unit": "Unit of the declared area",
    "second_crop": "Second crop",
    "organic": "Organic",
    "area_m2": "Total area (m²)",
}
_MEANINGS: Final[Mapping[Severity, str]] = {
    Severity.REFUSED: "the file cannot be imported until this is mended",
    Severity.SET_ASIDE: "the row is kept apart and not imported",
    Severity.EXCLUDED: "the row is imported and left out of processing",
    Severity.WARNING: "imported and processed; please look at it",
    Severity.INFO: "for your information",
}
_LISTED: Final = 20
# What neither HTML nor XML allows in a text.
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def report_page(
    report: Report, *, title: str, site: str, year: int | None, made_at: datetime, plot: ReportMap | None = None
) -> str:
    """Whole page as text, to be written as UTF-8.

    Parameters
    ----------
    title : heading, such as the name of the upload.
    made_at : time of the check, with time zone; shown in UTC.
    plot : where the parcels lie; without it the page has no map.

    Returns
    -------
    HTML that is well-formed XML too. All text of the user is escaped.
    """
    picture = "" if plot is None else map_svg(plot)
    body = [
        _head(report, title, site, year, made_at),
        _verdict(report),
        _numbers(report),
        f"<section><h2>Findings</h2>{_findings(report.findings)}</section>",
        f"<section><h2>Map</h2>{picture}</section>" if picture else "",
        _facts(report.facts),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8" />\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body>\n</html>\n"
    )


def _head(report: Report, title: str, site: str, year: int | None, made_at: datetime) -> str:
    kind = _KINDS.get(report.kind, report.kind)
    season = site if year is None else f"{site}, {year}"
    checked = f"checked {made_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    about = " · ".join(_text(item) for item in (kind, season, f"file {report.file}", checked))
    return f'<header><h1>{_text(title)}</h1><p class="about">{about}</p></header>'


def _verdict(report: Report) -> str:
    gravest = min((item.severity for item in report.findings), key=lambda item: item.rank, default=None)
    if report.refused:
        count = sum(item.severity == Severity.REFUSED for item in report.findings)
        reasons = "There is one reason" if count == 1 else f"There are {count} reasons"
        text = ("The file cannot be imported.", f"{reasons} in the table below. Mend the file and upload it again.")
    elif report.set_aside:
        text = (
            "The file can be imported; some rows are kept apart.",
            f"{report.set_aside:,} of {report.rows:,} rows are not imported. Each is listed with its reason.",
        )
    elif gravest in (Severity.EXCLUDED, Severity.WARNING):
        text = ("The file can be imported; please look at the findings.", f"All {report.rows:,} rows are imported.")
    else:
        text = ("The file can be imported.", f"All {report.rows:,} rows are imported.")
    mark = "" if gravest is None else f" {gravest.value}"
    return f'<div class="verdict{mark}"><strong>{_text(text[0])}</strong>{_text(text[1])}</div>'


def _numbers(report: Report) -> str:
    shown = {
        "Rows in the file": report.rows,
        "Accepted": report.accepted,
        "Set aside": report.set_aside,
        "Kinds of findings": len(report.findings),
    }
    cells = "".join(f"<div><dt>{_text(name)}</dt><dd>{value:,}</dd></div>" for name, value in shown.items())
    return f'<dl class="numbers">{cells}</dl>'


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p>Nothing was found.</p>"
    rows = "".join(
        f'<tr><td><span class="badge s{item.severity.value}">{NAMES[item.severity]}</span></td>'
        f'<td class="code">{_text(item.code)}</td><td class="count">{f"{item.count:,}" if item.count else "file"}</td>'
        f'<td class="message">{_text(item.message)}{_examples(item)}</td></tr>'
        for item in findings
    )
    present = {item.severity for item in findings}
    meanings = "".join(
        f"<li><strong>{NAMES[severity]}</strong>: {_MEANINGS[severity]}</li>"
        for severity in Severity
        if severity in present
    )
    return (
        '<div class="wide"><table><thead><tr><th>Severity</th><th>Code</th><th class="count">Rows</th>'
        f'<th>What was found</th></tr></thead><tbody>{rows}</tbody></table></div><ul class="meanings">{meanings}</ul>'
    )


def _examples(item: Finding) -> str:
    if not item.examples and not item.rows:
        return ""
    inside = ""
    if item.examples:
        inside += f"<ul>{''.join(f'<li>{_text(example)}</li>' for example in item.examples)}</ul>"
    if item.rows:
        numbers = ", ".join(map(str, item.rows[:_LISTED]))
        more = f" and {len(item.rows) - _LISTED:,} more" if len(item.rows) > _LISTED else ""
        inside += f"<p>{'Row' if len(item.rows) == 1 else 'Rows'} {numbers}{more}</p>"
    return f"<details><summary>{'Examples' if item.examples else 'Rows'}</summary>{inside}</details>"


def _facts(facts: Mapping[str, Any]) -> str:
    """Plain facts in one table, then a table for each group of them."""
    plain = {name: value for name, value in facts.items() if not isinstance(value, Mapping)}
    groups = {name: value for name, value in facts.items() if isinstance(value, Mapping)}
    tables = [_table("", plain)] if plain else []
    tables += [_table(_label(name), value) for name, value in groups.items() if value]
    if not tables:
        return ""
    return f'<section><h2>About the file</h2><div class="facts">{"".join(tables)}</div></section>'


def _table(heading: str, rows: Mapping[Any, Any]) -> str:
    head = f"<h3>{_text(heading)}</h3>" if heading else ""
    lines = "".join(f"<tr><th>{_text(_label(str(name)))}</th><td>{_value(rows[name])}</td></tr>" for name in rows)
    return f"<div>{head}<table><tbody>{lines}</tbody></table></div>"


def _label(name: str) -> str:
    # Names of codes, columns and crops stay as they are; only our own words are spelled out.
    if name in _LABELS:
        return _LABELS[name]
    return name.replace("_", " ").capitalize() if re.fullmatch("[a-z][a-z0-9_]*", name) else name


def _value(value: Any) -> str:
    match value:
        case None | "" | () | []:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.6g}" if abs(value) < 1000 else f"{value:,.1f}"
        case datetime() | date():
            return value.isoformat()
        case Mapping():
            return "<br />".join(f"{_text(_label(str(name)))}: {_value(item)}" for name, item in value.items())
        case str():
            return _text(value)
        case Iterable():
            items = list(value)
            more = f" and {len(items) - _LISTED:,} more" if len(items) > _LISTED else ""
            return ", ".join(_listed(item) for item in items[:_LISTED]) + more
        case _:
            return _text(str(value))


def _listed(value: Any) -> str:
    """One of several values: numbers without thousands separators, which would look like further values."""
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1000 else f"{value:.1f}"
    return str(value) if isinstance(value, int) else _value(value)


def _text(value: str) -> str:
    return escape(_CONTROL.sub("\ufffd", value))
