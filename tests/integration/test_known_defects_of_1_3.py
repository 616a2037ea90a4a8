"""Defects that Sen4CAP 1.3 lists as known, and what happens here instead; the table is in ``docs/validation.md``."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from derived_rows import settle
from derived_season import NOW, make_derived
from domain_rows import make_enabled
from PIL import Image
from typer.testing import CliRunner, Result
from uploaded_rows import give_everything

from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import JobState, get_job
from s4c_lib.cli.main import app
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.quicklook import COLOURS, write_quicklook
from s4c_lib.preprocessing.raster_verdicts import TileVerdict, layer_codes, product_verdict
from s4c_lib.products.cog import CogBand, CogProfile, write_cog
from s4c_lib.readers.scene import Band, Layer
from s4c_lib.runs import RunRequest, open_run
from tests.preprocessing.executor_cases import make_l1c, make_sen2cor_folders, sen2cor

GRID = PixelGrid(32631, 600_000, 5_700_000, 10, 60, 50)
# A forest in winter: what a linear stretch to 0.3 shows at a tenth of the brightness.
DARK = 0.03
LINEAR = 255 * DARK / 0.30
AFTER = datetime(2025, 2, 1, 8, tzinfo=UTC)
L4C = RunRequest(
    "alpha", "2024", "s4c_l4c", "backfill of the past season", "backfill", "anna", occurrence=date(2024, 9, 30)
)


def raster(path: Path, values: Any, names: tuple[str, ...]) -> Path:
    write_cog(path, values, GRID, CogProfile("int16", tuple(CogBand(name) for name in names), -10000, "average"))
    return path


def test_previews_are_bright_enough_to_see_dark_ground(tmp_path: Path) -> None:
    """1.3: previews are not gamma-corrected and can be too dark."""
    ground = np.full((1, *GRID.shape), round(DARK * 10_000), np.int16)
    files = {name: raster(tmp_path / f"{name}.tif", ground, (name,)) for name in COLOURS}
    bands = {name: Band(name, Layer(str(path), GRID), 0.0001, 0.0, -10000) for name, path in files.items()}
    write_quicklook(files, bands, tmp_path / "mosaic.jpg")
    picture = np.asarray(Image.open(io.BytesIO((tmp_path / "mosaic.jpg").read_bytes())))
    assert picture.mean() > 2.5 * LINEAR


def test_one_tile_with_a_flat_band_does_not_spoil_its_product(tmp_path: Path) -> None:
    """1.3: a product is invalid (NOTV) with even a single tile that has a low-variance band."""
    rng = np.random.default_rng(1)
    sound = rng.integers(500, 2500, (2, *GRID.shape)).astype(np.int16)
    flat = sound.copy()
    flat[1] = 700
    names = ("B3", "B4")
    tiles = []
    for tile, values in (("31UFS", flat), ("31UFT", sound)):
        path = raster(tmp_path / f"{tile}.tif", values, names)
        layers = {name: Layer(str(path), GRID, number) for number, name in enumerate(names, 1)}
        bands = {name: Band(name, layer, 0.0001, 0.0, -10000) for name, layer in layers.items()}
        tiles.append(TileVerdict(tile, layer_codes(bands)))
    product = product_verdict(tiles)
    assert (product.kept, product.notv) == (("31UFT",), False)
    assert [tile.text for tile in product.dropped] == ["31UFS: B4 low_variance"]


def test_a_past_season_waits_for_its_products_and_is_not_green_without_them(database: Database, tmp_path: Path) -> None:
    """1.3: jobs of seasons from the past may run before all products are there; L4C succeeds without any input."""
    with database.begin() as connection:
        _, season = make_enabled(connection)
        give_everything(connection, season, tmp_path)
    opening = open_run(database, L4C, now=AFTER)
    assert opening.status == "waiting", "nobody has searched for its products yet"
    assert "ingest has not run" in opening.text
    with database.begin() as connection:
        settle(connection, season, AFTER)
    opening = open_run(database, L4C, now=AFTER)
    assert opening.status == "skipped", "every search found nothing"
    with database.begin() as connection:
        job = get_job(connection, opening.job_id)
    assert (job.state, job.reason) == (JobState.SKIPPED, "no_inputs")
    assert "l3b, s1_l2a_amp, s1_l2a_cohe" in (job.detail or "")


@pytest.fixture
def extent(tmp_path: Path) -> Path:
    """A folder with ``site.geojson``, an area inside tile 31UFS."""
    area = shapely.box(4.55, 50.60, 4.80, 50.80)
    feature = {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(area)}
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "site.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return folder


def s4c(database: Database, folder: Path, *arguments: str) -> Result:
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    environment = {
        "S4C_DATABASE_URL": url, "S4C_MANIFEST_PATH": str(folder / "dags.json"), "S4C_AIRFLOW_URL": "http://127.0.0.1:9",
    }  # fmt: skip
    return CliRunner().invoke(app, list(arguments), env=environment)


@pytest.fixture
def unprocessed(
    database: Database, extent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Database, Path]:
    """A deleted site, of whose only acquisition no L2A could be made; returns the folder of its storage."""
    archive = tmp_path / "archive"
    make_l1c(archive / "Sentinel-2/MSI/L1C/2021/06/01", start=datetime(2021, 6, 1, 10, 46, 59, tzinfo=UTC))
    settings, elevation = make_sen2cor_folders(tmp_path / "sen2cor")
    program = sen2cor(tmp_path / "sen2cor", "error")
    monkeypatch.setenv("S4C_SEN2COR_PROGRAM", str(tmp_path / "sen2cor" / "bin" / "L2A_Process"))
    monkeypatch.setenv("S4C_SEN2COR_VERSION", program.version)
    season = make_derived(database, extent, tmp_path, archive, declared=False)
    for key, value in (
        ("processor.l2a.s2.implementation", "sen2cor"),
        ("processor.l2a.sen2cor.gipp-path", str(settings)),
        ("dem.path", str(elevation)),
    ):
        season.set(key, value)
    assert season.run(NOW)["l2a_failed_exec_nonzero"] == 1
    assert list((tmp_path / "scratch").rglob("*.log")), "its log tells why"
    answer = s4c(database, tmp_path, "site", "delete", "alpha", "--yes")
    assert answer.exit_code == 0, answer.output
    return database, tmp_path


def files_in(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob("*") if not path.is_dir()]


def test_a_deleted_site_leaves_no_folder_of_what_could_not_be_processed(unprocessed: tuple[Database, Path]) -> None:
    """1.3: folders of L2A that were not processed stay behind when their site is deleted."""
    database, root = unprocessed
    assert json.loads(s4c(database, root, "site", "list", "--json").stdout) == []
    assert files_in(root / "products", root / "downloads") == []
    assert list((root / "products").rglob("*31UFS*")) == []
    assert next((root / "archive").rglob("*.SAFE")).is_dir(), "the archive is not ours"


def test_a_deleted_site_leaves_no_log_in_scratch(unprocessed: tuple[Database, Path]) -> None:
    """The same of the logs beside them."""
    _, root = unprocessed
    assert files_in(root / "scratch") == []


def test_published_l2a_is_used_where_no_program_for_level_1_is_installed(
    database: Database, extent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1.3: MAJA has to be installed even when only ESA's L2A are used."""
    for name in ("MAJA", "SEN2COR"):
        monkeypatch.delenv(f"S4C_{name}_PROGRAM", raising=False)
    season = make_derived(database, extent, tmp_path, tmp_path / "none", declared=False)
    assert season.context().parameters["processor.l2a.s2.implementation"] == "esa"
    told = json.loads(s4c(database, tmp_path, "doctor", "--json").stdout)
    assert [one for one in told if "maja" in json.dumps(one).lower()] == []


def test_the_database_driver_comes_with_the_package() -> None:
    """1.3: psycopg2 is not always installed, and L4B fails for it."""
    assert any(name.startswith("psycopg2") for name in requires("sen4cap-airflow") or ())
