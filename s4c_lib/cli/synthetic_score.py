"""``s4c synthetic score``: the products of a season against the truth it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s4c_lib.cli.options import AsJson, SeasonName, SiteName, examples
from s4c_lib.cli.output import print_json, print_table, say
from s4c_lib.cli.session import Session, named_season, session_of

if TYPE_CHECKING:
    from s4c_lib.scorecard.figures import Scorecard


def register(app: typer.Typer) -> None:
    """Add the command to the noun ``synthetic``."""
    app.command(
        epilog=examples(
            "s4c synthetic score demo 2025 --truth .local/demo/season",
            "s4c synthetic score demo 2025 --truth .local/demo/season --json",
        )
    )(score)


def score(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    truth: Annotated[Path, typer.Option(metavar="FOLDER", help="What 's4c synthetic make' wrote.")],
    as_json: AsJson = False,
) -> None:
    """Compare the products in force of a season with the truth of the synthetic season it was made from.

    They show that the software does what it should, not how good it is in a real country.
    """
    found = scorecard_of(session_of(context), site_name, season_name, truth)
    if as_json:
        print_json(found.as_json())
    else:
        print_scorecard(found)


def scorecard_of(session: Session, site_name: str, season_name: str, truth: Path) -> Scorecard:
    """Judge the products of a season."""
    from s4c_lib.catalog.config_values import snapshot
    from s4c_lib.scorecard.season import season_scorecard
    from s4c_lib.scorecard.truth import read_truth

    known = read_truth(truth)
    with session.read() as connection:
        site, season = named_season(connection, site_name, season_name)
        parameters = snapshot(connection, today=session.today(), site=site, season=season)
        return season_scorecard(connection, season, known, Path(parameters["storage.products_path"]))


def print_scorecard(found: Scorecard) -> None:
    """Print figures as a table, then what there are none of, and why."""
    rows = [(one.product, one.name, one.shown, one.n, one.meaning) for one in found.figures]
    print_table(("product", "figure", "value", "of", "which means"), rows, title="Scorecard")
    for what, why in sorted(found.absent.items()):
        say(f"no figures of {what}: {why}")
