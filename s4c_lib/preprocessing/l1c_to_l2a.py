"""From an L1C to native L2A products: judged tile by tile, processed, cleaned up (``preprocessing.md`` 2.3-2.5).

What comes out is the executor's own format, a SAFE or a MUSCATE folder; publication as COG is another step. MAJA reads
its own product again for the next date: keep it until the chain is 60 days further.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from s4c_lib.errors import EXIT_DONE, EXIT_FAILED
from s4c_lib.preprocessing.executor import (
    Executor,
    ExecutorRequest,
    ExecutorResult,
    ExecutorStatus,
    guarded,
    unfinished,
)
from s4c_lib.preprocessing.l1c_acceptance import L1cReport, baseline_fault, inspect_l1c
from s4c_lib.preprocessing.work_folder import remove_tree, unpacked
from s4c_lib.reasons import Reason

LOGS = "logs"


def compute_l2a(executor: Executor, request: ExecutorRequest, *, keep_work: bool = False) -> ExecutorResult:
    """Make the L2A of one tile: unpack, judge the L1C, run the program; the work folder goes afterwards.

    Parameters
    ----------
    keep_work : leave the work folder for a look at it.

    Returns
    -------
    The executor's result. The log of a run without product is moved to ``logs`` beside the work folder.
    """
    return compute_tiles(executor, request, (request.tile,), keep_work=keep_work)[0]


def compute_tiles(
    executor: Executor, request: ExecutorRequest, tiles: Sequence[str] = (), *, keep_work: bool = False
) -> tuple[ExecutorResult, ...]:
    """Make the L2A of several tiles of one product, one after another; a bad one ends alone.

    Parameters
    ----------
    request : of any tile; each tile works in its own folder below ``work_dir``.
    tiles : those wanted; none means all of the product.

    Returns
    -------
    Results in the order of the tiles; a single one for a product that is bad as a whole.
    """
    work = request.work_dir
    results: list[ExecutorResult] = []

    def each_tile() -> ExecutorResult:
        l1c = unpacked(request.l1c_path, work / "l1c")
        report = inspect_l1c(l1c)
        for tile in tiles or report.tiles:
            one = replace(request, l1c_path=l1c, tile=tile, work_dir=work / tile)
            results.append(_log_kept(_computed(executor, one, report), work))
            if not keep_work:
                remove_tree(one.work_dir)
        return results[-1]

    try:
        work.mkdir(parents=True, exist_ok=True)
        last = guarded(executor.name, executor.version, None, each_tile)
        return tuple(results) if results and results[-1] is last else (*results, last)
    finally:
        if not keep_work:
            remove_tree(work)


def exit_code(results: Iterable[ExecutorResult]) -> int:
    """Exit code of a command that made these: above 0 only if a tile failed; a rejected one has not."""
    return EXIT_FAILED if any(result.status is ExecutorStatus.FAILED for result in results) else EXIT_DONE


def _computed(executor: Executor, request: ExecutorRequest, report: L1cReport) -> ExecutorResult:
    finding = report.finding(request.tile)
    if finding is not None:
        return unfinished(executor.name, executor.version, finding.reason, finding.text, warnings=report.warnings)
    fault = baseline_fault(executor.name, executor.version, report.baseline)
    if fault is not None:
        return unfinished(executor.name, executor.version, Reason.CONFIG, fault, warnings=report.warnings)
    result = executor.run(request)
    return replace(result, warnings=(*report.warnings, *result.warnings))


def _log_kept(result: ExecutorResult, work: Path) -> ExecutorResult:
    """Move a log out of the work folder, which goes."""
    log = result.log_path
    if log is None or not log.is_relative_to(work):
        return result
    kept = work.parent / LOGS / f"{work.name}_{log.relative_to(work).parts[0]}_{log.name}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(log, kept)
    return replace(result, log_path=kept)
