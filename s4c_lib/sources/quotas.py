"""What providers limit: the keys of a data source's quota, and how a value is read."""

from __future__ import annotations

import math
from collections.abc import Mapping

from s4c_lib.errors import InputError

QUOTAS: Mapping[str, str] = {
    "bytes_per_30_days": "bytes received in 30 days",
    "orders": "products ordered from tape at a time",
    "requests_per_minute": "requests in a minute",
    "sessions": "logins at a time",
    "bandwidth_bytes_per_second": "bytes a second, all transfers together",
}
_UNITS = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def parse_quota(text: str) -> tuple[str, float | int | None]:
    """Read ``KEY=VALUE``; a value may end in k, M, G or T, and an empty one removes the limit.

    Raises
    ------
    InputError : an unknown key, or no positive number.
    """
    key, _, value = text.partition("=")
    if not value.strip():
        checked_quota({key: 1})
        return key, None
    factor = _UNITS.get(value.strip()[-1], 1.0)
    digits = value.strip()[:-1] if factor != 1.0 else value.strip()
    try:
        number = float(digits) * factor
    except ValueError as error:
        raise InputError(
            f"{value!r} is no amount for the quota {key}.", hint="a number, perhaps with k, M, G or T: 12T"
        ) from error
    return key, checked_quota({key: number})[key]


def checked_quota(quota: Mapping[str, float]) -> dict[str, float | int]:
    """Return a quota with whole numbers where only whole ones make sense.

    Raises
    ------
    InputError : an unknown key, or a value that is not above zero or not whole.
    """
    checked: dict[str, float | int] = {}
    for key, value in sorted(quota.items()):
        if key not in QUOTAS:
            raise InputError(f"There is no quota {key!r}.", hint=f"choose from {', '.join(QUOTAS)}")
        if not math.isfinite(value) or value <= 0:
            raise InputError(f"The quota {key} must be above zero, not {value:g}.", hint=f"it counts {QUOTAS[key]}")
        whole = key != "requests_per_minute"
        if whole and value != int(value):
            raise InputError(f"The quota {key} must be a whole number, not {value:g}.", hint=f"it counts {QUOTAS[key]}")
        checked[key] = int(value) if value == int(value) else value
    return checked
