"""Parcels of the rows of a practice table (lpis-and-inputs.md 5.3; resolved at each run, decision D2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.findings import EXAMPLES, Finding, Severity, finding, ordered
from s4c_lib.parcels.practice_tables import PracticeTable

_MOST: Final = 0.5


@dataclass(frozen=True, slots=True)
class PracticeJoin:
    """Parcels of the rows of a practice table.

    Parameters
    ----------
    position : int64 (rows,), place of the parcel in the declarations, -1 where there is none.
    """

    position: npt.NDArray[np.int64] = field(repr=False)
    findings: tuple[Finding, ...]


def join_practices(
    table: PracticeTable,
    ori_id: Sequence[str] | Objects | None,
    ori_id_raw: Sequence[str] | Objects | None = None,
    ori_crop: Sequence[str | None] | Objects | None = None,
) -> PracticeJoin:
    """Find the parcels: by ``ori_id``, then by ``ori_id_raw`` where only one parcel has it.

    Parameters
    ----------
    ori_id, ori_id_raw : of the parcels of the active declarations, with and without suffix; None for ``ori_id``
        when there are no declarations yet.
    ori_crop : declared codes, compared with MAIN_CROP.

    Returns
    -------
    Positions and the findings PRAC-07, PRAC-08 and PRAC-10.
    """
    if ori_id is None:
        message = f"No declarations are active yet; {len(table)} rows are joined at the next declaration import."
        found = finding("PRAC-10", Severity.INFO, message, (), (), len(table))
        return PracticeJoin(np.full(len(table), -1, np.int64), (found,))
    wanted = pa.array(table.field_id, pa.string())
    position, ambiguous = _places(wanted, ori_id)
    if ori_id_raw is not None:
        raw, several = _places(wanted, ori_id_raw)
        position = np.where(position >= 0, position, raw)
        ambiguous |= several
    lost = position < 0
    findings = _not_found(table, lost & ~ambiguous, lost & ambiguous)
    if ori_crop is not None:
        findings += _other_crop(table, position, ori_crop)
    return PracticeJoin(position, ordered(findings))


def _places(wanted: pa.Array, names: Sequence[str] | Objects) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Place of each wanted name where it occurs once (else -1), and whether it occurs several times."""
    encoded = pa.array(names, pa.string()).dictionary_encode()
    index = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
    times = np.bincount(index, minlength=len(encoded.dictionary) + 1)
    place = np.zeros(len(times), np.int64)
    place[index] = np.arange(len(index))
    hit = pc.index_in(wanted, encoded.dictionary).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    once = (hit >= 0) & (times[hit] == 1)
    return np.where(once, place[hit], -1), (hit >= 0) & (times[hit] > 1)


def _not_found(table: PracticeTable, unknown: npt.NDArray[np.bool_], ambiguous: npt.NDArray[np.bool_]) -> list[Finding]:
    rows = unknown | ambiguous
    if not rows.any():
        return []
    severity = Severity.REFUSED if rows.sum() > _MOST * len(table) else Severity.WARNING
    parts = []
    if unknown.any():
        parts.append(f"{unknown.sum()} parcels not found, e.g. {_some(table, unknown)}.")
    if ambiguous.any():
        parts.append(
            f"{ambiguous.sum()} parcels ambiguous, e.g. {_some(table, ambiguous)}: several parcels are declared with "
            "this identifier; add the suffix (-A, -B …) of the one that is meant."
        )
    ids = table.field_id[rows][:EXAMPLES].tolist()
    return [finding("PRAC-07", severity, " ".join(parts), table.line[rows].tolist(), ids)]


def _some(table: PracticeTable, rows: npt.NDArray[np.bool_]) -> str:
    return ", ".join(table.field_id[rows][:5].tolist())


def _other_crop(
    table: PracticeTable, position: npt.NDArray[np.int64], ori_crop: Sequence[str | None] | Objects
) -> list[Finding]:
    declared = np.asarray(ori_crop, object)[position] if len(ori_crop) else np.full(len(table), None, object)
    differs = (position >= 0) & np.not_equal(table.main_crop, declared)
    if not differs.any():
        return []
    places = np.flatnonzero(differs)[:EXAMPLES].tolist()
    texts = [f"{table.field_id[place]}: {table.main_crop[place]}, declared {declared[place]}" for place in places]
    message = (
        f"{differs.sum()} rows have another MAIN_CROP than was declared, e.g. {texts[0]}; "
        "the declared crop is used for reporting."
    )
    return [finding("PRAC-08", Severity.WARNING, message, table.line[differs].tolist(), texts)]
