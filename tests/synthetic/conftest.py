"""A small archive and a hub that serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hub_visitors import Visitor

from s4c_lib.synthetic.archive import make_archive
from s4c_lib.synthetic.hub import Hub
from s4c_lib.synthetic.hub.provider_definition import LEVEL2

HUB_START, HUB_END = date(2024, 3, 1), date(2024, 3, 14)


@pytest.fixture(scope="session")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two weeks of one tile; read only."""
    root = tmp_path_factory.mktemp("hub") / "archive"
    make_archive(root, seed=3, start=HUB_START, end=HUB_END, tiles=["31UFS"], faults=False)
    return root


@pytest.fixture(scope="session")
def hub_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hub-zips")


@pytest.fixture(scope="session")
def make_hub(hub_folder: Path, hub_cache: Path) -> Callable[..., Hub]:
    """Make a hub of the small archive with options; the test enters it."""

    def make(**options: Any) -> Hub:
        return Hub(hub_folder, **{"seed": 5, "cache": hub_cache, **options})

    return make


@pytest.fixture(scope="session")
def lasting_hub(make_hub: Callable[..., Hub]) -> Iterator[Hub]:
    with make_hub() as running:
        yield running


@pytest.fixture
def hub(lasting_hub: Hub) -> Iterator[Hub]:
    """A hub in order; its ledger has seen other tests."""
    yield lasting_hub
    lasting_hub.faults.clear()


@pytest.fixture
def visitor(hub: Hub) -> Visitor:
    return Visitor(hub)


@pytest.fixture
def fresh_hub(make_hub: Callable[..., Hub]) -> Iterator[Hub]:
    """A hub that nobody has asked yet."""
    with make_hub() as running:
        yield running


@pytest.fixture(scope="session")
def gateway(lasting_hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """eodag with the hub in the place of the Copernicus Data Space."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EODAG_CFG_DIR", str(tmp_path_factory.mktemp("eodag")))
        patch.setenv("EODAG_EXT_COLLECTIONS_CFG_URI", "")
        from eodag import EODataAccessGateway

        made = EODataAccessGateway()
        definition = lasting_hub.eodag_definition()
        for name in LEVEL2:
            del definition["products"][name]
        definition["auth"]["credentials"] = {"username": "user", "password": "password"}
        made.update_providers_config(dict_conf={"cop_dataspace": definition})
        yield made
