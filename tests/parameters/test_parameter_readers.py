"""Every registered parameter has a reader: a key that nobody reads looks like a setting and changes nothing."""

import re
from pathlib import Path

import s4c_lib
from s4c_lib.parameters import REGISTRY
from s4c_lib.parameters.model import Area, Kind, Parameter
from s4c_lib.parameters.registry import Registry

SOURCES = Path(s4c_lib.__file__).parents[1]
PARAMETERS = Path(s4c_lib.__file__).parent / "parameters"

_TEMPLATE = re.compile(r'f"([\w.{}-]*\{[a-zA-Z_]+\}[\w.{}-]*)"')
_FEWEST_LETTERS = 5


def unread(registry: Registry, sources: str) -> set[str]:
    """Return the keys that are neither written in the sources, nor put together from parts that are.

    Parts are a literal that ends where a part of the key does, with the rest of it as a word (``PREFIX + name``), or
    an f-string whose holes are filled by words. It goes by letters only: a forgotten key of common words passes.
    """
    names = set(re.findall(r"[\w-]+(?:\.[\w-]+)*", sources))
    words = {part for name in names for part in name.split(".")}
    heads = set(re.findall(r'"([\w-]+(?:\.[\w-]+)+)\.?"', sources)) | set(re.findall(r'"([\w-]+)\."', sources))
    templates = [
        re.compile(re.sub(r"\\\{\w+\\\}", r"([\\w.-]+)", re.escape(one)))
        for one in sorted(set(_TEMPLATE.findall(sources)))
        if len(re.sub(r"\{\w+\}|[^a-z]", "", one)) >= _FEWEST_LETTERS
    ]
    known = names | words | heads

    def put_together(key: str) -> bool:
        parts = key.split(".")
        for count in range(1, len(parts)):
            rest = ".".join(parts[count:])
            if ".".join(parts[:count]) in heads and not {rest, rest.replace("-", "_")}.isdisjoint(known):
                return True
        found = (one.fullmatch(key) for one in templates)
        return any(match is not None and known.issuperset(match.groups()) for match in found)

    return {one.key for one in registry if one.key not in names and not put_together(one.key)}


def test_every_parameter_is_read_somewhere() -> None:
    files = [
        path
        for folder in ("s4c_lib", "plugins")
        for path in sorted((SOURCES / folder).rglob("*.py"))
        if not path.is_relative_to(PARAMETERS)
    ]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert sorted(unread(REGISTRY, sources)) == []


def test_a_parameter_without_reader_is_found() -> None:
    keys = ("area.read", "area.joined", "area.s1.filled", "area.forgotten", "area.s1.forgotten")
    registry = Registry([Area("A", "", tuple(Parameter(key, Kind.INT, 1, "A test.") for key in keys))])
    sources = 'values["area.read"]\nPREFIX = "area."\nvalues[PREFIX + "joined"]\nvalues[f"area.{name}.filled"] for "s1"'
    assert unread(registry, sources) == {"area.forgotten", "area.s1.forgotten"}
