"""Words of the trace: what a state, a rule and a flag mean to an inspector (l4c-practices.md sections 8 to 15)."""

from __future__ import annotations

from typing import Final

STATUS_WORDS: Final = {
    "NO_S1PIX": "the parcel has too few Sentinel-1 pixels to be seen by radar",
    "NO_S2PIX": "the parcel has too few Sentinel-2 pixels",
    "NO_AMP": "there is no day with backscatter in both polarisations",
    "NO_COHE": "there is no coherence",
    "SHORT_COHE": "there are too few coherence values",
    "NO_NDVI": "there is no NDVI",
    "NO_COMMON_WEEK": "no week has both backscatter and coherence",
    "BAD_DATES": "the dates in the practice table are missing, cannot be read, or come in the wrong order",
    "NOT_IN_SERIES": "the parcel is not declared, or has no observation at all",
    "GEOMETRY": "the outline of the parcel is invalid",
    "DUPLICATE": "the outline is declared twice, and such parcels are left out",
    "OVERLAP": "the parcel overlaps another, and such parcels are left out",
    "ERROR": "something went wrong",
}

RULE_WORDS: Final = {
    "NONE": "The practice is not judged: the row declares none, or gives no start of its period.",
    "NOT_BEGUN": "The last week with radar is not after the start of the practice period: it is too early to tell.",
    "CC_NO_MAIN_CROP": "NDVI never showed a main crop, so there is nothing the catch crop could follow.",
    "CC_NO_HARVEST": "Neither a harvest nor any drop of NDVI was seen before the catch crop had to be sown: "
    "the main crop was still there.",
    "CC_LATE_HARVEST": "The main crop was harvested after the catch crop had to be sown.",
    "CC_NO_NDVI": "There is no usable NDVI in the period; radar alone decides, which can say MODERATE or WEAK.",
    "CC_MARKERS": "The markers that are FALSE are counted: none gives STRONG, one MODERATE, two WEAK, more POOR.",
    "FL_BARE": "No vegetation was seen in the practice period.",
    "FL_NO_HARVEST": "Vegetation was seen, but neither harvest nor clearance.",
    "FL_HARVEST_INSIDE": "A harvest was seen inside the period in which the land has to lie fallow.",
    "FL_HARVEST_OUTSIDE": "Vegetation was seen, and harvested outside the period in which the land has to lie fallow.",
    "FL_CUT": "The vegetation was cut in the mowing window, as it has to be.",
    "FL_NOT_CUT": "Vegetation was seen, and no cut in the mowing window.",
    "FL_SOIL_WORKED": "Coherence never was quiet for nine weeks on end: the soil was worked.",
    "FL_SOIL_LEFT": "Coherence was quiet for nine weeks on end or more: the soil was not worked.",
    "FL_HARVEST_EARLY": "The vegetation was cleared 62 days before the end of the period or earlier.",
    "FL_HARVEST_IN_TIME": "The vegetation was cleared at the end of the period, as it has to be: "
    "less than 62 days before it, or at the most a week after it.",
    "FL_HARVEST_LATE": "The vegetation was cleared later than a week after the end of the period.",
    "FL_OTHER_TYPE": "The variant of the fallow is neither PDJ nor PDZ: there is no rule for it.",
    "NFC_BARE": "No vegetation was seen in the practice period.",
    "NFC_NO_HARVEST": "Vegetation was seen, but no harvest.",
    "NFC_HARVEST_INSIDE": "The crop was harvested inside the period in which it has to stand.",
    "NFC_HARVEST_OUTSIDE": "Vegetation was seen, and harvested outside the period in which it has to stand.",
    "NFC_PRESENT": "Vegetation was seen in the practice period itself.",
    "NFC_ABSENT": "Vegetation was seen in the season, but not in the practice period itself.",
    "NO_EVIDENCE": "Nothing usable was observed in the period that could speak for or against the practice.",
}

FLAG_WORDS: Final = {
    "M5_FLAT": "Coherence hardly varies over the season, so marker M5 says nothing.",
    "NO_EVIDENCE": "There is no observation in the period that could speak for or against the practice.",
    "PERIOD_COMPUTED": "The practice period was computed from the series; it may move until the season ends.",
    "HARVEST_KEPT": "The harvest week is that of the product before.",
    "HARVEST_ERASED": "The harvest that was seen is not reported: the rule for black fallow takes it away.",
}

MARKER_WORDS: Final = {
    1: "a crop has been seen (NDVI above the threshold this week or before)",
    2: "NDVI is lost around this week",
    3: "VV - VH rises against the three weeks before",
    4: "VV - VH is at the level of bare soil",
    5: "coherence rises or is high",
    6: "vegetation in the practice period",
    7: "it grows or stays from the fourth week on",
    8: "NDVI is not lost",
    9: "backscatter shows no loss of vegetation",
    10: "coherence shows no loss of vegetation",
}

FALSE_WORDS: Final = {
    6: "no vegetation in the practice period",
    7: "it does not grow or stay from the fourth week on",
    8: "NDVI is lost",
    9: "backscatter shows a loss of vegetation",
    10: "coherence shows a loss of vegetation",
}
"""What a marker of a practice means that is FALSE."""

VERDICT_WORDS: Final = {
    "STRONG": "what was seen agrees with the declared practice",
    "MODERATE": "what was seen agrees with the declared practice, with a doubt",
    "WEAK": "what was seen hardly agrees with the declared practice",
    "POOR": "what was seen contradicts the declared practice",
    "NR": "it cannot be said, or not yet",
    "NA": "the practice is not judged",
    "NA1": "the parcel is too small",
}
