"""Running one external program to its end: log, time limit, and nothing of it left behind.

The program leads a process group of its own, which is killed whole when the time is up, when this process is
interrupted, and after the program's own end, should it have left children.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from s4c_lib.preprocessing.executor import ExecutorError, Heartbeat
from s4c_lib.preprocessing.executor_log import own_line
from s4c_lib.preprocessing.launcher import Command
from s4c_lib.reasons import Reason

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1
_BEAT_SECONDS = 10.0
_STOP_SECONDS = 60.0
_DYING_SECONDS = 2.0
_KILLED_IN_CONTAINER = 128 + signal.SIGKILL


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a program ended.

    Parameters
    ----------
    exit_code : as the system gives it; minus the number of the signal that ended it.
    timed_out : ended by us because its time was up.
    output_from : byte of the log at which what this run wrote begins.
    """

    exit_code: int
    timed_out: bool
    seconds: float
    output_from: int = 0

    @property
    def out_of_memory(self) -> bool:
        """Killed by signal 9 that we did not send: what the kernel does when memory ends."""
        return not self.timed_out and self.exit_code in (-signal.SIGKILL, _KILLED_IN_CONTAINER)


def run_process(
    command: Command,
    *,
    cwd: Path,
    log: Path,
    timeout_seconds: float,
    heartbeat: Heartbeat | None = None,
    grace_seconds: float = 10.0,
) -> ProcessEnd:
    """Run a command; its output and errors are appended to ``log``.

    Parameters
    ----------
    grace_seconds : between asking the group to end (SIGTERM) and killing it.

    Raises
    ------
    ExecutorError : the program does not exist or may not be run (``config``).
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab", buffering=0) as output, _ended_by_sigterm():
        output_from = log.stat().st_size
        output.write(own_line("runs " + " ".join(command.arguments)))
        began = time.monotonic()
        # An interruption is raised in the main thread: the program is started in another, for while it is being
        # started nobody could end it.
        started: list[subprocess.Popen[bytes]] = []
        with ThreadPoolExecutor(1) as starter:
            try:
                process = starter.submit(_start, command, cwd, output, started).result()
                timed_out = not _ends_in_time(process.pid, began, timeout_seconds, heartbeat)
                if timed_out:
                    _end_group(process.pid, command, output, grace_seconds)
            except BaseException:
                # the interruption may have come before the result was in hand, or even the future
                starter.shutdown()
                for process in started:
                    _end_group(process.pid, command, output, grace_seconds)
                    process.wait()
                    _wait_for_group(process.pid)
                raise
        # The leader is not waited for yet: its number still names our group and no other.
        _signal_group(process.pid, signal.SIGKILL)
        exit_code = process.wait()
        _wait_for_group(process.pid)
        seconds = time.monotonic() - began
        output.write(own_line(f"ended with {exit_code} after {seconds:.1f} s{', its time was up' * timed_out}"))
    return ProcessEnd(exit_code, timed_out, seconds, output_from)


def _start(
    command: Command, cwd: Path, output: BinaryIO, started: list[subprocess.Popen[bytes]]
) -> subprocess.Popen[bytes]:
    """Start a program and note it in ``started``."""
    try:
        process = subprocess.Popen(
            command.arguments,
            cwd=cwd,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(process)
        return process
    except (FileNotFoundError, PermissionError) as error:
        raise ExecutorError(
            f"cannot start {command.arguments[0]}: {error.strerror}",
            hint="check the program's path, and that the service's user may execute it",
            code=Reason.CONFIG,
        ) from error
    except OSError as error:
        raise ExecutorError(
            f"cannot start {command.arguments[0]}: {error.strerror}", hint="see what the machine lacks"
        ) from error


def _ends_in_time(pid: int, began: float, timeout_seconds: float, heartbeat: Heartbeat | None) -> bool:
    pause, next_beat = _FIRST_PAUSE, _BEAT_SECONDS
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        elapsed = time.monotonic() - began
        if elapsed >= timeout_seconds:
            return False
        if heartbeat is not None and elapsed >= next_beat:
            heartbeat(elapsed)
            next_beat = elapsed + _BEAT_SECONDS
        time.sleep(min(pause, max(timeout_seconds - elapsed, 0)))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True


def _end_group(pid: int, command: Command, output: BinaryIO, grace_seconds: float) -> None:
    if command.stop:
        try:
            stopped = subprocess.run(
                command.stop, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=_STOP_SECONDS
            ).returncode
            output.write(own_line(f"{' '.join(command.stop)} ended with {stopped}"))
        except (OSError, subprocess.TimeoutExpired) as error:
            output.write(own_line(f"{' '.join(command.stop)} failed: {error}"))
    _signal_group(pid, signal.SIGTERM)
    _ends_in_time(pid, time.monotonic(), grace_seconds, None)
    _signal_group(pid, signal.SIGKILL)


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _wait_for_group(group: int) -> None:
    """Let the killed rest of a group go: until then it may still be writing."""
    deadline = time.monotonic() + _DYING_SECONDS
    while _lives(group) and time.monotonic() < deadline:
        time.sleep(_FIRST_PAUSE)


def _lives(group: int) -> bool:
    """Whether a process of the group runs; a zombie that nobody has reaped does not."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if its_group == str(group) and state != "Z":
            return True
    return False


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Make SIGTERM an exception where nobody else handles it: a killed command line must not leave its program."""
    unhandled = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is (
        signal.SIG_DFL
    )
    if not unhandled:
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
