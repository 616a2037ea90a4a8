"""Images to maps and parcel series through a running Airflow, on two machines of which one loses its power."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import signal
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from shapely.geometry import MultiPolygon, shape
from sqlalchemy import text

from deploy.local_stack.errors import RedisMissingError
from s4c_lib.catalog import config_values, data_sources, marker_files, parcel_sets, products, seasons, sites
from s4c_lib.catalog.jobs import Job
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.vocabulary import PROCESSORS
from s4c_lib.geography.sentinel2_tiles import select_tiles
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.statistics.observations import read_observations
from s4c_lib.synthetic.archive import add_faults
from s4c_lib.synthetic.season import make_season
from s4c_lib.synthetic.world import SeasonOptions
from s4c_lib.uploads.declarations import ImportRequest, import_declarations
from s4c_lib.uploads.site_settings import site_settings
from tests.end_to_end.machines import NAMES, SHORT, Machine, several_machines
from tests.end_to_end.running_stack import ACTOR, REPOSITORY, Stack

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]

TILE, START, END = "31UFS", date(2021, 5, 1), date(2021, 5, 16)
DATES = SeasonDates(START, date(2021, 5, 10), END)
INGEST = "optical__season__ingest"


@pytest.fixture(scope="module")
def season(stack: Stack) -> Season:
    """A site with a few weeks of images, declared parcels, and everything switched on."""
    root = stack.folder / "optical_season"
    made = make_season(root, SeasonOptions(seed=5, start=START, end=END, size_m=1800, parcels=40, tiles=(TILE,)))
    add_faults(made.root / "archive", seed=5, start=START, end=END, tile=TILE)
    extent = shape(json.loads((made.root / "site.geojson").read_text())["features"][0]["geometry"])
    with stack.database.begin() as connection:
        site = sites.add_site(
            connection,
            name="optical",
            short_name="optical",
            geometry=MultiPolygon([extent]),
            search_geometry=MultiPolygon([extent]),
            area_km2=4,
            tiles=select_tiles(extent, 0.1),
            actor=ACTOR,
        )
        added, _ = seasons.add_season(
            connection, site, name="season", dates=DATES, actor=ACTOR, processors=("s4c_l4a", "s4c_l4b")
        )
        for key, value in {
            "processor.l2a.optical.cog-tiffs": True,
            "processor.l3b.lai.tiles_filter": [],
            "declaration.max_reject_pct": 20.0,
        }.items():
            config_values.set_value(connection, key, value, actor=ACTOR, site=site)
        data_sources.add_source(
            connection,
            name="optical_archive",
            satellites=["s1", "s2"],
            driver="local",
            fetch_mode="check",
            local_root=made.root / "archive",
            site=site,
        )
        settings = site_settings(connection, site, START)
    mapping = ColumnMapping(parcel_id=("FUNCTIONEE",), holding=("FakeBRSnr",), crop="GRONDBEDEK")
    outcome = import_declarations(
        stack.database,
        site,
        ImportRequest(made.root / "declarations" / "declarations.gpkg", mapping, 2021, options=settings.options),
        storage=settings.folder,
        actor=ACTOR,
        now=datetime.now(UTC),
    )
    assert outcome.parcel_set is not None, outcome.report.findings
    with stack.database.begin() as connection:
        sites.set_enabled(connection, site, True)
    stack.synchronise()
    return added


@dataclass(frozen=True)
class Loss:
    """A machine that went, the one that was left, the piece of L3B that was lost, and which task (chunk) made it."""

    machine: str
    left: str
    piece: int
    chunk: int
    unfinished: tuple[Path, ...]


@dataclass(frozen=True)
class FirstRun:
    """The run that made everything. ``loss`` is None where there can be only one machine: ``why_alone``."""

    job: Job
    run_id: str
    loss: Loss | None = None
    why_alone: str = ""


@pytest.fixture(scope="module")
def first_run(stack: Stack, season: Season) -> FirstRun:
    """On two machines where Redis and Celery are, or can be installed; else in the scheduler, as everywhere."""
    if importlib.util.find_spec("celery") is None:
        return FirstRun(*ended(stack), why_alone="this environment lacks the extra 'celery', which make installs")
    try:
        with several_machines(stack) as machines:
            stack.wait_for_dag(INGEST)
            run_id = stack.api.trigger(INGEST, {})
            loss = lose_one_at_work(stack, machines)
            assert stack.wait_for_run(INGEST, run_id, 300) == "success"
            job = stack.job_of(run_id)
            assert job is not None
            return FirstRun(job, run_id, loss)
    except RedisMissingError as error:
        return FirstRun(*ended(stack), why_alone=error.one_line)


def ended(stack: Stack, **conf: Any) -> tuple[Job, str]:
    """Trigger an ingest by REST and return its job and run."""
    stack.wait_for_dag(INGEST)
    run_id = stack.api.trigger(INGEST, conf)
    assert stack.wait_for_run(INGEST, run_id, 300) == "success"
    job = stack.job_of(run_id)
    assert job is not None
    return job, run_id


def lose_one_at_work(stack: Stack, machines: tuple[Machine, ...]) -> Loss:
    """Switch a machine off while one of its tasks holds a piece of L3B and has files of it half written."""
    held_by = "FROM s4c.derivation WHERE processor_id = :l3b AND state = 'processing'"
    l3b = {"l3b": PROCESSORS["l3b"]}
    folder = stack.folder / "products" / "optical" / "l3b"
    end = time.monotonic() + 150
    while time.monotonic() < end:
        with stack.database.begin() as connection:
            held = connection.execute(text(f"SELECT id, lease_owner {held_by} ORDER BY id LIMIT 1"), l3b).one_or_none()
        if held is None:
            time.sleep(0.02)
            continue
        pid = int(held.lease_owner.rsplit(":", 1)[1])
        os.kill(pid, signal.SIGSTOP)
        with stack.database.begin() as connection:
            still = connection.execute(
                text(f"SELECT id {held_by} AND lease_owner = :owner"), {**l3b, "owner": held.lease_owner}
            ).scalar_one_or_none()
        unfinished = half_written(folder)
        if still is None or not unfinished:
            os.kill(pid, signal.SIGCONT)
            continue
        lost, left = sorted(machines, key=lambda machine: pid not in machine.processes())
        lost.lose_power()
        chunk = re.search(r"vegetation\[(\d+)\]", held.lease_owner)
        assert chunk is not None
        return Loss(lost.name, left.name, int(still), int(chunk[1]), unfinished)
    pytest.fail("no machine was caught with a piece of L3B half written")


def half_written(folder: Path) -> tuple[Path, ...]:
    """Files in the temporary folders of products; the other machine may move one away while this looks."""
    return tuple(
        Path(place, name)
        for place, _, names in os.walk(folder)
        if re.match(r"\..*\.part-", Path(place).name)
        for name in names
    )


def test_images_become_maps_and_parcel_series(stack: Stack, season: Season, first_run: FirstRun) -> None:
    job = first_run.job
    assert str(job.state) == "succeeded", job.detail
    with stack.database.begin() as connection:
        made = products.list_products(connection, season.site_id)
        parcel_set = parcel_sets.active_set(connection, season.site_id, 2021)
        assert parcel_set is not None
        files = marker_files.list_marker_files(connection, parcel_set.id)
    kinds = {kind: [item for item in made if item.product_type == kind] for kind in ("l2a", "l3b", "s1_l2a_amp")}
    assert len(kinds["l2a"]) == len(kinds["l3b"])
    # what the lost try of a task had made before its end is not in the numbers of the job
    least = len(kinds["l3b"]) if first_run.loss is None else 1
    assert least <= job.counts["l3b"] <= len(kinds["l3b"])
    # the faults of the archive are named, and hold nothing up
    assert job.counts["fetch_failed"] == 2

    maps = kinds["l3b"][0]
    with rasterio.open(Path(maps.full_path) / maps.metadata["rasters"]["lai"]) as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (raster.scales[0], raster.nodata) == (0.001, -10000)

    # L4A is switched on: bands are there beside the vegetation variables and radar
    variables = {file.variable for file in files}
    assert {"ndvi", "lai", "fapar", "fcover", "b03", "b12", "ndwi", "vv", "vh", "coherence_vv"} <= variables
    seen = read_observations([Path(file.path) for file in files if file.variable == "ndvi"])
    assert seen.num_rows > 0
    mean = seen["mean"].to_numpy()
    assert (np.abs(mean) <= 1).all()
    assert (seen["n"].to_numpy() <= seen["n_total"].to_numpy()).all()
    assert {"l3b", "l2a", "s4c_mdb1"} <= {
        item["name"].rsplit("/", 1)[1]
        for item in stack.api.request("GET", "assets?limit=200")["assets"]
        if item["name"].startswith("s4c://optical/season/")
    }


def test_a_second_run_finds_nothing_to_do(stack: Stack, first_run: FirstRun) -> None:
    job, _ = ended(stack)
    assert (str(job.state), job.reason) == ("skipped", "no_work")


def test_a_lost_machine_loses_nothing_and_nothing_is_made_twice(
    stack: Stack, season: Season, first_run: FirstRun
) -> None:
    loss = first_run.loss
    if loss is None:
        pytest.skip(first_run.why_alone)
    asked = f"dags/{INGEST}/dagRuns/{first_run.run_id}/taskInstances/vegetation/{loss.chunk}/tries"
    tries = [(item["hostname"], item["state"]) for item in stack.api.request("GET", asked)["task_instances"]]
    assert {loss.machine, loss.left} == set(NAMES)
    assert (tries[0], tries[-1]) == ((loss.machine, "failed"), (loss.left, "success"))

    values = {"site": season.site_id, "piece": loss.piece}
    with stack.database.begin() as connection:
        # the try of the lost machine is not counted
        taken_over = text("SELECT state::text, attempts FROM s4c.derivation WHERE id = :piece")
        assert connection.execute(taken_over, values).one() == ("done", 1)
        for query in (
            "SELECT state FROM s4c.derivation WHERE site_id = :site AND state <> 'done'",
            "SELECT u.state FROM s4c.acquisition_unit u JOIN s4c.site_acquisition m USING (acquisition_id) "
            "WHERE m.site_id = :site AND u.state <> 'done'",
            "SELECT a.state FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id "
            # two of the archive are there in part only
            "WHERE m.site_id = :site AND a.state NOT IN ('processed', 'ignored', 'failed')",
            # nothing was superseded, so nothing was made twice
            "SELECT p.name FROM s4c.product p JOIN s4c.product_site s ON s.product_id = p.id "
            "WHERE s.site_id = :site AND (p.version <> 1 OR p.state NOT IN ('active', 'empty'))",
            "SELECT path FROM s4c.marker_file WHERE site_id = :site AND state <> 'active'",
            "SELECT product_id, variable FROM s4c.marker_file WHERE site_id = :site GROUP BY 1, 2 HAVING count(*) <> 1",
        ):
            assert connection.execute(text(query), values).all() == [], query
        stored = connection.execute(
            text(
                "SELECT p.full_path || '/' || f.path, f.sha256 FROM s4c.product_file f "
                "JOIN s4c.product p ON p.id = f.product_id JOIN s4c.product_site s ON s.product_id = p.id "
                "WHERE s.site_id = :site UNION ALL "
                "SELECT path, sha256 FROM s4c.marker_file WHERE site_id = :site"
            ),
            values,
        ).all()
    imported = list((stack.folder / "products").glob("*/lpis"))  # of this site and of other tests'
    known = {Path(path): digest for path, digest in stored}
    assert len(known) == len(stored)
    on_disk = {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (stack.folder / "products").rglob("*")
        if path.is_file() and not any(map(path.is_relative_to, imported))
    }
    assert on_disk == known
    assert not any(path.exists() for path in loss.unfinished)


def test_what_is_short_here_is_longer_in_the_compose_file() -> None:
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
    real = {name: int(compose["x-settings"][name]) for name in SHORT}
    assert all(real[name] >= int(SHORT[name]) for name in SHORT), real
    # what a task is sent with is valid as long as it may wait; a task that is sent again must not be running still
    assert real["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"] >= 86400
