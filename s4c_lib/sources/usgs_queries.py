"""Queries of ``scene-search``, the search of M2M."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from shapely.geometry import mapping

from s4c_lib.sources.model import Query
from s4c_lib.sources.search_area import search_parts
from s4c_lib.sources.usgs_answers import DATASETS

# The reference does not say whether the last day counts, nor in which zone a day begins: days too many are left out
# afterwards.
_MARGIN: Final = timedelta(days=1)


def searches(query: Query) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Dataset and scene filter of each search that a query takes; none for kinds that are not Landsat's.

    Both satellites lie in one dataset: the other one's scenes are told apart by their names.
    """
    datasets = sorted({DATASETS[kind] for kind in query.kinds if kind in DATASETS})
    for dataset in datasets:
        days = {
            "start": (query.date_from - _MARGIN).isoformat(),
            "end": (query.date_to + _MARGIN).isoformat(),
        }
        every_cover = {"min": 0, "max": 100, "includeUnknown": True}
        scene_filter: dict[str, Any] = {"acquisitionFilter": days, "cloudCoverFilter": every_cover}
        if query.geometry is None:
            yield dataset, scene_filter
            continue
        for part in search_parts(query.geometry):
            area = mapping(part)
            ring = [[list(corner) for corner in line] for line in area["coordinates"]]
            geojson = {"type": area["type"], "coordinates": ring}
            yield dataset, {**scene_filter, "spatialFilter": {"filterType": "geojson", "geoJson": geojson}}
