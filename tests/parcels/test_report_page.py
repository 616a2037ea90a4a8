from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.parcels.findings import Finding, Report, Severity, finding, ordered
from s4c_lib.parcels.report_page import report_page
from s4c_lib.parcels.report_page_map import ReportMap, map_svg

AT = datetime(2026, 11, 21, 10, 5, tzinfo=timezone(timedelta(hours=2)))
EVIL = '<script>alert("x")</script>'
TILE = np.array([[600000.0, 5800020], [709800, 5800020], [709800, 5690220], [600000, 5690220]])


def report(*findings: Finding, rows: int = 100, set_aside: int = 0, **facts: Any) -> Report:
    return Report("declarations", "parcels.zip", rows, rows - set_aside, set_aside, ordered(findings), facts)


def page(given_report: Report, **options: Any) -> ElementTree.Element:
    """The page, read by a strict XML parser."""
    merged: dict[str, Any] = {"title": "Declarations", "site": "noord", "year": 2026, "made_at": AT, **options}
    return ElementTree.fromstring(report_page(given_report, **merged))


def text(element: ElementTree.Element | None) -> str:
    assert element is not None
    return " ".join("".join(element.itertext()).split())


def test_page_shows_counts_findings_and_facts() -> None:
    root = page(
        report(
            finding("DECL-31", Severity.WARNING, "Three outlines were repaired, first in row 7.", [7, 8, 9], ["P7"]),
            finding("DECL-21", Severity.SET_ASIDE, "1200 rows have no outline.", range(1, 1201)),
            finding("CRS-04", Severity.INFO, "Brought to EPSG:3035."),
            rows=45000,
            set_aside=1200,
            crs="EPSG:31370",
            bounds=[607123.125, 5712345.0, 712345.5, 5799999.0],
            changes={"new": 12, "deleted": 3},
            mapping={"parcel_id": ["BLOCK", "PARCEL"], "crop": "GEWAS", "holding": []},
        )
    )
    assert text(root.find("body/header")) == (
        "DeclarationsDeclarations · noord, 2026 · file parcels.zip · checked 2026-11-21 08:05 UTC"
    )
    numbers = [text(item) for item in root.iter("dd")]
    assert numbers == ["45,000", "43,800", "1,200", "3"]
    lines = [[text(cell) for cell in row.findall("td")] for row in root.find(".//tbody") or []]
    assert [line[:3] for line in lines] == [
        ["Set aside", "DECL-21", "1,200"],
        ["Warning", "DECL-31", "3"],
        ["Information", "CRS-04", "file"],
    ]
    assert lines[0][3].endswith("18, 19, 20 and 1,180 more")
    assert lines[1][3] == "Three outlines were repaired, first in row 7.ExamplesP7Rows 7, 8, 9"
    facts = {text(row[0]): text(row[1]) for row in root.iter("tr") if [cell.tag for cell in row] == ["th", "td"]}
    assert facts["Coordinate system"] == "EPSG:31370"
    assert facts["Extent (west, south, east, north)"] == "607123.1, 5712345.0, 712345.5, 5799999.0"
    assert facts["Parcel identifier"] == "BLOCK, PARCEL"
    assert facts["Holding"] == "–"
    assert (facts["New"], facts["Deleted"]) == ("12", "3")


def test_verdict_says_what_happens_to_the_file() -> None:
    def verdict(given_report: Report) -> str:
        return text(page(given_report).find(".//div[strong]"))

    refused = finding("ZIP-01", Severity.REFUSED, "not a zip")
    assert verdict(report()) == "The file can be imported.All 100 rows are imported."
    assert verdict(report(finding("A-1", Severity.EXCLUDED, "x", [1]))).startswith(
        "The file can be imported; please look at the findings."
    )
    assert "4 of 100 rows are not imported" in verdict(report(finding("A-1", Severity.SET_ASIDE, "x"), set_aside=4))
    assert verdict(report(refused)) == (
        "The file cannot be imported.There is one reason in the table below. Mend the file and upload it again."
    )
    assert "There are 2 reasons" in verdict(report(refused, finding("ZIP-06", Severity.REFUSED, "none")))


def test_text_of_the_user_never_becomes_markup() -> None:
    evil = Report(
        EVIL,
        EVIL,
        1,
        1,
        0,
        (finding(EVIL, Severity.WARNING, EVIL, [1], [EVIL]),),
        {EVIL: EVIL, "mapping": {EVIL: [EVIL]}, "nested": {"a": {EVIL: EVIL}}},
    )
    plot = ReportMap(np.array([[650000.0, 5750000]]), tiles={EVIL: TILE})
    source = report_page(evil, title=EVIL, site=EVIL, year=None, made_at=AT, plot=plot)
    root = ElementTree.fromstring(source)
    assert not [item for item in root.iter() if item.tag.endswith("script")]
    assert "<script" not in source
    assert text(root.find("body/header/h1")) == EVIL


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_gives_a_page_that_parses(message: str, value: str) -> None:
    root = page(report(finding("A-1", Severity.WARNING, message, examples=[value]), **{"file name": value}), site=value)
    assert root.find("head/title") is not None


def test_page_needs_nothing_from_elsewhere() -> None:
    plot = ReportMap(np.array([[650000.0, 5750000], [651000, 5751000], [650000, 5752000]]))
    source = report_page(report(), title="x", site="y", year=2026, made_at=AT, plot=plot)
    assert not re.search(r"<(script|link|img|iframe|object)|url\((?!#)|@import|\son\w+=", source)
    assert set(re.findall(r"https?://[^\"' ]+", source)) <= {"http://www.w3.org/2000/svg"}
    assert "prefers-color-scheme: dark" in source
    assert "@media print" in source


def test_map_counts_what_it_draws_and_caps_it() -> None:
    rng = np.random.default_rng(1)
    parcels = rng.uniform([610000, 5740000], [690000, 5790000], (20_000, 2))
    parcels[5] = np.nan
    plot = ReportMap(
        parcels,
        {Severity.SET_ASIDE: parcels[:10], Severity.WARNING: parcels[:5000], Severity.INFO: np.empty((0, 2))},
        {"31UFT": TILE},
    )
    drawing = ElementTree.fromstring(map_svg(plot))
    legend = text(drawing.find("figcaption"))
    assert legend == (
        "Parcels: 19,999; stronger colour where denserSet aside: 9Warning: 600 of 4,999 shownSentinel-2 tile"
    )
    paths = {item.get("class"): item.get("d", "") for item in drawing.iter() if item.tag.endswith("path")}
    assert paths["dots sR"].count("M") == 9
    assert paths["dots sW"].count("M") == 600
    assert "dots sI" not in paths
    assert len(map_svg(plot)) < 150_000
    assert "31UFT" in text(drawing)


def test_map_stays_inside_its_frame() -> None:
    plot = ReportMap(np.array([[3.0, 50.0], [6.0, 51.5], [4.0, 51.0]]), geographic=True)
    drawing = ElementTree.fromstring(map_svg(plot))
    svg = drawing[0]
    _, _, width, height = map(float, (svg.get("viewBox") or "").split())
    hull = next(item for item in svg.iter() if item.get("class") == "hull")
    corners = np.array([pair.split(",") for pair in (hull.get("points") or "").split()], dtype=float)
    assert (corners >= 0).all()
    assert (corners <= [width, height]).all()
    # Three degrees of longitude are about 209 km at this latitude, one and a half of latitude 166 km.
    assert np.isclose(np.ptp(corners[:, 0]) / np.ptp(corners[:, 1]), 209 / 166, rtol=0.02)


def test_one_parcel_and_none() -> None:
    assert map_svg(ReportMap(np.empty((0, 2)))) == ""
    assert map_svg(ReportMap(np.array([[np.nan, np.nan]]))) == ""
    assert "Map of the parcels: 1<" in map_svg(ReportMap(np.array([[650000.0, 5750000.0]])))
    root = page(report(), plot=ReportMap(np.empty((0, 2))), made_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert "Map" not in [text(item) for item in root.iter("h2")]
