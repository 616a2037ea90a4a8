"""What MAJA says of a run: report (``*REPT*.EEF``), flag (``*_JPI_ALL.xml``) and log (``preprocessing.md`` 2.6).

Built against the element names and message texts that Sen4CAP and MAJA's manual document; letter case is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from s4c_lib.errors import ProductCorruptError
from s4c_lib.reasons import Reason
from s4c_lib.sources.metadata_files import local_name, parse_xml

_INVALID = "L2NOTV"
_LOG_MESSAGE = re.compile(r".*?\[(W|E|WARNING|ERROR|CRITICAL)\]\s*:?\s*(.+)", re.IGNORECASE)
_CLOUD_RATE = re.compile(r"Cloud Rate on the Product\s*:\s*([0-9]*\.?[0-9]+)", re.IGNORECASE)
_PERCENTAGE = re.compile(r"(cloud|snow) percentage computed is\D{0,3}([0-9]+(?:\.[0-9]+)?)", re.IGNORECASE)
# Texts that mean: this image will never do. In the order of the specification.
_STOPPERS = (
    ("number of cloudy pixel is too high", Reason.TOO_CLOUDY),
    ("algorithm processing is stopped", Reason.TOO_CLOUDY),
    ("lower than the dark surface reflectance threshold", Reason.NO_VALID_PIXEL),
    ("number of nodata pixel in the output l2 composite product is too high", Reason.NO_VALID_PIXEL),
    ("no pixel is valid", Reason.NO_VALID_PIXEL),
)


@dataclass(frozen=True, slots=True)
class Message:
    """A line of a report or log: its kind (I, P, W, E) and text."""

    kind: str
    text: str


def report_messages(folder: Path) -> list[Message]:
    """Messages of the reports under a folder; a report that cannot be read is itself a warning among them."""
    messages = []
    for path in sorted(folder.rglob("*REPT*.EEF")):
        root = _document(path)
        if isinstance(root, Message):
            messages.append(root)
            continue
        for element in root.iter():
            if local_name(element).lower() == "message":
                fields = {local_name(child).lower(): (child.text or "").strip() for child in element}
                if fields.get("text"):
                    messages.append(Message(fields.get("type", "I").upper()[:1], fields["text"]))
    return messages


def log_messages(lines: Iterable[str]) -> list[Message]:
    """Warnings and errors of the program's output."""
    found = (_LOG_MESSAGE.fullmatch(line) for line in lines)
    return [Message("W" if m[1][0] in "Ww" else "E", m[2].strip()) for m in found if m]


def says_not_valid(folder: Path) -> Path | None:
    """The ``*_JPI_ALL.xml`` under a folder whose ``Validity_Flag`` is ``L2NOTV``; None when none says so."""
    for path in sorted(folder.rglob("*_JPI_ALL.xml")):
        root = _document(path)
        if isinstance(root, Message):
            continue
        for element in root.iter():
            if local_name(element).lower() == "processing_flags_and_modes":
                fields = {local_name(child).lower(): (child.text or "").strip() for child in element}
                if fields.get("key") == "Validity_Flag" and fields.get("value") == _INVALID:
                    return path
    return None


def stopper(texts: Iterable[str]) -> tuple[Reason, str] | None:
    """The first text that says the image is unfit, with what it means; None when none does."""
    lowered = [(text, text.lower()) for text in texts]
    for sign, reason in _STOPPERS:
        for text, lower in lowered:
            if sign in lower:
                return reason, text
    return None


def cloud_and_snow(
    version: tuple[int, ...], messages: Iterable[Message], lines: Iterable[str]
) -> tuple[float | None, float | None]:
    """Cloud and snow, %: up to 3.2 from the report, from 4.2 on from the log, in between from whichever has it."""
    reported: dict[str, float] = {}
    for message in messages:
        for kind, value in _PERCENTAGE.findall(message.text):
            reported.setdefault(kind.lower(), float(value))
    rates = [float(found[1]) for line in lines if (found := _CLOUD_RATE.search(line))]
    logged = rates[-1] if rates else None
    if version[:2] <= (3, 2):
        return reported.get("cloud"), reported.get("snow")
    if version[:2] >= (4, 2):
        return logged, None
    return reported.get("cloud", logged), reported.get("snow")


def joined(messages: Iterable[Message]) -> str:
    """Warnings and errors in one line, each once, in order."""
    return "; ".join(dict.fromkeys(message.text for message in messages if message.kind in "WE"))


def _document(path: Path) -> ElementTree.Element | Message:
    try:
        return parse_xml(path.read_bytes(), str(path))
    except ProductCorruptError as error:
        return Message("W", error.message)
