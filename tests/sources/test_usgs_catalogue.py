"""Landsat from the USGS, against a local server that speaks as its machine-to-machine interface does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import box, shape

from s4c_lib.errors import (
    DatabaseUnavailableError,
    InputError,
    ProductCorruptError,
    ProductGoneError,
    ProductOfflineError,
    SourceError,
)
from s4c_lib.readers.recognise import read_scene
from s4c_lib.sources import usgs_catalogue
from s4c_lib.sources.catalogue import CatalogueOptions, Download
from s4c_lib.sources.http_transfer import fetch_http
from s4c_lib.sources.model import Candidate, Query, StorageState
from s4c_lib.sources.opening import open_catalogue
from s4c_lib.sources.product_names import ProductKind, Satellite, product_name
from s4c_lib.sources.source_spec import SourceSpec
from s4c_lib.sources.usgs_catalogue import UsgsCatalogue
from tests.readers.optical_products import LANDSAT_NAME
from tests.sources.m2m_server import PATH, SECOND_LEVEL, M2mServer, Scene
from tests.sources.usgs_cases import ACCOUNT, NEXT, QUERY, QUICK, SITE, Open, bundle, fetch, first, m2m, opened

__all__ = ["bundle", "m2m", "opened"]


def test_search_fills_in_what_the_usgs_knows(opened: Open, bundle: bytes) -> None:
    result = opened().search(QUERY)
    assert result.rejected == ()
    assert [item.name.name for item in result.candidates] == [LANDSAT_NAME, NEXT]
    first, second = result.candidates
    assert first.sensing_time == datetime(2022, 6, 5, 10, 31, 55, 123456, tzinfo=UTC)
    assert second.sensing_time == datetime(2022, 6, 21, 10, 31, 58, tzinfo=UTC)
    assert (first.cloud_pct, second.cloud_pct) == (12.5, None)
    assert (first.tiles, first.size_bytes) == (("197024",), len(bundle))
    assert first.footprint.equals(box(4.0, 50.0, 6.5, 51.7))
    assert first.published_at == datetime(2022, 6, 7, 9, 12, 33, tzinfo=UTC)
    assert second.published_at is None
    assert {item.storage_state for item in result.candidates} == {StorageState.ONLINE}


def test_search_asks_for_what_the_query_says(opened: Open, m2m: M2mServer) -> None:
    opened().search(QUERY)
    (asked,) = m2m.payloads("scene-search")
    assert asked["datasetName"] == SECOND_LEVEL
    assert shape(asked["sceneFilter"]["spatialFilter"]["geoJson"]).contains(SITE)
    assert asked["sceneFilter"]["cloudCoverFilter"] == {"min": 0, "max": 100, "includeUnknown": True}
    kinds = frozenset({ProductKind.LANDSAT_L1, ProductKind.S2_L2A})
    opened().search(Query(Satellite.LANDSAT8, kinds, QUERY.date_from, QUERY.date_to))
    last = m2m.payloads("scene-search")[-1]
    assert last["datasetName"] == "landsat_ot_c2_l1"
    assert "spatialFilter" not in last["sceneFilter"]


def test_products_of_no_interest_are_told_apart(opened: Open, m2m: M2mServer) -> None:
    m2m.scenes += [
        Scene(NEXT.replace("197024", "197025"), "LC91970252022172LGN01", area=(4.0, 50.0, 4.6, 50.4)),
        Scene("LE07_L2SP_197024_20220611_20220612_02_T1", "LE71970242022162EDC00"),
        Scene(NEXT.replace("_L2SP_", "_L2SR_"), "LC91970242022172LGN02"),
        Scene(LANDSAT_NAME.replace("20220605", "20220531"), "LC91970242022151LGN00"),
    ]
    result = opened().search(QUERY)
    assert [item.name.name for item in result.candidates] == [LANDSAT_NAME, NEXT]
    assert [(item.path, item.code) for item in result.rejected] == [(m2m.scenes[4].name, "not_a_product")]


def test_all_pages_are_read_and_each_passes_the_gate(opened: Open, m2m: M2mServer) -> None:
    m2m.scenes = [
        Scene(LANDSAT_NAME.replace("197024", f"1970{row:02d}"), f"LC91970{row:02d}2022156LGN01")
        for row in range(20, 25)
    ]
    passed: list[int] = []
    result = opened(page_size=2, gate=lambda: passed.append(1)).search(QUERY)
    assert len(result.candidates) == 5
    assert [item["startingNumber"] for item in m2m.payloads("scene-search")] == [1, 3, 5]
    assert len(passed) == len(m2m.asked)


def test_a_short_list_is_an_error_not_a_loss(opened: Open, m2m: M2mServer) -> None:
    m2m.unlisted = 3
    with pytest.raises(SourceError, match="3 of 6 scenes were listed"):
        opened().search(QUERY)


def test_what_is_too_much_for_one_search_is_asked_in_parts(
    opened: Open, m2m: M2mServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usgs_catalogue, "MOST_LISTED", 2)
    assert [item.name.name for item in opened().search(QUERY).candidates] == [LANDSAT_NAME, NEXT]
    assert len(m2m.payloads("scene-search")) == 3
    m2m.unlisted = 50_000
    with pytest.raises(SourceError, match="on one day"):
        opened().search(QUERY)


def test_a_closed_gate_is_not_blamed_on_the_provider(opened: Open, m2m: M2mServer) -> None:
    def closed() -> None:
        raise DatabaseUnavailableError("no database")

    with pytest.raises(DatabaseUnavailableError):
        opened(gate=closed).search(QUERY)
    assert m2m.asked == []


def test_a_product_is_found_by_its_name(opened: Open, m2m: M2mServer) -> None:
    catalogue = opened()
    found = catalogue.find(product_name(NEXT))
    assert found is not None
    assert found == catalogue.search(QUERY).candidates[1]
    assert catalogue.find(product_name(NEXT.replace("197024", "001001"))) is None
    asked = len(m2m.asked)
    assert catalogue.find(product_name("LC08_L2A_197024_20170613_20170617_01_T1")) is None
    assert catalogue.find(product_name("S2A_MSIL2A_20200205T100211_N0214_R122_T33UVQ_20200205T114355")) is None
    assert len(m2m.asked) == asked


def test_from_the_search_to_an_open_product(opened: Open, m2m: M2mServer, bundle: bytes, tmp_path: Path) -> None:
    """Searched, fetched, checked and read, with nothing secret left behind in files."""
    result = fetch(opened(), tmp_path)
    assert result.path == tmp_path / f"{LANDSAT_NAME}.tar"
    assert (result.path.read_bytes(), result.warnings) == (bundle, ())
    scene = read_scene(result.path)
    assert (scene.name, scene.tile, scene.platform) == (LANDSAT_NAME, "197024", "landsat-9")
    assert len(m2m.fetched) == 1
    assert not {"X-Auth-Token", "Authorization"} & {key for _, headers in m2m.fetched for key in headers}


def test_an_address_that_has_expired_is_asked_for_again(opened: Open, m2m: M2mServer, tmp_path: Path) -> None:
    catalogue = opened()
    candidate = first(catalogue)

    def locate(renew: bool) -> Download:
        download = catalogue.locate(candidate, renew=renew)
        m2m.signatures += not renew
        return download

    assert fetch_http(locate, candidate.name, tmp_path, QUICK).path.is_file()
    assert len(m2m.fetched) == 2


def test_bytes_that_are_not_those_stated_are_refused(opened: Open, m2m: M2mServer, tmp_path: Path) -> None:
    catalogue = opened()
    candidate = first(catalogue)

    def locate(renew: bool) -> Download:
        download = catalogue.locate(candidate, renew=renew)
        m2m.scenes[0].bundle = m2m.scenes[0].bundle.replace(b"LANDSAT_9", b"LANDSAT_8")
        return download

    with pytest.raises(ProductCorruptError, match="sha256"):
        fetch_http(locate, candidate.name, tmp_path, QUICK)


def test_a_bundle_cut_short_is_refused_where_no_checksum_is_stated(
    opened: Open, m2m: M2mServer, tmp_path: Path
) -> None:
    m2m.checksums = False
    m2m.scenes[0].bundle = m2m.scenes[0].bundle[:-20_000]
    with pytest.raises(ProductCorruptError):
        fetch(opened(), tmp_path)
    assert not list(tmp_path.glob("*.tar"))


def test_a_bundle_in_preparation_is_waited_for(opened: Open, m2m: M2mServer, tmp_path: Path) -> None:
    m2m.scenes[0].prepared = False
    catalogue = opened()
    candidate = first(catalogue)
    assert candidate.storage_state is StorageState.ONLINE
    with pytest.raises(ProductOfflineError, match="being prepared"):
        catalogue.locate(candidate)
    assert catalogue.order([candidate]) == {}
    assert catalogue.storage_states([candidate]) == {LANDSAT_NAME: StorageState.OFFLINE}
    assert len(m2m.queue) == 1
    m2m.scenes[0].prepared = True
    # another process asks
    later = opened()
    assert later.storage_states([candidate]) == {LANDSAT_NAME: StorageState.ONLINE}
    assert fetch(later, tmp_path).path.is_file()


def test_a_bundle_that_is_ready_by_now_needs_no_second_try(opened: Open, m2m: M2mServer) -> None:
    m2m.scenes[0].prepared = False
    catalogue = opened()
    candidate = first(catalogue)
    answer = m2m.answer

    def slow(asked: Any) -> Any:
        said = answer(asked)
        m2m.scenes[0].prepared = asked.endpoint == "download-request"
        return said

    m2m.answer = slow  # type: ignore[method-assign]
    assert catalogue.locate(candidate).url.endswith(m2m.signature)


def test_a_bundle_packed_on_demand_stands_in_for_one_that_is_gone(opened: Open, m2m: M2mServer) -> None:
    m2m.scenes[0].systems = {"ls_zip": True, "dds_ms": False}
    catalogue = opened()
    catalogue.locate(first(catalogue))
    m2m.scenes[0].systems = {"ls_zip": True, "dds_ms": True}
    catalogue.locate(first(catalogue))
    asked = [item["downloads"][0]["productId"].rpartition("-")[2] for item in m2m.payloads("download-request")]
    assert asked == ["ls_zip", "dds_ms"]


def test_what_cannot_be_had_is_refused_with_the_reason(opened: Open, m2m: M2mServer) -> None:
    m2m.scenes[0].systems = {"dds_ms": False}
    m2m.scenes[2].systems = {}
    catalogue = opened()
    first, second = catalogue.search(QUERY).candidates
    assert (first.storage_state, second.storage_state) == (StorageState.OFFLINE, StorageState.OFFLINE)
    with pytest.raises(ProductOfflineError, match="cannot be had at once"):
        catalogue.locate(first)
    refused = catalogue.order([first, second])
    assert refused == {LANDSAT_NAME: "The product is not available", NEXT: "no bundle of it is offered"}
    m2m.scenes[0].systems = {"dds_ms": True}
    m2m.scenes[0].refused = "You must accept the terms"
    with pytest.raises(SourceError, match="You must accept the terms"):
        catalogue.locate(first)


@pytest.mark.parametrize("nameless", [False, True])
def test_all_products_are_ordered_at_once(opened: Open, m2m: M2mServer, nameless: bool) -> None:
    m2m.nameless = nameless
    m2m.scenes[2].refused = "no such thing"
    catalogue = opened()
    candidates = catalogue.search(QUERY).candidates
    assert catalogue.order(candidates) == {NEXT: "no such thing"}
    assert len(m2m.payloads("download-request")) == 1
    assert catalogue.locate(candidates[0]).url.endswith(m2m.signature)


def test_a_scene_processed_anew_is_gone_under_its_old_name(opened: Open, m2m: M2mServer) -> None:
    catalogue = opened()
    candidate = first(catalogue)
    m2m.scenes[0].name = LANDSAT_NAME.replace("20220607", "20230401")
    assert m2m.scenes[0].name != LANDSAT_NAME
    with pytest.raises(ProductGoneError):
        catalogue.locate(candidate)
    assert catalogue.storage_states([candidate]) == {}


@pytest.mark.parametrize(
    ("satellite", "params", "said"),
    [
        ("s2", {}, "Landsat only"),
        ("l8", {"api_url": "m2m.cr.usgs.gov"}, "no address"),
        ("l8", {"api_url": "https://me:hidden@m2m.cr.usgs.gov"}, "no address"),
    ],
)
def test_what_cannot_work_is_refused(satellite: str, params: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        UsgsCatalogue("USGS", satellite, params, ACCOUNT, CatalogueOptions())
    assert "hidden" not in caught.value.one_line


def test_a_source_as_configured_is_opened(m2m: M2mServer) -> None:
    spec = SourceSpec("landsat", "usgs", "l8", secret_ref="usgs_account", params={"api_url": m2m.url + PATH[:-1]})
    catalogue = open_catalogue(spec, {"usgs_account": ACCOUNT}.__getitem__, CatalogueOptions())
    try:
        assert catalogue.health().ok
    finally:
        catalogue.close()


def test_an_address_of_another_catalogue_is_not_guessed_at(opened: Open) -> None:
    catalogue = opened()
    candidate = first(catalogue)
    strange = Candidate(candidate.name, "/eodata/landsat", candidate.footprint, None, candidate.sensing_time)
    with pytest.raises(SourceError, match="no address of the USGS"):
        catalogue.locate(strange)
