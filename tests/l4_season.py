"""A past season that L4 runs are tried on, and a run as the tasks of a DAG do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Connection

from s4c_lib import runs, season_computation
from s4c_lib.catalog import products
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import JobState
from s4c_lib.catalog.products import Product
from s4c_lib.catalog.seasons import Season
from s4c_lib.runs import RunRequest, open_run

Filled: TypeAlias = Callable[[Connection, Season, Path], None]
"""Gives a season its uploads and statistics, with files below a folder; those of products in its folder ``p``."""


@dataclass(frozen=True)
class Prepared:
    """A database that every test gets a copy of, and its files, which runs only add to."""

    template: str
    season: Season
    folder: Path


def publish(database: Database, request: RunRequest, *, now: datetime) -> Product:
    """Run a processor as the tasks of its DAG do; returns the newest product."""
    opening = open_run(database, request, now=now)
    assert opening.status == "started", opening.text
    season_computation.carry_out(database, opening.job_id)
    job = runs.close_run(database, opening.job_id, failed_tasks={})
    assert job.state is JobState.SUCCEEDED
    with database.begin() as connection:
        found = products.list_products(connection, job.site_id, product_type=request.processor)
    return max(found, key=lambda one: one.id)
