"""A configuration with every value it resolves to, as a file that reads back to the same (section 4)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from s4c_lib.parcels.configuration_file import written
from s4c_lib.parcels.l4c_configuration import L4cConfiguration


def effective_text(configuration: L4cConfiguration) -> str:
    """INI in Sen4CAP's form: a section for each practice of the configuration, no key left to a default."""
    sections: dict[str, dict[str, str]] = {"COMMON": {}}
    for practice in configuration.practices:
        values = asdict(configuration.thresholds[practice])
        sections[f"{practice}_TIME_SERIES_ANALYSIS_PARAMS"] = {
            f"{practice}_{key.upper()}": _text(value) for key, value in values.items()
        }
    return written(sections)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return value.isoformat() if isinstance(value, date) else f"{value!r}" if isinstance(value, float) else str(value)
