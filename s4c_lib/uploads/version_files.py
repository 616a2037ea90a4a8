"""What lies beside a version of the declarations: its pixel index, its report as a page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import structlog

from s4c_lib.catalog.parcel_sets import ParcelSet
from s4c_lib.errors import StorageError
from s4c_lib.parcels.checking import CheckedDeclarations
from s4c_lib.parcels.findings import Report, Severity
from s4c_lib.parcels.report_page import report_page
from s4c_lib.parcels.report_page_map import ReportMap
from s4c_lib.uploads.pixels import VersionPixels, write_indexes

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PageAbout:
    """What the head of a report says."""

    site: str
    year: int
    made_at: datetime


def write_beside(
    stored: ParcelSet, pixels: VersionPixels, checked: CheckedDeclarations, report: Report, about: PageAbout
) -> Path | None:
    """Write the files of a version that is in force; return its page, None when the disk did not take them.

    The version stands without them: statistics build an index that is missing, and the report is in the database. So
    a disk that is full by now is no failure of the import.
    """
    try:
        write_indexes(pixels, Path(stored.folder) / "pixels", stored.id)
        return write_page(Path(stored.folder), "report", report, about, checked)
    except StorageError as error:
        log.warning("the version is in force without all files beside it", folder=stored.folder, error=error.one_line)
        return None


def write_page(folder: Path, name: str, report: Report, about: PageAbout, checked: CheckedDeclarations | None) -> Path:
    """Write the report as a page, and as JSON where no version's folder holds it (``checked`` is None)."""
    page = report_page(
        report,
        title=f"Declarations {about.year}",
        site=about.site,
        year=about.year,
        made_at=about.made_at,
        plot=None if checked is None else _map(report, checked),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{name}.html"
        partial = folder / f".{name}.html.part"
        partial.write_text(page, encoding="utf-8")
        partial.replace(target)
        if checked is None:
            (folder / f"{name}.json").write_text(json.dumps(report.as_dict(), indent=1), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"The report could not be written to {folder}: {error.strerror or error}.") from error
    return target


def _map(report: Report, checked: CheckedDeclarations) -> ReportMap:
    """Where the delivered parcels lie, and those with findings."""
    outlines = checked.facts.geometry
    centres = shapely.get_coordinates(shapely.centroid(outlines), include_z=False)
    places = np.full((len(outlines), 2), np.nan)
    drawn = ~shapely.is_missing(outlines) & ~shapely.is_empty(outlines)
    places[drawn] = centres[: int(drawn.sum())]
    position = {int(row): number for number, row in enumerate(checked.rows.src_row)}
    offending: dict[Severity, Any] = {}
    for severity in (Severity.EXCLUDED, Severity.WARNING):
        rows = {row for item in report.findings if item.severity == severity for row in item.rows}
        chosen = sorted(position[row] for row in rows if row in position)
        if chosen:
            offending[severity] = places[chosen]
    return ReportMap(places, offending, {}, geographic=checked.crs.is_geographic)
