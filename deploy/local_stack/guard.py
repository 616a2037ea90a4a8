"""Run one command and leave nothing of it behind, whoever dies first.

Run as ``python -I -S guard.py [options] -- COMMAND...`` (standard library only, so it starts in 30 ms). The guard

- adopts orphans of the command (child subreaper), so that no grandchild escapes: LocalExecutor workers, tasks, parsers;
- stops the command when asked (SIGTERM, SIGHUP), or when the pipe ``--parent-fd`` closes, which happens however its
  starter dies; a ``D`` on the pipe detaches it from its starter;
- kills what is left of the command, waits until it is gone, then ends with the exit code of the command;
- lets the kernel end the command if the guard itself is killed (``PR_SET_PDEATHSIG``).
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pwd
import select
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
KILL_SECONDS = 30.0
ORPHAN_GRACE_SECONDS = 5.0
NOT_STARTED = 127
_STOPPERS = {signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_LIBC = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int) -> None:
    """Set a process attribute (prctl(2))."""
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def children_by_parent() -> dict[int, list[int]]:
    """All processes of the machine that are not zombies, by parent."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The command name stands in parentheses and may hold anything, also spaces and parentheses.
        state, parent = stat.rpartition(")")[2].split()[:2]
        if state not in "ZX":
            children.setdefault(int(parent), []).append(int(entry.name))
    return children


def descendants(pid: int) -> list[int]:
    """Children, grandchildren and so on of a process, zombies left out."""
    children = children_by_parent()
    found: list[int] = []
    queue = [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _start(command: Sequence[str], user: str | None, death_signal: int) -> int:
    guard = os.getpid()
    account = pwd.getpwnam(user) if user else None
    pid = os.fork()
    if pid:
        return pid
    try:
        for number in (signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE, *_STOPPERS):
            signal.signal(number, signal.SIG_DFL)
        if account is not None:
            os.setgroups(os.getgrouplist(account.pw_name, account.pw_gid))
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        # After the change of user, which would clear it.
        prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != guard:
            os._exit(NOT_STARTED)
        os.execvp(command[0], list(command))
    except OSError as error:
        print(f"cannot run {command[0]}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(NOT_STARTED)


class Guard:
    """The loop around one command."""

    def __init__(self, child: int, parent_fd: int | None, stop_signal: int, grace: float, wakeup_fd: int) -> None:
        self.child = child
        self.parent_fd = parent_fd
        self.stop_signal = stop_signal
        self.grace = grace
        self.wakeup_fd = wakeup_fd
        self.status: int | None = None
        self.deadline: float | None = None

    def run(self) -> int:
        """Wait for the end of the command or an order to stop it; return its exit code."""
        while self.status is None and not self._out_of_time():
            sources = [self.wakeup_fd] if self.parent_fd is None else [self.wakeup_fd, self.parent_fd]
            timeout = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
            ready, _, _ = select.select(sources, [], [], timeout)
            if self.parent_fd is not None and self.parent_fd in ready:
                self._hear_parent(self.parent_fd)
            if self.wakeup_fd in ready and _STOPPERS & set(os.read(self.wakeup_fd, 512)):
                self._stop(self.grace)
            self._reap()
        self._kill_rest()
        return os.waitstatus_to_exitcode(self.status) if self.status is not None else -signal.SIGKILL

    def _out_of_time(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def _hear_parent(self, parent_fd: int) -> None:
        order = os.read(parent_fd, 1)
        os.close(parent_fd)
        self.parent_fd = None
        if order != b"D":
            self._stop(min(self.grace, ORPHAN_GRACE_SECONDS))

    def _stop(self, grace: float) -> None:
        if self.deadline is None:
            self.deadline = time.monotonic() + grace
            os.kill(self.child, self.stop_signal)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child:
                self.status = status

    def _kill_rest(self) -> None:
        end = time.monotonic() + KILL_SECONDS
        while rest := descendants(os.getpid()):
            if time.monotonic() > end:
                print(f"processes that do not end: {rest}", file=sys.stderr, flush=True)
                return
            for pid in rest:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.01)
            self._reap()
        self._reap()


def main(arguments: Sequence[str]) -> int:
    """Run the guard; the exit code is the command's, 128 + number for a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent-fd", type=int)
    parser.add_argument("--stop-signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--death-signal", type=int, default=int(signal.SIGKILL))
    parser.add_argument("--grace", type=float, default=10.0)
    parser.add_argument("--user")
    parser.add_argument("--remove", type=Path, help="folder to delete at the end")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)

    if options.parent_fd is not None:
        os.set_inheritable(options.parent_fd, False)
    wakeup_read, wakeup_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
    # SIGINT comes from a terminal to the whole group; whether the command shall end is its starter's decision.
    for number in (signal.SIGINT, signal.SIGCHLD, *_STOPPERS):
        signal.signal(number, lambda _number, _frame: None)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = _start(options.command, options.user, options.death_signal)
    code = Guard(child, options.parent_fd, options.stop_signal, options.grace, wakeup_read).run()
    if options.remove is not None:
        shutil.rmtree(options.remove, ignore_errors=True)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
