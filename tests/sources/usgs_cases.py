"""A server that speaks as the USGS does, with three scenes, and catalogues opened on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import box

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.sources.catalogue import CatalogueOptions, Download
from s4c_lib.sources.credentials import Credentials
from s4c_lib.sources.http_transfer import fetch_http
from s4c_lib.sources.model import Candidate, FetchResult, Query
from s4c_lib.sources.product_names import ProductKind, Satellite
from s4c_lib.sources.transfer_limits import TransferLimits
from s4c_lib.sources.usgs_catalogue import UsgsCatalogue
from s4c_lib.synthetic.archive_files import write_tar
from tests.readers.optical_products import LANDSAT_NAME, landsat
from tests.sources.m2m_server import TOKEN, USER, M2mServer, Scene, serving

NEXT = "LC09_L2SP_197024_20220621_20220623_02_T1"
OTHER = "LC08_L2SP_197024_20220613_20220617_02_T1"
SCENE_ID = "LC91970242022156LGN01"
SITE = box(4.5, 50.5, 5.5, 51.0)
ACCOUNT = Credentials(USER, TOKEN)
L2SP = frozenset({ProductKind.LANDSAT_L2SP})
QUERY = Query(Satellite.LANDSAT9, L2SP, date(2022, 6, 1), date(2022, 6, 21), SITE)
QUICK = TransferLimits(timeout_seconds=30, connect_seconds=5, stall_seconds=5)

Open = Callable[..., UsgsCatalogue]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small L2SP product, packed as the USGS packs it."""
    folder = tmp_path_factory.mktemp("landsat")
    product = landsat(folder, PixelGrid(32631, 609_000, 5_700_000, 30, 8, 8), {})
    archive = folder / f"{LANDSAT_NAME}.tar"
    write_tar(archive, {path.name: path.read_bytes() for path in product.iterdir()})
    return archive.read_bytes()


@pytest.fixture
def m2m(bundle: bytes) -> Iterator[M2mServer]:
    with serving() as server:
        server.scenes = [
            Scene(LANDSAT_NAME, SCENE_ID, bundle=bundle),
            Scene(OTHER, "LC81970242022164LGN00", cloud=None),
            Scene(NEXT, "LC91970242022172LGN01", cloud=-1, start_time="2022-06-21 10:31:58", published="Unknown"),
        ]
        yield server


@pytest.fixture
def opened(m2m: M2mServer) -> Iterator[Open]:
    made: list[UsgsCatalogue] = []

    def open_one(credentials: Credentials | None = ACCOUNT, **options: Any) -> UsgsCatalogue:
        made.append(UsgsCatalogue("USGS", "l8", {"api_url": m2m.api_url}, credentials, CatalogueOptions(**options)))
        return made[-1]

    yield open_one
    for catalogue in made:
        catalogue.close()


def first(catalogue: UsgsCatalogue) -> Candidate:
    return catalogue.search(QUERY).candidates[0]


def fetch(catalogue: UsgsCatalogue, target: Path) -> FetchResult:
    candidate = first(catalogue)

    def locate(renew: bool) -> Download:
        return catalogue.locate(candidate, renew=renew)

    return fetch_http(locate, candidate.name, target, QUICK)
