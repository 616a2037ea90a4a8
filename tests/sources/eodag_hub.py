"""The fake hub as eodag sees it, and catalogues opened on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from s4c_lib.sources.catalogue import Catalogue, CatalogueOptions
from s4c_lib.sources.credentials import Credentials
from s4c_lib.sources.eodag_catalogue import EodagCatalogue
from s4c_lib.sources.model import Candidate, Query
from s4c_lib.sources.product_kinds import ProductKind, Satellite
from s4c_lib.synthetic.hub import Hub, HubLimits

PASSWORD = "s3cret-pass/word+&="
ACCOUNT = Credentials(username="user", password=PASSWORD)
START, END = date(2024, 3, 1), date(2024, 3, 9)
"""Days of `hub_archive`."""
ALL = frozenset({ProductKind.S2_L1C, ProductKind.S2_L2A})
Open = Callable[..., EodagCatalogue]


@pytest.fixture
def start(hub_archive: Path, hub_cache: Path) -> Iterator[Callable[..., Hub]]:
    """Starts a hub with the limits that a test needs."""
    running: list[Hub] = []

    def begin(**limits: object) -> Hub:
        hub = Hub(hub_archive, seed=5, accounts={"user": PASSWORD}, cache=hub_cache, limits=HubLimits(**limits))
        running.append(hub.__enter__())
        return running[-1]

    yield begin
    for hub in running:
        hub.__exit__(None, None, None)


@pytest.fixture(scope="module")
def steady_hub(hub_archive: Path, hub_cache: Path) -> Iterator[Hub]:
    with Hub(hub_archive, seed=5, accounts={"user": PASSWORD}, cache=hub_cache) as hub:
        yield hub


@pytest.fixture
def hub(steady_hub: Hub) -> Iterator[Hub]:
    """One hub for all tests that count only what they add, in order again after each."""
    yield steady_hub
    steady_hub.faults.clear()


@pytest.fixture(scope="module")
def known(steady_hub: Hub) -> Candidate:
    """A product of the steady hub."""
    params = {"provider": "cop_dataspace", "definition": steady_hub.eodag_definition()}
    return first(EodagCatalogue("hub", "s2", params, None, CatalogueOptions()))


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens a catalogue on a hub; closed at the end."""
    catalogues: list[EodagCatalogue] = []

    def build(
        hub: Hub, satellite: str = "s2", credentials: Credentials | None = ACCOUNT, **options: object
    ) -> EodagCatalogue:
        params = {"provider": "cop_dataspace", "definition": hub.eodag_definition()}
        catalogues.append(EodagCatalogue("hub", satellite, params, credentials, CatalogueOptions(**options)))
        return catalogues[-1]

    yield build
    for catalogue in catalogues:
        catalogue.close()


def everything(
    satellite: Satellite = Satellite.SENTINEL2,
    kinds: frozenset[ProductKind] = ALL,
    start: date = START,
    end: date = END,
    **narrower: object,
) -> Query:
    return Query(satellite, kinds, start, end, **narrower)


def first(catalogue: Catalogue) -> Candidate:
    return catalogue.search(everything(kinds=frozenset({ProductKind.S2_L2A}))).candidates[0]


def searches(hub: Hub) -> int:
    return sum(request.endpoint == "search" for request in hub.requests)
