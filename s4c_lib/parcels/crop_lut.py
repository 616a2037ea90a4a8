"""The crop code look-up table: what a declared code means for the system (lpis-and-inputs.md section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.parcels.code_matching import CodeMatch, match_codes
from s4c_lib.parcels.crop_lut_checks import LutRow, cross_checks, read_rows
from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.delimited_text import LineFindings, read_delimited
from s4c_lib.parcels.findings import EXAMPLES, Finding, Report, Severity, finding, ordered

COLUMNS: Final = (
    "Ori_crop", "CTnum", "CT", "LC", "CTnumL4A", "CTL4A", "CTnumDIV", "CTDIV",
    "EAA", "AL", "PGrass", "TGrass", "Fallow", "Cwater", "Legum", "HCAT", "CT_en",
)  # fmt: skip
REQUIRED: Final = ("Ori_crop", "CTnum", "LC", "EAA", "AL", "PGrass", "TGrass", "Fallow", "Cwater")
"""The others have defaults."""
_NO_TABLE: Final = "The file is not a table with a header row."

Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class CropLut:
    """Crop codes of an agency in the order of its file; arrays (codes,), called as their columns are.

    Parameters
    ----------
    ori_crop : str, canonical and unique.
    ctnum : system number of the crop, > 0 and unique. ct : its name.
    lc : 1 annual, 2 permanent crop, 3 grassland, 4 fallow, 5 greenhouse or nursery, 0 other.
    ctnuml4a, ctl4a, ctnumdiv, ctdiv : groups of the classification and of diversification, number and name.
    eaa, al, pgrass, tgrass, fallow, cwater, legum : eligible, arable, permanent and temporary grassland, fallow, crop
        under water, nitrogen-fixing.
    hcat, ct_en : str or None.
    """

    ori_crop: Objects
    ctnum: Ints
    ct: Objects
    lc: Ints
    ctnuml4a: Ints
    ctl4a: Objects
    ctnumdiv: Ints
    ctdiv: Objects
    eaa: Flags
    al: Flags
    pgrass: Flags
    tgrass: Flags
    fallow: Flags
    cwater: Flags
    legum: Flags
    hcat: Objects
    ct_en: Objects
    _place: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_place", {code: place for place, code in enumerate(self.ori_crop.tolist())})

    def __len__(self) -> int:
        return len(self.ori_crop)

    def __contains__(self, code: object) -> bool:
        return code in self._place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CropLut) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash(tuple(self._place))

    def positions(self, codes: Sequence[str | None] | Objects) -> npt.NDArray[np.int64]:
        """Row of each canonical code, -1 where there is none; int64 (codes,)."""
        # None is no key, so a parcel without a crop finds nothing.
        return np.array([self._place.get(code, -1) for code in codes], np.int64)  # type: ignore[arg-type]

    def row(self, code: str) -> dict[str, Any] | None:
        """The row of a canonical code by the names of `COLUMNS`, or None."""
        place = self._place.get(code)
        return None if place is None else {name: values[place] for name, values in self._lists().items()}

    def as_dict(self) -> dict[str, Any]:
        """As JSON: a list for each of `COLUMNS`."""
        return {"columns": self._lists()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CropLut:
        """What `as_dict` gave."""
        columns = content["columns"]
        return cls(*(_column(columns[name], name) for name in COLUMNS))

    def _lists(self) -> dict[str, list[Any]]:
        return {name: getattr(self, name.lower()).tolist() for name in COLUMNS}


_NUMBERS: Final = frozenset({"CTnum", "LC", "CTnumL4A", "CTnumDIV"})
_FLAGS: Final = frozenset({"EAA", "AL", "PGrass", "TGrass", "Fallow", "Cwater", "Legum"})


def _column(values: Sequence[Any], name: str) -> Any:
    if name in _NUMBERS:
        return np.array(values, np.int32)
    if name in _FLAGS:
        return np.array(values, np.bool_)
    column = np.empty(len(values), object)
    column[:] = values
    return column


def read_crop_lut(content: bytes, name: str, *, country: str | None = None) -> tuple[CropLut | None, Report]:
    """Read and check a look-up table; everything wrong is reported at once.

    Parameters
    ----------
    name : of the file, for the report.
    country : ISO 3166 alpha-3, for the code page of a text that is not UTF-8.

    Returns
    -------
    The table, None when the file is refused, and the report; its ``rows`` are lines.
    """
    found = LineFindings()
    try:
        table = read_delimited(content, COLUMNS, country=country)
    except InputError as error:
        found.add("LUT-01", Severity.REFUSED, 0, f"{_NO_TABLE} {error.one_line}")
        return None, Report("lut", name, 0, 0, 0, ordered(found.findings()))
    facts = {"encoding": table.encoding, "delimiter": table.delimiter_name}
    rows: list[LutRow] = []
    missing = table.missing(REQUIRED)
    if missing:
        found.add("LUT-02", Severity.REFUSED, 0, table.missing_message(missing))
    if table.repeated:
        found.add("LUT-02", Severity.REFUSED, 0, f"Column(s) twice in the header: {', '.join(table.repeated)}.")
    if not len(table.line):
        found.add("LUT-01", Severity.REFUSED, 0, f"{_NO_TABLE} It has no row below the header.")
    for line, values in table.overlong:
        message = (
            f"Line {line} has {values} values, the header {len(table.header)} columns; "
            f'put names that hold "{table.delimiter_name}" in quotes.'
        )
        found.add("LUT-01", Severity.REFUSED, line, message)
    if not found.refusing():
        columns = {column: values.to_pylist() for column, values in table.columns.items()}
        rows = read_rows(columns, table.line.tolist(), found)
        cross_checks(rows, found)
    refused = found.refusing()
    report = Report(
        "lut",
        name,
        len(table.line),
        0 if refused else len(rows),
        len(table.line) if refused else 0,
        ordered(found.findings()),
        facts,
    )
    return None if refused else _lut(rows), report


def _lut(rows: Sequence[LutRow]) -> CropLut:
    return CropLut(*(_column([getattr(row, name.lower()) for row in rows], name) for name in COLUMNS))


def lut_against_declared(
    lut: CropLut,
    declared: Objects,
    *,
    area_m2: npt.NDArray[np.float64] | None = None,
    rows: npt.NDArray[np.int64] | None = None,
    normalisation: str | None = None,
) -> tuple[CodeMatch, tuple[Finding, ...]]:
    """Compare a look-up table with declarations.

    Parameters
    ----------
    declared : str or None (parcels,), canonical crop codes. area_m2, rows : of the parcels.
    normalisation : rule to apply, see `match_codes`.

    Returns
    -------
    The match, and the findings DECL-40 and LUT-11: declared codes the LUT lacks, and LUT codes nobody declared.
    """
    match = match_codes(declared, lut.ori_crop, area_m2=area_m2, rows=rows, normalisation=normalisation)
    findings = list(match.findings)
    used = np.bincount(match.position[match.position >= 0], minlength=len(lut))
    idle = lut.ori_crop[used == 0].tolist()
    if idle or match.missing:
        lacking = [
            f"{code}: {count} parcels" + ("" if np.isnan(hectares) else f", {hectares:,.1f} ha")
            for code, count, hectares in match.missing
        ]
        message = (
            f"Declared but not in the LUT: {_listed(lacking, '; ')}. "
            f"In the LUT but never declared: {_listed(idle, ', ')}."
        )
        examples = [f"not in the LUT: {one}" for one in lacking[: EXAMPLES // 2]]
        examples += [f"never declared: {code}" for code in idle[: EXAMPLES - len(examples)]]
        findings.append(finding("LUT-11", Severity.WARNING, message, (), examples, len(lacking) + len(idle)))
    return match, ordered(findings)


def _listed(items: Sequence[str], separator: str) -> str:
    if not items:
        return "none"
    return separator.join(items[:EXAMPLES]) + (f" and {len(items) - EXAMPLES} more" if len(items) > EXAMPLES else "")
