from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from product_server import Hub, serving

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
def products_of_a_day(tmp_path_factory: pytest.TempPathFactory) -> tuple[MadeProduct, ...]:
    """Few, and quickly made; read only."""
    day = date(2024, 3, 1)
    folder = tmp_path_factory.mktemp("day") / "archive"
    return tuple(make_archive(folder, seed=7, start=day, end=day, tiles=TILES[:1]).products)


@pytest.fixture(scope="session")
def hub_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake hub serves to eodag: nine days of one tile; read only."""
    root = tmp_path_factory.mktemp("eodag") / "archive"
    make_archive(root, seed=3, start=date(2024, 3, 1), end=date(2024, 3, 9), tiles=TILES[:1])
    return root


@pytest.fixture(scope="session")
def hub_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where hubs of `hub_archive` keep what they packed."""
    return tmp_path_factory.mktemp("eodag-hub")


@pytest.fixture(scope="session")
def zipped_product(products_of_a_day: tuple[MadeProduct, ...]) -> Path:
    """A sound Sentinel-2 L1C as its provider's zip."""
    return next(item.path for item in products_of_a_day if item.path.name.endswith(".SAFE.zip"))


@pytest.fixture(scope="session")
def raster_product(products_of_a_day: tuple[MadeProduct, ...]) -> Path:
    """A sound backscatter raster, which is a product of one file."""
    return next(item.path for item in products_of_a_day if item.path.suffix == ".tif")


@pytest.fixture
def hub(zipped_product: Path) -> Iterator[Hub]:
    """A server on loopback that has the zipped product."""
    with serving(zipped_product.read_bytes(), zipped_product.name) as running:
        yield running


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a file system of a given size; only root can."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        if os.geteuid() != 0 or shutil.which("mount") is None:
            pytest.skip("mounting a small file system needs root")
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"this machine does not let a test mount a file system: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real data is not on this machine")
    return folder
