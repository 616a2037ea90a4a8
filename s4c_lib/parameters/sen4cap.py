"""Importing the configuration of a Sen4CAP installation: its table ``config`` (key, site, value)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from s4c_lib.errors import ParameterError
from s4c_lib.parameters.keys import REGISTRY
from s4c_lib.parameters.model import Scope, Value
from s4c_lib.parameters.registry import Registry

Site = int | str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A value to store for a parameter of this system; ``site`` None means for all sites."""

    key: str
    site: Site
    value: Value
    sen4cap_key: str


@dataclass(frozen=True, slots=True)
class NotImported:
    """A row that gives no value, and why."""

    sen4cap_key: str
    site: Site
    value: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import found.

    Parameters
    ----------
    accepted : values to store, sorted by key and site.
    ignored : rows without effect here, with the reason.
    refused : rows that someone should look at: an unknown key or a value out of bounds.
    """

    accepted: tuple[Accepted, ...]
    ignored: tuple[NotImported, ...]
    refused: tuple[NotImported, ...]

    def values(self, site: Site = None) -> dict[str, Value]:
        """Return the accepted values of a site (None: of all sites) by key."""
        return {one.key: one.value for one in self.accepted if one.site == site}


@dataclass(frozen=True, slots=True)
class _Ignore:
    reason: str


Converted = Mapping[str, Any] | _Ignore
"""New keys with raw values, still to be checked, or why there are none."""


def import_sen4cap(rows: Iterable[tuple[str, Site, str | None]], registry: Registry = REGISTRY) -> ImportReport:
    """Translate rows of Sen4CAP's table ``config``.

    A parameter given twice for a site, under two of Sen4CAP's keys, takes the value of the renamed key: the
    switch ``downloader.use.esa.l2a`` wins over the processor that would compute L2A, as it did there.

    Parameters
    ----------
    rows : key, site (None: global) and value of each row.
    """
    accepted: dict[tuple[str, Site], Accepted] = {}
    ignored: list[NotImported] = []
    refused: list[NotImported] = []
    ordered = sorted(rows, key=lambda row: (row[0].strip().casefold() in _CONVERSIONS, row[0].casefold(), str(row[1])))
    for name, site, value in ordered:
        try:
            converted = _convert(name, value, registry)
            if isinstance(converted, _Ignore):
                ignored.append(NotImported(name, site, value, converted.reason))
                continue
            scope = Scope.GLOBAL if site is None else Scope.SITE
            checked = {registry.get(key).key: registry.check(key, raw, scope) for key, raw in converted.items()}
        except ParameterError as error:
            refused.append(NotImported(name, site, value, error.one_line))
            continue
        for key, typed in checked.items():
            earlier = accepted.get((key, site))
            if earlier is not None and earlier.value != typed:
                reason = f"{name} sets {key} as well and wins"
                ignored.append(NotImported(earlier.sen4cap_key, site, str(earlier.value), reason))
            accepted[key, site] = Accepted(key, site, typed, name)
    return ImportReport(
        tuple(sorted(accepted.values(), key=lambda one: (one.key, one.site is not None, str(one.site)))),
        tuple(ignored),
        tuple(refused),
    )


def _convert(name: str, value: str | None, registry: Registry) -> Converted:
    folded = name.strip().casefold()
    text = (value or "").strip()
    if name not in registry and folded not in _CONVERSIONS:
        retired = registry.why_retired(name)
        if retired is not None:
            return _Ignore(retired.reason)
        registry.get(name)
    if text in ("", "N/A"):
        return _Ignore("it has no value")
    conversion = _CONVERSIONS.get(folded)
    return {name: text} if conversion is None else conversion(text)


def _per_satellite(text: str) -> Converted:
    return {f"downloader.{satellite}.max_cloud_coverage": text for satellite in ("s1", "s2", "l8")}


def _settle_days(satellite: str) -> Callable[[str], Converted]:
    def convert(text: str) -> Converted:
        if text == "0":
            return _Ignore("0 loses late publications; the default of the new parameter finds them")
        return {f"downloader.{satellite}.settle_days": text}

    return convert


def _ready_made_l2a(text: str) -> Converted:
    if text.casefold() in ("true", "t", "1"):
        return {"processor.l2a.s2.implementation": "esa"}
    return _Ignore("processor.l2a.s2.implementation says how L2A is made")


def _products_path(text: str) -> Converted:
    """Keep the part before the first placeholder: the folders below it have a layout of their own."""
    return {"storage.products_path": text.split("{")[0].rstrip("/") or "/"}


def _scratch_path(text: str) -> Converted:
    """Drop folders named after tasks of Sen4CAP's orchestrator."""
    kept = [part for part in text.split("/") if "{task_id}" not in part and "{module}" not in part]
    return {"general.scratch-path": "/".join(kept)}


_HOURS = {"second": 1 / 3600, "minute": 1 / 60, "hour": 1.0, "day": 24.0}


def _hours(key: str) -> Callable[[str], Converted]:
    """Translate an interval of PostgreSQL with one unit (``1 day``, ``06:00:00``) to hours."""

    def convert(text: str) -> Converted:
        clock = re.fullmatch(r"(\d+):(\d\d):(\d\d)", text)
        if clock:
            hours, minutes, seconds = (int(part) for part in clock.groups())
            return {key: hours + minutes / 60 + seconds / 3600}
        worded = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(second|minute|hour|day)s?", text.casefold())
        return {key: float(worded[1]) * _HOURS[worded[2]] if worded else text}

    return convert


_ELEVATION_MODELS = {
    "srtm 3sec": "srtm_3s",
    "srtm 1sec hgt": "srtm_1s",
    "copernicus 30m global dem": "copernicus_glo30",
    "aster 1sec gdem": "aster_v3",
}


def _elevation_model(text: str) -> Converted:
    return {"dem.source": _ELEVATION_MODELS.get(text.casefold(), text)}


def _country(text: str) -> Converted:
    if text.casefold() == "cntry":
        return _Ignore("it is the placeholder Sen4CAP was installed with")
    return {"processor.s4c_l4c.country": text.upper()}


def _mowing_inputs(text: str) -> Converted:
    return {"processor.s4c_l4b.input_product_types": text if text in ("S1", "S2") else "S1_S2"}


def _previous_harvest(text: str) -> Converted:
    if text.casefold() in ("1", "true", "t"):
        return _Ignore(
            "Sen4CAP never found the previous product, so it kept nothing; to keep harvest weeks set "
            "processor.s4c_l4c.freeze_harvest and replay all runs of the season"
        )
    return {"processor.s4c_l4c.freeze_harvest": text}


_CONVERSIONS: dict[str, Callable[[str], Converted]] = {
    "downloader.max-cloud-coverage": _per_satellite,
    "downloader.use.esa.l2a": _ready_made_l2a,
    "archiver.archive_path": _products_path,
    "general.scratch-path": _scratch_path,
    "dem.name": _elevation_model,
    "processor.s4c_l4c.country": _country,
    "processor.s4c_l4b.input_product_types": _mowing_inputs,
    "processor.s4c_l4c.use_prev_prd": _previous_harvest,
    **{f"downloader.{satellite}.query.days.back": _settle_days(satellite) for satellite in ("s1", "s2", "l8")},
    "processor.l2a.optical.retry-interval": _hours("processor.l2a.optical.retry-interval"),
}
