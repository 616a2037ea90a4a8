"""Statistics of products for parcels of a file, without a database."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from pyproj import CRS

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.extraction.pixel_indexes import ParcelOutlines, PixelIndexes
from s4c_lib.extraction.product_statistics import (
    VariableStatistics,
    band_statistics,
    l3b_statistics,
    radar_statistics,
)
from s4c_lib.parameters import Snapshot
from s4c_lib.parcels.pixel_index_file import whole_file
from s4c_lib.readers.flags import MaskRules
from s4c_lib.readers.radar_raster import radar_name, read_radar_raster
from s4c_lib.readers.recognise import read_scene
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.sources.verify import verify_product
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA, QUARTILES, unit_of
from s4c_lib.statistics.observations import read_observations
from s4c_lib.statistics.store import Source, StoredFile, write_statistics
from s4c_lib.statistics.wanted import (
    AMPLITUDE,
    COHERENCE,
    L2A,
    L3B,
    StatisticsOptions,
    wanted_variables,
)

SITE: Final = "by_hand"
_RADAR: Final = {ProductKind.S1_AMP: AMPLITUDE, ProductKind.S1_COHE: COHERENCE}


def read_outlines(path: Path, identifier: str) -> ParcelOutlines:
    """Read the parcels of a vector file.

    Parameters
    ----------
    identifier : column with a whole number above 0, each once; letter case does not matter.

    Raises
    ------
    InputError : no such file or column, numbers that are none or repeated, no coordinate system, invalid polygons.
    """
    import geopandas as gpd
    from pyogrio.errors import DataSourceError

    if not path.exists():
        raise InputError(f"{path} does not exist.", hint="give a GeoPackage, Shapefile or GeoParquet of polygons")
    try:
        frame = gpd.read_parquet(path) if path.suffix.lower() in {".parquet", ".geoparquet"} else gpd.read_file(path)
    except (DataSourceError, ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read as polygons: {error}") from error
    columns = {str(name).lower(): name for name in frame.columns}
    name = columns.get(identifier.lower())
    if name is None:
        others = ", ".join(str(item) for item in frame.columns if item != frame.geometry.name)
        raise InputError(f"{path} has no column {identifier!r}.", hint=f"name one with --id: {others}")
    if frame.crs is None:
        raise InputError(f"{path} says no coordinate system.", hint="write it into the file")
    try:
        numbers = frame[name].to_numpy(dtype=np.int64)
    except (TypeError, ValueError) as error:
        raise InputError(f"Column {name!r} of {path} holds no whole numbers.", hint="number the parcels") from error
    distinct, counts = np.unique(numbers, return_counts=True)
    repeated = distinct[counts > 1]
    if (numbers <= 0).any() or len(repeated):
        what = f"{repeated[0]} more than once" if len(repeated) else f"{numbers.min()}"
        raise InputError(f"Column {name!r} of {path} holds {what}.", hint="each parcel needs a number of its own")
    shapes = frame.geometry.to_numpy()
    wrong = np.flatnonzero(~shapely.is_valid(shapes) & ~shapely.is_missing(shapes))
    if len(wrong):
        raise InputError(
            f"Parcel {numbers[wrong[0]]} of {path} is no valid polygon ({len(wrong)} such parcels).",
            hint="'s4c declarations check' names them all; repair the file",
        )
    return ParcelOutlines(numbers, shapes, CRS.from_user_input(frame.crs))


def extract(
    place: Path, indexes: PixelIndexes, out: Path, parameters: Snapshot, *, processors: Collection[str] = ()
) -> Iterator[tuple[str, StoredFile]]:
    """Extract the variables of one product; gives each with the file it was written to.

    Parameters
    ----------
    place : L3B product, L2A product, or Sentinel-1 level-2 raster; one with a sidecar may have any name.
    indexes : of the parcels; shared by the products, so that each grid is searched once.
    processors : for which statistics are made; ``s4c_l4a`` asks for bands and for what it makes of them (B14).

    Raises
    ------
    InputError : no such product, or nothing of it is wanted by the parameters.
    """
    options = StatisticsOptions.of(parameters.values)
    name = radar_name(place)
    if name is not None:
        # Nothing has looked at it: an ingest checks what it fetches.
        verify_product(place, name)
        found = _radar(place, _RADAR[name.kind], indexes, options, parameters)
    elif (place / f"{place.name}.json").is_file() and place.name.startswith("S4C_L3B_"):
        found = _l3b(place, indexes, options, parameters, processors)
    else:
        found = _bands(place, indexes, options, parameters, processors)
    for source, one in found:
        stored = write_statistics(out, SITE, str(source.time.year), source, one.statistics)
        yield source.variable, stored


def write_table(files: Sequence[Path], path: Path) -> None:
    """Write the rows of files of the store as one observation table, by variable, time and parcel.

    It has columns ``p25``, ``p50``, ``p75`` where a file has them.
    """
    import pyarrow.parquet as pq

    table = read_observations(files, columns=[*OBSERVATION_SCHEMA.names, *QUARTILES])
    table = table.drop_columns([name for name in QUARTILES if table.column(name).null_count == table.num_rows])
    table = table.sort_by([("variable", "ascending"), ("time", "ascending"), ("parcel_id", "ascending")])
    with whole_file(path) as unfinished:
        pq.write_table(table, unfinished, compression="zstd")


def _radar(
    place: Path, product_type: str, indexes: PixelIndexes, options: StatisticsOptions, parameters: Snapshot
) -> Iterator[tuple[Source, VariableStatistics]]:
    raster = read_radar_raster(place)
    wanted = wanted_variables(parameters.values, (), product_type, raster.platform)
    if all(one.variable != raster.variable for one in wanted):
        raise InputError(
            f"{raster.variable} of {raster.name} is not wanted.",
            hint="switch on processor.s4c_mdb1.amp_enabled or cohe_enabled",
        )
    for item in (one for one in wanted if one.variable == raster.variable):
        found = radar_statistics(raster, item, indexes, options)
        yield (
            _source(
                found,
                parameters,
                item_id=raster.name,
                time=raster.time,
                previous_time=raster.previous_time if raster.quantity == "coherence" else None,
                platform=raster.platform,
                tile=raster.tile or f"r{raster.orbit or 0:03d}",
                orbit=raster.orbit,
                direction=raster.direction,
            ),
            found,
        )


def _l3b(
    place: Path, indexes: PixelIndexes, options: StatisticsOptions, parameters: Snapshot, processors: Collection[str]
) -> Iterator[tuple[Source, VariableStatistics]]:
    try:
        item = json.loads((place / f"{place.name}.json").read_bytes())
        properties, assets = item["properties"], item["assets"]
        time = datetime.fromisoformat(properties["datetime"])
        platform = properties["platform"]
        tile = str(properties["grid:code"]).rpartition("-")[2]  # MGRS-31UFS, WRS2-198024
    except (ValueError, KeyError) as error:
        raise ProductCorruptError(f"the item of {place} cannot be read: {error}", hint="make L3B again") from error
    rasters = {name: place / asset["href"] for name, asset in assets.items()}
    wanted = [one for one in wanted_variables(parameters.values, processors, L3B, platform) if one.variable in rasters]
    if not wanted:
        raise InputError(f"{place.name} has no raster to extract.", hint="an empty product has none")
    for found in l3b_statistics(rasters, rasters["flags"], tile, wanted, indexes, options):
        source = _source(
            found,
            parameters,
            item_id=place.name,
            time=time,
            previous_time=None,
            platform=platform,
            tile=tile,
            orbit=None,
            direction=None,
        )
        yield source, found


def _bands(
    place: Path, indexes: PixelIndexes, options: StatisticsOptions, parameters: Snapshot, processors: Collection[str]
) -> Iterator[tuple[Source, VariableStatistics]]:
    scene = read_scene(place)
    wanted = wanted_variables(parameters.values, processors, L2A, scene.platform)
    if not wanted:
        raise InputError(
            f"No band of {place.name} is wanted.", hint="add --set processor.s4c_mdb1.l2ab08_enabled=true, for example"
        )
    rules = MaskRules.of(parameters.values)
    for found in band_statistics(scene, rules, wanted, indexes, options):
        source = _source(
            found,
            parameters,
            item_id=scene.name,
            time=scene.sensing_time,
            previous_time=None,
            platform=scene.platform,
            tile=scene.tile,
            orbit=None,
            direction=None,
        )
        yield source, found


def _source(found: VariableStatistics, parameters: Snapshot, **about: Any) -> Source:
    wanted = found.wanted
    return Source(
        variable=wanted.variable,
        family=wanted.family,
        unit=unit_of(wanted.variable),
        product_id=None,
        parcel_set_id=None,
        buffer_m=wanted.buffer_m,
        resolution=found.grid.pixel,
        config_hash=parameters.hash_for("s4c_mdb1"),
        **about,
    )
