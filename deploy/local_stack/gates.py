"""``make test``: every quality gate, one after the other, with the minutes each took; pytest comes last."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local_stack.interruption import Interrupted, interruptible
from deploy.local_stack.processes import ServiceSpec, die_with_parent, run

REPOSITORY = Path(__file__).resolve().parents[2]
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Gate:
    """One part of the checks; its program lies beside the Python that runs this."""

    name: str
    command: tuple[str, ...]


LINT = (
    Gate("ruff check", ("ruff", "check", ".")),
    Gate("ruff format", ("ruff", "format", "--check", ".")),
    Gate("mypy", ("mypy",)),
    Gate("lint-imports", ("lint-imports",)),
)


# Each worker has a PostgreSQL of its own. One begins with the end-to-end tests, which share one Airflow and often wait:
# so there are three on two cores.
TESTS = (Gate("tests", ("pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "--durations", "40")),)


def run_gates(gates: Sequence[Gate], environ: Mapping[str, str]) -> list[str]:
    """Run all gates, also after a failure; return the names of those that failed.

    The tests that failed are named again at the very end, where whoever sees only the end of the output finds them.
    """
    with tempfile.TemporaryDirectory(prefix="s4c-gates-") as reports:
        failed = _run(gates, environ, Path(reports))
        for line in failed_tests(Path(reports)):
            print(f"=== failed: {line}", flush=True)
    return failed


def failed_tests(reports: Path) -> Iterator[str]:
    """Name the tests that failed, with the first line of what they said, from pytest's reports in a folder."""
    for report in sorted(reports.glob("*.xml")):
        for case in ET.parse(report).iter("testcase"):
            for kind in ("failure", "error"):
                for found in case.findall(kind):
                    said = (found.get("message") or kind).strip().splitlines()[0]
                    yield f"{case.get('classname')}.{case.get('name')}: {said[:300]}"


def _run(gates: Sequence[Gate], environ: Mapping[str, str], reports: Path) -> list[str]:
    env = {key: value for key, value in environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(REPOSITORY / "plugins"), environ.get("PYTHONPATH"))))
    programs = Path(sys.executable).parent
    failed: list[str] = []
    for number, gate in enumerate(gates, start=1):
        print(f"=== {number}/{len(gates)} {gate.name}", flush=True)
        begun = time.monotonic()
        command = (str(programs / gate.command[0]), *gate.command[1:])
        if gate.command[0] == "pytest":
            command = (*command, f"--junitxml={reports / f'{number}.xml'}")
        # Out of the terminal's group, so that Ctrl-C reaches pytest once: a second one would cut its teardown short.
        spec = ServiceSpec(gate.name, command, env, REPOSITORY, stop_signal=signal.SIGINT, grace=STOP_SECONDS)
        code = run(spec)
        minutes = (time.monotonic() - begun) / 60
        if code != 0:
            failed.append(gate.name)
        if number < len(gates):
            print(f"=== {gate.name}: {'ok' if code == 0 else 'FAILED'}, {minutes:.1f} min", flush=True)
            if number == len(gates) - 1 and failed:
                print(f"=== failed so far: {', '.join(failed)}", flush=True)
    return failed


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """``lint`` runs the static gates, ``test`` all; arguments after ``test`` go to one pytest instead."""
    own = tuple(arguments[1:])
    tests = (Gate("pytest", ("pytest", *own)),) if own else TESTS
    gates = LINT if list(arguments[:1]) == ["lint"] else (*LINT, *tests)
    die_with_parent()
    try:
        with interruptible():
            failed = run_gates(gates, environ)
    except Interrupted as interruption:
        print(f"make test: interrupted by {interruption}", file=sys.stderr, flush=True)
        return interruption.exit_code
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
