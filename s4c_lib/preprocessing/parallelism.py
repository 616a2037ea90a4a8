"""How many L2A programs may run at once on a machine (``preprocessing.md`` 2.5)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

AUTO: Final = 0
# Sen2Cor: its release note, for 10 m. MAJA: with 8 threads; not verified for 4.x.
MEMORY_GB: Final = {"sen2cor": 4.0, "maja": 8.0}
_GB = 1 << 30
_UNLIMITED = "max"


def worker_count(setting: int, *, cpus: int, free_gb: float, tiles: int, memory_gb: float) -> int:
    """Programs at a time: the setting, or for `AUTO` what processors, free memory and tiles allow, at least one.

    Parameters
    ----------
    setting : ``processor.l2a.optical.num-workers``. memory_gb : of one process, see `MEMORY_GB`.
    """
    if setting != AUTO:
        return max(1, setting)
    return max(1, min(cpus, int(free_gb // memory_gb), tiles))


def usable_cpus() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0))


def free_memory_gb(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> float:
    """Memory that can be had without swapping, in GB (2^30): of the machine, or of the container if that has less."""
    lines = (proc / "meminfo").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    free = kilobytes * 1024
    limit, used = cgroup / "memory.max", cgroup / "memory.current"
    if limit.exists() and used.exists() and limit.read_text().strip() != _UNLIMITED:
        free = min(free, int(limit.read_text()) - int(used.read_text()))
    return max(free, 0) / _GB
