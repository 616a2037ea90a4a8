"""What an L4 processor is given, and what it gives back.

A processor is a function of a `SeasonRun` that writes the files of its product into the run's work folder and returns a
`RunResult`. It registers nothing and moves nothing: the frame (`season_computation`) publishes the folder and the rows
of its result tables at once, or nothing of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s4c_lib import processors
from s4c_lib.errors import ProcessorUnavailableError, Sen4capError
from s4c_lib.progress import Progress, silent
from s4c_lib.reasons import Reason

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import Connection

    from s4c_lib.catalog.auxdata import Kind
    from s4c_lib.catalog.database import Database
    from s4c_lib.catalog.jobs import Job
    from s4c_lib.catalog.marker_files import MarkerFile
    from s4c_lib.catalog.parcel_sets import ParcelSet
    from s4c_lib.catalog.seasons import Season
    from s4c_lib.catalog.sites import Site
    from s4c_lib.catalog.waivers import Waiver
    from s4c_lib.parameters import Snapshot


class NoResultError(Sen4capError, RuntimeError):
    """The inputs are there, but they give no result; the job fails with the reason (spec/README.md E1).

    Parameters
    ----------
    reason : ``no_evaluable_parcel``, ``too_few_classes``, ``too_few_weeks``.
    """

    code = "no_evaluable_parcel"

    def __init__(
        self, message: str, *, reason: str = Reason.NO_EVALUABLE_PARCEL, hint: str = "", code: str = ""
    ) -> None:
        super().__init__(message, hint=hint, code=code or str(reason))


@dataclass(frozen=True, slots=True)
class SeasonRun:
    """One run of a processor for a season.

    Attributes
    ----------
    database : for what is read in bulk (parcels, practice rows); read it in short transactions.
    snapshot : the parameters of the processor as the job recorded them, and no others.
    parcel_set : version of the declarations the statistics are of; read its parcels, not those in force by now.
    uploads : number of the version of each kind of upload the processor reads.
    interval_start, as_of : first and last acquisition date, both included.
    marker_files : files of statistics in force, by time, tile and variable; ``radar_from`` may lie before the interval.
    config_hashes : with which the statistics (``s4c_mdb1``) and their L3B (``l3b``) were made.
    waivers : what operators let the run go without.
    inputs_complete : False when a deadline let it start on partial inputs.
    fingerprint : SHA-256 of everything above that decides the result.
    products_root : ``storage.products_path``.
    work_folder : empty; what lies in it at the end is the product.
    """

    database: Database
    job: Job
    site: Site
    season: Season
    snapshot: Snapshot
    parcel_set: ParcelSet
    uploads: Mapping[Kind, int]
    interval_start: date
    as_of: date
    radar_from: date
    marker_files: tuple[MarkerFile, ...] = field(repr=False)
    config_hashes: Mapping[str, str] = field(repr=False)
    waivers: tuple[Waiver, ...]
    inputs_complete: bool
    fingerprint: str
    products_root: Path
    work_folder: Path
    progress: Progress = field(default=silent, repr=False)

    def paths_of(self, variables: Sequence[str]) -> list[Path]:
        """Return where the statistics of some variables lie, by time, tile and variable."""
        return [self.products_root / item.path for item in self.marker_files if item.variable in variables]


@dataclass(frozen=True, slots=True)
class ResultProduct:
    """What is told of the files in the work folder.

    Attributes
    ----------
    metadata : of the processor's own; the frame adds interval, fingerprint, waivers and what was missing.
    quality : ``ok`` or ``degraded``.
    quicklook : path of a picture, relative to the folder.
    inputs : numbers of the products it was made of; by default those whose statistics the run was given.
    store : writes rows of result tables for the product's number, in the transaction that registers it. It deletes the
        rows of that number first: a product that is made again keeps its number.
    """

    metadata: Mapping[str, Any] = field(default_factory=dict)
    quality: str = "ok"
    quicklook: str | None = None
    footprint: BaseGeometry | None = None
    tiles: tuple[str, ...] = ()
    inputs: tuple[int, ...] | None = None
    store: Callable[[Connection, int], None] | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a computation ended.

    Attributes
    ----------
    counts : numbers for the job and the log (parcels, events).
    """

    counts: Mapping[str, int]
    product: ResultProduct = field(default_factory=ResultProduct)


EntryPoint = Callable[[SeasonRun], RunResult]


def load(name: str) -> EntryPoint:
    """Return the function that computes a processor's product.

    Raises
    ------
    ProcessorUnavailableError : this release has none.
    """
    processor = processors.PROCESSORS[name]
    if processor.entry_point is None:
        raise ProcessorUnavailableError(
            f"This release does not compute {name} ({processor.makes}).", hint="see CHANGELOG.md for what it does"
        )
    module, _, function = processor.entry_point.partition(":")
    found: EntryPoint = getattr(importlib.import_module(module), function)
    return found
