"""An unfinished copy under ``.part``: filled file by file, continued after a crash, published by one rename."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from s4c_lib.errors import DiskFullError, StorageError, is_disk_full
from s4c_lib.sources.model import Progress
from s4c_lib.sources.part_folder import flush_folder, publish, remove, take_over
from s4c_lib.sources.product_tree import FileEntry, has_sidecar

_CHUNK = 4 * 1024 * 1024


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
    def open(cls, target_dir: Path, source: Path, name: str | None = None) -> PartialCopy:
        """Take over the newest unfinished copy of the product, as the next attempt; older ones are removed.

        Parameters
        ----------
        name : what the copy is called; None keeps the source's.
        """
        called = name or source.name
        return cls(source, take_over(target_dir, called) / called)

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
            if is_disk_full(error):
                self.discard()
            raise
        return digests

    def publish(self, final: Path) -> None:
        """Put the complete copy in its place; an older one of that name goes only when the new one stands there."""
        publish(self.path, final)

    def discard(self) -> None:
        """Remove the unfinished copy."""
        remove(self.path.parent)

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
            flush_folder(Path(folder))


def existing_copy(source: Path, final: Path, entries: list[FileEntry]) -> dict[str, tuple[int, str]] | None:
    """Digests of a copy already published whose files all have the source's size and time; None when there is none.

    A fetch repeated because its outcome was not recorded then costs one reading, no writing.
    """
    if final.is_symlink() or not final.exists() or not all(_same(_place(source, final, e), e) for e in entries):
        return None
    return {entry.path: (entry.size, _digest(_place(source, final, entry))) for entry in entries}


def _place(source: Path, top: Path, entry: FileEntry) -> Path:
    """Path of one file of the product under ``top``; a single-file product is its own top.

    A raster with a sidecar lies loose in its archive, and in a folder of its own elsewhere.
    """
    if has_sidecar(source):
        return (source.parent if top == source else top) / entry.path
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
