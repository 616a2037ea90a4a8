"""Codes of L4C results: markers, verdicts, states, reasons and the rules that decided (l4c-practices.md section 15)."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Marker(IntEnum):
    """Value of a marker, as the marker database codes it."""

    TRUE = 1
    FALSE = 0
    NA = -1
    NA1 = -2
    NR = -3
    OTHER = -4


class Verdict(IntEnum):
    """C_INDEX: how well the declared practice agrees with what was seen."""

    STRONG = 4
    MODERATE = 3
    WEAK = 2
    POOR = 1
    NA = -1
    NA1 = -2
    NR = -3


class Found(IntEnum):
    """Whether a week was found: of harvest, of the radar's evidence of harvest, of tillage."""

    FOUND = 1
    NOT_FOUND = 0  # NO-HARVEST, NO-TILLAGE
    NA = -1
    NA1 = -2
    NR = -3


class Status(IntEnum):
    """Why a row has no result."""

    OK = 0
    NO_S1PIX = 1
    NO_AMP = 2
    NO_COHE = 3
    SHORT_COHE = 4
    NO_NDVI = 5
    NO_COMMON_WEEK = 6
    BAD_DATES = 7
    NOT_IN_SERIES = 8
    ERROR = 9
    GEOMETRY = 10
    DUPLICATE = 11
    OVERLAP = 12
    NO_S2PIX = 13


class Flag(IntFlag):
    """FLAGS: what a reader of a result should know."""

    M5_FLAT = 1  # coherence hardly varies, so M5 says nothing
    NO_EVIDENCE = 2  # no observation in the period that could speak for or against the practice
    PERIOD_COMPUTED = 4  # P_START and P_END were computed
    HARVEST_KEPT = 8  # the harvest is that of the previous product
    HARVEST_ERASED = 16  # by the rule for black fallow


class Rule(IntEnum):
    """Which rule gave C_INDEX (sections 9 to 12); the first that matches decides."""

    NONE = 0  # the practice is not evaluated
    NOT_BEGUN = 1  # the last week is not after the start of the period
    # catch crop
    CC_NO_MAIN_CROP = 10  # NDVI never above OPTTHRVEGCYCLE
    CC_NO_HARVEST = 11  # neither harvest nor any drop of NDVI before the period
    CC_LATE_HARVEST = 12  # harvest after the start of the period
    CC_NO_NDVI = 13  # M6, M7 and M8 are NA: radar alone
    CC_MARKERS = 14  # the number of markers that are FALSE
    # fallow
    FL_BARE = 20  # M6 FALSE
    FL_NO_HARVEST = 21
    FL_HARVEST_INSIDE = 22
    FL_HARVEST_OUTSIDE = 23
    FL_CUT = 24  # CZE: NDVI loss in the mowing window
    FL_NOT_CUT = 25
    FL_SOIL_WORKED = 26  # LTU: M10 FALSE
    FL_SOIL_LEFT = 27
    FL_HARVEST_EARLY = 28  # LTU PDZ: more than 62 days before the end
    FL_HARVEST_IN_TIME = 29
    FL_HARVEST_LATE = 30
    FL_OTHER_TYPE = 31  # LTU, P_TYPE neither PDJ nor PDZ
    # nitrogen-fixing crop
    NFC_BARE = 40
    NFC_NO_HARVEST = 41
    NFC_HARVEST_INSIDE = 42
    NFC_HARVEST_OUTSIDE = 43
    NFC_PRESENT = 44  # CZE: vegetation in the practice period itself
    NFC_ABSENT = 45
    NO_EVIDENCE = 50  # repair 6
