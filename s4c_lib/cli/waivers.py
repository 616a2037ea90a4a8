"""``s4c season waive``, ``waivers`` and ``unwaive``: what runs go without, by an operator's decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, SeasonName, SiteName, examples, processor
from s4c_lib.cli.output import print_record, print_records, say
from s4c_lib.cli.session import named_season, session_of

if TYPE_CHECKING:
    from s4c_lib.catalog.waivers import Waiver


def register(app: typer.Typer) -> None:
    """Add the commands to the noun ``season``."""
    app.command(
        "waive",
        epilog=examples(
            "s4c season waive my_region 2026 l4c --acquisition S2A_MSIL2A_20260506T... --reason 'unreadable at source'",
            "s4c season waive my_region 2026 l4a --product S2A_MSIL2A_20260506T... --reason 'no L3B can be made'",
        ),
    )(waive)
    app.command(
        "waivers", epilog=examples("s4c season waivers my_region 2026", "s4c season waivers my_region 2026 --all")
    )(waivers)
    app.command("unwaive", epilog=examples("s4c season unwaive my_region 2026 3"))(unwaive)


def waive(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    of: Annotated[str, typer.Argument(parser=processor, metavar="PROCESSOR", help="Whose runs go without it.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is written into the products.")],
    acquisition: Annotated[
        str | None, typer.Option(metavar="NAME", help="An acquisition that failed or never comes.")
    ] = None,
    product: Annotated[
        str | None, typer.Option(metavar="NAME", help="A product of which L3B or statistics are missing.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let the runs of a processor go without an acquisition, or without what is missing of a product.

    It no longer holds them back (rules R2, R3, R6); what there is of it is read all the same. The products list it.
    """
    from s4c_lib.catalog.waivers import add_waiver

    session = session_of(context)
    with session.read() as connection:
        _, season = named_season(connection, site_name, season_name)
        made = add_waiver(
            connection, season, of, reason=reason, actor=session.actor, acquisition=acquisition, product=product
        )
    print_record(_record(made), as_json=as_json)


def waivers(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    only: Annotated[
        str | None, typer.Argument(parser=processor, metavar="PROCESSOR", help="Only of this processor.")
    ] = None,
    withdrawn: Annotated[bool, typer.Option("--all", help="Also those that were withdrawn.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what runs of a season go without, who decided it, when and why."""
    from s4c_lib.catalog.waivers import list_waivers

    with session_of(context).read() as connection:
        _, season = named_season(connection, site_name, season_name)
        found = list_waivers(connection, season.id, only, withdrawn=withdrawn)
    columns = {
        "id": "id",
        "processor": "processor",
        "what": "what",
        "name": "name",
        "reason": "reason",
        "created_by": "by",
        "created_at": "on",
    }
    if withdrawn:
        columns |= {"withdrawn_by": "withdrawn by", "withdrawn_at": "withdrawn on"}
    print_records([_record(item) for item in found], columns, as_json=as_json, none="nothing is waived")


def unwaive(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    number: Annotated[int, typer.Argument(metavar="ID", help="Number of the waiver.")],
) -> None:
    """Withdraw a waiver: runs wait again for what it was for. It stays on record."""
    from s4c_lib.catalog.waivers import withdraw

    session = session_of(context)
    with session.read() as connection:
        _, season = named_season(connection, site_name, season_name)
        taken = withdraw(connection, season, number, actor=session.actor)
    say(f"waiver {taken.id} ({taken.acquisition or taken.product}) is withdrawn by {session.actor}")


def _record(waiver: Waiver) -> dict[str, Any]:
    return {
        "id": waiver.id,
        "processor": waiver.processor,
        "what": "acquisition" if waiver.product is None else "product",
        "name": waiver.acquisition or waiver.product,
        "time": waiver.time,
        "reason": waiver.reason,
        "created_by": waiver.created_by,
        "created_at": waiver.created_at,
        "withdrawn_by": waiver.withdrawn_by,
        "withdrawn_at": waiver.withdrawn_at,
    }
