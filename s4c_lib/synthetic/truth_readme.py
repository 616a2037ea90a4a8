"""The README that lies beside a season: what each file and column means."""

from __future__ import annotations

from datetime import date

from s4c_lib.synthetic.canopy import EVENT_KINDS
from s4c_lib.synthetic.crops import CROPS, CatchCrop, Practice, Regime
from s4c_lib.synthetic.world import World

# Every column of the truth, by file.
COLUMNS: dict[str, dict[str, str]] = {
    "parcels.parquet": {
        "parcel_id": "number of the parcel in this truth, 1 and up (not the NewID of an import: join by ori_id)",
        "ori_id": "identifier as declared",
        "true_crop": "crop code of what grows there",
        "declared_crop": "crop code the farmer gave",
        "mislabelled": "whether the two differ",
        "regime": "use of grassland: " + ", ".join(member.name.lower() for member in Regime),
        "catch_crop": "catch crop that is really there: " + ", ".join(member.name.lower() for member in CatchCrop),
        "practice": "practice declared: " + ", ".join(member.name.lower() for member in Practice),
        "area_m2": "area of the outline, m²",
        "sowing": "of the season's main crop",
        "emergence": "of the season's main crop",
        "senescence": "first day on which leaves die faster than they grow",
        "harvest": "of the main crop; null when after the season",
        "tillage_after_harvest": "first cultivation or ploughing after it",
        "catch_crop_sowing": "null for an undersown one without a sowing of its own",
        "catch_crop_emergence": "of the catch crop",
        "catch_crop_destruction": "by frost, tillage or herbicide",
        "mowings": "count within the season",
        "mowing_1 … mowing_6": "dates of the first six",
        "grazing_days": "days with animals within the season",
    },
    "events.parquet": {
        "parcel_id": "as above",
        "event": ", ".join(EVENT_KINDS),
        "date": "day it was done or reached; those before the season too",
        "end_date": "last day of a grazing",
        "intensity": "share of the green leaf area taken, 0 to 1",
    },
    "daily_lai.parquet": {
        "parcel_id": "as above",
        "date": "every day of the season",
        "lai": "green leaf area index, m²/m²: what LAI products aim at",
        "brown_lai": "dead leaves and stems still standing, m²/m²",
    },
    "weather.parquet": {
        "date": "day",
        "temperature": "daily mean, °C",
        "rain": "mm",
        "soil_moisture": "of the upper 5 cm, m³/m³",
        "frozen": "ground frozen at dawn",
    },
    "passes.parquet": {
        "time": "UTC",
        "sensor": "sentinel-1 or sentinel-2",
        "platform": "S1A, S2A …",
        "relative_orbit": "number",
        "direction": "ascending or descending, radar only",
        "sun_zenith": "degrees at the centre of the window",
        "view_zenith": "degrees; for radar the incidence angle",
        "previous_time": "the pass it has coherence with",
        "cloud_share": "share of the window under cloud, in truth",
        "hidden_share": "share of the window under cloud or in its shadow, in truth",
        "classified_hidden_share": "the same by the scene classification, errors included",
    },
    "clear.parquet": {
        "parcel_id": "as above",
        "time": "of the optical pass",
        "clear_share": "share of the parcel's pixels that neither cloud nor shadow touches, in truth",
    },
    "parcels.gpkg": {
        "parcel_id": "as above",
        "ori_id": "identifier as declared",
        "true_crop": "crop code of what grows there",
        "declared_crop": "crop code the farmer gave",
    },
}
_FILES = {
    "archive/": "the products, as a local archive that `s4c source add … --root` reads",
    "declarations/": (
        "what the agency uploads: parcels (Shapefile, GeoPackage; second delivery `_v2`), crop LUT, L4B and L4C "
        "configuration, practice tables; `declarations_truth.json` lists every deliberate fault with the code that "
        "must report it"
    ),
    "truth/": "what is really there; see below. `parcels.gpkg` holds the true outlines",
    "site.geojson": "the window, for `s4c site add`",
    "season.json": "options and counts; written last",
}
_PARITY = {"archive_parity/": "the Sentinel-1 products again, as Sen4CAP 3.x wrote them"}
_SERIES_FILES = {
    "observations/": "the common observation table in parts of 2000 parcels, sorted by variable, time and parcel",
    "parcels.parquet": "parcel table beside it: declared crop, pixels of 10 m (S2Pix) and 20 m (S1Pix), holding",
    "practices_*.csv, crop_lut.csv, l4b.cfg, l4c.cfg": "what L4A, L4B and L4C need beside observations",
    "truth/": "what is really there; see below (`daily_lai/` in parts)",
    "series.json": "options and counts; written last",
}


def series_readme(parcels: int, start: date, end: date, seed: int) -> str:
    """Text of the README beside a series without rasters."""
    lines = [
        "# A synthetic series",
        "",
        f"{parcels} parcels, {start} to {end}, seed {seed}. Nothing in it was observed.",
        "",
        *_table(_SERIES_FILES),
    ]
    for name in ("parcels.parquet", "events.parquet", "daily_lai.parquet"):
        lines += ["", f"## truth/{name.replace('daily_lai.parquet', 'daily_lai/')}", "", *_table(COLUMNS[name])]
    return "\n".join(lines) + "\n"


def readme(world: World) -> str:
    """Text of a season's README."""
    options = world.options
    files = _FILES | (_PARITY if options.parity else {})
    tiles = ", ".join(f"{tile.tile_id} ({part.columns} x {part.rows} pixels)" for tile, part in world.window.tiles)
    lines = [
        "# A synthetic season",
        "",
        f"{len(world.landscape.shapes)} parcels, {options.start} to {options.end}, seed {options.seed}; tiles {tiles}.",
        "Nothing in it was observed: fields, weather, crops and images are models with a known truth.",
        "",
        *_table(files),
        "",
        "## Crops",
        "",
        "| code | crop | parcels |",
        "|---|---|---|",
    ]
    crops = world.landscape.traits.crop
    lines += [f"| {crop.code} | {crop.english} | {int((crops == number).sum())} |" for number, crop in enumerate(CROPS)]
    for name, columns in COLUMNS.items():
        lines += ["", f"## truth/{name}", "", *_table(columns)]
    return "\n".join(lines) + "\n"


def _table(rows: dict[str, str]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in rows.items())]
