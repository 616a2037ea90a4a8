"""Reading the XML of Sentinel-1 products so that what is missing is named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree

import numpy as np

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.metadata_files import parse_xml

_AGAIN: Final = "fetch the product again"


class XmlPart:
    """An element whose parts must be there; these files have no namespaces.

    Every method raises ProductCorruptError, which names the file and the element, where a part is missing or no number.
    """

    def __init__(self, element: ElementTree.Element, where: str) -> None:
        self.element, self.where = element, where

    def fault(self, text: str) -> ProductCorruptError:
        """Make the error of this file."""
        return ProductCorruptError(f"{self.where}: {text}", hint=_AGAIN)

    def part(self, path: str) -> XmlPart:
        """The element at a path."""
        found = self.element.find(path)
        if found is None:
            raise self.fault(f"<{path}> is missing")
        return XmlPart(found, self.where)

    def all(self, path: str) -> list[XmlPart]:
        """Elements at a path, none too."""
        return [XmlPart(found, self.where) for found in self.element.findall(path)]

    def some(self, path: str) -> list[XmlPart]:
        """Elements at a path, at least one."""
        found = self.all(path)
        if not found:
            raise self.fault(f"<{path}> is missing")
        return found

    def text(self, path: str) -> str:
        """Stripped text, not empty."""
        text = (self.part(path).element.text or "").strip()
        if not text:
            raise self.fault(f"<{path}> is empty")
        return text

    def numbers(self, path: str) -> list[float]:
        """Finite numbers, separated by spaces."""
        try:
            values = [float(word) for word in self.text(path).split()]
        except ValueError as error:
            raise self.fault(f"<{path}> holds no numbers") from error
        if not np.isfinite(values).all():
            raise self.fault(f"<{path}> holds numbers that are not finite")
        return values

    def number(self, path: str) -> float:
        """One finite number."""
        values = self.numbers(path)
        if len(values) != 1:
            raise self.fault(f"<{path}> holds {len(values)} numbers instead of one")
        return values[0]

    def time(self, path: str) -> datetime:
        """A UTC time."""
        try:
            return utc_of(self.text(path))
        except ValueError as error:
            raise self.fault(f"<{path}> is no time") from error


def xml_part(content: bytes, where: str) -> XmlPart:
    """Parse a document; ``where`` names it in messages. ProductCorruptError when it is no XML."""
    return XmlPart(parse_xml(content, where), where)


def utc_of(text: str) -> datetime:
    """Read ``2021-12-23T05:11:22.594441``, with any number of decimals; ValueError when it is no time."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
