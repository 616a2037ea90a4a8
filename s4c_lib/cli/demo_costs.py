"""What a season cost: computing, and what Airflow adds to it, from what Airflow's REST API tells of every task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from s4c_lib.airflow_api import AirflowApi

_PAGE: Final = 100
_BOOKKEEPING: Final = ("open", "close")
"""Tasks that open and close a run; those that only divide work begin with ``plan_``."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What the runs of a DAG cost, seconds summed over tasks, which run beside each other.

    Parameters
    ----------
    tasks : task instances that ran; those skipped before they began cost nothing.
    computing : of tasks that work, without their start.
    starting : starts of processes, as long as half of the bookkeeping tasks take, for each task that ran; and what
        those tasks do beyond it.
    waiting : from queue to start.
    """

    tasks: int
    computing: float
    starting: float
    waiting: float


def task_instances(api: AirflowApi, dag_id: str) -> list[Mapping[str, Any]]:
    """Return all task instances of a DAG, as the API gives them; of each the last try."""
    found: list[Mapping[str, Any]] = []
    while True:
        page = api.request(
            "GET", f"dags/{dag_id}/dagRuns/~/taskInstances", params={"limit": _PAGE, "offset": len(found)}
        )
        found += page["task_instances"]
        if not page["task_instances"] or len(found) >= page["total_entries"]:
            return found


def usual_start(instances: Iterable[Mapping[str, Any]]) -> float:
    """Return how long a task takes that does next to nothing, seconds: median of the bookkeeping tasks, 0 for none."""
    found = [float(one["duration"]) for one in instances if _ran(one) and _keeps_books(one)]
    return median(found) if found else 0.0


def costs_of(instances: Sequence[Mapping[str, Any]], start: float) -> Costs:
    """Sum up task instances.

    Parameters
    ----------
    start : of `usual_start`.
    """
    ran = [one for one in instances if _ran(one)]
    working = [float(one["duration"]) for one in ran if not _keeps_books(one)]
    computing = sum(max(seconds - start, 0.0) for seconds in working)
    total = sum(float(one["duration"]) for one in ran)
    return Costs(len(ran), computing, total - computing, sum(_waited(one) for one in ran))


def _ran(one: Mapping[str, Any]) -> bool:
    return one["start_date"] is not None and one["duration"] is not None and one["state"] != "skipped"


def _keeps_books(one: Mapping[str, Any]) -> bool:
    return one["task_id"] in _BOOKKEEPING or str(one["task_id"]).startswith("plan_")


def _waited(one: Mapping[str, Any]) -> float:
    queued = one["queued_when"]
    if queued is None:
        return 0.0
    return max((datetime.fromisoformat(one["start_date"]) - datetime.fromisoformat(queued)).total_seconds(), 0.0)
