"""Services as guarded processes: started, found again by a later command, stopped with all their descendants.

Every service has a :mod:`guard <deploy.local_stack.guard>` of its own. While a service is *attached*, it ends with the
process that started it, however that one ends. Every process carries the folder of its stack in its environment
(``S4C_STACK_DIR``), by which :func:`kill_leftovers` finds what even a killed guard left behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local_stack import guard
from deploy.local_stack.credentials import write_private
from deploy.local_stack.errors import ServiceFailedError

TAG = "S4C_STACK_DIR"
_MARGIN_SECONDS = guard.KILL_SECONDS + 5.0
_POLL_SECONDS = 0.05


def child_environment(environ: Mapping[str, str], base_dir: Path) -> dict[str, str]:
    """Return the environment of every process of a stack.

    Bytecode is written and used (a task's imports cost 2.5 s with it, 7.8 s without); a process title does not
    overwrite the environment block in memory (``SPT_NOENV``), in which leftovers are recognised.
    """
    kept = {key: value for key, value in environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {TAG: str(base_dir.resolve()), "SPT_NOENV": "1"}


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What to run and how to end it.

    Parameters
    ----------
    log : file that takes the output; None leaves it on the terminal.
    stop_signal, death_signal : asks the command to end; ends it when its guard was killed.
    grace : seconds between the stop signal and SIGKILL.
    user : account to run as; only root can ask for another than its own.
    remove : folder to delete afterwards.
    foreground : keep standard input and the process group of the terminal.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    grace: float = 10.0
    user: str | None = None
    remove: Path | None = None
    foreground: bool = False


@dataclass(slots=True)
class Service:
    """A running guarded command, started here or found by its pid file."""

    name: str
    pid: int
    started: int
    log: Path | None = None
    grace: float = 10.0
    pid_file: Path | None = None
    _pipe: int | None = field(default=None, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def running(self) -> bool:
        """Whether the guard, hence the service, is alive."""
        if self._process is not None and self._process.poll() is not None:
            return False
        return start_time(self.pid) == self.started

    @property
    def exit_code(self) -> int | None:
        """Exit code of a service started here; None while it runs or when somebody else started it."""
        return self._process.poll() if self._process is not None else None

    def main_pid(self) -> int | None:
        """Process of the service itself, below its guard."""
        children = guard.children_by_parent().get(self.pid, [])
        return min(children, default=None)

    def detach(self) -> None:
        """Let the service outlive the process that started it."""
        if self._pipe is not None:
            os.write(self._pipe, b"D")
            self._close_pipe()

    def request_stop(self) -> None:
        """Ask the service to end, without waiting."""
        if self.running():
            os.kill(self.pid, signal.SIGTERM)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end; return the exit code where it is known."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.running():
            if end is not None and time.monotonic() > end:
                raise ServiceFailedError(f"{self.name} (process {self.pid}) does not end")
            time.sleep(_POLL_SECONDS)
        self._close_pipe()
        if self.pid_file is not None:
            self.pid_file.unlink(missing_ok=True)
        return self.exit_code

    def stop(self) -> None:
        """End the service and all its descendants."""
        self.request_stop()
        self.wait(self.grace + _MARGIN_SECONDS)

    def kill(self) -> None:
        """Kill the service with SIGKILL, as a crash would, and wait until nothing of it is left."""
        pid = self.main_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        self.wait(_MARGIN_SECONDS)

    def why_it_ended(self) -> str:
        """Exit code, log file and its last line, for a message."""
        code = "" if self.exit_code is None else f" with exit code {self.exit_code}"
        return f"{self.name} ended{code}{self.log_hint()}"

    def log_hint(self) -> str:
        """Where the log is and its last line."""
        if self.log is None:
            return ""
        last = last_lines(self.log, 1)
        return f"; log {self.log}" + (f", last line: {last[0]}" if last else "")

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def start(spec: ServiceSpec, run_dir: Path | None = None) -> Service:
    """Start a service, attached to this process; ``run_dir`` takes its pid file."""
    read_end, write_end = os.pipe()
    command = [
        *(sys.executable, "-I", "-S", guard.__file__),
        *("--parent-fd", str(read_end), "--grace", str(spec.grace)),
        *("--stop-signal", str(int(spec.stop_signal)), "--death-signal", str(int(spec.death_signal))),
        *(("--user", spec.user) if spec.user else ()),
        *(("--remove", str(spec.remove)) if spec.remove else ()),
        *("--", *spec.command),
    ]
    if spec.log is not None:
        rotate(spec.log)
    output = None if spec.log is None else os.open(spec.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        process = subprocess.Popen(
            command,
            env=dict(spec.env),
            cwd=spec.cwd,
            stdin=None if spec.foreground else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(read_end,),
            start_new_session=not spec.foreground,
        )
    except BaseException:
        os.close(write_end)
        raise
    finally:
        os.close(read_end)
        if output is not None:
            os.close(output)
    started = start_time(process.pid) or 0
    pid_file = None
    if run_dir is not None:
        pid_file = run_dir / f"{spec.name}.json"
        record = {"pid": process.pid, "started": started, "log": str(spec.log or ""), "grace": spec.grace}
        write_private(pid_file, json.dumps(record) + "\n")
    return Service(spec.name, process.pid, started, spec.log, spec.grace, pid_file, write_end, process)


def find(name: str, run_dir: Path) -> Service | None:
    """Return the service another command started, if it still runs; forget a stale pid file."""
    pid_file = run_dir / f"{name}.json"
    if not pid_file.exists():
        return None
    try:
        record = json.loads(pid_file.read_text(encoding="utf-8"))
        log = Path(record["log"]) if record["log"] else None
        service = Service(name, int(record["pid"]), int(record["started"]), log, float(record["grace"]), pid_file)
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceFailedError(f"{pid_file} cannot be read: {error}", hint="delete it") from error
    if service.running():
        return service
    pid_file.unlink()
    return None


def run(spec: ServiceSpec) -> int:
    """Run a command under a guard to its end; return its exit code."""
    service = start(spec)
    try:
        code = service.wait()
    finally:
        service.stop()
    return 1 if code is None else code


def stop_all(services: Iterable[Service]) -> None:
    """End services together: ask all, then wait for each."""
    waiting = list(services)
    for service in waiting:
        service.request_stop()
    for service in waiting:
        service.stop()


def leftovers(base_dir: Path) -> list[int]:
    """Processes of the stack in this folder, other than this one, its ancestors and zombies."""
    tag = f"{TAG}={base_dir.resolve()}".encode()
    spared = _self_and_ancestors()
    return [pid for pid in _pids() if pid not in spared and tag in _environment(pid) and start_time(pid)]


def kill_leftovers(base_dir: Path, *, say: Callable[[str], None]) -> None:
    """Kill what an earlier, killed stack of this folder left running."""
    end = time.monotonic() + guard.KILL_SECONDS
    told = False
    while pids := leftovers(base_dir):
        if time.monotonic() > end:
            raise ServiceFailedError(f"processes of an earlier start do not end: {pids}")
        if not told:
            say(f"ending {len(pids)} processes an earlier start left behind")
            told = True
        kill(pids)
        time.sleep(_POLL_SECONDS)


def kill(pids: Iterable[int], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to processes, some of which may be gone by now."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def processes_in(folder: Path) -> list[int]:
    """Processes whose working folder is this one (every PostgreSQL process stands in its data folder)."""
    wanted = folder.resolve()
    found = []
    for pid in _pids():
        try:
            if Path(f"/proc/{pid}/cwd").readlink() == wanted and start_time(pid):
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent of this process ends (make was killed, the terminal closed)."""
    guard.prctl(guard.PR_SET_PDEATHSIG, signal.SIGTERM)


def rotate(log: Path, keep: int = 20_000_000) -> None:
    """Start a new log when the old one has grown; one old file is kept."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > keep:
        log.replace(log.with_name(log.name + ".1"))


def last_lines(log: Path, count: int) -> Sequence[str]:
    """Last lines of a log that are not blank."""
    if not log.exists():
        return []
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 20_000))
        text = stream.read().decode("utf-8", errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()][-count:]


def _pids() -> Iterable[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def _self_and_ancestors() -> set[int]:
    found: set[int] = set()
    pid = os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            break
        pid = int(stat.rpartition(")")[2].split()[1])
    return found
