"""``s4c run l4a`` and ``s4c run diversification``: crop types from files, without a database."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, day, examples
from s4c_lib.cli.output import Step, print_record, progress, warn
from s4c_lib.cli.run_by_hand import Out, Profile, Setting, parameters
from s4c_lib.errors import InputError

if TYPE_CHECKING:
    from s4c_lib.parameters import Snapshot

_LUT = Annotated[
    Path, typer.Option("--lut", metavar="FILE", help="Crop code table: Ori_crop, LC, CTnumL4A, CTnumDIV, flags.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the noun ``run``."""
    app.command(
        "l4a",
        epilog=examples(
            "s4c run l4a --observations observations.parquet --parcels parcels.csv --lut lut.csv --out crops",
            "s4c run l4a --observations obs.csv --parcels parcels.csv --lut lut.csv --folds 5 --out crops",
            "s4c run l4a --observations obs/ --parcels p.csv --lut lut.csv --end 2026-06-30 "
            "--set processor.s4c_l4a.pa-min=10 --out june",
            "s4c run l4a --observations obs.parquet --parcels p.csv --lut lut.csv --profile reference --out sen4cap",
        ),
    )(l4a)
    app.command(
        "diversification",
        epilog=examples(
            "s4c run diversification crops/CropType.csv --lut crops/CropType_LUT.csv --out diversification",
            "s4c run diversification CropType.csv --lut CropType_LUT.csv --organic organic.csv "
            "--set processor.s4c_l4a.diversification_ruleset=eu_2015 --out diversification",
        ),
    )(diversification)


def l4a(
    observations: Annotated[
        list[Path],
        typer.Option(
            "--observations",
            metavar="FILE",
            help="CSV or Parquet with parcel_id, time, variable and mean; std, n, n_total, orbit, direction and "
            "platform where there are any. Every variable becomes features of 10-day dates; vv, vh (dB), coherence_vv "
            "and coherence_vh with a direction become weekly and seasonal radar features. Repeatable, or a folder.",
        ),
    ],
    parcels: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="CSV or Parquet with parcel_id and crop; S2Pix, S1Pix, Area_meters, holding, ori_id where there are "
            "any. Without pixel counts every parcel is large enough.",
        ),
    ],
    lut: _LUT,
    out: Out,
    start: Annotated[
        date | None,
        typer.Option(parser=day, metavar="DATE", help="First day that counts; default: the first there is."),
    ] = None,
    end: Annotated[
        date | None, typer.Option(parser=day, metavar="DATE", help="Last day that counts; default: the last there is.")
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            min=2,
            help="Predict every parcel by a forest of the other K-1 parts, in classes of at least 2K parcels. Pixel "
            "minima, pa-min, strategies and synthetic parcels do not apply.",
        ),
    ] = None,
    profile: Profile = "default",
    setting: Setting = None,
    as_json: AsJson = False,
) -> None:
    """Learn the declared crops from observations, predict the crop of every parcel, and judge the declarations.

    Writes predictions.csv (parcel_id, status, purpose, ct_decl, ct_pred_1, ct_conf_1, ct_pred_2, ct_conf_2, verdict and
    why; crops are CTnumL4A), review.csv (declarations in doubt, the most doubtful first), report.html, metrics.json and
    confusion tables, features.parquet, and the model (model.joblib, model.json). With
    --set processor.s4c_l4a.diversification_enabled=true and holdings also CropDiversification.csv.
    """
    from s4c_lib.l4.crop_type_by_hand import Request, classify_files

    values = parameters(profile, setting)
    request = Request(observations, parcels, lut, out, start, end, folds)
    with progress("l4a") as step:
        record, warnings = classify_files(request, values, step)
    for line in warnings:
        warn(line)
    if not as_json:  # accuracies: one decimal would call 0.96 right throughout
        record = {name: f"{value:.3f}" if isinstance(value, float) else value for name, value in record.items()}
    print_record(record, as_json=as_json)


def diversification(
    crop_types: Annotated[
        Path, typer.Argument(metavar="CROPTYPE.CSV", help="CropType.csv of an L4A product, ours or Sen4CAP's.")
    ],
    lut: _LUT,
    out: Out,
    organic: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV with column HoldID: holdings that are exempt as certified organic."),
    ] = None,
    profile: Profile = "default",
    setting: Setting = None,
    as_json: AsJson = False,
) -> None:
    """Judge crop diversification of holdings from their crop types.

    Writes CropDiversification.csv (Classif_r of each parcel and why) and CropDiversification_holding.csv (quantities,
    CD_cat, CD_diagn and the reason in words). Rule set and thresholds are parameters, see --set.
    """
    values = parameters(profile, setting)
    with progress("diversification") as step:
        record = _diversify(crop_types, lut, out, organic, values, step)
    print_record(record, as_json=as_json)


def _diversify(
    crop_types: Path, lut: Path, out: Path, organic: Path | None, values: Snapshot, step: Step
) -> dict[str, Any]:
    from s4c_lib.crop_type.diversification import diversify
    from s4c_lib.crop_type.diversification_parcels import DiversificationSettings
    from s4c_lib.l4.diversification_files import (
        read_crop_type_table,
        read_lut_file,
        read_organic,
        write_diversification,
    )

    settings = DiversificationSettings.of(values.values)
    table = read_lut_file(lut)
    parcels, holdings = read_crop_type_table(crop_types, table)
    if not len(holdings.names):
        raise InputError(f"{crop_types}: no parcel has a HoldID.", hint="diversification is judged by holding")
    exempt = None
    if organic is not None:
        exempt, strange = read_organic(organic, holdings)
        if strange:
            warn(f"{len(strange)} holdings of {organic} have no parcel, such as {strange[0]}.")
    step(1, 3, f"{len(parcels)} parcels")
    result = holdings.named(diversify(parcels, table, settings, organic=exempt))
    step(2, 3, f"{len(result.quantities)} holdings")
    paths = write_diversification(out, result)
    step(3, 3, "written")
    return {
        "parcels": len(parcels),
        "holdings": len(result.quantities),
        "rule_set": settings.rule_set,
        **{name.lower(): number for name, number in result.counts().items()},
        "files": [str(path) for path in paths],
    }
