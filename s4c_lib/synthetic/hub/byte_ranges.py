"""Which bytes of a file a request asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

from s4c_lib.synthetic.hub.exchange import Answer, FilePart

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Sendable:
    """A file as it is sent: name for the client, entity tag, time of the last change in Unix seconds."""

    path: Path
    file_name: str
    size: int
    etag: str
    modified: float
    media_type: str = "application/octet-stream"


def file_answer(file: Sendable, headers: Mapping[str, str]) -> Answer:
    """Answer with the whole file, or with the range asked for: 200, 206 or 416.

    Several ranges at once, and ranges of a file that has changed since (``If-Range``), bring the whole file.
    """
    common = {
        "Content-Type": file.media_type,
        "Accept-Ranges": "bytes",
        "ETag": file.etag,
        "Last-Modified": formatdate(file.modified, usegmt=True),
        "Content-Disposition": f'attachment; filename="{file.file_name}"',
    }
    asked = _RANGE.fullmatch(headers.get("range", "").strip())
    if asked is None or asked.groups() == ("", "") or not _unchanged(file, headers.get("if-range")):
        return Answer(200, FilePart(file.path, 0, file.size, file.size), common)
    first, last = asked.groups()
    if first:
        start = int(first)
        end = min(int(last), file.size - 1) if last else file.size - 1
    else:
        start = max(0, file.size - int(last))
        end = file.size - 1
    if last and first and int(last) < start:
        # Not a range at all: the standard says to ignore it.
        return Answer(200, FilePart(file.path, 0, file.size, file.size), common)
    if start > end:
        return Answer(416, b"", {"Content-Range": f"bytes */{file.size}"})
    part = FilePart(file.path, start, end - start + 1, file.size)
    return Answer(206, part, {**common, "Content-Range": f"bytes {start}-{end}/{file.size}"})


def _unchanged(file: Sendable, condition: str | None) -> bool:
    if condition is None:
        return True
    if condition.startswith(('"', "W/")):
        return condition == file.etag
    try:
        return parsedate_to_datetime(condition).timestamp() == int(file.modified)
    except ValueError:
        return False
