"""Maps of the demo's products: crop types with the declarations they contradict, mowings, weeks of harvest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.catalog import results_l4a, results_l4b, results_l4c
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.parcel_sets import active_set
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.catalog.sites import get_site
from s4c_lib.chart_style import BLACK, GREY, new_figure, save
from s4c_lib.scorecard.season import newest_product

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import Connection

    from s4c_lib.catalog.parcel_sets import ParcelSet
    from s4c_lib.catalog.seasons import Season
    from s4c_lib.catalog.sites import Site

_NOTHING: Final = "#EEEEEE"
_CROPS: Final = 10
_MOST_MOWINGS: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Outlines of parcels and what products say of each.

    Parameters
    ----------
    outlines : of the parcels, the largest first, so that it hides none.
    extent : west, south, east, north of what is shown, in their system; a delivery has parcels far outside too.
    crop : name of the predicted crop, None where not classified. contradicted : the declaration is.
    mowings : count, NaN where not looked for. harvest : day number of the week's Monday, NaN without.
    """

    outlines: list[BaseGeometry]
    extent: tuple[float, float, float, float]
    crop: list[str | None]
    contradicted: npt.NDArray[np.bool_]
    mowings: npt.NDArray[np.float64]
    harvest: npt.NDArray[np.float64]


def gather_maps(connection: Connection, season: Season) -> Maps | None:
    """Read the newest products of a season; None without declarations or without any product."""
    import shapely

    parcel_set = active_set(connection, season.site_id, season.year)
    newest = {kind: newest_product(connection, season, kind) for kind in ("s4c_l4a", "s4c_l4b", "s4c_l4c")}
    if parcel_set is None or not any(newest.values()):
        return None
    crops, mowing, practices = newest.values()
    lut = None if crops is None else crops.metadata["uploads"][str(Kind.LUT)]
    rows = read_parcels(connection, parcel_set, ["new_id", "geom"], lut_version=lut)
    outlines = shapely.from_wkb(rows["geom"].to_pylist())
    order = np.argsort(-np.nan_to_num(shapely.area(outlines)), kind="stable")
    numbers = rows["new_id"].to_numpy()[order]
    crop: dict[int, str] = {}
    contradicted: set[int] = set()
    mowings: dict[int, float] = {}
    harvest: dict[int, float] = {}
    if crops is not None:
        names = dict(zip(rows["ctnuml4a"].to_pylist(), rows["ctl4a"].to_pylist(), strict=True))
        for row in results_l4a.read_results(connection, crops.id).to_pylist():
            if row["ct_pred_1"] is not None:
                crop[row["new_id"]] = names.get(row["ct_pred_1"]) or str(row["ct_pred_1"])
            if row["verdict"] == "contradicted":
                contradicted.add(row["new_id"])
    if mowing is not None:
        for row in results_l4b.read_results(connection, mowing.id).to_pylist():
            if row["proc"]:
                mowings[row["new_id"]] = float(row["mow_n"])
    if practices is not None and "NA" in practices.metadata["practices"]:
        for row in results_l4c.read_results(connection, practices.id, practice="NA").to_pylist():
            if row["h_w_start"] is not None:
                harvest[row["new_id"]] = float((row["h_w_start"] - date(1970, 1, 1)).days)
    return Maps(
        list(outlines[order]),
        _extent(get_site(connection, season.site), parcel_set),
        [crop.get(number) for number in numbers.tolist()],
        np.isin(numbers, sorted(contradicted)),
        np.array([mowings.get(number, np.nan) for number in numbers.tolist()]),
        np.array([harvest.get(number, np.nan) for number in numbers.tolist()]),
    )


def _extent(site: Site, parcel_set: ParcelSet) -> tuple[float, float, float, float]:
    """Bounds of a site in the system of the parcels."""
    from pyproj import Transformer

    to_parcels = Transformer.from_crs(4326, parcel_set.crs_wkt, always_xy=True)
    return to_parcels.transform_bounds(*site.geometry.bounds)


def draw_maps(maps: Maps, path: Path, *, title: str) -> None:
    """Draw three maps into a PNG that replaces an earlier one."""
    figure = new_figure(15, 5.8)
    figure.suptitle(f"{title}: crop types, mowings and harvests of the declared parcels")
    axes: Any = figure.subplots(1, 3)
    _crops(axes[0], maps)
    _mowings(axes[1], maps)
    shown = _filled(axes[2], maps.outlines, maps.harvest, "viridis")
    axes[2].set_title("week of harvest (L4C)")
    west, south, east, north = maps.extent
    for each in axes:
        each.set(xlim=(west, east), ylim=(south, north))
    if np.isfinite(maps.harvest).any():
        bar = figure.colorbar(shown, ax=axes[2], shrink=0.8)
        ticks = np.linspace(np.nanmin(maps.harvest), np.nanmax(maps.harvest), 6)
        bar.set_ticks(ticks.tolist(), labels=[f"{date.fromordinal(719163 + int(day)):%d %b}" for day in ticks])
    partial = path.with_name(f".{path.name}.part")
    save(figure, partial)
    partial.replace(path)


def _crops(axes: Axes, maps: Maps) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Patch

    names = [name for name in maps.crop if name is not None]
    common = sorted(set(names), key=lambda name: (-names.count(name), name))[:_CROPS]
    colours = {name: colormaps["tab10"](number) for number, name in enumerate(common)}
    _outlined(axes, maps.outlines, [colours.get(name or "", _NOTHING) for name in maps.crop], "white", 0.3)
    wrong = [outline for outline, which in zip(maps.outlines, maps.contradicted, strict=True) if which]
    _outlined(axes, wrong, ["none"] * len(wrong), BLACK, 2.0)
    patches = [Patch(color=colours[name], label=name) for name in common]
    patches.append(Patch(facecolor="none", edgecolor=BLACK, linewidth=2, label="declaration contradicted"))
    axes.legend(handles=patches, fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.01), ncols=4, frameon=False)
    axes.set_title("crop type (L4A)")


def _mowings(axes: Axes, maps: Maps) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Patch

    scale = colormaps["YlGn"]
    colours = [scale(0.1 + 0.9 * number / _MOST_MOWINGS) for number in range(_MOST_MOWINGS + 1)]
    chosen = [_NOTHING if np.isnan(count) else colours[min(int(count), _MOST_MOWINGS)] for count in maps.mowings]
    _outlined(axes, maps.outlines, chosen, GREY, 0.2)
    patches = [
        Patch(color=colour, label=f"{number}{' or more' if number == _MOST_MOWINGS else ''}")
        for number, colour in enumerate(colours)
    ]
    axes.legend(handles=patches, fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.01), ncols=6, frameon=False)
    axes.set_title("mowings of grassland (L4B)")


def _outlined(axes: Axes, outlines: list[BaseGeometry], colours: list[Any], edge: str, width: float) -> None:
    polygons, faces = _rings(outlines, colours)
    _collect(axes, polygons, facecolors=faces, edgecolors=edge, linewidths=width)


def _filled(axes: Axes, outlines: list[BaseGeometry], values: npt.NDArray[np.float64], scale: str) -> Any:
    known = np.isfinite(values)
    _outlined(axes, outlines, [_NOTHING] * len(outlines), GREY, 0.2)
    polygons, shown = _rings([one for one, there in zip(outlines, known, strict=True) if there], list(values[known]))
    return _collect(axes, polygons, array=np.array(shown, np.float64), cmap=scale, edgecolors=GREY, linewidths=0.2)


def _rings(outlines: list[BaseGeometry], values: list[Any]) -> tuple[list[npt.NDArray[np.float64]], list[Any]]:
    """Outer rings, and the value of each; a parcel of parts has several, one without an outline none."""
    import shapely

    rings: list[npt.NDArray[np.float64]] = []
    of: list[Any] = []
    for outline, value in zip(outlines, values, strict=True):
        for part in () if outline is None else shapely.get_parts(outline):
            if isinstance(part, shapely.Polygon) and not part.is_empty:
                rings.append(shapely.get_coordinates(part.exterior))
                of.append(value)
    return rings, of


def _collect(axes: Axes, polygons: list[npt.NDArray[np.float64]], **look: Any) -> Any:
    from matplotlib.collections import PolyCollection

    collection = PolyCollection(polygons, **look)
    axes.add_collection(collection)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    return collection
