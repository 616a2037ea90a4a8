"""Parcel and holding identifiers of an agency: several columns joined, repeated ones told apart (3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.parcels.canonical import as_objects, canonical_strings
from s4c_lib.parcels.findings import EXAMPLES, Finding, Severity, finding

JOINT: Final = "-"
_LETTERS: Final = 26


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Identifiers that name one row each.

    Parameters
    ----------
    ori_id : str or None (rows,), with a suffix where the identifier is repeated.
    repeated : bool (rows,), whether a suffix was added.
    findings : DECL-41 when there are repeated ones.
    """

    ori_id: npt.NDArray[np.object_]
    repeated: npt.NDArray[np.bool_]
    findings: tuple[Finding, ...]


def joined(columns: Sequence[Any]) -> npt.NDArray[np.object_]:
    """Canonical texts of columns joined with ``-``; None where any part is missing.

    Parameters
    ----------
    columns : one or several columns (rows,), see `canonical_strings`.

    Returns
    -------
    object (rows,) of str or None.
    """
    parts = [canonical_strings(column) for column in columns]
    if len(parts) == 1:
        return as_objects(parts[0])
    return as_objects(pc.binary_join_element_wise(*parts, JOINT, null_handling="emit_null"))


def suffix(rank: int) -> str:
    """``-A`` for rank 1, ``-Z`` for 26, ``-AA`` for 27 …: bijective base 26."""
    letters = ""
    while rank > 0:
        rank, letter = divmod(rank - 1, _LETTERS)
        letters = chr(ord("A") + letter) + letters
    return JOINT + letters


def distinguished(
    ori_id_raw: npt.NDArray[np.object_], src_row: npt.NDArray[np.int64] | None = None, *, columns: str = ""
) -> Identifiers:
    """Give every member of a repeated identifier a suffix, in file order.

    A suffix that would make an identifier which the file already uses (``P5-A`` beside two ``P5``) is passed over,
    so that the results are always distinct.

    Parameters
    ----------
    ori_id_raw : str or None (rows,), in file order; rows without identifier stay without.
    src_row : int64 (rows,), row numbers for the report; default 1 and up.
    columns : name of the column or columns, for the report.
    """
    rows = np.arange(1, len(ori_id_raw) + 1) if src_row is None else src_row
    encoded = pa.array(ori_id_raw, pa.string()).dictionary_encode()
    names = encoded.dictionary
    codes = encoded.indices.fill_null(len(names)).to_numpy()
    times = np.bincount(codes, minlength=len(names) + 1)
    times[len(names)] = 0
    repeated = times[codes] > 1
    ori_id = ori_id_raw.copy()
    if not repeated.any():
        return Identifiers(ori_id, repeated, ())
    members = np.flatnonzero(repeated)
    members = members[np.argsort(codes[members], kind="stable")]
    starts = np.flatnonzero(np.diff(codes[members], prepend=-1))
    sizes = np.diff(starts, append=len(members))
    ranks = np.arange(len(members)) - np.repeat(starts, sizes) + 1
    endings = np.array([suffix(rank) for rank in range(1, int(sizes.max()) + 1)], dtype=object)
    candidates = ori_id_raw[members] + endings[ranks - 1]
    taken = pc.is_in(pa.array(candidates, pa.string()), value_set=names).to_numpy(zero_copy_only=False)
    if taken.any():
        _pass_over(candidates, ori_id_raw[members], taken, starts, sizes, set(names.to_pylist()))
    ori_id[members] = candidates
    return Identifiers(ori_id, repeated, (_told(names, times, rows[repeated], columns),))


def _pass_over(
    candidates: npt.NDArray[np.object_],
    raw: npt.NDArray[np.object_],
    taken: npt.NDArray[np.bool_],
    starts: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    used: set[str],
) -> None:
    """Number the groups again in which a name is already used, leaving such names out."""
    for group in np.flatnonzero(np.add.reduceat(taken, starts) > 0):
        start, size = int(starts[group]), int(sizes[group])
        rank = 0
        for member in range(start, start + size):
            rank += 1
            while raw[start] + suffix(rank) in used:
                rank += 1
            candidates[member] = raw[start] + suffix(rank)


def _told(names: pa.StringArray, times: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], columns: str) -> Finding:
    repeated = np.flatnonzero(times > 1)
    # those repeated most often first, then in file order
    shown = repeated[np.argsort(-times[repeated], kind="stable")][:EXAMPLES]
    where = f" (column {columns})" if columns else ""
    return finding(
        "DECL-41",
        Severity.WARNING,
        f"{len(rows)} rows share {len(repeated)} parcel identifiers{where}, first in row {int(rows.min())}; "
        "-A, -B … was added in file order. Is a column missing from the identifier?",
        rows.tolist(),
        [f"{names[int(code)].as_py()} ({int(times[code])} times)" for code in shown],
    )
