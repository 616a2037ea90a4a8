"""Errors of the system: one root, each class also a built-in, each with a code, retryability and a hint.

A message says what is wrong and where; ``hint`` says what to do. ``code`` is stable and may be stored.
"""

from __future__ import annotations

import errno
from typing import Any, ClassVar

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_WRONG_INPUT = 2
EXIT_NOTHING_TO_DO = 3


class Sen4capError(Exception):
    """Root of every error raised on purpose.

    Parameters
    ----------
    message : what is wrong and where, one line.
    hint : what the reader can do about it, one line; may be empty.
    code : replaces the class's code where one class serves several file-check codes (``SITE-02``, ``ZIP-03``).
    """

    code: str = "error"
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.code)

    @property
    def one_line(self) -> str:
        """The message and the hint as the command line prints them."""
        text = " ".join(self.message.split())
        hint = " ".join(self.hint.split())
        return f"{text} ({hint})" if hint else text


def _rebuild(cls: type[Sen4capError], message: str, hint: str, code: str) -> Sen4capError:
    return cls(message, hint=hint, code=code)


class InputError(Sen4capError, ValueError):
    """The user's input is wrong: a file, an option, a value."""

    code = "input"
    exit_code = EXIT_WRONG_INPUT


class ParameterError(InputError):
    """A parameter is unknown, has a wrong type or lies outside its bounds."""

    code = "parameter"


class NotFoundError(Sen4capError, LookupError):
    """Something named by the user does not exist."""

    code = "not_found"
    exit_code = EXIT_WRONG_INPUT


class ConflictError(Sen4capError, ValueError):
    """The request contradicts what is stored (duplicate name, nested season, site without season)."""

    code = "conflict"
    exit_code = EXIT_WRONG_INPUT


class TransitionError(Sen4capError, ValueError):
    """A state change that the state machine does not allow."""

    code = "invalid_transition"


class LeaseLostError(Sen4capError, RuntimeError):
    """The lease on a unit of work expired and someone else may hold it now."""

    code = "lease_lost"


class WorkerLostError(Sen4capError, RuntimeError):
    """A process that did part of the work has gone."""

    code = "worker_lost"
    retryable = True


class DatabaseUnavailableError(Sen4capError, ConnectionError):
    """The domain database cannot be reached or is not migrated."""

    code = "database_unavailable"
    retryable = True


class MigrationError(Sen4capError, RuntimeError):
    """The schema of the database does not fit this release."""

    code = "migration"


class StorageError(Sen4capError, OSError):
    """Reading or writing a file failed."""

    code = "storage"
    retryable = True


class DiskFullError(StorageError):
    """No space is left, or the disk guard holds work back."""

    code = "disk_full"


def is_disk_full(error: OSError) -> bool:
    """Whether the disk, or the user's quota on it, has no space left."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


class SourceError(Sen4capError, ConnectionError):
    """A data source does not answer or refuses."""

    code = "source"
    retryable = True


class SourceThrottledError(SourceError):
    """A data source asks to wait (HTTP 429, or 503 with a time); no fault of the product.

    Parameters
    ----------
    retry_after : seconds the source asks for; None where it does not say.
    """

    code = "throttled"

    def __init__(
        self, message: str, *, hint: str = "", code: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_throttled, (self.message, self.hint, self.code, self.retry_after)


def _rebuild_throttled(message: str, hint: str, code: str, retry_after: float | None) -> SourceThrottledError:
    return SourceThrottledError(message, hint=hint, code=code, retry_after=retry_after)


class SourceRefusedError(SourceError):
    """A data source refuses the account (HTTP 401, 403, too many sessions); no fault of the product."""

    code = "refused"


class ProductGoneError(SourceError):
    """A product that a search returned is not there (HTTP 404)."""

    code = "gone"


class ProductOfflineError(SourceError):
    """A product lies on tape: it is ordered first and fetched when it is online."""

    code = "offline"


class ProductCorruptError(Sen4capError, ValueError):
    """A product lacks files or its files cannot be read; it may still be arriving."""

    code = "input_corrupt"
    retryable = True


class ElevationMissingError(Sen4capError, LookupError):
    """Heights of land are missing from the elevation model; they may be delivered later."""

    code = "dem_missing"
    retryable = True


class ManifestError(Sen4capError, ValueError):
    """The DAG manifest cannot be read."""

    code = "manifest"


class AirflowApiError(Sen4capError, ConnectionError):
    """Airflow's REST API refused or did not answer."""

    code = "airflow_api"
    retryable = True


class ProcessorUnavailableError(Sen4capError, NotImplementedError):
    """The processor is not part of this release or not configured here."""

    code = "processor_unavailable"


class NothingToDoError(Sen4capError, RuntimeError):
    """There was nothing to do; not a failure (exit code 3)."""

    code = "nothing_to_do"
    exit_code = EXIT_NOTHING_TO_DO
