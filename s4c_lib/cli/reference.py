"""The reference page of the command line, docs/cli.md, made from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from s4c_lib.cli.options import examples
from s4c_lib.settings import Settings

_INTRODUCTION = """\
# Command line

<!-- Generated: s4c reference > docs/cli.md -->

Every command of `s4c`, as `--help` explains it. What they do day by day is told in [operations.md](operations.md) and,
task by task, in [howto.md](howto.md).

- **Exit codes**: 0 done, 1 failed, 2 wrong usage or input, 3 nothing to do.
- **Output**: results go to stdout, progress and messages to stderr. An error is one line that says what to do.
- **JSON**: what reads takes `--json`.
- **Where things are** (database, manifest, Airflow) is told by [environment variables](#environment-variables):
  `make env` prints them for a local system, the compose file sets them on a server ([deployment.md](deployment.md)).
- `--verbose` and `--debug` are understood before and behind a command.
"""
# Shells' own business, the same in every program of this kind.
_COMPLETION = ("install_completion", "show_completion")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=examples("s4c reference > docs/cli.md"))(reference)


def reference(context: typer.Context) -> None:
    """Print the reference page of all commands, as Markdown."""
    # the root of a program with nouns is a group
    typer.echo(reference_page(cast(TyperGroup, context.find_root().command)), nl=False)


def reference_page(root: TyperGroup) -> str:
    """Return the page of all commands below ``root`` as Markdown, ending with one newline."""
    top = typer.Context(root, info_name="s4c")
    nouns = {name: command for name, command in sorted(root.commands.items()) if not command.hidden}
    parts = [_INTRODUCTION, _contents(nouns)]
    parts.append("## s4c\n\nOptions before every command.\n\n" + _parameters(root, top))
    for name, command in nouns.items():
        below = typer.Context(command, info_name=name, parent=top)
        if isinstance(command, TyperCommand):
            parts.append(f"## s4c {name}\n\n{_command(command, below, f's4c {name}')}")
        elif isinstance(command, TyperGroup):
            parts.append(f"## s4c {name}\n\n{_text(command.help)}\n")
            for path, leaf, context in _leaves(command, below, f"s4c {name}"):
                parts.append(f"### {path}\n\n{_command(leaf, context, path)}")
    parts.append(_environment())
    return "\n".join(parts)


def _environment() -> str:
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in sorted(Settings.model_fields.items()):
        default = "" if field.default is None else f"`{field.default}`"
        rows.append(f"| `S4C_{name.upper()}` | {default} | {_cell(field.description or '')} |")
    rows.append(
        "| `AIRFLOW_CONN_NAME` |  | [Account](sources.md#1-the-account) `NAME` of a data source, as JSON or URI |"
    )
    return "## Environment variables\n\nWhat `s4c` and the tasks read.\n\n" + "\n".join(rows) + "\n"


def _leaves(group: TyperGroup, context: typer.Context, path: str) -> Iterator[tuple[str, TyperCommand, typer.Context]]:
    for name, command in group.commands.items():
        below = typer.Context(command, info_name=name, parent=context)
        if isinstance(command, TyperGroup):
            yield from _leaves(command, below, f"{path} {name}")
        elif isinstance(command, TyperCommand) and not command.hidden:
            yield f"{path} {name}", command, below


def _contents(nouns: Mapping[str, object]) -> str:
    rows = ["| `s4c` | |", "|---|---|"]
    for name, command in nouns.items():
        listed = (
            " ".join(f"[`{sub}`](#s4c-{name}-{sub})" for sub, one in command.commands.items() if not one.hidden)
            if isinstance(command, TyperGroup)
            else _cell(_text(getattr(command, "help", "")).split("\n", 1)[0])
        )
        rows.append(f"| [`{name}`](#s4c-{name}) | {listed} |")
    return "\n".join(rows) + "\n"


def _command(command: TyperCommand, context: typer.Context, path: str) -> str:
    usage = " ".join([path, *_usage(command)])
    parts = [f"{_text(command.help)}\n", f"```text\n{usage}\n```\n"]
    table = _parameters(command, context)
    shown = [line for line in (command.epilog or "").split("\n\n")[1:] if line]
    if table:
        parts.append(table)
    if shown:
        parts.append("```sh\n" + "\n".join(shown) + "\n```\n")
    return "\n".join(parts)


def _usage(command: TyperCommand) -> list[str]:
    """Return arguments as one types them: SITE, [SEASON], ID..."""
    pieces = ["[OPTIONS]"] if any(one.param_type_name == "option" for one in command.params) else []
    for argument in command.params:
        if isinstance(argument, TyperArgument):
            shown = _shown_name(argument)
            pieces.append(shown if argument.required else f"[{shown}]")
    return pieces


def _shown_name(argument: TyperArgument) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.nargs == 1 or name.endswith("...") else f"{name}..."


def _parameters(command: TyperCommand | TyperGroup, context: typer.Context) -> str:
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is None or parameter.name in _COMPLETION:
            continue
        name = _shown_name(parameter) if isinstance(parameter, TyperArgument) else record[0]
        rows.append(f"| `{_cell(name)}` | {_cell(record[1])} |")
    return "\n".join(["| argument or option | meaning |", "|---|---|", *rows]) + "\n" if rows else ""


def _text(text: str | None) -> str:
    """Return a help text as paragraphs, its literal words between single backquotes."""
    paragraphs = (" ".join(part.split()) for part in (text or "").split("\n\n"))
    return "\n\n".join(part.replace("``", "`") for part in paragraphs if part)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")
