"""Practice tables NA, CC, FL and NFC in their upload format (lpis-and-inputs.md section 5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from s4c_lib.synthetic.crops import CROPS, CatchCrop, Growth, LandCover, ParcelTraits, Practice
from s4c_lib.synthetic.landscape.assignment import UNDERSOWN
from s4c_lib.synthetic.streams import Stream, generator

COLUMNS: Final = (
    "FIELD_ID", "MAIN_CROP", "VEG_START", "H_START", "H_END", "PRACTICE", "P_TYPE", "P_START", "P_END",
)  # fmt: skip
WRONG_DATES: Final = 0.01
UNKNOWN_PARCELS: Final = 0.01
# Start of the vegetation period, first and last day for the harvest. Generous: a rule serves a country and all years.
HARVEST: Final[dict[Growth, tuple[str, str, str]]] = {
    Growth.WINTER_BARLEY: ("04-01", "06-03", "08-31"),
    Growth.WINTER_WHEAT: ("04-01", "06-15", "09-15"),
    Growth.SPRING_BARLEY: ("04-15", "07-01", "09-30"),
    Growth.WINTER_RAPE: ("04-01", "06-15", "08-31"),
    Growth.GRASS_SEED: ("04-01", "06-15", "09-15"),
    Growth.MAIZE: ("05-20", "08-20", "11-30"),
    Growth.SUGAR_BEET: ("05-20", "08-25", "12-15"),
    Growth.POTATO: ("05-20", "07-15", "11-15"),
    Growth.ONION: ("05-20", "07-15", "10-31"),
    Growth.BEANS: ("05-20", "07-25", "10-31"),
    Growth.LUCERNE: ("04-01", "05-01", "10-31"),
}
# The Dutch rule: harvested and the catch crop sown by 15 October; eight weeks from then on at the latest.
CATCH_CROP_SOWN_BY: Final = "10-15"
_FALLOW: Final = ("04-01", "06-03", "09-01"), ("04-01", "08-31")
_FIXING: Final = {Growth.BEANS: ("06-15", "07-31"), Growth.LUCERNE: ("05-01", "08-31")}


@dataclass(frozen=True, slots=True)
class PracticeTable:
    """Rows of one practice.

    Parameters
    ----------
    rows : in the order of `COLUMNS`.
    wrong : row number (1 and up) and report code of each deliberate fault.
    """

    rows: tuple[tuple[str, ...], ...]
    wrong: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        """The file."""
        return "".join(";".join(row) + "\n" for row in (COLUMNS, *self.rows))


def practice_tables(
    traits: ParcelTraits, ori_id: Sequence[str], year: int, seed: int, chunk: int = 0, *, faults: bool = True
) -> dict[str, PracticeTable]:
    """Tables by their short names: harvest for annual crops, and the practices declared.

    Parameters
    ----------
    ori_id : of the parcels of ``traits``.
    chunk : which part of a larger country.
    faults : 1 % of the rows with wrong dates, and as many rows of unknown parcels.
    """
    rng = generator(seed, Stream.DECLARATIONS, chunk)
    variant = rng.integers(1, 3, len(traits))
    promised = rng.random(len(traits)) < UNDERSOWN  # the variant of a catch crop must not betray that it is absent
    rows: dict[str, list[tuple[str, ...]]] = {"NA": [], "CC": [], "FL": [], "NFC": []}

    def row(name: str, crop: int, harvest: tuple[str, str, str], practice: tuple[str, ...]) -> tuple[str, ...]:
        days = tuple(f"{year}-{day}" if day != "NA" else day for day in (*harvest, *practice[2:]))
        return (name, CROPS[crop].code, *days[:3], *practice[:2], *days[3:])

    facts = zip(ori_id, traits.declared.tolist(), traits.practice.tolist(), traits.catch_crop.tolist(), strict=True)
    for position, (name, crop, practice, catch_crop) in enumerate(facts):
        growth = CROPS[crop].growth
        if CROPS[crop].land_cover == LandCover.ANNUAL:
            harvest = HARVEST[growth]
            rows["NA"].append(row(name, crop, harvest, ("NA", "NA", "NA", "NA")))
        if practice == Practice.CATCH_CROP:
            undersown = growth == Growth.MAIZE and (
                catch_crop == CatchCrop.UNDERSOWN or (catch_crop == CatchCrop.NONE and promised[position])
            )
            kind = f"CatchCrop_{3 if undersown else variant[position]}"
            harvest = (*HARVEST[growth][:2], CATCH_CROP_SOWN_BY)
            rows["CC"].append(row(name, crop, harvest, ("CatchCrop", kind, CATCH_CROP_SOWN_BY, "NA")))
        elif practice == Practice.FALLOW:
            rows["FL"].append(row(name, crop, _FALLOW[0], ("Fallow", "NA", *_FALLOW[1])))
        elif practice == Practice.NITROGEN_FIXING:
            rows["NFC"].append(row(name, crop, HARVEST[growth], ("NFC", "NA", *_FIXING[growth])))
    return {
        name: _with_faults(table, rng) if faults else PracticeTable(tuple(table), ()) for name, table in rows.items()
    }


def _with_faults(rows: list[tuple[str, ...]], rng: np.random.Generator) -> PracticeTable:
    """Some dates wrong and some parcels unknown; tables too short for a hundredth have one unknown parcel."""
    table, wrong = list(rows), []
    for turn, position in enumerate(rng.choice(len(rows), round(WRONG_DATES * len(rows)), replace=False).tolist()):
        name, crop, start, first, last, *rest = table[position]
        damaged, code = (
            ((start, last, first), "PRAC-03"),
            ((start, first[:5] + "02-30", last), "PRAC-02"),
            (("/".join(reversed(start.split("-"))), first, last), "PRAC-02"),
            ((start, first, "NA"), "PRAC-04"),
        )[turn % 4]
        table[position] = (name, crop, *damaged, *rest)
        wrong.append((position + 1, code))
    if rows:
        for number in range(max(1, round(UNKNOWN_PARCELS * len(rows)))):
            table.append((f"999{number:06d}-1", *rows[int(rng.integers(len(rows)))][1:]))
            wrong.append((len(table), "PRAC-07"))
    return PracticeTable(tuple(table), tuple(sorted(wrong)))
