"""A run of L4C: practice tables and statistics in, decisions about practices in files and rows out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.catalog.results_l4c import store_results
from s4c_lib.l4.mowing_files import row_groups
from s4c_lib.l4.parcel_blocks import parcel_blocks
from s4c_lib.l4.practice_counts import as_metadata, check_judged, count_decisions, quality_of, share_without_result
from s4c_lib.l4.practice_files import MARKERS, RESULTS, WEEKLY, piece_of, pieces, write_product
from s4c_lib.l4.practice_inputs import PracticeRun, practice_run
from s4c_lib.practices.decision import Previous, decide
from s4c_lib.practices.product_tables import MadeOf, marker_table, result_table, weekly_table
from s4c_lib.practices.series import practice_series
from s4c_lib.practices.settings import PREFIX
from s4c_lib.season_run import ResultProduct, RunResult, SeasonRun

if TYPE_CHECKING:
    from sqlalchemy import Connection

ALGORITHM: Final = 1
"""Changes when the same inputs and parameters give other decisions; stamped into every product."""


def run_practices(run: SeasonRun) -> RunResult:
    """Compute the L4C product of a season (l4c-practices.md sections 15 to 17).

    Raises
    ------
    NoResultError : there is no configuration or no usable practice, a variable is missing, there are too few weeks of
        radar, no parcel was seen, or none can be judged.
    """
    told = practice_run(run)
    counts = _decide(told)
    check_judged(counts)
    share = share_without_result(counts)
    files = write_product(told, as_metadata(counts), algorithm=ALGORITHM)
    product = ResultProduct(
        metadata={
            "algorithm": ALGORITHM,
            "country": told.configuration.country,
            "configuration_version": told.config_id,
            "practices": [task.practice for task in told.tasks],
            "practice_tables": {task.practice: task.table_id for task in told.tasks},
            "skipped_practices": dict(told.skipped),
            "tillage": told.tillage,
            "first_day": told.first.isoformat(),
            "gap_limit": told.gap_limit.isoformat(),
            "previous_product": told.previous,
            "without_result_pct": round(share, 3),
            "warnings": list(told.warnings),
            "counts": as_metadata(counts),
            "files": files.about,
        },
        quality=quality_of(share, run.snapshot[f"{PREFIX}max_na_pct"]),
        quicklook=files.quicklook,
        store=_store(told),
    )
    totals = {"rows": counts["rows"], "judged": counts["OK"], "harvests": counts["FOUND"], "weeks": counts["weeks"]}
    return RunResult(totals, product)


def _decide(told: PracticeRun) -> Counter[str]:
    """Write tables of results and weeks, a piece for each practice, block after block; returns what was counted."""
    run, folder = told.run, told.run.work_folder
    counts: Counter[str] = Counter()
    wanted = np.unique(np.concatenate([task.joined.rows.parcel_id for task in told.tasks]))
    declared = told.declared.take(np.isin(told.declared.parcel_id, wanted))
    mondays = _mondays(told)
    with ExitStack() as stack:
        weekly = stack.enter_context(row_groups(folder / WEEKLY))
        results = {
            task.practice: stack.enter_context(row_groups(folder / piece_of(task.practice))) for task in told.tasks
        }
        markers = stack.enter_context(row_groups(folder / MARKERS))
        for block in parcel_blocks(declared, told.files):
            numbers = block.declared.parcel_id
            last = block.first + len(numbers) == len(declared)
            series = practice_series([run.products_root / one.path for one in block.files], numbers)
            for task in told.tasks:
                every = task.joined.rows
                rows = every.of(np.flatnonzero(np.isin(every.parcel_id, numbers) | (last & (every.parcel_id < 0))))
                if not len(rows):
                    continue
                made_of = MadeOf(run.as_of, told.config_id, task.table_id)
                decisions = decide(
                    series,
                    rows,
                    task.settings,
                    as_of=run.as_of,
                    gap_limit=told.gap_limit,
                    tillage=told.tillage,
                    season_start=told.first,
                    previous=_previous(task.kept, rows.parcel_id),
                    progress=_telling(run, task.practice, block.first, len(declared)),
                )
                results[task.practice].write(result_table(decisions, rows, made_of))
                weeks = weekly_table(decisions, rows)
                weekly.write(weeks)
                if task.practice == "NA":
                    markers.write(_markers(told, weeks, rows.parcel_id, mondays))
                counts += count_decisions(task.practice, decisions)
            done = block.first + len(numbers)
            run.progress(done, len(declared), f"practices: {counts['OK']} of {counts['rows']} rows judged")
    return counts


def _previous(kept: pa.Table | None, parcel_id: npt.NDArray[np.int64]) -> Previous | None:
    """Harvests of the product before, by row."""
    if kept is None:
        return None
    at = pc.index_in(pa.array(parcel_id), value_set=kept["new_id"].cast(pa.int64()).combine_chunks())
    week = kept["h_w_start"].combine_chunks().take(at).to_numpy(zero_copy_only=False).astype("datetime64[D]")
    gaps = kept["h_w_s1gaps"].combine_chunks().take(at).fill_null(0)
    return Previous(week, gaps.to_numpy(zero_copy_only=False).astype(np.int32))


def _telling(run: SeasonRun, practice: str, first: int, total: int) -> Callable[[int, int], None]:
    """What tells of rows of a block while they are judged."""

    def tell(done: int, rows: int) -> None:
        run.progress(first, total, f"{practice}: {done} of {rows} rows")

    return tell


def _markers(told: PracticeRun, weeks: pa.Table, parcel_id: npt.NDArray[np.int64], mondays: Sequence[date]) -> pa.Table:
    shown = parcel_id[parcel_id > 0]
    if not told.run.snapshot[f"{PREFIX}markers_add_no_data_rows"]:
        shown = shown[np.isin(shown, weeks["NewID"].to_numpy())]
    return marker_table(weeks, shown, mondays)


def _mondays(told: PracticeRun) -> list[date]:
    """Mondays of all weeks with coherence, which are those a row of the weekly table may have."""
    days = [one.time.date() for one in told.files if one.variable == "coherence_vv"]
    return sorted({day - timedelta(days=day.weekday()) for day in days})


def _store(told: PracticeRun) -> Any:
    """What puts the rows into the database, a row group at a time."""

    def store(connection: Connection, product_id: int) -> None:
        store_results(connection, product_id, pieces(told.run.work_folder / RESULTS))

    return store
