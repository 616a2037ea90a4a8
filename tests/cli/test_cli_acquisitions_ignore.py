"""``s4c acquisitions``: left out by hand and taken back, and the whole ledger as CSV."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

from domain_rows import make_acquisition, make_enabled, make_source
from sqlalchemy import Connection

from s4c_lib.catalog import products
from s4c_lib.catalog.database import Database
from tests.cli.conftest import Run


def _prepare(connection: Connection) -> tuple[int, int]:
    site, _ = make_enabled(connection)
    make_source(connection, Path("/archive"), satellites=("s2",))
    queued = make_acquisition(connection, site, "QUEUED", state="queued")
    done = make_acquisition(connection, site, "DONE", state="processing")
    return queued, done


def test_an_operator_leaves_acquisitions_out_and_takes_them_back(s4c: Run, database: Database) -> None:
    with database.begin() as connection:
        queued, done = _prepare(connection)
    refused = s4c("acquisitions", "ignore", queued, done, "--reason", "haze", code=1)
    assert "from processing to ignored" in refused.err
    assert s4c("acquisitions", "explain", queued, "--json").json["state"] == "queued", "all of them or none"
    assert "No reason" in s4c("acquisitions", "ignore", queued, "--reason", " ", code=2).err
    said = s4c("acquisitions", "ignore", queued, "--reason", "haze that no mask finds")
    assert f"{queued} QUEUED: was queued, is left out now" in said.out
    told = s4c("acquisitions", "explain", queued, "--json").json
    assert (told["state"], told["reason"]) == ("ignored", "by_hand")
    assert "haze that no mask finds" in told["happened"]
    s4c("acquisitions", "retry", queued)
    assert s4c("acquisitions", "explain", queued, "--json").json["state"] == "queued"


def test_the_ledger_as_csv_is_complete(s4c: Run, database: Database) -> None:
    with database.begin() as connection:
        _prepare(connection)
        site_id = connection.exec_driver_sql("SELECT id FROM s4c.site").scalar_one()
        connection.exec_driver_sql(
            "UPDATE s4c.site_acquisition SET relevance = 'ignored', reason = 'cloud' "
            f"WHERE site_id = {site_id} AND acquisition_id = (SELECT min(id) FROM s4c.acquisition)"
        )
    used = s4c("acquisitions", "list", "alpha", "2024", "--json").json
    rows = list(csv.DictReader(io.StringIO(s4c("acquisitions", "list", "alpha", "2024", "--all", "--csv").out)))
    assert [row["name"] for row in rows] == ["DONE", "QUEUED"]
    assert [item["name"] for item in used] == ["DONE"]
    assert {row["source"] for row in rows} == {"archive"}
    assert all(row["happened"] and row["next"] for row in rows)


def test_acquisitions_and_products_are_listed_by_tile_orbit_and_day(s4c: Run, database: Database) -> None:
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        early = make_acquisition(connection, site, "EARLY", sensed=datetime(2024, 5, 6, 10, tzinfo=UTC))
        make_acquisition(connection, site, "LATE", sensed=datetime(2024, 5, 7, 10, tzinfo=UTC), tiles=("31UGS",))
        connection.exec_driver_sql("UPDATE s4c.acquisition SET relative_orbit = 8 + (id - %s)", (early,))
        new = products.NewProduct(
            "l2a", "l2a", "P", "/p", datetime(2024, 5, 6, 10, tzinfo=UTC), "1", "h", tiles=("31UFS",)
        )
        products.register(connection, new, [site.id])

    def names(noun: str, *options: object) -> list[str]:
        season = ("2024",) if noun == "acquisitions" else ()
        return [one["name"] for one in s4c(noun, "list", "alpha", *season, *options, "--json").json]

    assert names("acquisitions", "--from", "2024-05-06", "--to", "2024-05-06") == ["EARLY"]
    assert names("acquisitions", "--from", "2024-05-07", "--to", "2030-01-01") == ["LATE"]
    assert names("acquisitions", "--tile", "t31ugs") == ["LATE"]
    assert names("acquisitions", "--orbit", "8", "--orbit", "77") == ["EARLY"]
    assert "no tile" in s4c("acquisitions", "list", "alpha", "2024", "--tile", "31U", code=2).err
    assert "no state, tile" in s4c("acquisitions", "list", "alpha", "2024", "--rejected", "--orbit", "8", code=2).err
    assert names("products", "--tile", "31UFS", "--from", "2024-05-06") == ["P"]
    assert (
        names("products", "--job", "1") == names("products", "--satellite", "s2") == names("products", "--orbit", "8")
    )
    assert "no satellite 'x'" in s4c("products", "list", "alpha", "--satellite", "x", code=2).err
