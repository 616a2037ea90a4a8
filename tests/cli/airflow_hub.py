"""A real HTTP server that speaks the part of Airflow's REST API which the command line uses.

It knows the DAGs of the manifest, as Airflow does, and makes the runs of a backfill advance each time they are
looked at. The rules (which dates a backfill has, what it refuses) are those of Airflow 3.3.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.local_server import QuietHandler, http_server

TOKEN = "a-token"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass
class Hub:
    """What the server knows.

    Attributes
    ----------
    hide_looks : how many times a DAG is looked at before it is known.
    on_run : called with (DAG, run id, logical date) when a run starts; returns the state in which it ends, after
        ``running`` one look later.
    closes : whether a backfill is closed when its runs have ended, which Airflow does a little later.
    """

    manifest: Path
    hide_looks: int = 0
    closes: bool = True
    paused: set[str] = field(default_factory=set)
    looks: dict[str, int] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    backfills: list[dict[str, Any]] = field(default_factory=list)
    pools: dict[str, int] = field(default_factory=dict)
    connections: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    on_run: Callable[[str, str, datetime], str] = lambda dag, run, day: "success"
    health: dict[str, Any] = field(
        default_factory=lambda: {
            "metadatabase": {"status": "healthy"},
            "scheduler": {"status": "healthy"},
            "triggerer": {"status": "healthy"},
            "dag_processor": {"status": "healthy"},
        }
    )

    def entries(self) -> dict[str, Any]:
        if not self.manifest.exists():
            return {}
        return {entry["dag_id"]: entry for entry in json.loads(self.manifest.read_text())["body"]["dags"]}

    def dates(self, dag_id: str, first: datetime, last: datetime) -> list[datetime]:
        """Logical dates whose data interval is over."""
        entry = self.entries()[dag_id]
        if entry["interval"] is None:
            spans = [(day, day) for day in map(date.fromisoformat, entry["dates"])]
        else:
            start, stop = (date.fromisoformat(text) for text in entry["interval"][:2])
            spans = []
            while start < stop:
                end = min(start + timedelta(days=entry["interval"][2]), stop)
                spans.append((start, end))
                start = end
        midnight = datetime.min.time()
        found = [tuple(datetime.combine(day, midnight, tzinfo=UTC) for day in span) for span in spans]
        return [start for start, end in found if first <= start <= last and end < datetime.now(UTC)]

    def advance(self) -> None:
        """Let each run go one step; one run of a DAG at a time."""
        for dag_id in {run["dag_id"] for run in self.runs}:
            mine = [run for run in self.runs if run["dag_id"] == dag_id]
            current = next((run for run in mine if run["state"] == "running"), None)
            if current is not None:
                current["state"] = current.pop("ends", "success")
                continue
            waiting = next((run for run in mine if run["state"] == "queued"), None)
            if waiting is not None:
                waiting["state"] = "running"
                waiting["ends"] = self.on_run(dag_id, waiting["dag_run_id"], moment(waiting["logical_date"]))
        for item in self.backfills:
            states = {run["state"] for run in self.runs if run["backfill"] == item["id"]}
            if self.closes and not states & {"queued", "running"}:
                item["completed_at"] = datetime.now(UTC).isoformat()


Reply = tuple[int, Any]


class Handler(QuietHandler):
    """Answers one request."""

    hub: Hub

    def _answer(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        body = json.loads(self.received() or b"{}")
        self.hub.requests.append(f"{self.command} {url.path}")
        status, content = self._route(url.path, query, body)
        self.answer(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - the names http.server looks for

    def _route(self, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Reply:
        if path == "/auth/token":
            good = body == {"username": "admin", "password": "secret"}
            return (201, {"access_token": TOKEN}) if good else (401, {"detail": "Invalid credentials"})
        if path == "/api/v2/monitor/health":
            return 200, self.hub.health
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"detail": "Not authenticated"}
        parts = path.removeprefix("/api/v2/").split("/")
        match (self.command, parts):
            case ("GET", ["dags"]):
                known = [self._dag(dag_id) for dag_id in sorted(self.hub.entries())]
                return 200, {"dags": known, "total_entries": len(known)}
            case ("GET", ["dags", dag_id]):
                looks = self.hub.looks[dag_id] = self.hub.looks.get(dag_id, 0) + 1
                if dag_id not in self.hub.entries() or looks <= self.hub.hide_looks:
                    return 404, {"detail": f"The Dag with ID: `{dag_id}` was not found"}
                return 200, self._dag(dag_id)
            case ("GET", ["dags", dag_id, "dagRuns"]):
                return self._runs(dag_id, query)
            case ("GET", ["dags", dag_id, "dagRuns", _, "taskInstances"]):
                return 200, {"task_instances": [{"task_id": "compute"}] * 2, "total_entries": 2}
            case ("GET", ["backfills"]):
                mine = [item for item in reversed(self.hub.backfills) if item["dag_id"] in query["dag_id"]]
                return 200, {"backfills": mine, "total_entries": len(mine)}
            case ("POST", ["backfills", *dry]):
                return self._backfill(body, dry_run=bool(dry))
            case ("GET", ["connections", name]) if name in self.hub.connections:
                return 200, {"connection_id": name, "conn_type": "generic", "password": "***"}
            case ("GET", ["pools"]):
                pools = [{"name": name, "slots": slots} for name, slots in self.hub.pools.items()]
                return 200, {"pools": pools, "total_entries": len(pools)}
            case ("PATCH", ["pools", name]) if name not in self.hub.pools:
                return 404, {"detail": "no such pool"}
            case ("PATCH" | "POST", ["pools", *_]):
                self.hub.pools[body["name"]] = body["slots"]
                return 200, body
        return 404, {"detail": f"{self.command} {path}"}

    def _dag(self, dag_id: str) -> dict[str, Any]:
        return {"dag_id": dag_id, "is_paused": dag_id in self.hub.paused, "is_stale": False, "tags": []}

    def _runs(self, dag_id: str, query: dict[str, list[str]]) -> Reply:
        self.hub.advance()
        (first,) = query.get("logical_date_gte", ["2000-01-01T00:00:00+00:00"])
        (last,) = query.get("logical_date_lte", ["2100-01-01T00:00:00+00:00"])
        found = [
            {key: run[key] for key in ("dag_run_id", "logical_date", "state", "run_type")}
            for run in self.hub.runs
            if run["dag_id"] == dag_id
            and run["run_type"] in query.get("run_type", [run["run_type"]])
            and run["state"] in query.get("state", [run["state"]])
            and moment(first) <= moment(run["logical_date"]) <= moment(last)
        ]
        offset = int(query.get("offset", ["0"])[0])
        return 200, {"dag_runs": found[offset : offset + 100], "total_entries": len(found)}

    def _backfill(self, body: dict[str, Any], *, dry_run: bool) -> Reply:
        dag_id, hub = body["dag_id"], self.hub
        if dag_id not in hub.entries():
            return 404, {"detail": f"Could not find dag {dag_id}"}
        dates = hub.dates(dag_id, moment(body["from_date"]), moment(body["to_date"]))
        again = {"none": set(), "failed": {"failed"}, "completed": {"failed", "success"}}[body["reprocess_behavior"]]
        there = {moment(run["logical_date"]): run for run in hub.runs if run["dag_id"] == dag_id}
        wanted = [day for day in dates if day not in there or there[day]["state"] in again]
        if dry_run:
            return 200, {
                "backfills": [{"logical_date": day.strftime("%Y-%m-%dT%H:%M:%SZ")} for day in wanted],
                "total_entries": len(wanted),
            }
        if any(item["dag_id"] == dag_id and item["completed_at"] is None for item in hub.backfills):
            return 409, {"detail": f"There is already a running backfill for dag {dag_id}"}
        number = len(hub.backfills) + 1
        for day in wanted:
            if day in there:
                there[day] |= {"state": "queued", "run_type": "backfill", "backfill": number}
                continue
            run_id = f"backfill__{day.isoformat()}"
            hub.runs.append(
                {
                    "dag_id": dag_id,
                    "dag_run_id": run_id,
                    "logical_date": day.isoformat(),
                    "state": "queued",
                    "run_type": "backfill",
                    "backfill": number,
                }
            )
        item = {
            "id": number,
            "dag_id": dag_id,
            "from_date": body["from_date"],
            "to_date": body["to_date"],
            "completed_at": None,
        }
        hub.backfills.append(item)
        return 200, item


@contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """Run the server; give its address."""
    with http_server(type("BoundHandler", (Handler,), {"hub": hub})) as url:
        yield url
