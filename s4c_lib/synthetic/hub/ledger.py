"""What was asked of the hub, so that a test can say whether quotas were kept."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

_SETTLED_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was answered, or broken off.

    Attributes
    ----------
    time : Unix seconds of its arrival.
    path : without the query.
    status : that was sent; 0 where the connection ended before.
    product : title.
    bytes_sent : of the body.
    fault : what the hub did to it on purpose, or ``client_gone``.
    failed : a status from 400, or an answer the hub broke on purpose.
    offence : a secret stood in the URL.
    """

    number: int
    time: float
    method: str
    path: str
    endpoint: str
    product: str | None
    status: int = 0
    account: str | None = None
    session: str | None = None
    bytes_sent: int = 0
    fault: str | None = None
    failed: bool = False
    offence: bool = False


class Ledger:
    """Requests in the order they ended, and connections; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._requests: list[Request] = []
        self._begun = 0
        self._connections = 0
        self._most_connections = 0

    def begin(self) -> int:
        """Number of a request that begins, counted from 1."""
        with self._lock:
            self._begun += 1
            return self._begun

    def end(self, request: Request) -> None:
        """Note a request that ended."""
        with self._lock:
            self._requests.append(request)
            self._lock.notify_all()

    def connected(self) -> None:
        """Count a connection that was opened."""
        with self._lock:
            self._connections += 1
            self._most_connections = max(self._most_connections, self._connections)

    def disconnected(self) -> None:
        """Count a connection that was closed."""
        with self._lock:
            self._connections -= 1

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request so far, by number.

        A client may have its answer before the hub has noted it: the requests under way are waited for, a moment only.
        """
        with self._lock:
            self._lock.wait_for(lambda: len(self._requests) == self._begun, timeout=_SETTLED_SECONDS)
            return tuple(sorted(self._requests, key=lambda request: request.number))

    def summary(self) -> dict[str, Any]:
        """Counts over all requests."""
        requests = self.requests
        failed = sum(request.failed for request in requests)
        return {
            "requests": len(requests),
            "failed": failed,
            "failed_share": failed / len(requests) if requests else 0.0,
            "bytes_sent": sum(request.bytes_sent for request in requests),
            "most_connections": self._most_connections,
            "tokens_in_urls": sum(request.offence for request in requests),
            "by_endpoint": _counts(request.endpoint for request in requests),
            "by_status": _counts(str(request.status) for request in requests),
            "by_fault": _counts(request.fault for request in requests if request.fault is not None),
        }


def _counts(names: Any) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
