"""An unfinished copy under ``.part``: filled file by file, continued after a crash, published by one rename."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from s4c_lib.errors import DiskFullError, StorageError
from s4c_lib.sources.model import Progress
from s4c_lib.sources.product_tree import FileEntry

PART_FOLDER = ".part"
_CHUNK = 4 * 1024 * 1024
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


def storage_error(error: OSError, target_dir: Path) -> StorageError:
    """Translate an error of the operating system met while copying or linking."""
    if error.errno in _NO_SPACE:
        return DiskFullError(
            f"no space left while writing to {error.filename or target_dir}",
            hint="free space on the target's disk; the product is then fetched again from its start",
        )
    return StorageError(
        f"bringing a product to {target_dir} failed at {error.filename or target_dir}: {error.strerror or error}",
        hint="check the permissions of source and target",
    )


@contextmanager
def holding(target_dir: Path, name: str) -> Iterator[None]:
    """Keep other processes from fetching the same product to the same place; let go by a crash as well.

    Raises
    ------
    StorageError : another process holds it (code ``transfer_busy``).
    """
    parts = target_dir / PART_FOLDER
    parts.mkdir(parents=True, exist_ok=True)
    path = parts / f"{name}.lock"
    busy = StorageError(f"another process is fetching {name} to {target_dir}", hint="wait for it", code="transfer_busy")
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us removed the file when it was done: ours is one nobody else will meet.
            if path.stat().st_ino != os.fstat(lock.fileno()).st_ino:
                raise busy
        except (BlockingIOError, FileNotFoundError) as error:
            raise busy from error
        try:
            yield
        finally:
            path.unlink()


@dataclass(frozen=True, slots=True)
class PartialCopy:
    """One unfinished copy.

    Attributes
    ----------
    source : product to copy, a folder or a file.
    path : ``<target>/.part/<name>.<attempt>/<name>``; the product keeps its name so that it can be verified in place.
    """

    source: Path
    path: Path

    @classmethod
    def open(cls, target_dir: Path, source: Path) -> PartialCopy:
        """Take over the newest unfinished copy of the product, as the next attempt; older ones are removed."""
        parts = target_dir / PART_FOLDER
        pattern = re.compile(re.escape(source.name) + r"\.([0-9]+)")
        attempts = {}
        for entry in parts.iterdir():
            found = pattern.fullmatch(entry.name)
            if found:
                attempts[int(found[1])] = entry
        newest = max(attempts, default=0)
        for attempt, folder in attempts.items():
            if attempt != newest:
                shutil.rmtree(folder)
        folder = parts / f"{source.name}.{newest + 1}"
        if newest:
            attempts[newest].replace(folder)
        else:
            folder.mkdir()
        return cls(source, folder / source.name)

    def fill(self, entries: list[FileEntry], progress: Progress | None) -> dict[str, tuple[int, str]]:
        """Copy what is not there yet, flushed to disk.

        A file counts as there when its size and modification time are the source's; the time is set last, so a file
        cut off by a crash never does. Folders without any file are not made.

        Returns
        -------
        Path -> (size, sha256 of the bytes written).

        Raises
        ------
        DiskFullError : the space does not suffice; the unfinished copy is removed.
        """
        total = sum(entry.size for entry in entries)
        missing = sum(entry.size for entry in entries if not _same(self._of(entry), entry))
        free = shutil.disk_usage(self.path.parent).free
        if missing > free:
            self.discard()
            raise DiskFullError(
                f"{self.source.name} needs {missing} bytes more, {free} are free on the disk of {self.path.parents[2]}",
                hint="free space on the target's disk",
            )
        self._remove_strangers(entries)
        done = 0
        digests = {}
        try:
            for entry in entries:
                target = self._of(entry)
                if _same(target, entry):
                    digest = _digest(target)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    digest = _copy_file(self._from(entry), target, entry, progress, done, total)
                digests[entry.path] = (entry.size, digest)
                done += entry.size
                if progress is not None:
                    progress(done, total)
            self._flush_folders()
        except OSError as error:
            if error.errno in _NO_SPACE:
                self.discard()
            raise
        return digests

    def publish(self, final: Path) -> None:
        """Put the complete copy in its place; an older one of that name goes only when the new one stands there."""
        aside = self.path.parent.with_suffix(".old")
        _remove(aside)
        if final.is_symlink() or final.is_file():
            if self.path.is_dir():
                final.unlink()
        elif final.exists():
            final.replace(aside)
        self.path.replace(final)
        _flush_folder(final.parent)
        _remove(aside)
        self.path.parent.rmdir()

    def discard(self) -> None:
        """Remove the unfinished copy."""
        _remove(self.path.parent)

    def _of(self, entry: FileEntry) -> Path:
        return _place(self.source, self.path, entry)

    def _from(self, entry: FileEntry) -> Path:
        return _place(self.source, self.source, entry)

    def _remove_strangers(self, entries: list[FileEntry]) -> None:
        """Delete what an earlier attempt copied and the source no longer has."""
        wanted = {self._of(entry) for entry in entries}
        if not self.path.is_dir():
            return
        for folder, _, files in os.walk(self.path):
            for name in files:
                path = Path(folder) / name
                if path not in wanted:
                    path.unlink()

    def _flush_folders(self) -> None:
        for folder, _, _ in os.walk(self.path.parent):
            _flush_folder(Path(folder))


def existing_copy(source: Path, final: Path, entries: list[FileEntry]) -> dict[str, tuple[int, str]] | None:
    """Digests of a copy already published whose files all have the source's size and time; None when there is none.

    A fetch repeated because its outcome was not recorded then costs one reading, no writing.
    """
    if final.is_symlink() or not final.exists() or not all(_same(_place(source, final, e), e) for e in entries):
        return None
    return {entry.path: (entry.size, _digest(_place(source, final, entry))) for entry in entries}


def remove_stale_parts(target_dir: Path, before: datetime) -> tuple[Path, ...]:
    """Remove unfinished copies not touched since ``before`` (aware), except those being filled now.

    Returns
    -------
    The folders removed, by name.
    """
    parts = target_dir / PART_FOLDER
    removed = []
    for folder in sorted(parts.iterdir()) if parts.is_dir() else ():
        name, _, attempt = folder.name.rpartition(".")
        if not attempt.isdigit() or folder.stat().st_mtime >= before.timestamp():
            continue
        try:
            with holding(target_dir, name):
                _remove(folder)
        except StorageError as error:
            if error.code != "transfer_busy":
                raise
            continue
        removed.append(folder)
    return tuple(removed)


def _place(source: Path, top: Path, entry: FileEntry) -> Path:
    """Path of one file of the product under ``top``; a single-file product is its own top."""
    return top / entry.path if source.is_dir() else top


def _same(path: Path, entry: FileEntry) -> bool:
    try:
        info = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(info.st_mode) and info.st_size == entry.size and info.st_mtime_ns == entry.mtime_ns


def _copy_file(source: Path, target: Path, entry: FileEntry, progress: Progress | None, done: int, total: int) -> str:
    digest = hashlib.sha256()
    written = 0
    # Never through a link or into a read-only leftover of an earlier attempt.
    target.unlink(missing_ok=True)
    with source.open("rb") as reading, target.open("xb") as writing:
        while chunk := reading.read(_CHUNK):
            writing.write(chunk)
            digest.update(chunk)
            written += len(chunk)
            if progress is not None and written < entry.size:
                progress(done + written, total)
        writing.flush()
        os.fsync(writing.fileno())
        mode = stat.S_IMODE(os.fstat(reading.fileno()).st_mode)
    if written != entry.size:
        raise StorageError(
            f"{source} changed while it was copied: {written} bytes instead of {entry.size}",
            hint="it may still be arriving; the copy is continued at the next attempt",
        )
    target.chmod(mode | stat.S_IRUSR | stat.S_IWUSR)
    os.utime(target, ns=(entry.mtime_ns, entry.mtime_ns))
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
