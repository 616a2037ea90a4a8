"""QGIS styles as QML: filled outlines, a colour for each value of an expression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

#: Oldest QGIS that reads everything in it; a newer one takes it over as it is.
VERSION: Final = "3.16.0-Hannover"
_OUTLINE: Final = "70,70,70,160"
_OTHER: Final = "#DDDDDD"
# XML 1.0 has no way to write these
_UNFIT: Final = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Category:
    """A value with its name in the legend and its colour, ``#RRGGBB``."""

    value: str | int
    label: str
    color: str


@dataclass(frozen=True, slots=True)
class Style:
    """How a layer of outlines is shown.

    Attributes
    ----------
    name : at most 30 characters.
    expression : of QGIS, often a quoted column; its value chooses the category.
    categories : in the order of the legend.
    others : what values without a category are called, null among them.
    """

    name: str
    description: str
    expression: str
    categories: tuple[Category, ...]
    others: str = "no result"


def qml(style: Style) -> str:
    """Return the document QGIS reads as the style of a vector layer."""
    root = Element("qgis", {"version": VERSION, "styleCategories": "Symbology"})
    renderer = SubElement(
        root,
        "renderer-v2",
        {
            "type": "categorizedSymbol",
            "attr": style.expression,
            "enableorderby": "0",
            "forceraster": "0",
            "symbollevels": "0",
        },
    )
    legend = SubElement(renderer, "categories")
    symbols = SubElement(renderer, "symbols")
    # the empty value stands for all others
    for number, category in enumerate((*style.categories, Category("", style.others, _OTHER))):
        kind = "long" if isinstance(category.value, int) else "string"
        attributes = {"value": str(category.value), "label": category.label, "symbol": str(number), "render": "true"}
        SubElement(legend, "category", {**attributes, "type": kind})
        _fill(symbols, str(number), category.color)
    SubElement(root, "layerGeometryType").text = "2"
    for part in root.iter():
        for name, value in part.items():
            part.set(name, _UNFIT.sub("\N{REPLACEMENT CHARACTER}", value))
    indent(root)
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{tostring(root, encoding='unicode')}\n"


def _fill(symbols: Element, name: str, color: str) -> None:
    symbol = SubElement(
        symbols, "symbol", {"type": "fill", "name": name, "alpha": "1", "clip_to_extent": "1", "force_rhr": "0"}
    )
    layer = SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0", "pass": "0"})
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    properties = {
        "color": f"{red},{green},{blue},255",
        "joinstyle": "bevel",
        "outline_color": _OUTLINE,
        "outline_style": "solid",
        "outline_width": "0.1",
        "outline_width_unit": "MM",
        "style": "solid",
    }
    _properties(layer, properties)


def _properties(layer: Element, properties: Mapping[str, str]) -> None:
    """Write them twice: until 3.26 QGIS reads ``prop``, since 3.22 ``Option``."""
    options = SubElement(layer, "Option", {"type": "Map"})
    for name, value in properties.items():
        SubElement(options, "Option", {"type": "QString", "name": name, "value": value})
    for name, value in properties.items():
        SubElement(layer, "prop", {"k": name, "v": value})


def quoted(column: str) -> str:
    """Return a column as an expression of QGIS names it."""
    return '"' + column.replace('"', '""') + '"'


def categories(rows: Iterable[tuple[str | int, str, str]]) -> tuple[Category, ...]:
    """Return categories from values, labels and colours."""
    return tuple(Category(*row) for row in rows)


def leading(styles: Sequence[Style], name: str) -> list[Style]:
    """Return styles with the one of a name first, if there is such."""
    return sorted(styles, key=lambda style: style.name != name)
