"""The files of one product, whether it is a folder, a single raster, a zip or a tar."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from s4c_lib.damaged_archives import DAMAGED_ZIP
from s4c_lib.errors import ProductCorruptError, StorageError
from s4c_lib.sources.product_names import parse_product_name

_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
RASTER_SUFFIXES = (".tif", ".tiff")
SIDECAR_SUFFIX = ".s1.json"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file: path relative to the product (posix), bytes, modification time."""

    path: str
    size: int
    mtime_ns: int


def is_zip(path: Path) -> bool:
    """Whether the name says zip archive."""
    return path.name.lower().endswith(".zip")


def is_tar(path: Path) -> bool:
    """Whether the name says tar archive, compressed or not."""
    return path.name.lower().endswith(_TAR_SUFFIXES)


def sidecar_of(raster: str) -> str | None:
    """Path of the sidecar that would describe a raster; None for what is no raster by its name."""
    stem, dot, suffix = raster.rpartition(".")
    return f"{stem}{SIDECAR_SUFFIX}" if dot and f".{suffix.lower()}" in RASTER_SUFFIXES else None


def has_sidecar(path: Path) -> bool:
    """Whether a path is a raster with a sidecar beside it: the two are one product."""
    sidecar = sidecar_of(path.name)
    return sidecar is not None and os.path.lexists(path.with_name(sidecar)) and not path.is_dir()


def link_fault(path: Path) -> str | None:
    """Describe a symbolic link that leads nowhere, naming link and target; None for anything else."""
    if not path.is_symlink():
        return None
    try:
        path.stat()
    except FileNotFoundError:
        return f"the link {path} points to {path.readlink()}, which does not exist"
    except OSError as error:
        return f"the link {path} to {path.readlink()} cannot be followed: {error.strerror}"
    return None


def stat_files(root: Path) -> list[FileEntry]:
    """List every file of a product after stat-ing each one, links followed, sorted by path.

    To a raster belongs the sidecar beside it.

    Raises
    ------
    ProductCorruptError : a dangling link (named), a loop of links, a socket or pipe, or nothing at all.
    StorageError : a folder cannot be read (code ``unreadable``).
    """
    try:
        tops = [root]
        if has_sidecar(root):
            tops.append(root.with_name(str(sidecar_of(root.name))))
        found = (entry for top in tops for entry in _walk(top, PurePosixPath(), ()))
        entries = sorted(found, key=lambda entry: entry.path)
    except FileNotFoundError as error:
        raise ProductCorruptError(
            f"{error.filename or root} does not exist", hint="the product may still be arriving or was removed"
        ) from error
    except OSError as error:
        raise unreadable(error, root) from error
    if not entries:
        raise ProductCorruptError(f"{root} holds no file", hint="the product may still be arriving")
    return entries


def unreadable(error: OSError, path: Path) -> StorageError:
    """Make the error of a file that exists but cannot be read."""
    return StorageError(
        f"cannot read {error.filename or path}: {error.strerror}",
        hint="give the service's user read permission",
        code="unreadable",
    )


def _walk(path: Path, relative: PurePosixPath, above: tuple[tuple[int, int], ...]) -> Iterator[FileEntry]:
    fault = link_fault(path)
    if fault is not None:
        raise ProductCorruptError(fault, hint="restore the target or remove the link")
    info = path.stat()
    if stat.S_ISREG(info.st_mode):
        yield FileEntry(str(relative) if relative.parts else path.name, info.st_size, info.st_mtime_ns)
        return
    if not stat.S_ISDIR(info.st_mode):
        raise ProductCorruptError(f"{path} is neither a file nor a folder", hint="remove it from the product")
    identity = (info.st_dev, info.st_ino)
    if identity in above:
        raise ProductCorruptError(f"the link {path} leads back into its own folder", hint="remove the link")
    with os.scandir(path) as listing:
        names = sorted(entry.name for entry in listing)
    for name in names:
        yield from _walk(path / name, relative / name, (*above, identity))


class ProductTree:
    """The files of one product, addressed relative to its own top folder; a raster's sidecar is one of them.

    The single top folder of an archive (``X.SAFE/``) is looked through, and so is a product's folder that holds
    nothing but the product's folder again (an archive unpacked into a folder of its own name): ``manifest.safe`` has
    the same address in all of them.

    Raises
    ------
    ProductCorruptError : a broken archive, an archive member that leaves its folder, a dangling link.
    StorageError : the product cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = stat_files(path)
        self.is_archive = not path.is_dir() and (is_zip(path) or is_tar(path))
        members = {entry.path: entry.size for entry in self.entries}
        self._prefix = ""
        if self.is_archive:
            members = _zip_members(path) if is_zip(path) else _tar_members(path)
            _refuse_escaping(path, members)
            self._prefix = _common_folder(members)
        elif path.is_dir():
            folder = _common_folder(members)
            self._prefix = folder if parse_product_name(folder.removesuffix("/")) else ""
        self.files: dict[str, int] = {name[len(self._prefix) :]: size for name, size in members.items()}

    @property
    def disk_bytes(self) -> int:
        """Bytes on disk: of the archive itself, not of what it holds."""
        return sum(entry.size for entry in self.entries)

    def where(self, name: str) -> str:
        """Describe a file for a message."""
        if self.is_archive:
            return f"{self.path}!{self._prefix}{name}"
        return str(self._on_disk(name))

    def read(self, name: str) -> bytes:
        """Content of one file.

        Raises
        ------
        ProductCorruptError : it is missing or damaged.
        """
        if name not in self.files:
            raise ProductCorruptError(f"{self.where(name)} is missing", hint="the product may still be arriving")
        try:
            if not self.is_archive:
                return self._on_disk(name).read_bytes()
            if is_zip(self.path):
                with zipfile.ZipFile(self.path) as archive:
                    return archive.read(self._prefix + name)
            with tarfile.open(self.path) as tar:
                stream = tar.extractfile(_written_name(tar, self._prefix + name))
                return b"" if stream is None else stream.read()
        except PermissionError as error:
            raise unreadable(error, self.path) from error
        except (OSError, RuntimeError, tarfile.TarError, *DAMAGED_ZIP) as error:
            raise ProductCorruptError(
                f"cannot read {self.where(name)}: {error}", hint="fetch the product again"
            ) from error

    def gdal_path(self, name: str) -> str:
        """Path under which GDAL opens the file, inside an archive too."""
        if not self.is_archive:
            return str(self._on_disk(name))
        handler = "vsizip" if is_zip(self.path) else "vsitar"
        return f"/{handler}/{{{self.path}}}/{self._prefix}{name}"

    def _on_disk(self, name: str) -> Path:
        if self.path.is_dir():
            return self.path / f"{self._prefix}{name}"
        return self.path if name not in self.files else self.path.with_name(name)


def _zip_members(path: Path) -> dict[str, int]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}
    except PermissionError as error:
        raise unreadable(error, path) from error
    except (OSError, *DAMAGED_ZIP) as error:
        raise ProductCorruptError(
            f"{path} is not a readable zip archive: {error}", hint="it may still be arriving; else fetch it again"
        ) from error


def _tar_members(path: Path) -> dict[str, int]:
    try:
        with tarfile.open(path) as archive:
            members = archive.getmembers()
    except PermissionError as error:
        raise unreadable(error, path) from error
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ProductCorruptError(
            f"{path} is not a readable tar archive: {error}", hint="it may still be arriving; else fetch it again"
        ) from error
    return {member.name.removeprefix("./"): member.size for member in members if member.isfile()}


def _written_name(archive: tarfile.TarFile, name: str) -> str:
    """The member's name as the tar spells it: ``tar -C x -cf y .`` puts ``./`` before each."""
    return name if name in archive.getnames() else f"./{name}"


def _refuse_escaping(path: Path, members: dict[str, int]) -> None:
    if not members:
        raise ProductCorruptError(f"{path} holds no file", hint="fetch the product again")
    for name in members:
        if name.startswith(("/", "\\")) or ".." in PurePosixPath(name).parts:
            raise ProductCorruptError(
                f"{path} has the member '{name}', which would be written outside its folder",
                hint="do not unpack it; fetch the product from its provider",
            )


def _common_folder(members: dict[str, int]) -> str:
    """The one folder everything lies in, with its slash; empty for a flat archive."""
    first = {name.split("/", 1)[0] if "/" in name else "" for name in members}
    folder = first.pop()
    return f"{folder}/" if folder and not first else ""
