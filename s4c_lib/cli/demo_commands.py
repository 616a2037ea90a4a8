"""How the demo runs commands: as a user would, each shown before it runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Final

from s4c_lib.cli.demo_progress import TaskProgress
from s4c_lib.cli.output import note
from s4c_lib.cli.session import Session
from s4c_lib.errors import EXIT_DONE, EXIT_NOTHING_TO_DO, Sen4capError

_LOOK_SECONDS: Final = 10


def step(title: str) -> None:
    """Announce a step on stderr."""
    note(f"\n== {title}")


def s4c(*arguments: str, meanwhile: Callable[[], None] | None = None) -> int:
    """Run one of our own commands as a user would, showing it; returns its exit code.

    Parameters
    ----------
    meanwhile : called every few seconds while it runs.
    """
    note("$ s4c " + " ".join(f"'{part}'" if " " in part else part for part in arguments))
    sys.stdout.flush()
    with subprocess.Popen([sys.executable, "-m", "s4c_lib.cli.main", *arguments]) as process:
        try:
            return _ended(process, meanwhile)
        except BaseException:
            process.kill()
            raise


def _ended(process: subprocess.Popen[bytes], meanwhile: Callable[[], None] | None) -> int:
    if meanwhile is None:
        return process.wait()
    while True:
        try:
            return process.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            meanwhile()


def must(*arguments: str) -> None:
    """Run a command that has to succeed.

    Raises
    ------
    Sen4capError : it did not.
    """
    if (code := s4c(*arguments)) != EXIT_DONE:
        raise Sen4capError(f"'s4c {' '.join(arguments)}' ended with exit code {code}.", hint="its message stands above")


def backfill(session: Session, site: str, season: str, *processors: str) -> bool:
    """Run what a season has missed of some processors, and what failed in an earlier call; False when nothing was left.

    Raises
    ------
    Sen4capError : a run failed.
    """
    from s4c_lib.airflow_api import AirflowApi
    from s4c_lib.catalog.manifest_export import dag_id

    chosen = [part for name in processors for part in ("--processor", name)]
    dags = {dag_id(site, season, name): name for name in processors}
    asked = ("season", "backfill", site, season, *chosen, "--reprocess", "failed", "--wait")
    with AirflowApi.from_settings(session.settings) as api:
        code = s4c(*asked, meanwhile=TaskProgress(api, dags))
    if code not in {EXIT_DONE, EXIT_NOTHING_TO_DO}:
        raise Sen4capError(
            f"The backfill ended with exit code {code}.",
            hint=f"see 's4c jobs list --site {site}' and the logs in Airflow; a second call goes on",
        )
    return code == EXIT_DONE
