"""The files of an L4A product of a season (l4a-crop-type.md 11): what needs outlines, versions and the site."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from s4c_lib.crop_type.classification import UNKNOWN
from s4c_lib.crop_type.product_tables import for_diversification, lut_table
from s4c_lib.errors import InputError, StorageError
from s4c_lib.l4.crop_features import FEATURES
from s4c_lib.l4.crop_type_learning import facts_of, notes_of
from s4c_lib.l4.crop_type_tables import PLOT, REPORT, TITLES, Told, write_csv, write_tables
from s4c_lib.l4.declared import own_columns, with_outlines
from s4c_lib.l4.result_item import INPUTS, ProductFiles, ResultAsset, product_name, write_inputs, write_result_item
from s4c_lib.l4.vector_files import provenance, result_table, write_geopackage, write_shapefile
from s4c_lib.parameters.values import to_json
from s4c_lib.parcels.pixel_index_file import whole_file
from s4c_lib.products.export import export_parcels
from s4c_lib.products.export_model import ColumnNote, ExportFrame, ExportOptions, Format

if TYPE_CHECKING:
    from s4c_lib.crop_type.diversification import Diversification
    from s4c_lib.crop_type.feature_table import PreparedFeatures
    from s4c_lib.crop_type.outcome import CropOutcome
    from s4c_lib.l4.crop_type import CropRun

STEM: Final = "CropType"
LUT: Final = "CropType_LUT.csv"
LAYER: Final = "l4a_crop_type"

NOTES: Final[Mapping[str, str]] = {
    "CT_decl": "CTnumL4A of the declared crop, of classified parcels",
    "CT_pred_1": "CTnumL4A of the most likely crop",
    "CT_conf_1": "Probability of it; in profile reference the share of the trees' votes",
    "CT_pred_2": "CTnumL4A of the second most likely crop",
    "CT_conf_2": "Probability of it; in profile reference the share of the trees' votes",
    "CT_pred_1_name": "Name of the most likely crop",
    "CT_pred_2_name": "Name of the second most likely crop",
    "CTnumL4A": "Number of the class of the declared crop",
    "CTL4A": "Name of the class of the declared crop",
    "LC": "Land cover of the declared crop",
    "ct_status": "classified, or why the parcel is not",
    "ct_purpose": "1 trained the forest, 2 checked it, 0 neither",
    "conform": "1 when the declared class is one of the two predicted ones",
    "feat_imputed": "Whether missing features were filled with those of a typical parcel",
    "verdict": "confirmed, contradicted or cannot tell",
    "reason": "Why, in words",
    "chance_wrong": "Chance that another crop grows there than declared",
    "CT_other": "CTnumL4A of the crop that most likely grows there if the declaration is wrong",
    "CT_other_name": "Its name",
    "review_rank": "1 is to be looked at first",
}
"""What the columns of the result mean."""

_DECLARED_ALREADY: Final = ("CTnumL4A", "CTL4A", "LC")  # among the declared columns
_SHAPEFILE: Final = {
    "Area_meters": "Area_meter", "primary_tile": "tile", "CT_pred_1_name": "CT_pred1_n", "CT_pred_2_name": "CT_pred2_n",
    "chance_wrong": "chance_wr", "CT_other_name": "CT_other_n", "review_rank": "review_rk",
    "feat_imputed": "feat_imput", "geom_repaired": "geom_repai",
    "inserted_timestamp": "inserted_t", "updated_timestamp": "updated_ts",
    "geom_change_ratio": "geom_chang",
}  # fmt: skip


def write_product(
    told: CropRun,
    outcome: CropOutcome,
    diversification: Diversification | None,
    prepared: PreparedFeatures,
    *,
    algorithm: int,
    feature_source: str,
) -> ProductFiles:
    """Write everything of a product beside its features and markers, which lie in the work folder already.

    Raises
    ------
    InputError : a column of the declarations cannot be written. StorageError, DiskFullError : the disk.
    """
    run, folder = told.run, told.run.work_folder
    there = sorted(path.name for path in folder.iterdir() if path.is_file())
    sources = write_inputs(run)
    facts = _facts(told, outcome, prepared, feature_source)
    labels = pa.table({"ori_id": told.declared.parcels["ori_id"], "ori_hold": told.declared.parcels["ori_hold"]})
    title = f"Crop types, {run.site.name}, {told.first} to {told.last}"
    page = Told(
        title=title,
        about=(
            f"season {run.season.short_name}",
            f"profile {run.snapshot['profile']}",
            f"{len(prepared.names):,} features",
            product_name(run),
        ),
        labels=labels,
        notes=tuple(_notes(told, outcome)),
        facts=facts,
        provenance=_provenance(told, algorithm, feature_source, [source.id for source in sources]),
        rule_set=told.value("diversification_ruleset"),
    )
    tables = write_tables(folder, outcome, page, diversification)
    write_csv(folder / LUT, lut_table(told.lut))
    write_csv(folder / f"{STEM}.csv", _sen4cap_table(told, outcome))
    schema = outcome.columns.schema
    with (
        whole_file(folder / f"{STEM}.arrow") as path,
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        writer.write_table(outcome.columns, max_chunksize=65_536)
    vectors = _write_vectors(told, outcome)
    assets = _assets(told, outcome, tables, there, vectors)
    metrics = outcome.classification.metrics
    properties = {
        "s4c:algorithm": algorithm,
        "s4c:feature_source": feature_source,
        "s4c:first_day": told.first.isoformat(),
        "s4c:last_day": told.last.isoformat(),
        "s4c:missing_sensor": outcome.missing_sensor or None,
        "s4c:tiles_without": told.tiles_without,
        "s4c:classes": outcome.classification.classes.tolist(),
        "s4c:counts": outcome.counts(),
        "s4c:overall_accuracy": None if metrics is None or metrics.overall != metrics.overall else metrics.overall,
    }
    write_result_item(run, assets, properties, sources)
    return ProductFiles(PLOT if PLOT in tables else None, {key: asset.file for key, asset in assets.items()})


def _sen4cap_table(told: CropRun, outcome: CropOutcome) -> pa.Table:
    rows = told.declared.parcels
    columns = {
        "HoldID": rows["hold_id"],
        "GeomValid": rows["geom_valid"],
        "Duplic": rows["duplic"],
        "Overlap": rows["overlap"],
        "Area_meters": rows["area_meters"],
        "CTnumDIV": rows["ctnumdiv"],
        "Ori_crop": rows["ori_crop"],
    }
    return for_diversification(
        columns, outcome.classification, outcome.parcels, outcome.parcels.class_number != UNKNOWN
    )


def _write_vectors(told: CropRun, outcome: CropOutcome) -> list[str]:
    """Write GeoPackage, GeoParquet and, if wanted, Shapefile; return their names."""
    run = told.run
    result = outcome.columns.drop_columns(list(_DECLARED_ALREADY))
    notes = {name: ColumnNote(text) for name, text in NOTES.items()}
    origin = provenance(run, {key: json.dumps(to_json(value)) for key, value in sorted(told.values.items())})
    crs, table = run.parcel_set.crs_wkt, result_table(run, LAYER, result, notes)
    own = _own_columns(told, result)
    with with_outlines(told.declared, progress=run.progress) as outlines:
        write_geopackage(run.work_folder, STEM, outlines, crs, table, origin, own=own, progress=run.progress)
        frame = ExportFrame(outlines, origin, crs=crs, attributes=own, results=(table,))
        options = ExportOptions(formats=(Format.GEOPARQUET,), name=STEM, attributes=own is not None)
        parquet = export_parcels(frame, run.work_folder, options, run.progress)
        written = [f"{STEM}.gpkg", *_renamed(parquet.files, run.work_folder)]
        if told.value("export_shapefile"):
            flat = outlines.drop_columns(["geometry"])
            for name in result.column_names[1:]:
                flat = flat.append_column(name, result[name])
            flat = flat.append_column("geometry", outlines["geometry"])
            names = {name: short for name, short in _SHAPEFILE.items() if name in flat.column_names}
            files = write_shapefile(run.work_folder, STEM, flat, crs, origin, names=names, progress=run.progress)
            written += [path.name for path in files]
    return written


def _renamed(files: Any, folder: Path) -> list[str]:
    """Name the one layer of an export as the product's files are."""
    names = []
    for item in files:
        path: Path = item.path
        if path.suffix == ".parquet" and path.name != f"{STEM}.parquet":
            path = path.replace(folder / f"{STEM}.parquet")
        names.append(path.name)
    return names


def _own_columns(told: CropRun, result: pa.Table) -> pa.Table | None:
    """Return the agency's columns whose names are not taken, None when there are none."""
    import pyarrow.parquet as pq

    path = Path(told.run.parcel_set.folder) / "attributes.parquet"
    try:
        names = pq.read_schema(path).names
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error}", hint="the version of the declarations lacks it"
        ) from error
    taken = {name.casefold() for name in (*told.declared.named().column_names, *result.column_names, "src_row")}
    own, _ = own_columns(told.declared, [name for name in names if name.casefold() not in taken])
    return own if own.num_columns > 1 else None


def _notes(told: CropRun, outcome: CropOutcome) -> list[str]:
    """Return what the reader of the report has to know, in sentences."""
    notes = notes_of(outcome, told.values)
    for what, tiles in told.tiles_without.items():
        if tiles:
            lacking = "parcels" if what == "parcels" else f"statistics of Sentinel-{what[1]}"
            notes.append(f"Without {lacking}: tile{'s' if len(tiles) > 1 else ''} {', '.join(tiles)}.")
    if not told.run.inputs_complete:
        notes.append("The run did not wait for inputs that were late; run.json lists them.")
    return notes


def _facts(
    told: CropRun, outcome: CropOutcome, prepared: PreparedFeatures, feature_source: str
) -> dict[str, dict[str, str]]:
    run = told.run
    inputs = {
        "Declarations": f"{run.parcel_set.year}, version {run.parcel_set.version}",
        **{f"Upload {kind}": f"version {number}" for kind, number in sorted(run.uploads.items())},
        "Files of statistics": f"{len(told.files):,}",
        "Source of features": feature_source,
        "Optical dates": f"{len(prepared.dates)}",
        "Fingerprint": run.fingerprint[:16],
    }
    return {"Inputs": inputs, **facts_of(outcome, told.values)}


def _provenance(told: CropRun, algorithm: int, feature_source: str, products: list[int]) -> dict[str, Any]:
    run = told.run
    return {
        "algorithm": algorithm,
        "feature_source": feature_source,
        "site": run.site.short_name,
        "season": run.season.short_name,
        "first_day": told.first.isoformat(),
        "last_day": told.last.isoformat(),
        "parcel_set": run.parcel_set.version,
        "uploads": {str(kind): number for kind, number in sorted(run.uploads.items())},
        "fingerprint": run.fingerprint,
        "config_hash": run.job.config_hash,
        "products": sorted(products),
    }


def _assets(
    told: CropRun, outcome: CropOutcome, tables: list[str], there: list[str], vectors: list[str]
) -> dict[str, ResultAsset]:
    count, notes = len(outcome.columns), dict(NOTES)
    assets = {
        "data": ResultAsset(f"{STEM}.gpkg", "Declared parcels with their crop types", rows=count, columns=notes),
        "geoparquet": ResultAsset(f"{STEM}.parquet", "The same as GeoParquet", rows=count, columns=notes),
        "table": ResultAsset(f"{STEM}.csv", "Sen4CAP's table of parcels, input of crop diversification"),
        "arrow": ResultAsset(f"{STEM}.arrow", "Result columns, Arrow IPC", rows=count, columns=notes),
        "lut": ResultAsset(LUT, "Crop code table", ("metadata",)),
        "features": ResultAsset(FEATURES, "Features of all parcels", rows=count),
        "inputs": ResultAsset(INPUTS, "Files of statistics it was made of", ("metadata",)),
    }
    for name in vectors:
        if name.startswith(f"{STEM}.") and name not in (f"{STEM}.gpkg", f"{STEM}.parquet"):
            assets[f"shapefile_{name.rpartition('.')[2]}"] = ResultAsset(name, "Shapefile", ("data",))
        elif name not in (f"{STEM}.gpkg", f"{STEM}.parquet"):
            assets[name.partition(".")[0].lower()] = ResultAsset(name, "Column names", ("metadata",))
    for name in there:
        if name.startswith("SEN4CAP_MDB"):
            kind = "index" if name.endswith(".idx") else "data"
            assets[f"markers_{name.removesuffix('.idx').removesuffix('.ipc').lower()}_{kind}"] = ResultAsset(
                name, "Features as Sen4CAP's markers", (kind,)
            )
    roles = {REPORT: ("overview",), PLOT: ("overview", "thumbnail")}
    for name in tables:
        if name not in TITLES:
            raise InputError(f"The product has a file {name} that nothing is told of.")
        assets[name.partition(".")[0].lower() + ("_json" if name == "model.json" else "")] = ResultAsset(
            name, TITLES[name], roles.get(name, ("data",))
        )
    return assets
