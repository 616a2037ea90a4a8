"""What the tasks of a backfill are at: a line whenever that changes, for an ingest of months ends few runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s4c_lib.cli.demo_costs import task_instances
from s4c_lib.cli.output import note
from s4c_lib.errors import Sen4capError

if TYPE_CHECKING:
    from s4c_lib.airflow_api import AirflowApi

_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class TaskProgress:
    """Called again and again while DAGs run; says which tasks run and how many of a DAG have ended.

    Parameters
    ----------
    dags : name of the processor by DAG.
    """

    def __init__(self, api: AirflowApi, dags: dict[str, str]) -> None:
        self._api, self._dags, self._said = api, dags, ""

    def __call__(self) -> None:
        """Look once; what Airflow cannot tell at the moment is said too, and stops nothing."""
        try:
            known = set(self._api.dag_ids())
            parts = [self._of(dag) for dag in sorted(self._dags) if dag in known]
        except Sen4capError as error:
            parts = [error.one_line]
        text = "; ".join(part for part in parts if part)
        if text and text != self._said:
            note(f"tasks: {text}")
            self._said = text

    def _of(self, dag: str) -> str:
        instances = task_instances(self._api, dag)
        running = Counter(str(one["task_id"]) for one in instances if one["state"] == "running")
        if not running:
            return ""
        ended = sum(one["state"] in _ENDED for one in instances)
        return f"{self._dags[dag]} {ended} of {len(instances)} ended, {_named(sorted(running.items()))} running"


def _named(running: Sequence[tuple[str, int]]) -> str:
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in running)
