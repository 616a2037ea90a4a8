"""ASF through asf_search, against a local server that speaks as CMR and the Earthdata login do."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from cmr_server import PASSWORD, TOKEN, USER, Asked, CmrServer, granule, serving
from shapely.geometry import box

from s4c_lib.errors import DatabaseUnavailableError, InputError, SourceError, SourceRefusedError, SourceThrottledError
from s4c_lib.sources.asf_catalogue import AsfCatalogue
from s4c_lib.sources.asf_session import host_of
from s4c_lib.sources.catalogue import CatalogueOptions, Checksum
from s4c_lib.sources.credentials import Credentials
from s4c_lib.sources.model import Candidate, Direction, Query, StorageState
from s4c_lib.sources.product_names import ProductKind, Satellite, product_name

NAME = "S1A_IW_SLC__1SDV_20240301T055730_20240301T055757_052788_066372_5D1F"
NEXT = "S1A_IW_SLC__1SDV_20240302T173200_20240302T173227_052810_066450_ABCD"
SITE = box(4.5, 50.5, 5.5, 51.0)
ACCOUNT = Credentials(USER, PASSWORD)
QUERY = Query(Satellite.SENTINEL1, frozenset({ProductKind.S1_SLC}), date(2024, 3, 1), date(2024, 3, 10), SITE)

# asf_search's own use of shapely.
pytestmark = pytest.mark.filterwarnings("ignore:The 'shapely.ops.transform:DeprecationWarning")

Open = Callable[..., AsfCatalogue]


@pytest.fixture
def cmr() -> Iterator[CmrServer]:
    with serving() as server:
        server.granules = [
            granule(NAME, "2024-03-01T05:57:30.000Z"),
            granule(NEXT, "2024-03-02T17:32:00.000Z", direction="ASCENDING"),
        ]
        yield server


@pytest.fixture
def opened(cmr: CmrServer) -> Iterator[Open]:
    made: list[AsfCatalogue] = []

    def open_one(credentials: Credentials | None = ACCOUNT, **options: Any) -> AsfCatalogue:
        params = {"host": cmr.url, "login_host": cmr.url}
        made.append(AsfCatalogue("ASF", "s1", params, credentials, CatalogueOptions(**options)))
        return made[-1]

    yield open_one
    for catalogue in made:
        catalogue.close()


def _first(catalogue: AsfCatalogue) -> Candidate:
    return catalogue.search(QUERY).candidates[0]


def test_search_fills_in_what_asf_knows(opened: Open) -> None:
    result = opened().search(QUERY)
    assert result.rejected == ()
    assert [item.name.name for item in result.candidates] == [NAME, NEXT]
    first, second = result.candidates
    assert first.size_bytes == 4467362145
    assert first.sensing_time == datetime(2024, 3, 1, 5, 57, 30, tzinfo=UTC)
    assert (first.relative_orbit, first.direction, second.direction) == (
        product_name(NAME).relative_orbit,
        Direction.DESCENDING,
        Direction.ASCENDING,
    )
    assert first.published_at == datetime(2024, 3, 2, 1, 2, 3, tzinfo=UTC)
    assert first.created == datetime(2024, 3, 1, 22, 10, tzinfo=UTC)
    assert first.footprint.equals(box(4.0, 50.0, 6.5, 51.7))
    assert first.storage_state is StorageState.ONLINE


def test_search_asks_for_what_the_query_says(opened: Open, cmr: CmrServer) -> None:
    opened().search(QUERY)
    (asked,) = cmr.asked
    assert asked.values("temporal") == ["2024-03-01T00:00:00Z,2024-03-10T23:59:59Z,"]
    assert set(asked.values("shortName")) >= {"SENTINEL-1A_SLC", "SENTINEL-1C_SLC"}
    assert "string,BEAM_MODE,IW" in asked.values("attribute[]")
    west, south, east, north = (float(text) for text in asked.values("bounding_box")[0].split(","))
    assert box(west, south, east, north).contains(SITE)
    assert "Authorization" not in asked.headers


def test_grd_is_asked_for_in_one_search(opened: Open, cmr: CmrServer) -> None:
    grd = frozenset({ProductKind.S1_GRD})
    assert opened().search(Query(QUERY.satellite, grd, QUERY.date_from, QUERY.date_to, SITE)).candidates == ()
    (asked,) = cmr.asked
    assert {"SENTINEL-1A_DP_GRD_HIGH", "SENTINEL-1A_SP_GRD_HIGH"} <= set(asked.values("shortName"))
    assert not any("SLC" in word for word in asked.values("shortName"))


def test_a_slanted_area_is_asked_for_with_room_for_great_circles(opened: Open, cmr: CmrServer) -> None:
    import shapely

    wide = shapely.Polygon([(-5, 48), (15, 48), (15, 52), (-4, 52)])
    opened().search(Query(QUERY.satellite, QUERY.kinds, QUERY.date_from, QUERY.date_to, wide))
    numbers = [float(text) for text in cmr.asked[0].values("polygon")[0].split(",")]
    sent = shapely.Polygon(list(zip(numbers[::2], numbers[1::2], strict=True)))
    # Half-way along the southern edge of 20 degrees the great circle runs about 0.44 degrees north of the parallel.
    assert sent.contains(wide)
    assert sent.exterior.distance(shapely.Point(5, 48)) > 0.43
    assert sent.exterior.is_ccw


def test_products_of_no_interest_are_told_apart(opened: Open, cmr: CmrServer) -> None:
    far = NAME.replace("20240301T0557", "20240303T0557")
    gone = NAME.replace("20240301T0557", "20240304T0557")
    away = ((20.0, 50.0), (22.0, 50.0), (22.0, 51.0), (20.0, 51.0))
    cmr.granules += [
        granule(far, "2024-03-03T05:57:30.000Z", corners=away),
        granule("SOMETHING_ELSE", "2024-03-03T05:57:30.000Z"),
        granule(gone, "2024-03-04T05:57:30.000Z"),
    ]
    del cmr.granules[-1]["umm"]["SpatialExtent"]["HorizontalSpatialDomain"]
    result = opened().search(QUERY)
    assert len(result.candidates) == 2
    assert {(item.path, item.code) for item in result.rejected} == {
        (far, "outside_site"),
        ("SOMETHING_ELSE", "not_a_product"),
        (gone, "no_footprint"),
    }


def test_all_pages_are_read_and_each_passes_the_gate(opened: Open, cmr: CmrServer) -> None:
    cmr.granules = [
        granule(f"S1A_IW_SLC__1SDV_20240301T{n:06d}_20240301T{n:06d}_052788_066372_{n:04X}", "2024-03-01T05:00:00.000Z")
        for n in [h * 10000 + m * 100 + s for h in range(1, 6) for m in range(10, 60, 10) for s in range(10, 22)]
    ]
    passed: list[float] = []
    result = opened(gate=lambda: passed.append(time.monotonic()), page_delay_seconds=0.05).search(QUERY)
    assert len(result.candidates) == 300
    assert len(passed) == len(cmr.asked) == 2
    assert passed[1] - passed[0] >= 0.05


def test_a_closed_gate_is_not_blamed_on_the_provider(opened: Open, cmr: CmrServer) -> None:
    def closed() -> None:
        raise DatabaseUnavailableError("no database")

    with pytest.raises(DatabaseUnavailableError):
        opened(gate=closed).search(QUERY)
    assert cmr.asked == []


def test_a_short_list_is_an_error_not_a_loss(opened: Open, cmr: CmrServer) -> None:
    cmr.uncounted = 3
    with pytest.raises(SourceError, match="listed fewer products than it counts"):
        opened().search(QUERY)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ((429, {"Retry-After": "41"}, '{"errors": ["slow down"]}'), SourceThrottledError),
        ((503, {"Retry-After": "41"}, "<html>busy</html>"), SourceThrottledError),
        ((500, {}, '{"errors": ["An Internal Error has occurred."]}'), SourceError),
        ((502, {}, "<html>Bad Gateway</html>"), SourceError),
        ((400, {}, '{"errors": ["Polygon is not closed"]}'), SourceError),
        ((401, {}, '{"errors": ["Token does not exist"]}'), SourceRefusedError),
        ((200, {}, "<html>maintenance</html>"), SourceError),
        ((200, {}, '{"hits": 1, "items": [{"umm": null}]}'), SourceError),
    ],
)
def test_faults_are_ours_at_once(
    opened: Open, cmr: CmrServer, failure: tuple[int, dict[str, str], str], expected: type[SourceError]
) -> None:
    cmr.failures = [failure]
    with pytest.raises(SourceError, match="ASF: cannot search") as caught:
        opened().search(QUERY)
    assert type(caught.value) is expected
    if isinstance(caught.value, SourceThrottledError):
        assert caught.value.retry_after == 41
    # asf_search itself would ask three times, with seconds in between.
    assert len(cmr.asked) == 1


def test_a_search_after_a_broken_one_begins_at_the_beginning(
    opened: Open, cmr: CmrServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cmr.granules = [
        granule(f"S1A_IW_SLC__1SDV_20240301T0{n:05d}_20240301T055757_052788_066372_{n:04X}", "2024-03-01T05:00:00.000Z")
        for n in [h * 10000 + m * 100 + s for h in range(1, 6) for m in range(10, 60, 10) for s in range(10, 22)]
    ]
    catalogue = opened()
    answer = cmr.answer

    def broken_on_the_second_page(asked: Asked) -> tuple[int, dict[str, str], str]:
        return (503, {}, "{}") if len(cmr.asked) == 1 and "CMR-Search-After" in asked.headers else answer(asked)

    monkeypatch.setattr(cmr, "answer", broken_on_the_second_page)
    with pytest.raises(SourceError):
        catalogue.search(QUERY)
    monkeypatch.undo()
    assert len(catalogue.search(QUERY).candidates) == 300


def test_find_knows_one_product_by_name(opened: Open, cmr: CmrServer) -> None:
    found = opened().find(product_name(NEXT))
    assert found is not None
    assert found.name.name == NEXT
    assert opened().find(product_name(NAME.replace("5D1F", "0000"))) is None
    assert opened().find(product_name("S2A_MSIL1C_20240301T105031_N0510_R051_T31UFS_20240301T125050")) is None
    assert len(cmr.asked) == 2


def test_address_and_token_go_to_asf_alone(opened: Open, cmr: CmrServer) -> None:
    catalogue = opened()
    candidate = _first(catalogue)
    assert TOKEN not in candidate.address
    download = catalogue.locate(candidate)
    assert download.url == f"https://datapool.asf.alaska.edu/SLC/SA/{NAME}.zip"
    assert download.file_name == f"{NAME}.zip"
    assert download.headers == {"Authorization": f"Bearer {TOKEN}"}
    assert download.checksum == Checksum("md5", "0cc175b9c0f1b6a831c399e269772661")
    assert download.size_bytes == 4467362145
    assert {"datapool.asf.alaska.edu", "sentinel1.asf.alaska.edu", "urs.earthdata.nasa.gov"} <= download.hosts
    assert not any("cloudfront" in host or "amazonaws" in host for host in download.hosts)
    assert TOKEN not in repr(download)


def test_login_happens_once_and_again_when_renewed(opened: Open, cmr: CmrServer) -> None:
    catalogue = opened()
    candidate = _first(catalogue)
    logins = lambda: [asked for asked in cmr.asked if asked.path == "/api/users/find_or_create_token"]  # noqa: E731
    assert logins() == []
    catalogue.locate(candidate)
    catalogue.locate(candidate)
    assert len(logins()) == 1
    cmr.token = "EDL-another-token-12345"
    assert catalogue.locate(candidate, renew=True).headers["Authorization"] == "Bearer EDL-another-token-12345"
    assert len(logins()) == 2
    assert all(PASSWORD not in asked.path and TOKEN not in asked.path for asked in cmr.asked)


@pytest.mark.parametrize("account", [Credentials(extra={"token": TOKEN}), Credentials(password=TOKEN)])
def test_a_token_of_the_user_needs_no_login(opened: Open, cmr: CmrServer, account: Credentials) -> None:
    catalogue = opened(account)
    candidate = _first(catalogue)
    asked = len(cmr.asked)
    assert catalogue.locate(candidate).headers == {"Authorization": f"Bearer {TOKEN}"}
    assert len(cmr.asked) == asked
    with pytest.raises(SourceRefusedError, match="token was refused"):
        catalogue.locate(candidate, renew=True)


def test_wrong_or_missing_accounts_are_refused_without_a_word_of_them(opened: Open) -> None:
    wrong = opened(Credentials(USER, "wrong-password-1"))
    candidate = _first(wrong)
    with pytest.raises(SourceRefusedError, match="cannot log in to Earthdata: HTTP 401") as caught:
        wrong.locate(candidate)
    assert "wrong-password-1" not in caught.value.one_line
    with pytest.raises(SourceRefusedError, match="no Earthdata account"):
        opened(None).locate(candidate)


def test_a_product_elsewhere_never_sees_the_token(opened: Open, cmr: CmrServer) -> None:
    for url in ("https://evil.example.org/x.zip", "https://asf.alaska.edu.example.org/x.zip", "ftp://a/b"):
        cmr.granules = [granule(NAME, "2024-03-01T05:57:30.000Z", url=url)]
        catalogue = opened()
        candidate = _first(catalogue)
        with pytest.raises(SourceError, match=r"not a host of ASF|no address"):
            catalogue.locate(candidate)


def test_missing_checksum_is_no_checksum(opened: Open, cmr: CmrServer) -> None:
    cmr.granules = [granule(NAME, "2024-03-01T05:57:30.000Z", md5=None)]
    catalogue = opened()
    assert catalogue.locate(_first(catalogue)).checksum is None


def test_nothing_is_ever_offline(opened: Open, cmr: CmrServer) -> None:
    catalogue = opened()
    candidates = catalogue.search(QUERY).candidates
    asked = len(cmr.asked)
    assert catalogue.order(candidates) == {}
    assert set(catalogue.storage_states(candidates).values()) == {StorageState.ONLINE}
    assert len(cmr.asked) == asked


def test_health_says_what_is_wrong_in_a_line(opened: Open, cmr: CmrServer) -> None:
    assert opened().health().ok
    assert opened(Credentials(extra={"token": TOKEN})).health().ok
    assert "no account" in opened(None).health().text
    assert opened(Credentials(USER, "wrong")).health().ok is False
    ended = opened(Credentials(extra={"token": "EDL-ended-000000"})).health()
    assert (ended.ok, "token is not taken" in ended.text, "EDL-ended" in ended.text) == (False, True, False)
    cmr.failures = [(500, {}, "{}")]
    report = opened().health()
    assert not report.ok
    assert "HTTP 500 from 127.0.0.1" in report.text
    assert "\n" not in report.text


def test_nothing_is_sent_at_construction_nor_at_the_end(cmr: CmrServer, opened: Open) -> None:
    opened().close()
    assert cmr.asked == []


def test_no_log_line_holds_a_secret(opened: Open, cmr: CmrServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        catalogue = opened()
        catalogue.locate(_first(catalogue))
        cmr.failures = [(500, {}, "{}")]
        with pytest.raises(SourceError):
            catalogue.search(QUERY)
        opened(Credentials(extra={"token": TOKEN})).health()
    assert caplog.records
    assert TOKEN not in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("host", ["", "https://", "ftp://host", "user:pass@host", "host/path", "host?x=1"])
def test_hosts_that_are_none_are_refused(host: str) -> None:
    with pytest.raises(InputError) as caught:
        host_of(host)
    assert "pass@" not in caught.value.one_line


def test_other_satellites_are_refused() -> None:
    with pytest.raises(InputError, match="Sentinel-1 only"):
        AsfCatalogue("ASF", "s2", {}, None, CatalogueOptions())


def test_importing_the_adapters_imports_no_library() -> None:
    script = (
        "import sys, s4c_lib.sources.asf_catalogue, s4c_lib.sources.dhus_catalogue, s4c_lib.sources.http_faults\n"
        "heavy = {'asf_search', 'sentinelsat', 'eodag', 'requests', 'urllib3', 'httpx'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
