"""Exit code 0 when the component of this container is well, else 1 and one line that says why.

``airflow jobs check`` and ``celery inspect`` ask the same, but load all of Airflow for it: seconds of a core every half
minute, in every container.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import urllib.error
import urllib.request

JOB_TYPES = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
SILENT_SECONDS = 30
TIMEOUT_SECONDS = 10

_LAST_HEARTBEAT = """
SELECT extract(epoch FROM now() - max(latest_heartbeat))
  FROM job
 WHERE job_type = %s AND hostname = %s AND state = 'running'
"""


def api_server_trouble(port: int, *, tls: bool) -> str | None:
    """Ask the API server of this container."""
    # It is our own process, and its certificate is made out to another name than 127.0.0.1.
    context = ssl._create_unverified_context() if tls else None
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/api/v2/monitor/health"
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=context)] if context else [])
    )
    try:
        with opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
            metadata = json.load(answer)["metadatabase"]["status"]
    except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
        return f"{url}: {error}"
    return None if metadata == "healthy" else f"{url}: the metadata database is {metadata}"


def job_trouble(component: str, url: str, hostname: str) -> str | None:
    """Look for a recent heartbeat of the component of this container."""
    import psycopg2

    try:
        connection = psycopg2.connect(url, connect_timeout=TIMEOUT_SECONDS)
    except psycopg2.OperationalError as error:
        return f"no connection to Airflow's database: {error}"
    try:
        with connection.cursor() as cursor:
            cursor.execute(_LAST_HEARTBEAT, (JOB_TYPES[component], hostname))
            ((silent,),) = cursor.fetchall()
    finally:
        connection.close()
    if silent is None:
        return f"no {component} of {hostname} has reported yet"
    return None if silent < SILENT_SECONDS else f"the {component} of {hostname} is silent for {silent:.0f} s"


def worker_trouble(broker_url: str, hostname: str) -> str | None:
    """Send a ping to the Celery worker of this container."""
    from celery import Celery
    from kombu.exceptions import OperationalError

    name = f"celery@{hostname}"
    try:
        answers = Celery(broker=broker_url).control.ping(destination=[name], timeout=TIMEOUT_SECONDS / 2)
    except OperationalError as error:
        return f"no connection to the broker: {error}"
    return None if answers else f"the worker {name} does not answer"


def main(component: str) -> int:
    """Check one component."""
    hostname = socket.gethostname()
    if component == "api-server":
        port = int(os.environ.get("AIRFLOW__API__PORT") or 8080)
        trouble = api_server_trouble(port, tls=bool(os.environ.get("S4C_TLS_CERT")))
    elif component == "celery-worker":
        trouble = worker_trouble(os.environ["AIRFLOW__CELERY__BROKER_URL"], hostname)
    else:
        url = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("postgresql+psycopg2://", "postgresql://", 1)
        trouble = job_trouble(component, url, hostname)
    if trouble is not None:
        print(f"unhealthy: {' '.join(trouble.split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
