"""What a transfer over the network must keep to, and the count of what it cost."""

from __future__ import annotations

from dataclasses import dataclass

from s4c_lib.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferLimits:
    """Limits of one transfer.

    Attributes
    ----------
    timeout_seconds : longest the whole transfer may take (``downloader.timeout``).
    connect_seconds : longest wait for a connection.
    stall_seconds : longest wait for the next byte, the first of an answer included: some hubs pack the product first.
    slowest_bytes_per_second : least mean speed over each ``slow_window_seconds``; waiting for our own bandwidth limit
        does not count. 0 takes any speed.
    reconnects : how often a connection that broke off after bringing bytes is continued at once.
    """

    timeout_seconds: float = 9000.0
    connect_seconds: float = 30.0
    stall_seconds: float = 120.0
    slowest_bytes_per_second: float = 10_000.0
    slow_window_seconds: float = 60.0
    reconnects: int = 2

    def __post_init__(self) -> None:
        for name in ("timeout_seconds", "connect_seconds", "stall_seconds", "slow_window_seconds"):
            value = getattr(self, name)
            if not value > 0:
                raise InputError(f"{name} of a transfer is {value}", hint="give more than 0 seconds")


@dataclass(slots=True)
class Meter:
    """Requests made and bytes of bodies received, of failed transfers as well; counts on over several of them."""

    requests: int = 0
    bytes_received: int = 0


class Pace:
    """Whether a transfer is too slow to be worth a connection.

    Parameters
    ----------
    began : seconds of the caller's clock.
    """

    def __init__(self, limits: TransferLimits, began: float) -> None:
        self._limits = limits
        self._mark = began
        self._bytes = 0
        self._held = 0.0

    def too_slow(self, now: float, count: int, held: float = 0.0) -> float | None:
        """Note ``count`` bytes and ``held`` seconds of our own waiting; return the speed (bytes/s) if it is too low."""
        self._bytes += count
        self._held += held
        seconds = now - self._mark - self._held
        if seconds < self._limits.slow_window_seconds:
            return None
        speed = self._bytes / seconds
        self._mark, self._bytes, self._held = now, 0, 0.0
        return speed if speed < self._limits.slowest_bytes_per_second else None
