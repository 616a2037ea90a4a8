"""The one interface of programs that make L2A of L1C: what they are asked, what they answer (``preprocessing.md`` 2.5).

An executor never raises for a product it cannot process: the outcome is a value with a reason, which says by itself
whether trying again makes sense. What it does raise is an interruption, or a fault of this library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from s4c_lib.errors import DiskFullError, InputError, ProductCorruptError, Sen4capError, StorageError, is_disk_full
from s4c_lib.reasons import Reason

# A verdict on the product or a fault of the set-up: the same input gives the same answer (preprocessing.md 1.3).
NEVER_RETRIED = frozenset({Reason.TOO_CLOUDY, Reason.NO_VALID_PIXEL, Reason.NOTV, Reason.TILE_EMPTY, Reason.CONFIG})
# Of these the product itself is the cause: it is rejected, nothing has failed.
_VERDICTS = NEVER_RETRIED - {Reason.CONFIG}

Heartbeat = Callable[[float], None]
"""Called with the seconds a program has run so far; an exception raised in it ends the program."""


class ExecutorStatus(StrEnum):
    """How a run ended."""

    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"


class ExecutorError(Sen4capError, RuntimeError):
    """A run cannot go on; ``code`` is one of `Reason`."""

    code = Reason.INTERNAL.value

    @property
    def reason(self) -> Reason:
        """The code as a reason."""
        return Reason(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorOptions:
    """What every executor heeds.

    Parameters
    ----------
    timeout_hours : longest run of the program; each of several runs on one tile has it.
    grace_seconds : given to a program whose time is up, to end by itself before it is killed.
    max_cloud_pct : a product with more clouds (%) is rejected.
    """

    timeout_hours: float = 6.0
    grace_seconds: float = 10.0
    max_cloud_pct: float = 90.0


@dataclass(frozen=True, slots=True)
class ExecutorRequest:
    """One tile of one L1C product to be processed.

    Parameters
    ----------
    l1c_path : the product, a SAFE folder or an archive of it; never written to.
    tile : MGRS id without T.
    previous_l2a : the predecessor in the chain, in the executor's own format; only MAJA wants one.
    elevation_dir : with the elevation model in the form the executor reads.
    auxiliary_dirs : folders by kind: ``gipp``; ``cams`` (MAJA); ``esa_cci`` (Sen2Cor). Only read.
    work_dir : private to this attempt; created if need be, filled, and left for the caller to remove.
    output_dir : where the product is put, by one rename, under the name the program gave it.
    now : UTC, names the log.
    """

    l1c_path: Path
    tile: str
    previous_l2a: Path | None
    elevation_dir: Path | None
    auxiliary_dirs: Mapping[str, Path]
    work_dir: Path
    output_dir: Path
    options: ExecutorOptions
    now: datetime
    heartbeat: Heartbeat | None = None


@dataclass(frozen=True, slots=True)
class ExecutorResult:
    """What became of a request.

    Parameters
    ----------
    product_dir : the published native product (MUSCATE folder or SAFE); None unless done.
    cloud_pct, snow_pct, nodata_pct, valid_pct : as the program states them, %; None where it does not.
    reason, text : None and what is worth knowing when done; else why not.
    retryable : the same request may succeed later.
    log_path : of the program's output; None when no program ran.
    """

    status: ExecutorStatus
    executor: str
    version: str
    product_dir: Path | None = None
    cloud_pct: float | None = None
    snow_pct: float | None = None
    nodata_pct: float | None = None
    valid_pct: float | None = None
    reason: Reason | None = None
    text: str = ""
    retryable: bool = False
    log_path: Path | None = None
    warnings: tuple[str, ...] = ()


class Executor(Protocol):
    """A program that makes L2A of L1C."""

    @property
    def name(self) -> str:
        """``maja`` or ``sen2cor``."""

    @property
    def version(self) -> str:
        """Of the program."""

    def setup_faults(self, request: ExecutorRequest) -> tuple[str, ...]:
        """Everything that is wrong with the configuration, each fault in a sentence; empty when it is sound."""

    def run(self, request: ExecutorRequest) -> ExecutorResult:
        """Process one tile."""


def status_of(reason: Reason) -> ExecutorStatus:
    """Whether a reason rejects the product or means a failure."""
    return ExecutorStatus.REJECTED if reason in _VERDICTS else ExecutorStatus.FAILED


def unfinished(
    executor: str,
    version: str,
    reason: Reason,
    text: str,
    *,
    cloud_pct: float | None = None,
    snow_pct: float | None = None,
    nodata_pct: float | None = None,
    valid_pct: float | None = None,
    log_path: Path | None = None,
    warnings: tuple[str, ...] = (),
) -> ExecutorResult:
    """Result without a product; status and retryability follow from the reason."""
    return ExecutorResult(
        status=status_of(reason),
        executor=executor,
        version=version,
        cloud_pct=cloud_pct,
        snow_pct=snow_pct,
        nodata_pct=nodata_pct,
        valid_pct=valid_pct,
        reason=reason,
        text=text,
        retryable=reason not in NEVER_RETRIED,
        log_path=log_path if log_path is not None and log_path.exists() else None,
        warnings=warnings,
    )


def guarded(executor: str, version: str, log: Path | None, process: Callable[[], ExecutorResult]) -> ExecutorResult:
    """Run ``process`` and turn the errors that a product, a disk or a setting can cause into a result; others pass."""
    try:
        return process()
    except (Sen4capError, OSError) as error:
        reason = reason_of(error)
        if reason is None:
            raise
        text = (
            error.one_line
            if isinstance(error, Sen4capError)
            else f"{error.filename or 'disk'}: {error.strerror or error}"
        )
        return unfinished(executor, version, reason, text, log_path=log)


def reason_of(error: Sen4capError | OSError) -> Reason | None:
    """Reason code of an error met while processing a product; None for one that is no product's fault."""
    match error:
        case ExecutorError():
            return error.reason
        case DiskFullError():
            return Reason.OUT_OF_DISK
        case ProductCorruptError():
            return Reason.INPUT_CORRUPT
        case InputError():
            return Reason.CONFIG
        case StorageError():
            return Reason.STORAGE
        case OSError():
            return Reason.OUT_OF_DISK if is_disk_full(error) else Reason.STORAGE
    return None
