"""What was taken from each source, by UTC day, and the logins in use: what its quotas are held against."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, text

from s4c_lib.catalog.source_state import lock_source
from s4c_lib.sources.quotas import QUOTAS

QUOTA_DAYS = 30


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """What a source name allows: the widest pool of its rows, the narrowest of each quota; None for no limit."""

    connections: int
    bytes_per_30_days: int | None = None
    orders: int | None = None
    requests_per_minute: float | None = None
    sessions: int | None = None
    bandwidth_bytes_per_second: int | None = None


def limits(connection: Connection, name: str) -> SourceLimits:
    """Return what a source name allows over all its rows."""
    statement = text("SELECT max_connections, quota FROM s4c.data_source WHERE name = :name ORDER BY id")
    rows = connection.execute(statement, {"name": name}).all()
    found: dict[str, float] = {}
    for row in rows:
        for key in QUOTAS:
            value = row.quota.get(key)
            if value is not None:
                found[key] = min(float(value), found.get(key, float(value)))
    whole = {key: value if key == "requests_per_minute" else int(value) for key, value in found.items()}
    return SourceLimits(max((row.max_connections for row in rows), default=0), **whole)  # type: ignore[arg-type]


def record(
    connection: Connection, name: str, *, day: date, requests: int = 0, bytes_received: int = 0, transfers: int = 0
) -> None:
    """Add to what was taken from a source on a UTC day; of transfers that failed too."""
    connection.execute(
        text(
            """
            INSERT INTO s4c.source_usage AS u (name, day, requests, bytes_received, transfers)
            VALUES (:name, :day, :requests, :bytes, :transfers)
            ON CONFLICT (name, day) DO UPDATE SET requests = u.requests + excluded.requests,
                bytes_received = u.bytes_received + excluded.bytes_received,
                transfers = u.transfers + excluded.transfers
            """
        ),
        {"name": name, "day": day, "requests": requests, "bytes": bytes_received, "transfers": transfers},
    )


def bytes_in_days(connection: Connection, name: str, *, today: date, days: int = QUOTA_DAYS) -> int:
    """Return the bytes received in the days that end with today."""
    statement = text(
        "SELECT coalesce(sum(bytes_received), 0)::bigint FROM s4c.source_usage "
        "WHERE name = :name AND day > :before AND day <= :today"
    )
    values = {"name": name, "before": today - timedelta(days=days), "today": today}
    return int(connection.execute(statement, values).scalar_one())


def above_quota(connection: Connection, name: str, *, now: datetime, coming: int, expected_bytes: int) -> str | None:
    """Return in one line that a product would exceed the quota of bytes of a source, or None.

    Parameters
    ----------
    coming : bytes of the transfers in progress.
    expected_bytes : of the product; 1 where it is not known.
    """
    quota = limits(connection, name).bytes_per_30_days
    if quota is None:
        return None
    used = bytes_in_days(connection, name, today=now.astimezone(UTC).date())
    if used + coming + expected_bytes <= quota:
        return None
    told = f"{name}: {_amount(used)} of its quota of {_amount(quota)} in {QUOTA_DAYS} days are used"
    more = [f"{_amount(coming)} are on their way"] if coming else []
    if expected_bytes > 1:
        more.append(f"the next product has {_amount(expected_bytes)}")
    return ", ".join([told, *more])


def _amount(count: int) -> str:
    """Write bytes in a unit in which they are not 0."""
    unit, symbol = next((one for one in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")) if count >= one[0]), (1e3, "kB"))
    return f"{count / unit:,.1f} {symbol}"


def requests_on(connection: Connection, name: str, day: date) -> int:
    """Return the requests of a UTC day."""
    statement = text(
        "SELECT coalesce(sum(requests), 0)::bigint FROM s4c.source_usage WHERE name = :name AND day = :day"
    )
    return int(connection.execute(statement, {"name": name, "day": day}).scalar_one())


def begin_session(connection: Connection, name: str, *, owner: str, now: datetime, lease_seconds: float) -> bool:
    """Take one of the logins a source allows (quota ``sessions``), or prolong the one taken.

    Returns
    -------
    whether there is one; an owner that dies loses it when the lease runs out.
    """
    lock_source(connection, name)
    connection.execute(
        text("DELETE FROM s4c.source_session WHERE name = :name AND until < :now"), {"name": name, "now": now}
    )
    others = connection.execute(
        text("SELECT count(*) FROM s4c.source_session WHERE name = :name AND owner <> :owner"),
        {"name": name, "owner": owner},
    ).scalar_one()
    most = limits(connection, name).sessions
    if most is not None and others >= most:
        return False
    connection.execute(
        text(
            "INSERT INTO s4c.source_session (name, owner, until) VALUES (:name, :owner, :until) "
            "ON CONFLICT (name, owner) DO UPDATE SET until = excluded.until"
        ),
        {"name": name, "owner": owner, "until": now + timedelta(seconds=lease_seconds)},
    )
    return True


def end_session(connection: Connection, name: str, *, owner: str) -> None:
    """Give a login back."""
    connection.execute(
        text("DELETE FROM s4c.source_session WHERE name = :name AND owner = :owner"), {"name": name, "owner": owner}
    )
