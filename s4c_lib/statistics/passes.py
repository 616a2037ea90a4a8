"""Which observations are of one pass: tiles of it are seen seconds apart and are one time of a parcel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# Passes of one satellite over a place are 98 minutes apart or more; tiles of a pass that share a parcel are seen
# within a minute.
GAP_S: Final = 600
_NO_TIME: Final = -(1 << 62)

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Facts:
    """What rows of one raster have in common; times in seconds since 1970."""

    variable: str
    orbit: int | None
    direction: str | None
    platform: str | None
    tile: str | None
    time: int
    previous_time: int | None
    product_id: int | None


@dataclass(frozen=True, slots=True, eq=False)
class FactsOfRows:
    """Facts that occur in a table, and which of them each row has: int64 (rows,)."""

    facts: tuple[Facts, ...]
    of_row: Int64


@dataclass(frozen=True, slots=True, eq=False)
class Passes:
    """The pass that facts are of, arrays (facts,): its first time, and that of the earlier pass of a pair.

    Facts with the same ``number`` are one observation of a parcel, in several tiles perhaps.
    """

    number: Int64
    time: Int64
    previous_time: Int64


def seconds_of(moment: datetime) -> int:
    """Seconds since 1970; without a zone it is UTC."""
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def facts_of_rows(table: pa.Table) -> FactsOfRows:
    """Facts of a table of observations."""
    code = np.zeros(table.num_rows, np.int64)
    for name in Facts.__dataclass_fields__:
        column = table.column(name).combine_chunks().dictionary_encode("encode")
        values = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        distinct = pa.array(code * max(len(values.dictionary), 1) + values.indices.to_numpy()).dictionary_encode()
        code = distinct.indices.to_numpy().astype(np.int64)
    first = np.zeros(int(code.max(initial=-1)) + 1, np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    rows = table.select(list(Facts.__dataclass_fields__)).take(pa.array(first)).to_pylist()
    return FactsOfRows(tuple(_facts(row) for row in rows), code)


def passes_of(facts: Sequence[Facts]) -> Passes:
    """Find passes: of one variable, orbit and platform, with no gap between; pairs with the same two passes."""
    kind = _numbered([(one.variable, one.orbit, one.platform) for one in facts])
    time = _begins(np.array([one.time for one in facts], np.int64), kind)
    kind = _numbered(list(zip(kind.tolist(), time.tolist(), strict=True)))
    earlier = [_NO_TIME if one.previous_time is None else one.previous_time for one in facts]
    previous = _begins(np.array(earlier, np.int64), kind)
    return Passes(_numbered(list(zip(kind.tolist(), previous.tolist(), strict=True))), time, previous)


def _facts(row: dict[str, Any]) -> Facts:
    earlier = row["previous_time"]
    times = {"time": seconds_of(row["time"]), "previous_time": None if earlier is None else seconds_of(earlier)}
    return Facts(**(row | times))


def _begins(seconds: Int64, among: Int64) -> Int64:
    """The first time of the pass that each time belongs to; only times with the same ``among`` are of one pass."""
    order = np.lexsort((seconds, among))
    time, group = seconds[order], among[order]
    begins = np.ones(len(time), np.bool_)
    begins[1:] = (group[1:] != group[:-1]) | (np.diff(time) > GAP_S)
    found = np.empty_like(seconds)
    if len(time):
        found[order] = time[begins][np.cumsum(begins) - 1]
    return found


def _numbered(keys: Sequence[object]) -> Int64:
    """A number for each different key, from 0."""
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], np.int64)
