"""Run one season DAG in this process, as Airflow's own ``dag.test()`` does, and print one JSON line.

L4A is the counting processor of the tests. Arguments: the logical date, and the run's parameters as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DAG_ID = "alpha__2024__l4a_crop_type"


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    sys.path[:0] = [str(REPOSITORY / "tests")]
    from airflow.dag_processing.dagbag import DagBag

    from s4c_lib import processors, season_computation

    counting = replace(processors.PROCESSORS["s4c_l4a"], entry_point="counting_processor:count_observations")
    processors.PROCESSORS = {**processors.PROCESSORS, "s4c_l4a": counting}  # type: ignore[misc]
    season_computation.PROCESSORS = processors.PROCESSORS  # type: ignore[misc]
    bag = DagBag(str(REPOSITORY / "dags"), bundle_name="tests")
    found = []
    for argument in sys.argv[1:]:
        asked = json.loads(argument)
        run = bag.dags[DAG_ID].test(
            logical_date=datetime.fromisoformat(asked["logical_date"]).replace(tzinfo=UTC), run_conf=asked["conf"]
        )
        states = {item.task_id: str(item.state) for item in run.get_task_instances()}
        found.append({"run": str(run.state), "tasks": states})
    print(json.dumps(found))


if __name__ == "__main__":
    main()
