"""The private folder of one attempt, and how inputs get into it without being touched (``preprocessing.md`` 1.3).

Inputs are links in folders of our own: a program that creates files beside its input creates them here, and links to
read-only files keep it from changing them. What must be changed is copied and made writable.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from s4c_lib.damaged_archives import DAMAGED_ZIP
from s4c_lib.errors import DiskFullError, InputError, ProductCorruptError
from s4c_lib.preprocessing.executor import ExecutorError
from s4c_lib.preprocessing.launcher import Mount
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_names import bare_name
from s4c_lib.sources.product_tree import ProductTree, is_tar, is_zip, stat_files

_PART_OF_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_CHUNK = 4 * 1024 * 1024


def work_folder(root: Path, site: str, history_id: int, tile: str, attempt: int) -> Path:
    """Path ``{root}/{site}/{history_id}_{tile}_{attempt}`` of an attempt; not created.

    Raises
    ------
    InputError : site or tile cannot be part of a path.
    """
    for part in (site, tile):
        if not _PART_OF_PATH.fullmatch(part):
            raise InputError(f"'{part}' cannot name a work folder", hint="letters, digits, '_', '-' and '.' only")
    return root / site / f"{history_id}_{tile}_{attempt}"


def emptied(folder: Path) -> Path:
    """Create a folder, or empty it of what a crash left there."""
    remove_tree(folder)
    folder.mkdir(parents=True)
    return folder


def remove_tree(folder: Path) -> None:
    """Remove a folder and all in it, read-only folders too; nothing happens when there is none."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.is_dir():
        # folders only: a file that goes may be a hard link, and the other name of it is not ours to change
        _add_mode(folder, stat.S_IRWXU)
        for directory, folders, _ in os.walk(folder):
            for name in folders:
                path = Path(directory, name)
                if not path.is_symlink():
                    _add_mode(path, stat.S_IRWXU)
        shutil.rmtree(folder)


def make_writable(folder: Path) -> None:
    """Let the user write everything in a folder; links are not followed."""
    for directory, folders, files in os.walk(folder):
        _add_mode(Path(directory), stat.S_IRWXU)
        for name in folders:
            path = Path(directory, name)
            if not path.is_symlink():
                _add_mode(path, stat.S_IRWXU)
        for name in files:
            path = Path(directory, name)
            if not path.is_symlink():
                _add_mode(path, stat.S_IRUSR | stat.S_IWUSR)


def _add_mode(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & bits != bits:
        path.chmod(mode | bits)


def unpacked(product: Path, into: Path) -> Path:
    """Folder of a product: its own, or the one an archive is extracted to, named as the product.

    Every file is stat-ed first. A flat archive gets a folder of the product's name; a Sentinel-2 name gets ``.SAFE``.

    Raises
    ------
    ExecutorError : the product does not exist (``input_missing``).
    ProductCorruptError : a dangling link, a damaged archive, a member that would leave the folder or is no plain file.
    DiskFullError : the disk cannot hold what the archive contains.
    """
    if not product.exists() and not product.is_symlink():
        raise ExecutorError(f"{product} does not exist", hint="fetch the product again", code=Reason.INPUT_MISSING)
    tree = ProductTree(product)
    if not tree.is_archive:
        if not product.is_dir():
            raise ProductCorruptError(f"{product} is neither a folder nor an archive", hint="give the product itself")
        return _own_folder(tree)
    _check_links(product)
    name = bare_name(product.name)
    target = into / (f"{name}.SAFE" if "MSIL" in name.upper() else name)
    into.mkdir(parents=True, exist_ok=True)
    needed, free = sum(tree.files.values()), shutil.disk_usage(into).free
    if needed > free:
        raise DiskFullError(f"{product} unpacks to {needed} bytes, {free} are free in {into}", hint="free disk space")
    part = emptied(into / f".{target.name}.part")
    try:
        _extract(product, tree, part)
    except (tarfile.TarError, *DAMAGED_ZIP) as error:
        raise ProductCorruptError(f"{product} is damaged: {error}", hint="fetch it again") from error
    remove_tree(target)
    part.replace(target)
    return target


def _own_folder(tree: ProductTree) -> Path:
    """The product's folder, where it lies in another folder of its own name."""
    first = min(tree.files)
    path = Path(tree.gdal_path(first))
    return path.parents[first.count("/")]


def _check_links(archive: Path) -> None:
    if not is_tar(archive):
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            if not (member.isfile() or member.isdir()):
                raise ProductCorruptError(
                    f"{archive} has the member '{member.name}', which is a link or a device",
                    hint="fetch the product from its provider",
                )


def _extract(archive: Path, tree: ProductTree, folder: Path) -> None:
    # The tree has refused members outside the folder; its names are relative to the archive's top folder.
    prefix = tree.where("").partition("!")[2]
    names = {f"{prefix}{name}": folder / name for name in tree.files}
    if is_zip(archive):
        with zipfile.ZipFile(archive) as opened:
            for name in sorted(names):
                with opened.open(name) as stream:
                    _write(names[name], stream.read)
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            target = names.get(member.name.removeprefix("./"))
            content = tar.extractfile(member) if target is not None else None
            if target is not None and content is not None:
                _write(target, content.read)


def _write(target: Path, read: Callable[[int], bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as writing:
        while chunk := read(_CHUNK):
            writing.write(chunk)


def linked_tree(source: Path, target: Path, *, without: tuple[str, ...] = ()) -> tuple[Path, ...]:
    """Repeat the folders of ``source`` under ``target``, with links to its files, or one link to a single file.

    Parameters
    ----------
    without : endings of files to leave out, in lower case.

    Returns
    -------
    Where the links lead: real paths, for a container to mount.

    Raises
    ------
    ProductCorruptError : a dangling link, named, or no file at all.
    """
    entries = stat_files(source)
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        return (_link(source, target),)
    target.mkdir(parents=True, exist_ok=True)
    for folder, names, _ in os.walk(source, followlinks=True):
        for name in names:
            (target / Path(folder).relative_to(source) / name).mkdir(parents=True, exist_ok=True)
    return tuple(
        _link(source / entry.path, target / entry.path)
        for entry in entries
        if not entry.path.lower().endswith(without or ("\0",))
    )


def _link(source: Path, target: Path) -> Path:
    real = source.resolve(strict=True)
    target.symlink_to(real)
    return real


def copied_tree(source: Path, target: Path) -> None:
    """Copy a folder, links followed, and let the user write all of it.

    Raises
    ------
    ProductCorruptError : a dangling link, named.
    """
    stat_files(source)
    shutil.copytree(source, target)
    make_writable(target)


def read_only_mounts(paths: Iterable[Path]) -> list[Mount]:
    """Fewest read-only mounts that show all these files and folders: a file is shown by its folder."""
    folders = sorted({path if path.is_dir() else path.parent for path in paths})
    kept: list[Path] = []
    for folder in folders:
        if not any(folder.is_relative_to(above) for above in kept):
            kept.append(folder)
    return [Mount(folder) for folder in kept]
