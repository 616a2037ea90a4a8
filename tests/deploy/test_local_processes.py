"""Guarded processes: whoever dies first, nothing is left running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local_stack import processes
from deploy.local_stack.processes import Service, ServiceSpec, child_environment
from s4c_lib.errors import Sen4capError

# A service whose grandchildren leave its session and group, ignore SIGTERM and drop their parent, as badly as can be.
FAMILY = """
sh -c 'trap "" TERM; sleep 1000' &
setsid sh -c 'trap "" TERM HUP INT; sleep 1000 & sleep 1000' &
(setsid sleep 1000 &)
echo ready
wait
"""
SUPERVISOR = """
import sys, time
from pathlib import Path
from deploy.local_stack import processes
from deploy.local_stack.interruption import interruptible, Interrupted
base = Path(sys.argv[1])
env = processes.child_environment({"PATH": sys.argv[2]}, base)
try:
    with interruptible():
        spec = processes.ServiceSpec("family", ("sh", "-c", sys.argv[3]), env, base, base / "family.log", grace=1.0)
        service = processes.start(spec, base / "run")
        print("started", flush=True)
        time.sleep(1000)
except Interrupted:
    service.stop()
    print("stopped", flush=True)
"""


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "run").mkdir()
    yield tmp_path
    processes.kill_leftovers(tmp_path, say=print)


def family(base: Path, name: str = "family", **options: float) -> Service:
    env = child_environment(os.environ, base)
    spec = ServiceSpec(name, ("sh", "-c", FAMILY), env, base, base / f"{name}.log", **options)  # type: ignore[arg-type]
    service = processes.start(spec, base / "run")
    until(lambda: "ready" in (base / f"{name}.log").read_text())
    return service


def supervisor(base: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SUPERVISOR, str(base), os.environ["PATH"], FAMILY]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    until(lambda: (base / "family.log").exists() and "ready" in (base / "family.log").read_text())
    return process


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def test_stopping_a_service_ends_grandchildren_that_ignore_it(base: Path) -> None:
    service = family(base, grace=0.3)
    assert len(processes.leftovers(base)) >= 6
    service.stop()
    assert processes.leftovers(base) == []
    assert not (base / "run" / "family.json").exists()


def test_a_killed_supervisor_leaves_nothing(base: Path) -> None:
    process = supervisor(base)
    process.kill()
    process.communicate()
    until(lambda: processes.leftovers(base) == [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_supervisor_leaves_nothing(base: Path, number: signal.Signals) -> None:
    process = supervisor(base)
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert output == "stopped\n"
    assert processes.leftovers(base) == []


def test_killing_the_whole_group_of_a_supervisor_leaves_nothing(base: Path) -> None:
    process = supervisor(base)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    until(lambda: processes.leftovers(base) == [])


def test_what_a_killed_guard_leaves_is_found_and_ended_by_the_next_start(base: Path) -> None:
    service = family(base)
    child = service.main_pid()
    assert child is not None
    os.kill(service.pid, signal.SIGKILL)
    service.wait(10)
    until(lambda: processes.start_time(child) is None)
    assert processes.leftovers(base)
    told: list[str] = []
    processes.kill_leftovers(base, say=told.append)
    assert processes.leftovers(base) == []
    assert len(told) == 1


def test_another_folder_is_left_alone(base: Path) -> None:
    service = family(base)
    (base / "other").mkdir()
    processes.kill_leftovers(base / "other", say=print)
    assert service.running()
    service.stop()


def test_a_detached_service_outlives_its_starter_and_is_found_again(base: Path) -> None:
    code = SUPERVISOR.replace("time.sleep(1000)", "service.detach()")
    command = [sys.executable, "-W", "ignore", "-c", code, str(base), os.environ["PATH"], FAMILY]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    service = processes.find("family", base / "run")
    assert service is not None
    time.sleep(0.3)
    assert service.running()
    service.stop()
    assert processes.leftovers(base) == []
    assert processes.find("family", base / "run") is None


def test_a_stale_pid_file_is_not_believed(base: Path) -> None:
    """The number may belong to somebody else by now: here to this very test."""
    pid_file = base / "run" / "scheduler.json"
    pid_file.write_text(f'{{"pid": {os.getpid()}, "started": 1, "log": "", "grace": 1}}')
    assert processes.find("scheduler", base / "run") is None
    assert not pid_file.exists()


def test_a_broken_pid_file_is_named(base: Path) -> None:
    pid_file = base / "run" / "scheduler.json"
    pid_file.write_text("{")
    with pytest.raises(Sen4capError, match=r"scheduler\.json cannot be read"):
        processes.find("scheduler", base / "run")


def test_a_command_that_ends_gives_its_exit_code_and_what_it_left_is_ended(base: Path) -> None:
    env = child_environment(os.environ, base)
    command = ("sh", "-c", "(setsid sleep 1000 &); sleep 0.1; exit 7")
    assert processes.run(ServiceSpec("short", command, env, base, base / "short.log")) == 7
    assert processes.leftovers(base) == []


def test_a_program_that_is_missing_is_named_in_the_log(base: Path) -> None:
    spec = ServiceSpec("missing", ("/no/such/program",), child_environment(os.environ, base), base, base / "log")
    assert processes.run(spec) == 127
    assert "cannot run /no/such/program" in (base / "log").read_text()


def test_processes_write_bytecode_whatever_the_user_set(base: Path) -> None:
    env = child_environment({**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, base)
    command = (sys.executable, "-c", "import sys; sys.exit(sys.dont_write_bytecode)")
    assert processes.run(ServiceSpec("python", command, env, base)) == 0
