"""Serve Airflow's REST API with its FAB auth manager in this process; run by the test of site roles.

Prints the port after ``=>``, where Airflow's own lines are not. Each line on the standard input stores the DAGs of the
manifest as the DAG processor does, access rules included, and answers with the import errors as JSON. Ends with the
input.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import warnings
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> None:
    warnings.simplefilter("ignore")
    from airflow.utils.db import initdb

    initdb()
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        password = os.environ["ADMIN_PASSWORD"]
        manager.add_user("admin", "A", "Admin", "admin@agency.example", manager.find_role("Admin"), password)

    import uvicorn
    from airflow.api_fastapi.app import create_app

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(apps="core"), log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise SystemExit("the server did not start")
        time.sleep(0.02)
    say(listener.getsockname()[1])
    for _ in sys.stdin:
        say(store_dags())
    server.should_exit = True
    thread.join()


def say(answer: object) -> None:
    print(f"=> {json.dumps(answer)}", flush=True)


def store_dags() -> dict[str, str]:
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.dagbundle import DagBundleModel
    from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
    from airflow.utils.session import create_session

    bag = DagBag(str(REPOSITORY / "dags"), bundle_name="tests")
    errors: dict[tuple[str, str], str] = {("tests", name): text for name, text in bag.import_errors.items()}
    with create_session() as session:
        session.merge(DagBundleModel(name="tests"))
        session.commit()
        update_dag_parsing_results_in_db(
            bundle_name="tests",
            bundle_version=None,
            dags=[LazyDeserializedDAG(data=DagSerialization.to_dict(dag)) for _, dag in sorted(bag.dags.items())],
            import_errors=errors,
            parse_duration=None,
            warnings=set(),
            session=session,
        )
    return {name: text for (_, name), text in errors.items()}


if __name__ == "__main__":
    main()
