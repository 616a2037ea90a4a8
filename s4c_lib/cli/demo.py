"""``s4c demo``: a small archive, a site and a past season, ingested through Airflow, step by step as a user would."""

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
from s4c_lib.errors import EXIT_DONE, EXIT_NOTHING_TO_DO, Sen4capError

if TYPE_CHECKING:
    from s4c_lib.catalog.seasons import Season

SITE, SEASON, SOURCE = "demo", "2025", "demo_archive"
START, END = date(2025, 3, 1), date(2025, 9, 30)
# East of Brussels: the overlap of two tiles.
EXTENT = [[4.55, 50.60], [4.80, 50.60], [4.80, 50.80], [4.55, 50.80], [4.55, 50.60]]
SATELLITES = ("s1", "s2", "l8")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("demo", epilog=examples("make demo", "s4c demo --folder /tmp/demo"))(demo)


def demo(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Option(help="Where archive and downloads go; default: beside the DAG manifest.")
    ] = None,
) -> None:
    """Show the system at work: make a small archive and ingest a past season of it through Airflow.

    Every step is a command you could type; each is shown. A second call goes on where the first ended.
    """
    began = time.monotonic()
    session = session_of(context)
    place = (folder or session.settings.manifest_path.parent / "demo").resolve()
    step("1  A small archive: products with real names and valid minimal content, and some deliberate faults")
    make_archive_once(place)
    step("2  The site, its archive and a season")
    set_up(session, place)
    step("3  The season's ingest, as an Airflow backfill through its REST API")
    went_on = finish_earlier(session)
    code = s4c("season", "backfill", SITE, SEASON, "--processor", "ingest", "--wait")
    if code not in {EXIT_DONE, EXIT_NOTHING_TO_DO}:
        raise Sen4capError(
            f"The backfill ended with exit code {code}.",
            hint=f"see 's4c jobs list --site {SITE}' and the logs in Airflow; a second call goes on",
        )
    step("4  What was found, fetched and ignored, and why")
    with session.read() as connection:
        from s4c_lib.catalog.seasons import get_season
        from s4c_lib.catalog.sites import get_site

        season = get_season(connection, get_site(connection, SITE), SEASON)
    report(session, season, place)
    nothing_new = " Nothing was left to do." if code == EXIT_NOTHING_TO_DO and not went_on else ""
    say(f"\nDone in {time.monotonic() - began:.0f} s.{nothing_new} Go on with:")
    say(f"  s4c acquisitions list {SITE} {SEASON}     every acquisition, what happened and what happens next")
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


def make_archive_once(place: Path) -> None:
    """Make the archive, or keep the complete one an earlier call made."""
    from shapely.geometry import Polygon

    from s4c_lib.geography.sentinel2_tiles import select_tiles
    from s4c_lib.synthetic.archive import make_archive

    complete = place / "archive.complete"
    if complete.exists():
        note(f"{place / 'archive'} is there already: {complete.read_text(encoding='utf-8').strip()}")
        return
    tiles = [item.tile.tile_id for item in select_tiles(Polygon(EXTENT), 1.0) if item.selected]
    made = make_archive(place / "archive", seed=2025, start=START, end=END, tiles=tiles)
    text = f"{len(made.products)} products, {len(made.faults)} faults, {made.total_bytes / 1e6:.0f} MB"
    extent = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [EXTENT]}}
    (place / "extent.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": [extent]}), encoding="utf-8"
    )
    complete.write_text(text + "\n", encoding="utf-8")
    note(f"{made.root}: {text}")


def set_up(session: Session, place: Path) -> None:
    """Make whatever of site, source and season is not there yet; the archive is used in place."""
    from s4c_lib.catalog.data_sources import list_sources
    from s4c_lib.catalog.seasons import list_seasons
    from s4c_lib.catalog.sites import get_site, short_names

    with session.read() as connection:
        known = SITE in short_names(connection)
        site = get_site(connection, SITE) if known else None
        seasons = [] if site is None else [item.short_name for item in list_seasons(connection, site.id)]
        sources = {item.name for item in list_sources(connection)}
    if site is None:
        must("site", "add", "Demo", str(place / "extent.geojson"))
    if SOURCE not in sources:
        wanted = [part for satellite in SATELLITES for part in ("--satellite", satellite)]
        root = str(place / "archive")
        must("source", "add", SOURCE, *wanted, "--root", root, "--mode", "check", "--site", SITE)
    if SEASON not in seasons:
        must("season", "add", SITE, SEASON, START.isoformat(), END.isoformat())
    if site is None or not site.enabled:
        must("site", "enable", SITE)
    if site is not None and SEASON in seasons:
        note("site, source and season are there already")


def report(session: Session, season: Season, place: Path) -> None:
    """Print the tables of outcomes, rejections and jobs."""
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
    runs = [
        (job.id, str(job.state), job.as_of, job.counts.get("found"), job.counts.get("fetched"), job.detail or "")
        for job in sorted(jobs, key=lambda job: job.id)
    ]
    print_table(("job", "state", "up to", "found", "fetched", "note"), runs, title="Ingest runs")


def _named(text: str, path: Path, place: Path) -> str:
    """Shorten a message to names: everything lies in the same archive, and the first column names the thing."""
    archive = place / "archive"
    return (
        text.replace(f"{path.parent}/", "")
        .replace(f"{path.parent.relative_to(archive)}/", "")
        .replace(f"{archive}/", "")
    )
