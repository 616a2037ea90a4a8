"""Declarations in a running Airflow: triggered by REST, refused by REST, and the report behind the task's button."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import shapely
from pyproj import Transformer

from s4c_lib.catalog import parcel_sets, seasons, sites
from s4c_lib.catalog.sites import Site
from s4c_lib.errors import InputError
from s4c_lib.geography.sentinel2_tiles import select_tiles
from s4c_lib.synthetic.landscape.country import make_landscape
from s4c_lib.synthetic.landscape.declarations import write_declarations
from s4c_lib.synthetic.window import window_of
from tests.end_to_end.running_stack import ACTOR, PAST, Stack

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]

TILES = ["31UFS", "31UFT"]
DAG = "farms__declarations"
TASK = "import_declarations"


@pytest.fixture(scope="module")
def delivered(stack: Stack) -> Path:
    folder = stack.folder / "delivered"
    write_declarations(make_landscape(window_of(TILES, 3000).grid, 200, 3), folder, 3)
    return folder


def served_site(stack: Stack) -> Site:
    """A site around the delivered parcels, with a season, enabled."""
    window = window_of(TILES, 6000)
    to_degrees = Transformer.from_crs(window.grid.epsg, 4326, always_xy=True)
    box = shapely.transform(shapely.box(*window.grid.bounds), to_degrees.transform, interleaved=False)
    extent = shapely.multipolygons([box])
    with stack.database.begin() as connection:
        made = sites.add_site(
            connection,
            name="farms",
            short_name="farms",
            geometry=extent,
            search_geometry=extent,
            area_km2=36,
            tiles=select_tiles(extent, 1.0),
            actor=ACTOR,
        )
        seasons.add_season(connection, made, name="season", dates=PAST, actor=ACTOR)
        made = sites.set_enabled(connection, made, True)
    stack.synchronise()
    return made


def run(stack: Stack, **conf: Any) -> tuple[str, str]:
    run_id = stack.api.trigger(DAG, conf)
    return run_id, stack.wait_for_run(DAG, run_id, 180)


def button(stack: Stack, run_id: str) -> str | None:
    links = stack.api.request("GET", f"dags/{DAG}/dagRuns/{run_id}/taskInstances/{TASK}/links")
    found: str | None = links["extra_links"]["Report"]
    return found


def returned(stack: Stack, run_id: str) -> dict[str, Any]:
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances/{TASK}/xcomEntries/return_value"
    found: dict[str, Any] = stack.api.request("GET", path)["value"]
    return found


def opened(stack: Stack, address: str) -> httpx.Response:
    """Open an address of the API server as a browser does, with the session of a user."""
    path = urlsplit(address).path
    credentials = {"username": stack.airflow.username, "password": stack.airflow.password}
    with httpx.Client(base_url=stack.airflow.url, trust_env=False) as browser:
        assert browser.get(path).status_code == 401
        token = browser.post("/auth/token", json=credentials).json()["access_token"]
        browser.cookies.set("_token", token)
        return browser.get(path)


def test_a_delivery_is_checked_imported_and_reported(stack: Stack, delivered: Path) -> None:
    site = served_site(stack)
    dag = stack.wait_for_dag(DAG)
    assert {tag["name"] for tag in dag["tags"]} == {"farms", "declarations"}
    assert dag["timetable_summary"] is None

    file = str(delivered / "declarations.zip")
    for conf, named in (
        ({"file": file}, "year"),
        ({"file": file, "year": 2021, "mode": "append"}, "append"),
        ({"file": file, "year": 2021, "settings": {"epgs": 28992}}, "epgs"),
    ):
        with pytest.raises(InputError, match=named):
            stack.api.trigger(DAG, conf)

    run_id, state = run(stack, file=file, year=2021, dry_run=True)
    assert state == "success"
    assert returned(stack, run_id)["parcel_set_id"] is None
    run_id, state = run(stack, file=file, year=2021, columns={"parcel_id": "FUNCTIONEE", "crop": "GRONDBEDEK"})
    assert state == "success"
    with stack.database.begin() as connection:
        current = parcel_sets.active_set(connection, site.id, 2021)
    assert current is not None
    assert returned(stack, run_id)["parcel_set_id"] == current.id
    page = opened(stack, button(stack, run_id) or "")
    assert page.status_code == 200, page.text
    assert page.headers["content-type"].startswith("text/html")
    assert "DECL-24" in page.text

    # a refused file: the run is red, at its first try, and its report is behind the button all the same
    half = stack.folder / "half.zip"
    half.write_bytes(Path(file).read_bytes()[:2000])
    run_id, state = run(stack, file=str(half), year=2021, columns="parcel_id=FUNCTIONEE;crop=GRONDBEDEK")
    assert state == "failed"
    page = opened(stack, button(stack, run_id) or "")
    assert page.status_code == 200, page.text
    assert "ZIP-01" in page.text
    task = stack.api.request("GET", f"dags/{DAG}/dagRuns/{run_id}/taskInstances/{TASK}")
    assert task["try_number"] == 1
    log = stack.api.request("GET", f"dags/{DAG}/dagRuns/{run_id}/taskInstances/{TASK}/logs/1")
    assert "half.zip was refused. ZIP-01" in str(log)
    with stack.database.begin() as connection:
        again = parcel_sets.active_set(connection, site.id, 2021)
    assert again == current
