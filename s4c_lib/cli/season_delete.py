"""``s4c season delete``: a season with its runs; its products stay for retention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, SeasonName, SiteName, examples
from s4c_lib.cli.output import note, plain, print_record
from s4c_lib.cli.session import named_season, session_of
from s4c_lib.errors import ConflictError

if TYPE_CHECKING:
    from s4c_lib.deletion.stages import SeasonDeletion


def register(app: typer.Typer) -> None:
    """Add the command to ``s4c season``."""
    app.command(epilog=examples("s4c season delete my_region 2024", "s4c season delete my_region 2024 --yes"))(delete)


def delete(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it, only say what would go.")] = False,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long runs may take to end that are under way.")
    ] = 60,
    as_json: AsJson = False,
) -> None:
    """Delete a season: jobs, query windows, waivers, its own parameters. Without --yes nothing is changed.

    Acquisitions that no other season of the site uses are left out from now on. Products stay, and files of both until
    retention removes them. From the first moment nothing of the season starts any more, and runs under way are ended.
    """
    from s4c_lib.catalog import season_deletion
    from s4c_lib.deletion import stages

    session = session_of(context)
    if not yes:
        with session.read() as connection:
            _, season = named_season(connection, site_name, season_name)
        planned = stages.plan_season(session.database, season, now=session.now())
        print_record(_record(season.site, season.short_name, planned, deleted=False), as_json=as_json)
        note(f"nothing was deleted; 's4c season delete {site_name} {season_name} --yes' does it")
        return
    with session.change() as connection:
        _, season = named_season(connection, site_name, season_name)
        season_deletion.begin(connection, season, actor=session.actor)
    done = stages.delete_season(session.database, season, session.settings, now=session.now(), wait_seconds=wait)
    session.export()
    print_record(_record(season.site, season.short_name, done, deleted=not done.waits_for), as_json=as_json)
    if done.waits_for:
        raise ConflictError(
            f"Season {season.site}/{season.short_name} is being deleted, but {done.waits_for[0]} is under way.",
            hint="when it has ended, repeat this command, or leave it to s4c__retention",
        )
    note(f"season {season.short_name} of site {season.site} is deleted; retention looks after its products")


def _record(site: str, season: str, found: SeasonDeletion, *, deleted: bool) -> dict[str, Any]:
    rows = plain(found.rows)
    products = rows.pop("products")
    acquisitions = rows.pop("acquisitions")
    return {
        "site": site,
        "season": season,
        "deleted": deleted,
        **rows,
        "acquisitions_left_out": acquisitions,
        "products_that_stay": products,
    }
