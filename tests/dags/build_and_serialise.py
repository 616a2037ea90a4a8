"""Build and serialise every DAG in this process, and print one JSON line; run by the tests and the benchmark.

Uses Airflow's own folder loader and serialiser. ``--offline`` refuses every socket first.
"""

from __future__ import annotations

import hashlib
import json
import logging
import socket
import sys
import time
import warnings
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


def refuse(*_: Any, **__: Any) -> None:
    raise OSError("no network while parsing")


def main() -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    if "--offline" in sys.argv:
        socket.socket.connect = refuse  # type: ignore[method-assign,assignment]
        socket.create_connection = refuse  # type: ignore[assignment]
        socket.getaddrinfo = refuse  # type: ignore[assignment]
    began = time.perf_counter()
    bag = DagBag(str(REPOSITORY / "dags"))
    built = time.perf_counter()
    # sorted keys: Airflow hashes the sorted document to decide whether a DAG changed
    documents = {
        name: json.dumps(DagSerialization.to_dict(dag), sort_keys=True) for name, dag in sorted(bag.dags.items())
    }
    done = time.perf_counter()
    heavy = sorted(
        {
            "geopandas",
            "rasterio",
            "pyogrio",
            "pandas",
            "psycopg2",
            "shapely",
            "httpx",
            "yoyo",
            "eodag",
            "asf_search",
            "sentinelsat",
        }
        & set(sys.modules)
    )
    print(
        json.dumps(
            {
                "dags": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in documents.items()},
                "build_seconds": built - began,
                "serialise_seconds": done - built,
                "bytes": sum(map(len, documents.values())),
                "import_errors": bag.import_errors,
                "ours_imported": heavy,
            }
        )
    )


if __name__ == "__main__":
    main()
