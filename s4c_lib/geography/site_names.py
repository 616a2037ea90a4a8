"""Names of sites: what users may call them, and the short name used in table names and paths."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from itertools import count
from typing import Final

from s4c_lib.errors import InputError

MAX_NAME: Final = 64
MAX_SHORT_NAME: Final = 40

# Letters that Unicode does not decompose into an ASCII letter and an accent (ISO 843 for Greek, ISO 9 simplified).
_LETTERS: Final = str.maketrans(
    {
        **dict(zip("ßæœøđðþłħıŋ", ("ss", "ae", "oe", "o", "d", "d", "th", "l", "h", "i", "ng"), strict=True)),
        **dict(zip("αβγδεζηθικλμν", ("a", "v", "g", "d", "e", "z", "i", "th", "i", "k", "l", "m", "n"), strict=True)),
        **dict(zip("ξοπρσςτυφχψω", ("x", "o", "p", "r", "s", "s", "t", "y", "f", "ch", "ps", "o"), strict=True)),
        **dict(zip("абвгдежзийкл", ("a", "b", "v", "g", "d", "e", "zh", "z", "i", "y", "k", "l"), strict=True)),
        **dict(zip("мнопрстуфхцч", ("m", "n", "o", "p", "r", "s", "t", "u", "f", "h", "ts", "ch"), strict=True)),
        **dict(zip("шщъыьэюя", ("sh", "sht", "a", "y", "", "e", "yu", "ya"), strict=True)),
        **dict(zip("єіљњџћђѓќѕ", ("e", "i", "lj", "nj", "dz", "c", "dj", "g", "k", "dz"), strict=True)),
    }
)


def check_site_name(name: str, existing: Collection[str] = ()) -> str:
    """Return the name without surrounding blanks.

    Raises
    ------
    InputError
        SITE-01 when it is empty, longer than 64 characters, or one of `existing` whatever the case.
    """
    name = unicodedata.normalize("NFC", name.strip())
    if not name:
        raise InputError("The name of a site cannot be empty.", code="SITE-01")
    if len(name) > MAX_NAME:
        raise InputError(f"The name of the site has {len(name)} characters (limit {MAX_NAME}).", code="SITE-01")
    if name.casefold() in {unicodedata.normalize("NFC", other).casefold() for other in existing}:
        raise InputError(f'A site named "{name}" already exists.', hint="Choose another name.", code="SITE-01")
    return name


def short_name(name: str) -> str:
    """ASCII form of a name, ``[a-z][a-z0-9_]{0,39}``: ``Île-de-France`` gives ``ile_de_france``."""
    # lower case last: the letters of formulas become plain capitals only when decomposed
    plain = unicodedata.normalize("NFKD", name).lower().translate(_LETTERS)
    # accents of the decomposed letters vanish; everything else that is no ASCII letter or digit separates words
    spelled = "".join(c for c in plain if not unicodedata.combining(c))
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in spelled).split()
    joined = "_".join(words)
    if not joined[:1].isalpha():
        joined = f"site_{joined}"
    return joined[:MAX_SHORT_NAME].rstrip("_")


def unique_short_name(name: str, taken: Collection[str]) -> str:
    """`short_name`, with the first free suffix ``_2``, ``_3``... when it is taken."""
    base = short_name(name)
    if base not in taken:
        return base
    for number in count(2):
        suffix = f"_{number}"
        candidate = base[: MAX_SHORT_NAME - len(suffix)].rstrip("_") + suffix
        if candidate not in taken:
            return candidate
    raise AssertionError("unreachable: count() does not end")
