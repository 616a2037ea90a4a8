"""Looking through the text of a DBF: what of it is not plain ASCII, read in blocks so that any size will do."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

_BLOCK: Final = 16 << 20
_SAMPLES: Final = 20
_PER_COLUMN: Final = 5
_DELETED: Final = ord("*")


@dataclass(frozen=True, slots=True)
class DbfText:
    """What the text of a DBF is like.

    Parameters
    ----------
    language : language driver byte of the header.
    high_bytes : the byte values from 128 on that occur in text or column names.
    valid_utf8 : all of it is valid UTF-8; a character cut off at the end of a full field is forgiven.
    samples : column name and value of at most 20 distinct values that are not ASCII.
    """

    language: int
    high_bytes: frozenset[int]
    valid_utf8: bool
    samples: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class _Field:
    name: bytes
    start: int
    width: int


@dataclass(slots=True)
class _Seen:
    high: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(256, dtype=np.bool_))
    valid_utf8: bool = True
    samples: dict[tuple[bytes, bytes], None] = field(default_factory=dict)


def scan_dbf(path: Path) -> DbfText:
    """Read a DBF once; its length must have been checked (`check_shapefile`).

    Records marked as deleted count as text too: they were written in the same code page.
    """
    seen = _Seen()
    with path.open("rb") as file:
        header = file.read(32)
        records, header_size, record_size = struct.unpack("<IHH", header[4:12])
        fields = _text_fields(file.read(header_size - 32))
        for item in fields:
            _note_name(item.name, seen)
        at_once = max(1, _BLOCK // max(1, record_size))
        file.seek(header_size)
        for start in range(0, records, at_once):
            raw = file.read(min(at_once, records - start) * record_size)
            _look_at(np.frombuffer(raw, np.uint8).reshape(-1, record_size), fields, seen)
    high = frozenset(int(byte) for byte in np.flatnonzero(seen.high))
    return DbfText(header[29], high, seen.valid_utf8, tuple(seen.samples))


def field_names(path: Path) -> list[str]:
    """Column names of a DBF, bytes beyond ASCII taken for ISO-8859-1."""
    with path.open("rb") as file:
        header = file.read(32)
        fields = _text_fields(file.read(struct.unpack("<H", header[8:10])[0] - 32))
    return [item.name.decode("latin-1") for item in fields]


def deleted_records(path: Path) -> list[int]:
    """Numbers, from 1, of the records marked as deleted, which GDAL does not show."""
    with path.open("rb") as file:
        records, header_size, record_size = struct.unpack("<IHH", file.read(32)[4:12])
    if not records or not record_size:
        return []
    marks = np.memmap(path, np.uint8, "r", offset=header_size, shape=(records, record_size))[:, 0]
    return [int(row) + 1 for row in np.flatnonzero(marks == _DELETED)]


def decodable_part(value: bytes) -> bytes:
    """UTF-8 text without the character that was cut off at its end, if one was."""
    for length in range(1, min(4, len(value) + 1)):
        lead = value[-length]
        if lead >= 0xC0:
            wanted = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            return value[:-length] if length < wanted else value
        if lead < 0x80:
            break
    return value


def is_utf8(value: bytes) -> bool:
    """Whether bytes are valid UTF-8."""
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _text_fields(descriptors: bytes) -> list[_Field]:
    fields, start = [], 1  # after the deletion mark
    for offset in range(0, len(descriptors) - 31, 32):
        descriptor = descriptors[offset : offset + 32]
        if descriptor[0] == 0x0D:
            break
        kind, width = descriptor[11:12], descriptor[16]
        # names of columns are looked at in any case; values that are no text are ASCII
        name = descriptor[:11].split(b"\0")[0]
        fields.append(_Field(name, start, width if kind == b"C" else 0))
        start += width
    return fields


def _note_name(name: bytes, seen: _Seen) -> None:
    if not name.isascii():
        seen.high[np.frombuffer(name, np.uint8)] = True
        seen.high[:128] = False
        seen.valid_utf8 = seen.valid_utf8 and is_utf8(decodable_part(name) if len(name) >= 10 else name)
        seen.samples.setdefault((name, name))


def _look_at(block: npt.NDArray[np.uint8], fields: list[_Field], seen: _Seen) -> None:
    for item in fields:
        if not item.width:
            continue
        text = block[:, item.start : item.start + item.width]
        rows = np.flatnonzero(text.max(axis=1) > 127)
        if not len(rows):
            continue
        found = np.ascontiguousarray(text[rows])
        present = np.bincount(found.ravel(), minlength=256) > 0
        present[:128] = False
        seen.high |= present
        _take_samples(item, found, seen)
        if seen.valid_utf8:
            seen.valid_utf8 = _all_utf8(found)


def _all_utf8(found: npt.NDArray[np.uint8]) -> bool:
    # one decoding for all values of the field: a line feed between them keeps a cut one from joining the next
    lines = np.column_stack([found, np.full(len(found), 10, np.uint8)])
    return is_utf8(lines.tobytes()) or all(is_utf8(decodable_part(row.tobytes())) for row in found)


def _take_samples(item: _Field, found: npt.NDArray[np.uint8], seen: _Seen) -> None:
    for row in found[:1000]:
        if len(seen.samples) >= _SAMPLES or sum(name == item.name for name, _ in seen.samples) >= _PER_COLUMN:
            return
        seen.samples.setdefault((item.name, row.tobytes().strip(b" \0")))
