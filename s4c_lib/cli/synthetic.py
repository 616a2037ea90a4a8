"""``s4c synthetic``: seasons that were never observed, with their truth."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from s4c_lib.cli import synthetic_pictures, synthetic_score, synthetic_serve
from s4c_lib.cli.options import AsJson, examples, noun
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
    listed,
    tile_names,
)
from s4c_lib.errors import InputError
from s4c_lib.preprocessing.parallelism import usable_cpus
from s4c_lib.synthetic import defaults

app = noun("Seasons that were never observed: real formats, known truth. See docs/synthetic.md.")

Seed = Annotated[int, typer.Option(min=0, help="Same seed and options, same bytes.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes; default: one a core. Their number changes nothing in the result.")
]
CloudMissed = Annotated[
    float, typer.Option(min=0, max=1, help="Share of cloud that the scene classification calls clear.")
]
SoilAsCloud = Annotated[float, typer.Option(min=0, max=1, help="Share of bright bare soil that it calls cloud.")]
Mislabelled = Annotated[
    float, typer.Option(min=0, max=1, help="Share of declarations that name another crop than grows there.")
]


@app.command(
    epilog=examples(
        "s4c synthetic make --out season",
        "s4c synthetic make --out winter --start 2020-10-01 --end 2021-05-31 --parcels 300 --seed 7",
        "s4c synthetic make --out border --tiles 31UFT,31UGT --size 12000 --parcels 3000",
    )
)
def make(
    out: Folder,
    seed: Seed = 1,
    start: Start = defaults.START,
    end: End = defaults.END,
    size_m: SideMetres = defaults.SIZE_M,
    parcels: Fields = defaults.PARCELS,
    tiles: Tiles = DEFAULT_TILES,
    cloudiness: Cloudiness = defaults.CLOUDINESS,
    cloud_missed: CloudMissed = defaults.CLOUD_MISSED,
    soil_as_cloud: SoilAsCloud = defaults.SOIL_AS_CLOUD,
    mislabelled: Mislabelled = defaults.MISLABELLED,
    radar_days: RadarDays = None,
    parity: Annotated[
        bool, typer.Option("--parity", help="Also write Sentinel-1 as Sen4CAP 3.x did, into archive_parity/.")
    ] = False,
    workers: Workers = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make a season: Sentinel-2 and Sentinel-1 products, declarations, tables and the truth.

    The products lie in archive/ as a data source reads them; README.md in the folder explains every file.
    """
    from s4c_lib.synthetic.season import make_season
    from s4c_lib.synthetic.world import SeasonOptions

    options = SeasonOptions(
        seed=seed,
        start=start,
        end=end,
        size_m=size_m,
        parcels=parcels,
        tiles=tile_names(tiles),
        cloudiness=cloudiness,
        cloud_missed=cloud_missed,
        soil_as_cloud=soil_as_cloud,
        mislabelled=mislabelled,
        radar_days=radar_days,
        parity=parity,
    )
    began = time.monotonic()
    with progress("passes") as step:
        made = make_season(out, options, workers=workers or usable_cpus(), overwrite=overwrite, progress=step)
    print_record(
        {
            "folder": str(made.root),
            "parcels": made.parcels,
            "sentinel2_passes": made.optical_passes,
            "sentinel1_passes": made.radar_passes,
            "products": made.products,
            "size": made.total_bytes if as_json else size(made.total_bytes),
            "cloud_share": round(made.cloud_share, 3),
            "seconds": round(time.monotonic() - began),
        },
        as_json=as_json,
    )


@app.command(
    epilog=examples(
        "s4c synthetic series --out series --parcels 20000",
        "s4c synthetic series --out grass --parcels 1000000 --variables ndvi,coherence_vh --no-daily-lai",
    )
)
def series(
    out: Folder,
    parcels: Annotated[int, typer.Option(help="Count of parcels.")] = 20_000,
    seed: Seed = 1,
    start: Start = defaults.START,
    end: End = defaults.END,
    variables: Annotated[
        str | None,
        typer.Option(metavar="NAME[,NAME]", help="Of the observation table, such as ndvi,vv,vh; default: all."),
    ] = None,
    cloudiness: Cloudiness = defaults.CLOUDINESS,
    cloud_missed: CloudMissed = defaults.CLOUD_MISSED,
    soil_as_cloud: SoilAsCloud = defaults.SOIL_AS_CLOUD,
    mislabelled: Mislabelled = defaults.MISLABELLED,
    radar_days: RadarDays = None,
    daily_lai: Annotated[
        bool, typer.Option("--daily-lai/--no-daily-lai", help="Keep the true leaf area of every day.")
    ] = True,
    workers: Workers = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make observations per parcel by the same models without rasters, with truth: to measure accuracy and speed."""
    from s4c_lib.statistics.observation_table import VARIABLES
    from s4c_lib.synthetic.series import SeriesOptions, make_series

    names = VARIABLES if variables is None else tuple(dict.fromkeys(listed(variables.lower())))
    options = SeriesOptions(
        parcels=parcels,
        seed=seed,
        start=start,
        end=end,
        variables=names,
        cloudiness=cloudiness,
        cloud_missed=cloud_missed,
        soil_as_cloud=soil_as_cloud,
        mislabelled=mislabelled,
        radar_days=radar_days,
        daily_lai=daily_lai,
    )
    began = time.monotonic()
    with progress("chunks") as step:
        made = make_series(out, options, workers=workers or usable_cpus(), overwrite=overwrite, progress=step)
    print_record(
        {
            "folder": str(made.root),
            "parcels": made.parcels,
            "observations": made.observations,
            "size": made.total_bytes if as_json else size(made.total_bytes),
            "seconds": round(time.monotonic() - began),
        },
        as_json=as_json,
    )


@app.command(
    epilog=examples(
        "s4c synthetic declarations --out country.gpkg --parcels 500000",
        "s4c synthetic declarations --out delivery.zip --parcels 6000 --faults",
    )
)
def declarations(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="GeoPackage (.gpkg) or zipped Shapefile (.zip).")],
    parcels: Annotated[int, typer.Option(min=1, help="Count of fields.")] = 6000,
    seed: Seed = 1,
    epsg: Annotated[int, typer.Option(help="UTM zone of the country.")] = 32631,
    west: Annotated[float, typer.Option(help="Western border, metres.")] = 610_000,
    north: Annotated[float, typer.Option(help="Northern border, metres.")] = 5_790_000,
    faults: Annotated[bool, typer.Option("--faults", help="Deliver faulty rows beside the true ones.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a declaration file of any size, without images: for tests of imports (500 000 parcels take a minute)."""
    from s4c_lib.synthetic.landscape.declarations import grid_for, write_parcels_only

    if out.exists():
        raise InputError(f"{out} exists", hint="give a new name")
    if not (32601 <= epsg <= 32660 or 32701 <= epsg <= 32760):
        raise InputError(f"EPSG:{epsg} is no UTM zone of WGS 84", hint="--epsg 32631")
    made = write_parcels_only(grid_for(parcels, west, north, epsg), parcels, out, seed, faults=faults)
    print_record({"file": str(out), "parcels": made.parcels, "rows": made.rows, "faults": made.faults}, as_json=as_json)


synthetic_pictures.register(app)
synthetic_serve.register(app)
synthetic_score.register(app)
