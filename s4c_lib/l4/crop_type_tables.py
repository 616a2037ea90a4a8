"""The tables, report and model of an L4A product in a folder, from a season's run or by hand (l4a-crop-type.md 10)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from s4c_lib.crop_type.accuracy_picture import accuracy_png
from s4c_lib.crop_type.accuracy_tables import accuracy_table, confusion_table, confusions_table
from s4c_lib.crop_type.classification import UNKNOWN
from s4c_lib.crop_type.diversification import Diversification
from s4c_lib.crop_type.drilldown import drill_down
from s4c_lib.crop_type.model import describe, forest_bytes
from s4c_lib.crop_type.outcome import CropOutcome
from s4c_lib.crop_type.product_tables import (
    importance_table,
    prediction_table,
    review_table,
    summary_of_classes,
)
from s4c_lib.crop_type.report_content import ReportContent, classes_of
from s4c_lib.crop_type.report_page import report_page
from s4c_lib.parcels.pixel_index_file import whole_file

REPORT: Final = "report.html"
PLOT: Final = "Accuracy_metrics_plot.png"
METRICS: Final = "metrics.json"
REVIEW: Final = "review.csv"
DIVERSIFICATION: Final = "CropDiversification.csv"
DIVERSIFICATION_HOLDINGS: Final = "CropDiversification_holding.csv"

TITLES: Final[Mapping[str, str]] = {
    REPORT: "Report: accuracy, confusion, declarations to be looked at",
    PLOT: "Accuracy of classes by decreasing area",
    METRICS: "Accuracy on validation parcels, filters, calibration",
    REVIEW: "Declarations that are not confirmed, the most doubtful first",
    "Crop_types_summary.csv": "Declared classes by area, and how each was learnt",
    "Accuracy_metrics.csv": "Overall accuracy and kappa",
    "Confusion_matrix.csv": "Validation parcels, rows predicted, columns declared",
    "Confusion_user.csv": "What is predicted as each class",
    "Confusion_producer.csv": "What each class is predicted as",
    "Parcels_classified_with_predictions.csv": "Predictions of the classified parcels",
    "Parcels_all_with_predictions.csv": "Predictions of all parcels with a valid geometry and crop",
    "Feature_importances.csv": "Share of the impurity each feature takes away",
    "Verdicts_by_class.csv": "Verdicts and expected wrong declarations by declared class",
    "Verdicts_by_pair.csv": "Declared classes and what probably grows there",
    DIVERSIFICATION: "Crop diversification of parcels",
    DIVERSIFICATION_HOLDINGS: "Crop diversification of holdings, with the reason of each verdict",
    "model.joblib": "The forest",
    "model.json": "What the forest is made of, and with what it can be read",
}
"""What each file holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What only the caller knows.

    Attributes
    ----------
    title : of report and picture. about : short facts below it.
    labels : further columns of the parcels for ``review.csv``, such as ``ori_id``; (parcels,).
    notes : what was missing or done otherwise. facts : parameters, versions, inputs by section.
    provenance : what goes into ``model.json`` and ``metrics.json``.
    rule_set : of crop diversification.
    """

    title: str
    about: tuple[str, ...]
    labels: pa.Table
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    rule_set: str = ""


def write_tables(folder: Path, outcome: CropOutcome, told: Told, diversification: Diversification | None) -> list[str]:
    """Write everything that needs no outlines; return the names of the files, sorted.

    Raises
    ------
    DiskFullError, StorageError : a file cannot be written.
    """
    of, parcels, names = outcome.classification, outcome.parcels, outcome.names
    summary = summary_of_classes(of, parcels, names)
    tables = {
        "Crop_types_summary.csv": summary,
        "Parcels_classified_with_predictions.csv": prediction_table(of, parcels, names, all_parcels=False),
        "Parcels_all_with_predictions.csv": prediction_table(of, parcels, names, all_parcels=True),
        "Feature_importances.csv": importance_table(of),
        REVIEW: review_table(outcome.columns, told.labels),
    }
    by_class = drill_down(outcome.judgement, area=parcels.area, metrics=of.metrics, names=names)
    tables |= {"Verdicts_by_class.csv": by_class.classes, "Verdicts_by_pair.csv": by_class.pairs}
    content = _content(outcome, told, diversification)
    written = {}
    if of.metrics is not None:
        learnt = [number for number in summary["CTnumL4A"].to_pylist() if number in set(of.classes.tolist())]
        tables |= {
            "Accuracy_metrics.csv": accuracy_table(of.metrics),
            "Confusion_matrix.csv": confusion_table(of.metrics),
            "Confusion_user.csv": confusions_table(of.metrics, names, learnt, of="user"),
            "Confusion_producer.csv": confusions_table(of.metrics, names, learnt, of="producer"),
        }
        written[PLOT] = accuracy_png(of.metrics, _bars(content), told.title)
    if diversification is not None:
        tables[DIVERSIFICATION] = diversification.parcel_table
        tables[DIVERSIFICATION_HOLDINGS] = diversification.holding_table
    for name, table in tables.items():
        write_csv(folder / name, table)
    written[METRICS] = _json(_metrics(outcome, diversification))
    written[REPORT] = report_page(content).encode()
    if of.model is not None:
        forest = forest_bytes(of.model)
        written["model.joblib"] = forest
        written["model.json"] = _json(describe(of.model, forest, told.provenance))
    for name, bytes_ in written.items():
        with whole_file(folder / name) as path:
            path.write_bytes(bytes_)
    return sorted([*tables, *written])


def write_csv(path: Path, table: pa.Table) -> None:
    """Write a table as CSV with a header, UTF-8, unquoted where that is possible.

    Raises
    ------
    DiskFullError, StorageError : it cannot be written.
    """
    from pyarrow import csv

    with whole_file(path) as unfinished:
        csv.write_csv(_plain(table), unfinished, csv.WriteOptions(quoting_style="needed", quoting_header="none"))


def _plain(table: pa.Table) -> pa.Table:
    """Flags as 0 and 1, as Sen4CAP writes them."""
    for at, column in enumerate(table.schema):
        if pa.types.is_boolean(column.type):
            table = table.set_column(at, column.name, table.column(at).cast(pa.int8()))
    return table


def _content(outcome: CropOutcome, told: Told, diversification: Diversification | None) -> ReportContent:
    labels = told.labels
    named = labels["ori_id"] if "ori_id" in labels.column_names else pa.nulls(len(outcome.columns), pa.string())
    return ReportContent(
        title=told.title,
        about=told.about,
        classification=outcome.classification,
        parcels=outcome.parcels,
        names=outcome.names,
        parcel_names=named.to_numpy(zero_copy_only=False),
        judgement=outcome.judgement,
        uncalibrated=() if outcome.uncalibrated is None else outcome.uncalibrated.reliability,
        notes=told.notes,
        holdings={} if diversification is None else diversification.counts(),
        rule_set=told.rule_set,
        facts=told.facts,
    )


def _bars(content: ReportContent) -> list[tuple[str, float, float | None]]:
    classes = classes_of(content)
    total, done, bars = sum(one.area_ha for one in classes), 0.0, []
    for one in classes:
        done += one.area_ha
        bars.append((one.name, one.f1, done / total if total > 0 else None))
    return bars


def _metrics(outcome: CropOutcome, diversification: Diversification | None) -> dict[str, Any]:
    of, calibration = outcome.classification, outcome.judgement.calibration
    imputed = int(of.imputed.sum())
    return {
        "validation": None if of.metrics is None else of.metrics.as_json(),
        "validation_uncalibrated": None if outcome.uncalibrated is None else outcome.uncalibrated.as_json(),
        "holdings_apart": None if of.holding_metrics is None else of.holding_metrics.as_json(),
        "filters": of.counts,
        "not_classified": {
            str(name): int((of.status[of.pred_1 == UNKNOWN] == name).sum())
            for name in sorted(set(of.status[of.pred_1 == UNKNOWN].tolist()))
        },
        "features_imputed": imputed,
        "calibration": None
        if calibration is None
        else {
            "slope": calibration.slope,
            "parcels": calibration.parcels,
            "wrong_declarations_estimated": calibration.wrong_share,
            "error_before": calibration.ece_before,
            "error_after": calibration.ece_after,
        },
        "error_rate": outcome.judgement.error_rate,
        "counts": outcome.counts(),
        "diversification": None if diversification is None else diversification.counts(),
    }


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
