"""Free TCP ports on this machine."""

from __future__ import annotations

import socket

LOCALHOST = "127.0.0.1"
_SEARCHED = 100


def is_free(port: int) -> bool:
    """Whether a service may listen on this port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Services set it too: a connection of a stopped service in TIME_WAIT does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            return False
        return True


def any_free() -> int:
    """A port nobody listens on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOCALHOST, 0))
        port: int = probe.getsockname()[1]
        return port


def next_free(preferred: int) -> int:
    """Return the preferred port, else the first free one above it, else any."""
    above = range(preferred, min(preferred + _SEARCHED, 65536))
    return next((port for port in above if is_free(port)), None) or any_free()
