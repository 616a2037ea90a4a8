"""``python -m deploy.local_stack up|down|run|env|status|clean``: the command line of the local stack."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local_stack import stack as stacks
from deploy.local_stack.airflow import SERVICES
from deploy.local_stack.airflow_settings import USERNAME
from deploy.local_stack.interruption import Interrupted, ignore_signals, interruptible
from deploy.local_stack.postgres import NAME as DATABASE
from deploy.local_stack.processes import TAG, child_environment, die_with_parent, kill_leftovers
from deploy.local_stack.stack import StackOptions
from s4c_lib.errors import InputError, Sen4capError

REPOSITORY = Path(__file__).resolve().parents[2]


def say(text: str) -> None:
    """Tell the user how it goes, on stderr."""
    print(f"local stack: {text}", file=sys.stderr, flush=True)


def up(options: StackOptions) -> int:
    """Start the stack detached, or what is missing of it."""
    with stacks.sole_user(options):
        stack = stacks.start_stack(options, say=say)
        ignore_signals()
        stack.detach()
    airflow = stack.airflow
    if len(stack.started) < len(stack.services()):
        what = f"started {', '.join(stack.started)}" if stack.started else "already running"
        say(f"{what}: {airflow.url}, user {USERNAME}, password in {airflow.place.passwords_file}")
        return 0
    # Printed once, when it is new; afterwards the file tells it.
    shown = airflow.place.passwords_file.with_suffix(".shown")
    password = f"in {airflow.place.passwords_file}" if shown.exists() else airflow.password
    print(f"Airflow   {airflow.url}\nuser      {USERNAME}\npassword  {password}")
    shown.touch(mode=0o600)
    print(f"logs      {options.base_dir / 'logs'}")
    print('shell     eval "$(make -s env)"    then use s4c and airflow')
    print("stop      make down", flush=True)
    return 0


def down(options: StackOptions) -> int:
    """Stop the stack, also PostgreSQL."""
    with stacks.sole_user(options):
        ignore_signals()
        stopped = stacks.stop_stack(options, say=say)
    say(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    return 0


def run(options: StackOptions, command: Sequence[str]) -> int:
    """Run a command with the stack: with the one that runs already, else with one that ends with the command."""
    die_with_parent()
    with stacks.sole_user(options):
        if not stacks.detached_services(options):
            return _run_alone(options, command)
        stack = stacks.start_stack(options, say=say)
        stack.detach()
        say(f"using the running stack on {stack.airflow.url}")
    env = child_environment(options.environ, options.base_dir) | stacks.user_environment(options)
    # Not a part of the stack: make down shall not take it for one.
    del env[TAG]
    return stacks.run_command(None, options, command, env)


def _run_alone(options: StackOptions, command: Sequence[str]) -> int:
    stack = stacks.start_stack(options, say=say)
    try:
        return stacks.run_command(stack, options, command, stack.airflow.env)
    finally:
        ignore_signals()
        say("stopping")
        stack.stop()
        kill_leftovers(options.base_dir, say=say)


def env(options: StackOptions) -> int:
    """Print export lines for a shell."""
    print(stacks.shell_exports(stacks.user_environment(options), options.repository))
    return 0


def status(options: StackOptions) -> int:
    """Print which services run; exit code 3 when none does."""
    found = stacks.running_services(options)
    for name in (DATABASE, *SERVICES):
        print(f"{name:14} {f'running, process {found[name].pid}' if name in found else 'not running'}")
    return 0 if found else 3


def clean(options: StackOptions) -> int:
    """Stop the stack and delete its data."""
    with stacks.sole_user(options):
        ignore_signals()
        stacks.remove_stack(options, say=say)
    say(f"deleted the databases, logs and keys of {options.base_dir}")
    return 0


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one subcommand; errors are one line."""
    parsed = _parser().parse_args(arguments)
    try:
        options = _options(parsed, environ)
        with interruptible():
            if parsed.action == "run":
                command = [part for index, part in enumerate(parsed.command) if (index, part) != (0, "--")]
                if not command:
                    raise InputError("run needs a command", hint="python -m deploy.local_stack run -- COMMAND")
                return run(options, command)
            actions = {"up": up, "down": down, "env": env, "status": status, "clean": clean}
            return actions[parsed.action](options)
    except Interrupted as interruption:
        say(f"interrupted by {interruption}, everything it started is stopped")
        return interruption.exit_code
    except Sen4capError as error:
        say(error.one_line)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local_stack", description=__doc__)
    parser.add_argument("--base-dir", type=Path, default=REPOSITORY / ".local", help="default: .local")
    parser.add_argument("--profile", choices=("default", "test"), default="default", help="test: short waits")
    parser.add_argument("--setup", action="append", metavar="COMMAND", help="instead of migrating and exporting DAGs")
    parser.add_argument("--not-durable", action="store_true", help="fast database that is deleted at the end")
    actions = parser.add_subparsers(dest="action", required=True)
    for name, text in (
        ("up", "start everything, detached"),
        ("down", "stop everything"),
        ("env", "print export lines for a shell"),
        ("status", "say what runs"),
        ("clean", "stop, and delete databases, logs and keys"),
    ):
        actions.add_parser(name, help=text)
    running = actions.add_parser("run", help="start everything, run a command, stop everything")
    running.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    return parser


def _options(parsed: argparse.Namespace, environ: Mapping[str, str]) -> StackOptions:
    s4c = str(Path(sys.executable).with_name("s4c"))
    setup: list[tuple[str, ...]] = [(s4c, "db", "migrate"), (s4c, "dags", "export")]
    if parsed.setup is not None:
        setup = [tuple(shlex.split(command)) for command in parsed.setup if command]
    return StackOptions(
        repository=REPOSITORY,
        base_dir=parsed.base_dir.resolve(),
        environ=environ,
        profile=parsed.profile,
        setup=tuple(setup),
        airflow_port=_port(environ, "S4C_AIRFLOW_PORT") or stacks.DEFAULT_AIRFLOW_PORT,
        postgres_port=_port(environ, "S4C_PG_PORT"),
        durable=not parsed.not_durable,
    )


def _port(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name)
    if not text:
        return None
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise InputError(f"{name}={text} is no port", hint="a number from 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
