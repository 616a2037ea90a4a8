"""``s4c synthetic pictures``: a season as pictures, for people to judge it by."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from s4c_lib.cli.options import AsJson, examples
from s4c_lib.cli.output import print_record, progress, size
from s4c_lib.cli.synthetic_options import (
    DEFAULT_TILES,
    Cloudiness,
    End,
    Fields,
    Folder,
    Overwrite,
    RadarDays,
    SideMetres,
    Start,
    Tiles,
    tile_names,
)
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
    out: Folder,
    seed: Annotated[int, typer.Option(min=0, help="Same seed and options, same season.")] = 1,
    start: Start = defaults.START,
    end: End = defaults.END,
    size_m: SideMetres = defaults.SIZE_M,
    parcels: Fields = defaults.PARCELS,
    tiles: Tiles = DEFAULT_TILES,
    cloudiness: Cloudiness = defaults.CLOUDINESS,
    radar_days: RadarDays = None,
    overwrite: Overwrite = False,
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
        tiles=tile_names(tiles),
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
