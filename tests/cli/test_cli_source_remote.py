"""Catalogues elsewhere as data sources, from the command line: added, changed, tried, examined by doctor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from s4c_lib.catalog import source_state, source_usage, transfers
from s4c_lib.catalog.database import Database
from s4c_lib.errors import SourceRefusedError, SourceThrottledError
from s4c_lib.synthetic.archive import ArchiveSummary
from s4c_lib.synthetic.hub import Hub
from tests.cli import airflow_hub
from tests.cli.conftest import Run

USER, PASSWORD = "farmer", "a/secret:wörd"
ACCOUNT = json.dumps({"conn_type": "generic", "login": USER, "password": PASSWORD})
CDSE = ("source", "add", "cdse", "--driver", "eodag", "--provider", "cop_dataspace")
S2 = ("--satellite", "s2")

# sentinelsat reads OData times in a way that later Pythons announce to end.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcfromtimestamp:DeprecationWarning")


@pytest.fixture(scope="module")
def hub(small_archive: ArchiveSummary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    cache = tmp_path_factory.mktemp("cli_hub")
    with Hub(small_archive.root, seed=1, accounts={USER: PASSWORD}, cache=cache) as hub:
        yield hub


@pytest.fixture
def definition(hub: Hub, folder: Path) -> Path:
    path = folder / "provider.yml"
    path.write_text(yaml.safe_dump({"cop_dataspace": hub.eodag_definition()}))
    return path


@pytest.fixture
def remote(s4c: Run, definition: Path, environment: dict[str, str]) -> str:
    """The fake hub as the Copernicus Data Space, with its account in the environment."""
    environment["AIRFLOW_CONN_CDSE_ACCOUNT"] = ACCOUNT
    s4c(*CDSE, *S2, "--satellite", "s1", "--definition", definition, "--connection", "cdse_account")
    return "cdse"


def doctor(s4c: Run) -> dict[str, Any]:
    return {item["check"]: item for item in s4c("doctor", "--json", code=None).json}


def test_a_provider_comes_with_the_limits_it_publishes(s4c: Run) -> None:
    added = s4c(*CDSE, *S2, "--satellite", "s1", "--connection", "cdse_account", "--json")
    assert {(item["driver"], item["provider"], item["mode"], item["connection"]) for item in added.json} == {
        ("eodag", "cop_dataspace", "download", "cdse_account")
    }
    assert {item["connections"] for item in added.json} == {4}
    assert {item["quota"]["bytes_per_30_days"] for item in added.json} == {12_000_000_000_000}
    assert "s4c source test cdse" in added.err
    # the account is nowhere yet: how to make it for the DAGs and for here
    assert "AIRFLOW_CONN_CDSE_ACCOUNT=" in added.err
    assert "airflow connections add cdse_account" in added.err
    assert "here. For the command line set" in " ".join(added.err.split())
    changed = s4c("source", "set", "cdse", "--quota", "bytes_per_30_days=24T", "--quota", "sessions=", "--json").json
    assert [item["quota"] for item in changed] == [{"bytes_per_30_days": 24_000_000_000_000}] * 2
    assert "0 bytes of 24.0 TB" in s4c("source", "list").out


def test_a_local_archive_needs_no_more_than_before(s4c: Run, small_archive: ArchiveSummary) -> None:
    (item,) = s4c("source", "add", "archive", *S2, "--root", small_archive.root, "--json").json
    assert (item["driver"], item["mode"], item["connections"], item["quota"]) == ("local", "symlink", 2, {})
    assert item["circuit"] is item["bytes_30_days"] is None


WRONG: list[tuple[tuple[str, ...], str]] = [
    ((), "--root FOLDER; for a catalogue --driver eodag"),
    (("--driver", "eodag"), "--provider cop_dataspace"),
    (("--driver", "eodag", "--provider", "cop_datspace"), "near it: cop_dataspace"),
    (("--driver", "eodag", "--provider", "usgs_satapi_aws"), "has no products of s2"),
    (("--driver", "eodag", "--provider", "geodes", "--url", "http://x"), "--url means nothing"),
    (("--driver", "eodag", "--provider", "geodes", "--definition", "nowhere.yml"), "nowhere.yml cannot be read"),
    (("--driver", "eodag", "--provider", "geodes", "--collection", "s2=X"), "no kind of product"),
    (("--driver", "eodag", "--provider", "geodes", "--root", "/x"), "mean nothing to the driver eodag"),
    (("--driver", "asf"), "nothing of s2"),
    (("--driver", "dhus"), "--url https://HOST/dhus"),
    (("--driver", "dhus", "--url", "ftp://x/dhus"), "no address of the web"),
    (("--driver", "dhus", "--url", "https://me:hidden@x/dhus"), "holds an account"),
    (("--driver", "dhus", "--url", "https://x/dhus", "--param", "speed=9"), "understands ask_online=true"),
    (("--driver", "dhus", "--url", "https://x/dhus", "--search-only", "--fetch-only"), "exclude each other"),
    (("--driver", "dhus", "--url", "https://x/dhus", "--quota", "stars=5"), "no quota 'stars'"),
    (("--driver", "dhus", "--url", "https://x/dhus", "--quota", "orders=-1"), "above zero"),
    (("--driver", "dhus", "--url", "https://x/dhus", "--quota", "orders=many"), "no amount"),
    (("--root", "/x", "--connection", "account"), "needs no account"),
]


def test_what_cannot_work_is_refused_with_what_to_do(s4c: Run) -> None:
    for options, said in WRONG:
        answer = s4c("source", "add", "wrong", *S2, *options, code=2)
        assert said in " ".join(answer.err.split()), options
        assert "hidden" not in answer.err + answer.out
    assert s4c("source", "list", "--json").json == []


UNUSABLE = [
    ("search: [", "is no YAML, line 1"),
    ("- a\n- b\n", "does not describe a provider"),
    ("auth:\n  credentials:\n    username: me\n    password: hidden\n", "holds credentials"),
    ("download:\n  base_uri: https://me:hidden@host/\n", "holds an account"),
    ("auth:\n  req_data:\n    client_secret: hidden\n", "auth.req_data.client_secret holds a secret"),
    ("auth:\n  type: HttpHeaderAuth\n", "which eodag has not. (take HTTPHeaderAuth"),
    ("download:\n  type: HTTPDownloader\n", "names the plugin HTTPDownloader in download"),
    (
        "search:\n  api_endpoin: https://host/search\n",
        "search.api_endpoin, which eodag does not read. (it is spelt api_end",
    ),
    ("products:\n  S2_MSI_L2A:\n    collection: S2\n", "products.S2_MSI_L2A.collection, which eodag does not read"),
    ("serach:\n  type: StacSearch\n", "has the key serach"),
]


def test_a_definition_that_cannot_be_stored_is_refused(s4c: Run, folder: Path) -> None:
    path = folder / "provider.yml"
    for content, said in UNUSABLE:
        path.write_text(content)
        answer = s4c(*CDSE, *S2, "--definition", path, code=2)
        assert said in " ".join(answer.err.split())
        assert "hidden" not in answer.err + answer.out
    assert s4c("source", "list", "--json").json == []


def test_a_source_is_tried_with_its_account(s4c: Run, remote: str, hub: Hub, environment: dict[str, str]) -> None:
    before = hub.ledger()["requests"]
    (tried,) = s4c("source", "test", remote, "--json").json
    assert tried["ok"]
    asked = hub.ledger()["requests"] - before
    assert 0 < asked < 8
    # no login is left behind
    assert hub.ledger()["open_sessions"] == 0
    environment["AIRFLOW_CONN_CDSE_ACCOUNT"] = f"generic://{USER}:not-{PASSWORD.replace('/', '%2F')}@"
    wrong = s4c("source", "test", remote, code=1)
    assert "cop_dataspace" in wrong.out or "cdse" in wrong.out
    assert PASSWORD not in wrong.out + wrong.err
    environment["AIRFLOW_CONN_CDSE_ACCOUNT"] = '{"login": "hidden'
    assert "neither a URI nor JSON" in (broken := s4c("source", "test", remote, code=1)).out
    assert "hidden" not in broken.out + broken.err
    del environment["AIRFLOW_CONN_CDSE_ACCOUNT"]
    assert "AIRFLOW_CONN_CDSE_ACCOUNT" in s4c("source", "test", remote, code=2).err


def test_an_account_that_only_airflow_has_is_said_to_be_there(
    airflow: airflow_hub.Hub, s4c: Run, remote: str, environment: dict[str, str]
) -> None:
    del environment["AIRFLOW_CONN_CDSE_ACCOUNT"]
    nowhere = s4c("source", "test", remote, code=2).err
    assert "airflow connections add cdse_account" in nowhere
    airflow.connections.add("cdse_account")
    elsewhere = s4c("source", "test", remote, code=2).err
    assert "Airflow has the connection 'cdse_account', so its DAGs get it" in elsewhere
    assert "AIRFLOW_CONN_CDSE_ACCOUNT=" in elsewhere
    assert "connections add" not in elsewhere


def test_status_names_sources_that_are_left_alone_or_used_up(
    s4c: Run, season: tuple[str, str], remote: str, database_url: str
) -> None:
    assert not [line for line in s4c("status", "--json").json["problems"] if line.startswith("source ")]
    now = datetime.now(UTC)
    with Database(database_url).begin() as connection:
        source_usage.record(connection, remote, day=now.date(), bytes_received=12_000_000_000_000)
        refused = SourceRefusedError("cdse answers 401 Unauthorized")
        source_state.record_fault(connection, remote, refused, circuit_minutes=15, now=now)
    left_alone, used_up = (line for line in s4c("status", "--json").json["problems"] if line.startswith("source cdse"))
    assert "401 Unauthorized" in left_alone
    assert "s4c source test cdse" in left_alone
    assert "12.0 TB of its quota of 12.0 TB" in used_up
    assert doctor(s4c)["source cdse"]["verdict"] == "limited"


def test_a_run_that_no_source_gives_an_account_to_has_failed(
    s4c: Run, site: str, remote: str, environment: dict[str, str], folder: Path
) -> None:
    """Its products were found before; each step of the run does what it can, and nothing comes."""
    season = (site, "2024")
    s4c("season", "add", *season, "2024-03-01", "2024-03-31")
    s4c("config", "set", "s1.enabled", "false")
    s4c("config", "set", "storage.min_free_gb", "0")
    s4c("config", "set", "downloader.s2.write-dir", folder / "downloads")
    s4c("site", "enable", site)
    s4c("source", "set", remote, "--no-fetch")
    s4c("ingest", *season)
    s4c("source", "set", remote, "--fetch")
    del environment["AIRFLOW_CONN_CDSE_ACCOUNT"]
    failed = s4c("ingest", *season, code=1)
    assert "acquisitions are not fetched: cdse: There is no account 'cdse_account'" in failed.err
    (job,) = s4c("jobs", "list", "--state", "failed", "--json").json
    assert job["reason"] == "not_fetched"
    known = s4c("acquisitions", "list", *season, "--json").json
    assert {item["state"] for item in known} == {"queued"}
    assert {item["attempts"] for item in known} == {0}


def test_the_account_is_nowhere_but_in_the_environment(s4c: Run, remote: str, database_url: str) -> None:
    s4c("source", "test", remote)
    with Database(database_url).begin() as connection:
        tables = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 's4c'")).scalars()
        for table in tables.all():
            rows = connection.execute(text(f"SELECT row_to_json(t)::text FROM s4c.{table} t")).scalars().all()
            assert not [row for row in rows if PASSWORD in row or "wörd" in row or USER in row], table


def test_a_server_of_dhus_is_tried(s4c: Run, hub: Hub, environment: dict[str, str]) -> None:
    environment["AIRFLOW_CONN_MIRROR"] = ACCOUNT
    mirror = ("--driver", "dhus", "--url", hub.dhus_url, "--connection", "mirror", "--param", "ask_online=true")
    added = s4c("source", "add", "mirror", *S2, *mirror, "--collection", "muscate_l2a=S2MSI2A_MUSCATE", "--json")
    assert added.json[0]["provider"] == hub.dhus_url
    assert s4c("source", "test", "mirror", "--json").json[0]["ok"]
    s4c("source", "add", "away", *S2, "--driver", "dhus", "--url", "http://127.0.0.1:9/dhus", "--fetch-only")
    away = s4c("source", "test", "away", code=1)
    assert "no" in away.out


def test_how_it_stands_is_listed_and_a_test_that_succeeds_lets_transfers_go_on(
    s4c: Run, remote: str, database_url: str
) -> None:
    now = datetime.now(UTC)
    database = Database(database_url)
    with database.begin() as connection:
        source_usage.record(connection, remote, day=now.date(), bytes_received=3_000_000_000_000, requests=7)
        refused = SourceRefusedError("cdse answers 401 Unauthorized")
        source_state.record_fault(connection, remote, refused, circuit_minutes=15, now=now)
    shown = s4c("source", "list").out
    assert "3.0 TB of 12.0 TB" in shown
    assert "401 Unauthorized" in shown
    (listed, _) = s4c("source", "list", "--json").json
    assert (listed["bytes_30_days"], listed["requests_today"]) == (3_000_000_000_000, 7)
    s4c("source", "test", remote)
    with database.begin() as connection:
        assert transfers.held_back(connection, remote, now) is None
    answered, refusal = s4c("source", "events", remote, "--json").json
    assert (refusal["opened"], refusal["reason"], answered["opened"]) == (True, "refused", False)
    assert "401 Unauthorized" in refusal["error"]
    assert "401 Unauthorized" not in s4c("source", "events", remote, "--limit", "1").out.splitlines()[0]
    # one that asked to wait is not asked before its time
    with database.begin() as connection:
        waiting = SourceThrottledError("cdse answers 429", retry_after=600)
        source_state.record_fault(connection, remote, waiting, circuit_minutes=15, now=now)
    assert "429" in s4c("source", "test", remote, code=1).out
    with database.begin() as connection:
        assert transfers.held_back(connection, remote, now + timedelta(seconds=500)) is not None


def test_doctor_asks_each_source_once(
    airflow: airflow_hub.Hub, s4c: Run, season: tuple[str, str], remote: str, hub: Hub, environment: dict[str, str]
) -> None:
    before = hub.ledger()["requests"]
    found = doctor(s4c)
    assert found["source cdse"]["verdict"] == "ok", found["source cdse"]
    once = hub.ledger()["requests"] - before
    s4c("source", "test", remote)
    assert hub.ledger()["requests"] - before == 2 * once
    environment["AIRFLOW_CONN_CDSE_ACCOUNT"] = json.dumps({"login": USER, "password": "other"})
    wrong = doctor(s4c)["source cdse"]
    assert wrong["verdict"] == "BROKEN"
    assert "'cdse_account'" in wrong["do"]
    del environment["AIRFLOW_CONN_CDSE_ACCOUNT"]
    missing = doctor(s4c)["source cdse"]
    assert missing["verdict"] == "BROKEN"
    assert "airflow connections add cdse_account" in missing["do"]
    airflow.connections.add("cdse_account")
    elsewhere = doctor(s4c)["source cdse"]
    assert elsewhere["verdict"] == "limited"
    assert "Airflow has the connection" in elsewhere["what"]
    s4c("source", "set", remote, "--no-fetch")
    lacking = [item["what"] for item in s4c("doctor", "--json", code=1).json if item["check"] == "site test_land"]
    assert sum("nothing of it is fetched" in what for what in lacking) == 2


def test_doctor_does_not_wait_for_ever(
    airflow: airflow_hub.Hub, s4c: Run, season: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    from s4c_lib.cli import checks_sources

    monkeypatch.setattr(checks_sources, "SECONDS_EACH", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/dhus"
        s4c("source", "add", "silent", *S2, "--driver", "dhus", "--url", url)
        found = doctor(s4c)["source silent"]
    assert found["verdict"] == "BROKEN"
