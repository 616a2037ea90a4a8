"""The name under which a worker reports, for Airflow's setting ``hostname_callable``: all run on one machine here."""

from __future__ import annotations

import os


def of_this_worker() -> str:
    return os.environ["S4C_TEST_MACHINE"]
