"""Landsat bundles, which catalogues list without a word about how they are packed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

New = Callable[..., Any]


def test_landsat_bundles_arrive_as_they_are_packed(new_remote: New, archive: Path) -> None:
    remote = new_remote(archive)
    remote.add_source("cdse", "eodag", satellites=("l8",))
    remote.find()
    outcome = remote.fetch("cdse")
    fetched = {
        name: Path(one.full_path)
        for name, one in remote.known().items()
        if one.satellite in {"l8", "l9"} and one.full_path
    }
    assert outcome.fetched == len(fetched) > 0
    for name, path in fetched.items():
        served = remote.hub.product(name)
        assert path.name == served.file_name
        assert path.read_bytes() == served.path.read_bytes()
    assert {path.suffix for path in fetched.values()} == {".tar", ".zip"}
