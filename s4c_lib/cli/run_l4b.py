"""``s4c run l4b``: mowing of parcels from a file of observations."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from s4c_lib.cli.options import AsJson, day, examples
from s4c_lib.cli.output import print_record, progress, warn
from s4c_lib.cli.run_by_hand import Out, Profile, Setting, parameters


def register(app: typer.Typer) -> None:
    """Add the command to the noun ``run``."""
    app.command(
        "l4b",
        epilog=examples(
            "s4c run l4b --observations observations.csv --parcels parcels.csv --out mowing",
            "s4c run l4b --observations obs.parquet --parcels parcels.csv --config l4b_2026.cfg --out mowing",
            "s4c run l4b --observations obs.csv --start 2026-04-01 --end 2026-10-31 --plot 4711 --plot 4712 --out m",
            "s4c run l4b --observations obs.parquet --profile reference "
            "--set processor.s4c_l4b.input_product_types=S2 --out sen4cap",
        ),
    )(l4b)


def l4b(
    observations: Annotated[
        list[Path],
        typer.Option(
            "--observations",
            metavar="FILE",
            help="CSV or Parquet with parcel_id, time, variable (ndvi, coherence_vh, coherence_vv) and mean; orbit, n, "
            "n_total, previous_time, direction and platform where there are any. Repeatable, or a folder of such "
            "files. Dates are 2026-05-02 or 2026-05-02T10:46:12Z.",
        ),
    ],
    out: Out,
    parcels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="CSV or Parquet with parcel_id and crop; without it, all parcels of the observations."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="L4B configuration, Sen4CAP's or ours; without it, the defaults."),
    ] = None,
    lut: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Crop code table, to look at grassland only (LC 3, or CTNUM_FILTER of --config). Without it, every "
            "parcel is grassland.",
        ),
    ] = None,
    start: Annotated[
        date | None,
        typer.Option(
            parser=day, metavar="DATE", help="First day on which mowing is looked for; default: the first observation."
        ),
    ] = None,
    end: Annotated[
        date | None, typer.Option(parser=day, metavar="DATE", help="Last such day; default: the last observation.")
    ] = None,
    plot: Annotated[
        list[str] | None,
        typer.Option("--plot", metavar="ID", help="Draw this parcel (parcel_id or ori_id) as plot_ID.png; repeatable."),
    ] = None,
    profile: Profile = "default",
    setting: Setting = None,
    as_json: AsJson = False,
) -> None:
    """Detect mowing from NDVI of clear dates, coherence, or both.

    Writes events.csv (parcel_id, start, end, confidence, missions, n), events.parquet (the same, with the observations
    that made each event), parcels.csv (a row for each parcel: events, gaps, compliance, why not) and l4b_config.cfg
    (every value it worked with; give it to --config to repeat the run). NDVI is -1 to 1, times are UTC.
    """
    from s4c_lib.l4.mowing_by_hand import detect_by_hand, prepare, read_files

    values = parameters(profile, setting)
    own = [text.partition("=")[0].strip() for text in setting or []]
    with progress("l4b") as step:
        given = read_files(observations, parcels, step, warn)
        run = prepare(given, values, warn, own=own, config=config, lut=lut, first=start, last=end)
        record = detect_by_hand(run, out, plot or [], step)
    print_record(record, as_json=as_json)
