"""How declared crop codes meet those of the look-up table (lpis-and-inputs.md 3.2)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import ParameterError
from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.findings import EXAMPLES, Finding, Severity, finding

STRIP_ZEROS, DROP_DECIMALS, IGNORE_CASE = "strip_zeros", "drop_decimals", "ignore_case"
_ENOUGH: Final = 0.95
_NEARLY_ALL: Final = 0.99
_MOST: Final = 0.5
_WORDS: Final = {
    STRIP_ZEROS: "strip leading zeros",
    DROP_DECIMALS: "drop .0",
    IGNORE_CASE: "ignore case",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule under which nearly all declared codes would be known.

    Parameters
    ----------
    rule : value of ``code_normalisation``: ``strip_zeros``, ``pad_3``, ``drop_decimals``, ``ignore_case``.
    share : of the parcels with a code, 0..1.
    """

    rule: str
    share: float

    @property
    def words(self) -> str:
        """As a report shows it: ``strip leading zeros: 100 %``."""
        return f"{rule_in_words(self.rule)}: {_percent(self.share)}"


@dataclass(frozen=True, slots=True)
class CodeMatch:
    """Declared codes in the look-up table.

    Parameters
    ----------
    position : int64 (parcels,), row of the LUT; -1 where the code is missing there or the parcel has none.
    share : of the parcels with a code, those whose code is in the LUT; 1 when no parcel has one.
    missing : code, parcels, hectares (NaN without areas), most parcels first.
    """

    position: npt.NDArray[np.int64] = field(repr=False)
    share: float
    missing: tuple[tuple[str, int, float], ...]
    proposal: Proposal | None
    findings: tuple[Finding, ...]


def match_codes(
    declared: Objects,
    lut_codes: Objects,
    *,
    area_m2: npt.NDArray[np.float64] | None = None,
    rows: npt.NDArray[np.int64] | None = None,
    normalisation: str | None = None,
) -> CodeMatch:
    """Look declared codes up, and propose a rule when the two sides are written differently.

    A code that is in the LUT as it stands wins over one that a rule makes equal, and a rule that makes several LUT
    codes equal matches none of them.

    Parameters
    ----------
    declared, lut_codes : str or None, canonical text.
    rows : number of each parcel in its file, for the finding; counted from 1 without.
    normalisation : the rule to apply; nothing is applied unasked.

    Raises
    ------
    ParameterError : an unknown rule.
    """
    counts = Counter(code for code in declared.tolist() if code is not None)
    codes = sorted(counts)
    known = lut_codes.tolist()
    places = _lookup(codes, known, normalisation)
    position = np.array([places.get(code, -1) for code in declared.tolist()], np.int64)
    total = sum(counts.values())

    def share(found: dict[str, int]) -> float:
        return sum(counts[code] for code in found) / total if total else 1.0

    matched = share(places)
    proposal = None
    if matched < _ENOUGH:
        candidates = [Proposal(rule, share(_lookup(codes, known, rule))) for rule in _rules(known)]
        # The first of several equally good ones: the rules are in order of how often they are meant.
        best = max(candidates, key=lambda one: one.share)
        proposal = best if best.share > _NEARLY_ALL else None
    lost = (position < 0) & np.array([code is not None for code in declared.tolist()], bool)
    missing = _missing(declared, lost, area_m2)
    findings: tuple[Finding, ...] = ()
    if missing:
        numbers = np.arange(1, len(declared) + 1) if rows is None else rows
        findings = (_unknown_codes(missing, total, matched, proposal, numbers[lost]),)
    return CodeMatch(position, matched, missing, proposal, findings)


def rule_in_words(rule: str) -> str:
    """What a rule does.

    Raises
    ------
    ParameterError : an unknown rule.
    """
    width = re.fullmatch(r"pad_([1-9][0-9]?)", rule)
    if width:
        return f"pad to width {width[1]}"
    if rule not in _WORDS:
        raise ParameterError(
            f"code_normalisation = {rule}: there is no such rule.", hint=f"there are {', '.join(_WORDS)}, pad_WIDTH"
        )
    return _WORDS[rule]


def normalised(code: str, rule: str) -> str:
    """A code after a rule."""
    rule_in_words(rule)
    if rule == STRIP_ZEROS:
        return code.lstrip("0") or code[-1:]
    if rule == DROP_DECIMALS:
        return re.sub(r"^([0-9]+)\.0+$", r"\1", code)
    if rule == IGNORE_CASE:
        return code.casefold()
    return code.zfill(int(rule.removeprefix("pad_"))) if code.isdigit() else code


def _rules(known: Sequence[str | None]) -> list[str]:
    widths = Counter(len(code) for code in known if code is not None and code.isdigit())
    padded = [
        f"pad_{width}" for width, _ in sorted(widths.items(), key=lambda item: (-item[1], item[0])) if width < 100
    ]
    return [STRIP_ZEROS, *padded, DROP_DECIMALS, IGNORE_CASE]


def _lookup(codes: Sequence[str], known: Sequence[str | None], rule: str | None) -> dict[str, int]:
    exact: dict[str, int] = {}
    for place, code in enumerate(known):
        if code is not None:
            exact.setdefault(code, place)
    found = {code: exact[code] for code in codes if code in exact}
    if rule is None:
        return found
    alike: dict[str, set[int]] = {}
    for code, place in exact.items():
        alike.setdefault(normalised(code, rule), set()).add(place)
    for code in codes:
        places = alike.get(normalised(code, rule), set())
        if code not in found and len(places) == 1:
            found[code] = next(iter(places))
    return found


def _missing(
    declared: Objects, lost: npt.NDArray[np.bool_], area_m2: npt.NDArray[np.float64] | None
) -> tuple[tuple[str, int, float], ...]:
    areas = np.full(len(declared), np.nan) if area_m2 is None else area_m2
    parcels: Counter[str] = Counter()
    hectares: dict[str, float] = {}
    for code, area in zip(declared[lost].tolist(), areas[lost].tolist(), strict=True):
        parcels[code] += 1
        hectares[code] = hectares.get(code, 0.0) + area / 1e4
    return tuple(
        (code, count, hectares[code]) for code, count in sorted(parcels.items(), key=lambda item: (-item[1], item[0]))
    )


def _unknown_codes(
    missing: Sequence[tuple[str, int, float]],
    total: int,
    matched: float,
    proposal: Proposal | None,
    rows: npt.NDArray[np.int64],
) -> Finding:
    count = sum(parcels for _, parcels, _ in missing)
    hectares = sum(area for *_, area in missing)
    area = "" if np.isnan(hectares) else f" ({hectares:,.1f} ha)"
    listed = [f"{code}: {parcels}" for code, parcels, _ in missing]
    shown = ", ".join(listed[:EXAMPLES]) + (", …" if len(listed) > EXAMPLES else "")
    message = f"{count} parcels{area} use {len(missing)} codes missing in the LUT: {shown}"
    if proposal is not None:
        message += f". Proposal: {proposal.words} match (code_normalisation = {proposal.rule})"
    severity = Severity.REFUSED if 1 - matched > _MOST else Severity.WARNING
    return finding("DECL-40", severity, message, rows.tolist(), listed)


def _percent(share: float) -> str:
    # Never rounded up to "100 %": that would promise that no parcel is left.
    return "100 %" if share == 1 else f"{np.floor(share * 1000) / 10:.1f} %"
