"""One product over HTTP: continued where it broke off, checked, and only then visible under its name."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path, PurePath

from s4c_lib.errors import ProductCorruptError, Sen4capError, SourceError
from s4c_lib.sources.bandwidth import Bandwidth
from s4c_lib.sources.catalogue import Download, Gate, open_gate
from s4c_lib.sources.http_body_check import HEAD_BYTES, named_by, other_packings
from s4c_lib.sources.http_exchange import Exchange, addresses_unlogged, host_of
from s4c_lib.sources.http_filling import Filling, Locate, exact_size, located
from s4c_lib.sources.http_part import HttpPart
from s4c_lib.sources.model import FetchMode, FetchResult, Progress
from s4c_lib.sources.part_folder import holding, storage_error
from s4c_lib.sources.product_kinds import ProductName
from s4c_lib.sources.stated_checksum import Digests
from s4c_lib.sources.transfer import content_checksum
from s4c_lib.sources.transfer_limits import Meter, TransferLimits
from s4c_lib.sources.verify import VerifyReport, verify_product


def fetch_http(
    locate: Locate,
    name: ProductName,
    target_dir: Path,
    limits: TransferLimits,
    *,
    gate: Gate = open_gate,
    meter: Meter | None = None,
    progress: Progress | None = None,
    bandwidth: Bandwidth | None = None,
) -> FetchResult:
    """Download one product, one file, as it is (``operations.md`` §3.5).

    A part left by an earlier call, ended in whatever way, is continued if the server still has the same file. A file
    that stands under the target already and is sound is not fetched again.

    Parameters
    ----------
    locate : `Catalogue.locate` of the product, given ``renew``.
    gate : called before each request, those of redirections included.
    meter : counts requests and bytes, also when the transfer fails.
    progress : called about once a megabyte; where nobody states the size, with the bytes done as the size.
    bandwidth : one object for all transfers of the process.

    Returns
    -------
    The archive's path, ``<target>/<Download.file_name>``, with another suffix where it is packed in another way;
    ``checksum`` is that of a copy of the same file.

    Raises
    ------
    SourceThrottledError : HTTP 429, or 503 that names a time.
    SourceRefusedError : HTTP 401 or 403 with a fresh token as well, or a login page instead of the product.
    ProductGoneError : HTTP 404 or 410.
    ProductOfflineError : HTTP 202, or as ``locate`` says.
    SourceError : everything else that a later try may mend. After all five the part is kept.
    ProductCorruptError : wrong size or checksum, a damaged archive, files missing; the part is removed.
    DiskFullError : no space; the part is removed, since on a full disk its bytes are needed.
    StorageError : writing failed, or another process fetches the same product (``transfer_busy``).
    """
    began = time.monotonic()
    download = located(locate)
    what = f"{host_of(download.url)}: cannot fetch {name.name}"
    _check_file_name(download.file_name, what)
    exchange = Exchange(what, limits, gate, meter if meter is not None else Meter(), began + limits.timeout_seconds)
    try:
        with addresses_unlogged(signed=download.signed), closing(exchange), holding(target_dir, download.file_name):
            part = HttpPart.open(target_dir, download.file_name)
            final, found = _existing(target_dir, download, name)
            if found is not None:
                part.discard()
            else:
                filling = Filling(
                    part, locate, download, limits, exchange, what=what, bandwidth=bandwidth, progress=progress
                )
                digests = filling.run()
                download = filling.download
                part = part.renamed(_packed_as(part.path))
                final = target_dir / part.path.name
                found = _checked(part, download, name, digests, what), digests
                part.publish(final)
    except Sen4capError:
        raise
    except OSError as error:
        raise storage_error(error, target_dir) from error
    report, digests = found
    if progress is not None:
        progress(report.size_bytes, report.size_bytes)
    return FetchResult(
        path=final,
        size_bytes=report.size_bytes,
        checksum=content_checksum({final.name: (report.size_bytes, digests.content)}),
        checksum_of="content",
        mode=FetchMode.DOWNLOAD,
        seconds=time.monotonic() - began,
        tile_problems=report.tile_problems,
        warnings=(*report.warnings, *_doubts(download, report, digests)),
    )


def _check_file_name(file_name: str, what: str) -> None:
    if not file_name or file_name != PurePath(file_name).name or file_name.startswith("."):
        raise SourceError(
            f"{what}: the provider calls it '{file_name}', which is no file name", hint="report it to the provider"
        )


def _packed_as(path: Path) -> str:
    with path.open("rb") as stream:
        return named_by(stream.read(HEAD_BYTES), path.name)


def _existing(
    target_dir: Path, download: Download, name: ProductName
) -> tuple[Path, tuple[VerifyReport, Digests] | None]:
    """Return where the file goes, or is, and what a check of it found; None when there is none, or no sound one."""
    stated = target_dir / download.file_name
    for final in dict.fromkeys((stated, *(target_dir / other for other in other_packings(download.file_name)))):
        found = _sound(final, download, name)
        if found is not None:
            return final, found
    return stated, None


def _sound(final: Path, download: Download, name: ProductName) -> tuple[VerifyReport, Digests] | None:
    """Check a file fetched before whose outcome was not recorded."""
    if final.is_symlink() or not final.is_file():
        return None
    if exact_size(download) not in (None, final.stat().st_size):
        return None
    digests = Digests(download.checksum)
    digests.add_file(final)
    if digests.fault() is not None:
        return None
    try:
        return verify_product(final, name, bytes_compared=digests.compares), digests
    except ProductCorruptError:
        # It is fetched again and replaced; what is wrong with the new one, if anything, is said then.
        return None


def _checked(part: HttpPart, download: Download, name: ProductName, digests: Digests, what: str) -> VerifyReport:
    """Whether the complete part is the product. One that is not is removed: it would be continued for ever."""
    fault = digests.fault()
    if fault is None and exact_size(download) not in (None, part.size):
        fault = f"it has {part.size} bytes, the catalogue states {download.size_bytes}"
    if fault is not None:
        part.discard()
        raise ProductCorruptError(f"{what}: {fault}", hint="it is fetched again")
    try:
        return verify_product(part.path, name, bytes_compared=digests.compares)
    except ProductCorruptError:
        part.discard()
        raise


def _doubts(download: Download, report: VerifyReport, digests: Digests) -> tuple[str, ...]:
    doubts = [digests.warning] if digests.warning else []
    if download.size_bytes not in (None, report.size_bytes):
        doubts.append(f"the catalogue states {download.size_bytes} bytes, it has {report.size_bytes} and is sound")
    return tuple(doubts)
