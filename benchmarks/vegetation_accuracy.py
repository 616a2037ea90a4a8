"""L3B against the truth of a synthetic season: LAI and NDVI by crop, and what the masks hide and let through.

Run: ``python benchmarks/vegetation_accuracy.py SEASON [--model-set s4c] [--resolution 10] [--profile default]``

SEASON is a folder of ``s4c synthetic make``. L3B is made of every Sentinel-2 L2A product in it (in a temporary folder).
Values of a parcel and pass are means over its pixels with the flag land, less a rim, where at least half of them and
ten are valid. True LAI is that of ``truth/daily_lai.parquet``; true NDVI is that of the ground without sky and
instrument, computed once more from the options in ``season.json``. "clear" counts parcels that no cloud or shadow
touches in truth, "masks" all that the product's own masks let through. Masks are judged by parcel and pass: hidden in
truth, or masked by the product, where that is so for half of the parcel. A usable parcel (half of it is not masked) is
contaminated where at least a tenth of it is hidden and not masked.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.parcels.inner_buffer import BUFFER_10M, BUFFER_20M, locate_parcels, shrink_parcels
from s4c_lib.parcels.pixel_index import PixelIndex, build_pixel_index
from s4c_lib.products.l3b import L3bOptions, L3bProduct, make_l3b
from s4c_lib.readers.recognise import read_scene
from s4c_lib.readers.scene import NO_DATA
from s4c_lib.synthetic.crops import CROPS
from s4c_lib.synthetic.optical_view import surface_of
from s4c_lib.synthetic.world import SeasonOptions, World, make_world
from s4c_lib.vegetation.networks import MODEL_SETS

Floats = npt.NDArray[np.float64]
LEAST_PIXELS, LEAST_SHARE = 10, 0.5
TRULY_CLEAR = 0.99


def world_of(season: Path) -> World:
    """The season's world, computed again from its options."""
    options = json.loads((season / "season.json").read_text(encoding="utf-8"))["options"]
    days = {name: date.fromisoformat(options[name]) for name in ("start", "end")}
    return make_world(SeasonOptions(**{**options, **days, "tiles": tuple(options["tiles"])}))


def options_of(profile: str, model_set: str, resolution: int) -> L3bOptions:
    """Options of a profile."""
    given = {"profile": profile, "processor.l3b.model_set": model_set, "processor.l3b.resolution": resolution}
    return L3bOptions.of(resolve(Layers(season=given), phase="current").values, "0" * 8)


class Parcels:
    """Pixels of the parcels of a season on the grid of its products."""

    def __init__(self, season: Path, product: L3bProduct) -> None:
        import geopandas
        import rasterio

        from s4c_lib.geography.pixel_grid import PixelGrid

        assert product.flags is not None
        with rasterio.open(product.flags) as raster:
            place = raster.transform
            self.grid = PixelGrid(raster.crs.to_epsg(), place.c, place.f, place.a, raster.height, raster.width)
        frame = geopandas.read_file(season / "truth" / "parcels.gpkg")
        located = locate_parcels(frame.parcel_id.to_numpy(), frame.geometry.to_numpy(), frame.crs, self.grid)
        rim = BUFFER_10M if self.grid.pixel <= 10 else BUFFER_20M
        self.index: PixelIndex = build_pixel_index(
            shrink_parcels(located, rim), self.grid, buffer_m=rim, parcel_set_id=1
        )
        self.pixel = self.index.flat()[1]
        self.parcel = np.repeat(np.arange(len(self.index)), self.index.count)

    def means(self, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Mean over the valid pixels of each parcel (NaN with too few), and their count."""
        good = valid.ravel()[self.pixel]
        here = values.ravel()[self.pixel][good].astype(np.float64)
        count = np.bincount(self.parcel[good], minlength=len(self.index))
        total = np.bincount(self.parcel[good], here, minlength=len(self.index))
        enough = (count >= LEAST_PIXELS) & (count >= LEAST_SHARE * self.index.count)
        return np.divide(total, count, out=np.full(len(count), np.nan), where=enough), count


def true_ndvi(world: World, number: int, parcels: Parcels) -> Floats:
    """NDVI of the ground, means of parcels as in the product."""
    surface = surface_of(world, number)
    red, infrared = surface["B04"], surface["B08"]
    top, left = (
        round((world.fine.grid.north - parcels.grid.north) / 10),
        round((parcels.grid.west - world.fine.grid.west) / 10),
    )
    step = round(parcels.grid.pixel / 10)

    def on_grid(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        part = image[top : top + step * parcels.grid.rows, left : left + step * parcels.grid.columns]
        blocks = part.reshape(parcels.grid.rows, step, parcels.grid.columns, step)
        return np.asarray(blocks.mean(axis=(1, 3)), np.float32)

    red, infrared = on_grid(red), on_grid(infrared)
    ndvi = (infrared - red) / (infrared + red)
    return parcels.means(ndvi, np.ones(ndvi.shape, np.bool_))[0]


def errors(found: Floats, truth: Floats, among: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Count, mean of the truth, bias and root of the mean square."""
    here = among & np.isfinite(found) & np.isfinite(truth)
    if not here.any():
        return {"n": 0}
    difference = found[here] - truth[here]
    return {
        "n": int(here.sum()),
        "truth": round(float(truth[here].mean()), 3),
        "bias": round(float(difference.mean()), 3),
        "rmse": round(float(np.sqrt((difference**2).mean())), 3),
    }


def masks(hidden: Floats, masked: Floats) -> dict[str, float]:
    """Precision and recall of the masks over parcels and passes, and what clouds get through."""
    truly, said = hidden >= 0.5, masked >= 0.5
    usable = masked <= 0.5
    return {
        "n": int(hidden.size),
        "hidden": round(float(truly.mean()), 3),
        "precision": round(float((truly & said).sum() / max(1, said.sum())), 4),
        "recall": round(float((truly & said).sum() / max(1, truly.sum())), 4),
        "contaminated_of_usable": round(float((usable & (hidden - masked > 0.1)).sum() / max(1, usable.sum())), 4),
    }


def measure(season: Path, options: L3bOptions) -> dict[str, Any]:
    """Make all products and compare."""
    world = world_of(season)
    numbers = {flight.start.replace(microsecond=0): number for number, flight in enumerate(world.optical)}
    lai_rows = pq.read_table(season / "truth" / "daily_lai.parquet").to_pandas().set_index(["date", "parcel_id"]).lai
    clear_rows = pq.read_table(season / "truth" / "clear.parquet").to_pandas().set_index(["time", "parcel_id"])
    crop_of = pq.read_table(season / "truth" / "parcels.parquet").to_pandas().set_index("parcel_id").true_crop
    parcels: Parcels | None = None
    rows: dict[str, list[npt.NDArray[Any]]] = {}
    started = time.process_time()
    statuses = {"active": 0, "empty": 0}
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted((season / "archive" / "Sentinel-2" / "MSI" / "L2A").rglob("*.SAFE")):
            scene = read_scene(path)
            product = make_l3b(scene, Path(folder), options, site="synthetic", now=datetime(2000, 1, 1, tzinfo=UTC))
            statuses[product.status] += 1
            if product.status == "active" and parcels is None:
                parcels = Parcels(season, product)
        made = time.process_time() - started
        for path in sorted((season / "archive" / "Sentinel-2" / "MSI" / "L2A").rglob("*.SAFE")):
            scene = read_scene(path)
            assert parcels is not None, "every product is empty"
            ids = parcels.index.parcel_id.astype(np.int64)
            when = scene.sensing_time.replace(microsecond=0)
            found = compared(Path(folder), scene.sensing_time, parcels)
            truth = lai_rows.loc[when.date()].reindex(ids).to_numpy(np.float64)
            clear = clear_rows.xs(when, level="time").clear_share.reindex(ids).to_numpy(np.float64)
            columns = {
                "lai": found["lai"],
                "ndvi": found["ndvi"],
                "masked": found["masked"],
                "true_lai": truth,
                "true_ndvi": true_ndvi(world, numbers[when], parcels),
                "hidden": 1 - clear,
                "crop": crop_of.reindex(ids).to_numpy(),
            }
            for name, values in columns.items():
                rows.setdefault(name, []).append(values)
    table = {name: np.concatenate(values) for name, values in rows.items()}
    return {
        "products": statuses,
        "cpu_s_of_all_products": round(made, 1),
        "options": {
            "model_set": options.model_set, "resolution": options.resolution, "profile": options.profile,
        },
        "masks": masks(table["hidden"], table["masked"]),
        "crops": by_crop(table),
    }  # fmt: skip


def compared(folder: Path, when: datetime, parcels: Parcels) -> dict[str, Floats]:
    """Parcel means of a pass as its product gives them; an empty product masks all."""
    import rasterio

    there = sorted(folder.rglob(f"S4C_L3B_*_{when:%Y%m%dT%H%M%S}_*_FLAGS.tif"))
    if not there:
        nothing = np.full(len(parcels.index), np.nan)
        return {"lai": nothing, "ndvi": nothing, "masked": np.ones(len(parcels.index))}
    result: dict[str, Floats] = {}
    with rasterio.open(there[0]) as raster:
        land = raster.read(1) == 0
    for name in ("lai", "ndvi"):
        with rasterio.open(str(there[0]).replace("FLAGS", name.upper())) as raster:
            stored = raster.read(1)
        result[name] = parcels.means(stored * 0.001, land & (stored != NO_DATA))[0]
    result["masked"] = 1 - parcels.means(land, land)[1] / parcels.index.count
    return result


def by_crop(table: dict[str, npt.NDArray[Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Errors of LAI and NDVI by crop, of truly clear parcels and of all that pass the masks."""
    clear = table["hidden"] <= 1 - TRULY_CLEAR
    everything = np.ones(clear.shape, np.bool_)
    groups = {crop.english: table["crop"] == crop.code for crop in CROPS} | {"all": everything}
    return {
        name: {
            f"{variable}_{label}": errors(table[variable], table[f"true_{variable}"], among & chosen)
            for variable in ("lai", "ndvi")
            for label, chosen in (("clear", clear), ("masks", everything))
        }
        for name, among in groups.items()
        if among.any()
    }


def main() -> None:
    """Print the table, and one JSON line with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("season", type=Path)
    parser.add_argument("--model-set", choices=list(MODEL_SETS), default="s4c")
    parser.add_argument("--resolution", type=int, choices=(10, 20), default=10)
    parser.add_argument("--profile", choices=("default", "reference"), default="default")
    parser.add_argument("--json", action="store_true", help="last line: one JSON object")
    given = parser.parse_args()
    result = measure(given.season, options_of(given.profile, given.model_set, given.resolution))
    print(f"products {result['products']}, {result['cpu_s_of_all_products']} s CPU")
    print("masks:", ", ".join(f"{name} {value}" for name, value in result["masks"].items()))
    columns = ("lai_clear", "lai_masks", "ndvi_clear", "ndvi_masks")
    print(f"{'':26}" + "".join(f"{column:^28}" for column in columns))
    print(f"{'crop':26}" + "".join(f"{'n':>6}{'truth':>7}{'bias':>7}{'rmse':>7} " for _ in columns))
    for crop, found in result["crops"].items():
        cells = (
            f"{cell['n']:6d}" + "".join(f"{cell.get(key, float('nan')):7.3f}" for key in ("truth", "bias", "rmse"))
            for cell in (found[column] for column in columns)
        )
        print(f"{crop:26}" + " ".join(cells))
    if given.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
