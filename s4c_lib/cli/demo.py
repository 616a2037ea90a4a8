"""``s4c demo``: a season from its first image to a scorecard, step by step as a user would."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from s4c_lib.cli.demo_commands import backfill, step
from s4c_lib.cli.demo_products import draw_products, show_costs, show_files, waive_what_is_broken
from s4c_lib.cli.demo_season import SEASON, SITE, make_season_once, set_up
from s4c_lib.cli.options import examples
from s4c_lib.cli.output import note, print_table, say
from s4c_lib.cli.session import Session, named_season, session_of
from s4c_lib.cli.synthetic_score import print_scorecard, scorecard_of
from s4c_lib.processors import L4_PROCESSORS

if TYPE_CHECKING:
    from s4c_lib.airflow_api import AirflowApi
    from s4c_lib.catalog.seasons import Season

_COMMAND_WIDTH: Final = 40


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("demo", epilog=examples("make demo", "s4c demo --folder /tmp/demo"))(demo)


def demo(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Option(help="Where archive and products go; default: beside the DAG manifest.")
    ] = None,
) -> None:
    """Show the system at work: make a season that nobody observed, run it through Airflow, and judge what comes out.

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
    new = finish_earlier(session, ("ingest",))
    new |= backfill(session, SITE, SEASON, "ingest")
    step("4  What was found, what was made of it, and what was left out and why")
    with session.read() as connection:
        _, season = named_season(connection, SITE, SEASON)
    report(session, season, place)
    step("5  Crop types, mowings and practices at the season's end, as Airflow backfills")
    waive_what_is_broken(session, season)
    new |= finish_earlier(session, L4_PROCESSORS)
    new |= backfill(session, SITE, SEASON, *L4_PROCESSORS)
    step("6  The products against the truth, which only a made-up season has")
    note(f"$ s4c synthetic score {SITE} {SEASON} --truth {place / 'season'}")
    print_scorecard(scorecard_of(session, SITE, SEASON, place / "season"))
    step("7  Where everything is, and what it took")
    pictures = [show_results(session, season, place), draw_products(session, season, place)]
    show_files(session, season)
    say()
    show_costs(session, season)
    nothing_new = "" if new else " Nothing was left to do."
    say(f"\nDone in {time.monotonic() - began:.0f} s.{nothing_new} Look at:")
    for picture in pictures:
        if picture is not None:
            say(f"  {picture}")
    say("and go on with:")
    for command, what in (
        ("make up", "the same system, left running: prints the address of its user interface, user and password"),
        ('eval "$(make -s env)"', "gives a shell the command s4c and its addresses; then:"),
        (f"s4c acquisitions list {SITE} {SEASON}", "every acquisition, what happened and what happens next"),
        (f"s4c products list {SITE} --type s4c_l4a", "products with their folders"),
        (f"s4c season readiness {SITE} {SEASON}", "what each processor still waits for"),
        ("s4c status", "one screen for all sites"),
        (session.settings.airflow_url, "the user interface, while this system runs"),
    ):
        say(f"  {command.ljust(_COMMAND_WIDTH)}  {what}")


def finish_earlier(session: Session, processors: tuple[str, ...]) -> bool:
    """Wait for the backfills an interrupted call left, which Airflow goes on with; True when a run of them was left."""
    from s4c_lib.airflow_api import AirflowApi
    from s4c_lib.catalog.manifest_export import dag_id

    names = {dag_id(SITE, SEASON, processor) for processor in processors}
    with AirflowApi.from_settings(session.settings) as api:
        return wait_for_earlier(api, sorted(names & set(api.dag_ids())))


def wait_for_earlier(api: AirflowApi, dags: Sequence[str], sleep: Callable[[float], None] = time.sleep) -> bool:
    """Wait until no backfill of these DAGs is under way; True when a run of them was."""
    unfinished, said = False, ""
    while under_way := [name for name in dags if api.backfills(name, active=True)]:
        at_work = any(api.has_active_runs(name) for name in under_way)
        unfinished |= at_work
        # a call that was stopped right after the last run leaves a backfill that Airflow has not closed yet
        text = f"an earlier backfill is {'under way' if at_work else 'being closed by Airflow'}: waiting for its end"
        if text != said:
            note(text)
            said = text
        sleep(2)
    return unfinished


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
