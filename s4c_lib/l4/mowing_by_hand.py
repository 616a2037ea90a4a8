"""L4B on files of a user: observations, a parcel table, a configuration; no database."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.errors import InputError, NotFoundError, NothingToDoError
from s4c_lib.l4.files_by_hand import content_of, tables_in
from s4c_lib.l4.parcel_blocks import block_edges
from s4c_lib.mowing.detection import COHERENCE_VARIABLES, OPTICAL_VARIABLE, Mowing, MowingParcels, detect
from s4c_lib.mowing.effective import GRASSLAND, effective_configuration, effective_values
from s4c_lib.mowing.passes import usual_of_run
from s4c_lib.mowing.picture import ParcelPicture, draw_parcel, facts_of, row_of
from s4c_lib.mowing.product_tables import event_table, parcel_table
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.mowing.usual_coherence import Usual, company_of
from s4c_lib.parameters import REGISTRY, Snapshot
from s4c_lib.parcels.crop_lut import read_crop_lut
from s4c_lib.parcels.findings import Severity
from s4c_lib.parcels.l4b_configuration import L4bConfiguration, l4b_text, read_l4b_configuration
from s4c_lib.parcels.parcel_table import SCHEMA, read_parcel_table
from s4c_lib.parcels.pixel_index_file import whole_file
from s4c_lib.products.stac import write_whole
from s4c_lib.progress import Progress
from s4c_lib.statistics.matrices import Key, Series, series_of
from s4c_lib.statistics.observation_files import read_observation_file
from s4c_lib.statistics.table_files import write_table_file

Tell = Callable[[str], None]
"""Told what is odd about the input, a line each."""

EVENTS, EVENTS_CSV, PARCELS_CSV, CONFIGURATION = "events.parquet", "events.csv", "parcels.csv", "l4b_config.cfg"
CSV_EVENTS: Final = ("parcel_id", "start", "end", "confidence", "missions", "n")
_VARIABLES: Final = (OPTICAL_VARIABLE, *COHERENCE_VARIABLES.values())
_BLOCK: Final = 200_000
_ROWS: Final = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class MowingFiles:
    """What a user gave.

    Parameters
    ----------
    first, last : days of the first and the last observation.
    """

    observations: pa.Table = field(repr=False)
    parcels: pa.Table = field(repr=False)
    first: date
    last: date


@dataclass(frozen=True, slots=True, eq=False)
class MowingByHand:
    """What is computed: some of the parcels, with these settings, between two days.

    Parameters
    ----------
    configuration : every value it works with.
    """

    observations: pa.Table = field(repr=False)
    parcels: pa.Table = field(repr=False)
    settings: MowingSettings
    configuration: L4bConfiguration
    first: date
    last: date


def read_files(observations: Sequence[Path], parcels: Path | None, progress: Progress, tell: Tell) -> MowingFiles:
    """Read observations (files, or folders of them) and the parcel table; without one, all parcels observed.

    Raises
    ------
    InputError, NotFoundError, StorageError : a file cannot be read or understood.
    NothingToDoError : there is no observation that mowing is detected with, or no parcel.
    """
    files = tables_in(observations)
    tables = []
    for number, path in enumerate(files, start=1):
        tables.append(read_observation_file(path, _VARIABLES))
        progress(number, len(files), path.name)
    for path, one in zip(files, tables, strict=True):
        _require_unit(path, one)
    names = [name for name in tables[0].column_names if all(name in one.column_names for one in tables)]
    table = pa.concat_tables([one.select(names) for one in tables])
    known = None if parcels is None else read_parcel_table(parcels)
    if not table.num_rows:
        raise NothingToDoError(
            f"There is no observation of {', '.join(_VARIABLES[:-1])} or {_VARIABLES[-1]}.",
            hint="these are the values of column variable that mowing is detected with",
        )
    if known is not None and not len(known):
        raise NothingToDoError(f"{parcels} has no parcel.")
    numbers = np.unique(table["parcel_id"].to_numpy())
    if known is None:
        columns = [pa.array(numbers, pa.int64()), *(pa.nulls(len(numbers), item.type) for item in list(SCHEMA)[1:])]
        known = pa.table(columns, schema=SCHEMA)
    elif (strange := len(np.setdiff1d(numbers, known["parcel_id"].to_numpy()))) == len(numbers):
        raise NothingToDoError(
            f"None of the {len(known)} parcels of {parcels} has an observation.",
            hint=f"parcel_id of the observations are {numbers[0]} to {numbers[-1]}",
        )
    elif strange:
        tell(f"{strange} parcels with observations are not among the {len(known)} of {parcels}; they are left out.")
    days = table["time"].to_numpy().astype("datetime64[D]")
    return MowingFiles(table, known, days.min().astype(object), days.max().astype(object))


def prepare(
    given: MowingFiles,
    values: Snapshot,
    tell: Tell,
    *,
    own: Sequence[str] = (),
    config: Path | None = None,
    lut: Path | None = None,
    first: date | None = None,
    last: date | None = None,
) -> MowingByHand:
    """Put together what is computed.

    Parameters
    ----------
    own : names of parameters given for this run, which the configuration file does not change.
    lut : crop code table; without it every parcel is grassland.
    first, last : days on which mowing is looked for; by default as configured, else all that was observed.

    Raises
    ------
    InputError, NotFoundError, StorageError : a file cannot be read or understood; the last day comes first.
    NothingToDoError : no parcel is grassland.
    """
    begin, end = first or given.first, last or given.last
    year = (begin + (end - begin) / 2).year
    configuration = None if config is None else _configuration(config, year, tell)
    keys = frozenset(REGISTRY.get(name).key for name in own)
    settings = MowingSettings.of(values.values, configuration, own=keys)
    began, ended = settings.period(begin, end)
    begin, end = first or began, last or ended
    if end < begin:
        raise InputError(f"Mowing is looked for from {begin} to {end}: the last day comes first.")
    covers: Any = effective_values(values.values, configuration, keys)[GRASSLAND]
    parcels = given.parcels
    if lut is not None:
        parcels = _grassland(parcels, settings, covers, lut)
        tell(f"{len(parcels)} of {len(given.parcels)} parcels are looked at.")
    elif settings.crop_filter:
        tell("CTNUM_FILTER is numbers of a crop code table: without --lut every parcel is looked at.")
    named = effective_configuration(year, values.values, configuration, keys)
    return MowingByHand(given.observations, parcels, settings, named, begin, end)


def detect_by_hand(run: MowingByHand, out: Path, plots: Sequence[str], progress: Progress) -> dict[str, Any]:
    """Detect, and write tables, the configuration and a picture of each parcel named; returns what is told of it.

    Parameters
    ----------
    plots : numbers or ``ori_id`` of parcels.

    Raises
    ------
    NotFoundError, InputError : a parcel to draw is not there, or is not the only one of its name.
    StorageError, DiskFullError : a file cannot be written.
    """
    wanted = {name: _parcel_number(name, run.parcels) for name in plots}
    events, results, pictures = [], [], []
    usual = _usual(run)
    for begin, stop in pairwise(block_edges(len(run.parcels), _BLOCK)):
        parcels = run.parcels.slice(begin, stop - begin)
        series, found = _detected(run, parcels, usual)
        events.append(event_table(found, series))
        results.append(parcel_table(found, run.first, run.last, run.settings.optical))
        progress(stop, len(run.parcels), "parcels")
        for name, number in wanted.items():
            if number in found.parcel_id:
                pictures.append(_picture(run, parcels, series, found, results[-1], number, out / f"plot_{name}.png"))
    told, rows = pa.concat_tables(events), pa.concat_tables(results)
    shown = told.filter(told["reported"])
    paths = [out / name for name in (EVENTS, EVENTS_CSV, PARCELS_CSV, CONFIGURATION)]
    write_table_file(paths[0], "parquet", told.schema, [told])
    _write_csv(paths[1], _as_text(shown.select(list(CSV_EVENTS))))
    _write_csv(paths[2], _beside(run.parcels, rows))
    write_whole(paths[3], l4b_text(run.configuration).encode())
    counted = sorted(rows["status"].value_counts().to_pylist(), key=lambda item: str(item["values"]))
    return {
        "parcels": len(rows),
        "events": len(shown),
        "first_day": run.first,
        "last_day": run.last,
        "status": {one["values"]: one["counts"] for one in counted},
        "files": [str(path) for path in (*paths, *pictures)],
    }


def _require_unit(path: Path, observations: pa.Table) -> None:
    """Refuse NDVI and coherence that are scaled, which would give no events, or wrong ones, and no error.

    Raises
    ------
    InputError : most values of a variable are above 1. A few may be, where a reflectance is below 0.
    """
    for variable in _VARIABLES:
        values = observations.filter(pc.equal(observations["variable"], variable))["mean"].drop_null().to_numpy()
        if len(values) and (middle := float(np.median(values))) > 1:
            raise InputError(
                f"{path}: {variable} is {middle:g} in the middle: it must be -1 to 1.",
                hint="divide Sen4CAP's NDVI by 1000",
            )


def _configuration(path: Path, year: int, tell: Tell) -> L4bConfiguration:
    configuration, report = read_l4b_configuration(content_of(path, "configuration"), path.name, year=year)
    refused = [finding for finding in report.findings if finding.severity is Severity.REFUSED]
    for finding in report.findings:
        if finding not in refused:
            tell(f"{path.name}: {finding.code} {finding.message}")
    if configuration is None:
        more = f" (and {len(refused) - 1} more problems)" if len(refused) > 1 else ""
        raise InputError(f"{path}: {refused[0].message}{more}", code=refused[0].code)
    return configuration


def _grassland(parcels: pa.Table, settings: MowingSettings, covers: Sequence[int], lut: Path) -> pa.Table:
    """The parcels that are asked about, by the crop code table (spec/README.md D6)."""
    table, report = read_crop_lut(content_of(lut, "crop code table"), lut.name)
    if table is None:
        raise InputError(f"{lut}: {report.findings[0].message}", code=report.findings[0].code)
    if settings.every_crop or not (settings.crop_filter or covers):
        return parcels
    fits = np.isin(table.ctnum, settings.crop_filter) if settings.crop_filter else np.isin(table.lc, covers)
    codes = pa.array([code for code, fit in zip(table.ori_crop, fits, strict=True) if fit], pa.string())
    chosen = parcels.filter(pc.fill_null(pc.is_in(parcels["crop"], value_set=codes), False))
    if not len(chosen):
        raise NothingToDoError(f"None of {len(parcels)} parcels has a crop that {lut.name} calls grassland.")
    return chosen


def _usual(run: MowingByHand) -> tuple[Usual, ...]:
    """What coherence is usual among all parcels of the run, before they are divided."""
    settings = run.settings
    if settings.evidence is None:
        return ()
    numbers = np.sort(run.parcels["parcel_id"].to_numpy())
    company = company_of(numbers, settings.evidence)
    asked = series_of(run.observations, _VARIABLES[1:], numbers[company.rows], enough=settings.enough_radar)
    return usual_of_run(asked, settings, run.last, company)


def _detected(run: MowingByHand, parcels: pa.Table, usual: Sequence[Usual]) -> tuple[dict[Key, Series], Mowing]:
    settings, numbers = run.settings, parcels["parcel_id"].to_numpy()
    optical = series_of(run.observations, (OPTICAL_VARIABLE,), numbers, enough=settings.enough_optical)
    radar = series_of(run.observations, _VARIABLES[1:], numbers, enough=settings.enough_radar)
    s2_pix, s1_pix = (_pixels(parcels, name) for name in ("S2Pix", "S1Pix"))
    asked = MowingParcels(numbers, parcels["crop"], s2_pix=s2_pix, s1_pix=s1_pix)
    series = optical | radar
    return series, detect(series, asked, settings, run.first, run.last, usual=usual)


def _pixels(parcels: pa.Table, name: str) -> npt.NDArray[np.int32] | None:
    """Declared pixel counts; None where no parcel has one, many where this one has none."""
    column = parcels[name]
    if column.null_count == len(column):
        return None
    counts: npt.NDArray[np.int32] = pc.fill_null(column, np.iinfo(np.int32).max).to_numpy()
    return counts


def _picture(
    run: MowingByHand,
    parcels: pa.Table,
    series: Mapping[Key, Series],
    found: Mowing,
    results: pa.Table,
    number: int,
    path: Path,
) -> Path:
    row = row_of(found, number)
    facts = facts_of(results.slice(row, 1).to_pylist()[0])
    crop = parcels["crop"][row].as_py()
    with whole_file(path) as unfinished:
        draw_parcel(ParcelPicture(found, row, series, run.settings, run.first, run.last, crop, facts), unfinished)
    return path


def _parcel_number(name: str, parcels: pa.Table) -> int:
    """Number of a parcel by its number or the agency's identifier."""
    numbers = parcels["parcel_id"].to_numpy()
    if name.isascii() and name.isdigit() and int(name) in numbers:
        return int(name)
    rows = np.flatnonzero(pc.fill_null(pc.equal(parcels["ori_id"], name), False).to_numpy())
    if len(rows) > 1:
        raise InputError(f"{len(rows)} parcels have ori_id {name}.", hint="give parcel_id")
    if not len(rows) or "/" in name:
        raise NotFoundError(
            f"There is no parcel {name} to draw.", hint="give parcel_id or ori_id of a parcel of the run"
        )
    return int(numbers[rows[0]])


def _write_csv(path: Path, table: pa.Table) -> None:
    """Write a table; only texts that need quotes have them, and nothing stands for nothing."""
    with whole_file(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(table.column_names)
        for batch in table.to_batches(max_chunksize=_ROWS):
            writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _as_text(events: pa.Table) -> pa.Table:
    """Times as a spreadsheet reads them, UTC; confidences with 3 decimals."""
    for at, name in enumerate(events.column_names):
        if name in ("start", "end"):
            text = pc.strftime(events[name].cast(pa.timestamp("s")), format="%Y-%m-%d %H:%M:%S")
            events = events.set_column(at, name, text)
        elif name == "confidence":
            events = events.set_column(at, name, pc.round(events[name], 3))
    return events


def _beside(parcels: pa.Table, results: pa.Table) -> pa.Table:
    """What was declared, where anything was, before what was found."""
    known = [name for name in ("ori_id", "crop", "holding") if parcels[name].null_count < len(parcels)]
    columns = {"parcel_id": results["parcel_id"], **{name: parcels[name] for name in known}}
    return pa.table(columns | {name: results[name] for name in results.column_names})
