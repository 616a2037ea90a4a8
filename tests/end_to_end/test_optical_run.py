"""Images to maps and parcel series through a running Airflow."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from shapely.geometry import MultiPolygon, shape

from s4c_lib.catalog import config_values, data_sources, marker_files, parcel_sets, products, seasons, sites
from s4c_lib.catalog.seasons import Season
from s4c_lib.geography.sentinel2_tiles import select_tiles
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.statistics.observations import read_observations
from s4c_lib.synthetic.archive import add_faults
from s4c_lib.synthetic.season import make_season
from s4c_lib.synthetic.world import SeasonOptions
from s4c_lib.uploads.declarations import ImportRequest, import_declarations
from s4c_lib.uploads.site_settings import site_settings
from tests.end_to_end.running_stack import ACTOR, Stack

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


def ended(stack: Stack, **conf: Any) -> Any:
    """Trigger an ingest by REST and return its job."""
    stack.wait_for_dag(INGEST)
    run_id = stack.api.trigger(INGEST, conf)
    assert stack.wait_for_run(INGEST, run_id, 300) == "success"
    return stack.job_of(run_id)


def test_images_become_maps_and_parcel_series(stack: Stack, season: Season) -> None:
    job = ended(stack)
    assert str(job.state) == "succeeded", job.detail
    with stack.database.begin() as connection:
        made = products.list_products(connection, season.site_id)
        parcel_set = parcel_sets.active_set(connection, season.site_id, 2021)
        assert parcel_set is not None
        files = marker_files.list_marker_files(connection, parcel_set.id)
    kinds = {kind: [item for item in made if item.product_type == kind] for kind in ("l2a", "l3b", "s1_l2a_amp")}
    assert len(kinds["l2a"]) == len(kinds["l3b"]) + job.counts.get("l3b_empty", 0) == job.counts["l3b"]
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


def test_a_second_run_finds_nothing_to_do(stack: Stack, season: Season) -> None:
    job = ended(stack)
    assert (str(job.state), job.reason) == ("skipped", "no_work")
