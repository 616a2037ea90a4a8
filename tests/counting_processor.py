"""The smallest processor there can be: counts the observations of every parcel. It shows what the frame of L4 does."""

from __future__ import annotations

import csv
import json
from collections import Counter

import pyarrow.parquet as pq
from sqlalchemy import Connection, text

from s4c_lib.season_run import NoResultError, ResultProduct, RunResult, SeasonRun

TABLE = "CREATE TABLE IF NOT EXISTS s4c.counted (product_id bigint, parcel_id bigint, n integer)"


def count_observations(run: SeasonRun) -> RunResult:
    """Write a row a parcel, and a file of metadata."""
    found: Counter[int] = Counter()
    paths = run.paths_of(("ndvi", "vv", "vh"))
    for number, path in enumerate(paths, start=1):
        found.update(pq.read_table(path, columns=["parcel_id"])["parcel_id"].to_pylist())
        run.progress(number, len(paths), path.name)
    if not found:
        raise NoResultError("No parcel has an observation.", hint="look at the statistics of the season")
    with (run.work_folder / "counts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["NewID", "n"])
        writer.writerows(sorted(found.items()))
    (run.work_folder / "counts.json").write_text(json.dumps({"parcels": len(found)}))

    def store(connection: Connection, product_id: int) -> None:
        connection.execute(text(TABLE))
        connection.execute(text("DELETE FROM s4c.counted WHERE product_id = :id"), {"id": product_id})
        connection.execute(
            text("INSERT INTO s4c.counted VALUES (:id, :parcel, :n)"),
            [{"id": product_id, "parcel": parcel, "n": n} for parcel, n in sorted(found.items())],
        )

    trees = run.snapshot["processor.s4c_l4a.num-trees"]
    product = ResultProduct(metadata={"method": "counting", "trees": trees}, store=store)
    return RunResult({"parcels": len(found), "observations": found.total()}, product)
