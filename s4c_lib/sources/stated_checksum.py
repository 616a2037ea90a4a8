"""Hashing of a file while it arrives: our own checksum of it, and the one its provider states."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from s4c_lib.sources.catalogue import Checksum

_CHUNK = 1024 * 1024
# hashlib's spelling of what providers write with a hyphen, or without one.
_SPELLINGS = {
    "sha1": "sha1",
    "sha224": "sha224",
    "sha256": "sha256",
    "sha384": "sha384",
    "sha512": "sha512",
    "sha3224": "sha3_224",
    "sha3256": "sha3_256",
    "sha3384": "sha3_384",
    "sha3512": "sha3_512",
    "blake2b": "blake2b",
    "blake2s": "blake2s",
    "blake3": "blake3",
    "md5": "md5",
}


class Digests:
    """SHA-256 of a file's bytes and, beside it, what a provider states.

    Parameters
    ----------
    stated : None, an algorithm that hashlib does not know, or a digest of another length than the algorithm's leave
        only our own; the latter two with a `warning`.
    """

    def __init__(self, stated: Checksum | None) -> None:
        self.stated = stated
        self.warning = ""
        self._content = hashlib.sha256()
        self._other: Any = None
        self._algorithm = ""
        if stated is None:
            return
        # On systems with a restricted cryptography library md5 is allowed for this use only.
        algorithm = _SPELLINGS.get(stated.algorithm.lower().replace("-", "").replace("_", ""), "")
        if algorithm not in hashlib.algorithms_available:
            self.warning = f"checksum not compared: {stated.algorithm} is not known here"
            return
        own = self._content if algorithm == "sha256" else hashlib.new(algorithm, usedforsecurity=False)
        if len(stated.digest) != own.digest_size * 2:
            self.warning = f"checksum not compared: '{stated.digest}' is no {stated.algorithm}"
            return
        self._algorithm = algorithm
        if algorithm != "sha256":
            self._other = own

    @property
    def compares(self) -> bool:
        """Whether `fault` can tell right from wrong bytes."""
        return bool(self._algorithm)

    def update(self, data: bytes) -> None:
        """Go on with these bytes."""
        self._content.update(data)
        if self._other is not None:
            self._other.update(data)

    def add_file(self, path: Path) -> None:
        """Go on with a whole file."""
        with path.open("rb", buffering=0) as stream:
            while data := stream.read(_CHUNK):
                self.update(data)

    @property
    def content(self) -> str:
        """SHA-256 in hex."""
        return self._content.hexdigest()

    def fault(self) -> str | None:
        """How the bytes differ from what is stated; None when they do not, or nothing comparable is stated."""
        if self.stated is None or not self.compares:
            return None
        found = self.content if self._other is None else str(self._other.hexdigest())
        if found == self.stated.digest.lower():
            return None
        return f"its {self.stated.algorithm} is {found}, the provider states {self.stated.digest}"
