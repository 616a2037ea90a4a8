"""Crop types from files of observations and parcels, without a database."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.crop_type.crop_parcels import NOT_COUNTED, UNKNOWN, CropParcels
from s4c_lib.crop_type.diversification import Diversification, diversify
from s4c_lib.crop_type.diversification_parcels import NONE
from s4c_lib.crop_type.feature_table import NO_OBSERVATIONS, FeatureSettings, PreparedFeatures, prepare_features
from s4c_lib.crop_type.learning_settings import PREFIX
from s4c_lib.crop_type.outcome import CropOutcome, diversification_settings, holding_parcels
from s4c_lib.crop_type.product_tables import for_diversification, lut_table
from s4c_lib.errors import DiskFullError, InputError, NothingToDoError, StorageError, is_disk_full
from s4c_lib.l4.crop_features import FEATURES, stored_features
from s4c_lib.l4.crop_type_learning import facts_of, learnt, may_be_classified, notes_of, parameter_notes
from s4c_lib.l4.crop_type_tables import TITLES, Told, write_csv, write_tables
from s4c_lib.l4.diversification_files import Holdings, read_lut_file
from s4c_lib.l4.files_by_hand import tables_in
from s4c_lib.parcels.parcel_table import read_parcel_table
from s4c_lib.progress import Progress
from s4c_lib.reasons import Reason
from s4c_lib.season_run import NoResultError
from s4c_lib.statistics.observation_files import read_observation_file
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA
from s4c_lib.statistics.observations import StatisticsFile

if TYPE_CHECKING:
    from s4c_lib.parameters import Snapshot
    from s4c_lib.parcels.crop_lut import CropLut
    from s4c_lib.statistics.store import Source

PREDICTIONS: Final = "predictions.csv"
_NAMES: Final = {
    "NewID": "parcel_id",
    "ct_status": "status",
    "ct_purpose": "purpose",
    "CT_decl": "ct_decl",
    "CT_pred_1": "ct_pred_1",
    "CT_conf_1": "ct_conf_1",
    "CT_pred_2": "ct_pred_2",
    "CT_conf_2": "ct_conf_2",
    "verdict": "verdict",
    "reason": "reason",
    "chance_wrong": "chance_wrong",
    "CT_other": "ct_other",
    "review_rank": "review_rank",
}
"""Columns of ``predictions.csv``."""


@dataclass(frozen=True, slots=True)
class Request:
    """Files and options of a run by hand.

    Attributes
    ----------
    observations : files, or folders of such files. first, last : None for what the observations cover.
    folds : predict every parcel out of its fold; None as a season's run does.
    """

    observations: Sequence[Path]
    parcels: Path
    lut: Path
    out: Path
    first: date | None = None
    last: date | None = None
    folds: int | None = None


def classify_files(request: Request, values: Snapshot, progress: Progress) -> tuple[dict[str, Any], list[str]]:
    """Compute and write everything; returns what is told of it, and warnings.

    Raises
    ------
    NothingToDoError : there is no observation in the interval, or none of a sensor that is asked for.
    NoResultError : no parcel can be classified.
    InputError, NotFoundError, StorageError, DiskFullError : a file is wrong, missing, or cannot be written.
    """
    files = tables_in(request.observations)
    lut = read_lut_file(request.lut)
    table = read_parcel_table(request.parcels)
    if not len(table):
        raise InputError(f"{request.parcels} has no row.")
    parcels = _parcels(table, lut)
    _check_crops(request, table, parcels)
    given = _observations(files)
    first, last = _interval(given, request)
    try:
        prepared = prepare_features(
            given.content,
            parcels.parcel_id,
            FeatureSettings.of(values.values, further_variables=True),
            first,
            last,
            eligible=parcels.parcel_id[may_be_classified(parcels, values.values, folds=request.folds)],
            progress=progress,
        )
    except InputError as error:
        if error.code != NO_OBSERVATIONS:
            raise
        raise NothingToDoError(error.message, hint=error.hint) from error
    try:
        request.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".l4a-", dir=request.out) as place:
            folder = Path(place)
            with stored_features(prepared, folder, progress=progress) as features:
                outcome = learnt(features, parcels, lut, values.values, progress, folds=request.folds)
            diversification = _diversified(outcome, table, lut, values)
            names = write_tables(folder, outcome, _told(request, values, table, prepared, outcome), diversification)
            write_csv(folder / PREDICTIONS, predictions(outcome))
            names += [PREDICTIONS, FEATURES, *_sen4cap_files(folder, outcome, table, lut)]
            paths = _in_place(folder, request.out, names)
    except OSError as error:
        if error.errno is None:  # one of ours
            raise
        if is_disk_full(error):
            raise DiskFullError(f"The disk of {request.out} is full; nothing was kept.", hint="free space") from error
        raise StorageError(f"{request.out} cannot be written: {error}") from error
    record = _record(outcome, prepared, diversification, first, last, paths)
    return record, _warnings(table, outcome, values, diversification)


@dataclass(frozen=True, slots=True, eq=False)
class _Observations:
    """What features are made of: files of the statistics store, or one table of all other files.

    Attributes
    ----------
    first, last : days of the first and last observation.
    """

    content: Sequence[Path] | pa.Table
    first: date
    last: date


def _observations(files: Sequence[Path]) -> _Observations:
    """Read the tables of users; of files of the store only what they say of themselves.

    Raises
    ------
    NothingToDoError : there is no row.
    """
    sources = [_stored(path) for path in files]
    if all(source is not None for source in sources):
        times = [datetime.fromtimestamp(source.facts.time, UTC) for source in sources if source is not None]
        return _Observations(files, min(times).date(), max(times).date())
    tables = [read_observation_file(path) for path in files]
    schema = OBSERVATION_SCHEMA.names
    table = pa.concat_tables([one.select(schema) for one in tables])
    found = pc.min_max(table["time"])
    if not found["min"].is_valid:
        raise NothingToDoError("The files of observations hold no row.", hint="look at --observations")
    first, last = (found[end].as_py().date() for end in ("min", "max"))
    return _Observations(table, first, last)


def _stored(path: Path) -> Source | None:
    """What a file of the store says of itself; None for another file."""
    return StatisticsFile(path).source if path.suffix.lower() == ".parquet" and path.is_file() else None


def _interval(given: _Observations, request: Request) -> tuple[date, date]:
    """Return the first and last day that count.

    Raises
    ------
    NothingToDoError : there is no observation between them. InputError : the last day comes first.
    """
    first, last = request.first or given.first, request.last or given.last
    if last < first:
        raise InputError(f"Observations count from {first} to {last}: the last day comes first.")
    if last < given.first or first > given.last:
        raise NothingToDoError(
            f"There is no observation from {first} to {last}: the files have them from {given.first} to {given.last}."
        )
    return first, last


def _parcels(table: pa.Table, lut: CropLut) -> CropParcels:
    rows = lut.positions(table["crop"].to_pylist())
    listed = rows != NONE
    count = len(table)
    reason = np.full(count, None, object)
    reason[~listed] = "no_lut"
    area = table["Area_meters"]
    holding = table["holding"]
    return CropParcels(
        parcel_id=table["parcel_id"].to_numpy(),
        class_number=np.where(listed, lut.ctnuml4a[rows], UNKNOWN).astype(np.int32),
        land_cover=np.where(listed, lut.lc[rows], UNKNOWN).astype(np.int8),
        s2_pix=_pixels(table["S2Pix"]),
        s1_pix=_pixels(table["S1Pix"]),
        reason=reason,
        holding=None if holding.null_count == count else holding.to_numpy(zero_copy_only=False),
        area=None if area.null_count == count else pc.fill_null(area, np.nan).to_numpy(),
    )


def _pixels(column: Any) -> npt.NDArray[np.int32]:
    """Pixel counts; enough for all where no parcel has one, none where this one has none."""
    missing = NOT_COUNTED if column.null_count == len(column) else 0
    counts: npt.NDArray[np.int32] = pc.fill_null(column, missing).to_numpy().astype(np.int32)
    return counts


def _check_crops(request: Request, table: pa.Table, parcels: CropParcels) -> None:
    """Refuse tables that have no crop in common, before a season is read.

    Raises
    ------
    InputError : no parcel has a crop. NoResultError : the crop table has none of the declared ones.
    """
    if table["crop"].null_count == len(table):
        raise InputError(
            f"{request.parcels}: no parcel has a crop.", hint="column crop (or ori_crop) holds codes of the crop table"
        )
    if (parcels.reason == "no_lut").all():
        raise NoResultError(
            f"The crop table {request.lut} has none of the declared crops ({_codes(table['crop'])}).",
            reason=str(Reason.NO_EVALUABLE_PARCEL),
            hint="its Ori_crop are written as the codes of the parcels are",
        )


def _codes(crops: Any) -> str:
    """The first declared codes, in words."""
    codes = sorted({code for code in crops.to_pylist() if code is not None})
    return f"{', '.join(codes[:5])}{', ...' if len(codes) > 5 else ''}"


def _diversified(outcome: CropOutcome, table: pa.Table, lut: CropLut, values: Snapshot) -> Diversification | None:
    if not values[f"{PREFIX}diversification_enabled"]:
        return None
    if table["holding"].null_count == len(table):
        raise InputError("Crop diversification needs holdings.", hint="give column holding of the parcels")
    holdings = Holdings.of(table["holding"])
    parcels = holding_parcels(outcome, holdings.place, lut.positions(table["crop"].to_pylist()))
    status = outcome.columns["ct_status"].combine_chunks()
    settings = diversification_settings(outcome, values.values)
    return holdings.named(diversify(parcels, lut, settings, status=status))


def predictions(outcome: CropOutcome) -> pa.Table:
    """Return ``predictions.csv``: a row for each parcel, crops as ``CTnumL4A``."""
    table = outcome.columns.select(list(_NAMES)).rename_columns(list(_NAMES.values()))
    declared = outcome.classification.declared
    at = table.column_names.index("ct_decl")
    # of parcels that were not classified too, where the crop table has their code
    return table.set_column(at, "ct_decl", pa.array(declared, mask=declared == UNKNOWN))


def _sen4cap_files(folder: Path, outcome: CropOutcome, table: pa.Table, lut: CropLut) -> list[str]:
    """Write the two inputs of ``s4c run diversification``."""
    rows = lut.positions(table["crop"].to_pylist())
    valid = pa.array(np.ones(len(table), np.bool_))
    none = pa.array(np.zeros(len(table), np.bool_))
    columns = {
        "HoldID": table["holding"],
        "GeomValid": valid,
        "Duplic": none,
        "Overlap": none,
        "Area_meters": table["Area_meters"],
        "CTnumDIV": pa.array(np.where(rows == NONE, NONE, lut.ctnumdiv[rows]), mask=rows == NONE),
        "Ori_crop": table["crop"],
    }
    shown = for_diversification(columns, outcome.classification, outcome.parcels, rows != NONE)
    for name in ("S2Pix", "S1Pix"):
        known = table[name].filter(pa.array(rows != NONE))
        if known.null_count == len(known):  # not given: a count that is large enough
            known = pa.chunked_array([pa.array(np.full(len(known), 9999, np.int32))])
        shown = shown.set_column(shown.column_names.index(name), name, known)
    write_csv(folder / "CropType.csv", shown)
    write_csv(folder / "CropType_LUT.csv", lut_table(lut))
    return ["CropType.csv", "CropType_LUT.csv"]


def _told(
    request: Request, values: Snapshot, table: pa.Table, prepared: PreparedFeatures, outcome: CropOutcome
) -> Told:
    notes = notes_of(outcome, values.values)
    if request.folds is not None:
        notes.append(
            f"Every parcel was predicted by forests of the other {request.folds - 1} of {request.folds} parts."
        )
    inputs = {
        "Observations": ", ".join(path.name for path in request.observations),
        "Parcels": request.parcels.name,
        "Crop table": request.lut.name,
        "Optical dates": f"{len(prepared.dates)}",
    }
    return Told(
        title="Crop types",
        about=(f"profile {values['profile']}", f"{len(table):,} parcels", f"{len(prepared.names):,} features"),
        labels=pa.table({"ori_id": table["ori_id"]}),
        notes=tuple(notes),
        facts={"Inputs": inputs, **facts_of(outcome, values.values)},
        provenance={"inputs": inputs},
        rule_set=values[f"{PREFIX}diversification_ruleset"],
    )


def _in_place(folder: Path, out: Path, names: Sequence[str]) -> list[Path]:
    """Move the files to where they were asked for; tables of an earlier run that this one has not go."""
    for name in sorted(set(TITLES) - set(names)):
        (out / name).unlink(missing_ok=True)
    return [(folder / name).replace(out / name) for name in sorted(names)]


def _record(
    outcome: CropOutcome,
    prepared: PreparedFeatures,
    diversification: Diversification | None,
    first: date,
    last: date,
    paths: Sequence[Path],
) -> dict[str, Any]:
    metrics = outcome.classification.metrics
    accuracy = {}
    if metrics is not None:
        figures = {"overall_accuracy": metrics.overall, "kappa": metrics.kappa, "macro_f1": metrics.macro_f1}
        accuracy = {name: None if np.isnan(value) else round(value, 4) for name, value in figures.items()}
    status, counts = np.unique(outcome.classification.status, return_counts=True)
    return {
        **outcome.counts(),
        **accuracy,
        "features": len(prepared.names),
        "first_day": first,
        "last_day": last,
        "status": dict(zip(status.tolist(), counts.tolist(), strict=True)),
        "missing_sensor": outcome.missing_sensor or None,
        **({} if diversification is None else {"holdings": diversification.counts()}),
        "files": [str(path) for path in paths],
    }


def _ignored(values: Snapshot) -> list[str]:
    """Return sentences about parameters that act in a season's run only."""
    given = {
        "start_season_offset": (values[f"{PREFIX}start_season_offset"] > 0, "give --start"),
        "export_shapefile": (values[f"{PREFIX}export_shapefile"], "the files have no outlines"),
        "publish_markers": (values[f"{PREFIX}publish_markers"] == "always", "features.parquet has them"),
    }
    return [f"{PREFIX}{name} has no effect by hand: {why}." for name, (asked, why) in given.items() if asked]


def _warnings(
    table: pa.Table, outcome: CropOutcome, values: Snapshot, diversification: Diversification | None
) -> list[str]:
    lines = []
    unlisted = outcome.classification.status == "no_lut"
    if unlisted.any():
        crops = table["crop"].filter(pa.array(unlisted))
        without = crops.null_count
        if without < len(crops):
            lines.append(
                f"{len(crops) - without} parcels have a crop that the crop table lacks ({_codes(crops)}); "
                "their status is no_lut."
            )
        if without:
            lines.append(f"{without} parcels have no crop; their status is no_lut.")
    if outcome.missing_sensor and not values[f"{PREFIX}allow_missing_sensor"]:
        sensor = {"s1": "Sentinel-1", "s2": "Sentinel-2"}[outcome.missing_sensor]
        lines.append(f"There is no observation of {sensor}; the other sensor stands alone.")
    if diversification is not None and (diversification.place == NONE).any():
        lines.append(f"{int((diversification.place == NONE).sum())} parcels have no holding.")
    return lines + parameter_notes(values.values) + _ignored(values)
