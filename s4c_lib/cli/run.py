"""``s4c run``: the processors by hand, on files, without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from s4c_lib.cli import run_l4a, run_l4b, run_l4c, run_s1
from s4c_lib.cli.options import AsJson, examples, noun
from s4c_lib.cli.run_by_hand import Out, Products, Profile, Results, Setting, each, parameters
from s4c_lib.errors import InputError

app = noun("Processors by hand, on files: no site, no season, no database.")

Tiles = Annotated[
    list[str] | None,
    typer.Option("--tile", metavar="TILE", help="Of Landsat or an old multi-tile product: this Sentinel-2 tile."),
]


@app.command(
    epilog=examples(
        "s4c run l2a S2A_MSIL2A_20210502T104021_N0500_R008_T31UFS_20210502T130000.SAFE --out l2a",
        "s4c run l2a S2A_MSIL1C_*.zip --executor sen2cor --set processor.l2a.sen2cor.gipp-path=gipp --out l2a",
    )
)
def l2a(
    product: Products,
    out: Out,
    executor: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of Level-1C: maja or sen2cor; its program is set in the environment."),
    ] = None,
    previous: Annotated[
        Path | None, typer.Option(metavar="DIR", help="MAJA's own product of the date before; none starts a chain.")
    ] = None,
    keep_work: Annotated[bool, typer.Option("--keep-work", help="Leave the work folders, below --out/work.")] = False,
    tile: Tiles = None,
    profile: Profile = "default",
    setting: Setting = None,
    as_json: AsJson = False,
) -> None:
    """Publish L2A as cloud-optimised GeoTIFF: delivered SAFE or MUSCATE, or what a program makes of Level-1C.

    Each becomes a folder with masks, angles, quicklook and a STAC item; one that is there already is left as it is.
    """
    from s4c_lib.cli.run_l2a import Publication

    values = parameters(profile, setting)
    wanted = [name.upper().removeprefix("T") for name in tile or []]
    publication = Publication(values, out, executor, previous, wanted, keep_work)
    each("L2A", product, publication.publish, as_json=as_json)


@app.command(
    epilog=examples(
        "s4c run l3b S2A_MSIL2A_20210502T104021_N0500_R008_T31UFS_20210502T130000.SAFE --out l3b",
        "s4c run l3b l2a/*/ --out l3b --set processor.l3b.model_set=sl2p_v3_20m",
        "s4c run l3b LC08_L2SP_198024_20210509_20210518_02_T1.tar --tile 31UFS --out l3b",
    )
)
def l3b(
    product: Products,
    out: Out,
    tile: Tiles = None,
    profile: Profile = "default",
    setting: Setting = None,
    as_json: AsJson = False,
) -> None:
    """Make L3B (NDVI, LAI, FAPAR, FCOVER) of L2A products: Sentinel-2 SAFE or MUSCATE, Landsat, or published L2A.

    Each becomes a folder of cloud-optimised GeoTIFF with flags and a STAC item; one that is there is replaced.
    """
    from s4c_lib.geography.sentinel2_tiles import tile as sentinel2_tile
    from s4c_lib.products.l3b import L3bOptions, make_l3b
    from s4c_lib.readers.recognise import read_scene

    values = parameters(profile, setting)
    options = L3bOptions.of(values.values, values.hash_for("l3b"))
    wanted = [name.upper().removeprefix("T") for name in tile or []]

    def one(place: Path, results: Results) -> None:
        landsat = place.name.upper().startswith(("LC08", "LC09"))
        if landsat and not wanted:
            raise InputError(f"{place.name} is put on the grid of Sentinel-2 tiles.", hint="name them with --tile")
        names: list[str | None] = [*wanted] or [None]
        for name in names:
            grid = sentinel2_tile(name) if landsat and name is not None else None
            scene = read_scene(place, tile=name, on_grid_of=grid)
            made = make_l3b(scene, out, options, site="by_hand", now=datetime.now(UTC))
            valid = made.percentages.get("valid")
            results.done(
                place.name, made.status, str(made.folder), valid_pct=None if valid is None else round(valid, 1)
            )

    each("L3B", product, one, as_json=as_json)


@app.command(
    epilog=examples(
        "s4c run statistics l3b/2021/05/S4C_L3B_* --parcels parcels.gpkg --out statistics",
        "s4c run statistics S1A_L2_BCK_20210502T055000_VV_037_31UFS.tif --parcels parcels.gpkg --id NewID --out s",
    )
)
def statistics(
    product: Products,
    out: Out,
    parcels: Annotated[Path, typer.Option(metavar="FILE", help="Polygons: GeoPackage, Shapefile, GeoParquet.")],
    identifier: Annotated[
        str, typer.Option("--id", metavar="COLUMN", help="Column with a number above 0 for each parcel.")
    ] = "NewID",
    profile: Profile = "default",
    setting: Setting = None,
    as_json: AsJson = False,
) -> None:
    """Statistics of parcels: of L3B products, of bands of published L2A (see --set), of Sentinel-1 level-2 rasters.

    Writes files of the statistics store below --out and one table of them all, observations.parquet.
    """
    from s4c_lib.extraction.by_hand import extract, read_outlines, write_table
    from s4c_lib.extraction.pixel_indexes import PixelIndexes

    values = parameters(profile, setting)
    outlines = read_outlines(parcels, identifier)
    indexes = PixelIndexes(0, lambda: outlines)
    files: list[Path] = []

    def one(place: Path, results: Results) -> None:
        for variable, stored in extract(place, indexes, out, values):
            files.append(stored.path)
            results.done(place.name, variable, str(stored.path), rows=stored.rows)

    table = out / "observations.parquet"
    each("statistics", product, one, as_json=as_json, afterwards=lambda: write_table(files, table))


run_s1.register(app)
run_l4a.register(app)
run_l4b.register(app)
run_l4c.register(app)
