"""Sections and keys of an L4B configuration, Sen4CAP's and ours (l4b-grassland-mowing.md 9.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from s4c_lib.parameters import REGISTRY, Scope

PREFIX: Final = "processor.s4c_l4b"
SHIPPED_TIMES: Final = {"s1_ascending": "18:00:00", "s1_descending": "06:00:00", "s2": "10:30:00"}


@dataclass(frozen=True, slots=True)
class Target:
    """What a key sets.

    Parameters
    ----------
    title : the key as the specification writes it.
    name : registry key, or name of a value that has none there; empty when the key has no effect here.
    shipped : value of a key without effect that needs no warning; ``*`` for any.
    """

    title: str
    name: str
    shipped: str = "*"


@dataclass(frozen=True, slots=True)
class SectionKeys:
    """A section; keys by their case-folded names.

    Parameters
    ----------
    expert : only an administrator changes it (CFG-08).
    open : further keys are taken without a word: nothing of the section has an effect.
    """

    title: str
    keys: Mapping[str, Target]
    expert: bool = False
    open: bool = False


def _section(title: str, names: Mapping[str, str], idle: Mapping[str, str], *, expert: bool = False) -> SectionKeys:
    keys = {key.casefold(): Target(key, name) for key, name in names.items()}
    keys |= {key.casefold(): Target(key, "", shipped) for key, shipped in idle.items()}
    return SectionKeys(title, keys, expert)


_CROPS: Final = {"CTNUM_FILTER": "ctnum_filter", "ADDITIONAL_COLUMNS": "additional_columns"}
_ORBITS: Final = {"s1_orbit_list_filter": "orbits", "s1_orbit_type_list_filter": "orbit_types"}
_PERIODS: Final = {name: name for name in ("crop_codes", "crop_time_intervals", "crop_rule")}
_S1_TIMES: Final = {"locAcqTimeASC": "s1_ascending", "locAcqTimeDESC": "s1_descending"}
_S1: Final = {
    name: f"{PREFIX}.s1.{name}"
    for name in ("pol_types", "saturate_sigma", "pfa", "stat_smpl_n", "non_overlap_interval_days")
}
_S2: Final = {
    name: f"{PREFIX}.s2.{name}"
    for name in (
        "corrupted_th",
        "decreasing_abs_th",
        "decreasing_rate_th",
        "increasing_rate_th",
        "high_abs_th",
        "low_abs_th",
        "no_mowing_after_det",
        "non_overlap_interval_days",
    )
}
_LEGACY: Final = (
    _section("GENERAL_CONFIG", {**_CROPS, **_ORBITS}, {"s2_tiles_list_filter": "", "s2_tiles_type_list_filter": ""}),
    _section(
        "S1_constants",
        {
            "S1_time_interval": f"{PREFIX}.s1.time_interval_days",
            "min_cohe_var": f"{PREFIX}.s1.min_cohe_var",
            **_S1_TIMES,
        },
        {"SAR_spacing": "20", "cohe_ENL": "100"},
        expert=True,
    ),
    _section("S2_constants", {"locAcqTime": "s2"}, {"S2_time_interval": "5"}, expert=True),
    SectionKeys("S2_model", {"apply_model": Target("apply_model", "", "False")}, expert=True, open=True),
    _section(
        "S1_processing",
        _S1,
        {
            "data_types": "COHE",
            "invalid_data": "nan",
            "options_layer_burning": "ALL_TOUCHED=False",
            "erode_pixels": "0",
        },
        expert=True,
    ),
    _section(
        "S2_processing",
        _S2,
        {
            "prod_type_list": "SNDVI",
            "sc_fact": "1000",
            "invalid_data": "-10000",
            "stat_smpl_n": "0",
            "erode_pixels": "0",
        },
        expert=True,
    ),
    _section("compliancy", _PERIODS, {}),
    _section("validation", {}, {"fwd_tol_days": "*", "bkw_tol_days": "*", "validation_temporal_range_str": "*"}),
)


def _own(part: str) -> dict[str, str]:
    """Registry keys below the prefix by what follows ``part``."""
    start = f"{PREFIX}.{part}"
    # a file is for a season: what only a single run can be told does not belong in it
    ours = (one.key for one in REGISTRY if one.key.startswith(start) and set(one.scopes) != {Scope.JOB})
    return {key.removeprefix(start): key for key in ours if "." not in key.removeprefix(start)}


_FUSION: Final = {name: key for name, key in _own("").items() if name in ("max_events", "min_conf")}
_ADVANCED: Final = {name: key for name, key in _own("").items() if REGISTRY.get(key).advanced and name not in _FUSION}
NATIVE: Final[Mapping[str, Mapping[str, str]]] = {
    "general": {
        **{key.lower(): name for key, name in _CROPS.items()},
        **_ORBITS,
        **{name: key for name, key in _own("").items() if not REGISTRY.get(key).advanced},
    },
    "detection": _ADVANCED,
    "s1": {**_own("s1."), **_S1_TIMES},
    "s2": {**_own("s2."), "locAcqTime": "s2"},
    "fusion": _FUSION,
    "compliance": _PERIODS,
}
"""Sections and keys of our own form, with what each key sets."""

SECTIONS: Final[Mapping[str, SectionKeys]] = {
    **{section.title.casefold(): section for section in _LEGACY},
    **{
        title: _section(
            title,
            # Sen4CAP's name of the one key that is called otherwise here.
            {**names, "S1_time_interval": f"{PREFIX}.s1.time_interval_days"} if title == "s1" else names,
            {},
            expert=title not in ("general", "compliance"),
        )
        for title, names in NATIVE.items()
    },
}
"""By case-folded name."""
