"""A small synthetic season that two catalogues of one fake hub supply, each for another satellite."""

from __future__ import annotations

from datetime import date
from typing import Any

from derived_season import Derived

from s4c_lib.catalog import source_usage
from s4c_lib.catalog.data_sources import add_source
from s4c_lib.synthetic.hub import Hub

PASSWORD = "a-password-nobody-may-see"
CONNECTION = "hub_account"
CONNECTIONS, SESSIONS = 2, 4
# What the season uses of what the hub has: the rest is neither asked for nor fetched.
USED = {"s2_l2a", "s1_amp", "s1_cohe"}
_LEVEL2 = {"s1_amp": "S1_L2_AMP", "s1_cohe": "S1_L2_COHE"}


def _params(hub: Hub, driver: str) -> dict[str, Any]:
    if driver == "dhus":
        return {"api_url": hub.dhus_url, "ask_online": True, "product_types": _LEVEL2}
    definition = hub.eodag_definition()
    more = {name: {"_collection": name, "product:type": name} for name in _LEVEL2.values()}
    return {"provider": "cop_dataspace", "definition": {**definition, "products": {**definition["products"], **more}}}


def from_hub(season: Derived, hub: Hub, drivers: dict[str, str]) -> None:
    """Let a season come from the hub alone; the sources are called after their satellites."""
    season.rows_changed("DELETE FROM s4c.data_source")
    with season.database.begin() as connection:
        for satellite, driver in drivers.items():
            add_source(
                connection,
                name=f"hub_{satellite}",
                satellites=(satellite,),
                driver=driver,
                params=_params(hub, driver),
                secret_ref=CONNECTION,
                max_connections=CONNECTIONS,
                quota={"orders": 50, "sessions": SESSIONS, "bytes_per_30_days": 10**9},
            )
    for satellite in drivers:
        season.set(f"downloader.{satellite}.write-dir", str(season.root / "downloads"))
    # this is about finding and fetching
    season.set("processor.l2a.optical.cog-tiffs", False)
    season.set("processor.l3b.lai.tiles_filter", ["01AAA"])


def put_on_tape(hub: Hub, *, polls: int) -> list[str]:
    """Put every fourth product on tape."""
    chosen = sorted(product.name.name for product in hub.products if product.name.kind in USED)[::4]
    for name in chosen:
        hub.faults.offline(name, polls=polls)
    return chosen


def settled(season: Derived) -> bool:
    """Whether every window was searched and every acquisition came to its end."""
    found = season.acquisitions()
    windows = season.rows("SELECT 1 FROM s4c.query_window WHERE in_span AND last_success IS NULL")
    return bool(found) and not windows and set(found.values()) <= {"processed", "aborted"}


def assert_all_is_there(season: Derived, hub: Hub, *, until: date) -> None:
    """Every product once, as it is served, and the hub's limits kept."""
    served = {product.name.name: product for product in hub.products if product.name.kind in USED}
    assert season.acquisitions() == dict.fromkeys(served, "processed")
    files = sorted(path.name for path in (season.root / "downloads").iterdir() if not path.name.startswith("."))
    assert files == sorted(product.file_name for product in served.values())
    for product in served.values():
        assert (season.root / "downloads" / product.file_name).read_bytes() == product.path.read_bytes()
    assert season.rows("SELECT 1 FROM s4c.acquisition WHERE lease_owner IS NOT NULL") == []
    ledger = hub.ledger()
    assert ledger["tokens_in_urls"] == 0
    assert ledger["most_downloads"] <= 2 * CONNECTIONS
    assert ledger["most_sessions"] <= SESSIONS
    with season.database.begin() as connection:
        received = sum(
            source_usage.bytes_in_days(connection, name, today=until, days=90) for name in ("hub_s1", "hub_s2")
        )
    assert received <= ledger["bytes_sent"]


def database_text(season: Derived) -> str:
    """Everything the database holds."""
    with season.database.begin() as connection:
        names = connection.exec_driver_sql(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 's4c' AND table_type = 'BASE TABLE'"
        ).scalars()
        return "\n".join(
            str(row[0])
            for name in sorted(names)
            for row in connection.exec_driver_sql(f"SELECT t::text FROM s4c.{name} t")
        )


def assert_nothing_secret(*texts: str) -> None:
    """No password, no token, no login header."""
    for text in texts:
        assert PASSWORD not in text
        assert "eyJ" not in text, "a token"
        assert "Basic " not in text
