"""An unfinished download under ``.part``: its bytes, and beside them what they are the beginning of."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from s4c_lib.sources.catalogue import Checksum, Download
from s4c_lib.sources.part_folder import publish, remove, take_over

_ORIGIN = "origin.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a part is the beginning of; nothing in it is secret.

    Attributes
    ----------
    host : of the product's address, before any redirection.
    size_bytes : of the whole file, as the server said; None while nobody has said it.
    stated_bytes : as the catalogue stated it, right or wrong.
    checksum : as the catalogue stated it.
    etag, last_modified : as the server sent them.
    """

    host: str
    size_bytes: int | None = None
    stated_bytes: int | None = None
    checksum: Checksum | None = None
    etag: str | None = None
    last_modified: str | None = None

    @property
    def validator(self) -> str | None:
        """What ``If-Range`` may carry: a strong ETag, else the date; None when there is neither (RFC 9110 §13.1.5)."""
        if self.etag is not None and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified

    def is_of(self, host: str, download: Download) -> bool:
        """Whether bytes of this origin may be continued for the download.

        Without a validator, a size or a checksum nothing could ever show that two halves do not belong together.
        """
        if self.host != host or (self.validator is None and self.size_bytes is None and self.checksum is None):
            return False
        if download.size_bytes is not None and self.stated_bytes not in (None, download.size_bytes):
            return False
        return self.checksum is None or download.checksum is None or self.checksum == download.checksum

    def agrees(self, total: int | None, etag: str | None, last_modified: str | None) -> bool:
        """Whether the answer to a range request is of the same file; a header that is missing contradicts nothing."""
        if total is not None and self.size_bytes not in (None, total):
            return False
        if etag is not None and self.etag is not None:
            return etag == self.etag
        return last_modified is None or self.last_modified in (None, last_modified)


@dataclass(frozen=True, slots=True)
class HttpPart:
    """One unfinished download.

    Attributes
    ----------
    path : ``<target>/.part/<file name>.<attempt>/<file name>``; it keeps its name so that it can be verified in place.
    """

    path: Path

    @classmethod
    def open(cls, target_dir: Path, file_name: str) -> HttpPart:
        """Take over the newest unfinished download of the file, as the next attempt."""
        folder = take_over(target_dir, file_name)
        # Abandoned parts are known by their folder's time, which appending to a file in it does not renew.
        os.utime(folder)
        return cls(folder / file_name)

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def origin(self) -> Origin | None:
        """What the bytes are of; None when it was not written down whole: the part is of no use then."""
        try:
            noted = json.loads((self.path.parent / _ORIGIN).read_text(encoding="utf-8"))
            checksum = noted.pop("checksum")
            return Origin(**noted, checksum=Checksum(**checksum) if checksum else None)
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def begin(self, origin: Origin) -> None:
        """Start with no bytes. They go first: at no moment do bytes stand beside an origin that is not theirs."""
        self.path.unlink(missing_ok=True)
        self.note(origin)
        self.path.touch()

    def note(self, origin: Origin) -> None:
        """Write down what the bytes are of."""
        fresh = self.path.parent / f"{_ORIGIN}.new"
        fresh.write_text(json.dumps(asdict(origin), sort_keys=True), encoding="utf-8")
        fresh.replace(self.path.parent / _ORIGIN)

    def renamed(self, file_name: str) -> HttpPart:
        """Give the complete file another name; a part is taken up again under the old one only."""
        if file_name == self.path.name:
            return self
        return HttpPart(self.path.rename(self.path.with_name(file_name)))

    def discard(self) -> None:
        """Remove it."""
        remove(self.path.parent)

    def publish(self, final: Path) -> None:
        """Put the complete file in its place, its bytes on disk before its name."""
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())
        publish(self.path, final)
