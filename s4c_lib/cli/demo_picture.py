"""The picture that ends the demo: NDVI maps of clear dates, and what was seen of a few parcels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.catalog import marker_files, products
from s4c_lib.catalog.auxdata import Kind, season_inputs
from s4c_lib.catalog.parcel_sets import get_set
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.statistics.matrices import EnoughPixels, Series, series_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from s4c_lib.catalog.seasons import Season

_MAPS: Final = 4
_CROPS: Final = 3
_LEAST_PIXELS: Final = 60
_MOST_M2: Final = 200_000
# A parcel under the edge of a cloud has a value of its own kind.
_SEEN: Final = 0.9
_PANELS: Final = (("ndvi", "NDVI"), ("lai", "LAI, m²/m²"), ("vh", "VH, dB"), ("coherence_vv", "coherence VV"))


@dataclass(frozen=True, slots=True)
class Map:
    """An NDVI raster of a clear date."""

    time: datetime
    path: Path
    valid_pct: float


@dataclass(frozen=True, slots=True, eq=False)
class ParcelSeries:
    """What was seen of a parcel: arrays of time and mean by variable; radar of all orbits."""

    label: str
    seen: dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]


def gather(connection: Connection, season: Season) -> tuple[list[Map], list[ParcelSeries]]:
    """Choose clear dates spread over the season, and a large parcel of each of the commonest crops."""
    listed = products.list_products(connection, season.site_id, product_type="l3b")
    maps = [
        Map(
            item.acquired_at,
            Path(item.full_path) / item.metadata["rasters"]["ndvi"],
            float(item.metadata["percentages"]["valid"]),
        )
        for item in listed
        if "ndvi" in item.metadata.get("rasters", {})
    ]
    inputs = season_inputs(connection, season)
    if inputs.parcel_set_id is None:
        return _spread(maps), []
    parcel_set = get_set(connection, inputs.parcel_set_id)
    table = read_parcels(
        connection,
        parcel_set,
        ["new_id", "ori_crop", "s2_pix", "area_meters"],
        processor="s4c_l4a",
        lut_version=inputs.versions.get(Kind.LUT),
    )
    files = marker_files.list_marker_files(connection, parcel_set.id, variables=[name for name, _ in _PANELS])
    chosen = _largest(table.to_pylist())
    series = series_of(
        [Path(file.path) for file in files],
        [name for name, _ in _PANELS],
        list(chosen),
        enough=EnoughPixels(min_share=_SEEN),
    )
    return _spread(maps), [_of_parcel(number, label, series) for number, label in chosen.items()]


def _spread(maps: list[Map]) -> list[Map]:
    """The clearest date of each part of the season."""
    ordered = sorted(maps, key=lambda item: item.time)
    parts = np.array_split(np.arange(len(ordered)), min(_MAPS, len(ordered)) or 1)
    return [max((ordered[i] for i in part), key=lambda item: item.valid_pct) for part in parts if len(part)]


def _largest(parcels: list[dict[str, Any]]) -> dict[int, str]:
    """The largest parcel of each of the commonest crops, with a label."""
    by_crop: dict[str, list[dict[str, Any]]] = {}
    for row in parcels:
        if row["reason"] is None and (row["s2_pix"] or 0) >= _LEAST_PIXELS and row["area_meters"] < _MOST_M2:
            by_crop.setdefault(row.get("ct") or row["ori_crop"] or "?", []).append(row)
    common = sorted(by_crop, key=lambda crop: (-len(by_crop[crop]), crop))[:_CROPS]
    found = {}
    for crop in common:
        row = max(by_crop[crop], key=lambda item: (item["s2_pix"], -item["new_id"]))
        found[int(row["new_id"])] = f"{crop} (parcel {row['new_id']})"
    return found


def _of_parcel(number: int, label: str, series: dict[tuple[str, int | None], Series]) -> ParcelSeries:
    seen: dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]] = {}
    for name, _ in _PANELS:
        parts = [one for (variable, _), one in sorted(series.items(), key=str) if variable == name]
        time = np.concatenate([one.time for one in parts]) if parts else np.empty(0, "datetime64[s]")
        values = [one.mean[np.flatnonzero(one.parcel_id == number)].reshape(-1, len(one.time)) for one in parts]
        mean = np.concatenate([rows[0] if len(rows) else np.full(rows.shape[1], np.nan) for rows in values] or [time])
        order = np.argsort(time, kind="stable")
        valid = order[~np.isnan(mean[order].astype(np.float64))] if len(parts) else order
        seen[name] = time[valid], mean[valid]
    return ParcelSeries(label, seen)


def draw(maps: list[Map], series: list[ParcelSeries], path: Path, *, title: str) -> None:
    """Draw maps above, series below, into a PNG that replaces an earlier one."""
    import rasterio
    from matplotlib import dates
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dates_of: Any = dates  # published without types
    figure = Figure(figsize=(14, 9), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{title}: NDVI of clear dates, and what was seen of three parcels")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 1))
    above, below = parts
    shown = None
    for axes, item in zip(np.atleast_1d(above.subplots(1, max(len(maps), 1))), maps, strict=False):
        with rasterio.open(item.path) as source:
            values = np.ma.masked_equal(source.read(1), source.nodata) * source.scales[0]
        shown = axes.imshow(values, cmap="YlGn", vmin=0, vmax=0.95, interpolation="nearest")
        axes.set_facecolor("0.85")
        axes.set_title(f"{item.time:%Y-%m-%d}, {item.valid_pct:.0f} % clear")
        axes.set_xticks([])
        axes.set_yticks([])
    if shown is not None:
        above.colorbar(shown, ax=above.axes, label="NDVI (grey: masked)", shrink=0.8)
    for axes, (name, label) in zip(below.subplots(1, len(_PANELS)), _PANELS, strict=True):
        for one in series:
            time, mean = one.seen[name]
            axes.plot(time, mean, marker=".", linewidth=1, label=one.label)
        axes.set_title(label)
        locator = dates_of.AutoDateLocator(maxticks=6)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates_of.ConciseDateFormatter(locator))
        axes.grid(alpha=0.3)
    if series:
        below.axes[0].legend(fontsize=8)
    partial = path.with_name(f".{path.name}.part")
    figure.savefig(partial, format="png", dpi=100)
    partial.replace(path)
