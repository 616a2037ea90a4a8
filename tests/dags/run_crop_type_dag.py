"""Run the crop type DAG in this process, as Airflow's own ``dag.test()`` does, and print one JSON line.

The argument is the run as JSON: ``logical_date`` and ``conf``.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DAG_ID = "alpha__2024__l4a_crop_type"


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(str(REPOSITORY / "dags"), bundle_name="tests").dags[DAG_ID]
    for task in dag.tasks:
        task.retries = 0  # or the run waits minutes for its next try
    asked = json.loads(sys.argv[1])
    logical_date = datetime.fromisoformat(asked["logical_date"]).replace(tzinfo=UTC)
    run = dag.test(logical_date=logical_date, run_conf=asked["conf"])
    tasks = {item.task_id: str(item.state) for item in run.get_task_instances()}
    print(json.dumps({"run": str(run.state), "tasks": tasks}))


if __name__ == "__main__":
    main()
