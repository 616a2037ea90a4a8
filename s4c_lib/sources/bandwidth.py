"""A limit on bytes a second that all transfers of a process share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from s4c_lib.errors import InputError

_BURST_SECONDS = 0.5


class Bandwidth:
    """A token bucket: half a second's bytes may come at once, the mean stays at the limit.

    Parameters
    ----------
    bytes_per_second : limit of all users of this object together.
    clock, sleep : seconds; monotonic time and waiting.
    """

    def __init__(
        self,
        bytes_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not bytes_per_second > 0:
            raise InputError(
                f"a bandwidth of {bytes_per_second} bytes a second moves nothing", hint="give more than 0, or no limit"
            )
        self.bytes_per_second = float(bytes_per_second)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        # Moment at which everything taken so far is paid for.
        self._paid = clock() - _BURST_SECONDS

    @property
    def piece(self) -> int:
        """Bytes to take at a time so that no wait is long: a fifth of a second's, at least one."""
        return max(int(self.bytes_per_second / 5), 1)

    def take(self, count: int) -> float:
        """Wait until ``count`` more bytes are allowed; return the seconds waited."""
        with self._lock:
            now = self._clock()
            self._paid = max(self._paid, now - _BURST_SECONDS) + count / self.bytes_per_second
            wait = self._paid - now
        if wait <= 0:
            return 0.0
        self._sleep(wait)
        return wait
