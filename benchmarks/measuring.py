"""What a piece of work costs: processor seconds and memory."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any


def spent(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of this process, and what came out."""
    before = time.process_time()
    found = work()
    return time.process_time() - before, found


def least_seconds(work: Callable[[], Any], repeats: int = 3) -> float:
    """Least processor seconds of several runs."""
    return min(spent(work)[0] for _ in range(repeats))


def peak_mb() -> float:
    """Highest memory of the process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def highest_memory() -> AbstractContextManager[list[float]]:
    """Give a list that then has the highest memory over that at the start, MB."""
    page, statm = resource.getpagesize() / 1e6, Path("/proc/self/statm")
    return _highest(lambda: int(statm.read_text().split()[1]) * page)


def highest_private() -> AbstractContextManager[list[float]]:
    """As `highest_memory`, of private memory: mapped files do not count."""
    status = Path("/proc/self/status")

    def used() -> float:
        line = next(one for one in status.read_text().splitlines() if one.startswith("RssAnon"))
        return int(line.split()[1]) / 1024

    return _highest(used)


@contextmanager
def _highest(used: Callable[[], float]) -> Iterator[list[float]]:
    """Look 200 times a second."""
    found, ended = [0.0], threading.Event()
    before = used()

    def watch() -> None:
        while not ended.wait(0.005):
            found[0] = max(found[0], used() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()
