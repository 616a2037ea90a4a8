"""The STAC 1.1 item of an L4 product, and the list of what it was made of.

An item has no time of making: the same inputs give the same bytes. Its time is the interval of the run.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import shapely

from s4c_lib.catalog.product_inputs import InputProduct, input_products
from s4c_lib.l4.vector_files import SOFTWARE
from s4c_lib.processors import PROCESSORS
from s4c_lib.products.result_folder import result_name
from s4c_lib.products.stac import EXTENSIONS, MEDIA_TYPES, item_document, multihash, write_item
from s4c_lib.season_run import SeasonRun

ITEM: Final = "item.json"
INPUTS: Final = "inputs.csv"
_TABLE: Final = "https://stac-extensions.github.io/table/v1.2.0/schema.json"
_TYPES: Final = {
    **MEDIA_TYPES,
    ".gpkg": "application/geopackage+sqlite3",
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".png": "image/png",
    ".zip": "application/zip",
    ".shp": "application/vnd.shp",
    ".dbf": "application/vnd.dbf",
    ".shx": "application/vnd.shx",
    ".cfg": "text/plain",
    ".html": "text/html",
}
_DECIMALS: Final = 6
_BLOCK: Final = 1 << 20
_WITH_ITEM: Final = ("l2a", "l3b")  # folders with an item of the product's name


@dataclass(frozen=True, slots=True)
class ProductFiles:
    """What was written of a product; ``about`` is the name of each file by what it is."""

    quicklook: str | None
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResultAsset:
    """One file of an L4 product.

    Parameters
    ----------
    file : path relative to the product's folder.
    rows, columns : of a table; the columns with their notes.
    """

    file: str
    title: str
    roles: tuple[str, ...] = ("data",)
    rows: int | None = None
    columns: Mapping[str, str] | None = None


def product_name(run: SeasonRun) -> str:
    """The name a run's product will have (spec/README.md G1)."""
    level = PROCESSORS[run.job.processor].level
    return result_name(
        level, run.site.short_name, run.season.short_name, run.interval_start, run.as_of, run.fingerprint
    )


def write_result_item(
    run: SeasonRun, assets: Mapping[str, ResultAsset], properties: Mapping[str, Any], sources: Sequence[InputProduct]
) -> Path:
    """Write ``item.json`` into the work folder, which must hold the files of all assets.

    Parameters
    ----------
    assets : by key, such as ``data``. properties : of the processor's own, with prefix ``s4c:``; they win.
    sources : what ``derived_from`` points to, by the way from where the product will be.

    Raises
    ------
    StorageError, DiskFullError : a file cannot be read, or the item not written.
    """
    import pystac

    name, processor = product_name(run), PROCESSORS[run.job.processor]
    geometry = shapely.set_precision(run.site.geometry, 10**-_DECIMALS)
    item = pystac.Item(
        id=name,
        geometry=shapely.geometry.mapping(shapely.normalize(geometry)),
        bbox=list(geometry.bounds),
        datetime=None,
        properties={**_properties(run), **properties},
    )
    item.collection_id = f"s4c-{processor.level}-{run.site.short_name}"
    item.add_link(pystac.Link("collection", item.collection_id, "application/json"))
    place = run.products_root / run.site.short_name / run.season.short_name / processor.level / name
    for source in sources:
        item.add_link(pystac.Link("derived_from", _address(source, place), "application/geo+json"))
    for key, asset in assets.items():
        item.add_asset(key, _asset(run.work_folder, asset))
    item.stac_extensions = [EXTENSIONS["file"], EXTENSIONS["processing"]]
    if any(asset.columns for asset in assets.values()):
        item.stac_extensions.append(_TABLE)
    path = run.work_folder / ITEM
    write_item(_json(item_document(item)), path)
    return path


def write_inputs(run: SeasonRun) -> list[InputProduct]:
    """Write ``inputs.csv``, a row for each file of statistics read, and return the products they are of.

    Raises
    ------
    OSError : the file cannot be written; the frame says which and why.
    """
    with run.database.begin() as connection:
        found = input_products(connection, {file.product_id for file in run.marker_files})
    names = {product.id: product.name for product in found}
    columns = ("product", "variable", "time", "previous_time", "platform", "tile", "orbit", "direction", "rows", "path")
    with (run.work_folder / INPUTS).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow((*columns, "sha256"))
        for file in run.marker_files:
            earlier = "" if file.previous_time is None else f"{file.previous_time:%Y-%m-%dT%H:%M:%SZ}"
            orbit = "" if file.orbit is None else file.orbit
            writer.writerow(
                (
                    names.get(file.product_id, file.product_id), file.variable, f"{file.time:%Y-%m-%dT%H:%M:%SZ}",
                    earlier, file.platform, file.tile, orbit, file.direction or "", file.n_rows, file.path, file.sha256,
                )
            )  # fmt: skip
    return found


def _properties(run: SeasonRun) -> dict[str, Any]:
    own = run.job.processor
    parameters = {key: _plain(value) for key, value in sorted(run.snapshot.values.items())}
    return {
        "start_datetime": f"{run.interval_start}T00:00:00Z",
        "end_datetime": f"{run.as_of}T23:59:59Z",
        "processing:level": "L4",
        "processing:software": {SOFTWARE: version(SOFTWARE)},
        "s4c:processor": own,
        "s4c:site": run.site.short_name,
        "s4c:season": run.season.short_name,
        "s4c:year": run.parcel_set.year,
        "s4c:profile": str(run.snapshot["profile"]),
        "s4c:parcel_set": run.parcel_set.version,
        "s4c:uploads": {str(kind): number for kind, number in sorted(run.uploads.items())},
        "s4c:fingerprint": run.fingerprint,
        "s4c:config_hash": run.job.config_hash,
        "s4c:inputs_complete": run.inputs_complete,
        "s4c:tiles": sorted({file.tile for file in run.marker_files}),
        "s4c:parameters": parameters,
    }


def _asset(folder: Path, asset: ResultAsset) -> Any:
    import pystac

    path = folder / asset.file
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    fields: dict[str, Any] = {"file:size": size, "file:checksum": multihash(digest.hexdigest())}
    if asset.rows is not None:
        fields["table:row_count"] = asset.rows
    if asset.columns:
        fields["table:columns"] = [{"name": name, "description": text} for name, text in asset.columns.items()]
    media_type = _TYPES.get(path.suffix.lower(), "application/octet-stream")
    return pystac.Asset(asset.file, asset.title, None, media_type, list(asset.roles), fields)


def _address(source: InputProduct, place: Path) -> str:
    path = Path(source.full_path)
    if source.product_type in _WITH_ITEM:
        path /= f"{source.name}.json"
    return Path(os.path.relpath(path, place)).as_posix()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _json(value: Any) -> Any:
    """Tuples of shapely become lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _json(inner) for key, inner in value.items()}
    return [_json(inner) for inner in value] if isinstance(value, tuple | list) else value
