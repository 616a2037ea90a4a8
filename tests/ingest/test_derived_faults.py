"""Products with faults, and a disk that is full: a reason on what is bad, and everything else goes on."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from derived_season import CLEAR_DAYS, NOW, Derived, NewDerived, new_derived, part_of, products_in, season_files

from s4c_lib.errors import DiskFullError, InputError, ProductCorruptError, Sen4capError, StorageError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.ingest import preprocess, vegetation
from s4c_lib.ingest.derive import Made, work_off
from s4c_lib.ingest.fetch import prepare, run_fetch
from s4c_lib.ingest.query import run_query
from s4c_lib.ingest.register import run_register
from s4c_lib.reasons import Reason
from s4c_lib.synthetic.products.raster_files import jpeg2000

__all__ = ["new_derived", "season_files"]

BAD, GOOD = CLEAR_DAYS
DAY = timedelta(days=1)


@pytest.fixture
def clear(season_files: Path, tmp_path: Path) -> Path:
    """An archive of the two clearest dates, which a test may damage."""
    return part_of(season_files / "archive", tmp_path / "archive", ["_MSIL2A_"], CLEAR_DAYS)


def raster(file: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Replace the pixels of a JP2, and its size where the manifest tells it."""
    with rasterio.open(file) as source:
        values, pixel = source.read(1), int(source.transform.a)
        west, north = int(source.transform.c), int(source.transform.f)
    changed = change(values)
    file.write_bytes(jpeg2000(changed, PixelGrid(32631, west, north, pixel, *changed.shape)))
    (manifest,) = [folder / "manifest.safe" for folder in file.parents if (folder / "manifest.safe").is_file()]
    before, after = manifest.read_text().split(file.name, 1)
    told = re.sub(r'size="\d+"(?!.*size=")', f'size="{file.stat().st_size}"', before, flags=re.DOTALL)
    manifest.write_text(told + file.name + after)


def truncated(safe: Path) -> None:
    (file,) = safe.rglob("*_B04_10m.jp2")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def wrong_size(safe: Path) -> None:
    (file,) = safe.rglob("*_B03_10m.jp2")
    raster(file, lambda values: values[:100])


def black(safe: Path) -> None:
    for file in safe.rglob("IMG_DATA/*/*_B*_*.jp2"):
        raster(file, np.zeros_like)
    for file in safe.rglob("*_SCL_20m.jp2"):
        raster(file, np.zeros_like)


def constant_band(safe: Path) -> None:
    (file,) = safe.rglob("*_B05_20m.jp2")
    raster(file, lambda values: np.full_like(values, 1500))


def of_another_tile(safe: Path) -> None:
    (file,) = safe.rglob("MTD_TL.xml")
    file.write_text(file.read_text().replace("T31UFS", "T31UGT"))


# By day of June: what is wrong with its product, the reason, and whether it is tried again. The 9th is sound.
FAULTS = {
    1: (truncated, "input_corrupt", True),
    4: (wrong_size, "input_corrupt", True),
    6: (black, "no_valid_pixel", False),
    11: (of_another_tile, "input_corrupt", True),
    14: (constant_band, "notv", False),
}


def test_bad_products_have_their_reasons_and_the_others_are_made(
    season_files: Path, new_derived: NewDerived, tmp_path: Path
) -> None:
    archive = part_of(season_files / "archive", tmp_path / "archive", ["_MSIL2A_"])
    season = new_derived(archive, declared=False)
    season.set("processor.l2a.optical.max-retries", 1)
    context = season.context()
    run_query(season.database, context, now=NOW, actor="test")
    prepare(season.database, context, now=NOW, actor="test")
    run_fetch(season.database, context, "archive_of_alpha", owner="test", clock=lambda: NOW)
    run_register(season.database, context, owner="test", job_id=None, clock=lambda: NOW)
    # damaged after they were fetched: the preprocess step meets it, not the transfer
    bad = {}
    for day, (fault, *_) in FAULTS.items():
        (product,) = products_in(archive, "_MSIL2A_", [day])
        fault(product)
        bad[day] = product.stem

    def run(now: datetime) -> None:
        preprocess.run_preprocess(season.database, context, owner="w", job_id=None, clock=lambda: now)

    run(NOW)
    units, states = season.units(), season.acquisitions()
    (good,) = units.keys() - bad.values()
    assert (units[good], states[good]) == (("done", None, 1), "processed")
    for day, (_, reason, again) in FAULTS.items():
        assert units[bad[day]] == ("failed", reason, 1), day
        assert states[bad[day]] == ("processing" if again else "processing_failed")
    for row in season.rows("SELECT failed_reason FROM s4c.acquisition_unit WHERE reason_code IS NOT NULL"):
        assert any(name in row["failed_reason"] for name in (*bad.values(), "B0")), row
    assert [one.name for one in season.products("l2a")] == [good]
    assert [path.name for path in (season.root / "products" / "l2a").glob("*/*/*/*/*")] == [good]

    run(NOW + timedelta(hours=1))
    assert season.units() == units, "not before their pause is over"
    for later in (NOW + DAY, NOW + 10 * DAY):
        run(later)
        units, states = season.units(), season.acquisitions()
        for day, (_, reason, again) in FAULTS.items():
            assert units[bad[day]] == ("failed", reason, 2 if again else 1), day
            assert states[bad[day]] == "processing_failed"
    assert not season.products("l3b")


def test_a_corrupt_product_made_whole_is_taken_the_next_time(clear: Path, new_derived: NewDerived) -> None:
    season = new_derived(clear, declared=False)
    (bad,) = products_in(clear, "_MSIL2A_", [BAD])
    (file,) = bad.rglob("*_B04_10m.jp2")
    content = file.read_bytes()
    # cut where only reading to the end notices
    file.write_bytes(content[: len(content) * 2 // 3])
    first = season.run()
    assert first["l2a"] == 1
    file.write_bytes(content)
    second = season.run(NOW + DAY)
    assert first["l2a"] + second["l2a"] == 2
    assert len(season.products("l3b")) == 2
    assert not season.has_work(NOW + DAY)


def test_l2a_already_there_from_another_configuration_is_replaced(clear: Path, new_derived: NewDerived) -> None:
    season = new_derived(clear, declared=False)
    season.run()
    (first, _) = season.products("l2a")
    before = {path.name for path in Path(first.full_path).iterdir()}
    season.rows_changed("UPDATE s4c.acquisition_unit SET state = 'failed', retryable = true, product_id = NULL")
    season.rows_changed("UPDATE s4c.acquisition_unit SET config_hash = 'other', attempts = 0")
    counts = season.run()
    assert (counts["l2a"], counts["l3b"]) == (2, 2)
    (again, _) = season.products("l2a")
    assert (again.name, again.version, again.config_hash) == (first.name, 2, "other")
    assert {path.name for path in Path(again.full_path).iterdir()} == before
    assert {row["state"] for row in season.rows("SELECT state::text FROM s4c.product WHERE id = :id", id=first.id)} == {
        "superseded"
    }


def test_files_that_went_are_fetched_again_even_at_the_last_try(clear: Path, new_derived: NewDerived) -> None:
    season = new_derived(clear, declared=False)
    season.run()
    season.rows_changed(
        "UPDATE s4c.acquisition_unit SET state = 'failed', retryable = true, attempts = 2, max_attempts = 3"
    )
    season.rows_changed("UPDATE s4c.acquisition SET state = 'processing'")
    (gone,) = products_in(clear, "_MSIL2A_", [BAD])
    moved = gone.rename(clear.parent / "elsewhere")
    counts = season.run()
    assert counts["l2a_failed_input_missing"] == 1
    assert season.acquisitions()[gone.stem] == "queued"
    assert season.units()[gone.stem] == ("failed", "input_missing", 2)
    moved.rename(gone)
    season.run()
    assert season.acquisitions()[gone.stem] == "processed"


# --- derived work --------------------------------------------------------------------------------------------------


def test_a_raster_that_cannot_be_read_stops_only_its_own_statistics(clear: Path, new_derived: NewDerived) -> None:
    season = new_derived(clear)
    season.set("processor.s4c_mdb1.lai_enabled", False)
    season.run()
    (bad, good) = season.products("l3b")
    raster_file = Path(bad.full_path) / bad.metadata["rasters"]["lai"]
    raster_file.write_bytes(raster_file.read_bytes()[:400])
    files = set((season.root / "products" / "markers").rglob("*.parquet"))
    season.set("processor.s4c_mdb1.lai_enabled", True)
    season.set("processor.s4c_mdb1.l2ab02_enabled", True)
    counts = season.run()
    assert (counts["statistics"], counts["statistics_failed_input_corrupt"]) == (3, 1)
    assert [one.product_id for one in season.markers("lai")] == [good.id]
    new = set((season.root / "products" / "markers").rglob("*.parquet")) - files
    assert new == {Path(one.path) for one in season.markers("lai", "b02")}
    assert not season.has_work()
    assert season.has_work(NOW + DAY), "it may be tried again"


ERRORS: tuple[tuple[Exception, str, bool], ...] = (
    (ProductCorruptError("x"), "input_corrupt", True),
    (StorageError("x"), "storage", True),
    (InputError("x"), "config", False),
    (MemoryError("x"), "out_of_memory", True),
    (ZeroDivisionError("x"), "internal", True),
    *(
        (Sen4capError("x", code=str(code)), str(code), False)
        for code in (Reason.TILE_EMPTY, Reason.NOTV, Reason.NO_VALID_PIXEL, Reason.CONFIG, Reason.TOO_CLOUDY)
    ),
    (Sen4capError("x", code=str(Reason.EXEC_TIMEOUT)), "exec_timeout", True),
)


def test_what_is_tried_again_and_what_never(clear: Path, new_derived: NewDerived) -> None:
    """The work itself is replaced: every error a step can meet, one after the other."""
    season = new_derived(clear, declared=False)
    _published(season)
    context = season.context()
    key = vegetation.work_key(context)
    for error, reason, again in ERRORS:
        assert vegetation.plan_vegetation(season.database, context, now=NOW) == 2
        met: list[object] = []

        def make(piece: object, met: list[object] = met, error: Exception = error) -> tuple[str, Made]:
            met.append(piece)
            if len(met) == 1:
                raise error
            return "product", Made()

        outcome = work_off(season.database, context, key, make, owner="w", clock=lambda: NOW)
        assert (outcome.made, outcome.failed, outcome.reasons) == (1, 1, {reason: 1})
        assert sorted(season.derivations(3)) == [("done", None, 1), ("failed", reason, 1)]
        # the piece that was "made" has no product, and so it is open again
        due = vegetation.plan_vegetation(season.database, context, now=NOW + DAY)
        assert due == (2 if again else 1), reason
        season.rows_changed("DELETE FROM s4c.derivation")


def _published(season: Derived) -> None:
    """L2A products only."""
    season.set("processor.l3b.lai.tiles_filter", ["01AAA"])
    season.run()
    season.set("processor.l3b.lai.tiles_filter", [])


# --- a full disk ---------------------------------------------------------------------------------------------------

STEP = """
import resource, signal, sys
from datetime import UTC, datetime
from s4c_lib.catalog.database import Database
from s4c_lib.errors import DiskFullError
from s4c_lib.ingest.context import load_context
from s4c_lib.ingest.steps import derived_step
now = datetime(2022, 2, 1, 8, tzinfo=UTC)
database = Database(sys.argv[1])
context = load_context(database, int(sys.argv[2]), today=now.date())
step = derived_step(sys.argv[3])
assert step.plan(database, context, now=now)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
try:
    step.run(database, context, owner="doomed", job_id=None, clock=lambda: now)
except DiskFullError as error:
    print(error.one_line)
    sys.exit(17)
"""


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, str], None]]:
    """Mounts a file system of a given size; only root can."""
    mounted: list[Path] = []

    def mount(folder: Path, options: str) -> None:
        if os.geteuid() != 0 or shutil.which("mount") is None:
            pytest.skip("mounting a small file system needs root")
        folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"this machine does not let a test mount a file system: {done.stderr.strip()}")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_store_stops_the_statistics(
    clear: Path, new_derived: NewDerived, small_disk: Callable[[Path, str], None]
) -> None:
    season = new_derived(clear)
    season.set("processor.s4c_l4a.mode", "s1-only")
    store = season.root / "products" / "markers"
    small_disk(store, "size=64k,nr_inodes=11")
    with pytest.raises(DiskFullError, match="no space left"):
        season.run()
    pieces = [(state, attempts) for state, _, attempts in season.derivations(14)]
    assert ("pending", 0) in pieces
    assert set(pieces) <= {("pending", 0), ("done", 1)}
    assert len(season.products("l3b")) == 2
    known = {Path(one.path) for one in season.markers()}
    assert {path for path in store.rglob("*") if path.is_file()} >= known
    assert list(store.rglob(".*")) == []

    subprocess.run(["mount", "-o", "remount,size=1m,nr_inodes=1000", str(store)], check=True)
    season.run()
    assert {one[0] for one in season.derivations(14)} == {"done"}
    assert set(store.rglob("*.parquet")) == {Path(one.path) for one in season.markers()}


@pytest.mark.parametrize(("step", "limit"), [("preprocess", 20_000), ("vegetation", 10_000)])
def test_a_full_disk_stops_a_step_gives_the_piece_back_and_leaves_nothing(
    clear: Path, new_derived: NewDerived, step: str, limit: int
) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    season = new_derived(clear, declared=False)
    if step == "vegetation":
        _published(season)
    else:
        season.run()
        season.rows_changed("DELETE FROM s4c.product")
        season.rows_changed("UPDATE s4c.acquisition_unit SET state = 'pending', attempts = 0, product_id = NULL")
        season.rows_changed("UPDATE s4c.acquisition SET state = 'downloaded'")
        shutil.rmtree(season.root / "products")
    before = {path for path in (season.root / "products").rglob("*") if path.is_file()}

    command = [
        sys.executable,
        "-c",
        textwrap.dedent(STEP),
        season.database.url,
        str(season.season.id),
        step,
        str(limit),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
    assert done.returncode == 17, done.stderr[-2000:]
    pieces = list(season.units().values()) if step == "preprocess" else season.derivations(3)
    assert {(state, attempts) for state, _, attempts in pieces} <= {("pending", 0), ("done", 1)}
    assert ("pending", 0) in {(state, attempts) for state, _, attempts in pieces}
    assert {path for path in (season.root / "products").rglob("*") if path.is_file()} == before

    counts = season.run()
    makes = {"preprocess": "l2a", "vegetation": "l3b"}[step]
    assert counts[makes] == 2
    assert not season.has_work()


def test_disk_full_is_an_error_of_its_own(clear: Path, new_derived: NewDerived) -> None:
    """In process: the first piece is given back and the second never begun."""
    season = new_derived(clear, declared=False)
    _published(season)
    context = season.context()
    vegetation.plan_vegetation(season.database, context, now=NOW)
    begun: list[object] = []

    def make(piece: object) -> tuple[str, Made]:
        begun.append(piece)
        raise DiskFullError("no space left")

    with pytest.raises(DiskFullError):
        work_off(season.database, context, vegetation.work_key(context), make, owner="w", clock=lambda: NOW)
    assert len(begun) == 1
    assert season.derivations(3) == [("pending", None, 0), ("pending", None, 0)]
