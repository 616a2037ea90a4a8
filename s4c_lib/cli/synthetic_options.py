"""Options of a synthetic season that several commands take."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from s4c_lib.cli.options import day
from s4c_lib.synthetic import defaults

Folder = Annotated[Path, typer.Option("--out", metavar="DIR", help="New or empty folder; it appears when complete.")]
Start = Annotated[date, typer.Option("--start", parser=day, metavar="DATE", help="First day.")]
End = Annotated[date, typer.Option("--end", parser=day, metavar="DATE", help="Last day, included.")]
SideMetres = Annotated[int, typer.Option("--size", metavar="METRES", help="Side of the window, a multiple of 60.")]
Fields = Annotated[int, typer.Option(help="Count of fields.")]
Tiles = Annotated[str, typer.Option(metavar="TILE[,TILE]", help="Neighbouring Sentinel-2 tiles of one UTM zone.")]
DEFAULT_TILES: Final = ",".join(defaults.TILES)
Cloudiness = Annotated[float, typer.Option(min=0, max=1, help="Share of the ground under cloud, mean of the dates.")]
RadarDays = Annotated[
    int | None, typer.Option(help="Repeat of Sentinel-1, 6 or 12 days; default: by the satellites that flew.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier call made there.")]


def listed(text: str) -> list[str]:
    """Names written with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def tile_names(text: str) -> tuple[str, ...]:
    """Tiles written with commas, with or without their T."""
    return tuple(name.upper().removeprefix("T") for name in listed(text))
