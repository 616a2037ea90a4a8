"""One writer for a result that several processes may want at once (spec §7.4, concurrency).

The lock file names its holder: process, host and time. It is read and changed only under an advisory lock held for that
moment, so two processes never both find it free. A holder that has died on this host loses it at once, one that gives
no sign of life (`Writer.renew`) for `expiry_s` loses it wherever it ran.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import structlog

from s4c_lib.errors import DiskFullError, LeaseLostError, StorageError, is_disk_full

WAIT_S: Final = 1800.0
EXPIRY_S: Final = 1800.0
_POLL_S: Final = 0.2
_POLL_MAX_S: Final = 5.0
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Writer:
    """The right to write a result.

    Parameters
    ----------
    lock : the lock file.
    token : what in it says that it is held by this writer.
    clock : seconds since 1970.
    """

    lock: Path
    token: str
    clock: Callable[[], float]

    def renew(self) -> None:
        """Say that the writer is alive.

        Raises
        ------
        LeaseLostError : another process took the lock over.
        """
        with _exclusive(self.lock) as stream:
            if stream is None or _read(stream).get("token") != self.token:
                raise LeaseLostError(
                    f"another process took {self.lock} over from process {os.getpid()}",
                    hint="raise the time after which a lock expires if this machine is so slow",
                )
            _write(stream, self.token, self.clock())

    def release(self) -> None:
        """Give the lock back; one that was taken over stays with its new holder."""
        with _exclusive(self.lock) as stream:
            if stream is not None and _read(stream).get("token") == self.token:
                self.lock.unlink()


@contextmanager
def one_writer(
    target: Path,
    *,
    wait_s: float = WAIT_S,
    expiry_s: float = EXPIRY_S,
    clock: Callable[[], float] = time.time,
) -> Iterator[Writer | None]:
    """Wait for the right to make a result that appears whole under its name.

    Parameters
    ----------
    target : the result; who finds it there need not write.
    wait_s : how long another writer is waited for.
    expiry_s : how long a writer may be silent.

    Yields
    ------
    the writer, or None when the result is there, made by another process perhaps while this one waited.

    Raises
    ------
    StorageError : another process still writes after `wait_s`; or the lock file cannot be written.
    """
    writer = _wait(target, wait_s, expiry_s, clock)
    if writer is None:
        yield None
        return
    try:
        yield None if target.exists() else writer
    finally:
        writer.release()


def disk_error(path: Path, error: OSError) -> StorageError:
    """What to raise when a file or folder could not be written."""
    if is_disk_full(error):
        return DiskFullError(f"no space left while writing {path}", hint="free space there and repeat")
    return StorageError(f"{path} cannot be written: {error.strerror or error}", hint="check the folder")


def _wait(target: Path, wait_s: float, expiry_s: float, clock: Callable[[], float]) -> Writer | None:
    lock = target.parent / f".{target.name}.lock"
    started, pause = clock(), _POLL_S
    while not target.exists():
        token = uuid.uuid4().hex
        holder = _try(lock, token, expiry_s, clock)
        if holder is None:
            return Writer(lock, token, clock)
        waited = clock() - started
        if waited >= wait_s:
            raise StorageError(
                f"process {holder.get('pid')} on {holder.get('host')} has been writing {target} for {waited:.0f} s",
                hint=f"look what that process does; remove {lock} when it is gone",
            )
        time.sleep(max(0.01, min(pause, wait_s - waited)))
        pause = min(2 * pause, _POLL_MAX_S)
    return None


def _try(lock: Path, token: str, expiry_s: float, clock: Callable[[], float]) -> dict[str, Any] | None:
    """Take the lock: None, or who holds it."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(lock, create=True) as stream:
            if stream is None:
                return {}  # its holder gave it back a moment ago; ask again
            holder = _read(stream)
            if holder and not _gone(holder) and clock() - float(holder["time"]) < expiry_s:
                return holder
            if holder:
                log.warning("lock_taken_over", lock=str(lock), pid=holder["pid"], host=holder["host"])
            _write(stream, token, clock())
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise disk_error(lock, error) from error
    return None


@contextmanager
def _exclusive(lock: Path, create: bool = False) -> Iterator[TextIO | None]:
    """The lock file, nobody else reading or writing it; None when it is not there."""
    if not create and not lock.exists():
        yield None
        return
    with lock.open("a+", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        # Released meanwhile: this is a file without a name, which nobody else will meet.
        there = lock.exists() and lock.stat().st_ino == os.fstat(stream.fileno()).st_ino
        yield stream if there else None


def _read(stream: TextIO) -> dict[str, Any]:
    """The holder; empty when there is none, or when it was killed while writing its name."""
    stream.seek(0)
    try:
        found = json.loads(stream.read() or "{}")
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) and {"pid", "host", "time", "token"} <= found.keys() else {}


def _write(stream: TextIO, token: str, now: float) -> None:
    pid = os.getpid()
    holder = {"pid": pid, "started": _started(pid), "host": socket.gethostname(), "time": now, "token": token}
    stream.seek(0)
    stream.truncate()
    json.dump(holder, stream)
    stream.flush()
    os.fsync(stream.fileno())


def _gone(holder: dict[str, Any]) -> bool:
    """Whether the holder ran on this host and has ended; its number may belong to a later process by now."""
    if holder["host"] != socket.gethostname():
        return False
    started = _started(int(holder["pid"]))
    return started is None or started != holder.get("started")


def _started(pid: int) -> str | None:
    """When a process of this host was started, in ticks since the host was; None when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # a process that has ended but was not yet waited for writes nothing any more
    return None if fields[0] in "ZX" else fields[19]
