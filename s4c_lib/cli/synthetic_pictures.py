"""``s4c synthetic pictures``: a season as pictures, for people to judge it by."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from s4c_lib.cli.options import AsJson, day, examples
from s4c_lib.cli.output import print_record, progress, size
from s4c_lib.synthetic import defaults


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "s4c synthetic pictures --out pictures",
            "s4c synthetic pictures --out dry --seed 7 --start 2022-03-01 --end 2022-10-31 --cloudiness 0.3",
        )
    )(pictures)


def pictures(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New or empty folder; it appears when complete.")],
    seed: Annotated[int, typer.Option(min=0, help="Same seed and options, same season.")] = 1,
    start: Annotated[date, typer.Option("--start", parser=day, metavar="DATE", help="First day.")] = defaults.START,
    end: Annotated[date, typer.Option("--end", parser=day, metavar="DATE", help="Last day, included.")] = defaults.END,
    size_m: Annotated[
        int, typer.Option("--size", metavar="METRES", help="Side of the window, a multiple of 60.")
    ] = defaults.SIZE_M,
    parcels: Annotated[int, typer.Option(help="Count of fields.")] = defaults.PARCELS,
    tiles: Annotated[
        str, typer.Option(metavar="TILE[,TILE]", help="Neighbouring Sentinel-2 tiles of one UTM zone.")
    ] = ",".join(defaults.TILES),
    cloudiness: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the ground under cloud, mean of the dates.")
    ] = defaults.CLOUDINESS,
    radar_days: Annotated[
        int | None, typer.Option(help="Repeat of Sentinel-1, 6 or 12 days; default: by the satellites that flew.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier call made there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw a season: parcels with their events, maps, clouds, all crops; no product is written.

    The options mean what they do for `s4c synthetic make`, whose other options are at their defaults here.
    """
    from s4c_lib.synthetic.pictures.album import make_pictures
    from s4c_lib.synthetic.world import SeasonOptions

    options = SeasonOptions(
        seed=seed,
        start=start,
        end=end,
        size_m=size_m,
        parcels=parcels,
        tiles=tuple(name.strip().upper().removeprefix("T") for name in tiles.split(",") if name.strip()),
        cloudiness=cloudiness,
        radar_days=radar_days,
    )
    began = time.monotonic()
    with progress("pictures") as step:
        made = make_pictures(out, options, overwrite=overwrite, progress=step)
    print_record(
        {
            "folder": str(made.root),
            "pictures": len(made.files),
            "size": made.total_bytes if as_json else size(made.total_bytes),
            "seconds": round(time.monotonic() - began),
        },
        as_json=as_json,
    )
