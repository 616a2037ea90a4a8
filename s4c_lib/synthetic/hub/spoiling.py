"""Bodies of answers in pieces, spoiled as a fault says."""

from __future__ import annotations

from collections.abc import Iterator

from s4c_lib.synthetic.hub.exchange import Answer, FilePart
from s4c_lib.synthetic.hub.faults import Fault, FaultKind

_CHUNK = 256 * 1024
_WITH_FILE = (FaultKind.UNAUTHORIZED_MIDWAY, FaultKind.FLIPPED_BYTES)
_ENDS_EARLY = (FaultKind.TRUNCATED, FaultKind.RESET, FaultKind.UNAUTHORIZED_MIDWAY)


def can_spoil(fault: Fault, answer: Answer, method: str) -> bool:
    """Whether the answer has a body that the fault can spoil."""
    if method == "HEAD" or answer.status not in {200, 201, 206} or answer.length == 0:
        return False
    return fault.kind not in _WITH_FILE or isinstance(answer.body, FilePart)


def body_pieces(body: bytes | FilePart, fault: Fault | None) -> Iterator[bytes]:
    """The body as it is sent: cut short where the fault ends it early, one byte changed where it flips bytes."""
    length = len(body) if isinstance(body, bytes) else body.length
    wanted = length
    chunk = _CHUNK
    flipped = None
    if fault is not None:
        if fault.kind in _ENDS_EARLY:
            # Never the whole body: that would be no fault.
            wanted = min(length - 1, int(length * fault.share))
        if fault.kind is FaultKind.SLOW:
            chunk = fault.chunk
        if fault.kind is FaultKind.FLIPPED_BYTES:
            flipped = _place_to_flip(body)
    position = 0
    for piece in _pieces(body, chunk):
        if position >= wanted:
            return
        piece = piece[: wanted - position]
        if flipped is not None and position <= flipped < position + len(piece):
            at = flipped - position
            piece = piece[:at] + bytes([piece[at] ^ 0xFF]) + piece[at + 1 :]
        yield piece
        position += len(piece)


def _place_to_flip(body: bytes | FilePart) -> int:
    """In the middle of the file, or at the start of a range that does not reach it."""
    if isinstance(body, bytes):
        return len(body) // 2
    middle = body.size // 2 - body.start
    return middle if 0 <= middle < body.length else 0


def _pieces(body: bytes | FilePart, chunk: int) -> Iterator[bytes]:
    if isinstance(body, bytes):
        for start in range(0, len(body), chunk):
            yield body[start : start + chunk]
        return
    with body.path.open("rb") as file:
        file.seek(body.start)
        left = body.length
        while left > 0 and (piece := file.read(min(chunk, left))):
            left -= len(piece)
            yield piece
