"""What the geometry checks say about the rows of a file (lpis-and-inputs.md 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from s4c_lib.parcels.declared import GeometryFacts, Objects
from s4c_lib.parcels.findings import EXAMPLES, Finding, Severity, finding
from s4c_lib.parcels.geometry_blocks import Floats
from s4c_lib.parcels.overlaps import Overlaps
from s4c_lib.parcels.repair import Profile

SMALLEST_M2, LARGEST_M2 = 100.0, 10e6
ROUGHEST_SHAPE: Final = 5.0
DECLARED_DIFFERENCE: Final = 0.20
PAIR_M2: Final = 10.0

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rows:
    """How parcels are called in messages: arrays (parcels,)."""

    src_row: npt.NDArray[np.int64]
    names: Sequence[object] | Objects

    @classmethod
    def of(cls, count: int, src_row: npt.NDArray[np.int64] | None, names: Sequence[object] | Objects | None) -> Rows:
        """Rows from 1 and names like ``row 1`` where nothing is given."""
        numbers = np.arange(1, count + 1) if src_row is None else src_row
        return cls(numbers, [f"row {number}" for number in numbers] if names is None else names)

    def found(self, code: str, severity: Severity, flags: Flags, one: str, many: str, rest: str) -> list[Finding]:
        """A finding about the flagged parcels, none when there are none."""
        where = np.flatnonzero(flags)
        if not len(where):
            return []
        where = where[np.argsort(self.src_row[where], kind="stable")]
        rows = self.src_row[where]
        subject = f"1 parcel {one}" if len(rows) == 1 else f"{len(rows)} parcels {many}"
        message = f"{subject} (first: row {rows[0]}){rest}"
        return [finding(code, severity, message, rows, [self.names[i] for i in where[:EXAMPLES]])]


def row_findings(
    facts: GeometryFacts, rows: Rows, *, profile: Profile, declared_area: Floats | None = None
) -> list[Finding]:
    """DECL-30 to -33 and -36."""
    absent = shapely.is_missing(facts.geometry)
    broken = ~absent & ~facts.geom_valid & ~facts.geom_repaired
    why = "cannot be repaired" if profile == "default" else "stays so in the profile reference"
    left_out = "kept and left out of processing. Correct the outline in the source and deliver it again."
    return [
        *rows.found(
            "DECL-30", Severity.EXCLUDED, absent, "has no geometry", "have no geometry", f": {left_out}"
        ),
        *rows.found(
            "DECL-31", Severity.EXCLUDED, broken, f"is invalid and {why}", f"are invalid and {why}", f": {left_out}"
        ),
        *rows.found(
            "DECL-32", Severity.WARNING, facts.geom_repaired, "was invalid and has been repaired",
            "were invalid and have been repaired", ": check the result and correct the source.",
        ),
        *rows.found(
            "DECL-33", Severity.WARNING, facts.n_parts > 1, "has several parts", "have several parts",
            ": kept as one parcel. Split it if the parts are farmed separately.",
        ),
        *_unusual(facts, rows, ~absent, declared_area),
    ]  # fmt: skip


def overlap_findings(facts: GeometryFacts, pairs: Overlaps, rows: Rows, threshold: float) -> list[Finding]:
    """DECL-34, -35 and -38."""
    limit = f"{threshold * 100:g} %"
    groups = len(np.unique(facts.duplic_group[facts.duplic]))
    found = [
        *rows.found(
            "DECL-34", Severity.EXCLUDED, facts.overlap, f"lies under others by more than {limit} of its area",
            f"lie under others by more than {limit} of their area",
            ": left out of crop type classification. Correct the outlines.",
        ),
        *rows.found(
            "DECL-35", Severity.EXCLUDED, facts.duplic, "is drawn more than once", "are drawn more than once",
            f" in {groups} groups: left out of crop type classification. Remove the superfluous ones.",
        ),
    ]  # fmt: skip
    # the plane of the layer may stretch areas (Web Mercator): a share of the parcel's own area does not
    scale = np.divide(facts.area_m2, pairs.area, out=np.zeros(len(pairs.area)), where=pairs.area > 0)
    large = pairs.shared * scale[pairs.one] > PAIR_M2
    mild = large & ~facts.overlap[pairs.one] & ~facts.overlap[pairs.other]
    concerned = np.zeros(len(facts.overlap), dtype=np.bool_)
    concerned[pairs.one[mild]] = concerned[pairs.other[mild]] = True
    count = int(mild.sum())
    pairs_named = "1 pair" if count == 1 else f"{count} pairs"
    return found + rows.found(
        "DECL-38", Severity.WARNING, concerned, "overlaps", f"overlap by more than {PAIR_M2:.0f} m² in {pairs_named}",
        f", each below the limit of {limit} of the area: kept. Correct the common borders.",
    )  # fmt: skip


def _unusual(facts: GeometryFacts, rows: Rows, present: Flags, declared_area: Floats | None) -> list[Finding]:
    """DECL-36: size, shape or declared area."""
    area = facts.area_m2
    small, large = present & (area < SMALLEST_M2), present & (area > LARGEST_M2)
    rough = present & (np.nan_to_num(facts.shape_ind) > ROUGHEST_SHAPE)
    differs = np.zeros(len(area), dtype=np.bool_)
    if declared_area is not None:
        stated = present & np.isfinite(declared_area)
        differs = stated & (np.abs(np.where(stated, declared_area, 0.0) - area) > DECLARED_DIFFERENCE * area)
    kinds = (
        (small, f"smaller than {SMALLEST_M2:.0f} m²"),
        (large, f"larger than {LARGEST_M2 / 1e6:.0f} km²"),
        (rough, f"ShapeInd above {ROUGHEST_SHAPE:.0f}"),
        (differs, f"declared area more than {DECLARED_DIFFERENCE:.0%} off"),
    )
    detail = ", ".join(f"{int(flags.sum())} {text}" for flags, text in kinds if flags.any())
    unusual = small | large | rough | differs
    return rows.found(
        "DECL-36", Severity.WARNING, unusual, "has an unusual size or shape", "have an unusual size or shape",
        f": {detail}. Kept; compare with the source.",
    )  # fmt: skip
