"""``s4c products export`` and ``s4c products series``: parcel statistics for other programs and for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, FromDay, SeasonName, SiteName, ToDay, examples
from s4c_lib.cli.output import Step, note, print_record, print_records, progress
from s4c_lib.cli.session import Session, named_season, session_of
from s4c_lib.errors import InputError, NothingToDoError

if TYPE_CHECKING:
    import pyarrow as pa

    from s4c_lib.catalog.marker_files import MarkerFile
    from s4c_lib.catalog.parcel_sets import ParcelSet
    from s4c_lib.catalog.seasons import Season
    from s4c_lib.catalog.sites import Site

_RATIO = ("vv", "vh")
_FACTS = ("time", "previous_time", "variable", "orbit", "direction", "platform", "tile", "product_id")
_NUMBERS = ("mean", "std", "min", "max")


class What(StrEnum):
    """What is exported."""

    MDB1 = "mdb1"
    MDB2 = "mdb2"
    OBSERVATIONS = "observations"


class Format(StrEnum):
    """Format of the file."""

    CSV = "csv"
    IPC = "ipc"
    PARQUET = "parquet"


Variables = Annotated[
    list[str] | None,
    typer.Option("--variable", metavar="VARIABLE", help="Only this variable, such as ndvi; repeatable."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the noun ``products``."""
    app.command(
        "export",
        epilog=examples(
            "s4c products export my_region 2026 --what mdb1 --format csv --out exports",
            "s4c products export my_region 2026 --variable ndvi --variable vv --best-tile --out exports",
        ),
    )(export)
    app.command(
        "series",
        epilog=examples(
            "s4c products series my_region 2026 4711",
            "s4c products series my_region 2026 FR-0815-2 --variable ndvi --json",
        ),
    )(series)


@dataclass(frozen=True, slots=True)
class _Store:
    """Files in force of a season, by time, and which statistics besides mean and deviation they have.

    Attributes
    ----------
    extras : columns of the observation table.
    """

    site: Site
    season: Season
    parcel_set: ParcelSet
    files: tuple[MarkerFile, ...]
    extras: tuple[str, ...]

    @property
    def paths(self) -> list[Path]:
        """Where the files lie."""
        return [Path(file.path) for file in self.files]


def export(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to; made when it is not there.")],
    what: Annotated[
        What,
        typer.Option(
            help="mdb1: Sen4CAP's wide table, one row a parcel; mdb2: its VV less VH; observations: one row for each "
            "parcel, time and variable."
        ),
    ] = What.OBSERVATIONS,
    kind: Annotated[
        Format, typer.Option("--format", help="csv and ipc of mdb1 and mdb2 come with their index files.")
    ] = Format.PARQUET,
    variables: Variables = None,
    first: FromDay = None,
    last: ToDay = None,
    best_tile: Annotated[
        bool,
        typer.Option(
            "--best-tile", help="Of a parcel that several tiles see, only the observation with most valid pixels."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the parcel statistics in force of a season to a file.

    mdb1 and mdb2 have the names and units of Sen4CAP: L3B x 1000, reflectance x 10000, half the decibels.
    """
    if best_tile and what is not What.OBSERVATIONS:
        raise InputError(f"--best-tile is for observations; {what} always has one value a parcel and day.")
    if what is What.MDB2:
        variables = _ratio_variables(variables)
    session = session_of(context)
    store = _store(session, site_name, season_name, variables, first, last)
    with progress(f"exporting {len(store.files)} files of statistics") as step:
        if what is What.OBSERVATIONS:
            paths, rows = _export_observations(store, out, kind, best_tile, step)
        else:
            paths, rows = _export_wide(session, store, out, what, kind, step)
    record = {"what": what, "rows": rows, "statistics_files": len(store.files), "files": [str(path) for path in paths]}
    print_record(record, as_json=as_json)


def series(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    parcel: Annotated[
        str,
        typer.Argument(metavar="PARCEL", help="NewID, or the agency's identifier; new_id:12 or ori_id:12 if both fit."),
    ],
    variables: Variables = None,
    first: FromDay = None,
    last: ToDay = None,
    as_json: AsJson = False,
) -> None:
    """Show the series of one parcel: each pass with the tile that saw most of it."""
    from s4c_lib.catalog.parcel_lookup import find_parcel
    from s4c_lib.statistics.observations import best_tile, read_observations

    session = session_of(context)
    store = _store(session, site_name, season_name, variables, first, last)
    with session.read() as connection:
        found = find_parcel(connection, store.parcel_set, parcel)
    table = best_tile(read_observations(store.paths, parcel_ids=[found.new_id]))
    rows = sorted(
        table.to_pylist(), key=lambda row: (row["variable"], row["orbit"] or 0, row["time"], row["platform"] or "")
    )
    if not rows:
        raise NothingToDoError(
            f"Parcel {found.new_id} ({found.ori_id}) has no statistics in season {store.season.name!r}.",
            hint="it may be too small, or never clear",
        )
    if as_json:
        print_record({"new_id": found.new_id, "ori_id": found.ori_id, "observations": rows}, as_json=True)
        return
    note(f"parcel {found.new_id} ({found.ori_id}): {len(rows)} observations")
    titles = ("time", "variable", "orbit", *_NUMBERS, "n", "n_total", "platform", "tile")
    cells = [
        {name: "" if row[name] is None else f"{row[name]:.4f}" if name in _NUMBERS else row[name] for name in titles}
        for row in rows
    ]
    print_records(cells, {name: name.replace("_", " ") for name in titles}, as_json=False, none="")


def _ratio_variables(variables: Sequence[str] | None) -> list[str]:
    if variables and set(variables) != set(_RATIO):
        raise InputError("mdb2 is made of vv and vh.", hint="leave --variable out")
    return list(_RATIO)


def _store(
    session: Session,
    site_name: str,
    season_name: str,
    variables: Sequence[str] | None,
    first: date | None,
    last: date | None,
) -> _Store:
    """Look up what is in force; by default of all sensing times the season needs.

    Raises
    ------
    NothingToDoError : no declarations, or no statistics.
    """
    from s4c_lib.catalog.marker_files import list_marker_files
    from s4c_lib.catalog.parcel_sets import active_set
    from s4c_lib.catalog.vocabulary import SEARCHED_SATELLITES
    from s4c_lib.ingest.context import load_context
    from s4c_lib.scheduling.dates import midnight
    from s4c_lib.statistics.observation_table import unit_of
    from s4c_lib.statistics.wanted import StatisticsOptions

    for variable in variables or ():
        unit_of(variable)
    with session.read() as connection:
        site, season = named_season(connection, site_name, season_name)
        parcel_set = active_set(connection, site.id, season.year)
    if parcel_set is None:
        raise NothingToDoError(
            f"Site {site.short_name!r} has no declarations of {season.year}.",
            hint="'s4c declarations import' gives them",
        )
    ingest = load_context(session.database, season.id, today=session.today())
    spans = [ingest.span(satellite) for satellite in SEARCHED_SATELLITES]
    with session.read() as connection:
        files = list_marker_files(
            connection,
            parcel_set.id,
            config_hashes={name: ingest.parameters.hash_for(name) for name in ("s4c_mdb1", "l3b")},
            variables=variables,
            time_from=midnight(first or min(span.date_from for span in spans)),
            time_to=midnight((last or max(span.date_to for span in spans)) + timedelta(days=1)),
        )
    if not files:
        raise NothingToDoError(
            f"No parcel statistics of season {season.name!r} fit.", hint="'s4c status' says what ingest has done so far"
        )
    options = StatisticsOptions.of(ingest.parameters.values)
    extras = (*(("min", "max") if options.extremes else ()), *options.quartiles)
    return _Store(site, season, parcel_set, tuple(files), extras)


def _export_wide(
    session: Session, store: _Store, out: Path, what: What, kind: Format, step: Step
) -> tuple[list[Path], int]:
    """MDB1 or MDB2 in a folder of its own; returns its files and the number of parcels."""
    from s4c_lib.statistics.legacy_export import mdb1_from_files, mdb2_table, write_legacy
    from s4c_lib.statistics.legacy_names import product_name
    from s4c_lib.statistics.table_files import write_table_file

    columns, tables = mdb1_from_files(store.paths, store.extras)
    if what is What.MDB2:
        tables = map(mdb2_table, tables)
    # columns of MDB2 are known from its tables only
    head = next(tables, None)
    if head is not None:
        columns = tuple(head.column_names[1:])
    if head is None or not columns:
        raise NothingToDoError(f"The statistics that fit give no column of {what}.", hint="mdb2 needs both vv and vh")
    name = product_name(what.upper(), store.site.id, store.files[0].time, store.files[-1].time, session.now())
    counted = _counted(chain([head], tables), step)
    if kind is Format.PARQUET:
        path = out / name / f"{name}.parquet"
        return [path], write_table_file(path, kind, head.schema, counted)
    written = write_legacy(out, name, columns, counted, (kind,))
    made = (written.csv, written.csv_index) if kind is Format.CSV else (written.ipc, written.ipc_index)
    return list(made), written.rows


def _counted(tables: Iterable[pa.Table], step: Step) -> Iterator[pa.Table]:
    parcels = 0
    for table in tables:
        yield table
        parcels += table.num_rows
        step(parcels, 0, "parcels")


def _export_observations(store: _Store, out: Path, kind: Format, best_tile: bool, step: Step) -> tuple[list[Path], int]:
    """The observation table by time; returns its file and the number of rows."""
    from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA, QUARTILES
    from s4c_lib.statistics.observations import best_tile as best
    from s4c_lib.statistics.observations import read_observations
    from s4c_lib.statistics.table_files import write_table_file

    columns = [*OBSERVATION_SCHEMA.names, *(name for name in QUARTILES if name in store.extras)]
    days = sorted({file.time.date() for file in store.files})

    def tables() -> Iterator[pa.Table]:
        shown = None
        for group in _passes(store.files):
            table = read_observations([Path(file.path) for file in group], columns=columns)
            yield best(table) if best_tile else table
            if (today := group[0].time.date()) != shown:
                step(days.index(today) + 1, len(days), today.isoformat())
                shown = today

    span = f"{store.files[0].time:%Y%m%d}_{store.files[-1].time:%Y%m%d}"
    path = out / f"observations_{store.site.short_name}_{store.season.short_name}_{span}.{kind}"
    schema = read_observations([], columns=columns).schema
    return [path], write_table_file(path, kind, schema, tables())


def _passes(files: Sequence[MarkerFile]) -> list[list[MarkerFile]]:
    """Files of one variable and pass together: the tiles among which the best is chosen; by time."""
    from s4c_lib.statistics.passes import Facts, passes_of, seconds_of

    def facts(file: MarkerFile) -> Facts:
        told: dict[str, Any] = {name: getattr(file, name) for name in _FACTS}
        told |= {"time": seconds_of(file.time)}
        told |= {"previous_time": None if file.previous_time is None else seconds_of(file.previous_time)}
        return Facts(**told)

    groups: dict[int, list[MarkerFile]] = {}
    for file, number in zip(files, passes_of([facts(file) for file in files]).number.tolist(), strict=True):
        groups.setdefault(number, []).append(file)
    return list(groups.values())
