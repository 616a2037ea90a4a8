from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from s4c_lib.errors import InputError, NotFoundError, SourceError
from s4c_lib.sources.catalogue import CatalogueOptions
from s4c_lib.sources.eodag_catalogue import EodagCatalogue
from s4c_lib.sources.eodag_collections import collections_of, known_collections
from s4c_lib.sources.eodag_provider import describe_provider
from s4c_lib.sources.model import Query
from s4c_lib.sources.product_kinds import ProductKind, Satellite

PROVIDERS = ("cop_dataspace", "creodias", "geodes", "earth_search", "usgs_satapi_aws", "usgs")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_eodag_knows_the_provider_and_its_collections(provider: str) -> None:
    from eodag.config import load_provider_configs

    description = load_provider_configs()[provider]
    assert set(known_collections(provider).values()) <= set(description.products)


@pytest.mark.parametrize(
    ("provider", "kind", "collection", "theirs"),
    [
        ("cop_dataspace", ProductKind.S1_SLC, "S1_SAR_SLC", "SENTINEL-1"),
        ("cop_dataspace", ProductKind.S2_L2A, "S2_MSI_L2A", "SENTINEL-2"),
        ("creodias", ProductKind.S2_L1C, "S2_MSI_L1C", "SENTINEL-2"),
        ("geodes", ProductKind.MUSCATE_L2A, "S2_MSI_L2A_MAJA", "THEIA_REFLECTANCE_SENTINEL2_L2A"),
        ("earth_search", ProductKind.S2_L1C, "S2_MSI_L1C", "sentinel-2-l1c"),
        ("usgs_satapi_aws", ProductKind.LANDSAT_L2SP, "LANDSAT_C2L2_SR", "landsat-c2l2-sr"),
    ],
)
def test_kinds_have_collections(provider: str, kind: ProductKind, collection: str, theirs: str) -> None:
    products = describe_provider(provider, {}, timeout_seconds=5).products
    assert collections_of(provider, {}, products)[kind] == collection
    assert products[collection]["_collection"] == theirs


def test_usgs_machine_to_machine_is_refused_with_the_reason() -> None:
    with pytest.raises(SourceError, match="keeps its key in a file") as caught:
        describe_provider("usgs", {}, timeout_seconds=5)
    assert "driver usgs" in caught.value.hint


def test_collections_of_the_source_go_first() -> None:
    chosen = collections_of("cop_dataspace", {"landsat_l2sp": "MINE"}, ["S2_MSI_L2A", "MINE"])
    assert chosen == {ProductKind.S2_L2A: "S2_MSI_L2A", ProductKind.LANDSAT_L2SP: "MINE"}


@pytest.mark.parametrize(("given", "said"), [({"s3": "X"}, "no kind"), ({"s2_l2a": "X"}, "no collection 'X'")])
def test_wrong_collections_are_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        collections_of("cop_dataspace", given, ["S2_MSI_L2A"])


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "'provider' is missing"),
        ({"provider": "cop_dataspace", "definition": "text"}, "'definition' is not"),
        ({"provider": ""}, "'provider' is not"),
    ],
)
def test_wrong_parameters_are_refused_when_the_source_is_opened(params: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        EodagCatalogue("hub", "s2", params, None, CatalogueOptions())


@pytest.mark.parametrize(
    ("provider", "definition", "said"),
    [
        ("nobody", {}, "knows no provider 'nobody'"),
        ("../cop_dataspace", {}, "no name of an eodag provider"),
        ("mine", {"search": {"type": "StacSearch"}, "auth": {"credentials": {"username": "x"}}}, "holds credentials"),
        ("mine", {"description": "no plugin"}, "is not one of eodag's"),
        ("mine", {"search": {"type": "StacSearch"}, "download": {"timeout": 5}}, "plugin of its section download"),
    ],
)
def test_a_provider_that_cannot_be_is_refused(provider: str, definition: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        describe_provider(provider, definition, timeout_seconds=5)


def test_kinds_that_a_provider_lacks_are_named() -> None:
    from datetime import date

    catalogue = EodagCatalogue("cdse", "s2", {"provider": "cop_dataspace"}, None, CatalogueOptions())
    query = Query(Satellite.SENTINEL2, frozenset({ProductKind.MUSCATE_L2A}), date(2024, 5, 1), date(2024, 5, 2))
    with pytest.raises(NotFoundError, match="cop_dataspace has no muscate_l2a"):
        catalogue.search(query)


def test_tokens_go_into_headers_and_repetitions_are_off() -> None:
    for provider in ("cop_dataspace", "creodias"):
        description = describe_provider(provider, {}, timeout_seconds=7)
        assert description.auth.token_provision == "header"
        for section in (description.search, description.auth, description.download):
            assert (section.retry_total, section.retry_status_forcelist, section.timeout) == (0, [], 7)


def test_nothing_is_imported_or_written_before_it_is_used(tmp_path: Path) -> None:
    """A DAG that is parsed must not import eodag; and eodag must leave the home folder alone when it is used."""
    program = """
import sys
import s4c_lib.sources.eodag_catalogue as module
from s4c_lib.sources.catalogue import CatalogueOptions
catalogue = module.EodagCatalogue("cdse", "s2", {"provider": "cop_dataspace"}, None, CatalogueOptions())
assert not {"eodag", "requests", "jwt", "geopandas"} & set(sys.modules), "imported too early"
catalogue._search
assert "eodag" in sys.modules
"""
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "EODAG__COP_DATASPACE__SEARCH__API_ENDPOINT": "http://elsewhere"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, cwd=Path(__file__).parents[2])
    assert list(home.iterdir()) == []
