"""A local server that speaks as NASA's CMR and Earthdata login do, as far as asf_search asks them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.local_server import QuietHandler, http_server

USER, PASSWORD, TOKEN = "farmer", "pä55word/ł", "EDL-abcdefgh0123456789"


def granule(
    name: str,
    begin: str,
    *,
    corners: tuple[tuple[float, float], ...] = ((4.0, 50.0), (6.5, 50.0), (6.5, 51.7), (4.0, 51.7)),
    url: str | None = None,
    md5: str | None = "0cc175b9c0f1b6a831c399e269772661",
    direction: str = "DESCENDING",
) -> dict[str, Any]:
    """One Sentinel-1 SLC scene as CMR describes it."""
    attributes = {
        "ASF_PLATFORM": "Sentinel-1A",
        "ASCENDING_DESCENDING": direction,
        "BEAM_MODE": "IW",
        "BEAM_MODE_TYPE": "IW",
        "BYTES": "4467362145",
        "MD5SUM": md5,
        "PATH_NUMBER": "37",
        "FRAME_NUMBER": "421",
        "POLARIZATION": "VV+VH",
        "PROCESSING_TYPE": "SLC",
        "GRANULE_TYPE": "SENTINEL_1A_FRAME",
    }
    ring = [{"Longitude": lon, "Latitude": lat} for lon, lat in (*corners, corners[0])]
    data = url if url is not None else f"https://datapool.asf.alaska.edu/SLC/SA/{name}.zip"
    return {
        "meta": {
            "concept-id": "G0000000001-ASF",
            "collection-concept-id": "C1214470488-ASF",
            "revision-date": "2025-01-01T00:00:00Z",
        },
        "umm": {
            "GranuleUR": f"{name}-SLC",
            "CollectionReference": {"ShortName": "SENTINEL-1A_SLC", "Version": "1"},
            "ProviderDates": [
                {"Date": "2024-03-02T01:02:03.000Z", "Type": "Insert"},
                {"Date": "2024-09-02T01:02:03.000Z", "Type": "Update"},
            ],
            "DataGranule": {
                "ProductionDateTime": "2024-03-01T22:10:00.000Z",
                "Identifiers": [{"IdentifierType": "ProducerGranuleId", "Identifier": name}],
            },
            "TemporalExtent": {"RangeDateTime": {"BeginningDateTime": begin, "EndingDateTime": begin}},
            "SpatialExtent": {"HorizontalSpatialDomain": {"Geometry": {"GPolygons": [{"Boundary": {"Points": ring}}]}}},
            "OrbitCalculatedSpatialDomains": [{"OrbitNumber": 52788}],
            "Platforms": [{"ShortName": "SENTINEL-1A", "Instruments": [{"ShortName": "SENTINEL-1 C-SAR"}]}],
            "AdditionalAttributes": [
                {"Name": key, "Values": [value]} for key, value in attributes.items() if value is not None
            ],
            "RelatedUrls": [
                {"Type": "GET DATA", "URL": data},
                {"Type": "GET DATA VIA DIRECT ACCESS", "URL": f"s3://asf-ngap2w-p-s1-slc/{name}.zip"},
            ],
        },
    }


@dataclass
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    fields: list[tuple[str, str]]
    headers: Mapping[str, str]

    def values(self, key: str) -> list[str]:
        return [value for name, value in self.fields if name == key]


@dataclass
class CmrServer:
    """What it lists, what it was asked, and what goes wrong next.

    Attributes
    ----------
    failures : answers (status, headers, body) given before everything else, first ones first.
    uncounted : products that it counts and does not list.
    """

    granules: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    failures: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    uncounted: int = 0
    token: str = TOKEN
    url: str = ""

    def answer(self, asked: Asked) -> tuple[int, dict[str, str], str]:
        self.asked.append(asked)
        if self.failures:
            return self.failures.pop(0)
        match asked.path.partition("?")[0]:
            case "/search/granules.umm_json":
                return self._search(asked)
            case "/api/users/find_or_create_token":
                account = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                if asked.headers.get("Authorization") != f"Basic {account}":
                    return 401, {}, json.dumps({"error": "invalid_credentials", "error_description": "Invalid user"})
                return 200, {}, json.dumps({"access_token": self.token, "token_type": "Bearer"})
            case "/oauth/authorize":
                return 200, {"Set-Cookie": "asf-urs=session; Path=/"}, "{}"
            case "/oauth/tokens/user":
                known = asked.values("token") == [self.token]
                return (200, {}, json.dumps({"uid": USER})) if known else (403, {}, json.dumps({"error": "invalid"}))
        return 404, {}, json.dumps({"errors": ["no such page"]})

    def _search(self, asked: Asked) -> tuple[int, dict[str, str], str]:
        fitting = self.granules
        if names := asked.values("readable_granule_name[]"):
            fitting = [item for item in fitting if item["umm"]["GranuleUR"].removesuffix("-SLC") in names]
        if window := asked.values("temporal"):
            begin, end, _ = window[0].split(",")
            when = "TemporalExtent", "RangeDateTime", "BeginningDateTime"
            fitting = [item for item in fitting if begin <= item["umm"][when[0]][when[1]][when[2]][:19] <= end]
        if shown := asked.values("shortName"):
            fitting = [item for item in fitting if item["umm"]["CollectionReference"]["ShortName"] in shown]
        size = int(asked.values("page_size")[0])
        first = int(asked.headers.get("CMR-Search-After", "0"))
        page = fitting[first : first + size]
        headers = {"CMR-Search-After": str(first + size)} if first + size < len(fitting) else {}
        return 200, headers, json.dumps({"hits": len(fitting) + self.uncounted, "took": 5, "items": page})


@contextmanager
def serving() -> Iterator[CmrServer]:
    """Run a server on a free port of this machine."""
    server = CmrServer()

    class Handler(QuietHandler):
        def post(self) -> None:
            body = self.received().decode()
            asked = Asked(self.command, self.path, parse_qsl(body, keep_blank_values=True), dict(self.headers.items()))
            status, headers, text = server.answer(asked)
            self.answer(status, text.encode(), {**headers, "Content-Type": "application/json"})

        get = post

    with http_server(Handler) as server.url:
        yield server
