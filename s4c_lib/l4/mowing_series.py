"""Series of blocks of parcels, such that what is found of a parcel does not depend on the block it is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from s4c_lib.l4.declared import Declared
from s4c_lib.l4.parcel_blocks import ParcelBlock, parcel_blocks
from s4c_lib.mowing.detection import COHERENCE_VARIABLES, OPTICAL_VARIABLE
from s4c_lib.mowing.passes import usual_of_run
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.mowing.usual_coherence import Usual, company_of
from s4c_lib.statistics.matrices import EnoughPixels, Key, Series, series_of
from s4c_lib.statistics.observations import StatisticsFile
from s4c_lib.statistics.passes import Facts, facts_of_rows, passes_of

if TYPE_CHECKING:
    from datetime import date

    from s4c_lib.catalog.marker_files import MarkerFile

Pair: TypeAlias = tuple[str, int, int]
"""Platform, and seconds since 1970 of a pass and of the earlier one, `_NO_TIME` where there is none."""

_RADAR: Final = tuple(COHERENCE_VARIABLES.values())
_NO_TIME: Final = np.iinfo(np.int64).min  # what NaT is


@dataclass(frozen=True, slots=True)
class RunPasses:
    """The columns that the matrices of every block have: the passes of a whole run.

    A block reads the files of its own tiles. The passes it lacks, and the first time of one that several tiles hold,
    come from the others.

    Parameters
    ----------
    columns : of each variable and orbit, by time.
    direction : of each.
    pass_of : seconds since 1970 at which the pass of a file begins, by variable, orbit, platform and time of the file.
    earlier_of : the same for the earlier pass of a pair, by the pass and that time.
    """

    columns: Mapping[Key, Sequence[Pair]] = field(repr=False)
    direction: Mapping[Key, str | None] = field(repr=False)
    pass_of: Mapping[tuple[str, int | None, str, int], int] = field(repr=False)
    earlier_of: Mapping[tuple[str, int | None, str, int, int], int] = field(repr=False)

    @classmethod
    def of(cls, paths: Sequence[Path]) -> RunPasses:
        """Find the passes in the files of a run.

        Raises
        ------
        NotFoundError, StorageError, ProductCorruptError : a file cannot be read.
        """
        facts = [one for path in paths for one in _facts(path)]
        passes = passes_of(facts)
        columns: dict[Key, set[Pair]] = {}
        direction: dict[Key, str | None] = {}
        pass_of, earlier_of = {}, {}
        for one, begin, earlier in zip(facts, passes.time.tolist(), passes.previous_time.tolist(), strict=True):
            platform = one.platform or ""
            told = _NO_TIME if one.previous_time is None else one.previous_time
            earlier = _NO_TIME if one.previous_time is None else earlier
            columns.setdefault((one.variable, one.orbit), set()).add((platform, begin, earlier))
            direction.setdefault((one.variable, one.orbit), one.direction)
            pass_of[one.variable, one.orbit, platform, one.time] = begin
            earlier_of[one.variable, one.orbit, platform, begin, told] = earlier
        in_order = {
            key: tuple(sorted(columns[key], key=lambda pair: (pair[1], pair[0], pair[2])))
            for key in sorted(columns, key=lambda key: (key[0], -1 if key[1] is None else key[1]))
        }
        return cls(in_order, direction, pass_of, earlier_of)

    def series(
        self, paths: Sequence[Path], variables: Sequence[str], parcel_id: npt.NDArray[np.int64], enough: EnoughPixels
    ) -> dict[Key, Series]:
        """Matrices of some parcels: `series_of`, with all passes of the run as columns.

        Raises
        ------
        NotFoundError, StorageError, ProductCorruptError : a file cannot be read.
        """
        found = series_of(paths, variables, parcel_id, enough=enough)
        return {key: self._whole(key, found.get(key), parcel_id) for key in self.columns if key[0] in variables}

    def _whole(self, key: Key, part: Series | None, parcel_id: npt.NDArray[np.int64]) -> Series:
        columns, ids = self.columns[key], np.sort(parcel_id)
        times = np.array([pair[1:] for pair in columns], np.int64).astype("datetime64[s]")
        shape = len(ids), len(columns)
        whole: dict[str, Any] = {
            "mean": np.full(shape, np.nan, np.float32),
            "std": np.full(shape, np.nan, np.float32),
            "n": np.zeros(shape, np.int32),
            "n_total": np.zeros(shape, np.int32),
        }
        if part is not None:
            place = {pair: at for at, pair in enumerate(columns)}
            own = [place[self._pair(key, part, at)] for at in range(len(part.time))]
            if own == list(range(len(columns))):
                whole = {name: getattr(part, name) for name in whole}
            else:
                _fill(whole, part, own)
        return Series(
            *key,
            direction=self.direction[key],
            time=times[:, 0],
            previous_time=times[:, 1],
            platform=np.array([pair[0] for pair in columns], np.str_),
            parcel_id=ids,
            **whole,
        )

    def _pair(self, key: Key, part: Series, at: int) -> Pair:
        """The pass of the run that a column of a block is of."""
        platform, earlier = str(part.platform[at]), part.previous_time[at]
        begin = self.pass_of[*key, platform, int(part.time[at].astype(np.int64))]
        return platform, begin, self.earlier_of[*key, platform, begin, int(earlier.astype(np.int64))]


def _fill(whole: Mapping[str, Any], part: Series, own: Sequence[int]) -> None:
    """Put the columns of a block where they belong; of two for one place that with more pixels, as of tiles (B12)."""
    for at, column in enumerate(own):
        more, as_many = part.n[:, at] > whole["n"][:, column], part.n[:, at] == whole["n"][:, column]
        better = more | (as_many & (part.n_total[:, at] > whole["n_total"][:, column]))
        for name, matrix in whole.items():
            matrix[better, column] = getattr(part, name)[better, at]


def block_series(
    passes: RunPasses, block: ParcelBlock, settings: MowingSettings, products_root: Path
) -> dict[Key, Series]:
    """Matrices of a block, with the observations that count for each mission.

    Raises
    ------
    NotFoundError, StorageError, ProductCorruptError : a file cannot be read.
    """
    paths: dict[bool, list[Path]] = {True: [], False: []}
    for file in block.files:
        paths[file.variable == OPTICAL_VARIABLE].append(products_root / file.path)
    numbers = block.declared.parcel_id
    return {
        **passes.series(paths[True], (OPTICAL_VARIABLE,), numbers, settings.enough_optical),
        **passes.series(paths[False], _RADAR, numbers, settings.enough_radar),
    }


def usual_of_blocks(
    declared: Declared,
    files: Sequence[MarkerFile],
    passes: RunPasses,
    settings: MowingSettings,
    last: date,
    products_root: Path,
) -> tuple[Usual, ...]:
    """Tell what coherence is usual among all parcels of a run; some hundreds of each thousand are read for it.

    Raises
    ------
    NotFoundError, StorageError, ProductCorruptError : a file cannot be read.
    """
    if settings.evidence is None:
        return ()
    company = company_of(declared.parcel_id, settings.evidence)
    asked = declared.take(company.rows)
    radar = [file for file in files if file.variable in _RADAR]
    mean = {
        key: np.full((len(asked), len(pairs)), np.nan, np.float32)
        for key, pairs in passes.columns.items()
        if key[0] in _RADAR
    }
    told: dict[Key, Series] = {}
    for block in parcel_blocks(asked, radar):
        rows = slice(block.first, block.first + len(block.declared))
        for key, one in block_series(passes, block, settings, products_root).items():
            if key in mean:
                mean[key][rows], told[key] = one.mean, one
    nothing = np.zeros((), np.int32)
    series = {
        key: replace(
            one,
            parcel_id=asked.parcel_id,
            mean=mean[key],
            std=np.broadcast_to(np.float32(np.nan), mean[key].shape),
            n=np.broadcast_to(nothing, mean[key].shape),
            n_total=np.broadcast_to(nothing, mean[key].shape),
        )
        for key, one in told.items()
    }
    return usual_of_run(series, settings, last, company)


def _facts(path: Path) -> tuple[Facts, ...]:
    """What a file holds, by its own account."""
    file = StatisticsFile(path)
    return facts_of_rows(file.rows(())).facts if file.source is None else (file.source.facts,)
