"""Rules for the rows of a crop code look-up table (lpis-and-inputs.md 4.1 and 4.2)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from s4c_lib.parcels.canonical import canonical_text
from s4c_lib.parcels.delimited_text import LineFindings
from s4c_lib.parcels.findings import Severity

FLAGS: Final = ("EAA", "AL", "PGrass", "TGrass", "Fallow", "Cwater")
_LARGEST: Final = 2**31 - 1
_YES: Final = frozenset({"1", "true", "yes"})
_NO: Final = frozenset({"0", "false", "no"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,12}(\.0*)?")
_MONTHS: Final = (
    "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mrt|mei|mai|okt|dez|déc|févr|avr|juin|juil|août|ene|abr|ago|dic|"
    "gen|mag|giu|lug|set|ott|ian|iun|iul|noi"
)
_DAMAGED: Final = re.compile(
    rf"[0-9]+(?:[.,][0-9]+)?E[+-][0-9]+"  # 5E+2 was 500 or 5E2
    rf"|[0-9]+,[0-9]+"  # 1,0
    rf"|[0-9]{{1,2}}[-./ ] ?(?:{_MONTHS})\.?(?:[-./ ][0-9]{{2,4}})?|(?:{_MONTHS})\.?[-./ ][0-9]{{2,4}}"  # 5-Feb, Feb-05
    rf"|[0-9]{{1,2}}([-./])[0-9]{{1,2}}\1[0-9]{{4}}|[0-9]{{4}}([-./])[0-9]{{1,2}}\2[0-9]{{1,2}}"  # 05/02/2021
    rf"|#(?:N/A|NV|REF!|VALUE!|NAME\?)",
    re.IGNORECASE,
)
_REPLACEMENT: Final = "\ufffd"


@dataclass(frozen=True, slots=True)
class LutRow:
    """One line, checked; fields as the columns of `CropLut`."""

    line: int
    ori_crop: str
    ctnum: int
    ct: str
    lc: int
    ctnuml4a: int
    ctl4a: str
    ctnumdiv: int
    ctdiv: str
    eaa: bool
    al: bool
    pgrass: bool
    tgrass: bool
    fallow: bool
    cwater: bool
    legum: bool
    hcat: str | None
    ct_en: str | None


def read_rows(columns: Mapping[str, Sequence[str]], lines: Sequence[int], found: LineFindings) -> list[LutRow]:
    """Type the values of all lines; a line with an unusable value gives no row and is in the findings."""
    crops: dict[str, int] = {}
    numbers: dict[int, int] = {}
    typed: list[dict[str, object]] = []
    given: list[tuple[str | None, str | None]] = []
    for place, line in enumerate(lines):
        raw = {name: values[place] for name, values in columns.items()}
        row = _typed(raw, line, found)
        code, number = row["ori_crop"], row["ctnum"]
        if isinstance(code, str):
            first = crops.setdefault(code, line)
            if first != line:
                found.add(
                    "LUT-03",
                    Severity.REFUSED,
                    line,
                    f'Line {line}: crop code "{code}" already defined on line {first}.',
                )
        if not isinstance(number, int) or numbers.setdefault(number, line) != line:
            message = f'Line {line}: CTnum "{raw["CTnum"].strip()}" must be a unique positive whole number.'
            found.add("LUT-04", Severity.REFUSED, line, message)
        typed.append(row)
        given.append((canonical_text(raw.get("CTL4A", "")), canonical_text(raw.get("CTDIV", ""))))
    _check_names(typed, lines, found)
    _name_groups(typed, given, lines, found)
    if found.refusing():
        return []
    return [LutRow(line, **row) for line, row in zip(lines, typed, strict=True)]  # type: ignore[arg-type]


def _typed(raw: Mapping[str, str], line: int, found: LineFindings) -> dict[str, object]:
    """Values of a line, None where they are unusable (and found) or default (groups)."""
    row: dict[str, object] = {}
    code = canonical_text(raw["Ori_crop"], na_is_value=True)
    if code is None:
        found.add("LUT-03", Severity.REFUSED, line, f"Line {line}: Ori_crop is empty.")
    elif _DAMAGED.fullmatch(code):
        message = f'Line {line}: "{code}" looks like a converted number or date. Format the column as text.'
        found.add("LUT-09", Severity.REFUSED, line, message)
    row["ori_crop"] = code
    number = _integer(raw["CTnum"])
    row["ctnum"] = number if number is not None and 0 < number <= _LARGEST else None
    row["ct"] = canonical_text(raw.get("CT", "")) or code
    cover = _integer(raw["LC"])
    if cover is None or not 0 <= cover <= 5:
        found.add("LUT-05", Severity.REFUSED, line, f'Line {line}: LC is "{raw["LC"].strip()}"; allowed 0 to 5.')
    row["lc"] = cover
    for column in ("CTnumL4A", "CTnumDIV"):
        text = raw.get(column, "").strip()
        group = _integer(text)
        if text and (group is None or not 0 <= group <= _LARGEST):
            message = f'Line {line}, column {column}: "{text}" is not a whole number, 0 or more.'
            found.add("LUT-06", Severity.REFUSED, line, message)
        row[column.lower()] = group if text else row["ctnum"]
    for column in (*FLAGS, "Legum"):
        text = raw.get(column, "").strip()
        flag = _flag(text) if text or column != "Legum" else False
        if flag is None:
            found.add("LUT-06", Severity.REFUSED, line, f'Line {line}, column {column}: "{text}" is not 0 or 1.')
        row[column.lower()] = flag
    row["hcat"] = canonical_text(raw.get("HCAT", ""))
    row["ct_en"] = canonical_text(raw.get("CT_en", ""))
    return row


def _integer(text: str) -> int | None:
    text = text.strip()
    return int(text.split(".")[0]) if _INTEGER.fullmatch(text) else None


def _flag(text: str) -> bool | None:
    folded = text.casefold()
    if folded in _YES or _integer(folded) == 1:
        return True
    if folded in _NO or _integer(folded) == 0:
        return False
    return None


def _check_names(rows: Sequence[Mapping[str, object]], lines: Sequence[int], found: LineFindings) -> None:
    broken = [line for row, line in zip(rows, lines, strict=True) if _REPLACEMENT in f"{row['ori_crop']}{row['ct']}"]
    if len(broken) > 0.01 * len(rows):
        for line in broken:
            found.add("LUT-12", Severity.WARNING, line, f'Names contain "{_REPLACEMENT}"; save the file as UTF-8.')


def _name_groups(
    rows: Sequence[dict[str, object]],
    given: Sequence[tuple[str | None, str | None]],
    lines: Sequence[int],
    found: LineFindings,
) -> None:
    """Set the names of groups; a group has one name, from the first line that gives one, else from its first crop."""
    for which, (number, name) in enumerate((("CTnumL4A", "CTL4A"), ("CTnumDIV", "CTDIV"))):
        names: dict[object, tuple[str, int]] = {}
        numbers: dict[str, tuple[object, int]] = {}
        for row, texts, line in zip(rows, given, lines, strict=True):
            group, text = row[number.lower()], texts[which]
            if group is None or text is None:
                continue
            first, on = names.setdefault(group, (text, line))
            if first != text:
                message = f'{number} {group} is named "{first}" (line {on}) and "{text}" (line {line}).'
                found.add("LUT-07", Severity.REFUSED, line, message)
            other, on = numbers.setdefault(text, (group, line))
            if other != group:
                message = f'{name} "{text}" has the numbers {other} (line {on}) and {group} (line {line}).'
                found.add("LUT-07", Severity.WARNING, line, message)
        for row, line in zip(rows, lines, strict=True):
            names.setdefault(row[number.lower()], (str(row["ct"]), line))
            row[name.lower()] = names[row[number.lower()]][0]


def cross_checks(rows: Sequence[LutRow], found: LineFindings) -> None:
    """Warnings about rows that are usable but contradict each other or themselves."""
    covers: dict[int, dict[int, int]] = defaultdict(dict)
    for row in rows:
        covers[row.ctnuml4a].setdefault(row.lc, row.line)
        for problem in _contradictions(row):
            found.add("LUT-10", Severity.WARNING, row.line, f"Line {row.line}: {problem}.")
    for group, seen in covers.items():
        if len(seen) > 1:
            listed = ", ".join(str(cover) for cover in sorted(seen))
            message = f"Group {group} mixes LC {listed}; only part of it will be classified."
            found.add("LUT-08", Severity.WARNING, max(seen.values()), message)
    firsts: dict[int, LutRow] = {}
    for row in rows:
        first = firsts.setdefault(row.ctnumdiv, row)
        different = [flag for flag in FLAGS if getattr(first, flag.lower()) != getattr(row, flag.lower())]
        if different:
            message = (
                f"Line {row.line}: {', '.join(different)} differ(s) from line {first.line}, "
                f"which has the same CTnumDIV {row.ctnumdiv}."
            )
            found.add("LUT-10", Severity.WARNING, row.line, message)


def _contradictions(row: LutRow) -> list[str]:
    rules = (
        (row.al and not row.eaa, "AL is 1 but EAA is 0"),
        (row.pgrass and row.al, "PGrass and AL are both 1"),
        (row.tgrass and not row.al, "TGrass is 1 but AL is 0"),
        (row.fallow and not row.al, "Fallow is 1 but AL is 0"),
        (row.pgrass and row.tgrass, "PGrass and TGrass are both 1"),
        (row.lc == 3 and not (row.pgrass or row.tgrass), "LC is 3 but neither PGrass nor TGrass is 1"),
        (row.lc == 4 and not row.fallow, "LC is 4 but Fallow is 0"),
    )
    return [problem for broken, problem in rules if broken]
