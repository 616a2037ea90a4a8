"""What an exported file says about itself: origin, versions, licence, and what each column holds."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from s4c_lib.products.export_model import ExportFrame, ExportOptions
from s4c_lib.products.export_rows import Layer

About = dict[str, str]


def about(frame: ExportFrame, options: ExportOptions, crs_name: str) -> About:
    """Origin of an export as plain lines, the same in every format."""
    origin = frame.provenance
    lines = {
        "site": origin.site,
        "year": str(origin.year),
        "created": origin.created,
        "software": origin.software,
        "licence": origin.licence,
        "crs": crs_name,
        "layout": options.layout.value,
        "filter": _filter_text(options),
    }
    for result in frame.results:
        until = "" if result.as_of is None else f", until {result.as_of.isoformat()}"
        lines[f"product {result.name} {result.product_id}"] = f"{result.product_id}{until}"
        for kind, version in sorted(result.versions.items()):
            lines[f"product {result.name} {result.product_id}: {kind}"] = str(version)
    lines |= {f"version of {kind}": str(version) for kind, version in sorted(origin.versions.items())}
    lines |= {f"parameter {key}": str(value) for key, value in sorted(origin.parameters.items())}
    return lines


def about_table(lines: Mapping[str, str]) -> pa.Table:
    """The lines as a table."""
    return pa.table({"item": pa.array(lines.keys(), pa.string()), "value": pa.array(lines.values(), pa.string())})


def columns_table(layers: Iterable[Layer]) -> pa.Table:
    """Column dictionary of several layers as a table."""
    rows = [row for layer in layers for row in layer.dictionary()]
    names = ("layer", "column", "type", "unit", "description", "source")
    return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in names})


def write_side_files(folder: Path, stem: str, layer: Layer, lines: Mapping[str, str]) -> list[Path]:
    """Write ``{stem}_columns.csv`` and ``{stem}_about.json`` beside a file that cannot hold them."""
    columns = folder / f"{stem}_columns.csv"
    write_csv(columns, layer.dictionary())
    origin = folder / f"{stem}_about.json"
    origin.write_text(json.dumps(lines, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return [columns, origin]


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a small table with a header, UTF-8."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _filter_text(options: ExportOptions) -> str:
    wanted = options.filter
    conditions = {
        "crop": wanted.crops,
        "group": wanted.groups,
        "LC": wanted.land_cover,
        "holding": wanted.holdings,
        "tile": wanted.tiles,
        "decision": wanted.decisions,
        "box": wanted.bbox or (),
    }
    parts = [f"{name} in {', '.join(map(str, values))}" for name, values in conditions.items() if values]
    parts.append("with deleted parcels" if wanted.deleted else "without deleted parcels")
    return "; ".join(parts)
