"""Uploaded zip archives: every check before anything is written, then the chosen dataset under names of our own.

Entry names come from the user. They are shown in messages and compared with each other, never used as paths.
"""

from __future__ import annotations

import errno
import shutil
import stat
import struct
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from s4c_lib.damaged_archives import DAMAGED_ZIP
from s4c_lib.errors import DiskFullError, InputError, StorageError, is_disk_full

_CHUNK: Final = 1 << 20
_ENCRYPTED: Final = 0x1
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
SITE_FORMATS: Final = (".shp", ".gpkg")
DECLARATION_FORMATS: Final = (".shp", ".gpkg", ".parquet", ".geoparquet", ".fgb", ".geojson", ".json")
_MANY_LAYERS: Final = (".gpkg",)
# A JSON file beside a dataset describes it; alone it is one.
_PERHAPS: Final = (".json",)
_ARCHIVES: Final = (".zip", ".7z", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".kmz")
_REQUIRED_SIDES: Final = (".shx", ".dbf")
_OPTIONAL_SIDES: Final = (".prj", ".cpg")
_JUNK: Final = (".ds_store", "thumbs.db", "desktop.ini")
_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may hold (`upload.max_unpacked_bytes`, `upload.max_entries`).

    Parameters
    ----------
    max_unpacked_bytes : sum over all entries; half of the free space applies when that is less.
    max_entries : files and directories.
    max_ratio : unpacked to packed size of one entry, judged from `ratio_from_bytes` unpacked bytes on.
    """

    max_unpacked_bytes: int = 40 * 2**30
    max_entries: int = 1000
    max_ratio: int = 300
    ratio_from_bytes: int = 10**9


@dataclass(frozen=True, slots=True)
class ExtractedDataset:
    """A dataset taken out of an archive.

    Parameters
    ----------
    path : ``dataset`` with the suffix of its format, in a new folder.
    name : its name in the archive without folder and extension, to show and to compare only.
    """

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class _Entry:
    info: zipfile.ZipInfo
    shown: str

    @property
    def path(self) -> PurePosixPath:
        return PurePosixPath(self.shown)

    @property
    def suffix(self) -> str:
        return self.path.suffix.lower()

    @property
    def stem(self) -> str:
        return self.path.stem


def open_dataset_archive(
    path: Path, work_dir: Path, layer: str | None = None, limits: ArchiveLimits | None = None
) -> Path:
    """Extract the Shapefile or GeoPackage of a zip archive; see `extract_dataset`.

    Returns
    -------
    Path : ``dataset.shp`` (with its side files) or ``dataset.gpkg``.
    """
    return extract_dataset(path, work_dir, layer, limits).path


def extract_dataset(
    path: Path,
    work_dir: Path,
    layer: str | None = None,
    limits: ArchiveLimits | None = None,
    formats: Sequence[str] = SITE_FORMATS,
) -> ExtractedDataset:
    """Extract the one wanted dataset of a zip archive into a new folder below `work_dir`.

    Parameters
    ----------
    path : the archive.
    work_dir : existing folder; the caller removes it, or what is left of it.
    layer : which dataset (its name without extension) when the archive holds several.
    limits : default `ArchiveLimits()`.
    formats : suffixes that count as datasets, lower case.

    Raises
    ------
    InputError
        With the code ZIP-01 to ZIP-09; nothing is left in `work_dir`.
    """
    limits = limits or ArchiveLimits()
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _checked_entries(archive, path.name, work_dir, limits)
            chosen = _choose(entries, path.name, layer, formats)
            files = _with_side_files(chosen, entries)
            folder = Path(tempfile.mkdtemp(prefix="dataset-", dir=work_dir))
            return ExtractedDataset(_extract(archive, path.name, files, folder), chosen.stem)
    except DAMAGED_ZIP as error:
        raise _unreadable(path.name, error) from error


def dataset_names(path: Path, formats: Sequence[str] = SITE_FORMATS) -> set[str]:
    """Lower-case names, without extension, of the datasets in a readable archive."""
    with zipfile.ZipFile(path) as archive:
        shown = (PurePosixPath(info.filename.replace("\\", "/")) for info in archive.infolist() if not _is_junk(info))
        return {name.stem.lower() for name in shown if name.suffix.lower() in formats}


def check_shapefile(shp: Path, shown_stem: str | None = None) -> None:
    """Refuse a Shapefile with a missing side file, one cut short, or parts of two deliveries.

    GDAL reads all of those without an error.

    Raises
    ------
    InputError
        ZIP-08 or ZIP-09.
    """
    stem = shown_stem or shp.stem
    sides = {other.suffix.lower(): other for other in shp.parent.iterdir() if other.stem.lower() == shp.stem.lower()}
    for suffix in _REQUIRED_SIDES:
        if suffix not in sides:
            raise _missing(stem, suffix)
    _check_length(f"{stem}.shp", shp, _shp_length(shp), slack=0)
    _check_length(f"{stem}.dbf", sides[".dbf"], _dbf_length(sides[".dbf"]), slack=1)
    shapes, records = (sides[".shx"].stat().st_size - 100) // 8, _dbf_records(sides[".dbf"])
    if shapes != records:
        raise InputError(
            f"{stem}.shx lists {shapes} shapes, {stem}.dbf {records} records.",
            hint="The files do not belong together: export them again and upload.",
            code="ZIP-09",
        )


def _checked_entries(
    archive: zipfile.ZipFile, shown_archive: str, work_dir: Path, limits: ArchiveLimits
) -> list[_Entry]:
    infos = archive.infolist()
    if any(info.flag_bits & _ENCRYPTED for info in infos):
        raise InputError(
            f"{shown_archive} is password protected.", hint="Create it again without a password.", code="ZIP-02"
        )
    for info in infos:
        if _points_outside(info):
            raise InputError(
                f'Entry "{info.orig_filename}" points outside the archive. The file was refused.', code="ZIP-03"
            )
    if len(infos) > limits.max_entries:
        raise _too_large(f"{len(infos)} entries", f"{limits.max_entries} entries")
    entries = [
        _Entry(info, info.filename.replace("\\", "/")) for info in infos if not (info.is_dir() or _is_junk(info))
    ]
    for entry in entries:
        if entry.info.compress_type not in _METHODS:
            raise InputError(
                f'Entry "{entry.shown}" uses compression method {entry.info.compress_type}. '
                'Use standard "deflate" or send a GeoPackage.',
                code="ZIP-04",
            )
    _check_sizes(entries, work_dir, limits)
    return entries


def _check_sizes(entries: Sequence[_Entry], work_dir: Path, limits: ArchiveLimits) -> None:
    for entry in entries:
        size, packed = entry.info.file_size, entry.info.compress_size
        if size >= limits.ratio_from_bytes and size > limits.max_ratio * packed:
            raise _too_large(_gigabytes(size), f"{limits.max_ratio} times its packed size")
    unpacked = sum(entry.info.file_size for entry in entries)
    if unpacked > limits.max_unpacked_bytes:
        raise _too_large(_gigabytes(unpacked), _gigabytes(limits.max_unpacked_bytes))
    half_free = shutil.disk_usage(work_dir).free // 2
    if unpacked > half_free:
        raise _too_large(_gigabytes(unpacked), f"{_gigabytes(half_free)}, half of the free space")


def _points_outside(info: zipfile.ZipInfo) -> bool:
    name = info.orig_filename.replace("\\", "/")
    # zipfile cuts a name at a NUL byte: what it shows and what it means would differ
    odd = "\0" in name or name.startswith("/") or name[1:2] == ":" or ".." in name.split("/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    return odd or kind not in (0, stat.S_IFREG, stat.S_IFDIR)


def _is_junk(info: zipfile.ZipInfo) -> bool:
    parts = info.filename.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1].lower() in _JUNK or parts[-1] == ""


def _choose(entries: Sequence[_Entry], shown_archive: str, layer: str | None, formats: Sequence[str]) -> _Entry:
    datasets = [entry for entry in entries if entry.suffix in formats]
    datasets = [entry for entry in datasets if entry.suffix not in _PERHAPS] or datasets
    nested = [entry for entry in entries if entry.suffix in _ARCHIVES]
    if not datasets:
        raise _nothing_found(entries, nested, shown_archive)
    wanted = layer.lower() if layer else None
    named = [entry for entry in datasets if wanted in (entry.stem.lower(), entry.shown.lower())]
    if len(named) == 1:
        return named[0]
    # of a single GeoPackage the layer names what is inside it
    inside = datasets[0].suffix in _MANY_LAYERS
    if len(datasets) == 1 and (inside if wanted else not nested):
        return datasets[0]
    # parcels could be in an archive within: it is not left out in silence
    names = sorted(entry.shown for entry in [*datasets, *nested])
    noun = "dataset" if len(names) == 1 else "datasets"
    raise InputError(
        f"{len(names)} {noun} found: {_listed(names)}. Choose one.",
        hint=f'There is no single one named "{layer}".' if layer else "Name it as layer.",
        code="ZIP-07",
    )


def _nothing_found(entries: Sequence[_Entry], nested: Sequence[_Entry], shown_archive: str) -> InputError:
    names = sorted(entry.shown for entry in entries)
    hint = "Send a zipped Shapefile or GeoPackage."
    if nested:
        hint = f"Archives within an archive are not opened: unpack {nested[0].shown} and send what it holds."
    return InputError(
        f"No shapefile found in {shown_archive}. Found: {_listed(names) or 'nothing'}.", hint=hint, code="ZIP-06"
    )


def _with_side_files(chosen: _Entry, entries: Sequence[_Entry]) -> dict[str, _Entry]:
    """Entries to extract by lower-case suffix: the dataset and, of a Shapefile, its side files."""
    if chosen.suffix != ".shp":
        return {chosen.suffix: chosen}
    sides = {
        entry.suffix: entry
        for entry in entries
        if entry.path.parent == chosen.path.parent and entry.stem.lower() == chosen.stem.lower()
    }
    for suffix in _REQUIRED_SIDES:
        if suffix not in sides:
            raise _missing(chosen.stem, suffix)
    wanted = (".shp", *_REQUIRED_SIDES, *_OPTIONAL_SIDES)
    return {**{suffix: sides[suffix] for suffix in wanted if suffix in sides}, ".shp": chosen}


def _extract(archive: zipfile.ZipFile, shown_archive: str, files: dict[str, _Entry], folder: Path) -> Path:
    first = next(iter(files))
    target = folder / f"dataset{first}"
    try:
        for suffix, entry in files.items():
            with archive.open(entry.info) as source, target.with_suffix(suffix).open("xb") as sink:
                shutil.copyfileobj(source, sink, _CHUNK)  # stops at the declared size and checks the CRC
        if first == ".shp":
            check_shapefile(target, files[first].stem)
    except OSError as error:
        shutil.rmtree(folder)
        if error.errno == errno.EINVAL:  # a damaged directory points in front of the file
            raise _unreadable(shown_archive, error) from error
        kind = DiskFullError if is_disk_full(error) else StorageError
        raise kind(f"{shown_archive} could not be unpacked: {error.strerror or error}.") from error
    except BaseException:
        shutil.rmtree(folder)
        raise
    return target


def _shp_length(path: Path) -> int:
    with path.open("rb") as file:
        header = file.read(100)
    return 2 * int(struct.unpack(">i", header[24:28])[0]) if len(header) == 100 else 100


def _dbf_length(path: Path) -> int:
    with path.open("rb") as file:
        header = file.read(32)
    if len(header) < 32:
        return 32
    records, header_size, record_size = struct.unpack("<IHH", header[4:12])
    return int(header_size + records * record_size)


def _dbf_records(path: Path) -> int:
    with path.open("rb") as file:
        return int(struct.unpack("<I", file.read(8)[4:])[0])


def _check_length(shown: str, path: Path, expected: int, slack: int) -> None:
    size = path.stat().st_size
    if expected <= size <= expected + slack:
        return
    problem = "truncated" if size < expected else "damaged"
    raise InputError(
        f"{shown} is {problem}: {size} of {expected} bytes.", hint="Export it again and upload.", code="ZIP-09"
    )


def _missing(stem: str, suffix: str) -> InputError:
    return InputError(f"{stem}{suffix} is missing.", hint="Send all files of the Shapefile.", code="ZIP-08")


def _unreadable(shown_archive: str, error: Exception) -> InputError:
    return InputError(
        f"{shown_archive} is not a readable zip archive ({error}). Re-create it and upload again.", code="ZIP-01"
    )


def _too_large(found: str, limit: str) -> InputError:
    return InputError(f"The archive would unpack to {found} (limit {limit}).", code="ZIP-05")


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
