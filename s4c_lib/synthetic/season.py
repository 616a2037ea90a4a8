"""A whole season on disk: what an agency uploads, what the satellites deliver, and the truth about both."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from s4c_lib.errors import DiskFullError
from s4c_lib.progress import Progress, silent
from s4c_lib.synthetic.landscape.declarations import write_declarations
from s4c_lib.synthetic.optical_view import optical_view
from s4c_lib.synthetic.processes import map_in_order
from s4c_lib.synthetic.radar_view import radar_view
from s4c_lib.synthetic.season_truth import write_truth
from s4c_lib.synthetic.views import CLEAR_SCHEMA, PASS_SCHEMA, View
from s4c_lib.synthetic.whole_folder import whole_folder
from s4c_lib.synthetic.world import SeasonOptions, World, make_world

MARK = "season.json"
# Measured: an L2A takes 24 bytes a pixel of 10 m, the radar files of a pass 9.
_OPTICAL_BYTES, _RADAR_BYTES = 30, 12
_BUNDLE = 4


@dataclass(frozen=True, slots=True)
class SeasonSummary:
    """What `make_season` made."""

    root: Path
    parcels: int
    optical_passes: int
    radar_passes: int
    products: int
    total_bytes: int
    cloud_share: float


@dataclass(frozen=True, slots=True)
class _Task:
    """One pass to look from: ``kind`` is ``optical`` or ``radar``, ``number`` its position."""

    kind: str
    number: int


def make_season(
    target: Path,
    options: SeasonOptions,
    *,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress = silent,
) -> SeasonSummary:
    """Make a season in a folder, which appears when everything is in it.

    Parameters
    ----------
    target : new or empty.
    workers : processes; their number changes nothing in the result.
    overwrite : replace a season that is there.
    progress : called with (done, total, what was done last).

    Raises
    ------
    InputError : options that cannot be, or a target that holds other things.
    DiskFullError, StorageError : what the disk says; nothing is kept.
    """
    world = make_world(options)
    with whole_folder(target, mark=MARK, overwrite=overwrite, needed_bytes=_needed(world)) as folder:
        try:
            summary = _fill(world, folder, target, workers, progress)
        except DiskFullError as error:
            # A product's own message names the hidden folder and the few bytes of that product.
            raise DiskFullError(
                f"the disk of {target} is full; nothing was kept", hint="free space and start again"
            ) from error
    return summary


def _fill(world: World, folder: Path, target: Path, workers: int, progress: Progress) -> SeasonSummary:
    options = world.options
    write_declarations(world.landscape, folder / "declarations", options.seed, year=options.year)
    views = sorted(_look(world, folder / "archive", workers, progress), key=lambda view: view.order)
    passes = pa.concat_tables([PASS_SCHEMA.empty_table(), *(view.flight for view in views)])
    seen = [view.clear for view in views if view.clear is not None]
    clear = pa.concat_tables([CLEAR_SCHEMA.empty_table(), *seen])
    write_truth(world, folder, passes, clear)
    products = sum(view.products for view in views)
    shares = [share for share in passes.column("cloud_share").to_pylist() if share is not None]
    summary = SeasonSummary(
        target,
        len(world.landscape.shapes),
        len(world.optical),
        len(world.radar),
        products,
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        sum(shares) / len(shares) if shares else float("nan"),
    )
    # Last: who finds it finds everything.
    (folder / MARK).write_text(json.dumps(_described(options, summary), indent=1) + "\n", encoding="utf-8")
    return summary


def _needed(world: World) -> int:
    pixels = sum(part.rows * part.columns for _, part in world.window.tiles)
    return pixels * (len(world.optical) * _OPTICAL_BYTES + len(world.radar) * _RADAR_BYTES) + 50_000_000


def _look(world: World, archive: Path, workers: int, progress: Progress) -> Iterator[View]:
    tasks = [
        *(_Task("optical", number) for number in range(len(world.optical))),
        *(_Task("radar", number) for number in range(len(world.radar))),
    ]
    # The world (12 MB by default) travels once with each bundle.
    views = map_in_order(partial(_view, world, archive), tasks, workers, bundle=_BUNDLE)
    # Closed at once when something goes wrong here: workers must not write into a folder that is being removed.
    with closing(cast("Generator[View, None, None]", views)):
        for done, view in enumerate(views, start=1):
            progress(done, len(tasks), view.label)
            yield view


def _view(world: World, archive: Path, task: _Task) -> View:
    look = optical_view if task.kind == "optical" else radar_view
    return look(world, archive, task.number)


def _described(options: SeasonOptions, summary: SeasonSummary) -> dict[str, Any]:
    plain = {key: value.isoformat() if isinstance(value, date) else value for key, value in asdict(options).items()}
    made = asdict(summary)
    # The folder may be moved, and must not differ by where it was made.
    del made["root"]
    return {"format": "s4c-synthetic-season/1", "options": plain, "made": made}
