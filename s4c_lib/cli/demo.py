"""``s4c demo``: a season from its first image to maps and parcel series, step by step as a user would."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s4c_lib.cli.options import examples
from s4c_lib.cli.output import note, print_table, say
from s4c_lib.cli.session import Session, session_of
from s4c_lib.errors import EXIT_DONE, EXIT_NOTHING_TO_DO, ConflictError, Sen4capError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from s4c_lib.catalog.seasons import Season

SITE, SEASON, SOURCE = "demo", "2025", "demo_archive"
START, END = date(2025, 4, 1), date(2025, 7, 31)
TILE, PARCELS, SEED = "31UFS", 400, 2025
SATELLITES = ("s1", "s2")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("demo", epilog=examples("make demo", "s4c demo --folder /tmp/demo"))(demo)


def demo(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Option(help="Where archive and products go; default: beside the DAG manifest.")
    ] = None,
) -> None:
    """Show the system at work: make a season that nobody observed and run it through Airflow, to maps and series.

    Every step is a command you could type; each is shown. A second call goes on where the first ended.
    """
    began = time.monotonic()
    session = session_of(context)
    place = (folder or session.settings.manifest_path.parent / "demo").resolve()
    step("1  A season that nobody observed: Sentinel-1 and Sentinel-2 products, declarations, and the truth")
    make_season_once(place)
    step("2  The site, its archive, what the agency uploads, and the season")
    set_up(session, place)
    step("3  The season's ingest, as an Airflow backfill through its REST API: images to L2A, L3B and statistics")
    went_on = finish_earlier(session)
    code = s4c("season", "backfill", SITE, SEASON, "--processor", "ingest", "--wait")
    if code not in {EXIT_DONE, EXIT_NOTHING_TO_DO}:
        raise Sen4capError(
            f"The backfill ended with exit code {code}.",
            hint=f"see 's4c jobs list --site {SITE}' and the logs in Airflow; a second call goes on",
        )
    step("4  What was found, what was made of it, and what was left out and why")
    with session.read() as connection:
        from s4c_lib.catalog.seasons import get_season
        from s4c_lib.catalog.sites import get_site

        season = get_season(connection, get_site(connection, SITE), SEASON)
    report(session, season, place)
    step("5  Maps and parcel series")
    shown = show_results(session, season, place)
    nothing_new = " Nothing was left to do." if code == EXIT_NOTHING_TO_DO and not went_on else ""
    say(f"\nDone in {time.monotonic() - began:.0f} s.{nothing_new} Look at {shown}, and go on with:")
    say(f"  s4c acquisitions list {SITE} {SEASON}     every acquisition, what happened and what happens next")
    say(f"  s4c products list {SITE} --type l3b     products with their folders")
    say(f"  s4c season readiness {SITE} {SEASON}      what each processor still waits for")
    say("  s4c status                         one screen for all sites")
    say(f"  {session.settings.airflow_url}              Airflow's user interface, while it runs")
    say("  make up                            the same system, left running with its user interface")


def finish_earlier(session: Session) -> bool:
    """Wait for the backfill an interrupted call left, which Airflow goes on with; False when there is none."""
    from s4c_lib.airflow_api import AirflowApi
    from s4c_lib.catalog.manifest_export import dag_id

    name = dag_id(SITE, SEASON, "ingest")
    said = False
    with AirflowApi.from_settings(session.settings) as api:
        while name in api.dag_ids() and api.backfills(name, active=True):
            if not said:
                note("an earlier backfill is under way: waiting for its end")
                said = True
            time.sleep(2)
    return said


def step(title: str) -> None:
    """Announce a step on stderr."""
    note(f"\n== {title}")


def s4c(*arguments: str) -> int:
    """Run one of our own commands as a user would, showing it; returns its exit code."""
    note("$ s4c " + " ".join(arguments))
    sys.stdout.flush()
    return subprocess.run([sys.executable, "-m", "s4c_lib.cli.main", *arguments], check=False).returncode


def must(*arguments: str) -> None:
    """Run a command that has to succeed."""
    if (code := s4c(*arguments)) != EXIT_DONE:
        raise Sen4capError(f"'s4c {' '.join(arguments)}' ended with exit code {code}.", hint="its message stands above")


def make_season_once(place: Path) -> None:
    """Make the season and put a few faults into its archive, or keep the complete one an earlier call made."""
    from s4c_lib.synthetic.archive import add_faults

    complete = place / "season.complete"
    if complete.exists():
        note(f"{place / 'season'} is there already: {complete.read_text(encoding='utf-8').strip()}")
        return
    days = ("--start", START.isoformat(), "--end", END.isoformat())
    size = ("--parcels", str(PARCELS), "--tiles", TILE, "--seed", str(SEED))
    must("synthetic", "make", "--out", str(place / "season"), *days, *size, "--overwrite")
    faults = add_faults(place / "season" / "archive", seed=SEED, start=START, end=END, tile=TILE)
    text = f"with {len(faults)} faults put into the archive on purpose: the ingest names them"
    complete.write_text(text + "\n", encoding="utf-8")
    note(text)


def set_up(session: Session, place: Path) -> None:
    """Make whatever of site, source, uploads and season is not there yet; the archive is used in place."""
    from s4c_lib.catalog.data_sources import list_sources
    from s4c_lib.catalog.parcel_sets import active_set
    from s4c_lib.catalog.seasons import list_seasons
    from s4c_lib.catalog.sites import get_site, short_names

    season = place / "season"
    with session.read() as connection:
        known = SITE in short_names(connection)
        site = get_site(connection, SITE) if known else None
        seasons = [] if site is None else [item.short_name for item in list_seasons(connection, site.id)]
        sources = {item.name for item in list_sources(connection)}
        declared = site is not None and active_set(connection, site.id, START.year) is not None
    if site is not None and not site.geometry.intersects(_extent(season / "site.geojson")):
        raise ConflictError(
            f"Site {SITE!r} is there already and lies elsewhere: another release's demo, or your own.",
            hint=f"'s4c site disable {SITE}' and 's4c site delete {SITE}' remove it",
        )
    if site is None:
        must("site", "add", "Demo", str(season / "site.geojson"))
        must("config", "set", "storage.products_path", str(place / "products"))
        # every fault that a delivery can have is in it, far more than an agency's would have
        must("config", "set", "declaration.max_reject_pct", "10", "--site", SITE)
    if SOURCE not in sources:
        wanted = [part for satellite in SATELLITES for part in ("--satellite", satellite)]
        root = str(season / "archive")
        must("source", "add", SOURCE, *wanted, "--root", root, "--mode", "check", "--site", SITE)
    if SEASON not in seasons:
        must("season", "add", SITE, SEASON, START.isoformat(), END.isoformat())
    if not declared:
        year = ("--year", str(START.year))
        columns = ("--parcel-id", "FUNCTIONEE", "--holding", "FakeBRSnr", "--crop", "GRONDBEDEK")
        must("lut", "import", SITE, str(season / "declarations" / "crop_lut.csv"), *year)
        must("declarations", "import", SITE, str(season / "declarations" / "declarations.gpkg"), *year, *columns)
    if site is None or not site.enabled:
        must("site", "enable", SITE)
    if site is not None and declared:
        note("site, source, uploads and season are there already")


def _extent(path: Path) -> BaseGeometry:
    """Outline of the season's site, longitude and latitude."""
    from shapely.geometry import shape

    return shape(json.loads(path.read_text(encoding="utf-8"))["features"][0]["geometry"])


def report(session: Session, season: Season, place: Path) -> None:
    """Print the tables of outcomes, rejections, products and jobs."""
    from s4c_lib.catalog.jobs import list_jobs
    from s4c_lib.ingest.report import explained, outcomes, rejected

    with session.read() as connection:
        found = outcomes(connection, season)
        left = rejected(connection, season)
        jobs = list_jobs(connection, season_id=season.id, processor="ingest")
    rows = [(row.kind, row.outcome, row.count, row.reason, explained(row)) for row in found]
    print_table(("kind", "outcome", "count", "reason", "which means"), rows, title="Acquisitions")
    say()
    shown = [(Path(item.path).name, item.reason, _named(item.text, Path(item.path), place)) for item in left]
    print_table(("in the archive", "reason", "what is wrong"), shown, title="Not acquisitions of this season")
    say()
    names = ("found", "fetched", "registered", "l3b", "l3b_empty", "statistics")
    runs = [
        (job.id, str(job.state), job.as_of, *(job.counts.get(name) for name in names), job.detail or "")
        for job in sorted(jobs, key=lambda job: job.id)
    ]
    print_table(("job", "state", "up to", *names, "note"), runs, title="Ingest runs")


def _named(text: str, path: Path, place: Path) -> str:
    """Shorten a message to names: everything lies in the same archive, and the first column names the thing."""
    archive = place / "season" / "archive"
    return (
        text.replace(f"{path.parent}/", "")
        .replace(f"{path.parent.relative_to(archive)}/", "")
        .replace(f"{archive}/", "")
    )


def show_results(session: Session, season: Season, place: Path) -> Path:
    """Draw NDVI maps of four clear dates and the series of a few parcels; returns the picture."""
    from s4c_lib.cli.demo_picture import draw, gather

    with session.read() as connection:
        maps, series = gather(connection, season)
    note(f"{len(maps)} maps and {len(series)} parcels")
    picture = place / "overview.png"
    draw(maps, series, picture, title=f"{season.site} {season.short_name}")
    return picture
