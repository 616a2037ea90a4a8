"""A synthetic season on disk: seconds, memory of parent and workers, bytes, and what a second worker brings.

Run: ``python benchmarks/synthetic_season.py [--whole] [--workers 1,2]``; without ``--whole`` a third of the default
season (80 days) is made. The issue asks for the whole default season in under 4 minutes on 2 cores and under 2 GB.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from s4c_lib.synthetic.season import SeasonSummary, make_season
from s4c_lib.synthetic.world import SeasonOptions

_EVERY_SECONDS = 0.1


class MemoryWatch:
    """Highest resident memory of this process, of any one worker and of all together, megabytes (Linux)."""

    def __init__(self) -> None:
        self.parent = self.worker = self.together = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            own = _resident_mb(os.getpid())
            workers = [_resident_mb(pid) for pid in _children(os.getpid())]
            self.parent = max(self.parent, own)
            self.worker = max(self.worker, *workers, 0.0)
            self.together = max(self.together, own + sum(workers))


def _resident_mb(pid: int) -> float:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it ended meanwhile
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _children(pid: int) -> list[int]:
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _children_of_task(task)]


def _children_of_task(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []  # the thread ended meanwhile


def measured(options: SeasonOptions, workers: int) -> tuple[float, SeasonSummary]:
    """Make the season in a temporary folder and print a line."""
    with tempfile.TemporaryDirectory() as folder, MemoryWatch() as memory:
        began = time.perf_counter()
        made = make_season(Path(folder) / "season", options, workers=workers)
        seconds = time.perf_counter() - began
    print(
        f"workers {workers}: {seconds:6.1f} s, peak {memory.parent:5.0f} MB parent, {memory.worker:5.0f} MB a worker, "
        f"{memory.together:5.0f} MB together; {made.products} products, {made.total_bytes / 1e6:.0f} MB on disk",
        flush=True,
    )
    return seconds, made


def main() -> None:
    """Make seasons and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", action="store_true", help="the whole default season instead of a third")
    parser.add_argument("--workers", default="1,2", help="counts to compare")
    arguments = parser.parse_args()
    options = SeasonOptions()
    if not arguments.whole:
        options = replace(options, end=options.start + timedelta(days=79))
    print(f"{options.start} to {options.end}, {options.size_m} m, {options.parcels} parcels, {os.cpu_count()} cores")
    counts = [int(count) for count in arguments.workers.split(",")]
    seconds = {count: measured(options, count)[0] for count in counts}
    first = counts[0]
    for count in counts[1:]:
        print(f"workers {count} : workers {first} = {seconds[count] / seconds[first]:.2f} of the time")


if __name__ == "__main__":
    main()
