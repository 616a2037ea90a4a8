"""Work spread over processes, with results in order."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from s4c_lib.errors import InputError, WorkerLostError

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, *, bundle: int = 1
) -> Iterator[Result]:
    """Results of a function, in the order of the items; what is not begun when the caller stops is dropped.

    Parameters
    ----------
    function : can be pickled; travels once with each bundle of items.
    workers : 1 works in this process.
    """
    if workers < 1:
        raise InputError(f"{workers} workers do nothing", hint="--workers 2")
    if workers == 1:
        yield from map(function, items)
        return
    # Started anew, not forked: GDAL and numba hold threads and locks.
    # Ctrl-C reaches the whole group: this process alone answers it.
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        yield from pool.map(function, items, chunksize=bundle)
    except BrokenProcessPool as error:
        raise WorkerLostError(
            "A worker process was ended from outside, as happens when memory runs out.", hint="try --workers 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
