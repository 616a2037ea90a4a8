"""How long Airflow takes to build and to serialise the DAGs of 50 sites with 2 seasons each, and of one task.

    python benchmarks/season_dags.py [--sites 50] [--json]

Ratios are to the limits of the design (3 s to build, 20 s to serialise), and of one DAG at task time to all.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "plugins")]

from s4c_lib.manifest import write_manifest  # noqa: E402
from tests.dags.conftest import entries, manifest_of  # noqa: E402

BUILD_LIMIT, SERIALISE_LIMIT = 3.0, 20.0


def measure(home: Path, **variables: str) -> dict[str, Any]:
    """Build and serialise in a fresh process, as a DAG processor does."""
    environment = {
        **{key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "S4C_MANIFEST_PATH": str(home / "manifest.json"),
        **variables,
    }
    script = REPOSITORY / "tests" / "dags" / "build_and_serialise.py"
    answer = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(answer.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seasons = [
        entry
        for number in range(options.sites)
        for season in ("2024", "2025")
        for entry in entries(f"site{number}", season)
    ]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_manifest(home / "manifest.json", manifest_of(*seasons))
        everything = measure(home)
        one = measure(
            home,
            _AIRFLOW_PARSING_CONTEXT_DAG_ID="site0__2025__ingest",
            _AIRFLOW_PARSING_CONTEXT_TASK_ID="open",
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    result = {
        "dags": len(everything["dags"]),
        "build_seconds": round(everything["build_seconds"], 2),
        "ratio_build_to_limit": round(everything["build_seconds"] / BUILD_LIMIT, 2),
        "serialise_seconds": round(everything["serialise_seconds"], 2),
        "ratio_serialise_to_limit": round(everything["serialise_seconds"] / SERIALISE_LIMIT, 2),
        "megabytes": round(everything["bytes"] / 1e6, 1),
        "one_dag_seconds": round(one["build_seconds"], 3),
        "ratio_all_to_one": round(everything["build_seconds"] / one["build_seconds"], 1),
        "peak_mb": round(peak),
    }
    if options.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key:28} {value}")


if __name__ == "__main__":
    main()
