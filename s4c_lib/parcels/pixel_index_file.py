"""The pixel index as one immutable file that is mapped into memory.

It is an Arrow IPC file with one batch: ``parcel_id``, ``count`` and ``runs`` (for each parcel a list of ``start`` and
``length``); the header is JSON in the metadata of its schema. One file because one rename makes it appear whole, Arrow
because every reader of tables maps it without a copy.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from s4c_lib.errors import DiskFullError, InputError, NotFoundError, Sen4capError, StorageError, is_disk_full
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parcels.pixel_index import ALGORITHM, PixelIndex, content_hash, description

FORMAT: Final = 1
_CODE: Final = "pixel_index"
_KEY: Final = b"s4c_pixel_index"
_MAGIC: Final = b"ARROW1"
_AGAIN: Final = "remove it and build the pixel index of the parcel set again"
_RUNS: Final = pa.large_list(
    pa.field("run", pa.struct([pa.field("start", pa.int32(), False), pa.field("length", pa.uint16(), False)]), False)
)
_SCHEMA: Final = pa.schema(
    [
        pa.field("parcel_id", pa.int32(), False),
        pa.field("count", pa.int32(), False),
        pa.field("runs", _RUNS, False),
    ]
)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place to write to beside ``path``; becomes ``path`` when all went well, and nothing is left when not.

    Raises
    ------
    DiskFullError, StorageError : it could not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.part-", dir=path.parent) as folder:
            unfinished = Path(folder) / path.name
            yield unfinished
            with unfinished.open("rb+") as written:
                os.fsync(written.fileno())  # else a crash may leave the new name with old, empty blocks
            unfinished.replace(path)
    except OSError as error:
        if isinstance(error, Sen4capError):
            raise
        if is_disk_full(error):
            raise DiskFullError(f"no space left while writing {path}", hint="free space there and repeat") from error
        raise StorageError(f"{path} cannot be written: {error.strerror or error}", hint="check the folder") from error


def write_pixel_index(index: PixelIndex, path: Path) -> None:
    """Write an index; a file of this name is replaced, and stays whole for those who have it open.

    Raises
    ------
    DiskFullError, StorageError : it could not be written.
    """
    header = {"format": FORMAT, **description(index), "sha256": index.sha256}
    runs = pa.LargeListArray.from_arrays(
        pa.array(index.offsets),
        pa.StructArray.from_arrays([pa.array(index.start), pa.array(index.length)], fields=list(_RUNS.value_type)),
        type=_RUNS,
    )
    schema = _SCHEMA.with_metadata({_KEY: json.dumps(header)})
    batch = pa.RecordBatch.from_arrays([pa.array(index.parcel_id), pa.array(index.count), runs], schema=schema)
    with whole_file(path) as unfinished, pa.OSFile(str(unfinished), "wb") as sink, pa.ipc.new_file(sink, schema) as out:
        out.write_batch(batch)


def read_pixel_index(path: Path, *, verify: bool = False) -> PixelIndex:
    """Map an index and check that compiled loops can rely on it; takes milliseconds.

    Parameters
    ----------
    verify : compute the hash of the content too.

    Raises
    ------
    NotFoundError : there is no such file.
    InputError : it is no pixel index, one of another version, cut off or damaged.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no pixel index {path}", hint="build the pixel index of the parcel set")
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            header = _header(path, reader.schema)
            index = _mapped(header, reader)
    except OSError as error:
        if error.errno is None:  # Arrow's word for blocks that lie outside the file
            raise _refused(path, _what_is_wrong(path)) from error
        raise StorageError(f"{path} cannot be read: {error}") from error
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError) and error.code == _CODE:
            raise
        raise _refused(path, _what_is_wrong(path)) from error
    if problem := _contradiction(index, header):
        raise _refused(path, f"is damaged: {problem}")
    if verify and content_hash(index) != index.sha256:
        raise _refused(path, "is damaged: its content does not give the SHA-256 of its header")
    return index


def _header(path: Path, schema: pa.Schema) -> dict[str, Any]:
    raw = (schema.metadata or {}).get(_KEY)
    if raw is None:
        raise _refused(path, "is an Arrow file but no pixel index")
    header: dict[str, Any] = json.loads(raw)
    versions = header["format"], header["algorithm"]
    if versions != (FORMAT, ALGORITHM):
        raise _refused(path, f"has version {versions[0]}.{versions[1]}, this release reads {FORMAT}.{ALGORITHM}")
    if not schema.equals(_SCHEMA):
        raise _refused(path, "is damaged: its columns are not those of a pixel index")
    return header


def _mapped(header: dict[str, Any], reader: pa.RecordBatchFileReader) -> PixelIndex:
    batch = reader.get_batch(0)
    batch.validate()
    runs = batch.column("runs")
    start, length = runs.values.flatten()
    return PixelIndex(
        grid=PixelGrid(**header["grid"]),
        buffer_m=header["buffer_m"],
        parcel_set_id=header["parcel_set_id"],
        parcel_id=batch.column("parcel_id").to_numpy(),
        count=batch.column("count").to_numpy(),
        # A list of no parcels may come without its one offset.
        offsets=runs.offsets.to_numpy() if len(runs) else np.zeros(1, np.int64),
        start=start.to_numpy(),
        length=length.to_numpy(),
        sha256=header["sha256"],
    )


def _contradiction(index: PixelIndex, header: dict[str, Any]) -> str:
    """What compiled loops must be able to rely on: a wrong number there reads foreign memory."""
    if any(header.get(name) != value for name, value in description(index).items()):
        return "header and content do not fit"
    if index.offsets[0] != 0 or index.offsets[-1] != len(index.start) or (np.diff(index.offsets) < 1).any():
        return "the runs of a parcel are out of range"
    if len(index) and (index.parcel_id[0] < 1 or (index.parcel_id[1:] <= index.parcel_id[:-1]).any()):
        return "parcel numbers do not ascend"
    if len(index) and (index.start.min() < 0 or not _fits(index)):
        return "pixels lie outside the grid"
    return ""


def _fits(index: PixelIndex) -> bool:
    end = np.add(index.start, index.length, dtype=np.int64).max()
    return bool(end <= index.grid.rows * index.grid.columns and index.length.min() > 0)


def _what_is_wrong(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
        file.seek(-min(len(_MAGIC), path.stat().st_size), os.SEEK_END)
        tail = file.read()
    if head != _MAGIC:
        return "is no pixel index"
    return "is cut off or damaged" if tail == _MAGIC else f"is cut off at {path.stat().st_size} bytes"


def _refused(path: Path, problem: str) -> InputError:
    return InputError(f"{path} {problem}", hint=_AGAIN, code=_CODE)
