"""Run season DAGs in this process, as Airflow's own ``dag.test()`` does, and print one JSON line.

Each argument is a run as JSON: ``logical_date``, ``conf``, the ``dag`` (L4A's by default), the step whose disk is
full (``full_disk``), statements for the domain database before the run (``sql``), and whether Airflow's logs are wanted
(``log``). L4A is the counting processor of the tests, or itself where a run asks for that (``real``).
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DAG_ID = "alpha__2024__l4a_crop_type"


def main() -> None:
    warnings.simplefilter("ignore")
    runs = [json.loads(argument) for argument in sys.argv[1:]]
    if not any(asked.get("log") for asked in runs):
        logging.disable(logging.CRITICAL)
    sys.path[:0] = [str(REPOSITORY / "tests")]
    from airflow.dag_processing.dagbag import DagBag

    from s4c_lib import processors, season_computation

    if not any(asked.get("real") for asked in runs):
        counting = replace(processors.PROCESSORS["s4c_l4a"], entry_point="counting_processor:count_observations")
        processors.PROCESSORS = {**processors.PROCESSORS, "s4c_l4a": counting}  # type: ignore[misc]
        season_computation.PROCESSORS = processors.PROCESSORS  # type: ignore[misc]
    bag = DagBag(str(REPOSITORY / "dags"), bundle_name="tests")
    found = []
    for asked in runs:
        dag = bag.dags[asked.get("dag", DAG_ID)]
        for task in dag.tasks:
            task.retries = 0  # or the run waits minutes for its next try
        change(asked.get("sql", []))
        with full_disk(asked.get("full_disk")):
            run = dag.test(
                logical_date=datetime.fromisoformat(asked["logical_date"]).replace(tzinfo=UTC), run_conf=asked["conf"]
            )
        states: dict[str, str] = {}
        for item in run.get_task_instances():
            states[item.task_id] = "+".join(sorted({*filter(None, [states.get(item.task_id)]), str(item.state)}))
        found.append({"run": str(run.state), "tasks": states})
    print(json.dumps(found))


def change(statements: list[str]) -> None:
    """Change the domain database: let time pass, for instance."""
    if not statements:
        return
    import psycopg2

    connection = psycopg2.connect(os.environ["AIRFLOW_CONN_S4C_DB"])
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


@contextmanager
def full_disk(step: str | None) -> Iterator[None]:
    """Let whatever a step makes meet a full disk."""
    if step is None:
        yield
        return
    from s4c_lib.errors import DiskFullError

    name = {"preprocess": "make_l2a", "vegetation": "make_l3b", "statistics": "write_statistics"}[step]
    module = importlib.import_module(f"s4c_lib.ingest.{step}")
    working = getattr(module, name)

    def fail(*_: object, **__: object) -> None:
        raise DiskFullError("The disk is full.", hint="free space")

    setattr(module, name, fail)
    try:
        yield
    finally:
        setattr(module, name, working)


if __name__ == "__main__":
    main()
