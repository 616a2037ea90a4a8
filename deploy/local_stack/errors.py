"""What can go wrong while the local stack starts, each with what to do about it."""

from __future__ import annotations

from s4c_lib.errors import ConflictError, Sen4capError


class PostgresMissingError(Sen4capError, FileNotFoundError):
    """No PostgreSQL with PostGIS is on this machine and none can be installed."""

    code = "postgres_missing"


class RedisMissingError(Sen4capError, FileNotFoundError):
    """No Redis is on this machine and none can be installed."""

    code = "redis_missing"


class DatabaseServerError(Sen4capError, ConnectionError):
    """The given PostgreSQL server cannot be used."""

    code = "database_server"


class ServiceFailedError(Sen4capError, RuntimeError):
    """A service ended, or did not become healthy in time."""

    code = "service_failed"


class StackBusyError(ConflictError):
    """Another command works on the same stack."""

    code = "stack_busy"


class StackNotRunningError(Sen4capError, RuntimeError):
    """The stack is needed and does not run."""

    code = "stack_not_running"
