"""The truth beside a season: what was there and what was done, in tables that explain themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from pyproj import Transformer

from s4c_lib.synthetic.canopy import Weather
from s4c_lib.synthetic.crops import CROPS
from s4c_lib.synthetic.growth.truth import daily_lai_table, parcel_truth_table
from s4c_lib.synthetic.landscape.vector_files import write_geopackage
from s4c_lib.synthetic.parquet_files import write_parquet
from s4c_lib.synthetic.truth_readme import readme
from s4c_lib.synthetic.world import SeasonOptions, World

WEATHER_SCHEMA = pa.schema(
    [
        pa.field("date", pa.date32(), nullable=False),
        pa.field("temperature", pa.float32(), nullable=False),
        pa.field("rain", pa.float32(), nullable=False),
        pa.field("soil_moisture", pa.float32(), nullable=False),
        pa.field("frozen", pa.bool_(), nullable=False),
    ]
)


def write_truth(world: World, folder: Path, passes: pa.Table, clear: pa.Table) -> None:
    """Write ``truth/``, ``site.geojson`` and ``README.md`` into a season's folder.

    Parameters
    ----------
    passes, clear : `views.PASS_SCHEMA` and `views.CLEAR_SCHEMA`, in the order of time.
    """
    options, traits = world.options, world.landscape.traits
    truth = folder / "truth"
    truth.mkdir()
    parcels = parcel_truth_table(traits, world.events, start=options.start, end=options.end)
    named = parcels.add_column(1, "ori_id", pa.array(world.landscape.ori_id, pa.string()))
    write_parquet(named, truth / "parcels.parquet")
    write_parquet(world.events, truth / "events.parquet")
    write_parquet(daily_lai_table(traits, world.canopy, options.start, options.end), truth / "daily_lai.parquet")
    write_parquet(weather_table(world.weather, options), truth / "weather.parquet")
    write_parquet(passes, truth / "passes.parquet")
    write_parquet(clear, truth / "clear.parquet")
    codes = np.array([crop.code for crop in CROPS])
    columns = {
        "parcel_id": traits.parcel_id,
        "ori_id": np.array(world.landscape.ori_id),
        "true_crop": codes[traits.crop],
        "declared_crop": codes[traits.declared],
    }
    write_geopackage(truth / "parcels.gpkg", world.landscape.shapes, columns, world.landscape.grid.epsg)
    (folder / "site.geojson").write_text(_extent(world) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(readme(world), encoding="utf-8")


def weather_table(weather: Weather, options: SeasonOptions) -> pa.Table:
    """Weather of each day of the season."""
    first, last = weather.index(options.start), weather.index(options.end) + 1
    columns = [
        np.datetime64(options.start, "D") + np.arange(last - first),
        weather.temperature[first:last],
        weather.rain[first:last],
        weather.soil_moisture[first:last],
        weather.frozen[first:last],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, WEATHER_SCHEMA, strict=True)]
    return pa.table(arrays, schema=WEATHER_SCHEMA)


def _extent(world: World) -> str:
    """The window as a GeoJSON of longitudes and latitudes, for ``s4c site add``."""
    box = shapely.segmentize(shapely.box(*world.window.grid.bounds), 1000)
    to_degrees = Transformer.from_crs(world.window.grid.epsg, 4326, always_xy=True)
    ring = [[round(float(value), 7) for value in to_degrees.transform(x, y)] for x, y in shapely.get_coordinates(box)]
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    return json.dumps({"type": "FeatureCollection", "features": [feature]})
