"""Graphs of SNAP's ``gpt``, and the runs that carry them out.

A `Chain` says which operators work on what; `steps_of` cuts it into runs: one for each operator, as Sen4CAP does it, or
one for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

READ: Final = "Read"
WRITE: Final = "Write"

Value = str | int | float | bool | Path
Parameters = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One operator of a graph.

    Parameters
    ----------
    sources : ids of the nodes whose products it takes, in order.
    """

    id: str
    operator: str
    sources: tuple[str, ...]
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """Operators in an order in which they can run, and the rasters they are made for.

    Parameters
    ----------
    outputs : id of a node -> GeoTIFF its product is written to.
    """

    nodes: tuple[Node, ...]
    outputs: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Step:
    """One run of ``gpt``.

    Parameters
    ----------
    name : of its graph file.
    nodes : with the readers and writers.
    writes : what exists afterwards.
    frees : intermediate products (``.dim``) nobody reads after this step.
    """

    name: str
    nodes: tuple[Node, ...]
    writes: tuple[Path, ...]
    frees: tuple[Path, ...] = ()

    @property
    def xml(self) -> bytes:
        """The graph file."""
        return graph_xml(self.nodes)


def steps_of(chain: Chain, folder: Path, name: str, *, joined: bool) -> tuple[Step, ...]:
    """Runs of ``gpt`` that carry a chain out, in their order.

    Parameters
    ----------
    folder : of the intermediate products.
    name : prefix of all names of this chain.
    joined : one run for all operators instead of one for each.
    """
    if joined:
        writers = tuple(_writer(key, path, "GeoTIFF-BigTIFF") for key, path in chain.outputs.items())
        return (Step(name, (*chain.nodes, *writers), tuple(chain.outputs.values())),)
    readers = {node.id: node for node in chain.nodes if node.operator == READ}
    working = [node for node in chain.nodes if node.operator != READ]
    last_use = {source: node.id for node in working for source in node.sources}
    places = {node.id: folder / f"{name}-{node.id}.dim" for node in working}
    steps = []
    for node in working:
        sources = tuple(
            readers[key] if key in readers else node_of(f"Read-{key}", READ, (), {"file": places[key]})
            for key in node.sources
        )
        output = chain.outputs.get(node.id, places[node.id])
        kind = "GeoTIFF-BigTIFF" if node.id in chain.outputs else "BEAM-DIMAP"
        operator = Node(node.id, node.operator, tuple(source.id for source in sources), node.parameters)
        freed = tuple(places[key] for key in node.sources if key in places and last_use[key] == node.id)
        steps.append(Step(f"{name}-{node.id}", (*sources, operator, _writer(node.id, output, kind)), (output,), freed))
    return tuple(steps)


def graph_xml(nodes: Iterable[Node]) -> bytes:
    """A graph as ``gpt`` reads it."""
    root = ElementTree.Element("graph", id="s4c")
    ElementTree.SubElement(root, "version").text = "1.0"
    for node in nodes:
        element = ElementTree.SubElement(root, "node", id=node.id)
        ElementTree.SubElement(element, "operator").text = node.operator
        sources = ElementTree.SubElement(element, "sources")
        for number, source in enumerate(node.sources):
            ElementTree.SubElement(sources, "sourceProduct" + (f".{number}" if number else ""), refid=source)
        parameters = ElementTree.SubElement(element, "parameters")
        for key, value in node.parameters:
            ElementTree.SubElement(parameters, key).text = value
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return content + b"\n"


def node_of(key: str, operator: str, sources: tuple[str, ...], values: Mapping[str, Value]) -> Node:
    """A node whose parameters are written as SNAP reads them."""
    return Node(key, operator, sources, tuple((name, _written(value)) for name, value in values.items()))


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _writer(key: str, path: Path, kind: str) -> Node:
    return node_of(f"Write-{key}", WRITE, (key,), {"file": path, "formatName": kind})
