"""What the command line prints: results on stdout (tables or JSON), everything else on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, TextIO, TypeAlias

from s4c_lib.progress import Progress, thinned

Record = Mapping[str, Any]

# Output that goes into a file or a pipe is never wrapped: one row, one line.
_ENDLESS = 10_000

Step: TypeAlias = Progress
"""Progress of a piece of work: done, in all (0 when unknown), what was just done."""


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    return str(value)


def shown(value: Any) -> str:
    """Return a value as a table cell shows it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            # a small number keeps what tells it from its neighbours: an accuracy of 0.977 is not 1.0
            return f"{value:,.1f}" if abs(value) >= 100 or value == round(value, 1) else f"{value:.4g}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}Z"
        case Mapping():
            return ", ".join(f"{key} {shown(item)}" for key, item in value.items())
        case list() | tuple():
            return ", ".join(shown(item) for item in value)
        case Enum():
            return str(value.value)
    return str(value)


def size(number: float) -> str:
    """Return a number of bytes in words."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def _console(stream: TextIO) -> Any:
    from rich.console import Console

    width = None if stream.isatty() else _ENDLESS
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


def print_json(value: Any) -> None:
    """Print a result as JSON."""
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")


def say(text: str = "") -> None:
    """Print a line of the result."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Print a line about the work on stderr."""
    sys.stderr.write(text + "\n")


def warn(text: str) -> None:
    """Print a warning on stderr, one line."""
    note(f"s4c: warning: {' '.join(text.split())}")


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    """Print rows under headings; numbers are aligned to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    # every kind of cell its column holds decides how it is aligned, so that a gap does not move it
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, title=title, title_justify="left")
    for number, heading in enumerate(headings):
        cells = [row[number] for row in rows if row[number] is not None]
        numeric = bool(cells) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells)
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(shown(cell) for cell in row))
    _console(sys.stdout).print(table)


def print_records(
    records: Sequence[Record], columns: Mapping[str, str], *, as_json: bool, none: str, title: str | None = None
) -> None:
    """Print records: all of each as JSON, or some of their fields as a table.

    Parameters
    ----------
    columns : field to heading, in the order of the table.
    none : what is said on stderr when there is no record.
    """
    if as_json:
        print_json(records)
    elif not records:
        note(none)
    else:
        print_table(list(columns.values()), [[record[key] for key in columns] for record in records], title=title)


def print_record(record: Record, *, as_json: bool) -> None:
    """Print one record: as JSON, or a line a field."""
    if as_json:
        print_json(record)
        return
    width = max(len(key) for key in record)
    for key, value in record.items():
        text = shown(value)
        if text:
            say(f"{key.replace('_', ' ').ljust(width)}  {text}")


@contextmanager
def progress(title: str) -> Iterator[Step]:
    """Show progress on stderr: a bar on a terminal, lines elsewhere (of many steps not each)."""
    if not sys.stderr.isatty():
        yield _lines(title)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[label]}", markup=False),
    )
    with Bars(*columns, console=_console(sys.stderr), transient=True) as bars:
        task = bars.add_task(title, total=None, label="")

        def bar(done: int, total: int, label: str, /) -> None:
            bars.update(task, completed=done, total=total or None, label=label)

        yield bar


def _lines(title: str) -> Step:
    """Return progress in lines."""

    def line(done: int, total: int, label: str) -> None:
        count = f"{done} of {total}" if total else str(done) if done else ""
        note(f"{title}: {', '.join(text for text in (count, label) if text)}")

    return thinned(line, clock=time.monotonic)
