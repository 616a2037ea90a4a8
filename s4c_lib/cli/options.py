"""Arguments and options that several commands share, and how their texts are read."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

import typer

from s4c_lib.processors import L4_PROCESSORS


def examples(*commands: str) -> str:
    """Return the examples of a command's help."""
    return "\n\n".join([f"Example{'s' if len(commands) > 1 else ''}:", *commands])


def noun(help_text: str) -> typer.Typer:
    """Return the command group of a noun."""
    return typer.Typer(help=help_text, no_args_is_help=True)


def day(text: Any) -> date:
    """Read a date: 2026-04-01 or 20260401."""
    if isinstance(text, date):
        return text
    try:
        return date.fromisoformat(str(text))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date; write it as 2026-04-01") from error


def processor(text: Any) -> str:
    """Read the name of an L4 processor: ``s4c_l4a`` or ``l4a``."""
    name = str(text).strip().lower()
    for known in L4_PROCESSORS:
        if name in {known, known.removeprefix("s4c_")}:
            return known
    raise typer.BadParameter(f"{text!r} is no processor; choose from {', '.join(L4_PROCESSORS)}")


def any_processor(text: Any) -> str:
    """Read the name of a processor with runs: ``ingest`` or an L4 processor."""
    if str(text).strip().lower() == "ingest":
        return "ingest"
    try:
        return processor(text)
    except typer.BadParameter as error:
        choices = ", ".join(("ingest", *L4_PROCESSORS))
        raise typer.BadParameter(f"{text!r} is no processor; choose from {choices}") from error


def tile(text: Any) -> str:
    """Read a tile: 31UFS or T31UFS of Sentinel-2, 198024 of Landsat."""
    name = str(text).strip().upper().removeprefix("T")
    if re.fullmatch(r"\d{2}[A-Z]{3}|\d{6}", name) is None:
        raise typer.BadParameter(f"{text!r} is no tile; write it as 31UFS or, of Landsat, 198024")
    return name


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SiteName = Annotated[str, typer.Argument(metavar="SITE", help="Name or short name of the site.")]
SeasonName = Annotated[str, typer.Argument(metavar="SEASON", help="Name or short name of the season.")]
OfSite = Annotated[str | None, typer.Option("--site", metavar="SITE", help="Of this site.")]
OfSeason = Annotated[str | None, typer.Option("--season", metavar="SEASON", help="Of this season; needs --site.")]
StartDay = Annotated[date, typer.Argument(parser=day, metavar="START", help="First day, 2026-04-01.")]
EndDay = Annotated[date, typer.Argument(parser=day, metavar="END", help="Last day, included.")]
MidDay = Annotated[
    date | None,
    typer.Option("--mid", parser=day, metavar="DATE", help="Day of the first crop type run; default: the middle."),
]
OfTiles = Annotated[
    list[str] | None,
    typer.Option("--tile", parser=tile, metavar="TILE", help="Only of this tile, 31UFS; repeatable."),
]
OfOrbits = Annotated[
    list[int] | None,
    typer.Option("--orbit", min=1, max=233, metavar="N", help="Only of this relative orbit; repeatable."),
]
OfSatellites = Annotated[
    list[str] | None, typer.Option("--satellite", metavar="SATELLITE", help="Only s1, s2, l8 or l9; repeatable.")
]
FromDay = Annotated[
    date | None, typer.Option("--from", parser=day, metavar="DATE", help="Sensed on this day or later.")
]
ToDay = Annotated[date | None, typer.Option("--to", parser=day, metavar="DATE", help="Sensed on this day or before.")]
