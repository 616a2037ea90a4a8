"""Values in the XML settings of external programs, changed in place: comments, order and the rest stay as they were."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import escape


def with_values(content: bytes, values: Mapping[str, str]) -> bytes:
    """Settings with new texts in the elements named; an element that is not there is not added.

    Parameters
    ----------
    values : local name of an element without children -> text.
    """
    for name, value in values.items():
        text = escape(value).encode()
        content = _element(name).sub(lambda found, text=text: found[1] + text + found[3], content)  # type: ignore[misc]
    return content


def value_of(content: bytes, name: str) -> str | None:
    """Text of the first element of that name; None when there is none."""
    found = _element(name).search(content)
    return found[2].decode("utf-8", errors="replace").strip() if found else None


def _element(name: str) -> re.Pattern[bytes]:
    tag = re.escape(name.encode())
    return re.compile(rb"(<" + tag + rb"(?:\s[^>]*)?>)([^<]*)(</" + tag + rb"\s*>)")
