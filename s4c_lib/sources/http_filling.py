"""The bytes of one product into its part: ranges, changed products, expired tokens, connections that break off."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from s4c_lib.errors import DiskFullError, ProductCorruptError, ProductOfflineError, SourceError, is_disk_full
from s4c_lib.sources.bandwidth import Bandwidth
from s4c_lib.sources.catalogue import Download
from s4c_lib.sources.http_body_check import HEAD_BYTES, check_head
from s4c_lib.sources.http_exchange import Answer, Exchange, host_of
from s4c_lib.sources.http_part import HttpPart, Origin
from s4c_lib.sources.model import Progress
from s4c_lib.sources.product_tree import is_zip
from s4c_lib.sources.stated_checksum import Digests
from s4c_lib.sources.transfer_limits import Pace, TransferLimits

Locate = Callable[[bool], Download]
"""Gives the address of a product; called with True when the token it gave before was refused."""

_LEAST_PIECE = 64 * 1024
_MOST_PIECE = 512 * 1024
_REPORTED_EACH = 1024 * 1024
_MOST_RESTARTS = 2
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_KEPT = "what has come is kept and continued at the next try"


def located(locate: Locate, *, renew: bool = False) -> Download:
    """Where the bytes are; a size of 0, as some catalogues state when they do not know it, is no size."""
    download = locate(renew)
    return download if download.size_bytes else replace(download, size_bytes=None)


def exact_size(download: Download) -> int | None:
    """Bytes the file must have; None where the catalogue's word is not enough to refuse it.

    Hubs that pack a product while they send it state a size that is only about right. A zip shows by itself whether it
    is whole, so its stated size counts only beside a checksum: the two are then of one and the same file.
    """
    if is_zip(Path(download.file_name)) and not Digests(download.checksum).compares:
        return None
    return download.size_bytes


class Filling:
    """Fills one part.

    Parameters
    ----------
    download : as ``locate`` gave it.
    what : source and activity, the beginning of every message.
    """

    def __init__(
        self,
        part: HttpPart,
        locate: Locate,
        download: Download,
        limits: TransferLimits,
        exchange: Exchange,
        *,
        what: str,
        bandwidth: Bandwidth | None,
        progress: Progress | None,
    ) -> None:
        self.download = download
        self._part = part
        self._locate = locate
        self._limits = limits
        self._exchange = exchange
        self._what = what
        self._bandwidth = bandwidth
        self._progress = progress
        self._digests = Digests(download.checksum)
        self._hashed = 0
        self._reported = 0
        self._restarts = 0
        self._ended = False

    def run(self) -> Digests:
        """Receive until the part is complete; return the checksums of its bytes.

        Raises
        ------
        SourceError and its classes : see `fetch_http`; the part is kept.
        ProductCorruptError : the server's size is not the catalogue's, or more bytes come than announced; the part is
            removed.
        DiskFullError : before the first byte; the part is removed.
        """
        reconnects = self._limits.reconnects
        renewed = False
        while not self._is_complete():
            offset = self._offset()
            with closing(self._exchange.get(self.download, self._range(offset))) as answer:
                if answer.status in (401, 403) and not renewed:
                    self._renew()
                    renewed = True
                    continue
                head = self._accept(answer, offset)
                if head is None:
                    continue
                received, fault = self._receive(answer, head)
            if received:
                # A token may expire more than once in a long transfer; one that brings nothing is no token.
                renewed = False
            if fault is None:
                continue
            if not received or reconnects <= 0:
                raise fault
            reconnects -= 1
        return self._digests

    def _is_complete(self) -> bool:
        if self._ended:
            return True
        origin = self._part.origin
        if origin is None or origin.size_bytes is None or self._part.size != origin.size_bytes:
            return False
        # Left complete by a process killed before it was published: it only lacks its checksums.
        return self._offset() == origin.size_bytes

    def _offset(self) -> int:
        """Bytes that can be built on; those that cannot are dropped. Hashes what an earlier process received."""
        size = self._part.size
        if size == 0:
            return 0
        origin = self._part.origin
        if (
            origin is None
            or not origin.is_of(host_of(self.download.url), self.download)
            or (origin.size_bytes is not None and size > origin.size_bytes)
        ):
            self._drop()
            return 0
        if self._hashed != size:
            self._digests = Digests(self.download.checksum)
            self._digests.add_file(self._part.path)
            self._hashed = size
        return size

    def _range(self, offset: int) -> dict[str, str]:
        if offset == 0:
            return {}
        origin = self._part.origin
        validator = origin.validator if origin is not None else None
        return {"Range": f"bytes={offset}-", **({"If-Range": validator} if validator else {})}

    def _renew(self) -> None:
        fresh = located(self._locate, renew=True)
        if fresh.file_name != self.download.file_name:
            raise SourceError(
                f"{self._what}: the provider now calls it {fresh.file_name}", hint="it is tried again from the search"
            )
        if fresh.checksum != self.download.checksum:
            self._hashed = 0
        self.download = fresh

    def _accept(self, answer: Answer, offset: int) -> bytes | None:
        """Decide what an answer is worth: the beginning of its body, already read; None to look again and ask anew."""
        if answer.status == 206 and offset:
            self._accept_range(answer, offset)
            return b"" if self._part.size else None
        if answer.status == 416 and offset:
            _, _, total = _content_range(answer)
            origin = self._part.origin
            if origin is not None and total == offset and exact_size(self.download) in (None, total):
                self._part.note(replace(origin, size_bytes=total))
            else:
                self._restart()
            return None
        if answer.status == 202:
            raise ProductOfflineError(
                f"{self._what}: it lies on tape", hint="it is ordered and fetched when it is there"
            )
        if answer.status != 200:
            raise answer.refusal()
        return self._accept_whole(answer)

    def _accept_range(self, answer: Answer, offset: int) -> None:
        first, _, total = _content_range(answer)
        origin = self._part.origin
        headers = answer.headers
        if (
            origin is None
            or first != offset
            or not origin.agrees(total, headers.get("ETag"), headers.get("Last-Modified"))
        ):
            # Another file, or a server that takes no notice of If-Range.
            self._restart()
            return
        if origin.size_bytes is None and total is not None:
            origin = replace(origin, size_bytes=total)
            self._part.note(origin)
        self._check_space(origin, offset)

    def _accept_whole(self, answer: Answer) -> bytes:
        """Look at the first bytes before anything that is there is given up for them."""
        coding = answer.headers.get("Content-Encoding", "identity").lower()
        if coding not in ("", "identity") and not self.download.file_name.lower().endswith((".gz", ".tgz")):
            raise SourceError(
                f"{self._what}: the server sends it {coding}-coded, which was not asked for",
                hint="report it to the provider",
            )
        head = b""
        while len(head) < HEAD_BYTES and (data := answer.read(HEAD_BYTES - len(head))):
            head += data
            self._exchange.remaining()
        check_head(head, self.download.file_name, answer.headers.get("Content-Type", ""), self._what)
        announced = answer.headers.get("Content-Length", "")
        expected = exact_size(self.download)
        total = int(announced) if announced.isdigit() else expected
        if expected is not None and total != expected:
            self._part.discard()
            raise ProductCorruptError(
                f"{self._what}: the server sends {total} bytes, its catalogue states {expected}",
                hint="it is tried again; the catalogue or the product may be changing",
            )
        origin = Origin(
            host=host_of(self.download.url),
            size_bytes=total,
            stated_bytes=self.download.size_bytes,
            checksum=self.download.checksum,
            etag=answer.headers.get("ETag"),
            last_modified=answer.headers.get("Last-Modified"),
        )
        self._check_space(origin, 0)
        self._drop(origin)
        return head

    def _receive(self, answer: Answer, head: bytes) -> tuple[int, SourceError | None]:
        """Append the body; return the bytes received and why it broke off, None when it came to its end."""
        most = _MOST_PIECE if self._bandwidth is None else min(self._bandwidth.piece, _MOST_PIECE)
        pace = Pace(self._limits, time.monotonic())
        origin = self._part.origin
        total = origin.size_bytes if origin is not None else None
        received = 0
        with self._part.path.open("ab", buffering=0) as file:
            data = head
            while True:
                self._write(file, data)
                received += len(data)
                self._report(total)
                held = self._bandwidth.take(len(data)) if self._bandwidth is not None and data else 0.0
                if total is not None and self._hashed >= total:
                    break
                speed = pace.too_slow(time.monotonic(), len(data), held)
                if speed is not None:
                    raise SourceError(f"{self._what}: only {speed:.0f} bytes a second come", hint=_KEPT)
                self._exchange.remaining()
                try:
                    # Room for a few times what came last: over TLS 16 KB come at a time, and making room for more
                    # costs more than all the rest.
                    data = answer.read(min(max(4 * len(data), _LEAST_PIECE), most))
                except SourceError as fault:
                    return received, fault
                if not data:
                    break
        if total is None:
            self._ended = True
        elif self._hashed > total:
            self._part.discard()
            raise ProductCorruptError(
                f"{self._what}: more bytes come than the {total} announced", hint="it is fetched again"
            )
        elif self._hashed < total and not (answer.status == 206 and received):
            # Some servers cap a range: that is no fault, the rest is asked for.
            return received, SourceError(f"{self._what}: it ended after {self._hashed} of {total} bytes", hint=_KEPT)
        return received, None

    def _write(self, file: BinaryIO, data: bytes) -> None:
        try:
            written = file.write(data)
            while written < len(data):
                written += file.write(data[written:])
        except OSError as error:
            if is_disk_full(error):
                self._part.discard()
            raise
        self._digests.update(data)
        self._hashed += len(data)

    def _report(self, total: int | None) -> None:
        if self._progress is not None and (self._hashed - self._reported >= _REPORTED_EACH or self._hashed == total):
            self._reported = self._hashed
            self._progress(self._hashed, total or self._hashed)

    def _restart(self) -> None:
        self._restarts += 1
        if self._restarts > _MOST_RESTARTS:
            raise SourceError(
                f"{self._what}: the server's answers to range requests contradict each other", hint="it is tried again"
            )
        self._drop()

    def _drop(self, origin: Origin | None = None) -> None:
        self._part.begin(origin or Origin(host_of(self.download.url)))
        self._digests = Digests(self.download.checksum)
        self._hashed = self._reported = 0

    def _check_space(self, origin: Origin, offset: int) -> None:
        if origin.size_bytes is None:
            return
        missing = origin.size_bytes - offset
        free = shutil.disk_usage(self._part.path.parent).free
        # What stands in the part is dropped before the first new byte when it cannot be continued.
        freed = self._part.size - offset
        if missing > free + freed:
            target = self._part.path.parents[2]
            self._part.discard()
            raise DiskFullError(
                f"{self.download.file_name} needs {missing} bytes more, {free} are free on the disk of {target}",
                hint="free space on the target's disk",
            )


def _content_range(answer: Answer) -> tuple[int | None, int | None, int | None]:
    """First byte, last byte and size of the whole, each None where the answer does not say it."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if found is None:
        return None, None, None
    first, last, total = (int(text) if text and text != "*" else None for text in found.groups())
    return first, last, total
