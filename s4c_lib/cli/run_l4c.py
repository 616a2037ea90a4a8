"""``s4c run l4c``: agricultural practices of parcels from a file of observations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from s4c_lib.cli.options import AsJson, day, examples
from s4c_lib.cli.output import Step, print_record, progress, warn
from s4c_lib.cli.practices import Practice
from s4c_lib.cli.run_by_hand import Out, Profile, Setting, parameters
from s4c_lib.errors import InputError, NotFoundError, Sen4capError

if TYPE_CHECKING:
    import pyarrow as pa

    from s4c_lib.cli.run_l4c_inputs import Given
    from s4c_lib.practices.settings import PracticeSettings

_BLOCK: Final = 50_000
_GAP_DAYS: Final = 14
RESULTS, WEEKLY, CONFIGURATION = "results.parquet", "weekly.parquet", "l4c_config.cfg"
_IN_PRODUCT: Final = ("l4c_results.parquet", "l4c_weekly.parquet")

Traces = Annotated[
    list[str] | None,
    typer.Option(
        "--trace", metavar="ID", help="Say why this parcel (parcel_id or ori_id) got its verdict; repeatable."
    ),
]
Plots = Annotated[
    list[str] | None, typer.Option("--plot", metavar="ID", help="Draw this parcel as plot_ID.png; repeatable.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the noun ``run``."""
    app.command(
        "l4c",
        epilog=examples(
            "s4c run l4c --practice CC --observations obs.parquet --practices catch_crops.csv --parcels parcels.csv "
            "--config NLD --country NLD --year 2026 --as-of 2026-10-31 --out practices",
            "s4c run l4c --practice NA --observations obs.csv --practices harvest.csv --parcels parcels.csv "
            "--config l4c.cfg --country CZE --year 2026 --as-of 2026-09-15 --tillage --trace 4711 --plot 4711 --out p",
        ),
    )(l4c)
    app.command(
        "l4c-trace",
        epilog=examples(
            "s4c run l4c-trace practices --parcel 4711",
            "s4c run l4c-trace products/my_region/2026/l4c/S4C_L4C_my_region_2026_20260301_20261031_1a2b3c4d "
            "--parcel 4711 --out . --json",
        ),
    )(l4c_trace)


def l4c(
    practice: Annotated[
        Practice,
        typer.Option(case_sensitive=False, help="CC catch crop, FL fallow, NFC nitrogen-fixing crop, NA harvest."),
    ],
    observations: Annotated[
        list[Path],
        typer.Option(
            "--observations",
            metavar="FILE",
            help="CSV or Parquet with parcel_id, time, variable (ndvi, vv, vh, coherence_vv) and mean; orbit, n, "
            "n_total, std, previous_time and tile where there are any. vv, vh: dB of sigma0. Repeatable, or a folder.",
        ),
    ],
    practices: Annotated[
        Path, typer.Option(metavar="FILE", help="Practice table: FIELD_ID (ori_id), VEG_START, H_START, H_END …")
    ],
    parcels: Annotated[
        Path, typer.Option(metavar="FILE", help="CSV or Parquet with parcel_id, ori_id, crop, S1Pix, S2Pix.")
    ],
    config: Annotated[
        str, typer.Option(metavar="FILE", help="Sen4CAP's parameter file, or a shipped one: CZE, ESP, ITA …")
    ],
    country: Annotated[str, typer.Option(metavar="XXX", help="Three letters (ISO 3166); chooses rules.")],
    year: Annotated[int, typer.Option(min=1900, max=9999, help="Year of the season.")],
    as_of: Annotated[
        date, typer.Option("--as-of", parser=day, metavar="DATE", help="Last day whose observations are used.")
    ],
    out: Out,
    gap_limit: Annotated[
        date | None,
        typer.Option(
            parser=day, metavar="DATE", help="Day up to which missing weeks count; default: 14 days before --as-of."
        ),
    ] = None,
    tillage: Annotated[bool, typer.Option("--tillage", help="Also look for tillage after the harvest.")] = False,
    trace: Traces = None,
    plot: Plots = None,
    profile: Profile = "default",
    setting: Setting = None,
    as_json: AsJson = False,
) -> None:
    """Tell harvest, tillage and whether a declared practice agrees with what Sentinel-1 and -2 saw.

    Writes results.csv (Sen4CAP's columns, separated by ;), results.parquet (the same typed, with STATUS, the rule that
    decided and its thresholds), weekly.parquet (every week with its markers) and l4c_config.cfg (every threshold it
    worked with). A row that cannot be judged says why in STATUS.
    """
    from s4c_lib.cli.run_l4c_inputs import read_inputs
    from s4c_lib.practices.settings import PracticeSettings

    values = parameters(profile, setting)
    with progress("l4c") as step:
        given = read_inputs(
            observations, practices, parcels, config, practice=practice.value, country=country, year=year, as_of=as_of,
            step=step,
        )  # fmt: skip
        settings = PracticeSettings.of(values.values, given.configuration, practice.value)
        limit = min(gap_limit or as_of - timedelta(days=_GAP_DAYS), date(year, 12, 31))
        with_tillage = tillage or bool(values["processor.s4c_l4c.tillage_monitoring"])
        run = _Run(given, settings, as_of, limit, with_tillage)
        record = _carry_out(run, out, trace or [], plot or [], step)
    _show(record, as_json=as_json)
    if not record["judged"]:
        listed = ", ".join(f"{count} {name}" for name, count in record["status"].items())
        raise Sen4capError(
            f"None of {record['rows']} rows could be judged: {listed}.",
            code="no_evaluable_parcel",
            hint=f"{out / 'results.csv'} is there all the same",
        )


def l4c_trace(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of an L4C product, or --out of 's4c run l4c'.")],
    parcel: Annotated[list[str], typer.Option("--parcel", metavar="ID", help="parcel_id or ori_id; repeatable.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Also write trace_ID.json and plot_ID.png there.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say why parcels got their verdicts: which rule saw which numbers. Needs the folder alone, no database."""
    tables = _read_product(folder)
    found = {name: _traced(*tables[:2], name, tables[2]) for name in parcel}
    files = [] if out is None else [path for name, one in found.items() for path in _write_trace(one, name, out)]
    _show({"trace": found, "files": [str(path) for path in files]}, as_json=as_json)


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What is computed."""

    given: Given = field(repr=False)
    settings: PracticeSettings
    as_of: date
    gap_limit: date
    tillage: bool


def _carry_out(run: _Run, out: Path, traces: Sequence[str], plots: Sequence[str], step: Step) -> dict[str, Any]:
    import pyarrow as pa

    from s4c_lib.parcels.pixel_index_file import whole_file
    from s4c_lib.practices.configuration_text import effective_text
    from s4c_lib.practices.sen4cap_table import write_sen4cap_csv
    from s4c_lib.products.stac import write_whole
    from s4c_lib.statistics.table_files import write_table_file

    rows = run.given.joined.rows
    for name in (*traces, *plots):
        _number(name, rows.parcel_id, rows.ori_id)
    made = list(_tables(run, step))
    results, weekly = (pa.concat_tables([pair[at] for pair in made]).unify_dictionaries() for at in (0, 1))
    paths = {name: out / name for name in ("results.csv", RESULTS, WEEKLY, CONFIGURATION)}
    with whole_file(paths["results.csv"]) as unfinished:
        write_sen4cap_csv(unfinished, [results], tillage=run.tillage)
    write_table_file(paths[RESULTS], "parquet", results.schema, [results])
    write_table_file(paths[WEEKLY], "parquet", weekly.schema, [weekly])
    write_whole(paths[CONFIGURATION], effective_text(run.given.configuration).encode())
    thresholds = run.given.configuration.thresholds
    files = [*paths.values()]
    found = {}
    for name in dict.fromkeys((*traces, *plots)):
        traced = _traced(results, weekly, name, thresholds)
        if name in traces:
            found[name] = traced
        files += _write_trace(traced, name, out, with_json=name in traces, with_picture=name in plots)
    states = _counted(results["STATUS"])
    return {
        "practice": run.settings.practice,
        "rows": len(results),
        "judged": states.get("OK", 0),
        "harvests": len(results) - results["H_W_START"].null_count,
        "gap_limit": run.gap_limit,
        "status": states,
        "c_index": _counted(results["C_INDEX"]),
        "trace": found,
        "files": [str(path) for path in files],
    }


def _tables(run: _Run, step: Step) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Results and weeks, block after block of rows."""
    from s4c_lib.practices.decision import decide
    from s4c_lib.practices.product_tables import MadeOf, result_table, weekly_table
    from s4c_lib.practices.series import median_pair_days, practice_series

    every = run.given.joined.rows
    for begin in range(0, len(every), _BLOCK):
        rows = every.of(slice(begin, begin + _BLOCK))
        series = practice_series(run.given.observations, rows.parcel_id[rows.parcel_id > 0])
        if not begin:
            _warn_of_pairs(median_pair_days(series), run.settings.pair_days)
        decisions = decide(
            series,
            rows,
            run.settings,
            as_of=run.as_of,
            gap_limit=run.gap_limit,
            tillage=run.tillage,
            progress=_telling(step, begin, len(every)),
        )
        yield result_table(decisions, rows, MadeOf(run.as_of)), weekly_table(decisions, rows)


def _warn_of_pairs(median: float | None, longest: int) -> None:
    """Coherence that is not compared takes half of M5 and M10 away: whoever runs it has to know."""
    if median is not None and median > longest:
        warn(
            f"coherence is of pairs {median:g} days apart; only those up to {longest} days are compared: "
            f"set processor.s4c_l4c.coh_change_max_days to {median:g}"
        )


def _telling(step: Step, first: int, total: int) -> Callable[[int, int], None]:
    """What tells of the rows of a block while they are judged."""

    def tell(done: int, _rows: int) -> None:
        step(first + done, total, "rows")

    return tell


def _counted(column: Any) -> dict[str, int]:
    import pyarrow as pa

    counted = column.cast(pa.string()).value_counts().to_pylist()
    return {one["values"]: one["counts"] for one in sorted(counted, key=lambda one: (-one["counts"], one["values"]))}


def _number(name: str, numbers: Any, identifiers: Any) -> int:
    """Number of a parcel by its number or the agency's identifier.

    Raises
    ------
    NotFoundError : no row is of that name. InputError : several have it.
    """
    there = {int(number): str(identifier) for number, identifier in zip(numbers, identifiers, strict=True) if number}
    if name.isascii() and name.isdigit() and int(name) in there:
        return int(name)
    found = [number for number, identifier in there.items() if identifier == name and number > 0]
    if len(found) > 1:
        raise InputError(f"{len(found)} parcels have ori_id {name}.", hint="give parcel_id")
    if not found:
        raise NotFoundError(f"There is no row of a parcel {name}.", hint="give parcel_id, or ori_id as in FIELD_ID")
    return found[0]


def _traced(results: pa.Table, weekly: pa.Table, name: str, thresholds: Mapping[str, Any]) -> list[dict[str, Any]]:
    from s4c_lib.practices.trace import trace

    pairs = {
        (number or 0, identifier)
        for number, identifier in zip(results["NewID"].to_pylist(), results["ORIG_ID"].to_pylist(), strict=True)
        if name in (str(number), identifier)
    }
    number = _number(name, [one[0] for one in sorted(pairs)], [one[1] for one in sorted(pairs)])
    return trace(results, weekly, number, thresholds)


def _write_trace(
    traced: Sequence[Mapping[str, Any]], name: str, out: Path, *, with_json: bool = True, with_picture: bool = True
) -> list[Path]:
    """Write ``trace_{name}.json`` and a picture for each practice of the parcel."""
    from s4c_lib.parcels.pixel_index_file import whole_file
    from s4c_lib.practices.picture import PracticePicture, draw_practice
    from s4c_lib.practices.trace import as_read
    from s4c_lib.products.stac import write_whole

    files = []
    name = re.sub(r"[^\w.-]", "_", name)  # an agency's identifier may hold what a file's name may not
    if with_json:
        path = out / f"trace_{name}.json"
        write_whole(path, (json.dumps(list(traced), indent=1, ensure_ascii=False) + "\n").encode())
        files.append(path)
    for one in traced if with_picture else ():
        practice = f"_{one['result']['PRACTICE_TABLE']}" if len(traced) > 1 else ""
        path = out / f"plot_{name}{practice}.png"
        row, weeks, thresholds = as_read(one)
        with whole_file(path) as unfinished:
            draw_practice(PracticePicture(row, weeks, thresholds), unfinished)
        files.append(path)
    return files


def _read_product(folder: Path) -> tuple[pa.Table, pa.Table, Mapping[str, Any]]:
    """Results, weeks and thresholds of a product or of a run by hand."""
    import pyarrow.parquet as pq

    from s4c_lib.parcels.l4c_configuration import read_l4c_configuration

    names = _IN_PRODUCT if (folder / _IN_PRODUCT[0]).is_file() else (RESULTS, WEEKLY)
    for name in (*names, CONFIGURATION):
        if not (folder / name).is_file():
            raise NotFoundError(f"There is no {name} in {folder}.", hint="give the folder of an L4C product")
    results, weekly = (pq.read_table(folder / name, use_threads=False) for name in names)
    if not len(results):
        raise InputError(f"{folder / names[0]} has no row.")
    first = results.slice(0, 1).to_pylist()[0]
    practices = sorted(set(results["PRACTICE_TABLE"].to_pylist()))
    content = (folder / CONFIGURATION).read_bytes()
    configuration, report = read_l4c_configuration(
        content, CONFIGURATION, year=first["YEAR"], country=first["COUNTRY"], practices=practices
    )
    if configuration is None:
        raise InputError(f"{folder / CONFIGURATION}: {report.findings[0].message}")
    return results, weekly, configuration.thresholds


def _show(record: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a record; the sentences of traces after it."""
    traces = record.get("trace", {})
    if as_json:
        print_record(dict(record), as_json=True)
        return
    if told := {name: value for name, value in record.items() if name != "trace" and value}:
        print_record(told, as_json=False)
    texts = ["\n".join(one["sentences"]) for traced in traces.values() for one in traced]
    if texts:
        typer.echo(("\n" if told else "") + "\n\n".join(texts))
