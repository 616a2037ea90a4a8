"""What eodag reads from answers as real providers write them, in our words."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from shapely.geometry import box

from s4c_lib.errors import SourceError
from s4c_lib.sources.catalogue import CatalogueOptions, Checksum
from s4c_lib.sources.eodag_catalogue import EodagCatalogue
from s4c_lib.sources.eodag_products import EodagAddress, found_product
from s4c_lib.sources.eodag_provider import describe_provider, search_plugin
from s4c_lib.sources.found_products import FoundProduct, candidate_of, search_result
from s4c_lib.sources.model import Candidate, Direction, Query, Rejected, StorageState
from s4c_lib.sources.product_kinds import ProductKind, Satellite

# eodag asks jsonpath-ng for a wildcard in its old spelling.
pytestmark = pytest.mark.filterwarnings("ignore:Using `Fields:DeprecationWarning")

NAME = "S2A_MSIL2A_20240601T103631_N0510_R008_T31UFS_20240601T150000"
MD5 = "1d4d0d3d6c1d4d0d3d6c1d4d0d3d6c11"


def listed(provider: str, collection: str, entry: dict[str, Any]) -> FoundProduct:
    """One entry of an answer, read by eodag's own plugin for the provider."""
    from eodag.api.search_result import RawSearchResult

    raw = RawSearchResult([entry])
    raw.search_params, raw.query_params, raw.collection_def_params = {}, {}, {}
    plugin = search_plugin(describe_provider(provider, {}, timeout_seconds=5))
    (product,) = plugin.normalize_results(raw, collection=collection)
    return found_product(product)


def odata(**changes: Any) -> dict[str, Any]:
    return {
        "Id": "72ac8773-c55d-526a-a9a9-22ddb9b595ef",
        "Name": f"{NAME}.SAFE",
        "ContentLength": 1000,
        "PublicationDate": "2024-06-01T16:10:00.123456Z",
        "ModificationDate": "2024-06-01T16:10:00.000000Z",
        "Online": True,
        "Checksum": [{"Value": "ab" * 32, "Algorithm": "BLAKE3"}, {"Value": MD5.upper(), "Algorithm": "MD5"}],
        "ContentDate": {"Start": "2024-06-01T10:36:31.024000Z", "End": "2024-06-01T10:36:31.024000Z"},
        "Footprint": "geography'SRID=4326;POLYGON ((5 50, 6 50, 6 51, 5 51, 5 50))'",
        "Attributes": [
            {"Name": "cloudCover", "Value": 12.5},
            {"Name": "tileId", "Value": "31UFS"},
            {"Name": "relativeOrbitNumber", "Value": 8},
            {"Name": "orbitDirection", "Value": "DESCENDING"},
            {"Name": "processingDate", "Value": "2024-06-01T15:00:00.000000Z"},
        ],
    } | changes


def accepted(found: FoundProduct) -> Candidate:
    outcome = candidate_of(found)
    assert isinstance(outcome, Candidate)
    return outcome


def test_everything_that_the_data_space_tells_is_kept() -> None:
    candidate = accepted(listed("cop_dataspace", "S2_MSI_L2A", odata()))
    assert candidate.name.name == NAME
    assert candidate.footprint.equals(box(5, 50, 6, 51))
    assert (candidate.size_bytes, candidate.tiles, candidate.relative_orbit) == (1000, ("31UFS",), 8)
    assert (candidate.direction, candidate.cloud_pct) == (Direction.DESCENDING, 12.5)
    assert candidate.created == datetime(2024, 6, 1, 15, tzinfo=UTC)
    assert candidate.published_at == datetime(2024, 6, 1, 16, 10, 0, 123456, UTC)
    assert candidate.storage_state is StorageState.ONLINE
    address = EodagAddress.read(candidate.address)
    assert address.url is not None
    assert address.url.endswith("/Products(72ac8773-c55d-526a-a9a9-22ddb9b595ef)/$value")
    assert address.file == f"{NAME}.zip"
    assert address.stated_checksum == Checksum("md5", MD5)
    assert EodagAddress.read(address.text()) == address


def test_a_product_on_tape_is_offline() -> None:
    assert listed("cop_dataspace", "S2_MSI_L2A", odata(Online=False)).storage_state is StorageState.OFFLINE


@pytest.mark.parametrize("footprint", [None, ""])
def test_no_footprint_is_not_the_whole_world(footprint: str | None) -> None:
    outcome = candidate_of(listed("cop_dataspace", "S2_MSI_L2A", odata(Footprint=footprint)))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "no_footprint"


def test_what_is_not_told_is_not_invented() -> None:
    candidate = accepted(listed("cop_dataspace", "S2_MSI_L2A", odata(Attributes=[], Checksum=None, ContentLength=0)))
    assert (candidate.cloud_pct, candidate.direction, candidate.created) == (None, None, None)
    assert (candidate.size_bytes, EodagAddress.read(candidate.address).checksum) == (None, None)


def test_a_file_of_another_kind_is_not_a_product() -> None:
    found = listed("cop_dataspace", "S2_MSI_L2A", odata(Name="AUX_ECMWFD_20240601T120000.SAFE"))
    query = Query(Satellite.SENTINEL2, frozenset({ProductKind.S2_L2A}), date(2024, 6, 1), date(2024, 6, 1))
    assert [item.code for item in search_result([found], query).rejected] == ["not_a_product"]


@pytest.mark.parametrize(("written", "file"), [(".tif", ".tif"), (".tar", ".tar"), (".SAFE", ".zip"), ("", ".tar")])
def test_a_single_file_keeps_its_suffix(written: str, file: str) -> None:
    found = listed("cop_dataspace", "S2_MSI_L2A", odata(Name=f"LC08_L2SP_197024_20240601_20240610_02_T1{written}"))
    assert EodagAddress.read(found.address).file == f"LC08_L2SP_197024_20240601_20240610_02_T1{file}"


def test_an_address_with_a_secret_is_not_stored() -> None:
    link = "https://example.org/data/x.zip?token=0123456789abcdef"
    entry = {
        "id": NAME,
        "geometry": {"type": "Polygon", "coordinates": [[[5, 50], [6, 50], [6, 51], [5, 51], [5, 50]]]},
        "properties": {"datetime": "2024-06-01T10:36:31Z"},
        "assets": {"product": {"href": link, "roles": ["data"]}},
    }
    found = listed("usgs_satapi_aws", "LANDSAT_C2L2_SR", entry)
    assert "0123456789abcdef" not in found.address
    assert EodagAddress.read(found.address).url is None


def test_landsat_in_pieces_on_s3_can_be_searched_not_fetched() -> None:
    """USGS names its items with the group of bands; the moment of sensing is only in the metadata."""
    entry = {
        "id": "LC09_L2SP_197024_20240601_20240603_02_T1_SR",
        "geometry": {"type": "Polygon", "coordinates": [[[5, 50], [6, 50], [6, 51], [5, 51], [5, 50]]]},
        "properties": {"datetime": "2024-06-01T10:31:02Z", "eo:cloud_cover": 3.1},
        "assets": {
            f"b{band}": {
                "alternate": {"s3": {"href": f"s3://usgs-landsat/b{band}.TIF"}},
                "href": f"https://x/b{band}.TIF",
            }
            for band in (2, 3, 4)
        },
    }
    candidate = accepted(listed("usgs_satapi_aws", "LANDSAT_C2L2_SR", entry))
    assert candidate.name.name == "LC09_L2SP_197024_20240601_20240603_02_T1"
    assert candidate.name.satellite is Satellite.LANDSAT9
    assert (candidate.tiles, candidate.sensing_time) == (("197024",), datetime(2024, 6, 1, 10, 31, 2, tzinfo=UTC))
    catalogue = EodagCatalogue("usgs", "l8", {"provider": "usgs_satapi_aws"}, None, CatalogueOptions())
    with pytest.raises(SourceError, match="can be searched, not fetched by HTTP"):
        catalogue.locate(candidate)


def test_earth_search_is_read_by_the_name_of_the_product() -> None:
    entry = {
        "id": "S2A_31UFS_20240601_0_L2A",
        "geometry": {"type": "Polygon", "coordinates": [[[5, 50], [6, 50], [6, 51], [5, 51], [5, 50]]]},
        "properties": {
            "datetime": "2024-06-01T10:36:31Z",
            "s2:product_uri": f"{NAME}.SAFE",
            "grid:code": "MGRS-31UFS",
            "eo:cloud_cover": 12.5,
        },
        "assets": {"red": {"href": "https://sentinel-cogs.s3.us-west-2.amazonaws.com/B04.tif", "roles": ["data"]}},
    }
    assert accepted(listed("earth_search", "S2_MSI_L2A_COG", entry)).name.name == NAME


@pytest.mark.parametrize(
    ("stated", "checksum"),
    [
        (f"d50110{MD5}", f"md5:{MD5}"),
        (MD5, f"md5:{MD5}"),
        ("1220" + "ab" * 32, "sha256:" + "ab" * 32),
        ("1220" + "ab" * 31, None),
        ("no checksum at all, but 32 letters"[:32], None),
    ],
)
def test_checksums_of_stac(stated: str, checksum: str | None) -> None:
    entry = {
        "id": NAME,
        "geometry": {"type": "Polygon", "coordinates": [[[5, 50], [6, 50], [6, 51], [5, 51], [5, 50]]]},
        "properties": {"datetime": "2024-06-01T10:36:31Z"},
        "assets": {
            "product": {"href": "s3://bucket/x.zip", "file:checksum": stated, "file:size": 7, "roles": ["data"]}
        },
    }
    from eodag.api.product import EOProduct

    product = EOProduct("mine", {"id": NAME, "title": NAME, "geometry": entry["geometry"]}, collection="S2_MSI_L2A")
    product.assets.update(entry["assets"])
    found = found_product(product)
    assert EodagAddress.read(found.address).checksum == checksum
    assert found.size_bytes == 7


@pytest.mark.parametrize("text", ["/a/path", '{"other":1}', "[]"])
def test_an_address_of_another_source_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="not one of an eodag source"):
        EodagAddress.read(text)
