"""Observations and truth of any number of parcels, by the models of the season but without rasters."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from s4c_lib.errors import InputError
from s4c_lib.progress import Progress, silent
from s4c_lib.statistics.observation_table import VARIABLES, observation_table
from s4c_lib.synthetic import defaults
from s4c_lib.synthetic.growth.truth import daily_lai_table, parcel_truth_table
from s4c_lib.synthetic.growth.weather import season_year
from s4c_lib.synthetic.landscape.configuration import crop_lut, l4b_configuration, l4c_configuration
from s4c_lib.synthetic.landscape.practices import COLUMNS, practice_tables
from s4c_lib.synthetic.optical.canopy_reflectance import ReflectanceTable, table_for
from s4c_lib.synthetic.optical.scene_classes import ClassificationErrors
from s4c_lib.synthetic.orbits import optical_passes, radar_passes
from s4c_lib.synthetic.parquet_files import write_parquet
from s4c_lib.synthetic.passes import OpticalPass, RadarPass
from s4c_lib.synthetic.processes import map_in_order
from s4c_lib.synthetic.series_optical import optical_blocks
from s4c_lib.synthetic.series_parcels import CHUNK, CHUNKS_A_DISTRICT, series_parcels
from s4c_lib.synthetic.series_radar import radar_blocks
from s4c_lib.synthetic.truth_readme import series_readme
from s4c_lib.synthetic.whole_folder import whole_folder
from s4c_lib.synthetic.window import check_dates

MARK: Final = "series.json"
TILE: Final = "31UFS"
# The middle of the default season's window.
LONGITUDE, LATITUDE = 5.23, 51.39
PRACTICES: Final = ("NA", "CC", "FL", "NFC")
# Measured with all variables.
_BYTES_A_PARCEL: Final = 16_000
_DAILY_BYTES: Final = 1_500


@dataclass(frozen=True, slots=True)
class SeriesOptions:
    """What decides a series; meanings as in `world.SeasonOptions`.

    Parameters
    ----------
    variables : of the observation table; fewer make it smaller and faster.
    daily_lai : keep the leaf area of every day (1.5 kB a parcel).
    """

    parcels: int
    seed: int = 1
    start: date = defaults.START
    end: date = defaults.END
    variables: tuple[str, ...] = VARIABLES
    cloudiness: float = defaults.CLOUDINESS
    cloud_missed: float = defaults.CLOUD_MISSED
    soil_as_cloud: float = defaults.SOIL_AS_CLOUD
    mislabelled: float = defaults.MISLABELLED
    radar_days: int | None = None
    daily_lai: bool = True

    def __post_init__(self) -> None:
        check_dates(self.start, self.end)
        if self.parcels < 1:
            raise InputError(f"a series of {self.parcels} parcels shows nothing", hint="--parcels 20000")
        if self.seed < 0:
            raise InputError(f"a seed of {self.seed} is negative", hint="--seed 1")
        unknown = sorted(set(self.variables) - set(VARIABLES))
        if unknown or not self.variables:
            named = f"{', '.join(unknown)} is no variable" if unknown else "no variable is asked for"
            raise InputError(named, hint=f"choose from {', '.join(VARIABLES)}")


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """What `make_series` made."""

    root: Path
    parcels: int
    observations: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class _Part:
    """Of one chunk: counts, and the tables that are joined over chunks (name -> table or lines)."""

    observations: int
    tables: dict[str, pa.Table]
    practices: dict[str, str]


def make_series(
    target: Path,
    options: SeriesOptions,
    *,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress = silent,
) -> SeriesSummary:
    """Make observations, parcel table, practice tables and truth in a folder that appears when complete.

    Parameters and errors as `season.make_season`. Parcels come in chunks of 2000, each with its own random numbers:
    the first 2000 of 20 000 are those of 2000.
    """
    optical = tuple(optical_passes(LONGITUDE, LATITUDE, options.start, options.end))
    radar = tuple(radar_passes(LONGITUDE, LATITUDE, options.start, options.end, repeat_days=options.radar_days))
    needed = options.parcels * (_BYTES_A_PARCEL * len(options.variables) // len(VARIABLES) + _DAILY_BYTES)
    chunks = range(-(-options.parcels // CHUNK))
    with whole_folder(target, mark=MARK, overwrite=overwrite, needed_bytes=needed) as folder, ExitStack() as files:
        for name in ("observations", "truth", *(("truth/daily_lai",) if options.daily_lai else ())):
            (folder / name).mkdir()
        joined = _Joined(folder, files)
        observations = 0
        make = partial(_part, options, folder, optical, radar)
        # A process that makes a whole district makes its sky once; small series rather keep all processes busy.
        bundle = CHUNKS_A_DISTRICT if len(chunks) >= 2 * workers * CHUNKS_A_DISTRICT else 1
        for done, part in enumerate(map_in_order(make, chunks, workers, bundle=bundle), start=1):
            joined.add(part)
            observations += part.observations
            progress(done, len(chunks), f"{min(done * CHUNK, options.parcels)} parcels")
        files.close()
        year = season_year(options.start, options.end)
        texts = {"crop_lut.csv": crop_lut(), "l4b.cfg": l4b_configuration(year), "l4c.cfg": l4c_configuration()}
        texts["README.md"] = series_readme(options.parcels, options.start, options.end, options.seed)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        described = {"format": "s4c-synthetic-series/1", "options": _plain(options), "observations": observations}
        (folder / MARK).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return SeriesSummary(target, options.parcels, observations, size)


def _part(
    options: SeriesOptions,
    folder: Path,
    optical: tuple[OpticalPass, ...],
    radar: tuple[RadarPass, ...],
    chunk: int,
) -> _Part:
    """Make one chunk: its observations go to disk, what is small goes back."""
    count = min(CHUNK, options.parcels - chunk * CHUNK)
    parcels = series_parcels(options.seed, chunk, count, options.start, options.end, options.mislabelled)
    errors = ClassificationErrors(cloud_missed=options.cloud_missed, soil_as_cloud=options.soil_as_cloud)
    passes = tuple((flight, _table_of(flight)) for flight in optical)
    blocks = [
        *optical_blocks(
            parcels, passes, TILE, options.variables, options.seed, cloudiness=options.cloudiness, errors=errors
        ),
        *radar_blocks(parcels, radar, TILE, options.variables, options.seed),
    ]
    blocks.sort(key=lambda block: (block.variable, block.time))
    table = observation_table(blocks)
    write_parquet(table, folder / "observations" / f"part-{chunk:05d}.parquet", row_group=1 << 17)
    traits = parcels.traits
    if options.daily_lai:
        daily = daily_lai_table(traits, parcels.canopy, options.start, options.end)
        write_parquet(daily, folder / "truth" / "daily_lai" / f"part-{chunk:05d}.parquet")
    truth = parcel_truth_table(traits, parcels.events, start=options.start, end=options.end)
    truth = truth.add_column(1, "ori_id", pa.array(parcels.ori_id, pa.string()))
    year = season_year(options.start, options.end)
    practices = practice_tables(traits, parcels.ori_id, year, options.seed, chunk, faults=False)
    return _Part(
        table.num_rows,
        {
            "parcels.parquet": parcels.table(),
            "truth/parcels.parquet": truth,
            "truth/events.parquet": parcels.events,
        },
        {name: "".join(";".join(row) + "\n" for row in practices[name].rows) for name in PRACTICES},
    )


@lru_cache(maxsize=128)
def _table_of(flight: OpticalPass) -> ReflectanceTable:
    """The table of a pass (1.5 MB): all chunks that a process makes share it."""
    return table_for(flight)


class _Joined:
    """Files that grow chunk by chunk."""

    def __init__(self, folder: Path, files: ExitStack) -> None:
        self._folder, self._files = folder, files
        self._tables: dict[str, Any] = {}
        self._texts = {}
        for name in PRACTICES:
            path = folder / f"practices_{name.lower()}.csv"
            self._texts[name] = files.enter_context(path.open("w", encoding="utf-8", newline="\n"))
            self._texts[name].write(";".join(COLUMNS) + "\n")

    def add(self, part: _Part) -> None:
        """Append one chunk."""
        import pyarrow.parquet as pq

        for name, table in part.tables.items():
            if name not in self._tables:
                writer = pq.ParquetWriter(self._folder / name, table.schema, compression="zstd")
                self._tables[name] = self._files.enter_context(writer)
            self._tables[name].write_table(table)
        for name, lines in part.practices.items():
            self._texts[name].write(lines)


def _plain(options: SeriesOptions) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in asdict(options).items()}
