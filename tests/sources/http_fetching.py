"""Fetching from the product server, and what that leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from product_server import Hub

from s4c_lib.sources.http_transfer import fetch_http
from s4c_lib.sources.model import FetchResult
from s4c_lib.sources.product_names import product_name
from s4c_lib.sources.transfer_limits import TransferLimits

QUICK = TransferLimits(timeout_seconds=30, connect_seconds=5, stall_seconds=5)
ONE_TRY = TransferLimits(timeout_seconds=30, connect_seconds=5, stall_seconds=5, reconnects=0)
HALF = 80_000


def fetch(hub: Hub, target: Path, limits: TransferLimits = QUICK, **more: Any) -> FetchResult:
    return fetch_http(hub.locate, product_name(hub.served.file_name), target, limits, **more)


def parts(target: Path) -> list[str]:
    return sorted(path.name for path in (target / ".part").rglob("*")) if (target / ".part").is_dir() else []


def asked(hub: Hub) -> list[str | None]:
    """The range of each request."""
    return [headers.get("range") for _, headers in hub.served.requests]
