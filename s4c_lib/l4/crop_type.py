"""A run of L4A: declarations and statistics in, crop types of parcels in files and rows out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from s4c_lib.catalog import auxdata
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.catalog.results_l4a import store_results
from s4c_lib.catalog.sites import site_tiles
from s4c_lib.crop_type.crop_parcels import UNKNOWN, CropParcels
from s4c_lib.crop_type.diversification import Diversification, diversify
from s4c_lib.crop_type.feature_table import FeatureSettings, PreparedFeatures, prepare_features, variables_of
from s4c_lib.crop_type.learning_settings import PREFIX
from s4c_lib.crop_type.outcome import CropOutcome, diversification_settings, holding_parcels
from s4c_lib.crop_type.partial_results import PartialFolder
from s4c_lib.errors import InputError
from s4c_lib.l4.crop_features import marker_names, stored_features
from s4c_lib.l4.crop_type_files import write_product
from s4c_lib.l4.crop_type_learning import learnt, may_be_classified
from s4c_lib.l4.declared import Declared
from s4c_lib.parcels.crop_lut import CropLut
from s4c_lib.scheduling.dates import midnight
from s4c_lib.season_run import NoResultError, ResultProduct, RunResult, SeasonRun
from s4c_lib.statistics.observation_table import RADAR_VARIABLES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from s4c_lib.catalog.marker_files import MarkerFile

log = structlog.get_logger(__name__)

ALGORITHM: Final = 1
"""Changes when the same inputs and parameters give other crop types; stamped into every product."""

FEATURE_SOURCE: Final = "parcel_observations"
"""Features come from statistics of parcels, not from stacks of pixels (spec/README.md F1)."""

COLUMNS: Final = (
    "new_id", "hold_id", "ori_id", "ori_hold", "ori_crop", "geom_valid", "geom_repaired", "duplic", "overlap",
    "area_meters", "shape_ind", "s1_pix", "s2_pix", "primary_tile", "is_deleted", "inserted_at", "updated_at",
    "geom_change_ratio", "src_row",
)  # fmt: skip
"""Columns of the declarations that the product shows (section 11)."""

_PARTIALS: Final = "l4a_partial_features"
_SCHEDULED: Final = ("scheduled", "backfill")


@dataclass(frozen=True, slots=True, eq=False)
class CropRun:
    """What a run was told, put together.

    Attributes
    ----------
    first, last : days whose observations count. files : of statistics that are read.
    tiles_without : tiles of the site without statistics by sensor, and those without a parcel.
    """

    run: SeasonRun
    lut: CropLut = field(repr=False)
    declared: Declared = field(repr=False)
    parcels: CropParcels = field(repr=False)
    first: date
    last: date
    files: tuple[MarkerFile, ...] = field(repr=False)
    tiles_without: dict[str, list[str]]

    @property
    def values(self) -> Any:
        """Parameters by key."""
        return self.run.snapshot.values

    def value(self, name: str) -> Any:
        """Return one parameter of the processor."""
        return self.run.snapshot[PREFIX + name]


def run_crop_type(run: SeasonRun) -> RunResult:
    """Compute the L4A product of a season.

    Raises
    ------
    NoResultError : a sensor is missing, no parcel can be classified, or all are of one class.
    ParameterError : parameters contradict each other.
    """
    told = _told(run)
    prepared = _prepared(told)
    markers = marker_names(told.first, told.last, midnight(run.as_of)) if _publishes_markers(told) else None
    with stored_features(prepared, run.work_folder, markers=markers, progress=run.progress) as features:
        outcome = learnt(features, told.parcels, told.lut, told.values, run.progress)
    diversification = _diversified(told, outcome)
    files = write_product(told, outcome, diversification, prepared, algorithm=ALGORITHM, feature_source=FEATURE_SOURCE)
    missing = outcome.missing_sensor
    metadata = {
        "algorithm": ALGORITHM,
        "feature_source": FEATURE_SOURCE,
        "first_day": told.first.isoformat(),
        "last_day": told.last.isoformat(),
        "optical_dates": [day.isoformat() for day in prepared.dates],
        "features": len(prepared.names),
        "missing_sensor": missing or None,
        "tiles_without": told.tiles_without,
        "seed": outcome.settings.seed,
        "classes": {str(number): outcome.names.get(number, "") for number in outcome.classification.classes.tolist()},
        "counts": outcome.counts(),
        "accuracy": _accuracy(outcome),
        "diversification": None if diversification is None else diversification.counts(),
        "files": files.about,
    }
    counts = {
        **outcome.counts(),
        "features": len(prepared.names),
        "feature_parts_made": prepared.parts_made,
        "feature_parts_kept": prepared.parts_kept,
    }
    product = ResultProduct(
        metadata=metadata,
        quality="degraded" if missing else "ok",
        quicklook=files.quicklook,
        store=_store(outcome, diversification),
    )
    return RunResult(counts, product)


def _told(run: SeasonRun) -> CropRun:
    with run.database.begin() as connection:
        lut = CropLut.from_dict(auxdata.parsed_of(connection, run.uploads[Kind.LUT]))
        rows = read_parcels(
            connection, run.parcel_set, COLUMNS, lut_version=run.uploads[Kind.LUT], processor=run.job.processor
        )
        tiles = [item.tile for item in site_tiles(connection, run.site.id) if item.selected]
    if not len(rows):
        raise NoResultError("The declarations hold no parcel.", hint="look at the version the statistics are of")
    declared = Declared(rows, run.parcel_set, run)
    first = run.interval_start + timedelta(days=run.snapshot[f"{PREFIX}start_season_offset"])
    settings = FeatureSettings.of(run.snapshot.values)
    files = _files(run, settings, first, run.as_of)
    parcels = _parcels(declared)
    return CropRun(
        run, lut, declared, parcels, first, run.as_of, files, _tiles_without(tiles, files, parcels, settings)
    )


def _files(run: SeasonRun, settings: FeatureSettings, first: date, last: date) -> tuple[MarkerFile, ...]:
    begin, stop = midnight(first), midnight(last + timedelta(days=1))
    wanted = set(variables_of(settings))
    return tuple(file for file in run.marker_files if file.variable in wanted and begin <= file.time < stop)


def _parcels(declared: Declared) -> CropParcels:
    """Return the parcels as the learning takes them; a crop the crop table lacks is a reason of its own (D-01)."""
    reason = declared.texts("reason")
    number = declared.numbers("ctnuml4a", UNKNOWN)
    reason[(number == UNKNOWN) & np.array([one is None for one in reason], np.bool_)] = "no_lut"
    return CropParcels(
        parcel_id=declared.parcel_id,
        class_number=number.astype(np.int32),
        land_cover=declared.numbers("lc", UNKNOWN).astype(np.int8),
        s2_pix=declared.numbers("s2_pix", 0).astype(np.int32),
        s1_pix=declared.numbers("s1_pix", 0).astype(np.int32),
        reason=reason,
        holding=declared.texts("ori_hold"),
        area=declared.numbers("area_meters", np.nan).astype(np.float64),
        tile=declared.texts("primary_tile"),
    )


def _tiles_without(
    tiles: Sequence[str], files: Sequence[MarkerFile], parcels: CropParcels, settings: FeatureSettings
) -> dict[str, list[str]]:
    """Tiles of the site that lack something (AC-22); they do not stop a run."""
    radar = {file.tile for file in files if file.variable in RADAR_VARIABLES}
    optical = {file.tile for file in files if file.variable not in RADAR_VARIABLES}
    inhabited = set() if parcels.tile is None else set(parcels.tile.tolist())
    found = {"parcels": [name for name in tiles if name not in inhabited]}
    if settings.optical:
        found["S2"] = [name for name in tiles if name not in optical]
    if settings.radar:
        found["S1"] = [name for name in tiles if name not in radar]
    return found


def _prepared(told: CropRun) -> PreparedFeatures:
    """Read the statistics; parts that earlier runs of the season made are kept beside their products."""
    run, settings = told.run, FeatureSettings.of(told.values)
    kept = PartialFolder(partial_folder(run.products_root, run.site.short_name, run.season.short_name))
    paths = {run.products_root / file.path: file.sha256 for file in told.files}
    try:
        prepared = prepare_features(
            list(paths),
            told.parcels.parcel_id,
            settings,
            told.first,
            told.last,
            eligible=told.parcels.parcel_id[may_be_classified(told.parcels, told.values)],
            kept=kept,
            digests=paths,
            progress=run.progress,
        )
    except InputError as error:
        # the inputs of a run are ours: what is wrong with them is no wrong usage
        raise NoResultError(error.message, hint=error.hint) from error
    for key in [key for key in kept if key not in prepared.kept_keys]:
        del kept[key]
    return prepared


def _publishes_markers(told: CropRun) -> bool:
    match told.value("publish_markers"):
        case "always":
            return True
        case "never":
            return False
        case _:
            return told.run.job.start_type in _SCHEDULED


def _diversified(told: CropRun, outcome: CropOutcome) -> Diversification | None:
    if not told.value("diversification_enabled"):
        return None
    crop = told.lut.positions(told.declared.texts("ori_crop"))
    parcels = holding_parcels(outcome, told.declared.numbers("hold_id", UNKNOWN), crop)
    told.run.progress(0, 0, "crop diversification")
    status = outcome.columns["ct_status"].combine_chunks()
    found = diversify(parcels, told.lut, diversification_settings(outcome, told.values), status=status)
    # the agency knows its holdings by its own identifier
    numbers = told.declared.parcels["hold_id"].combine_chunks()
    rows = pc.index_in(found.holding_table["HoldID"].cast(numbers.type), value_set=numbers)
    names = told.declared.parcels["ori_hold"].combine_chunks().take(rows.combine_chunks())
    return replace(found, holding_table=found.holding_table.append_column("ori_hold", names))


def _accuracy(outcome: CropOutcome) -> dict[str, float | None]:
    metrics = outcome.classification.metrics
    if metrics is None:
        return {}
    figures = {
        "overall_accuracy": metrics.overall,
        "kappa": metrics.kappa,
        "macro_f1": metrics.macro_f1,
        "top_2_accuracy": metrics.top_2,
    }
    return {name: None if np.isnan(value) else round(value, 6) for name, value in figures.items()}


def _store(outcome: CropOutcome, diversification: Diversification | None) -> Any:
    """What puts the rows of the result tables into the database."""
    parcels: pa.Table | None = None if diversification is None else diversification.parcel_table
    holdings: pa.Table | None = None if diversification is None else diversification.holding_table

    def store(connection: Connection, product_id: int) -> None:
        store_results(connection, product_id, outcome.columns, parcels, holdings)

    return store


def partial_folder(products_root: Path, site: str, season: str) -> Path:
    """Return where parts of the features of a season are kept from run to run."""
    return products_root / site / season / _PARTIALS
