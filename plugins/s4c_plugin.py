"""What Airflow must know of us: the timetables of seasons, and the pages of reports."""

from __future__ import annotations

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from s4c_airflow.report_pages import REPORTS_URL, report_pages
from s4c_airflow.timetables import IngestTimetable, SeasonTimetable


class Sen4capPlugin(AirflowPlugin):
    """Registers the timetables and the application that shows reports."""

    name = "s4c"
    timetables: ClassVar = [SeasonTimetable, IngestTimetable]
    fastapi_apps: ClassVar = [{"name": "s4c reports", "app": report_pages, "url_prefix": REPORTS_URL}]
