"""What Airflow must know of us: the timetables of seasons."""

from __future__ import annotations

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from s4c_airflow.timetables import IngestTimetable, SeasonTimetable


class Sen4capPlugin(AirflowPlugin):
    """Registers the timetables."""

    name = "s4c"
    timetables: ClassVar = [SeasonTimetable, IngestTimetable]
