"""Placeholders in paths: ``/data/{site}/{year}`` becomes a path when a job knows its site and year."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from s4c_lib.errors import ParameterError

PLACEHOLDERS = ("site", "season", "year", "processor", "job_id", "product_type", "practice")

_BRACED = re.compile(r"\{([^{}]*)\}")


def problem(template: str) -> str:
    """Say what is wrong with a path template, or return an empty text."""
    if not template.startswith("/"):
        return "a path starts with /"
    if any(ord(character) < 32 for character in template):
        return "a path has no control characters"
    if ".." in template.split("/"):
        return "a path does not climb with .."
    unknown = sorted({name for name in _BRACED.findall(template) if name not in PLACEHOLDERS})
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        return f"{{{unknown[0]}}} is no placeholder; there are {known}"
    if set(_BRACED.sub("", template)) & set("{}"):
        return "a brace is not closed"
    return ""


def expand(template: str, known: Mapping[str, object]) -> Path:
    """Fill the placeholders of a checked template.

    Raises
    ------
    ParameterError : a placeholder has no value, or one that would leave its folder.
    """

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in known:
            raise ParameterError(
                f"{template} needs {{{name}}}, which is not known here.", hint="use another placeholder"
            )
        text = str(known[name])
        if text in ("", ".", "..") or "/" in text:
            raise ParameterError(f"{{{name}}} in {template} cannot be {text!r}, which is no folder name.")
        return text

    return Path(_BRACED.sub(fill, template))
