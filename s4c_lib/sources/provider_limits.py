"""Limits that providers publish for their general users: what a new data source starts with, as data.

They are written into the data source when it is added and can be changed there; nothing reads them afterwards.
Source: operations.md §3.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """Transfers at a time and quota of a provider."""

    connections: int
    quota: Mapping[str, float] = field(default_factory=dict)


# By eodag's name of the provider, or by the driver that speaks to one only. As published for accounts without a
# contract; to be checked at deployment.
PUBLISHED: Mapping[str, ProviderLimits] = {
    "cop_dataspace": ProviderLimits(connections=4, quota={"bytes_per_30_days": 12e12, "sessions": 100}),
    # 20 000 downloads may be in preparation
    "usgs": ProviderLimits(connections=2, quota={"orders": 20_000}),
}
