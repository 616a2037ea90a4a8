"""What starts a run, and what it may ask: options, settings, and the interval of acquisitions it uses."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from s4c_lib.catalog.seasons import Season
from s4c_lib.chosen_inputs import PRODUCTS, TILES
from s4c_lib.errors import InputError
from s4c_lib.parameters import REGISTRY
from s4c_lib.scheduling.schedules import as_of as last_date_used

# What a run may be asked besides its settings; anything else is a slip of the pen.
OPTIONS: Final = {"ingest": ("satellites", "requery")}
# Those that stand among the settings: the form has no field left for them.
AMONG_SETTINGS: Final = ("force", "without_waiting", TILES, PRODUCTS)
PRODUCT_OPTIONS: Final = ("as_of", "interval_start", *AMONG_SETTINGS)
_SWITCHES: Final = ("force", "without_waiting", "requery")


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What starts a run.

    Attributes
    ----------
    key : unique for the run; the same key opens the same job again (Airflow's run id).
    start_type : ``scheduled``, ``backfill``, ``manual`` or ``command_line``.
    occurrence : the date the run is due; None for a manual run, which takes today.
    settings : parameter values of this run alone, by key.
    options : what else the trigger form asks (``as_of``, ``interval_start``, ``force``, ``without_waiting``,
        ``tiles``, ``products``; of an ingest ``satellites``, ``requery``).
    after : an earlier run of the same DAG that is under way, for which this one waits.
    """

    site: str
    season: str
    processor: str
    key: str
    start_type: str
    requested_by: str
    occurrence: date | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    airflow_dag_id: str | None = None
    airflow_run_id: str | None = None
    after: str | None = None


def checked_settings(request: RunRequest) -> dict[str, Any]:
    """Return the run's own settings under their registered keys; only those its processor reads are allowed."""
    known = {parameter.key for parameter in REGISTRY.for_processor(request.processor)}
    checked = {}
    for key, value in request.settings.items():
        parameter = REGISTRY.get(key)
        if parameter.key not in known:
            raise InputError(
                f"{request.processor} does not read {parameter.key}.", hint="'s4c config list' names what each reads"
            )
        checked[parameter.key] = REGISTRY.check(parameter.key, value, "job")
    return checked


def check_options(request: RunRequest) -> None:
    """Refuse an option that the processor does not have, and a switch that is neither on nor off."""
    known = OPTIONS.get(request.processor, PRODUCT_OPTIONS)
    for name in request.options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise InputError(
                f"A run of {request.processor} has no option {name!r}.",
                hint=f"did you mean {near[0]!r}?" if near else f"options are {', '.join(known)} and settings",
            )
    for name in _SWITCHES:
        # beside the settings, REST takes them unchecked: "false" in quotes would switch them on
        if not isinstance(value := request.options.get(name) or False, bool):
            raise InputError(f"{name} is {value!r}, not true or false.", hint="write it without quotes")


def interval_of(request: RunRequest, season: Season, now: datetime) -> tuple[date, date]:
    """Return the first and last acquisition date a run may use, both included."""
    if request.processor == "ingest":
        before = ingest_before(request)
        return season.dates.start, now.date() if before is None else before - timedelta(days=1)
    due = request.occurrence or now.date()
    as_of = _date_option(request, "as_of") or last_date_used(due, season.dates)
    start = _date_option(request, "interval_start") or season.dates.start
    if not season.dates.start <= start <= as_of <= season.dates.end:
        raise InputError(
            f"The interval {start} to {as_of} does not lie in season {season.short_name!r} "
            f"({season.dates.start} to {season.dates.end}).",
            hint="give interval_start and as_of inside the season, in this order",
        )
    return start, as_of


def _date_option(request: RunRequest, name: str) -> date | None:
    value = request.options.get(name)
    if not value:
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise InputError(f"{name} is {value!r}, not a date.", hint="write it as 2026-04-01") from error


def ingest_before(request: RunRequest) -> date | None:
    """Return the day before which query windows must start: the end of the interval, or None for all."""
    return request.occurrence if request.start_type in {"scheduled", "backfill"} else None
