"""Landsat from the USGS as a data source, from the command line: added, tried, examined."""

from __future__ import annotations

import json

from tests.cli.conftest import Run
from tests.sources.m2m_server import TOKEN, USER, serving


def test_landsat_is_added_and_tried(s4c: Run, environment: dict[str, str]) -> None:
    add = ("source", "add", "landsat", "--driver", "usgs", "--connection", "usgs_account")
    assert "has nothing of s2" in s4c(*add, "--satellite", "s2", code=2).err
    assert "--provider means nothing" in s4c(*add, "--satellite", "l8", "--provider", "usgs", code=2).err
    with serving() as m2m:
        environment["AIRFLOW_CONN_USGS_ACCOUNT"] = json.dumps(
            {"conn_type": "generic", "login": USER, "password": TOKEN}
        )
        (added,) = s4c(*add, "--satellite", "l8", "--url", m2m.api_url, "--json").json
        assert (added["driver"], added["mode"], added["quota"]) == ("usgs", "download", {"orders": 20_000})
        (tried,) = s4c("source", "test", "landsat", "--json").json
        assert tried["ok"]
        assert (m2m.endpoints, m2m.keys) == (["login-token", "permissions", "logout"], [])
        environment["AIRFLOW_CONN_USGS_ACCOUNT"] = json.dumps(
            {"conn_type": "generic", "login": USER, "password": "of the website"}
        )
        wrong = s4c("source", "test", "landsat", code=1)
        assert "application token" in " ".join((wrong.out + wrong.err).split())
        assert "of the website" not in wrong.out + wrong.err
