"""The hub's DHuS, asked by sentinelsat."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from hub_visitors import Visitor
from sentinelsat import SentinelAPI
from sentinelsat.exceptions import (
    InvalidKeyError,
    LTAError,
    LTATriggered,
    QuerySyntaxError,
    ServerError,
    UnauthorizedError,
)

from s4c_lib.errors import InputError
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.synthetic.hub import Hub, HubLimits
from s4c_lib.synthetic.hub.solr_query import moment, parse_query

SITE = "POLYGON((4.5 50.6,4.8 50.6,4.8 50.8,4.5 50.8,4.5 50.6))"
FAR = "POLYGON((14.5 50.6,14.8 50.6,14.8 50.8,14.5 50.8,14.5 50.6))"
NOW = datetime(2024, 3, 31, 15, 30, 20, tzinfo=UTC)

# sentinelsat 1.2 reads times with a function that Python 3.12 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcfromtimestamp:DeprecationWarning")


def client(hub: Hub, password: str = "password") -> SentinelAPI:
    return SentinelAPI("user", password, hub.dhus_url, show_progressbars=False, timeout=10)


def titles(hub: Hub, kind: ProductKind) -> set[str]:
    return {product.title for product in hub.products if product.name.kind is kind}


def found(api: SentinelAPI, *arguments: object, **keywords: object) -> set[str]:
    return {entry["title"] for entry in api.query(*arguments, **keywords).values()}


def test_searches_find_what_they_say(hub: Hub) -> None:
    api = client(hub)
    season = ("20240301", "20240401")
    l2a, slc = titles(hub, ProductKind.S2_L2A), titles(hub, ProductKind.S1_SLC)
    assert found(api, SITE, season, platformname="Sentinel-2", producttype="S2MSI2A") == l2a
    assert found(api, FAR, season, producttype="S2MSI2A") == set()
    assert found(api, SITE, ("20240401", None), producttype="S2MSI2A") == set()
    assert found(api, producttype={"SLC", "GRD"}) == slc | titles(hub, ProductKind.S1_GRD)
    assert found(api, relativeorbitnumber=51, producttype="S2MSI2A") == l2a
    assert found(api, cloudcoverpercentage=(0, 50), producttype="S2MSI2A") == {
        one.title for one in hub.products if one.title in l2a and (one.cloud_pct or 0) <= 50
    }
    assert found(api, filename="S1?_IW_SLC*") == slc
    assert found(api, raw="producttype:SLC AND NOT platformname:Sentinel-1") == set()
    assert found(api, raw="(producttype:SLC OR producttype:S2MSI2A) orbitdirection:ASCENDING") == slc
    assert found(api, tileid="31UFS", producttype="S2MSI2A", raw=f"identifier:{min(l2a)}") == {min(l2a)}
    assert api.count(producttype="SLC") == len(slc)


def test_pages_join_without_gap(make_hub: Callable[..., Hub]) -> None:
    with make_hub(limits=HubLimits(dhus_rows=7)) as hub:
        api = client(hub)
        api.page_size = 7
        everything = api.query(raw="*", order_by="-beginposition,identifier")
        assert {entry["title"] for entry in everything.values()} == {product.title for product in hub.products}
        begun = [entry["beginposition"] for entry in everything.values()]
        assert begun == sorted(begun, reverse=True)
        api.page_size = 8
        with pytest.raises(ServerError, match="maximum of 7"):
            api.query(raw="*")


def test_a_product_tells_size_checksum_and_state(hub: Hub) -> None:
    product = next(one for one in hub.products if one.name.kind is ProductKind.S2_L2A)
    told = client(hub).get_product_odata(product.id, full=True)
    assert (told["title"], told["size"], told["md5"].lower()) == (product.title, product.size_bytes, product.md5)
    assert told["Online"] is True
    assert told["relativeorbitnumber"] == 51
    assert told["date"] == product.start.replace(tzinfo=None)
    assert told["footprint"].startswith("POLYGON((5.95")
    with pytest.raises(InvalidKeyError):
        client(hub).get_product_odata("00000000-0000-0000-0000-000000000000")


def test_a_download_is_checked_by_sentinelsat(hub: Hub, tmp_path: Path) -> None:
    product = next(one for one in hub.products if one.name.kind is ProductKind.S1_GRD)
    got = client(hub).download(product.id, str(tmp_path))
    assert Path(got["path"]).read_bytes() == product.path.read_bytes()
    assert Path(got["path"]).name == product.file_name


def test_offline_products_are_retrieved_within_the_quota(make_hub: Callable[..., Hub], tmp_path: Path) -> None:
    with make_hub(limits=HubLimits(lta_quota=1)) as hub:
        api = client(hub)
        one, two = hub.products[:2]
        hub.faults.offline(one.title, polls=1)
        hub.faults.offline(two.title)
        assert not api.is_online(one.id)
        with pytest.raises(LTATriggered):
            api.download(one.id, str(tmp_path))
        with pytest.raises(LTAError, match="quota exceeded"):
            api.trigger_offline_retrieval(two.id)
        assert api.is_online(one.id)
        assert api.trigger_offline_retrieval(two.id)
        assert api.is_online(two.id)
        assert not api.trigger_offline_retrieval(two.id)


def test_wrong_passwords_and_queries_are_refused(hub: Hub) -> None:
    with pytest.raises(UnauthorizedError):
        client(hub, "wrong").query(producttype="SLC")
    for query in ("mood:good", "producttype:", "(producttype:SLC", "producttype:SLC)", "SLC", "tileid:[1 to"):
        with pytest.raises(QuerySyntaxError):
            client(hub).query(raw=query)
    with pytest.raises(QuerySyntaxError, match="NEVER"):
        client(hub).query(raw="beginposition:[NEVER TO NOW]")


def test_transfers_at_once_are_limited_as_dhus_says_it(make_hub: Callable[..., Hub]) -> None:
    with make_hub(limits=HubLimits(connection_limit=0)) as hub:
        address = f"{hub.dhus_url}odata/v1/Products('{hub.products[0].id}')/$value"
        answer = requests.get(address, auth=("user", "password"), timeout=10)
        assert answer.status_code == 403
        assert "Maximum number of 0 concurrent flows" in answer.headers["cause-message"]


def test_the_version_is_that_of_a_dhus(visitor: Visitor) -> None:
    assert client(visitor.hub).dhus_version == "2.4.1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NOW", NOW),
        ("NOW-1DAY", datetime(2024, 3, 30, 15, 30, 20, tzinfo=UTC)),
        ("NOW+2HOURS", datetime(2024, 3, 31, 17, 30, 20, tzinfo=UTC)),
        ("NOW/DAY", datetime(2024, 3, 31, tzinfo=UTC)),
        ("NOW-1DAY/MONTH", datetime(2024, 3, 1, tzinfo=UTC)),
        ("NOW/YEAR", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-03-01T10:00:00Z", datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("2024-03-01T10:00:00.500Z-30MINUTES", datetime(2024, 3, 1, 9, 30, 0, 500000, tzinfo=UTC)),
    ],
)
def test_times_are_reckoned_as_solr_does(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


def test_ranges_leave_their_ends_out_where_they_say_so() -> None:
    inside = parse_query("cloudcoverpercentage:{10 TO 20]", now=NOW)
    assert [inside(lambda field, value=value: value) for value in (10, 11, 20, 21, None)] == [
        False,
        True,
        True,
        False,
        False,
    ]
    with pytest.raises(InputError, match="cloudcoverpercentage"):
        parse_query("cloudcoverpercentage:[low TO 20]", now=NOW)
