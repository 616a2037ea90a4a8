"""Airflow's public REST API, as far as the command line and the sync task need it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import httpx

from s4c_lib.errors import AirflowApiError, ConflictError, InputError, NotFoundError
from s4c_lib.settings import Settings

ACTIVE_RUN_STATES = ("queued", "running")
NOT_AIRFLOW = "not_airflow"


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill as Airflow knows it."""

    id: int
    dag_id: str
    from_date: str
    to_date: str
    completed_at: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a DAG."""

    run_id: str
    logical_date: datetime
    state: str


class AirflowApi:
    """A session with the API server; use as a context manager.

    Parameters
    ----------
    url : address of the API server.
    username, password : a user who may trigger and backfill.
    ca_file : certificate authority of a server with TLS.
    """

    def __init__(self, url: str, username: str, password: str, ca_file: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._credentials = {"username": username, "password": password}
        verify: Any = True
        if ca_file is not None:
            import ssl

            verify = ssl.create_default_context(cafile=ca_file)
        # a host that swallows connections must not hold up a command that only mentions Airflow
        timeout = httpx.Timeout(30, connect=5)
        self._client = httpx.Client(base_url=self.url, timeout=timeout, verify=verify, trust_env=False)
        self._token: str | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Open a session as the environment says.

        Raises
        ------
        InputError : user or password are not set.
        """
        if settings.airflow_username is None or settings.airflow_password is None:
            raise InputError(
                "No user for Airflow's REST API is set.",
                hint="set S4C_AIRFLOW_URL, S4C_AIRFLOW_USERNAME and S4C_AIRFLOW_PASSWORD",
            )
        ca_file = None if settings.airflow_ca_file is None else str(settings.airflow_ca_file)
        return cls(
            settings.airflow_url, settings.airflow_username, settings.airflow_password.get_secret_value(), ca_file
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise AirflowApiError(
                f"Airflow at {self.url} does not answer: {error or type(error).__name__}.",
                hint="start it ('make up'), or check S4C_AIRFLOW_URL",
            ) from error

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError as error:
            raise AirflowApiError(
                f"{answer.url} answers, but not as Airflow does.", hint="check S4C_AIRFLOW_URL", code=NOT_AIRFLOW
            ) from error

    def _login(self) -> str:
        with self._reachable():
            answer = self._client.post("/auth/token", json=self._credentials)
        if answer.status_code not in {200, 201}:
            raise AirflowApiError(
                f"Airflow at {self.url} refuses user {self._credentials['username']!r} (HTTP {answer.status_code}).",
                hint="check S4C_AIRFLOW_USERNAME and S4C_AIRFLOW_PASSWORD",
            )
        return str(self._json(answer)["access_token"])

    def request(
        self, method: str, path: str, *, json: Mapping[str, Any] | None = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Call an endpoint and return its JSON.

        Parameters
        ----------
        path : below ``/api/v2``, or from the root of the server when it begins with ``/``.

        Raises
        ------
        NotFoundError, ConflictError, InputError : the server answered 404, 409, or another 4xx.
        AirflowApiError : no answer, or the server failed.
        """
        for attempt in ("first", "after a new login"):
            if self._token is None:
                self._token = self._login()
            with self._reachable():
                answer = self._client.request(
                    method,
                    path if path.startswith("/") else f"/api/v2/{path}",
                    json=json,
                    params=None if params is None else dict(params),
                    headers={"Authorization": f"Bearer {self._token}"},
                )
            if answer.status_code == 401 and attempt == "first":
                self._token = None
                continue
            break
        if answer.is_success:
            return self._json(answer) if answer.content else None
        detail = _detail(answer)
        if answer.status_code == 404:
            raise NotFoundError(
                f"Airflow does not know {path}: {detail}", hint="run 's4c dags export' and wait a moment"
            )
        if answer.status_code == 409:
            raise ConflictError(f"Airflow refuses {method} {path}: {detail}")
        if answer.status_code < 500:
            raise InputError(f"Airflow refuses {method} {path}: {detail}")
        raise AirflowApiError(f"Airflow failed on {method} {path} (HTTP {answer.status_code}): {detail}")

    def health(self) -> dict[str, str]:
        """Return the status of each component, by name."""
        with self._reachable():
            answer = self._client.get("/api/v2/monitor/health")
        if not answer.is_success:
            raise AirflowApiError(f"Airflow at {self.url} is not healthy (HTTP {answer.status_code}).")
        return {name: str((part or {}).get("status")) for name, part in self._json(answer).items()}

    def dag(self, dag_id: str) -> dict[str, Any]:
        """Return what Airflow knows of a DAG."""
        found: dict[str, Any] = self.request("GET", f"dags/{dag_id}")
        return found

    def dag_ids(self) -> list[str]:
        """Return all DAG names that are not stale, ascending."""
        found: list[str] = []
        while True:
            page = self.request("GET", "dags", params={"limit": 100, "offset": len(found), "order_by": "dag_id"})
            found.extend(item["dag_id"] for item in page["dags"])
            if not page["dags"] or len(found) >= page["total_entries"]:
                return sorted(found)

    def has_active_runs(self, dag_id: str) -> bool:
        """Tell whether a DAG has a queued or running run; a DAG Airflow does not know has none."""
        try:
            page = self.request("GET", f"dags/{dag_id}/dagRuns", params={"state": list(ACTIVE_RUN_STATES), "limit": 1})
        except NotFoundError:
            return False
        return bool(page["total_entries"])

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        """Return the state of a run, or None when Airflow does not know it."""
        try:
            found = self.request("GET", f"dags/{dag_id}/dagRuns/{run_id}")
        except NotFoundError:
            return None
        return str(found["state"])

    def running_tasks(self, dag_id: str, run_id: str) -> list[str]:
        """Return the names of the tasks of a run that run now, a mapped one as often as it does, at most a hundred."""
        query = {"state": ["running"], "order_by": "id", "limit": 100}
        try:
            page = self.request("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", params=query)
        except NotFoundError:
            return []
        return sorted(str(item["task_id"]) for item in page["task_instances"])

    def active_runs(self, dag_id: str) -> list[str]:
        """Return the ids of a DAG's queued and running runs, latest first, at most a hundred."""
        query = {"state": list(ACTIVE_RUN_STATES), "order_by": "-run_after", "limit": 100}
        try:
            page = self.request("GET", f"dags/{dag_id}/dagRuns", params=query)
        except NotFoundError:
            return []
        return [str(item["dag_run_id"]) for item in page["dag_runs"]]

    def end_run(self, dag_id: str, run_id: str) -> None:
        """Set a run failed: its tasks are ended, then its last task closes it. Nothing happens when it is gone."""
        try:
            self.request("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", json={"state": "failed"})
        except NotFoundError:
            return

    def cancel_backfill(self, number: int) -> None:
        """Let a backfill start no more runs, and set those failed that are queued."""
        try:
            self.request("PUT", f"backfills/{number}/cancel")
        except (NotFoundError, ConflictError):  # it has ended meanwhile
            return

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a manual run and return its id; wrong parameters are refused."""
        answer = self.request("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": dict(conf)})
        return str(answer["dag_run_id"])

    def set_pool(self, name: str, slots: int, description: str) -> None:
        """Make a pool, or give it this number of slots."""
        body = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        try:
            self.request("PATCH", f"pools/{name}", json=body)
        except NotFoundError:
            self.request("POST", "pools", json=body)

    def backfills(self, dag_id: str, *, active: bool) -> list[Backfill]:
        """Return the latest backfills of a DAG, newest first: those under way, or those that have ended."""
        # the public API has no filter for it
        page = self.request("GET", "backfills", params={"dag_id": dag_id, "order_by": "-id", "limit": 100})
        return [
            Backfill(item["id"], item["dag_id"], item["from_date"], item["to_date"], item["completed_at"])
            for item in page["backfills"]
            if (item["completed_at"] is None) is active
        ]

    def create_backfill(
        self, dag_id: str, from_date: datetime, to_date: datetime, *, reprocess: str, max_active_runs: int = 1
    ) -> Backfill:
        """Start a backfill over logical dates in [from_date, to_date].

        Parameters
        ----------
        reprocess : what to do with dates that have a run: ``none``, ``failed`` or ``completed``.
        """
        body = self._backfill_body(dag_id, from_date, to_date, reprocess) | {"max_active_runs": max_active_runs}
        item = self.request("POST", "backfills", json=body)
        return Backfill(item["id"], item["dag_id"], item["from_date"], item["to_date"], item["completed_at"])

    def preview_backfill(self, dag_id: str, from_date: datetime, to_date: datetime, *, reprocess: str) -> list[str]:
        """Return the logical dates a backfill would run."""
        answer = self.request(
            "POST", "backfills/dry_run", json=self._backfill_body(dag_id, from_date, to_date, reprocess)
        )
        return [str(item["logical_date"]) for item in answer["backfills"]]

    def _backfill_body(self, dag_id: str, from_date: datetime, to_date: datetime, reprocess: str) -> dict[str, Any]:
        return {
            "dag_id": dag_id,
            "from_date": from_date.isoformat(),
            "to_date": to_date.isoformat(),
            "reprocess_behavior": reprocess,
        }

    def backfill_runs(self, dag_id: str, from_date: datetime, to_date: datetime) -> dict[str, str]:
        """Return the state of each backfill run of a DAG with a logical date in the range, by run id."""
        return {run.run_id: run.state for run in self.runs_between(dag_id, from_date, to_date, run_type="backfill")}

    def runs_between(
        self, dag_id: str, from_date: datetime, to_date: datetime, *, run_type: str | None = None
    ) -> list[Run]:
        """Return the runs of a DAG with a logical date in [from_date, to_date], ascending."""
        found: list[Run] = []
        while True:
            page = self.request(
                "GET",
                f"dags/{dag_id}/dagRuns",
                params={
                    **({} if run_type is None else {"run_type": run_type}),
                    "logical_date_gte": from_date.isoformat(),
                    "logical_date_lte": to_date.isoformat(),
                    "order_by": "logical_date",
                    "limit": 100,
                    "offset": len(found),
                },
            )
            found += [
                Run(item["dag_run_id"], datetime.fromisoformat(item["logical_date"]), item["state"])
                for item in page["dag_runs"]
            ]
            if not page["dag_runs"] or len(found) >= page["total_entries"]:
                return found


def _detail(answer: httpx.Response) -> str:
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
    if isinstance(detail, list):
        return "; ".join(f"{'.'.join(str(part) for part in item.get('loc', []))}: {item.get('msg')}" for item in detail)
    return " ".join(str(detail).split())
