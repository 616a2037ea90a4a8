from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from s4c_lib.synthetic.archive import ArchiveSummary, MadeProduct, make_archive

START, END = date(2024, 3, 1), date(2024, 4, 15)
TILES = ("31UFS", "31UGS")


@pytest.fixture(scope="session")
def made_archive(tmp_path_factory: pytest.TempPathFactory) -> ArchiveSummary:
    """An archive of six weeks; read only: copy a product to damage it."""
    return make_archive(tmp_path_factory.mktemp("made") / "archive", seed=7, start=START, end=END, tiles=TILES)


@pytest.fixture
def product_copy(made_archive: ArchiveSummary, tmp_path: Path) -> Callable[[str], Path]:
    """A private copy of the first sound product whose path holds the text."""

    def copy(part: str) -> Path:
        source: MadeProduct = next(item for item in made_archive.products if part in str(item.path))
        target = tmp_path / "private" / source.path.name
        target.parent.mkdir(exist_ok=True)
        if source.path.is_dir():
            shutil.copytree(source.path, target)
        else:
            shutil.copy2(source.path, target)
        return target

    return copy


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real data is not on this machine")
    return folder
