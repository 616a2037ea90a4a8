"""What a run of L4C is told: configuration, practice tables with their parcels, files of statistics (section 17)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import structlog

from s4c_lib.catalog import auxdata
from s4c_lib.catalog.auxdata import PRACTICE_KINDS, Kind
from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.occurrences import policy_of
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.catalog.practice_rows import read_practice_table
from s4c_lib.catalog.results_l4c import previous_harvests
from s4c_lib.l4.declared import Declared, declared_parcels
from s4c_lib.parcels.l4c_configuration import L4cConfiguration
from s4c_lib.parcels.l4c_configuration_keys import PRACTICES
from s4c_lib.practices.practice_parcels import JoinedRows, PracticeParcels, automatic_table, joined_rows
from s4c_lib.practices.product_tables import UNKNOWN_PIXELS
from s4c_lib.practices.series import VARIABLES
from s4c_lib.practices.settings import PREFIX, PracticeSettings
from s4c_lib.reasons import Reason
from s4c_lib.scheduling.dates import midnight
from s4c_lib.scheduling.schedules import CatchupPolicy
from s4c_lib.season_run import NoResultError, SeasonRun

if TYPE_CHECKING:
    from s4c_lib.catalog.marker_files import MarkerFile
    from s4c_lib.parcels.practice_tables import PracticeTable

log = structlog.get_logger(__name__)

GAP_DAYS: Final = 14
"""Days before the as-of date up to which missing weeks are counted (section 14)."""

_KEPT_AFTER: Final = timedelta(days=3)
_SINGLE_SATELLITE: Final = 12


@dataclass(frozen=True, slots=True)
class PracticeTask:
    """One practice of a run.

    Parameters
    ----------
    table_id : upload of its table; None for one made from the declarations.
    kept : new_id, h_w_start and h_w_s1gaps of the product before; None where no harvest is kept.
    """

    practice: str
    settings: PracticeSettings
    joined: JoinedRows = field(repr=False)
    table_id: int | None = None
    kept: pa.Table | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class PracticeRun:
    """What a run was told, put together.

    Parameters
    ----------
    config_id : upload of the configuration.
    skipped : why a practice that was asked for is left out.
    first : first day whose observations count. gap_limit : day up to which missing weeks count.
    previous : product whose harvests are kept, None without one.
    """

    run: SeasonRun
    configuration: L4cConfiguration
    config_id: int
    tasks: tuple[PracticeTask, ...]
    skipped: Mapping[str, str]
    declared: Declared = field(repr=False)
    first: date
    gap_limit: date
    files: tuple[MarkerFile, ...] = field(repr=False)
    tillage: bool
    previous: int | None
    warnings: tuple[str, ...]

    @property
    def year(self) -> int:
        """Year of the season."""
        return self.run.parcel_set.year


def practice_run(run: SeasonRun) -> PracticeRun:
    """Read what a run was told.

    Raises
    ------
    NoResultError : there is no configuration or no usable practice, a variable is missing, or there are too few weeks.
    """
    configuration, config_id = _configuration(run)
    first = run.interval_start + timedelta(days=run.snapshot[f"{PREFIX}start_season_offset"])
    begin, stop = midnight(first), midnight(run.as_of + timedelta(days=1))
    files = tuple(one for one in run.marker_files if one.variable in VARIABLES and begin <= one.time < stop)
    _check_inputs(run, files, first)
    declared = declared_parcels(run)
    parcels = _parcels(run, declared)
    asked = [name for name in PRACTICES if name in run.snapshot[f"{PREFIX}practices"]]
    tasks, skipped = [], {}
    previous: int | None = None
    for practice in asked:
        table, table_id = _table(run, practice, declared, parcels)
        if table is None or not len(table):
            skipped[practice] = (
                f"there is no practice table of {run.parcel_set.year}"
                if table is None
                else "no declared parcel has a land cover (LC) of 1 to 4"
            )
            continue
        joined = joined_rows(table, parcels, country=configuration.country, year=run.parcel_set.year)
        if joined.lost == len(joined.rows):
            skipped[practice] = f"none of its {len(joined.rows)} rows is of a declared parcel"
            continue
        settings = PracticeSettings.of(run.snapshot.values, configuration, practice)
        kept = None
        if settings.freeze_harvest:
            with run.database.begin() as connection:
                previous, kept = previous_harvests(
                    connection, run.site.id, run.season.short_name, practice, run.as_of - _KEPT_AFTER
                )
        tasks.append(PracticeTask(practice, settings, joined, table_id, kept))
    if skipped:
        log.warning("practices skipped", job=run.job.id, **skipped)
    if not tasks:
        reasons = "; ".join(f"{name}: {why}" for name, why in skipped.items()) or "no practice is asked for"
        raise NoResultError(
            f"There is no practice to judge ({reasons}).",
            reason=Reason.INPUT_MISSING,
            hint=f"'s4c practices import' gives tables, {PREFIX}practices names the practices",
        )
    gap_limit = min(run.as_of - timedelta(days=GAP_DAYS), date(run.parcel_set.year, 12, 31))
    warnings = _warnings(run, files, tasks)
    for text in warnings:
        log.warning(text, job=run.job.id)
    tillage = bool(run.snapshot[f"{PREFIX}tillage_monitoring"])
    return PracticeRun(
        run, configuration, config_id, tuple(tasks), skipped, declared, first, gap_limit, files, tillage, previous,
        warnings,
    )  # fmt: skip


def _configuration(run: SeasonRun) -> tuple[L4cConfiguration, int]:
    number = run.uploads.get(Kind.L4C_CONFIG)
    parsed: Mapping[str, Any] | None = None
    if number is not None:
        with run.database.begin() as connection:
            parsed = auxdata.parsed_of(connection, number)
    if number is None or not parsed:
        raise NoResultError(
            f"Site {run.site.short_name} has no L4C configuration of {run.parcel_set.year}.",
            reason=Reason.CONFIG,
            hint="give one with 's4c config import'",
        )
    return L4cConfiguration.from_dict(parsed), number


def _check_inputs(run: SeasonRun, files: Sequence[MarkerFile], first: date) -> None:
    """Every variable is there, and radar has weeks enough."""
    weeks: dict[str, set[date]] = {name: set() for name in VARIABLES}
    for one in files:
        day = one.time.date()
        weeks[one.variable].add(day - timedelta(days=day.weekday()))
    missing = [name for name, there in weeks.items() if not there]
    if missing:
        raise NoResultError(
            f"There are no statistics of {', '.join(missing)} from {first} to {run.as_of}.",
            reason=Reason.INPUT_MISSING,
            hint="L4C needs NDVI, backscatter of VV and VH, and coherence of VV",
        )
    common = len(weeks["vv"] & weeks["vh"] & weeks["coherence_vv"])
    fewest = run.snapshot[f"{PREFIX}min_weeks"]
    if common < fewest:
        raise NoResultError(
            f"Only {common} weeks have backscatter and coherence; {fewest} are needed.",
            reason=Reason.TOO_FEW_WEEKS,
            hint=f"{PREFIX}min_weeks sets the number",
        )


def _parcels(run: SeasonRun, declared: Declared) -> PracticeParcels:
    with run.database.begin() as connection:
        more = read_parcels(connection, run.parcel_set, ("new_id", "ori_id_raw", "duplic", "overlap"))
    reason = declared.texts("reason")
    if run.snapshot[f"{PREFIX}skip_overlap"]:
        for name, why in (("overlap", "overlap"), ("duplic", "duplicate")):
            reason[more[name].to_numpy().astype(bool) & (reason == None)] = why  # noqa: E711
    return PracticeParcels(
        parcel_id=declared.parcel_id,
        ori_id=declared.texts("ori_id"),
        s1_pix=declared.numbers("s1_pix", UNKNOWN_PIXELS).astype(np.int32),
        s2_pix=declared.numbers("s2_pix", UNKNOWN_PIXELS).astype(np.int32),
        ori_id_raw=more["ori_id_raw"].to_numpy(zero_copy_only=False).astype(object),
        crop=declared.texts("ori_crop"),
        reason=reason,
    )


def _table(
    run: SeasonRun, practice: str, declared: Declared, parcels: PracticeParcels
) -> tuple[PracticeTable | None, int | None]:
    """The uploaded table of a practice, else one made of the season's dates; None without either."""
    number = run.uploads.get(PRACTICE_KINDS[practice])
    if number is not None:
        with run.database.begin() as connection:
            return read_practice_table(connection, number, practice), number
    if practice != "NA" or not run.snapshot[f"{PREFIX}auto_na_table"]:
        return None, None
    dates = run.season.dates
    return automatic_table(parcels, declared.numbers("lc", -1), dates.start, dates.mid, dates.end), None


def _policy(run: SeasonRun) -> CatchupPolicy:
    """The run's own snapshot holds the parameters of its processor only."""
    today = run.job.submitted_at.date()
    with run.database.begin() as connection:
        return policy_of(run.season, snapshot(connection, today=today, season=run.season), today)


def _warnings(run: SeasonRun, files: Sequence[MarkerFile], tasks: Sequence[PracticeTask]) -> tuple[str, ...]:
    """What an operator should look at (section 19), and rows that name no parcel."""
    found = []
    days = [(one.time - one.previous_time).days for one in files if one.previous_time is not None]
    if days and round(float(np.median(days))) >= _SINGLE_SATELLITE and tasks[0].settings.pair_days < _SINGLE_SATELLITE:
        found.append(
            f"coherence is of pairs {float(np.median(days)):g} days apart and is never compared: set "
            f"{PREFIX}coh_change_max_days to 12"
        )
    if tasks[0].kept is not None and _policy(run) is not CatchupPolicy.REPLAY_ALL:
        found.append("harvests of the product before are kept, and the season's policy is not replay_all")
    for task in tasks:
        if task.joined.lost:
            found.append(f"{task.joined.lost} of {len(task.joined.rows)} rows of {task.practice} have no parcel")
    return tuple(found)
