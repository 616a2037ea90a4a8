"""Column names a Shapefile can hold: ten ASCII characters, unique without regard to case."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from s4c_lib.errors import InputError

LENGTH: Final = 10
COLUMNS: Final = 255


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Short name of each column, in the given order.

    Names that already fit keep their spelling, whatever stands before them. Others lose their accents, what is
    neither letter, digit nor underscore becomes ``_``, and the first ten characters stay; where that is taken, a
    number replaces the end: ``CTnumL4A_n``, ``CTnumL4A_2``.

    Parameters
    ----------
    names : unique without regard to case.

    Raises
    ------
    InputError : for more than 255 columns, which a dBASE table cannot hold.
    """
    if len(names) > COLUMNS:
        raise InputError(
            f"A Shapefile holds at most {COLUMNS} columns; the export has {len(names)}.",
            hint="choose columns, or export to GeoPackage",
        )
    fitting = {name: name for name in names if name == _plain(name)[:LENGTH]}
    taken = {name.lower() for name in fitting}
    short: dict[str, str] = {}
    for name in names:
        short[name] = fitting[name] if name in fitting else _free(_plain(name), taken)
        taken.add(short[name].lower())
    return short


def _plain(name: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    letters = re.sub(r"[^A-Za-z0-9_]+", "_", ascii_only).strip() or "column"
    # dBASE readers refuse names that start with a digit or an underscore.
    return letters if letters[0].isalpha() else f"c{letters}"


def _free(name: str, taken: Iterable[str]) -> str:
    first = name[:LENGTH]
    number = 1
    candidate = first
    while candidate.lower() in taken:
        number += 1
        end = f"_{number}"
        candidate = first[: LENGTH - len(end)] + end
    return candidate
