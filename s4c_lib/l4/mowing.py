"""A run of L4B: declared grassland and statistics in, mowing events in files and rows out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import structlog

from s4c_lib.catalog import auxdata
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.results_l4b import store_results
from s4c_lib.catalog.sites import site_tiles
from s4c_lib.errors import InputError
from s4c_lib.l4.declared import Declared, declared_parcels
from s4c_lib.l4.mowing_files import EVENTS, PARCELS, row_groups, write_product
from s4c_lib.l4.mowing_series import RunPasses, block_series, usual_of_blocks
from s4c_lib.l4.parcel_blocks import parcel_blocks
from s4c_lib.mowing.detection import COHERENCE_VARIABLES, OPTICAL_VARIABLE, MowingParcels, detect
from s4c_lib.mowing.effective import CONFIG_VERSION, GRASSLAND, effective_values
from s4c_lib.mowing.events import Mission
from s4c_lib.mowing.product_tables import SEN4CAP_EVENT_NAMES, event_table, parcel_table
from s4c_lib.mowing.settings import PREFIX, MowingSettings
from s4c_lib.parcels.l4b_configuration import L4bConfiguration
from s4c_lib.scheduling.dates import midnight
from s4c_lib.season_run import NoResultError, ResultProduct, RunResult, SeasonRun

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from s4c_lib.catalog.marker_files import MarkerFile

log = structlog.get_logger(__name__)

ALGORITHM: Final = 1
"""Changes when the same inputs and parameters give other events; stamped into every product."""

_SENTINEL_2: Final = "sentinel-2"
_NAMES: Final = {Mission.S2: "S2", Mission.S1: "S1"}


@dataclass(frozen=True, slots=True)
class MowingRun:
    """What a run was told, put together.

    Parameters
    ----------
    configuration, version : of the file, and the number of its upload; None without one.
    values : effective ``processor.s4c_l4b.*``. first, last : days on which mowing is looked for.
    files : of statistics, those that are used. used, missing : missions with files, and wanted ones without any.
    """

    run: SeasonRun
    configuration: L4bConfiguration | None
    version: int | None
    settings: MowingSettings
    values: Mapping[str, Any]
    first: date
    last: date
    files: tuple[MarkerFile, ...]
    used: tuple[str, ...]
    missing: tuple[str, ...]


def run_mowing(run: SeasonRun) -> RunResult:
    """Compute the L4B product of a season.

    Raises
    ------
    NoResultError : no parcel is chosen, or none of them was seen.
    InputError : parameters contradict each other.
    """
    told = _told(run)
    declared = _chosen(declared_parcels(run), told)
    counts = _detect(told, declared)
    if not counts["processed"]:
        raise NoResultError(
            f"None of {len(declared)} parcels has enough pixels and a valid observation.",
            hint="look at the statistics of the season, and at min_pixels_s2 and min_pixels_s1",
        )
    tiles = _tiles_without(told)
    files = write_product(told, declared, counts, algorithm=ALGORITHM, tiles_without=tiles)
    product = ResultProduct(
        metadata={
            "algorithm": ALGORITHM,
            "first_day": told.first.isoformat(),
            "last_day": told.last.isoformat(),
            "configuration_version": told.version,
            "missions": list(told.used),
            "missing_missions": list(told.missing),
            "tiles_without_statistics": tiles,
            "counts": counts,
            "files": files.about,
        },
        quality="degraded" if told.missing else "ok",
        quicklook=files.quicklook,
        store=_store(run),
    )
    return RunResult(counts, product)


def _told(run: SeasonRun) -> MowingRun:
    configuration, version = _configuration(run)
    own = frozenset(run.job.params.get("settings", {}))
    values = run.snapshot.values
    settings = MowingSettings.of(values, configuration, own=own)
    first, last = settings.period(run.interval_start, run.as_of)
    files = _files(run, settings, first, last)
    missions = tuple(name for mission, name in _NAMES.items() if settings.missions & mission)
    of_s1 = any(file.orbit is not None for file in files)
    of_s2 = any(file.variable == OPTICAL_VARIABLE for file in files)
    used = tuple(name for name in missions if (of_s1 if name == "S1" else of_s2))
    missing = tuple(name for name in missions if name not in used)
    if not used:
        raise NoResultError(
            f"There are no statistics of {' or '.join(missions)} from {first} to {last}.",
            hint=f"look at {PREFIX}start_date, {PREFIX}end_date and the orbits of the configuration file",
        )
    if missing:
        log.warning("a mission is missing", job=run.job.id, missing=list(missing))
    effective = effective_values(values, configuration, own)
    return MowingRun(run, configuration, version, settings, effective, first, last, files, used, missing)


def _configuration(run: SeasonRun) -> tuple[L4bConfiguration | None, int | None]:
    """The configuration file the run asks for, else the one in force when it opened.

    Raises
    ------
    InputError, NotFoundError : the one it asks for is none of the site's, was refused, or is not there.
    """
    asked: int | None = run.snapshot[CONFIG_VERSION]
    number = asked or run.uploads.get(Kind.L4B_CONFIG)
    if number is None:
        return None, None
    with run.database.begin() as connection:
        version = auxdata.get_version(connection, number)
        parsed = auxdata.parsed_of(connection, number)
    if version.kind is not Kind.L4B_CONFIG or version.site_id != run.site.id or not parsed:
        raise InputError(
            f"Upload {number} is no L4B configuration of site {run.site.short_name} that was accepted.",
            hint=f"change {CONFIG_VERSION}, or leave it out",
        )
    return L4bConfiguration.from_dict(parsed), number


def _files(run: SeasonRun, settings: MowingSettings, first: date, last: date) -> tuple[MarkerFile, ...]:
    """Sentinel-2 of the period, coherence of the wanted orbits up to its end; as they come, by time."""
    begin, stop = midnight(first), midnight(last + timedelta(days=1))
    coherence = set(COHERENCE_VARIABLES.values()) if settings.missions & Mission.S1 else set()
    orbits = {number for number, _ in settings.orbits}

    def wanted(file: MarkerFile) -> bool:
        if file.variable == OPTICAL_VARIABLE:
            ours = bool(settings.missions & Mission.S2) and file.platform.startswith(_SENTINEL_2)
            return ours and begin <= file.time < stop
        return file.variable in coherence and file.time < stop and (not orbits or file.orbit in orbits)

    return tuple(file for file in run.marker_files if wanted(file))


def _chosen(declared: Declared, told: MowingRun) -> Declared:
    """The parcels that are asked about: those of the crop filter, else of the land cover (spec/README.md D6).

    Raises
    ------
    NoResultError : there are none.
    """
    settings, covers = told.settings, told.values[GRASSLAND]
    if settings.every_crop or not (settings.crop_filter or covers):
        chosen, what = np.ones(len(declared), np.bool_), "of any crop"
    elif settings.crop_filter:
        chosen = np.isin(declared.numbers("ctnum", -1), settings.crop_filter)
        what = f"of CTnum {', '.join(map(str, settings.crop_filter))}"
    else:
        chosen, what = np.isin(declared.numbers("lc", -1), covers), f"of LC {', '.join(map(str, covers))}"
    found = declared.take(chosen)
    if not len(found):
        raise NoResultError(
            f"None of the {len(declared)} declared parcels is {what}.",
            hint="look at CTNUM_FILTER of the configuration file, and at LC in the crop code table",
        )
    return found


def _detect(told: MowingRun, declared: Declared) -> dict[str, int]:
    """Write the tables of events and of parcels, block after block; returns what was counted."""
    run, settings = told.run, told.settings
    counts: dict[str, int] = dict.fromkeys(
        ("parcels", "processed", "events", "events_not_reported", "compliant", "not_compliant", "cannot_tell"), 0
    )
    with ExitStack() as open_files:
        writers = {name: open_files.enter_context(row_groups(run.work_folder / name)) for name in (EVENTS, PARCELS)}
        passes = RunPasses.of([run.products_root / file.path for file in told.files])
        usual = usual_of_blocks(declared, told.files, passes, settings, told.last, run.products_root)
        for block in parcel_blocks(declared, told.files):
            series = block_series(passes, block, settings, run.products_root)
            found = detect(series, _parcels(block.declared), settings, told.first, told.last, usual=usual)
            events = event_table(found, series)
            parcels = parcel_table(found, told.first, told.last, settings.optical)
            writers[EVENTS].write(events)
            writers[PARCELS].write(parcels)
            for name, value in _counted(events, parcels).items():
                counts[name] += value
            done = block.first + len(block.declared)
            run.progress(done, len(declared), f"mowing: {counts['events']} events")
    return counts


def _parcels(declared: Declared) -> MowingParcels:
    return MowingParcels(
        declared.parcel_id,
        declared.parcels["ori_crop"],
        s2_pix=declared.numbers("s2_pix", np.iinfo(np.int32).max),
        s1_pix=declared.numbers("s1_pix", np.iinfo(np.int32).max),
        eligible=declared.parcels["reason"].is_null().to_numpy(),
    )


def _counted(events: pa.Table, parcels: pa.Table) -> dict[str, int]:
    compl, status = parcels["compl"].to_numpy(), parcels["status"].to_numpy(zero_copy_only=False)
    reported = int(events["reported"].to_numpy().sum())
    return {
        "parcels": len(parcels),
        "processed": int((status == "processed").sum()),
        "events": reported,
        "events_not_reported": len(events) - reported,
        "compliant": int((compl == 1).sum()),
        "not_compliant": int((compl > 1).sum()),
        "cannot_tell": len(parcels) - parcels["cannot_tell"].null_count,
    }


def _tiles_without(told: MowingRun) -> dict[str, list[str]]:
    """Tiles of the site of which there is nothing, by mission that is used."""
    with told.run.database.begin() as connection:
        tiles = [item.tile for item in site_tiles(connection, told.run.site.id) if item.selected]
    seen: dict[str, set[str]] = {name: set() for name in told.used}
    for file in told.files:
        seen["S2" if file.variable == OPTICAL_VARIABLE else "S1"].add(file.tile)
    return {name: [one for one in tiles if one not in there] for name, there in sorted(seen.items())}


def _store(run: SeasonRun) -> Any:
    """What puts the rows of both tables into the database, a row group at a time."""

    def store(connection: Connection, product_id: int) -> None:
        store_results(connection, product_id, _rows(run, PARCELS, {}), _rows(run, EVENTS, SEN4CAP_EVENT_NAMES))

    return store


def _rows(run: SeasonRun, file: str, names: Mapping[str, str]) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    renamed = {**names, "parcel_id": "new_id"}
    content = pq.ParquetFile(run.work_folder / file)
    for at in range(content.num_row_groups):
        table = content.read_row_group(at, use_threads=False)
        table = table.rename_columns([renamed.get(name, name) for name in table.column_names])
        if "proc" in table.column_names:
            table = table.set_column(table.column_names.index("proc"), "proc", table["proc"].cast(pa.bool_()))
        yield table
