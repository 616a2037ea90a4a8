import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local_stack.gates import Gate, run_gates

REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_gate_runs_and_those_that_failed_are_named_before_the_last(capfd: pytest.CaptureFixture[str]) -> None:
    gates = (
        Gate("first", ("python", "-c", "raise SystemExit(1)")),
        Gate("second", ("python", "-c", "import os; print('bytecode', os.environ.get('PYTHONDONTWRITEBYTECODE'))")),
        Gate("last", ("python", "-c", "print('summary')")),
    )
    failed = run_gates(gates, {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    lines = capfd.readouterr().out.splitlines()
    assert failed == ["first"]
    assert "=== first: FAILED, 0.0 min" in lines
    assert "bytecode None" in lines
    assert "=== failed so far: first" in lines
    assert lines[-1] == "summary"


def test_tests_that_failed_are_named_again_at_the_very_end(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tests = tmp_path / "test_it.py"
    tests.write_text("def test_wrong():\n    assert 1 == 2\n\n\ndef test_right():\n    assert 1\n", encoding="utf-8")
    quiet = Gate(
        "tests", ("pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path), str(tests))
    )
    assert run_gates((quiet, Gate("last", ("python", "-c", "print('later')"))), os.environ) == ["tests"]
    lines = capfd.readouterr().out.splitlines()
    assert lines[-2] == "later"
    assert lines[-1] == "=== failed: test_it.test_wrong: assert 1 == 2"


def test_ctrl_c_lets_a_gate_clean_up(tmp_path: Path) -> None:
    """A gate gets SIGINT once and time to stop what it started."""
    script = (
        "import os, sys\n"
        "from deploy.local_stack.gates import Gate, run_gates\n"
        "from deploy.local_stack.interruption import Interrupted, interruptible\n"
        "body = '''import time\ntry:\n    print('busy', flush=True)\n    time.sleep(100)\n"
        "except KeyboardInterrupt:\n    time.sleep(0.3)\n    print('clean', flush=True)'''\n"
        "try:\n    with interruptible():\n        run_gates((Gate('slow', ('python', '-c', body)),), os.environ)\n"
        "except Interrupted as interruption:\n    sys.exit(interruption.exit_code)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("===")
    assert process.stdout.readline() == "busy\n"
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert output == "clean\n"
    assert process.returncode == 130
