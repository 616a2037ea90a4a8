"""Metadata documents of products: XML read safely and without its namespaces, Landsat's MTL in three spellings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from s4c_lib.errors import ProductCorruptError

_STILL_ARRIVING = "the product may still be arriving; else fetch it again"


def parse_xml(content: bytes, where: str) -> ElementTree.Element:
    """Read an XML document.

    Raises
    ------
    ProductCorruptError : it is not well-formed, or declares a document type: product metadata never does, and
        entities are the way to make a reader run out of memory.
    """
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ProductCorruptError(
            f"{where} declares a document type or entities", hint="no product metadata does; do not trust this file"
        )
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise ProductCorruptError(f"{where} is not readable XML: {error}", hint=_STILL_ARRIVING) from error


def local_name(element: ElementTree.Element) -> str:
    """Tag without its namespace: the same element has had several over the baselines."""
    return str(element.tag).rsplit("}", 1)[-1]


def elements(root: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """All elements of that local name, in document order."""
    return (element for element in root.iter() if local_name(element) == name)


def text(root: ElementTree.Element, name: str) -> str | None:
    """Stripped text of the first element of that local name; None when absent or empty."""
    for element in elements(root, name):
        if element.text and element.text.strip():
            return element.text.strip()
    return None


def number(root: ElementTree.Element, name: str) -> float | None:
    """Like `text`, as a float; None when it is no number."""
    found = text(root, name)
    try:
        return None if found is None else float(found)
    except ValueError:
        return None


def utc_time(written: object) -> datetime | None:
    """Read an ISO time as UTC; a time without zone is UTC. None when it is no text or no time."""
    if not isinstance(written, str):
        return None
    # Landsat writes seven digits of a second; six is what a datetime holds.
    trimmed = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", written.strip().strip('"'))
    try:
        parsed = datetime.fromisoformat(trimmed)
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def parse_mtl(content: bytes, file_name: str, where: str) -> dict[str, str]:
    """Read a Landsat MTL (xml, json or txt by its suffix) as key -> value; the first of equal keys wins.

    In level-2 products the level-2 groups precede the level-1 ones, which repeat some keys.

    Raises
    ------
    ProductCorruptError : it cannot be parsed or holds no key.
    """
    lower = file_name.lower()
    values: dict[str, str] = {}
    if lower.endswith(".xml"):
        for element in parse_xml(content, where).iter():
            if len(element) == 0 and element.text:
                values.setdefault(local_name(element), element.text.strip())
    elif lower.endswith(".json"):
        try:
            document = json.loads(content)
        except ValueError as error:
            raise ProductCorruptError(f"{where} is not readable JSON: {error}", hint=_STILL_ARRIVING) from error
        for key, value in _leaves(document):
            values.setdefault(key, value)
    else:
        for line in content.decode("ascii", errors="replace").splitlines():
            key, equals, value = line.partition("=")
            if equals and key.strip() not in {"GROUP", "END_GROUP"}:
                values.setdefault(key.strip(), value.strip().strip('"'))
    if not values:
        raise ProductCorruptError(f"{where} holds no metadata", hint=_STILL_ARRIVING)
    return values


def _leaves(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, dict):
                yield from _leaves(value)
            else:
                yield str(key), str(value)
