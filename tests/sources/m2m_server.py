"""A local server that speaks as the machine-to-machine interface of the USGS does, and hands out the bundles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shapely.geometry import box, mapping, shape

from tests.local_server import QuietHandler, http_server

USER, TOKEN = "farmer", "q!wErtz_app-token/ł0123456789"
PATH = "/api/api/json/stable/"
SECOND_LEVEL = "landsat_ot_c2_l2"

Answer = tuple[int, dict[str, str], Any]


@dataclass
class Scene:
    """A scene, and how its bundle is to be had.

    Attributes
    ----------
    bundle : bytes of the tar.
    systems : download systems that offer the bundle, and whether each has it.
    prepared : whether a download that was asked for is ready; one that is not stays in preparation.
    refused : why it is not handed out at all.
    """

    name: str
    entity: str
    area: tuple[float, float, float, float] = (4.0, 50.0, 6.5, 51.7)
    cloud: Any = "12.50"
    start_time: str = "2022:156:10:31:55.1234560"
    published: str = "2022-06-07 04:12:33-05"
    dataset: str = SECOND_LEVEL
    bundle: bytes = b""
    systems: dict[str, bool] = field(default_factory=lambda: {"dds_ms": True})
    prepared: bool = True
    refused: str | None = None

    @property
    def day(self) -> str:
        written = self.name.split("_")[3]
        return f"{written[:4]}-{written[4:6]}-{written[6:]}"

    def listed(self, *, full: bool) -> dict[str, Any]:
        """As ``scene-search`` lists it."""
        outline = mapping(box(*self.area))
        fields = {"Landsat Product Identifier L2": self.name, "Start Time": self.start_time}
        return {
            "browse": [],
            "cloudCover": self.cloud,
            "entityId": self.entity,
            "displayId": self.name,
            "orderingId": self.entity,
            "metadata": [{"id": "5e83", "fieldName": key, "value": fields[key]} for key in fields] if full else [],
            "options": {"bulk": True, "download": True, "order": False, "secondary": False},
            "selected": None,
            "spatialBounds": outline,
            "spatialCoverage": outline,
            "temporalCoverage": {"startDate": f"{self.day} 00:00:00", "endDate": f"{self.day} 00:00:00"},
            "publishDate": self.published,
        }

    def offered(self) -> Iterator[dict[str, Any]]:
        """As ``download-options`` offers it: single bands and pictures, and the bundle."""
        common = {"displayId": self.name, "entityId": self.entity, "datasetId": "5e83d14f30ea90a9"}
        yield {
            **common,
            "id": "5f85f041a2ea6695",
            "available": True,
            "filesize": 0,
            "productName": "Landsat Collection 2 Level-2 Band File",
            "downloadSystem": "folder",
            "secondaryDownloads": [{"id": "5f85f041b2", "displayId": f"{self.name}_SR_B1.TIF"}],
        }
        yield {
            **common,
            "id": "63231219fdd8c4e5",
            "available": True,
            "filesize": 910_000,
            "productName": "Full-Resolution Browse (Reflective Color) GeoTIFF",
            "downloadSystem": "dds",
        }
        for system, available in self.systems.items():
            yield {
                **common,
                "id": f"632210d47705-{system}",
                "available": available,
                "filesize": len(self.bundle) or 1_020_304_050,
                "productName": "Landsat Collection 2 Level-2 Product Bundle",
                "downloadSystem": system,
            }


@dataclass
class Asked:
    """One request as the server saw it."""

    endpoint: str
    payload: dict[str, Any]
    headers: Mapping[str, str]


@dataclass
class M2mServer:
    """What it holds, what it was asked, and what goes wrong next.

    Attributes
    ----------
    failures : answers (status, headers, body) given before everything else, first ones first.
    queue : downloads that were asked for, scene by download id.
    rights : of the account.
    checksums : whether answers state them.
    nameless : whether answers about downloads leave the scene out.
    """

    scenes: list[Scene] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    failures: list[Answer] = field(default_factory=list)
    queue: dict[int, Scene] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    rights: list[str] = field(default_factory=lambda: ["user", "download", "order"])
    checksums: bool = True
    nameless: bool = False
    unlisted: int = 0
    fetched: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    logins: int = 0
    signatures: int = 0
    url: str = ""

    @property
    def api_url(self) -> str:
        return self.url + PATH

    @property
    def endpoints(self) -> list[str]:
        """What was asked, in order."""
        return [item.endpoint for item in self.asked]

    def payloads(self, endpoint: str) -> list[dict[str, Any]]:
        """What an endpoint was asked."""
        return [item.payload for item in self.asked if item.endpoint == endpoint]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if self.failures:
            return self.failures.pop(0)
        if asked.endpoint == "login-token":
            return self._login(asked.payload)
        if asked.headers.get("X-Auth-Token") not in self.keys:
            return failed("AUTH_KEY_INVALID", "API Key is invalid", status=401)
        payload = asked.payload
        match asked.endpoint:
            case "permissions":
                return good(self.rights)
            case "logout":
                self.keys.remove(asked.headers["X-Auth-Token"])
                return good(None)
            case "scene-search":
                return self._search(payload)
            case "scene-metadata":
                found = [item for item in self._of(payload) if item.name == payload["entityId"]]
                if payload.get("idType") != "displayId" or not found:
                    return failed("NOT_FOUND", "Scene could not be found", status=404)
                return good(found[0].listed(full=payload.get("metadataType") == "full"))
            case "download-options":
                wanted = payload["entityIds"]
                return good([item for scene in self._of(payload) if scene.entity in wanted for item in scene.offered()])
            case "download-request":
                return self._request(payload)
            case "download-retrieve":
                return self._retrieve()
        return failed("ENDPOINT_UNAVAILABLE", "This endpoint is not available", status=404)

    def body(self, path: str, headers: Mapping[str, str]) -> bytes | None:
        """The bundle behind a signed address; None where the signature is not the newest."""
        self.fetched.append((path, headers))
        _, _, number, signature = path.split("/")
        return self.queue[int(number)].bundle if signature == self.signature else None

    @property
    def signature(self) -> str:
        return f"SIGNED{self.signatures:04d}eyJjb250YWN0SWQiOjQxOTc2NH0"

    def _login(self, payload: dict[str, Any]) -> Answer:
        if (payload.get("username"), payload.get("token")) != (USER, TOKEN):
            return failed("AUTH_INVALID", "User credential verification failed", status=401)
        self.logins += 1
        self.keys.append(f"eyJjaWQiOjQxOTY3NCwicyI6IjE1NzkwNjM0{self.logins:04d}")
        return good(self.keys[-1])

    def _of(self, payload: dict[str, Any]) -> list[Scene]:
        return [scene for scene in self.scenes if scene.dataset == payload["datasetName"]]

    def _search(self, payload: dict[str, Any]) -> Answer:
        wanted = payload["sceneFilter"]
        days = wanted["acquisitionFilter"]
        # the last day does not count here: the reference leaves it open
        found = [scene for scene in self._of(payload) if days["start"] <= scene.day < days["end"]]
        if "spatialFilter" in wanted:
            area = shape(wanted["spatialFilter"]["geoJson"])
            found = [scene for scene in found if area.intersects(box(*scene.area))]
        start = payload["startingNumber"]
        page = found[start - 1 : start - 1 + payload["maxResults"]]
        return good(
            {
                "results": [scene.listed(full=payload["metadataType"] == "full") for scene in page],
                "recordsReturned": len(page),
                "totalHits": len(found) + self.unlisted,
                "totalHitsAccuracy": "exact",
                "startingNumber": start,
                "nextRecord": start + len(page),
            }
        )

    def _request(self, payload: dict[str, Any]) -> Answer:
        available, preparing, refused, new, twice = [], [], [], {}, {}
        for item in payload["downloads"]:
            scene = next(scene for scene in self.scenes if scene.entity == item["entityId"])
            offered = {option["id"]: option for option in scene.offered()}
            if scene.refused or not offered.get(item["productId"], {}).get("available"):
                text = scene.refused or "The product is not available"
                refused.append({**item, "errorMessage": text})
                continue
            number = next((key for key, queued in self.queue.items() if queued is scene), None)
            (new if number is None else twice)[str(number)] = payload["label"]
            if number is None:
                number = 1738054 + len(self.queue)
                self.queue[number] = scene
            (available if scene.prepared else preparing).append(self._delivery(number, scene, "checksum_values"))
        answer = {"failed": refused, "newRecords": new, "duplicateProducts": twice, "numInvalidScenes": len(refused)}
        return good({**answer, "availableDownloads": available, "preparingDownloads": preparing})

    def _retrieve(self) -> Answer:
        lists: dict[str, list[dict[str, Any]]] = {"available": [], "requested": []}
        for number, scene in self.queue.items():
            entry = self._delivery(number, scene, "checksum")
            entry |= {"displayId": scene.name, "entityId": scene.entity, "label": "of someone"}
            entry |= {"productName": "Landsat Collection 2 Level-2 Product Bundle", "statusCode": "A"}
            lists["available" if scene.prepared else "requested"].append(entry)
        picture = {"entityId": "LC9", "displayId": self.scenes[0].name, "productName": "Full-Resolution Browse"}
        lists["requested"].append({**picture, "url": "", "downloadId": 1})
        return good({"eulas": [], "queueSize": len(self.queue), **lists})

    def _delivery(self, number: int, scene: Scene, key: str) -> dict[str, Any]:
        self.signatures += 1
        entry: dict[str, Any] = {"downloadId": number, "eulaCode": None}
        entry["url"] = f"{self.url}/download/{number}/{self.signature}"
        if not self.nameless:
            entry["entityId"] = scene.entity
        if self.checksums:
            digest = hashlib.sha256(scene.bundle).hexdigest()
            entry[key] = [{"id": "cksum", "value": 3119187019}, {"id": "sha256sum", "value": digest}]
        return entry


def good(data: Any) -> Answer:
    """An answer as M2M wraps it."""
    return 200, {}, {"requestId": 17774310, "version": "stable", "data": data, "errorCode": None, "errorMessage": None}


def failed(code: str, message: str, *, status: int = 200) -> Answer:
    """A refusal as M2M wraps it; with a status of its own, or with 200."""
    return status, {}, {"requestId": 1, "version": "stable", "data": None, "errorCode": code, "errorMessage": message}


@contextmanager
def serving() -> Iterator[M2mServer]:
    """Run a server on a free port of this machine."""
    server = M2mServer()

    class Handler(QuietHandler):
        def post(self) -> None:
            asked = Asked(self.path.removeprefix(PATH), json.loads(self.received()), dict(self.headers.items()))
            status, headers, body = server.answer(asked)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.answer(status, content, {"Content-Type": "application/json", **headers})

        def get(self) -> None:
            content = server.body(self.path, dict(self.headers.items()))
            if content is None:
                self.answer(403, b"signature refused", {"Content-Type": "text/plain"})
            else:
                self.answer(200, content, {"Content-Type": "application/x-tar"})

    with http_server(Handler) as server.url:
        yield server
