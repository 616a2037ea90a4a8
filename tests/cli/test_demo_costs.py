"""What the demo says a season cost, and how it gathers that from Airflow page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from s4c_lib.airflow_api import AirflowApi
from s4c_lib.cli.demo_costs import costs_of, task_instances, usual_start
from s4c_lib.cli.demo_progress import TaskProgress
from tests.local_server import QuietHandler, http_server

DAG = "demo__2025__ingest"
COUNT = 230
RUNNING = 2


def instance(task: str, seconds: float | None, waited: float = 0.0, state: str = "success") -> dict[str, Any]:
    start = None if seconds is None else f"2026-01-01T00:01:{waited:06.3f}Z"
    return {
        "task_id": task, "duration": seconds, "state": state, "start_date": start,
        "queued_when": None if seconds is None else "2026-01-01T00:01:00Z",
    }  # fmt: skip


def test_computing_is_what_is_left_when_starting_and_waiting_are_taken_off() -> None:
    ran = [
        instance("open", 2.0),
        instance("plan_fetch", 3.0, waited=0.5),
        instance("close", 4.0),
        instance("vegetation", 13.0, waited=1.5),
        instance("vegetation", 23.0),
        instance("statistics", 1.0),  # shorter than a start usually takes
        instance("preprocess", 0.5, state="skipped"),
        instance("register", None, state="upstream_failed"),
    ]
    start = usual_start(ran)
    assert start == 3.0
    costs = costs_of(ran, start)
    assert costs.tasks == 6
    assert costs.computing == 10.0 + 20.0
    assert costs.computing + costs.starting == 46.0, "nothing is lost"
    assert costs.waiting == 2.0


def test_a_dag_that_never_ran_cost_nothing() -> None:
    costs = costs_of([], usual_start([]))
    assert (costs.tasks, costs.computing, costs.starting, costs.waiting) == (0, 0.0, 0.0, 0.0)


@pytest.fixture
def airflow() -> Iterator[str]:
    """Answers as Airflow's API does, a hundred task instances a page."""

    class Answers(QuietHandler):
        def _answer(self, content: dict[str, Any]) -> None:
            self.answer(200, json.dumps(content).encode())

        def post(self) -> None:
            self.received()
            self._answer({"access_token": "t"})

        def get(self) -> None:
            asked = urlsplit(self.path)
            if asked.path == "/api/v2/dags":
                self._answer({"dags": [{"dag_id": DAG}], "total_entries": 1})
                return
            assert asked.path == f"/api/v2/dags/{DAG}/dagRuns/~/taskInstances"
            query = parse_qs(asked.query)
            first = int(query["offset"][0])
            page = [
                instance(f"task_{at}", 1.0, state="running" if at < RUNNING else "success")
                for at in range(first, min(first + int(query["limit"][0]), COUNT))
            ]
            self._answer({"task_instances": page, "total_entries": COUNT})

    with http_server(Answers) as url:
        yield url


def test_all_task_instances_are_gathered(airflow: str) -> None:
    with AirflowApi(airflow, "admin", "secret") as api:
        found = task_instances(api, DAG)
    assert [one["task_id"] for one in found] == [f"task_{at}" for at in range(COUNT)]


def test_progress_is_a_line_when_it_changes_and_an_absent_airflow_stops_nothing(
    airflow: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with AirflowApi(airflow, "admin", "secret") as api:
        tell = TaskProgress(api, {DAG: "ingest", "demo__2025__l4a_crop_type": "s4c_l4a"})
        tell()
        tell()
    assert capsys.readouterr().err == "tasks: ingest 228 of 230 ended, task_0, task_1 running\n"
    with AirflowApi("http://127.0.0.1:9", "admin", "secret") as api:
        TaskProgress(api, {DAG: "ingest"})()
    assert "does not answer" in capsys.readouterr().err
