"""Reasons of verdicts in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from s4c_lib.crop_type import judgement as codes

_WORDS: Final = {
    codes.AS_DECLARED: "it looks like {declared}",
    codes.OTHER_CROP: "it looks like {other}, not like {declared}",
    codes.SELF_TAUGHT: "it was used to train the forest that predicted it",
    codes.TOO_FEW_PARCELS: "too few parcels could be predicted without their own declaration",
    codes.CROP_SUSPECT: "it looks like {other}, but so do too many parcels declared as {declared}",
    codes.FEW_DATES: "too few clear dates to tell {declared} from {other}",
    codes.SMALL_PARCEL: "small parcel: its pixels do not tell {declared} from {other}",
    codes.CONFUSED: "{declared} is often confused with {other}",
    codes.UNSURE: "it looks neither enough like {declared} nor enough like {other}",
    "geometry": "its outline is not valid",
    "duplicate": "another parcel has the same outline",
    "overlap": "it overlaps other parcels",
    "no_lut": "the crop table does not have its crop",
    "lc": "its land cover is not monitored",
    "min_s2_pix": "too small for Sentinel-2",
    "min_s1_pix": "too small for Sentinel-1",
    "no_features": "too few observations",
    "rare_class": "too few parcels of its crop to learn it",
}


def words(reason: str, declared: int, other: int, names: Mapping[int, str]) -> str:
    """Return a reason in words.

    Parameters
    ----------
    reason : of `judgement.Judgement`.
    names : of classes; one that has none goes by its number.
    """
    return _WORDS[reason].format(
        declared=names.get(declared, f"class {declared}"), other=names.get(other, f"class {other}")
    )
