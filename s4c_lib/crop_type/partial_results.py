"""Results of parts of a season that are kept from run to run: a new date changes only the part it falls in.

A part is named by a hash of everything that decides it: the content of its files, the parcels, the parameters. So a
file that was replaced is noticed, and what is kept is either right or not found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, MutableMapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import structlog

from s4c_lib.errors import DiskFullError, StorageError
from s4c_lib.parcels.pixel_index_file import whole_file

Floats = npt.NDArray[np.float32]
log = structlog.get_logger(__name__)

VERSION: Final = 1
"""Of how parts are computed; another one makes what is kept useless."""
_SUFFIX: Final = ".npy"


class PartialFolder(MutableMapping[str, Floats]):
    """Arrays in a folder, one file each; read as memory maps, written whole or not at all.

    A disk that is full is no failure of a run: the array is then not kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, key: str) -> Floats:
        path = self._path(key)
        try:
            found: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise KeyError(key) from None
        except (ValueError, EOFError) as error:
            log.warning("a kept result is damaged and is made again", path=str(path), error=str(error))
            raise KeyError(key) from error
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
        return found

    def __setitem__(self, key: str, value: Floats) -> None:
        with whole_file(self._path(key)) as unfinished:
            np.save(unfinished, value, allow_pickle=False)

    def __delitem__(self, key: str) -> None:
        try:
            self._path(key).unlink()
        except FileNotFoundError:
            raise KeyError(key) from None
        except OSError as error:
            raise StorageError(f"{self._path(key)} cannot be removed: {error.strerror or error}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.stem for path in self._folder.glob(f"*{_SUFFIX}")))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"


class Partials:
    """Parts of one run: made where they are not kept yet.

    Parameters
    ----------
    kept : what earlier runs kept, or None to keep nothing.
    common : JSON value of what decides every part.
    """

    def __init__(self, kept: MutableMapping[str, Floats] | None, common: Callable[[], Any]) -> None:
        self._kept = kept
        self._common = "" if kept is None else json.dumps([VERSION, common()])
        self._keys: set[str] = set()
        self.asked = self.made = 0

    def part(self, what: Callable[[], Any], make: Callable[[], Floats]) -> Floats:
        """A part; ``what`` is the JSON value that decides it, besides what is common."""
        self.asked += 1
        if self._kept is None:
            self.made += 1
            return make()
        text = json.dumps([self._common, what()])
        key = hashlib.sha256(text.encode()).hexdigest()
        found = self._kept.get(key)
        if found is None:
            self.made += 1
            found = make()
            try:
                self._kept[key] = found
            except DiskFullError as error:
                log.warning("a result is not kept", error=error.one_line)
            else:
                found = self._kept.get(key, found)  # of a folder a memory map, so that memory stays bounded
        self._keys.add(key)
        return found

    @property
    def used(self) -> Collection[str]:
        """Keys of all parts of this run; the others may be removed."""
        return self._keys
