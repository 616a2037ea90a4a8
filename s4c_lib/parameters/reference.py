"""The reference page of the parameters, docs/parameters.md, made from the registry."""

from __future__ import annotations

from collections.abc import Iterable

from s4c_lib.parameters.model import PHASE, Area, AtMost, Parameter, Share, Value
from s4c_lib.parameters.registry import Registry
from s4c_lib.parameters.values import to_json

_HEADER = "| Key | Type | Unit | Default | In `reference` | Allowed | Set for | Meaning | Other names |"
_RULE = "|---|---|---|---|---|---|---|---|---|"

_INTRODUCTION = """\
# Parameters

<!-- Generated: s4c config reference > docs/parameters.md -->

Every parameter of the system. A value can be set for everything (global), a site, a season or one job; the narrowest
wins: job, then season, site, global, and last the default of this page. Letter case of keys does not matter, and the
names Sen4CAP used are understood: a key that Sen4CAP has too kept its spelling, and a renamed one has its old name in
the column *Other names*.

- `s4c config set KEY VALUE` sets a value; `--site` and `--season` say where.
- `s4c config get KEY` shows the value in force and what it overrides.
- A default of the column *In `reference`* applies in seasons whose `profile` is `reference`; an empty cell means that
  both profiles agree.
- *Advanced* parameters rarely need a change. Those marked *form* are fields of the trigger form in Airflow; a job may
  be given any other parameter that can be set for a job.
"""


def reference_page(registry: Registry) -> str:
    """Return the page as Markdown, ending with one newline."""
    parts = [_INTRODUCTION, *(_area(area) for area in registry.areas), _relations(registry), _retired(registry)]
    return "\n".join(part for part in parts if part)


def _area(area: Area) -> str:
    rows = "\n".join(_row(parameter) for parameter in sorted(area.parameters, key=lambda one: one.key))
    return f"## {area.title}\n\n{area.introduction}\n\n{_HEADER}\n{_RULE}\n{rows}\n"


def _row(parameter: Parameter) -> str:
    cells = (
        f"`{parameter.key}`",
        parameter.kind,
        parameter.unit,
        _default(parameter),
        ", ".join(_value(one.value) for one in parameter.variants if one.on == "profile"),
        parameter.bounds,
        ", ".join(parameter.scopes),
        parameter.description + _marks(parameter),
        ", ".join(f"`{alias}`" for alias in parameter.aliases),
    )
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _default(parameter: Parameter) -> str:
    if isinstance(parameter.default, Share):
        text = f"`{parameter.default.of}` / {parameter.default.divisor}"
    else:
        text = _value(parameter.default)
    for variant in parameter.variants:
        if variant.on == PHASE:
            text += f"; in a {variant.equals} season {_value(variant.value)}"
        elif variant.on != "profile":
            text += f"; with `{variant.on}` {variant.equals} {_value(variant.value)}"
    return text


def _value(value: Value) -> str:
    plain = to_json(value)
    if plain is None:
        return "not set"
    if isinstance(plain, list):
        return " ".join(f"`{item}`" for item in plain) or "empty"
    if isinstance(plain, bool):
        return f"`{str(plain).lower()}`"
    return f"`{plain:.6g}`" if isinstance(plain, float) else f"`{plain}`"


def _marks(parameter: Parameter) -> str:
    marks = ["advanced"] if parameter.advanced else []
    marks += [f"form of {name}" for name in parameter.form]
    return f" *({'; '.join(marks)})*" if marks else ""


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _relations(registry: Registry) -> str:
    lines = []
    for relation in registry.relations:
        if isinstance(relation, AtMost):
            rule = "is below" if relation.strict else "is at most"
            lines.append(f"- `{relation.smaller}` {rule} `{relation.larger}`.")
        else:
            lines.append(f"- `{relation.first}` and `{relation.second}` are not both true.")
    return _section("Values that depend on each other", "A run whose values break a rule is refused.", lines)


def _retired(registry: Registry) -> str:
    lines = ["| Key of Sen4CAP | Why it has no effect |", "|---|---|"]
    lines += [f"| `{one.pattern}` | {_escaped(one.reason)} |" for one in registry.retired]
    return _section(
        "Keys of Sen4CAP without effect",
        "These are recognised when a configuration of Sen4CAP is imported, and reported. `*` stands for any text.",
        lines if registry.retired else [],
    )


def _section(title: str, introduction: str, lines: Iterable[str]) -> str:
    body = "\n".join(lines)
    return f"## {title}\n\n{introduction}\n\n{body}\n" if body else ""
